//! See `repaint_fuzz::json_body`.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| repaint_fuzz::json_body(bytes));
