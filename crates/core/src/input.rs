//! An image that the caller supplies: a handle, never a copy of its bytes.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::Url;

use crate::{Dimensions, Error, ErrorKind, ImageFacts, List, MediaType, Result};

/// An image that the caller supplies; cheap to clone.
///
/// In JSON it is a string: an `http://`, `https://` or `data:image/…;base64,` address. A file or
/// bytes exist only in this process, so that no JSON from outside can name a file of this machine.
#[derive(Clone, PartialEq)]
pub struct ImageInput {
    source: ImageSource,
    facts: Option<ImageFacts>,
    becomes: Option<Target>,
}

/// What an input image is to be made into before it is sent, so that an offer takes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// Its size, which a mask of the same size shares; smaller still if it weighs too much.
    pub dimensions: Dimensions,
    /// The kinds of file that will do; its own stays where it is among them.
    pub media_types: List<MediaType>,
    /// The most that it may weigh, in bytes.
    pub bytes: u64,
}

/// Where the bytes of an [`ImageInput`] are.
#[derive(Clone, PartialEq)]
pub enum ImageSource {
    /// At an address that the provider fetches; kept to the letter, since it may be signed.
    Url(Arc<str>),
    /// In memory.
    Bytes(Bytes),
    /// In a file of this machine.
    File(Arc<Path>),
    /// In memory, as base64: it leaves as it came, undecoded.
    Base64(Bytes),
}

impl ImageInput {
    /// An image at an address: `http` or `https`, with a host.
    pub fn url(address: &str) -> Result<Self> {
        let url = Url::parse(address)
            .map_err(|err| invalid(format!("`{}` is no address: {err}", address_label(address))))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            let message = format!(
                "`{}` is not an http or https address; give a file to the library or the \
                 program, or inline it as a data: address",
                address_label(address)
            );
            return Err(invalid(message));
        }
        Ok(Self { source: ImageSource::Url(address.into()), facts: None, becomes: None })
    }

    /// An image in memory; its head is read now.
    pub fn bytes(bytes: impl Into<Bytes>) -> Result<Self> {
        let bytes = bytes.into();
        let facts = ImageFacts::of(&bytes).map_err(|why| invalid(format!("the image {why}")))?;
        Ok(Self { source: ImageSource::Bytes(bytes), facts: Some(facts), becomes: None })
    }

    /// An image in a file. Nothing is read yet: a client inspects it before it is admitted.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self { source: ImageSource::File(path.into().into()), facts: None, becomes: None }
    }

    /// A `data:image/…;base64,` address; its head is decoded now, its alphabet checked.
    ///
    /// What the bytes are wins over what the address says that they are.
    pub fn data_uri(address: &str) -> Result<Self> {
        let rest = address
            .strip_prefix("data:")
            .ok_or_else(|| invalid("a data: address begins with `data:`"))?;
        let (header, base64) = rest
            .split_once(',')
            .ok_or_else(|| invalid("the data: address has no comma before its data"))?;
        if !header.starts_with("image/") || !header.ends_with(";base64") {
            return Err(invalid("a data: address of an image is `data:image/png;base64,…`"));
        }
        Self::base64(Bytes::copy_from_slice(base64.as_bytes()))
    }

    /// An image in memory as standard base64 with padding.
    pub fn base64(base64: Bytes) -> Result<Self> {
        if base64_simd::STANDARD.check(&base64).is_err() {
            return Err(invalid("the image is not standard base64 with padding"));
        }
        let facts = facts_of_base64(&base64)?;
        Ok(Self { source: ImageSource::Base64(base64), facts: Some(facts), becomes: None })
    }

    /// Reads an address as JSON has it: `http:`, `https:` or `data:`.
    pub fn from_address(address: &str) -> Result<Self> {
        if address.is_empty() {
            return Err(invalid(
                "an image address is empty; leave the image out to draw from text",
            ));
        }
        if address.starts_with("data:") { Self::data_uri(address) } else { Self::url(address) }
    }

    /// The same image with what was read from its bytes; what a client's `inspect` returns.
    #[must_use]
    pub fn inspected(self, facts: ImageFacts) -> Self {
        Self { facts: Some(facts), ..self }
    }

    /// Where the bytes are.
    pub fn source(&self) -> &ImageSource {
        &self.source
    }

    /// The same image, to be made into something else before it is sent. Until a client has done that, its
    /// facts are what it will be at most.
    pub(crate) fn becoming(&self, target: Target) -> Self {
        let facts = self.facts.map(|it| {
            let kind = Some(it.media_type).filter(|it| target.media_types.contains(it));
            ImageFacts {
                media_type: kind.or(target.media_types.first().copied()).unwrap_or(it.media_type),
                dimensions: target.dimensions,
                bytes: it.bytes.min(target.bytes),
                ..it
            }
        });
        Self { source: self.source.clone(), facts, becomes: Some(target) }
    }

    /// What it is to be made into before it is sent.
    pub fn becomes(&self) -> Option<&Target> {
        self.becomes.as_ref()
    }

    /// What is known of the bytes; never known of an address.
    pub fn facts(&self) -> Option<ImageFacts> {
        self.facts
    }

    /// What to call it in a message: no bytes, and of an address no query, which may be secret.
    pub fn label(&self) -> String {
        match &self.source {
            ImageSource::Url(url) => address_label(url),
            ImageSource::File(path) => path.display().to_string(),
            ImageSource::Bytes(_) | ImageSource::Base64(_) => match self.facts {
                Some(facts) if self.becomes.is_none() => {
                    format!("{} of {} bytes", facts.media_type.name(), facts.bytes)
                }
                _ => "an image in memory".to_owned(),
            },
        }
    }

    /// What tells it from another: its bytes or its address; a file counts by its path and by what is
    /// known of it, and is not read.
    pub(crate) fn hash_into(&self, hasher: &mut impl Hasher) {
        match &self.source {
            ImageSource::Bytes(bytes) | ImageSource::Base64(bytes) => bytes.hash(hasher),
            ImageSource::File(path) => path.hash(hasher),
            ImageSource::Url(url) => url.hash(hasher),
        }
        if let Some(facts) = self.facts {
            let size = facts.dimensions;
            (facts.bytes, size.width, size.height).hash(hasher);
        }
    }
}

