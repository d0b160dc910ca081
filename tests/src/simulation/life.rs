//! One life of a process: it ends at a cut point, before or after a write or a send, and nothing of it goes on.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::sync::Notify;

use super::facts::World;

/// Counts the cut points of a process, and ends it at one of them.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) process: usize,
    world: Arc<World>,
    ends_at: u32,
    points: AtomicU32,
    dead: AtomicBool,
    died: Notify,
}

impl Life {
    pub(super) fn new(process: usize, world: &Arc<World>, ends_at: Option<u32>) -> Arc<Self> {
        Arc::new(Self {
            process,
            world: Arc::clone(world),
            ends_at: ends_at.unwrap_or(u32::MAX),
            points: AtomicU32::new(0),
            dead: AtomicBool::new(false),
            died: Notify::new(),
        })
    }

    /// A place where a process may die. One that is dead goes no further.
    pub(super) async fn point(&self, what: &'static str) {
        if !self.dead.load(Ordering::Relaxed) {
            let point = self.points.fetch_add(1, Ordering::Relaxed);
            if point != self.ends_at {
                return;
            }
            self.dead.store(true, Ordering::Relaxed);
            self.died.notify_one();
            self.world.facts().deaths += 1;
            self.world.tell(|| format!("process {} DIES {what} (cut point {point})", self.process));
        }
        pending().await
    }

    pub(super) async fn died(&self) {
        self.died.notified().await;
    }

    pub(super) fn points(&self) -> u32 {
        self.points.load(Ordering::Relaxed)
    }
}
