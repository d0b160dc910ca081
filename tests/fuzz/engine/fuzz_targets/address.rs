//! See `repaint_fuzz::address`.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| repaint_fuzz::address(bytes));
