//! A JSON body as a list of segments: text that is ready, and images that are encoded as it streams.

use std::fmt;
use std::hash::{Hash, Hasher};

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::fingerprint::Fingerprint;
use crate::wire::{Form, WireImage};
use crate::{Error, ErrorKind, ImageInput, ImageSource, Result};

/// A JSON body whose images are still handles: it costs its skeleton, not its payload.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    segments: Vec<Segment>,
    length: u64,
    preview: Value,
}

/// A part of a [`Body`].
#[derive(Clone, PartialEq)]
pub enum Segment {
    /// Bytes as they go out.
    Text(Bytes),
    /// An image in memory or elsewhere, to be written as base64; one that is base64 is written as it is.
    Image(ImageInput),
}

impl Body {
    /// Writes the JSON around the images. `inputs` are those of the request, the mask last.
    pub(crate) fn new(value: &Value, inputs: &[&ImageInput]) -> Result<Self> {
        let written = vec![0; inputs.len()];
        let mut writer = Writer { inputs, written, segments: Vec::new(), text: String::new() };
        writer.value(value)?;
        writer.flush();
        let Writer { inputs: _, written, segments, text: _ } = writer;
        // Whatever an adapter or an overlay says: no image is lost, and none is sent twice.
        if let Some(index) = written.iter().position(|it| *it != 1) {
            let message = format!(
                "input image {} would be sent {} times: the body has no field of its own for it",
                index + 1,
                written[index]
            );
            return Err(Error::new(ErrorKind::Unexpected, message));
        }
        let length = segments.iter().map(Segment::length).sum();
        Ok(Self { segments, length, preview: preview(value, inputs) })
    }

    /// The same body with one field set, whether or not the offer takes that: it goes round admission
    /// and the check of the body, so it is for probes alone, which are meant to be refused.
    ///
    /// # Errors
    ///
    /// Fails where the body has images of files or of memory in it: those were never JSON.
    pub fn with_field(&self, name: &str, value: Value) -> Result<Self> {
        let unexpected = |why: &str| Error::new(ErrorKind::Unexpected, why);
        let mut text = Vec::new();
        for segment in &self.segments {
            let part = match segment {
                Segment::Text(part) => part,
                Segment::Image(image) => match image.source() {
                    ImageSource::Base64(base64) if image.becomes().is_none() => base64,
                    _ => return Err(unexpected("a body with images in it cannot be changed")),
                },
            };
            text.extend_from_slice(part);
        }
        let mut body: Map<String, Value> =
            serde_json::from_slice(&text).map_err(|_| unexpected("the body is no JSON object"))?;
        body.insert(name.to_owned(), value);
        Self::new(&body.into(), &[])
    }

    /// The parts, in order.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Whether all images are as they are to be sent; a preview may have some that are still to be made.
    pub fn is_ready(&self) -> bool {
        let waits = |it: &Segment| matches!(it, Segment::Image(it) if it.becomes().is_some());
        !self.segments.iter().any(waits)
    }

    /// The `Content-Length`: known before an image is read.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// A keyed hash, 32 hex digits: equal orders have equal ones, and without the secret nothing can be
    /// read from it. A file counts by its path and by what is known of it, and is not read.
    pub fn fingerprint(&self, secret: &[u8; 16]) -> String {
        let mut hasher = Fingerprint::new(secret);
        for segment in &self.segments {
            match segment {
                Segment::Text(text) => text.hash(&mut hasher),
                Segment::Image(image) => image.hash_into(&mut hasher, secret),
            }
            // Where one part ends and the next begins matters, too.
            hasher.write_u8(0xff);
        }
        hasher.shown()
    }

    /// The JSON for a person: the same, with base64 shortened to its size.
    pub fn preview(&self) -> &Value {
        &self.preview
    }
}

impl Segment {
    fn length(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::Image(image) => match (image.source(), image.becomes()) {
                (ImageSource::Base64(base64), None) => base64.len() as u64,
                _ => image.facts().map_or(0, |it| it.bytes.div_ceil(3) * 4),
            },
        }
    }
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Image(image) => image.fmt(f),
        }
    }
}

