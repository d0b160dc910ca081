//! Jobs that go from offer to offer: nothing is lost on any hop, nothing is paid for twice, and the
//! receipt says all of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use repaint_client::{Answer, Client, Exchange, Fault, Fetched, Order, Progress, Watch};
use repaint_core::{
    Capabilities, Date, Error, ErrorKind, ImageInput, ImageRequest, Job, OrderBy, Outcome, Plan,
    Policy, Price, Providers, RefusalCode, Registry, Reply, Result, Usd, WarningCode, between,
};
use repaint_router::{Calling, Conditions, Health, Hooks, Router, Rules, Snapshot, Why, plan};
use repaint_testkit::{EDITS, Fake, Script, fake, made_up, real_png, reply};
use repaint_tests::{edit, edits, job, linked, ticket};
use serde_json::json;
use tokio::time::Instant;
use url::Url;

/// Row 16.
/// The same key and the same credit would fail again.
#[tokio::test]
async fn no_other_offer_of_an_account_that_is_empty_or_locked_is_asked() {
    let empty = |it: Fake| {
        let error = Error::new(ErrorKind::Exhausted, "no credit").with(|it| it.status = Some(402));
        it.fails_with(error)
    };
    for (first, same) in [
        (fake("acme/a").fails(ErrorKind::Denied), fake("acme/b")),
        (empty(fake("acme/a")), fake("acme/b")),
    ] {
        let other = fake("other/c").costs(Price::Each(Usd(90_000)));
        let registry = Registry::new([first.model(), same.model(), other.model()]).expect("models");
        let client = Client::builder().without_environment().key("acme", "k").key("other", "k");
        let router = Router::new(registry, client.build().expect("a client"));
        let outcome = router.run(Job::new(ImageRequest::new("A cat"))).await.expect("a picture");
        assert_eq!(outcome.receipt.offer, "other/c");
        assert!(same.asked().is_empty());
    }
}

#[tokio::test]
async fn a_job_goes_to_the_next_offer_when_one_surely_did_not_take_it() {
    for kind in [ErrorKind::Unavailable, ErrorKind::Exhausted, ErrorKind::Denied] {
        let (cheap, dear) = (fake("acme/cheap").costs(cents(1)).fails(kind), fake("else/dear"));
        let outcome = router(&[&cheap, &dear]).run(Job::new(edit())).await.expect("a picture");
        assert_eq!(outcome.receipt.offer, "else/dear");
        let [hop] = outcome.receipt.hops.as_slice() else { panic!("{:?}", outcome.receipt) };
        assert_eq!((hop.offer.as_str(), hop.code, hop.spent.high), ("acme/cheap", kind, Usd(0)));
        assert_eq!(dear.asked()[0].images, edit().images, "with its image");
    }
}

/// Row 16. What may have been bought, and what would be refused elsewhere as well, ends the job.
#[tokio::test]
async fn nobody_else_is_asked_after_what_may_be_paid_or_lies_with_the_request() {
    for kind in [
        ErrorKind::OutcomeUnknown,
        ErrorKind::Moderated,
        ErrorKind::InvalidRequest,
        ErrorKind::Expired,
        ErrorKind::Unexpected,
    ] {
        let (cheap, dear) = (fake("acme/cheap").costs(cents(1)).fails(kind), fake("else/dear"));
        let err = router(&[&cheap, &dear]).run(Job::new(edit())).await.expect_err("it ends");
        assert_eq!((err.kind(), dear.asked().len()), (kind, 0));
    }
    // Without a handle, too.
    let lost = Error::new(ErrorKind::OutcomeUnknown, "nobody answered");
    let (cheap, dear) = (fake("acme/cheap").costs(cents(1)).fails_with(lost), fake("else/dear"));
    router(&[&cheap, &dear]).run(Job::new(edit())).await.expect_err("it ends");
    assert!(dear.asked().is_empty());
    // The provider took it: whatever follows, the picture may come.
    let taken = Error::new(ErrorKind::Unavailable, "polled for ever").with(|it| {
        it.resume = like_unknown().data().resume.clone();
    });
    let (cheap, dear) = (fake("acme/cheap").costs(cents(1)).fails_with(taken), fake("else/dear"));
    router(&[&cheap, &dear]).run(Job::new(edit())).await.expect_err("it ends");
    assert!(dear.asked().is_empty());
}

