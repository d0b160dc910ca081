//! From a request that is understood to its answer: joined with an equal call, or run anew.

use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::task::Poll;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, StatusCode};
use repaint_client::{CancellationToken, Progress};
use repaint_core::{
    Adaptation, Error, ErrorKind, Estimate, Holds, Image, ImageModel, Job, Outcome, Receipt,
    Submit, Usd, Warning, WarningCode,
};
use repaint_router::{Once, Router};

use crate::answer::{Answer, Source};
use crate::calls::{Call, End, Gate, Joined, Mark, Print, Seat};
use crate::dialect::{Names, ResponseFormat, Understood};
use crate::digest::Digest;
use crate::fault::{Fault, may_have_cost};
use crate::gateway::Gateway;
use crate::held::Held;
use crate::jobs::Came;
use crate::keys::Caller;
use crate::named::Named;
use crate::shelf::Shelf;

/// The id of the job, under which its receipt is.
const RECEIPT: HeaderName = HeaderName::from_static("x-repaint-receipt");
/// What it was to cost, in US dollars: one amount, or the least and the most.
const ESTIMATE: HeaderName = HeaderName::from_static("x-repaint-estimate");
/// Who made the pictures.
const OFFER: HeaderName = HeaderName::from_static("x-repaint-offer");
/// How often a library has sent this request before; Stainless's libraries say it.
const RETRIES: &str = "x-stainless-retry-count";
const KEY: &str = "idempotency-key";
/// A key of a caller is no longer.
const LONGEST_KEY: usize = 255;

/// What is asked for, and by whom.
pub(crate) struct Request {
    pub(crate) caller: Caller,
    pub(crate) understood: Understood,
    /// A hash of all that the caller sent.
    pub(crate) body: Print,
    /// What was kept of that.
    pub(crate) held: Arc<Held>,
}

/// Joins a call or runs a job, and answers.
pub(crate) async fn run(
    gateway: &Gateway,
    headers: &HeaderMap,
    request: Request,
) -> Result<Response, Fault> {
    let Request { caller, mut understood, body, held } = request;
    let names = understood.names;
    known(gateway, &caller, &understood.job)?;
    crate::fetch::fetched(gateway, &mut understood.job, &names).await?;
    let key = key(headers)?;
    let retries = headers.get(RETRIES);
    let (repeats, again) = (retries.is_some(), retries.is_some_and(|it| it != "0"));
    let print = match &key {
        Some(key) => gateway.print(&caller, &[b"key", key.as_bytes()]),
        None => gateway.print(&caller, &[b"body", &body.to_le_bytes()]),
    };
    let keyed = key.as_ref().map(|_| body);
    let mark = Mark { repeats, again, keyed, head: gateway.head(&Head::of(headers)) };
    let format = understood.format;
    let model = understood.model.clone();
    let of = gateway.clone();
    let joins = async move {
        // What is taken meanwhile is not lost where the gateway stops.
        let _busy = of.calls().busy();
        let (joined, elsewhere) = of.calls().join(print, mark).await;
        let seat = match joined {
            Joined::Before(seat) => {
                // Nobody needs what came now, however long the first one takes.
                drop((understood, held));
                return Ok(seat);
            }
            Joined::Other => return Err(reused()),
            Joined::New(seat) => seat,
        };
        let how = match (key, elsewhere) {
            // Callers without an account share none of their keys either.
            (Some(key), _) if caller.account.is_none() => {
                How::Once(format!("{:016x} {key}", caller.word))
            }
            (Some(key), _) => How::Once(key),
            (None, Some(job)) => How::Taking(job),
            (None, None) => How::Anew,
        };
        begin(&of, &seat.call, caller, (understood, held), how);
        Ok(seat)
    };
    // What was taken out of the store must come to a call, also when its caller goes away meanwhile.
    let seat = to_its_end(joins).await??;
    let end = seat.call.end().await;
    Ok(answer(&end, &model, format, &names, seat))
}

/// Does work that goes on when whoever waits for it goes away.
async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Fault> {
    let mut work = Box::pin(work);
    // Most of it waits for nothing, and needs no task.
    match poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await {
        Poll::Ready(it) => Ok(it),
        Poll::Pending => tokio::spawn(work).await.map_err(|err| {
            let message = format!("the request ended in an unforeseen way: {err}");
            Fault::of(&Error::new(ErrorKind::Unexpected, message), &Names::default())
        }),
    }
}

