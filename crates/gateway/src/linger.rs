//! The body of a request that is answered before all of it was read: what is left is read on for a while, since
//! a connection that ends with bytes unread takes the answer along.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::timeout;

/// What is left is read no longer.
const TIME: Duration = Duration::from_secs(5);
/// No more of it is read.
const BYTES: usize = 64 << 20;

/// A body; dropped before its end, it is read on.
struct Lingering(Option<Body>);

/// The same request, whose body is read on when it is dropped.
pub(crate) fn lingering(request: Request) -> Request {
    request.map(|body| match body.is_end_stream() {
        true => body,
        false => Body::new(Lingering(Some(body))),
    })
}

impl http_body::Body for Lingering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(body) = &mut self.0 else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_frame(context);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.0 = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or(SizeHint::with_exact(0), http_body::Body::size_hint)
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let body = self.0.take().filter(|it| !it.is_end_stream());
        if let (Some(body), Ok(runtime)) = (body, tokio::runtime::Handle::try_current()) {
            drop(runtime.spawn(timeout(TIME, read_on(body))));
        }
    }
}

async fn read_on(mut body: Body) {
    let mut left = BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}
