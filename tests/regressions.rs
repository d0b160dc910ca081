//! What others got wrong, one behaviour a trial: nothing that was given is lost, nothing is paid for
//! by mistake.
//!
//! | row | where |
//! |---|---|
//! | 1–4, 7–12, 14, 15, 17, 22, 29, 34–37 | here |
//! | 13 | `conformance.rs`, for every capability; `faults.rs` shows that it is caught |
//! | 17, 20, 21, 24, 25, 30 | `wiremock.rs` |
//! | 18, 32 | `socket.rs` |
//! | 16–21, 30, 32 | from offer to offer: `router.rs`, and `ledger.rs` with orders that are written down |
//! | 19 | here for orders and polls; the size of the pauses in `crates/client/src/retry.rs` |
//! | 33 | `socket.rs` for the length and the wholeness of bodies |
//! | 5, 6, 23, 26–28, 31 | with what they are about: gateway, Google, program |
//! | 1–8, 18, 25–28, 37 | as the libraries of others meet them: `clients/` |

use std::fs;
use std::sync::Arc;

use async_trait::async_trait;
use repaint_client::Client;
use repaint_core::{
    Adapt, Capabilities, Date, Error, ErrorKind, ImageInput, ImageModel, ImageRequest, Job,
    Listing, Made, MediaType, Narrowed, Offer, Outcome, Overlay, Owner, Policy, Preview, Price,
    Provider, RefusalCode, Registry, Reply, Result, Source, Stage, Terms, Transport, Transports,
    Usd, Wire, WireImage, Witness, between, documented,
};
use repaint_providers::TOGETHER;
use repaint_router::Router;
use repaint_testkit::{Script, picture, png, render, reply};
use repaint_tests::{edit, edits, job, linked, ticket};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

/// Rows 1, 3 and 4. One image goes where the model looks for it, and nowhere else.
#[tokio::test]
async fn one_image_goes_into_the_field_that_the_model_reads() {
    for (offer, field) in [
        ("together/flux2-dev", "reference_images"),
        ("together/gemini-3-pro-image", "reference_images"),
        ("together/gemini-2.5-flash-image", "reference_images"),
        // It takes either; the list serves any number of images.
        ("together/flux2-pro", "reference_images"),
        ("together/flux2-flex", "reference_images"),
        ("together/kontext-pro", "image_url"),
        ("bfl/kontext-pro", "input_image"),
        ("bfl/flux2-pro", "input_image"),
    ] {
        let url = "https://example.com/cat.png?signature=a/b+c";
        let images = vec![ImageInput::url(url).expect("an address")];
        let body = sent(offer, ImageRequest { images, ..edit() }).await;
        let shape = if field == "reference_images" { json!([url]) } else { json!(url) };
        assert_eq!(body[field], shape, "{offer}");
        assert_eq!(body.to_string().matches(url).count(), 1, "{offer}: {body}");
    }
}

/// Row 2.
#[tokio::test]
async fn two_images_for_a_model_of_one_are_refused_before_any_call() {
    for offer in ["together/kontext-pro", "bfl/kontext-max"] {
        let network = Script::default();
        let err = run(&network, job(offer, edits(2))).await.expect_err("refused");
        assert_eq!(err.kind(), ErrorKind::Refused);
        let [refusal] = err.data().refusals.as_slice() else { panic!("{err}") };
        assert_eq!((refusal.code, refusal.field.as_str()), (RefusalCode::TooMany, "images"));
        assert!(refusal.message.contains("at most 1 input image, not 2"), "{refusal}");
        assert!(refusal.fix.contains("drop 1, or use flux2-"), "{refusal}");
        assert!(network.asked().is_empty());
    }
}

/// Row 2. A fact that somebody got wrong is refused where it is read: no image can be lost by it.
#[test]
fn an_overlay_that_promises_too_much_is_not_taken() {
    for (offer, promised) in [("together/kontext-pro", 2), ("bfl/flux2-pro", 9)] {
        let overlay = json!({ "offers": { offer: { "accepts": { "images": {
            "value": { "min": 0, "max": promised },
            "sure": "observed", "source": "a guess", "date": "2026-11-20"
        } } } } });
        let overlay: Overlay = serde_json::from_value(overlay).expect("an overlay");
        let err = linked().with_overlay(&overlay).expect_err(offer);
        assert_eq!(err.kind(), ErrorKind::InvalidRequest);
        assert!(err.message().contains("`images`, but its body has no field"), "{err}");
    }
}

