//! FLUX.1 Kontext: draws, or edits one image by instruction.

// Every status and every size is decided by name, so that a new one does not fall into "the rest".
#![warn(clippy::wildcard_enum_match_arm)]

mod bfl;
mod together;
