//! Calls that are under way or over, and who may join them: so that a library that asks again by itself
//! buys nothing twice.
//!
//! Libraries give up after a minute, break the connection and send the same request again. Such a replay
//! joins the first call. Two equal requests whose callers both wait are two calls. In words:
//!
//! - A call is *left* when nobody waits for it any more, an order was sent, and its answer was not fully
//!   written. It orders no more. An equal request of the same caller takes it, also at another gateway
//!   with the same store.
//! - A request that says that it is a replay (`x-stainless-retry-count` of 1 or more) also joins a call
//!   whose caller still seems to wait, or whose answer was written and evidently did not arrive.
//! - Requests with the same `Idempotency-Key` are one call.
//! - An answer that was written is kept where its caller says when it asks again, by one or the other. Of the
//!   others nobody could tell a replay from a new call, so nothing is kept for them.
//! - Who asks for something else on a connection has read what was answered on it, unless a proxy did. Such an answer is
//!   kept while memory has room; it never goes into a file.
//! - What surely cost nothing is forgotten when it fails: the next request is a new call, also if it says
//!   that it is a replay. And a call whose
//!   caller goes away before anything was sent never sends anything.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use repaint_client::{CancellationToken, Client};
use repaint_core::{Error, ErrorKind, Image, Receipt, Store, SubmitState};
use repaint_router::{Calling, Hooks};
use tokio::sync::{Notify, OwnedSemaphorePermit, watch};

use crate::budget::Budget;
use crate::fault::may_have_cost;
use crate::metrics::Metrics;
use crate::shelf::Shelf;

/// What tells equal requests of one caller: a keyed hash of the caller and of all that is asked for.
pub(crate) type Print = u128;

/// All calls that somebody may join.
#[derive(Clone, Debug)]
pub(crate) struct Calls(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    calls: Mutex<BTreeMap<Print, Vec<Arc<Call>>>>,
    /// When callers were told that nothing was bought, by what they asked for.
    told: Mutex<BTreeMap<Print, Vec<Instant>>>,
    window: Duration,
    kept: u64,
    metrics: Arc<Metrics>,
    store: Arc<dyn Store>,
    client: Client,
    /// Bytes of pictures that nobody has waited for since it was tidied last.
    more: AtomicU64,
    /// Told when those are many.
    pressed: Notify,
}

/// A call: a job, and those who wait for what comes of it.
#[derive(Debug)]
pub(crate) struct Call {
    id: OnceLock<String>,
    print: Print,
    /// What is asked for, where the print is that of a key.
    body: Option<Print>,
    state: Mutex<State>,
    ended: watch::Sender<bool>,
    /// Whether the answer was written, when it is known, or nobody waits for it.
    settled: watch::Sender<Option<bool>>,
    canceller: OnceLock<CancellationToken>,
}

#[derive(Debug, Default)]
struct State {
    /// How many wait for the answer, or read it.
    live: u32,
    /// An order is on its way, or was.
    sent: bool,
    /// Nobody waits, and nothing was sent: nothing will be.
    dropped: bool,
    /// The answer was fully written at least once.
    answered: bool,
    /// It was read, too, at the other end of the connection.
    arrived: bool,
    /// How many have come back for it.
    sat: u32,
    end: Option<Arc<End>>,
    /// Other processes can take it, since the store says that it was left.
    written: bool,
    /// Another process has taken it.
    gone: bool,
    /// When the last one went.
    alone: Option<Instant>,
    /// Its pictures are being put away.
    shelving: bool,
    /// Somebody who waits for it, or did, says when they ask again.
    repeats: bool,
}

/// What came of a call.
#[derive(Debug)]
pub(crate) enum End {
    Made {
        images: Vec<Image>,
        receipt: Box<Receipt>,
        created: u64,
    },
    /// Made, and put away until somebody takes them.
    Shelved {
        shelf: Shelf,
        receipt: Box<Receipt>,
        created: u64,
    },
    Failed(Error),
    /// The caller's key stands for another request, which another gateway or the store knows.
    Reused,
}

