//! The gateway as a value: what all requests share, and the routes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use hyper::StatusCode;
use repaint_callers::Keys;
use repaint_core::{Policy, Store};
use repaint_fetch::Fetcher;
use tokio::sync::Semaphore;

use crate::budget::Budget;
use crate::calls::Calls;
use crate::fault::Fault;
use crate::jobs::Jobs;
use crate::keys::Door;
use crate::limits::Limits;
use crate::linger::lingering;
use crate::metrics::{Metrics, Now};
use crate::run::{Given, Head};
use crate::{ask, edits, generations, health, jobs, models, openapi, run};

/// What all requests share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gateway(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    router: repaint_router::Router,
    store: Arc<dyn Store>,
    secret: [u8; 16],
    policy: Policy,
    limits: Limits,
    budget: Budget,
    spills: Budget,
    calls: Calls,
    jobs: Jobs,
    metrics: Arc<Metrics>,
    door: Door,
    fetcher: Option<Fetcher>,
    fetches: Budget,
    working: Arc<Semaphore>,
    drains: AtomicBool,
    document: OnceLock<Bytes>,
}

/// Makes a [`Gateway`].
#[derive(Debug)]
pub struct Builder {
    router: repaint_router::Router,
    store: Arc<dyn Store>,
    policy: Policy,
    limits: Limits,
    keys: Option<Keys>,
    fetcher: Option<Fetcher>,
}

impl Builder {
    /// What holds where a request has no policy; it also caps what one may spend.
    #[must_use]
    pub fn policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// How much is taken at a time.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Who may call, until [`set_keys`](Gateway::set_keys) says otherwise. Without this everybody may who can reach the
    /// gateway, and only this machine can.
    #[must_use]
    pub fn keys(self, keys: Keys) -> Self {
        Self { keys: Some(keys), ..self }
    }

    /// Fetches images at callers' addresses for models that take only bytes. Without it those models refuse
    /// addresses.
    #[must_use]
    pub fn fetcher(self, fetcher: Fetcher) -> Self {
        Self { fetcher: Some(fetcher), ..self }
    }

    /// The gateway. The budgets of callers are set in the store.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be read or written.
    pub async fn build(self) -> repaint_core::Result<Gateway> {
        let Self { router, store, policy, limits, keys, fetcher } = self;
        if let Some(keys) = &keys {
            keys.set_budgets(&*store).await?;
        }
        let secret = store.secret().await?;
        let metrics = Arc::new(Metrics::default());
        let (client, known) = (router.client().clone(), Arc::clone(&store));
        let calls = Calls::new(limits.replay, limits.kept, Arc::clone(&metrics), known, client);
        Ok(Gateway(Arc::new(Shared {
            router: router.with_store(Arc::clone(&store)),
            store,
            secret,
            policy,
            budget: Budget::new(limits.memory.max(limits.body)),
            spills: Budget::new(limits.files),
            calls,
            jobs: Jobs::default(),
            metrics,
            door: Door::new(keys),
            fetcher,
            fetches: Budget::new(limits.memory.max(repaint_core::IMAGE_BYTES)),
            working: Arc::new(Semaphore::new(limits.calls)),
            limits,
            drains: AtomicBool::new(false),
            document: OnceLock::new(),
        })))
    }
}

impl Gateway {
    /// Begins a gateway to the models of a router. Its orders are written down in the store, which it may share
    /// with other gateways.
    pub fn builder(router: repaint_router::Router, store: Arc<dyn Store>) -> Builder {
        let (policy, limits) = (Policy::default(), Limits::default());
        Builder { router, store, policy, limits, keys: None, fetcher: None }
    }

