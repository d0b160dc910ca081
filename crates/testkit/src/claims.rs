//! What is claimed of every model.

use repaint_core::{
    Adapt, Body, Error, ImageInput, ImageModel, ImageRequest, ImageSource, Owner, Preview,
    RefusalCode, Size,
};
use serde_json::{Value, json};

use crate::pictures::file_bytes;
use crate::render::terms;
use crate::{Complaint, accepted, grid, refused, render};

/// Something that must hold of a model.
pub struct Claim {
    /// What is claimed.
    pub name: String,
    check: Check,
}

type Held = Result<(), Complaint>;
type Check = Box<dyn Fn(&dyn ImageModel) -> Held + Send + Sync>;

/// An error with what is wrong and what to do about it.
fn wrong(wrong: impl Into<String>, fix: impl Into<String>) -> Held {
    Err(Complaint::new(wrong, fix))
}

impl Claim {
    fn new(
        name: impl Into<String>,
        check: impl Fn(&dyn ImageModel) -> Held + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), check: Box::new(check) }
    }

    /// Whether it holds.
    ///
    /// # Errors
    ///
    /// What does not hold, and what to do about it.
    pub fn holds(&self, model: &dyn ImageModel) -> Result<(), Complaint> {
        (self.check)(model)
    }
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
fn sends(model: &dyn ImageModel, request: &ImageRequest, field: &str) -> Held {
    let call = first_call(model, request)?;
    let least = first_call(model, &accepted(model).swap_remove(0).request)?;
    // The least request is itself the case for one of the values that it has.
    let body = match &call {
        Preview::Http(call) => call.body.as_ref().ok_or_else(|| {
            Complaint::new("the order has no body", "post JSON; an order is no GET")
        })?,
        Preview::Local(operation) => {
            let same = Preview::Local(operation.clone()) == least;
            let optional = matches!(field, "" | "images" | "output_format");
            return if same && !optional {
                wrong(
                    format!("`{field}` is declared, but changes nothing in the operation"),
                    format!("use `{field}` in `encode` and `generate`, or do not declare it"),
                )
            } else {
                Ok(())
            };
        }
    };
    let text = render(body);
    let value = json_of(&text)?;
    let least = match &least {
        Preview::Http(call) => call.body.as_ref().map(render).unwrap_or_default(),
        Preview::Local(_) => String::new(),
    };
    let default_format = field == "output_format" && text == least;
    if !field.is_empty() && text == least && !default_format {
        return wrong(
            format!("`{field}` is declared, but changes nothing in the body"),
            format!("write `{field}` into a field in `from_request`, or do not declare it"),
        );
    }
    whole_and_in_order(&text, request)?;
    owned(model, &value, &least, field)?;
    says_what_was_asked(model, &value, request)?;
    valid(model, &value)
}

/// What is done first for a request that the offer declares to take.
fn first_call(model: &dyn ImageModel, request: &ImageRequest) -> Result<Preview, Complaint> {
    let adapt = Adapt::default();
    let admitted = model.admit(request, terms(&adapt)).map_err(|refusals| {
        let refusals: Vec<String> = refusals.iter().map(ToString::to_string).collect();
        Complaint::new(
            format!("is declared, and refused all the same: {}", refusals.join("; ")),
            "look for facts that contradict each other",
        )
    })?;
    admitted.encode().map_err(|err| unsent(&err))
}

/// An admitted request that makes no body: the wire and the facts differ.
fn unsent(err: &Error) -> Complaint {
    let fix = if err.message().contains("would be sent") {
        PLACE_IMAGES
    } else {
        "mend `from_request`, OWNED or the facts, until the body is what the facts say"
    };
    Complaint::new(format!("is admitted, but cannot be sent: {err}"), fix)
}

const PLACE_IMAGES: &str =
    "place each of WireImage::all, and WireImage::mask, once in `from_request`";

fn json_of(text: &str) -> Result<Value, Complaint> {
    serde_json::from_str(text).map_err(|err| {
        Complaint::new(format!("the body is no JSON: {err}"), "report it: bodies are written by us")
    })
}

/// A field says the very thing that its owner in the request says: no width as height, no image as
/// mask. How a shape or a file format is spelled is the provider's affair.
fn says_what_was_asked(model: &dyn ImageModel, body: &Value, request: &ImageRequest) -> Held {
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
                    return wrong(
                        format!("`{name}` has another image than the one for it"),
                        "mend `from_request`: WireImage::all has the input images in order, \
                         WireImage::mask the mask",
                    );
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
            return wrong(
                format!("`{name}` is {got}, but {asked} was asked for"),
                format!("mend what `from_request` writes into `{name}`, or its line in OWNED"),
            );
        }
    }
    Ok(())
}

