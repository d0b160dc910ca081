//! What is claimed of every model, as named trials.

use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use repaint_core::{
    Adapt, Body, ImageInput, ImageModel, ImageRequest, ImageSource, Owner, Preview, RefusalCode,
    Registry, Size,
};
use serde_json::{Value, json};

use crate::cases::smuggled;
use crate::pictures::file_bytes;
use crate::render::{encode, terms};
use crate::{accepted, grid, refused, render};

/// Something that must hold of a model; `Err` says what does not, and what to do.
pub struct Claim {
    /// What is claimed.
    pub name: String,
    check: Check,
}

type Check = Box<dyn Fn(&dyn ImageModel) -> Result<(), String> + Send + Sync>;

impl Claim {
    fn new(
        name: impl Into<String>,
        check: impl Fn(&dyn ImageModel) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), check: Box::new(check) }
    }

    /// Whether it holds.
    pub fn holds(&self, model: &dyn ImageModel) -> Result<(), String> {
        (self.check)(model)
    }
}

/// One trial for each claim about each model of the registry.
pub fn trials(registry: &'static Registry) -> Vec<Trial> {
    let mut trials = Vec::new();
    for model in registry.models() {
        for claim in claims(model) {
            let name = format!("{} {}", model.id(), claim.name);
            let claim = Arc::new(claim);
            trials.push(Trial::test(name, move || claim.holds(model).map_err(Failed::from)));
        }
    }
    trials
}

/// Everything that must hold of a model.
pub fn claims(model: &dyn ImageModel) -> Vec<Claim> {
    let mut claims = Vec::new();
    for case in accepted(model) {
        let (name, field) = (format!("takes {}", case.name), case.field);
        let request = case.request;
        claims.push(Claim::new(name, move |model| sends(model, &request, field)));
    }
    for case in refused(model) {
        let (name, code, field) = (format!("refuses {}", case.name), case.code, case.field);
        let request = case.request;
        claims.push(Claim::new(name, move |model| refuses(model, &request, code, field)));
    }
    claims.push(Claim::new("sends nothing that its schema forbids", grid_is_valid));
    claims.push(Claim::new("holds options to the wire", holds_options));
    claims.push(Claim::new("has a closed and described schema", schema_is_closed));
    claims.push(Claim::new("has a canonical id", id_is_canonical));
    claims
}

/// What is declared is sent: whole, once, in order, in a field that is declared for it, and the schema
/// allows it.
fn sends(model: &dyn ImageModel, request: &ImageRequest, field: &str) -> Result<(), String> {
    let call = encode(model, request, &Adapt::default())?;
    let least = encode(model, &accepted(model).swap_remove(0).request, &Adapt::default())?;
    // The least request is itself the case for one of the values that it has.
    let body = match &call {
        Preview::Http(call) => call.body.as_ref().ok_or("an order has a body; write one")?,
        Preview::Local(operation) => {
            let same = Preview::Local(operation.clone()) == least;
            let optional = matches!(field, "" | "images" | "output_format");
            return if same && !optional {
                Err(format!("`{field}` is declared, but changes nothing in the operation"))
            } else {
                Ok(())
            };
        }
    };
    let text = render(body);
    let value: Value =
        serde_json::from_str(&text).map_err(|err| format!("the body is no JSON: {err}"))?;
    let least = match &least {
        Preview::Http(call) => call.body.as_ref().map(render).unwrap_or_default(),
        Preview::Local(_) => String::new(),
    };
    let default_format = field == "output_format" && text == least;
    if !field.is_empty() && text == least && !default_format {
        return Err(format!(
            "`{field}` is declared, but changes nothing in the body; write it in from_request"
        ));
    }
    whole_and_in_order(&text, request)?;
    owned(model, &value, &least, field)?;
    says_what_was_asked(model, &value, request)?;
    valid(model, &value)
}

/// A field says the very thing that its owner in the request says: no width as height, no image as
/// mask. How a shape or a file format is spelled is the provider's affair.
fn says_what_was_asked(
    model: &dyn ImageModel,
    body: &Value,
    request: &ImageRequest,
) -> Result<(), String> {
    let pixels = match request.size {
        Size::Pixels(size) => Some(size),
        Size::Auto | Size::Ratio(_) => None,
    };
    for (name, owner) in model.wire().map_or(&[][..], |it| it.owned) {
        let Some(got) = body.get(name) else { continue };
        let asked = match owner {
            Owner::Model => json!(model.offer().name),
            Owner::Prompt => json!(request.prompt),
            Owner::Width => json!(pixels.map(|it| it.width)),
            Owner::Height => json!(pixels.map(|it| it.height)),
            Owner::Count => json!(request.count),
            Owner::Seed => json!(request.seed),
            Owner::NegativePrompt => json!(request.negative_prompt),
            Owner::Steps => json!(request.steps),
            Owner::Guidance => json!(request.guidance),
            Owner::Image(_) | Owner::Mask => {
                let image = match owner {
                    Owner::Image(index) => request.images.get(*index as usize),
                    _ => request.mask.as_ref(),
                };
                let payload = image.map(payload).unwrap_or_default();
                if !got.to_string().contains(&payload) || payload.is_empty() {
                    return Err(format!("`{name}` has another image than the one for it"));
                }
                continue;
            }
            Owner::Images | Owner::Ratio | Owner::OutputFormat => continue,
        };
        let same = match (got.as_f64(), asked.as_f64()) {
            (Some(got), Some(asked)) => got == asked,
            _ => *got == asked,
        };
        // A field that nobody asked to fill may have the provider's default.
        if !same && !asked.is_null() {
            return Err(format!("`{name}` is {got}, but {asked} was asked for"));
        }
    }
    Ok(())
}

