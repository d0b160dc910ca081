//! An image that the caller supplies: a handle, never a copy of its bytes.

use std::borrow::Cow;
use std::fmt;
use std::hash::Hash;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::Url;

use crate::base64::{Base64Read, Base64Reader, NO_BASE64, TAIL};
use crate::fingerprint::Fingerprint;
use crate::{Dimensions, Error, ErrorKind, ImageFacts, List, MediaType, Result};

/// An image that the caller supplies; cheap to clone.
///
/// In JSON it is a string: an `http://`, `https://` or `data:image/…;base64,` address. A file or
/// bytes exist only in this process, so that no JSON from outside can name a file of this machine.
#[derive(Clone)]
pub struct ImageInput {
    source: ImageSource,
    facts: Option<ImageFacts>,
    becomes: Option<Target>,
    /// What was found in its base64, where somebody has read all of that already.
    read: Option<Base64Read>,
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
    /// Kept by somebody, as base64; the same otherwise.
    Kept(Kept),
}

/// Bytes that somebody keeps, such as in a file that has no name, or in memory until nobody needs them any more.
pub trait Keep: fmt::Debug + Send + Sync {
    /// Fills all of `into` with what is kept from a place on.
    ///
    /// # Errors
    ///
    /// Fails if there are fewer bytes, or they cannot be read.
    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()>;

    /// So many bytes from a place on, without a copy; nothing where they are not in memory, which is the default.
    fn slice(&self, at: u64, length: usize) -> Option<Bytes> {
        let _ = (at, length);
        None
    }

    /// Whether a few dozen KB may take so long to read that others would wait for it, as they do by default. What was
    /// written into a file a moment ago does not.
    fn waits(&self) -> bool {
        true
    }
}

/// What is in memory can be in the place of what is not, such as where both are compared.
impl Keep for Bytes {
    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(at).map_err(io::Error::other)?;
        let from = self.get(at..).and_then(|it| it.get(..into.len()));
        into.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn slice(&self, at: u64, length: usize) -> Option<Bytes> {
        let at = usize::try_from(at).ok()?;
        let end = at.checked_add(length).filter(|it| *it <= self.len())?;
        Some(Self::slice(self, at..end))
    }

    fn waits(&self) -> bool {
        false
    }
}

/// A part of what somebody keeps; cheap to clone.
#[derive(Clone, Debug)]
pub struct Kept {
    keep: Arc<dyn Keep>,
    at: u64,
    length: u64,
}

impl Kept {
    /// So many bytes from a place on.
    pub fn new(keep: Arc<dyn Keep>, at: u64, length: u64) -> Self {
        Self { keep, at, length }
    }

    /// How many bytes it has.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The part from one place of it to another; what lies behind its end is left out.
    #[must_use]
    pub fn part(&self, from: u64, to: u64) -> Self {
        let to = to.min(self.length);
        let from = from.min(to);
        Self { keep: Arc::clone(&self.keep), at: self.at + from, length: to - from }
    }

    /// Reads it, at most so many bytes at a time, until an error.
    ///
    /// # Errors
    ///
    /// What cannot be read is an error of the same kind as those of `each`.
    pub fn pieces<E: From<io::Error>>(
        &self,
        size: usize,
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut piece = vec![0; usize::try_from(self.length).map_or(size, |it| it.min(size))];
        let mut done = 0;
        while done < self.length {
            let left = usize::try_from(self.length - done).map_or(size, |it| it.min(size));
            let piece = &mut piece[..left];
            self.keep.read(self.at + done, piece)?;
            each(piece)?;
            done += left as u64;
        }
        Ok(())
    }

    /// All of it, in memory.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be read.
    pub fn whole(&self) -> io::Result<Bytes> {
        self.some(0, usize::try_from(self.length).map_err(io::Error::other)?)
    }

    /// So many bytes of it, from a place on.
    ///
    /// # Errors
    ///
    /// Fails if it has fewer, or they cannot be read.
    pub fn some(&self, at: u64, length: usize) -> io::Result<Bytes> {
        // What lies behind it is of somebody else.
        if at.checked_add(length as u64).is_none_or(|end| self.length < end) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(slice) = self.keep.slice(self.at + at, length) {
            return Ok(slice);
        }
        let mut bytes = vec![0; length];
        self.keep.read(self.at + at, &mut bytes)?;
        Ok(bytes.into())
    }

