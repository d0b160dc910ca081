//! The emulator and the real client against each other: what arrives is seen, what is lost is missing, and every fault
//! ends as the client promises.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use image::{Rgb, RgbImage};
use repaint_client::Client;
use repaint_core::{
    ErrorKind, ImageInput, ImageModel, ImageRequest, Job, OrderBy, Policy, Registry, Result, Usd,
};
use repaint_emulator::{
    Emulator, Fault, InProcess, Incoming, Outgoing, Seen, Server, Serving, Settings, Stage,
};
use repaint_router::Router;
use repaint_tests::{edit, heavy, job, linked};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

const KEY: &str = "a-key-that-nobody-may-see";
const PROVIDERS: [&str; 2] = ["together", "bfl"];
/// Far enough from each other to be told apart after JPEG.
const COLOURS: [[u8; 3]; 14] = [
    [230, 20, 20],
    [20, 200, 20],
    [20, 20, 230],
    [230, 220, 20],
    [220, 20, 220],
    [20, 210, 210],
    [140, 70, 10],
    [90, 10, 130],
    [10, 100, 70],
    [250, 140, 20],
    [120, 120, 20],
    [250, 130, 190],
    [10, 60, 130],
    [120, 230, 120],
];

fn emulator(settings: Settings) -> Emulator {
    Emulator::new(&linked(), settings)
}

fn client_at(server: &Server) -> Client {
    let builder = Client::builder().without_environment();
    let builder = PROVIDERS.iter().fold(builder, |it, id| it.key(id, KEY).base(id, server.url()));
    builder.build().expect("a client")
}

fn hosted(registry: &Registry) -> Vec<&dyn ImageModel> {
    registry.models().filter(|it| PROVIDERS.contains(&it.provider().id)).collect()
}

fn flat(colour: [u8; 3]) -> Vec<u8> {
    let mut file = std::io::Cursor::new(Vec::new());
    let image = RgbImage::from_pixel(256, 256, Rgb(colour));
    image.write_to(&mut file, image::ImageFormat::Png).expect("a PNG");
    file.into_inner()
}

/// Where the middle of each colour lies in a picture, if there is enough of it.
fn middles(bytes: &[u8]) -> Vec<Option<(u64, u64)>> {
    let picture = image::load_from_memory(bytes).expect("a picture").to_rgb8();
    let near = |a: &[u8; 3], b: &[u8; 3]| a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) < 20);
    let middle = |colour: &[u8; 3]| {
        let (mut count, mut x, mut y) = (0, 0, 0);
        // Every fourth pixel of every fourth row says as much.
        for (at_x, at_y) in (0..picture.height() / 4)
            .flat_map(|y| (0..picture.width() / 4).map(move |x| (x * 4, y * 4)))
        {
            if near(&picture.get_pixel(at_x, at_y).0, colour) {
                (count, x, y) = (count + 1, x + u64::from(at_x), y + u64::from(at_y));
            }
        }
        (30 < count).then(|| (x / count, y / count))
    };
    COLOURS.iter().map(middle).collect()
}

