//! A body that streams: what is at hand as it is to be sent goes out as it is, a piece at a time, and other images are
//! read and encoded on a thread of their own.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll};

use base64_simd::STANDARD;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use repaint_core::{Body, ImageInput, ImageSource, Kept, Segment};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::exchange::{Sent, Watch};
use crate::inspect::facts;

/// So much of an image is encoded at once: a multiple of 3, so that the pieces join without padding.
/// Each piece wakes the thread of the network: with half as much, an upload takes 6 % more CPU.
const PIECE: usize = 192 * 1024;
/// So much of an image outside memory is read at once: whoever keeps many there has little memory.
const KEPT: usize = 64 * 1024;
/// So many encoded pieces may wait for the network.
const WAITING: usize = 2;

/// A body on its way.
pub(crate) struct Upload {
    pieces: Pieces,
    total: u64,
    left: u64,
    sent: Sent,
    watch: Watch,
}

enum Pieces {
    AtHand(AtHand),
    Made(Receiver<io::Result<Bytes>>),
}

impl Upload {
    /// Begins to read and encode, if there is anything; the thread ends with the upload.
    pub(crate) fn new(body: &Body, sent: Sent, watch: Watch) -> Self {
        let at_hand: Option<VecDeque<Part>> = body.segments().iter().map(at_hand).collect();
        let pieces = match at_hand {
            Some(parts) => Pieces::AtHand(AtHand(parts)),
            None => {
                let (sender, pieces) = channel(WAITING);
                let segments = body.segments().to_vec();
                tokio::task::spawn_blocking(move || produce(segments, &sender));
                Pieces::Made(pieces)
            }
        };
        Self { pieces, total: body.length(), left: body.length(), sent, watch }
    }
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let next = match &mut self.pieces {
            Pieces::AtHand(pieces) => Poll::Ready(pieces.next().transpose()),
            Pieces::Made(pieces) => pieces.poll_recv(context),
        };
        let piece = match next {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) if self.left == 0 => return Poll::Ready(None),
            Poll::Ready(None) => {
                return Poll::Ready(Some(Err(io::Error::other("the body ended too soon"))));
            }
            Poll::Ready(Some(Err(err))) => return Poll::Ready(Some(Err(err))),
            Poll::Ready(Some(Ok(piece))) => piece,
        };
        let Some(left) = self.left.checked_sub(piece.len() as u64) else {
            return Poll::Ready(Some(Err(io::Error::other("the body is longer than declared"))));
        };
        self.left = left;
        if left == 0 {
            self.sent.complete();
        }
        (self.watch)(self.total - left);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// What is left of a body that goes out as it is.
struct AtHand(VecDeque<Part>);

enum Part {
    Memory(Bytes),
    /// From a place on.
    Kept(Kept, u64),
}

impl AtHand {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        match self.0.pop_front() {
            None => Ok(None),
            Some(Part::Memory(bytes)) => Ok(Some(bytes)),
            Some(Part::Kept(kept, at)) => {
                let left = usize::try_from(kept.length() - at).unwrap_or(usize::MAX);
                let piece = kept.some(at, left.min(KEPT))?;
                let next = at + piece.len() as u64;
                if next < kept.length() {
                    self.0.push_front(Part::Kept(kept, next));
                }
                Ok(Some(piece))
            }
        }
    }
}

/// A part of a body that goes out as it is.
fn at_hand(segment: &Segment) -> Option<Part> {
    match segment {
        Segment::Text(text) => Some(Part::Memory(text.clone())),
        Segment::Image(image) => match image.source() {
            ImageSource::Base64(base64) => Some(Part::Memory(base64.clone())),
            ImageSource::Kept(kept) => match kept.at_hand() {
                Some(bytes) => Some(Part::Memory(bytes)),
                None if kept.waits() => None,
                None => Some(Part::Kept(kept.clone(), 0)),
            },
            ImageSource::Bytes(_) | ImageSource::File(_) | ImageSource::Url(_) => None,
        },
    }
}

/// Why no more pieces are made.
enum Stop {
    /// Nobody takes them any more.
    Unwanted,
    Broken(io::Error),
}

impl From<io::Error> for Stop {
    fn from(err: io::Error) -> Self {
        Self::Broken(err)
    }
}

/// Sends all pieces, or as many as are wanted and can be read.
fn produce(segments: Vec<Segment>, sender: &Sender<io::Result<Bytes>>) {
    for segment in segments {
        let done = match segment {
            Segment::Text(text) => sender.blocking_send(Ok(text)).map_err(|_| Stop::Unwanted),
            Segment::Image(image) => encode(&image, sender),
        };
        match done {
            Ok(()) => {}
            Err(Stop::Unwanted) => return,
            Err(Stop::Broken(err)) => return drop(sender.blocking_send(Err(err))),
        }
    }
}

fn encode(image: &ImageInput, sender: &Sender<io::Result<Bytes>>) -> Result<(), Stop> {
    let send = |raw: &[u8]| {
        let encoded: Vec<u8> = STANDARD.encode_type(raw);
        sender.blocking_send(Ok(encoded.into())).map_err(|_| Stop::Unwanted)
    };
    match image.source() {
        ImageSource::Bytes(bytes) => bytes.chunks(PIECE).try_for_each(send),
        ImageSource::File(path) => {
            let name = path.display();
            let changed = || Stop::Broken(changed(format!("{name} changed while it was sent")));
            // What was admitted is what goes out: the facts are read again.
            if facts(path).ok() != image.facts() {
                return Err(changed());
            }
            let mut file = File::open(path).map_err(|_| changed())?;
            let mut piece = vec![0; PIECE];
            let mut left = image.facts().map_or(0, |it| it.bytes);
            while 0 < left {
                let wanted = usize::try_from(left).map_or(PIECE, |it| it.min(PIECE));
                let piece = &mut piece[..wanted];
                file.read_exact(piece).map_err(|_| changed())?;
                send(piece)?;
                left -= wanted as u64;
            }
            // One more byte would mean that the file has grown.
            if file.read(&mut [0]).is_ok_and(|it| it == 0) { Ok(()) } else { Err(changed()) }
        }
        // It is base64 already.
        ImageSource::Kept(kept) => kept.pieces(KEPT, |text| {
            let text = Bytes::copy_from_slice(text);
            sender.blocking_send(Ok(text)).map_err(|_| Stop::Unwanted)
        }),
        ImageSource::Base64(text) => {
            sender.blocking_send(Ok(text.clone())).map_err(|_| Stop::Unwanted)
        }
        // It is text in the body.
        ImageSource::Url(_) => Ok(()),
    }
}

/// A file is not what it was when it was inspected: no later try can send it.
#[derive(Debug)]
pub(crate) struct Changed(String);

impl Changed {
    /// Whether this is why a call failed.
    pub(crate) fn is(err: &(dyn Error + 'static)) -> bool {
        let inner = err.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        inner.is_some_and(|it| it.is::<Self>())
    }
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Changed {}

fn changed(message: String) -> io::Error {
    io::Error::other(Changed(message))
}
