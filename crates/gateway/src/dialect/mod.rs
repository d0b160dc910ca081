//! What callers write: one body with the fields of both dialects, and what is asked for by it.
//!
//! Clients mix them: OpenAI's libraries send `width` in `extra_body`, and people who come from Together
//! send `size`. So a body may have the fields of both; what is said twice is refused, naming both fields.

mod openai;
mod together;

use std::sync::OnceLock;

use repaint_core::{
    Checker, ImageInput, ImageRequest, Job, OutputFormat, Policy, RefusalCode, Size, Violation,
    house, whole_or_absent,
};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::json::{Lifted, Read};
use openai::OpenAi;
use together::Together;

/// What a picture is asked for with: the fields of Together's API and of OpenAI's, with one meaning each.
///
/// Any other field is an option of the model's own: it is sent as it is where the model has it, and
/// refused where it has not. `null` is the same as to leave a field out.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Generation {
    /// Who makes the picture: a provider's name for a model (`black-forest-labs/FLUX.2-pro`), a model at
    /// any provider (`flux2-pro`), at one (`together/flux2-pro`), a family (`flux2`), or `auto` for
    /// whichever takes the request.
    #[schemars(length(min = 1))]
    model: String,
    /// What to draw, or how to change the images; models that number images count from 1.
    #[schemars(length(min = 1))]
    prompt: String,
    /// How many pictures; 1 by default.
    #[serde(default, deserialize_with = "whole_or_absent")]
    #[schemars(range(min = 1, max = 100))]
    n: Option<u32>,
    /// Addresses, or base64 in the answer. Without it: addresses where the provider gives any.
    response_format: Option<ResponseFormat>,
    /// The file format of the pictures.
    output_format: Option<OutputFormat>,
    /// What may be changed to make the request fit, what it may cost, and who may take it.
    policy: Option<Policy>,
    #[serde(flatten)]
    together: Together,
    #[serde(flatten)]
    openai: OpenAi,
    #[serde(flatten)]
    options: Map<String, Value>,
}

/// How pictures come back.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ResponseFormat {
    /// Addresses, usually for minutes only.
    Url,
    /// In the answer, in Together's words.
    Base64,
    /// In the answer, in OpenAI's words.
    B64Json,
}

/// What is asked for, with the names that the caller used.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) request: ImageRequest,
    pub(crate) names: Names,
    pub(crate) warnings: Vec<(&'static str, String)>,
    /// Where each image stands in the body, and its address.
    addresses: Vec<(String, String)>,
    mask: Option<(String, String)>,
    found: Vec<Violation>,
}

/// What the caller calls the fields that have several names.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Names {
    pub(crate) images: Option<&'static str>,
    pub(crate) size: Option<&'static str>,
    pub(crate) guidance: Option<&'static str>,
}

