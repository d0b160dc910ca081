//! One job before it begins: cancel it, give it a key, or say where its pictures are kept.

use std::sync::Arc;

use repaint_client::{CancellationToken, Run};
use repaint_core::{
    Error, ErrorKind, Handle, Job, Outcome, Result, Store, Submit, SubmitState, Warning,
    WarningCode,
};

use crate::going::Going;
use crate::router::Router;

/// A job that has not begun; see [`Router::task`]. Nothing happens until it is run.
#[derive(Debug)]
#[must_use = "nothing happens until it is run"]
pub struct Task {
    pub(crate) router: Router,
    pub(crate) what: What,
    pub(crate) run: Run,
    pub(crate) paths: Vec<String>,
    id: String,
}

/// What a task is about.
#[derive(Debug)]
pub(crate) enum What {
    Job(Box<Job>),
    Handle(Handle),
    Order(String),
}

/// What came of a job with a key.
#[derive(Debug)]
pub enum Once<T> {
    /// It ran now, or what had begun was brought to its end.
    Now(T),
    /// It had ended before, and nothing was bought: its orders say where the pictures were put.
    Before(Vec<Submit>),
}

/// Pictures, and the orders that they are of.
pub(crate) struct Brought {
    pub(crate) outcome: Outcome,
    pub(crate) orders: Vec<Ordered>,
}

/// An order that is written down, and brought pictures.
#[derive(Clone, Debug)]
pub(crate) struct Ordered {
    pub(crate) id: String,
    pub(crate) pictures: usize,
    /// Whether all of its pictures came.
    pub(crate) is_whole: bool,
}

impl Task {
    pub(crate) fn new(router: Router, what: What, run: Run) -> Self {
        let id = new_id(&router);
        Self { router, what, run, paths: Vec::new(), id }
    }

    /// The id of the job, which its receipt and its orders have. One that is picked up, or that a key
    /// stands for already, keeps the id that it had.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The same, which fetches no picture that the provider has at an address; see
    /// [`Run::leaving`](repaint_client::Run::leaving).
    pub fn leaving(self, leaves: bool) -> Self {
        Self { run: self.run.leaving(leaves), ..self }
    }

    /// The same, whose pictures stay base64 where they come so; see
    /// [`Run::undecoded`](repaint_client::Run::undecoded).
    pub fn undecoded(self, undecoded: bool) -> Self {
        Self { run: self.run.undecoded(undecoded), ..self }
    }

    /// Cancels it when it is triggered; what was bought is reported with its handle, not lost.
    pub fn canceller(&self) -> CancellationToken {
        self.run.canceller()
    }

    /// Where its pictures are to be: whoever picks it up later can put them there.
    pub fn for_paths(self, paths: impl IntoIterator<Item = String>) -> Self {
        Self { paths: paths.into_iter().collect(), ..self }
    }

    /// Runs it. Where orders are written down, they are safe when it returns.
    ///
    /// # Errors
    ///
    /// As [`Router::run`].
    pub async fn run(self) -> Result<Outcome> {
        let router = self.router.clone();
        let Brought { mut outcome, orders } = self.brought().await?;
        outcome.receipt.warnings.extend(router.safe(&orders, &[]).await);
        Ok(outcome)
    }

    /// Runs it and has its pictures kept: only when `keep` says where they are now, the orders are safe.
    /// Without that they stay open, so that they can be picked up.
    ///
    /// # Errors
    ///
    /// As [`Router::run`].
    pub async fn keeping<T, K>(self, keep: impl FnOnce(Outcome) -> K) -> Result<T>
    where
        K: Future<Output = (T, Option<Vec<String>>)>,
    {
        let router = self.router.clone();
        let brought = self.brought().await?;
        Ok(router.kept(brought, keep).await)
    }

    /// Runs a job that has a key of the caller's, and never buys it twice: the same job with the same key
    /// picks up what was begun, waits for another process that is at it, or says that it has ended. After
    /// a failure that surely cost nothing it runs anew.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if the key stands for another job, or nothing is written down; else as
    /// [`Router::run`].
    pub async fn once(self, key: &str) -> Result<Once<Outcome>> {
        let router = self.router.clone();
        Ok(match self.brought_once(key).await? {
            Once::Before(orders) => Once::Before(orders),
            Once::Now(Brought { mut outcome, orders }) => {
                outcome.receipt.warnings.extend(router.safe(&orders, &[]).await);
                Once::Now(outcome)
            }
        })
    }

    /// The same, and has its pictures kept as [`keeping`](Self::keeping) does.
    ///
    /// # Errors
    ///
    /// As [`once`](Self::once).
    pub async fn once_keeping<T, K>(
        self,
        key: &str,
        keep: impl FnOnce(Outcome) -> K,
    ) -> Result<Once<T>>
    where
        K: Future<Output = (T, Option<Vec<String>>)>,
    {
        let router = self.router.clone();
        Ok(match self.brought_once(key).await? {
            Once::Before(orders) => Once::Before(orders),
            Once::Now(brought) => Once::Now(router.kept(brought, keep).await),
        })
    }

