//! A job on its way: offer after offer, until one brings pictures or nothing more may be tried.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use repaint_client::{Progress, Run};
use repaint_core::{
    Date, Error, ErrorKind, Estimate, Hop, ImageModel, ImageRequest, Job, Outcome, Result, Submit,
    SubmitState, Terms, Usd,
};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tracing::Instrument;

use crate::health::{Caps, Failure, Slot, Verdict, Why};
use crate::hooks::Calling;
use crate::merge::{Part, merged};
use crate::plan::{Standing, over_budget};
use crate::router::Router;
use crate::task::Brought;
use crate::trace;

/// So many calls of one job are made at a time.
const CALLS: usize = 4;
/// While others wait for their turn, an order that was surely not taken is sent again this often.
const REPEATS: u32 = 1;

/// A job with all that its calls share.
#[derive(Debug)]
pub(crate) struct Going {
    router: Router,
    run: Run,
    job: Job,
    id: String,
    paths: Vec<String>,
    today: Date,
    /// How many orders the job has had.
    orders: AtomicU32,
    /// How many calls of the offer that is asked have not been taken yet.
    untaken: Arc<AtomicUsize>,
    claim: Option<Claim>,
}

/// A caller's key that stands for the job: others take it for abandoned when nothing happens for long.
#[derive(Debug)]
struct Claim {
    time: Duration,
    /// When it was claimed, or an order of it ended last.
    since: Mutex<Instant>,
    on_their_way: AtomicU32,
}

/// What came of an offer.
enum Came {
    Brought(Box<Brought>),
    /// It rests, and was not asked.
    Rests,
    /// It brought nothing; the flag says whether the next may be tried.
    Left {
        error: Error,
        hop: Hop,
        next: bool,
    },
}

impl Going {
    pub(crate) fn new(router: Router, run: Run, job: Job, id: String, paths: Vec<String>) -> Self {
        let today = router.today();
        let (orders, untaken) = (AtomicU32::new(0), Arc::default());
        Self { router, run, job, id, paths, today, orders, untaken, claim: None }
    }

    /// The same for a job that has had so many orders, and is ours only for so long while it has none
    /// on its way.
    pub(crate) fn claimed(self, orders: u32, time: Duration) -> Self {
        let (since, on_their_way) = (Mutex::new(Instant::now()), AtomicU32::new(0));
        let claim = Some(Claim { time, since, on_their_way });
        Self { orders: AtomicU32::new(orders), claim, ..self }
    }

    pub(crate) async fn go(self: Arc<Self>) -> Result<Brought> {
        let result = Arc::clone(&self).hops().await;
        self.router.hooks.ended(&self.job, result.as_ref().map(|it| &it.outcome));
        result
    }

    async fn hops(self: Arc<Self>) -> Result<Brought> {
        let (decided, plan) = self.router.decide(&self.job)?;
        self.router.hooks.planned(&self.job, &plan)?;
        if decided.candidates.is_empty() {
            plan.first()?;
        }
        let mut candidates = decided.candidates;
        if !self.job.policy.fallback {
            candidates.truncate(1);
        }
        // They come last, and without a key nobody is let in.
        if candidates.first().is_some_and(|it| it.keyed) {
            candidates.retain(|it| it.keyed);
        }
        let models: Vec<&dyn ImageModel> = self.router.registry.models().collect();
        let only = candidates.len() == 1;
        let mut queue: VecDeque<(Standing, bool)> =
            candidates.into_iter().map(|it| (it, only)).collect();
        let (mut hops, mut spent, mut last) = (Vec::new(), Estimate::default(), None);
        let mut shut: Vec<&str> = Vec::new();
        while let Some((standing, waits)) = queue.pop_front() {
            let model = models[standing.place];
            // A filter of ours never stands in for a model that did not make it.
            if !hops.is_empty() && !model.offer().generative && standing.named.is_none() {
                continue;
            }
            // Another model of the same place has the same key, and the same credit.
            if shut.contains(&model.provider().id) {
                continue;
            }
            let others = !queue.is_empty();
            match Arc::clone(&self).ask(&standing, waits, others, spent).await {
                Came::Rests => queue.push_back((standing, true)),
                Came::Brought(mut brought) => {
                    let receipt = &mut brought.outcome.receipt;
                    receipt.spent = receipt.spent.and(spent);
                    receipt.hops = hops;
                    return Ok(*brought);
                }
                Came::Left { error, hop, next } => {
                    tracing::warn!(
                        repaint.offer = hop.offer,
                        error.r#type = hop.code.code(),
                        "left an offer without a picture"
                    );
                    spent = spent.and(hop.spent);
                    if is_of_the_account(&error) {
                        shut.push(model.provider().id);
                    }
                    hops.push(hop);
                    last = Some(error);
                    if !next {
                        break;
                    }
                }
            }
        }
        let nobody = || Error::new(ErrorKind::Unavailable, "no offer could be asked");
        Err(last.unwrap_or_else(nobody).with(|it| {
            if let [before @ .., _] = hops.as_slice()
                && !before.is_empty()
            {
                let tried: Vec<String> =
                    before.iter().map(|it| format!("{} ({})", it.offer, it.code.code())).collect();
                it.message.push_str(&format!("; tried before: {}", tried.join(", ")));
            }
            if 1 < hops.len() || hops.iter().any(|it| !it.orders.is_empty()) {
                it.hops = hops;
            }
        }))
    }