/// Every prompt and image is in the body exactly once, and images are in the order given; the field of
/// a mask may stand anywhere.
fn whole_and_in_order(text: &str, request: &ImageRequest) -> Result<(), String> {
    let prompt = Value::from(request.prompt.as_str()).to_string();
    if !text.contains(&prompt) {
        return Err("the prompt is nowhere in the body".to_owned());
    }
    let mut end = 0;
    for (index, image) in request.inputs().enumerate() {
        let payload = payload(image);
        match text.match_indices(&payload).map(|it| it.0).collect::<Vec<_>>().as_slice() {
            [] => {
                return Err(format!(
                    "input image {} of {} is nowhere in the body",
                    index + 1,
                    request.images.len()
                ));
            }
            [at] if *at < end && index < request.images.len() => {
                return Err(format!("input image {} stands before the one before it", index + 1));
            }
            [at] => end = at + payload.len(),
            _ => return Err(format!("input image {} is in the body twice", index + 1)),
        }
    }
    Ok(())
}

fn payload(image: &ImageInput) -> String {
    match image.source() {
        ImageSource::Url(url) => format!("\"{url}\""),
        ImageSource::Bytes(bytes) => base64_simd::STANDARD.encode_to_string(bytes),
        ImageSource::Base64(base64) => String::from_utf8_lossy(base64).into_owned(),
        ImageSource::File(path) => base64_simd::STANDARD.encode_to_string(file_bytes(path)),
    }
}

/// What a neutral field changes in the body is declared as owned by that field, so that no option can
/// set it.
fn owned(model: &dyn ImageModel, body: &Value, least: &str, field: &str) -> Result<(), String> {
    let Some(wire) = model.wire() else { return Ok(()) };
    let least: Value = serde_json::from_str(least).unwrap_or_default();
    for (name, value) in body.as_object().into_iter().flatten() {
        if field.is_empty() || least.get(name) == Some(value) {
            continue;
        }
        match wire.owner(name) {
            // A mask comes with its image.
            Some(owner) if owner.field() == field || field == "mask" => {}
            Some(owner) => {
                return Err(format!(
                    "`{field}` changes `{name}`, which is declared as owned by `{}`",
                    owner.field()
                ));
            }
            None => return Err(format!("`{field}` changes `{name}`; add it to OWNED")),
        }
    }
    Ok(())
}

fn valid(model: &dyn ImageModel, body: &Value) -> Result<(), String> {
    let Some(wire) = model.wire() else { return Ok(()) };
    jsonschema::validate(&wire.schema, body).map_err(|err| {
        format!("the schema forbids the body at `{}`: {}", err.instance_path(), err.masked())
    })
}

fn refuses(
    model: &dyn ImageModel,
    request: &ImageRequest,
    code: RefusalCode,
    field: &str,
) -> Result<(), String> {
    let Err(refusals) = model.admit(request, terms(&Adapt::default())) else {
        return Err("was admitted".to_owned());
    };
    match refusals.iter().find(|it| it.code == code && it.field == field) {
        Some(it) if it.message.is_empty() || it.fix.is_empty() => {
            Err("the refusal does not say what to do".to_owned())
        }
        Some(_) => Ok(()),
        None => Err(format!("no refusal of `{field}` as {code:?}, but {refusals:?}")),
    }
}

/// Every cell of the grid is refused, or sends a body that its schema allows, with all images.
fn grid_is_valid(model: &dyn ImageModel) -> Result<(), String> {
    let mut sent = 0;
    for (name, request, adapt) in grid(model) {
        let Ok(admitted) = model.admit(&request, terms(&adapt)) else { continue };
        if admitted.request().images != request.images {
            return Err(format!("{name}: admission changed the input images"));
        }
        sent += 1;
        let body: Option<Body> = match admitted.encode().map_err(|err| format!("{name}: {err}"))? {
            Preview::Http(call) => call.body,
            Preview::Local(_) => continue,
        };
        let text = body.as_ref().map(render).unwrap_or_default();
        whole_and_in_order(&text, &request).map_err(|err| format!("{name}: {err}"))?;
        let value = serde_json::from_str(&text).map_err(|err| format!("{name}: {err}"))?;
        valid(model, &value).map_err(|err| format!("{name}: {err}"))?;
    }
    if sent == 0 { Err("no cell of the grid is admitted".to_owned()) } else { Ok(()) }
}

