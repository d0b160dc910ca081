//! Reads a JSON body: a small value, and the images in it as slices of what came, never copied or decoded.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher, RandomState};

use bytes::Bytes;
use repaint_core::{ImageInput, Kept};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::scan::Scan;

/// A text of so many bytes may be lifted; below that, a copy is cheaper than the bookkeeping.
const LONG: usize = 1024;
/// In a body of so many bytes images are looked for first.
const LARGE: usize = 64 * 1024;
/// A list or an object has no more entries; see the emptiest JSON that memory can be filled with.
const ENTRIES: usize = 10_000;

/// A body: what it says, and the images that were lifted out of it.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) value: Value,
    pub(crate) lifted: Lifted,
}

/// Images in the place of which a value has marks. A mark is a text that nobody outside can know.
#[derive(Debug)]
pub(crate) struct Lifted {
    mark: String,
    parts: Vec<Part>,
}

#[derive(Debug)]
pub(crate) enum Part {
    /// The whole of a data URI, and where its data begins.
    DataUri(Bytes, usize),
    /// The same of one that was not read as JSON yet; it has no escapes.
    Scanned(Bytes, usize),
    /// A file, as multipart has it.
    File(Bytes),
    /// The whole of a data URI outside memory, where its data begins, and whether it has escapes.
    Kept { text: Kept, comma: usize, has_escapes: bool },
}

impl Default for Lifted {
    fn default() -> Self {
        let chance = || RandomState::new().hash_one(0);
        // It looks like the address of an image, so that a checker takes it for one.
        let mark = format!("data:image/x-lifted;base64,{:016x}{:016x}-", chance(), chance());
        Self { mark, parts: Vec::new() }
    }
}

impl Lifted {
    /// Puts a file away; gives what stands for it.
    pub(crate) fn file(&mut self, bytes: Bytes) -> String {
        self.put(Part::File(bytes))
    }

    /// Puts a data URI away; `None` if the text is none.
    fn data_uri(&mut self, text: &Bytes) -> Option<String> {
        let head = &text[..text.len().min(100)];
        let comma = memchr::memchr(b',', head)?;
        let is_image = head.starts_with(b"data:image/") && head[..comma].ends_with(b";base64");
        is_image.then(|| self.put(Part::DataUri(text.clone(), comma + 1)))
    }

    pub(crate) fn put(&mut self, part: Part) -> String {
        self.parts.push(part);
        format!("{}{}", self.mark, self.parts.len() - 1)
    }

    fn get(&self, text: &str) -> Option<&Part> {
        self.parts.get(text.strip_prefix(&self.mark)?.parse::<usize>().ok()?)
    }

    /// The image that a text of the value is the address of, or stands for.
    pub(crate) fn image(&self, text: &str) -> repaint_core::Result<ImageInput> {
        match self.get(text) {
            Some(Part::DataUri(text, at) | Part::Scanned(text, at)) => {
                ImageInput::base64(text.slice(*at..))
            }
            Some(Part::File(bytes)) => ImageInput::bytes(bytes.clone()),
            Some(Part::Kept { text, comma, has_escapes: false }) => {
                ImageInput::kept(text.after(*comma as u64 + 1))
            }
            Some(Part::Kept { text, has_escapes: true, .. }) => {
                ImageInput::from_address(&unescaped(text).unwrap_or_default())
            }
            None => ImageInput::from_address(text),
        }
    }

    /// Puts texts back that were lifted where no image is looked for, such as a prompt. Whether all are texts:
    /// what lies outside memory was not read as JSON yet.
    #[must_use]
    pub(crate) fn restore(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => self.restore_text(text),
            Value::Array(items) => items.iter_mut().all(|it| self.restore(it)),
            Value::Object(fields) => fields.values_mut().all(|it| self.restore(it)),
            Value::Null | Value::Bool(_) | Value::Number(_) => true,
        }
    }

    fn restore_text(&self, text: &mut String) -> bool {
        let whole = match self.get(text) {
            Some(Part::DataUri(whole, _)) => Some(String::from_utf8_lossy(whole).into_owned()),
            Some(Part::Scanned(whole, _)) => read_text(whole),
            Some(Part::Kept { text, .. }) => unescaped(text),
            Some(Part::File(_)) | None => return true,
        };
        whole.map(|it| *text = it).is_some()
    }
}

/// A text of JSON outside memory, read now.
fn unescaped(text: &Kept) -> Option<String> {
    read_text(&text.whole().ok()?)
}

