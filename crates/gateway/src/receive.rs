//! Reads the body of a request: within its limits, and into room that is reserved before the first byte.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use repaint_core::Kept;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout, timeout_at};

use crate::budget::{Budget, Room};
use crate::fault::Fault;
use crate::gateway::Gateway;
use crate::limits::Limits;
use crate::scan::{Scan, Whole};
use crate::spill::Spill;

/// What kind of body a request has.
#[derive(Debug, PartialEq)]
pub(crate) enum Kind {
    Json,
    /// With the boundary between its parts.
    Form(String),
}

/// The kind that the headers say.
pub(crate) fn kind(headers: &HeaderMap) -> Result<Kind, Fault> {
    let unsupported = |message: String| {
        Fault::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message)
    };
    if headers.get(CONTENT_ENCODING).is_some_and(|it| it != "identity") {
        return Err(unsupported("a body must not be compressed: send it as it is".to_owned()));
    }
    let text = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
    let essence = essence.trim().to_ascii_lowercase();
    let json = essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"));
    if json {
        return Ok(Kind::Json);
    }
    if essence == "multipart/form-data" {
        return match boundary(parameters) {
            Some(boundary) => Ok(Kind::Form(boundary)),
            None => Err(Fault::invalid(
                "the content-type multipart/form-data has no boundary: let the library set it",
            )),
        };
    }
    Err(unsupported(format!(
        "the content-type must be application/json or, for edits, multipart/form-data, not \
         `{}`",
        repaint_core::quotable(&essence)
    )))
}

/// ref: RFC 2046, 5.1.1: 1 to 70 characters, perhaps in quotes.
fn boundary(parameters: &str) -> Option<String> {
    let mut found = parameters.split(';').filter_map(|it| {
        let (name, value) = it.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim())
    });
    let value = found.next()?;
    let value = value.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap_or(value);
    ((1..=70).contains(&value.len())).then(|| value.to_owned())
}

/// So much of a body is written into a file at once.
const WRITTEN: usize = 128 * 1024;

/// A JSON body, which was looked at while it came, and where it is now. Where memory has no room at this
/// moment, it goes into a file; if files have none either, it waits for its turn.
pub(crate) async fn json(body: Body, gateway: &Gateway) -> Result<(Scan, Whole), Fault> {
    let limits = gateway.limits();
    let length = length(&body, limits)?;
    let mut scan = Scan::new(gateway.secret());
    let seen = |piece: &[u8]| scan.feed(piece).map_err(Fault::invalid);
    let room = match gateway.budget().try_reserve(length) {
        Some(room) => room,
        None => match gateway.spills().try_count(length) {
            Some(room) => {
                let kept = spilled(body, room, length, limits, seen).await?;
                return Ok((scan, Whole::File(kept)));
            }
            None => turn(length, gateway.budget(), limits).await?,
        },
    };
    let whole = read(body, room, length, limits, seen).await?;
    Ok((scan, Whole::Memory(whole)))
}

/// The whole body, in memory. It waits for its turn before the first byte is read.
pub(crate) async fn whole(body: Body, gateway: &Gateway) -> Result<Bytes, Fault> {
    let limits = gateway.limits();
    let length = length(&body, limits)?;
    let room = turn(length, gateway.budget(), limits).await?;
    read(body, room, length, limits, |_| Ok(())).await
}

/// How long a body is; what does not say it may be as long as a body can be.
fn length(body: &Body, limits: &Limits) -> Result<u64, Fault> {
    let length = body.size_hint().exact().unwrap_or(limits.body);
    if limits.body < length { Err(too_large(limits)) } else { Ok(length) }
}

fn too_large(limits: &Limits) -> Fault {
    let message = format!(
        "the body has more than {} bytes: give fewer or smaller images, or addresses instead of data",
        limits.body
    );
    Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
}

async fn turn(length: u64, budget: &Budget, limits: &Limits) -> Result<Room, Fault> {
    let reserved = timeout(limits.wait, budget.reserve(length)).await;
    let room = reserved.map_err(|_| {
        Fault::busy("too many requests are being read at this moment; nothing was done")
    })?;
    room.ok_or_else(|| too_large(limits))
}

/// Reads a body into memory; `seen` is shown every piece.
async fn read(
    mut body: Body,
    mut room: Room,
    most: u64,
    limits: &Limits,
    mut seen: impl FnMut(&[u8]) -> Result<(), Fault>,
) -> Result<Bytes, Fault> {
    let late = Instant::now() + limits.body_time;
    while let Some(data) = next(&mut body, late, limits).await? {
        seen(&data)?;
        if !room.add(&data, most) {
            return Err(too_large(limits));
        }
    }
    Ok(room.filled())
}

/// The same into a file.
async fn spilled(
    mut body: Body,
    room: OwnedSemaphorePermit,
    most: u64,
    limits: &Limits,
    mut seen: impl FnMut(&[u8]) -> Result<(), Fault>,
) -> Result<Kept, Fault> {
    let full = |err: std::io::Error| {
        tracing::warn!("a body cannot be kept in a file: {err}");
        Fault::busy("there is no room for the body at this moment; nothing was done")
    };
    let spill = Arc::new(Spill::new(room).map_err(full)?);
    let late = Instant::now() + limits.body_time;
    let (mut length, mut waiting) = (0, Vec::with_capacity(WRITTEN));
    loop {
        let data = next(&mut body, late, limits).await?;
        let ends = data.is_none();
        let data = data.unwrap_or_default();
        seen(&data)?;
        waiting.extend_from_slice(&data);
        if most < length + waiting.len() as u64 {
            return Err(too_large(limits));
        }
        if ends || WRITTEN <= waiting.len() {
            length += waiting.len() as u64;
            let (file, bytes) = (Arc::clone(&spill), std::mem::take(&mut waiting));
            let work = tokio::task::spawn_blocking(move || file.add(&bytes).map(|()| bytes));
            waiting = work.await.map_err(std::io::Error::other).flatten().map_err(full)?;
            waiting.clear();
        }
        if ends {
            return Ok(Kept::new(spill, 0, length));
        }
    }
}

/// The next piece of a body; nothing when it has ended.
async fn next(body: &mut Body, late: Instant, limits: &Limits) -> Result<Option<Bytes>, Fault> {
    match timeout_at(late, body.frame()).await {
        Ok(None) => Ok(None),
        Ok(Some(Ok(frame))) => Ok(Some(frame.into_data().unwrap_or_default())),
        Ok(Some(Err(_))) => Err(Fault::invalid("the body broke off; nothing was done")),
        Err(_) => {
            let seconds = limits.body_time.as_secs();
            let message = format!("the body did not come within {seconds} s; nothing was done");
            Err(Fault::new(StatusCode::REQUEST_TIMEOUT, "timeout", message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(content_type: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, content_type.parse().expect("a header"));
        headers
    }

    #[test]
    fn the_kind_of_a_body_is_read_from_its_header() {
        for text in ["application/json", "Application/JSON; charset=utf-8"] {
            assert_eq!(kind(&headers(text)).ok(), Some(Kind::Json));
        }
        for text in ["multipart/form-data; boundary=x-1", "multipart/form-data;boundary=\"x-1\""] {
            assert_eq!(kind(&headers(text)).ok(), Some(Kind::Form("x-1".to_owned())));
        }
        for text in
            ["text/plain", "multipart/mixed; boundary=x", "application/x-www-form-urlencoded"]
        {
            let fault = kind(&headers(text)).expect_err("refused");
            assert_eq!(fault.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        assert!(kind(&headers("multipart/form-data")).is_err());
        assert!(kind(&HeaderMap::new()).is_err());
    }
}
