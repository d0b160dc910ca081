//! Facts that change without a release: overlays, ends of offers, estimates and budgets.

use repaint_adapters as _;
use repaint_core::{
    Adapt, Date, ErrorKind, ImageInput, ImageRequest, Job, Overlay, Policy, RefusalCode, Registry,
    Terms, Usd, WarningCode,
};
use repaint_router::Conditions;
use repaint_schema::{Standing, provenance, share};
use serde_json::{Value, json};

fn registry(overlay: Value) -> Registry {
    let overlay: Overlay = serde_json::from_value(overlay).expect("an overlay");
    Registry::linked().expect("linked").with_overlay(&overlay).expect("it fits")
}

fn fact(value: Value) -> Value {
    json!({ "value": value, "sure": "observed", "source": "our probe", "date": "2026-11-20" })
}

fn with_images(count: usize) -> ImageRequest {
    let image = ImageInput::url("https://example.com/a.png").expect("a url");
    ImageRequest { images: vec![image; count], ..ImageRequest::new("x") }
}

#[test]
fn an_overlay_lowers_a_limit_and_the_receipt_will_say_so() {
    let facts = json!({ "images": fact(json!({ "min": 0, "max": 4 })) });
    let registry = registry(json!({ "offers": { "together/flux2-pro": { "accepts": facts } } }));
    let model = registry.get("together/flux2-pro").expect("there");
    let terms = Terms { adapt: &Adapt::default(), today: Date::new(2026, 11, 22) };
    let (four, five) = (with_images(4), with_images(5));
    let admitted = model.admit(&four, terms).expect("four");
    let overlay = admitted.warnings().iter().find(|it| it.code == WarningCode::Overlay);
    assert!(overlay.expect("a warning").message.contains("images (our probe, 2026-11-20)"));
    let refusals = model.admit(&five, terms).expect_err("five");
    assert_eq!(
        (refusals[0].code, &refusals[0].limit),
        (RefusalCode::TooMany, &json!({ "min": 0, "max": 4 }))
    );
    // The schema and the check of the body are narrowed by the same fact.
    let wire = model.wire().expect("hosted");
    assert_eq!(wire.schema["properties"]["reference_images"]["maxItems"], 4);
}

#[test]
fn an_overlay_raises_a_limit() {
    let facts = json!({ "images": fact(json!({ "min": 0, "max": 10 })) });
    let registry = registry(json!({ "offers": { "together/flux2-dev": { "accepts": facts } } }));
    let model = registry.get("together/flux2-dev").expect("there");
    let ten = with_images(10);
    let terms = Terms { adapt: &Adapt::default(), today: Date::new(2026, 11, 22) };
    model.admit(&ten, terms).expect("ten").encode().expect("a body with ten");
}

/// Who has seen that a model edits need not wait for a release.
#[test]
fn an_overlay_lets_a_model_edit_that_only_drew() {
    let id = "together/qwen-image-2.0";
    let facts = json!({
        "images": fact(json!({ "min": 0, "max": 3 })),
        "transports": fact(json!({ "url": true, "bytes": false })),
    });
    let registry = registry(json!({ "offers": { id: { "accepts": facts } } }));
    let model = registry.get(id).expect("there");
    let (three, terms) =
        (with_images(3), Terms { adapt: &Adapt::default(), today: Date::new(2026, 11, 22) });
    let call = model.admit(&three, terms).expect("three").encode().expect("a body").shown();
    let url = "https://example.com/a.png";
    assert_eq!(call["body"]["reference_images"], json!([url, url, url]));
}

#[test]
fn an_overlay_that_names_nothing_is_an_error_that_says_what_there_is() {
    for (overlay, needle) in [
        (json!({ "offers": { "together/flux9": {} } }), "together/flux9"),
        (
            json!({ "offers": { "together/flux2-pro": { "accepts": { "imags": fact(json!(1)) } } } }),
            "imags",
        ),
        (
            json!({ "offers": { "together/flux2-pro": { "accepts": { "images": fact(json!("many")) } } } }),
            "does not fit",
        ),
        (
            json!({ "offers": { "together/flux2-pro": { "accepts": { "mask": { "value": true } } } } }),
            "missing field",
        ),
    ] {
        let overlay: Overlay = serde_json::from_value(overlay).expect("an overlay");
        let err = Registry::linked().expect("linked").with_overlay(&overlay).expect_err(needle);
        assert_eq!(err.kind(), ErrorKind::InvalidRequest);
        assert!(err.message().contains(needle), "{err}");
    }
}