#[tokio::test]
async fn every_input_image_of_every_offer_is_seen_in_its_place() {
    let registry = linked();
    let server = Server::start(emulator(Settings::default())).await.expect("it listens");
    for model in hosted(&registry) {
        let most = model.capabilities().images.value.max as usize;
        let images =
            COLOURS[..most].iter().map(|it| ImageInput::bytes(flat(*it)).expect("a picture"));
        let request =
            ImageRequest { images: images.collect(), ..ImageRequest::new("Put them together") };
        let outcome =
            Router::new(registry.clone(), client_at(&server)).run(job(model.id(), request)).await;
        let outcome = outcome.unwrap_or_else(|err| panic!("{}: {err}", model.id()));
        let seen: Vec<_> = middles(&outcome.images[0].bytes);
        assert!(seen[most..].iter().all(Option::is_none), "{}: {seen:?}", model.id());
        let places: Vec<(u64, u64)> = seen[..most].iter().flatten().copied().collect();
        assert_eq!(places.len(), most, "{}: an image was lost: {seen:?}", model.id());
        // Row by row, from left to right.
        assert!(
            places.windows(2).all(|it| it[0].1 + 40 < it[1].1 || it[0].0 < it[1].0),
            "{}: {places:?}",
            model.id()
        );
        let emulator = server.emulator();
        let order = emulator.orders().last().expect("an order");
        assert_eq!(order.offer.as_deref(), Some(model.id()));
        assert_eq!(order.prompt.as_deref(), Some("Put them together"));
        assert_eq!(order.images.len(), most);
        // Worked out anew from the price and the size that the provider takes where none is named, it
        // lies within what was foretold.
        let estimate = outcome.receipt.estimate;
        let billed = order.billed_micro_usd;
        assert!(
            (estimate.low..=estimate.high).contains(&billed),
            "{}: {billed:?} {estimate:?}",
            model.id()
        );
        if let Some(cost) = outcome.receipt.cost {
            assert_eq!(cost, billed, "{}", model.id());
        }
    }
    let emulator = server.emulator();
    assert_eq!(emulator.orders().count(), hosted(&registry).len(), "none was made twice");
    assert_eq!(emulator.total().0, emulator.orders().map(|it| it.billed_micro_usd.0).sum::<u64>());
}

/// Sends a body straight to the machines, as somebody's own client would.
fn post(emulator: &mut Emulator, path: &str, body: &Value) -> Outgoing {
    let url = format!("http://127.0.0.1:1{path}").parse().expect("an address");
    let mut incoming = Incoming::post(url, body.to_string());
    incoming.headers =
        vec![("authorization".into(), format!("Bearer {KEY}")), ("x-key".into(), KEY.into())];
    emulator.handle(&incoming, None, Duration::ZERO)
}

fn read(outgoing: &Outgoing) -> Value {
    serde_json::from_slice(&outgoing.body).expect("JSON")
}

fn data_uri(colour: [u8; 3]) -> String {
    format!("data:image/png;base64,{}", base64_simd::STANDARD.encode_to_string(flat(colour)))
}

const TOGETHER: &str = "/v1/images/generations";

#[test]
fn a_wrong_field_shows_no_image_and_is_billed_all_the_same() {
    let image = data_uri(COLOURS[0]);
    let bare = base64_simd::STANDARD.encode_to_string(flat(COLOURS[0]));
    let kontext = "black-forest-labs/FLUX.1-kontext-pro";
    for (path, body) in [
        (TOGETHER, json!({ "model": kontext, "prompt": "x", "reference_images": [image] })),
        (
            TOGETHER,
            json!({ "model": kontext, "prompt": "x", "image": image, "input_image": image }),
        ),
        ("/v1/flux-2-pro", json!({ "prompt": "x", "image_url": bare, "reference_images": [bare] })),
        ("/v1/flux-2-pro", json!({ "prompt": "x", "input_image_9": bare, "images": [bare] })),
        ("/v1/flux-2-klein-9b", json!({ "prompt": "x", "input_image_5": bare })),
        ("/v1/flux-kontext-pro", json!({ "prompt": "x", "image": bare })),
    ] {
        let mut emulator = emulator(Settings::default());
        let answer = post(&mut emulator, path, &body);
        assert_eq!(answer.status, 200, "{path}: {}", read(&answer));
        let picture = picture_of(&mut emulator, &read(&answer));
        assert_eq!(middles(&picture), vec![None; COLOURS.len()], "{path}");
        let orders: Vec<_> = emulator.orders().collect();
        assert!(
            orders.len() == 1 && orders[0].images.is_empty() && Usd(0) < orders[0].billed_micro_usd,
            "{path}"
        );
    }
    // The same in the right fields is seen.
    let mut emulator = emulator(Settings::default());
    let body = json!({ "model": kontext, "prompt": "x", "image_url": image });
    let answer = post(&mut emulator, TOGETHER, &body);
    assert!(middles(&picture_of(&mut emulator, &read(&answer)))[0].is_some());
    let answer =
        post(&mut emulator, "/v1/flux-2-pro", &json!({ "prompt": "x", "input_image_2": bare }));
    assert!(middles(&picture_of(&mut emulator, &read(&answer)))[0].is_some());
}

