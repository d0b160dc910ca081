//! Ids of requests that never become a job.

use std::hash::{BuildHasher, RandomState};

/// An id that no other request has.
pub(crate) fn request() -> String {
    let chance = || RandomState::new().hash_one(std::thread::current().id());
    format!("req-{:016x}{:08x}", chance(), chance() as u32)
}
