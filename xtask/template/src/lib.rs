//! FAMILY: say here what it draws, edits or combines.

// Every status and every size is decided by name, so that a new one does not fall into "the rest".
#![warn(clippy::wildcard_enum_match_arm)]

mod PROVIDER;