fn get(emulator: &mut Emulator, url: &str, now: Duration) -> Outgoing {
    let mut incoming = Incoming::get(url.parse().expect("an address"));
    incoming.headers = vec![("user-agent".into(), "a test".into())];
    emulator.handle(&incoming, None, now)
}

/// Follows an answer to the picture.
fn picture_of(emulator: &mut Emulator, answer: &Value) -> Vec<u8> {
    let url = match answer["polling_url"].as_str() {
        Some(poll) => read(&get(emulator, poll, Duration::ZERO))["result"]["sample"].clone(),
        None => {
            let short = answer["data"][0]["url"].as_str().expect("a short link");
            let moved = get(emulator, short, Duration::ZERO);
            assert_eq!(moved.status, 302);
            moved.headers.iter().find(|it| it.0 == "location").expect("where to").1.clone().into()
        }
    };
    let picture = get(emulator, url.as_str().expect("an address"), Duration::ZERO);
    assert_eq!(picture.status, 200);
    assert!(picture.headers.contains(&("x-emulated", "repaint".to_owned())));
    picture.body.to_vec()
}

#[test]
fn what_a_provider_refuses_is_refused_in_its_words_and_costs_nothing() {
    let model = |name: &str, field: &str, value: Value| {
        let mut body = json!({ "model": name, "prompt": "x" });
        body[field] = value;
        (TOGETHER, body)
    };
    let unsupported = |it: &str| {
        format!(
            "Unsupported use of '{it}' parameter. This parameter is not supported for the selected model."
        )
    };
    let (flux, google) = ("black-forest-labs/FLUX.2-pro", "google/flash-image-2.5");
    let cases = [
        (model(google, "image_url", data_uri(COLOURS[0]).into()), 400, unsupported("image_url")),
        (model(google, "seed", 7.into()), 400, unsupported("seed")),
        (model("Qwen/Qwen-Image-2.0", "steps", 7.into()), 400, unsupported("steps")),
        (model(flux, "negative_prompt", "y".into()), 400, "'negative_prompt'".to_owned()),
        (
            model(flux, "seed", (1_u64 << 31).into()),
            400,
            "between 0 and 2147483647. Default: Random.".to_owned(),
        ),
        (
            model(google, "width", 1000.into()),
            400,
            "Supported values are: '1024x1024', ".to_owned(),
        ),
        (
            model("nobody/nothing", "seed", 7.into()),
            400,
            "Invalid value for 'model' parameter".to_owned(),
        ),
        (("/v1/flux-2-pro", json!({})), 422, "Field required".to_owned()),
        (
            ("/v1/flux-2-flex", json!({ "prompt": "x", "steps": 51 })),
            422,
            "less than or equal to 50".to_owned(),
        ),
        (
            ("/v1/flux-2-pro", json!({ "prompt": "x", "safety_tolerance": 6 })),
            422,
            "less than or equal to 5".to_owned(),
        ),
        (
            ("/v1/flux-2-pro", json!({ "prompt": "x", "output_format": "gif" })),
            422,
            "'jpeg' or 'png'".to_owned(),
        ),
        (("/v1/flux-9", json!({ "prompt": "x" })), 404, "Not Found".to_owned()),
    ];
    for ((path, body), status, words) in cases {
        let mut emulator = emulator(Settings::default());
        let answer = post(&mut emulator, path, &body);
        let said = read(&answer);
        assert_eq!(answer.status, status, "{said}");
        if path == TOGETHER {
            assert!(said["id"].is_string() && said["error"]["param"].is_null(), "{said}");
            assert_eq!(said["error"]["type"], "invalid_request_error");
            assert!(
                said["error"]["message"].as_str().is_some_and(|it| it.contains(&words)),
                "{said}"
            );
        } else if status == 422 {
            assert!(
                said["detail"][0]["msg"].as_str().is_some_and(|it| it.contains(&words)),
                "{said}"
            );
            assert_eq!(said["detail"][0]["loc"][0], "body");
        } else {
            assert_eq!(said["detail"], words.as_str());
        }
        assert_eq!((emulator.orders().count(), emulator.total()), (0, Usd(0)));
    }
}

