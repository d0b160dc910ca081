//! What must hold whatever happens, and how it is looked at when a simulation has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use repaint_core::{Spend, Submit, SubmitState, Usd};
use repaint_emulator::{Fault, Seen, Stage};

use super::facts::Facts;
use super::schedule::Schedule;

/// One thing that must hold; `docs/money.md` has the same list.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Invariant {
    /// Every order that a provider took is done, can be picked up, or is listed as unknown.
    Accounted,
    /// What is known to be bought was bought.
    KnownWasSeen,
    /// What was charged lies within what is written down: known ≤ charged ≤ known and unknown.
    Priced,
    /// No order is taken twice.
    NoneTwice,
    /// Every order that a provider read had every input image and the mask, in order.
    WholeInputs,
    /// Spent and reserved together are never more than the budget.
    WithinBudget,
    /// After an order that may have been taken, or that moderation stopped, the job orders nothing else.
    StopsThere,
    /// No filter of this machine stands in for a model.
    NeverLocal,
    /// A key buys once.
    OncePerKey,
    /// The hops and calls of a receipt add up to what was spent, and that to what was charged.
    TraceSums,
    /// Who is told that nothing was bought has bought nothing.
    Truthful,
    /// An order is safe only when its pictures were kept.
    SafeIsKept,
    /// When all is well again, everything that can be fetched is fetched.
    Recovered,
    /// Every job ends by its deadline.
    InTime,
}

/// Something that did not hold.
#[derive(Clone, Debug)]
pub struct Violation {
    /// What.
    pub invariant: Invariant,
    /// For which job, if it is one.
    pub job: Option<u32>,
    /// How, in words.
    pub how: String,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Accounted,
        Self::KnownWasSeen,
        Self::Priced,
        Self::NoneTwice,
        Self::WholeInputs,
        Self::WithinBudget,
        Self::StopsThere,
        Self::NeverLocal,
        Self::OncePerKey,
        Self::TraceSums,
        Self::Truthful,
        Self::SafeIsKept,
        Self::Recovered,
        Self::InTime,
    ];

    /// As the book calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accounted => "accounted",
            Self::KnownWasSeen => "known-was-seen",
            Self::Priced => "priced",
            Self::NoneTwice => "none-twice",
            Self::WholeInputs => "whole-inputs",
            Self::WithinBudget => "within-budget",
            Self::StopsThere => "stops-there",
            Self::NeverLocal => "never-local",
            Self::OncePerKey => "once-per-key",
            Self::TraceSums => "trace-sums",
            Self::Truthful => "truthful",
            Self::SafeIsKept => "safe-is-kept",
            Self::Recovered => "recovered",
            Self::InTime => "in-time",
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What can be looked at in the end.
pub(super) struct End<'a> {
    pub(super) schedule: &'a Schedule,
    pub(super) facts: &'a Facts,
    pub(super) orders: &'a [Submit],
    pub(super) spend: &'a [Spend],
    pub(super) seen: &'a [&'a Seen],
    pub(super) now_ms: u64,
}

/// All orders of one job to one offer, as the store and as the provider have them.
#[derive(Default)]
struct Group<'a> {
    called: usize,
    orders: Vec<&'a Submit>,
    taken: Vec<&'a Seen>,
}

