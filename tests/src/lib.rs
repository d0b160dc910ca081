//! What the trials share: jobs to run, and servers of ours that answer them on 127.0.0.1.

mod ask;
mod house;
mod notes;
pub mod rules;
pub mod simulation;
mod turns;
mod wire;

pub use ask::{client, edit, edits, heavy, job, linked};
pub use house::{folder, unlinked};
pub use notes::{Notes, budget};
pub use turns::{in_turn, picture_answer, ticket};
pub use wire::{Act, Received, Server, answer};