/// Row 7.
#[test]
fn an_image_that_is_not_there_is_an_error_and_never_drawn_from_text() {
    for images in ["[\"\"]", "[\" \"]", "[null]", "null", "\"\"", "{}", "[[]]", "[\"data:,\"]"] {
        let request = format!(r#"{{ "prompt": "Make it blue", "images": {images} }}"#);
        serde_json::from_str::<ImageRequest>(&request).expect_err(images);
    }
    assert!(ImageInput::from_address("").is_err());
    assert!(ImageInput::bytes(Vec::new()).is_err());
}

/// Row 8.
#[tokio::test]
async fn a_file_that_is_no_picture_is_named_and_never_skipped() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = png(512, 512, 1);
    fs::write(folder.path().join("good.png"), &whole).expect("written");
    fs::write(folder.path().join("empty.png"), b"").expect("written");
    fs::write(folder.path().join("page.png"), b"<!doctype html>").expect("written");
    fs::write(folder.path().join("cut.png"), &whole[..whole.len() - 20]).expect("written");
    for bad in ["missing.png", "empty.png", "page.png", "cut.png", "."] {
        for order in [["good.png", bad], [bad, "good.png"]] {
            let images = order.map(|it| ImageInput::file(folder.path().join(it))).to_vec();
            let network = Script::default();
            let request = ImageRequest { images, ..edit() };
            let err = run(&network, job("together/flux2-pro", request)).await;
            let err = err.expect_err(bad);
            assert_eq!(err.kind(), ErrorKind::InvalidRequest, "{bad}");
            assert!(err.message().contains(bad), "{err}");
            assert!(network.asked().is_empty(), "{bad}");
        }
    }
}

/// Row 9.
#[tokio::test]
async fn seed_0_reaches_the_wire() {
    for offer in
        ["together/kontext-pro", "together/flux2-dev", "bfl/kontext-pro", "bfl/flux2-klein"]
    {
        let body = sent(offer, ImageRequest { seed: Some(0), ..edit() }).await;
        assert_eq!(body["seed"], 0, "{offer}");
        let body = sent(offer, edit()).await;
        assert_eq!(body["seed"], Value::Null, "{offer}: no seed is not seed 0");
    }
}

/// Row 10.
#[tokio::test]
async fn pixels_become_their_own_shape_and_never_the_inverse() {
    for (size, ratio) in [
        ("1024x768", "4:3"),
        ("768x1024", "3:4"),
        ("1920x1080", "16:9"),
        ("1080x1920", "9:16"),
        ("512x512", "1:1"),
    ] {
        let mut job =
            job("bfl/kontext-pro", ImageRequest { size: size.parse().unwrap(), ..edit() });
        let err = run(&Script::default(), job.clone()).await.expect_err("not unasked");
        assert_eq!(err.data().refusals[0].field, "size");
        assert!(err.data().refusals[0].fix.contains(ratio), "{err}");
        job.policy.adapt.set("size=nearest").unwrap();
        let network = Script::new(bfl());
        let outcome = run(&network, job).await.expect("a picture");
        assert_eq!(network.orders()[0]["aspect_ratio"], ratio, "{size}");
        let [adaptation] = outcome.receipt.adaptations.as_slice() else { panic!("{size}") };
        assert_eq!((&adaptation.from, &adaptation.to), (&json!(size), &json!(ratio)));
    }
}

/// Row 11.
#[tokio::test]
async fn the_limit_of_pictures_is_not_the_limit_of_input_images() {
    let wanted = ImageRequest { count: 5, ..edits(2) };
    let registry = linked();
    let model = registry.get("together/flux2-pro").expect("it is linked");
    let refusals = admit(model, &wanted).expect_err("five pictures in a call");
    let fields: Vec<&str> = refusals.iter().map(|it| it.field.as_str()).collect();
    assert_eq!(fields, ["count"]);
    // They come in two calls, each with all images.
    let network = Script::new(together());
    run(&network, job("together/flux2-pro", wanted)).await.expect("pictures");
    let orders = network.orders();
    assert_eq!(orders.iter().map(|it| it["n"].clone()).collect::<Vec<_>>(), [json!(3), json!(2)]);
    for order in orders {
        assert_eq!(order["reference_images"].as_array().map(Vec::len), Some(2));
    }
    let body = sent("together/flux2-pro", ImageRequest { count: 4, ..edits(8) }).await;
    assert_eq!(
        (&body["n"], body["reference_images"].as_array().map(Vec::len)),
        (&json!(4), Some(8))
    );
    let body = sent("together/kontext-pro", ImageRequest { count: 4, ..edit() }).await;
    assert_eq!(body["n"], 4, "one input image does not mean one picture");
}