    /// Has an offer take the job, in one call or in several.
    async fn ask(
        self: Arc<Self>,
        standing: &Standing,
        waits: bool,
        others: bool,
        spent: Estimate,
    ) -> Came {
        let model = self.model(standing.place);
        let offer = model.map_or_else(String::new, |it| it.id().to_owned());
        let left = |error: Error, next: bool| {
            let (code, message) = (error.kind(), error.message().to_owned());
            let (spent, orders) = (Estimate::default(), Vec::new());
            let hop = Hop { offer: offer.clone(), code, message, spent, orders };
            Came::Left { error, hop, next }
        };
        let Some(model) = model else {
            return left(
                Error::new(ErrorKind::Unexpected, "an offer is planned but not there"),
                false,
            );
        };
        let remains = self.job.policy.max_cost.map(|it| Usd(it.0.saturating_sub(spent.high.0)));
        if let Some(most) = remains.filter(|it| *it < standing.estimate.high) {
            let refusals = vec![over_budget(standing.estimate, most)];
            return left(Error::refused(&offer, refusals), true);
        }
        let first = match self.slot(model, waits).await {
            Ok(Some(slot)) => slot,
            Ok(None) => return Came::Rests,
            Err(err) => {
                let next = self.may_go_on(&err);
                return left(err, next);
            }
        };
        let repeats = if others { REPEATS } else { u32::MAX };
        let requests = standing.split.requests(&self.job.request, model.offer());
        let parts = Arc::clone(&self).calls(standing.place, requests, first, repeats).await;
        let next = parts.iter().all(|it| match &it.result {
            Ok(_) => false,
            Err(err) => !it.stops && self.may_go_on(err),
        });
        match merged(model, standing, &self.job, &self.id, parts) {
            Ok(brought) => Came::Brought(Box::new(brought)),
            Err((error, hop)) => Came::Left { error, hop, next },
        }
    }

    /// All calls to one offer. A failure of one does not cancel the others; but what none of them would
    /// survive keeps those from being sent that have not begun.
    async fn calls(
        self: Arc<Self>,
        place: usize,
        requests: Vec<ImageRequest>,
        first: Slot,
        repeats: u32,
    ) -> Vec<Part> {
        let paths = self.paths_of(&requests);
        self.untaken.store(requests.len(), Ordering::Relaxed);
        let mut first = Some(first);
        let mut waiting: VecDeque<_> = requests.into_iter().zip(paths).enumerate().collect();
        if waiting.len() == 1
            && let Some((_, (request, paths))) = waiting.pop_front()
        {
            let number = self.number();
            return vec![self.call(place, number, request, paths, first, repeats).await];
        }
        let mut parts: Vec<(usize, Part)> = Vec::new();
        let mut calls = JoinSet::new();
        loop {
            while calls.len() < CALLS
                && let Some((index, (request, paths))) = waiting.pop_front()
            {
                // Taken here, since calls may begin in any order: the numbers are in that of the pictures.
                let (going, slot, number) = (Arc::clone(&self), first.take(), self.number());
                let call = async move {
                    (index, going.call(place, number, request, paths, slot, repeats).await)
                };
                calls.spawn(call.in_current_span());
            }
            match calls.join_next().await {
                None => break,
                Some(Ok((index, part))) => {
                    if part.result.as_ref().is_err_and(lies_with_the_job) {
                        waiting.clear();
                    }
                    parts.push((index, part));
                }
                // It is told as a call whose outcome nobody knows, which it is.
                Some(Err(err)) => parts.push((usize::MAX, Part::lost(&err.to_string()))),
            }
        }
        parts.sort_by_key(|it| it.0);
        parts.into_iter().map(|it| it.1).collect()
    }

    /// The number of the job's next order.
    fn number(&self) -> u32 {
        self.orders.fetch_add(1, Ordering::Relaxed)
    }

