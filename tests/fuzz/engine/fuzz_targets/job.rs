//! See `repaint_fuzz::job`.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| repaint_fuzz::job(bytes));
