//! The client over real HTTP: what each provider may answer, and what the caller then learns.

use repaint_client::Client;
use repaint_core::{
    Error, ErrorKind, ImageRequest, Job, MediaType, Outcome, Phase, Registry, Result, Stage, Usd,
};
use repaint_fetch::Fetcher;
use repaint_router::Router;
use repaint_testkit::png;
use repaint_tests::{client, edit, in_turn, job, linked, picture_answer, ticket};
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

// --- Together: one call, the pictures or their addresses in its answer.

#[tokio::test]
async fn an_address_in_the_answer_is_fetched() {
    let server = MockServer::start().await;
    serve(&server, "/picture.png", picture_answer(7)).await;
    let url = format!("{}/picture.png", server.uri());
    let outcome = together(&server, json(200, json!({ "id": "o1", "data": [{ "url": url }] })))
        .await
        .expect("a picture");
    assert_eq!(outcome.images.len(), 1);
    assert_eq!(outcome.images[0].bytes, png(64, 64, 7));
    assert_eq!(outcome.images[0].media_type, Some(MediaType::Png));
    assert_eq!(outcome.receipt.request_id.as_deref(), Some("o1"));
    assert_eq!(phases(&outcome), [Phase::Submit, Phase::Download]);
}

/// Row 30. Together's addresses are short links to a host of somebody else.
#[tokio::test]
async fn a_redirected_download_carries_no_key() {
    let (server, cdn) = (MockServer::start().await, MockServer::start().await);
    let to_cdn = ResponseTemplate::new(302)
        .insert_header("location", format!("{}/bucket/1.png?signature=abc", cdn.uri()));
    serve(&server, "/shrt/1", to_cdn).await;
    serve(&cdn, "/bucket/1.png", picture_answer(1)).await;
    let url = format!("{}/shrt/1", server.uri());
    let outcome = together(&server, json(200, json!({ "data": [{ "url": url }] }))).await;
    assert_eq!(outcome.expect("a picture").images[0].bytes, png(64, 64, 1));
    let (orders, downloads): (Vec<Request>, Vec<Request>) =
        requests(&server).await.into_iter().partition(|it| it.method.as_str() == "POST");
    assert_eq!(orders[0].headers["authorization"], "Bearer test-key");
    let downloads = [downloads, requests(&cdn).await].concat();
    assert_eq!(downloads.len(), 2);
    for download in downloads {
        assert!(!download.headers.contains_key("authorization"), "{:?}", download.headers);
    }
}

/// For servers: what a provider answers may lead to what only they can reach.
#[tokio::test]
async fn a_guarded_download_goes_to_the_provider_itself_and_to_public_addresses() {
    let (server, nearby) = (MockServer::start().await, MockServer::start().await);
    serve(&server, "/own.png", picture_answer(1)).await;
    serve(&nearby, "/secret.png", picture_answer(2)).await;
    let secret = format!("{}/secret.png", nearby.uri());
    let on = ResponseTemplate::new(302).insert_header("location", secret.as_str());
    serve(&server, "/on", on).await;
    let base: url::Url = server.uri().parse().expect("an address");
    let client = async |allow: &[&str], url: &str| {
        let allow = allow.iter().map(|it| it.parse().expect("an address"));
        let guard = Fetcher::builder().allow(allow).build();
        let client = Client::builder().without_environment().key("together", "test-key");
        let client = client.base("together", base.clone()).guard_downloads(guard);
        serve_orders(&server, json(200, json!({ "data": [{ "url": url }] }))).await;
        run(&client.build().expect("a client"), "together/flux2-pro", edit()).await
    };
    let (own, on) = (format!("{}/own.png", server.uri()), format!("{}/on", server.uri()));
    assert_eq!(client(&[], &own).await.expect("a picture").images[0].bytes, png(64, 64, 1));
    for url in [&secret, &on] {
        let err = client(&[], url).await.expect_err("no picture");
        assert!(err.message().contains("is at an address that is loopback"), "{err}");
        assert_eq!(
            err.data().resume.as_ref().expect("a handle").pictures,
            std::slice::from_ref(url)
        );
    }
    assert!(requests(&nearby).await.is_empty(), "it was never asked");
    let made = client(&["127.0.0.1"], &on).await.expect("a picture");
    assert_eq!(made.images[0].bytes, png(64, 64, 2));
}