/// Where a request comes in.
pub(crate) enum Joined {
    /// Nobody did this before: its job is to be begun.
    New(Seat),
    /// Somebody did.
    Before(Seat),
    /// The key stands for something else.
    Other,
}

/// One who waits for a call, and tells it when that is over.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) call: Arc<Call>,
    calls: Calls,
    answered: bool,
    /// By what it was known that it joins.
    by: &'static str,
}

/// What a request says of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    /// It says whether it was sent before.
    pub(crate) repeats: bool,
    /// It says that it was.
    pub(crate) again: bool,
    /// It has a key, and so is one with all that have it; what is asked for must be the same.
    pub(crate) keyed: Option<Print>,
}

impl Mark {
    fn repeats(self) -> bool {
        self.repeats || self.keyed.is_some()
    }
}

impl Calls {
    pub(crate) fn new(
        window: Duration,
        kept: u64,
        metrics: Arc<Metrics>,
        store: Arc<dyn Store>,
        client: Client,
    ) -> Self {
        Self(Arc::new(Inner {
            calls: Mutex::default(),
            told: Mutex::default(),
            window,
            kept,
            metrics,
            store,
            client,
            more: AtomicU64::new(0),
            pressed: Notify::new(),
        }))
    }

    /// Joins an equal call of this process, or one that another process with the same store has left, or
    /// begins one. Of what another has left comes the id of the job.
    pub(crate) async fn join(&self, print: Print, mark: Mark) -> (Joined, Option<String>) {
        loop {
            let joined = self.join_here(print, mark);
            // A key is kept by the store for itself.
            if mark.keyed.is_some() {
                return (joined, None);
            }
            match &joined {
                Joined::New(_) => {
                    let job = self.take(print, None).await.unwrap_or_default();
                    if job.is_some() {
                        self.0.metrics.joined("elsewhere");
                    }
                    return (joined, job);
                }
                // What others could take must not be taken twice.
                Joined::Before(seat) if seat.by == "left" && seat.call.state().written => {
                    let taken = self.take(print, Some(seat.call.id())).await;
                    // A store that does not answer is no reason to buy again.
                    if taken.is_none_or(|it| it.is_some()) {
                        seat.call.state().written = false;
                        return (joined, None);
                    }
                    seat.call.state().gone = true;
                    self.forget(&seat.call);
                }
                Joined::Before(_) | Joined::Other => return (joined, None),
            }
        }
    }

    /// Takes what was left under a print: a certain job, or any. `None` if the store does not answer.
    async fn take(&self, print: Print, job: Option<&str>) -> Option<Option<String>> {
        let Inner { store, client, .. } = &*self.0;
        let (print, now) = (shown(print), client.now_ms());
        match store.take(&print, job, now).await {
            Ok(found) => Some(found),
            Err(err) => {
                tracing::warn!("what was left is not known: {}", err.message());
                None
            }
        }
    }

    /// Joins an equal call of this process, or begins one.
    fn join_here(&self, print: Print, mark: Mark) -> Joined {
        let mut calls = self.calls();
        let equal = calls.entry(print).or_default();
        let left = equal.iter().find(|it| it.is_left());
        // Who was told that nothing was bought asks again for that, not for what another waits for.
        let told = left.is_none() && mark.again && mark.keyed.is_none() && self.was_told(print);
        let other = equal.iter().find(|it| !told && it.takes(mark));
        let found = left.or(other).cloned();
        if let Some(call) = found {
            if mark.keyed.is_some() && call.body != mark.keyed {
                return Joined::Other;
            }
            let how = call.sit(mark);
            self.0.metrics.joined(how);
            return Joined::Before(Seat { call, calls: self.clone(), answered: false, by: how });
        }
        let call = Arc::new(Call {
            id: OnceLock::new(),
            print,
            body: mark.keyed,
            state: Mutex::new(State { live: 1, repeats: mark.repeats(), ..State::default() }),
            ended: watch::Sender::new(false),
            settled: watch::Sender::new(None),
            canceller: OnceLock::new(),
        });
        equal.push(Arc::clone(&call));
        Joined::New(Seat { call, calls: self.clone(), answered: false, by: "new" })
    }

