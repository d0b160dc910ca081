//! One request, any image-editing model.
//!
//! Give a prompt and images; a model that can really do it is found, all of it is sent in the field
//! that this model wants, and the picture comes back. If nobody can, the error says why, and what to
//! do instead, before a cent is spent.
//!
//! ```standalone_crate
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples"))?;
//! let outcome = repaint::edit("cat.png", "Transform this into a watercolor painting")
//!     .model("local/watercolor")
//!     .run()
//!     .await?;
//! # let folder = std::env::temp_dir();
//! # std::env::set_current_dir(&folder)?;
//! std::fs::write("watercolor.png", &outcome.images[0].bytes)?;
//! # std::fs::remove_file("watercolor.png")?;
//! # Ok(()) }
//! ```
//!
//! Keys come from the environment (`TOGETHER_API_KEY`, `BFL_API_KEY`) or from [`Client::builder`]. For
//! more than one call, keep a [`Router`]. What follows is what a library that
//! routes requests does with them; only the last part reaches the network.
//!
//! # Who can do it
//!
//! A model is chosen by what it accepts, not by its name: [`Capabilities`] are data, each fact with
//! its source and how sure it is.
//!
//! ```
//! # fn main() -> repaint::Result<()> {
//! let registry = repaint::registry()?;
//! let several = registry.models().filter(|model| {
//!     let accepts = model.capabilities();
//!     2 <= accepts.images.value.max && accepts.seed.value.is_some()
//! });
//! let several: Vec<&str> = several.map(|model| model.id()).collect();
//! assert!(several.contains(&"together/flux2-pro"));
//! assert!(!several.contains(&"together/kontext-pro"), "it takes one image");
//! # Ok(()) }
//! ```
//!
//! # Who would, and why others would not
//!
//! A [`Job`] is a request, who may take it, and under which rules. Planning sends nothing: it orders
//! the offers that admit the request, the cheapest first, and gives *all* reasons of every other.
//!
//! ```
//! use repaint::{Client, ImageInput, ImageRequest, Job, RefusalCode, Router};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> repaint::Result<()> {
//! let registry = repaint::registry()?;
//! let client = Client::builder().without_environment().key("together", "a-key").build()?;
//! let request = ImageRequest {
//!     images: vec![
//!         ImageInput::url("https://example.com/person.jpg")?,
//!         ImageInput::url("https://example.com/cat.jpg")?,
//!     ],
//!     seed: Some(7),
//!     ..ImageRequest::new("The person from image 1 is petting the cat from image 2")
//! };
//! let mut job = Job { select: vec!["kontext".into(), "flux2-pro".into()], ..Job::new(request) };
//! let plan = Router::new(registry, client).plan(&mut job).await?;
//! assert_eq!(plan.first()?.offer, "together/flux2-pro");
//!
//! let refused = plan.refusals.iter().find(|it| it.offer == "together/kontext-pro");
//! let reasons = &refused.expect("it takes one image").reasons;
//! assert_eq!(reasons[0].code, RefusalCode::TooMany);
//! assert_eq!(reasons[0].field, "images");
//! println!("{}; instead: {}", reasons[0].message, reasons[0].fix);
//! # Ok(()) }
//! ```
//!
//! # What exactly would be sent
//!
//! Only the offer that admitted a request can encode it. What it shows holds no key and no bytes of
//! images.
//!
//! ```
//! use repaint::{Adapt, Date, Error, ImageInput, ImageRequest, Terms};
//!
//! # fn main() -> repaint::Result<()> {
//! let registry = repaint::registry()?;
//! let request = ImageRequest {
//!     images: vec![ImageInput::url("https://example.com/car.jpg")?],
//!     ..ImageRequest::new("Replace the color of the car to blue")
//! };
//! let terms = Terms { adapt: &Adapt::NONE, today: Date::today() };
//! for (offer, field) in [("together/kontext-pro", "image_url"), ("bfl/flux2-pro", "input_image")] {
//!     let model = registry.get(offer).expect("its feature is on");
//!     let admitted = model.admit(&request, terms).map_err(|it| Error::refused(offer, it))?;
//!     let call = admitted.encode()?.shown();
//!     assert_eq!(call["body"][field], "https://example.com/car.jpg");
//!     println!("{} for {}", call["url"], admitted.estimate());
//! }
//! # Ok(()) }
//! ```
//!
//! # With rules, and a cap on the cost
//!
//! Nothing is changed to make a request fit unless its [`Policy`] names it, and nothing is ordered whose
//! high estimate is above the cap.
//!
//! ```
//! use repaint::{Adapt, AdaptSize, Client, Dimensions, ErrorKind, ImageInput, ImageRequest, Job};
//! use repaint::{Policy, RefusalCode, Router, Size, Usd};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> repaint::Result<()> {
//! # let registry = repaint::registry()?;
//! # let client = Client::builder().without_environment().key("together", "a-key").build()?;
//! # let router = Router::new(registry, client);
//! let request = ImageRequest {
//!     images: vec![ImageInput::url("https://example.com/car.jpg")?],
//!     size: Size::Pixels(Dimensions::new(1001, 701)),
//!     ..ImageRequest::new("Replace the color of the car to blue")
//! };
//! let adapt = Adapt { size: Some(AdaptSize::Nearest), ..Adapt::NONE };
//! let policy = Policy { adapt, max_cost: Some(Usd(10_000)), ..Policy::default() };
//! let mut job = Job { select: vec!["flux2-pro".into()], request, policy };
//!
//! let err = router.run(job.clone()).await.expect_err("one cent is too little");
//! assert_eq!(err.kind(), ErrorKind::Refused);
//! assert!(err.data().refusals.iter().any(|it| it.code == RefusalCode::OverBudget));
//!
//! job.policy.max_cost = Some(Usd(200_000));
//! let plan = router.plan(&mut job).await?;
//! assert_eq!(plan.first()?.adaptations[0].field, "size");
//! # Ok(()) }
//! ```
//!
//! A run orders once. The error says what can be done about it, and a picture that may have been paid
//! for is never just a failure:
//!
//! ```no_run
//! use repaint::ErrorKind;
//!
//! # async fn run(router: repaint::Router, job: repaint::Job) -> repaint::Result<()> {
//! match router.run(job).await {
//!     Ok(outcome) => {
//!         println!("{} for {:?}", outcome.receipt.offer, outcome.receipt.cost);
//!         for adaptation in &outcome.receipt.adaptations {
//!             println!("changed {adaptation}");
//!         }
//!     }
//!     Err(err) if err.kind() == ErrorKind::OutcomeUnknown => {
//!         println!("look before you order again: {err} {:?}", err.data().resume);
//!     }
//!     Err(err) if err.kind() == ErrorKind::Exhausted => {
//!         println!("wait {:?}", err.retry_after());
//!     }
//!     Err(err) => return Err(err),
//! }
//! # Ok(()) }
//! ```
//!
//! # A network of your own
//!
//! Whatever is sent goes through one seam, [`Exchange`]: a host may have its own connections behind it,
//! and a test none at all.
//!
//! ```
//! use repaint::{Answer, Client, ErrorKind, Exchange, Fault, Fetched, Order, Router, Watch};
//!
//! #[derive(Debug)]
//! struct Offline;
//!
//! #[async_trait::async_trait]
//! impl Exchange for Offline {
//!     async fn send(&self, order: Order) -> Result<Answer, Fault> {
//!         // Nothing has left, so nothing can have been bought.
//!         order.sent.not_yet();
//!         Err(Fault::lasting(format!("{} is not reached from here", order.url)))
//!     }
//!
//!     async fn fetch(&self, _: &url::Url, _: u64, _: &Watch) -> Result<Fetched, Fault> {
//!         Err(Fault::lasting("no picture is fetched from here"))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> repaint::Result<()> {
//! # let picture = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/cat.png");
//! let client = Client::builder().without_environment().key("together", "a-key").exchange(Offline);
//! let router = Router::new(repaint::registry()?, client.build()?);
//! let job = repaint::edit(picture, "make it night").model("together/flux2-pro").into_job();
//! let err = router.run(job).await.expect_err("nobody is there");
//! assert_eq!(err.kind(), ErrorKind::InvalidRequest, "{err}");
//! assert!(err.message().contains("nothing was bought"));
//! # Ok(()) }
//! ```
//!
//! # Features
//!
//! Each adapter is a feature, such as `kontext` or `local`, all on by default; with
//! `default-features = false` no adapter is linked and no image codec is built.