/// Row 12.
#[tokio::test]
async fn a_mask_is_refused_by_every_model_without_masks() {
    let mask = Some(picture("data", 9, 512, MediaType::Png));
    let registry = linked();
    for model in registry.models().filter(|it| !it.capabilities().mask.value) {
        let network = Script::default();
        let request = ImageRequest { mask: mask.clone(), ..edit() };
        let err = run(&network, job(model.id(), request)).await.expect_err(model.id());
        assert!(err.data().refusals.iter().any(|it| it.field == "mask"), "{err}");
        assert!(network.asked().is_empty());
    }
}

/// Row 12.
#[test]
fn a_mask_is_on_the_wire_of_a_model_with_masks() {
    let mask = picture("data", 9, 512, MediaType::Png);
    let request = ImageRequest { mask: Some(mask.clone()), ..edit() };
    let body = encoded(&*inpaint(), &request).expect("a body");
    assert_eq!(body["image"], serde_json::to_value(&request.images[0]).unwrap());
    assert_eq!(body["mask_image"], serde_json::to_value(&mask).unwrap());
}

/// Row 14.
#[tokio::test]
async fn a_name_does_not_get_round_the_check() {
    let too_many = |err: &Error| {
        err.data().refusals.iter().any(|it| it.code == RefusalCode::TooMany && it.field == "images")
    };
    for name in [
        "together/kontext-pro",
        "kontext-pro",
        "kontext",
        "black-forest-labs/FLUX.1-kontext-pro",
        "flux-kontext-pro",
    ] {
        let network = Script::default();
        let err = run(&network, job(name, edits(2))).await.expect_err(name);
        assert_eq!(err.kind(), ErrorKind::Refused);
        assert!(too_many(&err), "{name}: {err}");
        assert!(network.asked().is_empty(), "{name}");
    }
    // Without a name the same check leaves them out.
    let mut unnamed = Job::new(edits(2));
    let plan = Router::new(linked(), scripted(&Script::default()))
        .plan(&mut unnamed)
        .await
        .expect("a plan");
    assert!(plan.candidates.iter().all(|it| !it.offer.contains("kontext")));
    assert!(!plan.candidates.is_empty());
}

/// Row 15.
#[test]
fn a_wrapper_has_only_what_it_declares() {
    let wrapper = Wrapper::around("together/flux2-pro");
    let model: &dyn ImageModel = &wrapper;
    assert!(encoded(model, &edit()).is_ok(), "it passes one image on");
    let refused = |request: &ImageRequest| -> Vec<String> {
        let refusals = admit(model, request).expect_err("refused");
        refusals.into_iter().map(|it| it.field).collect()
    };
    assert_eq!(refused(&edits(2)), ["images"], "its inner model takes eight");
    assert_eq!(refused(&ImageRequest { seed: Some(0), ..edit() }), ["seed"]);
    assert_eq!(refused(&ImageRequest { count: 2, ..edit() }), ["count"]);
    let mut smuggled = edit();
    smuggled.options.insert("prompt_upsampling".to_owned(), json!(true));
    assert_eq!(refused(&smuggled), ["options/prompt_upsampling"]);
}

/// Row 35.
#[tokio::test]
async fn the_witness_of_one_offer_is_no_witness_for_another() {
    let wrapper = Wrapper { hands_its_witness_on: true, ..Wrapper::around("together/kontext-pro") };
    let model: &dyn ImageModel = &wrapper;
    let request = edit();
    let admitted = admit(model, &request).expect("it takes one image");
    let err = admitted.encode().expect_err("the inner model did not admit it");
    assert!(err.message().contains("together/kontext-pro was handed a request"), "{err}");
    let network = Script::default();
    let run = scripted(&network).watched(&Job::new(request.clone()), |_| {});
    let err = admitted.generate(&run).await.expect_err("the same");
    assert_eq!(err.kind(), ErrorKind::Unexpected);
    assert!(network.asked().is_empty());
}

