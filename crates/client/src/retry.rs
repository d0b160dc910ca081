//! When a failed call is made again: one budget for a whole job, full jitter, the provider's word first.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use repaint_core::Phase;

/// How many orders may still be sent again, for a job with all its calls and whoever takes it.
#[derive(Clone, Debug)]
pub(crate) struct Repeats(Arc<AtomicU32>);

/// What rolls the dice: each call gives 64 bits.
#[derive(Clone)]
pub(crate) struct Chance(pub(crate) Arc<dyn Fn() -> u64 + Send + Sync>);

/// What is left to try again within one call and all that follow it.
#[derive(Debug)]
pub(crate) struct Budget {
    repeats: Repeats,
    chance: Chance,
    /// The most that this call may take of them.
    most: u32,
    failures: u32,
}

/// An order that was surely not taken is sent at most this often again.
const ORDERS: u32 = 4;
/// The first pause is up to this long, the next up to twice, and so on.
const FIRST: Duration = Duration::from_millis(500);
/// No pause is shorter.
const LEAST: Duration = Duration::from_millis(50);
/// No pause of our own is longer.
const LONGEST: Duration = Duration::from_secs(10);

impl Repeats {
    /// For a new job.
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicU32::new(ORDERS)))
    }

    fn take(&self) -> Option<()> {
        let less = |it: u32| it.checked_sub(1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).ok().map(drop)
    }
}

impl Budget {
    /// For a call that may send its order again so often, if its job may.
    pub(crate) fn new(repeats: &Repeats, most: u32, chance: &Chance) -> Self {
        Self { repeats: repeats.clone(), chance: chance.clone(), most, failures: 0 }
    }

    /// For an order that is made once, whatever comes of it.
    pub(crate) fn once(chance: &Chance) -> Self {
        Self::new(&Repeats::new(), 0, chance)
    }

    /// How long to wait before the same call again; `None` if it is not to be made again.
    ///
    /// Polls and downloads buy nothing, so only the deadline of the job ends them.
    pub(crate) fn again(&mut self, phase: Phase, told: Option<Duration>) -> Option<Duration> {
        if matches!(phase, Phase::Connect | Phase::Submit) {
            self.most = self.most.checked_sub(1)?;
            self.repeats.take()?;
        }
        let most = LONGEST.min(FIRST * 2_u32.pow(self.failures.min(10)));
        self.failures += 1;
        // The provider's word is a least: "0" is no leave to ask without a pause.
        let own = LEAST.max(most.mul_f64((self.chance.0)() as f64 / u64::MAX as f64));
        Some(told.map_or(own, |it| it.max(own)))
    }

    /// A call went well: the next failure is a first one.
    pub(crate) fn went_well(&mut self) {
        self.failures = 0;
    }
}

impl Default for Chance {
    /// The standard library has no other source of chance than the keys of its hash maps, and to keep
    /// clients from asking in step it is good enough.
    fn default() -> Self {
        Self(Arc::new(|| RandomState::new().hash_one(Instant::now())))
    }
}

impl fmt::Debug for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chance")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_spread_over_the_whole_range() {
        let (chance, mut fifths) = (Chance::default(), [0; 5]);
        for _ in 0..1_000 {
            fifths[((chance.0)() / (u64::MAX / 5 + 1)) as usize] += 1;
        }
        assert!(fifths.iter().all(|it| 100 < *it), "{fifths:?}");
    }

    #[test]
    fn an_order_that_is_made_once_is_never_made_again() {
        for phase in [Phase::Connect, Phase::Submit] {
            assert_eq!(Budget::once(&Chance::default()).again(phase, Some(Duration::ZERO)), None);
        }
    }

    fn budget() -> Budget {
        Budget::new(&Repeats::new(), u32::MAX, &Chance::default())
    }

    #[test]
    fn all_calls_of_a_job_share_one_budget() {
        let repeats = Repeats::new();
        let again = |most| {
            let mut budget = Budget::new(&repeats, most, &Chance::default());
            (0..20).filter_map(|_| budget.again(Phase::Submit, None)).count()
        };
        assert_eq!([again(1), again(1), again(u32::MAX), again(u32::MAX)], [1, 1, 2, 0]);
    }

    #[test]
    fn orders_are_bounded_and_polls_are_not() {
        let mut budget = budget();
        assert_eq!((0..20).filter_map(|_| budget.again(Phase::Submit, None)).count(), 4);
        assert_eq!((0..20).filter_map(|_| budget.again(Phase::Poll, None)).count(), 20);
    }

    #[test]
    fn the_word_of_the_provider_counts() {
        let told = Some(Duration::from_secs(7));
        assert_eq!(budget().again(Phase::Submit, told), told);
    }

    #[test]
    fn no_pause_is_too_short_to_be_one() {
        let told = Some(Duration::ZERO);
        assert!((0..100).all(|_| LEAST <= budget().again(Phase::Poll, told).expect("polls go on")));
    }

    #[test]
    fn pauses_grow_and_stay_bounded() {
        let mut budget = budget();
        for failure in 0..12 {
            let pause = budget.again(Phase::Poll, None).expect("polls go on");
            assert!(pause <= LONGEST.min(FIRST * 2_u32.pow(failure)), "{failure}: {pause:?}");
        }
    }
}
