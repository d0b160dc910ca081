//! See `repaint_fuzz::form_body`.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| repaint_fuzz::form_body(bytes));
