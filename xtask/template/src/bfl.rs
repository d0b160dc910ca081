//! FAMILY at PLACE: one input image, in `input_image`.

use repaint_core::{
    BODY_BYTES, Capabilities, Date, Form, IMAGE_BYTES, ImageRequest, Instructions, List, Listing,
    Offer, Owner, Pixels, Price, Ratio, Ratios, Size, Source, Transports, Usd, Wire, WireImage,
    assumed, between, non_null,
};
use repaint_providers::BFL;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

// A row for each model: its id here (the family, then the variant), and its path at the provider.
inventory::submit! { Listing::new::<FamilyAtBfl>("FAMILY", &BFL, &[
    Offer::new("FAMILY", "FAMILY", EDITS, assumed(Price::Each(DEAR), UNKNOWN)),
]) }

/// What nobody has looked up is refused. Give each fact its source and date, and what it allows.
const EDITS: Capabilities = Capabilities {
    images: assumed(between(0, 0), UNKNOWN),
    transports: assumed(Transports { url: false, bytes: false }, UNKNOWN),
    media_types: assumed(List::EMPTY, UNKNOWN),
    image_bytes: assumed(IMAGE_BYTES, UNKNOWN),
    body_bytes: assumed(BODY_BYTES, UNKNOWN),
    mask: assumed(false, UNKNOWN),
    instructions: assumed(Instructions::Any, UNKNOWN),
    ratios: assumed(Ratios::None, UNKNOWN),
    pixels: assumed(Pixels::None, UNKNOWN),
    count: assumed(between(1, 1), UNKNOWN),
    seed: assumed(None, UNKNOWN),
    negative_prompt: assumed(false, UNKNOWN),
    steps: assumed(None, UNKNOWN),
    guidance: assumed(None, UNKNOWN),
    output_formats: assumed(List::EMPTY, UNKNOWN),
    options: assumed(List::EMPTY, UNKNOWN),
    ..Capabilities::NONE
};

/// So much that a budget refuses it, until the price is looked up.
const DEAR: Usd = Usd(1_000_000);

const UNKNOWN: Source = Source::new("not looked up yet", Date::new(TODAY));

/// What Black Forest Labs takes for FAMILY at `POST /v1/FAMILY`.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
struct FamilyAtBfl {
    /// What to draw, or what to change in `input_image`.
    #[schemars(length(min = 1))]
    prompt: String,
    /// The image to edit: an http(s) address or bare base64.
    // More images go into `input_image_2` and so on, for families that take them.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    input_image: Option<WireImage>,
    /// Width to height.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    aspect_ratio: Option<Ratio>,
}

impl Wire for FamilyAtBfl {
    const OWNED: &'static [(&'static str, Owner)] = &[
        ("prompt", Owner::Prompt),
        ("input_image", Owner::Image(0)),
        ("aspect_ratio", Owner::Ratio),
    ];

    fn from_request(request: &ImageRequest, _: &Offer) -> Self {
        let ImageRequest {
            prompt,
            images,
            mask: _,
            size,
            count: _,
            seed: _,
            negative_prompt: _,
            steps: _,
            guidance: _,
            output_format: _,
            options: _,
        } = request;
        Self {
            prompt: prompt.clone(),
            input_image: WireImage::all(images, Form::Base64).next(),
            aspect_ratio: match size {
                Size::Ratio(ratio) => Some(*ratio),
                Size::Auto | Size::Pixels(_) => None,
            },
        }
    }
}