    /// Whether a caller of this print was told that nothing was bought, and has not asked again since.
    fn was_told(&self, print: Print) -> bool {
        let mut told = self.told();
        let Some(times) = told.get_mut(&print) else { return false };
        let was = times.pop().is_some_and(|it| it.elapsed() <= self.0.window);
        if times.is_empty() {
            told.remove(&print);
        }
        was
    }

    fn told(&self) -> MutexGuard<'_, BTreeMap<Print, Vec<Instant>>> {
        self.0.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Comes when it should be tidied before its time.
    pub(crate) async fn pressed(&self) {
        self.0.pressed.notified().await;
    }

    /// Forgets what was kept long enough, and puts the oldest pictures beyond the limit into files; those that arrived
    /// are forgotten. Where files have no room, so are answers that were written, and others stay in memory.
    pub(crate) fn tidy(&self, files: &Budget) {
        self.0.more.store(0, Ordering::Relaxed);
        let window = self.0.window;
        self.told().retain(|_, times| {
            times.retain(|it| it.elapsed() <= window);
            !times.is_empty()
        });
        let mut calls = self.calls();
        for equal in calls.values_mut() {
            equal.retain(|it| !it.is_old(window));
        }
        let kept = kept(&calls);
        if self.0.kept < kept {
            // More than is over: each time wakes somebody.
            let mut over = kept - self.0.kept / 2;
            let alone = |it: &&Arc<Call>| it.state().live == 0 && 0 < it.weight();
            let mut oldest: Vec<Arc<Call>> =
                calls.values().flatten().filter(alone).cloned().collect();
            oldest.sort_by_key(|it| it.state().alone);
            let mut shelved = Vec::new();
            for call in oldest {
                if over == 0 {
                    break;
                }
                let weight = call.weight();
                let room = if call.has_arrived() { None } else { files.try_count(weight) };
                match room {
                    Some(room) => shelved.push((call, room)),
                    None if call.was_answered() => {
                        if let Some(equal) = calls.get_mut(&call.print) {
                            equal.retain(|it| !Arc::ptr_eq(it, &call));
                        }
                    }
                    None => continue,
                }
                over = over.saturating_sub(weight);
            }
            shelve(shelved);
        }
        calls.retain(|_, it| !it.is_empty());
    }

    /// Whether a job goes on.
    pub(crate) fn any_at_work(&self) -> bool {
        self.calls().values().flatten().any(|it| it.state().end.is_none())
    }

    /// How many calls are known, and how many bytes of pictures nobody waits for.
    pub(crate) fn count(&self) -> (usize, u64) {
        let calls = self.calls();
        (calls.values().map(Vec::len).sum(), kept(&calls))
    }

    /// So many more bytes are kept; many of them are not left till it is tidied the next time.
    fn keeps(&self, bytes: u64) {
        let inner = &self.0;
        if 0 < bytes && inner.kept / 4 <= inner.more.fetch_add(bytes, Ordering::Relaxed) + bytes {
            inner.pressed.notify_one();
        }
    }

    fn forget(&self, call: &Arc<Call>) {
        let mut calls = self.calls();
        if let Some(equal) = calls.get_mut(&call.print) {
            equal.retain(|it| !Arc::ptr_eq(it, call));
            if equal.is_empty() {
                calls.remove(&call.print);
            }
        }
    }

    fn calls(&self) -> MutexGuard<'_, BTreeMap<Print, Vec<Arc<Call>>>> {
        self.0.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shown(print: Print) -> String {
    format!("{print:032x}")
}

/// Bytes of pictures that are in memory.
fn weight(end: Option<&End>) -> u64 {
    match end {
        Some(End::Made { images, .. }) => images.iter().map(Image::weight).sum(),
        Some(End::Shelved { .. } | End::Failed(_) | End::Reused) | None => 0,
    }
}

/// Puts the pictures of calls into files, beside what else is done.
fn shelve(calls: Vec<(Arc<Call>, OwnedSemaphorePermit)>) {
    let work = move || calls.into_iter().for_each(|(call, room)| call.shelve(room));
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(work)),
        Err(_) => work(),
    }
}

