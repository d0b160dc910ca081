//! The file of a server's callers, which is read again when it becomes another.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use repaint::Result;
use repaint_callers::Keys;
use repaint_gateway::Gateway;
use tokio::time::{MissedTickBehavior, interval};

use crate::show;

/// How often it is looked at.
const LOOKS: Duration = Duration::from_secs(1);

/// The file, as it was when it was read.
#[derive(Debug)]
pub(crate) struct CallersFile {
    path: PathBuf,
    read: Option<Looks>,
}

/// What a file looks like from outside; one with other contents looks otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Looks {
    length: u64,
    changed: SystemTime,
}

impl CallersFile {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// As [`Keys::load`].
    pub(crate) fn load(path: &Path) -> Result<(Self, Keys)> {
        // It may become another while it is read, and is then read once more than it had to be.
        let read = looks(path);
        Ok((Self { path: path.to_owned(), read }, Keys::load(path)?))
    }

    /// Hands its callers to the gateway whenever they become others. From a file that cannot be read or is wrong nobody
    /// is let in or kept out: those of before hold, and standard error says so.
    pub(crate) async fn follow(mut self, gateway: Gateway) {
        let mut ticks = interval(LOOKS);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut before, mut told, mut again) = (self.read, None, false);
        loop {
            ticks.tick().await;
            let now = looks(&self.path);
            // Whoever writes it may not be done: it is read when it has looked the same twice.
            let rests = std::mem::replace(&mut before, now) == now;
            if !rests || (now == self.read && !again) {
                continue;
            }
            (self.read, again) = (now, false);
            let what = match Keys::load(&self.path) {
                Err(err) => {
                    // Who may read it may change, too.
                    again = true;
                    format!("{}; the callers of before hold", err.message())
                }
                Ok(keys) => {
                    let (path, who) = (self.path.display(), count(&keys));
                    match gateway.set_keys(keys).await {
                        Ok(()) => format!("{path} has changed: {who}"),
                        Err(err) => {
                            again = true;
                            let why = err.message();
                            format!("{path} has changed, but the callers of before hold: {why}")
                        }
                    }
                }
            };
            // What is tried again is told once.
            if !again || told.as_ref() != Some(&what) {
                show::said(&what);
            }
            told = Some(what);
        }
    }
}

/// How many may call, in words.
pub(crate) fn count(keys: &Keys) -> String {
    match keys.callers().count() {
        1 => "1 caller has a key".to_owned(),
        count => format!("{count} callers have keys"),
    }
}

/// Nothing where it is not there.
fn looks(path: &Path) -> Option<Looks> {
    let of = std::fs::metadata(path).ok()?;
    Some(Looks { length: of.len(), changed: of.modified().ok()? })
}
