//! One budget of bytes for the bodies of all requests, first come first served, and the buffers they are in.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The budget is counted in pieces of so many bytes: a semaphore has room for 2^29 pieces at least.
const PIECE: u64 = 4096;
/// Buffers of so many bytes together wait for the next body: fresh memory costs more than the bytes that go
/// into it. What is more is given back to the system.
const POOLED: usize = 16 << 20;

/// The bytes that the bodies of all requests may have together.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    room: Arc<Semaphore>,
    total: u64,
    pool: Arc<Pool>,
}

#[derive(Debug, Default)]
struct Pool(Mutex<Vec<Vec<u8>>>);

/// Room for a body, and the buffer that it is read into.
#[derive(Debug)]
pub(crate) struct Room {
    buffer: Vec<u8>,
    pool: Arc<Pool>,
    permit: OwnedSemaphorePermit,
}

impl Budget {
    pub(crate) fn new(bytes: u64) -> Self {
        let pieces = usize::try_from(bytes.div_ceil(PIECE)).unwrap_or(Semaphore::MAX_PERMITS);
        let pieces = pieces.min(Semaphore::MAX_PERMITS).min(u32::MAX as usize);
        let room = Arc::new(Semaphore::new(pieces));
        Self { room, total: pieces as u64 * PIECE, pool: Arc::default() }
    }

    /// Waits until there is room for so many bytes; `None` if there never is.
    pub(crate) async fn reserve(&self, bytes: u64) -> Option<Room> {
        let pieces = u32::try_from(bytes.div_ceil(PIECE)).ok()?;
        if self.total < bytes {
            return None;
        }
        // Nobody closes it.
        let permit = Arc::clone(&self.room).acquire_many_owned(pieces).await.ok()?;
        let wanted = usize::try_from(bytes).ok()?;
        Some(Room { buffer: self.pool.take(wanted), pool: Arc::clone(&self.pool), permit })
    }

    /// Room for so many bytes if there is some at this moment, and nobody waits for it.
    pub(crate) fn try_reserve(&self, bytes: u64) -> Option<Room> {
        let pieces = u32::try_from(bytes.div_ceil(PIECE)).ok()?;
        let permit = Arc::clone(&self.room).try_acquire_many_owned(pieces).ok()?;
        let wanted = usize::try_from(bytes).ok()?;
        Some(Room { buffer: self.pool.take(wanted), pool: Arc::clone(&self.pool), permit })
    }

    /// The same for bytes that are not in memory.
    pub(crate) fn try_count(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let pieces = u32::try_from(bytes.div_ceil(PIECE)).ok()?;
        Arc::clone(&self.room).try_acquire_many_owned(pieces).ok()
    }

    /// The same, waiting until there is room; `None` if there never is.
    pub(crate) async fn count(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let pieces = u32::try_from(bytes.div_ceil(PIECE)).ok().filter(|_| bytes <= self.total)?;
        Arc::clone(&self.room).acquire_many_owned(pieces).await.ok()
    }

    /// So many permits stand for so many bytes.
    pub(crate) fn pieces(&self, bytes: u64) -> usize {
        usize::try_from(bytes.div_ceil(PIECE)).unwrap_or(usize::MAX)
    }

    /// How many bytes are reserved.
    pub(crate) fn used(&self) -> u64 {
        self.total - self.room.available_permits() as u64 * PIECE
    }

    /// How many bytes there are.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }
}

impl Pool {
    /// An empty buffer of at least so many bytes: the smallest that is large enough, and not much larger.
    fn take(&self, wanted: usize) -> Vec<u8> {
        let mut free = self.free();
        // One that is much larger would hold what others were to have.
        let most = 2 * wanted.max(PIECE as usize);
        let fits = free.iter().enumerate();
        let fits = fits.filter(|(_, it)| (wanted..=most).contains(&it.capacity()));
        match fits.min_by_key(|(_, it)| it.capacity()).map(|(at, _)| at) {
            Some(at) => free.swap_remove(at),
            None => Vec::with_capacity(wanted),
        }
    }

    fn put(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut free = self.free();
        let pooled: usize = free.iter().map(Vec::capacity).sum();
        if pooled + buffer.capacity() <= POOLED {
            free.push(buffer);
        }
    }

    fn free(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    /// Adds what has come.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// What has come, as bytes that hold the room until the last slice of them is gone.
    pub(crate) fn filled(mut self) -> Bytes {
        // A body of unknown length has reserved the most that it may have.
        let unused = self.permit.num_permits() as u64 - (self.buffer.len() as u64).div_ceil(PIECE);
        drop(usize::try_from(unused).ok().and_then(|it| self.permit.split(it)));
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Room {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.pool.put(std::mem::take(&mut self.buffer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn room_is_held_by_the_last_slice_and_the_buffer_is_used_again() {
        let budget = Budget::new(1 << 20);
        assert!(budget.reserve((1 << 20) + 1).await.is_none(), "it would wait for ever");
        let mut room = budget.reserve(1 << 20).await.expect("room");
        room.add(&[7; 100_000]);
        let bytes = room.filled();
        assert_eq!(budget.used(), 102_400, "what was not needed is free again");
        let (slice, place) = (bytes.slice(10..20), bytes.as_ptr());
        drop(bytes);
        assert_eq!(budget.used(), 102_400);
        drop(slice);
        assert_eq!(budget.used(), 0);
        let small = budget.reserve(100).await.expect("room");
        assert!(small.buffer.capacity() < 100_000, "it holds no more than it was given room for");
        let again = budget.reserve(600_000).await.expect("room");
        assert_eq!(again.buffer.as_ptr(), place);
    }

    #[tokio::test]
    async fn who_comes_first_is_served_first() {
        let budget = Budget::new(10 * PIECE);
        let first = budget.reserve(8 * PIECE).await.expect("room");
        let large = tokio::spawn({
            let budget = budget.clone();
            async move { budget.reserve(10 * PIECE).await.is_some() }
        });
        tokio::task::yield_now().await;
        let small = budget.reserve(1);
        tokio::pin!(small);
        let waits =
            std::future::poll_fn(|it| std::task::Poll::Ready(small.as_mut().poll(it).is_pending()));
        assert!(waits.await, "a small one does not overtake a large one for ever");
        drop(first);
        assert!(large.await.expect("no panic"));
        assert!(small.await.is_some());
    }
}