/// Row 16. Whoever would lose an image is no candidate, however many others fail.
#[tokio::test]
async fn no_offer_that_would_lose_an_image_is_asked_when_all_others_fail() {
    let two = Capabilities { images: made_up(between(0, 2)), ..EDITS };
    let able = fake("acme/two").takes(two).fails(ErrorKind::Unavailable);
    let (one, none) = (fake("acme/one"), fake("acme/none").takes(DRAWS));
    let err = router(&[&able, &one, &none]).run(Job::new(edits(2))).await.expect_err("all fail");
    assert_eq!(err.kind(), ErrorKind::Unavailable);
    assert!(one.asked().is_empty() && none.asked().is_empty());
}

/// Row 16. A filter on this machine makes another picture than the one that was asked for.
#[tokio::test(start_paused = true)]
async fn a_job_never_ends_at_a_local_offer_that_nobody_named() {
    let network = Script::new([reply(401, &json!({}))]);
    let image = ImageInput::bytes(real_png(64, 64, 1)).expect("a picture");
    let request = ImageRequest { images: vec![image], ..ImageRequest::new("watercolor") };
    let mut wanted = Job::new(request);
    let err = scripted(&network).run(wanted.clone()).await.expect_err("nobody is let in");
    assert_eq!(err.kind(), ErrorKind::Denied);
    assert_eq!(err.data().hops.len(), 2, "each provider once: {err}");
    assert!(err.data().hops.iter().all(|it| !it.offer.starts_with("local/")), "{err:?}");
    // Named, it is one of those that were asked for.
    wanted.select = vec!["flux2-pro".to_owned(), "local/watercolor".to_owned()];
    wanted.policy.order = OrderBy::Preference;
    let outcome = scripted(&network).run(wanted).await.expect("painted");
    assert_eq!(outcome.receipt.offer, "local/watercolor");
    assert_eq!(outcome.receipt.hops.len(), 2);
}

#[tokio::test]
async fn a_policy_may_forbid_to_ask_anybody_else() {
    let cheap = fake("acme/cheap").costs(cents(1)).fails(ErrorKind::Unavailable);
    let dear = fake("else/dear");
    let policy = Policy { fallback: false, ..Policy::default() };
    let job = Job { policy, ..Job::new(edit()) };
    router(&[&cheap, &dear]).run(job).await.expect_err("the first fails");
    assert!(dear.asked().is_empty());
}

/// Row 17.
#[tokio::test]
async fn three_pictures_come_back_when_the_third_of_four_calls_fails() {
    let unknown = like_unknown();
    let model = fake("acme/one").paints().paints().fails_with(unknown).paints();
    let mut job = Job::new(edit());
    job.request.count = 4;
    let outcome = router(&[&model]).run(job).await.expect("pictures");
    let receipt = &outcome.receipt;
    assert_eq!((outcome.images.len(), receipt.pictures, receipt.failures.len()), (3, 3, 1));
    assert_eq!(receipt.failures[0].kind(), ErrorKind::OutcomeUnknown);
    let came: Vec<u32> = receipt.calls.iter().map(|it| it.pictures).collect();
    assert_eq!(came, [1, 1, 0, 1]);
    let lost = &receipt.calls[2];
    assert_eq!(lost.error, Some(ErrorKind::OutcomeUnknown));
    assert_eq!((lost.spent.low, lost.spent.high), (Usd(10_000), Usd(10_000)), "it has a handle");
    assert_eq!(lost.handle.as_ref().expect("its handle").id, "job-1");
    assert_eq!((receipt.cost, receipt.spent.high), (None, Usd(40_000)));
    assert_eq!(receipt.adaptations[0].method, "split");
    assert_eq!(receipt.adaptations[0].to, json!([1, 1, 1, 1]));
}

#[tokio::test]
async fn each_of_several_calls_has_a_seed_of_its_own() {
    let takes = Capabilities { seed: made_up(Some(between(0, 9))), ..EDITS };
    let model = fake("acme/seeds").takes(takes);
    let mut job = Job::new(edit());
    (job.request.count, job.request.seed) = (3, Some(8));
    let outcome = router(&[&model]).run(job).await.expect("pictures");
    let mut seeds: Vec<_> = model.asked().iter().filter_map(|it| it.seed).collect();
    seeds.sort_unstable();
    assert_eq!(seeds, [0, 8, 9]);
    assert_eq!(outcome.receipt.adaptations[1].field, "seed");
}

