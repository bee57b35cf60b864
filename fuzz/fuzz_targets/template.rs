#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| _ = tierproof_fuzz::engine::template(input));
