//! The log in which SQLite writes first, brought to the disk beside SQLite: so orders that come at once wait for one
//! sync, and no statement waits for it.

use std::fs::{File, OpenOptions};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// A disk that takes no longer than this is waited for at once: to wake another thread would take as long.
const SHORT: Duration = Duration::from_micros(200);
/// How soon what nobody waits for is on the disk. Where orders come sooner, it goes with the next of them.
const SOON: Duration = Duration::from_millis(20);

/// The log of one connection, which keeps the file from being removed.
#[derive(Debug)]
pub(crate) struct Log {
    file: File,
    /// How many transactions were written into it.
    written: AtomicU64,
    /// How many of them are on the disk.
    synced: Mutex<u64>,
    /// Whether the disk was quick the last time.
    is_quick: AtomicBool,
    /// Whether a sync for which nobody waits is to come.
    is_planned: AtomicBool,
    /// Whether it could not be brought to the disk. A system says so once, and forgets what it could not write: what is
    /// written behind that does not count until all of it is in the store's file.
    is_broken: AtomicBool,
}

impl Log {
    /// That of a store that is open, by the path that SQLite knows it by: a link leads to another name.
    pub(crate) fn of(store: &str) -> io::Result<Self> {
        // Not every system brings a file to the disk for who may only read it.
        Ok(Self::new(OpenOptions::new().read(true).write(true).open(format!("{store}-wal"))?))
    }

    fn new(file: File) -> Self {
        Self {
            file,
            written: AtomicU64::new(0),
            synced: Mutex::new(0),
            is_quick: AtomicBool::new(false),
            is_planned: AtomicBool::new(false),
            is_broken: AtomicBool::new(false),
        }
    }

    /// A transaction was committed: the number by which it is waited for.
    pub(crate) fn wrote(&self) -> u64 {
        self.written.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Waits until a transaction is on the disk, with all before it.
    ///
    /// # Errors
    ///
    /// If it is not, or something that was written before could not be.
    pub(crate) async fn wait(self: &Arc<Self>, number: u64) -> io::Result<()> {
        if self.is_quick.load(Ordering::Relaxed) {
            match self.synced.try_lock() {
                Ok(mut synced) => return self.sync(&mut synced, number),
                Err(TryLockError::Poisoned(err)) => {
                    return self.sync(&mut err.into_inner(), number);
                }
                // Whoever syncs now may have begun too soon; the next sync is for all who wait then.
                Err(TryLockError::WouldBlock) => {}
            }
        }
        let log = Arc::clone(self);
        let work = move || {
            let mut synced = log.synced.lock().unwrap_or_else(PoisonError::into_inner);
            log.sync(&mut synced, number)
        };
        tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
    }

    /// A sync that is to come soon, for all who ask meanwhile; nothing where one is to come already.
    pub(crate) fn plan(self: &Arc<Self>) -> Option<Planned> {
        let is_new = !self.is_planned.swap(true, Ordering::AcqRel);
        is_new.then(|| Planned(Arc::clone(self)))
    }

    /// Brings all that was written to the disk.
    pub(crate) fn all(&self) -> io::Result<()> {
        let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        let number = self.written.load(Ordering::Acquire);
        self.sync(&mut synced, number)
    }

    /// All of it is in the store's file, and the next transaction begins it anew.
    pub(crate) fn mended(&self) {
        self.is_broken.store(false, Ordering::Release);
    }

    fn sync(&self, synced: &mut u64, number: u64) -> io::Result<()> {
        if self.is_broken.load(Ordering::Acquire) {
            return Err(io::Error::other("what was written before could not be brought there"));
        }
        if number <= *synced {
            return Ok(());
        }
        let (all, began) = (self.written.load(Ordering::Acquire), Instant::now());
        if let Err(err) = self.file.sync_data() {
            self.is_broken.store(true, Ordering::Release);
            return Err(err);
        }
        self.is_quick.store(began.elapsed() <= SHORT, Ordering::Relaxed);
        *synced = all;
        Ok(())
    }
}

/// A sync for which nobody waits. Where nobody does it, since a runtime ends, the next is planned anew.
#[derive(Debug)]
pub(crate) struct Planned(Arc<Log>);

impl Planned {
    /// Does it, after a while; or nothing if another sync was for all of it.
    pub(crate) fn done(self) -> io::Result<()> {
        std::thread::sleep(SOON);
        let log = Arc::clone(&self.0);
        // What is written from here on is planned anew.
        drop(self);
        log.all()
    }
}

impl Drop for Planned {
    fn drop(&mut self) {
        self.0.is_planned.swap(false, Ordering::AcqRel);
    }
}

/// One that Linux says cannot be brought to a disk.
#[cfg(all(test, target_os = "linux"))]
pub(crate) fn broken() -> Arc<Log> {
    Arc::new(Log::new(File::open("/dev/null").expect("there on every Linux")))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_could_not_be_brought_to_the_disk_is_told_to_all_until_it_is_mended() {
        let log = broken();
        let (first, second) = (log.wrote(), log.wrote());
        let (one, other) = tokio::join!(log.wait(first), log.wait(second));
        assert!(one.is_err() && other.is_err());
        // The system would say now that all is well.
        let mut log = Arc::try_unwrap(log).expect("nobody else has it");
        log.file = tempfile::tempfile().expect("a file");
        let log = Arc::new(log);
        let third = log.wrote();
        log.wait(third).await.expect_err("what was before is not on the disk");
        log.mended();
        log.wait(third).await.expect("it is");
    }

    #[test]
    fn what_is_planned_is_for_all_who_ask_meanwhile() {
        let log = broken();
        let planned = log.plan().expect("the first");
        assert!(log.plan().is_none());
        planned.done().expect("nothing was written");
        drop(log.plan().expect("that is over"));
        log.wrote();
        let planned = log.plan().expect("nobody did the last one");
        planned.done().expect_err("it is tried");
    }

    #[tokio::test]
    async fn one_sync_is_for_all_that_was_written_before_it() {
        let log = Arc::new(Log::new(tempfile::tempfile().expect("a file")));
        let (first, second) = (log.wrote(), log.wrote());
        log.wait(first).await.expect("on the disk");
        // It would fail now if it were brought there once more.
        let mut log = Arc::try_unwrap(log).expect("nobody else has it");
        log.file = File::open("/dev/null").expect("there on every Linux");
        let log = Arc::new(log);
        log.wait(second).await.expect("on the disk since the first");
        log.wait(log.wrote()).await.expect_err("this one is not");
    }
}