#[test]
fn a_missing_key_is_denied_as_each_provider_does() {
    let mut emulator = emulator(Settings::default());
    let mut without = |path: &str, body: Value| {
        let url = format!("http://127.0.0.1:1{path}").parse().expect("an address");
        let answer = emulator.handle(&Incoming::post(url, body.to_string()), None, Duration::ZERO);
        (answer.status, read(&answer))
    };
    let (status, said) =
        without(TOGETHER, json!({ "model": "black-forest-labs/FLUX.2-pro", "prompt": "x" }));
    assert_eq!((status, &said["error"]["code"]), (401, &json!("invalid_api_key")));
    let (status, said) = without("/v1/flux-2-pro", json!({ "prompt": "x" }));
    assert_eq!((status, &said["detail"]), (403, &json!("Not authenticated")));
}

#[test]
fn a_result_of_bfl_expires_after_ten_minutes_and_a_job_takes_its_time() {
    let latency = Duration::from_secs(20);
    let mut emulator = emulator(Settings { latency, ..Settings::default() });
    let ticket = read(&post(&mut emulator, "/v1/flux-2-pro", &json!({ "prompt": "x" })));
    assert_eq!(ticket["cost"], 3.0728);
    assert_eq!((&ticket["input_mp"], &ticket["output_mp"]), (&json!(0.0), &json!(1.05)));
    let poll = ticket["polling_url"].as_str().expect("an address");
    let mut status = |seconds| read(&get(&mut emulator, poll, Duration::from_secs(seconds)));
    assert_eq!(status(1)["status"], "Pending");
    assert_eq!(status(15)["status"], "Generating");
    let ready = status(20);
    assert_eq!(ready["status"], "Ready");
    assert_eq!(status(20 + 3600)["status"], "Task not found");
    let mut emulator = self::emulator(Settings::default());
    let ticket = read(&post(&mut emulator, "/v1/flux-2-pro", &json!({ "prompt": "x" })));
    let poll = ticket["polling_url"].as_str().expect("an address");
    let ready = read(&get(&mut emulator, poll, Duration::ZERO));
    let sample = ready["result"]["sample"].as_str().expect("an address");
    assert_eq!(get(&mut emulator, sample, Duration::from_secs(600)).status, 200);
    assert_eq!(get(&mut emulator, sample, Duration::from_secs(601)).status, 403);
}

/// How a job ends when one fault befalls every request that it can befall: the kind of error, or a picture; the orders
/// that the provider took; and those that it saw.
#[derive(Clone, Copy, Debug, PartialEq)]
struct End(Option<ErrorKind>, usize, usize);