/// What two requests have in common whose bodies may be the same.
pub(crate) struct Head {
    authorization: Option<HeaderValue>,
    length: Option<HeaderValue>,
}

impl Head {
    fn of(headers: &HeaderMap) -> Self {
        let value = |name| headers.get(name).cloned();
        Self { authorization: value(AUTHORIZATION), length: value(CONTENT_LENGTH) }
    }

    /// That of a request which says that it comes for the first time, and would say it if it came again. One with a key
    /// has that to be known by, and one without a length nothing.
    pub(crate) fn of_first(headers: &HeaderMap) -> Option<Self> {
        let is_first = headers.get(RETRIES).is_some_and(|it| it == "0");
        let is_known = headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(KEY);
        (is_first && is_known).then(|| Self::of(headers))
    }
}

/// Whether the models that a job names are there, and the caller may use one of them.
pub(crate) fn known(gateway: &Gateway, caller: &Caller, job: &Job) -> Result<(), Fault> {
    let mut models = Vec::new();
    for name in &job.select {
        let named = gateway.router().registry().resolve(name);
        models.extend(named.map_err(|err| unknown_model(&err))?);
    }
    caller.may_use_some(&models)
}

/// A name that stands for no model.
pub(crate) fn unknown_model(err: &Error) -> Fault {
    let message = err.message().replace("`repaint models` lists all", "GET /v1/models lists all");
    Fault::new(StatusCode::NOT_FOUND, "model_not_found", message).about("model")
}

