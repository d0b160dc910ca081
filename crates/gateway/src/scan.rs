//! Reads a JSON body that lies in a file, piece by piece: a small body like it, with marks in the place of
//! its images, which stay in the file.

use memchr::{memchr, memchr2};

use crate::json::{Lifted, Part};

/// A text of so many bytes may be an image.
const LONG: usize = 1024;
/// What is left of a body without its images has no more bytes.
const SMALL: usize = 4 << 20;

/// A body as far as it has come.
#[derive(Debug)]
pub(crate) struct Scan<'a> {
    lifted: &'a mut Lifted,
    small: Vec<u8>,
    state: State,
    /// How many bytes have come.
    at: u64,
}

#[derive(Debug)]
enum State {
    /// Between texts.
    Plain,
    /// In a text that may still be an image; it is held back.
    Head { start: u64, held: Vec<u8>, escaped: bool },
    /// In a text that is none.
    Text { escaped: bool },
    /// In an image that began here.
    Image { start: u64, comma: usize, escaped: bool, has_escapes: bool },
}

impl<'a> Scan<'a> {
    pub(crate) fn new(lifted: &'a mut Lifted) -> Self {
        Self { lifted, small: Vec::new(), state: State::Plain, at: 0 }
    }

    /// The next piece. `image` puts away an image that lies from one byte of the body to another; it is
    /// told where its data begins, and whether its text has escapes.
    pub(crate) fn feed(&mut self, mut piece: &[u8], image: &Put<'_>) -> Result<(), String> {
        while !piece.is_empty() {
            let taken = self.step(piece, image);
            piece = &piece[taken..];
            self.at += taken as u64;
            if SMALL < self.small.len() {
                return Err(format!("the body has more than {SMALL} bytes besides its images"));
            }
        }
        Ok(())
    }

    /// The small body, when all has come.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.small
    }

    /// Takes some of a piece: so much.
    fn step(&mut self, piece: &[u8], image: &Put<'_>) -> usize {
        match &mut self.state {
            State::Plain => {
                let taken = memchr(b'"', piece).map_or(piece.len(), |it| it + 1);
                self.small.extend_from_slice(&piece[..taken]);
                if piece[taken - 1] == b'"' {
                    let (start, held) = (self.at + taken as u64, Vec::new());
                    self.state = State::Head { start, held, escaped: false };
                }
                taken
            }
            State::Head { start, held, escaped } => {
                let byte = piece[0];
                held.push(byte);
                let ends = byte == b'"' && !*escaped;
                *escaped = byte == b'\\' && !*escaped;
                let whole = LONG <= held.len();
                match comma(held) {
                    Some(comma) if whole && !ends => {
                        let (start, has_escapes) = (*start, held.contains(&b'\\'));
                        let escaped = *escaped;
                        self.state = State::Image { start, comma, escaped, has_escapes };
                    }
                    _ if ends || whole || !may_be_image(held) => {
                        self.small.extend_from_slice(held);
                        let escaped = *escaped;
                        self.state = if ends { State::Plain } else { State::Text { escaped } };
                    }
                    _ => {}
                }
                1
            }
            State::Text { escaped } => {
                let (taken, ends) = text(piece, escaped, &mut false);
                self.small.extend_from_slice(&piece[..taken]);
                if ends {
                    self.state = State::Plain;
                }
                taken
            }
            State::Image { start, comma, escaped, has_escapes } => {
                let (taken, ends) = text(piece, escaped, has_escapes);
                if ends {
                    let end = self.at + taken as u64 - 1;
                    let part = image(*start, end, *comma, *has_escapes);
                    self.small.extend_from_slice(self.lifted.put(part).as_bytes());
                    self.small.push(b'"');
                    self.state = State::Plain;
                }
                taken
            }
        }
    }
}

/// Makes a part of what lies in a file: from, to, where its data begins, and whether it has escapes.
pub(crate) type Put<'a> = dyn Fn(u64, u64, usize, bool) -> Part + 'a;

/// How much of a piece is within a text, with the quote at its end; and whether that is there.
fn text(piece: &[u8], escaped: &mut bool, has_escapes: &mut bool) -> (usize, bool) {
    if *escaped {
        *escaped = false;
        return (1, false);
    }
    match memchr2(b'"', b'\\', piece) {
        None => (piece.len(), false),
        Some(at) if piece[at] == b'"' => (at + 1, true),
        Some(at) => {
            (*escaped, *has_escapes) = (true, true);
            (at + 1, false)
        }
    }
}

/// Whether what begins like this may be an image; its slash may be escaped.
fn may_be_image(held: &[u8]) -> bool {
    let start = b"data:image";
    let length = held.len().min(start.len());
    held[..length] == start[..length]
}