fn promised(fault: Fault, provider: &str) -> End {
    use ErrorKind::{Exhausted, Expired, Moderated, OutcomeUnknown, Unavailable};
    let bfl = provider == "bfl";
    let end = |kind, taken, seen| End(Some(kind), taken, seen);
    match fault {
        Fault::NoCredit => end(Exhausted, 0, 1),
        Fault::RateLimited | Fault::RateLimitedBare => end(Exhausted, 0, 5),
        Fault::ServerError | Fault::GatewayTimeout => end(OutcomeUnknown, 1, 1),
        // Only Together says that it does not begin what it answers so.
        Fault::Overloaded => end(if bfl { OutcomeUnknown } else { Unavailable }, 0, 1),
        Fault::Refuse | Fault::ResetBeforeBody | Fault::ResetInBody => end(Unavailable, 0, 5),
        Fault::HangConnect | Fault::HangRequestBody => end(Unavailable, 0, 1),
        Fault::LostBody => end(OutcomeUnknown, 0, 1),
        Fault::ResetAfterBody
        | Fault::HangResponseHead
        | Fault::HangResponseBody
        | Fault::HangDownload
        | Fault::HalfBody
        | Fault::WrongLength => end(OutcomeUnknown, 1, 1),
        Fault::HangPoll | Fault::PollHost if bfl => end(OutcomeUnknown, 1, 1),
        Fault::HangPoll | Fault::PollHost | Fault::SlowDrip => End(None, 1, 1),
        Fault::ModeratedInput | Fault::ModeratedOutput => end(Moderated, usize::from(bfl), 1),
        Fault::Expired => end(Expired, 1, 1),
    }
}

fn model(provider: &str) -> &'static str {
    if provider == "bfl" { "bfl/flux2-pro" } else { "together/flux2-pro" }
}

fn timed(provider: &str, request: ImageRequest, seconds: u32) -> Job {
    let policy = Policy { timeout_seconds: Some(seconds), ..Policy::default() };
    Job { policy, ..job(model(provider), request) }
}

fn ended(result: &Result<repaint_core::Outcome>, emulator: &Emulator) -> End {
    let seen = emulator.requests().filter(|it| it.stage == Stage::Order).count();
    End(result.as_ref().err().map(repaint_core::Error::kind), emulator.orders().count(), seen)
}

fn in_process(way: &InProcess) -> Client {
    let base = "http://127.0.0.1:1".parse::<url::Url>().expect("an address");
    let builder = Client::builder().without_environment().exchange(way.clone());
    let builder = PROVIDERS.iter().fold(builder, |it, id| it.key(id, KEY).base(id, base.clone()));
    builder.build().expect("a client")
}

/// Rows 16 to 21.
#[tokio::test(start_paused = true)]
async fn every_fault_ends_as_the_client_promises_and_nothing_is_bought_twice() {
    let registry = linked();
    let tiny = emulator(Settings { thumbnails: true, ..Settings::default() });
    for fault in Fault::all() {
        for provider in PROVIDERS {
            let way = InProcess::new(tiny.clone()).choosing(move |_, _| Some(fault));
            let result = Router::new(registry.clone(), in_process(&way))
                .run(timed(provider, edit(), 60))
                .await;
            let end = ended(&result, &way.emulator());
            assert_eq!(end, promised(fault, provider), "{provider}, {fault}: {result:?}");
        }
    }
}

/// Rows 16 to 21.
#[tokio::test(start_paused = true)]
async fn whatever_befalls_a_poll_or_a_download_the_order_is_made_once_and_can_be_picked_up() {
    let registry = linked();
    let tiny = emulator(Settings { thumbnails: true, ..Settings::default() });
    let stages = [Stage::Poll, Stage::Download];
    for (stage, fault) in
        stages.into_iter().flat_map(|it| Fault::all().map(move |fault| (it, fault)))
    {
        for provider in PROVIDERS {
            let once = Mutex::new(Some(fault));
            let way = InProcess::new(tiny.clone()).choosing(move |at, _| {
                let mut once = once.lock().expect("nobody panics");
                if at == stage { once.take() } else { None }
            });
            let result = Router::new(registry.clone(), in_process(&way))
                .run(timed(provider, edit(), 60))
                .await;
            let orders = way.emulator().orders().count();
            assert_eq!(orders, 1, "{provider}, {fault} at {stage:?}: {result:?}");
            if let Err(err) = &result {
                assert!(err.data().resume.is_some(), "{provider}, {fault} at {stage:?}: {err:?}");
                let hangs = fault.name().starts_with("hang-") || fault == Fault::Expired;
                assert!(hangs, "{provider}, {fault} at {stage:?} is got over: {err:?}");
            }
        }
    }
}