#[tokio::test]
async fn a_download_that_is_redirected_for_ever_ends() {
    let server = MockServer::start().await;
    let again = ResponseTemplate::new(302).insert_header("location", "/shrt/1");
    serve(&server, "/shrt/1", again).await;
    let url = format!("{}/shrt/1", server.uri());
    let err = together(&server, json(200, json!({ "data": [{ "url": url }] }))).await;
    let err = err.expect_err("no picture");
    assert_eq!(err.kind(), ErrorKind::Unexpected);
    assert_eq!(err.data().resume.as_ref().expect("a handle").pictures, [url]);
}

/// Row 25. What is printed in the documentation differs from page to page.
#[tokio::test]
async fn every_documented_form_of_an_answer_is_read() {
    let server = MockServer::start().await;
    serve(&server, "/picture.png", picture_answer(7)).await;
    let url = format!("{}/picture.png", server.uri());
    let base64 = "iVBORw0KGgo=";
    for data in [
        json!([{ "url": url }]),
        json!([{ "index": 0, "url": url, "type": "url", "timings": { "inference": 1.2 } }]),
        json!([{ "index": 0, "url": url, "b64_json": null }]),
        json!([{ "b64_json": base64, "type": "b64_json" }]),
        json!([{ "b64_json": base64, "url": null, "timings": { "inference": 1.2 } }]),
    ] {
        for object in [json!({}), json!({ "id": "o1", "object": "list", "model": "m" })] {
            let mut answer = object;
            answer["data"] = data.clone();
            let outcome = together(&server, json(200, answer.clone())).await;
            let outcome = outcome.unwrap_or_else(|err| panic!("{answer}: {err}"));
            assert!(outcome.images[0].bytes.starts_with(b"\x89PNG"), "{answer}");
        }
    }
}

#[tokio::test]
async fn pictures_in_the_answer_come_back_untouched_and_in_order() {
    let server = MockServer::start().await;
    let pictures = [padded(1, 10), padded(2, 5_000_000), padded(3, 2_000)];
    let data: Vec<Value> =
        pictures.iter().map(|it| json!({ "b64_json": base64(it), "type": "b64_json" })).collect();
    let outcome = together(&server, json(200, json!({ "data": data }))).await.expect("pictures");
    let got: Vec<&[u8]> = outcome.images.iter().map(|it| it.bytes.as_ref()).collect();
    assert_eq!(got, pictures.each_ref().map(Vec::as_slice));
}

#[tokio::test]
async fn what_a_status_means_is_what_the_caller_can_do() {
    use ErrorKind::{Denied, Exhausted, InvalidRequest, OutcomeUnknown, Unavailable, Unexpected};
    let words = json!({ "id": "o1", "error": { "message": "said the provider", "code": null } });
    for (status, kind) in [
        (400, InvalidRequest),
        (401, Denied),
        (402, Exhausted),
        (403, Denied),
        (404, InvalidRequest),
        (413, InvalidRequest),
        (422, InvalidRequest),
        (503, Unavailable),
        // The order was there, and nobody knows what became of it.
        (408, OutcomeUnknown),
        (500, OutcomeUnknown),
        (502, OutcomeUnknown),
        (504, OutcomeUnknown),
        (304, Unexpected),
    ] {
        let server = MockServer::start().await;
        let err = together(&server, json(status, words.clone())).await.expect_err("no picture");
        assert_eq!(err.kind(), kind, "{status}: {err}");
        assert_eq!(err.data().status, Some(status));
        assert_eq!(requests(&server).await.len(), 1, "{status} is not asked again");
        if status != 304 {
            assert_eq!(err.data().provider_message.as_deref(), Some("said the provider"));
            assert_eq!(err.data().request_id.as_deref(), Some("o1"));
        }
    }
}

/// Row 21, for a provider that moderates with a status.
#[tokio::test]
async fn moderation_of_the_prompt_is_told_from_a_bad_request() {
    let server = MockServer::start().await;
    let code = json!({ "error": { "message": "no", "code": "content_policy_violation" } });
    let err = together(&server, json(400, code)).await.expect_err("no picture");
    assert_eq!((err.kind(), err.data().stage), (ErrorKind::Moderated, Some(Stage::Input)));
    let unstated = json!({ "error": { "message": "Safety checker triggered" } });
    let err = together(&server, json(422, unstated)).await.expect_err("no picture");
    assert_eq!((err.kind(), err.data().stage), (ErrorKind::Moderated, Some(Stage::Unstated)));
}

