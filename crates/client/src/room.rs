//! Room in memory for the pictures of answers: who answers many at once reads the next when there is some.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::exchange::Lifted;

/// Room is counted in pieces of so many bytes.
const PIECE: u64 = 4096;
/// An answer waits no longer for room: a job of several calls holds what it has until all are there, and two of them
/// would else wait for each other for ever.
const PATIENCE: Duration = Duration::from_secs(2);

/// The bytes that pictures may have together, for as long as anybody holds them. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    free: Arc<Semaphore>,
    pieces: u32,
}

impl Room {
    pub(crate) fn new(bytes: u64) -> Self {
        let pieces = u32::try_from(bytes.div_ceil(PIECE)).unwrap_or(u32::MAX);
        let pieces = pieces.min(u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX));
        Self { free: Arc::new(Semaphore::new(pieces as usize)), pieces }
    }

    /// Room for so many bytes, or for as many as there are; nothing if it does not come in time.
    pub(crate) async fn take(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let pieces = u32::try_from(bytes.div_ceil(PIECE)).unwrap_or(u32::MAX).min(self.pieces);
        let taken = Arc::clone(&self.free).acquire_many_owned(pieces);
        timeout(PATIENCE, taken).await.ok()?.ok()
    }

    /// Whether less than a quarter of it is free.
    pub(crate) fn is_short(&self) -> bool {
        self.free.available_permits() < self.pieces as usize / 4
    }
}

/// A picture with the room that it takes.
struct Held {
    bytes: Bytes,
    _room: Arc<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The pictures of one answer, which hold their room until the last of them is gone.
pub(crate) fn holding(pictures: Vec<Lifted>, room: OwnedSemaphorePermit) -> Vec<Lifted> {
    let room = Arc::new(room);
    let held = |bytes| Bytes::from_owner(Held { bytes, _room: Arc::clone(&room) });
    let lifted = |it| match it {
        Lifted::Bytes(bytes) => Lifted::Bytes(held(bytes)),
        Lifted::Base64(text) => Lifted::Base64(held(text)),
    };
    pictures.into_iter().map(lifted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn room_is_held_by_pictures_and_waited_for_a_while() {
        let room = Room::new(8 * PIECE);
        let pictures = vec![
            Lifted::Bytes(Bytes::from_static(b"1")),
            Lifted::Base64(Bytes::from_static(b"Mg==")),
        ];
        let mut pictures = holding(pictures, room.take(7 * PIECE).await.expect("room"));
        assert!(room.is_short());
        let began = Instant::now();
        assert!(room.take(2 * PIECE).await.is_none(), "it goes on without");
        assert_eq!(began.elapsed(), PATIENCE);
        pictures.remove(0);
        assert!(room.is_short(), "the other one is still there");
        let waits = tokio::spawn({
            let room = room.clone();
            async move { room.take(u64::MAX).await.is_some() }
        });
        tokio::task::yield_now().await;
        drop(pictures);
        assert!(waits.await.expect("no panic"), "more than there is takes all there is");
        assert!(!room.is_short());
    }
}
