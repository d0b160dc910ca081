//! From a request to an ordered plan, and from the plan to pictures.
//!
//! [`plan`] is a pure function: it looks at a job and at what each offer accepts, never at a model's
//! name. A [`Router`] runs jobs by such plans. When an offer surely did not take one, the next admits the
//! request anew; what may have been bought ends the job, and the receipt has every hop.
//!
//! # Plan
//!
//! ```
//! use repaint_adapters as _;
//! use repaint_core::{Date, ImageInput, ImageRequest, Job, Provider, RefusalCode, Registry};
//! use repaint_router::{Conditions, plan};
//!
//! let has_key = |_: &Provider| true;
//! let conditions = Conditions::new(&has_key, Date::today());
//! let images = vec![
//!     ImageInput::url("https://example.com/person.jpg")?,
//!     ImageInput::url("https://example.com/cat.jpg")?,
//! ];
//! let mut job = Job::new(ImageRequest { images, ..ImageRequest::new("The person pets the cat") });
//! job.request.count = 6;
//! let plan = plan(&Registry::linked()?, &job, &conditions)?;
//!
//! let first = plan.first()?;
//! println!("{} in {} calls, {}", first.offer, first.calls, first.estimate);
//! let kontext = plan.refusals.iter().find(|it| it.offer == "bfl/kontext-pro");
//! assert_eq!(kontext.expect("it takes one image").reasons[0].code, RefusalCode::TooMany);
//! # Ok::<(), repaint_core::Error>(())
//! ```
//!
//! # Run, with a policy and a registry of your own
//!
//! ```
//! use repaint_client::Client;
//! use repaint_core::{ErrorKind, ImageRequest, Job, OrderBy, Policy, Registry, Usd};
//! use repaint_router::Router;
//! use repaint_testkit::fake;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! // Models of this process; `Registry::linked()` has those of the adapters.
//! let (down, up) = (fake("acme/down").fails(ErrorKind::Unavailable), fake("else/up"));
//! let registry = Registry::new([down.model(), up.model()])?;
//! let client = Client::builder().key("acme", "a key").key("else", "a key").build()?;
//! let router = Router::new(registry, client);
//!
//! let policy = Policy {
//!     order: OrderBy::Preference,
//!     max_cost: Some(Usd(50_000)),
//!     timeout_seconds: Some(60),
//!     ..Policy::default()
//! };
//! let select = vec!["down".to_owned(), "up".to_owned()];
//! let job = Job { select, policy, ..Job::new(ImageRequest::new("A red fox in snow")) };
//! let outcome = router.run(job).await?;
//! assert_eq!(outcome.receipt.offer, "else/up");
//! let hop = &outcome.receipt.hops[0];
//! println!("{} was left ({}), which cost {}", hop.offer, hop.code.code(), hop.spent);
//! # Ok::<(), repaint_core::Error>(()) }).unwrap();
//! ```
//!
//! # Budgets, and orders that no crash forgets
//!
//! With a store every order is written down before it is sent, and its budgets are weighed in the same step.
//! A key of the caller's makes a repeated call join the first.
//!
//! ```no_run
//! use std::sync::Arc;
//! use repaint_core::{Budget, Job, Period, Store, Usd};
//! use repaint_router::{Once, Router};
//!
//! # async fn example(router: Router, store: Arc<dyn Store>, job: Job) -> repaint_core::Result<()> {
//! store.set_budget(&Budget { account: None, period: Period::Day, limit: Usd(5_000_000) }).await?;
//! let router = router.with_store(store);
//! let keep = |outcome: repaint_core::Outcome| async move {
//!     // Only when this says where the pictures are, their orders are closed.
//!     let saved = std::fs::write("fox.png", &outcome.images[0].bytes);
//!     (outcome.receipt, saved.is_ok().then(|| vec!["fox.png".to_owned()]))
//! };
//! match router.task(job).once_keeping("order-17", keep).await? {
//!     Once::Now(receipt) => println!("it cost {}", receipt.spent),
//!     Once::Before(orders) => println!("it was made before: {:?}", orders[0].paths),
//! }
//! # Ok(()) }
//! ```
//!
//! # Resume
//!
//! A job that was given up is picked up by its handle, by this process or another; it buys nothing.
//!
//! ```no_run
//! use repaint_core::{ErrorKind, Job};
//! use repaint_router::Router;
//!
//! # async fn example(router: Router, job: Job) -> repaint_core::Result<()> {
//! let outcome = match router.run(job).await {
//!     Err(err) if err.kind() == ErrorKind::OutcomeUnknown => match err.data().resume.clone() {
//!         Some(handle) => router.pick_up(handle, |_| {}).run().await?,
//!         None => return Err(err),
//!     },
//!     result => result?,
//! };
//! println!("{} picture(s)", outcome.images.len());
//! # Ok(()) }
//! ```

mod going;
mod health;
mod hooks;
mod key;
mod latency;
mod merge;
mod plan;
mod resume;
mod router;
mod split;
mod task;
mod trace;

pub use health::{Failure, Health, Known, Rest, Rules, Snapshot, Why};
pub use hooks::{Calling, Hooks};
pub use latency::Latency;
pub use plan::{Conditions, Outside, Scope, plan};
pub use router::Router;
pub use task::{Once, Task};
