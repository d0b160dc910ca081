//! See `repaint_fuzz::image_head`.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| repaint_fuzz::image_head(bytes));
