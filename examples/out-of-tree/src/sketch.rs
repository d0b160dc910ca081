//! Sketch at Acme: up to two input images, in `sources`.

use repaint_core::{
    Capabilities, Date, Form, ImageRequest, List, Listing, MediaType, Offer, Owner, Price, Ratio,
    Ratios, Size, Source, Transports, Usd, Wire, WireImage, assumed, between, documented, non_null,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::acme::ACME;

inventory::submit! { Listing::new::<SketchAtAcme>("sketch", &ACME, &[
    Offer::new("sketch-1", "Sketch 1", EDITS, documented(Price::Each(Usd(20_000)), PAGE)),
    Offer::new("sketch-1-mini", "Sketch 1 Mini", ONE, documented(Price::Each(Usd(5_000)), PAGE)),
]) }

/// What is not named here is refused.
const EDITS: Capabilities = Capabilities {
    images: documented(between(0, 2), PAGE),
    transports: documented(Transports { url: true, bytes: true }, PAGE),
    // Acme says "the usual kinds".
    media_types: assumed(List(&[MediaType::Png, MediaType::Jpeg]), PAGE),
    ratios: documented(Ratios::Listed(List(&RATIOS)), PAGE),
    seed: documented(Some(between(0, 4_294_967_295)), PAGE),
    ..Capabilities::NONE
};

const ONE: Capabilities = Capabilities { images: documented(between(0, 1), PAGE), ..EDITS };

const RATIOS: [Ratio; 3] = [Ratio::new(1, 1), Ratio::new(16, 9), Ratio::new(9, 16)];

const PAGE: Source = Source::new("acme.example/docs/pictures", Date::new(2026, 11, 24));

/// What Acme takes for its Sketch models at `POST /v1/pictures`.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
struct SketchAtAcme {
    /// Which model.
    model: String,
    /// What to draw, or what to make of `sources`.
    #[schemars(length(min = 1))]
    text: String,
    /// Images to edit: http(s) addresses or data URIs.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    sources: Option<Vec<WireImage>>,
    /// Width to height; that of the first of `sources` if absent.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    shape: Option<Ratio>,
    /// Equal seeds give like pictures.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
}

impl Wire for SketchAtAcme {
    const OWNED: &'static [(&'static str, Owner)] = &[
        ("model", Owner::Model),
        ("text", Owner::Prompt),
        ("sources", Owner::Images),
        ("shape", Owner::Ratio),
        ("seed", Owner::Seed),
    ];

    // Outside the workspace `..` may stand: what is not declared above is refused before this is asked.
    fn from_request(request: &ImageRequest, offer: &Offer) -> Self {
        let ImageRequest { prompt, images, size, seed, .. } = request;
        let sources: Vec<WireImage> = WireImage::all(images, Form::DataUri).collect();
        Self {
            model: offer.name.to_owned(),
            text: prompt.clone(),
            sources: (!sources.is_empty()).then_some(sources),
            shape: match size {
                Size::Ratio(ratio) => Some(*ratio),
                Size::Auto | Size::Pixels(_) => None,
            },
            seed: *seed,
        }
    }
}
