//! Questions to the built-in commands, whose answers may not be much longer than they are.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dockipc::fuzzing::sizes(data));
