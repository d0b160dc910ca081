//! A place that hosts models: configuration and a pure state machine over its replies.

use std::fmt::{self, Debug};
use std::time::{Duration, SystemTime};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};
use url::Url;

use crate::date::moment;
use crate::error::quotable;
use crate::{Body, Error, ErrorKind, Result, Stage, Usd};

/// A place that hosts models. Carries both configuration and behaviour.
#[derive(Debug)]
pub struct Provider {
    /// The first half of an offer's id, such as `together`.
    pub id: &'static str,
    /// What people call it.
    pub name: &'static str,
    /// How it is reached; `None` for models that run in this process.
    pub endpoint: Option<Endpoint>,
}

/// How a provider is reached, and how its replies are read.
#[derive(Debug)]
pub struct Endpoint {
    /// The start of every address, without a slash at its end.
    pub base: &'static str,
    /// The environment variable that replaces `base`.
    pub base_env: &'static str,
    /// A last part of the path that a replaced base may have or lack, such as `/v1`; or nothing.
    pub base_suffix: &'static str,
    /// What follows `base` on a submit; `{name}` becomes the offer's name there.
    pub path: &'static str,
    /// How to be let in.
    pub auth: Auth,
    /// Hosts, with their subdomains, that may see the key when a reply names them; over https only.
    pub trusts: &'static [&'static str],
    /// Reads the reply to a call and says what comes next. Pure: the client does the I/O.
    pub advance: fn(&Call, &Reply) -> Result<Step>,
}

/// How to be let in. Names the secret and never holds it, so a [`Call`] can be printed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Auth {
    /// The header that carries the secret.
    pub header: &'static str,
    /// What goes before the secret in that header.
    pub prefix: &'static str,
    /// The environment variable that has the secret.
    pub env: &'static str,
}

/// One HTTP call, not yet made.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The address, with the provider's own base.
    pub url: String,
    /// Whether the provider's secret goes with it.
    pub auth: Option<Auth>,
    /// A JSON body makes it a POST; none makes it a GET.
    pub body: Option<Body>,
    /// Which part of a job it is.
    pub phase: Phase,
}

/// The parts of a job, by what a failure means for the money.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Before a byte was sent: free to try again.
    Connect,
    /// The order itself: never sent again unless it was surely not accepted.
    Submit,
    /// Asking for the result: free to try again.
    Poll,
    /// Fetching the picture: free to try again.
    Download,
}

/// What came back: an answer whose long base64 has been lifted out.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The headers that we read, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; a lifted text is an object that [`Payload`] reads.
    pub body: Vec<u8>,
}

/// What a provider says of its limits on calls.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    /// How many calls are left.
    pub left: u64,
    /// How long until there are more, in milliseconds.
    pub milliseconds: u64,
}

/// A base64 text in a reply.
#[derive(Clone, PartialEq)]
pub enum Payload {
    /// Short enough to have stayed.
    Inline(String),
    /// Decoded while it came; this is its place among those of the reply.
    Lifted(usize),
}

/// What to do after a reply.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Finished.
    Done(Done),
    /// The order is taken, and paid: keep the handle, then make this call.
    Accepted {
        /// How to pick the job up.
        handle: Handle,
        /// What the provider said of the cost.
        charge: Charge,
        /// What to do next.
        next: Call,
        /// How long to wait before.
        after: Duration,
    },
    /// Make this call, after a pause.
    Call {
        /// What to do next.
        call: Call,
        /// How long to wait before.
        after: Duration,
        /// The provider's word for where the job stands.
        status: String,
    },
}

/// A finished answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Done {
    /// The pictures, in the provider's order.
    pub pictures: Vec<Picture>,
    /// The provider's id of the request.
    pub request_id: Option<String>,
    /// What the provider said of the cost.
    pub charge: Charge,
}

/// What a provider says of the cost and of the use of the inputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Charge {
    /// What was charged.
    pub cost: Option<Usd>,
    /// Evidence that the inputs were used, under the provider's own names.
    pub evidence: Map<String, Value>,
}

/// A picture in an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Picture {
    /// At an address, usually for minutes only.
    Url(String),
    /// In the answer.
    Payload(Payload),
    /// Said to be there, and not there.
    Missing,
}

/// How to pick up a job that was started; holds no key and no image.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Handle {
    /// Who has the job.
    pub provider: String,
    /// The provider's id of the job.
    pub id: String,
    /// Where to ask for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll: Option<String>,
    /// Where its finished pictures are, usually for minutes only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pictures: Vec<String>,
}