/// Bytes of pictures that nobody waits for.
fn kept(calls: &BTreeMap<Print, Vec<Arc<Call>>>) -> u64 {
    calls.values().flatten().filter(|it| it.state().live == 0).map(|it| it.weight()).sum()
}

impl Call {
    /// Whether a request joins this one.
    fn takes(&self, mark: Mark) -> bool {
        let state = self.state();
        !state.dropped && !state.gone && (mark.again || mark.keyed.is_some())
    }

    /// Whether nobody waits for it, and nobody got the answer.
    fn is_left(&self) -> bool {
        let state = self.state();
        !state.dropped && !state.gone && state.live == 0 && !state.answered
    }

    /// Puts its pictures into a file; waits for the disk.
    fn shelve(&self, room: OwnedSemaphorePermit) {
        let end = {
            let mut state = self.state();
            match state.end.clone() {
                Some(end) if !state.shelving && matches!(*end, End::Made { .. }) => {
                    state.shelving = true;
                    end
                }
                Some(_) | None => return,
            }
        };
        let End::Made { images, receipt, created } = &*end else { return };
        let shelf = Shelf::new(images, room);
        let mut state = self.state();
        state.shelving = false;
        match shelf {
            // Somebody has come back for them meanwhile.
            Ok(_) if 0 < state.live => {}
            Ok(shelf) => {
                let (receipt, created) = (receipt.clone(), *created);
                state.end = Some(Arc::new(End::Shelved { shelf, receipt, created }));
            }
            Err(err) => tracing::warn!("pictures cannot be put into a file: {err}"),
        }
    }

