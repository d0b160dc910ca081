//! What holds of every request whatever: it is refused with a reason, or sent whole.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use repaint_client::Client;
use repaint_core::{
    Adapt, Date, Dimensions, ErrorKind, ImageInput, ImageModel, ImageRequest, ImageSource, Job,
    MediaType, OrderBy, OutputFormat, Policy, Preview, Ratio, Registry, Reply, Size, Terms, Usd,
};
use repaint_router::{Conditions, Router, plan};
use repaint_testkit::{Script, accepted, picture, render, reply};
use repaint_tests::linked;
use serde_json::{Map, Value, json};

static REGISTRY: LazyLock<Registry> = LazyLock::new(linked);

/// Compiled once: it takes longer than a trial.
static SCHEMAS: LazyLock<BTreeMap<&str, Validator>> = LazyLock::new(|| {
    let hosted = REGISTRY.models().filter_map(|it| Some((it.id(), it.wire()?)));
    hosted.map(|(id, wire)| (id, jsonschema::validator_for(&wire.schema).expect(id))).collect()
});

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_request_is_refused_with_reasons_or_sent_whole(asked in asked()) {
        let Asked { model, request, adapt } = asked;
        // Who only wants to know whether gets the same answer.
        let quick = model.admits(&request, terms(&adapt));
        let full = model.admit(&request, terms(&adapt));
        prop_assert_eq!(quick, full.as_ref().ok().map(repaint_core::Admitted::estimate));
        match full {
            Err(refusals) => {
                prop_assert!(!refusals.is_empty());
                for refusal in refusals {
                    prop_assert!(!refusal.field.is_empty(), "{refusal:?}");
                    prop_assert!(!refusal.message.is_empty(), "{refusal:?}");
                    prop_assert!(!refusal.fix.is_empty(), "{refusal:?}");
                }
            }
            Ok(admitted) => {
                let estimate = admitted.estimate();
                prop_assert!(estimate.low <= estimate.high);
                let preview = admitted.encode();
                prop_assert!(preview.is_ok(), "{preview:?}");
                let sources = |it: &ImageRequest| {
                    it.inputs().map(|it| it.source().clone()).collect::<Vec<_>>()
                };
                prop_assert_eq!(sources(admitted.request()), sources(&request));
                if admitted.request().inputs().any(|it| it.becomes().is_some()) {
                    // What is still to be made smaller has no bytes yet; `inputs.rs` sends such.
                    return Ok(());
                }
                let Ok(Preview::Http(call)) = preview else { return Ok(()) };
                let text = render(&call.body.expect("an order has a body"));
                let body: Value = serde_json::from_str(&text).expect("the body is JSON");
                prop_assert_eq!(&body["prompt"], &json!(request.prompt));
                let faults: Vec<String> = SCHEMAS[model.id()]
                    .iter_errors(&body)
                    .map(|it| format!("{}: {}", it.instance_path(), it.masked()))
                    .collect();
                prop_assert_eq!(faults, [""; 0]);
                let mut end = 0;
                for image in request.inputs() {
                    let places: Vec<usize> =
                        text.match_indices(&payload(image)).map(|it| it.0).collect();
                    prop_assert_eq!(places.len(), 1, "{:?}", image);
                    prop_assert!(end <= places[0], "{:?} is out of order", image);
                    end = places[0];
                }
            }
        }
    }

    #[test]
    fn nothing_is_changed_but_what_is_told(asked in asked()) {
        let Asked { model, request, adapt } = asked;
        let Ok(admitted) = model.admit(&request, terms(&adapt)) else { return Ok(()) };
        let mut restored = admitted.request().clone();
        for adaptation in admitted.adaptations() {
            let exact = adaptation.method == "exact";
            match adaptation.field.as_str() {
                "size" => {
                    prop_assert!(exact || adapt.size.is_some());
                    restored.size = request.size;
                }
                "seed" => {
                    prop_assert!(adapt.seed.is_some());
                    restored.seed = request.seed;
                }
                "negative_prompt" => {
                    prop_assert!(adapt.negative_prompt.is_some());
                    restored.negative_prompt.clone_from(&request.negative_prompt);
                }
                "steps" => {
                    prop_assert!(adapt.steps.is_some());
                    restored.steps = request.steps;
                }
                "guidance" => {
                    prop_assert!(adapt.guidance.is_some());
                    restored.guidance = request.guidance;
                }
                "output_format" => {
                    prop_assert!(adapt.output_format.is_some());
                    restored.output_format = request.output_format;
                }
                "mask" => {
                    prop_assert!(adapt.input_size.is_some() || adapt.input_format.is_some());
                    restored.mask.clone_from(&request.mask);
                }
                image if image.starts_with("images/") => {
                    prop_assert!(adapt.input_size.is_some() || adapt.input_format.is_some());
                    let index: usize = image["images/".len()..].parse().expect("an index");
                    prop_assert_eq!(restored.images[index].source(), request.images[index].source());
                    restored.images[index] = request.images[index].clone();
                }
                other => prop_assert!(false, "{other} is never changed"),
            }
            prop_assert_ne!(&adaptation.from, &adaptation.to);
        }
        prop_assert_eq!(&restored, &request);
        // What was made to fit fits: it is admitted again, and nothing is left to change.
        let again = admitted.request().clone();
        let again = model.admit(&again, terms(&Adapt::NONE)).map(|it| it.adaptations().len());
        prop_assert_eq!(again, Ok(0));
    }

    #[test]
    fn an_adapted_size_is_one_that_the_offer_takes(size in size(), pick in any::<Index>()) {
        let model = model(pick);
        let accepts = model.capabilities();
        let request = ImageRequest { size, ..accepted(model).swap_remove(0).request };
        let mut adapt = Adapt::NONE;
        adapt.set("size=nearest").unwrap();
        let some = accepts.ratios.value != repaint_core::Ratios::None
            || accepts.pixels.value != repaint_core::Pixels::None;
        match model.admit(&request, terms(&adapt)) {
            Ok(admitted) => {
                let (to, turned) = match admitted.request().size {
                    Size::Auto => {
                        prop_assert_eq!(size, Size::Auto);
                        return Ok(());
                    }
                    Size::Ratio(to) => {
                        prop_assert!(accepts.ratios.value.contains(to), "{to}");
                        (to.quotient(), to.quotient().recip())
                    }
                    Size::Pixels(to) => {
                        prop_assert!(accepts.pixels.value.contains(to), "{to}");
                        (to.quotient(), to.quotient().recip())
                    }
                };
                let asked = match size {
                    Size::Auto => return Ok(()),
                    Size::Ratio(asked) => asked.quotient(),
                    Size::Pixels(asked) => asked.quotient(),
                };
                // Never inverted: the shape is closer to what was asked than its own inverse is.
                let far = |it: f64| (it.ln() - asked.ln()).abs();
                prop_assert!(far(to) <= far(turned) + 1e-9, "{size} became {to}");
            }
            Err(refusals) => prop_assert!(!some, "{size} has no nearest: {refusals:?}"),
        }
    }

    #[test]
    fn a_plan_names_every_offer_once(asked in asked()) {
        let job = Job { policy: repaint_core::Policy { adapt: asked.adapt, ..Default::default() },
            ..Job::new(asked.request) };
        let plan = match plan(&REGISTRY, &job, &Conditions::new(&|_| true, TODAY)) {
            Ok(plan) => plan,
            Err(err) => {
                // Nobody would take it, so nobody is asked.
                prop_assert_eq!(err.kind(), ErrorKind::InvalidRequest);
                let ImageRequest { prompt, count, .. } = &job.request;
                prop_assert!(prompt.trim().is_empty() || *count == 0, "{err}");
                return Ok(());
            }
        };
        let mut named: Vec<&str> = plan.candidates.iter().map(|it| it.offer.as_str()).collect();
        named.extend(plan.refusals.iter().map(|it| it.offer.as_str()));
        named.sort_unstable();
        let all: Vec<&str> = REGISTRY.models().map(ImageModel::id).collect();
        prop_assert_eq!(named, all);
        if let Err(err) = plan.first() {
            prop_assert_eq!(err.kind(), ErrorKind::Refused);
            prop_assert!(!err.message().is_empty());
        }
    }

    #[test]
    fn what_is_read_as_a_request_is_written_alike(asked in asked()) {
        // A file or bytes have no JSON, and neither have NaN and infinity, sizes that nobody makes, and
        // numbers that JavaScript would round.
        let Ok(text) = serde_json::to_string(&asked.request) else { return Ok(()) };
        let finite = asked.request.guidance.is_none_or(f64::is_finite);
        let made = asked.request.size.to_string().parse::<Size>().is_ok();
        let exact = asked.request.seed.is_none_or(|it| it < 1 << 53);
        let read = serde_json::from_str::<ImageRequest>(&text);
        prop_assert_eq!(read.is_ok(), finite && made && exact, "{}", text);
        if let Ok(read) = read {
            prop_assert_eq!(serde_json::to_string(&read).expect("JSON"), text);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the providers answer: every order that is sent has every image and the mask, in order, and
    /// at most one offer can have been paid.
    #[test]
    fn no_fallback_loses_an_image_or_a_mask(
        asked in asked(),
        answers in vec(answer(), 1..12),
        order in select(&[OrderBy::Price, OrderBy::Latency, OrderBy::Preference]),
    ) {
        let Asked { model: _, mut request, adapt } = asked;
        request.count = request.count.clamp(1, 3);
        let policy = Policy { adapt, order, timeout_seconds: Some(30), ..Policy::default() };
        let job = Job { policy, ..Job::new(request.clone()) };
        let network = Script::new(answers);
        let builder = Client::builder().without_environment().exchange(network.clone());
        let builder = builder.key("together", "test-key").key("bfl", "test-key");
        let router = Router::new(REGISTRY.clone(), builder.build().expect("a client"));
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime");
        let result = runtime.block_on(router.run(job));
        let orders = network.orders();
        // What is sent was inspected; a payload of megabytes is not made for nothing.
        let inputs: Vec<String> = match orders.is_empty() {
            true => Vec::new(),
            false => request.inputs().map(payload).collect(),
        };
        for body in orders {
            let (text, mut end) = (body.to_string(), 0);
            for input in &inputs {
                let places: Vec<usize> = text.match_indices(input).map(|it| it.0).collect();
                prop_assert_eq!(places.len(), 1, "{} in {}", input.len(), text.len());
                prop_assert!(end <= places[0], "out of order");
                end = places[0];
            }
        }
        match result {
            Ok(outcome) => {
                prop_assert!(outcome.receipt.generative, "a filter stood in: {:?}", outcome.receipt);
                let free = outcome.receipt.hops.iter().all(|it| it.spent.high == Usd(0));
                prop_assert!(free, "paid before: {:?}", outcome.receipt.hops);
            }
            Err(err) => {
                let before = err.data().hops.iter().rev().skip(1);
                prop_assert!(before.clone().all(|it| it.spent.high == Usd(0)), "{:?}", err);
            }
        }
    }
}

/// The budget of pixels is for the picture that is made, not for the one that was asked for.
#[test]
fn a_picture_that_was_made_to_fit_weighs_what_it_is() {
    let model = REGISTRY.get("bfl/flux2-pro").expect("it is linked");
    let request = ImageRequest { size: "2283x4134".parse().unwrap(), ..ImageRequest::new("A fox") };
    let mut adapt = Adapt::NONE;
    adapt.set("size=nearest").unwrap();
    let admitted = model.admit(&request, terms(&adapt)).expect("9.4 megapixels become 4");
    assert_eq!(admitted.request().size.to_string(), "1136x2048");
}

/// A request to one of the models.
#[derive(Clone, Debug)]
struct Asked {
    model: &'static dyn ImageModel,
    request: ImageRequest,
    adapt: Adapt,
}

const TODAY: Date = Date::new(2026, 11, 22);

fn terms(adapt: &Adapt) -> Terms<'_> {
    Terms { adapt, today: TODAY }
}

