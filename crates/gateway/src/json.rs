//! A JSON body as a small value, and the images in it as slices of what came, never copied or decoded.

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher, RandomState};

use repaint_core::{Base64Read, ImageInput, Kept};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

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
enum Part {
    /// A data URI, as it stands between its quotes.
    Text(Text),
    /// A file of a form, as base64.
    File(Kept, Base64Read),
}

/// A data URI that was not read as JSON yet.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) place: Kept,
    /// Where its data begins.
    pub(crate) data: usize,
    pub(crate) has_escapes: bool,
    /// What was found in its data.
    pub(crate) read: Base64Read,
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
    pub(crate) fn file(&mut self, place: Kept, read: Base64Read) -> String {
        self.parts.push(Part::File(place, read));
        self.mark(self.parts.len() - 1)
    }

    /// Puts a data URI away.
    pub(crate) fn text(&mut self, text: Text) {
        self.parts.push(Part::Text(text));
    }

    /// What will stand for the part that is put away after so many others.
    pub(crate) fn mark(&self, others: usize) -> String {
        format!("{}{others}", self.mark)
    }

    fn get(&self, text: &str) -> Option<&Part> {
        self.parts.get(text.strip_prefix(&self.mark)?.parse::<usize>().ok()?)
    }

    /// The image that a text of the value is the address of, or stands for.
    pub(crate) fn image(&self, text: &str) -> repaint_core::Result<ImageInput> {
        match self.get(text) {
            Some(Part::Text(text)) => text.image(),
            Some(Part::File(place, read)) => ImageInput::kept(place.clone(), *read),
            None => ImageInput::from_address(text),
        }
    }

    /// Puts texts back that were lifted where no image is looked for, such as a prompt. Whether all are texts.
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
        match self.get(text) {
            Some(Part::Text(whole)) => whole.unescaped().map(|it| *text = it).is_some(),
            Some(Part::File(..)) | None => true,
        }
    }
}

impl Text {
    fn image(&self) -> repaint_core::Result<ImageInput> {
        match self.has_escapes {
            true => ImageInput::from_address(&self.unescaped().unwrap_or_default()),
            false => {
                let base64 = self.place.part(self.data as u64, self.place.length());
                ImageInput::kept(base64, self.read)
            }
        }
    }

    /// What it says, read as JSON now.
    fn unescaped(&self) -> Option<String> {
        let inner = self.place.whole().ok()?;
        serde_json::from_slice(&[b"\"", &inner[..], b"\""].concat()).ok()
    }
}

/// Reads a body, which is an object, out of which images were lifted. The error is in words, and has nothing
/// of a long text in it.
pub(crate) fn read(small: &[u8], lifted: Lifted) -> Result<Read, String> {
    let mut json = serde_json::Deserializer::from_slice(small);
    let value = Seed { lifted: &lifted }.deserialize(&mut json);
    let value = value.and_then(|it| json.end().map(|()| it));
    let value = value.map_err(|err| format!("the body is no JSON: {err}"))?;
    if !value.is_object() {
        return Err("the body must be a JSON object".to_owned());
    }
    Ok(Read { value, lifted })
}

/// Makes a value of what is in a body.
#[derive(Clone, Copy)]
struct Seed<'a> {
    lifted: &'a Lifted,
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

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(self)? {
            items.push(item);
            if ENTRIES < items.len() {
                return Err(A::Error::custom("a list is too long"));
            }
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let (mut fields, mut seen) = (Map::new(), HashSet::new());
        while let Some(mut name) = object.next_key::<String>()? {
            // Whoever looks for quotes alone cannot tell a name from a text that is an image.
            if !self.lifted.restore_text(&mut name) {
                return Err(A::Error::custom("a name is no text"));
            }
            // The one that counts is not the same everywhere, so neither is taken.
            if !seen.insert(name.clone()) || ENTRIES < seen.len() {
                let name: String = name.chars().take(64).collect();
                return Err(A::Error::custom(format!("`{name}` is there twice, or one too many")));
            }
            let value = object.next_value_seed(self)?;
            fields.insert(name, value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use repaint_core::ImageSource;

    use super::{Lifted, Read};
    use crate::scan::at_once as read;
    use bytes::Bytes;
    use repaint_core::ImageInput;
    use serde_json::Value;

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

    fn base64(image: &ImageInput) -> Bytes {
        match image.source() {
            ImageSource::Base64(text) => text.clone(),
            ImageSource::Kept(kept) => kept.whole().expect("it is there"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_image_is_a_slice_of_the_body() {
        let body = Bytes::from(format!(r#"{{"image_url":"{}","prompt":"a"}}"#, uri(5000)));
        let Read { value, lifted } = read(&body).expect("JSON");
        assert!(value["image_url"].as_str().is_some_and(|it| it.len() < 100));
        let image = lifted.image(value["image_url"].as_str().expect("a text")).expect("an image");
        let ImageSource::Kept(kept) = image.source() else { panic!("{image:?}") };
        let (base64, inside) = (kept.at_hand().expect("in memory"), body.as_ptr_range());
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
    fn a_body_says_what_it_says_to_others() {
        for length in [10, 2_000, 100_000] {
            let image = uri(length);
            for prompt in [&image, &image.replace('/', "\\/"), "\\u0041 \\\"quoted\\\""] {
                for shown in [image.clone(), image.replace('/', "\\/")] {
                    let body =
                        format!(r#"{{"prompt":"{prompt}","images":["{shown}","{shown}"],"n":2}}"#);
                    let plain: Value = serde_json::from_str(&body).expect("JSON");
                    let Read { mut value, lifted } = read(&Bytes::from(body)).expect("JSON");
                    for index in 0..2 {
                        let address = value["images"][index].as_str().expect("a text");
                        let found = lifted.image(address).expect("an image");
                        let wanted = ImageInput::from_address(&image).expect("an image");
                        assert_eq!(found.facts(), wanted.facts());
                        assert_eq!(base64(&found), base64(&wanted), "{length}");
                    }
                    assert!(lifted.restore(&mut value));
                    assert_eq!(value, plain);
                }
            }
        }
    }

    #[test]
    fn what_is_no_text_is_never_made_one() {
        let body = format!(r#"{{"prompt":"{}@","n":2}}"#, uri(5000)).replace('@', "\u{1}");
        let Read { mut value, lifted } = read(&Bytes::from(body)).expect("it was not read yet");
        assert!(!lifted.restore(&mut value));
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
