//! The answer to a request: JSON whose pictures are encoded as it goes out, and somebody who is told when
//! it is out.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::response::{IntoResponse, Response};
use base64_simd::STANDARD;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use repaint_core::{Image, Kept};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::calls::Seat;
use crate::dialect::ResponseFormat;
use crate::shelf::Shelved;

/// So much of a picture is encoded at once: a multiple of 3, so that the pieces join without padding.
const PIECE: u64 = 48 * 1024;

/// The pictures, in the form of Together's answer and of OpenAI's at once.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[schemars(rename = "PicturesAnswer")]
pub(crate) struct Pictures {
    /// The id of the job, for `GET /v1/jobs/{id}`.
    id: String,
    /// The model, as the request names it.
    model: String,
    /// Always `list`.
    object: String,
    /// When it was made, in seconds since 1970.
    created: u64,
    /// The pictures.
    data: Vec<Picture>,
}

/// One picture: an address or base64, as `type` says.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[schemars(rename = "AnsweredPicture")]
pub(crate) struct Picture {
    /// Its place, from 0.
    index: u32,
    /// `url` or `b64_json`.
    r#type: String,
    /// Where it is, usually for minutes only.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// The file, as base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    b64_json: Option<String>,
}

/// A body of text and pictures, which tells its seat when it is out.
#[derive(Debug)]
pub(crate) struct Answer {
    pieces: std::vec::IntoIter<Piece>,
    now: Option<(Source, u64)>,
    left: u64,
    seat: Option<Seat>,
}

#[derive(Debug)]
enum Piece {
    Text(Bytes),
    Picture(Source),
}

/// The bytes of a picture, where they are.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    place: Place,
    /// Whether they are base64, as they are to be.
    is_base64: bool,
}

#[derive(Clone, Debug)]
enum Place {
    Memory(Bytes),
    File(Kept),
}

impl Source {
    pub(crate) fn of(image: &Image) -> Self {
        let bytes = image.base64.as_ref().unwrap_or(&image.bytes);
        Self { place: Place::Memory(bytes.clone()), is_base64: image.base64.is_some() }
    }

    pub(crate) fn of_shelf(shelved: &Shelved) -> Self {
        Self { place: Place::File(shelved.kept.clone()), is_base64: shelved.is_base64 }
    }

    fn length(&self) -> u64 {
        match &self.place {
            Place::Memory(bytes) => bytes.len() as u64,
            Place::File(kept) => kept.length(),
        }
    }

    /// So much of it goes out at once.
    fn piece(&self) -> u64 {
        match self {
            // Nothing is made of it, so the connection takes as much as it can.
            Self { place: Place::Memory(_), is_base64: true } => u64::MAX,
            _ => PIECE,
        }
    }

    /// How many characters of base64 it is.
    fn characters(&self) -> u64 {
        if self.is_base64 { self.length() } else { self.length().div_ceil(3) * 4 }
    }

    /// The base64 of a part.
    fn encoded(&self, from: u64, to: u64) -> io::Result<Bytes> {
        let length = usize::try_from(to - from).map_err(io::Error::other)?;
        let bytes = match &self.place {
            Place::Memory(bytes) => {
                let from = usize::try_from(from).map_err(io::Error::other)?;
                bytes.slice(from..from + length)
            }
            // It was written a moment ago, so nearly always this does not wait for a disk.
            Place::File(kept) => kept.some(from, length)?,
        };
        Ok(if self.is_base64 { bytes } else { STANDARD.encode_type::<Vec<u8>>(bytes).into() })
    }
}

impl Answer {
    /// The pictures of a job.
    pub(crate) fn new<'a>(
        id: &str,
        model: &str,
        created: u64,
        images: impl IntoIterator<Item = (&'a Image, Source)>,
        format: Option<ResponseFormat>,
        seat: Seat,
    ) -> Self {
        let mut pieces = Vec::new();
        let mut text = format!(
            r#"{{"id":{},"model":{},"object":"list","created":{created},"data":["#,
            Value::from(id),
            Value::from(model)
        );
        for (index, (image, source)) in images.into_iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let address = image.address.as_deref();
            // Without a wish, an address where there is one, as the providers themselves do.
            let address = address.filter(|_| {
                source.length() == 0 || matches!(format, None | Some(ResponseFormat::Url))
            });
            if let Some(address) = address {
                let url = Value::from(address);
                text.push_str(&format!(r#"{comma}{{"index":{index},"type":"url","url":{url}}}"#));
                continue;
            }
            match format {
                Some(ResponseFormat::Url) => {
                    let kind = image.media_type.map_or("application/octet-stream", |it| it.name());
                    let start = format!(
                        r#"{comma}{{"index":{index},"type":"url","url":"data:{kind};base64,"#
                    );
                    text.push_str(&start);
                }
                None | Some(ResponseFormat::Base64 | ResponseFormat::B64Json) => {
                    let start =
                        format!(r#"{comma}{{"index":{index},"type":"b64_json","b64_json":""#);
                    text.push_str(&start);
                }
            }
            pieces.push(Piece::Text(std::mem::take(&mut text).into()));
            pieces.push(Piece::Picture(source));
            text.push_str("\"}");
        }
        text.push_str("]}");
        pieces.push(Piece::Text(text.into()));
        let length = |it: &Piece| match it {
            Piece::Text(text) => text.len() as u64,
            Piece::Picture(source) => source.characters(),
        };
        let left = pieces.iter().map(length).sum();
        Self { pieces: pieces.into_iter(), now: None, left, seat: Some(seat) }
    }

    /// A body of one text, for what went wrong.
    pub(crate) fn text(text: Bytes, seat: Seat) -> Self {
        let left = text.len() as u64;
        let pieces = vec![Piece::Text(text)].into_iter();
        Self { pieces, now: None, left, seat: Some(seat) }
    }

    fn next(&mut self) -> io::Result<Option<Bytes>> {
        let (source, at) = match self.now.take() {
            Some(now) => now,
            None => match self.pieces.next() {
                None => return Ok(None),
                Some(Piece::Text(text)) => return Ok(Some(text)),
                Some(Piece::Picture(source)) => (source, 0),
            },
        };
        let end = source.length().min(at.saturating_add(source.piece()));
        let encoded = source.encoded(at, end)?;
        if end < source.length() {
            self.now = Some((source, end));
        }
        Ok(Some(encoded))
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let bytes = match self.next() {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Poll::Ready(None),
            // The connection breaks before the end, so nobody takes it for whole, and the order stays open in the store.
            Err(err) => return Poll::Ready(Some(Err(err))),
        };
        self.left = self.left.saturating_sub(bytes.len() as u64);
        if self.left == 0
            && let Some(seat) = &mut self.seat
        {
            seat.answered();
        }
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// The text of a small answer, which is whole.
pub(crate) fn now_or_never(body: axum::body::Body) -> Bytes {
    let mut body = std::pin::pin!(body);
    let mut context = Context::from_waker(std::task::Waker::noop());
    let mut text = Vec::new();
    while let Poll::Ready(Some(Ok(frame))) = body.as_mut().poll_frame(&mut context) {
        text.extend_from_slice(frame.data_ref().map_or(&[][..], |it| it));
    }
    text.into()
}

/// A small answer as JSON.
pub(crate) fn json(value: &impl Serialize) -> Response {
    let text = serde_json::to_vec(value).unwrap_or_default();
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response()
}
