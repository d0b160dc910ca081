//! FLUX.2: draws, or combines up to eight images.

// Every status and every size is decided by name, so that a new one does not fall into "the rest".
#![warn(clippy::wildcard_enum_match_arm)]

mod bfl;
mod together;