    /// One more waits; says by what it was known.
    fn sit(&self, mark: Mark) -> &'static str {
        let mut state = self.state();
        // Whoever comes back for it has not got it.
        state.arrived = false;
        state.sat += 1;
        let left = state.live == 0 && !state.answered;
        state.live += 1;
        state.repeats |= mark.repeats();
        match (mark.keyed, left) {
            (Some(_), _) => "key",
            (None, true) => "left",
            (None, false) => "marked",
        }
    }

    /// Its job begins.
    pub(crate) fn begun(&self, id: &str, canceller: CancellationToken) {
        let _ = self.id.set(id.to_owned());
        let _ = self.canceller.set(canceller);
    }

    /// Whether somebody stopped its job.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.canceller.get().is_some_and(CancellationToken::is_cancelled)
    }

    /// The id of its job; nothing before that begins.
    pub(crate) fn id(&self) -> &str {
        self.id.get().map_or("", String::as_str)
    }

    /// Whether the answer was written, as soon as that is known or nobody waits for it any more. Then
    /// whoever writes it later says so in the store.
    pub(crate) async fn settled(&self) -> bool {
        // The sender is in this very call.
        self.settled.subscribe().wait_for(Option::is_some).await.is_ok_and(|it| *it == Some(true))
    }

    /// What came of it, when it is known.
    pub(crate) async fn end(&self) -> Arc<End> {
        let mut ended = self.ended.subscribe();
        loop {
            if let Some(end) = &self.state().end {
                return Arc::clone(end);
            }
            // The sender is in this very call.
            let _ = ended.wait_for(|it| *it).await;
        }
    }

    /// Nobody but the last seat writes down that the pictures are safe.
    pub(crate) fn released(&self) {
        self.settled.send_if_modified(|it| it.replace(it.unwrap_or(false)).is_none());
    }

    fn is_old(&self, window: Duration) -> bool {
        let state = self.state();
        let alone = state.live == 0 && state.alone.is_some_and(|it| window < it.elapsed());
        alone && state.end.is_some()
    }

    /// Whether its answer is to be kept for who asks again.
    pub(crate) fn repeats(&self) -> bool {
        self.state().repeats
    }

    /// How many have come back for it so far.
    pub(crate) fn sat(&self) -> u32 {
        self.state().sat
    }

    /// Somebody asks for something else on the connection on which it was answered. It says nothing of the answers
    /// to those who came back for it since.
    pub(crate) fn arrived(&self, sat: u32) {
        let mut state = self.state();
        state.arrived |= state.sat == sat;
    }

    /// Whether its answer was read; what has a key is kept for whoever has that.
    fn has_arrived(&self) -> bool {
        let state = self.state();
        state.live == 0 && state.answered && state.arrived && self.body.is_none()
    }

    fn was_answered(&self) -> bool {
        let state = self.state();
        state.live == 0 && state.answered
    }

    fn weight(&self) -> u64 {
        weight(self.state().end.as_deref())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Calls {
    /// What came of a job. What surely cost nothing is forgotten, so that it can be asked for anew.
    pub(crate) fn over(&self, call: &Arc<Call>, end: End) {
        let free = !end.is_to_be_kept();
        let mut kept = 0;
        {
            let mut state = call.state();
            state.end = Some(Arc::new(end));
            if state.live == 0 {
                state.alone.get_or_insert_with(Instant::now);
                kept = weight(state.end.as_deref());
            }
        }
        self.keeps(kept);
        call.ended.send_replace(true);
        if free {
            self.forget(call);
        }
    }
}

impl Seat {
    /// The last byte of the answer is handed to the connection.
    pub(crate) fn answered(&mut self) {
        self.answered = true;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let (call, inner) = (Arc::clone(&self.call), &self.calls.0);
        let (mut spared, mut left, mut late, mut told) = (false, false, false, false);
        let (mut over, mut kept) = (false, 0);
        {
            let mut state = call.state();
            state.live = state.live.saturating_sub(1);
            state.answered |= self.answered;
            if self.answered {
                told = state.end.as_deref().is_some_and(|it| !it.is_to_be_kept());
                // It was given up before, so nobody waits to write it down.
                late = call.settled.send_replace(Some(true)) == Some(false);
            }
            if state.live == 0 {
                state.alone = Some(Instant::now());
                call.settled.send_if_modified(|it| it.replace(it.unwrap_or(false)).is_none());
                if !state.answered && !state.sent && state.end.is_none() {
                    (state.dropped, spared) = (true, true);
                } else {
                    let keeps = state.end.as_deref().is_none_or(End::is_to_be_kept);
                    left = !state.answered && !state.gone && keeps;
                }
                over = state.answered && !state.repeats;
                kept = if over { 0 } else { weight(state.end.as_deref()) };
            }
        }
        self.calls.keeps(kept);
        if told {
            self.calls.told().entry(call.print).or_default().push(Instant::now());
        }
        if spared {
            inner.metrics.spared.fetch_add(1, Ordering::Relaxed);
            if let Some(canceller) = call.canceller.get() {
                canceller.cancel();
            }
        }
        if spared || over {
            self.calls.forget(&call);
        }
        if left || late {
            let calls = self.calls.clone();
            beside(async move {
                match late {
                    true => calls.write_safe(&call).await,
                    false => calls.write_left(&call).await,
                }
            });
        }
    }
}

/// Does something that nobody waits for; nothing where the process ends.
fn beside(work: impl Future<Output = ()> + Send + 'static) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        drop(runtime.spawn(work));
    }
}

impl Calls {
    /// Lets other processes take a call that was left.
    async fn write_left(&self, call: &Call) {
        // A key is kept by the store for itself.
        if call.body.is_none() && !call.id().is_empty() {
            self.leave(&shown(call.print), call.id()).await;
        }
        // Not before others can take it.
        self.0.metrics.left.fetch_add(1, Ordering::Relaxed);
        if call.body.is_some() {
            return;
        }
        let is_left = {
            let mut state = call.state();
            let is_left = state.live == 0 && !state.answered;
            state.written = is_left;
            is_left
        };
        // Somebody here was faster.
        if !is_left {
            drop(self.take(call.print, Some(call.id())).await);
        }
    }