    /// Whether a part of it may take long to read; see [`Keep::waits`].
    pub fn waits(&self) -> bool {
        self.keep.waits()
    }

    /// All of it, where it is in memory.
    pub fn at_hand(&self) -> Option<Bytes> {
        self.keep.slice(self.at, usize::try_from(self.length).ok()?)
    }
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        let same = Arc::ptr_eq(&self.keep, &other.keep);
        same && (self.at, self.length) == (other.at, other.length)
    }
}

/// By what they are, whoever has read how much of them.
impl PartialEq for ImageInput {
    fn eq(&self, other: &Self) -> bool {
        let Self { source, facts, becomes, read: _ } = self;
        (source, facts, becomes) == (&other.source, &other.facts, &other.becomes)
    }
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
        Ok(Self::new(ImageSource::Url(address.into()), None))
    }

    /// An image in memory; its head is read now.
    pub fn bytes(bytes: impl Into<Bytes>) -> Result<Self> {
        let bytes = bytes.into();
        let facts = ImageFacts::of(&bytes).map_err(wrong)?;
        Ok(Self::new(ImageSource::Bytes(bytes), Some(facts)))
    }

    /// An image in a file. Nothing is read yet: a client inspects it before it is admitted.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::new(ImageSource::File(path.into().into()), None)
    }

    const fn new(source: ImageSource, facts: Option<ImageFacts>) -> Self {
        Self { source, facts, becomes: None, read: None }
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
            return Err(no_base64());
        }
        let facts = ImageFacts::of_base64(&base64).map_err(wrong)?;
        Ok(Self::new(ImageSource::Base64(base64), Some(facts)))
    }

    /// The same of a text that somebody keeps and a [`Base64Reader`](crate::Base64Reader) has read, all of it and
    /// nothing else: it is looked at no more than its head and its end need.
    pub fn kept(base64: Kept, read: Base64Read) -> Result<Self> {
        checked(&read, base64.length)?;
        let unreadable = |err: io::Error| wrong(format!("cannot be read: {err}"));
        let length = usize::try_from(base64.length).map_err(|_| no_base64())?;
        let end = length.min(TAIL);
        let tail = base64.some((length - end) as u64, end).map_err(unreadable)?;
        let facts = crate::base64::facts(length, &tail, |head| {
            base64.some(0, head).map_err(|err| format!("cannot be read: {err}"))
        });
        let facts = facts.map_err(wrong)?;
        Ok(Self { read: Some(read), ..Self::new(ImageSource::Kept(base64), Some(facts)) })
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
        Self { facts, becomes: Some(target), ..self.clone() }
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
            ImageSource::Bytes(_) | ImageSource::Base64(_) | ImageSource::Kept(_) => {
                match self.facts {
                    Some(facts) if self.becomes.is_none() => {
                        format!("{} of {} bytes", facts.media_type.name(), facts.bytes)
                    }
                    _ => "an image in memory".to_owned(),
                }
            }
        }
    }

    /// What tells it from another: its bytes or its address; a file counts by its path and by what is
    /// known of it, and is not read.
    pub(crate) fn hash_into(&self, hasher: &mut Fingerprint, secret: &[u8; 16]) {
        match (&self.source, self.read.filter(|it| it.is_under(secret))) {
            (ImageSource::Base64(_) | ImageSource::Kept(_), Some(read)) => {
                (read.length(), read.hash()).hash(hasher);
            }
            (ImageSource::Base64(base64), None) => {
                let read = Base64Read::of(base64, secret);
                (read.length(), read.hash()).hash(hasher);
            }
            (ImageSource::Kept(kept), None) => {
                let mut reader = Base64Reader::new(secret);
                // What cannot be read is not sent either.
                let read: io::Result<()> = kept.pieces(PIECE, |piece| {
                    reader.piece(piece);
                    Ok(())
                });
                drop(read);
                let read = reader.finish();
                (read.length(), read.hash()).hash(hasher);
            }
            (ImageSource::Bytes(bytes), _) => bytes.hash(hasher),
            (ImageSource::File(path), _) => path.hash(hasher),
            (ImageSource::Url(url), _) => url.hash(hasher),
        }
        if let Some(facts) = self.facts {
            let size = facts.dimensions;
            (facts.bytes, size.width, size.height).hash(hasher);
        }
    }
}

