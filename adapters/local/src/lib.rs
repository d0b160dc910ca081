//! Models that run in this process: no key, no network. They are filters and say so.

mod picture;
mod watercolor;
mod words;

use std::sync::Arc;

use async_trait::async_trait;
use repaint_core::{
    Capabilities, Date, Error, ErrorKind, Image, ImageModel, ImageRequest, Instructions, List,
    Listing, Made, MediaType, Narrowed, Offer, OutputFormat, Pixels, Preview, Price, Provider,
    Ratios, Result, Source, Text, Transport, Transports, Vocabulary, Warning, WarningCode, Witness,
    between, documented,
};
use repaint_providers::LOCAL;
use serde_json::json;

use crate::picture::{Format, Picture};
use crate::watercolor::paint;
use crate::words::{SLOTS, brush};

inventory::submit! { Listing::in_process("watercolor", &LOCAL, &[
    Offer {
        generative: false,
        ..Offer::new("watercolor", "watercolor", PAINTS, documented(Price::Free, OURS))
    },
], |listing, offer| Arc::new(Watercolor { id: format!("{}/{}", LOCAL.id, offer.model), listing, offer })) }

const PAINTS: Capabilities = Capabilities {
    images: documented(between(1, 1), OURS),
    transports: documented(Transports { url: false, bytes: true }, OURS),
    media_types: documented(List(&[MediaType::Png, MediaType::Jpeg, MediaType::Webp]), OURS),
    image_bytes: documented(80_000_000, OURS),
    image_pixels: documented(between(1, 100_000_000), OURS),
    body_bytes: documented(u64::MAX >> 11, OURS),
    instructions: documented(
        Instructions::Closed(Vocabulary {
            slots: List(SLOTS),
            examples: List(&[
                Text("Transform this into a watercolor painting"),
                Text("a soft, light watercolor on rough paper"),
            ]),
        }),
        OURS,
    ),
    mask: documented(false, OURS),
    ratios: documented(Ratios::None, OURS),
    pixels: documented(Pixels::None, OURS),
    count: documented(between(1, 1), OURS),
    seed: documented(Some(between(0, u64::MAX >> 11)), OURS),
    output_formats: documented(
        List(&[OutputFormat::Png, OutputFormat::Jpeg, OutputFormat::Webp]),
        OURS,
    ),
    negative_prompt: documented(false, OURS),
    steps: documented(None, OURS),
    guidance: documented(None, OURS),
    options: documented(List::EMPTY, OURS),
    ..Capabilities::NONE
};

const OURS: Source = Source::new("our own code", Date::new(2026, 11, 22));

/// The most pixels that are worked on: beyond, memory and patience run out before the eye gains.
const WORKING_PIXELS: u64 = 4_000_000;

/// Paints one picture in watercolor.
#[derive(Debug)]
struct Watercolor {
    id: String,
    listing: &'static Listing,
    offer: Offer,
}

impl Watercolor {
    /// The words of the prompt, by slot; admission has understood them all.
    fn words(request: &ImageRequest, offer: &Offer) -> Vec<(&'static str, &'static str)> {
        match offer.accepts.instructions.value {
            Instructions::Closed(vocabulary) => {
                vocabulary.read(&request.prompt).unwrap_or_default()
            }
            Instructions::Any => Vec::new(),
        }
    }
}

#[async_trait]
impl ImageModel for Watercolor {
    fn id(&self) -> &str {
        &self.id
    }

    fn family(&self) -> &str {
        self.listing.family
    }

    fn provider(&self) -> &'static Provider {
        self.listing.provider
    }

    fn offer(&self) -> &Offer {
        &self.offer
    }

    fn wire(&self) -> Option<&Narrowed> {
        None
    }

    fn encode(&self, witness: Witness<'_>) -> Result<Preview> {
        let Asked { image, words, seed: _, format } = asked(&witness)?;
        let words: Vec<&str> = words.iter().map(|(_, word)| *word).collect();
        Ok(Preview::Local(json!({
            "operation": "watercolor",
            "image": image.label(),
            "words": words,
            "seed": witness.request().seed,
            "output_format": format.name(),
        })))
    }

    async fn generate(&self, witness: Witness<'_>, via: &dyn Transport) -> Result<Made> {
        let Asked { image, words, seed, format } = asked(&witness)?;
        let (name, bytes) = (image.label(), via.read(image).await?);
        via.compute(Box::new(move || {
            let invalid =
                |why: String| Error::new(ErrorKind::InvalidRequest, format!("{name}: {why}"));
            let (picture, notes) = Picture::decode(&bytes, WORKING_PIXELS).map_err(invalid)?;
            let painted = paint(&picture, &brush(&words, seed));
            let file = painted
                .encode(match format {
                    OutputFormat::Png => Format::Png,
                    OutputFormat::Jpeg => Format::Jpeg,
                    OutputFormat::Webp => Format::Webp,
                })
                .map_err(|why| Error::new(ErrorKind::Unexpected, why))?;
            let warnings = notes
                .into_iter()
                .map(|it| {
                    Warning::new(
                        WarningCode::Picture,
                        Some("images/0"),
                        format!("the picture: {it}"),
                    )
                })
                .collect();
            Ok(Made { images: vec![Image::new(file.into())], warnings, ..Made::default() })
        }))
        .await
    }
}

/// What a request means here.
struct Asked<'a> {
    image: &'a repaint_core::ImageInput,
    words: Vec<(&'static str, &'static str)>,
    seed: u64,
    format: OutputFormat,
}

fn asked<'a>(witness: &Witness<'a>) -> Result<Asked<'a>> {
    let request = witness.request();
    let ImageRequest {
        prompt: _,
        images,
        mask: _,
        size: _,
        count: _,
        seed,
        negative_prompt: _,
        steps: _,
        guidance: _,
        output_format,
        options: _,
    } = request;
    let image = images
        .first()
        .ok_or_else(|| Error::new(ErrorKind::Unexpected, "there is no image to paint"))?;
    Ok(Asked {
        image,
        words: Watercolor::words(request, witness.offer()),
        seed: seed.unwrap_or_default(),
        format: output_format.unwrap_or(OutputFormat::Png),
    })
}
