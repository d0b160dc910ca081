//! The body of an answer on its way: whole, or as a fault has it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::Response;
use tokio::time::{Sleep, sleep};

use crate::exchange::DRIP;
use crate::fault::Fault;
use crate::message::Outgoing;

/// So many pieces of a drip.
const PIECES: u32 = 10;

/// The bytes that are left, and what comes after them.
pub(crate) struct Reply {
    left: Bytes,
    then: Then,
    drip: Option<(usize, Pin<Box<Sleep>>)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Then {
    End,
    /// The connection ends, too.
    Break,
    Hang,
}

impl Reply {
    /// The answer with its head.
    pub(crate) fn respond(outgoing: Outgoing, fault: Option<Fault>) -> Response<Self> {
        let Outgoing { status, headers, body, after: _ } = outgoing;
        let total = body.len();
        let half = body.slice(..total / 2);
        let (left, then) = match fault {
            Some(Fault::HangResponseBody | Fault::HangDownload) => (half, Then::Hang),
            Some(Fault::HalfBody) => (half, Then::Break),
            _ => (body, Then::End),
        };
        let said = if fault == Some(Fault::WrongLength) { total / 2 } else { total };
        let drip = (fault == Some(Fault::SlowDrip)).then(|| {
            let piece = total.div_ceil(PIECES as usize).max(1);
            (piece, Box::pin(sleep(DRIP / PIECES)))
        });
        let mut response = Response::builder().status(status).header("content-length", said);
        for (name, value) in headers {
            response = response.header(name, value);
        }
        let empty = || Self { left: Bytes::new(), then: Then::End, drip: None };
        // A header of ours that HTTP cannot have would be a slip; it is then an empty answer.
        response.body(Self { left, then, drip }).unwrap_or_else(|_| Response::new(empty()))
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        if this.left.is_empty() {
            return match this.then {
                Then::End => Poll::Ready(None),
                Then::Break => Poll::Ready(Some(Err(io::Error::other("told to break")))),
                Then::Hang => Poll::Pending,
            };
        }
        let piece = match &mut this.drip {
            None => std::mem::take(&mut this.left),
            Some((piece, pause)) => {
                ready!(pause.as_mut().poll(context));
                *pause = Box::pin(sleep(DRIP / PIECES));
                this.left.split_to((*piece).min(this.left.len()))
            }
        };
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty() && self.then == Then::End
    }

    /// Left open: what the head says of the length may be wrong on purpose.
    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
