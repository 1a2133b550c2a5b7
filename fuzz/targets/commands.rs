//! Decodes a client's bytes as commands.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dockipc::fuzzing::commands(data));
