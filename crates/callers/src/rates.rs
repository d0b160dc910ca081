//! How often each caller has called: a bucket of tokens each, in the time that it is told.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use repaint_core::{Error, ErrorKind, Result};

use crate::caller::Caller;

/// How often each caller has called of late, in this process.
///
/// Each has a bucket with as many tokens as it may call in a minute, which fills up in a minute: so many calls
/// may come at once, and then as many as grow back.
#[derive(Debug, Default)]
pub struct Rates {
    /// When the bucket of each will be full again.
    full: Mutex<BTreeMap<String, Instant>>,
}

const MINUTE: Duration = Duration::from_secs(60);

impl Rates {
    /// Everybody's buckets are full.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a token for a call at this moment.
    ///
    /// # Errors
    ///
    /// `Exhausted`, with how long to wait, if there is none. Nothing is taken then.
    pub fn take(&self, caller: &Caller, now: Instant) -> Result<()> {
        let Some(rate) = caller.rate.filter(|it| 0 < *it) else { return Ok(()) };
        let mut full = self.full.lock().unwrap_or_else(PoisonError::into_inner);
        let before = full.get(&caller.name).map_or(now, |it| now.max(*it));
        // One token more is missing, and grows back in this time.
        let after = before + MINUTE / rate;
        let wait = after.saturating_duration_since(now + MINUTE);
        if wait.is_zero() {
            full.insert(caller.name.clone(), after);
            return Ok(());
        }
        let seconds = wait.as_nanos().div_ceil(1_000_000_000);
        let message = format!(
            "the key of `{}` may call {rate} times a minute: wait {seconds} s",
            caller.name
        );
        let seconds = u64::try_from(seconds).ok();
        Err(Error::new(ErrorKind::Exhausted, message).with(|it| it.retry_after_seconds = seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn caller(rate: Option<u32>) -> Caller {
        Caller {
            name: "web".to_owned(),
            models: Vec::new(),
            providers: Vec::new(),
            budgets: Vec::new(),
            rate,
            own_keys: false,
        }
    }

    #[test]
    fn a_minutes_calls_may_come_at_once_and_then_as_many_as_grow_back() {
        let (rates, now, web) = (Rates::new(), Instant::now(), caller(Some(3)));
        let at = |seconds| {
            rates.take(&web, now + Duration::from_secs(seconds)).map_err(|it| it.retry_after())
        };
        assert_eq!([at(0), at(0), at(0)], [Ok(()); 3]);
        assert_eq!(at(0), Err(Some(Duration::from_secs(20))));
        assert_eq!(at(19), Err(Some(Duration::from_secs(1))));
        assert_eq!([at(20), at(20)], [Ok(()), Err(Some(Duration::from_secs(20)))]);
        let other = Caller { name: "other".to_owned(), ..web.clone() };
        assert!(rates.take(&other, now).is_ok(), "each has its own");
        assert!((0..1000).all(|_| rates.take(&caller(None), now).is_ok()), "no limit");
    }

    proptest! {
        /// Calls at any times: none beyond the limit in any stretch of time, and who waits as told is let in.
        #[test]
        fn no_stretch_of_time_has_more_calls_than_it_may(
            rate in 1u32..200,
            pauses in prop::collection::vec(0u64..5_000, 1..200),
        ) {
            let (rates, start, web) = (Rates::new(), Instant::now(), caller(Some(rate)));
            let (mut now, mut taken) = (start, Vec::new());
            for pause in pauses {
                now += Duration::from_millis(pause);
                match rates.take(&web, now) {
                    Ok(()) => taken.push(now),
                    Err(err) => {
                        let wait = err.retry_after().expect("it says how long");
                        let later = Rates { full: Mutex::new(rates.full.lock().expect("whole").clone()) };
                        prop_assert!(later.take(&web, now + wait).is_ok());
                    }
                }
            }
            for (index, first) in taken.iter().enumerate() {
                for (count, last) in taken[index..].iter().enumerate() {
                    let grown = (*last - *first).as_secs_f64() * f64::from(rate) / 60.0;
                    prop_assert!(count as f64 + 1.0 <= f64::from(rate) + grown + 0.01);
                }
            }
        }
    }
}
