//! `/v1/jobs`: what became of jobs, and what can be done about them.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::extract::{Query, State};
use axum::response::Response;
use hyper::{HeaderMap, StatusCode};
use repaint_client::CancellationToken;
use repaint_core::{Error, ErrorData, Filter, Receipt, Submit};
use repaint_schema::printed::ListedOrder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::json;
use crate::fault::Fault;
use crate::gateway::Gateway;
use crate::keys::Caller;
use crate::named::Named;

/// So many jobs are remembered with their receipts; of older ones there are the orders.
const REMEMBERED: usize = 4096;
/// A list has no more.
const MOST: u32 = 1000;

/// What this process remembers of jobs, the newest last.
#[derive(Debug, Default)]
pub(crate) struct Jobs(Mutex<VecDeque<Record>>);

#[derive(Debug)]
struct Record {
    id: String,
    account: Option<String>,
    model: String,
    created_ms: u64,
    came: Came,
    canceller: CancellationToken,
}

/// What came of a job.
#[derive(Clone, Debug)]
pub(crate) enum Came {
    Nothing,
    Receipt(Box<Receipt>),
    Error(Error),
}

/// A job, and what became of it.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[schemars(rename = "JobAnswer")]
pub(crate) struct Job {
    /// Its id.
    pub(crate) id: String,
    /// Always `job`.
    pub(crate) object: String,
    /// How far it is.
    pub(crate) state: JobState,
    /// When it began, in seconds since 1970.
    pub(crate) created: u64,
    /// The model, as the request named it; absent where another process took it, or long ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    /// What was done, while the process that did it remembers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) receipt: Option<Receipt>,
    /// Why it brought no picture, while the process that did it remembers.
    #[schemars(with = "Option<ErrorData>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Error>,
    /// Its orders as they are written down, the newest first; none before the first is sent.
    pub(crate) orders: Vec<ListedOrder>,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum JobState {
    /// A process is at it.
    Running,
    /// It brought pictures.
    Made,
    /// It brought none.
    Failed,
    /// It has orders that can be picked up: `POST /v1/jobs/{id}/resume`.
    Resumable,
    /// It has orders of which nobody knows what became: look at the provider.
    Unknown,
}

/// Jobs, the newest first.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[schemars(rename = "JobsAnswer")]
pub(crate) struct List {
    /// Always `list`.
    pub(crate) object: String,
    /// The jobs.
    pub(crate) data: Vec<Job>,
}

/// Which jobs to list.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Wanted {
    /// Only those that have an order that has not ended.
    pub(crate) open: bool,
    /// At most so many orders are looked at; 100 by default, 1,000 at most.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) limit: Option<u32>,
}

impl Jobs {
    pub(crate) fn begun(
        &self,
        id: &str,
        account: Option<&str>,
        model: &str,
        now_ms: u64,
        canceller: CancellationToken,
    ) {
        let mut records = self.records();
        if REMEMBERED <= records.len() {
            records.pop_front();
        }
        records.push_back(Record {
            id: id.to_owned(),
            account: account.map(str::to_owned),
            model: model.to_owned(),
            created_ms: now_ms,
            came: Came::Nothing,
            canceller,
        });
    }

    pub(crate) fn ended(&self, id: &str, came: Came) {
        if let Some(record) = self.records().iter_mut().rev().find(|it| it.id == id) {
            record.came = came;
        }
    }

