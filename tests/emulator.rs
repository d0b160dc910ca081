//! The emulator and the real client against each other: what arrives is seen, what is lost is missing, and every fault
//! ends as the client promises.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use image::{Rgb, RgbImage};
use repaint_client::Client;
use repaint_core::{
    Adapt, Date, ErrorKind, ImageFacts, ImageInput, ImageModel, ImageRequest, Job, Policy, Registry, Terms, Usd,
};
use repaint_emulator::{Emulator, Fault, InProcess, Incoming, Outgoing, Server, Serving, Settings, Stage};
use repaint_tests::{edit, heavy, job, linked};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

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
        for (at_x, at_y, pixel) in picture.enumerate_pixels() {
            if near(&pixel.0, colour) {
                (count, x, y) = (count + 1, x + u64::from(at_x), y + u64::from(at_y));
            }
        }
        (500 < count).then(|| (x / count, y / count))
    };
    COLOURS.iter().map(middle).collect()
}

#[tokio::test]
async fn every_input_image_of_every_offer_is_seen_in_its_place() {
    let registry = linked();
    let server = Server::start(emulator(Settings::default())).await.expect("it listens");
    for model in hosted(&registry) {
        let most = model.capabilities().images.value.max as usize;
        let images = COLOURS[..most].iter().map(|it| ImageInput::bytes(flat(*it)).expect("a picture"));
        let request = ImageRequest { images: images.collect(), ..ImageRequest::new("Put them together") };
        let outcome = client_at(&server).run(&registry, job(model.id(), request)).await;
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
        // Worked out anew from the price, it lies within what was foretold.
        let estimate = outcome.receipt.estimate;
        let billed = order.billed_micro_usd;
        assert!((estimate.low..=estimate.high).contains(&billed), "{}: {billed:?} {estimate:?}", model.id());
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
        (TOGETHER, json!({ "model": kontext, "prompt": "x", "image": image, "input_image": image })),
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
        assert!(orders.len() == 1 && orders[0].images.is_empty() && Usd(0) < orders[0].billed_micro_usd, "{path}");
    }
    // The same in the right fields is seen.
    let mut emulator = emulator(Settings::default());
    let body = json!({ "model": kontext, "prompt": "x", "image_url": image });
    let answer = post(&mut emulator, TOGETHER, &body);
    assert!(middles(&picture_of(&mut emulator, &read(&answer)))[0].is_some());
    let answer = post(&mut emulator, "/v1/flux-2-pro", &json!({ "prompt": "x", "input_image_2": bare }));
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
    let unsupported =
        |it: &str| format!("Unsupported use of '{it}' parameter. This parameter is not supported for the selected model.");
    let (flux, google) = ("black-forest-labs/FLUX.2-pro", "google/flash-image-2.5");
    let cases = [
        (model(google, "image_url", data_uri(COLOURS[0]).into()), 400, unsupported("image_url")),
        (model(google, "seed", 7.into()), 400, unsupported("seed")),
        (model("Qwen/Qwen-Image-2.0", "steps", 7.into()), 400, unsupported("steps")),
        (model(flux, "negative_prompt", "y".into()), 400, "'negative_prompt'".to_owned()),
        (model(flux, "seed", (1_u64 << 31).into()), 400, "between 0 and 2147483647. Default: Random.".to_owned()),
        (model(google, "width", 1000.into()), 400, "Supported values are: '1024x1024', ".to_owned()),
        (model("nobody/nothing", "seed", 7.into()), 400, "Invalid value for 'model' parameter".to_owned()),
        (("/v1/flux-2-pro", json!({})), 422, "Field required".to_owned()),
        (("/v1/flux-2-flex", json!({ "prompt": "x", "steps": 51 })), 422, "less than or equal to 50".to_owned()),
        (("/v1/flux-2-pro", json!({ "prompt": "x", "safety_tolerance": 6 })), 422, "less than or equal to 5".to_owned()),
        (("/v1/flux-2-pro", json!({ "prompt": "x", "output_format": "gif" })), 422, "'jpeg' or 'png'".to_owned()),
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
            assert!(said["error"]["message"].as_str().is_some_and(|it| it.contains(&words)), "{said}");
        } else if status == 422 {
            assert!(said["detail"][0]["msg"].as_str().is_some_and(|it| it.contains(&words)), "{said}");
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
    let (status, said) = without(TOGETHER, json!({ "model": "black-forest-labs/FLUX.2-pro", "prompt": "x" }));
    assert_eq!((status, &said["error"]["code"]), (401, &json!("invalid_api_key")));
    let (status, said) = without("/v1/flux-2-pro", json!({ "prompt": "x" }));
    assert_eq!((status, &said["detail"]), (403, &json!("Not authenticated")));
}

#[test]
fn a_result_of_bfl_expires_after_ten_minutes_and_a_job_takes_its_time() {
    let latency = Duration::from_secs(20);
    let mut emulator = emulator(Settings { latency, ..Settings::default() });
    let ticket = read(&post(&mut emulator, "/v1/flux-2-pro", &json!({ "prompt": "x" })));
    assert_eq!(ticket["cost"], 3.0 + 0.072_86);
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