#[tokio::test]
async fn what_no_call_would_survive_keeps_the_others_from_being_sent() {
    let model = fake("acme/one").fails(ErrorKind::Denied);
    let mut job = Job::new(edit());
    job.request.count = 50;
    let err = router(&[&model]).run(job).await.expect_err("no key");
    assert_eq!(err.kind(), ErrorKind::Denied);
    assert!(model.asked().len() <= 5, "{}", model.asked().len());
}

#[tokio::test]
async fn the_most_that_a_job_may_cost_holds_for_all_calls_together() {
    let model = fake("acme/one").costs(cents(1));
    let mut job = Job::new(edit());
    (job.request.count, job.policy.max_cost) = (3, Some(Usd(29_999)));
    let err = router(&[&model]).run(job.clone()).await.expect_err("three cents");
    assert_eq!(err.data().refusals[0].code, RefusalCode::OverBudget);
    assert!(model.asked().is_empty());
    job.policy.max_cost = Some(Usd(30_000));
    let outcome = router(&[&model]).run(job).await.expect("pictures");
    assert_eq!(
        (outcome.receipt.estimate.high, outcome.receipt.cost),
        (Usd(30_000), Some(Usd(30_000)))
    );
}

/// Row 18. The body was sent, and then nothing: nobody is asked in its place.
#[tokio::test(start_paused = true)]
async fn silence_after_the_order_is_an_unknown_outcome_and_ends_the_job() {
    let silent = Silent::default();
    let builder = Client::builder().without_environment().exchange(silent.clone());
    let client = builder.key("together", "test-key").key("bfl", "test-key").build();
    let router = Router::new(linked(), client.expect("a client"));
    let began = Instant::now();
    let err = router.run(Job::new(edit())).await.expect_err("silence");
    assert_eq!(err.kind(), ErrorKind::OutcomeUnknown);
    assert_eq!((silent.orders(), began.elapsed().as_secs()), (1, 300));
}