    async fn leave(&self, print: &str, job: &str) {
        let Inner { store, client, window, .. } = &*self.0;
        let window = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
        let until = client.now_ms().saturating_add(window);
        if let Err(err) = store.leave(print, job, until).await {
            tracing::warn!("job {job} was left, which is not written down: {}", err.message());
        }
    }

    /// Writes down that the pictures of a call are where its caller wants them.
    async fn write_safe(&self, call: &Call) {
        let end = call.state().end.clone();
        let Some(End::Made { images, receipt, .. }) = end.as_deref() else { return };
        let Inner { store, client, .. } = &*self.0;
        let addresses: Vec<String> = images.iter().filter_map(|it| it.address.clone()).collect();
        for id in &receipt.orders {
            let write = async {
                let Some(mut order) = store.get(id).await? else { return Ok(()) };
                let now = client.now_ms();
                (order.updated_ms, order.held_until_ms) = (now, now);
                (order.state, order.paths) = (SubmitState::Safe, addresses.clone());
                store.write(&order).await
            };
            if let Err(err) = write.await {
                tracing::warn!("that order {id} is safe is not written down: {}", err.message());
            }
        }
    }
}

impl End {
    /// Whether somebody who asks again is to get it.
    fn is_to_be_kept(&self) -> bool {
        match self {
            Self::Made { .. } | Self::Shelved { .. } => true,
            Self::Failed(err) => may_have_cost(err),
            Self::Reused => false,
        }
    }
}

/// Keeps an order from being sent for which nobody waits any more.
#[derive(Debug)]
pub(crate) struct Gate(pub(crate) Arc<Call>);

