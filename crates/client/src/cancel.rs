//! Stopping a run from elsewhere.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use tokio::sync::watch;

/// Stops a run; all clones stop the same one, for good.
#[derive(Clone, Debug)]
pub struct CancellationToken(watch::Sender<bool>);

/// One that nobody has triggered.
impl Default for CancellationToken {
    fn default() -> Self {
        Self::new()
    }
}

impl CancellationToken {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Stops the run; what was bought is reported, not lost.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }

    /// Whether somebody has stopped it.
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until somebody stops it.
    pub async fn cancelled(&self) {
        // It cannot end otherwise: this is a sender itself.
        let _ = self.0.subscribe().wait_for(|it| *it).await;
    }

    /// Does the work unless it is stopped before its end, which the work may win.
    pub(crate) async fn stops<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let (mut work, mut stopped) = (pin!(work), pin!(self.cancelled()));
        poll_fn(|task| match work.as_mut().poll(task) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => stopped.as_mut().poll(task).map(|()| None),
        })
        .await
    }
}