/// A key of a caller's under which something else was asked for.
fn reused() -> Fault {
    let message =
        "this Idempotency-Key stands for another request already: take a new key for a new request";
    Fault::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", message)
        .about("Idempotency-Key")
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Fault> {
    let Some(key) = headers.get(KEY) else { return Ok(None) };
    let text = key.to_str().ok().filter(|it| !it.trim().is_empty() && it.len() <= LONGEST_KEY);
    let wrong = || {
        let message =
            format!("an Idempotency-Key is 1 to {LONGEST_KEY} visible characters of ASCII");
        Fault::invalid(message).about("Idempotency-Key")
    };
    text.map(|it| Some(it.to_owned())).ok_or_else(wrong)
}

/// How a job begins.
enum How {
    Anew,
    /// Under a key of the caller's.
    Once(String),
    /// With what another process has left.
    Taking(String),
}

/// Begins the job of a call; it goes on when its caller goes away.
fn begin(
    gateway: &Gateway,
    call: &Arc<Call>,
    caller: Caller,
    (understood, held): (Understood, Arc<Held>),
    how: How,
) {
    let Understood { model, job, format, names, warnings } = understood;
    let own = caller.router(gateway);
    let gate = Gate { calls: gateway.calls().clone(), call: Arc::clone(call) };
    let router = own.clone().with_hooks(gate);
    let (planner, mut planned) = (router.clone(), matches!(how, How::Once(_)).then(|| job.clone()));
    // Whoever wants a conversion wants bytes; whoever wants base64 does, too.
    let converts = job.policy.adapt.output_format.is_some();
    let leaves = !converts && matches!(format, None | Some(ResponseFormat::Url));
    // With no offer left that may be asked, nobody needs the body, however long the pictures take.
    let watch = move |it| {
        if it == Progress::Delivered {
            held.release();
        }
    };
    let task = router.watched(job, watch).leaving(leaves).undecoded(!converts);
    let id = match &how {
        How::Taking(job) => job.clone(),
        How::Anew | How::Once(_) => task.id().to_owned(),
    };
    call.begun(&id, task.canceller());
    if matches!(how, How::Taking(_)) {
        call.takes_over();
    }
    let jobs = gateway.jobs();
    let account = caller.account.as_deref();
    jobs.begun(&id, account, &model, gateway.now_ms(), task.canceller());
    let (kept, of) = (gateway.clone(), Arc::clone(call));
    let keep = move |mut outcome: Outcome| async move {
        let receipt = &mut outcome.receipt;
        receipt.adaptations.extend(kept.moved(&receipt.offer, &names));
        receipt.warnings.extend(warnings.iter().map(|(field, message)| {
            Warning::new(WarningCode::Input, Some(field), message.clone())
        }));
        let addresses = outcome.images.iter().filter_map(|it| it.address.clone()).collect();
        kept.brought(&of, outcome).await;
        // Only an answer that was written makes the pictures safe; else they can be picked up.
        ((), of.settled().await.then_some(addresses))
    };
    let (gateway, call) = (gateway.clone(), Arc::clone(call));
    let keyed = matches!(how, How::Once(_));
    let taken = matches!(how, How::Taking(_)).then(|| (gateway.clone(), Arc::clone(&call)));
    let work = tokio::spawn(async move {
        if let Some((gateway, call)) = taken {
            gateway.calls().note_again(&call).await;
        }
        // What is refused is refused before the key stands for it: it can be mended and sent again.
        if let Some(mut job) = planned.take() {
            planner.plan(&mut job).await?.first()?;
        }
        match how {
            How::Anew => task.keeping(keep).await.map(Once::Now),
            How::Once(key) => task.once_keeping(&key, keep).await,
            How::Taking(job) => task.taking(&job, keep).await,
        }
    });
    let busy = gateway.calls().busy();
    tokio::spawn(async move {
        let _busy = busy;
        match work.await {
            Ok(Ok(Once::Now(()))) => {}
            // It was planned, so nothing is wrong with it but its key.
            Ok(Err(err)) if keyed && is_of_the_key(&err) => {
                gateway.jobs().ended(call.id(), Came::Error(err));
                gateway.calls().over(&call, End::Reused);
            }
            Ok(Ok(Once::Before(orders))) => again(&gateway, &own, &call, orders, leaves).await,
            Ok(Err(err)) => gateway.failed(&call, err),
            Err(err) => {
                let message = format!("the job ended in an unforeseen way: {err}");
                gateway.failed(&call, Error::new(ErrorKind::OutcomeUnknown, message));
            }
        }
    });
}

fn is_of_the_key(err: &Error) -> bool {
    let data = err.data();
    err.kind() == ErrorKind::InvalidRequest && data.offer.is_none() && data.status.is_none()
}

/// Fetches the pictures of a call that was answered before, by another process or long ago. It buys
/// nothing.
async fn again(
    gateway: &Gateway,
    router: &Router,
    call: &Arc<Call>,
    orders: Vec<Submit>,
    leaves: bool,
) {
    let mut images = Vec::new();
    let mut whole: Option<Receipt> = None;
    let job = orders.first().map(|it| it.job.clone());
    for order in orders {
        let Some(handle) = order.handle.filter(repaint_core::Handle::leads_somewhere) else {
            continue;
        };
        match router.pick_up(handle, |_| {}).leaving(leaves).run().await {
            Ok(outcome) => {
                images.extend(outcome.images);
                whole.get_or_insert(outcome.receipt);
            }
            Err(err) => return gateway.failed(call, err),
        }
    }
    match whole {
        Some(mut receipt) => {
            receipt.job = job;
            gateway.brought(call, Outcome { images, receipt }).await;
        }
        None => {
            let message = "this call was answered before, and its pictures are kept nowhere: to buy others, \
                           send another request, with an Idempotency-Key of its own where it has one";
            gateway.failed(call, Error::new(ErrorKind::Expired, message));
        }
    }
}

/// `POST /v1/jobs/{id}/resume`: brings the pictures of a job that was given up; buys nothing.
pub(crate) async fn resume(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    Named(id): Named,
) -> Result<Response, Fault> {
    let caller = gateway.caller(&headers)?;
    let job = crate::jobs::job(&gateway, &caller, &id).await?;
    let mut orders: Vec<Submit> =
        job.orders.into_iter().filter(|it| it.resumable).map(|it| it.order).collect();
    orders.sort_by_key(Submit::number);
    if orders.is_empty() {
        let message =
            "no order of this job can be picked up: GET /v1/jobs/{id} says what became of each";
        return Err(Fault::new(StatusCode::BAD_REQUEST, "not_resumable", message).of_job(&id));
    }
    // Two who ask at once get the same.
    let print = gateway.print(&caller, &[b"resume", id.as_bytes()]);
    let mark = Mark { repeats: false, again: false, keyed: Some(0), head: print };
    let seat = match gateway.calls().join(print, mark).await.0 {
        Joined::Before(seat) => seat,
        Joined::Other => return Err(reused()),
        Joined::New(seat) => {
            seat.call.begun(&id, CancellationToken::default());
            let (gateway, call) = (gateway.clone(), Arc::clone(&seat.call));
            let (router, busy) = (caller.router(&gateway), gateway.calls().busy());
            tokio::spawn(async move {
                let _busy = busy;
                pick_up(&gateway, &router, &call, orders).await;
            });
            seat
        }
    };
    let end = seat.call.end().await;
    let model = job.model.unwrap_or_default();
    Ok(answer(&end, &model, None, &Names::default(), seat))
}

/// Picks up the orders of a job, one after another; what cannot be fetched does not lose the others.
async fn pick_up(gateway: &Gateway, router: &Router, call: &Arc<Call>, orders: Vec<Submit>) {
    let (mut images, mut whole, mut last) = (Vec::new(), None::<Receipt>, None);
    for order in orders {
        let task = router.pick_up_order(order.id, |_| {}).leaving(true);
        // They are safe only when the answer is written, which the call's last seat says.
        match task.keeping(|it| async move { (it, None) }).await {
            Ok(mut outcome) => {
                images.append(&mut outcome.images);
                match &mut whole {
                    None => whole = Some(outcome.receipt),
                    Some(whole) => {
                        whole.orders.append(&mut outcome.receipt.orders);
                        whole.spent = whole.spent.and(outcome.receipt.spent);
                        whole.pictures += outcome.receipt.pictures;
                    }
                }
            }
            Err(err) => last = Some(err),
        }
    }
    match (whole, last) {
        (Some(mut receipt), last) => {
            receipt.failures.extend(last);
            call.released();
            gateway.brought(call, Outcome { images, receipt }).await;
        }
        (None, last) => {
            let nothing = || Error::new(ErrorKind::Unexpected, "there was nothing to pick up");
            gateway.failed(call, last.unwrap_or_else(nothing));
            // It buys nothing, so it may be tried again.
            gateway.calls().forget(call);
        }
    }
}

impl Gateway {
    /// A keyed hash of a caller and of what else counts; the same in all gateways with one store.
    pub(crate) fn print(&self, caller: &Caller, parts: &[&[u8]]) -> Print {
        let mut digest = self.digest();
        digest.part(caller.account.as_deref().unwrap_or_default().as_bytes());
        digest.part(&caller.word.to_le_bytes());
        parts.iter().for_each(|it| digest.part(it));
        digest.done()
    }

    /// A keyed hash of what is known of a request before its body is read.
    pub(crate) fn head(&self, head: &Head) -> Print {
        let mut digest = self.digest();
        digest.part(b"head");
        for it in [&head.authorization, &head.length] {
            digest.part(it.as_ref().map(HeaderValue::as_bytes).unwrap_or_default());
        }
        digest.done()
    }

    /// A keyed hash, of nothing yet.
    pub(crate) fn digest(&self) -> Digest {
        Digest::new(self.secret())
    }

    /// Pictures came.
    async fn brought(&self, call: &Arc<Call>, outcome: Outcome) {
        let Outcome { images, receipt } = outcome;
        self.metrics().job("made");
        let receipt = Box::new(receipt);
        self.jobs().ended(call.id(), Came::Receipt(receipt.clone()));
        let created = self.now_ms() / 1000;
        let end = match self.shelved(call, &images).await {
            Some(shelf) => End::Shelved { shelf, receipt, created },
            None => End::Made { images, receipt, created },
        };
        self.calls().over(call, end);
    }

    /// Puts pictures into a file where memory is short, so that the answers of others are read meanwhile; and where they
    /// are to be kept, and are too large to be kept in memory.
    async fn shelved(&self, call: &Call, images: &[Image]) -> Option<Shelf> {
        let weight: u64 = images.iter().map(Image::weight).sum();
        let too_large = call.repeats() && self.limits().kept / 2 < weight;
        if weight == 0 || !(too_large || self.router().client().is_short_of_room()) {
            return None;
        }
        let (room, images) = (self.spills().try_count(weight)?, images.to_vec());
        let work = tokio::task::spawn_blocking(move || Shelf::new(&images, room)).await;
        work.map_err(std::io::Error::other)
            .flatten()
            .inspect_err(|err| {
                tracing::warn!("pictures cannot be put into a file: {err}");
            })
            .ok()
    }

    /// None came.
    fn failed(&self, call: &Arc<Call>, err: Error) {
        self.metrics().job(err.kind().code());
        self.jobs().ended(call.id(), Came::Error(err.clone()));
        self.calls().over(call, End::Failed(err));
    }

    /// What is written down where the model takes images in another field than the caller's.
    fn moved(&self, offer: &str, names: &Names) -> Option<Adaptation> {
        let asked = names.images?;
        let model: &dyn ImageModel = self.router().registry().get(offer)?;
        let fields = &model.wire()?.fields;
        let takes = fields.iter().find(|it| matches!(it.holds, Holds::Image | Holds::Images))?;
        (takes.name != asked).then(|| Adaptation {
            field: "images".to_owned(),
            method: "exact".to_owned(),
            from: asked.into(),
            to: takes.name.as_str().into(),
        })
    }
}

/// The call that a response is the answer to, which a connection that is idle does not keep.
#[derive(Clone)]
pub(crate) struct Given {
    call: Weak<Call>,
    sat: u32,
}

impl Given {
    fn of(call: &Arc<Call>) -> Self {
        Self { call: Arc::downgrade(call), sat: call.sat() }
    }

    /// The next request on the connection has these headers. It says that what was answered before was read, unless it
    /// is a replay, or somebody stands between, who puts the requests of several callers on one connection.
    pub(crate) fn before(&self, headers: &HeaderMap) {
        let again = headers.get(RETRIES).is_some_and(|it| it != "0");
        if let Some(call) = self.call.upgrade()
            && !again
            && !BETWEEN.iter().any(|it| headers.contains_key(*it))
        {
            call.arrived(self.sat);
        }
    }
}

/// Proxies say by one of these that they are there.
const BETWEEN: [&str; 4] = ["via", "forwarded", "x-forwarded-for", "x-real-ip"];

/// What came of a call, for one who waits for it.
fn answer(
    end: &End,
    model: &str,
    format: Option<ResponseFormat>,
    names: &Names,
    seat: Seat,
) -> Response {
    let (call, id) = (Arc::clone(&seat.call), seat.call.id().to_owned());
    let mut response = match end {
        End::Made { receipt, created, .. } | End::Shelved { receipt, created, .. } => {
            let job = receipt.job.as_deref().unwrap_or(&id);
            let images: Vec<(&Image, Source)> = match end {
                End::Shelved { shelf, .. } => {
                    shelf.images.iter().map(|it| (&it.image, Source::of_shelf(it))).collect()
                }
                End::Made { images, .. } => images.iter().map(|it| (it, Source::of(it))).collect(),
                End::Failed(_) | End::Unsaid | End::Reused => Vec::new(),
            };
            let body = Answer::new(job, model, *created, images, format, seat);
            let mut response = Response::new(Body::new(body));
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            put(headers, ESTIMATE, &dollars(receipt.estimate));
            put(headers, OFFER, &receipt.offer);
            put(headers, RECEIPT, job);
            response
        }
        End::Failed(_) | End::Unsaid | End::Reused => {
            let fault = match end {
                End::Failed(err) if seat.call.is_cancelled() && !may_have_cost(err) => {
                    Fault::cancelled().of_job(&id)
                }
                End::Failed(err) => Fault::of(err, names).of_job(&id),
                End::Unsaid => Fault::busy(
                    "the store does not say whether this was asked for before; nothing was bought",
                ),
                End::Made { .. } | End::Shelved { .. } | End::Reused => reused(),
            };
            let response = fault.into_response();
            let (parts, body) = response.into_parts();
            // It is small, and whole.
            let text = crate::answer::now_or_never(body);
            Response::from_parts(parts, Body::new(Answer::text(text, seat)))
        }
    };
    response.extensions_mut().insert(Given::of(&call));
    if !response.headers().contains_key(RECEIPT) {
        put(response.headers_mut(), RECEIPT, &id);
    }
    response
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value)
        && !value.is_empty()
    {
        headers.insert(name, value);
    }
}

/// `0.04`, or `0.04-0.06`.
fn dollars(estimate: Estimate) -> String {
    let plain = |it: Usd| it.to_string().trim_start_matches('$').to_owned();
    let Estimate { low, high } = estimate;
    if low == high { plain(low) } else { format!("{}-{}", plain(low), plain(high)) }
}
