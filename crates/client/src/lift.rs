//! Reads a JSON answer as it comes: long base64 texts are lifted on the way and leave a handle, so
//! that the rest, the skeleton, stays small whatever the pictures weigh.

use base64_simd::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memchr2;
use repaint_core::Payload;

use crate::exchange::Lifted;

/// A text of this length that looks like base64 is lifted.
const LONG: usize = 1024;
/// The most that a skeleton may weigh.
const SKELETON: usize = 4 << 20;

/// The reader of one answer.
#[derive(Debug)]
pub(crate) struct Lift {
    skeleton: Vec<u8>,
    lifted: Vec<Lifted>,
    state: State,
    /// Whether texts are left as they are.
    undecoded: bool,
    /// The most that all lifted texts may weigh, decoded.
    limit: u64,
    weight: u64,
    /// What the first text is put into.
    buffer: Vec<u8>,
}

#[derive(Debug)]
enum State {
    Outside,
    /// Within a text that began at this place of the skeleton.
    Text {
        start: usize,
        escaped: bool,
        prose: bool,
    },
    /// Within a text that is being lifted.
    Lifting(Lifting),
}

#[derive(Debug, Default)]
struct Lifting {
    bytes: Vec<u8>,
    /// The text so far, where it is not decoded.
    text: Option<Vec<u8>>,
    /// Up to three characters that wait for their group of four.
    carry: Vec<u8>,
    ended: bool,
    escaped: bool,
    /// Whether it has `-` and `_` in the place of `+` and `/`; not known before the first of them.
    url_safe: Option<bool>,
    /// Not base64 after all: the picture is lost, and no other with it.
    broken: bool,
}

impl Lift {
    /// One that leaves texts of standard base64 as they are, or decodes them; the first into a buffer that is
    /// empty, and as large as it will be.
    pub(crate) fn new(limit: u64, undecoded: bool, buffer: Vec<u8>) -> Self {
        let state = State::Outside;
        let (skeleton, lifted) = (Vec::new(), Vec::new());
        Self { skeleton, lifted, state, undecoded, limit, weight: 0, buffer }
    }

    /// Reads on.
    pub(crate) fn feed(&mut self, mut chunk: &[u8]) -> Result<(), String> {
        while !chunk.is_empty() {
            chunk = match &mut self.state {
                State::Outside => {
                    let end = memchr::memchr(b'"', chunk).map_or(chunk.len(), |it| it + 1);
                    self.skeleton.extend_from_slice(&chunk[..end]);
                    if chunk[..end].ends_with(b"\"") {
                        self.state = State::Text {
                            start: self.skeleton.len(),
                            escaped: false,
                            prose: false,
                        };
                    }
                    &chunk[end..]
                }
                State::Text { .. } => self.text(chunk)?,
                State::Lifting(_) => self.lifting(chunk)?,
            };
            if SKELETON < self.skeleton.len() {
                return Err(format!(
                    "the answer is longer than {SKELETON} bytes, without pictures"
                ));
            }
        }
        Ok(())
    }

    /// The skeleton and the pictures; an error if the answer ended within a picture.
    pub(crate) fn finish(self) -> Result<(Vec<u8>, Vec<Lifted>), String> {
        match self.state {
            State::Lifting(_) => Err("the answer was cut within a picture".to_owned()),
            State::Outside | State::Text { .. } => Ok((self.skeleton, self.lifted)),
        }
    }