fn model(pick: Index) -> &'static dyn ImageModel {
    let all: Vec<&'static dyn ImageModel> = REGISTRY.models().collect();
    all[pick.index(all.len())]
}

fn payload(image: &ImageInput) -> String {
    match image.source() {
        ImageSource::Url(url) => json!(url.as_ref()).to_string(),
        ImageSource::Bytes(bytes) => base64_simd::STANDARD.encode_to_string(bytes),
        ImageSource::Base64(base64) => String::from_utf8_lossy(base64).into_owned(),
        ImageSource::File(path) => panic!("{} was not inspected", path.display()),
    }
}

// --- Requests: mostly sound, with something strange here and there.

fn asked() -> impl Strategy<Value = Asked> {
    let texts = (weighted(0.3, text()), weighted(0.1, text()));
    let numbers =
        (number(), weighted(0.1, seed()), weighted(0.1, number()), weighted(0.1, guidance()));
    let rest = (weighted(0.1, output_format()), options(), adapt());
    (any::<Index>(), texts, images(), weighted(0.5, size()), numbers, rest).prop_map(
        |(pick, (prompt, negative_prompt), (images, mask), size, numbers, rest)| {
            let (count, seed, steps, guidance) = numbers;
            let (output_format, options, adapt) = rest;
            let model = model(pick);
            let understood = || accepted(model).swap_remove(0).request.prompt;
            let request = ImageRequest {
                prompt: prompt.unwrap_or_else(understood),
                images,
                mask,
                size: size.unwrap_or_default(),
                count,
                seed,
                negative_prompt,
                steps,
                guidance,
                output_format,
                options,
            };
            Asked { model, request, adapt }
        },
    )
}

