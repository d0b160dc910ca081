//! An HTTP server that speaks the dialects that callers already speak, Together's and OpenAI's, and makes
//! them true for every model.
//!
//! ```text
//! receive ─▶ json | form ─▶ dialect ─▶ run ─▶ calls ─▶ router ─▶ answer
//!  limits     slices         one        │      joined              streamed
//!                            validator  └─ fault: the caller's dialect
//! ```
//!
//! One file an endpoint group (`generations`, `jobs`, `health`), one a dialect (`dialect/`), and one
//! validator for both (`dialect::understand`).

#[cfg(test)]
mod agreement;
mod answer;
mod ask;
mod bodies;
mod budget;
mod calls;
#[cfg(test)]
mod deaf;
mod dialect;
mod digest;
mod edits;
mod fault;
mod fetch;
mod form;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod gateway;
mod generations;
mod health;
mod held;
mod ids;
mod jobs;
mod json;
mod keys;
mod limits;
mod linger;
mod metrics;
mod models;
mod named;
mod openapi;
mod patient;
mod receive;
mod run;
mod scan;
mod server;
mod shelf;
mod spill;

pub use gateway::{Builder, Gateway};
pub use limits::Limits;
pub use openapi::openapi;
pub use server::Server;