impl End<'_> {
    /// Adds what does not hold.
    pub(super) fn judge(&self, all: &mut Vec<Violation>) {
        let mut twice = BTreeSet::new();
        for (job, posts) in &self.facts.posts {
            let taken = |it: &&&Seen| it.taken && job_of(it) == Some(*job);
            let taken = self.seen.iter().filter(taken).count();
            // What broke before it was whole, or was refused, was not taken.
            let went = posts.iter().filter(|it| it.free != Some(true)).count();
            if went < taken {
                let how =
                    format!("job {job}: {went} orders went out whole, and {taken} were taken");
                all.push(Violation { invariant: Invariant::NoneTwice, job: Some(*job), how });
                twice.insert(*job);
            }
        }
        for ((job, offer), group) in self.groups() {
            if twice.contains(&job) {
                continue;
            }
            if let Some((invariant, how)) = self.counts(&group) {
                let how = format!("job {job} at {offer}: {how}");
                all.push(Violation { invariant, job: Some(job), how });
            }
        }
        // What follows from a job of which something was told already is not told again.
        let told: BTreeSet<u32> = all.iter().filter_map(|it| it.job).collect();
        let mut add = |invariant, job, how| all.push(Violation { invariant, job, how });
        for job in self.facts.free.iter().filter(|it| !told.contains(it)) {
            if self.seen.iter().any(|it| it.taken && job_of(it) == Some(*job)) {
                let how = format!("job {job} was bought, and its caller is told that it was not");
                add(Invariant::Truthful, Some(*job), how);
            }
        }
        for (job, spent) in self.facts.spent.iter().filter(|it| !told.contains(it.0)) {
            let billed = self.billed(|it| it == *job);
            if !(spent.low..=spent.high).contains(&billed) {
                let how = format!("job {job} was charged {billed}, and its receipt says {spent}");
                add(Invariant::TraceSums, Some(*job), how);
            }
        }
        let billed = self.billed(|_| true);
        let low = Usd(self.spend.iter().map(|it| it.low.0).sum());
        let high = Usd(self.spend.iter().map(|it| it.high.0).sum());
        if told.is_empty() && !(low..=high).contains(&billed) {
            let how = format!("{billed} were charged, and {low} to {high} are added up");
            add(Invariant::Priced, None, how);
        }
        for seen in self.seen {
            let wish = |job: u32| self.schedule.wishes.iter().find(|it| it.number == job);
            let Some((job, wish)) = job_of(seen).and_then(|job| Some((job, wish(job)?))) else {
                continue;
            };
            let sides = seen.images.iter().map(|it| it.dimensions.map(|it| it.width));
            let sides: Vec<u32> = sides.map(Option::unwrap_or_default).collect();
            let wanted: Vec<u32> = (1..=wish.images).map(super::side).collect();
            if sides != wanted || seen.mask.is_some() != wish.mask {
                let how = format!("job {job}: images of {wanted:?} were ordered, {sides:?} came");
                add(Invariant::WholeInputs, Some(job), how);
            }
        }
        let elsewhere = self.elsewhere();
        for order in self.orders {
            let job = self.facts.orders.get(&order.id).map(|it| it.0);
            if order.state == SubmitState::Safe && !self.facts.kept.contains(&order.id) {
                let how = format!("order {} is safe, and nobody kept it", order.id);
                add(Invariant::SafeIsKept, job, how);
            }
            // Where the key would go to another host, only the provider can be asked.
            let id = order.handle.as_ref().map_or("", |it| &it.id);
            let told = job.is_some_and(|it| told.contains(&it));
            if order.is_resumable(self.now_ms) && !elsewhere.contains(id) && !told {
                let state = order.state.name();
                let how = format!("order {} ({state}) could be fetched and was not", order.id);
                add(Invariant::Recovered, job, how);
            }
        }
    }

    /// What does not hold for one job at one offer.
    fn counts(&self, group: &Group<'_>) -> Option<(Invariant, String)> {
        let Group { called, orders, taken } = group;
        let (called, taken) = (*called, taken.len());
        let count = |is: &dyn Fn(&Submit) -> bool| orders.iter().filter(|it| is(it)).count();
        let waits = |it: &Submit| matches!(it.state, SubmitState::Accepted | SubmitState::Made);
        let known = count(&|it| waits(it) || it.state == SubmitState::Safe);
        let lost = count(&|it| waits(it) && !it.is_resumable(self.now_ms));
        let listed = count(&|it| it.state.may_cost()) - lost;
        let sum = |of: &dyn Fn(&Submit) -> Usd| Usd(orders.iter().map(|it| of(it).0).sum());
        let (low, high) = (sum(&Submit::low), sum(&Submit::high));
        let billed = Usd(group.taken.iter().map(|it| it.billed_micro_usd.0).sum());
        if called < taken {
            let how = format!("{called} orders were taken {taken} times");
            Some((Invariant::NoneTwice, how))
        } else if listed < taken {
            let how = format!("{taken} orders were taken, {listed} are done, resumable or unknown");
            Some((Invariant::Accounted, how))
        } else if taken < known {
            let how = format!("{known} orders are known to be taken, and {taken} were");
            Some((Invariant::KnownWasSeen, how))
        } else if !(low..=high).contains(&billed) {
            let how = format!("{billed} were charged, and {low} to {high} are written down");
            Some((Invariant::Priced, how))
        } else {
            None
        }
    }

    fn groups(&self) -> BTreeMap<(u32, &str), Group<'_>> {
        let mut groups: BTreeMap<(u32, &str), Group<'_>> = BTreeMap::new();
        for (job, offer) in self.facts.orders.values() {
            groups.entry((*job, offer)).or_default().called += 1;
        }
        for order in self.orders {
            if let Some((job, offer)) = self.facts.orders.get(&order.id) {
                groups.entry((*job, offer)).or_default().orders.push(order);
            }
        }
        for seen in self.seen.iter().filter(|it| it.taken) {
            if let (Some(job), Some(offer)) = (job_of(seen), &seen.offer) {
                groups.entry((job, offer)).or_default().taken.push(seen);
            }
        }
        groups
    }

    fn billed(&self, of: impl Fn(u32) -> bool) -> Usd {
        let of = |it: &&&Seen| job_of(it).is_some_and(&of);
        Usd(self.seen.iter().filter(of).map(|it| it.billed_micro_usd.0).sum())
    }

    /// The jobs that are to be asked for at another host.
    fn elsewhere(&self) -> BTreeSet<&str> {
        let elsewhere = self.seen.iter().filter(|it| it.fault == Some(Fault::PollHost));
        elsewhere.filter_map(|it| it.id.as_deref()).collect()
    }
}

/// Which job an order is of: its prompt says it.
pub(super) fn job_of(seen: &Seen) -> Option<u32> {
    if seen.stage != Stage::Order {
        return None;
    }
    seen.prompt.as_deref().and_then(super::number_of)
}
