//! Jobs: written down they are the same, every offer takes or refuses them, and who takes one is sent all of it.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use repaint_adapters as _;
use repaint_client::Client;
use repaint_core::{Candidate, Job, Preview, Registry};
use repaint_router::Router;
use repaint_testkit::render;
use serde_json::Value;

use crate::body::text;
use crate::swollen;

/// Reads a job and plans it.
pub fn job(bytes: &[u8]) {
    let bytes = swollen(bytes);
    let mut job: Job = match serde_json::from_slice(&bytes) {
        Ok(job) => job,
        Err(_) => return,
    };
    let written = serde_json::to_string(&job).expect("a job has JSON");
    let again: Job = serde_json::from_str(&written).expect("it is read again");
    assert!(again == job, "written down and read again it is another");
    assert_eq!(again.fingerprint(&[7; 16]), job.fingerprint(&[7; 16]));

    let router = router();
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true);
    let plan = match runtime.build().expect("a runtime").block_on(router.plan(&mut job)) {
        Ok(plan) => plan,
        Err(err) => return assert_no_image(&job, &err.to_string()),
    };
    let takes = plan.candidates.iter().map(|it| it.offer.as_str());
    let refuses = plan.refusals.iter().inspect(|it| assert!(!it.reasons.is_empty()));
    let decided: Vec<&str> = takes.chain(refuses.map(|it| it.offer.as_str())).collect();
    let all: BTreeSet<&str> = router.registry().models().map(|it| it.id()).collect();
    assert_eq!(decided.len(), all.len());
    assert_eq!(decided.into_iter().collect::<BTreeSet<_>>(), all);
    for refused in plan.refusals.iter() {
        refused.reasons.iter().for_each(|it| assert_no_image(&job, &it.message));
    }
    for candidate in plan.candidates.iter() {
        match router.preview(&job, &candidate.offer).expect("who takes it has a body for it") {
            Preview::Http(call) => {
                assert_sent(&job, candidate, &render(&call.body.expect("a body")))
            }
            Preview::Local(_) => {}
        }
    }
}

/// Nothing that is told has the bytes of an image in it.
fn assert_no_image(job: &Job, told: &str) {
    let inline = job.request.inputs().filter(|it| it.facts().is_some());
    let has = inline.map(text).any(|it| told.contains(&*String::from_utf8_lossy(&it)));
    assert!(!has, "an image is told");
}

fn router() -> &'static Router {
    static ROUTER: OnceLock<Router> = OnceLock::new();
    ROUTER.get_or_init(|| {
        let client = Client::builder().without_environment().build().expect("a client");
        Router::new(Registry::linked().expect("adapters are linked"), client)
    })
}

fn assert_sent(job: &Job, candidate: &Candidate, body: &str) {
    let request = &job.request;
    let value: Value = serde_json::from_str(body).expect("a body is JSON");
    let leaves = leaves(&value);
    let changed = |field: &str| candidate.adaptations.iter().any(|it| it.field.starts_with(field));
    let has = |wanted: &dyn Fn(&Value) -> bool| leaves.iter().any(|it| wanted(it));
    let is_text = |text: &str| has(&|it| it.as_str().is_some_and(|it| it.contains(text)));
    let is_number = |number: Option<f64>| has(&|it| it.as_f64() == number);
    let offer = &candidate.offer;
    assert!(is_text(&request.prompt), "{offer} is sent another prompt");
    if !changed("images") && !changed("mask") && !changed("input") {
        for image in request.inputs() {
            let text = String::from_utf8(text(image)).expect("text");
            assert!(is_text(&text), "{offer} is not sent an image");
        }
    }
    if let Some(words) = &request.negative_prompt {
        assert!(changed("negative_prompt") || is_text(words), "{offer}: negative_prompt");
    }
    let seed = request.seed.map(|it| it as f64);
    let steps = request.steps.map(f64::from);
    for (name, number) in [("seed", seed), ("steps", steps), ("guidance", request.guidance)] {
        assert!(number.is_none() || changed(name) || is_number(number), "{offer}: {name}");
    }
    for (name, option) in &request.options {
        assert_eq!(value.get(name), Some(option), "{offer}: an option");
    }
}

/// All that is no list and no object.
fn leaves(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().flat_map(leaves).collect(),
        Value::Object(fields) => fields.values().flat_map(leaves).collect(),
        one => vec![one],
    }
}
