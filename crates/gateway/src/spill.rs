//! Bodies for which there is no room in memory: in files that have no name, and end with the last who
//! reads them.

use std::fs::File;
use std::io::{self, Read as _, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use repaint_core::{Keep, Kept};
use tokio::sync::OwnedSemaphorePermit;

use crate::json::{Lifted, Part, Read, read_small};
use crate::scan::Scan;

/// So much is read at once.
const PIECE: usize = 256 * 1024;

/// A body in a file.
#[derive(Debug)]
pub(crate) struct Spill {
    file: Mutex<File>,
    /// Its part of what may lie in files together.
    _room: OwnedSemaphorePermit,
}

impl Spill {
    /// An empty one, in the folder for such files (`TMPDIR`).
    pub(crate) fn new(room: OwnedSemaphorePermit) -> io::Result<Self> {
        Ok(Self { file: Mutex::new(tempfile::tempfile()?), _room: room })
    }

    /// Adds what has come.
    pub(crate) fn add(&self, bytes: &[u8]) -> io::Result<()> {
        self.file().write_all(bytes)
    }

    fn file(&self) -> MutexGuard<'_, File> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keep for Spill {
    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        let mut file = self.file();
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(into)
    }
}

/// Reads a JSON body of so many bytes; its images stay where they are. `seen` is told every piece.
pub(crate) fn read(
    spill: Arc<Spill>,
    length: u64,
    mut seen: impl FnMut(&[u8]),
) -> Result<Read, String> {
    let keep: Arc<dyn Keep> = spill;
    let mut lifted = Lifted::default();
    let mut scan = Scan::new(&mut lifted);
    let put = |from: u64, to: u64, comma: usize, has_escapes: bool| Part::Kept {
        text: Kept::new(Arc::clone(&keep), from, to - from),
        comma,
        has_escapes,
    };
    let mut wrong = None;
    let all = Kept::new(Arc::clone(&keep), 0, length);
    let read = all.pieces(PIECE, |piece| {
        seen(piece);
        scan.feed(piece, &put).map_err(|why| {
            wrong = Some(why);
            io::Error::from(io::ErrorKind::InvalidData)
        })
    });
    if let Err(err) = read {
        return Err(wrong.unwrap_or_else(|| format!("the body cannot be read again: {err}")));
    }
    let small = Bytes::from(scan.finish());
    read_small(&small, lifted)
}
