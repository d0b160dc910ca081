//! Callers with keys, and what each may do; and images that are fetched for them.

use std::net::SocketAddr;

use repaint_callers::{Keys, NewKey};
use repaint_emulator::Settings;
use repaint_fetch::Fetcher;
use repaint_gateway::Server;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use wiremock::matchers::{any, header};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::house::{House, until};

const GENERATIONS: &str = "/v1/images/generations";
const FLUX2: &str = "black-forest-labs/FLUX.2-pro";

/// Callers with keys, each with what stands in the file for it.
struct Callers {
    keys: Vec<String>,
    file: String,
}

impl Callers {
    fn new(entries: &[(&str, &str)]) -> Self {
        let (mut keys, mut file) = (Vec::new(), String::new());
        for (name, more) in entries {
            let new = NewKey::make().expect("random numbers");
            file.push_str(&format!("{}{more}\n", new.entry(name).expect("a name")));
            keys.push(format!("Bearer {}", new.key.expose_secret()));
        }
        Self { keys, file }
    }

    fn read(&self) -> Keys {
        Keys::read(&self.file).expect("a file of callers")
    }

    async fn house(&self) -> House {
        self.house_with(|_| {}).await
    }

    async fn house_with(&self, set: impl FnOnce(&mut Settings)) -> House {
        House::built(set, |it| it.keys(self.read())).await
    }
}

fn body(model: &str) -> String {
    json!({ "model": model, "prompt": "p", "width": 1024, "height": 768 }).to_string()
}

