//! What a server sends, as a client reads it.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dockipc::fuzzing::answers(data));