impl Hooks for Gate {
    fn calling(&self, _: &Calling<'_>) -> repaint_core::Result<()> {
        let mut state = self.0.state();
        // Whoever takes a call that was left, here or elsewhere, counts on that it orders no more.
        if state.live == 0 {
            let message = "the caller went away before the order was sent; nothing was bought";
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        state.sent = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENT: Mark = Mark { repeats: false, again: false, keyed: None };
    const PLAIN: Mark = Mark { repeats: true, again: false, keyed: None };
    const AGAIN: Mark = Mark { repeats: true, again: true, keyed: None };

    fn calls_for(window: Duration) -> Calls {
        let client = Client::builder().without_environment().build().expect("a client");
        let store = Arc::new(repaint_store::Memory::new());
        Calls::new(window, 1 << 20, Arc::default(), store, client)
    }

    fn calls() -> Calls {
        calls_for(Duration::from_secs(60))
    }

    fn new(calls: &Calls, mark: Mark, id: &str) -> Seat {
        let joined = calls.join_here(1, mark);
        match joined {
            Joined::New(seat) => {
                let _ = seat.call.id.set(id.to_owned());
                seat
            }
            Joined::Before(seat) => panic!("it joined {}", seat.call.id()),
            Joined::Other => panic!("the key stands for something else"),
        }
    }

    fn before(calls: &Calls, mark: Mark) -> Seat {
        match calls.join_here(1, mark) {
            Joined::Before(seat) => seat,
            Joined::New(_) | Joined::Other => panic!("it did not join"),
        }
    }

    fn sends(seat: &Seat) {
        seat.call.state().sent = true;
    }

    fn failed(kind: ErrorKind) -> End {
        End::Failed(Error::new(kind, "it failed"))
    }

    #[test]
    fn two_callers_who_wait_are_two_calls_unless_one_says_that_it_asks_again() {
        let calls = calls();
        let first = new(&calls, PLAIN, "1");
        sends(&first);
        let _second = new(&calls, PLAIN, "2");
        assert_eq!(before(&calls, AGAIN).call.id(), "1");
    }

    #[test]
    fn who_asks_again_for_what_was_left_gets_it_once() {
        let calls = calls();
        let first = new(&calls, PLAIN, "1");
        sends(&first);
        drop(first);
        let again = before(&calls, PLAIN);
        assert_eq!(again.call.id(), "1");
        let _third = new(&calls, PLAIN, "3");
        drop(again);
        assert_eq!(before(&calls, PLAIN).call.id(), "1", "it was left again");
    }

    #[test]
    fn nothing_is_sent_for_a_caller_who_has_gone() {
        let calls = calls();
        let first = new(&calls, PLAIN, "1");
        let call = Arc::clone(&first.call);
        drop(first);
        assert!(call.state().dropped && calls.count().0 == 0);
        let _second = new(&calls, PLAIN, "2");
    }

    #[test]
    fn a_written_answer_is_given_again_only_to_who_says_that_it_asks_again() {
        let calls = calls();
        let mut first = new(&calls, PLAIN, "1");
        sends(&first);
        calls.over(&first.call, failed(ErrorKind::OutcomeUnknown));
        first.answered();
        drop(first);
        assert_eq!(before(&calls, AGAIN).call.id(), "1");
        let _second = new(&calls, PLAIN, "2");
    }

    #[test]
    fn nothing_is_kept_for_who_never_says_that_it_asks_again() {
        let calls = calls();
        let outcome = || failed(ErrorKind::OutcomeUnknown);
        let mut first = new(&calls, SILENT, "1");
        sends(&first);
        calls.over(&first.call, outcome());
        first.answered();
        drop(first);
        assert_eq!(calls.count().0, 0);
        // What was not written is another thing: an equal call takes it.
        let second = new(&calls, SILENT, "2");
        sends(&second);
        calls.over(&second.call, outcome());
        drop(second);
        let mut again = before(&calls, AGAIN);
        assert_eq!(again.call.id(), "2");
        again.answered();
        drop(again);
        assert_eq!(before(&calls, AGAIN).call.id(), "2", "this one does say it");
    }

    #[test]
    fn what_surely_cost_nothing_can_be_asked_for_anew() {
        let calls = calls();
        let first = new(&calls, PLAIN, "1");
        sends(&first);
        calls.over(&first.call, failed(ErrorKind::Unavailable));
        drop(first);
        let second = new(&calls, AGAIN, "2");
        sends(&second);
        calls.over(&second.call, failed(ErrorKind::OutcomeUnknown));
        drop(second);
        assert_eq!(before(&calls, PLAIN).call.id(), "2", "this one may have cost something");
    }

    #[test]
    fn who_was_told_that_nothing_was_bought_joins_nobody_who_waits() {
        let calls = calls();
        let other = new(&calls, PLAIN, "other");
        sends(&other);
        let mut first = new(&calls, PLAIN, "1");
        sends(&first);
        calls.over(&first.call, failed(ErrorKind::Exhausted));
        first.answered();
        drop(first);
        let _second = new(&calls, AGAIN, "2");
        assert_eq!(before(&calls, AGAIN).call.id(), "other", "that was for one request");
    }

    #[test]
    fn a_key_is_one_call_and_stands_for_one_body() {
        let calls = calls();
        let keyed = |body| Mark { repeats: false, again: false, keyed: Some(body) };
        let mut first = new(&calls, keyed(7), "1");
        sends(&first);
        assert_eq!(before(&calls, keyed(7)).call.id(), "1");
        assert!(matches!(calls.join_here(1, keyed(8)), Joined::Other));
        calls.over(&first.call, failed(ErrorKind::OutcomeUnknown));
        first.answered();
        drop(first);
        assert_eq!(before(&calls, keyed(7)).call.id(), "1", "it is answered again");
    }

    #[test]
    fn what_is_kept_is_forgotten_in_time_and_beyond_the_limit() {
        let calls = calls_for(Duration::ZERO);
        let first = new(&calls, PLAIN, "1");
        sends(&first);
        calls.over(&first.call, failed(ErrorKind::OutcomeUnknown));
        calls.tidy(&Budget::new(1 << 20));
        assert_eq!(calls.count().0, 1, "somebody waits");
        drop(first);
        std::thread::sleep(Duration::from_millis(1));
        calls.tidy(&Budget::new(1 << 20));
        assert_eq!(calls.count().0, 0);
    }
}
