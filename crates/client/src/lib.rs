//! The only I/O of the workspace: it drives a request from admission to pictures.
//!
//! ```no_run
//! # async fn example(registry: repaint_core::Registry) -> repaint_core::Result<()> {
//! use repaint_client::Client;
//! use repaint_core::{ImageInput, ImageRequest, Job};
//!
//! let client = Client::new()?;
//! let request = ImageRequest {
//!     images: vec![ImageInput::file("cat.png")],
//!     ..ImageRequest::new("Transform this into a watercolor painting")
//! };
//! let outcome = client.run(&registry, Job::new(request)).await?;
//! println!("{} made {} picture(s)", outcome.receipt.offer, outcome.images.len());
//! # Ok(()) }
//! ```

mod cancel;
mod client;
mod drive;
mod exchange;
mod http;
mod inspect;
mod keys;
mod ledger;
mod lift;
mod pixels;
mod progress;
mod reach;
mod retry;
mod upload;

pub use cancel::CancellationToken;
pub use client::{Builder, Client, Run};
pub use exchange::{Answer, Exchange, Fault, Fetched, Order, Sent, Watch};
pub use progress::Progress;
