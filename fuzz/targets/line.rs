//! A line, as words.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dockipc::fuzzing::line(data));