/// A body that is understood.
#[derive(Debug)]
pub(crate) struct Understood {
    /// The model as the caller names it.
    pub(crate) model: String,
    pub(crate) job: Job,
    pub(crate) format: Option<ResponseFormat>,
    pub(crate) names: Names,
    pub(crate) warnings: Vec<(&'static str, String)>,
}

/// Any model that takes the request.
pub(crate) const AUTO: &str = "auto";

/// Fields in which images are looked for; what was lifted elsewhere is put back.
const IMAGE_FIELDS: [&str; 5] = ["image_url", "reference_images", "image", "images", "mask"];

/// The schema of the body, as it is published: what is optional may be `null`.
pub(crate) fn schema() -> Schema {
    let mut schema = plain_schema();
    let required: Vec<Value> =
        schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    if let Some(Value::Object(fields)) = schema.get_mut("properties") {
        for (name, field) in fields.iter_mut() {
            if !required.iter().any(|it| it == name) {
                nullable(field);
            }
        }
    }
    schema
}

/// The same where `null` is taken away, as it is before a body is checked.
pub(crate) fn plain_schema() -> Schema {
    let settings = SchemaSettings::draft2020_12();
    let mut schema = settings.into_generator().into_root_schema_for::<Generation>();
    house::tidy(&mut schema);
    schema
}

/// What is optional may be `null`.
pub(crate) fn nullable(field: &mut Value) {
    let Value::Object(fields) = field else { return };
    if let Some(kind) = fields.get_mut("type") {
        *kind = json!([kind, "null"]);
        if let Some(Value::Array(values)) = fields.get_mut("enum") {
            values.push(Value::Null);
        }
        return;
    }
    let description = fields.shift_remove("description");
    let inner = Value::Object(std::mem::take(fields));
    if let Some(description) = description {
        fields.insert("description".to_owned(), description);
    }
    fields.insert("oneOf".to_owned(), json!([inner, { "type": "null" }]));
}

/// What kind of value a field has, for forms, in which everything is a text.
pub(crate) fn kind(field: &str) -> Option<&'static str> {
    static FIELDS: OnceLock<Value> = OnceLock::new();
    let fields =
        FIELDS.get_or_init(|| plain_schema().get("properties").cloned().unwrap_or_default());
    let field = fields.get(field)?;
    match field["type"].as_str() {
        Some("integer" | "number") => Some("number"),
        Some("boolean") => Some("boolean"),
        Some("object") => Some("object"),
        Some("array") => Some("array"),
        Some(_) => Some("string"),
        None if field["$ref"] == "#/$defs/Policy" => Some("object"),
        None => Some("string"),
    }
}

/// Understands a body, or says all that is wrong with it. `policy` is what holds where it has none.
pub(crate) fn understand(read: Read, policy: &Policy) -> Result<Understood, Vec<Violation>> {
    static CHECKER: OnceLock<Checker> = OnceLock::new();
    let Read { mut value, lifted } = read;
    if let Value::Object(fields) = &mut value {
        fields.retain(|_, it| !it.is_null());
        for (name, field) in fields.iter_mut() {
            if !IMAGE_FIELDS.contains(&name.as_str()) && !lifted.restore(field) {
                let message = "has a text in it that is no JSON: a wrong escape or character";
                let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
                return Err(vec![violation(&pointer, message, "write it as JSON has texts")]);
            }
        }
    }
    let checker = CHECKER.get_or_init(|| Checker::new(&plain_schema().to_value()));
    let found = checker.check(&value);
    if !found.is_empty() {
        return Err(found.into_iter().map(said).collect());
    }
    let generation: Generation =
        serde_json::from_value(value).map_err(|err| vec![violation("", &err.to_string(), "")])?;
    let Generation {
        model,
        prompt,
        n,
        response_format,
        output_format,
        policy: own,
        together,
        openai,
        options,
    } = generation;
    let mut asked = Asked::new(prompt);
    asked.request.count = n.unwrap_or(1);
    asked.request.output_format = output_format;
    asked.request.options = options;
    together.tell(&mut asked);
    openai.tell(&mut asked);
    let (request, names, warnings) = asked.done(&lifted)?;
    let select = if model == AUTO { Vec::new() } else { vec![model.clone()] };
    let policy = own.map_or_else(|| policy.clone(), |own| within(own, policy));
    let job = Job { select, request, policy };
    Ok(Understood { model, job, format: response_format, names, warnings })
}

/// No caller's call goes on for longer, in seconds, where the gateway's own policy does not say.
const LONGEST: u32 = 3600;

/// A caller's policy, within what the gateway allows.
fn within(own: Policy, house: &Policy) -> Policy {
    let least = |a, b| match (a, b) {
        (Some(a), Some(b)) => Some(std::cmp::min::<u64>(a, b)),
        (a, b) => a.or(b),
    };
    let max_cost = least(own.max_cost.map(|it| it.0), house.max_cost.map(|it| it.0));
    let longest = house.timeout_seconds.unwrap_or(LONGEST);
    let timeout = match own.timeout_seconds {
        Some(seconds) => Some(seconds.min(longest)),
        None => house.timeout_seconds,
    };
    Policy { max_cost: max_cost.map(repaint_core::Usd), timeout_seconds: timeout, ..own }
}

