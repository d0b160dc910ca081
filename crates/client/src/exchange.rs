//! The seam to HTTP: one call and its answer, without any decision.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use repaint_core::{Body, Image, Reply};
use secrecy::SecretString;
use url::Url;

/// Makes single HTTP calls. It follows no redirect and repeats nothing.
#[async_trait]
pub trait Exchange: Debug + Send + Sync {
    /// Sends an order or a poll and reads the answer. An HTTP error status is an answer.
    async fn send(&self, order: Order) -> Result<Answer, Fault>;

    /// Fetches a picture, without any key.
    async fn fetch(&self, url: &Url, limit: u64, seen: &Watch) -> Result<Fetched, Fault>;
}

/// Told how many bytes have passed.
pub type Watch = Arc<dyn Fn(u64) + Send + Sync>;

/// A call with everything that it needs.
#[derive(Clone)]
pub struct Order {
    /// The address.
    pub url: Url,
    /// The header that lets us in, with its value.
    pub auth: Option<(&'static str, SecretString)>,
    /// A body makes it a POST.
    pub body: Option<Body>,
    /// How far the sending has come; readable while the call goes on, and after it was given up.
    pub sent: Sent,
    /// Pictures that come as base64 may stay so.
    pub undecoded: bool,
    /// Told how many bytes of the body are on their way.
    pub uploaded: Watch,
    /// Told how many bytes of the answer have come.
    pub received: Watch,
}

impl Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Order").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

/// How far the sending of an order has come.
///
/// A provider cannot take an order whose body it does not have whole: until the last byte is handed
/// to the connection, nothing can have been bought.
///
/// An [`Exchange`] that says nothing is taken to have sent all at once: calling
/// [`not_yet`](Self::not_yet) first and [`complete`](Self::complete) with the last byte is what lets an
/// order be made again.
#[derive(Clone, Debug)]
pub struct Sent(Arc<AtomicBool>);

impl Default for Sent {
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

impl Sent {
    /// Not all bytes have been handed to the connection.
    pub fn not_yet(&self) {
        self.0.store(false, Ordering::Release);
    }

    /// The last byte is about to be handed to the connection.
    pub fn complete(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether the provider may have the whole order.
    pub fn may_be_taken(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// An answer whose pictures have been lifted out of it.
#[derive(Default)]
pub struct Answer {
    /// What the provider's pure reader gets.
    pub reply: Reply,
    /// The lifted texts.
    pub lifted: Vec<Lifted>,
}

/// A text that was lifted out of an answer.
#[derive(Clone, PartialEq)]
pub enum Lifted {
    /// Decoded; one that was no base64 is empty.
    Bytes(Bytes),
    /// Standard base64 with padding, which nobody wants decoded.
    Base64(Bytes),
}

impl Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Answer(status {}, {} pictures)", self.reply.status, self.lifted.len())
    }
}

impl Lifted {
    /// The picture; `None` of one that is empty or was no base64.
    pub fn image(&self) -> Option<Image> {
        match self {
            Self::Bytes(bytes) => (!bytes.is_empty()).then(|| Image::new(bytes.clone())),
            Self::Base64(text) if text.is_empty() => None,
            Self::Base64(text) => Image::undecoded(text.clone()),
        }
    }
}

impl Debug for Lifted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::Base64(text) => write!(f, "Base64({} characters)", text.len()),
        }
    }
}

/// A fetched file, or what there was in its place.
#[derive(Default)]
pub struct Fetched {
    /// The HTTP status.
    pub status: u16,
    /// Where a redirect points, as it is written.
    pub location: Option<String>,
    /// The bytes; of an error, its first ones.
    pub bytes: Bytes,
}

impl Debug for Fetched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fetched(status {}, {} bytes)", self.status, self.bytes.len())
    }
}

/// Why there is no answer, in words and without any secret.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// What went wrong.
    pub message: String,
    /// Whether the same call may succeed later.
    pub transient: bool,
}

impl Fault {
    /// Something that may be over soon.
    pub fn transient(message: impl Into<String>) -> Self {
        Self { message: message.into(), transient: true }
    }

    /// Something that will happen again.
    pub fn lasting(message: impl Into<String>) -> Self {
        Self { message: message.into(), transient: false }
    }
}
