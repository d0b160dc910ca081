//! See `repaint_fuzz::answer`.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| repaint_fuzz::answer(bytes));
