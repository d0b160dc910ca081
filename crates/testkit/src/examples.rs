//! A few bodies and jobs of each kind, right and wrong, to look at and to test validators with.

use repaint_core::{Holds, ImageInput, ImageModel, ImageRequest, Preview};
use serde_json::{Map, Value, json};

use crate::{accepted, render};

/// Bodies for an offer by name: `valid/least`, `valid/most` and such as `invalid/too_many-images`,
/// whose name begins with the code of its only violation.
pub fn examples(model: &dyn ImageModel) -> Vec<(String, Value)> {
    let Some(wire) = model.wire() else { return Vec::new() };
    let (least, most) = (sent(model, &least(model)), sent(model, &most(model)));
    let (Some(Value::Object(least)), Some(most)) = (least, most) else { return Vec::new() };
    let mut examples =
        vec![("valid/least".to_owned(), least.clone().into()), ("valid/most".to_owned(), most)];
    let mut wrong = |name: &str, change: &dyn Fn(&mut Map<String, Value>)| {
        let mut body = least.clone();
        change(&mut body);
        examples.push((format!("invalid/{name}"), body.into()));
    };
    wrong("empty-prompt", &|it| {
        it.shift_remove("prompt");
    });
    let strange = ["image_url", "reference_images", "input_image"];
    let strange = strange.iter().find(|it| !wire.known.iter().any(|known| known == *it));
    if let Some(name) = strange {
        wrong(&format!("unknown-{name}"), &|it| {
            it.insert((*name).to_owned(), "https://example.com/1.png".into());
        });
    }
    for field in &wire.fields {
        let name = field.name.clone();
        match field.holds {
            Holds::Images => wrong("too_many-images", &|it| {
                let many = model.capabilities().images.value.max + 1;
                let address = |it| format!("https://example.com/{it}.png");
                it.insert(name.clone(), (1..=many).map(address).collect());
            }),
            Holds::Model => wrong("not_listed-model", &|it| {
                it.insert(name.clone(), "another/model".into());
            }),
            Holds::Seed => wrong("invalid-null", &|it| {
                it.insert(name.clone(), Value::Null);
            }),
            _ => {}
        }
    }
    examples
}

/// Jobs by name, as [`examples`] has bodies.
pub fn job_examples() -> Vec<(String, Value)> {
    let image = "https://example.com/cat.png";
    let prompt = "Transform this into a watercolor painting";
    let examples = [
        ("valid/draw", json!({ "request": { "prompt": "A red fox in snow" } })),
        (
            "valid/edit",
            json!({
                "select": ["together/flux2-pro", "kontext"],
                "request": { "prompt": prompt, "images": [image], "size": "16:9", "seed": 7 },
                "policy": { "adapt": { "size": "nearest" }, "max_cost": 100_000 },
            }),
        ),
        ("invalid/empty-prompt", json!({ "request": { "images": [image] } })),
        ("invalid/invalid-path", json!({ "request": { "prompt": prompt, "images": ["cat.png"] } })),
        ("invalid/invalid-null", json!({ "request": { "prompt": prompt, "seed": null } })),
        ("invalid/unknown-field", json!({ "request": { "prompt": prompt, "image": image } })),
        ("invalid/unknown-model", json!({ "model": "flux2-pro", "request": { "prompt": prompt } })),
    ];
    examples.map(|(name, job)| (name.to_owned(), job)).into()
}

fn sent(model: &dyn ImageModel, request: &ImageRequest) -> Option<Value> {
    let terms = crate::render::terms(&repaint_core::Adapt::NONE);
    match model.admit(request, terms).ok()?.encode().ok()? {
        Preview::Http(call) => serde_json::from_str(&render(&call.body?)).ok(),
        Preview::Local(_) => None,
    }
}

fn least(model: &dyn ImageModel) -> ImageRequest {
    let request = accepted(model).swap_remove(0).request;
    ImageRequest { images: addresses(model.capabilities().images.value.min), ..request }
}

/// Everything at once, at its limits.
fn most(model: &dyn ImageModel) -> ImageRequest {
    let accepts = model.capabilities();
    let size = accepted(model).into_iter().find(|it| it.field == "size");
    ImageRequest {
        images: addresses(accepts.images.value.max),
        size: size.map(|it| it.request.size).unwrap_or_default(),
        count: accepts.count.value.max,
        seed: accepts.seed.value.map(|it| it.max),
        negative_prompt: accepts.negative_prompt.value.then(|| "blurry".to_owned()),
        steps: accepts.steps.value.map(|it| it.max),
        guidance: accepts.guidance.value.map(|it| it.max),
        output_format: accepts.output_formats.value.first().copied(),
        ..least(model)
    }
}

fn addresses(count: u32) -> Vec<ImageInput> {
    let image = |it| ImageInput::url(&format!("https://example.com/{it}.png"));
    (1..=count).map(image).map(|it| it.unwrap_or_else(|err| panic!("{err}"))).collect()
}
