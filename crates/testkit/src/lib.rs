//! For tests: the trials that every adapter runs, models without a network, and a network that
//! follows a script.
//!
//! # You have a model of your own
//!
//! An adapter brings no tests: what must hold of it is derived from the facts that it declares. Put
//! this into `tests/trials.rs` of its crate, with `harness = false` in the `[[test]]` of its manifest:
//!
//! ```no_run
//! # extern crate repaint_adapters as acme_images;
//! //! The trials of our models.
//! repaint_testkit::main!(acme_images);
//! ```
//!
//! `cargo test` then tries each offer: that it takes what it declares, and sends all of it, once, in
//! order, in a field that its schema allows; that it refuses what is just beyond, and says what to do;
//! that no option goes round admission; that its schema is closed and described; and that it sends what
//! its snapshot in `snapshots/` says. `cargo test -- seed` runs the trials whose names have that word.
//! A trial that fails says what to do. After a change that is meant, write the snapshots with
//! `INSTA_UPDATE=always cargo test` and read the difference.
//!
//! What cannot be got wrong needs no trial: where an encoder destructures a request without `..`, a field
//! that is new or forgotten does not compile.
//!
//! ```compile_fail
//! # use repaint_core::ImageRequest;
//! fn from_request(request: &ImageRequest) -> String {
//!     let ImageRequest { prompt, images, size } = request;
//!     format!("{prompt}, {} images, {size}", images.len())
//! }
//! ```
//!
//! To try a registry that you made yourself, use [`trials`] and [`run`]; [`claims`] gives what is claimed
//! of one model.
//!
//! # You have an application or a router
//!
//! [`fake`] is a model without a network: it admits by the facts that you give it, answers with real
//! pictures, or fails as it is told.
//!
//! ```
//! use repaint_client::Client;
//! use repaint_core::{Capabilities, ErrorKind, ImageInput, ImageRequest, Job, Registry, between};
//! use repaint_router::Router;
//! use repaint_testkit::{EDITS, fake, made_up, png};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! let one = fake("acme/one-image");
//! let two = fake("acme/two-images")
//!     .takes(Capabilities { images: made_up(between(0, 2)), ..EDITS })
//!     .fails(ErrorKind::Exhausted)
//!     .paints();
//! let registry = Registry::new([one.model(), two.model()])?;
//! let client = Client::builder().without_environment().key("acme", "a key").build()?;
//! let router = Router::new(registry, client);
//!
//! let cat = ImageInput::bytes(png(512, 512, 1))?;
//! let job = Job::new(ImageRequest { images: vec![cat.clone(), cat], ..ImageRequest::new("Both") });
//! let err = router.run(job.clone()).await.expect_err("as it was told");
//! assert_eq!((err.kind(), err.data().offer.as_deref()), (ErrorKind::Exhausted, Some("acme/two-images")));
//!
//! let outcome = router.run(job).await?;
//! assert_eq!(outcome.images[0].media_type.map(|it| it.name()), Some("image/png"));
//! assert!(one.asked().is_empty() && two.asked().len() == 2);
//! # Ok::<(), repaint_core::Error>(()) }).unwrap();
//! ```
//!
//! # You have a provider of your own
//!
//! With the feature `script`, `Script` is a network that gives the answers that you write down, so that
//! a provider's replies can be tried through the whole client: polls, retries and downloads.
//!
//! # Features
//!
//! `trials`, on by default, brings a validator of JSON Schema; `script` brings the client. Fakes and
//! pictures need neither.

mod cases;
#[cfg(feature = "trials")]
mod claims;
#[cfg(feature = "trials")]
mod complaint;
#[cfg(feature = "trials")]
mod corpus;
#[cfg(feature = "trials")]
mod examples;
mod fake;
mod pictures;
mod render;
#[cfg(feature = "script")]
mod script;
#[cfg(feature = "trials")]
pub mod snapshots;
#[cfg(feature = "trials")]
mod trials;

pub use cases::{Accepted, Refused, accepted, grid, refused};
#[cfg(feature = "trials")]
pub use claims::{Claim, claims};
#[cfg(feature = "trials")]
pub use complaint::Complaint;
#[cfg(feature = "trials")]
pub use corpus::{Corpus, SEED, jobs};
#[cfg(feature = "trials")]
pub use examples::{examples, job_examples};
pub use fake::{EDITS, Fake, MADE_UP, fake, made_up};
pub use pictures::{picture, png, real_png};
pub use render::{render, snapshot};
#[cfg(feature = "script")]
pub use script::{Asked, Script, reply};
#[cfg(feature = "trials")]
pub use trials::{run, run_adapters, trials};

/// The trials of adapters, as the whole of a test with `harness = false`: links the crates that are named,
/// and tries all that they register. Snapshots stand in `snapshots/` of the crate that the test is of.
///
/// ```no_run
/// # extern crate repaint_adapters as acme_images;
/// repaint_testkit::main!(acme_images);
/// ```
#[cfg(feature = "trials")]
#[macro_export]
macro_rules! main {
    ($($adapter:ident),+ $(,)?) => {
        // An adapter registers itself, but only once it is linked, and only what is named is.
        $(use $adapter as _;)+

        fn main() -> ::std::process::ExitCode {
            $crate::run_adapters(&[$(::std::stringify!($adapter)),+], ::std::env!("CARGO_MANIFEST_DIR"))
        }
    };
}
