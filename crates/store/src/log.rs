//! The log in which SQLite writes first, brought to the disk beside SQLite: so orders that come at once wait for one
//! sync, and nobody's statements wait for it.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
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
    /// What went wrong when nobody waited for it.
    failed: Mutex<Option<io::Error>>,
}

impl Log {
    /// That of a store that is open.
    pub(crate) fn of(store: &Path) -> io::Result<Self> {
        let mut path = store.as_os_str().to_owned();
        path.push("-wal");
        // Not every system brings a file to the disk for who may only read it.
        Ok(Self::new(OpenOptions::new().read(true).write(true).open(path)?))
    }

    fn new(file: File) -> Self {
        Self {
            file,
            written: AtomicU64::new(0),
            synced: Mutex::new(0),
            is_quick: AtomicBool::new(false),
            is_planned: AtomicBool::new(false),
            failed: Mutex::new(None),
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
    /// If it is not, or what was written before is not.
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

    /// Brings what was written to the disk soon, while nobody waits for it; if that fails, it is told to who waits
    /// next.
    pub(crate) fn soon(self: &Arc<Self>) {
        if self.is_planned.swap(true, Ordering::AcqRel) {
            return;
        }
        let log = Arc::clone(self);
        drop(tokio::task::spawn_blocking(move || {
            std::thread::sleep(SOON);
            // What is written from here on plans one of its own.
            log.is_planned.store(false, Ordering::Release);
            let number = log.written.load(Ordering::Acquire);
            let mut synced = log.synced.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(err) = log.sync(&mut synced, number) {
                *log.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(err);
            }
        }));
    }

    fn sync(&self, synced: &mut u64, number: u64) -> io::Result<()> {
        // A system tells it once, and forgets what it could not write.
        if let Some(err) = self.failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(err);
        }
        if number <= *synced {
            return Ok(());
        }
        let (all, began) = (self.written.load(Ordering::Acquire), Instant::now());
        self.file.sync_data()?;
        self.is_quick.store(began.elapsed() <= SHORT, Ordering::Relaxed);
        *synced = all;
        Ok(())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// Linux says of this one that it cannot be brought to a disk.
    fn broken() -> Arc<Log> {
        Arc::new(Log::new(File::open("/dev/null").expect("there on every Linux")))
    }

    #[tokio::test]
    async fn a_disk_that_fails_is_told_at_once_or_to_who_waits_next() {
        let log = broken();
        let number = log.wrote();
        log.wait(number).await.expect_err("it is not on the disk");

        let mut log = broken();
        log.wrote();
        log.soon();
        while 1 < Arc::strong_count(&log) {
            tokio::task::yield_now().await;
        }
        let good = tempfile::tempfile().expect("a file");
        Arc::get_mut(&mut log).expect("nobody else has it").file = good;
        let number = log.wrote();
        log.wait(number).await.expect_err("what was before is not on the disk");
        log.wait(number).await.expect("all that is written now is");
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