/// What a provider may say to whatever it is asked.
fn answer() -> impl Strategy<Value = Reply> {
    let bodies = select(vec![
        json!({}),
        json!({ "data": [{ "url": "https://example.com/1.png" }] }),
        json!({ "id": "job-1", "polling_url": "https://api.bfl.ai/v1/get_result?id=job-1" }),
        json!({ "id": "job-1", "status": "Ready",
                "result": { "sample": "https://example.com/1.png" } }),
        json!({ "id": "job-1", "status": "Request Moderated" }),
        json!({ "id": "job-1", "status": "Pending" }),
    ]);
    let statuses = select(&[200, 200, 200, 400, 401, 402, 403, 429, 429, 500, 503, 503]);
    (statuses, bodies).prop_map(|(status, body)| reply(status, &body))
}

fn text() -> impl Strategy<Value = String> {
    let odd = [
        "",
        " ",
        "\"",
        "\\",
        "\",\"image_url\":\"",
        "{\"\u{0}image\":0}",
        "\u{0}",
        "\u{1f}\u{7f}",
        "\u{2028}",
        "日本語 🎨 é",
        "</script>",
        "data:image/png;base64,AAAA",
        "\r\n\t",
        "%s{}",
    ];
    let letters = vec(any::<char>(), 0..20).prop_map(String::from_iter);
    prop_oneof![select(odd.to_vec()).prop_map(str::to_owned), letters]
}

