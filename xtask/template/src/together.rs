//! FAMILY at PLACE: input images in `reference_images`.

use repaint_core::{
    BODY_BYTES, Capabilities, Date, Form, IMAGE_BYTES, ImageRequest, Instructions, List, Listing,
    Offer, Owner, Pixels, Price, Ratios, Size, Source, Text, Transports, Usd, Wire, WireImage,
    assumed, between, documented, non_null,
};
use repaint_providers::TOGETHER;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

// A row for each model: its id here (the family, then the variant), and its name at the provider.
inventory::submit! { Listing::new::<FamilyAtTogether>("FAMILY", &TOGETHER, &[
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
    options: documented(List(&[Text("response_format")]), SKILL),
    ..Capabilities::NONE
};

/// So much that a budget refuses it, until the price is looked up.
const DEAR: Usd = Usd(1_000_000);

const UNKNOWN: Source = Source::new("not looked up yet", Date::new(TODAY));
const SKILL: Source = Source::new(
    "github.com/togethercomputer/skills 665299de, images/api-reference.md",
    Date::new(2026, 10, 7),
);

/// What Together takes for FAMILY at `POST /v1/images/generations`.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
struct FamilyAtTogether {
    /// Which model.
    model: String,
    /// What to draw, or what to make of the images.
    #[schemars(length(min = 1))]
    prompt: String,
    /// Images to edit or to follow: http(s) addresses or data URIs.
    // One image goes into `image_url` for some families there: look which this one reads.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    reference_images: Option<Vec<WireImage>>,
    /// Pixels across.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    /// Pixels down.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
    /// Whether pictures come as addresses or in the answer.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat>,
}

/// Whether pictures come as addresses or in the answer.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "FamilyResponseFormat")]
#[serde(rename_all = "lowercase")]
enum ResponseFormat {
    Url,
    Base64,
}

impl Wire for FamilyAtTogether {
    const OWNED: &'static [(&'static str, Owner)] = &[
        ("model", Owner::Model),
        ("prompt", Owner::Prompt),
        ("reference_images", Owner::Images),
        ("width", Owner::Width),
        ("height", Owner::Height),
    ];

    fn from_request(request: &ImageRequest, offer: &Offer) -> Self {
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
            // An address is safe to lose: it can be fetched again, and was paid once.
            response_format: Some(ResponseFormat::Url),
        }
    }
}