/// Row 19. However many offers there are, an order is repeated four times in all.
#[tokio::test(start_paused = true)]
async fn one_budget_of_repeats_holds_for_a_job_with_all_its_offers() {
    let network = Script::new([reply(429, &json!({}))]);
    let select = ["flux2-pro", "flux2-flex", "flux2-dev"].map(str::to_owned).to_vec();
    let wanted = Job { select, ..Job::new(edit()) };
    let err = scripted(&network).run(wanted).await.expect_err("limited everywhere");
    assert_eq!(err.kind(), ErrorKind::Exhausted);
    let orders = network.orders();
    assert_eq!(orders.len(), 5 + 4, "five offers, four repeats");
    let first = orders.iter().take_while(|it| **it == orders[0]).count();
    assert_eq!(first, 2, "while others wait, it is repeated once");
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_that_does_not_end_says_how_often_it_was_met() {
    let network = Script::new([reply(429, &json!({}))]);
    let wanted = Job { select: vec!["together/flux2-dev".into()], ..Job::new(edit()) };
    let err = scripted(&network).run(wanted).await.expect_err("limited");
    assert_eq!(network.orders().len(), 5);
    assert!(err.message().contains("rate limit is reached (429); tried 5 times"), "{err}");
}

/// Row 20. What is asked for again is the picture, never the order; and nobody else gets it either.
#[tokio::test(start_paused = true)]
async fn a_failed_poll_or_download_never_orders_again_anywhere() {
    let ready = json!({ "sample": "https://example.com/1.png" });
    let network = Script::new([
        reply(200, &ticket("https://api.bfl.ai/v1/get_result?id=job-1")),
        reply(500, &json!({})),
        reply(429, &json!({})),
        reply(200, &json!({ "id": "job-1", "status": "Ready", "result": ready })),
    ]);
    let wanted = Job { select: vec!["flux2-pro".into()], ..Job::new(edit()) };
    let policy = Policy { providers: only("bfl"), ..Policy::default() };
    let outcome = scripted(&network).run(Job { policy, ..wanted.clone() }).await.expect("it came");
    assert_eq!((network.orders().len(), outcome.images.len()), (1, 1));
    let unknown = ErrorKind::OutcomeUnknown;
    for (status, kind) in [
        (500, unknown),
        (503, unknown),
        (401, ErrorKind::Denied),
        (402, unknown),
        (429, unknown),
        (404, ErrorKind::Expired),
    ] {
        let taken = reply(200, &ticket("https://api.bfl.ai/v1/get_result?id=job-1"));
        let network = Script::new([taken, reply(status, &json!({}))]);
        let mut wanted = wanted.clone();
        (wanted.policy.order, wanted.select) =
            (OrderBy::Preference, vec!["bfl/flux2-pro".into(), "together/flux2-pro".into()]);
        let err = scripted(&network).run(wanted).await.expect_err("it never comes");
        assert_eq!((network.orders().len(), err.kind()), (1, kind), "{status}: {err}");
        assert_eq!(err.data().resume.as_ref().expect("a handle").id, "job-1", "{status}");
    }
}

/// Who keeps the images for a job may let them go then, and not before.
#[tokio::test(start_paused = true)]
async fn inputs_are_needed_until_every_order_of_a_job_is_taken() {
    let taken = || reply(200, &ticket("https://api.bfl.ai/v1/get_result?id=job-1"));
    let ready = json!({ "sample": "https://example.com/1.png" });
    let ready = reply(200, &json!({ "id": "job-1", "status": "Ready", "result": ready }));
    for (second, wanted) in
        [(taken(), vec!["taken", "taken", "delivered"]), (reply(503, &json!({})), vec!["taken"])]
    {
        let network = Script::new([taken(), second, ready.clone()]);
        let mut job = Job { select: vec!["bfl/flux2-pro".into()], ..Job::new(edit()) };
        job.request.count = 2;
        let told = Arc::new(Mutex::new(Vec::new()));
        let teller = Arc::clone(&told);
        let watch = move |it| {
            let name = match it {
                Progress::Accepted { .. } => "taken",
                Progress::Delivered => "delivered",
                _ => return,
            };
            teller.lock().unwrap_or_else(PoisonError::into_inner).push(name);
        };
        let outcome = scripted(&network).watched(job, watch).run().await.expect("a picture");
        assert_eq!(outcome.images.len(), wanted.iter().filter(|it| **it == "taken").count());
        assert_eq!(*told.lock().unwrap_or_else(PoisonError::into_inner), wanted);
    }
}

/// Row 21.
#[tokio::test(start_paused = true)]
async fn what_moderation_stopped_is_not_tried_elsewhere() {
    let network = Script::new([
        reply(200, &ticket("https://api.bfl.ai/v1/get_result?id=job-1")),
        reply(200, &json!({ "id": "job-1", "status": "Request Moderated" })),
    ]);
    let began = Instant::now();
    let err = scripted(&network).run(prefers_bfl()).await.expect_err("moderated");
    assert_eq!(err.kind(), ErrorKind::Moderated);
    assert_eq!(network.orders().len(), 1);
    assert!(began.elapsed().as_secs() < 2);
}

/// Row 30. The order is taken, so nobody else gets it; the key stays where it belongs.
#[tokio::test(start_paused = true)]
async fn a_poll_at_a_strange_host_gets_no_key_and_no_second_order() {
    let network = Script::new([reply(200, &ticket("https://api.bfl.ai.evil.example/get_result"))]);
    let err = scripted(&network).run(prefers_bfl()).await.expect_err("a strange host");
    assert_eq!(err.kind(), ErrorKind::OutcomeUnknown);
    assert_eq!(network.asked().len(), 1, "{:?}", network.asked());
}

/// Row 32.
#[tokio::test(start_paused = true)]
async fn cancelling_ends_the_job_at_whatever_offer_it_is_and_tells_the_handle() {
    let network = Script::new([
        reply(200, &ticket("https://api.bfl.ai/v1/get_result?id=job-1")),
        reply(200, &json!({ "id": "job-1", "status": "Pending" })),
    ]);
    let task = scripted(&network).task(prefers_bfl());
    let cancel = task.canceller();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        cancel.cancel();
    });
    let began = Instant::now();
    let err = task.run().await.expect_err("cancelled");
    assert_eq!((err.kind(), began.elapsed().as_secs()), (ErrorKind::OutcomeUnknown, 5));
    assert_eq!(err.data().resume.as_ref().expect("a handle").id, "job-1");
    assert_eq!(network.orders().len(), 1);
}