/// What the body has no field for would be dropped, and what leaves nothing would be divided by.
#[test]
fn an_overlay_that_cannot_be_is_not_taken() {
    for (offer, name, value, needle) in [
        ("bfl/flux2-pro", "negative_prompt", json!(true), "no field"),
        ("bfl/flux2-pro", "count", json!({ "min": 1, "max": 4 }), "no field"),
        ("bfl/flux2-pro", "ratios", json!({ "listed": ["16:9"] }), "no field"),
        ("together/gemini-3-pro-image", "seed", json!({ "min": 0, "max": 9 }), "no field"),
        ("together/flux2-pro", "mask", json!(true), "no field"),
        ("together/flux2-pro", "images", json!({ "min": 3, "max": 2 }), "leave nothing"),
        ("together/flux2-pro", "count", json!({ "min": 0, "max": 0 }), "leave nothing"),
        (
            "together/flux2-pro",
            "pixels",
            json!({ "range": { "side": { "min": 64, "max": 128 }, "step": 0, "area": { "min": 1, "max": 99999 } } }),
            "leave nothing",
        ),
        (
            "together/flux2-pro",
            "pixels",
            json!({ "range": { "side": { "min": 1024, "max": 2048 }, "step": 8, "area": { "min": 1, "max": 1000 } } }),
            "leave nothing",
        ),
    ] {
        let overlay = json!({ "offers": { offer: { "accepts": { name: fact(value) } } } });
        let overlay: Overlay = serde_json::from_value(overlay).expect("an overlay");
        let err = Registry::linked().expect("linked").with_overlay(&overlay).expect_err(name);
        assert!(err.message().contains(needle), "{offer} {name}: {err}");
    }
}

#[test]
fn an_offer_is_announced_before_its_end_and_refused_after() {
    let end = fact(json!({ "date": "2026-12-31", "successor": "gemini-3-pro-image" }));
    let id = "together/gemini-2.5-flash-image";
    let registry = registry(json!({ "offers": { id: { "retires": end } } }));
    let (model, request) = (registry.get(id).expect("there"), with_images(1));
    let on = |today: Date| model.admit(&request, Terms { adapt: &Adapt::default(), today });
    let retiring = |today: Date| {
        let admitted = on(today).expect("still on sale");
        admitted.warnings().iter().any(|it| it.code == WarningCode::Retiring)
    };
    assert!(!retiring(Date::new(2026, 9, 1)));
    assert!(retiring(Date::new(2026, 12, 30)));
    let refusals = on(Date::new(2026, 12, 31)).expect_err("ended");
    assert_eq!(refusals[0].code, RefusalCode::Retired);
    assert_eq!(refusals[0].fix, "use gemini-3-pro-image");
}

fn plan(job: &Job, keys: &[&str]) -> repaint_core::Plan {
    let registry = Registry::linked().expect("linked");
    let has_key = |it: &repaint_core::Provider| keys.contains(&it.id);
    let conditions = Conditions::new(&has_key, Date::new(2026, 11, 22));
    repaint_router::plan(&registry, job, &conditions).expect("a plan")
}

#[test]
fn the_cheapest_with_a_key_comes_first() {
    let sized = ImageRequest { size: "1024x1024".parse().expect("a size"), ..with_images(1) };
    let plan = plan(&Job::new(sized), &["together", "bfl"]);
    let highs: Vec<Usd> = plan.candidates.iter().map(|it| it.estimate.high).collect();
    assert!(highs.is_sorted(), "{highs:?}");
    assert!(plan.candidates.iter().all(|it| !it.offer.starts_with("local/")));
}

#[test]
fn a_local_offer_is_taken_only_by_name_or_where_nobody_has_a_key() {
    let cat = ImageInput::bytes(repaint_testkit::png(300, 200, 1)).expect("a picture");
    let request = ImageRequest { images: vec![cat], ..ImageRequest::new("watercolor") };
    let mut job = Job::new(request);
    assert_eq!(plan(&job, &[]).candidates[0].offer, "local/watercolor");
    assert!(plan(&job, &["bfl"]).candidates.iter().all(|it| it.offer != "local/watercolor"));
    job.select = vec!["local/watercolor".to_owned()];
    assert_eq!(plan(&job, &["bfl"]).candidates[0].offer, "local/watercolor");
}

