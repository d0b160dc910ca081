//! The models of Acme, a provider that does not exist: how a crate outside adds its own.
//!
//! A program has them as soon as it names the crate: `use acme_images as _;`.

mod acme;
mod sketch;