    fn records(&self) -> MutexGuard<'_, VecDeque<Record>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `GET /v1/jobs`
pub(crate) async fn list(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    wanted: Result<Query<Wanted>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Fault> {
    let caller = gateway.caller(&headers)?;
    let Query(wanted) = wanted.map_err(|err| Fault::invalid(err.body_text()))?;
    let limit = wanted.limit.unwrap_or(100);
    if !(1..=MOST).contains(&limit) {
        return Err(Fault::invalid(format!("`limit` must be 1 to {MOST}")).about("limit"));
    }
    let filter =
        Filter { account: caller.account.clone(), open: wanted.open, limit, ..Filter::default() };
    let orders = gateway.store().list(&filter).await.map_err(|it| plain(&it))?;
    let mut ids: Vec<String> = Vec::new();
    if !wanted.open {
        let records = gateway.jobs().records();
        let mine = records.iter().rev().filter(|it| it.account == caller.account);
        ids.extend(mine.take(limit as usize).map(|it| it.id.clone()));
    }
    ids.extend(orders.iter().map(|it| it.job.clone()));
    // An id begins with the time.
    ids.sort_by(|a, b| b.cmp(a));
    ids.dedup();
    let data = ids.iter().map(|id| {
        let own = orders.iter().filter(|it| it.job == *id).cloned().collect();
        told(&gateway, id, own)
    });
    Ok(json(&List { object: "list".to_owned(), data: data.collect() }))
}

/// `GET /v1/jobs/{id}`
pub(crate) async fn get(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    Named(id): Named,
) -> Result<Response, Fault> {
    let caller = gateway.caller(&headers)?;
    Ok(json(&job(&gateway, &caller, &id).await?))
}

/// `POST /v1/jobs/{id}/cancel`
pub(crate) async fn cancel(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    Named(id): Named,
) -> Result<Response, Fault> {
    let caller = gateway.caller(&headers)?;
    let job = job(&gateway, &caller, &id).await?;
    let here = {
        let records = gateway.jobs().records();
        let running = |it: &&Record| it.id == id && matches!(it.came, Came::Nothing);
        let record = records.iter().find(running);
        record.inspect(|it| it.canceller.cancel()).is_some()
    };
    if !here && job.state == JobState::Running {
        let message = "another process is at this job: cancel it there";
        return Err(Fault::new(StatusCode::BAD_REQUEST, "not_here", message).of_job(&id));
    }
    Ok(json(&job))
}

/// The job of a caller.
pub(crate) async fn job(gateway: &Gateway, caller: &Caller, id: &str) -> Result<Job, Fault> {
    let filter = Filter { job: Some(id.to_owned()), ..Filter::default() };
    let orders = gateway.store().list(&filter).await.map_err(|it| plain(&it))?;
    let known = {
        let records = gateway.jobs().records();
        records.iter().any(|it| it.id == id && it.account == caller.account)
    };
    let theirs = orders.iter().all(|it| it.account == caller.account);
    if !theirs || (orders.is_empty() && !known) {
        let message = format!("no job is called `{}`", repaint_core::quotable(id));
        return Err(Fault::new(StatusCode::NOT_FOUND, "not_found", message));
    }
    Ok(told(gateway, id, orders))
}

fn told(gateway: &Gateway, id: &str, orders: Vec<Submit>) -> Job {
    let now = gateway.now_ms();
    let (mut model, mut created_ms, mut came) = (None, made_ms(id), Came::Nothing);
    let mut running = false;
    if let Some(record) = gateway.jobs().records().iter().rev().find(|it| it.id == id) {
        (model, created_ms) = (Some(record.model.clone()), record.created_ms);
        came = record.came.clone();
        running = matches!(record.came, Came::Nothing);
    }
    let state = state(&orders, &came, running, now);
    let (receipt, error) = match came {
        Came::Receipt(receipt) => (Some(*receipt), None),
        Came::Error(error) => (None, Some(error)),
        Came::Nothing => (None, None),
    };
    let listed = |order: Submit| ListedOrder {
        state: order.state_at(now),
        resumable: order.is_resumable(now),
        order,
    };
    Job {
        id: id.to_owned(),
        object: "job".to_owned(),
        state,
        created: created_ms / 1000,
        model,
        receipt,
        error,
        orders: orders.into_iter().map(listed).collect(),
    }
}

fn state(orders: &[Submit], came: &Came, running: bool, now: u64) -> JobState {
    use repaint_core::SubmitState;
    let at_it = |it: &Submit| !it.state.has_ended() && now < it.held_until_ms;
    let is = |state: SubmitState| orders.iter().any(|it| it.state_at(now) == state);
    match came {
        Came::Receipt(_) => JobState::Made,
        Came::Nothing if running || orders.iter().any(at_it) => JobState::Running,
        _ if orders.iter().any(|it| it.is_resumable(now)) => JobState::Resumable,
        _ if is(SubmitState::Safe) || is(SubmitState::Made) => JobState::Made,
        _ if is(SubmitState::Unknown) || is(SubmitState::Accepted) => JobState::Unknown,
        _ => JobState::Failed,
    }
}

/// When a job began, which its id says.
fn made_ms(id: &str) -> u64 {
    id.get(..12).and_then(|it| u64::from_str_radix(it, 16).ok()).unwrap_or_default()
}

fn plain(error: &Error) -> Fault {
    Fault::of(error, &crate::dialect::Names::default())
}
