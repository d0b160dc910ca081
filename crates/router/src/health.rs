//! Which offers work, which rest, and how fast each is, as far as this process has seen it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use repaint_core::{ErrorKind, Rate};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;

use crate::latency::{Latency, Times};

/// What is known of each offer from its own traffic. Clones share it; it measures by tokio's clock.
///
/// An offer that fails again and again rests: its circuit is open. Then one job tries it, and what
/// becomes of that decides. It rests, too, for as long as the provider says, and while as many orders
/// are on their way as it takes at a time.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    rules: Rules,
    offers: Mutex<BTreeMap<String, Entry>>,
    /// Told whenever an order has ended, so that those who wait look again.
    freed: Notify,
}

/// When an offer rests, and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// After so many failures on end it rests.
    pub failures: u32,
    /// So long at first; twice as long after each failed try.
    pub rest: Duration,
    /// And never longer than this.
    pub longest: Duration,
    /// After this time, what was measured counts half.
    pub half_life: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            failures: 5,
            rest: Duration::from_secs(30),
            longest: Duration::from_secs(300),
            half_life: Duration::from_secs(600),
        }
    }
}

/// What is known at one moment; a plan is made from it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// By the offer's id; an offer without traffic is not there.
    pub offers: BTreeMap<String, Known>,
}

/// What is known of one offer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Known {
    /// Why it is not tried before others.
    pub rests: Option<Rest>,
    /// How long it takes, if that is known of late.
    pub latency: Option<Latency>,
}

/// Why an offer rests, and how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rest {
    /// Why.
    pub why: Why,
    /// How long still; nobody knows it of one that is busy.
    pub left: Option<Duration>,
    /// How it failed last, if it rests for that.
    pub last: Option<Failure>,
}

/// How an offer failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Failure {
    /// The kind of the error.
    pub kind: ErrorKind,
    /// The provider's HTTP status, if it answered.
    pub status: Option<u16>,
}

/// Why an offer rests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Why {
    /// It failed again and again.
    Failing,
    /// The provider said to wait.
    Limited,
    /// As many orders are on their way as it takes at a time.
    Busy,
}

/// How many orders may be on their way.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Caps {
    /// Of the offer.
    pub(crate) own: Option<u32>,
    /// Of its provider, all offers together.
    pub(crate) provider: Option<u32>,
}

/// How an order ended, for its offer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// The offer works.
    Works(Duration),
    /// The offer failed.
    Fails(Failure),
    /// The provider says to wait; it works.
    Wait(Duration),
    /// It says nothing of the offer.
    Nothing,
}

#[derive(Debug, Default)]
struct Entry {
    failures: u32,
    last: Option<Failure>,
    open: Option<Open>,
    limited: Option<Instant>,
    in_flight: u32,
    caps: Caps,
    times: Times,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    until: Instant,
    rest: Duration,
    /// Whether one job tries it at this moment.
    tried: bool,
}

/// Leave to send one order. Dropped without a verdict, it says nothing of the offer.
#[derive(Debug)]
pub(crate) struct Slot {
    health: Health,
    offer: String,
    probe: bool,
    verdict: Verdict,
}

impl Health {
    /// Nothing is known yet; other rules hold.
    pub fn new(rules: Rules) -> Self {
        Self(Arc::new(Shared { rules, ..Shared::default() }))
    }

    /// What is known now.
    pub fn snapshot(&self) -> Snapshot {
        let (now, half_life) = (Instant::now(), self.0.rules.half_life);
        let offers = self.offers();
        let busy = |offer: &str, it: &Entry| it.is_full(in_flight(&offers, offer));
        let known = |(offer, it): (&String, &Entry)| {
            let rests = it.rests(now, busy(offer, it));
            (offer.clone(), Known { rests, latency: it.times.latency(now, half_life) })
        };
        Snapshot { offers: offers.iter().map(known).collect() }
    }

