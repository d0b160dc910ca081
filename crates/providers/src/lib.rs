//! The places that host image models: one file for each.

// Every status and every size is decided by name, so that a new one does not fall into "the rest".
#![warn(clippy::wildcard_enum_match_arm)]

mod bfl;
mod local;
mod together;

pub use bfl::BFL;
pub use local::LOCAL;
pub use together::TOGETHER;
