//! Seedream: draws; that it edits where it is hosted here, nobody says.

// Every status and every size is decided by name, so that a new one does not fall into "the rest".
#![warn(clippy::wildcard_enum_match_arm)]

mod together;