/// Row 17. What a provider leaves out is told, even where it says nothing of it.
#[tokio::test]
async fn a_picture_that_did_not_come_is_told() {
    let one = json!({ "url": "https://example.com/1.png" });
    let wanted = ImageRequest { count: 2, ..edit() };
    let told = async |data: serde_json::Value| {
        let network = Script::new([reply(200, &json!({ "data": data }))]);
        let outcome = run(&network, job("together/flux2-pro", wanted.clone())).await;
        outcome.expect("one picture").receipt
    };
    let receipt = told(json!([one])).await;
    let [warning] = receipt.warnings.as_slice() else { panic!("{receipt:?}") };
    assert_eq!(warning.field.as_deref(), Some("count"));
    assert!(warning.message.contains("1 picture, not 2"), "{warning:?}");
    let receipt = told(json!([one, { "text": "I made only one" }])).await;
    let [failure] = receipt.failures.as_slice() else { panic!("{receipt:?}") };
    assert!(failure.message().contains("no picture in it"), "{failure}");
}

/// Row 30. A provider that is reached by https names no other kind of place.
#[tokio::test]
async fn a_picture_at_a_strange_address_is_not_fetched() {
    for url in
        ["file:///etc/passwd", "ftp://example.com/1.png", "http://example.com/1.png", "1.png"]
    {
        let network = Script::new([reply(200, &json!({ "data": [{ "url": url }] }))]);
        let err = run(&network, job("together/flux2-pro", edit())).await.expect_err(url);
        assert_eq!(err.kind(), ErrorKind::Unexpected, "{url}");
        assert_eq!(err.data().resume.as_ref().expect("a handle").pictures, [url]);
        assert_eq!(network.asked().len(), 1, "{url}: only the order was sent");
    }
}

/// Row 19. A 503 says that nothing was begun, but not when to come back: the caller decides.
#[tokio::test(start_paused = true)]
async fn an_overloaded_provider_is_polled_on_with_pauses_and_not_ordered_from_again() {
    let network = Script::new([reply(503, &json!({}))]);
    let err = run(&network, job("together/flux2-pro", edit())).await.expect_err("overloaded");
    assert_eq!((err.kind(), network.asked().len()), (ErrorKind::Unavailable, 1));
    let taken = reply(200, &ticket("https://api.bfl.ai/v1/get_result?id=job-1"));
    let network = Script::new([taken, reply(503, &json!({}))]);
    let err = run(&network, job("bfl/flux2-pro", edit())).await.expect_err("overloaded for ever");
    assert_eq!(err.data().resume.as_ref().expect("a handle").id, "job-1");
    let polls = network.asked().len() - 1;
    assert!((30..300).contains(&polls), "{polls} polls in 300 s");
    assert_eq!(network.orders().len(), 1);
}

/// Row 19. One budget for the whole job, whatever the provider says.
#[tokio::test(start_paused = true)]
async fn an_order_that_meets_the_rate_limit_for_ever_is_given_up() {
    let limited = |after: &str| Reply {
        headers: vec![("retry-after".to_owned(), after.to_owned())],
        ..reply(429, &json!({}))
    };
    let (began, network) = (Instant::now(), Script::new([limited("7")]));
    let err = run(&network, job("together/flux2-pro", edit())).await.expect_err("limited");
    assert_eq!(err.kind(), ErrorKind::Exhausted);
    assert_eq!(err.retry_after().map(|it| it.as_secs()), Some(7));
    assert_eq!(network.orders().len(), 5);
    assert_eq!(began.elapsed().as_secs(), 28, "four times as long as it was told");
    // A pause beyond the deadline is not begun.
    let (began, network) = (Instant::now(), Script::new([limited("86400")]));
    run(&network, job("together/flux2-pro", edit())).await.expect_err("limited");
    assert_eq!((network.orders().len(), began.elapsed().as_secs()), (1, 0));
}

