//! Together AI, from its documents and what others have met: one path, the pictures in the answer.
//!
//! It shares nothing with the adapters: which field of which model takes images stands here anew.

use std::collections::BTreeMap;
use std::time::Duration;

use repaint_core::{Dimensions, Offer, OutputFormat, Pixels, Ratio, Ratios};
use serde_json::{Map, Value, json};

use crate::emulator::{Case, Desk, Seen};
use crate::fault::{Fault, Stage};
use crate::message::{Incoming, Outgoing};
use crate::offers::{Order, bill, sizes};
use crate::paint::{Composition, thumbnail};
use crate::read::{Input, given};

/// The pictures that can still be fetched.
#[derive(Clone, Debug, Default)]
pub(crate) struct Together {
    pictures: BTreeMap<String, Made>,
}

#[derive(Clone, Debug)]
struct Made {
    /// Nothing in thumbnails.
    composition: Option<Composition>,
    at: Duration,
    gone: bool,
}

/// A picture can be fetched for so long; no document says for how long, others have met an hour.
const KEPT: Duration = Duration::from_secs(3600);

/// What a path is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Route<'a> {
    Order,
    /// A short link.
    Short(&'a str),
    /// What a short link leads to.
    Picture(&'a str),
}

impl<'a> Route<'a> {
    /// With `/v1` once, twice or not at all: its libraries disagree on what a base address is.
    pub(crate) fn of(method: &str, path: &'a str) -> Option<Self> {
        const ORDERS: &[&str] =
            &["/v1/images/generations", "/images/generations", "/v1/v1/images/generations"];
        match method {
            "POST" if ORDERS.contains(&path) => Some(Self::Order),
            "GET" => path
                .strip_prefix("/shrt/")
                .map(Self::Short)
                .or_else(|| path.strip_prefix("/together-images/").map(Self::Picture)),
            _ => None,
        }
    }

    pub(crate) fn stage(self) -> Stage {
        match self {
            Self::Order => Stage::Order,
            Self::Short(_) | Self::Picture(_) => Stage::Download,
        }
    }
}

/// What becomes of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Manner {
    Taken,
    Ignored,
    Refused,
}

/// How the models of these names read their bodies.
struct Reader {
    /// The beginnings of their names.
    names: &'static [&'static str],
    image_url: Manner,
    reference_images: Manner,
    /// A parameter that the model does not take is refused; elsewhere it is ignored.
    strict: bool,
    /// The height of a picture whose size is not named; its width is 1024.
    height: u32,
}

use Manner::{Ignored, Refused, Taken};

/// The first that fits counts.
///
/// ref: docs.together.ai/docs/inference/images/reference-images, 2026-11-22; sizes by its quickstart of
/// FLUX.2, 2026-11-22; refusals by HeyPuter/puter
/// issue 2084 (2025-12-02), vercel/ai issue 15035 (2026-05-05) and third parties' records of 2026-08-19.
const READERS: &[Reader] = &[
    Reader {
        names: &["black-forest-labs/FLUX.1-kontext"],
        image_url: Taken,
        reference_images: Ignored,
        strict: false,
        height: 1024,
    },
    Reader {
        names: &["black-forest-labs/FLUX.2-pro", "black-forest-labs/FLUX.2-flex"],
        image_url: Taken,
        reference_images: Taken,
        strict: true,
        height: 768,
    },
    Reader {
        names: &["black-forest-labs/FLUX.2"],
        image_url: Refused,
        reference_images: Taken,
        strict: true,
        height: 768,
    },
    Reader {
        names: &["google/"],
        image_url: Refused,
        reference_images: Taken,
        strict: true,
        height: 1024,
    },
    Reader {
        names: &["Qwen/Qwen-Image-2.0"],
        image_url: Refused,
        reference_images: Taken,
        strict: true,
        height: 1024,
    },
    // Of others nothing is known.
    Reader {
        names: &[""],
        image_url: Ignored,
        reference_images: Taken,
        strict: false,
        height: 1024,
    },
];

