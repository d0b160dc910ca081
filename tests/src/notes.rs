//! A store in memory, for trials of what is written down and when.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use repaint_core::{
    Budget, Error, ErrorKind, Filter, Period, Refusal, RefusalCode, Result, Spend, Store, Submit,
    SubmitState, Usd,
};

/// A store that forgets everything when it is dropped. Told to, it fails.
#[derive(Debug, Default)]
pub struct Notes(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    submits: BTreeMap<String, Submit>,
    budgets: Vec<Budget>,
    keys: BTreeMap<(Option<String>, String), (String, String)>,
    broken: bool,
}

impl Notes {
    /// From now on, nothing can be read or written; or again it can.
    pub fn breaks(&self, broken: bool) {
        self.state().broken = broken;
    }

    /// Every order, the oldest first.
    pub fn orders(&self) -> Vec<Submit> {
        self.state().submits.values().cloned().collect()
    }

    /// Puts an order there, as a process that is gone has left it.
    pub fn leave(&self, submit: Submit) {
        self.state().submits.insert(submit.id.clone(), submit);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sound(&self) -> Result<MutexGuard<'_, State>> {
        let state = self.state();
        match state.broken {
            true => Err(Error::new(ErrorKind::Unavailable, "the store is broken")),
            false => Ok(state),
        }
    }
}

#[async_trait]
impl Store for Notes {
    async fn open(&self, submit: &Submit) -> Result<()> {
        let mut state = self.sound()?;
        for budget in &state.budgets {
            let began = budget.period.began_ms(submit.created_ms);
            let counts = |it: &&Submit| {
                began <= it.created_ms && (budget.account.is_none() || budget.account == it.account)
            };
            let spent: u64 = state.submits.values().filter(counts).map(|it| it.high().0).sum();
            if budget.limit.0 < spent + submit.estimate.high.0 {
                let refusal = Refusal::by_rule(RefusalCode::OverBudget, "budget");
                let refusal = refusal.saying("has no budget left", "raise the budget");
                return Err(Error::refused(&submit.offer, vec![refusal]));
            }
        }
        state.submits.insert(submit.id.clone(), submit.clone());
        Ok(())
    }

    async fn write(&self, submit: &Submit) -> Result<()> {
        let mut state = self.sound()?;
        if state.submits.get(&submit.id).is_none_or(|it| it.state != SubmitState::Safe) {
            state.submits.insert(submit.id.clone(), submit.clone());
        }
        Ok(())
    }

    async fn get(&self, id: &str) -> Result<Option<Submit>> {
        Ok(self.sound()?.submits.get(id).cloned())
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Submit>> {
        let is = |it: &&Submit| {
            filter.job.as_ref().is_none_or(|job| *job == it.job)
                && !(filter.open && it.state.has_ended())
                && filter.since_ms <= it.created_ms
        };
        Ok(self.sound()?.submits.values().rev().filter(is).cloned().collect())
    }

    async fn spend(&self, _: u64, _: Option<&str>) -> Result<Vec<Spend>> {
        Err(Error::new(ErrorKind::Unexpected, "notes add nothing up"))
    }

    async fn budgets(&self) -> Result<Vec<Budget>> {
        Ok(self.sound()?.budgets.clone())
    }

    async fn set_budget(&self, budget: &Budget) -> Result<()> {
        self.sound()?.budgets.push(budget.clone());
        Ok(())
    }

    async fn remove_budget(&self, _: Option<&str>, _: Period) -> Result<bool> {
        Err(Error::new(ErrorKind::Unexpected, "notes keep their budgets"))
    }

    async fn claim(
        &self,
        account: Option<&str>,
        key: &str,
        job: &str,
        fingerprint: &str,
    ) -> Result<Option<(String, String)>> {
        let mut state = self.sound()?;
        let place = (account.map(str::to_owned), key.to_owned());
        let new = (job.to_owned(), fingerprint.to_owned());
        match state.keys.get(&place) {
            Some(before) => Ok(Some(before.clone())),
            None => {
                state.keys.insert(place, new);
                Ok(None)
            }
        }
    }

    async fn leave(&self, _: &str, _: &str, _: u64) -> Result<()> {
        Err(Error::new(ErrorKind::Unexpected, "nobody leaves notes"))
    }

    async fn take(&self, _: &str, _: Option<&str>, _: u64) -> Result<Option<String>> {
        Err(Error::new(ErrorKind::Unexpected, "nobody leaves notes"))
    }

    async fn prune(&self, _: u64) -> Result<u64> {
        Err(Error::new(ErrorKind::Unexpected, "notes forget nothing"))
    }

    async fn secret(&self) -> Result<[u8; 16]> {
        self.sound().map(|_| [7; 16])
    }
}

/// A budget of so many millionths of a dollar for ever, whoever spends.
pub fn budget(limit: u64) -> Budget {
    Budget { account: None, period: Period::Ever, limit: Usd(limit) }
}
