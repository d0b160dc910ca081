//! What every model must do, derived from what it declares: the trials that every adapter runs.
//!
//! A model that is registered is tested: each trial is made from its capabilities, so an adapter
//! brings no tests of its own. Run them over a registry with one line:
//!
//! ```no_run
//! # use repaint_core::Registry;
//! let registry: &'static Registry = Box::leak(Box::new(Registry::linked()?));
//! let trials = repaint_testkit::trials(registry);
//! libtest_mimic::run(&libtest_mimic::Arguments::from_args(), trials).exit();
//! # Ok::<(), repaint_core::Error>(())
//! ```

mod cases;
mod corpus;
mod examples;
mod pictures;
mod render;
mod trials;

pub use cases::{Accepted, Refused, accepted, grid, refused};
pub use corpus::{Corpus, SEED, jobs};
pub use examples::{examples, job_examples};
pub use pictures::{picture, png};
pub use render::{render, snapshot};
pub use trials::{Claim, claims, trials};
