//! The network and the store of one life of a process: cut points before and after everything that is sent or
//! written, and a look at what goes by.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use repaint_client::{Answer, Exchange, Fault, Fetched, Order, Sent, Watch};
use repaint_core::{Body, Budget, Filter, Period, Result, Spend, Store, Submit, Usd};
use url::Url;

use super::facts::{Post, World};
use super::invariants::Invariant;
use super::life::Life;
use super::schedule::Wish;

/// The way of one process to the providers.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) inner: Arc<dyn Exchange>,
    pub(super) life: Arc<Life>,
    pub(super) world: Arc<World>,
    pub(super) wishes: Arc<BTreeMap<u32, Wish>>,
}

/// An order on its way; dropped, it is known how far it had come.
struct OnItsWay<'a> {
    world: &'a World,
    job: u32,
    index: usize,
    sent: Sent,
}

impl OnItsWay<'_> {
    fn ended(&self, free: bool) {
        let mut facts = self.world.facts();
        let post = facts.posts.get_mut(&self.job).and_then(|it| it.get_mut(self.index));
        if let Some(post) = post {
            post.free.get_or_insert(free);
        }
    }
}

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        self.ended(!self.sent.may_be_taken());
    }
}

impl Way {
    fn begins(&self, body: &Body, order: &Order) -> OnItsWay<'_> {
        let preview = body.preview();
        let text = |name: &str| preview.get(name).and_then(|it| it.as_str());
        let job = text("prompt").and_then(super::number_of).unwrap_or(u32::MAX);
        let to = text("model").unwrap_or_else(|| order.url.path()).to_owned();
        let wish = self.wishes.get(&job);
        let mut facts = self.world.facts();
        let posts = facts.posts.entry(job).or_default();
        // One call is never two. Of several calls, the others may go on, but nowhere else.
        let one = wish.is_none_or(|it| it.count == 1);
        let before = posts.iter().find(|it| match one {
            true => it.free != Some(true),
            false => it.free == Some(false) && it.to != to,
        });
        let before = before.cloned();
        posts.push(Post { to: to.clone(), free: None });
        let index = posts.len() - 1;
        drop(facts);
        if let Some(before) = before {
            let keyed = wish.is_some_and(|it| it.keyed);
            let broken = if keyed { Invariant::OncePerKey } else { Invariant::StopsThere };
            let how =
                format!("job {job} is ordered from {to}, and {} may have taken it", before.to);
            self.world.violated(broken, Some(job), how);
        }
        OnItsWay { world: &self.world, job, index, sent: order.sent.clone() }
    }

    fn tell(&self, what: &str, to: &str, ended: &str) {
        self.world.tell(|| format!("process {} {what} {to}: {ended}", self.life.process));
    }
}

/// Whether an answer to an order says that it was not taken, by the documents of the provider.
fn is_free(together: bool, status: u16) -> bool {
    matches!(status, 401 | 402 | 403 | 429) || (together && status == 503)
}

#[async_trait]
impl Exchange for Way {
    async fn send(&self, order: Order) -> Result<Answer, Fault> {
        let Some(body) = order.body.clone() else {
            self.life.point("before a poll").await;
            let to = order.url.to_string();
            let result = self.inner.send(order).await;
            self.tell("polls", &to, &ended(&result));
            self.life.point("after a poll").await;
            return result;
        };
        self.life.point("before an order is sent").await;
        let on_its_way = self.begins(&body, &order);
        let (to, sent) = (order.url.path().to_owned(), order.sent.clone());
        self.tell("orders", &to, &format!("job {} goes out", on_its_way.job));
        let result = self.inner.send(order).await;
        on_its_way.ended(match &result {
            Ok(answer) => is_free(to.ends_with("/images/generations"), answer.reply.status),
            Err(_) => !sent.may_be_taken(),
        });
        self.tell("orders", &to, &format!("job {}: {}", on_its_way.job, ended(&result)));
        self.life.point("after an order was sent").await;
        result
    }