    /// One call, written down if there is a store.
    async fn call(
        &self,
        place: usize,
        number: u32,
        request: ImageRequest,
        paths: Vec<String>,
        slot: Option<Slot>,
        repeats: u32,
    ) -> Part {
        let (count, seed) = (request.count, request.seed);
        let order = format!("{}-{number}", self.id);
        let mut part = Part::new(count, seed);
        let Some(model) = self.model(place) else { return part };
        let terms = Terms { adapt: &self.job.policy.adapt, today: self.today };
        // A plan holds no witness: the offer admits the request again.
        let admitted = match model.admit(&request, terms) {
            Ok(admitted) => admitted,
            Err(refusals) => {
                part.result = Err(Error::refused(model.id(), refusals));
                return part;
            }
        };
        part.estimate = admitted.estimate();
        let calling = Calling {
            job: &self.id,
            order: &order,
            offer: model.id(),
            request: admitted.request(),
            estimate: part.estimate,
        };
        let slot = match slot {
            Some(slot) => Ok(Some(slot)),
            None => self.slot(model, true).await,
        };
        let slot = match slot.and_then(|it| self.still_ours().map(|()| it)) {
            Ok(slot) => slot,
            Err(err) => {
                part.result = Err(err);
                return part;
            }
        };
        if let Err(err) = self.router.hooks.calling(&calling).await {
            part.result = Err(err.with(|it| it.offer = Some(model.id().to_owned())));
            return part;
        }
        if let Some(claim) = &self.claim {
            claim.on_their_way.fetch_add(1, Ordering::Relaxed);
        }
        let run = self.run_of(model, &order, count, part.estimate, paths).repeating(repeats);
        run.tell(Progress::Started { offer: model.id().to_owned() });
        let span = trace::call(&self.router, model, &calling);
        let began = Instant::now();
        part.result = admitted.generate(&run).instrument(span.clone()).await;
        trace::ended(&span, &part.result);
        let took = began.elapsed();
        let written = self.written(&order).await;
        if let Some(claim) = &self.claim {
            *claim.since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
            claim.on_their_way.fetch_sub(1, Ordering::Relaxed);
        }
        // An order that is not written down was not sent: the store failed, not the offer.
        let sent = self.router.store.is_none() || matches!(written, Ok(true));
        let failed = part.result.as_ref().err().map(Error::kind);
        part.stops = !sent && failed == Some(ErrorKind::Unavailable);
        // Where the store does not say, it may stand there: whoever looks later finds it by this id.
        part.order = written.unwrap_or(true).then_some(order.clone());
        if let Some(slot) = slot {
            let nothing = part.stops || self.run.canceller().is_cancelled();
            slot.close(if nothing { Verdict::Nothing } else { verdict(&part.result, took) });
        }
        self.router.hooks.called(&calling, part.result.as_ref());
        part
    }

    /// The run of one call: it shares deadline, canceller and budget of repeats with all others.
    fn run_of(
        &self,
        model: &dyn ImageModel,
        order: &str,
        pictures: u32,
        estimate: Estimate,
        paths: Vec<String>,
    ) -> Run {
        let (health, outer) = (self.router.health.clone(), self.run.clone());
        let (offer, untaken) = (model.id().to_owned(), Arc::clone(&self.untaken));
        let is_taken = AtomicBool::new(false);
        let run = self.run.clone().watching(move |progress| {
            if let Progress::Rate { rate } = progress {
                health.rated(&offer, rate);
            }
            let taken = matches!(progress, Progress::Accepted { .. });
            outer.tell(progress);
            // What was taken is asked for until it ends, and no other offer is: what comes of it may be charged.
            if taken
                && !is_taken.swap(true, Ordering::Relaxed)
                && untaken.fetch_sub(1, Ordering::Relaxed) == 1
            {
                outer.tell(Progress::Delivered);
            }
        });
        let Some(store) = &self.router.store else { return run };
        let submit = Submit {
            id: order.to_owned(),
            job: self.id.clone(),
            account: self.router.account.clone(),
            offer: model.id().to_owned(),
            fingerprint: String::new(),
            pictures,
            estimate,
            state: SubmitState::Sent,
            cost: None,
            handle: None,
            paths,
            error: None,
            created_ms: 0,
            updated_ms: 0,
            held_until_ms: 0,
        };
        run.written_down(Arc::clone(store), submit)
    }

    /// Whether an order stands in the store; what runs in this process is not ordered.
    async fn written(&self, order: &str) -> Result<bool> {
        let Some(store) = &self.router.store else { return Ok(false) };
        Ok(store.get(order).await?.is_some())
    }