    /// Takes a job of this id that another process began for an equal request, and which orders no more under it: it
    /// brings what was ordered. Where nothing was ordered, it runs under that id.
    ///
    /// # Errors
    ///
    /// As [`once`](Self::once).
    pub async fn taking<T, K>(self, job: &str, keep: impl FnOnce(Outcome) -> K) -> Result<Once<T>>
    where
        K: Future<Output = (T, Option<Vec<String>>)>,
    {
        let router = self.router.clone();
        let Self { router: own, what, run, paths, id: _ } = self;
        let What::Job(mut request) = what else {
            let message = "what is picked up buys nothing, and takes no other job";
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        };
        own.inspect(&mut request).await?;
        Ok(match crate::key::take(own, run, *request, paths, job).await? {
            Once::Before(orders) => Once::Before(orders),
            Once::Now(brought) => Once::Now(router.kept(brought, keep).await),
        })
    }

    async fn brought(self) -> Result<Brought> {
        let Self { router, what, run, paths, id } = self;
        match what {
            What::Job(mut job) => {
                router.inspect(&mut job).await?;
                Arc::new(Going::new(router, run, *job, id, paths)).go().await
            }
            What::Handle(handle) => crate::resume::by_handle(&router, &run, &handle).await,
            What::Order(id) => crate::resume::by_id(&router, &run, &id).await,
        }
    }

    async fn brought_once(self, key: &str) -> Result<Once<Brought>> {
        let Self { router, what, run, paths, id } = self;
        let What::Job(mut job) = what else {
            let message = "what is picked up buys nothing, and needs no key";
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        };
        router.inspect(&mut job).await?;
        crate::key::run(router, run, *job, paths, key, id).await
    }
}

impl Router {
    async fn kept<T, K>(&self, brought: Brought, keep: impl FnOnce(Outcome) -> K) -> T
    where
        K: Future<Output = (T, Option<Vec<String>>)>,
    {
        let Brought { outcome, orders } = brought;
        let (value, paths) = keep(outcome).await;
        match paths {
            Some(paths) => {
                for warning in self.safe(&orders, &paths).await {
                    tracing::warn!("{}", warning.message);
                }
            }
            None => self.let_go(&orders).await,
        }
        value
    }

    /// Writes down that all pictures of these orders are where the caller wants them.
    async fn safe(&self, orders: &[Ordered], paths: &[String]) -> Vec<Warning> {
        let Some(store) = &self.store else { return Vec::new() };
        let each = orders.iter().map(|it| it.pictures).sum::<usize>() == paths.len();
        let (mut warnings, mut before) = (Vec::new(), 0);
        for order in orders {
            let own = if each { &paths[before..before + order.pictures] } else { paths };
            before += order.pictures;
            // Of one whose pictures did not all come, the others may still be fetched.
            if !order.is_whole {
                continue;
            }
            let write = self.change(store, &order.id, |it| {
                it.state = SubmitState::Safe;
                it.error = None;
                if !own.is_empty() {
                    it.paths = own.to_vec();
                }
            });
            if let Err(err) = write.await {
                let message = format!(
                    "that the pictures of order {} are safe could not be written down: {}",
                    order.id,
                    err.message()
                );
                warnings.push(Warning::new(WarningCode::Store, None, message));
            }
        }
        warnings
    }

    /// Whoever picks them up need not wait for us.
    async fn let_go(&self, orders: &[Ordered]) {
        let Some(store) = &self.store else { return };
        for order in orders {
            // A failure is no loss: the time until which we hold it passes by itself.
            let _ = self.change(store, &order.id, |_| {}).await;
        }
    }

    async fn change(
        &self,
        store: &Arc<dyn Store>,
        id: &str,
        change: impl FnOnce(&mut Submit),
    ) -> Result<()> {
        let Some(mut submit) = store.get(id).await? else { return Ok(()) };
        let now = self.client.now_ms();
        (submit.updated_ms, submit.held_until_ms) = (now, now);
        change(&mut submit);
        store.write(&submit).await
    }
}

/// An id that sorts by age.
pub(crate) fn new_id(router: &Router) -> String {
    // The time is in it, so equal ones need the same millisecond and one chance in 2^48.
    format!("{:012x}{:012x}", router.client.now_ms(), router.client.chance() >> 16)
}

/// When an id was made, in milliseconds since 1970.
pub(crate) fn made_ms(id: &str) -> u64 {
    id.get(..12).and_then(|it| u64::from_str_radix(it, 16).ok()).unwrap_or_default()
}
