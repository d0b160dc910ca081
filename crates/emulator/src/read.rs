//! The lenient reader of bodies: what a value is, whatever else stands beside it.

use repaint_core::{Dimensions, ImageFacts, MediaType};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::message::Incoming;
use crate::paint::{Look, Tile};

/// An input image as it arrived: what is listed of it, without its bytes.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// The field that it stood in, such as `reference_images[0]`.
    pub field: String,
    /// `url`, `base64` or `data_uri`.
    pub kind: &'static str,
    /// Bytes, decoded; of an address, if it was fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The kind of picture, such as `image/png`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_type: Option<&'static str>,
    /// Its width and height.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<Dimensions>,
    /// What it looks like.
    #[serde(skip)]
    pub(crate) look: Look,
}

/// Why a text is no input image.
pub(crate) enum NoImage {
    Base64,
    Picture,
}

impl Input {
    /// Reads an address, a data URI or bare base64.
    pub(crate) fn read(
        field: String,
        text: &str,
        incoming: &Incoming,
        pixels: bool,
    ) -> Result<Self, NoImage> {
        if text.starts_with("http://") || text.starts_with("https://") {
            let bytes = match incoming.fetched.get(text) {
                Some(Ok(bytes)) => bytes,
                Some(Err(why)) => return Ok(Self::address(field, format!("{text} ({why})"))),
                None => return Ok(Self::address(field, text.to_owned())),
            };
            let mut input = Self::picture(field, "url", bytes, pixels)?;
            if let Look::Words(words) = &mut input.look {
                *words = format!("{text} ({words})");
            }
            return Ok(input);
        }
        let (kind, base64) = match text.strip_prefix("data:").and_then(|it| it.split_once(',')) {
            Some((head, base64)) if head.ends_with(";base64") => ("data_uri", base64),
            Some(_) => return Err(NoImage::Base64),
            None => ("base64", text),
        };
        let bytes =
            base64_simd::forgiving_decode_to_vec(base64.as_bytes()).map_err(|_| NoImage::Base64)?;
        Self::picture(field, kind, &bytes, pixels)
    }

    fn address(field: String, words: String) -> Self {
        let look = Look::Words(words);
        Self { field, kind: "url", bytes: None, media_type: None, dimensions: None, look }
    }

    fn picture(
        field: String,
        kind: &'static str,
        bytes: &[u8],
        pixels: bool,
    ) -> Result<Self, NoImage> {
        let media_type = MediaType::of(&bytes[..bytes.len().min(64)]).ok_or(NoImage::Picture)?;
        let dimensions = ImageFacts::of(bytes).ok().map(|it| it.dimensions);
        let look = if pixels {
            Look::of(bytes, dimensions.map_or(0, Dimensions::area))
        } else {
            Look::Words(String::new())
        };
        let (bytes, media_type) = (Some(bytes.len() as u64), Some(media_type.name()));
        Ok(Self { field, kind, bytes, media_type, dimensions, look })
    }

    pub(crate) fn area(&self) -> u64 {
        self.dimensions.map_or(0, Dimensions::area)
    }

    pub(crate) fn tile(&self, label: impl Into<String>) -> Tile {
        Tile { label: label.into(), look: self.look.clone() }
    }
}

/// The fields of a JSON body.
pub(crate) fn body(incoming: &Incoming) -> Result<Map<String, Value>, String> {
    serde_json::from_slice(&incoming.body).map_err(|err| err.to_string())
}

/// A field that is there and not null.
pub(crate) fn given<'a>(body: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    body.get(name).filter(|it| !it.is_null())
}

/// The addresses among the values of a body: what `--fetch` fetches.
pub(crate) fn addresses(body: &Map<String, Value>) -> Vec<String> {
    let texts = body.iter().filter(|(name, _)| name.contains("image") || *name == "mask");
    let texts = texts.flat_map(|(_, value)| match value {
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    });
    let texts = texts.filter_map(Value::as_str);
    texts
        .filter(|it| it.starts_with("http://") || it.starts_with("https://"))
        .map(str::to_owned)
        .collect()
}
