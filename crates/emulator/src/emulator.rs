//! The whole emulator as one value: it is handed requests and the time, and gives answers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use repaint_core::{Registry, Usd};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::bfl::Bfl;
use crate::fault::{Fault, Script, Stage};
use crate::message::{Incoming, Outgoing};
use crate::offers::Offers;
use crate::read::{self, Input};
use crate::together::Together;

/// How an emulator behaves.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// How long a picture takes.
    pub latency: Duration,
    /// Every picture is one and the same tiny one, and inputs are not unpacked: for simulations that
    /// make very many.
    pub thumbnails: bool,
    /// Ids of jobs follow from it; equal requests give equal pictures whatever it is.
    pub seed: u64,
    /// What befalls every request that it can befall, once the script has ended.
    pub always: Option<Fault>,
    /// What befalls the first requests.
    pub script: Script,
}

/// Together and Black Forest Labs, as far as their documents say what they do.
///
/// It does no I/O, has no clock and rolls no dice: equal requests at equal times give equal answers.
/// A clone goes on from the same state, so one that is made once can begin many simulations.
#[derive(Clone, Debug)]
pub struct Emulator {
    pub(crate) desk: Desk,
    together: Together,
    bfl: Bfl,
    always: Option<Fault>,
    script: VecDeque<Option<Fault>>,
    log: Log,
}

/// What both providers need.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) offers: Arc<Offers>,
    pub(crate) latency: Duration,
    pub(crate) thumbnails: bool,
    seed: u64,
    given: u64,
}

/// One request at one time, with what is to befall it.
#[derive(Debug)]
pub(crate) struct Case<'a> {
    pub(crate) incoming: &'a Incoming,
    pub(crate) body: Result<Map<String, Value>, String>,
    pub(crate) fault: Option<Fault>,
    pub(crate) now: Duration,
}

/// A request that came, without any key and without bytes of images.
#[derive(Clone, Debug, Serialize)]
pub struct Seen {
    /// Counted from 1.
    pub number: u64,
    /// Milliseconds since the emulator began.
    pub at_ms: u64,
    /// `GET`, `POST`, ….
    pub method: String,
    /// The path, without its query.
    pub path: String,
    /// What it was for.
    pub stage: Stage,
    /// Whose wire shape it was.
    pub provider: Option<&'static str>,
    /// The offer of the registry that it ordered from, such as `bfl/flux2-pro`.
    pub offer: Option<String>,
    /// The id of the job that it began or asked for.
    pub id: Option<String>,
    /// The names of the fields of its body.
    pub fields: Vec<String>,
    /// The input images that the provider would use, in order; what stood in a wrong field is not here.
    pub images: Vec<Input>,
    /// The mask that the provider would use.
    pub mask: Option<Input>,
    /// The prompt.
    pub prompt: Option<String>,
    /// What was answered; nothing if the connection was broken before.
    pub status: Option<u16>,
    /// What befell it.
    pub fault: Option<Fault>,
    /// Whether it is an order that was taken, whether or not the caller was told.
    pub taken: bool,
    /// What the provider would have charged for it, in millionths of a US dollar.
    pub billed_micro_usd: Usd,
}

/// What came, the newest last; the oldest are forgotten, and stay in the sums.
#[derive(Clone, Debug, Default)]
struct Log {
    seen: VecDeque<Seen>,
    requests: u64,
    orders: u64,
    total: Usd,
}

/// So many requests are remembered.
const REMEMBERED: usize = 10_000;

/// Where a request goes.
pub(crate) enum Route<'a> {
    Together(crate::together::Route<'a>),
    Bfl(crate::bfl::Route<'a>),
    Requests,
    Nowhere,
}

impl Route<'_> {
    pub(crate) fn of(incoming: &Incoming) -> Route<'_> {
        let path = incoming.url.path();
        if path == "/__emulator/requests" {
            return Route::Requests;
        }
        let together = crate::together::Route::of(&incoming.method, path).map(Route::Together);
        let bfl = || crate::bfl::Route::of(&incoming.method, path).map(Route::Bfl);
        together.or_else(bfl).unwrap_or(Route::Nowhere)
    }

    fn stage(&self) -> Stage {
        match self {
            Self::Together(route) => route.stage(),
            Self::Bfl(route) => route.stage(),
            Self::Requests | Self::Nowhere => Stage::Other,
        }
    }
}

