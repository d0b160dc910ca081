//! A request as it came, and an answer as it goes: values, without a connection.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use url::Url;

/// A request as it came.
#[derive(Clone)]
pub struct Incoming {
    /// `GET`, `POST`, `DELETE`.
    pub method: String,
    /// The whole address, with the host that the caller used: poll and result addresses point back to it.
    pub url: Url,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; empty if there is none, or while only the head is known.
    pub body: Bytes,
    /// The input images that were fetched beforehand, by their addresses, or why one was not.
    pub fetched: BTreeMap<String, Result<Bytes, String>>,
}

impl Incoming {
    /// A request without a body.
    pub fn get(url: Url) -> Self {
        let (headers, body, fetched) = (Vec::new(), Bytes::new(), BTreeMap::new());
        Self { method: "GET".to_owned(), url, headers, body, fetched }
    }

    /// A request with a body.
    pub fn post(url: Url, body: impl Into<Bytes>) -> Self {
        Self { method: "POST".to_owned(), body: body.into(), ..Self::get(url) }
    }

    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    /// An address on the host that the caller used.
    pub(crate) fn back(&self, path: &str) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        url.set_fragment(None);
        url.set_path("");
        format!("{}{path}", url.as_str().trim_end_matches('/'))
    }
}

/// Without the headers, which may hold a key, and without the body.
impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Incoming({} {}, {} bytes)", self.method, self.url.path(), self.body.len())
    }
}

/// An answer as it goes.
#[derive(Clone)]
pub struct Outgoing {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
    /// How long the provider thinks before it answers.
    pub after: Duration,
}

/// The header that every answer has.
pub(crate) const EMULATED: (&str, &str) = ("x-emulated", "repaint");

impl Outgoing {
    pub(crate) fn new(status: u16, kind: &str, body: impl Into<Bytes>) -> Self {
        let (name, value) = EMULATED;
        let headers = vec![("content-type", kind.to_owned()), (name, value.to_owned())];
        Self { status, headers, body: body.into(), after: Duration::ZERO }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }
}

/// Without the body, which may be a picture.
impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outgoing({}, {} bytes)", self.status, self.body.len())
    }
}
