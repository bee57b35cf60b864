#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    tierproof_fuzz::engine::tokenizer(input);
});
