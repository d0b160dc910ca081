//! The router: models, a client and what is known of both, as one value that runs jobs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use repaint_client::{Client, Progress};
use repaint_core::{
    Date, Error, ErrorKind, Filter, Handle, ImageRequest, Job, Outcome, Plan, Preview, Registry,
    Result, Store, Submit, Terms,
};

use crate::health::{Health, Snapshot};
use crate::hooks::{Hooks, Nobody};
use crate::plan::{Conditions, Decided, Scope, decide};
use crate::split::Split;
use crate::task::{Task, What};

/// One plan in so many tries what nothing is known of, where the fastest comes first.
const EXPLORES: u32 = 20;

/// Runs jobs: plans each, sends it to the offer that comes first, and to the next where one surely did
/// not take it. Cheap to clone; clones share what is known.
#[derive(Clone, Debug)]
pub struct Router {
    pub(crate) registry: Registry,
    pub(crate) client: Client,
    pub(crate) store: Option<Arc<dyn Store>>,
    pub(crate) account: Option<String>,
    pub(crate) health: Health,
    pub(crate) hooks: Arc<dyn Hooks>,
    pub(crate) records_prompts: bool,
    scope: Option<Scope>,
    plans: Arc<AtomicU32>,
}

impl Router {
    /// A router that writes nothing down.
    pub fn new(registry: Registry, client: Client) -> Self {
        Self {
            registry,
            client,
            store: None,
            account: None,
            health: Health::default(),
            hooks: Arc::new(Nobody),
            records_prompts: false,
            scope: None,
            plans: Arc::default(),
        }
    }

    /// The same router, which writes every order down before it is sent, and keeps to the budgets there.
    #[must_use]
    pub fn with_store(self, store: Arc<dyn Store>) -> Self {
        Self { store: Some(store), ..self }
    }

    /// The same router, which spends on this account.
    #[must_use]
    pub fn on_account(self, account: impl Into<String>) -> Self {
        Self { account: Some(account.into()), ..self }
    }

    /// The same router, which shares what another knows of offers, or keeps to other rules.
    #[must_use]
    pub fn with_health(self, health: Health) -> Self {
        Self { health, ..self }
    }

    /// The same router, which tells a host.
    #[must_use]
    pub fn with_hooks(self, hooks: impl Hooks + 'static) -> Self {
        Self { hooks: Arc::new(hooks), ..self }
    }

    /// The same router, which asks only offers of this scope.
    #[must_use]
    pub fn within(self, scope: Scope) -> Self {
        Self { scope: Some(scope), ..self }
    }

    /// The same router with another client: with other keys, say. What is known of offers is shared, unless
    /// [`with_health`](Self::with_health) says otherwise.
    #[must_use]
    pub fn with_client(self, client: Client) -> Self {
        Self { client, ..self }
    }

    /// The same router, whose spans hold the prompts; they do not unless this is called.
    #[must_use]
    pub fn recording_prompts(self) -> Self {
        Self { records_prompts: true, ..self }
    }

    /// The models.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What is known of offers.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Who would take a job. Reads the heads of files and does nothing else.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if a file is no picture, or a name stands for nothing.
    pub async fn plan(&self, job: &mut Job) -> Result<Plan> {
        self.inspect(job).await?;
        self.conditions(false, |conditions| {
            Ok(decide(&self.registry, job, conditions)?.told(&self.registry, job, conditions))
        })
    }

    /// What the first call to an offer of the plan would be, with the address that is set for its provider.
    /// Does no I/O: the job is that which was planned.
    ///
    /// # Errors
    ///
    /// `Refused` if the offer does not take the job.
    pub fn preview(&self, job: &Job, offer: &str) -> Result<Preview> {
        let model = self.registry.get(offer).ok_or_else(|| {
            Error::new(ErrorKind::InvalidRequest, format!("no offer is called `{offer}`"))
        })?;
        let split = Split::of(job.request.count, model.offer());
        let first = split.requests(&job.request, model.offer()).swap_remove(0);
        let terms = Terms { adapt: &job.policy.adapt, today: Date::at(self.client.now()) };
        let admitted = model.admit(&first, terms).map_err(|it| Error::refused(offer, it))?;
        Ok(match admitted.encode()? {
            Preview::Http(call) => Preview::Http(self.client.addressed(model.provider(), call)?),
            local @ Preview::Local(_) => local,
        })
    }