    /// Leave to send an order; `None` if the offer rests and nobody wants to wait.
    async fn slot(&self, model: &dyn ImageModel, waits: bool) -> Result<Option<Slot>> {
        let (health, id) = (&self.router.health, model.id());
        let caps = self.caps(model);
        loop {
            let freed = health.freed();
            let rest = match health.enter(id, caps) {
                Ok(slot) => return Ok(Some(slot)),
                Err(_) if !waits => return Ok(None),
                Err(rest) => rest,
            };
            let time = self.run.deadline().saturating_duration_since(Instant::now());
            // What only people can mend, at the provider, is told as what it is while the offer rests.
            let of_people =
                |it: &Failure| matches!(it.kind, ErrorKind::Denied | ErrorKind::Exhausted);
            let lasting = rest.last.filter(of_people);
            let kind = match (rest.why, rest.left) {
                (Why::Busy, _) => {
                    self.run.waits(freed).await?;
                    continue;
                }
                (Why::Limited, Some(left)) if left < time => {
                    self.run.waits(sleep(left)).await?;
                    continue;
                }
                (Why::Limited, _) => ErrorKind::Exhausted,
                (Why::Failing, _) => lasting.map_or(ErrorKind::Unavailable, |it| it.kind),
            };
            return Err(Error::new(kind, format!("{id} {}", rest.said())).with(|it| {
                it.offer = Some(id.to_owned());
                it.status = lasting.and_then(|it| it.status);
                it.retry_after_seconds = rest.left.map(|it| it.as_secs() + 1);
            }));
        }
    }

    fn caps(&self, model: &dyn ImageModel) -> Caps {
        let own = model.offer().in_flight.map(|it| it.value);
        let place = model.provider().id;
        let same = self.router.registry.models().filter(|it| it.provider().id == place);
        let provider = same.filter_map(|it| it.offer().in_flight).map(|it| it.value).max();
        Caps { own, provider }
    }

    /// Whether no other process can have taken the job for abandoned.
    fn still_ours(&self) -> Result<()> {
        let Some(claim) = &self.claim else { return Ok(()) };
        let since = *claim.since.lock().unwrap_or_else(PoisonError::into_inner);
        if 0 < claim.on_their_way.load(Ordering::Relaxed) || since.elapsed() < claim.time {
            return Ok(());
        }
        let message = "no offer was free in time, so nothing was ordered: ask again";
        Err(Error::new(ErrorKind::Unavailable, message))
    }

    /// Whether an error is proof that nothing was bought, and another offer may do better.
    fn may_go_on(&self, err: &Error) -> bool {
        let data = err.data();
        let over = self.run.canceller().is_cancelled() || self.run.deadline() <= Instant::now();
        let elsewhere = matches!(
            err.kind(),
            ErrorKind::Unavailable | ErrorKind::Exhausted | ErrorKind::Denied | ErrorKind::Refused
        );
        !over && elsewhere && data.resume.is_none() && data.cost.is_none()
    }

    fn model(&self, place: usize) -> Option<&dyn ImageModel> {
        self.router.registry.models().nth(place)
    }

    /// Which paths belong to which call.
    fn paths_of(&self, requests: &[ImageRequest]) -> Vec<Vec<String>> {
        let all: usize = requests.iter().map(|it| it.count as usize).sum();
        let mut before = 0;
        let own = |request: &ImageRequest| {
            let count = request.count as usize;
            before += count;
            match all == self.paths.len() {
                true => self.paths[before - count..before].to_vec(),
                false => self.paths.clone(),
            }
        };
        requests.iter().map(own).collect()
    }
}

/// Whether it lies with our key or our credit at a provider, whichever of its models is asked.
fn is_of_the_account(err: &Error) -> bool {
    err.kind() == ErrorKind::Denied
        || (err.kind() == ErrorKind::Exhausted && err.data().status == Some(402))
}

/// What every other call of the job would meet as well.
fn lies_with_the_job(err: &Error) -> bool {
    matches!(err.kind(), ErrorKind::Refused | ErrorKind::InvalidRequest | ErrorKind::Denied)
}

/// What the end of a call says of its offer.
fn verdict(result: &Result<Outcome>, took: Duration) -> Verdict {
    let Err(err) = result else { return Verdict::Works(took) };
    match err.kind() {
        ErrorKind::Exhausted if err.data().status == Some(429) => {
            Verdict::Wait(err.retry_after().unwrap_or(Duration::from_secs(1)))
        }
        ErrorKind::Exhausted
        | ErrorKind::Unavailable
        | ErrorKind::Denied
        | ErrorKind::OutcomeUnknown
        | ErrorKind::Unexpected => {
            Verdict::Fails(Failure { kind: err.kind(), status: err.data().status })
        }
        ErrorKind::Refused
        | ErrorKind::InvalidRequest
        | ErrorKind::Moderated
        | ErrorKind::Expired => Verdict::Nothing,
    }
}
