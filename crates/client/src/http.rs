//! HTTP through reqwest: system certificates and proxies, no redirects, no retries of its own.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use repaint_core::{Error, ErrorKind, Reply, Result};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION, USER_AGENT};
use secrecy::ExposeSecret;
use url::Url;

use crate::exchange::{Answer, Exchange, Fault, Fetched, Order, Watch};
use crate::lift::Lift;
use crate::room::{Room, holding};
use crate::upload::{Changed, Upload};

/// Single calls through reqwest.
#[derive(Debug)]
pub(crate) struct Http {
    http: reqwest::Client,
    answer_limit: u64,
    room: Option<Room>,
}

/// Together's CDN refuses a blank one.
const AGENT: &str = concat!("repaint/", env!("CARGO_PKG_VERSION"));
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// What does not say how long it is may have so many bytes, for all that is known.
const UNSAID: u64 = 4 << 20;
/// Answers of fewer bytes have room anywhere.
const SMALL: u64 = 64 * 1024;
/// Of a failed download, so much is read to find out why.
const ERROR_BYTES: u64 = 64 * 1024;

impl Http {
    pub(crate) fn new(answer_limit: u64, room: Option<Room>) -> Result<Self> {
        // An error means that the program has chosen a provider of its own, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .build()
            .map_err(|err| {
                Error::new(ErrorKind::Unexpected, format!("no HTTP client: {}", told(&err)))
            })?;
        Ok(Self { http, answer_limit, room })
    }
}

#[async_trait]
impl Exchange for Http {
    async fn send(&self, order: Order) -> Result<Answer, Fault> {
        let Order { url, auth, body, sent, undecoded, uploaded, received } = order;
        sent.not_yet();
        let mut request = match &body {
            Some(body) => {
                let upload = Upload::new(body, sent.clone(), uploaded);
                self.http
                    .post(url)
                    .header(CONTENT_TYPE, "application/json")
                    .body(reqwest::Body::wrap(upload))
            }
            None => self.http.get(url),
        };
        if let Some((name, secret)) = &auth {
            let mut value = HeaderValue::from_str(secret.expose_secret())
                .map_err(|_| Fault::lasting("the key has characters that no header can have"))?;
            value.set_sensitive(true);
            request = request.header(*name, value);
        }
        let response = request.header(USER_AGENT, AGENT).send().await;
        let mut response = response.map_err(|err| fault(&err))?;
        let headers = response.headers().iter().filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        });
        let mut reply = Reply {
            status: response.status().as_u16(),
            headers: headers.collect(),
            body: Vec::new(),
        };
        let expected = response.content_length();
        let weight = |text: u64| if undecoded { text } else { text / 4 * 3 };
        let needed = weight(expected.unwrap_or(UNSAID));
        let room = match &self.room {
            Some(room) if SMALL < needed && reply.status == 200 => room.take(needed).await,
            _ => None,
        };
        let wanted = weight(expected.unwrap_or(0)).min(self.answer_limit);
        let wanted = usize::try_from(wanted).unwrap_or(0);
        let buffer = match &room {
            Some(room) => room.buffer(wanted),
            None => Vec::with_capacity(wanted),
        };
        let mut lift = Lift::new(self.answer_limit, undecoded, buffer);
        let mut bytes = 0;
        while let Some(chunk) = response.chunk().await.map_err(|err| fault(&err))? {
            bytes += chunk.len() as u64;
            lift.feed(&chunk).map_err(Fault::lasting)?;
            received(bytes);
        }
        let (skeleton, lifted) = lift.finish().map_err(Fault::lasting)?;
        reply.body = skeleton;
        let lifted = match room {
            Some(room) if !lifted.is_empty() => holding(lifted, room),
            _ => lifted,
        };
        Ok(Answer { reply, lifted })
    }

    async fn fetch(&self, url: &Url, limit: u64, seen: &Watch) -> Result<Fetched, Fault> {
        let request = self.http.get(url.clone()).header(USER_AGENT, AGENT);
        let mut response = request.send().await.map_err(|err| fault(&err))?;
        let status = response.status().as_u16();
        let location = response.headers().get(LOCATION).and_then(|it| it.to_str().ok());
        let location = location.map(str::to_owned);
        let limit = if status == 200 { limit } else { limit.min(ERROR_BYTES) };
        let declared = response.headers().get(CONTENT_LENGTH).and_then(|it| it.to_str().ok());
        let declared = declared.and_then(|it| it.parse::<u64>().ok()).unwrap_or(0);
        let mut bytes = Vec::with_capacity(usize::try_from(declared.min(limit)).unwrap_or(0));
        while let Some(chunk) = response.chunk().await.map_err(|err| fault(&err))? {
            if limit < (bytes.len() + chunk.len()) as u64 {
                if status != 200 {
                    break;
                }
                return Err(Fault::lasting(format!("the picture weighs more than {limit} bytes")));
            }
            bytes.extend_from_slice(&chunk);
            seen(bytes.len() as u64);
        }
        Ok(Fetched { status, location, bytes: Bytes::from(bytes) })
    }
}

fn fault(err: &reqwest::Error) -> Fault {
    let message = told(err);
    let reasons = std::iter::successors(Some(err as &dyn std::error::Error), |it| it.source());
    if err.is_builder() || reasons.into_iter().any(Changed::is) {
        Fault::lasting(message)
    } else {
        Fault::transient(message)
    }
}

/// The innermost reason, without the address, which may be signed.
fn told(err: &reqwest::Error) -> String {
    let mut reason: &dyn std::error::Error = err;
    let mut told = String::new();
    while let Some(source) = reason.source() {
        reason = source;
        told = reason.to_string();
    }
    let what = match () {
        () if err.is_timeout() && err.is_connect() => "connecting took too long",
        () if err.is_timeout() => "it took too long",
        () if err.is_connect() => "no connection",
        () if err.is_body() || err.is_decode() => "the connection broke",
        () => "the call failed",
    };
    if told.is_empty() { what.to_owned() } else { format!("{what}: {told}") }
}
