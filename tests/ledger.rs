//! Jobs whose orders are written down: no crash, no second process and no repeated call pays twice, and
//! what a host sees of them holds no secret.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use repaint_client::Client;
use repaint_core::{ErrorKind, Estimate, Job, RefusalCode, Reply, Store, Submit, SubmitState, Usd};
use repaint_router::{Once, Router};
use repaint_testkit::{Script, reply};
use repaint_tests::{Notes, budget, edit, job, linked, ticket};
use serde_json::json;
use tokio::time::Instant;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

#[tokio::test(start_paused = true)]
async fn an_order_is_written_before_it_is_sent_and_safe_when_the_job_returns() {
    let (notes, network) = (notes(), Script::new(bfl()));
    let outcome = router(&network, &notes).run(wanted()).await.expect("a picture");
    let [order] = notes.orders().try_into().expect("one order");
    assert_eq!((order.state, order.offer.as_str()), (SubmitState::Safe, "bfl/flux2-pro"));
    assert_eq!(outcome.receipt.orders.first(), Some(&order.id));
    assert_eq!(outcome.receipt.job.as_ref(), Some(&order.job));
    assert!(order.id.starts_with(&order.job));
    assert_eq!((order.pictures, order.fingerprint.len()), (1, 32));
    let told = serde_json::to_string(&order).expect("JSON");
    assert!(!told.contains("watercolor") && !told.contains("base64"), "{told}");
    // What cannot be written down is not sent, and lies with no offer.
    notes.breaks(true);
    let network = Script::new(bfl());
    let router = router(&network, &notes);
    let err =
        router.run(Job { select: vec!["flux2".into()], ..wanted() }).await.expect_err("broken");
    assert_eq!((err.kind(), network.asked().len()), (ErrorKind::Unavailable, 0));
    assert!(err.message().contains("the store is broken"), "{err}");
    assert_eq!(err.data().hops.len(), 1, "nobody else could do better");
    for _ in 0..9 {
        router.run(wanted()).await.expect_err("broken");
    }
    notes.breaks(false);
    router.run(wanted()).await.expect("no offer rests for it");
}