/// Every prompt and image is in the body exactly once, and images are in the order given; the field of
/// a mask may stand anywhere.
fn whole_and_in_order(text: &str, request: &ImageRequest) -> Held {
    let prompt = Value::from(request.prompt.as_str()).to_string();
    if !text.contains(&prompt) {
        return wrong(
            "the prompt is nowhere in the body",
            "write `request.prompt` in `from_request`, unchanged",
        );
    }
    let mut end = 0;
    for (index, image) in request.inputs().enumerate() {
        let payload = payload(image);
        match text.match_indices(&payload).map(|it| it.0).collect::<Vec<_>>().as_slice() {
            [] => {
                return wrong(
                    format!(
                        "input image {} of {} is nowhere in the body",
                        index + 1,
                        request.images.len()
                    ),
                    PLACE_IMAGES,
                );
            }
            [at] if *at < end && index < request.images.len() => {
                return wrong(
                    format!("input image {} stands before the one before it", index + 1),
                    "keep the order of WireImage::all, and declare the fields of the struct in it",
                );
            }
            [at] => end = at + payload.len(),
            _ => {
                return wrong(
                    format!("input image {} is in the body twice", index + 1),
                    PLACE_IMAGES,
                );
            }
        }
    }
    Ok(())
}

fn payload(image: &ImageInput) -> String {
    match image.source() {
        ImageSource::Url(url) => format!("\"{url}\""),
        ImageSource::Bytes(bytes) => base64_simd::STANDARD.encode_to_string(bytes),
        ImageSource::Base64(base64) => String::from_utf8_lossy(base64).into_owned(),
        ImageSource::Kept(kept) => {
            String::from_utf8_lossy(&kept.whole().unwrap_or_default()).into_owned()
        }
        ImageSource::File(path) => base64_simd::STANDARD.encode_to_string(file_bytes(path)),
    }
}

/// What a neutral field changes in the body is declared as owned by that field, so that no option can
/// set it.
fn owned(model: &dyn ImageModel, body: &Value, least: &str, field: &str) -> Held {
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
                return wrong(
                    format!(
                        "`{field}` changes `{name}`, which is declared as owned by `{}`",
                        owner.field()
                    ),
                    format!(
                        "name the owner of `{name}` in OWNED that `from_request` fills it from"
                    ),
                );
            }
            None => {
                return wrong(
                    format!("`{field}` changes `{name}`, which nobody owns"),
                    format!("add `{name}` to OWNED, so that no option can set it too"),
                );
            }
        }
    }
    Ok(())
}

fn valid(model: &dyn ImageModel, body: &Value) -> Held {
    let Some(wire) = model.wire() else { return Ok(()) };
    jsonschema::validate(&wire.schema, body).map_err(|err| {
        Complaint::new(
            format!("the schema forbids the body at `{}`: {}", err.instance_path(), err.masked()),
            "make the wire struct serialise what its schema says: skip what is `None`, and give a \
             field the type and the bounds of its facts",
        )
    })
}

fn refuses(model: &dyn ImageModel, request: &ImageRequest, code: RefusalCode, field: &str) -> Held {
    let Err(refusals) = model.admit(request, terms(&Adapt::default())) else {
        return wrong(
            format!("was admitted, though `{field}` is beyond the facts"),
            "look for facts that contradict each other; if there are none, report it: admission is ours",
        );
    };
    match refusals.iter().find(|it| it.code == code && it.field == field) {
        Some(it) if it.message.is_empty() || it.fix.is_empty() => wrong(
            format!("the refusal of `{field}` does not say what to do: {it:?}"),
            "report it: refusals are ours",
        ),
        Some(_) => Ok(()),
        None => wrong(
            format!("no refusal of `{field}` as {code:?}, but {refusals:?}"),
            "look for another fact that is met first: each limit must be reachable within all others",
        ),
    }
}

/// Every cell of the grid is refused, or sends a body that its schema allows, with all images.
fn grid_is_valid(model: &dyn ImageModel) -> Held {
    let mut sent = 0;
    for (name, request, adapt) in grid(model) {
        let Ok(admitted) = model.admit(&request, terms(&adapt)) else { continue };
        if admitted.request().images != request.images {
            return wrong(
                format!("{name}: admission changed the input images"),
                "report it: admission is ours, and never changes images",
            );
        }
        sent += 1;
        let body: Option<Body> = match admitted.encode().map_err(|err| unsent(&err).of(&name))? {
            Preview::Http(call) => call.body,
            Preview::Local(_) => continue,
        };
        let text = body.as_ref().map(render).unwrap_or_default();
        whole_and_in_order(&text, &request).map_err(|it| it.of(&name))?;
        json_of(&text).and_then(|it| valid(model, &it)).map_err(|it| it.of(&name))?;
    }
    if sent == 0 {
        return wrong(
            "takes none of 0, 1, 2, the most and more images, in whatever way and size",
            "look for facts that leave nothing, such as images that may travel in no way",
        );
    }
    Ok(())
}

