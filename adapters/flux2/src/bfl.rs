//! FLUX.2 at Black Forest Labs: input images in `input_image`, `input_image_2` … `_8`.

use repaint_core::{
    BODY_BYTES, Capabilities, Date, Fact, Form, ImageRequest, Instructions, List, Listing,
    MediaType, Offer, OutputFormat, Owner, PixelBudget, Pixels, Price, Ratios, Size, Source, Text,
    Transports, Usd, Wire, WireImage, assumed, between, documented, non_null,
};
use repaint_providers::BFL;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

inventory::submit! { Listing::new::<Flux2AtBfl>("flux2", &BFL, &[
    Offer::new("flux2-pro", "flux-2-pro", PRO, dollars(30_000, 15_000)).limited(IN_FLIGHT),
    Offer::new("flux2-max", "flux-2-max", MAX, dollars(70_000, 30_000)).limited(IN_FLIGHT),
    Offer::new("flux2-flex", "flux-2-flex", FLEX, dollars(60_000, 60_000)).limited(IN_FLIGHT),
    Offer::new("flux2-klein", "flux-2-klein-9b", KLEIN, dollars(15_000, 2_000)).limited(IN_FLIGHT),
]) }

const PRO: Capabilities = Capabilities {
    // 9 MP are documented; "at 1 MP out, 8 references" makes a megapixel 1024 by 1024, as we read it.
    pixel_budget: assumed(Some(PixelBudget { total: 9 << 20, input: 4 << 20 }), MULTI),
    ..MAX
};

const MAX: Capabilities = Capabilities {
    options: documented(List(&[Text("disable_pup"), Text("safety_tolerance")]), OPENAPI),
    ..COMBINES
};

const FLEX: Capabilities = Capabilities {
    steps: documented(Some(between(1, 50)), OPENAPI),
    guidance: documented(Some(between(1.5, 10.0)), OPENAPI),
    options: documented(List(&[Text("prompt_upsampling"), Text("safety_tolerance")]), OPENAPI),
    ..COMBINES
};

const KLEIN: Capabilities = Capabilities { images: documented(between(0, 4), EDITING), ..COMBINES };

const COMBINES: Capabilities = Capabilities {
    images: documented(between(0, 8), EDITING),
    transports: documented(Transports { url: true, bytes: true }, OPENAPI),
    media_types: assumed(List(&[MediaType::Png, MediaType::Jpeg, MediaType::Webp]), EDITING),
    image_bytes: documented(20_000_000, EDITING),
    image_pixels: documented(between(1, 20_000_000), EDITING),
    image_side: documented(64, EDITING),
    body_bytes: assumed(BODY_BYTES, UNSTATED),
    mask: documented(false, OPENAPI),
    instructions: documented(Instructions::Any, OPENAPI),
    ratios: documented(Ratios::None, OPENAPI),
    // Sides beyond 2048 are documented nowhere, but are not ruled out either.
    pixels: assumed(
        Pixels::Range { side: between(64, 2048), step: 16, area: between(1, 4 << 20) },
        EDITING,
    ),
    count: documented(between(1, 1), OPENAPI),
    seed: assumed(Some(between(0, 2_147_483_647)), OPENAPI),
    negative_prompt: documented(false, OPENAPI),
    steps: documented(None, OPENAPI),
    guidance: documented(None, OPENAPI),
    output_formats: documented(List(&[OutputFormat::Jpeg, OutputFormat::Png]), OPENAPI),
    options: documented(List(&[Text("safety_tolerance")]), OPENAPI),
    ..Capabilities::NONE
};

/// The first megapixel, then each of picture and inputs.
const fn dollars(first: u64, further: u64) -> Fact<Price> {
    let (first, further) = (Usd(first), Usd(further));
    documented(Price::FirstMegapixel { first, further, input: further }, PRICES)
}

/// The provider's limit, of whichever model.
const IN_FLIGHT: Fact<u32> = documented(24, LIMITS);

