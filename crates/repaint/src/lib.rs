//! One request, any image-editing model.
//!
//! Give a prompt and images; a model that can really do it is found, all of it is sent in the field
//! that this model wants, and the picture comes back. If nobody can, the error says why, and what to
//! do instead, before a cent is spent.
//!
//! ```no_run
//! # async fn example() -> repaint::Result<()> {
//! let outcome = repaint::edit("cat.png", "Transform this into a watercolor painting")
//!     .model("local/watercolor")
//!     .run()
//!     .await?;
//! # std::fs::write("watercolor.png", &outcome.images[0].bytes).ok();
//! # Ok(()) }
//! ```
//!
//! Keys come from the environment: `TOGETHER_API_KEY`, `BFL_API_KEY`. For more than one call, keep a
//! [`Client`] and a [`Registry`]:
//!
//! ```no_run
//! use repaint::{Client, ImageInput, ImageRequest, Job};
//!
//! # async fn example() -> repaint::Result<()> {
//! let (client, registry) = (Client::new()?, repaint::registry()?);
//! let request = ImageRequest {
//!     images: vec![ImageInput::file("person.jpg"), ImageInput::url("https://example.com/cat.jpg")?],
//!     seed: Some(7),
//!     ..ImageRequest::new("The person from image 1 is petting the cat from image 2")
//! };
//! let mut job = Job::new(request);
//! let plan = client.plan(&registry, &mut job).await?;
//! for refused in &plan.refusals {
//!     println!("{} {}", refused.offer, refused.reasons[0]);
//! }
//! let outcome = client.run(&registry, job).await?;
//! println!("{} for {:?}", outcome.receipt.offer, outcome.receipt.cost);
//! # Ok(()) }
//! ```
//!
//! Each adapter is a feature (`kontext`, `flux2`, `gemini`, `local`), all on by default; with
//! `default-features = false` no adapter is linked and no image codec is built.

pub use repaint_client::{Answer, Builder, CancellationToken, Client, Exchange, Progress, Run};
pub use repaint_core::*;

use std::path::PathBuf;

// Links the adapters that the features name.
use repaint_adapters as _;

/// Every model that the features of this crate link.
///
/// # Errors
///
/// Fails if no feature names an adapter.
pub fn registry() -> Result<Registry> {
    Registry::linked()
}

/// Begins an edit of an image in a file.
pub fn edit(image: impl Into<PathBuf>, prompt: impl Into<String>) -> Edit {
    let images = vec![ImageInput::file(image)];
    Edit { job: Job::new(ImageRequest { images, ..ImageRequest::new(prompt) }) }
}

/// An edit that has not run yet.
#[derive(Clone, Debug)]
#[must_use = "nothing happens until `run` is awaited"]
pub struct Edit {
    job: Job,
}

impl Edit {
    /// One more image, in a file; the prompt may call it image 2, and so on.
    pub fn and(mut self, image: impl Into<PathBuf>) -> Self {
        self.job.request.images.push(ImageInput::file(image));
        self
    }

    /// Who may take it: a model, an offer or a family. May be called more than once.
    pub fn model(mut self, name: impl Into<String>) -> Self {
        self.job.select.push(name.into());
        self
    }

    /// The size or the shape of the picture.
    pub fn size(mut self, size: Size) -> Self {
        self.job.request.size = size;
        self
    }

    /// Runs it: chooses a model, sends, waits, downloads.
    ///
    /// # Errors
    ///
    /// `Refused` with every reason if nobody can, `OutcomeUnknown` if a picture may have been bought
    /// that did not come back, and so on; see [`ErrorKind`].
    pub async fn run(self) -> Result<Outcome> {
        Client::new()?.run(&registry()?, self.job).await
    }
}
