//! Questions to the built-in commands, and the sizes of their answers.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dockipc::fuzzing::sizes(data));