/// What stood between the quotes of a text.
fn read_text(inner: &[u8]) -> Option<String> {
    let json = [b"\"", inner, b"\""].concat();
    serde_json::from_slice(&json).ok()
}

/// Reads a body, which is an object. The error is in words, and has nothing of a long text in it.
pub(crate) fn read(body: &Bytes) -> Result<Read, String> {
    let scanned = if LARGE <= body.len() { scanned(body) } else { None };
    match scanned {
        Some((small, lifted)) => read_small(&small, lifted),
        None => read_small(body, Lifted::default()),
    }
}

/// Lifts images by looking for their quotes alone, which is many times as fast as reading them as JSON.
/// Nothing where that is not so easy.
fn scanned(body: &Bytes) -> Option<(Bytes, Lifted)> {
    let (mut lifted, easy) = (Lifted::default(), Cell::new(true));
    let put = |from: u64, to: u64, comma: usize, has_escapes: bool| {
        easy.set(easy.get() && !has_escapes);
        let place = |it: u64| usize::try_from(it).unwrap_or(usize::MAX).min(body.len());
        Part::Scanned(body.slice(place(from)..place(to)), comma + 1)
    };
    let mut scan = Scan::new(&mut lifted);
    scan.feed(body, &put).ok()?;
    let small = Bytes::from(scan.finish());
    easy.get().then_some((small, lifted))
}

/// The same for a body whose images were lifted before.
pub(crate) fn read_small(body: &Bytes, mut lifted: Lifted) -> Result<Read, String> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = Seed { body, lifted: &mut lifted }.deserialize(&mut json);
    let value = value.and_then(|it| json.end().map(|()| it));
    let value = value.map_err(|err| format!("the body is no JSON: {err}"))?;
    if !value.is_object() {
        return Err("the body must be a JSON object".to_owned());
    }
    Ok(Read { value, lifted })
}

/// Makes a value of what is in a body.
struct Seed<'a> {
    body: &'a Bytes,
    lifted: &'a mut Lifted,
}