/// Row 20. The order is taken and paid, so failing to ask for it is no proof that nothing was bought.
#[tokio::test(start_paused = true)]
async fn a_job_that_cannot_be_asked_for_until_the_deadline_may_be_made_and_is_picked_up_later() {
    let tiny = emulator(Settings { thumbnails: true, ..Settings::default() });
    let lasting = |it: &Fault| it.strikes(Stage::Poll) && !matches!(it, Fault::Expired);
    for fault in Fault::all().filter(lasting).filter(|it| *it != Fault::SlowDrip) {
        let way = InProcess::new(tiny.clone())
            .choosing(move |stage, _| (stage == Stage::Poll).then_some(fault));
        let mut job = timed("bfl", edit(), 60);
        job.select.push("flux2-pro".to_owned());
        job.policy.order = OrderBy::Preference;
        let err = Router::new(linked(), in_process(&way)).run(job).await.expect_err("no picture");
        assert_eq!(err.kind(), ErrorKind::OutcomeUnknown, "{fault}: {err:?}");
        assert!(err.data().resume.is_some() && !err.message().contains("nothing was bought"));
        assert_eq!(way.emulator().orders().count(), 1, "{fault}: nobody else is asked");
        let handle = err.data().resume.clone().expect("a handle");
        let sound = way.choosing(|_, _| None);
        let outcome = Router::new(linked(), in_process(&sound)).pick_up(handle, |_| {}).run().await;
        assert_eq!(outcome.expect("a picture").images.len(), 1, "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_polling_address_at_another_host_of_the_provider_is_used_to_the_letter() {
    let settings = Settings { always: Some(Fault::PollHost), ..Settings::default() };
    let way = InProcess::new(emulator(settings));
    let builder = Client::builder().without_environment().key("bfl", KEY).exchange(way.clone());
    let client = builder.build().expect("a client");
    let outcome =
        Router::new(linked(), client).run(job("bfl/flux2-pro", edit())).await.expect("a picture");
    let handle = outcome.receipt.handle.expect("a handle");
    assert!(handle.poll.is_some_and(|it| it.starts_with("https://api.us1.bfl.ai/")));
}

/// The same table over sockets. What is lost before its end is heavier than all buffers on the way, so that it is
/// surely not sent whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_ends_over_http_as_it_does_in_process() {
    let (registry, table) = (linked(), emulator(Settings::default()));
    let big = heavy(18_000_000);
    let runs = Fault::all().flat_map(|fault| PROVIDERS.map(|provider| (fault, provider)));
    let runs = runs.map(|(fault, provider)| {
        let (registry, mut emulator, big) = (registry.clone(), table.clone(), big.clone());
        tokio::spawn(async move {
            emulator.always(Some(fault));
            let struck = Arc::new(Notify::new());
            let tell = Arc::clone(&struck);
            let watch = Box::new(move |it: &Seen| {
                if it.fault.is_some() {
                    tell.notify_one();
                }
            });
            let server = Server::bind(emulator, Serving { watch, ..Serving::default() });
            let server = server.await.expect("it listens");
            let images = if fault.loses_the_request() { vec![big] } else { edit().images };
            let job = job(model(provider), ImageRequest { images, ..edit() });
            let task = Router::new(registry, client_at(&server)).task(job);
            // What hangs is given up as soon as it does; a deadline would have to guess when that is.
            if fault.name().starts_with("hang-") || fault == Fault::SlowDrip {
                let cancel = task.canceller();
                tokio::spawn(async move {
                    struck.notified().await;
                    cancel.cancel();
                });
            }
            let result = task.run().await;
            let end = ended(&result, &server.emulator());
            let wanted = match fault {
                // It is given up when it has begun to drip.
                Fault::SlowDrip => End(Some(ErrorKind::OutcomeUnknown), 1, 1),
                fault => promised(fault, provider),
            };
            assert_eq!(end, wanted, "{provider}, {fault}: {result:?}");
        })
    });
    for run in runs.collect::<Vec<_>>() {
        run.await.expect("as promised");
    }
}

/// A request over a socket of its own, and all that comes back.
async fn raw(server: &Server, head: &str, body: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(server.address()).await.expect("it listens");
    let length = body.len();
    let request = format!(
        "{head} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nauthorization: Bearer {KEY}\r\nx-key: {KEY}\r\ncontent-length: {length}\r\n\r\n{body}",
        server.address()
    );
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = Vec::new();
    // A connection that is reset has answered what it has answered.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn what_came_and_what_it_would_have_cost_is_told_and_no_key_is() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&lines);
    let watch = Box::new(move |it: &Seen| {
        log.lock().expect("nobody panics").push(it.line().to_string());
    });
    let script = vec![Some(Fault::RateLimited), None, Some(Fault::ResetAfterBody)];
    let settings = Settings { script, ..Settings::default() };
    let server = Server::bind(emulator(settings), Serving { watch, ..Serving::default() });
    let server = server.await.expect("it listens");
    let body = json!({
        "model": "black-forest-labs/FLUX.2-dev", "prompt": "a secret plan", "size": "1x1",
        "reference_images": [data_uri(COLOURS[0]), "https://example.com/signed?token=t"],
    });
    let order = format!("POST {TOGETHER}");
    let limited = raw(&server, &order, &body.to_string()).await;
    assert!(limited.starts_with("HTTP/1.1 429") && limited.contains("retry-after: 1"), "{limited}");
    let made = raw(&server, &order, &body.to_string()).await;
    assert!(made.starts_with("HTTP/1.1 200") && made.contains("x-emulated: repaint"), "{made}");
    assert_eq!(raw(&server, &order, &body.to_string()).await, "");
    let strange =
        raw(&server, &format!("{order} HTTP/1.1\r\nx-emulate-fault: oops\r\nx:"), "{}").await;
    assert!(
        strange.starts_with("HTTP/1.1 400") && strange.contains("no fault is called `oops`"),
        "{strange}"
    );

    let told = raw(&server, "GET /__emulator/requests", "").await;
    let told: Value =
        serde_json::from_str(told.split_once("\r\n\r\n").expect("a body").1).expect("JSON");
    let requests = told["requests"].as_array().expect("a list");
    let of = |name: &str| requests.iter().map(|it| it[name].clone()).collect::<Vec<_>>();
    assert_eq!(of("status"), [json!(429), json!(200), json!(200)]);
    assert_eq!(
        of("taken"),
        [json!(false), json!(true), json!(true)],
        "the third was taken, and not told"
    );
    assert_eq!(requests[1]["fields"], json!(["model", "prompt", "size", "reference_images"]));
    assert_eq!(requests[1]["prompt"], "a secret plan");
    let images = &requests[1]["images"];
    assert_eq!(
        (&images[0]["kind"], &images[0]["dimensions"]),
        (&json!("data_uri"), &json!("256x256"))
    );
    assert_eq!(
        (&images[1]["field"], &images[1]["kind"]),
        (&json!("reference_images[1]"), &json!("url"))
    );
    // 1024 by 768 at $0.0154 a megapixel, twice.
    assert_eq!(told["billed_micro_usd"], json!(2 * 12_111));
    let log = lines.lock().expect("nobody panics").join("\n");
    assert_eq!(log.lines().count(), 3, "one line a request: {log}");
    for secret in [KEY, "a secret plan", "token=t"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    assert!(!told.to_string().contains(KEY) && !told.to_string().contains("base64,"));

    let cleared = raw(&server, "DELETE /__emulator/requests", "").await;
    assert!(
        cleared.contains(r#""requests":[]"#) && cleared.contains(r#""billed_micro_usd":0"#),
        "{cleared}"
    );
}

#[test]
fn equal_requests_at_equal_times_get_equal_bytes() {
    let answers = |seed: u64, picked: u64| {
        let mut emulator = emulator(Settings { seed, ..Settings::default() });
        let body = json!({ "prompt": "x", "seed": picked, "input_image_2": data_uri(COLOURS[1]).split_once(',').map(|it| it.1) });
        let ticket = post(&mut emulator, "/v1/flux-2-pro", &body);
        let picture = picture_of(&mut emulator, &read(&ticket));
        (ticket.body, picture)
    };
    assert_eq!(answers(1, 7), answers(1, 7));
    assert_ne!(answers(1, 7).0, answers(2, 7).0, "ids follow from the emulator's seed");
    assert_eq!(answers(1, 7).1, answers(2, 7).1, "and pictures do not");
    assert_ne!(answers(1, 7).1, answers(1, 8).1, "they follow from the request's");
}

#[test]
fn several_pictures_come_in_the_answer_as_they_are_asked_for() {
    let mut emulator = emulator(Settings::default());
    for (format, mark) in [("png", &b"\x89PNG"[..]), ("jpeg", &b"\xff\xd8\xff"[..])] {
        let body = json!({
            "model": "black-forest-labs/FLUX.2-dev", "prompt": "x", "n": 3, "width": 320, "height": 512,
            "response_format": "base64", "output_format": format,
        });
        let answer = read(&post(&mut emulator, TOGETHER, &body));
        let data = answer["data"].as_array().expect("pictures");
        let pictures: Vec<Vec<u8>> = data
            .iter()
            .map(|it| {
                base64_simd::STANDARD
                    .decode_to_vec(it["b64_json"].as_str().expect("base64"))
                    .expect("base64")
            })
            .collect();
        assert_eq!(pictures.len(), 3);
        assert!(pictures[0] != pictures[1] && pictures[1] != pictures[2], "each says which it is");
        for picture in pictures {
            assert!(picture.starts_with(mark));
            let picture = image::load_from_memory(&picture).expect("a picture");
            assert_eq!((picture.width(), picture.height()), (320, 512));
        }
    }
}

#[tokio::test]
async fn an_address_is_shown_as_such_and_fetched_only_when_asked_for() {
    let host = wiremock::MockServer::start().await;
    let image = wiremock::ResponseTemplate::new(200).set_body_bytes(flat(COLOURS[3]));
    wiremock::Mock::given(wiremock::matchers::path("/i.png"))
        .respond_with(image)
        .mount(&host)
        .await;
    for fetch in [false, true] {
        let serving = Serving { fetch, ..Serving::default() };
        let server =
            Server::bind(emulator(Settings::default()), serving).await.expect("it listens");
        let images = vec![ImageInput::url(&format!("{}/i.png", host.uri())).expect("an address")];
        let request = ImageRequest { images, ..ImageRequest::new("x") };
        let outcome = Router::new(linked(), client_at(&server))
            .run(job("bfl/flux2-pro", request))
            .await
            .expect("a picture");
        assert_eq!(middles(&outcome.images[0].bytes)[3].is_some(), fetch);
        assert_eq!(host.received_requests().await.expect("recorded").len(), usize::from(fetch));
    }
}

#[test]
fn every_fault_stands_in_the_book() {
    let book = include_str!("../docs/emulator.md");
    for fault in Fault::all() {
        let row =
            |it: &&str| it.starts_with(&format!("| `{fault}` |")) && it.contains(fault.about());
        assert_eq!(book.lines().filter(row).count(), 1, "{fault}");
    }
}