    /// All routes.
    pub(crate) fn routes(&self) -> Router {
        let mut routes = Router::new()
            .route("/healthz", get(health::healthz))
            .route("/readyz", get(health::readyz))
            .route("/metrics", get(health::metrics))
            .route("/openapi.json", get(openapi::get))
            .route("/v1/jobs", get(jobs::list))
            .route("/v1/jobs/{id}", get(jobs::get))
            .route("/v1/jobs/{id}/cancel", post(jobs::cancel))
            .route("/v1/jobs/{id}/resume", post(run::resume));
        // Libraries add `/v1` to an address that has it already, or add none.
        for base in ["", "/v1", "/v1/v1"] {
            routes = routes
                .route(&format!("{base}/images/generations"), post(generations::post))
                .route(&format!("{base}/images/edits"), post(edits::post))
                .route(&format!("{base}/images/explain"), post(ask::explain))
                .route(&format!("{base}/images/validate"), post(ask::validate))
                .route(&format!("{base}/models"), get(models::list))
                .route(&format!("{base}/models/{{*path}}"), get(models::get));
        }
        routes
            .method_not_allowed_fallback(|| async {
                let message = "this address takes another method: see GET /openapi.json";
                Fault::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
            })
            .fallback(|request: Request| async move {
                let path = repaint_core::quotable(request.uri().path());
                let message = format!("nothing is at {path}: see GET /openapi.json");
                Fault::new(StatusCode::NOT_FOUND, "not_found", message)
            })
            .layer(from_fn_with_state(self.clone(), counted))
            .with_state(self.clone())
    }

    pub(crate) fn router(&self) -> &repaint_router::Router {
        &self.0.router
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    /// The text of `/openapi.json`, made once: its models stay what they are.
    pub(crate) fn document(&self) -> Bytes {
        let make = || openapi::openapi(self.router().registry()).to_string().into();
        self.0.document.get_or_init(make).clone()
    }

    /// That of the store.
    pub(crate) fn secret(&self) -> &[u8; 16] {
        &self.0.secret
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.0.policy
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.0.budget
    }

    /// The bytes that bodies may have in files, together.
    pub(crate) fn spills(&self) -> &Budget {
        &self.0.spills
    }

    pub(crate) fn calls(&self) -> &Calls {
        &self.0.calls
    }

    pub(crate) fn jobs(&self) -> &Jobs {
        &self.0.jobs
    }

    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.0.metrics
    }

    pub(crate) fn door(&self) -> &Door {
        &self.0.door
    }

    pub(crate) fn fetcher(&self) -> Option<&Fetcher> {
        self.0.fetcher.as_ref()
    }

    /// The bytes that fetched images may have, together.
    pub(crate) fn fetches(&self) -> &Budget {
        &self.0.fetches
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.0.router.client().now_ms()
    }

    /// No new work is taken from now on.
    pub(crate) fn drain(&self) {
        self.0.drains.store(true, Ordering::Release);
    }

    pub(crate) fn drains(&self) -> bool {
        self.0.drains.load(Ordering::Acquire)
    }

    pub(crate) fn now(&self) -> Now {
        let (calls, kept_bytes) = self.calls().count();
        Now {
            budget_used: self.budget().used(),
            budget_total: self.budget().total(),
            in_files: self.spills().used(),
            fetched: self.fetches().used(),
            calls,
            kept_bytes,
            window: self.limits().replay,
        }
    }
}

/// Whether libraries retry a request that was answered with this status.
fn is_sent_again(status: StatusCode) -> bool {
    let of_the_moment =
        [StatusCode::REQUEST_TIMEOUT, StatusCode::CONFLICT, StatusCode::TOO_MANY_REQUESTS];
    status.is_server_error() || of_the_moment.contains(&status)
}

/// Counts a request, and keeps more from being worked on than may be.
async fn counted(State(gateway): State<Gateway>, request: Request, next: Next) -> Response {
    let request = lingering(request);
    let path = request.extensions().get::<MatchedPath>().map(|it| it.as_str().to_owned());
    // What nobody serves is counted as one.
    let path = path.unwrap_or_else(|| "other".to_owned());
    let began = Instant::now();
    let works = request.method() == hyper::Method::POST;
    let buys = works && (path.ends_with("/images/generations") || path.ends_with("/images/edits"));
    let head = if buys { Head::of_first(request.headers()) } else { None };
    let permit = if works { gateway.0.working.try_acquire().map(Some) } else { Ok(None) };
    let response = match permit {
        Ok(_permit) => next.run(request).await,
        Err(_) => {
            let most = gateway.limits().calls;
            Fault::busy(format!("{most} calls are at work; nothing was done")).into_response()
        }
    };
    // Libraries send it again, and mean just this.
    if let Some(head) = head
        && response.extensions().get::<Given>().is_none()
        && is_sent_again(response.status())
    {
        gateway.calls().tell(gateway.head(&head));
    }
    gateway.metrics().request(&path, response.status().as_u16(), began.elapsed());
    response
}