fn images() -> impl Strategy<Value = (Vec<ImageInput>, Option<ImageInput>)> {
    let side = select(&[512_u32, 512, 512, 64, 63, 1, 8000, 65_535][..]);
    let media_type = select(&[MediaType::Png, MediaType::Png, MediaType::Jpeg][..]);
    let kind = select(&["url", "data", "bytes", "url", "data", "bytes", "file"][..]);
    let count = prop_oneof![4 => 0..4_usize, 1 => 0..20_usize];
    let image = (kind, side, media_type);
    (count.prop_flat_map(move |count| vec(image.clone(), count)), any::<u8>()).prop_map(
        |(images, masked)| {
            let images = images.into_iter().enumerate();
            let mut images: Vec<ImageInput> = images
                .map(|(index, (kind, side, media_type))| match kind {
                    "file" if index % 5 == 4 => ImageInput::file("not-inspected.png"),
                    "file" => picture("url", index, side, media_type),
                    _ => picture(kind, index, side, media_type),
                })
                .collect();
            let mask = if masked < 16 { images.pop() } else { None };
            (images, mask)
        },
    )
}

fn size() -> impl Strategy<Value = Size> {
    let usual =
        ["16:9", "1:1", "4:3", "9:21", "31:1", "1024x768", "1024x1024", "1000x700", "768x1376"];
    let usual = select(usual.to_vec()).prop_map(|it| it.parse().expect("a size"));
    let ratio = (1..=u16::MAX, 1..=u16::MAX);
    let ratio = ratio.prop_map(|(width, height)| Size::Ratio(Ratio { width, height }));
    let side = || prop_oneof![1..5000_u32, 1..=u32::MAX, Just(u32::MAX), Just(1)];
    let pixels = (side(), side());
    let pixels = pixels.prop_map(|(width, height)| Size::Pixels(Dimensions { width, height }));
    prop_oneof![4 => usual, 1 => ratio, 2 => pixels]
}

