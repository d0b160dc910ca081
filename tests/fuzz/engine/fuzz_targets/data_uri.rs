//! See `repaint_fuzz::data_uri`.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| repaint_fuzz::data_uri(bytes));