    /// Leave to send an order to an offer, unless it rests.
    pub(crate) fn enter(&self, offer: &str, caps: Caps) -> Result<Slot, Rest> {
        let now = Instant::now();
        let mut offers = self.offers();
        let together = in_flight(&offers, offer);
        let entry = offers.entry(offer.to_owned()).or_default();
        entry.caps = caps;
        if let Some(rest) = entry.rests(now, entry.is_full(together)) {
            return Err(rest);
        }
        let probe = entry.open.as_mut().is_some_and(|it| !std::mem::replace(&mut it.tried, true));
        entry.in_flight += 1;
        let verdict = Verdict::Nothing;
        Ok(Slot { health: self.clone(), offer: offer.to_owned(), probe, verdict })
    }

    /// Waits until an order has ended that began before.
    pub(crate) fn freed(&self) -> Notified<'_> {
        self.0.freed.notified()
    }

    /// The provider says how many calls are left, and until when.
    pub(crate) fn rated(&self, offer: &str, rate: Rate) {
        if rate.left == 0 {
            let until = Instant::now() + Duration::from_millis(rate.milliseconds);
            let mut offers = self.offers();
            let entry = offers.entry(offer.to_owned()).or_default();
            entry.limited = entry.limited.max(Some(until));
        }
    }

    fn offers(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        // What is left behind by a panic elsewhere is still true.
        self.0.offers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn left(&self, slot: &Slot) {
        let (rules, now) = (self.0.rules, Instant::now());
        let mut offers = self.offers();
        let Some(entry) = offers.get_mut(&slot.offer) else { return };
        entry.in_flight = entry.in_flight.saturating_sub(1);
        match slot.verdict {
            Verdict::Works(took) => {
                (entry.failures, entry.open) = (0, None);
                entry.times.record(took, now, rules.half_life);
            }
            Verdict::Wait(pause) => {
                (entry.failures, entry.open) = (0, None);
                entry.limited = entry.limited.max(now.checked_add(pause));
            }
            Verdict::Fails(failure) => {
                entry.last = Some(failure);
                entry.failures = entry.failures.saturating_add(1);
                let rest = match entry.open {
                    Some(open) if slot.probe => Some((open.rest * 2).min(rules.longest)),
                    // Orders that were on their way when it opened say nothing new.
                    Some(_) => None,
                    None => (rules.failures <= entry.failures).then_some(rules.rest),
                };
                if let Some(rest) = rest {
                    entry.open = Some(Open { until: now + rest, rest, tried: false });
                }
            }
            Verdict::Nothing if slot.probe => {
                // Another may try it.
                if let Some(open) = &mut entry.open {
                    open.tried = false;
                }
            }
            Verdict::Nothing => {}
        }
        drop(offers);
        self.0.freed.notify_waiters();
    }
}

/// How many orders of an offer's provider are on their way.
fn in_flight(offers: &BTreeMap<String, Entry>, offer: &str) -> u32 {
    let place = provider(offer);
    offers.iter().filter(|(it, _)| provider(it) == place).map(|(_, it)| it.in_flight).sum()
}

fn provider(offer: &str) -> &str {
    offer.split_once('/').map_or(offer, |it| it.0)
}

impl Entry {
    fn is_full(&self, together: u32) -> bool {
        let reached = |cap: Option<u32>, count: u32| cap.is_some_and(|it| it <= count);
        reached(self.caps.own, self.in_flight) || reached(self.caps.provider, together)
    }

    fn rests(&self, now: Instant, full: bool) -> Option<Rest> {
        let left = |until: Instant| until.checked_duration_since(now).filter(|it| !it.is_zero());
        if let Some(open) = self.open {
            let wait = left(open.until);
            if wait.is_some() || open.tried {
                return Some(Rest { why: Why::Failing, left: wait, last: self.last });
            }
        }
        if let Some(wait) = self.limited.and_then(left) {
            return Some(Rest { why: Why::Limited, left: Some(wait), last: None });
        }
        full.then_some(Rest { why: Why::Busy, left: None, last: None })
    }
}

impl Slot {
    /// What the order says of its offer.
    pub(crate) fn close(mut self, verdict: Verdict) {
        self.verdict = verdict;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.health.clone().left(self);
    }
}

