//! The forms of the document take what the gateway takes: held together over a grid of bodies.

use bytes::Bytes;
use jsonschema::Validator;
use repaint_adapters as _;
use repaint_core::{
    Adapt, AdaptDrop, AdaptFormat, AdaptNumber, AdaptSize, Date, ImageModel, Policy, Refusal,
    RefusalCode, Registry, Terms,
};
use serde_json::{Value, json};

use crate::dialect::understand;
use crate::openapi::openapi;

const URL: &str = "https://images.example/cat.png";

/// What may stand in a body besides its model and its prompt; each is tried alone and beside each other.
fn pieces() -> Vec<(&'static str, Value)> {
    let urls = |count: usize| Value::from(vec![URL; count]);
    let given = json!({ "image_url": URL });
    vec![
        ("image_url", json!(URL)),
        ("image_url", Value::Null),
        ("image_url", json!("cat.png")),
        ("reference_images", urls(1)),
        ("reference_images", urls(2)),
        ("reference_images", urls(15)),
        ("reference_images", json!([])),
        ("reference_images", Value::Null),
        ("image", json!(URL)),
        ("image", given.clone()),
        ("image", json!({ "image_url": URL, "detail": 1 })),
        ("image", urls(9)),
        ("images", json!([given, URL])),
        ("images", json!(7)),
        ("mask", json!(URL)),
        ("mask", Value::Null),
        ("n", json!(1)),
        ("n", json!(5)),
        ("n", json!(2.0)),
        ("n", json!(101)),
        ("n", json!("1")),
        ("width", json!(1024)),
        ("width", json!(65536)),
        ("height", json!(1024)),
        ("height", Value::Null),
        ("aspect_ratio", json!("16:9")),
        ("aspect_ratio", json!("0:9")),
        ("aspect_ratio", Value::Null),
        ("size", json!("auto")),
        ("size", json!("1023x77")),
        ("size", json!("4:3")),
        ("size", json!("large")),
        ("seed", json!(0)),
        ("seed", json!(1_u64 << 40)),
        ("seed", json!(-1)),
        ("seed", Value::Null),
        ("negative_prompt", json!("blurred")),
        ("negative_prompt", json!("")),
        ("steps", json!(1000)),
        ("steps", json!(0)),
        ("guidance", json!(3.5)),
        ("guidance", Value::Null),
        ("guidance_scale", json!(-90)),
        ("guidance_scale", json!("3")),
        ("output_format", json!("webp")),
        ("output_format", json!("gif")),
        ("response_format", json!("b64_json")),
        ("response_format", json!("png")),
        ("quality", json!("auto")),
        ("quality", json!("high")),
        ("background", Value::Null),
        ("moderation", json!(1)),
        ("user", json!("me")),
        ("stream", json!(false)),
        ("stream", json!(true)),
        ("stream", Value::Null),
        ("partial_images", json!(0)),
        ("partial_images", json!(1)),
        ("safety_tolerance", json!(2)),
        ("safety_tolerance", json!(200)),
        ("safety_tolerance", Value::Null),
        ("disable_safety_checker", json!(true)),
        ("image_loras", json!([{ "path": "a", "scale": 1 }])),
        ("image_loras", json!([{ "path": "a" }])),
        ("prompt_upsampling", json!("yes")),
        ("input_image", json!(URL)),
        ("no_such_option", json!(1)),
        ("no_such_option", Value::Null),
        ("policy", json!({})),
        ("policy", json!({ "max_cost": 1_000_000, "adapt": { "size": "nearest" } })),
        ("policy", json!({ "max_cost": null })),
        ("policy", json!({ "adapt": { "images": "drop" } })),
        ("prompt", json!("")),
        ("prompt", Value::Null),
        ("model", Value::Null),
    ]
}

fn registry() -> Registry {
    Registry::linked().expect("adapters are linked")
}

/// A part of the document as a schema that stands alone.
fn part(document: &Value, name: &str) -> Validator {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": format!("#/components/schemas/{name}"),
        "components": document["components"],
    });
    jsonschema::validator_for(&schema).expect("a schema")
}

/// Every body of the grid for a model.
fn bodies(model: &str) -> Vec<Value> {
    let pieces = pieces();
    let mut bodies = vec![json!({ "model": model, "prompt": "make it night" })];
    for (at, (name, value)) in pieces.iter().enumerate() {
        let mut one = bodies[0].clone();
        one[name] = value.clone();
        for (other, value) in pieces[at..].iter().filter(|it| it.0 != *name) {
            let mut two = one.clone();
            two[other] = value.clone();
            bodies.push(two);
        }
        bodies.push(one);
    }
    bodies
}

/// What no schema says: what stands behind an address, and what words mean.
fn is_beyond(refusal: &Refusal) -> bool {
    let Refusal { code, field, .. } = refusal;
    field.starts_with("images/")
        || field == "mask" && *code == RefusalCode::Unsupported && refusal.limit.is_object()
        || field == "images" && refusal.message.contains("mask")
        || *code == RefusalCode::NotUnderstood
}