/// Row 21. It is not polled to the time-out, and time does not even pass.
#[tokio::test(start_paused = true)]
async fn moderated_output_stops_at_once() {
    let network = Script::new([
        reply(200, &ticket("https://api.bfl.ai/v1/get_result?id=job-1")),
        reply(200, &json!({ "id": "job-1", "status": "Content Moderated" })),
    ]);
    let began = Instant::now();
    let err = run(&network, job("bfl/flux2-pro", edit())).await.expect_err("moderated");
    assert_eq!((err.kind(), err.data().stage), (ErrorKind::Moderated, Some(Stage::Output)));
    assert!(began.elapsed().as_secs() < 1);
}

/// Row 22.
#[tokio::test(start_paused = true)]
async fn an_unknown_status_is_polled_until_the_deadline() {
    for word in ["Pondering", "", "ready", "Queued?"] {
        let network = Script::new([
            reply(200, &ticket("https://api.eu1.bfl.ai/v1/get_result?id=job-1")),
            reply(200, &json!({ "id": "job-1", "status": word })),
        ]);
        let (began, mut job) = (Instant::now(), job("bfl/flux2-pro", edit()));
        job.policy = Policy { timeout_seconds: Some(60), ..Policy::default() };
        let err = run(&network, job).await.expect_err("it never ends");
        assert_eq!(began.elapsed().as_secs(), 60);
        assert_eq!(err.kind(), ErrorKind::OutcomeUnknown);
        assert_eq!(err.data().resume.as_ref().expect("a handle").id, "job-1");
        assert_eq!(network.orders().len(), 1);
        assert!(100 < network.asked().len(), "it went on asking");
    }
}

/// Row 29.
#[test]
fn every_name_of_a_model_means_the_same_offer() {
    let resolved = |registry: &Registry, name: &str| -> Vec<String> {
        let models = registry.resolve(name).unwrap_or_else(|err| panic!("{err}"));
        models.into_iter().map(|it| it.id().to_owned()).collect()
    };
    let registry = linked();
    assert_eq!(resolved(&registry, "black-forest-labs/FLUX.2-pro"), ["together/flux2-pro"]);
    assert_eq!(resolved(&registry, "flux-2-pro"), ["bfl/flux2-pro"]);
    assert_eq!(resolved(&registry, "flux2-pro"), ["bfl/flux2-pro", "together/flux2-pro"]);
    let dated = Registry::new([inpaint()]).expect("one model");
    for name in ["inpaint-1", "inpaint-1-2026-01-31", "inpaint-preview", "Inpaint One"] {
        assert_eq!(resolved(&dated, name), ["together/inpaint-1"], "{name}");
    }
    for (name, meant) in [("flux2-por", "flux2-pro"), ("FLUX2-PRO", "flux2-pro")] {
        let err = registry.resolve(name).expect_err(name);
        assert!(err.message().contains(meant), "{err}");
    }
}

/// Row 34.
#[tokio::test]
async fn options_are_no_second_way_to_what_a_field_is_for() {
    let address = "https://example.com/other.png";
    let registry = linked();
    for (name, value, field) in [
        ("image_url", json!(address), "images"),
        ("reference_images", json!([address]), "images"),
        ("input_image", json!(address), "images"),
        ("input_image_8", json!(address), "images"),
        ("model", json!("google/gemini-3-pro-image"), "select"),
        ("n", json!(4), "count"),
        ("num_images", json!(4), "count"),
        ("width", json!(4096), "size"),
        ("height", json!(4096), "size"),
        ("aspect_ratio", json!("21:9"), "size"),
        ("prompt", json!("another"), "prompt"),
        ("mask", json!(address), "mask"),
        ("seed", json!(1), "seed"),
        ("steps", json!(50), "steps"),
        ("guidance", json!(10), "guidance"),
        ("output_format", json!("png"), "output_format"),
    ] {
        for model in registry.models() {
            let mut request = ImageRequest::new("A red fox in snow");
            request.options.insert(name.to_owned(), value.clone());
            let refusals = admit(model, &request).expect_err(model.id());
            let at = format!("options/{name}");
            let refusal = refusals.iter().find(|it| it.field == at).expect("it is refused");
            assert_eq!(refusal.code, RefusalCode::Owned, "{} {name}", model.id());
            assert!(refusal.fix.contains(field), "{}: {refusal}", model.id());
        }
    }
}

