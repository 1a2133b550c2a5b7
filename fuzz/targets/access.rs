//! Sends a client's bytes to a server with rules: only what a model allows may run.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dockipc::fuzzing::access(data));
