//! Black Forest Labs, from its documents: one path for each model, a ticket, polls, and a picture
//! whose address expires.
//!
//! It shares nothing with the adapters: which path has which fields stands here anew.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use repaint_core::{Bounds, Dimensions, Offer, OutputFormat, Pixels, Ratio, Ratios};
use serde_json::{Map, Value, json};

use crate::emulator::{Case, Desk, Seen};
use crate::fault::{Fault, Stage};
use crate::message::{Incoming, Outgoing};
use crate::offers::{Order, bill, sizes};
use crate::paint::{Composition, thumbnail};
use crate::read::{Input, NoImage, given};
use crate::together::megapixel;

/// The jobs that can still be asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bfl {
    jobs: BTreeMap<String, Job>,
}

#[derive(Clone, Debug)]
struct Job {
    path: String,
    began: Duration,
    ready: Duration,
    prompt: String,
    seed: u64,
    format: OutputFormat,
    /// Nothing in thumbnails.
    composition: Option<Composition>,
    fault: Option<Fault>,
    /// The only host at which it is known, if it was told to be another than that of the order.
    host: Option<String>,
}

/// "Expires in 10 min". ref: docs.bfl.ai/api_integration/integration_guidelines, 2026-11-22
const SIGNED: Duration = Duration::from_secs(600);
/// How long a job is known is documented nowhere.
const KEPT: Duration = Duration::from_secs(3600);
/// ref: "24 in flight for most endpoints, 6 for flux-kontext-max", docs.bfl.ai, 2026-11-22
const IN_FLIGHT: usize = 24;
const IN_FLIGHT_KONTEXT_MAX: usize = 6;
/// "> 4 MP resized to 4 MP". ref: docs.bfl.ai, FLUX.2 image editing, 2026-11-22
const SCALED_TO: u64 = 4 << 20;

/// Which paths have which input images. ref: api.bfl.ai/openapi.json, 2026-11-22
const IMAGES: &[(&str, usize)] =
    &[("flux-kontext-", 4), ("flux-2-klein-", 4), ("flux-2-", 8), ("", 1)];
/// The most that `safety_tolerance` can be.
const TOLERANCE: &[(&str, u64)] = &[("flux-kontext-", 6), ("", 5)];