impl Endpoint {
    /// Whether the provider's key may go to this address, when `base` is where it is reached.
    ///
    /// The base's own origin is trusted; other hosts only over https and by the provider's list.
    pub fn trusts(&self, base: &Url, url: &Url) -> bool {
        if !url.username().is_empty() || url.password().is_some() {
            return false;
        }
        if base.origin() == url.origin() {
            return true;
        }
        let listed = |host: &str| {
            self.trusts
                .iter()
                .any(|it| host == *it || host.strip_suffix(it).is_some_and(|it| it.ends_with('.')))
        };
        let of_provider = |url: &Url| {
            url.scheme() == "https"
                && url.port_or_known_default() == Some(443)
                && url.host_str().is_some_and(listed)
        };
        // A base of somebody else's trusts nothing but itself: the provider does not know its jobs.
        of_provider(base) && of_provider(url)
    }
}

impl Call {
    /// The same call with one field of its body set: for probes alone; see [`Body::with_field`].
    ///
    /// # Errors
    ///
    /// Fails for a call without a body, and where the body cannot be changed.
    pub fn with_field(&self, name: &str, value: Value) -> Result<Self> {
        let body = self.body.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::Unexpected, "a call without a body has no field to set")
        })?;
        Ok(Self { body: Some(body.with_field(name, value)?), ..self.clone() })
    }

    /// For a person and for snapshots: method, address, headers with the key hidden, body with base64
    /// shortened.
    pub fn preview(&self) -> Value {
        let mut headers = Map::new();
        if let Some(auth) = &self.auth {
            let hidden = format!("{}<{}>", auth.prefix, auth.env);
            headers.insert(auth.header.to_owned(), hidden.into());
        }
        let mut shown = Map::new();
        let method = if self.body.is_some() { "POST" } else { "GET" };
        shown.insert("method".to_owned(), method.into());
        shown.insert("url".to_owned(), self.url.as_str().into());
        if let Some(body) = &self.body {
            headers.insert("content-type".to_owned(), "application/json".into());
            shown.insert("headers".to_owned(), headers.into());
            shown.insert("body".to_owned(), body.preview().clone());
        } else {
            shown.insert("headers".to_owned(), headers.into());
        }
        shown.into()
    }
}

impl Reply {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    /// What the provider's clock said.
    pub fn date(&self) -> Option<SystemTime> {
        moment(self.header("date")?)
    }

    /// Seconds to wait, from `retry-after-ms`, `retry-after` (seconds or a date) or
    /// `x-ratelimit-reset`.
    pub fn retry_after(&self) -> Option<u64> {
        let until = |date: &str| {
            let date = moment(date)?;
            Some(date.duration_since(SystemTime::now()).unwrap_or_default().as_secs_f64())
        };
        let number = |name: &str| self.header(name)?.trim().parse::<f64>().ok();
        let seconds = number("retry-after-ms")
            .map(|it| it / 1e3)
            .or_else(|| number("retry-after"))
            .or_else(|| until(self.header("retry-after")?))
            .or_else(|| number("x-ratelimit-reset"))?;
        (0.0..1e7).contains(&seconds).then(|| seconds.ceil() as u64)
    }

    /// How many calls are left and until when, from `x-ratelimit-remaining` and `x-ratelimit-reset`.
    pub fn rate(&self) -> Option<Rate> {
        let number = |name: &str| self.header(name)?.trim().parse::<f64>().ok();
        let (left, seconds) = (number("x-ratelimit-remaining")?, number("x-ratelimit-reset")?);
        // A reset that is a moment and no pause would let the offer rest for decades.
        let sound = (0.0..1e12).contains(&left) && (0.0..86_400.0).contains(&seconds);
        let (left, milliseconds) = (left as u64, (seconds * 1e3).ceil() as u64);
        sound.then_some(Rate { left, milliseconds })
    }

