//! Gemini at Together: input images in `reference_images`, sizes from a list.

use repaint_core::{
    BODY_BYTES, Capabilities, Date, Dimensions, Form, IMAGE_BYTES, ImageRequest, Instructions,
    List, Listing, MediaType, Offer, Owner, Pixels, Price, Ratios, Size, SizePrice, Source, Text,
    Transports, Usd, Wire, WireImage, assumed, between, documented, non_null, observed,
};
use repaint_providers::TOGETHER;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

inventory::submit! { Listing::new::<GeminiAtTogether>("gemini", &TOGETHER, &[
    Offer::new(
        "gemini-3-pro-image",
        "google/gemini-3-pro-image",
        PRO,
        documented(Price::BySize(List(&[
            SizePrice { area: 5_000_000, each: Usd(134_000) },
            SizePrice { area: 18_000_000, each: Usd(240_000) },
        ])), MODELS),
    ),
    Offer::new(
        "gemini-2.5-flash-image",
        "google/flash-image-2.5",
        FLASH,
        // The column is headed "Price per MP"; another page says that such models are billed by the picture.
        documented(Price::Megapixel { each: Usd(39_000), steps: None }, MODELS),
    ),
]) }

const PRO: Capabilities = Capabilities {
    images: assumed(between(0, 14), GOOGLE),
    pixels: documented(Pixels::Listed(List(PRO_SIZES)), MODELS),
    seed: observed(None, REFUSALS),
    steps: observed(None, REFUSALS),
    ..COMBINES
};

const FLASH: Capabilities = Capabilities {
    images: assumed(between(0, 3), GOOGLE),
    // A client has these in a table; nobody says that they were tried.
    pixels: assumed(Pixels::Listed(List(FLASH_SIZES)), CLIENT),
    ..COMBINES
};

/// Seed and steps were seen refused of gemini-3-pro-image only; one picture a call: Google takes no count.
const COMBINES: Capabilities = Capabilities {
    transports: assumed(Transports { url: true, bytes: true }, CLIENTS),
    media_types: assumed(List(&[MediaType::Png, MediaType::Jpeg, MediaType::Webp]), CLIENTS),
    image_bytes: assumed(IMAGE_BYTES, UNSTATED),
    body_bytes: assumed(BODY_BYTES, UNSTATED),
    mask: documented(false, SKILL),
    instructions: documented(Instructions::Any, SKILL),
    ratios: documented(Ratios::None, SKILL),
    count: assumed(between(1, 1), GOOGLE),
    seed: assumed(None, REFUSALS),
    negative_prompt: documented(false, SKILL),
    steps: assumed(None, REFUSALS),
    guidance: documented(None, SKILL),
    // Of these models, two pages of Together's point to each other.
    output_formats: assumed(List::EMPTY, SKILL),
    options: documented(List(&[Text("response_format")]), SKILL),
    ..Capabilities::NONE
};

/// In one place two pages differ on the 1K size of 21:9 (1548x672, 1584x672) and on two of 4K: these
/// are left out.
const PRO_SIZES: &[Dimensions] = &[
    Dimensions::new(1024, 1024),
    Dimensions::new(1264, 848),
    Dimensions::new(848, 1264),
    Dimensions::new(1200, 896),
    Dimensions::new(896, 1200),
    Dimensions::new(928, 1152),
    Dimensions::new(1152, 928),
    Dimensions::new(768, 1376),
    Dimensions::new(1376, 768),
    Dimensions::new(2048, 2048),
    Dimensions::new(2528, 1696),
    Dimensions::new(1696, 2528),
    Dimensions::new(2400, 1792),
    Dimensions::new(1792, 2400),
    Dimensions::new(1856, 2304),
    Dimensions::new(2304, 1856),
    Dimensions::new(1536, 2752),
    Dimensions::new(2752, 1536),
    Dimensions::new(3168, 1344),
    Dimensions::new(4096, 4096),
    Dimensions::new(4800, 3584),
    Dimensions::new(3584, 4800),
    Dimensions::new(3712, 4608),
    Dimensions::new(4608, 3712),
    Dimensions::new(3072, 5504),
    Dimensions::new(5504, 3072),
    Dimensions::new(6336, 2688),
];

const FLASH_SIZES: &[Dimensions] = &[
    Dimensions::new(1024, 1024),
    Dimensions::new(1248, 832),
    Dimensions::new(832, 1248),
    Dimensions::new(1184, 864),
    Dimensions::new(864, 1184),
    Dimensions::new(896, 1152),
    Dimensions::new(1152, 896),
    Dimensions::new(768, 1344),
    Dimensions::new(1344, 768),
    Dimensions::new(1536, 672),
    Dimensions::new(672, 1536),
];

const READ: Date = Date::new(2026, 11, 22);
const MODELS: Source = Source::new("docs.together.ai/docs/serverless/models", READ);
const CLIENTS: Source = Source::new(
    "npm @ai-sdk/togetherai 3.0.54 and clients on GitHub send data URIs; Together's pages say only \"URL\"",
    READ,
);
const CLIENT: Source = Source::new("github.com/HeyPuter/puter 8307e8c9, its table of sizes", READ);
const REFUSALS: Source = Source::new("github.com/vercel/ai issue 15035", Date::new(2026, 5, 5));
const GOOGLE: Source = Source::new("ai.google.dev, image generation: Google's own limits", READ);
const SKILL: Source = Source::new(
    "github.com/togethercomputer/skills 665299de, images/api-reference.md",
    Date::new(2026, 10, 7),
);
const UNSTATED: Source = Source::new("stated on no page of Together's: a limit of our own", READ);

/// What Together takes for Gemini image models at `POST /v1/images/generations`.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
struct GeminiAtTogether {
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
#[schemars(rename = "GeminiResponseFormat")]
#[serde(rename_all = "lowercase")]
enum ResponseFormat {
    Url,
    Base64,
}

impl Wire for GeminiAtTogether {
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