/// What a path is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Route<'a> {
    Order(&'a str),
    Poll,
    Credits,
    Picture(&'a str),
}

impl<'a> Route<'a> {
    /// With `/v1` or without: what a base address is, is the caller's matter.
    pub(crate) fn of(method: &str, path: &'a str) -> Option<Self> {
        let name = path.strip_prefix("/v1/").or_else(|| path.strip_prefix('/'))?;
        match (method, name) {
            ("GET", "get_result") => Some(Self::Poll),
            ("GET", "credits") => Some(Self::Credits),
            ("GET", _) => name.strip_prefix("delivery/")?.split('/').next().map(Self::Picture),
            ("POST", _) if !name.is_empty() && !name.contains('/') => Some(Self::Order(name)),
            _ => None,
        }
    }

    pub(crate) fn stage(self) -> Stage {
        match self {
            Self::Order(_) => Stage::Order,
            Self::Poll => Stage::Poll,
            Self::Picture(_) => Stage::Download,
            Self::Credits => Stage::Other,
        }
    }
}

/// One entry of the `detail` of a 422.
struct Wrong {
    kind: &'static str,
    field: String,
    message: String,
}

fn wrong(kind: &'static str, field: &str, message: impl Into<String>) -> Wrong {
    Wrong { kind, field: field.to_owned(), message: message.into() }
}

impl Bfl {
    pub(crate) fn handle(
        &mut self,
        route: Route<'_>,
        case: Case<'_>,
        desk: &mut Desk,
        seen: &mut Seen,
    ) -> Outgoing {
        let (incoming, fault, now) = (case.incoming, case.fault, case.now);
        self.jobs.retain(|_, it| now < it.ready + KEPT);
        match route {
            Route::Order(path) => self.order(path, case, desk, seen),
            Route::Poll => {
                let id = incoming.url.query_pairs().find(|(name, _)| name == "id");
                let Some((_, id)) = id else {
                    let missing = json!({ "type": "missing", "loc": ["query", "id"], "msg": "Field required" });
                    return Outgoing::json(422, &json!({ "detail": [missing] }));
                };
                seen.id = Some(id.clone().into_owned());
                self.poll(&id, incoming, fault, now)
            }
            Route::Credits if key(incoming) => Outgoing::json(200, &json!({ "credits": 1000.0 })),
            Route::Credits => unauthenticated(),
            Route::Picture(id) => {
                seen.id = Some(id.to_owned());
                self.picture(id, incoming, fault, now)
            }
        }
    }

    fn order(&mut self, path: &str, case: Case<'_>, desk: &mut Desk, seen: &mut Seen) -> Outgoing {
        let Case { incoming, body, fault, now } = case;
        let offers = Arc::clone(&desk.offers);
        let Some((offer_id, offer)) = offers.named("bfl", path) else { return nowhere() };
        if !key(incoming) {
            return unauthenticated();
        }
        seen.offer = Some(offer_id.to_owned());
        let Ok(body) = body else {
            let entry =
                json!({ "type": "json_invalid", "loc": ["body", 0], "msg": "JSON decode error" });
            return Outgoing::json(422, &json!({ "detail": [entry] }));
        };
        seen.prompt = given(&body, "prompt").and_then(Value::as_str).map(str::to_owned);
        let (asked, all) = Asked::read(path, &body, offer, incoming, !desk.thumbnails);
        seen.images.clone_from(&asked.inputs);
        seen.mask.clone_from(&asked.mask);
        if !all.is_empty() {
            return refusal(&all);
        }
        let max = |path: &str| path == "flux-kontext-max";
        let most = if max(path) { IN_FLIGHT_KONTEXT_MAX } else { IN_FLIGHT };
        let busy = self.jobs.values().filter(|it| now < it.ready && max(&it.path) == max(path));
        if most <= busy.count() {
            return failure(429);
        }
        let inputs: u64 = asked.inputs.iter().map(|it| it.area().min(SCALED_TO)).sum();
        let area = asked.size.area();
        let cost = bill(&offer.price.value, Order { area, inputs, count: 1, steps: asked.steps });
        let id = desk.id();
        (seen.taken, seen.billed_micro_usd, seen.id) = (true, cost, Some(id.clone()));
        let host = (fault == Some(Fault::PollHost)).then(|| another(incoming));
        let polling = match &host {
            None => incoming.back(&format!("/v1/get_result?id={id}")),
            Some(host) => {
                let mut url = incoming.url.clone();
                // A host that cannot stand in an address leaves it as it is.
                let _ = url.set_host(Some(host));
                url.set_path("/v1/get_result");
                url.set_query(Some(&format!("id={id}")));
                url.into()
            }
        };
        let prompt = seen.prompt.clone().unwrap_or_default();
        let composition = (!desk.thumbnails).then(|| asked.composition(path, &prompt));
        let (seed, format) = (asked.seed.unwrap_or(0), asked.format);
        let (path, ready) = (path.to_owned(), now + desk.latency);
        let job = Job { path, began: now, ready, prompt, seed, format, composition, fault, host };
        self.jobs.insert(id.clone(), job);
        let mut ticket = json!({
            "id": id,
            "polling_url": polling,
            "cost": cost.0 as f64 / 10_000.0,
            "input_mp": megapixels(inputs),
            "output_mp": megapixels(area),
        });
        // With a webhook the answer has no polling address; the webhook itself is never called.
        if let (Some(webhook), Some(ticket)) = (given(&body, "webhook_url"), ticket.as_object_mut())
        {
            ticket.shift_remove("polling_url");
            ticket.insert("status".to_owned(), "Pending".into());
            ticket.insert("webhook_url".to_owned(), webhook.clone());
        }
        Outgoing::json(200, &ticket)
    }

    fn poll(&self, id: &str, incoming: &Incoming, fault: Option<Fault>, now: Duration) -> Outgoing {
        let status = |word: &str, result: Value, progress: Value| {
            let answer = json!({
                "id": id, "status": word, "result": result, "progress": progress,
                "details": null, "preview": null,
            });
            Outgoing::json(200, &answer)
        };
        let here =
            |job: &&Job| job.host.as_deref().is_none_or(|it| incoming.url.host_str() == Some(it));
        let job = self.jobs.get(id).filter(here);
        let Some(job) = job.filter(|it| ![fault, it.fault].contains(&Some(Fault::Expired))) else {
            return status("Task not found", Value::Null, Value::Null);
        };
        if job.fault == Some(Fault::ModeratedInput) {
            return status("Request Moderated", Value::Null, Value::Null);
        }
        if now < job.ready {
            let progress = (now - job.began).as_secs_f64() / (job.ready - job.began).as_secs_f64();
            let word = if progress < 0.5 { "Pending" } else { "Generating" };
            return status(word, Value::Null, progress.into());
        }
        if job.fault == Some(Fault::ModeratedOutput) {
            return status("Content Moderated", Value::Null, Value::Null);
        }
        let until = (now + SIGNED).as_millis();
        let extension = extension(job.format);
        let sample = incoming.back(&format!("/delivery/{id}/sample.{extension}?se={until}"));
        let result = json!({
            "sample": sample,
            "prompt": job.prompt,
            "seed": job.seed,
            "start_time": job.began.as_secs_f64(),
            "end_time": job.ready.as_secs_f64(),
            "duration": (job.ready - job.began).as_secs_f64(),
        });
        status("Ready", result, json!(1.0))
    }

    fn picture(
        &self,
        id: &str,
        incoming: &Incoming,
        fault: Option<Fault>,
        now: Duration,
    ) -> Outgoing {
        let until = incoming.url.query_pairs().find(|(name, _)| name == "se");
        let until = until.and_then(|(_, it)| it.parse().ok()).map(Duration::from_millis);
        let job = self.jobs.get(id).filter(|it| ![fault, it.fault].contains(&Some(Fault::Expired)));
        match job.filter(|_| until.is_some_and(|it| now <= it)) {
            None => Outgoing::new(403, "text/plain", "the signed address has expired"),
            Some(Job { composition: None, .. }) => Outgoing::new(200, "image/png", thumbnail()),
            Some(Job { composition: Some(it), format, .. }) => {
                Outgoing::new(200, &format!("image/{}", extension(*format)), it.paint())
            }
        }
    }
}

/// What a body asks for; what is wrong in it stands beside it.
struct Asked {
    inputs: Vec<Input>,
    mask: Option<Input>,
    size: Dimensions,
    seed: Option<u64>,
    steps: Option<u64>,
    format: OutputFormat,
}

impl Asked {
    /// All that is wrong at once, as FastAPI tells it. Unknown names are ignored.
    fn read(
        path: &str,
        body: &Map<String, Value>,
        offer: &Offer,
        incoming: &Incoming,
        pixels: bool,
    ) -> (Self, Vec<Wrong>) {
        let accepts = &offer.accepts;
        let mut all = Vec::new();
        match body.get("prompt") {
            None => all.push(wrong("missing", "prompt", "Field required")),
            Some(Value::String(_)) => {}
            Some(_) => all.push(wrong("string_type", "prompt", "Input should be a valid string")),
        }
        let mut input = |name: String| match given(body, &name) {
            None => None,
            Some(Value::String(text)) => match Input::read(name.clone(), text, incoming, pixels) {
                Ok(input) => Some(input),
                Err(why) => {
                    let message = match why {
                        NoImage::Base64 => "Value error, invalid base64",
                        NoImage::Picture => "Value error, not an image",
                    };
                    all.push(wrong("value_error", &name, message));
                    None
                }
            },
            Some(_) => {
                all.push(wrong("string_type", &name, "Input should be a valid string"));
                None
            }
        };
        let most = of_path(IMAGES, path);
        let names = (1..=most).map(|at| match at {
            1 => "input_image".to_owned(),
            at => format!("input_image_{at}"),
        });
        let inputs: Vec<Input> = names.filter_map(&mut input).collect();
        let mask = if accepts.mask.value { input("mask".to_owned()) } else { None };
        for it in inputs.iter().chain(&mask) {
            all.extend(too_much(it, offer));
        }
        let seed = accepts.seed.value.and_then(|it| whole(body, "seed", it, &mut all));
        let steps = accepts.steps.value.map(|it| Bounds { min: it.min.into(), max: it.max.into() });
        let steps = steps.and_then(|it| whole(body, "steps", it, &mut all));
        whole(body, "safety_tolerance", Bounds { min: 0, max: of_path(TOLERANCE, path) }, &mut all);
        if let (Some(value), Some(bounds)) = (given(body, "guidance"), accepts.guidance.value) {
            match value.as_f64() {
                Some(it) => all.extend(outside("guidance", &it, bounds)),
                None => all.push(wrong("float_type", "guidance", "Input should be a valid number")),
            }
        }
        let formats = &accepts.output_formats.value;
        let format = match given(body, "output_format") {
            None => OutputFormat::Jpeg,
            Some(value) => {
                let asked = formats.iter().find(|it| Some(extension(**it)) == value.as_str());
                if asked.is_none() {
                    let names: Vec<_> =
                        formats.iter().map(|it| format!("'{}'", extension(*it))).collect();
                    let message = format!("Input should be {}", names.join(" or "));
                    all.push(wrong("enum", "output_format", message));
                }
                asked.copied().unwrap_or(OutputFormat::Jpeg)
            }
        };
        let size = size(body, offer, inputs.first(), &mut all);
        if let Some(budget) = accepts.pixel_budget.value {
            let inputs: u64 = inputs.iter().map(|it| it.area().min(budget.input)).sum();
            if budget.total < inputs + size.area() {
                let message =
                    "Value error, input and output together exceed the limit of megapixels";
                all.push(wrong("value_error", "input_image", message));
            }
        }
        (Self { inputs, mask, size, seed, steps, format }, all)
    }

    fn composition(&self, path: &str, prompt: &str) -> Composition {
        let numbered = (1..).zip(&self.inputs).map(|(at, it)| it.tile(format!("{at}")));
        let tiles = numbered.chain(self.mask.iter().map(|it| it.tile("mask"))).collect();
        let seed = self.seed.map_or_else(|| "no seed".to_owned(), |it| format!("seed {it}"));
        let notes = vec![format!("{path}, {seed}")];
        let (size, format) = (self.size, self.format);
        Composition { tiles, prompt: prompt.to_owned(), notes, size, format }
    }
}

/// In pixels where the path takes them, else about a megapixel of the shape that is asked for.
fn size(
    body: &Map<String, Value>,
    offer: &Offer,
    first: Option<&Input>,
    all: &mut Vec<Wrong>,
) -> Dimensions {
    let square = Dimensions::new(1024, 1024);
    let pixels = &offer.accepts.pixels.value;
    if matches!(pixels, Pixels::None) {
        let Some(value) = given(body, "aspect_ratio") else { return square };
        let ratio = value.as_str().and_then(|it| it.parse::<Ratio>().ok());
        return match (ratio, &offer.accepts.ratios.value) {
            (Some(ratio), ratios) if ratios.contains(ratio) => megapixel(ratio, 16),
            (_, Ratios::None) => square,
            (_, ratios) => {
                let message = format!("Value error, aspect ratio must be one of {ratios}");
                all.push(wrong("value_error", "aspect_ratio", message));
                square
            }
        };
    }
    // "Default 0 = match first input".
    let mut side = |name: &str| match given(body, name) {
        None => 0,
        Some(value) => match value.as_u64().and_then(|it| u32::try_from(it).ok()) {
            Some(side) if side == 0 || 64 <= side => side,
            Some(_) => {
                all.push(wrong(
                    "greater_than_equal",
                    name,
                    "Input should be greater than or equal to 64",
                ));
                0
            }
            None => {
                all.push(wrong("int_type", name, "Input should be a valid integer"));
                0
            }
        },
    };
    let (width, height) = (side("width"), side("height"));
    if (width, height) == (0, 0) {
        return first.and_then(|it| it.dimensions).map_or(square, |it| matched(it, pixels));
    }
    let size = Dimensions::new(
        if width == 0 { square.width } else { width },
        if height == 0 { square.height } else { height },
    );
    if pixels.contains(size) {
        return size;
    }
    let message = format!("Value error, width and height must be {}", sizes(pixels));
    all.push(wrong("value_error", "width", message));
    square
}

/// The size of an input, cropped to the step and scaled into the range.
fn matched(input: Dimensions, pixels: &Pixels) -> Dimensions {
    let Pixels::Range { side, step, area } = pixels else { return input };
    let whole = input.area().max(1) as f64;
    let factor = (area.max as f64 / whole).sqrt().min(1.0);
    let fit = |it: u32| {
        let scaled = (f64::from(it) * factor) as u32;
        (scaled / step * step).clamp(side.min, side.max)
    };
    Dimensions::new(fit(input.width), fit(input.height))
}

fn too_much(input: &Input, offer: &Offer) -> Option<Wrong> {
    let accepts = &offer.accepts;
    let value = |message: String| Some(wrong("value_error", &input.field, message));
    if let Some(bytes) = input.bytes.filter(|it| accepts.image_bytes.value < *it) {
        return value(format!(
            "Value error, the image has {bytes} bytes, more than {}",
            accepts.image_bytes.value
        ));
    }
    let size = input.dimensions?;
    let least = accepts.image_side.value;
    if size.width.min(size.height) < least {
        return value(format!("Value error, the image must be at least {least}x{least} pixels"));
    }
    if !accepts.image_pixels.value.contains(&size.area()) {
        return value("Value error, the image has too many pixels".to_owned());
    }
    None
}

fn whole(
    body: &Map<String, Value>,
    name: &str,
    bounds: Bounds<u64>,
    all: &mut Vec<Wrong>,
) -> Option<u64> {
    let value = given(body, name)?;
    let Some(number) = value.as_i64() else {
        all.push(wrong("int_type", name, "Input should be a valid integer"));
        return None;
    };
    let Ok(number) = u64::try_from(number) else {
        let message = format!("Input should be greater than or equal to {}", bounds.min);
        all.push(wrong("greater_than_equal", name, message));
        return None;
    };
    all.extend(outside(name, &number, bounds));
    Some(number)
}

fn outside<T: PartialOrd + std::fmt::Display>(
    name: &str,
    value: &T,
    bounds: Bounds<T>,
) -> Option<Wrong> {
    if *value < bounds.min {
        let message = format!("Input should be greater than or equal to {}", bounds.min);
        return Some(wrong("greater_than_equal", name, message));
    }
    if bounds.max < *value {
        let message = format!("Input should be less than or equal to {}", bounds.max);
        return Some(wrong("less_than_equal", name, message));
    }
    None
}

fn of_path<T: Copy + Default>(table: &[(&str, T)], path: &str) -> T {
    table.iter().find(|it| path.starts_with(it.0)).map(|it| it.1).unwrap_or_default()
}

/// With two decimals.
fn megapixels(pixels: u64) -> f64 {
    (pixels as f64 / 10_000.0).round() / 100.0
}

fn key(incoming: &Incoming) -> bool {
    incoming.header("x-key").is_some_and(|it| !it.trim().is_empty())
}

/// A host that is another, and the emulator all the same: where both names of this machine, or two
/// regions of the provider, lead to it.
fn another(incoming: &Incoming) -> String {
    match incoming.url.host_str().unwrap_or_default() {
        "127.0.0.1" => "localhost".to_owned(),
        "localhost" => "127.0.0.1".to_owned(),
        host if host.ends_with("bfl.ai") => "api.us1.bfl.ai".to_owned(),
        _ => "poll.invalid".to_owned(),
    }
}

fn extension(format: OutputFormat) -> &'static str {
    match format {
        OutputFormat::Png => "png",
        OutputFormat::Jpeg => "jpeg",
        OutputFormat::Webp => "webp",
    }
}

/// ref: FastAPI's body of a 422, api.bfl.ai/openapi.json, 2026-11-22
fn refusal(all: &[Wrong]) -> Outgoing {
    let entries = all.iter().map(|Wrong { kind, field, message }| {
        json!({ "type": kind, "loc": ["body", field], "msg": message })
    });
    Outgoing::json(422, &json!({ "detail": entries.collect::<Vec<_>>() }))
}

fn unauthenticated() -> Outgoing {
    Outgoing::json(403, &json!({ "detail": "Not authenticated" }))
}

pub(crate) fn nowhere() -> Outgoing {
    Outgoing::json(404, &json!({ "detail": "Not Found" }))
}

/// A status in the provider's shape; the words are ours.
pub(crate) fn failure(status: u16) -> Outgoing {
    let words = match status {
        402 => "Insufficient credits",
        429 => "Too many requests",
        503 => "Service unavailable",
        504 => "Gateway timeout",
        _ => "Internal server error",
    };
    Outgoing::json(status, &json!({ "detail": words }))
}
