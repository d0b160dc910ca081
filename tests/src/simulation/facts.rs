//! What is noted while a simulation goes on, from outside of all processes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use repaint_core::Estimate;
use tokio::time::Instant;

use super::invariants::{Invariant, Violation};

/// Shared by all processes of a simulation; survives them all.
#[derive(Debug)]
pub(super) struct World {
    began: Instant,
    traced: bool,
    facts: Mutex<Facts>,
}

/// What has happened so far.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Every order that was about to be sent: its job, and the offer.
    pub(super) orders: BTreeMap<String, (u32, String)>,
    /// Every order that went out to a provider, by its job.
    pub(super) posts: BTreeMap<u32, Vec<Post>>,
    /// Orders whose pictures were kept.
    pub(super) kept: BTreeSet<String>,
    /// What jobs without a key have cost, by their own account.
    pub(super) spent: BTreeMap<u32, Estimate>,
    /// Jobs without a key whose caller was told that nothing was bought.
    pub(super) free: BTreeSet<u32>,
    pub(super) violations: Vec<Violation>,
    pub(super) lines: Vec<String>,
    pub(super) deaths: u32,
    pub(super) pictures: u32,
}

/// An order on its way, as it left the client.
#[derive(Clone, Debug)]
pub(super) struct Post {
    /// The model, as the provider calls it.
    pub(super) to: String,
    /// Whether it is proven that it was not taken; nothing while it is on its way.
    pub(super) free: Option<bool>,
}

impl World {
    pub(super) fn new(traced: bool) -> Self {
        Self { began: Instant::now(), traced, facts: Mutex::default() }
    }

    pub(super) fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line of the trace; it is not written where nobody reads it.
    pub(super) fn tell(&self, line: impl FnOnce() -> String) {
        if self.traced {
            let at = self.began.elapsed().as_secs_f64();
            let line = format!("{at:>9.3} s  {}", line());
            self.facts().lines.push(line);
        }
    }

    pub(super) fn violated(&self, invariant: Invariant, job: Option<u32>, how: String) {
        self.tell(|| format!("VIOLATED {invariant}: {how}"));
        self.facts().violations.push(Violation { invariant, job, how });
    }

    pub(super) fn now_ms(&self) -> u64 {
        // 2026-11-26T10:00:00Z, and what has passed since the beginning.
        1_795_687_200_000 + self.began.elapsed().as_millis() as u64
    }
}
