//! Bodies for which there is no room in memory: in files that have no name, and end with the last who
//! reads them.

use std::fs::File;
use std::io::{self, Read as _, Seek, SeekFrom, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use repaint_core::Keep;
use tokio::sync::OwnedSemaphorePermit;

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