    /// Reads the JSON body; an error carries the provider's words.
    pub fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|err| {
            let message = format!("the answer is not what the provider documents: {err}");
            self.error(ErrorKind::Unexpected, message)
        })
    }

    /// An error about this reply, with its status and words.
    pub fn error(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::new(kind, message).with(|it| {
            it.status = Some(self.status);
            let words = self.words();
            it.provider_message = (!words.is_empty()).then_some(words);
            it.request_id = ["x-request-id", "cf-ray"]
                .iter()
                .find_map(|name| self.header(name))
                .map(str::to_owned);
            if matches!(kind, ErrorKind::Exhausted | ErrorKind::Unavailable) {
                it.retry_after_seconds = self.retry_after();
            }
        })
    }

    /// The provider's words: the message of its error, else the body.
    pub fn words(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let message = serde_json::from_slice::<Value>(&self.body).ok().and_then(|body| {
            let places = ["message", "detail", "error", "status"].map(|it| &body[it]);
            [&body["error"]["message"]].into_iter().chain(places).find_map(|it| match it {
                Value::String(words) => Some(words.clone()),
                Value::Null => None,
                other => Some(other.to_string()),
            })
        });
        quotable(message.as_deref().unwrap_or(&text))
    }

    /// What a status that is no success means, where the provider documents nothing else.
    ///
    /// On a submit, a 5xx may have bought a picture. After it, the job is paid for whatever a poll
    /// meets, so no error says to order again.
    pub fn failure(&self, phase: Phase) -> Error {
        let status = self.status;
        let later = matches!(phase, Phase::Poll | Phase::Download);
        match status {
            401 | 403 => {
                self.error(ErrorKind::Denied, format!("the provider denies access ({status})"))
            }
            402 => self.error(ErrorKind::Exhausted, "the provider wants credit (402)"),
            429 => self.error(ErrorKind::Exhausted, "the provider's rate limit is reached (429)"),
            404 | 410 if later => {
                let message = format!("the provider no longer has the job ({status})");
                self.error(ErrorKind::Expired, message)
            }
            408 if later => self.error(ErrorKind::Unavailable, "the poll took too long (408)"),
            400..=499 if later => {
                let message = format!("the provider does not say where the job stands ({status})");
                self.error(ErrorKind::OutcomeUnknown, message)
            }
            408 => self.unknown(),
            400..=499 => self.error(
                ErrorKind::InvalidRequest,
                format!("the provider refuses the request ({status})"),
            ),
            500..=599 if !later => self.unknown(),
            500..=599 => {
                self.error(ErrorKind::Unavailable, format!("the provider failed ({status})"))
            }
            _ => self.error(
                ErrorKind::Unexpected,
                format!("the provider answered with status {status}"),
            ),
        }
    }

    fn unknown(&self) -> Error {
        let message = format!(
            "the provider failed ({}) after it had the order: the picture may have been made and charged",
            self.status
        );
        self.error(ErrorKind::OutcomeUnknown, message)
    }

    /// An error of moderation.
    pub fn moderated(&self, stage: Stage) -> Error {
        let what = match stage {
            Stage::Input => "the prompt or an input image",
            Stage::Output => "the picture that was made",
            Stage::Unstated => "the request or its result",
        };
        self.error(ErrorKind::Moderated, format!("moderation stopped {what}"))
            .with(|it| it.stage = Some(stage))
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline(text) => write!(f, "Inline({} characters)", text.len()),
            Self::Lifted(index) => write!(f, "Lifted({index})"),
        }
    }
}

impl Payload {
    /// What a client leaves in the place of a text that it lifted out of a reply.
    pub fn lifted(index: usize) -> Value {
        json!({ LIFTED: index })
    }
}

const LIFTED: &str = "\u{0}lifted";

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self::Inline(text)),
            Value::Object(fields) => fields
                .get(LIFTED)
                .and_then(Value::as_u64)
                .and_then(|it| usize::try_from(it).ok())
                .map(Self::Lifted)
                .ok_or_else(|| serde::de::Error::custom("a text is wanted, not an object")),
            _ => Err(serde::de::Error::custom("a text is wanted")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_is_read_in_every_form() {
        let told = |name: &str, value: &str| {
            let headers = vec![(name.to_owned(), value.to_owned())];
            Reply { headers, ..Reply::default() }.retry_after()
        };
        assert_eq!(told("retry-after", "7"), Some(7));
        assert_eq!(told("retry-after-ms", "1500"), Some(2));
        assert_eq!(told("x-ratelimit-reset", "0.4"), Some(1));
        assert_eq!(told("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"), Some(0));
        for odd in ["", "soon", "-1", "NaN", "1e30"] {
            assert_eq!(told("retry-after", odd), None, "{odd}");
        }
    }

    #[test]
    fn words_are_found_in_every_form_of_error() {
        for body in [
            r#"{"error":{"message":"bad seed"}}"#,
            r#"{"message":"bad seed"}"#,
            r#"{"detail":"bad seed"}"#,
            r#"{"error":"bad seed"}"#,
            "bad seed",
        ] {
            let reply = Reply { body: body.into(), ..Reply::default() };
            assert_eq!(reply.words(), "bad seed");
        }
    }
}
