//! Checks the sizes of the answers of built-in commands.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dockipc::fuzzing::sizes(data));
