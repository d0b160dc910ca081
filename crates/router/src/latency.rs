//! How long an offer took lately, from its own traffic: what is old weighs less and less.

use std::time::Duration;

use tokio::time::Instant;

/// Times from 50 ms on, each bucket 15 % longer than the one before: up to six minutes.
const BUCKETS: usize = 64;
const SHORTEST: f64 = 0.05;
const FACTOR: f64 = 1.15;
/// Less than a tenth of one recent answer says nothing any more.
const LEAST: f64 = 0.1;

/// Half of the answers took less, and nearly all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latency {
    /// Half of the answers came sooner.
    pub p50: Duration,
    /// 19 of 20 came sooner.
    pub p95: Duration,
}

#[derive(Clone, Debug)]
pub(crate) struct Times {
    weights: [f64; BUCKETS],
    at: Option<Instant>,
}

impl Default for Times {
    fn default() -> Self {
        Self { weights: [0.0; BUCKETS], at: None }
    }
}

impl Times {
    pub(crate) fn record(&mut self, took: Duration, now: Instant, half_life: Duration) {
        let kept = self.kept(now, half_life);
        self.weights.iter_mut().for_each(|it| *it *= kept);
        let bucket = (took.as_secs_f64() / SHORTEST).max(1.0).log(FACTOR) as usize;
        self.weights[bucket.min(BUCKETS - 1)] += 1.0;
        self.at = Some(now);
    }

    /// `None` if nothing recent is known.
    pub(crate) fn latency(&self, now: Instant, half_life: Duration) -> Option<Latency> {
        let total: f64 = self.weights.iter().sum();
        if total * self.kept(now, half_life) < LEAST {
            return None;
        }
        let below = |part: f64| {
            let mut sum = 0.0;
            let bucket = self.weights.iter().position(|it| {
                sum += it;
                total * part <= sum
            });
            let bucket = bucket.unwrap_or(BUCKETS - 1) as f64 + 1.0;
            Duration::from_secs_f64(SHORTEST * FACTOR.powf(bucket))
        };
        Some(Latency { p50: below(0.5), p95: below(0.95) })
    }

    /// Which part of the weights time has left.
    fn kept(&self, now: Instant, half_life: Duration) -> f64 {
        let age = self.at.map_or(Duration::ZERO, |it| now.saturating_duration_since(it));
        0.5_f64.powf(age.as_secs_f64() / half_life.as_secs_f64().max(1e-3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: Duration = Duration::from_secs(600);

    #[test]
    fn quantiles_are_near_what_was_measured() {
        let (mut times, now) = (Times::default(), Instant::now());
        (1..=100).for_each(|it| times.record(Duration::from_millis(it * 100), now, HALF));
        let Latency { p50, p95 } = times.latency(now, HALF).expect("known");
        assert!((4.3..=5.8).contains(&p50.as_secs_f64()), "{p50:?}");
        assert!((8.2..=11.0).contains(&p95.as_secs_f64()), "{p95:?}");
    }

    #[test]
    fn what_is_old_gives_way_and_is_forgotten() {
        let (mut times, now) = (Times::default(), Instant::now());
        (0..50).for_each(|_| times.record(Duration::from_secs(60), now, HALF));
        let later = now + 10 * HALF;
        times.record(Duration::from_secs(1), later, HALF);
        let p50 = times.latency(later, HALF).expect("known").p50;
        assert!(p50 < Duration::from_secs(2), "{p50:?}");
        assert_eq!(times.latency(later + 10 * HALF, HALF), None);
    }

    #[test]
    fn odd_times_have_a_place() {
        let (mut times, now) = (Times::default(), Instant::now());
        times.record(Duration::ZERO, now, HALF);
        times.record(Duration::MAX, now, HALF);
        assert!(times.latency(now, HALF).is_some());
    }
}