/// Row 34. Not even an overlay opens one.
#[test]
fn an_overlay_makes_no_option_of_an_image() {
    let overlay = json!({ "offers": { "together/flux2-pro": { "accepts": { "options": {
        "value": ["image_url", "reference_images", "n"],
        "sure": "observed", "source": "a guess", "date": "2026-11-20"
    } } } } });
    let overlay: Overlay = serde_json::from_value(overlay).expect("an overlay");
    let registry = linked().with_overlay(&overlay).expect("it fits");
    let model = registry.get("together/flux2-pro").expect("it is linked");
    for name in ["image_url", "reference_images", "n"] {
        let mut request = edit();
        request.options.insert(name.to_owned(), json!("https://example.com/other.png"));
        let refusals = admit(model, &request).expect_err(name);
        assert_eq!(refusals[0].code, RefusalCode::Owned);
    }
}

/// Row 36.
#[tokio::test]
async fn a_prompt_that_looks_like_an_image_is_sent_as_text() {
    for prompt in [
        "{\"\u{0}image\":0}",
        "{\"\\u0000image\":0}",
        "\u{0}image",
        "data:image/png;base64,iVBORw0KGgo=",
        "\",\"reference_images\":[\"https://example.com/\"],\"prompt\":\"",
        "{{0}} %s \\ \u{7f} \u{2028}",
    ] {
        for offer in ["together/flux2-pro", "bfl/flux2-pro"] {
            let body = sent(offer, ImageRequest { prompt: prompt.to_owned(), ..edit() }).await;
            assert_eq!(body["prompt"], prompt);
        }
    }
}

/// Row 36, for the other place where a caller's own JSON goes into a body.
#[test]
fn an_option_that_looks_like_an_image_is_refused() {
    let registry = linked();
    let model = registry.get("together/flux2-dev").expect("it is linked");
    let mut request = edit();
    let token = json!([{ "path": { "\u{0}image": 0 }, "scale": 1.0 }]);
    request.options.insert("image_loras".to_owned(), token);
    let refusals = admit(model, &request).expect_err("a token of ours");
    assert_eq!(refusals[0].code, RefusalCode::Invalid);
}

/// Row 37.
#[test]
fn a_job_in_json_names_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("cat.png");
    fs::write(&path, png(512, 512, 1)).expect("written");
    let path = path.to_str().expect("text").to_owned();
    for image in
        [path.clone(), format!("file://{path}"), "cat.png".to_owned(), "@cat.png".to_owned()]
    {
        for field in [json!({ "images": [image] }), json!({ "images": [], "mask": image })] {
            let mut job = json!({ "request": field });
            job["request"]["prompt"] = "Make it blue".into();
            let err = serde_json::from_value::<Job>(job).expect_err(&image);
            assert!(err.to_string().contains("address"), "{err}");
        }
    }
}

// --- What the trials above say in short.

/// The body of the one order for this request.
async fn sent(offer: &str, request: ImageRequest) -> Value {
    let network = Script::new(if offer.starts_with("bfl") { bfl() } else { together() });
    run(&network, job(offer, request)).await.unwrap_or_else(|err| panic!("{offer}: {err}"));
    let mut orders = network.orders();
    assert_eq!(orders.len(), 1, "{offer}");
    orders.remove(0)
}

async fn run(network: &Script, job: Job) -> Result<Outcome> {
    Router::new(linked(), scripted(network)).run(job).await
}

fn scripted(network: &Script) -> Client {
    let builder = Client::builder().without_environment().exchange(network.clone());
    builder.key("together", "test-key").key("bfl", "test-key").build().expect("a client")
}

fn together() -> Vec<Reply> {
    vec![reply(200, &json!({ "data": [{ "url": "https://example.com/1.png" }] }))]
}

fn bfl() -> Vec<Reply> {
    let sample = json!({ "sample": "https://example.com/1.png" });
    vec![
        reply(200, &ticket("https://api.bfl.ai/v1/get_result?id=job-1")),
        reply(200, &json!({ "id": "job-1", "status": "Ready", "result": sample })),
    ]
}

fn admit<'a>(
    model: &'a dyn ImageModel,
    request: &'a ImageRequest,
) -> Result<repaint_core::Admitted<'a>, Vec<repaint_core::Refusal>> {
    // Without adaptations: the request as it is, or not at all.
    model.admit(request, Terms { adapt: &Adapt::NONE, today: Date::new(2026, 11, 22) })
}

