//! A store that lasts as long as its process: for tests, and for hosts that remember by themselves.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use repaint_core::{Budget, Filter, Period, Result, Spend, Store, Submit, SubmitState, Usd};

use crate::rules;

/// Orders, budgets and keys in the memory of this process; nothing outlives it.
pub struct Memory {
    kept: Mutex<Kept>,
    secret: [u8; 16],
}

/// An account and a caller's key.
type Key = (Option<String>, String);

#[derive(Default)]
struct Kept {
    submits: BTreeMap<String, Submit>,
    budgets: BTreeMap<(Option<String>, Period), Usd>,
    /// By account and key: job and fingerprint.
    claims: BTreeMap<Key, (String, String)>,
    /// Prints and jobs that were left under them until a moment, the oldest first.
    left: Vec<(String, String, u64)>,
    /// What orders cost that are forgotten, with their accounts and the days on which they were written.
    pruned: Vec<(u64, Option<String>, Spend)>,
}

impl Memory {
    /// An empty store.
    pub fn new() -> Self {
        Self { kept: Mutex::default(), secret: rules::random() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing is left half done by a panic: each change is one assignment.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for Memory {
    async fn open(&self, submit: &Submit) -> Result<()> {
        rules::keepable(submit)?;
        let mut kept = self.kept();
        if kept.submits.contains_key(&submit.id) {
            return Err(rules::twice(&submit.id));
        }
        for ((account, period), limit) in &kept.budgets {
            if account.is_some() && *account != submit.account {
                continue;
            }
            let since = period.began_ms(submit.created_ms);
            let spent = kept.spend(since, account.as_deref());
            let spent = Usd(spent.iter().map(|it| it.high.0).sum());
            let budget = Budget { account: account.clone(), period: *period, limit: *limit };
            if let Some(refused) = rules::refuses(&budget, spent, submit) {
                return Err(refused);
            }
        }
        kept.submits.insert(submit.id.clone(), submit.clone());
        Ok(())
    }

    async fn write(&self, submit: &Submit) -> Result<()> {
        rules::keepable(submit)?;
        let mut kept = self.kept();
        let Some(old) = kept.submits.get_mut(&submit.id) else {
            kept.submits.insert(submit.id.clone(), submit.clone());
            return Ok(());
        };
        if old.state != SubmitState::Safe {
            let Submit { state, cost, handle, paths, error, updated_ms, held_until_ms, .. } =
                submit.clone();
            *old = Submit {
                state,
                cost,
                handle,
                paths,
                error,
                updated_ms,
                held_until_ms,
                ..old.clone()
            };
        }
        Ok(())
    }

    async fn get(&self, id: &str) -> Result<Option<Submit>> {
        Ok(self.kept().submits.get(id).cloned())
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Submit>> {
        let Filter { job, account, open, since_ms, limit } = filter;
        let kept = self.kept();
        let wanted = |it: &&Submit| {
            job.as_ref().is_none_or(|job| it.job == *job)
                && (account.is_none() || it.account == *account)
                && !(*open && it.state.has_ended())
                && *since_ms <= it.created_ms
        };
        let mut found: Vec<Submit> = kept.submits.values().filter(wanted).cloned().collect();
        found.sort_by(|a, b| (b.created_ms, &b.id).cmp(&(a.created_ms, &a.id)));
        if *limit != 0 {
            found.truncate(usize::try_from(*limit).unwrap_or(usize::MAX));
        }
        Ok(found)
    }

    async fn spend(&self, since_ms: u64, account: Option<&str>) -> Result<Vec<Spend>> {
        Ok(self.kept().spend(since_ms, account))
    }

    async fn budgets(&self) -> Result<Vec<Budget>> {
        let kept = self.kept();
        let budgets = kept.budgets.iter().map(|((account, period), limit)| Budget {
            account: account.clone(),
            period: *period,
            limit: *limit,
        });
        Ok(budgets.collect())
    }

    async fn set_budget(&self, budget: &Budget) -> Result<()> {
        rules::settable(budget)?;
        let Budget { account, period, limit } = budget.clone();
        self.kept().budgets.insert((account, period), limit);
        Ok(())
    }

    async fn remove_budget(&self, account: Option<&str>, period: Period) -> Result<bool> {
        Ok(self.kept().budgets.remove(&(account.map(str::to_owned), period)).is_some())
    }

    async fn claim(
        &self,
        account: Option<&str>,
        key: &str,
        job: &str,
        fingerprint: &str,
    ) -> Result<Option<(String, String)>> {
        let mut kept = self.kept();
        let key = (account.map(str::to_owned), key.to_owned());
        if let Some(earlier) = kept.claims.get(&key) {
            return Ok(Some(earlier.clone()));
        }
        kept.claims.insert(key, (job.to_owned(), fingerprint.to_owned()));
        Ok(None)
    }

    async fn leave(&self, print: &str, job: &str, until_ms: u64) -> Result<()> {
        let mut kept = self.kept();
        kept.left.retain(|it| it.1 != job);
        kept.left.push((print.to_owned(), job.to_owned(), until_ms));
        Ok(())
    }

    async fn take(&self, print: &str, job: Option<&str>, now_ms: u64) -> Result<Option<String>> {
        let mut kept = self.kept();
        kept.left.retain(|it| now_ms < it.2);
        let found =
            kept.left.iter().position(|it| it.0 == print && job.is_none_or(|job| it.1 == job));
        Ok(found.map(|at| kept.left.remove(at).1))
    }

    async fn prune(&self, before_ms: u64) -> Result<u64> {
        let mut kept = self.kept();
        let old = |it: &Submit| it.state.has_ended() && it.updated_ms < before_ms;
        let (gone, stays): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut kept.submits).into_iter().partition(|(_, it)| old(it));
        kept.submits = stays;
        for submit in gone.values() {
            let has_other = kept.submits.values().any(|it| it.job == submit.job);
            kept.claims.retain(|_, (job, _)| has_other || *job != submit.job);
            if submit.state.may_cost() {
                let day = Period::Day.began_ms(submit.created_ms);
                kept.pruned.push((day, submit.account.clone(), spend(submit)));
            }
        }
        Ok(gone.len() as u64)
    }

    async fn secret(&self) -> Result<[u8; 16]> {
        Ok(self.secret)
    }
}

impl Kept {
    fn spend(&self, since_ms: u64, account: Option<&str>) -> Vec<Spend> {
        let is_meant = |it: &Option<String>| account.is_none() || it.as_deref() == account;
        let recent = |it: &&Submit| {
            it.state.may_cost() && since_ms <= it.created_ms && is_meant(&it.account)
        };
        let kept = self.submits.values().filter(recent).map(spend);
        let counts = |(day, account, _): &&(u64, Option<String>, Spend)| {
            since_ms < day.saturating_add(rules::DAY_MS) && is_meant(account)
        };
        let pruned = self.pruned.iter().filter(counts).map(|it| it.2.clone());
        let mut sums = BTreeMap::<String, Spend>::new();
        for Spend { offer, orders, unknown, low, high } in kept.chain(pruned) {
            let sum = sums.entry(offer.clone()).or_insert_with(|| Spend {
                offer,
                orders: 0,
                unknown: 0,
                low: Usd(0),
                high: Usd(0),
            });
            sum.orders += orders;
            sum.unknown += unknown;
            sum.low.0 = sum.low.0.saturating_add(low.0);
            sum.high.0 = sum.high.0.saturating_add(high.0);
        }
        sums.into_values().collect()
    }
}

/// What one order adds to the sums.
fn spend(submit: &Submit) -> Spend {
    let unknown = matches!(submit.state, SubmitState::Sent | SubmitState::Unknown);
    Spend {
        offer: submit.offer.clone(),
        orders: 1,
        unknown: unknown.into(),
        low: submit.low(),
        high: submit.high(),
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

/// Without the secret.
impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("orders", &self.kept().submits.len()).finish_non_exhaustive()
    }
}
