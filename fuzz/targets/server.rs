//! What a client sends, answered by a whole connection without its socket.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dockipc::fuzzing::server(data));