/// What every image in JSON begins with; the whole of it is read when it is parsed.
pub(crate) const IMAGE_PATTERN: &str = "^(https?://[^/?# ]|data:image/[^;,]+;base64,.)";

/// So much of a text of base64 shows whether the picture has an end; a multiple of 4.
const TAIL: usize = 64 * 1024;

/// Only as much is decoded as the head of the picture needs, and its end.
fn facts_of_base64(base64: &[u8]) -> Result<ImageFacts> {
    let padding = base64.iter().rev().take(2).filter(|it| **it == b'=').count();
    let bytes = (base64.len() / 4 * 3).saturating_sub(padding) as u64;
    for head in [64 * 1024, 1024 * 1024, usize::MAX] {
        let head = &base64[..head.min(base64.len())];
        let decoded = base64_simd::STANDARD
            .decode_to_vec(head)
            .map_err(|_| invalid("the image is not standard base64 with padding"))?;
        if head.len() == base64.len() {
            return ImageFacts::of(&decoded).map_err(|why| invalid(format!("the image {why}")));
        }
        if let Some(facts) = ImageFacts::of_head(&decoded, bytes)
            && facts.media_type.ends(&base64[base64.len() - TAIL..])
        {
            return Ok(facts);
        }
    }
    Err(invalid("the image is damaged"))
}

