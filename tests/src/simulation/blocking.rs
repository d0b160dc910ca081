//! SQLite in paused time: its answers come from a thread of its own, so each is waited for on the spot; a runtime
//! that has nothing else to do would let time run on meanwhile.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::thread::{Thread, current, park};

use async_trait::async_trait;
use repaint_core::{Budget, Filter, Period, Result, Spend, Store, Submit};

/// A store whose answers take no time.
#[derive(Debug)]
pub(super) struct Blocking(pub(super) Arc<dyn Store>);

struct Unparks(Thread);

impl Wake for Unparks {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits on this thread.
pub(super) fn block_on<T>(work: impl Future<Output = T>) -> T {
    // The budget of the task that we are in would end, and nobody would renew it.
    let mut work = pin!(tokio::task::unconstrained(work));
    let waker = Arc::new(Unparks(current())).into();
    let mut context = Context::from_waker(&waker);
    loop {
        match work.as_mut().poll(&mut context) {
            Poll::Ready(done) => return done,
            Poll::Pending => park(),
        }
    }
}

#[async_trait]
impl Store for Blocking {
    async fn open(&self, submit: &Submit) -> Result<()> {
        block_on(self.0.open(submit))
    }

    async fn write(&self, submit: &Submit) -> Result<()> {
        block_on(self.0.write(submit))
    }

    async fn get(&self, id: &str) -> Result<Option<Submit>> {
        block_on(self.0.get(id))
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Submit>> {
        block_on(self.0.list(filter))
    }

    async fn spend(&self, since_ms: u64, account: Option<&str>) -> Result<Vec<Spend>> {
        block_on(self.0.spend(since_ms, account))
    }

    async fn budgets(&self) -> Result<Vec<Budget>> {
        block_on(self.0.budgets())
    }

    async fn set_budget(&self, budget: &Budget) -> Result<()> {
        block_on(self.0.set_budget(budget))
    }

    async fn remove_budget(&self, account: Option<&str>, period: Period) -> Result<bool> {
        block_on(self.0.remove_budget(account, period))
    }

    async fn claim(
        &self,
        account: Option<&str>,
        key: &str,
        job: &str,
        fingerprint: &str,
    ) -> Result<Option<(String, String)>> {
        block_on(self.0.claim(account, key, job, fingerprint))
    }

    async fn leave(&self, print: &str, job: &str, until_ms: u64) -> Result<()> {
        block_on(self.0.leave(print, job, until_ms))
    }

    async fn take(&self, print: &str, job: Option<&str>, now_ms: u64) -> Result<Option<String>> {
        block_on(self.0.take(print, job, now_ms))
    }

    async fn prune(&self, before_ms: u64) -> Result<u64> {
        block_on(self.0.prune(before_ms))
    }

    async fn secret(&self) -> Result<[u8; 16]> {
        block_on(self.0.secret())
    }
}