#[tokio::test]
async fn an_order_that_met_the_rate_limit_is_made_again_when_the_provider_says() {
    let server = MockServer::start().await;
    serve(&server, "/picture.png", picture_answer(1)).await;
    let url = format!("{}/picture.png", server.uri());
    let limited = json(429, json!({ "error": { "message": "slow down" } }));
    let began = std::time::Instant::now();
    let outcome = together(
        &server,
        in_turn([
            limited.insert_header("retry-after", "1"),
            json(200, json!({ "data": [{ "url": url }] })),
        ]),
    );
    let outcome = outcome.await.expect("a picture");
    assert!(1.0 <= began.elapsed().as_secs_f64(), "it waited as long as it was told");
    assert_eq!(phases(&outcome), [Phase::Submit, Phase::Submit, Phase::Download]);
    assert_eq!(outcome.receipt.attempts[0].status, Some(429));
}

/// Row 24.
#[tokio::test]
async fn an_answer_with_words_and_no_picture_is_an_error_with_the_words() {
    for answer in [
        json!({ "id": "o1", "data": [], "message": "I cannot draw this" }),
        json!({ "id": "o1", "data": [{ "index": 0, "text": "I cannot draw this" }] }),
        json!({ "id": "o1", "choices": [{ "message": { "content": "I cannot draw this" } }] }),
    ] {
        let server = MockServer::start().await;
        let err = together(&server, json(200, answer)).await.expect_err("no picture");
        assert_eq!(err.kind(), ErrorKind::OutcomeUnknown);
        assert!(err.to_string().contains("I cannot draw this"), "{err}");
        assert_eq!(requests(&server).await.len(), 1);
    }
}

#[tokio::test]
async fn what_is_paid_and_of_no_known_kind_is_kept() {
    let server = MockServer::start().await;
    let answer = json!({ "data": [{ "b64_json": base64(b"a new kind of picture") }] });
    let outcome = together(&server, json(200, answer)).await.expect("bytes");
    assert_eq!(outcome.images[0].bytes, b"a new kind of picture".as_slice());
    assert_eq!(outcome.receipt.warnings.len(), 1);
}

/// A short key, as gateways have it, is a part of many words.
#[tokio::test]
async fn a_key_that_is_a_word_of_the_answer_does_not_change_it() {
    for key in ["data", "url", "http", "test"] {
        let server = MockServer::start().await;
        serve(&server, "/test.png", picture_answer(7)).await;
        let url = format!("{}/test.png", server.uri());
        serve_orders(&server, json(200, json!({ "data": [{ "url": url }] }))).await;
        let base = server.uri().parse().expect("an address");
        let client = Client::builder().without_environment().key("together", key);
        let client = client.base("together", base).build().expect("a client");
        let outcome = run(&client, "together/flux2-pro", edit()).await.expect(key);
        assert_eq!(outcome.images[0].bytes, png(64, 64, 7));
    }
}

#[tokio::test]
async fn a_picture_in_the_place_of_an_address_is_kept() {
    let server = MockServer::start().await;
    let picture = padded(1, 5000);
    let url = format!("data:image/png;base64,{}", base64(&picture));
    let outcome = together(&server, json(200, json!({ "data": [{ "url": url }] }))).await;
    assert_eq!(outcome.expect("a picture").images[0].bytes, picture);
}

#[tokio::test]
async fn a_broken_picture_does_not_take_the_others_with_it() {
    let server = MockServer::start().await;
    let picture = padded(1, 5000);
    let broken = format!("{}!", base64(&picture));
    let data = json!([{ "b64_json": base64(&picture) }, { "b64_json": broken }]);
    let outcome = together(&server, json(200, json!({ "data": data }))).await.expect("one of two");
    assert_eq!(outcome.images.len(), 1);
    assert_eq!(outcome.images[0].bytes, picture);
    assert_eq!(outcome.receipt.failures.len(), 1);
}

/// Row 17, within one call: what came is kept, what is lost is told.
#[tokio::test]
async fn one_lost_picture_of_two_leaves_the_other() {
    let server = MockServer::start().await;
    serve(&server, "/1.png", picture_answer(1)).await;
    serve(&server, "/2.png", ResponseTemplate::new(404)).await;
    let urls = ["2", "1"].map(|it| json!({ "url": format!("{}/{it}.png", server.uri()) }));
    serve_orders(&server, json(200, json!({ "data": urls }))).await;
    let request = ImageRequest { count: 2, ..edit() };
    let outcome = run(&client("together", &server.uri()), "together/flux2-pro", request).await;
    let outcome = outcome.expect("one picture");
    assert_eq!(outcome.images[0].bytes, png(64, 64, 1));
    let kinds: Vec<ErrorKind> = outcome.receipt.failures.iter().map(Error::kind).collect();
    assert_eq!(kinds, [ErrorKind::Expired]);
    assert_eq!(outcome.receipt.pictures, 1);
    assert_eq!(outcome.receipt.handle.expect("a handle").pictures.len(), 2);
}

