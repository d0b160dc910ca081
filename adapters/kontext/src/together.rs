//! Kontext at Together: one input image, in `image_url`.

use repaint_core::{
    BODY_BYTES, Capabilities, Date, Fact, Form, IMAGE_BYTES, ImageRequest, Instructions, List,
    Listing, MediaType, Offer, OutputFormat, Owner, Pixels, Price, Ratio, Ratios, Size, Source,
    Text, Transports, Usd, Wire, WireImage, assumed, between, documented, non_null, observed,
};
use repaint_providers::TOGETHER;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

inventory::submit! { Listing::new::<KontextAtTogether>("kontext", &TOGETHER, &[
    Offer::new("kontext-pro", "black-forest-labs/FLUX.1-kontext-pro", EDITS, dollars(40_000)),
    Offer::new("kontext-max", "black-forest-labs/FLUX.1-kontext-max", EDITS, dollars(80_000)),
]) }

const EDITS: Capabilities = Capabilities {
    images: documented(between(0, 1), SEED),
    transports: observed(Transports { url: true, bytes: true }, AI_SDK),
    media_types: assumed(List(&[MediaType::Png, MediaType::Jpeg, MediaType::Webp]), AI_SDK),
    image_bytes: assumed(IMAGE_BYTES, UNSTATED),
    body_bytes: assumed(BODY_BYTES, UNSTATED),
    mask: documented(false, SKILL),
    instructions: documented(Instructions::Any, SKILL),
    ratios: documented(Ratios::Listed(List(&RATIOS)), PARAMETERS),
    // Two pages send 1024x768 and 1536x1024, though the table of parameters says that only ratios are
    // taken; which sides are is said of all models together, and not of this one.
    pixels: assumed(
        Pixels::Range { side: between(256, 1536), step: 8, area: between(1, 1536 * 1536) },
        SEED,
    ),
    count: documented(between(1, 4), PARAMETERS),
    negative_prompt: documented(false, PARAMETERS),
    guidance: documented(None, PARAMETERS),
    // Seen of another model at Together.
    seed: assumed(Some(between(0, 2_147_483_647)), REFUSALS),
    steps: documented(Some(between(1, 50)), PARAMETERS),
    output_formats: documented(List(&[OutputFormat::Jpeg, OutputFormat::Png]), PARAMETERS),
    options: documented(
        List(&[Text("disable_safety_checker"), Text("response_format")]),
        PARAMETERS,
    ),
    ..Capabilities::NONE
};

const RATIOS: [Ratio; 5] =
    [Ratio::new(1, 1), Ratio::new(16, 9), Ratio::new(9, 16), Ratio::new(4, 3), Ratio::new(3, 2)];

/// By the megapixel, and more for more than 28 steps.
const fn dollars(micro: u64) -> Fact<Price> {
    documented(Price::Megapixel { each: Usd(micro), steps: Some(28) }, MODELS)
}

const READ: Date = Date::new(2026, 11, 22);
const SEED: Source = Source::new("docs.together.ai/docs/inference/images/reference-images", READ);
const PARAMETERS: Source = Source::new("docs.together.ai/docs/inference/images/parameters", READ);
const MODELS: Source = Source::new("docs.together.ai/docs/serverless/models", READ);
const SKILL: Source = Source::new(
    "github.com/togethercomputer/skills 665299de, images/api-reference.md",
    Date::new(2026, 10, 7),
);
const UNSTATED: Source = Source::new("stated on no page of Together's: a limit of our own", READ);
const AI_SDK: Source = Source::new(
    "npm @ai-sdk/togetherai 3.0.54 documents data URIs in image_url, and sends them",
    READ,
);
const REFUSALS: Source = Source::new(
    "test files of a third party that quote refusals of Together, 2026-08-19 and 2026-09-06",
    Date::new(2026, 9, 6),
);

/// What Together takes for FLUX.1 Kontext at `POST /v1/images/generations`.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
struct KontextAtTogether {
    /// Which model.
    model: String,
    /// What to draw, or what to change in `image_url`.
    #[schemars(length(min = 1))]
    prompt: String,
    /// The image to edit: an http(s) address or a data URI.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    image_url: Option<WireImage>,
    /// Pixels across; not together with `aspect_ratio`.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    /// Pixels down; not together with `aspect_ratio`.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
    /// Width to height, such as `16:9`; not together with `width` and `height`.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    aspect_ratio: Option<Ratio>,
    /// How many pictures; 1 if absent.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    n: Option<u32>,
    /// Equal seeds give like pictures.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    /// How many denoising steps; 28 if absent.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    steps: Option<u32>,
    /// The file format of the pictures; jpeg if absent.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    output_format: Option<OutputFormat>,
    /// Whether pictures come as addresses or in the answer.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat>,
    /// Turns the safety checker off; it is on if absent.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    disable_safety_checker: Option<bool>,
}

/// Whether pictures come as addresses or in the answer.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "KontextResponseFormat")]
#[serde(rename_all = "lowercase")]
enum ResponseFormat {
    Url,
    Base64,
}

impl Wire for KontextAtTogether {
    const OWNED: &'static [(&'static str, Owner)] = &[
        ("model", Owner::Model),
        ("prompt", Owner::Prompt),
        ("image_url", Owner::Image(0)),
        ("width", Owner::Width),
        ("height", Owner::Height),
        ("aspect_ratio", Owner::Ratio),
        ("n", Owner::Count),
        ("seed", Owner::Seed),
        ("steps", Owner::Steps),
        ("output_format", Owner::OutputFormat),
    ];

    fn from_request(request: &ImageRequest, offer: &Offer) -> Self {
        let ImageRequest {
            prompt,
            images,
            mask: _,
            size,
            count,
            seed,
            negative_prompt: _,
            steps,
            guidance: _,
            output_format,
            options: _,
        } = request;
        let (width, height, aspect_ratio) = match size {
            Size::Auto => (None, None, None),
            Size::Ratio(ratio) => (None, None, Some(*ratio)),
            Size::Pixels(size) => (Some(size.width), Some(size.height), None),
        };
        Self {
            model: offer.name.to_owned(),
            prompt: prompt.clone(),
            image_url: WireImage::all(images, Form::DataUri).next(),
            width,
            height,
            aspect_ratio,
            n: (*count != 1).then_some(*count),
            seed: *seed,
            steps: *steps,
            output_format: *output_format,
            // An address is safe to lose: it can be fetched again, and was paid once.
            response_format: Some(ResponseFormat::Url),
            disable_safety_checker: None,
        }
    }
}
