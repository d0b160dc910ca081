//! What went wrong, by what the caller can do about it.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Estimate, Handle, Hop, Refusal, Usd};

/// `Result` with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, where, and what to do. Holds no key and no image.
#[derive(Clone, PartialEq)]
pub struct Error(Box<ErrorData>);

/// The content of an [`Error`]; what its JSON is.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "Error")]
pub struct ErrorData {
    /// What the caller can do.
    pub code: ErrorKind,
    /// In words, without a full stop.
    pub message: String,
    /// The offer that was to take the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer: Option<String>,
    /// Every reason, when the code is `refused`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<Refusal>,
    /// What was moderated, when the code is `moderated`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// How long to wait, in seconds, when the provider said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
    /// The HTTP status of the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The provider's own words, without long base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_message: Option<String>,
    /// The provider's id of the request, for its support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// How to pick up a job that was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume: Option<Handle>,
    /// What the provider said that it charged, in millionths of a US dollar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Usd>,
    /// Every offer that was tried, and why each was left.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hops: Vec<Hop>,
}

/// What the caller can do. One kind for one action; a closed list, version 1.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// Ask for what the model takes, or ask another one; nothing was sent.
    Refused,
    /// Mend the request: something in it is wrong whoever takes it, or the provider says so.
    InvalidRequest,
    /// Mend the key or its rights.
    Denied,
    /// Change the prompt or the images: moderation stopped it.
    Moderated,
    /// Wait or pay: a rate or a credit is used up.
    Exhausted,
    /// Try again later; nothing was bought.
    Unavailable,
    /// Look before trying again: the picture may have been made and charged.
    OutcomeUnknown,
    /// Ask again: the result was there and is gone.
    Expired,
    /// Report it: the provider did what we do not know.
    Unexpected,
}

/// What moderation stopped.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The prompt or an input image, before a picture was made.
    Input,
    /// The picture, after it was made.
    Output,
    /// The provider does not say which.
    Unstated,
}

impl Error {
    /// An error with nothing but a kind and a message.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(ErrorData {
            code: kind,
            message: message.into(),
            offer: None,
            refusals: Vec::new(),
            stage: None,
            retry_after_seconds: None,
            status: None,
            provider_message: None,
            request_id: None,
            resume: None,
            cost: None,
            hops: Vec::new(),
        }))
    }

    /// The refusals of one offer.
    pub fn refused(offer: &str, refusals: Vec<Refusal>) -> Self {
        let reasons: Vec<String> = refusals.iter().map(ToString::to_string).collect();
        let message = format!("{offer} {}", reasons.join("; it "));
        Self::new(ErrorKind::Refused, message).with(|it| {
            it.offer = Some(offer.to_owned());
            it.refusals = refusals;
        })
    }

    /// Fills in what is known besides kind and message.
    #[must_use]
    pub fn with(mut self, fill: impl FnOnce(&mut ErrorData)) -> Self {
        fill(&mut self.0);
        self
    }

    /// What to do about it.
    pub fn kind(&self) -> ErrorKind {
        self.0.code
    }

    /// In words, without the provider's own.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// All that is known.
    pub fn data(&self) -> &ErrorData {
        &self.0
    }

    /// What an order that ended with this error has cost, if it was to cost so much: what the provider
    /// says; nothing where it was surely not taken; else anything up to the high estimate.
    pub fn spent(&self, estimate: Estimate) -> Estimate {
        let high = match (self.0.cost, self.kind()) {
            (Some(cost), _) => return Estimate { low: cost, high: cost },
            (None, _) if self.0.resume.is_some() => return estimate,
            (None, ErrorKind::OutcomeUnknown | ErrorKind::Moderated) => estimate.high,
            (None, ErrorKind::Expired | ErrorKind::Unexpected) => estimate.high,
            (None, ErrorKind::Refused | ErrorKind::InvalidRequest | ErrorKind::Denied) => Usd(0),
            (None, ErrorKind::Exhausted | ErrorKind::Unavailable) => Usd(0),
        };
        Estimate { low: Usd(0), high }
    }

    /// How long to wait, when the provider said so.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after_seconds.map(Duration::from_secs)
    }
}

impl ErrorKind {
    /// The code in JSON, such as `outcome_unknown`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::InvalidRequest => "invalid_request",
            Self::Denied => "denied",
            Self::Moderated => "moderated",
            Self::Exhausted => "exhausted",
            Self::Unavailable => "unavailable",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Expired => "expired",
            Self::Unexpected => "unexpected",
        }
    }
}

/// The message, with the provider's own words.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match &self.0.provider_message {
            Some(words) => write!(f, " (the provider says: {words})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Error {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// The provider's words, fit for a person and a log: no long base64, no control characters, not
/// longer than 2,000 characters.
pub fn quotable(words: &str) -> String {
    let mut out = String::new();
    for word in words.split_inclusive(|it: char| !is_base64(it)) {
        let run = word.trim_end_matches(|it: char| !is_base64(it)).chars().count();
        if 200 < run {
            let rest: String = word.chars().skip(run).collect();
            out.push_str(&format!("…({run} characters){rest}"));
        } else {
            out.push_str(word);
        }
    }
    let shown: String = out.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
    match shown.char_indices().nth(2_000) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown.trim().to_owned(),
    }
}

fn is_base64(it: char) -> bool {
    it.is_ascii_alphanumeric() || matches!(it, '+' | '/' | '-' | '_' | '=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_base64_is_not_quoted() {
        let words = format!("bad image \"{}\" in field", "iVBORw0KGgo".repeat(100));
        assert_eq!(quotable(&words), "bad image \"…(1100 characters)\" in field");
    }
}
