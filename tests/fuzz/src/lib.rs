//! What must hold of bytes from outside: one function a parser, which panics where it does not.
//!
//! A fuzzer hands them bytes that nobody thought of (`engine/`), and the test `replay` those that it found worth
//! keeping (`corpus/`) and those that once broke something (`crashes/`). CONTRIBUTING.md says how to fuzz.

mod address;
mod answer;
mod body;
mod data_uri;
mod form_body;
mod image_head;
mod job;
mod json_body;
mod key_file;

pub use address::address;
pub use answer::answer;
pub use data_uri::data_uri;
pub use form_body::form_body;
pub use image_head::image_head;
pub use job::job;
pub use json_body::json_body;
pub use key_file::key_file;

/// A function that holds bytes to its claims.
pub type Target = fn(&[u8]);

/// Every target, under the name of its folders.
pub const TARGETS: [(&str, Target); 8] = [
    ("address", address),
    ("answer", answer),
    ("data_uri", data_uri),
    ("form_body", form_body),
    ("image_head", image_head),
    ("job", job),
    ("json_body", json_body),
    ("key_file", key_file),
];

/// The bytes with every `~` as a long text: what is long is read otherwise, and files that stand for it should
/// be short. It is base64, of zeros in whole groups of four.
fn swollen(bytes: &[u8]) -> Vec<u8> {
    const LONG: [u8; 1200] = [b'A'; 1200];
    bytes.split(|it| *it == b'~').collect::<Vec<_>>().join(&LONG[..])
}

/// Sizes of pieces: the smallest that a long text can be tried in many times a second, one of some hundred, and all of it.
fn pieces(bytes: &[u8]) -> [usize; 3] {
    [if bytes.len() <= 4096 { 1 } else { 61 }, 1000, bytes.len().max(1)]
}

/// Nothing that is told to people has an image in it.
fn assert_short(told: &str) {
    let base64 = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'+' | b'/' | b'=');
    let longest = told.as_bytes().split(|it| !base64(*it)).map(<[u8]>::len).max();
    assert!(longest <= Some(400), "a long text is told: {told}");
}