impl Emulator {
    /// An emulator with the limits and prices of these offers.
    pub fn new(registry: &Registry, settings: Settings) -> Self {
        let Settings { latency, thumbnails, seed, always, script } = settings;
        let offers = Arc::new(Offers::of(registry));
        Self {
            desk: Desk { offers, latency, thumbnails, seed, given: 0 },
            together: Together::default(),
            bfl: Bfl::default(),
            always,
            script: script.into(),
            log: Log::default(),
        }
    }

    /// What a request is for.
    pub fn stage(incoming: &Incoming) -> Stage {
        Route::of(incoming).stage()
    }

    /// What is to befall a request whose head has come: by its header, by the script, or always.
    /// Asking takes the fault off the script.
    ///
    /// # Errors
    ///
    /// Fails if the header names a fault that there is not.
    pub fn fault(&mut self, incoming: &Incoming) -> Result<Option<Fault>, String> {
        let stage = Self::stage(incoming);
        if let Some(name) = incoming.header("x-emulate-fault") {
            let fault: Fault = name.parse()?;
            return Ok(fault.strikes(stage).then_some(fault));
        }
        if stage == Stage::Other {
            return Ok(None);
        }
        match self.script.front() {
            Some(Some(fault)) if !fault.strikes(stage) => Ok(None),
            Some(_) => Ok(self.script.pop_front().flatten()),
            None => Ok(self.always.filter(|it| it.strikes(stage))),
        }
    }

    /// Answers a request that came whole. A fault of the connection is for the caller to play; this
    /// only notes it.
    pub fn handle(&mut self, incoming: &Incoming, fault: Option<Fault>, now: Duration) -> Outgoing {
        let route = Route::of(incoming);
        if let Route::Requests = route {
            return self.requests_answer(incoming);
        }
        let mut seen = self.seen_of(incoming, &route, fault, now);
        let outgoing = self.answer(incoming, route, fault, now, &mut seen);
        seen.status = Some(outgoing.status);
        self.log.add(seen);
        outgoing
    }

    /// Notes a request that never came whole: nothing was ordered.
    pub fn lost(&mut self, head: &Incoming, fault: Fault, now: Duration) {
        let route = Route::of(head);
        let seen = self.seen_of(head, &route, Some(fault), now);
        self.log.add(seen);
    }

    /// The requests that came, the oldest first; at most 10,000.
    pub fn requests(&self) -> impl ExactSizeIterator<Item = &Seen> {
        self.log.seen.iter()
    }

    /// How many requests came since the last clearing.
    pub(crate) fn count(&self) -> u64 {
        self.log.requests
    }

    /// The last request that came.
    pub fn last(&self) -> Option<&Seen> {
        self.log.seen.back()
    }

    /// The orders among them that were taken, told or not.
    pub fn orders(&self) -> impl Iterator<Item = &Seen> {
        self.requests().filter(|it| it.taken)
    }

    /// What all orders since the last clearing would have cost.
    pub fn total(&self) -> Usd {
        self.log.total
    }

    /// Forgets what came, not the jobs.
    pub fn clear(&mut self) {
        self.log = Log::default();
    }

    /// Changes what befalls every request once the script has ended.
    pub fn always(&mut self, fault: Option<Fault>) {
        self.always = fault;
    }

    /// Adds to what befalls the next requests.
    pub fn extend_script(&mut self, script: impl IntoIterator<Item = Option<Fault>>) {
        self.script.extend(script);
    }

    /// The addresses of input images that an order bears.
    pub fn addresses(incoming: &Incoming) -> Vec<String> {
        match Self::stage(incoming) {
            Stage::Order => read::body(incoming).map_or(Vec::new(), |it| read::addresses(&it)),
            Stage::Poll | Stage::Download | Stage::Other => Vec::new(),
        }
    }

