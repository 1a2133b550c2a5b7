//! What a client sends to a server with rules: nothing runs that a model says no to.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dockipc::fuzzing::access(data));