/// A violation that says what a caller of an API can do.
fn said(mut violation: Violation) -> Violation {
    if violation.code == RefusalCode::TooFew && violation.pointer.matches('/').count() == 1 {
        violation.fix =
            "add an image, or leave the field out to draw from the prompt alone".to_owned();
    }
    violation
}

fn violation(pointer: &str, message: &str, fix: &str) -> Violation {
    Violation {
        code: RefusalCode::Invalid,
        pointer: pointer.to_owned(),
        limit: Value::Null,
        got: Value::Null,
        message: message.to_owned(),
        fix: fix.to_owned(),
    }
}

impl Asked {
    fn new(prompt: String) -> Self {
        Self {
            request: ImageRequest::new(prompt),
            names: Names::default(),
            warnings: Vec::new(),
            addresses: Vec::new(),
            mask: None,
            found: Vec::new(),
        }
    }

    /// The input images, from a field of this name.
    fn images(&mut self, name: &'static str, addresses: Vec<(String, String)>) {
        if self.once(name, self.names.images) {
            self.names.images = Some(name);
            self.addresses = addresses;
        }
    }

    fn mask(&mut self, mask: (String, String)) {
        self.mask = Some(mask);
    }

    /// The size, from a field of this name.
    fn size(&mut self, name: &'static str, size: Size) {
        if self.once(name, self.names.size) {
            self.names.size = Some(name);
            self.request.size = size;
        }
    }

    fn guidance(&mut self, name: &'static str, guidance: f64) {
        if self.once(name, self.names.guidance) {
            self.names.guidance = Some(name);
            self.request.guidance = Some(guidance);
        }
    }

    /// A field of the provider's own body.
    fn option(&mut self, name: &str, value: Value) {
        self.request.options.insert(name.to_owned(), value);
    }

    fn warn(&mut self, field: &'static str, message: &str) {
        self.warnings.push((field, message.to_owned()));
    }

    fn wrong(&mut self, pointer: &str, message: &str, fix: &str) {
        self.found.push(violation(pointer, message, fix));
    }

    fn missing(&mut self, name: &str, why: &str) {
        let message = format!("is missing, since {why}");
        self.wrong(&format!("/{name}"), &message, "give both, or neither");
    }

    /// Whether something is said for the first time; both fields are named if it is not.
    fn once(&mut self, name: &'static str, before: Option<&'static str>) -> bool {
        let Some(before) = before else { return true };
        let message = format!("is given beside `{before}`, which means the same");
        self.wrong(
            &format!("/{name}"),
            &message,
            &format!("give `{before}` or `{name}`, not both"),
        );
        false
    }

