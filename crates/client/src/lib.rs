//! The only I/O of the workspace: it drives a request from admission to pictures.
//!
//! A router chooses who takes a job; a [`Run`] brings it from an admitted request to pictures:
//!
//! ```no_run
//! # async fn example(registry: repaint_core::Registry) -> repaint_core::Result<()> {
//! use repaint_client::Client;
//! use repaint_core::{Adapt, Date, Error, ImageInput, ImageRequest, Job, Terms};
//!
//! let client = Client::new()?;
//! let request = ImageRequest {
//!     images: vec![ImageInput::file("cat.png")],
//!     ..ImageRequest::new("Transform this into a watercolor painting")
//! };
//! let job = Job::new(client.inspect(request).await?);
//! let model = registry.get("together/flux2-pro").expect("its adapter is linked");
//! let terms = Terms { adapt: &Adapt::NONE, today: Date::today() };
//! let admitted = model.admit(&job.request, terms).map_err(|it| Error::refused(model.id(), it))?;
//! let outcome = admitted.generate(&client.watched(&job, |_| {})).await?;
//! println!("{} made {} picture(s)", outcome.receipt.offer, outcome.images.len());
//! # Ok(()) }
//! ```

mod cancel;
mod client;
mod drive;
mod exchange;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "guard")]
mod guarded;
mod http;
mod inspect;
mod keys;
mod ledger;
mod lift;
mod pixels;
mod progress;
mod reach;
mod retry;
mod room;
mod upload;

pub use cancel::CancellationToken;
pub use client::{Builder, Client, Run};
pub use exchange::{Answer, Exchange, Fault, Fetched, Lifted, Order, Sent, Watch};
pub use progress::Progress;