/// What to call an address in a message: without what may be secret in it, which is its user, its password
/// and its query.
pub fn address_label(address: &str) -> String {
    let parsed = Url::parse(address).ok();
    let shown = match parsed.as_ref().and_then(|it| Some((it, it.host_str()?))) {
        Some((url, host)) => {
            let port = url.port().map_or_else(String::new, |it| format!(":{it}"));
            format!("{}://{host}{port}{}", url.scheme(), url.path())
        }
        // Where the host begins is anybody's guess, so all before the last `@` may be a password.
        None => {
            let address = address.split(['?', '#']).next().unwrap_or_default();
            let shown = address.rsplit('@').next().unwrap_or_default();
            shown.chars().map(|it| if it.is_control() { ' ' } else { it }).collect()
        }
    };
    match shown.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown,
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidRequest, message)
}

impl fmt::Debug for ImageInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ImageInput({})", self.label())
    }
}

impl fmt::Debug for ImageSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => write!(f, "Url({})", address_label(url)),
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::File(path) => write!(f, "File({})", path.display()),
            Self::Base64(base64) => write!(f, "Base64({} characters)", base64.len()),
        }
    }
}

impl Serialize for ImageInput {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (&self.source, self.facts) {
            (ImageSource::Url(url), _) => serializer.serialize_str(url),
            (ImageSource::Base64(base64), Some(facts)) => {
                let base64 = std::str::from_utf8(base64).map_err(S::Error::custom)?;
                serializer
                    .collect_str(&format_args!("data:{};base64,{base64}", facts.media_type.name()))
            }
            (ImageSource::Bytes(_) | ImageSource::File(_) | ImageSource::Base64(_), _) => {
                Err(S::Error::custom(
                    "an image in a file or in memory has no JSON; inline it as a data: address",
                ))
            }
        }
    }
}

impl<'de> Deserialize<'de> for ImageInput {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let address = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::from_address(&address).map_err(|err| D::Error::custom(err.message()))
    }
}

impl JsonSchema for ImageInput {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ImageInput".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": IMAGE_PATTERN })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_json_is_refused_unread() {
        for path in ["\"/etc/passwd\"", "\"file:///etc/passwd\"", "\"cat.png\"", "\"\""] {
            let err = serde_json::from_str::<ImageInput>(path).expect_err(path);
            assert!(err.to_string().contains("address"), "{err}");
        }
    }

    #[test]
    fn a_host_may_be_written_in_any_script() {
        assert!(ImageInput::url("https://bücher.example/a.png").is_ok());
        assert!(ImageInput::url("https://例え.テスト/a.png").is_ok());
        assert!(ImageInput::url("https://xn--a/a.png").is_err(), "it is checked, too");
    }

    #[test]
    fn nothing_secret_is_shown() {
        let url = ImageInput::url("https://secret:secret@a.example/b.png?s=secret").expect("a url");
        assert!(!format!("{url:?} {:?}", url.source()).contains("secret"));
        assert_eq!(url.label(), "https://a.example/b.png");
        let err = ImageInput::url("s3://b/x.png?s=secret").expect_err("s3");
        assert!(!err.to_string().contains("secret"));
        assert!(err.to_string().contains("s3://b/x.png"), "{err}");
    }

    #[test]
    fn a_password_is_not_shown_however_the_address_is_written() {
        for address in [
            "https:/user:secret@a.example/b.png",
            "https:user:secret@a.example/b.png",
            "https:\\\\user:secret@a.example/b.png",
            "https:/\t/user:secret@a.example/b.png",
            "ht\ntps://user:secret@a.example/b.png",
            "https://user:p/secret@a.example/b.png",
            "https://user:secret@a.example:99999/b.png",
            "https://user:secret@[::1/b.png",
            "user:secret@a.example/b.png",
            "//user:secret@a.example/b.png#secret",
        ] {
            let told = ImageInput::url(address).map_or_else(|it| it.to_string(), |it| it.label());
            assert!(!format!("{} {told}", address_label(address)).contains("secret"), "{told}");
        }
    }

    #[test]
    fn a_quote_in_a_data_address_is_refused() {
        let err = ImageInput::data_uri("data:image/png;base64,iVBO\",\"x\":\"").expect_err("quote");
        assert_eq!(err.kind(), ErrorKind::InvalidRequest);
    }
}
