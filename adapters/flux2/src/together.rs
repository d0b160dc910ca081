//! FLUX.2 at Together: input images in `reference_images`.
//!
//! Together documents `image_url` for one image to [pro] and [flex] too; the list serves all offers
//! and any number of images, so it is what we send. [dev] takes nothing else.

use repaint_core::{
    BODY_BYTES, Capabilities, Date, Fact, Form, IMAGE_BYTES, ImageRequest, Instructions, List,
    Listing, MediaType, Offer, OutputFormat, Owner, Pixels, Price, Ratios, Size, Source, Text,
    Transports, Usd, Wire, WireImage, assumed, between, documented, non_null,
};
use repaint_providers::TOGETHER;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

inventory::submit! { Listing::new::<Flux2AtTogether>("flux2", &TOGETHER, &[
    Offer::new("flux2-pro", "black-forest-labs/FLUX.2-pro", PRO, documented(Price::Megapixel { each: Usd(30_000), steps: None }, MODELS)),
    Offer::new("flux2-flex", "black-forest-labs/FLUX.2-flex", FLEX, dollars(30_000)),
    Offer::new("flux2-dev", "black-forest-labs/FLUX.2-dev", DEV, dollars(15_400)),
]) }

const PRO: Capabilities = Capabilities {
    options: documented(
        List(&[Text("disable_safety_checker"), Text("prompt_upsampling"), Text("response_format")]),
        PARAMETERS,
    ),
    ..COMBINES
};

const FLEX: Capabilities = Capabilities {
    steps: documented(Some(between(1, 50)), PARAMETERS),
    // A quickstart spells it `guidance`; the newer table has the name that we send.
    guidance: assumed(Some(between(1.5, 10.0)), BFL_FLEX),
    options: documented(
        List(&[Text("disable_safety_checker"), Text("response_format")]),
        PARAMETERS,
    ),
    ..COMBINES
};

const DEV: Capabilities = Capabilities {
    options: documented(
        List(&[Text("disable_safety_checker"), Text("image_loras"), Text("response_format")]),
        LORAS,
    ),
    ..FLEX
};

const COMBINES: Capabilities = Capabilities {
    // No page of Together's says how many; Black Forest Labs takes eight itself.
    images: assumed(between(0, 8), EDITING),
    transports: assumed(Transports { url: true, bytes: true }, CLIENTS),
    media_types: assumed(List(&[MediaType::Png, MediaType::Jpeg, MediaType::Webp]), CLIENTS),
    image_bytes: assumed(IMAGE_BYTES, UNSTATED),
    body_bytes: assumed(BODY_BYTES, UNSTATED),
    mask: documented(false, SKILL),
    instructions: documented(Instructions::Any, SKILL),
    ratios: documented(Ratios::None, PARAMETERS),
    // The sides are the quickstart's; the step is that of the page of parameters.
    pixels: documented(
        Pixels::Range { side: between(256, 1920), step: 8, area: between(1, 1920 * 1920) },
        QUICKSTART,
    ),
    count: documented(between(1, 4), PARAMETERS),
    negative_prompt: documented(false, QUICKSTART),
    steps: documented(None, PARAMETERS),
    guidance: documented(None, PARAMETERS),
    // Seen of another model at Together.
    seed: assumed(Some(between(0, 2_147_483_647)), REFUSALS),
    output_formats: documented(List(&[OutputFormat::Jpeg, OutputFormat::Png]), SKILL),
    ..Capabilities::NONE
};

/// By the megapixel, and more for more than the usual steps: no page says how many those are for these
/// models, so it is the default of the schema, 20, which makes the estimate no lower than the bill.
/// Together's own skill says that most of these models are billed by the picture, by an estimate.
const fn dollars(micro: u64) -> Fact<Price> {
    assumed(Price::Megapixel { each: Usd(micro), steps: Some(20) }, MODELS)
}