    fn answer(
        &mut self,
        incoming: &Incoming,
        route: Route<'_>,
        fault: Option<Fault>,
        now: Duration,
        seen: &mut Seen,
    ) -> Outgoing {
        let body = match seen.stage {
            Stage::Order => read::body(incoming),
            Stage::Poll | Stage::Download | Stage::Other => Ok(Map::new()),
        };
        seen.fields = body.iter().flatten().map(|(name, _)| name.clone()).collect();
        let failure = fault.and_then(|it| match it {
            Fault::NoCredit => Some(402),
            Fault::RateLimited | Fault::RateLimitedBare => Some(429),
            Fault::ServerError => Some(500),
            Fault::Overloaded => Some(503),
            Fault::GatewayTimeout => Some(504),
            _ => None,
        });
        let failed = failure.map(|status| {
            let answer = match route {
                Route::Together(_) => crate::together::failure(&mut self.desk, status),
                _ => crate::bfl::failure(status),
            };
            match fault {
                Some(Fault::RateLimited) => answer.with("retry-after", "1"),
                _ => answer,
            }
        });
        // After these two an order is made and billed all the same: the worst that may have happened.
        if let (Some(failed), false) = (&failed, matches!(failure, Some(500 | 504))) {
            return failed.clone();
        }
        let case = Case { incoming, body, fault, now };
        let answer = match route {
            Route::Together(route) => self.together.handle(route, case, &mut self.desk, seen),
            Route::Bfl(route) => self.bfl.handle(route, case, &mut self.desk, seen),
            Route::Requests | Route::Nowhere => crate::bfl::nowhere(),
        };
        failed.unwrap_or(answer)
    }

    fn seen_of(
        &mut self,
        incoming: &Incoming,
        route: &Route<'_>,
        fault: Option<Fault>,
        now: Duration,
    ) -> Seen {
        self.log.requests += 1;
        let provider = match route {
            Route::Together(_) => Some("together"),
            Route::Bfl(_) => Some("bfl"),
            Route::Requests | Route::Nowhere => None,
        };
        Seen {
            number: self.log.requests,
            at_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            method: incoming.method.clone(),
            path: incoming.url.path().to_owned(),
            stage: route.stage(),
            provider,
            offer: None,
            id: None,
            fields: Vec::new(),
            images: Vec::new(),
            mask: None,
            prompt: None,
            status: None,
            fault,
            taken: false,
            billed_micro_usd: Usd(0),
        }
    }

    fn requests_answer(&mut self, incoming: &Incoming) -> Outgoing {
        if incoming.method == "DELETE" {
            self.clear();
        }
        let Log { seen, requests, orders, total } = &self.log;
        let body = json!({
            "emulated": true,
            "requests": seen,
            "forgotten": requests - seen.len() as u64,
            "orders_taken": orders,
            "billed_micro_usd": total,
        });
        Outgoing::json(200, &body)
    }
}

impl Seen {
    /// The line of a log: no prompt, no address of an image, no name of a field that a caller made up.
    pub fn line(&self) -> Value {
        json!({
            "number": self.number,
            "at_ms": self.at_ms,
            "method": self.method,
            "path": self.path,
            "stage": self.stage,
            "offer": self.offer,
            "id": self.id,
            "images": self.images.len(),
            "status": self.status,
            "fault": self.fault,
            "taken": self.taken,
            "billed_micro_usd": self.billed_micro_usd,
        })
    }
}

impl Log {
    fn add(&mut self, mut seen: Seen) {
        // What is listed has no pixels.
        for input in seen.images.iter_mut().chain(&mut seen.mask) {
            input.look = crate::paint::Look::Words(String::new());
        }
        self.orders += u64::from(seen.taken);
        self.total.0 = self.total.0.saturating_add(seen.billed_micro_usd.0);
        self.seen.push_back(seen);
        if REMEMBERED < self.seen.len() {
            self.seen.pop_front();
        }
    }
}

impl Desk {
    /// Sixteen hex digits that no other job has.
    pub(crate) fn id(&mut self) -> String {
        self.given += 1;
        format!("{:016x}", mixed(self.seed ^ mixed(self.given)))
    }
}

/// Splitmix64: each number gives another.
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}
