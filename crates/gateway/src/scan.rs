//! Reads a JSON body as it comes: a small body like it, with marks in the place of its images, which stay
//! where they are. Each piece is looked at while it is at hand; nobody reads all of it again.

use std::fmt;

#[cfg(any(test, feature = "fuzzing"))]
use bytes::Bytes;
use memchr::{memchr, memchr2};
use repaint_core::{Base64Read, Base64Reader, Kept};

use crate::calls::Print;
use crate::digest::Digest;
use crate::json::{Lifted, Read, Text, read};
use crate::receive::Reader;

/// A text of so many bytes may be an image; below that, a copy is cheaper than the bookkeeping.
const LONG: usize = 1024;
/// What is left of a body without its images has no more bytes.
const SMALL: usize = 4 << 20;

/// A body as far as it has come.
pub(crate) struct Scan {
    lifted: Lifted,
    small: Vec<u8>,
    found: Vec<Found>,
    state: State,
    /// How many bytes have come.
    at: u64,
    secret: [u8; 16],
    digest: Digest,
    /// So much of the small body is in the digest.
    digested: usize,
}

/// An image, by where in the body it is.
struct Found {
    start: u64,
    end: u64,
    data: usize,
    has_escapes: bool,
    read: Base64Read,
}

enum State {
    /// Between texts.
    Plain,
    /// In a text that may still be an image; it is held back.
    Head { start: u64, held: Vec<u8>, escaped: bool },
    /// In a text that is none.
    Text { escaped: bool },
    /// In an image that began here.
    Image { start: u64, data: usize, escaped: bool, has_escapes: bool, reader: Box<Base64Reader> },
}

impl Scan {
    /// Nothing yet. The secret is that of the store; what equal bodies are told by is keyed with it.
    pub(crate) fn new(secret: &[u8; 16]) -> Self {
        Self {
            lifted: Lifted::default(),
            small: Vec::new(),
            found: Vec::new(),
            state: State::Plain,
            at: 0,
            secret: *secret,
            digest: Digest::new(secret),
            digested: 0,
        }
    }

    /// Takes some of a piece: so much.
    fn step(&mut self, piece: &[u8]) -> usize {
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
                // Whether it may be one shows in its first bytes.
                let room = if held.len() < START.len() { 1 } else { LONG - held.len() };
                let (taken, ends) = text(&piece[..room.min(piece.len())], escaped, &mut false);
                held.extend_from_slice(&piece[..taken]);
                let whole = LONG <= held.len();
                match if whole && !ends { comma(held) } else { None } {
                    Some(comma) => {
                        let (start, has_escapes) = (*start, held.contains(&b'\\'));
                        let (escaped, data) = (*escaped, comma + 1);
                        self.digest.part(&self.small[self.digested..]);
                        self.digested = self.small.len();
                        // Its head is no part of what is read.
                        self.digest.part(&held[..data]);
                        let mut reader = Box::new(Base64Reader::new(&self.secret));
                        reader.piece(&held[data..]);
                        self.state = State::Image { start, data, escaped, has_escapes, reader };
                    }
                    None if ends || whole || !may_be_image(held) => {
                        self.small.extend_from_slice(held);
                        let escaped = *escaped;
                        self.state = if ends { State::Plain } else { State::Text { escaped } };
                    }
                    None => {}
                }
                taken
            }
            State::Text { escaped } => {
                let (taken, ends) = text(piece, escaped, &mut false);
                self.small.extend_from_slice(&piece[..taken]);
                if ends {
                    self.state = State::Plain;
                }
                taken
            }
            State::Image { escaped, has_escapes, reader, .. } => {
                let (taken, ends) = text(piece, escaped, has_escapes);
                reader.piece(&piece[..taken - usize::from(ends)]);
                if ends {
                    self.image(self.at + taken as u64 - 1);
                }
                taken
            }
        }
    }

    /// An image ends: a mark stands in its place.
    fn image(&mut self, end: u64) {
        let State::Image { start, data, has_escapes, reader, .. } =
            std::mem::replace(&mut self.state, State::Plain)
        else {
            return;
        };
        let read = reader.finish();
        read.hash().iter().for_each(|it| self.digest.part(&it.to_le_bytes()));
        self.small.extend_from_slice(self.lifted.mark(self.found.len()).as_bytes());
        self.digested = self.small.len();
        self.small.push(b'"');
        self.found.push(Found { start, end, data, has_escapes, read });
    }
}