#[tokio::test]
async fn a_key_that_the_provider_repeats_is_not_repeated_by_us() {
    let server = MockServer::start().await;
    for (status, words) in [
        (401, json!({ "error": { "message": "the key test-key is unknown" } })),
        (200, json!({ "message": "test-key has no pictures left" })),
        (200, json!({ "data": "test-key" })),
    ] {
        let err = together(&server, json(status, words)).await.expect_err("no picture");
        assert!(!format!("{err} {err:?}").contains("test-key"), "{err:?}");
        assert!(format!("{err}").contains("(the key)"), "{err:?}");
    }
}

// --- Black Forest Labs: a ticket, polls, an address.

#[tokio::test]
async fn a_job_is_polled_until_it_is_ready_and_its_picture_is_fetched_without_the_key() {
    let (server, delivery) = (MockServer::start().await, MockServer::start().await);
    serve(&delivery, "/sample.png", picture_answer(3)).await;
    let sample = format!("{}/sample.png?sig=abc", delivery.uri());
    let polls = in_turn([
        status("Pending"),
        // Row 22: a word that nobody documented yet is no end.
        status("Pondering"),
        status("Reasoning"),
        json(200, json!({ "id": "job-1", "status": "Ready", "result": { "sample": sample } })),
    ]);
    let outcome = bfl(&server, polls).await.expect("a picture");
    assert_eq!(outcome.images[0].bytes, png(64, 64, 3));
    let receipt = &outcome.receipt;
    assert_eq!(receipt.cost, Some(Usd(45_000)), "4.5 credits of a cent");
    assert_eq!(
        Value::from(receipt.evidence.clone()),
        json!({ "input_mp": 1.0, "output_mp": 1.05 })
    );
    assert_eq!(receipt.handle.as_ref().expect("a handle").id, "job-1");
    assert_eq!(orders(&server).await, 1);
    for asked in requests(&server).await {
        assert_eq!(asked.headers["x-key"], "test-key");
    }
    for asked in requests(&delivery).await {
        assert!(!asked.headers.contains_key("x-key"), "{:?}", asked.headers);
    }
}

/// Row 21, for a provider that moderates with a word.
#[tokio::test]
async fn a_moderated_job_ends_at_once_and_names_its_stage() {
    for (word, stage) in [("Request Moderated", Stage::Input), ("Content Moderated", Stage::Output)]
    {
        let server = MockServer::start().await;
        let err = bfl(&server, status(word)).await.expect_err("no picture");
        assert_eq!((err.kind(), err.data().stage), (ErrorKind::Moderated, Some(stage)));
        assert_eq!(err.data().cost, Some(Usd(45_000)), "it was charged all the same");
        assert_eq!(requests(&server).await.len(), 2, "one order, one poll");
    }
}

#[tokio::test]
async fn a_job_that_is_gone_is_expired_whatever_status_says_so() {
    for status in [200, 404] {
        let server = MockServer::start().await;
        let gone = json!({ "id": "job-1", "status": "Task not found", "result": null });
        let err = bfl(&server, json(status, gone)).await.expect_err("no picture");
        assert_eq!(err.kind(), ErrorKind::Expired, "{status}: {err}");
    }
}

/// Row 20.
#[tokio::test]
async fn a_poll_that_fails_is_made_again_and_the_order_is_not() {
    let server = MockServer::start().await;
    serve(&server, "/sample.png", picture_answer(1)).await;
    let polls = in_turn([ResponseTemplate::new(500), ready(&server)]);
    let outcome = bfl(&server, polls).await.expect("a picture");
    assert_eq!(orders(&server).await, 1);
    assert_eq!(phases(&outcome), [Phase::Submit, Phase::Poll, Phase::Poll, Phase::Download]);
}

/// Row 20.
#[tokio::test]
async fn a_download_that_fails_is_made_again_and_the_order_is_not() {
    let server = MockServer::start().await;
    let downloads = in_turn([ResponseTemplate::new(503), picture_answer(1)]);
    Mock::given(path("/sample.png")).respond_with(downloads).mount(&server).await;
    let outcome = bfl(&server, ready(&server)).await.expect("a picture");
    assert_eq!(orders(&server).await, 1);
    assert_eq!(phases(&outcome), [Phase::Submit, Phase::Poll, Phase::Download, Phase::Download]);
}