fn encoded(model: &dyn ImageModel, request: &ImageRequest) -> Result<Value> {
    let admitted = admit(model, request).map_err(|it| Error::refused(model.id(), it))?;
    match admitted.encode()? {
        Preview::Http(call) => {
            let body = call.body.expect("an order has a body");
            Ok(serde_json::from_str(&render(&body)).expect("JSON"))
        }
        Preview::Local(operation) => Ok(operation),
    }
}

// --- A model with masks.

const SOURCE: Source = Source::new("made up for a trial", Date::new(2026, 11, 22));

static INPAINT: Listing = Listing::new::<Inpaint>(
    "inpaint",
    &TOGETHER,
    &[Offer {
        aliases: &["inpaint-1-2026-01-31", "inpaint-preview"],
        ..Offer::new(
            "inpaint-1",
            "Inpaint One",
            Capabilities {
                images: documented(between(1, 1), SOURCE),
                mask: documented(true, SOURCE),
                ..ONE_IMAGE
            },
            documented(Price::Each(Usd(1)), SOURCE),
        )
    }],
);

const ONE_IMAGE: Capabilities = Capabilities {
    images: documented(between(0, 1), SOURCE),
    transports: documented(Transports { url: true, bytes: true }, SOURCE),
    media_types: documented(repaint_core::List(&[MediaType::Png]), SOURCE),
    ..Capabilities::NONE
};

fn inpaint() -> Arc<dyn ImageModel> {
    INPAINT.models().next().expect("one offer")
}

/// Changes a part of an image.
#[derive(Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
struct Inpaint {
    /// What to change.
    prompt: String,
    /// The image.
    image: Option<WireImage>,
    /// Which part of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    mask_image: Option<WireImage>,
}

impl Wire for Inpaint {
    const OWNED: &'static [(&'static str, Owner)] =
        &[("prompt", Owner::Prompt), ("image", Owner::Image(0)), ("mask_image", Owner::Mask)];

    fn from_request(request: &ImageRequest, _: &Offer) -> Self {
        Self {
            prompt: request.prompt.clone(),
            image: WireImage::all(&request.images, repaint_core::Form::DataUri).next(),
            mask_image: WireImage::mask(request, repaint_core::Form::DataUri),
        }
    }
}

// --- A model around another.

/// Says something before each prompt.
#[derive(Debug)]
struct Wrapper {
    registry: Registry,
    inner: &'static str,
    offer: Offer,
    hands_its_witness_on: bool,
}

impl Wrapper {
    fn around(inner: &'static str) -> Self {
        let price = documented(Price::Each(Usd(1)), SOURCE);
        let offer = Offer::new("polite", "polite", ONE_IMAGE, price);
        Self { registry: linked(), inner, offer, hands_its_witness_on: false }
    }

    fn inner(&self) -> &dyn ImageModel {
        self.registry.get(self.inner).expect("it is linked")
    }

    fn polite(request: &ImageRequest) -> ImageRequest {
        ImageRequest { prompt: format!("Please: {}", request.prompt), ..request.clone() }
    }
}

#[async_trait]
impl ImageModel for Wrapper {
    fn id(&self) -> &str {
        "test/polite"
    }

    fn family(&self) -> &str {
        "polite"
    }

    fn provider(&self) -> &'static Provider {
        self.inner().provider()
    }

    fn offer(&self) -> &Offer {
        &self.offer
    }

    fn wire(&self) -> Option<&Narrowed> {
        None
    }

    fn encode(&self, witness: Witness<'_>) -> Result<Preview> {
        if self.hands_its_witness_on {
            return self.inner().encode(witness);
        }
        let request = Self::polite(witness.request());
        let admitted = admit(self.inner(), &request);
        admitted.map_err(|it| Error::refused(self.inner, it))?.encode()
    }

    async fn generate(&self, witness: Witness<'_>, via: &dyn Transport) -> Result<Made> {
        if self.hands_its_witness_on {
            return self.inner().generate(witness, via).await;
        }
        let request = Self::polite(witness.request());
        let admitted = admit(self.inner(), &request);
        let admitted = admitted.map_err(|it| Error::refused(self.inner, it))?;
        let Outcome { images, receipt } = admitted.generate(via).await?;
        Ok(Made { images, attempts: receipt.attempts, cost: receipt.cost, ..Made::default() })
    }
}