    /// Runs a job and brings its pictures. Where orders are written down, they are safe when it returns.
    ///
    /// # Errors
    ///
    /// `Refused` with every reason if nobody takes it, `OutcomeUnknown` if a picture may have been bought
    /// that did not come back, and so on; see [`ErrorKind`](repaint_core::ErrorKind).
    pub async fn run(&self, job: Job) -> Result<Outcome> {
        self.task(job).run().await
    }

    /// A job that has not begun, to be cancelled, to have a key, or to say where its pictures are kept.
    /// Its deadline begins now.
    pub fn task(&self, job: Job) -> Task {
        self.watched(job, |_| {})
    }

    /// The same, with somebody who watches.
    pub fn watched(&self, job: Job, watch: impl Fn(Progress) + Send + Sync + 'static) -> Task {
        let run = self.client.watched(&job, watch);
        Task::new(self.clone(), What::Job(Box::new(job)), run)
    }

    /// A job that was started, by this process or by another: it buys nothing. An order that the store
    /// has of the same handle is picked up with it.
    pub fn pick_up(
        &self,
        handle: Handle,
        watch: impl Fn(Progress) + Send + Sync + 'static,
    ) -> Task {
        let run = self.client.watched(&Job::new(ImageRequest::new("")), watch);
        Task::new(self.clone(), What::Handle(handle), run)
    }

    /// An order that stands in the store, by its id: it buys nothing.
    pub fn pick_up_order(
        &self,
        id: impl Into<String>,
        watch: impl Fn(Progress) + Send + Sync + 'static,
    ) -> Task {
        let run = self.client.watched(&Job::new(ImageRequest::new("")), watch);
        Task::new(self.clone(), What::Order(id.into()), run)
    }

    /// Orders whose pictures can still be asked for and that no living process is at, the newest first;
    /// none where nothing is written down.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be read.
    pub async fn resumable(&self) -> Result<Vec<Submit>> {
        let Some(store) = &self.store else { return Ok(Vec::new()) };
        let open = Filter { open: true, account: self.account.clone(), ..Filter::default() };
        let now = self.client.now_ms();
        let mut orders = store.list(&open).await?;
        orders.retain(|it| it.is_resumable(now));
        Ok(orders)
    }

    pub(crate) async fn inspect(&self, job: &mut Job) -> Result<()> {
        let request = std::mem::replace(&mut job.request, ImageRequest::new(""));
        job.request = self.client.inspect(request).await?;
        Ok(())
    }

    /// Plans a job that is inspected, to run it.
    pub(crate) fn decide(&self, job: &Job) -> Result<(Decided, Plan)> {
        let explores = self.plans.fetch_add(1, Ordering::Relaxed) % EXPLORES == EXPLORES - 1;
        self.conditions(explores, |conditions| {
            let decided = decide(&self.registry, job, conditions)?;
            let plan = decided.told(&self.registry, job, conditions);
            Ok((decided, plan))
        })
    }

    /// The day, by the client's clock.
    pub(crate) fn today(&self) -> Date {
        Date::at(self.client.now())
    }

    fn conditions<T>(&self, explores: bool, plan: impl FnOnce(&Conditions<'_>) -> T) -> T {
        let health: Snapshot = self.health.snapshot();
        let has_key = |it: &repaint_core::Provider| self.client.has_key(it);
        plan(&Conditions {
            has_key: &has_key,
            today: self.today(),
            health: &health,
            explores,
            scope: self.scope.as_ref(),
        })
    }
}
