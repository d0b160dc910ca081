//! Answers of providers: they come to pictures or to an error, which has no key in it, in whatever pieces they come.

use std::collections::VecDeque;
use std::sync::{Mutex, OnceLock, PoisonError};

use async_trait::async_trait;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use repaint_adapters as _;
use repaint_client::{Answer, Client, Exchange, Fault, Fetched, Lifted, Order, Watch};
use repaint_core::{ImageRequest, Job, Registry, Reply};
use repaint_router::Router;
use serde_json::Value;
use url::Url;

use crate::{assert_short, pieces, swollen};

const KEY: &str = "nobody-may-see-this-word";
const LIMIT: u64 = 1 << 20;

/// Plays answers. The first line says whose they are; each begins with its status in a line, `%%` in a line is
/// between two, and `^` in one is the key that the client was given.
pub fn answer(bytes: &[u8]) {
    let text = swollen(bytes);
    let text = text.split(|it| *it == b'^').collect::<Vec<_>>().join(KEY.as_bytes());
    let (whose, mut rest) = cut(&text, b"\n");
    let offer = if whose == b"bfl" { "bfl/flux2-pro" } else { "together/flux2-pro" };
    let mut replies = VecDeque::new();
    while !rest.is_empty() && replies.len() < 8 {
        let (one, after) = cut(rest, b"\n%%\n");
        let (status, body) = cut(one, b"\n");
        let status = std::str::from_utf8(status).ok().and_then(|it| it.parse().ok());
        lifts(body);
        replies.push_back((status.unwrap_or(200), body.to_vec()));
        rest = after;
    }
    if !replies.is_empty() {
        runs(offer, replies);
    }
}

fn cut<'a>(text: &'a [u8], at: &[u8]) -> (&'a [u8], &'a [u8]) {
    match text.windows(at.len()).position(|it| it == at) {
        Some(place) => (&text[..place], &text[place + at.len()..]),
        None => (text, &[]),
    }
}

/// In whatever pieces an answer comes, its skeleton and pictures are the same, and they are what it says.
fn lifts(body: &[u8]) {
    let whole = lift(body, body.len().max(1), false);
    for size in pieces(body) {
        assert!(whole == lift(body, size, false), "in pieces of {size}");
        assert!(whole == lift(body, size, true), "left as base64, in pieces of {size}");
    }
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return };
    let (skeleton, lifted) = match whole {
        Ok(it) => it,
        Err(why) => panic!("a whole answer cannot be read: {why}"),
    };
    // Nobody's answer has a name that is long, or an object that looks like a place of ours.
    if has_strange_names(&value) {
        return;
    }
    let skeleton: Value = serde_json::from_slice(&skeleton).expect("the skeleton is JSON");
    assert_like(&skeleton, &value, &lifted);
}

/// The skeleton of an answer and its pictures, which may be left as base64 until now.
fn lift(body: &[u8], size: usize, undecoded: bool) -> Result<(Vec<u8>, Vec<Bytes>), String> {
    let (skeleton, lifted) = repaint_client::fuzzing::lift(body, size, LIMIT, undecoded)?;
    let bytes = |it| match it {
        Lifted::Bytes(bytes) => bytes,
        Lifted::Base64(text) => {
            assert!(undecoded, "it was to be decoded");
            let text = std::str::from_utf8(&text).expect("base64 is text");
            decoded(text).expect("what is left is base64").into()
        }
    };
    Ok((skeleton, lifted.into_iter().map(bytes).collect()))
}

fn has_strange_names(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_strange_names),
        Value::Object(fields) => {
            let strange = |it: &String| 200 < it.len() || it.starts_with('\0');
            fields.keys().any(strange) || fields.values().any(has_strange_names)
        }
        _ => false,
    }
}

fn assert_like(skeleton: &Value, whole: &Value, lifted: &[Bytes]) {
    match (skeleton, whole) {
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).for_each(|(a, b)| assert_like(a, b, lifted));
        }
        (Value::Object(a), Value::String(text)) => {
            let index = a["\0lifted"].as_u64().expect("the place of a picture");
            let picture = &lifted[usize::try_from(index).expect("a place")];
            match decoded(text) {
                Some(bytes) => assert!(picture == &bytes, "a picture is another"),
                None => assert!(picture.is_empty(), "what is no base64 became a picture"),
            }
        }
        (Value::Object(a), Value::Object(b)) => {
            assert!(a.keys().eq(b.keys()), "a field is lost");
            a.values().zip(b.values()).for_each(|(a, b)| assert_like(a, b, lifted));
        }
        (a, b) => assert!(a == b, "a value is another"),
    }
}

/// The base64 of a text, in either alphabet, with line breaks, padded or not.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let base64 =
        text.strip_prefix("data:").and_then(|it| it.split_once(',')).map_or(text, |it| it.1);
    let plain: String = base64.chars().filter(|it| !matches!(it, '\n' | '\r')).collect();
    let plain = plain.trim_end_matches('=');
    let alphabet = match plain.contains(['-', '_']) {
        true => alphabet::URL_SAFE,
        false => alphabet::STANDARD,
    };
    let config = GeneralPurposeConfig::new();
    let config = config.with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&alphabet, config).decode(plain).ok()
}

/// The whole client comes to pictures or to an error.
fn runs(offer: &str, replies: VecDeque<(u16, Vec<u8>)>) {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    let registry = REGISTRY.get_or_init(|| Registry::linked().expect("adapters are linked"));
    let client = Client::builder().without_environment().key("bfl", KEY).key("together", KEY);
    let client = client.exchange(Played(Mutex::new(replies))).build().expect("a client");
    let router = Router::new(registry.clone(), client);
    let mut job = Job::new(ImageRequest::new("a cat"));
    job.select = vec![offer.to_owned()];
    job.policy.timeout_seconds = Some(5);
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true);
    match runtime.build().expect("a runtime").block_on(router.run(job)) {
        Ok(outcome) => {
            assert!(!outcome.images.is_empty(), "a success without a picture");
            let real = |it: &repaint_core::Image| !it.bytes.is_empty() || it.address.is_some();
            assert!(outcome.images.iter().all(real));
        }
        Err(err) => {
            let data = err.data();
            assert!(!data.message.is_empty());
            let words =
                [Some(&data.message), data.provider_message.as_ref(), data.request_id.as_ref()];
            for told in words.into_iter().flatten() {
                assert!(!told.contains(KEY), "the key is told");
                assert_short(told);
            }
        }
    }
}

/// A network that gives these answers, the last again and again, and a picture at every address.
#[derive(Debug)]
struct Played(Mutex<VecDeque<(u16, Vec<u8>)>>);

#[async_trait]
impl Exchange for Played {
    async fn send(&self, order: Order) -> Result<Answer, Fault> {
        order.sent.complete();
        let mut replies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (status, body) = match replies.len() {
            1 => replies[0].clone(),
            _ => replies.pop_front().unwrap_or_default(),
        };
        let lifted = repaint_client::fuzzing::lift(&body, 4096, LIMIT, order.undecoded);
        let (body, lifted) = lifted.map_err(Fault::lasting)?;
        Ok(Answer { reply: Reply { status, headers: Vec::new(), body }, lifted })
    }

    async fn fetch(&self, _: &Url, _: u64, _: &Watch) -> Result<Fetched, Fault> {
        Ok(Fetched { status: 200, location: None, bytes: repaint_testkit::png(8, 8, 0).into() })
    }
}