impl Reader for Scan {
    fn keeps(length: u64) -> u64 {
        length
    }

    fn piece<'a>(&'a mut self, piece: &'a [u8]) -> Result<&'a [u8], String> {
        let mut rest = piece;
        while !rest.is_empty() {
            let taken = self.step(rest);
            rest = &rest[taken..];
            self.at += taken as u64;
            if SMALL < self.small.len() {
                return Err(format!(
                    "the body has more than {SMALL} bytes besides its images, which are addresses or \
                     data:image/…;base64,…"
                ));
            }
        }
        Ok(piece)
    }

    fn finish(mut self, kept: &Kept) -> Result<(Read, Print), String> {
        self.digest.part(&self.small[self.digested..]);
        let Self { mut lifted, small, found, digest, .. } = self;
        for it in found {
            let Found { start, end, data, has_escapes, read } = it;
            let place = kept.part(start, end);
            lifted.text(Text { place, data, has_escapes, read });
        }
        Ok((read(&small, lifted)?, digest.done()))
    }
}

impl fmt::Debug for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scan({} bytes)", self.at)
    }
}

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

/// What every image begins with; the slash behind it may be escaped.
const START: &[u8] = b"data:image";

/// Whether what begins like this may be an image.
fn may_be_image(held: &[u8]) -> bool {
    let length = held.len().min(START.len());
    held[..length] == START[..length]
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

/// Reads a body that is there whole.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn at_once(body: &Bytes) -> Result<Read, String> {
    let mut scan = Scan::new(&[7; 16]);
    scan.piece(body)?;
    let kept = Kept::new(std::sync::Arc::new(body.clone()), 0, body.len() as u64);
    Ok(scan.finish(&kept)?.0)
}

#[cfg(test)]
mod tests {
    use repaint_core::Policy;
    use serde_json::json;

    use super::*;
    use crate::held::Held;
    use crate::receive::in_pieces;

    fn scanned(body: &str, step: usize) -> Result<crate::json::Read, String> {
        in_pieces(Scan::new(&[7; 16]), body.as_bytes(), step)
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
            let wanted = at_once(&Bytes::from(body.clone())).expect("JSON");
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
    fn equal_bodies_are_known_however_they_come_and_others_are_others() {
        let uri = |fill: &str| format!("data:image/png;base64,{}", fill.repeat(2 * LONG));
        let print = |body: &str, step: usize| {
            let mut scan = Scan::new(&[7; 16]);
            body.as_bytes().chunks(step).for_each(|it| {
                scan.piece(it).expect("short");
            });
            let held = Held::in_memory(Bytes::copy_from_slice(body.as_bytes()));
            scan.finish(&held.whole()).expect("JSON").1
        };
        let body = |prompt: &str, image: &str| {
            format!(r#"{{"prompt":"{prompt}","images":["{image}","{image}"]}}"#)
        };
        let first = body("a cat", &uri("AAAA"));
        let known = print(&first, first.len());
        for step in [1, 7, 1023, 1024, 1025] {
            assert_eq!(print(&first, step), known, "{step}");
        }
        let mut last = first.clone();
        last.replace_range(last.len() - 4..last.len() - 3, "B");
        for other in [
            last,
            body("a cow", &uri("AAAA")),
            body("a cat", &uri("AAAB")),
            body("a cat", &uri("AAAA").replace("png", "gif")),
            body("a cat ", &uri("AAAA")),
            first.replacen("images", "image", 1),
            format!("{first} "),
        ] {
            assert_ne!(print(&other, other.len()), known, "{}", &other[other.len() - 9..]);
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
            let (at_once, pieces) = (at_once(&Bytes::from(body.clone())), scanned(&body, 64));
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