fn number() -> impl Strategy<Value = u32> {
    prop_oneof![20 => Just(1), 4 => 0..60_u32, 1 => any::<u32>(), 1 => Just(u32::MAX)]
}

fn seed() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), 0..1000_u64, any::<u64>(), Just(u64::MAX), Just(2_147_483_648)]
}

fn guidance() -> impl Strategy<Value = f64> {
    prop_oneof![
        1.0..11.0,
        any::<f64>(),
        select(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MIN_POSITIVE][..]),
    ]
}

fn output_format() -> impl Strategy<Value = OutputFormat> {
    select(&[OutputFormat::Png, OutputFormat::Jpeg, OutputFormat::Webp][..])
}

fn options() -> impl Strategy<Value = Map<String, Value>> {
    let names = [
        "safety_tolerance",
        "prompt_upsampling",
        "disable_safety_checker",
        "response_format",
        "image_loras",
        "disable_pup",
        "image_url",
        "n",
        "width",
        "seed",
        "no_such_option",
    ];
    let name = prop_oneof![8 => select(names.to_vec()).prop_map(str::to_owned), 1 => text()];
    let sound = [
        ("safety_tolerance", json!(2)),
        ("prompt_upsampling", json!(true)),
        ("disable_safety_checker", json!(true)),
        ("response_format", json!("base64")),
        ("image_loras", json!([{ "path": "a/b", "scale": 0.5 }])),
    ];
    let sound = select(sound.to_vec()).prop_map(|(name, value)| (name.to_owned(), value));
    let value = prop_oneof![
        Just(json!(null)),
        Just(json!(true)),
        (-3..9_i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(json!("url")),
        text().prop_map(Value::from),
        Just(json!([{ "path": "a/b", "scale": 0.5 }])),
        Just(json!([{ "path": { "\u{0}image": 0 }, "scale": 0.5 }])),
        Just(json!({ "\u{0}image": 1 })),
        Just(json!([[], {}])),
    ];
    let pair = prop_oneof![3 => sound, 1 => (name, value)];
    let count = prop_oneof![5 => Just(0..1), 2 => Just(1..3)];
    count.prop_flat_map(move |count| vec(pair.clone(), count)).prop_map(Map::from_iter)
}

fn adapt() -> impl Strategy<Value = Adapt> {
    let all = [
        "size=nearest",
        "seed=drop",
        "negative_prompt=drop",
        "steps=drop",
        "steps=nearest",
        "guidance=drop",
        "guidance=nearest",
        "output_format=drop",
        "output_format=convert",
        "input_size=fit",
        "input_format=convert",
    ];
    vec(select(all.to_vec()), 0..8).prop_map(|methods| {
        let mut adapt = Adapt::NONE;
        methods.into_iter().for_each(|it| adapt.set(it).expect("it is one"));
        adapt
    })
}