/// Options cannot go round admission: what a neutral field owns is refused, what is unknown is
/// refused, and what is taken is held to its type.
fn holds_options(model: &dyn ImageModel) -> Result<(), String> {
    let judge = |name: &str, value: Value| {
        let mut request = accepted(model).swap_remove(0).request;
        request.options.insert(name.to_owned(), value);
        let refusals = model.admit(&request, terms(&Adapt::default())).err().unwrap_or_default();
        refusals.into_iter().map(|it| it.code).collect::<Vec<_>>()
    };
    for (name, value) in smuggled() {
        if judge(name, value) != [RefusalCode::Owned] {
            return Err(format!("the option `{name}` goes round admission"));
        }
    }
    if judge("no_such_option", json!(1)) != [RefusalCode::Unknown] {
        return Err("an option that does not exist is taken".to_owned());
    }
    let Some(wire) = model.wire() else { return Ok(()) };
    for name in model.capabilities().options.value.iter() {
        let image =
            wire.known.iter().any(|it| it == name.0) && field_schema(&wire.schema, name).is_null();
        if image {
            return Err(format!("the option `{name}` is an image, which is never an option"));
        }
    }
    for name in &wire.known {
        let declared = model.capabilities().options.value.iter().any(|it| it.0 == name);
        let codes = judge(name, json!({ "strange": [] }));
        let wanted = match (wire.owner(name), declared) {
            (Some(_), _) => RefusalCode::Owned,
            (None, true) => RefusalCode::Invalid,
            (None, false) => RefusalCode::Unsupported,
        };
        if codes != [wanted] {
            return Err(format!(
                "the option `{name}` with a strange value gave {codes:?}, not {wanted:?}"
            ));
        }
    }
    for name in model.capabilities().options.value.iter() {
        if !wire.known.iter().any(|it| it == name.0) {
            return Err(format!("the option `{name}` is declared, but the wire has no such field"));
        }
        for nonsense in beyond(name, &field_schema(&wire.schema, name))? {
            if judge(name, nonsense.clone()) != [RefusalCode::Invalid] {
                return Err(format!("the option `{name}` takes {nonsense}, beyond its bounds"));
            }
        }
    }
    Ok(())
}

/// The schema of a field, wherever an offer's schema has it.
fn field_schema(schema: &Value, name: &str) -> Value {
    let arms = schema["$defs"].as_object().into_iter().flatten().map(|it| it.1);
    let mut objects = [schema].into_iter().chain(arms);
    let field = objects.find_map(|it| it["properties"].get(name)).cloned().unwrap_or_default();
    match field["$ref"].as_str().and_then(|it| it.strip_prefix("#/$defs/")) {
        Some(target) => schema["$defs"][target].clone(),
        None => field,
    }
}

/// Values just beyond the bounds of an option; an error if it has none but those of its Rust type.
fn beyond(name: &str, field: &Value) -> Result<Vec<Value>, String> {
    let of_type = [u64::from(u8::MAX), u64::from(u16::MAX), u64::from(u32::MAX), (1 << 53) - 1];
    match field["type"].as_str() {
        Some("integer" | "number") => {
            match (field["minimum"].as_f64(), field["maximum"].as_f64()) {
                (Some(least), Some(most)) if of_type.iter().all(|it| *it as f64 != most) => {
                    Ok(vec![json!(least - 1.0), json!(most + 1.0)])
                }
                _ => {
                    Err(format!("the option `{name}` takes any number; add #[schemars(range(…))]"))
                }
            }
        }
        Some("array") if field["maxItems"].is_null() => {
            Err(format!("the option `{name}` takes any number of entries; add length(max = …)"))
        }
        _ => Ok(Vec::new()),
    }
}

/// No stranger gets in, nothing is `null`, and every field is described.
fn schema_is_closed(model: &dyn ImageModel) -> Result<(), String> {
    let Some(wire) = model.wire() else { return Ok(()) };
    let text = wire.schema.to_string();
    if text.contains("\"null\"") {
        return Err("a field may be null; leave it out instead".to_owned());
    }
    let mut objects = vec![&wire.schema];
    objects.extend(wire.schema["$defs"].as_object().into_iter().flatten().map(|it| it.1));
    for object in objects.into_iter().filter(|it| it["type"] == "object") {
        if object["additionalProperties"] != json!(false) {
            return Err("add #[serde(deny_unknown_fields)]".to_owned());
        }
        let mut fields = object["properties"].as_object().into_iter().flatten();
        if let Some((name, _)) = fields.find(|(_, it)| it["description"].is_null()) {
            return Err(format!("describe `{name}` in a doc comment"));
        }
    }
    Ok(())
}

/// `provider/family…-variant`, in kebab case, so that it is a file name everywhere.
fn id_is_canonical(model: &dyn ImageModel) -> Result<(), String> {
    let plain = |it: &str| {
        it.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || b"-.".contains(&it))
    };
    let name = model.offer().model;
    if !plain(name) || name.is_empty() {
        return Err(format!("`{name}` is not in kebab case"));
    }
    let id = format!("{}/{name}", model.provider().id);
    if model.id() != id {
        return Err(format!("the id is `{}`, not `{id}`", model.id()));
    }
    Ok(())
}