/// Whether a text of this length was read whole, and is base64.
fn checked(read: &Base64Read, length: u64) -> Result<()> {
    match read.is_base64() && read.length() == length {
        true => Ok(()),
        false => Err(no_base64()),
    }
}

fn no_base64() -> Error {
    wrong(NO_BASE64.to_owned())
}

/// What is wrong with an image, in words that follow its name.
fn wrong(why: String) -> Error {
    invalid(format!("the image {why}"))
}

/// What every image in JSON begins with; the whole of it is read when it is parsed.
pub(crate) const IMAGE_PATTERN: &str = "^(https?://[^/?# ]|data:image/[^;,]+;base64,.)";

/// So much of a text outside memory is read at once.
const PIECE: usize = 192 * 1024;

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
            Self::Kept(kept) => write!(f, "Kept({} characters)", kept.length),
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
            (
                ImageSource::Bytes(_)
                | ImageSource::File(_)
                | ImageSource::Base64(_)
                | ImageSource::Kept(_),
                _,
            ) => Err(S::Error::custom(
                "an image in a file or in memory has no JSON; inline it as a data: address",
            )),
        }
    }
}

impl<'de> Deserialize<'de> for ImageInput {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let address = Cow::<'de, str>::deserialize(deserializer)?;
        Self::from_address(&address).map_err(|err| D::Error::custom(err.message()))
    }
}

impl JsonSchema for ImageInput {
    fn schema_name() -> Cow<'static, str> {
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
    fn nothing_is_read_beyond_what_is_kept() {
        let kept = Kept::new(Arc::new(Bytes::from_static(b"..picture another")), 2, 7);
        assert_eq!(kept.some(3, 4).ok(), Some(Bytes::from_static(b"ture")));
        for (at, length) in [(3, 5), (8, 0), (u64::MAX, 1)] {
            assert!(kept.some(at, length).is_err(), "{at} {length}");
        }
    }

    #[test]
    fn an_image_outside_memory_is_the_same_image() {
        // A head of a PNG, so much that it is read in pieces, and its end.
        let mut png =
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\0\0\0\x02\0\x08\x02\0\0\0\0\0\0\0".to_vec();
        png.extend(1_000_000_u32.to_be_bytes());
        png.extend(b"tEXt");
        png.extend((0..1_000_004).map(|it| (it % 251) as u8));
        png.extend(b"\0\0\0\0IEND\xaeB\x60\x82");
        let text = base64_simd::STANDARD.encode_to_string(&png);
        let at_hand = ImageInput::base64(Bytes::from(text.clone())).expect("an image");
        let kept = |text: &str, secret: &[u8; 16]| {
            let keep = Arc::new(Bytes::from(format!("..{text}")));
            let read = Base64Read::of(text.as_bytes(), secret);
            ImageInput::kept(Kept::new(keep, 2, text.len() as u64), read)
        };
        let outside = kept(&text, &[7; 16]).expect("an image");
        assert_eq!(outside.facts(), at_hand.facts());
        let print = |image: &ImageInput| {
            let mut print = Fingerprint::new(&[7; 16]);
            image.hash_into(&mut print, &[7; 16]);
            print.shown()
        };
        for equal in [&outside, &kept(&text, &[8; 16]).expect("an image")] {
            assert_eq!(print(equal), print(&at_hand), "equal wherever it is and however it came");
        }
        let other = ImageInput::base64(text.replacen("AAAA", "AAAB", 1).into());
        assert_ne!(print(&other.expect("an image")), print(&at_hand));
        for wrong in [text.replacen('A', "!", 1), format!("{text}="), text[..400].to_owned()] {
            assert!(kept(&wrong, &[7; 16]).is_err());
        }
        let mut padded = text.clone().into_bytes();
        padded[PIECE - 1] = b'=';
        assert!(kept(&String::from_utf8(padded).expect("text"), &[7; 16]).is_err());
        let shorter = Base64Read::of(&text.as_bytes()[4..], &[7; 16]);
        let length = text.len() as u64;
        let whole = Kept::new(Arc::new(Bytes::from(text)), 0, length);
        assert!(ImageInput::kept(whole, shorter).is_err(), "of another text");
    }

    #[test]
    fn a_quote_in_a_data_address_is_refused() {
        let err = ImageInput::data_uri("data:image/png;base64,iVBO\",\"x\":\"").expect_err("quote");
        assert_eq!(err.kind(), ErrorKind::InvalidRequest);
    }
}