/// Options cannot go round admission: what a neutral field owns is refused, what is unknown is
/// refused, and what is taken is held to its type.
fn holds_options(model: &dyn ImageModel) -> Held {
    let judge = |name: &str, value: Value| {
        let mut request = accepted(model).swap_remove(0).request;
        request.options.insert(name.to_owned(), value);
        let refusals = model.admit(&request, terms(&Adapt::default())).err().unwrap_or_default();
        refusals.into_iter().map(|it| it.code).collect::<Vec<_>>()
    };
    for (name, value) in smuggled() {
        if judge(name, value) != [RefusalCode::Owned] {
            return wrong(
                format!("the option `{name}` goes round admission"),
                format!("take `{name}` off the options and name its owner in OWNED"),
            );
        }
    }
    if judge("no_such_option", json!(1)) != [RefusalCode::Unknown] {
        return wrong(
            "an option that does not exist is taken",
            "add #[serde(deny_unknown_fields)] to the wire struct",
        );
    }
    let Some(wire) = model.wire() else { return Ok(()) };
    for name in model.capabilities().options.value.iter() {
        let image =
            wire.known.iter().any(|it| it == name.0) && field_schema(&wire.schema, name).is_null();
        if image {
            return wrong(
                format!("the option `{name}` is an image, which is never an option"),
                format!("take `{name}` off the options; images come as `images` or `mask`"),
            );
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
            return wrong(
                format!("the option `{name}` with a strange value gave {codes:?}, not {wanted:?}"),
                format!("give `{name}` the narrowest type that holds what the provider takes"),
            );
        }
    }
    for name in model.capabilities().options.value.iter() {
        if !wire.known.iter().any(|it| it == name.0) {
            return wrong(
                format!("the option `{name}` is declared, but the wire has no such field"),
                format!("add `{name}` to the wire struct, or take it off the options"),
            );
        }
        for nonsense in beyond(name, &field_schema(&wire.schema, name))? {
            if judge(name, nonsense.clone()) != [RefusalCode::Invalid] {
                return wrong(
                    format!("the option `{name}` takes {nonsense}, beyond its bounds"),
                    "report it: the bounds of the schema are not those of the check",
                );
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
fn beyond(name: &str, field: &Value) -> Result<Vec<Value>, Complaint> {
    let of_type = [u64::from(u8::MAX), u64::from(u16::MAX), u64::from(u32::MAX), (1 << 53) - 1];
    match field["type"].as_str() {
        Some("integer" | "number") => {
            match (field["minimum"].as_f64(), field["maximum"].as_f64()) {
                (Some(least), Some(most)) if of_type.iter().all(|it| *it as f64 != most) => {
                    Ok(vec![json!(least - 1.0), json!(most + 1.0)])
                }
                _ => Err(Complaint::new(
                    format!("the option `{name}` takes any number"),
                    format!("add #[schemars(range(min = …, max = …))] to `{name}`"),
                )),
            }
        }
        Some("array") if field["maxItems"].is_null() => Err(Complaint::new(
            format!("the option `{name}` takes any number of entries"),
            format!("add #[schemars(length(max = …))] to `{name}`"),
        )),
        _ => Ok(Vec::new()),
    }
}

/// No stranger gets in, nothing is `null`, and every field is described.
fn schema_is_closed(model: &dyn ImageModel) -> Held {
    let Some(wire) = model.wire() else { return Ok(()) };
    let text = wire.schema.to_string();
    if text.contains("\"null\"") {
        return wrong(
            "a field may be null",
            "make it an `Option` that is skipped when `None`; what is optional is left out",
        );
    }
    let mut objects = vec![&wire.schema];
    objects.extend(wire.schema["$defs"].as_object().into_iter().flatten().map(|it| it.1));
    for object in objects.into_iter().filter(|it| it["type"] == "object") {
        if object["additionalProperties"] != json!(false) {
            return wrong(
                "fields that nobody declared get into the body",
                "add #[serde(deny_unknown_fields)] to the wire struct and to each struct in it",
            );
        }
        let mut fields = object["properties"].as_object().into_iter().flatten();
        if let Some((name, _)) = fields.find(|(_, it)| it["description"].is_null()) {
            return wrong(
                format!("`{name}` is published without a word"),
                format!("describe `{name}` in a doc comment, for the provider's user"),
            );
        }
    }
    Ok(())
}

/// `provider/family…-variant`, in kebab case, so that it is a file name everywhere.
fn id_is_canonical(model: &dyn ImageModel) -> Held {
    let plain = |it: &str| {
        it.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || b"-.".contains(&it))
    };
    let name = model.offer().model;
    if !plain(name) || name.is_empty() {
        return wrong(
            format!("`{name}` is not in kebab case"),
            "name the model in small letters, digits, `-` and `.`, family first",
        );
    }
    let id = format!("{}/{name}", model.provider().id);
    if model.id() != id {
        return wrong(
            format!("the id is `{}`, not `{id}`", model.id()),
            "return provider and model from `id`",
        );
    }
    Ok(())
}

/// Options that no offer may take, whatever it is.
fn smuggled() -> Vec<(&'static str, Value)> {
    vec![
        ("image_url", json!("https://example.com/other.png")),
        ("reference_images", json!(["https://example.com/other.png"])),
        ("input_image", json!("aW1hZ2U=")),
        ("input_image_2", json!("aW1hZ2U=")),
        ("model", json!("another")),
        ("n", json!(4)),
        ("width", json!(4096)),
        ("aspect_ratio", json!("1:1")),
        ("prompt", json!("another")),
        ("mask", json!("aW1hZ2U=")),
    ]
}
