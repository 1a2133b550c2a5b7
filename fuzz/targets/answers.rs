//! Decodes a server's bytes as a client does.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dockipc::fuzzing::answers(data));
