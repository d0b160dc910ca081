//! Qwen-Image at Together: no input images, until somebody shows in which field they go.

use repaint_core::{
    BODY_BYTES, Capabilities, Date, Dimensions, Fact, Form, ImageRequest, Instructions, List,
    Listing, Offer, Owner, Pixels, Price, Ratios, Size, Source, Text, Transports, Usd, Wire,
    WireImage, assumed, between, documented, non_null, observed,
};
use repaint_providers::TOGETHER;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

inventory::submit! { Listing::new::<QwenImageAtTogether>("qwen-image", &TOGETHER, &[
    Offer::new("qwen-image-2.0", "Qwen/Qwen-Image-2.0", DRAWS, dollars(35_000)),
    Offer::new("qwen-image-2.0-pro", "Qwen/Qwen-Image-2.0-Pro", PRO, dollars(75_000)),
]) }

/// That steps are refused was seen of the other one.
const PRO: Capabilities = Capabilities { steps: assumed(None, REFUSAL), ..DRAWS };

/// It edits up to three images where Alibaba hosts it. Together lists the models that take images, and
/// these are not among them: an image in the wrong field would be ignored, and the picture charged.
const DRAWS: Capabilities = Capabilities {
    images: assumed(between(0, 0), SEED),
    transports: assumed(Transports { url: false, bytes: false }, SEED),
    body_bytes: assumed(BODY_BYTES, UNSTATED),
    mask: documented(false, SKILL),
    instructions: documented(Instructions::Any, SKILL),
    ratios: documented(Ratios::None, SKILL),
    // The default of the endpoint; that other sizes are taken, nobody says.
    pixels: assumed(Pixels::Listed(List(SQUARE)), SKILL),
    // These are fields of the endpoint; but so are steps, which are refused.
    count: assumed(between(1, 1), SKILL),
    seed: assumed(None, SKILL),
    negative_prompt: assumed(false, SKILL),
    steps: observed(None, REFUSAL),
    guidance: assumed(None, SKILL),
    output_formats: assumed(List::EMPTY, SKILL),
    options: documented(List(&[Text("response_format")]), SKILL),
    ..Capabilities::NONE
};

const SQUARE: &[Dimensions] = &[Dimensions::new(1024, 1024)];

/// The column is headed "Price per MP"; another page says that such models are billed by the picture.
const fn dollars(micro: u64) -> Fact<Price> {
    documented(Price::Megapixel { each: Usd(micro), steps: None }, MODELS)
}

const READ: Date = Date::new(2026, 11, 22);
const MODELS: Source = Source::new("docs.together.ai/docs/serverless/models", READ);
const SEED: Source = Source::new("docs.together.ai/docs/inference/images/reference-images", READ);
const REFUSAL: Source = Source::new(
    "a third party's client, which quotes a live refusal of `steps` by Qwen-Image-2.0",
    Date::new(2026, 11, 24),
);
const SKILL: Source = Source::new(
    "github.com/togethercomputer/skills 665299de, images/api-reference.md",
    Date::new(2026, 10, 7),
);
const UNSTATED: Source = Source::new("stated on no page of Together's: a limit of our own", READ);

/// What Together takes for Qwen-Image at `POST /v1/images/generations`.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
struct QwenImageAtTogether {
    /// Which model.
    model: String,
    /// What to draw, or what to make of the images.
    #[schemars(length(min = 1))]
    prompt: String,
    /// Images to edit or to follow: http(s) addresses or data URIs.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    reference_images: Option<Vec<WireImage>>,
    /// Pixels across; with `height` one of the listed sizes.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    /// Pixels down; with `width` one of the listed sizes.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
    /// Whether pictures come as addresses or in the answer.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat>,
}

/// Whether pictures come as addresses or in the answer.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "QwenImageResponseFormat")]
#[serde(rename_all = "lowercase")]
enum ResponseFormat {
    Url,
    Base64,
}

impl Wire for QwenImageAtTogether {
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
