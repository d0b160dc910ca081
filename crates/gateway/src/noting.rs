//! The store as a call's job sees it: that the call is under way is written down before its orders are.

use std::sync::Arc;

use async_trait::async_trait;
use repaint_core::{Budget, Filter, Period, Result, Spend, Store, Submit};

use crate::calls::{Call, Calls};

/// The same store for one call.
#[derive(Debug)]
pub(crate) struct Noting {
    calls: Calls,
    call: Arc<Call>,
    store: Arc<dyn Store>,
}

impl Noting {
    pub(crate) fn new(calls: Calls, call: Arc<Call>, store: Arc<dyn Store>) -> Self {
        Self { calls, call, store }
    }
}

#[async_trait]
impl Store for Noting {
    async fn open(&self, submit: &Submit) -> Result<()> {
        self.calls.note(&self.call).await?;
        self.store.open(submit).await
    }

    async fn write(&self, submit: &Submit) -> Result<()> {
        self.store.write(submit).await
    }

    async fn get(&self, id: &str) -> Result<Option<Submit>> {
        self.store.get(id).await
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Submit>> {
        self.store.list(filter).await
    }

    async fn spend(&self, since_ms: u64, account: Option<&str>) -> Result<Vec<Spend>> {
        self.store.spend(since_ms, account).await
    }

    async fn budgets(&self) -> Result<Vec<Budget>> {
        self.store.budgets().await
    }

    async fn set_budget(&self, budget: &Budget) -> Result<()> {
        self.store.set_budget(budget).await
    }

    async fn remove_budget(&self, account: Option<&str>, period: Period) -> Result<bool> {
        self.store.remove_budget(account, period).await
    }

    async fn claim(
        &self,
        account: Option<&str>,
        key: &str,
        job: &str,
        fingerprint: &str,
    ) -> Result<Option<(String, String)>> {
        self.store.claim(account, key, job, fingerprint).await
    }

    async fn leave(&self, print: &str, job: &str, until_ms: u64) -> Result<()> {
        self.store.leave(print, job, until_ms).await
    }

    async fn take(&self, print: &str, job: Option<&str>, now_ms: u64) -> Result<Option<String>> {
        self.store.take(print, job, now_ms).await
    }

    async fn prune(&self, before_ms: u64) -> Result<u64> {
        self.store.prune(before_ms).await
    }

    async fn secret(&self) -> Result<[u8; 16]> {
        self.store.secret().await
    }
}

/// A store that does not answer.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct Deaf;

#[cfg(test)]
fn nothing<T>() -> Result<T> {
    Err(repaint_core::Error::new(repaint_core::ErrorKind::Unavailable, "nobody answers"))
}

#[cfg(test)]
#[async_trait]
impl Store for Deaf {
    async fn open(&self, _: &Submit) -> Result<()> {
        nothing()
    }

    async fn write(&self, _: &Submit) -> Result<()> {
        nothing()
    }

    async fn get(&self, _: &str) -> Result<Option<Submit>> {
        nothing()
    }

    async fn list(&self, _: &Filter) -> Result<Vec<Submit>> {
        nothing()
    }

    async fn spend(&self, _: u64, _: Option<&str>) -> Result<Vec<Spend>> {
        nothing()
    }

    async fn budgets(&self) -> Result<Vec<Budget>> {
        nothing()
    }

    async fn set_budget(&self, _: &Budget) -> Result<()> {
        nothing()
    }

    async fn remove_budget(&self, _: Option<&str>, _: Period) -> Result<bool> {
        nothing()
    }

    async fn claim(
        &self,
        _: Option<&str>,
        _: &str,
        _: &str,
        _: &str,
    ) -> Result<Option<(String, String)>> {
        nothing()
    }

    async fn leave(&self, _: &str, _: &str, _: u64) -> Result<()> {
        nothing()
    }

    async fn take(&self, _: &str, _: Option<&str>, _: u64) -> Result<Option<String>> {
        nothing()
    }

    async fn prune(&self, _: u64) -> Result<u64> {
        nothing()
    }

    async fn secret(&self) -> Result<[u8; 16]> {
        nothing()
    }
}