/// Where the data of an image that begins like this has its comma.
fn comma(held: &[u8]) -> Option<usize> {
    let comma = memchr(b',', &held[..held.len().min(100)])?;
    let head = &held[..comma];
    let starts = head.starts_with(b"data:image/") || head.starts_with(b"data:image\\/");
    // What is no JSON is left for who reads the rest.
    let is_plain = head.iter().all(u8::is_ascii_graphic);
    (starts && is_plain && head.ends_with(b";base64")).then_some(comma)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use repaint_core::{Keep, Kept, Policy};
    use serde_json::json;

    use super::*;

    fn scanned(body: &str, step: usize) -> Result<crate::json::Read, String> {
        let keep: Arc<dyn Keep> = Arc::new(Bytes::copy_from_slice(body.as_bytes()));
        let mut lifted = Lifted::default();
        let mut scan = Scan::new(&mut lifted);
        let put = |from: u64, to: u64, comma: usize, has_escapes: bool| Part::Kept {
            text: Kept::new(Arc::clone(&keep), from, to - from),
            comma,
            has_escapes,
        };
        for piece in body.as_bytes().chunks(step) {
            scan.feed(piece, &put)?;
        }
        let small = Bytes::from(scan.finish());
        crate::json::read_small(&small, lifted)
    }

    #[test]
    fn a_body_in_a_file_says_what_it_says_in_memory() {
        let picture = repaint_testkit::real_png(512, 512, 1);
        assert!(LONG < picture.len());
        let uri =
            format!("data:image/png;base64,{}", base64_simd::STANDARD.encode_to_string(&picture));
        let long = "x\\\" \\u00e4".repeat(500);
        let slashed = uri.replace('/', "\\/");
        for (prompt, image) in [("p", &uri), (long.as_str(), &slashed), (uri.as_str(), &uri)] {
            let body = format!(
                r#"{{"prompt": "{prompt}", "reference_images": ["{image}", "https://a.example/1.png"], "n": 2}}"#
            );
            let wanted = crate::json::read(&Bytes::from(body.clone())).expect("JSON");
            for step in [1, 7, 1023, 1024, 1025, 100_000] {
                let read = scanned(&body, step).expect("JSON");
                for (mut value, lifted) in
                    [(wanted.value.clone(), &wanted.lifted), (read.value.clone(), &read.lifted)]
                {
                    assert!(lifted.restore(&mut value));
                    let text: String =
                        serde_json::from_str(&format!("\"{prompt}\"")).expect("text");
                    assert_eq!(value["prompt"], json!(text), "{step}");
                    assert_eq!(value["n"], json!(2));
                }
                let address = read.value["reference_images"][0].as_str().expect("a text");
                let image = read.lifted.image(address).expect("an image");
                assert_eq!(image.facts().map(|it| it.bytes), Some(picture.len() as u64));
            }
        }
    }

    #[test]
    fn a_name_that_looks_like_an_image_is_a_name_and_may_be_there_once() {
        let uri = format!("data:image/png;base64,{}", "A".repeat(2 * LONG));
        let body = format!(r#"{{"{uri}": 1, "x": {{"{uri}": 2}}}}"#);
        let read = scanned(&body, 64).expect("JSON");
        assert_eq!(read.value, json!({ (uri.as_str()): 1, "x": { (uri.as_str()): 2 } }));
        assert!(scanned(&format!(r#"{{"{uri}": 1, "{uri}": 2}}"#), 64).is_err());
        assert!(scanned(&format!(r#"{{"{uri}\q": 1}}"#), 64).is_err());
    }

    #[test]
    fn what_is_no_image_in_memory_is_none_in_a_file() {
        let base64 = "A".repeat(2 * LONG);
        for (head, is_json) in [("data:imagepng", true), ("data:image/p\ng", false)] {
            let body = format!(r#"{{"image_url": "{head};base64,{base64}"}}"#);
            let (at_once, pieces) =
                (crate::json::read(&Bytes::from(body.clone())), scanned(&body, 64));
            assert_eq!((at_once.is_ok(), pieces.is_ok()), (is_json, is_json));
            assert_eq!(at_once.ok().map(|it| it.value), pieces.ok().map(|it| it.value));
        }
    }

    #[test]
    fn a_prompt_that_is_no_text_is_refused_and_nothing_is_put_in_its_place() {
        for wrong in ["\\q", "\u{1}"] {
            let uri = format!("data:image/png;base64,{}{wrong}", "A".repeat(2 * LONG));
            let read = scanned(&format!(r#"{{"model": "m", "prompt": "{uri}"}}"#), 64);
            let found =
                crate::dialect::understand(read.expect("it is seen later"), &Policy::default());
            let found = found.expect_err("no text");
            assert_eq!(found[0].pointer, "/prompt");
        }
    }

    #[test]
    fn what_is_cut_or_wrong_is_an_error() {
        let base64 = base64_simd::STANDARD.encode_to_string(vec![7; 3000]);
        for body in [
            format!(r#"{{"image_url": "data:image/png;base64,{base64}"#),
            format!(r#"{{"image_url": "data:image/png;base64,{base64}" "#),
            format!(r#"{{"image_url": "data:image/png;base64,{base64}", "image_url": "x"}}"#),
            format!(r#"["data:image/png;base64,{base64}"]"#),
        ] {
            assert!(scanned(&body, 64).is_err());
        }
        let body = format!(r#"{{"image_url": "data:image/png;base64,{base64}"}}"#);
        let read = scanned(&body, 64).expect("JSON");
        let address = read.value["image_url"].as_str().expect("a text");
        assert!(read.lifted.image(address).is_err(), "it is no picture");
        let huge = format!(r#"{{"prompt": "{}"}}"#, "x".repeat(SMALL));
        assert!(scanned(&huge, 65_536).is_err());
    }
}
