//! Acme's replies, through the whole client and without a network.

use acme_images as _;
use repaint::{ErrorKind, ImageRequest, Job, Outcome, Phase, Reply, Result, Router, Stage};
use repaint_testkit::{Script, reply};
use serde_json::json;

#[tokio::test]
async fn a_picture_is_ordered_and_fetched() {
    let (outcome, network) = run([answer()]).await;
    let outcome = outcome.expect("a picture");
    assert_eq!(outcome.images.len(), 1);
    assert_eq!(outcome.receipt.request_id.as_deref(), Some("order-1"));
    assert_eq!(network.orders(), [json!({ "model": "Sketch 1", "text": "A red fox in snow" })]);
    let calls = network.asked();
    assert_eq!(calls[0].url, "https://api.acme.example/v1/pictures");
    // The key goes to Acme, and not to where the picture is.
    assert_eq!([calls[0].keyed, calls[1].keyed], [true, false]);
}

#[tokio::test]
async fn a_moderated_prompt_is_not_sent_again() {
    let (outcome, network) = run([reply(451, &json!({ "message": "not this" }))]).await;
    let err = outcome.expect_err("moderated");
    assert_eq!((err.kind(), err.data().stage), (ErrorKind::Moderated, Some(Stage::Input)));
    assert_eq!(network.orders().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_order_is_made_again_only_where_it_was_not_taken() {
    let (outcome, network) = run([reply(429, &json!({})), answer()]).await;
    let attempts = outcome.expect("a picture").receipt.attempts;
    let phases: Vec<Phase> = attempts.iter().map(|it| it.phase).collect();
    assert_eq!(phases, [Phase::Submit, Phase::Submit, Phase::Download]);
    assert_eq!(network.orders().len(), 2);
    let (outcome, network) = run([reply(500, &json!({})), answer()]).await;
    assert_eq!(outcome.expect_err("unknown").kind(), ErrorKind::OutcomeUnknown);
    assert_eq!(network.orders().len(), 1);
}

fn answer() -> Reply {
    let pictures = ["https://cdn.acme.example/1.png"];
    reply(200, &json!({ "order": "order-1", "pictures": pictures }))
}

async fn run(answers: impl IntoIterator<Item = Reply>) -> (Result<Outcome>, Script) {
    let network = Script::new(answers);
    let client = network.client("acme").expect("a client");
    let mut job = Job::new(ImageRequest::new("A red fox in snow"));
    job.select = vec!["sketch-1".to_owned()];
    let registry = repaint::registry().expect("adapters are linked");
    (Router::new(registry, client).run(job).await, network)
}
