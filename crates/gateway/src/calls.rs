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
//! - The store says of the call of such a caller that it is under way before anything is sent. So it is joined at another
//!   gateway, too, and where this process dies.
//! - Requests with the same `Idempotency-Key` are one call.
//! - An answer that was written is kept where its caller says when it asks again, by one or the other. Of the
//!   others nobody could tell a replay from a new call, so nothing is kept for them.
//! - Who asks for something else on a connection has read what was answered on it, unless a proxy did. Such an answer is
//!   kept while memory has room; it never goes into a file.
//! - What surely cost nothing is forgotten when it fails: the next request is a new call, also if it says
//!   that it is a replay. So is the one of a caller who was sent away before it was known what it asks for. And a call
//!   whose caller goes away before anything was sent never sends anything.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
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

/// How long a call may be under way.
const UNDER_WAY: Duration = Duration::from_secs(3600);
/// Of so many kinds of requests it is remembered that their callers were told that nothing was bought.
const MOST_TOLD: usize = 4096;
/// And so often of one.
const MOST_TOLD_ALIKE: usize = 64;
/// Within this time libraries send again what was sent away.
const SENT_AGAIN: Duration = Duration::from_secs(70);

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
    /// Cloned by each job that goes on, and by what is being written down.
    jobs: Arc<()>,
    /// What this process is called in notes.
    name: String,
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
    /// What the store says of it is read and written by one at a time.
    record: tokio::sync::Mutex<()>,
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
    /// Other processes know that it is under way, by the note of this number.
    noted: Option<u32>,
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
    /// It was not begun: the store does not say whether another process did this before.
    Unsaid,
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
    /// A hash of what was known of it before its body was read: others may have the same, so it says only whom it does not
    /// join here.
    pub(crate) head: Print,
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
            jobs: Arc::default(),
            name: format!("{:016x}", RandomState::new().hash_one(())),
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
            match joined {
                Joined::New(seat) => {
                    let asks_again = mark.again && seat.by != "told";
                    let Some(job) = self.take_other(print, asks_again).await else {
                        // A store that does not answer is no reason to buy again; others may wait with this one.
                        self.over(&seat.call, End::Unsaid);
                        return (Joined::Before(seat), None);
                    };
                    if job.is_some() {
                        self.0.metrics.joined("elsewhere");
                    }
                    return (Joined::New(seat), job);
                }
                // What others could take must not be taken twice.
                Joined::Before(seat) if seat.by == "left" && seat.call.state().written => {
                    let taken = self.take(print, Some(seat.call.id())).await;
                    // Here it is known, also where the store does not answer.
                    if taken.is_none_or(|it| it.is_some()) {
                        seat.call.state().written = false;
                        self.note_again(&seat.call).await;
                        return (Joined::Before(seat), None);
                    }
                    seat.call.state().gone = true;
                    self.forget(&seat.call);
                }
                Joined::Before(_) | Joined::Other => return (joined, None),
            }
        }
    }

    /// Takes what another process has left under a print or, for who says that it asks again, is at. `None` if the store
    /// does not answer.
    async fn take_other(&self, print: Print, asks_again: bool) -> Option<Option<String>> {
        let left = self.take(print, None).await?;
        if left.is_some() || !asks_again {
            return Some(left);
        }
        match self.take(under_way(print), None).await? {
            // One that is known here would have been joined, if it could be.
            Some(own) if own.contains(&format!("@{}#", self.0.name)) => {
                let left = self.leave(under_way(print), &own, UNDER_WAY).await;
                left.unwrap_or_else(|err| warn(&own, &err));
                Some(None)
            }
            Some(noted) => Some(noted.rsplit_once('@').map(|it| it.0.to_owned())),
            // What is left is written down before its note goes, so one of the three finds it.
            None => self.take(print, None).await,
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
        let may_be_told = left.is_none() && mark.again && mark.keyed.is_none();
        let told = may_be_told && self.was_told(print, self.0.window);
        let joins_nobody = told || (may_be_told && self.was_told(mark.head, SENT_AGAIN));
        let other = equal.iter().find(|it| !joins_nobody && it.takes(mark));
        let found = left.or(other).cloned();
        if let Some(call) = found {
            if mark.keyed.is_some() && call.body != mark.keyed {
                return Joined::Other;
            }
            let how = call.sit(mark);
            self.0.metrics.joined(how);
            return Joined::Before(Seat { call, calls: self.clone(), answered: false, by: how });
        }
        // Who comes for the first time was told nothing: that was somebody who has given up.
        if !mark.again && mark.keyed.is_none() {
            self.was_told(print, self.0.window);
        }
        let call = Arc::new(Call {
            id: OnceLock::new(),
            print,
            body: mark.keyed,
            state: Mutex::new(State { live: 1, repeats: mark.repeats(), ..State::default() }),
            ended: watch::Sender::new(false),
            settled: watch::Sender::new(None),
            canceller: OnceLock::new(),
            record: tokio::sync::Mutex::default(),
        });
        equal.push(Arc::clone(&call));
        let by = if told { "told" } else { "new" };
        Joined::New(Seat { call, calls: self.clone(), answered: false, by })
    }

    /// A caller of this print was told that nothing was bought.
    pub(crate) fn tell(&self, print: Print) {
        let mut told = self.told();
        if told.len() < MOST_TOLD {
            let times = told.entry(print).or_default();
            times.truncate(MOST_TOLD_ALIKE - 1);
            times.push(Instant::now());
        }
    }

    /// Whether a caller of this print was told that nothing was bought, and has not asked again since.
    fn was_told(&self, print: Print, window: Duration) -> bool {
        let mut told = self.told();
        let Some(times) = told.get_mut(&print) else { return false };
        let was = times.pop().is_some_and(|it| it.elapsed() <= window);
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

    /// Whoever stops waits for as long as this is held.
    pub(crate) fn busy(&self) -> Arc<()> {
        Arc::clone(&self.0.jobs)
    }

    /// Whether a job goes on, or something is still being written down.
    pub(crate) fn any_at_work(&self) -> bool {
        1 < Arc::strong_count(&self.0.jobs)
    }

    /// Stops all jobs; what they have ordered is written down.
    pub(crate) fn give_up(&self) {
        self.calls()
            .values()
            .flatten()
            .filter_map(|it| it.canceller.get())
            .for_each(|it| it.cancel());
    }

    /// Does something that nobody waits for; nothing where the process ends.
    fn beside(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let busy = self.busy();
            drop(runtime.spawn(async move {
                let _busy = busy;
                work.await;
            }));
        }
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

    /// Nobody joins it any more.
    pub(crate) fn forget(&self, call: &Arc<Call>) {
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

/// What stands for equal calls that are under way, beside those that were left.
fn under_way(print: Print) -> Print {
    !print
}

fn shown(print: Print) -> String {
    format!("{print:032x}")
}

/// Bytes of pictures that are in memory.
fn weight(end: Option<&End>) -> u64 {
    match end {
        Some(End::Made { images, .. }) => images.iter().map(Image::weight).sum(),
        Some(End::Shelved { .. } | End::Failed(_) | End::Unsaid | End::Reused) | None => 0,
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

    /// Its job is one that another process began, which may have sent an order.
    pub(crate) fn takes_over(&self) {
        self.state().sent = true;
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
            self.strike(call);
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
        let (mut over, mut kept, mut safe) = (false, 0, false);
        {
            let mut state = call.state();
            state.live = state.live.saturating_sub(1);
            state.answered |= self.answered;
            if self.answered {
                told = state
                    .end
                    .as_deref()
                    .is_some_and(|it| !it.is_to_be_kept() && !matches!(it, End::Unsaid));
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
                safe = state.answered && state.end.is_some();
                kept = if over { 0 } else { weight(state.end.as_deref()) };
            }
        }
        self.calls.keeps(kept);
        if told {
            self.calls.tell(call.print);
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
        if safe {
            self.calls.strike(&call);
        }
        if left || late {
            let calls = self.calls.clone();
            self.calls.beside(async move {
                match late {
                    true => calls.write_safe(&call).await,
                    false => calls.write_left(&call).await,
                }
            });
        }
    }
}

impl Calls {
    /// Lets who says that it asks again take a call at other processes, while it is under way or where this process dies.
    /// A key is kept by the store for itself, and of others nobody could tell a replay from a new call.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot write it, or another process has taken the call.
    pub(crate) async fn note(&self, call: &Call) -> repaint_core::Result<()> {
        let elsewhere = || {
            let message = "it was asked for again at another gateway, which waits for what was ordered; nothing \
                           more is ordered here";
            Error::new(ErrorKind::Unavailable, message)
        };
        let _one = call.record.lock().await;
        let (old, number) = {
            let state = call.state();
            if call.body.is_some() || !state.repeats || state.live == 0 || call.id().is_empty() {
                return Ok(());
            }
            if state.gone {
                return Err(elsewhere());
            }
            (state.noted, state.noted.map_or(0, |it| it + 1))
        };
        // At every moment one stands there. An old one that is not there any more was taken.
        let (print, note) = (under_way(call.print), self.note_of(call, number));
        self.leave(print, &note, UNDER_WAY).await?;
        call.state().noted = Some(number);
        if let Some(old) = old
            && self.take(print, Some(&self.note_of(call, old))).await == Some(None)
        {
            drop(self.take(print, Some(&note)).await);
            let mut state = call.state();
            (state.noted, state.gone) = (None, true);
            return Err(elsewhere());
        }
        Ok(())
    }

    /// The same for a call that was left and taken again, or begun elsewhere: it goes on whatever the store says.
    pub(crate) async fn note_again(&self, call: &Call) {
        if let Err(err) = self.note(call).await {
            warn(call.id(), &err);
        }
    }

    /// Each process has notes of its own of a job, which the others leave alone.
    fn note_of(&self, call: &Call, number: u32) -> String {
        format!("{}@{}#{number}", call.id(), self.0.name)
    }

    /// Nobody needs to know any more that a call was under way; or for the window only, where its outcome is unknown.
    fn strike(&self, call: &Arc<Call>) {
        if call.state().noted.is_none() {
            return;
        }
        let (calls, call) = (self.clone(), Arc::clone(call));
        self.beside(async move {
            let _one = call.record.lock().await;
            let (noted, lost) = {
                let mut state = call.state();
                let is_lost = |it: &End| matches!(it, End::Failed(it) if may_have_cost(it));
                (state.noted.take(), state.end.as_deref().is_some_and(is_lost))
            };
            let Some(number) = noted else { return };
            let (print, next) = (under_way(call.print), calls.note_of(&call, number + 1));
            if lost {
                let left = calls.leave(print, &next, Duration::ZERO).await;
                left.unwrap_or_else(|err| warn(call.id(), &err));
            }
            let taken = calls.take(print, Some(&calls.note_of(&call, number))).await;
            if lost && taken == Some(None) {
                drop(calls.take(print, Some(&next)).await);
            }
        });
    }

    /// Lets other processes take a call that was left.
    async fn write_left(&self, call: &Arc<Call>) {
        // A key is kept by the store for itself.
        if call.body.is_some() || call.id().is_empty() {
            self.0.metrics.left.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let one = call.record.lock().await;
        let left = self.leave(call.print, call.id(), Duration::ZERO).await;
        let is_written = left.is_ok();
        left.unwrap_or_else(|err| warn(call.id(), &err));
        let (noted, mut elsewhere) = (call.state().noted, false);
        if is_written && let Some(number) = noted {
            let note = self.note_of(call, number);
            elsewhere = self.take(under_way(call.print), Some(&note)).await == Some(None);
            call.state().noted = None;
        }
        // Not before others can take it.
        self.0.metrics.left.fetch_add(1, Ordering::Relaxed);
        let is_left = {
            let mut state = call.state();
            let is_left = state.live == 0 && !state.answered && !elsewhere;
            state.written = is_left && is_written;
            state.gone |= elsewhere;
            is_left
        };
        if is_left {
            return;
        }
        // Somebody has asked again: here, or at another process, which waits for it there.
        if is_written {
            drop(self.take(call.print, Some(call.id())).await);
        }
        drop(one);
        match elsewhere {
            true => self.forget(call),
            false => self.note_again(call).await,
        }
    }

    /// Lets others take a job by this print, for the window and some time more.
    async fn leave(&self, print: Print, job: &str, more: Duration) -> repaint_core::Result<()> {
        let Inner { store, client, window, .. } = &*self.0;
        let time = u64::try_from((*window + more).as_millis()).unwrap_or(u64::MAX);
        store.leave(&shown(print), job, client.now_ms().saturating_add(time)).await
    }

    /// Writes down that the pictures of a call are where its caller wants them.
    async fn write_safe(&self, call: &Call) {
        let end = call.state().end.clone();
        let (images, receipt): (Vec<&Image>, _) = match end.as_deref() {
            Some(End::Made { images, receipt, .. }) => (images.iter().collect(), receipt),
            Some(End::Shelved { shelf, receipt, .. }) => {
                (shelf.images.iter().map(|it| &it.image).collect(), receipt)
            }
            Some(End::Failed(_) | End::Unsaid | End::Reused) | None => return,
        };
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

fn warn(job: &str, err: &Error) {
    tracing::warn!("that job {job} can be taken is not written down: {}", err.message());
}

impl End {
    /// Whether somebody who asks again is to get it.
    fn is_to_be_kept(&self) -> bool {
        match self {
            Self::Made { .. } | Self::Shelved { .. } => true,
            Self::Failed(err) => may_have_cost(err),
            Self::Unsaid | Self::Reused => false,
        }
    }
}

/// Keeps an order from being sent for which nobody waits any more, or that other processes could not know of.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) calls: Calls,
    pub(crate) call: Arc<Call>,
}

#[async_trait]
impl Hooks for Gate {
    async fn calling(&self, _: &Calling<'_>) -> repaint_core::Result<()> {
        self.calls.note(&self.call).await?;
        let mut state = self.call.state();
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

    const SILENT: Mark = Mark { repeats: false, again: false, keyed: None, head: 9 };
    const PLAIN: Mark = Mark { repeats: true, ..SILENT };
    const AGAIN: Mark = Mark { again: true, ..PLAIN };

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
            Joined::Other => panic!("it is no call"),
        }
    }

    fn before(calls: &Calls, mark: Mark) -> Seat {
        match calls.join_here(1, mark) {
            Joined::Before(seat) => seat,
            _ => panic!("it did not join"),
        }
    }

    fn sends(seat: &Seat) {
        seat.call.state().sent = true;
    }

    fn failed(kind: ErrorKind) -> End {
        End::Failed(Error::new(kind, "it failed"))
    }

    fn at(store: Arc<dyn Store>) -> Calls {
        let client = Client::builder().without_environment().build().expect("a client");
        Calls::new(Duration::from_secs(60), 1 << 20, Arc::default(), store, client)
    }

    /// The job of an equal call that another process began or left.
    async fn other(calls: &Calls, mark: Mark) -> (Seat, Option<String>) {
        match calls.join(1, mark).await {
            (Joined::New(seat), job) => (seat, job),
            (Joined::Before(_) | Joined::Other, _) => panic!("it is known here"),
        }
    }

    async fn written(calls: &Calls) {
        while calls.any_at_work() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_call_that_is_under_way_is_taken_by_replays_alone_and_by_each_process_for_itself() {
        let store: Arc<dyn Store> = Arc::new(repaint_store::Memory::new());
        let [a, b, c] = [(); 3].map(|()| at(Arc::clone(&store)));
        let mut first = new(&a, PLAIN, "job");
        a.note(&first.call).await.expect("written");
        sends(&first);
        assert_eq!(
            other(&b, PLAIN).await.1,
            None,
            "two who do not say that they ask again are two"
        );
        let (second, job) = other(&b, AGAIN).await;
        assert_eq!(job.as_deref(), Some("job"));
        second.call.begun("job", CancellationToken::default());
        second.call.takes_over();
        b.note_again(&second.call).await;
        // What the first process does then is its own.
        assert!(a.note(&first.call).await.is_err(), "it orders no more");
        a.over(&first.call, failed(ErrorKind::OutcomeUnknown));
        first.answered();
        drop(first);
        written(&a).await;
        let (third, job) = other(&c, AGAIN).await;
        assert_eq!(job.as_deref(), Some("job"), "the second may have been killed");
        drop(third);
        // The second is left, and others know that the third has it.
        drop(second);
        written(&b).await;
        assert_eq!(other(&a, PLAIN).await.1, None);
    }

    #[tokio::test]
    async fn who_was_sent_away_unread_joins_nobody_here_and_still_what_is_under_way_elsewhere() {
        let store: Arc<dyn Store> = Arc::new(repaint_store::Memory::new());
        let [a, b] = [(); 2].map(|()| at(Arc::clone(&store)));
        let first = new(&a, PLAIN, "job");
        a.note(&first.call).await.expect("written");
        a.tell(AGAIN.head);
        assert_eq!(other(&a, AGAIN).await.1, None, "it is of another");
        assert_eq!(before(&a, AGAIN).call.id(), "job");
        b.tell(AGAIN.head);
        assert_eq!(other(&b, AGAIN).await.1.as_deref(), Some("job"), "the first may be dead");
    }

    #[tokio::test]
    async fn each_order_of_a_call_needs_its_note() {
        let store: Arc<dyn Store> = Arc::new(repaint_store::Memory::new());
        let [a, b] = [(); 2].map(|()| at(Arc::clone(&store)));
        let first = new(&a, PLAIN, "job");
        for _ in 0..3 {
            a.note(&first.call).await.expect("written");
        }
        assert_eq!(other(&b, AGAIN).await.1.as_deref(), Some("job"));
        assert_eq!(other(&b, AGAIN).await.1, None, "it stands there once");
        for _ in 0..2 {
            assert!(a.note(&first.call).await.is_err(), "whoever took it counts on that");
        }
        assert_eq!(other(&b, AGAIN).await.1, None);
    }

    #[tokio::test]
    async fn what_is_left_is_no_more_under_way_and_what_was_answered_is_neither() {
        let store: Arc<dyn Store> = Arc::new(repaint_store::Memory::new());
        let [a, b, c] = [(); 3].map(|()| at(Arc::clone(&store)));
        let first = new(&a, PLAIN, "job");
        a.note(&first.call).await.expect("written");
        sends(&first);
        drop(first);
        written(&a).await;
        assert_eq!(other(&b, PLAIN).await.1.as_deref(), Some("job"));
        assert_eq!(other(&b, AGAIN).await.1, None, "it was taken");
        let mut first = new(&c, PLAIN, "next");
        c.note(&first.call).await.expect("written");
        c.over(&first.call, failed(ErrorKind::Unavailable));
        first.answered();
        drop(first);
        written(&c).await;
        assert_eq!(other(&b, AGAIN).await.1, None);
    }

    #[tokio::test]
    async fn a_store_that_does_not_answer_is_no_reason_to_buy_again_and_nobody_waits_for_ever() {
        let calls = at(Arc::new(crate::deaf::Deaf));
        let asks = calls.join(1, AGAIN);
        let (Joined::Before(seat), None) = asks.await else { panic!("it is not known") };
        assert!(matches!(*seat.call.end().await, End::Unsaid));
        drop(seat);
        assert_eq!(calls.count().0, 0);
        assert!(!calls.was_told(1, Duration::MAX), "nobody knows that nothing was bought");
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
        // Another was sent away before its body was read.
        calls.tell(AGAIN.head);
        let _third = new(&calls, AGAIN, "3");
        assert_eq!(before(&calls, AGAIN).call.id(), "other", "and so was that");
    }

    #[test]
    fn a_key_is_one_call_and_stands_for_one_body() {
        let calls = calls();
        let keyed = |body| Mark { keyed: Some(body), ..SILENT };
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