impl Rest {
    /// In words that follow the name of the offer.
    pub(crate) fn said(self) -> String {
        let seconds = self.left.map(|it| it.as_secs_f64().ceil());
        let status = self.last.and_then(|it| it.status);
        let last = status.map(|it| format!(", at last with {it}")).unwrap_or_default();
        match (self.why, seconds) {
            (Why::Failing, Some(left)) => {
                format!("failed again and again{last}, and rests for {left} s")
            }
            (Why::Failing, None) => {
                format!("failed again and again{last}, and another job tries it just now")
            }
            (Why::Limited, left) => {
                format!("is not to be asked for {} s, as the provider says", left.unwrap_or(1.0))
            }
            (Why::Busy, _) => "has as many orders on their way as it takes at a time".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILS: Failure = Failure { kind: ErrorKind::Unavailable, status: Some(503) };
    const ANY: Caps = Caps { own: None, provider: None };

    fn end(health: &Health, verdict: Verdict) {
        health.enter("acme/a", ANY).expect("it does not rest").close(verdict);
    }

    fn why(health: &Health) -> Option<Why> {
        health.enter("acme/a", ANY).err().map(|it| it.why)
    }

    #[tokio::test(start_paused = true)]
    async fn an_offer_that_fails_rests_and_is_tried_by_one() {
        let health = Health::default();
        (0..5).for_each(|_| end(&health, Verdict::Fails(FAILS)));
        assert_eq!(why(&health), Some(Why::Failing));
        tokio::time::advance(Duration::from_secs(31)).await;
        let probe = health.enter("acme/a", ANY).expect("one tries it");
        assert_eq!(why(&health), Some(Why::Failing), "and nobody else");
        probe.close(Verdict::Fails(FAILS));
        tokio::time::advance(Duration::from_secs(31)).await;
        assert_eq!(why(&health), Some(Why::Failing), "twice as long");
        tokio::time::advance(Duration::from_secs(31)).await;
        end(&health, Verdict::Works(Duration::from_secs(1)));
        assert_eq!(why(&health), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_try_that_says_nothing_leaves_it_to_the_next() {
        let health = Health::default();
        (0..5).for_each(|_| end(&health, Verdict::Fails(FAILS)));
        tokio::time::advance(Duration::from_secs(31)).await;
        drop(health.enter("acme/a", ANY).expect("one tries it, and is cancelled"));
        assert_eq!(why(&health), None);
    }

    #[test]
    fn a_success_in_between_keeps_it_going() {
        let health = Health::default();
        for _ in 0..4 {
            (0..4).for_each(|_| end(&health, Verdict::Fails(FAILS)));
            end(&health, Verdict::Works(Duration::ZERO));
        }
        assert_eq!(why(&health), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_word_of_the_provider_is_kept() {
        let health = Health::default();
        end(&health, Verdict::Wait(Duration::from_secs(7)));
        assert_eq!(why(&health), Some(Why::Limited));
        health.rated("acme/a", Rate { left: 0, milliseconds: 20_000 });
        tokio::time::advance(Duration::from_secs(8)).await;
        assert_eq!(why(&health), Some(Why::Limited));
        tokio::time::advance(Duration::from_secs(13)).await;
        health.rated("acme/a", Rate { left: 1, milliseconds: 20_000 });
        assert_eq!(why(&health), None);
    }

    #[test]
    fn caps_hold_for_an_offer_and_for_its_provider() {
        let health = Health::default();
        let caps = Caps { own: Some(2), provider: Some(3) };
        let one = health.enter("acme/a", caps).expect("one");
        let two = health.enter("acme/a", caps).expect("two");
        let full = Rest { why: Why::Busy, left: None, last: None };
        assert_eq!(health.enter("acme/a", caps).expect_err("full"), full);
        let third = health.enter("acme/b", caps).expect("the provider has room for it");
        assert_eq!(health.enter("acme/b", caps).expect_err("the provider is full"), full);
        health.enter("acmes/b", caps).expect("another provider");
        drop(one);
        health.enter("acme/a", caps).expect("room again");
        drop((two, third));
    }
}