#[test]
fn what_may_cost_more_than_allowed_is_refused_before_it_is_sent() {
    let mut job = Job::new(with_images(1));
    job.select = vec!["kontext-max".to_owned()];
    job.policy = Policy { max_cost: Some(Usd(79_999)), ..Policy::default() };
    let refused = plan(&job, &["bfl", "together"]);
    let asked: Vec<RefusalCode> = refused
        .refusals
        .iter()
        .filter(|it| it.offer.ends_with("/kontext-max"))
        .flat_map(|it| it.reasons.iter().map(|it| it.code))
        .collect();
    assert_eq!(asked, [RefusalCode::OverBudget, RefusalCode::OverBudget]);
    job.policy.max_cost = Some(Usd(80_000));
    assert_eq!(plan(&job, &["bfl", "together"]).candidates[0].offer, "bfl/kontext-max");
}

#[test]
fn a_ratio_is_kept_exactly_or_refused() {
    let job = |size: &str| {
        let request = ImageRequest { size: size.parse().expect("a size"), ..with_images(1) };
        Job { select: vec!["together/flux2-pro".to_owned()], ..Job::new(request) }
    };
    let wide = plan(&job("16:9"), &["together"]);
    let adaptation = &wide.candidates[0].adaptations[0];
    assert_eq!((adaptation.method.as_str(), &adaptation.to), ("exact", &json!("1280x720")));
    assert!(plan(&job("997:991"), &["together"]).candidates.is_empty());
}

#[test]
fn what_nobody_judged_is_told_apart_from_what_somebody_assumed() {
    let id = "together/flux2-pro";
    let unjudged = json!({
        "value": false, "sure": "assumed", "source": "not declared by the adapter", "date": "2026-11-22"
    });
    let registry = registry(json!({ "offers": { id: { "accepts": { "mask": unjudged } } } }));
    let found = provenance(&registry, Date::new(2026, 11, 24));
    let undeclared: Vec<_> = found.undeclared.iter().map(|it| (it.fact, &it.offers[..])).collect();
    assert_eq!(undeclared, [("mask", &[id.to_owned()][..])]);
    assert!(found.assumed.iter().all(|it| it.standing == Standing::Assumed));
    assert!(found.assumed.iter().any(|it| it.fact == "seed" && it.offers.contains(&id.to_owned())));
}

#[test]
fn an_observed_fact_raises_the_share_and_a_limit_that_is_not_set_is_not_counted() {
    let id = "together/flux2-pro";
    let of = |facts: Value| {
        let registry = registry(json!({ "offers": { id: { "accepts": facts } } }));
        share(&registry, |it| it.id() == id)
    };
    let before = of(json!({}));
    let seen = of(json!({ "images": fact(json!({ "min": 0, "max": 8 })) }));
    assert_eq!((seen.known, seen.of), (before.known + 1, before.of));
    // Where no input image is taken, how one may travel decides nothing.
    let none = of(json!({ "images": fact(json!({ "min": 0, "max": 0 })) }));
    assert_eq!(before.of - none.of, 2);
    // A limit of our own is no fact of the provider's; one that somebody has seen is.
    let weighed = of(json!({ "image_bytes": fact(json!(9_000_000)) }));
    assert_eq!((weighed.known, weighed.of), (before.known + 1, before.of + 1));
    let small = of(json!({ "image_side": fact(json!(64)) }));
    assert_eq!(small.of, before.of + 1);
}

#[test]
fn what_ends_is_listed_by_its_day_with_its_source() {
    let end = |date: &str| json!({ "retires": fact(json!({ "date": date })) });
    let (first, later) = ("together/kontext-pro", "bfl/kontext-pro");
    let registry = registry(json!({ "offers": {
        later: end("2027-01-31"), first: end("2026-11-20"),
    } }));
    let found = provenance(&registry, Date::new(2026, 11, 24)).retires;
    let shown: Vec<_> = found.iter().map(|it| (it.offer.as_str(), it.days)).collect();
    assert_eq!(shown, [(first, -4), (later, 68)]);
    assert_eq!(found[0].source.0, "our probe");
}