/// A refusal: status, message, and the provider's code.
type No = (u16, String, Option<&'static str>);

fn bad(message: impl Into<String>) -> No {
    (400, message.into(), None)
}

fn unsupported(name: &str) -> No {
    bad(format!(
        "Unsupported use of '{name}' parameter. This parameter is not supported for the selected model."
    ))
}

impl Together {
    pub(crate) fn handle(
        &mut self,
        route: Route<'_>,
        case: Case<'_>,
        desk: &mut Desk,
        seen: &mut Seen,
    ) -> Outgoing {
        let (incoming, fault, now) = (case.incoming, case.fault, case.now);
        self.pictures.retain(|_, it| now < it.at + KEPT);
        match route {
            Route::Order => match self.order(case, desk, seen) {
                Ok(answer) => answer,
                Err((status, message, code)) => refusal(desk, status, &message, code),
            },
            Route::Short(id) => {
                seen.id = Some(id.to_owned());
                match self.pictures.get(id) {
                    Some(made) if !made.gone && fault != Some(Fault::Expired) => {
                        let to = incoming.back(&format!("/together-images/{id}"));
                        Outgoing::new(302, "text/plain", "").with("location", to)
                    }
                    _ => Outgoing::new(404, "text/plain", "404 page not found"),
                }
            }
            Route::Picture(id) => {
                seen.id = Some(id.to_owned());
                // "The CDN rejects requests with a blank User-Agent (HTTP 403)".
                if incoming.header("user-agent").unwrap_or_default().trim().is_empty() {
                    return Outgoing::new(403, "text/plain", "error code: 1010");
                }
                match self.pictures.get(id) {
                    Some(made) if !made.gone && fault != Some(Fault::Expired) => {
                        picture(made.composition.as_ref())
                    }
                    _ => Outgoing::new(404, "text/plain", "404 page not found"),
                }
            }
        }
    }

    fn order(&mut self, case: Case<'_>, desk: &mut Desk, seen: &mut Seen) -> Result<Outgoing, No> {
        let Case { incoming, body, fault, now } = case;
        let bearer = incoming.header("authorization").and_then(|it| it.strip_prefix("Bearer "));
        if bearer.is_none_or(|it| it.trim().is_empty()) {
            let message = "Missing or invalid API key. Please provide it as a bearer token.";
            return Err((401, message.to_owned(), Some("invalid_api_key")));
        }
        let body = body.map_err(|why| bad(format!("Invalid JSON in the request body: {why}")))?;
        let text = |name: &str| given(&body, name).and_then(Value::as_str);
        let offers = std::sync::Arc::clone(&desk.offers);
        let name = text("model").unwrap_or_default();
        let (id, offer) = offers
            .named("together", name)
            .ok_or_else(|| bad("Invalid value for 'model' parameter."))?;
        seen.offer = Some(id.to_owned());
        let reader = READERS.iter().find(|it| it.names.iter().any(|it| name.starts_with(it)));
        let reader = reader.unwrap_or(&READERS[READERS.len() - 1]);
        let prompt = text("prompt").filter(|it| !it.is_empty());
        let prompt = prompt.ok_or_else(|| bad("Invalid value for 'prompt' parameter."))?;
        seen.prompt = Some(prompt.to_owned());
        // One at a time, as it was met: the images, then names, then the seed before the size.
        let inputs = inputs(&body, reader, offer, incoming, !desk.thumbnails)?;
        seen.images.clone_from(&inputs);
        let asked = Asked::read(&body, reader, offer)?;
        if fault == Some(Fault::ModeratedInput) {
            let message = "The request was rejected as a result of the content policy.";
            return Err((400, message.to_owned(), Some("content_policy_violation")));
        }
        if fault == Some(Fault::ModeratedOutput) {
            let message = "The safety checker was triggered by the generated image.";
            return Err((422, message.to_owned(), None));
        }
        let area = asked.size.area();
        let order = Order { area, inputs: 0, count: asked.count, steps: asked.steps };
        seen.taken = true;
        seen.billed_micro_usd = bill(&offer.price.value, order);
        let answer_id = desk.id();
        seen.id = Some(answer_id.clone());
        let tiles: Vec<_> = (1..).zip(&inputs).map(|(at, it)| it.tile(format!("{at}"))).collect();
        let data = (0..asked.count).map(|index| {
            let composition = (!desk.thumbnails).then(|| Composition {
                tiles: tiles.clone(),
                prompt: prompt.to_owned(),
                notes: asked.notes(name, index),
                size: asked.size,
                format: asked.format,
            });
            if asked.base64 {
                let picture = composition.as_ref().map_or_else(thumbnail, Composition::paint);
                let base64 = base64_simd::STANDARD.encode_to_string(&picture);
                return json!({ "index": index, "type": "b64_json", "b64_json": base64 });
            }
            let id = desk.id();
            let url = incoming.back(&format!("/shrt/{id}"));
            let gone = fault == Some(Fault::Expired);
            self.pictures.insert(id, Made { composition, at: now, gone });
            json!({ "index": index, "type": "url", "url": url })
        });
        let data: Vec<Value> = data.collect();
        let answer = json!({ "id": answer_id, "model": name, "object": "list", "data": data });
        Ok(Outgoing::json(200, &answer).after(desk.latency))
    }
}

/// What a body asks for, besides images.
struct Asked {
    size: Dimensions,
    count: u32,
    seed: Option<u64>,
    steps: Option<u64>,
    format: OutputFormat,
    base64: bool,
}

impl Asked {
    fn read(body: &Map<String, Value>, reader: &Reader, offer: &Offer) -> Result<Self, No> {
        let accepts = &offer.accepts;
        let takes = [
            ("negative_prompt", accepts.negative_prompt.value),
            ("seed", accepts.seed.value.is_some()),
            ("steps", accepts.steps.value.is_some()),
            ("guidance_scale", accepts.guidance.value.is_some()),
        ];
        for (name, taken) in takes {
            if given(body, name).is_none() || taken || !reader.strict {
                continue;
            }
            return Err(if name == "negative_prompt" {
                bad(
                    "Invalid parameter detected. The parameter \"'negative_prompt'\" is not recognized or supported.",
                )
            } else {
                unsupported(name)
            });
        }
        let seed = match (given(body, "seed"), accepts.seed.value) {
            (Some(seed), Some(bounds)) => {
                let seed = seed.as_u64().filter(|it| bounds.contains(it));
                Some(seed.ok_or_else(|| {
                    let (min, max) = (bounds.min, bounds.max);
                    bad(format!(
                        "Invalid value for 'seed' parameter. Seed must be an integer value between {min} and {max}. Default: Random."
                    ))
                })?)
            }
            _ => None,
        };
        let number = |name: &str, least: u64, most: u64| match given(body, name) {
            None => Ok(None),
            Some(value) => {
                let value = value.as_u64().filter(|it| (least..=most).contains(it));
                let no = || {
                    bad(format!(
                        "Invalid value for '{name}' parameter. It must be an integer value between {least} and {most}."
                    ))
                };
                value.map(Some).ok_or_else(no)
            }
        };
        let count = accepts.count.value;
        let count = number("n", count.min.into(), count.max.into())?.unwrap_or(1);
        let steps = match accepts.steps.value {
            Some(steps) => number("steps", steps.min.into(), steps.max.into())?,
            None => None,
        };
        if let (Some(value), Some(bounds)) = (given(body, "guidance_scale"), accepts.guidance.value)
            && !value.as_f64().is_some_and(|it| bounds.contains(&it))
        {
            return Err(bad(format!(
                "Invalid value for 'guidance_scale' parameter. It must be between {} and {}.",
                bounds.min, bounds.max
            )));
        }
        let format = match given(body, "output_format").map(|it| it.as_str().unwrap_or_default()) {
            None | Some("jpeg") => OutputFormat::Jpeg,
            Some("png") => OutputFormat::Png,
            Some(_) => {
                return Err(bad(
                    "Invalid value for 'output_format' parameter. Supported values are: 'jpeg', 'png'.",
                ));
            }
        };
        // "b64_json" is OpenAI's word; whether Together takes it is not known.
        let base64 = given(body, "response_format").and_then(Value::as_str);
        let base64 = matches!(base64, Some("base64" | "b64_json"));
        let size = size(body, reader, offer)?;
        Ok(Self { size, count: count.try_into().unwrap_or(1), seed, steps, format, base64 })
    }

    fn notes(&self, model: &str, index: u32) -> Vec<String> {
        let seed = self.seed.map_or_else(|| "no seed".to_owned(), |it| format!("seed {it}"));
        vec![format!("{model}, {seed}, picture {} of {}", index + 1, self.count)]
    }
}

/// Whoever names only one side gets the usual other one.
fn size(body: &Map<String, Value>, reader: &Reader, offer: &Offer) -> Result<Dimensions, No> {
    let pixels = &offer.accepts.pixels.value;
    if let (Some(ratio), Ratios::Listed(ratios)) =
        (given(body, "aspect_ratio"), &offer.accepts.ratios.value)
    {
        let ratio = ratio.as_str().and_then(|it| it.parse::<Ratio>().ok());
        let ratio = ratio.filter(|it| ratios.contains(it)).ok_or_else(|| {
            let all: Vec<String> = ratios.iter().map(|it| format!("'{it}'")).collect();
            bad(format!(
                "Invalid value for 'aspect_ratio' parameter. Supported values are: {}.",
                all.join(", ")
            ))
        })?;
        return Ok(megapixel(ratio, 8));
    }
    let usual = Dimensions::new(1024, reader.height);
    if matches!(pixels, Pixels::None) {
        return Ok(usual);
    }
    let side = |name: &str, usual: u32| match given(body, name) {
        None => Ok(usual),
        Some(value) => {
            let side = value.as_u64().and_then(|it| u32::try_from(it).ok());
            side.ok_or_else(|| bad(format!("Invalid value for '{name}' parameter.")))
        }
    };
    let size = Dimensions::new(side("width", usual.width)?, side("height", usual.height)?);
    let said = given(body, "width").is_some() || given(body, "height").is_some();
    if !said || pixels.contains(size) {
        return Ok(size);
    }
    Err(bad(match pixels {
        Pixels::Listed(_) => format!(
            "Unsupported use of width/height parameters. The specified dimensions are not supported for the selected model. Supported values are: {}.",
            sizes(pixels)
        ),
        Pixels::Range { .. } | Pixels::None => {
            format!("Invalid dimensions. The selected model supports {}.", sizes(pixels))
        }
    }))
}

/// About a megapixel of this shape, its sides multiples of `step`.
pub(crate) fn megapixel(ratio: Ratio, step: u32) -> Dimensions {
    let factor = (1_048_576.0 / f64::from(ratio.width) / f64::from(ratio.height)).sqrt();
    let side = |it: u16| ((f64::from(it) * factor / f64::from(step)).round() as u32).max(1) * step;
    Dimensions::new(side(ratio.width), side(ratio.height))
}

fn inputs(
    body: &Map<String, Value>,
    reader: &Reader,
    offer: &Offer,
    incoming: &Incoming,
    pixels: bool,
) -> Result<Vec<Input>, No> {
    let mut texts = Vec::new();
    for (name, manner) in
        [("image_url", reader.image_url), ("reference_images", reader.reference_images)]
    {
        match (given(body, name), manner) {
            (None, _) | (Some(_), Ignored) => {}
            (Some(_), Refused) => return Err(unsupported(name)),
            (Some(Value::String(text)), Taken) if name == "image_url" => {
                texts.push((name.to_owned(), text));
            }
            (Some(Value::Array(items)), Taken) if name == "reference_images" => {
                for (index, item) in items.iter().enumerate() {
                    let Value::String(text) = item else { return Err(not_taken(name)) };
                    texts.push((format!("{name}[{index}]"), text));
                }
            }
            (Some(_), Taken) => return Err(not_taken(name)),
        }
    }
    let most = offer.accepts.images.value.max as usize;
    if most < texts.len() {
        let name = texts[0].0.split('[').next().unwrap_or_default();
        return Err(if most == 0 && reader.strict {
            unsupported(name)
        } else {
            bad(format!(
                "Invalid value for '{name}' parameter. At most {most} images are supported for the selected model."
            ))
        });
    }
    let read = texts.into_iter().map(|(field, text)| {
        let name = field.split('[').next().unwrap_or_default().to_owned();
        let input = Input::read(field, text, incoming, pixels).map_err(|_| not_taken(&name))?;
        // The text says only "URL"; that bare base64 is none is our reading.
        if input.kind == "base64" { Err(not_taken(&name)) } else { Ok(input) }
    });
    read.collect()
}

fn not_taken(name: &str) -> No {
    bad(format!("Invalid value for '{name}' parameter. It must be a valid image URL."))
}

fn picture(composition: Option<&Composition>) -> Outgoing {
    let Some(composition) = composition else {
        return Outgoing::new(200, "image/png", thumbnail());
    };
    let kind = match composition.format {
        OutputFormat::Png => "image/png",
        OutputFormat::Jpeg => "image/jpeg",
        OutputFormat::Webp => "image/webp",
    };
    Outgoing::new(200, kind, composition.paint())
}

/// A status in the provider's shape. The words of 429 are its own, those of 402 and 5xx are ours.
pub(crate) fn failure(desk: &mut Desk, status: u16) -> Outgoing {
    let (message, kind, code) = match status {
        402 => (
            "Credit limit exceeded, please add credits to your account.",
            "credit_limit",
            Some("credit_limit"),
        ),
        429 => (
            "Too many requests in a short window. Our rate limits are dynamic - they shift with live model capacity and your traffic shape, so steady traffic and exponential back-off help.",
            "dynamic_request_limited",
            None,
        ),
        503 => (
            "The engine is currently overloaded. Please try again later.",
            "service_unavailable",
            None,
        ),
        _ => ("Internal server error.", "server_error", None),
    };
    envelope(desk, status, message, kind, code)
}

fn refusal(desk: &mut Desk, status: u16, message: &str, code: Option<&str>) -> Outgoing {
    envelope(desk, status, message, "invalid_request_error", code)
}

/// ref: `ErrorData` of the OpenAPI document of 2026-04-28, and the `id` that live bodies add
fn envelope(
    desk: &mut Desk,
    status: u16,
    message: &str,
    kind: &str,
    code: Option<&str>,
) -> Outgoing {
    let error = json!({ "message": message, "type": kind, "param": null, "code": code });
    Outgoing::json(status, &json!({ "id": desk.id(), "error": error }))
}