#[tokio::test(start_paused = true)]
async fn pictures_are_safe_only_where_the_caller_says_where_they_are() {
    let (notes, network) = (notes(), Script::new(bfl()));
    let router = router(&network, &notes);
    let task = router.task(wanted()).for_paths(["planned.png".to_owned()]);
    let state = notes.clone();
    let kept = task.keeping(|outcome| async move {
        let [order] = state.orders().try_into().expect("one order");
        assert_eq!((order.state, order.paths), (SubmitState::Made, vec!["planned.png".into()]));
        (outcome.images.len(), Some(vec!["kept.png".to_owned()]))
    });
    assert_eq!(kept.await.expect("a picture"), 1);
    let [order] = notes.orders().try_into().expect("one order");
    assert_eq!((order.state, order.paths), (SubmitState::Safe, vec!["kept.png".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_kept_is_picked_up_and_bought_once() {
    let (notes, network) = (notes(), Script::new(bfl()));
    let router = router(&network, &notes);
    router.task(wanted()).keeping(|_| async { ((), None) }).await.expect("a picture");
    let [order] = notes.orders().try_into().expect("one order");
    assert_eq!(order.state, SubmitState::Made);
    let resumable = router.resumable().await.expect("a list");
    assert_eq!(resumable.iter().map(|it| &it.id).collect::<Vec<_>>(), [&order.id]);
    let outcome = router.pick_up_order(&order.id, |_| {}).run().await.expect("the same picture");
    assert_eq!((outcome.images.len(), outcome.receipt.offer.as_str()), (1, "bfl/flux2-pro"));
    assert_eq!((network.orders().len(), notes.orders()[0].state), (1, SubmitState::Safe));
    let err = router.pick_up_order(&order.id, |_| {}).run().await.expect_err("it is safe");
    assert!(err.message().contains("its pictures are safe"), "{err}");
    assert!(router.resumable().await.expect("a list").is_empty());
    let err = router.pick_up_order("nobody", |_| {}).run().await.expect_err("no such order");
    assert_eq!(err.kind(), ErrorKind::InvalidRequest);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_was_given_up_is_picked_up_by_its_handle() {
    let pending = reply(200, &json!({ "id": "job-1", "status": "Pending" }));
    let [taken, ready] = bfl();
    let (notes, network) = (notes(), Script::new([taken, pending.clone()]));
    let err = router(&network, &notes).run(wanted()).await.expect_err("too slow");
    assert_eq!(err.kind(), ErrorKind::OutcomeUnknown);
    assert_eq!(notes.orders()[0].state, SubmitState::Accepted);
    let handle = err.data().resume.clone().expect("a handle");
    // Another process, with and without the same store.
    let network = Script::new([pending, ready]);
    let outcome = router(&network, &notes).pick_up(handle.clone(), |_| {}).run().await;
    assert_eq!(outcome.expect("a picture").receipt.offer, "bfl/flux2-pro");
    assert_eq!((network.orders().len(), notes.orders()[0].state), (0, SubmitState::Safe));
    let [_, ready] = bfl();
    let network = Script::new([ready]);
    let outcome = Router::new(linked(), client(&network, &clock())).pick_up(handle, |_| {}).run();
    assert_eq!(outcome.await.expect("a picture").images.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_budget_holds_for_all_who_spend_at_the_same_time() {
    let (notes, network) = (notes(), Script::new([reply(200, &together())]));
    notes.set_budget(&budget(3 * 30_000)).await.expect("set");
    let router = router(&network, &notes);
    let mut jobs = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let mut wanted = job("together/flux2-pro", edit());
        wanted.request.size = "1000x1000".parse().unwrap_or_default();
        wanted.policy.adapt.set("size=nearest").expect("an adaptation");
        let router = router.clone();
        jobs.spawn(async move { router.run(wanted).await });
    }
    let mut painted = 0;
    while let Some(done) = jobs.join_next().await {
        match done.expect("no panic") {
            Ok(_) => painted += 1,
            Err(err) => assert_eq!(err.data().refusals[0].code, RefusalCode::OverBudget),
        }
    }
    let high: u64 = notes.orders().iter().map(|it| it.high().0).sum();
    assert!(high <= 90_000, "{high}");
    assert_eq!((painted, network.orders().len()), (notes.orders().len(), painted));
    assert!((1..=3).contains(&painted), "{painted}");
}

#[tokio::test(start_paused = true)]
async fn a_repeated_key_buys_nothing_and_says_where_the_pictures_are() {
    let (notes, network) = (notes(), Script::new(bfl()));
    let router = router(&network, &notes);
    let keep = |_| async { ("brought", Some(vec!["cat.png".to_owned()])) };
    let first = router.task(wanted()).once_keeping("order-17", keep).await.expect("a picture");
    assert!(matches!(first, Once::Now("brought")));
    let again = router.task(wanted()).once_keeping("order-17", keep).await.expect("the same");
    let Once::Before(orders) = again else { panic!("bought twice") };
    assert_eq!(
        (orders[0].paths.as_slice(), network.orders().len()),
        (["cat.png".to_owned()].as_slice(), 1)
    );
    // More time, or more money, is the same job; another prompt is not.
    let mut patient = wanted();
    (patient.policy.timeout_seconds, patient.policy.max_cost) = (Some(9), Some(Usd(9_000_000)));
    assert!(matches!(router.task(patient).once("order-17").await, Ok(Once::Before(_))));
    let mut other = wanted();
    other.request.prompt.push('!');
    let err = router.task(other).once("order-17").await.expect_err("another job");
    assert!(err.message().contains("the key stands for another job"), "{err}");
    // On another account it is another key.
    let network = Script::new(bfl());
    let elsewhere = Router::new(linked(), client(&network, &clock())).with_store(notes.clone());
    let other = elsewhere.on_account("else").task(wanted()).once("order-17").await;
    assert!(matches!(other, Ok(Once::Now(_))));
}

#[tokio::test(start_paused = true)]
async fn the_same_key_at_the_same_time_is_one_order() {
    let (notes, network) = (notes(), Script::new(bfl()));
    let router = router(&network, &notes);
    let mut jobs = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let task = router.task(wanted());
        jobs.spawn(async move { task.once("order-17").await });
    }
    let (mut now, mut before) = (0, 0);
    while let Some(done) = jobs.join_next().await {
        match done.expect("no panic").expect("it came") {
            Once::Now(_) => now += 1,
            Once::Before(_) => before += 1,
        }
    }
    assert_eq!((now, before, network.orders().len()), (1, 9, 1));
}

#[tokio::test(start_paused = true)]
async fn a_repeated_key_picks_up_what_a_process_that_died_has_begun() {
    let [taken, ready] = bfl();
    let pending = reply(200, &json!({ "id": "job-1", "status": "Pending" }));
    let (notes, network) = (notes(), Script::new([taken, pending, ready]));
    let router = router(&network, &notes);
    let dying = router.task(wanted());
    tokio::select! {
        _ = dying.once("order-17") => panic!("it was to die"),
        () = tokio::time::sleep(Duration::from_millis(600)) => {}
    }
    assert_eq!(notes.orders()[0].state, SubmitState::Accepted);
    let began = Instant::now();
    let again = router.task(wanted()).once("order-17").await.expect("a picture");
    assert!(matches!(again, Once::Now(_)));
    assert_eq!((network.orders().len(), notes.orders().len()), (1, 1));
    assert!((20..60).contains(&began.elapsed().as_secs()), "until nobody holds it: {began:?}");
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_that_cost_nothing_a_key_is_free_and_after_others_it_is_not() {
    let refused = reply(401, &json!({}));
    let [taken, ready] = bfl();
    let (notes, network) = (notes(), Script::new([refused, taken, ready]));
    let router = router(&network, &notes);
    let err = router.task(wanted()).once("order-17").await.expect_err("not let in");
    assert_eq!(err.kind(), ErrorKind::Denied);
    let again = router.task(wanted()).once("order-17").await.expect("a picture");
    assert!(matches!(again, Once::Now(_)));
    let states: Vec<SubmitState> = notes.orders().iter().map(|it| it.state).collect();
    assert_eq!(states, [SubmitState::NotTaken, SubmitState::Safe]);

    for (state, kind) in [
        (SubmitState::Unknown, ErrorKind::OutcomeUnknown),
        (SubmitState::Failed, ErrorKind::Moderated),
    ] {
        let (store, network) = (notes_with(state).await, Script::new(bfl()));
        let router = Router::new(linked(), client(&network, &clock())).with_store(store);
        let err = router.task(wanted()).once("order-18").await.expect_err("it may be paid");
        assert_eq!((err.kind(), network.asked().len()), (kind, 0), "{err}");
    }
}

/// A job in three calls, of which one failed: its pictures are safe, and so are its orders.
#[tokio::test(start_paused = true)]
async fn each_call_of_a_job_is_an_order_of_its_own() {
    let answers = [reply(200, &together()), reply(400, &json!({})), reply(200, &together())];
    let (notes, network) = (notes(), Script::new(answers));
    let mut wanted = job("together/flux2-dev", edit());
    wanted.request.count = 1 + linked()
        .get("together/flux2-dev")
        .expect("it is linked")
        .capabilities()
        .count
        .value
        .max
        * 2;
    let outcome = router(&network, &notes).run(wanted).await.expect("pictures");
    let receipt = &outcome.receipt;
    assert_eq!((receipt.calls.len(), receipt.orders.len(), receipt.failures.len()), (3, 3, 1));
    let states: Vec<SubmitState> = notes.orders().iter().map(|it| it.state).collect();
    assert_eq!(states.iter().filter(|it| **it == SubmitState::Safe).count(), 2, "{states:?}");
    assert_eq!(receipt.job.as_ref(), Some(&notes.orders()[0].job));
}

/// The names are OpenTelemetry's; a span is where secrets are lost.
#[tokio::test(start_paused = true)]
async fn a_span_says_what_was_called_and_holds_no_prompt_and_no_key() {
    let network = Script::new(bfl());
    let plain = Router::new(linked(), client(&network, &clock()));
    let (spans, guard) = listening();
    plain.run(wanted()).await.expect("a picture");
    drop(guard);
    let fields = spans.fields();
    for (name, value) in [
        ("gen_ai.operation.name", "generate_content"),
        ("gen_ai.output.type", "image"),
        ("gen_ai.provider.name", "bfl"),
        ("gen_ai.request.model", "flux-2-pro"),
        ("gen_ai.response.id", "job-1"),
        ("server.address", "api.bfl.ai"),
        ("repaint.offer", "bfl/flux2-pro"),
    ] {
        assert_eq!(fields.get(name).map(String::as_str), Some(value), "{name}: {fields:?}");
    }
    let all = format!("{fields:?}");
    for secret in ["watercolor", "test-key", "base64"] {
        assert!(!all.contains(secret), "{all}");
    }
    let network = Script::new([reply(401, &json!({}))]);
    let recording = Router::new(linked(), client(&network, &clock())).recording_prompts();
    let (spans, guard) = listening();
    recording.run(wanted()).await.expect_err("not let in");
    drop(guard);
    let fields = spans.fields();
    assert_eq!(fields.get("error.type").map(String::as_str), Some("denied"));
    assert!(fields["gen_ai.input.messages"].contains("watercolor"), "as it was asked for");
}

// --- What the trials above say in short.

fn wanted() -> Job {
    job("bfl/flux2-pro", edit())
}

fn together() -> serde_json::Value {
    json!({ "data": [{ "url": "https://example.com/1.png" }] })
}

fn bfl() -> [Reply; 2] {
    let sample = json!({ "sample": "https://example.com/1.png" });
    [
        reply(200, &ticket("https://api.bfl.ai/v1/get_result?id=job-1")),
        reply(200, &json!({ "id": "job-1", "status": "Ready", "result": sample })),
    ]
}

fn notes() -> Arc<Notes> {
    Arc::default()
}

/// A store whose key `order-18` stands for a job that ended so, long ago.
async fn notes_with(state: SubmitState) -> Arc<Notes> {
    let store = notes();
    let print = {
        // The client reads the heads of images first; these are in memory, and known already.
        wanted().fingerprint(&store.secret().await.expect("a secret"))
    };
    store.claim(None, "order-18", "000000000001000000000000", &print).await.expect("claimed");
    store.leave(Submit {
        id: "000000000001000000000000-0".into(),
        job: "000000000001000000000000".into(),
        account: None,
        offer: "bfl/flux2-pro".into(),
        fingerprint: String::new(),
        pictures: 1,
        estimate: Estimate { low: Usd(1), high: Usd(1) },
        state,
        cost: None,
        handle: None,
        paths: Vec::new(),
        error: (state == SubmitState::Failed).then_some(ErrorKind::Moderated),
        created_ms: 1,
        updated_ms: 1,
        held_until_ms: 1,
    });
    store
}

/// A clock that follows tokio's, so that a test that stops the one stops the other.
fn clock() -> impl Fn() -> std::time::SystemTime + Send + Sync + 'static + Clone {
    static FIRST: AtomicU64 = AtomicU64::new(0);
    let later = FIRST.fetch_add(1_000_000, Ordering::Relaxed);
    let began = Instant::now();
    let start = std::time::UNIX_EPOCH + Duration::from_secs(1_795_687_200 + later);
    move || start + began.elapsed()
}

fn client(
    network: &Script,
    clock: &(impl Fn() -> std::time::SystemTime + Send + Sync + 'static + Clone),
) -> Client {
    let builder = Client::builder().without_environment().exchange(network.clone());
    let builder = builder.key("together", "test-key").key("bfl", "test-key");
    builder.clock(clock.clone()).build().expect("a client")
}

fn router(network: &Script, notes: &Arc<Notes>) -> Router {
    Router::new(linked(), client(network, &clock())).with_store(notes.clone())
}

/// Every field of every span.
#[derive(Clone, Debug, Default)]
struct Spans(Arc<Mutex<BTreeMap<String, String>>>);

fn listening() -> (Spans, tracing::subscriber::DefaultGuard) {
    let spans = Spans::default();
    (spans.clone(), tracing::subscriber::set_default(spans))
}

impl Spans {
    fn fields(&self) -> BTreeMap<String, String> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Visit for Spans {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.lock().insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.lock().insert(field.name().to_owned(), format!("{value:?}"));
    }
}

impl Subscriber for Spans {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
