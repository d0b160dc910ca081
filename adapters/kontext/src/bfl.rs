//! Kontext at Black Forest Labs: one input image, in `input_image`.

use repaint_core::{
    BODY_BYTES, Capabilities, Date, Fact, Form, ImageRequest, Instructions, List, Listing,
    MediaType, Offer, OutputFormat, Owner, Pixels, Price, Ratio, Ratios, Size, Source, Text,
    Transports, Usd, Wire, WireImage, assumed, between, documented, non_null,
};
use repaint_providers::BFL;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

inventory::submit! { Listing::new::<KontextAtBfl>("kontext", &BFL, &[
    Offer::new("kontext-pro", "flux-kontext-pro", EDITS, dollars(40_000))
        .limited(documented(24, LIMITS)),
    Offer::new("kontext-max", "flux-kontext-max", EDITS, dollars(80_000))
        .limited(documented(6, LIMITS)),
]) }

/// The schema has three more images as "experimental multiref"; the guide documents one.
const EDITS: Capabilities = Capabilities {
    images: documented(between(0, 1), EDITING),
    transports: documented(Transports { url: true, bytes: true }, OPENAPI),
    media_types: assumed(List(&[MediaType::Png, MediaType::Jpeg, MediaType::Webp]), EDITING),
    image_bytes: documented(20_000_000, EDITING),
    image_pixels: documented(between(1, 20_000_000), EDITING),
    body_bytes: assumed(BODY_BYTES, UNSTATED),
    mask: documented(false, OPENAPI),
    instructions: documented(Instructions::Any, OPENAPI),
    // BFL's own SDK refuses less than 256 pixels.
    image_side: assumed(256, SDK),
    ratios: documented(
        Ratios::Between { tallest: Ratio::new(9, 21), flattest: Ratio::new(21, 9) },
        OPENAPI,
    ),
    pixels: documented(Pixels::None, OPENAPI),
    count: documented(between(1, 1), OPENAPI),
    seed: assumed(Some(between(0, 2_147_483_647)), OPENAPI),
    negative_prompt: documented(false, OPENAPI),
    steps: documented(None, OPENAPI),
    guidance: documented(None, OPENAPI),
    output_formats: documented(List(&[OutputFormat::Jpeg, OutputFormat::Png]), OPENAPI),
    options: documented(List(&[Text("prompt_upsampling"), Text("safety_tolerance")]), OPENAPI),
    ..Capabilities::NONE
};

const fn dollars(micro: u64) -> Fact<Price> {
    documented(Price::Each(Usd(micro)), PRICES)
}

const READ: Date = Date::new(2026, 11, 22);
const OPENAPI: Source = Source::new("api.bfl.ai/openapi.json, flux-kontext-max", READ);
const EDITING: Source = Source::new("docs.bfl.ai, Kontext image editing", READ);
const PRICES: Source = Source::new("docs.bfl.ai/quick_start/pricing", READ);
const UNSTATED: Source = Source::new("stated on no page of BFL's: a limit of our own", READ);
const LIMITS: Source = Source::new("github.com/black-forest-labs/skills d0793c8, bfl-api", READ);
const SDK: Source = Source::new("github.com/black-forest-labs/blackforest b3c596d", READ);

/// What Black Forest Labs takes at `POST /v1/flux-kontext-pro` and `-max`.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
struct KontextAtBfl {
    /// What to draw, or what to change in `input_image`.
    #[schemars(length(min = 1))]
    prompt: String,
    /// The image to edit: an http(s) address or bare base64.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    input_image: Option<WireImage>,
    /// Width to height, from `9:21` to `21:9`; the picture has about one megapixel.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    aspect_ratio: Option<Ratio>,
    /// Equal seeds give like pictures.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    /// Whether the prompt may be made longer; false if absent.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    prompt_upsampling: Option<bool>,
    /// How much moderation lets pass: 0 is strictest; 2 if absent, and the most for an edit.
    #[schemars(range(max = 2))]
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    safety_tolerance: Option<u8>,
    /// The file format of the picture.
    output_format: OutputFormat,
}

impl Wire for KontextAtBfl {
    const OWNED: &'static [(&'static str, Owner)] = &[
        ("prompt", Owner::Prompt),
        ("input_image", Owner::Image(0)),
        ("aspect_ratio", Owner::Ratio),
        ("seed", Owner::Seed),
        ("output_format", Owner::OutputFormat),
    ];

    fn from_request(request: &ImageRequest, _: &Offer) -> Self {
        let ImageRequest {
            prompt,
            images,
            mask: _,
            size,
            count: _,
            seed,
            negative_prompt: _,
            steps: _,
            guidance: _,
            output_format,
            options: _,
        } = request;
        let aspect_ratio = match size {
            Size::Ratio(ratio) => Some(*ratio),
            Size::Auto | Size::Pixels(_) => None,
        };
        Self {
            prompt: prompt.clone(),
            input_image: WireImage::all(images, Form::Base64).next(),
            aspect_ratio,
            seed: *seed,
            prompt_upsampling: None,
            safety_tolerance: None,
            // Schema and guide differ on the default (png, jpeg), so it is always said.
            output_format: output_format.unwrap_or(OutputFormat::Png),
        }
    }
}