    async fn fetch(&self, url: &Url, limit: u64, seen: &Watch) -> Result<Fetched, Fault> {
        self.life.point("before a download").await;
        let result = self.inner.fetch(url, limit, seen).await;
        let said = match &result {
            Ok(fetched) => fetched.status.to_string(),
            Err(fault) => fault.message.clone(),
        };
        self.tell("fetches", url.path(), &said);
        self.life.point("after a download").await;
        result
    }
}

fn ended(result: &Result<Answer, Fault>) -> String {
    match result {
        Ok(answer) => {
            let body = String::from_utf8_lossy(&answer.reply.body);
            let status = body.split_once(r#""status":""#).and_then(|it| it.1.split_once('"'));
            let status = status.map_or_else(String::new, |it| format!(" {}", it.0));
            format!("{}{status}", answer.reply.status)
        }
        Err(fault) => fault.message.clone(),
    }
}

/// The store as one process has it.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) inner: Arc<dyn Store>,
    pub(super) life: Arc<Life>,
    pub(super) world: Arc<World>,
    pub(super) budget: Option<Usd>,
}

impl Book {
    fn tell(&self, what: &str, submit: &Submit) {
        self.world.tell(|| {
            let Submit { id, state, offer, .. } = submit;
            let (process, number) = (self.life.process, id.rsplit('-').next().unwrap_or(id));
            let job = self.world.facts().orders.get(id).map_or(u32::MAX, |it| it.0);
            format!(
                "process {process} {what} order {number} of job {job} at {offer}: {}",
                state.name()
            )
        });
    }

    async fn weigh(&self, submit: &Submit) {
        let Some(limit) = self.budget else { return };
        let spend = self.inner.spend(0, submit.account.as_deref()).await.unwrap_or_default();
        let spent: u64 = spend.iter().map(|it| it.high.0).sum();
        if limit.0 < spent {
            let how = format!("{} is spent or reserved of {limit}", Usd(spent));
            self.world.violated(Invariant::WithinBudget, None, how);
        }
    }
}

#[async_trait]
impl Store for Book {
    async fn open(&self, submit: &Submit) -> Result<()> {
        self.life.point("before it writes an order down").await;
        let result = self.inner.open(submit).await;
        self.tell(if result.is_ok() { "opens" } else { "may not open" }, submit);
        if result.is_ok() {
            self.weigh(submit).await;
        }
        self.life.point("after it wrote an order down").await;
        result
    }

    async fn write(&self, submit: &Submit) -> Result<()> {
        self.life.point("before it writes what became of an order").await;
        let result = self.inner.write(submit).await;
        self.tell("writes", submit);
        self.life.point("after it wrote what became of an order").await;
        result
    }

    async fn get(&self, id: &str) -> Result<Option<Submit>> {
        self.inner.get(id).await
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Submit>> {
        self.inner.list(filter).await
    }

    async fn spend(&self, since_ms: u64, account: Option<&str>) -> Result<Vec<Spend>> {
        self.inner.spend(since_ms, account).await
    }

    async fn budgets(&self) -> Result<Vec<Budget>> {
        self.inner.budgets().await
    }

    async fn set_budget(&self, budget: &Budget) -> Result<()> {
        self.inner.set_budget(budget).await
    }

    async fn remove_budget(&self, account: Option<&str>, period: Period) -> Result<bool> {
        self.inner.remove_budget(account, period).await
    }

    async fn claim(
        &self,
        account: Option<&str>,
        key: &str,
        job: &str,
        fingerprint: &str,
    ) -> Result<Option<(String, String)>> {
        self.life.point("before it claims a key").await;
        let result = self.inner.claim(account, key, job, fingerprint).await;
        self.life.point("after it claimed a key").await;
        result
    }

    async fn leave(&self, print: &str, job: &str, until_ms: u64) -> Result<()> {
        self.inner.leave(print, job, until_ms).await
    }

    async fn take(&self, print: &str, job: Option<&str>, now_ms: u64) -> Result<Option<String>> {
        self.inner.take(print, job, now_ms).await
    }

    async fn prune(&self, before_ms: u64) -> Result<u64> {
        self.inner.prune(before_ms).await
    }

    async fn secret(&self) -> Result<[u8; 16]> {
        self.inner.secret().await
    }
}
