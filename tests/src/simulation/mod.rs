//! Deterministic simulation: the real router, client and stores against the emulator, in paused time, with faults and with
//! deaths of processes at every cut point. What must hold is the list of [`Invariant`].

mod blocking;
mod dice;
mod facts;
mod invariants;
mod life;
mod many;
mod play;
mod sabotage;
mod schedule;
mod watched;

pub use dice::{Dice, seed_of};
pub use invariants::{Invariant, Violation};
pub use many::{Sums, listed, many, smallest};
pub use play::{Played, Scene};
pub use sabotage::Sabotage;
pub use schedule::{Schedule, Wish};

/// What a job asks for: its number can be read from it.
fn prompt(number: u32) -> String {
    format!("Paint job {number}")
}

fn number_of(prompt: &str) -> Option<u32> {
    prompt.strip_prefix("Paint job ")?.parse().ok()
}

/// The sides of the `index`th input image, from 1: each is unlike the others.
fn side(index: usize) -> u32 {
    256 + 16 * index as u32
}