/// Row 32. While it waits for its turn, nothing was bought.
#[tokio::test(start_paused = true)]
async fn cancelling_reaches_a_job_that_waits_for_its_turn() {
    let model = fake("acme/limited").fails(ErrorKind::Exhausted);
    let router = router(&[&model]);
    router.run(Job::new(edit())).await.expect_err("it is to wait a second");
    let task = router.task(Job::new(edit()));
    task.canceller().cancel();
    let err = task.run().await.expect_err("cancelled");
    assert!(err.message().contains("nothing was bought"), "{err}");
    assert_eq!(model.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_offer_that_fails_again_and_again_rests_and_then_one_job_tries_it() {
    let cheap =
        (0..5).fold(fake("acme/cheap").costs(cents(1)), |it, _| it.fails(ErrorKind::Unavailable));
    let (cheap, dear) = (cheap.paints(), fake("else/dear"));
    let router = router(&[&cheap, &dear]);
    for _ in 0..7 {
        router.run(Job::new(edit())).await.expect("the other paints");
    }
    assert_eq!((cheap.asked().len(), dear.asked().len()), (5, 7), "it rests");
    let plan = router.plan(&mut Job::new(edit())).await.expect("a plan");
    assert_eq!(plan.candidates[1].offer, "acme/cheap");
    assert_eq!(plan.candidates[1].warnings[0].code, WarningCode::Resting);
    tokio::time::advance(Duration::from_secs(31)).await;
    let outcome = router.run(Job::new(edit())).await.expect("a picture");
    assert_eq!(outcome.receipt.offer, "acme/cheap", "it works again");
}

#[tokio::test(start_paused = true)]
async fn an_only_offer_that_rests_says_so_at_once_and_one_that_is_limited_is_waited_for() {
    let failing = (0..5).fold(fake("acme/a"), |it, _| it.fails(ErrorKind::Unavailable));
    let alone = router(&[&failing]);
    for _ in 0..5 {
        alone.run(Job::new(edit())).await.expect_err("it fails");
    }
    let (began, err) = (Instant::now(), alone.run(Job::new(edit())).await.expect_err("it rests"));
    assert_eq!((err.kind(), failing.asked().len()), (ErrorKind::Unavailable, 5));
    assert!(err.retry_after().is_some_and(|it| 25 < it.as_secs()), "{err}");
    assert!(began.elapsed().is_zero());

    let limited = fake("acme/b").fails(ErrorKind::Exhausted).paints();
    let alone = router(&[&limited]);
    alone.run(Job::new(edit())).await.expect_err("limited");
    let began = Instant::now();
    alone.run(Job::new(edit())).await.expect("after the pause that the provider named");
    assert_eq!(began.elapsed().as_secs(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_rate_that_is_used_up_sends_the_next_job_elsewhere() {
    let headers = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "20")];
    let headers = headers.map(|(name, it)| (name.to_owned(), it.to_owned())).to_vec();
    let painted = json!({ "data": [{ "url": "https://example.com/1.png" }] });
    let network = Script::new([Reply { headers, ..reply(200, &painted) }]);
    let router = scripted(&network);
    let wanted = job("together/flux2-pro", edit());
    router.run(wanted.clone()).await.expect("a picture");
    let rests = router.health().snapshot().offers["together/flux2-pro"].rests.expect("it rests");
    assert_eq!((rests.why, rests.left), (Why::Limited, Some(Duration::from_secs(20))));
    let began = Instant::now();
    router.run(wanted).await.expect("a picture");
    assert_eq!(began.elapsed().as_secs(), 20);
}

/// ref: BFL takes 24 orders at a time, and 6 of kontext-max.
#[tokio::test(start_paused = true)]
async fn no_more_orders_are_on_their_way_than_a_provider_takes_at_a_time() {
    for (offer, most) in [("bfl/kontext-max", 6), ("bfl/kontext-pro", 24), ("bfl/flux2-pro", 24)] {
        let slow = Slow::default();
        let builder = Client::builder().without_environment().exchange(slow.clone());
        let router =
            Router::new(linked(), builder.key("bfl", "test-key").build().expect("a client"));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..40 {
            let task = router.task(job(offer, edit()));
            tasks.spawn(task.run());
        }
        while let Some(done) = tasks.join_next().await {
            done.expect("no panic").expect("a picture");
        }
        assert_eq!(slow.most(), most, "{offer}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_fastest_comes_first_where_that_is_wanted() {
    let mut health = Health::new(Rules::default()).snapshot();
    let known = |seconds| repaint_router::Known {
        latency: Some(repaint_router::Latency {
            p50: Duration::from_secs(seconds),
            p95: Duration::from_secs(9),
        }),
        rests: None,
    };
    health.offers =
        [("acme/slow", 8), ("acme/fast", 2)].map(|(it, at)| (it.to_owned(), known(at))).into();
    let models = ["acme/fast", "acme/new", "acme/slow"].map(fake);
    let registry = Registry::new(models.iter().map(Fake::model)).expect("three models");
    let policy = Policy { order: OrderBy::Latency, ..Policy::default() };
    let job = Job { policy, ..Job::new(edit()) };
    let order = |explores| {
        let conditions = Conditions { health: &health, explores, ..conditions(&health) };
        names(&plan(&registry, &job, &conditions).expect("a plan"))
    };
    assert_eq!(order(false), ["acme/fast", "acme/slow", "acme/new"]);
    assert_eq!(order(true), ["acme/new", "acme/fast", "acme/slow"], "now and then it has a chance");
}

#[test]
fn preferences_and_providers_are_kept() {
    let models = [("acme/a", 1), ("acme/b", 2), ("else/c", 3)];
    let models = models.map(|(id, price)| fake(id).costs(cents(price)));
    let registry = Registry::new(models.iter().map(Fake::model)).expect("three models");
    let health = Snapshot::default();
    let planned = |job: &Job| plan(&registry, job, &conditions(&health));
    let mut job = Job::new(edit());
    assert_eq!(names(&planned(&job).expect("a plan")), ["acme/a", "acme/b", "else/c"]);
    job.policy.order = OrderBy::Preference;
    job.select = ["else/c", "b", "a"].map(str::to_owned).to_vec();
    assert_eq!(names(&planned(&job).expect("a plan")), ["else/c", "acme/b", "acme/a"]);
    job.policy.providers = Providers { deny: vec!["acme".into()], ..Providers::default() };
    let denied = planned(&job).expect("a plan");
    assert_eq!(names(&denied), ["else/c"]);
    let reason = &denied.refusals[0].reasons[0];
    assert_eq!((reason.code, denied.refusals.len()), (RefusalCode::NotAllowed, 2));
    job.policy.providers = only("acmee");
    let err = planned(&job).expect_err("a slip");
    assert!(err.message().contains("no provider is called `acmee`; there are acme, else"), "{err}");
}

#[test]
fn a_plan_has_a_word_for_every_offer_however_it_is_read() {
    let health = Snapshot::default();
    let conditions = conditions(&health);
    let mut wanted = Job::new(edits(3));
    wanted.request.count = 6;
    let plan = plan(&linked(), &wanted, &conditions).expect("a plan");
    let said = serde_json::to_value(&plan).expect("JSON");
    let candidates = said["candidates"].as_array().expect("a list");
    let refusals = said["refusals"].as_array().expect("a list");
    assert_eq!(candidates.len() + refusals.len(), linked().models().count());
    assert!(refusals.iter().all(|it| !it["reasons"].as_array().expect("a list").is_empty()));
    let bfl =
        plan.candidates.iter().find(|it| it.offer == "bfl/flux2-pro").expect("it takes three");
    assert_eq!((bfl.calls, bfl.adaptations[0].field.as_str()), (6, "count"));
    // Kept, it is still what it was.
    assert_eq!(serde_json::to_value(plan.clone()).expect("JSON"), said);
}

#[tokio::test]
async fn a_host_sees_each_call_and_may_refuse_it() {
    let (cheap, dear) = (fake("acme/cheap").costs(cents(1)), fake("else/dear"));
    let host = Host::default();
    let router = router(&[&cheap, &dear]).with_hooks(host.clone());
    let outcome = router.run(Job::new(edit())).await.expect("a picture");
    assert_eq!((outcome.receipt.offer.as_str(), cheap.asked().len()), ("else/dear", 0));
    assert_eq!(host.seen(), ["planned 2", "else/dear true", "ended true"]);
}

// --- What the trials above say in short.

const DRAWS: Capabilities = Capabilities { images: made_up(between(0, 0)), ..EDITS };

fn cents(cents: u64) -> Price {
    Price::Each(Usd(cents * 10_000))
}

fn only(provider: &str) -> Providers {
    Providers { allow: vec![provider.to_owned()], deny: Vec::new() }
}

fn names(plan: &Plan) -> Vec<String> {
    plan.candidates.iter().map(|it| it.offer.clone()).collect()
}

fn conditions(health: &Snapshot) -> Conditions<'_> {
    Conditions { health, ..Conditions::new(&|_| true, Date::new(2026, 11, 22)) }
}

/// A router over fakes, with a key for each of their providers.
fn router(models: &[&Fake]) -> Router {
    let builder = Client::builder().without_environment().key("acme", "test-key");
    let client = builder.key("else", "test-key").build().expect("a client");
    Router::new(Registry::new(models.iter().map(|it| it.model())).expect("models"), client)
}

/// A router over all models, on a network of ours.
fn scripted(network: &Script) -> Router {
    let builder = Client::builder().without_environment().exchange(network.clone());
    let builder = builder.key("together", "test-key").key("bfl", "test-key");
    Router::new(linked(), builder.build().expect("a client"))
}

fn prefers_bfl() -> Job {
    let policy = Policy { order: OrderBy::Preference, ..Policy::default() };
    let select = vec!["bfl/flux2-pro".to_owned(), "together/flux2-pro".to_owned()];
    Job { select, policy, ..Job::new(edit()) }
}

fn like_unknown() -> Error {
    Error::new(ErrorKind::OutcomeUnknown, "it hangs").with(|it| {
        it.resume = Some(repaint_core::Handle {
            provider: "acme".into(),
            id: "job-1".into(),
            poll: None,
            pictures: Vec::new(),
        });
    })
}

/// A network that takes every order and never answers.
#[derive(Clone, Debug, Default)]
struct Silent(Arc<Mutex<usize>>);

impl Silent {
    fn orders(&self) -> usize {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Exchange for Silent {
    async fn send(&self, order: Order) -> Result<Answer, Fault> {
        order.sent.complete();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        std::future::pending().await
    }

    async fn fetch(&self, _: &Url, _: u64, _: &Watch) -> Result<Fetched, Fault> {
        Err(Fault::lasting("there is nothing to fetch"))
    }
}

/// A network whose pictures take ten seconds; it counts how many orders are on their way.
#[derive(Clone, Debug, Default)]
struct Slow(Arc<Mutex<(usize, usize)>>);

impl Slow {
    fn most(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    fn change(&self, by: isize) {
        let mut it = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        it.0 = it.0.saturating_add_signed(by);
        it.1 = it.1.max(it.0);
    }
}

#[async_trait]
impl Exchange for Slow {
    async fn send(&self, order: Order) -> Result<Answer, Fault> {
        let body = if order.body.is_some() {
            self.change(1);
            ticket("https://api.bfl.ai/v1/get_result?id=job-1")
        } else {
            tokio::time::sleep(Duration::from_secs(10)).await;
            self.change(-1);
            let sample = json!({ "sample": "https://example.com/1.png" });
            json!({ "id": "job-1", "status": "Ready", "result": sample })
        };
        Ok(Answer { reply: reply(200, &body), lifted: Vec::new() })
    }

    async fn fetch(&self, _: &Url, _: u64, _: &Watch) -> Result<Fetched, Fault> {
        let bytes = real_png(64, 64, 0).into();
        Ok(Fetched { status: 200, location: None, bytes })
    }
}

/// A host that wants nothing from acme.
#[derive(Clone, Debug, Default)]
struct Host(Arc<Mutex<Vec<String>>>);

impl Host {
    fn see(&self, what: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    fn seen(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Hooks for Host {
    fn planned(&self, _: &Job, plan: &Plan) -> Result<()> {
        self.see(format!("planned {}", plan.candidates.len()));
        Ok(())
    }

    async fn calling(&self, calling: &Calling<'_>) -> Result<()> {
        match calling.offer.starts_with("acme/") {
            true => Err(Error::new(ErrorKind::Unavailable, "not from acme today")),
            false => Ok(()),
        }
    }

    fn called(&self, calling: &Calling<'_>, result: Result<&Outcome, &Error>) {
        self.see(format!("{} {}", calling.offer, result.is_ok()));
    }

    fn ended(&self, _: &Job, result: Result<&Outcome, &Error>) {
        self.see(format!("ended {}", result.is_ok()));
    }
}