const READ: Date = Date::new(2026, 11, 22);
const PARAMETERS: Source = Source::new("docs.together.ai/docs/inference/images/parameters", READ);
const QUICKSTART: Source = Source::new("docs.together.ai/docs/quickstart-flux", READ);
const MODELS: Source = Source::new("docs.together.ai/docs/serverless/models", READ);
const EDITING: Source = Source::new("docs.bfl.ai, FLUX.2 image editing", READ);
const BFL_FLEX: Source = Source::new("api.bfl.ai/openapi.json, flux-2-flex", READ);
const CLIENTS: Source = Source::new(
    "npm @ai-sdk/togetherai 3.0.54 and clients on GitHub send data URIs; Together's pages say only \"URL\"",
    READ,
);
const SKILL: Source = Source::new(
    "github.com/togethercomputer/skills 665299de, images/api-reference.md",
    Date::new(2026, 10, 7),
);
const LORAS: Source =
    Source::new("github.com/togethercomputer/skills 644d3822", Date::new(2026, 8, 18));
const UNSTATED: Source = Source::new("stated on no page of Together's: a limit of our own", READ);
const REFUSALS: Source = Source::new(
    "test files of a third party that quote refusals of Together, 2026-08-19 and 2026-09-06",
    Date::new(2026, 9, 6),
);

/// What Together takes for FLUX.2 at `POST /v1/images/generations`.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
struct Flux2AtTogether {
    /// Which model.
    model: String,
    /// What to draw, or what to make of the images, which it may number from 1.
    #[schemars(length(min = 1))]
    prompt: String,
    /// Images to edit or to follow: http(s) addresses or data URIs.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    reference_images: Option<Vec<WireImage>>,
    /// Pixels across; 1024 if absent.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    /// Pixels down; 768 if absent.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
    /// How many pictures; 1 if absent.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    n: Option<u32>,
    /// Equal seeds give like pictures.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    /// How many denoising steps.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    steps: Option<u32>,
    /// How closely to follow the prompt.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    guidance_scale: Option<f64>,
    /// The file format of the pictures; jpeg if absent.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    output_format: Option<OutputFormat>,
    /// Whether pictures come as addresses or in the answer.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat>,
    /// Whether the prompt may be made longer; true if absent.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    prompt_upsampling: Option<bool>,
    /// Turns the safety checker off; it is on if absent.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    disable_safety_checker: Option<bool>,
    /// Styles to apply: at most 2.
    #[schemars(length(min = 1, max = 2))]
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    image_loras: Option<Vec<Lora>>,
}

/// Whether pictures come as addresses or in the answer.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "Flux2ResponseFormat")]
#[serde(rename_all = "lowercase")]
enum ResponseFormat {
    Url,
    Base64,
}

/// A style to apply.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "Flux2Lora")]
#[serde(deny_unknown_fields)]
struct Lora {
    /// Where its weights are.
    #[schemars(length(min = 1))]
    path: String,
    /// How strongly it is applied.
    scale: f64,
}

impl Wire for Flux2AtTogether {
    const OWNED: &'static [(&'static str, Owner)] = &[
        ("model", Owner::Model),
        ("prompt", Owner::Prompt),
        ("reference_images", Owner::Images),
        ("width", Owner::Width),
        ("height", Owner::Height),
        ("n", Owner::Count),
        ("seed", Owner::Seed),
        ("steps", Owner::Steps),
        ("guidance_scale", Owner::Guidance),
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
            guidance,
            output_format,
            options: _,
        } = request;
        let (width, height) = match size {
            Size::Pixels(size) => (Some(size.width), Some(size.height)),
            Size::Auto | Size::Ratio(_) => (None, None),
        };
        let images: Vec<WireImage> = WireImage::all(images, Form::DataUri).collect();
        Self {
            model: offer.name.to_owned(),
            prompt: prompt.clone(),
            reference_images: (!images.is_empty()).then_some(images),
            width,
            height,
            n: (*count != 1).then_some(*count),
            seed: *seed,
            steps: *steps,
            guidance_scale: *guidance,
            output_format: *output_format,
            // An address is safe to lose: it can be fetched again, and was paid once.
            response_format: Some(ResponseFormat::Url),
            prompt_upsampling: None,
            disable_safety_checker: None,
            image_loras: None,
        }
    }
}