/// Row 30. The job is taken and paid, so its handle comes back; the key goes nowhere.
#[tokio::test]
async fn a_job_that_is_to_be_polled_elsewhere_is_not_polled_with_the_key() {
    let (server, stranger) = (MockServer::start().await, MockServer::start().await);
    let elsewhere = format!("{}/v1/get_result?id=job-1", stranger.uri());
    serve_orders(&server, json(200, ticket(&elsewhere))).await;
    let err = run(&client("bfl", &server.uri()), "bfl/flux2-pro", edit()).await;
    let err = err.expect_err("no picture");
    assert_eq!(err.kind(), ErrorKind::OutcomeUnknown);
    let handle = err.data().resume.as_ref().expect("a handle");
    assert_eq!((handle.id.as_str(), handle.poll.as_ref()), ("job-1", Some(&elsewhere)));
    assert!(requests(&stranger).await.is_empty());
    assert_eq!(orders(&server).await, 1);
}

#[tokio::test]
async fn a_ticket_that_cannot_be_read_may_have_been_charged() {
    for ticket in [json!({}), json!({ "id": "job-1" })] {
        let server = MockServer::start().await;
        serve_orders(&server, json(200, ticket.clone())).await;
        let err = run(&client("bfl", &server.uri()), "bfl/kontext-pro", edit()).await;
        let err = err.expect_err("no picture");
        assert_eq!(err.kind(), ErrorKind::OutcomeUnknown, "{ticket}");
        assert_eq!(err.data().resume.is_some(), ticket["id"].is_string(), "{ticket}");
    }
}

#[tokio::test]
async fn a_job_that_is_ready_without_a_picture_keeps_its_handle() {
    let server = MockServer::start().await;
    let err = bfl(&server, status("Ready")).await.expect_err("no picture");
    assert_eq!(err.kind(), ErrorKind::OutcomeUnknown);
    assert_eq!(err.data().resume.as_ref().expect("a handle").id, "job-1");
}

// --- What the trials above say in short.

async fn together(server: &MockServer, answers: impl Respond + 'static) -> Result<Outcome> {
    serve_orders(server, answers).await;
    run(&client("together", &server.uri()), "together/flux2-pro", edit()).await
}

async fn bfl(server: &MockServer, polls: impl Respond + 'static) -> Result<Outcome> {
    let polling_url = format!("{}/v1/get_result?id=job-1", server.uri());
    serve_orders(server, json(200, ticket(&polling_url))).await;
    Mock::given(path("/v1/get_result")).respond_with(polls).mount(server).await;
    run(&client("bfl", &server.uri()), "bfl/flux2-pro", edit()).await
}

async fn run(client: &Client, offer: &str, request: ImageRequest) -> Result<Outcome> {
    let registry: Registry = linked();
    let job: Job = job(offer, request);
    Router::new(registry, client.clone()).run(job).await
}

/// What is mounted after a request comes before what was mounted for it.
async fn serve_orders(server: &MockServer, answers: impl Respond + 'static) {
    let earlier = u8::try_from(requests(server).await.len()).expect("few requests");
    let mock = Mock::given(method("POST")).respond_with(answers);
    mock.with_priority(100 - earlier).mount(server).await;
}

async fn serve(server: &MockServer, at: &str, answer: ResponseTemplate) {
    Mock::given(method("GET")).and(path(at)).respond_with(answer).mount(server).await;
}

async fn requests(server: &MockServer) -> Vec<Request> {
    server.received_requests().await.expect("requests are recorded")
}

async fn orders(server: &MockServer) -> usize {
    requests(server).await.iter().filter(|it| it.method.as_str() == "POST").count()
}

fn json(status: u16, body: Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}

fn status(word: &str) -> ResponseTemplate {
    json(200, json!({ "id": "job-1", "status": word, "result": null }))
}

fn ready(server: &MockServer) -> ResponseTemplate {
    let sample = format!("{}/sample.png", server.uri());
    json(200, json!({ "id": "job-1", "status": "Ready", "result": { "sample": sample } }))
}

fn phases(outcome: &Outcome) -> Vec<Phase> {
    outcome.receipt.attempts.iter().map(|it| it.phase).collect()
}

fn padded(index: usize, bytes: usize) -> Vec<u8> {
    let padding = (0..bytes).map(|it| (it % 251) as u8);
    png(64, 64, index).into_iter().chain(padding).collect()
}

fn base64(bytes: &[u8]) -> String {
    base64_simd::STANDARD.encode_to_string(bytes)
}