impl Seed<'_> {
    fn text(self, text: Cow<'_, str>) -> Value {
        if LONG <= text.len() && text.starts_with("data:") {
            let bytes = match &text {
                Cow::Borrowed(text) => self.body.slice_ref(text.as_bytes()),
                // It had escapes in it, so it is no slice of what came.
                Cow::Owned(text) => Bytes::copy_from_slice(text.as_bytes()),
            };
            if let Some(mark) = self.lifted.data_uri(&bytes) {
                return Value::String(mark);
            }
        }
        Value::String(text.into_owned())
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, it: bool) -> Result<Value, E> {
        Ok(Value::Bool(it))
    }

    fn visit_i64<E>(self, it: i64) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_u64<E>(self, it: u64) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_f64<E: serde::de::Error>(self, it: f64) -> Result<Value, E> {
        let number = Number::from_f64(it).ok_or_else(|| E::custom("a number is too large"))?;
        Ok(Value::Number(number))
    }

    /// A slice of the body: the reader gives one where the text has no escapes.
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value, E> {
        Ok(self.text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(self.text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let Self { body, lifted } = self;
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(Seed { body, lifted: &mut *lifted })? {
            items.push(item);
            if ENTRIES < items.len() {
                return Err(A::Error::custom("a list is too long"));
            }
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let Self { body, lifted } = self;
        let (mut fields, mut seen) = (Map::new(), HashSet::new());
        while let Some(mut name) = object.next_key::<String>()? {
            // Whoever reads a file piece by piece cannot tell a name from a text that is an image.
            if !lifted.restore_text(&mut name) {
                return Err(A::Error::custom("a name is no text"));
            }
            // The one that counts is not the same everywhere, so neither is taken.
            if !seen.insert(name.clone()) || ENTRIES < seen.len() {
                let name: String = name.chars().take(64).collect();
                return Err(A::Error::custom(format!("`{name}` is there twice, or one too many")));
            }
            let value = object.next_value_seed(Seed { body, lifted: &mut *lifted })?;
            fields.insert(name, value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use repaint_core::ImageSource;

    use super::*;

    fn uri(bytes: usize) -> String {
        let picture = repaint_testkit::png(8, 8, bytes);
        let mut picture = picture;
        picture.truncate(picture.len() - 12);
        picture.extend((bytes as u32).to_be_bytes());
        picture.extend(b"tEXt");
        picture.extend((0..bytes).map(|it| (it % 251) as u8));
        picture.extend([0; 4]);
        picture.extend([0, 0, 0, 0]);
        picture.extend(b"IEND");
        picture.extend([0; 4]);
        format!("data:image/png;base64,{}", base64_simd::STANDARD.encode_to_string(picture))
    }

    #[test]
    fn an_image_is_a_slice_of_the_body() {
        let body = Bytes::from(format!(r#"{{"image_url":"{}","prompt":"a"}}"#, uri(5000)));
        let Read { value, lifted } = read(&body).expect("JSON");
        assert!(value["image_url"].as_str().is_some_and(|it| it.len() < 100));
        let image = lifted.image(value["image_url"].as_str().expect("a text")).expect("an image");
        let ImageSource::Base64(base64) = image.source() else { panic!("{image:?}") };
        let inside = body.as_ptr_range();
        assert!(inside.contains(&base64.as_ptr()), "it was copied");
    }

    #[test]
    fn an_image_with_escapes_and_a_short_one_are_read_too() {
        for text in [uri(5000).replace('/', "\\/"), uri(10)] {
            let body = Bytes::from(format!(r#"{{"image_url":"{text}"}}"#));
            let Read { value, lifted } = read(&body).expect("JSON");
            lifted.image(value["image_url"].as_str().expect("a text")).expect("an image");
        }
    }

    #[test]
    fn a_prompt_that_looks_like_an_image_is_put_back() {
        let body = Bytes::from(format!(r#"{{"prompt":"{}"}}"#, uri(5000)));
        let Read { mut value, lifted } = read(&body).expect("JSON");
        assert!(lifted.restore(&mut value));
        assert_eq!(value["prompt"], Value::String(uri(5000)));
    }

    #[test]
    fn a_large_body_says_what_it_says_when_it_is_read_as_json() {
        let large = uri(LARGE);
        for prompt in [&large, &large.replace('/', "\\/"), "\\u0041 \\\"quoted\\\""] {
            for images in [large.clone(), format!("{large}\",\"{large}")] {
                let body = format!(r#"{{"prompt":"{prompt}","images":["{images}"],"n":2}}"#);
                let body = Bytes::from(body);
                let (mut fast, mut plain) = (
                    read(&body).expect("JSON"),
                    read_small(&body, Lifted::default()).expect("JSON"),
                );
                let texts = |it: &Read| -> Vec<Bytes> {
                    let images = it.value["images"].as_array().expect("a list");
                    let image = |text: &Value| it.lifted.image(text.as_str()?).ok();
                    let base64 = |it: ImageInput| match it.source() {
                        repaint_core::ImageSource::Base64(text) => Some(text.clone()),
                        _ => None,
                    };
                    images.iter().filter_map(image).filter_map(base64).collect()
                };
                assert!(!texts(&fast).is_empty());
                assert_eq!(texts(&fast), texts(&plain));
                for read in [&mut fast, &mut plain] {
                    let Read { value, lifted } = read;
                    assert!(lifted.restore(&mut value["prompt"]));
                }
                assert_eq!(fast.value["prompt"], plain.value["prompt"]);
            }
        }
        let broken = format!(r#"{{"prompt":"{}@","n":2}}"#, uri(LARGE)).replace('@', "\u{1}");
        let Read { mut value, lifted } = read(&Bytes::from(broken)).expect("it was not read yet");
        assert!(!lifted.restore(&mut value), "what is no text is never made one");
    }

    #[test]
    fn a_mark_cannot_be_guessed_and_what_is_no_json_is_told() {
        let mark = Lifted::default().mark;
        assert_ne!(mark, Lifted::default().mark);
        for (body, needle) in [
            ("", "no JSON"),
            ("[]", "must be a JSON object"),
            ("{} {}", "no JSON"),
            (r#"{"n":1,"n":2}"#, "`n` is there twice"),
            (r#"{"n":1e999}"#, "no JSON"),
            (&format!("{}1{}", "[".repeat(500), "]".repeat(500)), "no JSON"),
            ("{\"prompt\":\"\u{0}\"}", "no JSON"),
        ] {
            let err = read(&Bytes::copy_from_slice(body.as_bytes())).expect_err(body);
            assert!(err.contains(needle), "{body}: {err}");
        }
        assert!(read(&Bytes::from_static(b"{\"prompt\":\"\xff\"}")).is_err());
    }
}
