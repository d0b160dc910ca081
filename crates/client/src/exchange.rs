//! The seam to HTTP: one call and its answer, without any decision.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use repaint_core::{Body, Reply};
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
#[derive(Clone, Debug, Default)]
pub struct Sent(Arc<AtomicU8>);

impl Sent {
    /// The last byte is handed to the connection.
    pub fn complete(&self) {
        self.0.store(1, Ordering::Release);
    }

    /// Whether the provider may have the whole order.
    pub fn may_be_taken(&self) -> bool {
        self.0.load(Ordering::Acquire) == 1
    }
}

/// An answer whose pictures have been lifted out of it.
#[derive(Debug, Default)]
pub struct Answer {
    /// What the provider's pure reader gets.
    pub reply: Reply,
    /// The lifted texts, decoded.
    pub lifted: Vec<Bytes>,
}

/// A fetched file, or what there was in its place.
#[derive(Debug, Default)]
pub struct Fetched {
    /// The HTTP status.
    pub status: u16,
    /// Where a redirect points, as it is written.
    pub location: Option<String>,
    /// The bytes; of an error, its first ones.
    pub bytes: Bytes,
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