const READ: Date = Date::new(2026, 11, 22);
const OPENAPI: Source = Source::new("api.bfl.ai/openapi.json, flux-2-flex", READ);
const EDITING: Source = Source::new("docs.bfl.ai, FLUX.2 image editing", READ);
const MULTI: Source = Source::new("docs.bfl.ai, prompting_editing_multi_reference", READ);
const LIMITS: Source = Source::new("github.com/black-forest-labs/skills d0793c8, bfl-api", READ);
const UNSTATED: Source = Source::new("stated on no page of BFL's: a limit of our own", READ);
const PRICES: Source = Source::new("docs.bfl.ai/quick_start/pricing", READ);

/// What Black Forest Labs takes at `POST /v1/flux-2-pro`, `-max`, `-flex` and `-klein-9b`.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
struct Flux2AtBfl {
    /// What to draw, or what to make of the images, which it may number from 1.
    #[schemars(length(min = 1))]
    prompt: String,
    /// The first image: an http(s) address or bare base64.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    input_image: Option<WireImage>,
    /// The second image.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    input_image_2: Option<WireImage>,
    /// The third image.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    input_image_3: Option<WireImage>,
    /// The fourth image.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    input_image_4: Option<WireImage>,
    /// The fifth image.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    input_image_5: Option<WireImage>,
    /// The sixth image.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    input_image_6: Option<WireImage>,
    /// The seventh image.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    input_image_7: Option<WireImage>,
    /// The eighth image.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    input_image_8: Option<WireImage>,
    /// Pixels across; those of the first image if absent.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    /// Pixels down; those of the first image if absent.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
    /// Equal seeds give like pictures.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    /// How many denoising steps; 50 if absent.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    steps: Option<u32>,
    /// How closely to follow the prompt; 5 if absent.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    guidance: Option<f64>,
    /// How much moderation lets pass: 0 is strictest; 2 if absent.
    #[schemars(range(max = 5))]
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    safety_tolerance: Option<u8>,
    /// Whether the prompt may be made longer; true if absent.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    prompt_upsampling: Option<bool>,
    /// Turns off that prompts are made longer; false if absent.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    disable_pup: Option<bool>,
    /// The file format of the picture; jpeg if absent.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    output_format: Option<OutputFormat>,
}

impl Wire for Flux2AtBfl {
    const OWNED: &'static [(&'static str, Owner)] = &[
        ("prompt", Owner::Prompt),
        ("input_image", Owner::Image(0)),
        ("input_image_2", Owner::Image(1)),
        ("input_image_3", Owner::Image(2)),
        ("input_image_4", Owner::Image(3)),
        ("input_image_5", Owner::Image(4)),
        ("input_image_6", Owner::Image(5)),
        ("input_image_7", Owner::Image(6)),
        ("input_image_8", Owner::Image(7)),
        ("width", Owner::Width),
        ("height", Owner::Height),
        ("seed", Owner::Seed),
        ("steps", Owner::Steps),
        ("guidance", Owner::Guidance),
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
            steps,
            guidance,
            output_format,
            options: _,
        } = request;
        let (width, height) = match size {
            Size::Pixels(size) => (Some(size.width), Some(size.height)),
            Size::Auto | Size::Ratio(_) => (None, None),
        };
        let mut images = WireImage::all(images, Form::Base64);
        Self {
            prompt: prompt.clone(),
            input_image: images.next(),
            input_image_2: images.next(),
            input_image_3: images.next(),
            input_image_4: images.next(),
            input_image_5: images.next(),
            input_image_6: images.next(),
            input_image_7: images.next(),
            input_image_8: images.next(),
            width,
            height,
            seed: *seed,
            steps: *steps,
            guidance: *guidance,
            safety_tolerance: None,
            prompt_upsampling: None,
            disable_pup: None,
            output_format: *output_format,
        }
    }
}
