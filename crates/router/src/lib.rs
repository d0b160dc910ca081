//! From a request to an ordered plan, and from the plan to pictures.

mod going;
mod health;
mod hooks;
mod key;
mod latency;
mod merge;
mod plan;
mod resume;
mod router;
mod split;
mod task;
mod trace;

pub use health::{Health, Known, Rest, Rules, Snapshot, Why};
pub use hooks::{Calling, Hooks};
pub use latency::Latency;
pub use plan::{Conditions, plan};
pub use router::Router;
pub use task::{Once, Task};
