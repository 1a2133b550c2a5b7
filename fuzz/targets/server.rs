//! Answers a client's bytes as a connection does, without its socket.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dockipc::fuzzing::server(data));
