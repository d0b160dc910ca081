//! A network that follows a script, so that replies can be tried through the whole client.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use repaint_client::{Answer, Client, Exchange, Fault, Fetched, Order, Watch};
use repaint_core::{Reply, Result, Segment};
use serde_json::Value;
use url::Url;

use crate::{real_png, render};

/// A network that gives its answers in turn, and the last one again and again; every download is a
/// picture. It remembers who asked for what. Where a test stops the clock, long waits take no time.
///
/// Input images must be in memory or at addresses: a script reads no files.
///
/// ```
/// use repaint_adapters as _; // or your own crate
/// use repaint_core::{ImageRequest, Job, Registry};
/// use repaint_router::Router;
/// use repaint_testkit::{Script, reply};
/// use serde_json::json;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// let network = Script::new([
///     reply(429, &json!({ "error": { "message": "slow down" } })),
///     reply(200, &json!({ "data": [{ "url": "https://example.com/1.png" }] })),
/// ]);
/// let mut job = Job::new(ImageRequest { seed: Some(7), ..ImageRequest::new("A red fox in snow") });
/// job.select = vec!["together/kontext-pro".to_owned()];
/// let router = Router::new(Registry::linked()?, network.client("together")?);
/// let outcome = router.run(job).await?;
///
/// // A rate limit is proof that the order was not taken, so it was made twice; then came the picture.
/// assert_eq!(network.orders().len(), 2);
/// assert_eq!(network.orders()[1]["seed"], 7);
/// assert_eq!(network.asked()[2].url, "https://example.com/1.png");
/// assert_eq!(outcome.images.len(), 1);
/// # Ok::<(), repaint_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug, Default)]
pub struct Script(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    answers: VecDeque<Reply>,
    asked: Vec<Asked>,
}

/// A call that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Its address.
    pub url: String,
    /// Whether a key went with it.
    pub keyed: bool,
    /// The body of an order, whole.
    pub body: Option<Value>,
}

/// An answer.
pub fn reply(status: u16, body: &Value) -> Reply {
    Reply { status, headers: Vec::new(), body: body.to_string().into_bytes() }
}

impl Script {
    /// A network that gives these answers.
    pub fn new(answers: impl IntoIterator<Item = Reply>) -> Self {
        let answers = answers.into_iter().collect();
        Self(Arc::new(Mutex::new(State { answers, asked: Vec::new() })))
    }

    /// A client that reaches nothing but this network, with a key for one provider.
    pub fn client(&self, provider: &str) -> Result<Client> {
        let builder = Client::builder().without_environment().exchange(self.clone());
        builder.key(provider, "test-key").build()
    }

    /// Every call so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.state().asked.clone()
    }

    /// The body of every order so far.
    pub fn orders(&self) -> Vec<Value> {
        self.asked().into_iter().filter_map(|it| it.body).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Exchange for Script {
    async fn send(&self, order: Order) -> Result<Answer, Fault> {
        if order.body.is_some() {
            order.sent.complete();
        }
        let body = order.body.map(|body| {
            let in_memory = |it: &Segment| !format!("{it:?}").contains("File(");
            assert!(body.segments().iter().all(in_memory), "a script reads no files");
            serde_json::from_str(&render(&body)).unwrap_or_else(|err| panic!("no JSON: {err}"))
        });
        let (url, keyed) = (order.url.to_string(), order.auth.is_some());
        let mut state = self.state();
        state.asked.push(Asked { url, keyed, body });
        let reply = match state.answers.len() {
            0 => return Err(Fault::lasting("the script has no answer: give `Script::new` one")),
            1 => state.answers[0].clone(),
            _ => state.answers.pop_front().unwrap_or_default(),
        };
        Ok(Answer { reply, lifted: Vec::new() })
    }

    async fn fetch(&self, url: &Url, _: u64, _: &Watch) -> Result<Fetched, Fault> {
        self.state().asked.push(Asked { url: url.to_string(), keyed: false, body: None });
        Ok(Fetched { status: 200, location: None, bytes: real_png(64, 64, 0).into() })
    }
}
