//! Room in memory for the pictures of answers: who answers many at once reads the next when there is some.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    buffers: Arc<Buffers>,
}

/// Buffers that wait for the next picture, no more than there is room: fresh memory costs more than the bytes
/// that go into it, and large pieces of it that come and go leave holes.
#[derive(Debug, Default)]
struct Buffers(Mutex<Vec<Vec<u8>>>);

/// Room that was taken.
#[derive(Debug)]
pub(crate) struct Taken {
    _permit: OwnedSemaphorePermit,
    buffers: Arc<Buffers>,
    /// The most bytes that may wait.
    most: usize,
}

impl Room {
    pub(crate) fn new(bytes: u64) -> Self {
        let pieces = u32::try_from(bytes.div_ceil(PIECE)).unwrap_or(u32::MAX);
        let pieces = pieces.min(u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX));
        Self { free: Arc::new(Semaphore::new(pieces as usize)), pieces, buffers: Arc::default() }
    }

    /// Room for so many bytes, or for as many as there are; nothing if it does not come in time.
    pub(crate) async fn take(&self, bytes: u64) -> Option<Taken> {
        let pieces = u32::try_from(bytes.div_ceil(PIECE)).unwrap_or(u32::MAX).min(self.pieces);
        let taken = Arc::clone(&self.free).acquire_many_owned(pieces);
        let permit = timeout(PATIENCE, taken).await.ok()?.ok()?;
        let most = usize::try_from(u64::from(self.pieces) * PIECE).unwrap_or(usize::MAX);
        Some(Taken { _permit: permit, buffers: Arc::clone(&self.buffers), most })
    }

    /// Whether less than a quarter of it is free.
    pub(crate) fn is_short(&self) -> bool {
        self.free.available_permits() < self.pieces as usize / 4
    }
}

impl Taken {
    /// An empty buffer of at least so many bytes: the smallest that is large enough, and not much larger.
    pub(crate) fn buffer(&self, wanted: usize) -> Vec<u8> {
        let mut free = self.buffers.free();
        // One that is much larger would hold what others were to have.
        let most = 2 * wanted.max(PIECE as usize);
        let fits = free.iter().enumerate();
        let fits = fits.filter(|(_, it)| (wanted..=most).contains(&it.capacity()));
        match fits.min_by_key(|(_, it)| it.capacity()).map(|(at, _)| at) {
            Some(at) => free.swap_remove(at),
            None => Vec::with_capacity(wanted),
        }
    }
}

impl Buffers {
    fn put(&self, mut buffer: Vec<u8>, most: usize) {
        buffer.clear();
        let mut free = self.free();
        let waiting: usize = free.iter().map(Vec::capacity).sum();
        if waiting + buffer.capacity() <= most {
            free.push(buffer);
        }
    }

    fn free(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A picture with the room that it takes.
struct Held {
    bytes: Bytes,
    room: Arc<Taken>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Ok(buffer) = std::mem::take(&mut self.bytes).try_into_mut() {
            self.room.buffers.put(buffer.into(), self.room.most);
        }
    }
}

/// The pictures of one answer, which hold their room until the last of them is gone.
pub(crate) fn holding(pictures: Vec<Lifted>, room: Taken) -> Vec<Lifted> {
    let room = Arc::new(room);
    let held = |bytes| Bytes::from_owner(Held { bytes, room: Arc::clone(&room) });
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

    #[tokio::test]
    async fn buffers_are_used_again() {
        let room = Room::new(8 * PIECE);
        let taken = room.take(PIECE).await.expect("room");
        let mut buffer = taken.buffer(3000);
        buffer.extend_from_slice(&[7; 2000]);
        let place = buffer.as_ptr();
        let held = holding(vec![Lifted::Bytes(buffer.into())], taken);
        drop(held);
        let taken = room.take(PIECE).await.expect("room");
        let again = taken.buffer(2500);
        assert_eq!(again.as_ptr(), place);
        let other = taken.buffer(2500);
        assert_ne!(other.as_ptr(), place, "somebody has it");
    }
}
