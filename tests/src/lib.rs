//! Behaviour across crates; see the files beside this folder.
