//! A network that follows a script, for what takes long: time can stand still around it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use repaint_client::{Answer, Exchange, Fault, Fetched, Order, Watch};
use repaint_core::{Reply, Segment};
use repaint_testkit::{png, render};
use serde_json::Value;
use url::Url;

/// Gives its answers in turn, and the last one again and again; remembers who asked for what.
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

    /// Every call so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.state().asked.clone()
    }

    /// The body of every order so far.
    pub fn orders(&self) -> Vec<Value> {
        self.asked().into_iter().filter_map(|it| it.body).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics here")
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
            serde_json::from_str(&render(&body)).expect("the body is JSON")
        });
        let (url, keyed) = (order.url.to_string(), order.auth.is_some());
        let mut state = self.state();
        state.asked.push(Asked { url, keyed, body });
        let reply = match state.answers.len() {
            0 => return Err(Fault::lasting("the script has no answer")),
            1 => state.answers[0].clone(),
            _ => state.answers.pop_front().unwrap_or_default(),
        };
        Ok(Answer { reply, lifted: Vec::new() })
    }

    async fn fetch(&self, url: &Url, _: u64, _: &Watch) -> Result<Fetched, Fault> {
        self.state().asked.push(Asked { url: url.to_string(), keyed: false, body: None });
        Ok(Fetched { status: 200, location: None, bytes: png(64, 64, 0).into() })
    }
}
