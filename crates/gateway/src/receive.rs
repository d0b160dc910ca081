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

use crate::budget::Room;
use crate::calls::Print;
use crate::fault::Fault;
use crate::gateway::Gateway;
use crate::held::Held;
use crate::json::Read;
use crate::limits::Limits;
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

/// What reads a body as it comes.
pub(crate) trait Reader: Send + 'static {
    /// The most that is kept of so many bytes.
    fn keeps(length: u64) -> u64;

    /// The next piece; gives what is to be kept of it. The error is in words.
    fn piece<'a>(&'a mut self, piece: &'a [u8]) -> Result<&'a [u8], String>;

    /// What the body says, now that all of it has come, and a keyed hash of it; `kept` is all that was to be kept.
    fn finish(self, kept: &Kept) -> Result<(Read, Print), String>;
}

/// A body that is looked at while it comes, and where it is now. Where memory has no room at this moment, it goes into
/// a file; if files have none either, it waits for its turn.
pub(crate) async fn body<R: Reader>(
    body: Body,
    mut reader: R,
    gateway: &Gateway,
) -> Result<(R, Arc<Held>), Fault> {
    let limits = gateway.limits();
    let length = length(&body, limits)?;
    let kept = R::keeps(length);
    let (memory, files) = (gateway.budget(), gateway.spills());
    let incoming = Incoming { body, most: length, limits, reader: &mut reader };
    let held = if let Some(room) = memory.try_reserve(kept) {
        incoming.into_memory(room).await?
    } else if let Some(room) = files.try_count(kept) {
        incoming.into_file(room).await?
    } else if kept <= memory.total() {
        incoming.into_memory(turn(memory.reserve(kept), limits).await?).await?
    } else {
        incoming.into_file(turn(files.count(kept), limits).await?).await?
    };
    Ok((reader, held))
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

/// Waits for room.
async fn turn<T>(room: impl Future<Output = Option<T>>, limits: &Limits) -> Result<T, Fault> {
    let reserved = timeout(limits.wait, room).await;
    let room = reserved.map_err(|_| {
        Fault::busy("too many requests are being read at this moment; nothing was done")
    })?;
    room.ok_or_else(|| {
        let message = "there is never room for so large a body here: give fewer or smaller images, or addresses \
                       instead of data, or ask who runs the gateway for more `files_megabytes`";
        Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    })
}

/// A body on its way.
struct Incoming<'a, R> {
    body: Body,
    /// It has no more bytes.
    most: u64,
    limits: &'a Limits,
    reader: &'a mut R,
}

impl<R: Reader> Incoming<'_, R> {
    async fn into_memory(mut self, mut room: Room) -> Result<Arc<Held>, Fault> {
        let (late, mut length) = (Instant::now() + self.limits.body_time, 0);
        while let Some(data) = self.next(late, &mut length).await? {
            room.add(self.reader.piece(&data).map_err(Fault::invalid)?);
        }
        Ok(Held::in_memory(room.filled()))
    }

    async fn into_file(mut self, room: OwnedSemaphorePermit) -> Result<Arc<Held>, Fault> {
        let full = |err: std::io::Error| {
            tracing::warn!("a body cannot be kept in a file: {err}");
            Fault::busy("there is no room for the body at this moment; nothing was done")
        };
        let spill = Arc::new(Spill::new(room).map_err(full)?);
        let (late, mut length) = (Instant::now() + self.limits.body_time, 0);
        let (mut written, mut waiting) = (0, Vec::with_capacity(WRITTEN));
        loop {
            let data = self.next(late, &mut length).await?;
            if let Some(data) = &data {
                waiting.extend_from_slice(self.reader.piece(data).map_err(Fault::invalid)?);
            }
            if data.is_none() || WRITTEN <= waiting.len() {
                written += waiting.len() as u64;
                let (file, bytes) = (Arc::clone(&spill), std::mem::take(&mut waiting));
                let work = tokio::task::spawn_blocking(move || file.add(&bytes).map(|()| bytes));
                waiting = work.await.map_err(std::io::Error::other).flatten().map_err(full)?;
                waiting.clear();
            }
            if data.is_none() {
                return Ok(Held::in_file(spill, written));
            }
        }
    }

    /// The next piece; nothing when it has ended.
    async fn next(&mut self, late: Instant, length: &mut u64) -> Result<Option<Bytes>, Fault> {
        let data = match timeout_at(late, self.body.frame()).await {
            Ok(None) => return Ok(None),
            Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
            Ok(Some(Err(_))) => {
                return Err(Fault::invalid("the body broke off; nothing was done"));
            }
            Err(_) => {
                let seconds = self.limits.body_time.as_secs();
                let message = format!("the body did not come within {seconds} s; nothing was done");
                return Err(Fault::new(StatusCode::REQUEST_TIMEOUT, "timeout", message));
            }
        };
        *length += data.len() as u64;
        if self.most < *length { Err(too_large(self.limits)) } else { Ok(Some(data)) }
    }
}

/// Reads a body that comes in pieces of a size.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn in_pieces(mut reader: impl Reader, body: &[u8], size: usize) -> Result<Read, String> {
    let mut kept = Vec::new();
    for piece in body.chunks(size) {
        kept.extend_from_slice(reader.piece(piece)?);
    }
    let (length, keep) = (kept.len() as u64, Arc::new(Bytes::from(kept)));
    Ok(reader.finish(&Kept::new(keep, 0, length))?.0)
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