/// Whether the gateway takes a body, where as much may be changed to make it fit as can be.
fn takes(body: &Value, model: Option<&dyn ImageModel>) -> bool {
    let read = crate::scan::at_once(&Bytes::from(body.to_string())).expect("JSON");
    let Ok(understood) = understand(read, &Policy::default()) else { return false };
    let Some(model) = model else { return true };
    let (accepts, mut request) = (&model.offer().accepts, understood.job.request);
    let number = |is_there: bool| if is_there { AdaptNumber::Nearest } else { AdaptNumber::Drop };
    let adapt = Adapt {
        size: Some(AdaptSize::Nearest),
        seed: Some(AdaptDrop::Drop),
        negative_prompt: Some(AdaptDrop::Drop),
        steps: Some(number(accepts.steps.value.is_some())),
        guidance: Some(number(accepts.guidance.value.is_some())),
        output_format: Some(AdaptFormat::Drop),
        input_size: None,
        input_format: None,
    };
    // The router makes more in several calls.
    if model.offer().generative {
        request.count = request.count.min(accepts.count.value.max);
    }
    let terms = Terms { adapt: &adapt, today: Date::new(2026, 11, 26) };
    model.admit(&request, terms).err().is_none_or(|it| it.iter().all(is_beyond))
}

#[test]
fn each_form_takes_what_the_gateway_may_take_of_its_model() {
    let registry = registry();
    let generation = part(&openapi(&registry), "Generation");
    let mut taken = 0;
    for model in registry.models() {
        for body in bodies(model.id()) {
            let is_valid = generation.is_valid(&body);
            assert_eq!(is_valid, takes(&body, Some(model)), "{body}");
            taken += usize::from(is_valid);
        }
    }
    assert!(5_000 < taken, "only {taken} bodies are right, so little was tried");
}

#[test]
fn the_form_for_several_takes_what_the_dialects_take() {
    let registry = registry();
    let document = openapi(&registry);
    for (form, names) in
        [("Generation", "AnyModelGeneration"), ("ExplainedGeneration", "ExplainedGeneration")]
    {
        let form = part(&document, form);
        let names = &document["components"]["schemas"][names]["properties"]["model"]["enum"];
        for name in names.as_array().expect("names").iter().filter_map(Value::as_str) {
            for body in bodies(name) {
                assert_eq!(form.is_valid(&body), takes(&body, None), "{body}");
            }
        }
    }
}

#[test]
fn a_name_belongs_to_one_form() {
    let registry = registry();
    let document = openapi(&registry);
    let generation = &document["components"]["schemas"]["Generation"];
    let mut seen = std::collections::BTreeSet::new();
    for arm in generation["oneOf"].as_array().expect("forms") {
        let arm = arm["$ref"].as_str().expect("a part");
        let form = document.pointer(&arm[1..]).expect("it is there");
        for name in form["properties"]["model"]["enum"].as_array().expect("names") {
            let name = name.as_str().expect("a name");
            assert!(seen.insert(name.to_owned()), "{name} is in two forms");
            assert_eq!(generation["discriminator"]["mapping"][name], arm, "{name}");
            assert!(name == crate::dialect::AUTO || registry.resolve(name).is_ok(), "{name}");
        }
    }
    for model in registry.models() {
        let offer = model.offer();
        let names = [model.id(), offer.model, offer.name, model.family()];
        for name in names.into_iter().chain(offer.aliases.iter().copied()) {
            assert!(seen.contains(name), "{name} is in no form");
        }
    }
}

#[test]
fn an_edit_has_an_image() {
    let edit = part(&openapi(&registry()), "Edit");
    let body = |fields: Value| {
        let mut body = json!({ "model": "flux2", "prompt": "p" });
        body.as_object_mut().expect("an object").extend(fields.as_object().cloned().expect("one"));
        body
    };
    assert!(!edit.is_valid(&body(json!({}))));
    assert!(!edit.is_valid(&body(json!({ "image": null }))));
    assert!(edit.is_valid(&body(json!({ "image": URL }))));
    assert!(edit.is_valid(&body(json!({ "reference_images": [URL], "image": null }))));
}

#[test]
fn an_overlay_shows_in_the_document() {
    let overlay = json!({ "offers": { "together/flux2-pro": { "accepts": { "images": {
        "value": { "min": 0, "max": 2 },
        "sure": "observed", "source": "our own probe", "date": "2026-11-20",
    } } } } });
    let overlay = serde_json::from_value(overlay).expect("an overlay");
    let body = json!({ "model": "together/flux2-pro", "prompt": "p", "images": [URL, URL, URL] });
    assert!(part(&openapi(&registry()), "Generation").is_valid(&body));
    let fewer = registry().with_overlay(&overlay).expect("it fits");
    assert!(!part(&openapi(&fewer), "Generation").is_valid(&body));
}