    /// The request, with the images that are read now.
    #[expect(clippy::type_complexity, reason = "it is taken apart at once")]
    fn done(
        self,
        lifted: &Lifted,
    ) -> Result<(ImageRequest, Names, Vec<(&'static str, String)>), Vec<Violation>> {
        let Self { mut request, names, warnings, addresses, mask, mut found } = self;
        let mut image = |(pointer, address): (String, String)| match lifted.image(&address) {
            Ok(image) => Some(image),
            Err(err) => {
                let fix = "give an http(s) address, a whole data URI or a file";
                let message = format!("cannot be read: {}", err.message());
                let code = RefusalCode::Unreadable;
                found.push(Violation { code, ..violation(&pointer, &message, fix) });
                None
            }
        };
        let images: Vec<Option<ImageInput>> = addresses.into_iter().map(&mut image).collect();
        request.mask = mask.and_then(&mut image);
        request.images = images.into_iter().flatten().collect();
        if found.is_empty() { Ok((request, names, warnings)) } else { Err(found) }
    }
}

impl Names {
    /// What the caller calls a field of a request, such as `images/2` or `options/quality`, in the way of
    /// OpenAI: `reference_images[2]`.
    pub(crate) fn param(&self, field: &str) -> String {
        let (first, rest) = field.split_once('/').unwrap_or((field, ""));
        let name = match first {
            "images" => self.images.unwrap_or("reference_images"),
            "size" => self.size.unwrap_or("size"),
            "guidance" => self.guidance.unwrap_or("guidance_scale"),
            "count" => "n",
            "select" => "model",
            "options" => return rest.to_owned(),
            other => other,
        };
        let one = matches!(name, "image_url");
        if one { name.to_owned() } else { bracketed(name, rest) }
    }
}

/// A JSON Pointer in the way of OpenAI: `reference_images[2]`, `policy.adapt`.
pub(crate) fn param(pointer: &str) -> String {
    let pointer = pointer.strip_prefix('/').unwrap_or(pointer);
    let (first, rest) = pointer.split_once('/').unwrap_or((pointer, ""));
    bracketed(first, rest)
}

fn bracketed(name: &str, rest: &str) -> String {
    let mut param = unescaped(name);
    for step in rest.split('/').filter(|it| !it.is_empty()) {
        match step.bytes().all(|it| it.is_ascii_digit()) {
            true => param.push_str(&format!("[{step}]")),
            false => param.push_str(&format!(".{}", unescaped(step))),
        }
    }
    param
}

fn unescaped(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use repaint_core::{Dimensions, Ratio};

    use super::*;

    fn understood(body: Value) -> Result<Understood, Vec<Violation>> {
        let body = Bytes::from(body.to_string());
        understand(crate::scan::at_once(&body).expect("JSON"), &Policy::default())
    }

    #[test]
    fn a_caller_may_take_no_more_time_and_money_than_the_gateway_gives() {
        let usd = |it| Some(repaint_core::Usd(it));
        for (own, house, within_both) in [
            ((None, None), (None, None), (None, None)),
            ((Some(9), usd(5)), (None, None), (Some(9), usd(5))),
            ((Some(1_000_000), None), (None, usd(4)), (Some(LONGEST), usd(4))),
            ((None, usd(5)), (Some(30), usd(4)), (Some(30), usd(4))),
            ((Some(9), usd(3)), (Some(30), usd(4)), (Some(9), usd(3))),
            ((Some(9_000), None), (Some(8_000), None), (Some(8_000), None)),
        ] {
            let policy = |(timeout_seconds, max_cost)| Policy {
                timeout_seconds,
                max_cost,
                ..Policy::default()
            };
            assert_eq!(within(policy(own), &policy(house)), policy(within_both));
        }
    }

    fn wrong(body: Value) -> Vec<(String, String)> {
        let found = understood(body).expect_err("it is wrong");
        found.into_iter().map(|it| (param(&it.pointer), it.to_string())).collect()
    }

    #[test]
    fn every_field_of_both_dialects_is_understood() {
        let it = understood(json!({
            "model": "black-forest-labs/FLUX.2-pro", "prompt": "p", "steps": 20, "seed": 0, "n": 2,
            "width": 1024, "height": 768, "negative_prompt": "x", "response_format": "base64",
            "guidance_scale": 3.5, "output_format": "png", "disable_safety_checker": true,
            "reference_images": ["https://a.example/1.png", "https://a.example/2.png"],
            "image_loras": [{ "path": "p", "scale": 1 }], "prompt_upsampling": false,
            "quality": "auto", "background": null, "user": "me", "stream": false,
        }))
        .expect("a body");
        let request = it.job.request;
        assert_eq!((request.images.len(), request.count, request.seed), (2, 2, Some(0)));
        assert_eq!(request.size, Size::Pixels(Dimensions::new(1024, 768)));
        assert_eq!((request.steps, request.guidance), (Some(20), Some(3.5)));
        let options: Vec<&str> = request.options.keys().map(String::as_str).collect();
        assert_eq!(options, ["disable_safety_checker", "image_loras", "prompt_upsampling"]);
        assert_eq!(it.job.select, ["black-forest-labs/FLUX.2-pro"]);
        assert_eq!(it.warnings.len(), 1, "who asks is not sent on");

        let it = understood(json!({
            "model": "auto", "prompt": "p", "size": "16:9", "response_format": "b64_json",
            "images": [{ "image_url": "https://a.example/1.png" }], "quality": "high",
            "mask": { "image_url": "https://a.example/m.png" }, "background": "transparent",
        }))
        .expect("a body");
        assert!(it.job.select.is_empty());
        assert_eq!(it.job.request.size, Size::Ratio(Ratio { width: 16, height: 9 }));
        assert!(it.job.request.mask.is_some());
        assert_eq!(it.job.request.options["quality"], "high");
    }

    #[test]
    fn what_is_said_twice_is_refused_naming_both() {
        for (fields, param, other) in [
            (
                json!({ "image_url": "https://a.example/1.png",
                        "reference_images": ["https://a.example/1.png"] }),
                "reference_images",
                "image_url",
            ),
            (json!({ "width": 512, "height": 512, "size": "512x512" }), "size", "width"),
            (
                json!({ "width": 512, "height": 512, "aspect_ratio": "1:1" }),
                "aspect_ratio",
                "width",
            ),
            (json!({ "guidance": 3, "guidance_scale": 3 }), "guidance", "guidance_scale"),
        ] {
            let mut body = json!({ "model": "m", "prompt": "p" });
            body.as_object_mut()
                .expect("an object")
                .append(&mut fields.as_object().cloned().expect("fields"));
            let found = wrong(body);
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].0, param);
            assert!(found[0].1.contains(other) && found[0].1.contains(param), "{found:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (field, value, param) in [
            ("prompt", json!(""), "prompt"),
            ("model", json!(""), "model"),
            ("n", json!(0), "n"),
            ("n", json!("1"), "n"),
            ("image_url", json!(""), "image_url"),
            ("image_url", json!("/etc/passwd"), "image_url"),
            ("image_url", json!("file:///etc/passwd"), "image_url"),
            ("image_url", json!(["https://a.example/1.png"]), "image_url"),
            ("image_url", json!("data:image/png;base64,!!!!"), "image_url"),
            ("reference_images", json!([]), "reference_images"),
            ("reference_images", json!(["https://a.example/1.png", ""]), "reference_images[1]"),
            ("reference_images", json!("https://a.example/1.png"), "reference_images"),
            ("images", json!([{ "file_id": "file-1" }]), "images[0].image_url"),
            ("image", json!([]), "image"),
            ("width", json!(512), "height"),
            ("height", json!(512), "width"),
            ("aspect_ratio", json!("wide"), "aspect_ratio"),
            ("size", json!("large"), "size"),
            ("response_format", json!("png"), "response_format"),
            ("output_format", json!("gif"), "output_format"),
            ("stream", json!(true), "stream"),
            ("partial_images", json!(2), "partial_images"),
            ("policy", json!({ "adapt": { "images": "drop" } }), "policy.adapt.images"),
        ] {
            let mut body = json!({ "model": "m", "prompt": "p" });
            body[field] = value;
            let found = wrong(body.clone());
            assert!(found.iter().any(|it| it.0 == param), "{body}: {found:?}");
            assert!(found.iter().all(|it| !it.1.ends_with(": ")), "a fix is missing: {found:?}");
        }
        let found = wrong(json!({}));
        assert_eq!(found.iter().map(|it| it.0.as_str()).collect::<Vec<_>>(), ["model", "prompt"]);
    }

    #[test]
    fn a_caller_may_spend_less_than_the_house_allows_and_not_more() {
        let house = Policy { max_cost: Some(repaint_core::Usd(100)), ..Policy::default() };
        for (asked, holds) in [(50, 50), (500, 100)] {
            let body = json!({ "model": "m", "prompt": "p", "policy": { "max_cost": asked } });
            let read = crate::scan::at_once(&Bytes::from(body.to_string())).expect("JSON");
            let it = understand(read, &house).expect("a body");
            assert_eq!(it.job.policy.max_cost, Some(repaint_core::Usd(holds)));
        }
    }
}
