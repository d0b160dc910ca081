//! Hosted providers on this machine: the wire shapes of Together and Black Forest Labs, for tests.
//!
//! No model makes the pictures. They show each input image that arrived, numbered and in order, with
//! the prompt under them, so that an image that was lost on the way is seen to be missing. A body is
//! read as the provider is documented to read it, by a reader that shares nothing with the adapters:
//! what the provider ignores is ignored, and billed all the same.
//!
//! The emulator in a test of your own:
//!
//! ```
//! use repaint_adapters as _;
//! use repaint_client::Client;
//! use repaint_core::{ImageRequest, Job, Registry};
//! use repaint_emulator::{Emulator, Server, Settings};
//! use repaint_router::Router;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let registry = Registry::linked()?;
//! let server = Server::start(Emulator::new(&registry, Settings::default())).await?;
//! let client = Client::builder().without_environment().key("bfl", "any").base("bfl", server.url());
//! let job = Job { select: vec!["bfl/flux2-pro".into()], ..Job::new(ImageRequest::new("a cat")) };
//! let outcome = Router::new(registry, client.build()?).run(job).await?;
//! assert_eq!(outcome.images.len(), 1);
//! assert_eq!(server.emulator().orders().count(), 1, "and none was paid for twice");
//! # Ok(()) }
//! ```
//!
//! Three layers, each of which can be used alone:
//!
//! - [`Emulator`] is the machines: a request and the time in, an answer out. No I/O, no clock, no dice.
//! - [`InProcess`] is a [`repaint_client::Exchange`] to them without a network, in tokio's time, which
//!   may be paused: a simulation runs through hours in no time. Its [`choosing`](InProcess::choosing)
//!   says at every call which [`Fault`] befalls it.
//! - [`Server`] puts them behind a port, for any language.
//!
//! ```
//! use repaint_adapters as _;
//! use repaint_client::Client;
//! use repaint_core::{ErrorKind, ImageRequest, Job, Registry};
//! use repaint_emulator::{Emulator, Fault, InProcess, Settings, Stage};
//! use repaint_router::Router;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let registry = Registry::linked()?;
//! let settings = Settings { thumbnails: true, ..Settings::default() };
//! let way = InProcess::new(Emulator::new(&registry, settings))
//!     .choosing(|stage, _| (stage == Stage::Order).then_some(Fault::ResetAfterBody));
//! let client = Client::builder().without_environment().key("bfl", "any").exchange(way.clone());
//! let job = Job { select: vec!["bfl/flux2-pro".into()], ..Job::new(ImageRequest::new("a cat")) };
//! let router = Router::new(registry, client.build()?);
//! let err = router.run(job).await.expect_err("no picture came");
//! assert_eq!(err.kind(), ErrorKind::OutcomeUnknown);
//! assert_eq!(way.emulator().orders().count(), 1, "it was taken, and not made again");
//! # Ok(()) }
//! ```

mod bfl;
mod emulator;
mod exchange;
mod fault;
mod fetch;
mod message;
mod offers;
mod paint;
mod read;
mod reply;
mod server;
mod together;

pub use emulator::{Emulator, Seen, Settings};
pub use exchange::InProcess;
pub use fault::{Fault, Script, Stage};
pub use message::{Incoming, Outgoing};
pub use read::Input;
pub use server::{Server, Serving};