    fn text<'a>(&mut self, chunk: &'a [u8]) -> Result<&'a [u8], String> {
        let State::Text { start, escaped, prose } = &mut self.state else { return Ok(chunk) };
        // Until it is judged, no further than to where the text would be long.
        let room = if *prose {
            chunk.len()
        } else {
            (*start + LONG).saturating_sub(self.skeleton.len()).max(1)
        };
        let window = &chunk[..chunk.len().min(room)];
        for (at, byte) in window.iter().enumerate() {
            if *escaped {
                *escaped = false;
            } else if *byte == b'\\' {
                *escaped = true;
            } else if *byte == b'"' {
                self.skeleton.extend_from_slice(&window[..=at]);
                self.state = State::Outside;
                return Ok(&chunk[at + 1..]);
            }
        }
        self.skeleton.extend_from_slice(window);
        if !*prose && !*escaped && LONG <= self.skeleton.len() - *start {
            match base64_of(&self.skeleton[*start..]) {
                Some(base64) => {
                    // The opening quote goes too: a handle is an object.
                    self.skeleton.truncate(*start - 1);
                    let mut lifting = Lifting::default();
                    let buffer = std::mem::take(&mut self.buffer);
                    match self.undecoded {
                        true => lifting.text = Some(buffer),
                        false => lifting.bytes = buffer,
                    }
                    lifting.push(&base64);
                    self.state = State::Lifting(lifting);
                }
                None => *prose = true,
            }
        }
        Ok(&chunk[window.len()..])
    }

    fn lifting<'a>(&mut self, chunk: &'a [u8]) -> Result<&'a [u8], String> {
        let State::Lifting(lifting) = &mut self.state else { return Ok(chunk) };
        if lifting.escaped {
            // Some writers escape the slash, some break lines; base64 has no other escape.
            match chunk[0] {
                b'/' => lifting.push(b"/"),
                b'n' | b'r' => {}
                _ => lifting.broken = true,
            }
            lifting.escaped = false;
            return Ok(&chunk[1..]);
        }
        let end = memchr2(b'"', b'\\', chunk);
        lifting.push(&chunk[..end.unwrap_or(chunk.len())]);
        if self.limit < self.weight + lifting.weight() {
            return Err(format!("the pictures in the answer weigh more than {} bytes", self.limit));
        }
        let Some(end) = end else { return Ok(&[]) };
        if chunk[end] == b'\\' {
            lifting.escaped = true;
        } else {
            self.weight += lifting.weight();
            let lifted = std::mem::take(lifting).end();
            let handle = Payload::lifted(self.lifted.len()).to_string();
            self.skeleton.extend_from_slice(handle.as_bytes());
            self.lifted.push(lifted);
            self.state = State::Outside;
        }
        Ok(&chunk[end + 1..])
    }
}

impl Lifting {
    fn push(&mut self, base64: &[u8]) {
        match &mut self.text {
            Some(text) => text.extend_from_slice(base64),
            None => self.decode_on(base64),
        }
    }

    /// How many bytes of pictures it has.
    fn weight(&self) -> u64 {
        self.text.as_ref().map_or(self.bytes.len(), |it| it.len() / 4 * 3) as u64
    }

    fn decode_on(&mut self, mut base64: &[u8]) {
        let ended = self.ended;
        while let [rest @ .., b'='] = base64 {
            (base64, self.ended) = (rest, true);
        }
        self.broken |= ended && !base64.is_empty();
        if !self.carry.is_empty() {
            let missing = (4 - self.carry.len()).min(base64.len());
            self.carry.extend_from_slice(&base64[..missing]);
            base64 = &base64[missing..];
            if self.carry.len() == 4 {
                let group = std::mem::take(&mut self.carry);
                self.decode(&group);
            }
        }
        let (whole, rest) = base64.split_at(base64.len() / 4 * 4);
        self.decode(whole);
        self.carry.extend_from_slice(rest);
    }

    /// The picture; empty if it was broken.
    fn end(mut self) -> Lifted {
        match self.text.take() {
            Some(text) if !self.broken && !text.is_empty() && STANDARD.check(&text).is_ok() => {
                return Lifted::Base64(text.into());
            }
            // Another alphabet, or no padding.
            Some(text) if !self.broken => self.decode_on(&text),
            Some(_) | None => {}
        }
        let rest = std::mem::take(&mut self.carry);
        self.decode(&rest);
        Lifted::Bytes(self.bytes.into())
    }

    fn decode(&mut self, base64: &[u8]) {
        if self.url_safe.is_none() {
            let tells = base64.iter().find(|it| matches!(it, b'-' | b'_' | b'+' | b'/'));
            self.url_safe = tells.map(|it| matches!(it, b'-' | b'_'));
        }
        let url_safe = self.url_safe == Some(true);
        let alphabet = if url_safe { URL_SAFE_NO_PAD } else { STANDARD_NO_PAD };
        self.broken |= alphabet.decode_append(base64, &mut self.bytes).is_err();
        if self.broken {
            self.bytes = Vec::new();
        }
    }
}

