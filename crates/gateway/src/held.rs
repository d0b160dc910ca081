//! What was kept of a body, in memory or in a file, until nobody can need it any more.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use repaint_core::{Keep, Kept};

use crate::spill::Spill;

/// What was kept of a body.
pub(crate) struct Held {
    place: Mutex<Option<Place>>,
    length: u64,
}

/// Where it is.
#[derive(Clone)]
enum Place {
    Memory(Bytes),
    File(Arc<Spill>),
}

impl Held {
    pub(crate) fn in_memory(bytes: Bytes) -> Arc<Self> {
        let length = bytes.len() as u64;
        Arc::new(Self { place: Mutex::new(Some(Place::Memory(bytes))), length })
    }

    pub(crate) fn in_file(file: Arc<Spill>, length: u64) -> Arc<Self> {
        Arc::new(Self { place: Mutex::new(Some(Place::File(file))), length })
    }

    /// All of it.
    pub(crate) fn whole(self: &Arc<Self>) -> Kept {
        Kept::new(Arc::clone(self) as _, 0, self.length)
    }

    pub(crate) fn lies_in_file(&self) -> bool {
        matches!(self.place(), Some(Place::File(_)))
    }

    /// Gives its room back, with the last who sends some of it. Nobody can read it any more.
    pub(crate) fn release(&self) {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn place(&self) -> Option<Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Keep for Held {
    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        match self.place() {
            Some(Place::Memory(bytes)) => bytes.read(at, into),
            Some(Place::File(file)) => file.read(at, into),
            None => Err(io::Error::other("the body was let go when the order was taken")),
        }
    }

    fn slice(&self, at: u64, length: usize) -> Option<Bytes> {
        match self.place()? {
            Place::Memory(bytes) => Keep::slice(&bytes, at, length),
            Place::File(_) => None,
        }
    }

    /// The file was written while the body came.
    fn waits(&self) -> bool {
        false
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Held({} bytes)", self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;

    #[tokio::test]
    async fn what_is_let_go_gives_its_room_back_with_the_last_slice_of_it() {
        let (memory, files) = (Budget::new(1 << 20), Budget::new(1 << 20));
        let mut room = memory.reserve(8).await.expect("room");
        room.add(b"12345678");
        let spill = Arc::new(Spill::new(files.try_count(8).expect("room")).expect("a file"));
        spill.add(b"12345678").expect("written");
        for held in [Held::in_memory(room.filled()), Held::in_file(spill, 8)] {
            let part = held.whole().part(2, 6);
            let bytes = part.whole().expect("it is there");
            assert_eq!(
                (&bytes[..], part.at_hand().is_some()),
                (&b"3456"[..], !held.lies_in_file())
            );
            held.release();
            part.whole().expect_err("it was let go");
            assert!(part.at_hand().is_none());
            drop(bytes);
            drop(part);
        }
        assert_eq!((memory.used(), files.used()), (0, 0));
    }
}
