//! Splits a line into words, and answers it in line mode and in RESP.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dockipc::fuzzing::line(data));