pub use repaint_client::{
    Answer, Builder, CancellationToken, Client, Exchange, Fault, Fetched, Lifted, Order, Progress,
    Run, Sent, Watch,
};
pub use repaint_core::*;
pub use repaint_router::*;

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
///
/// ```
/// use repaint::{Adapt, AdaptSize, Dimensions, ErrorKind, Size, Usd};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let (cat, mask) = (concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/cat.png"), "mask.png");
/// let edit = repaint::edit(cat, "Put the cat on a red sofa")
///     .model("flux2-pro")
///     .size(Size::Pixels(Dimensions::new(1001, 701)))
///     .adapt(Adapt { size: Some(AdaptSize::Nearest), ..Adapt::NONE })
///     .max_cost(Usd(1_000));
/// let err = edit.clone().run().await.expect_err("a tenth of a cent is too little");
/// assert_eq!(err.kind(), ErrorKind::Refused);
///
/// // A job says the same, and more.
/// let mut job = edit.mask(mask).into_job();
/// job.request.seed = Some(7);
/// assert!(job.request.mask.is_some() && job.policy.max_cost == Some(Usd(1_000)));
/// # }
/// ```
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

    /// Which part of the first image to change: an image in a file.
    pub fn mask(mut self, image: impl Into<PathBuf>) -> Self {
        self.job.request.mask = Some(ImageInput::file(image));
        self
    }

    /// What may be changed to make the request fit; else nothing is.
    pub fn adapt(mut self, adapt: Adapt) -> Self {
        self.job.policy.adapt = adapt;
        self
    }

    /// Refuses what may cost more, by the high estimate.
    pub fn max_cost(mut self, most: Usd) -> Self {
        self.job.policy.max_cost = Some(most);
        self
    }

    /// The job that it would run, for what has no method here, and for a [`Router`] that is kept.
    pub fn into_job(self) -> Job {
        self.job
    }

    /// Runs it: chooses a model, sends, waits, downloads.
    ///
    /// # Errors
    ///
    /// `Refused` with every reason if nobody can, `OutcomeUnknown` if a picture may have been bought
    /// that did not come back, and so on; see [`ErrorKind`].
    pub async fn run(self) -> Result<Outcome> {
        Router::new(registry()?, Client::new()?).run(self.job).await
    }
}

/// The Rust on the page about schemas, which runs as it is printed.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/schemas.md")]
pub struct PageOnSchemas;