struct Writer<'a> {
    inputs: &'a [&'a ImageInput],
    /// How often each input has been written.
    written: Vec<u32>,
    segments: Vec<Segment>,
    text: String,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value) -> Result<()> {
        if let Some((index, form)) = WireImage::token(value) {
            return self.image(index, form);
        }
        match value {
            Value::Array(items) => {
                self.text.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index != 0 {
                        self.text.push(',');
                    }
                    self.value(item)?;
                }
                self.text.push(']');
            }
            Value::Object(fields) => {
                self.text.push('{');
                for (index, (name, item)) in fields.iter().enumerate() {
                    if index != 0 {
                        self.text.push(',');
                    }
                    self.text.push_str(&Value::from(name.as_str()).to_string());
                    self.text.push(':');
                    self.value(item)?;
                }
                self.text.push('}');
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                self.text.push_str(&value.to_string());
            }
        }
        Ok(())
    }

    fn image(&mut self, index: usize, form: Form) -> Result<()> {
        let image = *self.inputs.get(index).ok_or_else(|| {
            Error::new(
                ErrorKind::Unexpected,
                format!("the adapter wrote input image {index}, which is not there"),
            )
        })?;
        self.written[index] += 1;
        if let ImageSource::Url(url) = image.source() {
            self.text.push_str(&Value::from(url.as_ref()).to_string());
            return Ok(());
        }
        let facts = image.facts().ok_or_else(|| {
            let message = format!("{} was not inspected", image.label());
            Error::new(ErrorKind::InvalidRequest, message)
        })?;
        self.text.push('"');
        if form == Form::DataUri {
            self.text.push_str("data:");
            self.text.push_str(facts.media_type.name());
            self.text.push_str(";base64,");
        }
        self.flush();
        self.segments.push(Segment::Image(image.clone()));
        self.text.push('"');
        Ok(())
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.segments.push(Segment::Text(std::mem::take(&mut self.text).into()));
        }
    }
}

fn preview(value: &Value, inputs: &[&ImageInput]) -> Value {
    if let Some((index, form)) = WireImage::token(value) {
        let Some(image) = inputs.get(index) else { return Value::Null };
        if let ImageSource::Url(url) = image.source() {
            return Value::from(url.as_ref());
        }
        let Some(facts) = image.facts() else { return Value::Null };
        let start = match form {
            Form::DataUri => format!("data:{};base64,", facts.media_type.name()),
            Form::Base64 => String::new(),
        };
        return match image.becomes() {
            // What it weighs is known once it is made.
            Some(target) => Value::from(format!("{start}…(made {})", target.dimensions)),
            None => Value::from(format!("{start}…({} bytes)", facts.bytes)),
        };
    }
    match value {
        Value::Array(items) => items.iter().map(|it| preview(it, inputs)).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, it)| (name.clone(), preview(it, inputs)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn equal_orders_have_equal_fingerprints_and_only_under_the_same_secret() {
        let body = |prompt: &str| Body::new(&json!({ "prompt": prompt }), &[]).expect("a body");
        let print = body("a").fingerprint(&[1; 16]);
        assert_eq!(print.len(), 32);
        assert_eq!(print, body("a").fingerprint(&[1; 16]));
        assert_ne!(print, body("b").fingerprint(&[1; 16]));
        assert_ne!(print, body("a").fingerprint(&[2; 16]));
    }

    #[test]
    fn a_field_is_set_in_a_body_of_text_and_in_no_other() {
        let plain = Body::new(&json!({ "model": "m", "n": 1 }), &[]).expect("a body");
        let changed = plain.with_field("n", json!(5)).expect("plain JSON");
        assert_eq!(changed.preview(), &json!({ "model": "m", "n": 5 }));
        assert_eq!(changed.length(), plain.length());
        let input = ImageInput::file("cat.png").inspected(crate::ImageFacts {
            media_type: crate::MediaType::Png,
            dimensions: crate::Dimensions::new(1, 1),
            bytes: 3,
            animated: false,
            depth: 8,
        });
        let images = std::slice::from_ref(&input);
        let image = WireImage::all(images, Form::DataUri).next();
        let body = Body::new(&json!({ "image": image }), &[&input]).expect("a body");
        assert!(body.with_field("n", json!(5)).is_err());
    }
}