/// The base64 at the start of a text, after the head of a data URI if there is one.
fn base64_of(text: &[u8]) -> Option<Vec<u8>> {
    let base64 = match text.strip_prefix(b"data:") {
        Some(rest) => &rest[memchr::memchr(b',', rest)? + 1..],
        None => text,
    };
    let mut plain = Vec::with_capacity(base64.len());
    for (at, byte) in base64.iter().enumerate() {
        match byte {
            b'\\' if matches!(base64.get(at + 1), Some(b'/' | b'n' | b'r')) => {}
            b'n' | b'r' if at != 0 && base64[at - 1] == b'\\' => {}
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' | b'-' | b'_' | b'=' => {
                plain.push(*byte);
            }
            _ => return None,
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    /// Whether the texts are decoded or left, they are the same pictures.
    fn lift(answer: &str, step: usize) -> Result<(String, Vec<Bytes>), String> {
        let [decoded, left] = [false, true].map(|undecoded| {
            let mut lift = Lift::new(1 << 20, undecoded, Vec::new());
            answer.as_bytes().chunks(step).try_for_each(|it| lift.feed(it))?;
            let (skeleton, lifted) = lift.finish()?;
            let bytes = lifted.into_iter().map(|it| match it {
                Lifted::Bytes(bytes) => bytes,
                Lifted::Base64(text) => {
                    assert!(undecoded, "it was to be decoded");
                    STANDARD.decode_to_vec(&text).expect("base64").into()
                }
            });
            Ok((String::from_utf8(skeleton).expect("text"), bytes.collect()))
        });
        assert_eq!(left, decoded);
        decoded
    }

    fn picture(length: usize) -> Vec<u8> {
        (0..length).map(|it| (it * 31 % 251) as u8).collect()
    }

    #[test]
    fn pictures_are_lifted_at_every_length_and_step() {
        for length in [760, 766, 767, 768, 769, 770, 771, 5000] {
            let picture = picture(length);
            let base64 = base64_simd::STANDARD.encode_to_string(&picture);
            for text in [
                base64.clone(),
                base64.replace('/', "\\/"),
                format!("data:image/png;base64,{base64}"),
            ] {
                let answer =
                    format!(r#"{{"data":[{{"b64_json":"{text}","index":0}}],"id":"o\"1"}}"#);
                for step in [1, 7, 1024, 100_000] {
                    let (skeleton, lifted) = lift(&answer, step)
                        .unwrap_or_else(|err| panic!("{err}: {length} by {step} {}", &text[..30]));
                    if text.len() < LONG {
                        assert_eq!(skeleton, answer);
                        continue;
                    }
                    assert_eq!(lifted, [Bytes::from(picture.clone())]);
                    assert!(skeleton.ends_with(r#","index":0}],"id":"o\"1"}"#), "{skeleton}");
                    serde_json::from_str::<serde_json::Value>(&skeleton)
                        .expect("the skeleton is JSON");
                }
            }
        }
    }

    #[test]
    fn prose_stays() {
        let answer = format!(r#"{{"message":"{}"}}"#, "no such thing. ".repeat(500));
        assert_eq!(lift(&answer, 100), Ok((answer.clone(), vec![])));
    }

    #[test]
    fn what_is_cut_is_an_error() {
        let base64 = base64_simd::STANDARD.encode_to_string(picture(3000));
        assert!(lift(&format!(r#"{{"b64_json":"{base64}"#), 64).is_err());
    }

    #[test]
    fn a_broken_picture_is_lost_alone() {
        let base64 = base64_simd::STANDARD.encode_to_string(picture(3000));
        for broken in [
            format!("{base64}!"),
            format!("{base64}\\t"),
            format!("={base64}="),
            base64.replace('A', "-"),
        ] {
            let answer =
                format!(r#"[{{"b64_json":"{base64}"}},{{"b64_json":"{base64}{broken}"}}]"#);
            let (_, lifted) = lift(&answer, 64).expect("an answer");
            assert_eq!(lifted, [Bytes::from(picture(3000)), Bytes::new()], "{broken}");
        }
    }

    #[test]
    fn lines_and_other_alphabets_are_read() {
        let plain = base64_simd::STANDARD.encode_to_string(picture(3000));
        let lines: Vec<&str> =
            plain.as_bytes().chunks(76).map(|it| std::str::from_utf8(it).expect("text")).collect();
        let url_safe = base64_simd::URL_SAFE_NO_PAD.encode_to_string(picture(3000));
        for text in [lines.join("\\n"), lines.join("\\r\\n"), url_safe] {
            let (_, lifted) = lift(&format!(r#"{{"b64_json":"{text}"}}"#), 64).expect("an answer");
            assert_eq!(lifted, [Bytes::from(picture(3000))], "{text}");
        }
        let late = [vec![0; 3000], vec![0xfb; 30]].concat();
        let url_safe = base64_simd::URL_SAFE_NO_PAD.encode_to_string(&late);
        let (_, lifted) = lift(&format!(r#"{{"b64_json":"{url_safe}"}}"#), 64).expect("an answer");
        assert_eq!(lifted, [Bytes::from(late)], "which alphabet it is shows late");
    }

    #[test]
    fn what_is_huge_is_an_error() {
        let prose = "no such thing. ".repeat(400_000);
        assert!(lift(&format!(r#"{{"message":"{prose}"}}"#), 65_536).is_err());
        let base64 = "AAAA".repeat(400_000);
        assert!(lift(&format!(r#"{{"b64_json":"{base64}"}}"#), 65_536).is_err());
    }
}
