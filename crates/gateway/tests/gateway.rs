//! The gateway behind a real socket, in front of the emulator: what clients of Together and OpenAI meet.

mod house;
mod keys;

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use house::{Form, House, Raw, data_uri, picture, until};
use repaint_core::{Filter, Store, SubmitState};
use repaint_emulator::{Fault, Settings};
use repaint_store::Memory;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// The seed's first example, as it is printed, but for the address.
const KONTEXT: &str = r#"{
         "model": "black-forest-labs/FLUX.1-kontext-pro",
         "width": 1024,
         "height": 768,
         "prompt": "Transform this into a watercolor painting",
         "image_url": "https://cdn.pixabay.com/photo/2020/05/20/08/27/cat-5195431_1280.jpg"
       }"#;
/// What libraries say of a request that they send for the first time.
const FIRST: [(&str, &str); 1] = [("x-stainless-retry-count", "0")];
/// The seed's second.
const FLUX2: &str = r#"{
         "model": "black-forest-labs/FLUX.2-pro",
         "width": 1024,
         "height": 768,
         "prompt": "Replace the color of the car to blue",
         "reference_images": ["https://images.pexels.com/photos/3729464/pexels-photo-3729464.jpeg"]
       }"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_the_seed_run_unchanged_at_every_base_address() {
    let house = House::open().await;
    for path in ["/v1/images/generations", "/v1/v1/images/generations", "/images/generations"] {
        for (body, model, field) in [
            (KONTEXT, "black-forest-labs/FLUX.1-kontext-pro", "image_url"),
            (FLUX2, "black-forest-labs/FLUX.2-pro", "reference_images"),
        ] {
            let answer = house.post(path, body).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            let it = &answer.body;
            assert_eq!((it["model"].as_str(), it["object"].as_str()), (Some(model), Some("list")));
            assert!(it["id"].is_string() && it["created"].is_u64());
            assert_eq!(
                (&it["data"][0]["index"], &it["data"][0]["type"]),
                (&json!(0), &json!("url"))
            );
            assert!(house.fetch(it["data"][0]["url"].as_str().expect("a url")).await.len() > 100);
            assert_eq!(answer.header("x-repaint-receipt"), it["id"].as_str());
            assert!(answer.header("x-repaint-estimate").is_some_and(|it| it.starts_with("0.0")));
            let seen = house.last_order();
            assert!(seen.fields.contains(&field.to_owned()) && seen.images.len() == 1, "{seen:?}");
        }
    }
    assert_eq!(house.paid(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn images_arrive_in_the_field_that_the_model_takes_whatever_the_caller_calls_it() {
    let house = House::open().await;
    let one = "https://example.com/1.png";
    for (model, field, takes) in [
        ("black-forest-labs/FLUX.2-dev", "image_url", "reference_images"),
        ("google/gemini-3-pro-image", "image_url", "reference_images"),
        ("black-forest-labs/FLUX.1-kontext-pro", "reference_images", "image_url"),
        ("black-forest-labs/FLUX.2-pro", "image", "reference_images"),
        ("bfl/kontext-pro", "images", "input_image"),
    ] {
        let image =
            if field == "image_url" || field == "image" { json!(one) } else { json!([one]) };
        let body = json!({ "model": model, "prompt": "p", field: image });
        let answer = house.post("/v1/images/generations", &body.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let seen = house.last_order();
        assert!(seen.fields.contains(&takes.to_owned()), "{model}: {:?}", seen.fields);
        assert!(!seen.fields.contains(&field.to_owned()), "{model}: {:?}", seen.fields);
        assert_eq!(seen.images.len(), 1, "{model}");
        let job =
            house.get(&format!("/v1/jobs/{}", answer.body["id"].as_str().expect("an id"))).await;
        let adaptations = &job.body["receipt"]["adaptations"];
        let wanted = json!({ "field": "images", "method": "exact", "from": field, "to": takes });
        assert!(adaptations.as_array().is_some_and(|it| it.contains(&wanted)), "{adaptations}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_lose_an_image_is_refused_before_anything_is_bought() {
    let house = House::open().await;
    let (a, b) = ("https://example.com/1.png", "https://example.com/2.png");
    for (fields, status, param, words) in [
        // Kontext takes one image.
        (json!({ "reference_images": [a, b] }), 400, "reference_images", "1 input image"),
        (json!({ "image_url": a, "reference_images": [a] }), 400, "reference_images", "image_url"),
        (json!({ "reference_images": [] }), 400, "reference_images", "leave the field out"),
        (json!({ "image_url": "" }), 400, "image_url", "address"),
        (json!({ "image_url": "/etc/passwd" }), 400, "image_url", "address"),
        (json!({ "image_url": "file:///etc/passwd" }), 400, "image_url", "address"),
        (json!({ "image_url": a, "mask": b }), 400, "mask", "mask"),
        (json!({ "image_url": a, "no_such_field": 1 }), 400, "no_such_field", "no_such_field"),
        (json!({ "image_url": a, "input_image": b }), 400, "input_image", "input_image"),
        (json!({ "image_url": a, "n": 0 }), 400, "n", "1 to 100"),
        (json!({ "image_url": a, "seed": -1 }), 400, "seed", "seed"),
        (json!({ "model": "no/such-model" }), 404, "model", "no/such-model"),
        (json!({ "model": "black-forest-labs/FLUX.1-kontext-pr" }), 404, "model", "did you mean"),
    ] {
        let mut body = json!({ "model": "black-forest-labs/FLUX.1-kontext-pro", "prompt": "p" });
        body.as_object_mut().expect("fields").extend(fields.as_object().cloned().expect("fields"));
        let answer = house.post("/v1/images/generations", &body.to_string()).await;
        let error = &answer.body["error"];
        assert_eq!(answer.status, status, "{body}: {error}");
        assert_eq!(error["param"], param, "{body}: {error}");
        assert!(error["message"].as_str().is_some_and(|it| it.contains(words)), "{body}: {error}");
        assert!(error["code"].is_string() && error["type"] == "invalid_request_error", "{error}");
        assert!(answer.body["id"].as_str().is_some_and(|it| !it.is_empty()));
    }
    assert_eq!(house.paid(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_beyond_the_limit_are_kept_in_files_and_given_again_as_they_were() {
    let house = House::limited(|it| it.kept = 0).await;
    let body = json!({ "model": "black-forest-labs/FLUX.2-pro", "prompt": "p", "width": 512,
        "height": 512, "response_format": "b64_json" })
    .to_string();
    let path = "/v1/images/generations";
    // Who asks for the next thing on the same connection has got it.
    let alone = [FIRST[0], ("connection", "close")];
    let first = house.post_with(path, &body, &alone).await;
    assert_eq!(first.status, 200, "{}", first.body);
    house.until_metric("repaint_kept_bytes 0").await;
    let in_files = |metrics: String| {
        let line = metrics.lines().find(|it| it.starts_with("repaint_bytes_in_files "));
        line.and_then(|it| it.rsplit(' ').next()).and_then(|it| it.parse::<f64>().ok())
    };
    assert!(in_files(house.text("/metrics").await).is_some_and(|it| 1000.0 < it));
    for _ in 0..2 {
        let again = house.post_with(path, &body, &[("x-stainless-retry-count", "1")]).await;
        assert_eq!(again.body, first.body);
    }
    assert_eq!(house.paid(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_after_which_its_caller_asks_for_something_else_goes_into_no_file() {
    let path = "/v1/images/generations";
    let bodies = ["one", "two", "three"].map(|prompt| {
        json!({ "model": "black-forest-labs/FLUX.2-pro", "prompt": prompt, "width": 512, "height": 512,
            "response_format": "b64_json" })
        .to_string()
    });
    let open = House::open().await;
    let mut weights = Vec::new();
    for body in &bodies {
        let answer = open.post(path, body).await;
        let base64 = answer.body["data"][0]["b64_json"].as_str().expect("base64");
        let bytes = base64_simd::STANDARD.decode_to_vec(base64).expect("base64");
        // It was at an address, so it is not kept as base64.
        weights.push(bytes.len() as u64);
    }
    let last = weights[2];
    // Two of them have room, and three have not.
    let kept = weights.iter().sum::<u64>() - 1;
    for between in [false, true] {
        let house = House::limited(|it| it.kept = kept).await;
        let by = ("x-forwarded-for", "192.0.2.1");
        let headers = if between { vec![FIRST[0], by] } else { FIRST.to_vec() };
        let mut raw = Raw::post(&house, &bodies[0], &headers).await;
        raw.read().await;
        for body in &bodies[1..] {
            raw.again(body, &headers).await;
            raw.read().await;
        }
        house.until_metric(&format!("repaint_kept_bytes {last}")).await;
        let in_files = house.text("/metrics").await.contains("repaint_bytes_in_files 0\n");
        assert_eq!(in_files, !between, "a proxy reads for several callers");
        let again = [("x-stainless-retry-count", "1")];
        assert_eq!(house.post_with(path, &bodies[2], &again).await.status, 200);
        assert_eq!(house.paid(), 3, "it is kept");
        assert_eq!(house.post_with(path, &bodies[0], &again).await.status, 200);
        assert_eq!(house.paid(), if between { 3 } else { 4 });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn base64_comes_as_the_very_bytes_and_data_uris_go_on_as_they_came() {
    let house = House::open().await;
    let image = data_uri(400_000);
    for format in ["base64", "b64_json"] {
        let body = json!({
            "prompt": "p", "reference_images": [image], "response_format": format,
            // After the images, as libraries may write it.
            "model": "black-forest-labs/FLUX.2-pro"
        });
        let answer = house.post("/v1/images/generations", &body.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let picture = &answer.body["data"][0];
        assert_eq!(picture["type"], "b64_json");
        let bytes = base64_simd::STANDARD
            .decode_to_vec(picture["b64_json"].as_str().expect("base64"))
            .expect("base64");
        let mark = b"emulated by repaint";
        assert!(bytes.windows(mark.len()).any(|it| it == mark), "the provider's marks are there");
        assert_eq!(house.last_order().images.len(), 1);
    }
    let metrics = house.text("/metrics").await;
    assert!(metrics.contains("repaint_body_bytes 0\n"), "no body is held: {metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_refuses_keeps_its_status_and_what_may_be_bought_is_never_a_5xx() {
    for (fault, status, code, retried) in [
        (Fault::NoCredit, 402, "exhausted", None),
        (Fault::ModeratedInput, 400, "moderated", None),
        (Fault::ModeratedOutput, 422, "moderated", None),
        (Fault::ServerError, 424, "outcome_unknown", Some("false")),
        (Fault::ResetAfterBody, 424, "outcome_unknown", Some("false")),
    ] {
        let house = House::with(|it| it.always = Some(fault)).await;
        let body = json!({ "model": "together/kontext-pro", "prompt": "p" });
        let answer = house.post("/v1/images/generations", &body.to_string()).await;
        let error = &answer.body["error"];
        assert_eq!(
            (answer.status, error["code"].as_str()),
            (status, Some(code)),
            "{fault:?} {error}"
        );
        assert_eq!(answer.header("x-should-retry"), retried, "{fault:?}");
        let job =
            house.get(&format!("/v1/jobs/{}", answer.body["id"].as_str().expect("an id"))).await;
        assert_eq!(job.body["error"]["code"], code, "{fault:?} {}", job.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_breaks_off_and_posts_again_pays_once() {
    let house = House::with(|it| it.latency = Duration::from_millis(600)).await;
    let mut first = Raw::post(&house, FLUX2, &[]).await;
    house.until_paid(1).await;
    first.reset();
    house.until_metric("repaint_calls_left_total 1").await;
    // Before the provider is done, and again after: it was never read.
    let mut second = Raw::post(&house, FLUX2, &[("x-stainless-retry-count", "1")]).await;
    house.until_metric("repaint_replays_total{by=\"left\"} 1").await;
    second.reset();
    house.until_metric("repaint_calls_left_total 2").await;
    let answer = house.post("/v1/images/generations", FLUX2).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(house.paid(), 1);
    // It was answered, so the next is a new picture, unless it says that it is the same.
    house.post("/v1/images/generations", FLUX2).await;
    assert_eq!(house.paid(), 2);
    let again =
        house.post_with("/v1/images/generations", FLUX2, &[("x-stainless-retry-count", "2")]);
    assert_eq!(again.await.status, 200);
    assert_eq!(house.paid(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_callers_who_both_wait_get_two_pictures() {
    let house = House::with(|it| it.latency = Duration::from_millis(200)).await;
    let path = "/v1/images/generations";
    let (a, b) = tokio::join!(house.post(path, FLUX2), house.post(path, FLUX2));
    assert_eq!((a.status, b.status), (200, 200));
    assert_ne!(a.body["id"], b.body["id"]);
    assert_eq!(house.paid(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_is_one_call_and_stands_for_one_body() {
    let house = House::with(|it| it.latency = Duration::from_millis(200)).await;
    let path = "/v1/images/generations";
    let key = [("idempotency-key", "order-17")];
    let (a, b) =
        tokio::join!(house.post_with(path, FLUX2, &key), house.post_with(path, FLUX2, &key));
    assert_eq!((a.status, b.status), (200, 200), "{} {}", a.body, b.body);
    assert_eq!(a.body, b.body);
    let c = house.post_with(path, FLUX2, &key).await;
    assert_eq!(c.body, a.body);
    assert_eq!(house.paid(), 1);
    let other = house.post_with(path, KONTEXT, &key).await;
    assert_eq!(
        (other.status, &other.body["error"]["code"]),
        (422, &json!("idempotency_key_reused"))
    );
    // What is refused can be mended under the same key.
    let key = [("idempotency-key", "order-18")];
    let wrong = json!({ "model": "together/kontext-pro", "prompt": "p", "no_such_field": 1 });
    assert_eq!(house.post_with(path, &wrong.to_string(), &key).await.status, 400);
    assert_eq!(house.post_with(path, KONTEXT, &key).await.status, 200);
    assert_eq!(house.paid(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_left_at_one_gateway_is_taken_at_another_with_the_same_store() {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let slow = |it: &mut Settings| it.latency = Duration::from_millis(600);
    let (house, other) = House::two(slow, Arc::clone(&store)).await;
    // While the provider is at it; and when it is done, and the first gateway has the picture.
    for waits in [false, true] {
        let paid = house.paid();
        let mut first = Raw::post(&house, FLUX2, &[]).await;
        house.until_paid(paid + 1).await;
        first.reset();
        let left = format!("repaint_calls_left_total {}", paid + 1);
        house.until_metric(&left).await;
        if waits {
            until(|| async {
                let orders = store.list(&Filter::default()).await.expect("orders");
                orders[0].state == SubmitState::Made
            })
            .await;
        }
        let answer = house.post_at(&other, FLUX2, &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(
            house.fetch(answer.body["data"][0]["url"].as_str().expect("a url")).await.len() > 100
        );
        assert_eq!(house.paid(), paid + 1);
    }
    // Nothing is left now.
    let answer = house.post_at(&other, FLUX2, &[]).await;
    assert_eq!((answer.status, house.paid()), (200, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_holds_at_every_gateway_with_the_same_store() {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let (house, other) = House::two(|_| {}, store).await;
    let key = [("idempotency-key", "order-17")];
    let first = house.post_with("/v1/images/generations", FLUX2, &key).await;
    assert_eq!(first.status, 200, "{}", first.body);
    let second = house.post_at(&other, FLUX2, &key).await;
    assert_eq!(second.status, 200, "{}", second.body);
    assert_eq!(second.body["data"][0]["url"], first.body["data"][0]["url"]);
    assert_eq!(house.paid(), 1);
    // Several pictures, of an order each, come in their order.
    let several = json!({ "model": "bfl/flux2-pro", "prompt": "p", "n": 3 }).to_string();
    let other_key = [("idempotency-key", "order-18")];
    let first = house.post_with("/v1/images/generations", &several, &other_key).await;
    let second = house.post_at(&other, &several, &other_key).await;
    assert_eq!((first.status, second.status, house.paid()), (200, 200, 4), "{}", second.body);
    assert_eq!(second.body["data"], first.body["data"]);
    let third = house.post_at(&other, KONTEXT, &key).await;
    assert_eq!(third.status, 422, "{}", third.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_was_given_up_is_brought_back_without_buying() {
    let house = House::with(|it| it.latency = Duration::from_millis(900)).await;
    let slow = json!({ "model": "bfl/flux2-pro", "prompt": "p" }).to_string();
    let cancelled = async {
        house.until_paid(1).await;
        let jobs = house.get("/v1/jobs").await;
        let id = jobs.body["data"][0]["id"].as_str().expect("an id").to_owned();
        assert_eq!(jobs.body["data"][0]["state"], "running");
        assert_eq!(house.post(&format!("/v1/jobs/{id}/cancel"), "").await.status, 200);
        id
    };
    let (answer, id) = tokio::join!(house.post("/v1/images/generations", &slow), cancelled);
    assert_eq!((answer.status, answer.body["id"].as_str()), (424, Some(id.as_str())));
    let job = house.get(&format!("/v1/jobs/{id}")).await;
    assert_eq!(job.body["state"], "resumable", "{}", job.body);
    let brought = house.post(&format!("/v1/jobs/{id}/resume"), "").await;
    assert_eq!(brought.status, 200, "{}", brought.body);
    assert!(house.fetch(brought.body["data"][0]["url"].as_str().expect("a url")).await.len() > 100);
    house.until_safe(&id).await;
    let again = house.post(&format!("/v1/jobs/{id}/resume"), "").await;
    assert_eq!((again.status, &again.body["error"]["code"]), (400, &json!("not_resumable")));
    assert_eq!(house.post("/v1/jobs/none/resume", "").await.status, 404);
    assert_eq!(house.paid(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_brought_back_is_asked_for_anew_the_next_time() {
    let provider = MockServer::start().await;
    let at = |path: &str| format!("{}{path}", provider.uri());
    let json = |it: serde_json::Value| ResponseTemplate::new(200).set_body_json(it);
    let order = json(json!({ "id": "1", "polling_url": at("/v1/get_result?id=1") }));
    Mock::given(method("POST")).respond_with(order).expect(1).mount(&provider).await;
    let polls = |answer| Mock::given(path("/v1/get_result")).respond_with(answer);
    let pending = polls(json(json!({ "id": "1", "status": "Pending" })));
    let pending = pending.mount_as_scoped(&provider).await;
    let house = House::before(provider.uri().parse().expect("an address"), |it| it).await;
    let order = json!({ "model": "bfl/flux2-pro", "prompt": "p" }).to_string();
    let cancelled = async {
        until(|| async {
            let jobs = house.get("/v1/jobs").await.body;
            jobs["data"][0]["orders"][0]["state"] == "accepted"
        })
        .await;
        let jobs = house.get("/v1/jobs").await.body;
        let id = jobs["data"][0]["id"].as_str().expect("an id").to_owned();
        assert_eq!(house.post(&format!("/v1/jobs/{id}/cancel"), "").await.status, 200);
        id
    };
    let (answer, id) = tokio::join!(house.post("/v1/images/generations", &order), cancelled);
    assert_eq!(answer.status, 424, "{}", answer.body);
    drop(pending);
    let denied = polls(ResponseTemplate::new(403).set_body_json(json!({ "detail": "not now" })));
    let denied = denied.mount_as_scoped(&provider).await;
    let resume = format!("/v1/jobs/{id}/resume");
    let answer = house.post(&resume, "").await;
    assert!(400 <= answer.status, "{}", answer.body);
    drop(denied);
    let result = json!({ "sample": at("/picture.png") });
    let ready = json(json!({ "id": "1", "status": "Ready", "result": result }));
    polls(ready).mount(&provider).await;
    let answer = house.post(&resume, "").await;
    assert_eq!((answer.status, &answer.body["data"][0]["url"]), (200, &json!(at("/picture.png"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_left_is_safe_when_it_was_taken_out_of_a_file() {
    let slow = |it: &mut Settings| it.latency = Duration::from_millis(500);
    let house = House::set(slow, |it| it.kept = 0).await;
    let body = json!({ "model": "black-forest-labs/FLUX.2-pro", "prompt": "p", "width": 512,
        "height": 512, "response_format": "b64_json" })
    .to_string();
    let mut first = Raw::post(&house, &body, &FIRST).await;
    house.until_paid(1).await;
    first.reset();
    let made = || async { house.get("/v1/jobs").await.body["data"][0]["state"] == "made" };
    house.until_metric("repaint_calls_left_total 1").await;
    until(|| async { !house.text("/metrics").await.contains("repaint_bytes_in_files 0\n") }).await;
    let again = [("x-stainless-retry-count", "1")];
    let answer = house.post_with("/v1/images/generations", &body, &again).await;
    assert_eq!((answer.status, house.paid()), (200, 1), "{}", answer.body);
    house.until_safe(answer.body["id"].as_str().expect("an id")).await;
    assert!(made().await);
    assert_eq!(house.get("/v1/jobs?open=true").await.body["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_somebody_else_spends_nothing_through_a_browser_of_this_machine() {
    let house = House::open().await;
    let path = "/v1/images/edits";
    let form = || Form::new().text("model", "together/flux2-pro").text("prompt", "p");
    let form = || form().file("image", &picture(100));
    let foreign = [
        ("origin", "https://shop.example"),
        ("origin", "null"),
        ("origin", "http://localhost.shop.example:8080"),
        ("host", "shop.example"),
        ("host", "shop.example:8080"),
    ];
    for header in foreign {
        let answer = house.post_form_with(path, form(), &[header]).await;
        assert_eq!((answer.status, &answer.body["error"]["code"]), (403, &json!("denied")));
        let answer = house.get_with("/v1/jobs", &[header]).await;
        assert_eq!(answer.status, 403, "nor does it read: {}", answer.body);
    }
    assert_eq!(house.paid(), 0);
    // A page that is developed here, and whatever this machine is called.
    for header in [("origin", "http://localhost:3000"), ("host", "LOCALHOST"), ("host", "[::1]:80")]
    {
        let answer = house.post_form_with(path, form(), &[header]).await;
        assert_eq!(answer.status, 200, "{header:?} {}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn models_of_this_machine_answer_with_bytes_and_take_no_address() {
    let house = House::open().await;
    let path = "/v1/images/generations";
    let mut body = json!({ "model": "local/watercolor", "prompt": "Transform this into a watercolor painting",
                           "image_url": data_uri(10) });
    for (format, kind) in
        [(json!(null), "b64_json"), (json!("base64"), "b64_json"), (json!("url"), "url")]
    {
        body["response_format"] = format;
        let answer = house.post(path, &body.to_string()).await;
        let picture = &answer.body["data"][0];
        assert_eq!((answer.status, &picture["type"]), (200, &json!(kind)), "{}", answer.body);
        assert!(picture[kind].as_str().is_some_and(|it| 100 < it.len()));
    }
    body["image_url"] = json!("https://example.com/1.png");
    let answer = house.post(path, &body.to_string()).await;
    assert_eq!((answer.status, &answer.body["error"]["param"]), (400, &json!("image_url")));
    assert_eq!(house.paid(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_lets_calls_finish() {
    let house = House::with(|it| it.latency = Duration::from_millis(400)).await;
    let answer = tokio::spawn({
        let request = house.request("/v1/images/generations", FLUX2);
        async move { request.send().await.expect("an answer").status().as_u16() }
    });
    house.until_paid(1).await;
    let emulator = house.stop().await;
    assert_eq!(answer.await.expect("no panic"), 200);
    assert_eq!(emulator.emulator().orders().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_for_which_memory_has_no_room_go_on_from_files() {
    let (slow, tight) = (Duration::from_millis(500), 2 << 20);
    let house =
        House::set(|it| it.latency = slow, |it| (it.body, it.memory) = (tight, tight)).await;
    let path = "/v1/images/generations";
    let body = |index: usize| {
        let image = data_uri(1_000_000 + index);
        json!({ "model": "together/flux2-pro", "prompt": index.to_string(),
                "reference_images": [image], "response_format": "b64_json" })
        .to_string()
    };
    let bodies: Vec<String> = (0..5).map(body).collect();
    let all = bodies.iter().map(|it| house.post_with(path, it, &FIRST));
    let answers = house.spills(futures(all.collect())).await;
    let seen: Vec<_> = house.emulator.emulator().orders().cloned().collect();
    assert!(seen.len() == 5 && seen.iter().all(|it| it.images.len() == 1), "{seen:?}");
    // In memory or in a file, it is the same request.
    let again = [("x-stainless-retry-count", "1")];
    for (body, before) in bodies.iter().zip(&answers) {
        let answer = house.post_with(path, body, &again).await;
        assert_eq!(answer.body["id"], before.body["id"]);
    }
    assert_eq!(house.paid(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_for_which_memory_has_no_room_go_on_from_files() {
    let (slow, tight) = (Duration::from_millis(500), 2 << 20);
    let house =
        House::set(|it| it.latency = slow, |it| (it.body, it.memory) = (tight, tight)).await;
    // As base64, the last is more than memory ever has room for.
    let sizes = [500_000, 500_001, 500_002, 900_000];
    let form = |size: usize| {
        let form = Form::new().text("prompt", &size.to_string());
        let form = form.text("model", "together/flux2-pro").text("response_format", "b64_json");
        form.file("image[]", &picture(size)).file("image[]", &picture(size + 10))
    };
    let again = [("x-stainless-retry-count", "1")];
    let all = sizes.iter().map(|it| house.post_form_with("/v1/images/edits", form(*it), &FIRST));
    let answers = house.spills(futures(all.collect())).await;
    let orders: Vec<_> = house.emulator.emulator().orders().cloned().collect();
    for (size, before) in sizes.iter().zip(&answers) {
        let (size, prompt) = (*size, size.to_string());
        let order = orders.iter().find(|it| it.prompt.as_ref() == Some(&prompt));
        let order = order.expect("an order");
        let [first, second] = &order.images[..] else { panic!("{order:?}") };
        let bytes = |it: usize| Some(picture(it).len() as u64);
        let given = (bytes(size), bytes(size + 10));
        assert_eq!((first.bytes, second.bytes), given, "the images of {prompt}, in their order");
        let answer = house.post_form_with("/v1/images/edits", form(size), &again).await;
        assert_eq!(answer.body["id"], before.body["id"], "in memory or in a file, it is the same");
    }
    assert_eq!(house.paid(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_let_go_when_nobody_can_need_it_any_more() {
    let house = House::with(|it| it.latency = Duration::from_secs(2)).await;
    let form = Form::new().text("prompt", "p").text("model", "bfl/flux2-pro");
    let form = form.file("image", &picture(500_000));
    let waits = async {
        house.until_paid(1).await;
        house.until_metric("repaint_body_bytes 0").await;
        assert_eq!(house.get("/v1/jobs").await.body["data"][0]["state"], "running");
    };
    let (answer, ()) = tokio::join!(house.post_form("/v1/images/edits", form), waits);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(house.last_order().images.len(), 1);
    // Who answers with the picture itself may still say that it took nothing.
    let body =
        json!({ "model": "together/flux2-pro", "prompt": "p", "image_url": data_uri(500_000) });
    let body = body.to_string();
    let keeps = async {
        house.until_paid(2).await;
        assert!(!house.text("/metrics").await.contains("repaint_body_bytes 0\n"));
    };
    let (answer, ()) = tokio::join!(house.post("/v1/images/generations", &body), keeps);
    assert_eq!(answer.status, 200, "{}", answer.body);
    house.until_metric("repaint_body_bytes 0").await;
}

/// All at once, in their order.
async fn futures<F: Future<Output = T>, T>(all: Vec<F>) -> Vec<T> {
    let mut all: Vec<_> = all.into_iter().map(|it| (Box::pin(it), None)).collect();
    std::future::poll_fn(|context| {
        for (work, done) in all.iter_mut().filter(|it| it.1.is_none()) {
            if let std::task::Poll::Ready(it) = work.as_mut().poll(context) {
                *done = Some(it);
            }
        }
        match all.iter().all(|it| it.1.is_some()) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    all.into_iter().filter_map(|it| it.1).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_beyond_its_limits_is_refused_unread() {
    let house = House::limited(|it| it.body = 100_000).await;
    let body = json!({ "model": "m", "prompt": "p", "image_url": data_uri(400_000) }).to_string();
    let answer = house.post("/v1/images/generations", &body).await;
    assert_eq!((answer.status, &answer.body["error"]["code"]), (413, &json!("too_large")));
    for (content_type, body, status) in [
        ("text/plain", "{}", 415),
        ("application/json", "{", 400),
        ("application/json", "[]", 400),
        ("application/json", r#"{"n":1,"n":2}"#, 400),
        ("multipart/form-data; boundary=x", "--x--", 415),
    ] {
        let headers = [("content-type", content_type)];
        let answer = house.post_with("/v1/images/generations", body, &headers).await;
        assert_eq!(answer.status, status, "{content_type} {body}: {}", answer.body);
    }
    assert_eq!(house.get("/v1/nowhere").await.status, 404);
    let answer = house.get("/v1/images/generations").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
}

/// What is answered on a connection until it ends; nothing if it ends without an answer.
async fn said(house: &House, text: &[u8]) -> String {
    let address = house.server.address();
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("a connection");
    // It may be refused before all of it was sent.
    let _ = stream.write_all(text).await;
    let mut answer = Vec::new();
    // A connection that is reset has ended, too.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_slow_or_long_is_let_go() {
    let short = Duration::from_millis(100);
    let house = House::limited(|it| (it.head, it.body_time) = (short, short)).await;
    let head = "POST /v1/images/generations HTTP/1.1\r\nhost: localhost\r\n";
    let half = format!("{head}content-type: application/json\r\ncontent-length: 9\r\n\r\n{{");
    let answer = said(&house, half.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "half a body: {answer}");
    let answer = said(&house, head.as_bytes()).await;
    assert!(!answer.contains(" 200 "), "half a head: {answer}");
    let many: String = (0..200).map(|it| format!("x-{it}: 1\r\n")).collect();
    let long = format!("x: {}\r\n", "1".repeat(1_000_000));
    for more in [many, long] {
        let answer = said(&house, format!("{head}{more}\r\n").as_bytes()).await;
        assert!(
            answer.starts_with("HTTP/1.1 431 ") || answer.is_empty(),
            "{} {answer}",
            more.len()
        );
    }
    assert_eq!(house.text("/healthz").await, "ok\n", "others are served");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_and_does_not_read_is_let_go() {
    let house = House::limited(|it| it.body_time = Duration::from_millis(200)).await;
    let request = "GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let (count, whole) = (100, house.text("/openapi.json").await.len());
    let mut stream =
        tokio::net::TcpStream::connect(house.server.address()).await.expect("a connection");
    stream.write_all(request.repeat(count).as_bytes()).await.expect("it is sent");
    // What is written to a connection that was let go comes back.
    until(|| async {
        stream.try_write(b"G").is_err_and(|it| it.kind() != std::io::ErrorKind::WouldBlock)
    })
    .await;
    let mut answers = Vec::new();
    let _ = stream.read_to_end(&mut answers).await;
    assert!(answers.len() < count * whole, "it was written whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_its_places_the_gateway_says_so_and_buys_nothing() {
    let slow = |it: &mut Settings| it.latency = Duration::from_millis(700);
    let house = House::set(slow, |it| (it.calls, it.connections) = (1, 12)).await;
    let path = "/v1/images/generations";
    let refused = async {
        house.until_paid(1).await;
        let answer = house.post_with(path, FLUX2, &FIRST).await;
        assert_eq!((answer.status, house.paid()), (503, 1), "{}", answer.body);
        assert!(answer.header("retry-after").is_some());
        // One that is a replay itself stays one.
        let again = house.post_with(path, FLUX2, &[("x-stainless-retry-count", "1")]).await;
        assert_eq!((again.status, house.paid()), (503, 1));
    };
    let (first, ()) = tokio::join!(house.post_with(path, FLUX2, &FIRST), refused);
    assert_eq!(first.status, 200);
    // Who was told so asks again for that, and not for what the other got.
    let again = [("x-stainless-retry-count", "1")];
    let answer = house.post_with(path, FLUX2, &again).await;
    assert_eq!((answer.status, house.paid()), (200, 2), "{}", answer.body);
    assert_ne!(answer.body["id"], first.body["id"]);
    let answer = house.post_with(path, FLUX2, &again).await;
    assert_eq!((answer.status, house.paid()), (200, 2), "{}", answer.body);
    // As many connections as there are places, some of them the client's own; the next is closed without a word.
    let address = house.server.address();
    let mut open = Vec::new();
    for _ in 0..12 {
        open.push(tokio::net::TcpStream::connect(address).await.expect("a connection"));
    }
    until(|| async {
        said(&house, b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .await
            .is_empty()
    })
    .await;
    drop(open);
    until(|| async {
        said(&house, b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .await
            .contains(" 200 ")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_takes_nothing_new_and_waits_no_longer_than_it_should() {
    let slow = |it: &mut Settings| it.latency = Duration::from_secs(20);
    let house = House::set(slow, |it| it.drain = Duration::from_millis(300)).await;
    let mut open = Raw::post(&house, FLUX2, &[]).await;
    house.until_paid(1).await;
    assert_eq!(house.text("/readyz").await, "ready\n");
    let mut ready =
        tokio::net::TcpStream::connect(house.server.address()).await.expect("a connection");
    ready.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("it is sent");
    let mut piece = [0; 4096];
    assert_ne!(ready.read(&mut piece).await.expect("an answer"), 0);
    let began = std::time::Instant::now();
    let emulator = house.stop().await;
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!(emulator.emulator().orders().count(), 1);
    open.reset();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_all_before_it_reads_gets_its_answer_although_nobody_read_that() {
    let house = House::limited(|it| it.body = 100_000).await;
    let address = house.server.address();
    for (content_type, status) in [("application/json", "413"), ("text/plain", "415")] {
        let answer = tokio::task::spawn_blocking(move || {
            let body = vec![b' '; 8 << 20];
            let mut stream = std::net::TcpStream::connect(address).expect("a connection");
            let head = format!(
                "POST /v1/images/generations HTTP/1.1\r\nhost: localhost\r\ncontent-type: {content_type}\r\n\
                 connection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).expect("it is sent");
            stream.write_all(&body).expect("it is sent, too");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("an answer");
            answer
        });
        let answer = answer.await.expect("no panic");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert!(answer.contains("\"error\""), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_take_files_under_every_name_that_libraries_give_them() {
    let house = House::open().await;
    let (a, b) = (picture(10), picture(300_000));
    for (model, names, images) in [
        ("black-forest-labs/FLUX.1-kontext-pro", vec!["image"], 1),
        // What OpenAI's library does with a list of one.
        ("black-forest-labs/FLUX.1-kontext-pro", vec!["image[]"], 1),
        ("black-forest-labs/FLUX.2-pro", vec!["image[]", "image[]"], 2),
        ("black-forest-labs/FLUX.2-pro", vec!["image", "image"], 2),
        ("black-forest-labs/FLUX.2-pro", vec!["images[]", "images[]"], 2),
    ] {
        let mut form = Form::new().text("prompt", "the cat\r\npets the dog").text("model", model);
        form = form.text("n", "1").text("response_format", "b64_json");
        for (name, file) in names.iter().zip([&a, &b]) {
            form = form.file(name, file);
        }
        let answer = house.post_form("/v1/images/edits", form).await;
        assert_eq!(answer.status, 200, "{names:?}: {}", answer.body);
        assert_eq!(answer.body["data"][0]["type"], "b64_json");
        let seen = house.last_order();
        assert_eq!(
            (seen.images.len(), seen.prompt.as_deref()),
            (images, Some("the cat\r\npets the dog"))
        );
    }
    let paid = house.paid();
    for (form, param, words) in [
        (Form::new().text("prompt", "p").text("model", "flux2-pro"), "image", "needs an image"),
        (Form::new().text("model", "flux2-pro").file("image", &a), "prompt", "missing"),
        (
            Form::new()
                .text("prompt", "p")
                .text("model", "together/kontext-pro")
                .file("image", &a)
                .file("mask", &a),
            "mask",
            "mask",
        ),
        (
            Form::new()
                .text("prompt", "p")
                .text("model", "together/kontext-pro")
                .file("image[]", &a)
                .file("image[]", &b),
            "image",
            "1 input image",
        ),
        (
            Form::new().text("prompt", "p").text("model", "flux2-pro").file("image", b"no picture"),
            "image[0]",
            "cannot be read",
        ),
        (
            Form::new().text("prompt", "p").text("model", "flux2-pro").text("image", "/etc/passwd"),
            "image[0]",
            "address",
        ),
        (
            Form::new()
                .text("prompt", "p")
                .text("model", "flux2-pro")
                .file("image", &a)
                .text("n", "many"),
            "n",
            "whole number",
        ),
    ] {
        let answer = house.post_form("/v1/images/edits", form).await;
        let error = &answer.body["error"];
        assert_eq!((answer.status, &error["param"]), (400, &json!(param)), "{error}");
        assert!(error["message"].as_str().is_some_and(|it| it.contains(words)), "{error}");
    }
    assert_eq!(house.paid(), paid);
    let json = json!({ "model": "flux2-pro", "prompt": "p",
                       "images": [{ "image_url": data_uri(10) }, "https://example.com/2.png"] });
    let answer = house.post("/v1/images/edits", &json.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(house.last_order().images.len(), 2);
    let none = json!({ "model": "flux2-pro", "prompt": "p" });
    assert_eq!(house.post("/v1/images/edits", &none.to_string()).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_posted_again_is_the_same_whatever_its_boundary() {
    let house = House::open().await;
    let form = || {
        let form = Form::new().text("prompt", "p").text("model", "together/flux2-pro");
        form.file("image", &picture(10))
    };
    let again = [("x-stainless-retry-count", "1")];
    let first = house.post_form_with("/v1/images/edits", form(), &FIRST).await;
    let second = house.post_form_with("/v1/images/edits", form(), &again).await;
    assert_eq!((second.status, &second.body["id"]), (200, &first.body["id"]));
    assert_eq!(house.paid(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn models_are_told_with_what_they_take_and_requests_are_explained_before_they_cost() {
    let house = House::open().await;
    let models = house.get("/v1/models").await;
    let list = models.body["data"].as_array().expect("a list").clone();
    let pro = list.iter().find(|it| it["id"] == "together/flux2-pro").expect("it is there");
    assert_eq!((&pro["object"], &pro["owned_by"]), (&json!("model"), &json!("together")));
    assert_eq!(
        (&pro["accepts"]["images"]["value"]["max"], &pro["ready"]),
        (&json!(8), &json!(true))
    );
    let name = "black-forest-labs/FLUX.2-pro";
    assert_eq!(&house.get(&format!("/v1/models/{name}")).await.body, pro);
    let schema = house.get(&format!("/v1/models/{name}/schema")).await;
    assert!(schema.body["properties"]["reference_images"].is_object(), "{}", schema.body);
    assert_eq!(house.get("/v1/models/no/such").await.status, 404);
    assert_eq!(house.get("/v1/models/flux2-pro").await.status, 400, "it is at two providers");

    let two = json!({ "model": "auto", "prompt": "p",
                      "reference_images": ["https://example.com/1.png", "https://example.com/2.png"] });
    let plan = house.post("/v1/images/explain", &two.to_string()).await;
    assert_eq!(plan.status, 200, "{}", plan.body);
    assert!(plan.body["candidates"][0]["estimate"]["low"].is_u64(), "{}", plan.body);
    let offers = |it: &serde_json::Value| it["offer"] == "together/kontext-pro";
    assert!(plan.body["refusals"].as_array().is_some_and(|it| it.iter().any(offers)));

    let valid = house.post("/v1/images/validate", &two.to_string()).await;
    assert_eq!(valid.body, json!({ "valid": true, "errors": [] }));
    for (field, value, param) in [
        ("model", json!("together/kontext-pro"), "reference_images"),
        ("n", json!(0), "n"),
        ("image_url", json!("https://example.com/3.png"), "reference_images"),
    ] {
        let mut body = two.clone();
        body[field] = value;
        let verdict = house.post("/v1/images/validate", &body.to_string()).await;
        assert_eq!((verdict.status, &verdict.body["valid"]), (200, &json!(false)));
        assert_eq!(verdict.body["errors"][0]["param"], param, "{}", verdict.body);
        assert!(verdict.body["errors"][0]["fix"].as_str().is_some_and(|it| !it.is_empty()));
    }
    assert_eq!(house.paid(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_told_with_receipts_and_errors() {
    let house = House::open().await;
    let made = house.post("/v1/images/generations", FLUX2).await;
    let id = made.body["id"].as_str().expect("an id");
    let job = house.get(&format!("/v1/jobs/{id}")).await;
    assert_eq!((&job.body["state"], &job.body["object"]), (&json!("made"), &json!("job")));
    assert_eq!(job.body["receipt"]["offer"], "together/flux2-pro");
    assert_eq!(job.body["orders"][0]["order"]["job"], *id);
    house.until_safe(id).await;
    let list = house.get("/v1/jobs?limit=10").await;
    assert_eq!(list.body["data"][0]["id"], *id);
    let open = house.get("/v1/jobs?open=true").await;
    assert_eq!(open.body["data"], json!([]), "it is safe");
    assert_eq!(house.get("/v1/jobs?limit=0").await.status, 400);
    assert_eq!(house.get("/v1/jobs/none").await.status, 404);
    assert_eq!(house.text("/healthz").await, "ok\n");
    assert_eq!(house.text("/readyz").await, "ready\n");
}

/// A part of the document that a gateway serves, as a schema that stands alone.
async fn part(house: &House, name: &str) -> jsonschema::Validator {
    let document = house.get("/openapi.json").await.body;
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": format!("#/components/schemas/{name}"),
        "components": document["components"],
    });
    jsonschema::validator_for(&schema).expect("a schema")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_is_as_the_document_says() {
    let house = House::open().await;
    let error = part(&house, "ErrorAnswer").await;
    let post = |path: &'static str, body: &'static str| house.post(path, body);
    let draw = "/v1/images/generations";
    for answer in [
        house.get("/v1/jobs/0").await,
        house.get("/v1/models/no-such").await,
        house.get("/v1/jobs?limit=0").await,
        house.get("/v1/images/generations").await,
        house.get("/nothing").await,
        // What is no text.
        house.get("/v1/jobs/%ff").await,
        house.get("/v1/models/%ff/schema").await,
        post("/v1/jobs/%ff/cancel", "").await,
        post("/v1/jobs/%ff/resume", "").await,
        post(draw, "[]").await,
        post(draw, "{}").await,
        post(draw, r#"{"model":"no-such","prompt":"p"}"#).await,
        post(draw, r#"{"model":"together/flux2-pro","prompt":"p","size":"1x1"}"#).await,
        post(draw, r#"{"model":"auto","prompt":"p","policy":{"max_cost":0}}"#).await,
    ] {
        assert!((400..500).contains(&answer.status), "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{answer:?}");
        let wrong: Vec<String> = error.iter_errors(&answer.body).map(|it| it.to_string()).collect();
        assert!(wrong.is_empty(), "{}: {wrong:?}", answer.body);
    }
    assert_eq!(house.get("/v1/jobs/%ff").await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_path_of_the_document_is_there() {
    let house = House::open().await;
    let document = house.get("/openapi.json").await.body;
    let mut tried = 0;
    for (path, item) in document["paths"].as_object().expect("paths") {
        let place = path.replace("{id}", "together%2Fflux2-pro");
        for method in item.as_object().expect("methods").keys() {
            let answer = match method.as_str() {
                "get" => reqwest::get(house.url(&place)).await,
                _ => house.request(&place, "{}").send().await,
            };
            let answer = answer.expect("an answer");
            let status = answer.status().as_u16();
            let statuses = &item[method]["responses"];
            assert!(status != 405 && !statuses[status.to_string()].is_null(), "{path}: {status}");
            // A job of that name is not there, but the address is.
            let text = answer.text().await.expect("a text");
            assert!(!text.contains("nothing is at"), "{method} {path}");
            tried += 1;
        }
    }
    assert_eq!(tried, 15);
}