fn code(body: &Value) -> &str {
    body["error"]["code"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_key_gets_nothing_but_what_everybody_may_know() {
    let callers = Callers::new(&[("web", "")]);
    let house = callers.house().await;
    let stranger = NewKey::make().expect("random numbers");
    let stranger = format!("Bearer {}", stranger.key.expose_secret());
    let wrong =
        [vec![], vec![("authorization", "Bearer sk-1234")], vec![("authorization", &stranger[..])]];
    for headers in &wrong {
        for path in [GENERATIONS, "/v1/images/edits", "/v1/images/explain", "/v1/jobs/1/resume"] {
            let answer = house.post_with(path, &body(FLUX2), headers).await;
            assert_eq!((answer.status, code(&answer.body)), (401, "invalid_api_key"), "{path}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
            assert!(!answer.body.to_string().contains(&stranger[7..]));
        }
        for path in ["/v1/models", "/v1/jobs", "/v1/jobs/1", "/v1/models/flux2-pro"] {
            assert_eq!(house.get_with(path, headers).await.status, 401, "{path}");
        }
    }
    assert_eq!(house.paid(), 0);
    assert_eq!(house.text("/healthz").await, "ok\n");
    assert!(house.text("/openapi.json").await.contains("3.1.1"));
    let right = [("authorization", &callers.keys[0][..])];
    assert_eq!(house.post_with(GENERATIONS, &body(FLUX2), &right).await.status, 200);
    assert_eq!(house.paid(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_for_its_models_only_whatever_is_asked_for() {
    let callers =
        Callers::new(&[("web", "models = [\"flux2-*\"]\nproviders = [\"together\"]"), ("all", "")]);
    let house = callers.house().await;
    let web = [("authorization", &callers.keys[0][..])];
    for model in ["black-forest-labs/FLUX.1-kontext-pro", "bfl/flux2-pro", "kontext-pro"] {
        for path in [GENERATIONS, "/v1/images/explain", "/v1/images/validate"] {
            let answer = house.post_with(path, &body(model), &web).await;
            assert_eq!((answer.status, code(&answer.body)), (403, "denied"), "{model} {path}");
            assert_eq!(answer.body["error"]["param"], "model");
            assert!(
                answer.body["error"]["message"].as_str().is_some_and(|it| it.contains("flux2-*"))
            );
        }
    }
    assert_eq!(house.paid(), 0);
    // A choice of several, and any: only what it may use is asked.
    for model in ["flux2-pro", "auto"] {
        let answer = house.post_with(GENERATIONS, &body(model), &web).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let offer = answer.header("x-repaint-offer").expect("who made it");
        assert!(offer.starts_with("together/flux2-"), "{offer}");
    }
    let plan = house.post_with("/v1/images/explain", &body("flux2-pro"), &web).await.body;
    let refused = plan["refusals"].as_array().expect("refusals");
    let there = refused.iter().find(|it| it["offer"] == "bfl/flux2-pro").expect("it is told");
    assert!(there["reasons"].to_string().contains("is not for the key of `web`"), "{there}");
    let count = |body: &Value| body["data"].as_array().map_or(0, Vec::len);
    let own = house.get_with("/v1/models", &web).await.body;
    let all = house.get_with("/v1/models", &[("authorization", &callers.keys[1][..])]).await.body;
    assert!(0 < count(&own) && count(&own) < count(&all));
    assert!(own["data"].as_array().expect("models").iter().all(|it| it["owned_by"] == "together"));
    assert_eq!(house.get_with("/v1/models/kontext-pro", &web).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_has_a_rate_and_a_budget_of_its_own() {
    let callers =
        Callers::new(&[("often", "rate = 2"), ("poor", "budget = { day = 0.04 }"), ("rich", "")]);
    let house = callers.house().await;
    let often = [("authorization", &callers.keys[0][..])];
    for _ in 0..2 {
        assert_eq!(house.post_with(GENERATIONS, &body(FLUX2), &often).await.status, 200);
    }
    let answer = house.post_with(GENERATIONS, &body(FLUX2), &often).await;
    assert_eq!((answer.status, code(&answer.body)), (429, "exhausted"), "{}", answer.body);
    assert_eq!(answer.header("retry-after"), Some("30"));
    assert_eq!(house.paid(), 2);
    let poor = [("authorization", &callers.keys[1][..])];
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(house.post_with(GENERATIONS, &body(FLUX2), &poor).await.status);
    }
    assert_eq!(statuses, [200, 402, 402]);
    let rich = [("authorization", &callers.keys[2][..])];
    assert_eq!(house.post_with(GENERATIONS, &body(FLUX2), &rich).await.status, 200);
    assert_eq!(house.paid(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_caller_does_another_neither_sees_nor_gets() {
    let callers = Callers::new(&[("one", ""), ("two", "")]);
    let house = callers.house().await;
    let header =
        |index: usize| [("authorization", &callers.keys[index][..]), ("idempotency-key", "k")];
    let first = house.post_with(GENERATIONS, &body(FLUX2), &header(0)).await;
    let again = house.post_with(GENERATIONS, &body(FLUX2), &header(0)).await;
    let other = house.post_with(GENERATIONS, &body(FLUX2), &header(1)).await;
    assert_eq!(first.body["id"], again.body["id"]);
    assert_ne!(first.body["id"], other.body["id"]);
    assert_eq!(house.paid(), 2);
    let job = format!("/v1/jobs/{}", first.body["id"].as_str().expect("an id"));
    assert_eq!(house.get_with(&job, &header(0)).await.status, 200);
    assert_eq!(house.get_with(&job, &header(1)).await.status, 404);
    let resumed = house.post_with(&format!("{job}/resume"), "", &header(1)).await;
    assert_eq!(resumed.status, 404);
    let listed = house.get_with("/v1/jobs", &header(1)).await.body;
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(listed["data"][0]["id"], other.body["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_brings_a_key_of_its_own_which_pays_and_harms_nobody_else() {
    let callers = Callers::new(&[("guest", "own_keys = true"), ("plain", "")]);
    let house = callers.house().await;
    let with = |index: usize, name: &'static str, key: &'static str| {
        vec![("authorization", callers.keys[index].as_str()), (name, key)]
    };
    let denied =
        house.post_with(GENERATIONS, &body(FLUX2), &with(1, "x-repaint-key-together", "k")).await;
    assert_eq!((denied.status, code(&denied.body)), (403, "denied"), "{}", denied.body);
    for (name, key) in [
        ("x-repaint-key-togehter", "k"),
        ("x-repaint-key-local", "k"),
        ("x-repaint-key-bfl", "a b"),
    ] {
        let answer = house.post_with(GENERATIONS, &body(FLUX2), &with(0, name, key)).await;
        assert_eq!((answer.status, answer.body["error"]["param"].as_str()), (400, Some(name)));
    }
    assert_eq!(house.paid(), 0);
    // A provider that knows the gateway's key and the right one of the guest.
    let provider = MockServer::start().await;
    let answers = |key: &str, answer: ResponseTemplate| {
        Mock::given(header("authorization", format!("Bearer {key}"))).respond_with(answer)
    };
    let picture = json!({ "id": "1", "data": [{ "index": 0, "url": "http://a.example/1.png" }] });
    for key in ["a-key", "right-key-of-the-guest"] {
        answers(key, ResponseTemplate::new(200).set_body_json(&picture)).mount(&provider).await;
    }
    let echo = json!({ "error": { "message": "the key wrong-key-of-the-guest is wrong" } });
    let refused = ResponseTemplate::new(401).set_body_json(echo);
    answers("wrong-key-of-the-guest", refused).mount(&provider).await;
    let base = provider.uri().parse().expect("an address");
    let house = House::before(base, |it| it.keys(callers.read())).await;
    for _ in 0..7 {
        let own = with(0, "x-repaint-key-together", "wrong-key-of-the-guest");
        let answer = house.post_with(GENERATIONS, &body("together/flux2-pro"), &own).await;
        assert_eq!(answer.status, 401, "{}", answer.body);
        assert!(!answer.body.to_string().contains("wrong-key"), "{}", answer.body);
    }
    let plain = [("authorization", &callers.keys[1][..])];
    let answer = house.post_with(GENERATIONS, &body("together/flux2-pro"), &plain).await;
    assert_eq!(answer.status, 200, "what a wrong key met is its owner's alone: {}", answer.body);
    let own = with(0, "x-repaint-key-together", "right-key-of-the-guest");
    assert_eq!(house.post_with(GENERATIONS, &body("together/flux2-pro"), &own).await.status, 200);
    let seen = provider.received_requests().await.expect("it notes them");
    let last = seen.last().expect("a request");
    assert_eq!(last.headers["authorization"], "Bearer right-key-of-the-guest");
    assert!(seen.iter().all(|it| !it.headers.contains_key("x-repaint-key-together")));
    // Where callers have no keys, nobody's key is taken and none is ignored.
    let open = House::open().await;
    let answer =
        open.post_with(GENERATIONS, &body(FLUX2), &[("x-repaint-key-together", "k")]).await;
    assert_eq!(answer.status, 403, "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_with_keys_it_listens_to_other_machines() {
    let anywhere: SocketAddr = "0.0.0.0:0".parse().expect("an address");
    let gateway = |keys: Option<Keys>| async move {
        let registry = repaint_core::Registry::linked().expect("adapters are linked");
        let client = repaint_client::Client::builder().without_environment().build();
        let router = repaint_router::Router::new(registry, client.expect("a client"));
        let mut builder = repaint_gateway::Gateway::builder(
            router,
            std::sync::Arc::new(repaint_store::Memory::new()),
        );
        if let Some(keys) = keys {
            builder = builder.keys(keys);
        }
        Server::bind(builder.build().await.expect("a gateway"), anywhere).await
    };
    let err = gateway(None).await.expect_err("strangers could spend");
    assert!(err.to_string().contains("without keys of callers"), "{err}");
    gateway(Some(Callers::new(&[("web", "")]).read())).await.expect("keys keep strangers out");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_of_what_people_must_mend_is_kept_even_while_the_offer_rests() {
    for status in [401, 402, 403] {
        let provider = MockServer::start().await;
        let said = json!({ "error": { "message": "not so" } });
        let answer = ResponseTemplate::new(status).set_body_json(said);
        Mock::given(any()).respond_with(answer).mount(&provider).await;
        let house = House::before(provider.uri().parse().expect("an address"), |it| it).await;
        for _ in 0..8 {
            let answer = house.post(GENERATIONS, &body("together/flux2-pro")).await;
            assert_eq!(answer.status, status, "{}", answer.body);
        }
        let asked = provider.received_requests().await.map_or(0, |it| it.len());
        assert_eq!(asked, 5, "then it rests");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_at_an_address_is_fetched_where_the_model_needs_its_bytes() {
    let loopback = "127.0.0.1".parse::<repaint_fetch::Allow>().expect("an address");
    let fetcher = Fetcher::builder().allow([loopback]).build();
    let house = House::built(|_| {}, |it| it.fetcher(fetcher)).await;
    let made = house.post(GENERATIONS, &body(FLUX2)).await;
    let url = made.body["data"][0]["url"].as_str().expect("a url").to_owned();
    let edit = |url: &str| {
        json!({ "model": "local/watercolor", "prompt": "Transform this into a watercolor painting",
            "image_url": url })
        .to_string()
    };
    let answer = house.post(GENERATIONS, &edit(&url)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.body["data"][0]["b64_json"].as_str().is_some_and(|it| 1000 < it.len()));
    for path in ["/v1/images/validate", "/v1/images/explain"] {
        let told = house.post(path, &edit(&url)).await;
        let takes =
            told.body["valid"] == true || told.body["candidates"][0]["offer"] == "local/watercolor";
        assert!(takes, "{path} says the same: {}", told.body);
    }
    // Of more than the model takes nothing is fetched: that is refused as it is.
    let gone: Vec<String> = (0..200).map(|it| house.url(&format!("/{it}.png"))).collect();
    let many = json!({ "model": "local/watercolor", "prompt": "watercolor", "images": gone });
    for path in [GENERATIONS, "/v1/images/explain", "/v1/images/validate"] {
        let answer = house.post(path, &many.to_string()).await;
        assert!(answer.status == 400 || answer.body["valid"] != true, "{path} {}", answer.body);
    }
    assert!(!house.text("/metrics").await.contains("path=\"other\""), "nobody asked for them");
    // What is no picture, or not there, is told as what is wrong with the request.
    for wrong in [house.url("/healthz"), house.url("/nowhere")] {
        let answer = house.post(GENERATIONS, &edit(&wrong)).await;
        assert_eq!(answer.status, 400, "{}", answer.body);
    }
    let metrics = house.text("/metrics").await;
    assert!(metrics.contains("repaint_fetched_bytes 0\n"), "room is given back: {metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_led_to_what_only_the_gateway_can_reach() {
    let house = House::built(|_| {}, |it| it.fetcher(Fetcher::new())).await;
    let before = house.text("/metrics").await;
    for url in [
        house.url("/metrics"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://[::1]:8080/a.png".to_owned(),
        "http://localhost:5432/".to_owned(),
        "http://0x7f000001/".to_owned(),
    ] {
        let body = json!({ "model": "local/watercolor", "prompt": "watercolor", "image_url": url });
        let answer = house.post(GENERATIONS, &body.to_string()).await;
        assert_eq!(
            (answer.status, code(&answer.body)),
            (400, "invalid_request"),
            "{}",
            answer.body
        );
    }
    until(|| async { house.text("/metrics").await.contains("status=\"400\"") }).await;
    let reads =
        |it: &str| it.lines().find(|it| it.contains("path=\"/metrics\"")).map(str::to_owned);
    assert!(reads(&before).is_none(), "nobody had asked for it before");
}
