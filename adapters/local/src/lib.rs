//! Models that run in this process: no key, no network. They are filters and say so.

mod collage;
mod filter;
mod oklab;
mod palette;
mod picture;
mod recolour;
mod watercolor;

use std::sync::Arc;

use repaint_core::{
    Bounds, Capabilities, Date, Instructions, List, Listing, MediaType, Offer, OutputFormat,
    Pixels, Price, Ratios, Source, Transports, Vocabulary, between, documented,
};
use repaint_providers::LOCAL;

use crate::filter::Local;

inventory::submit! { Listing::in_process("collage", &LOCAL, &[
    Offer {
        generative: false,
        ..Offer::new("collage", "collage", COLLAGE, documented(Price::Free, OURS))
    },
], |listing, offer| Arc::new(Local::new(listing, offer, &collage::FILTER))) }

inventory::submit! { Listing::in_process("palette", &LOCAL, &[
    Offer {
        generative: false,
        ..Offer::new("palette", "palette", PALETTE, documented(Price::Free, OURS))
    },
], |listing, offer| Arc::new(Local::new(listing, offer, &palette::FILTER))) }

inventory::submit! { Listing::in_process("recolour", &LOCAL, &[
    Offer {
        aliases: &["recolor"],
        generative: false,
        ..Offer::new("recolour", "recolour", RECOLOUR, documented(Price::Free, OURS))
    },
], |listing, offer| Arc::new(Local::new(listing, offer, &recolour::FILTER))) }

inventory::submit! { Listing::in_process("watercolor", &LOCAL, &[
    Offer {
        generative: false,
        ..Offer::new("watercolor", "watercolor", WATERCOLOR, documented(Price::Free, OURS))
    },
], |listing, offer| Arc::new(Local::new(listing, offer, &watercolor::FILTER))) }

const COLLAGE: Capabilities = Capabilities {
    images: documented(between(2, 8), OURS),
    image_bytes: documented(40_000_000, OURS),
    ..filter(collage::VOCABULARY, between(1, 100_000_000))
};

const PALETTE: Capabilities = Capabilities {
    images: documented(between(2, 2), OURS),
    ..filter(palette::VOCABULARY, between(1, palette::PIXELS))
};

const RECOLOUR: Capabilities = Capabilities {
    mask: documented(true, OURS),
    ..filter(recolour::VOCABULARY, between(1, recolour::PIXELS))
};

const WATERCOLOR: Capabilities = Capabilities {
    seed: documented(Some(between(0, u64::MAX >> 11)), OURS),
    ..filter(watercolor::VOCABULARY, between(1, 100_000_000))
};

/// What all filters have in common; one image and no chance is what most of them take.
const fn filter(vocabulary: Vocabulary, image_pixels: Bounds<u64>) -> Capabilities {
    Capabilities {
        images: documented(between(1, 1), OURS),
        transports: documented(Transports { url: false, bytes: true }, OURS),
        media_types: documented(List(&[MediaType::Png, MediaType::Jpeg, MediaType::Webp]), OURS),
        image_bytes: documented(80_000_000, OURS),
        image_pixels: documented(image_pixels, OURS),
        body_bytes: documented(u64::MAX >> 11, OURS),
        instructions: documented(Instructions::Closed(vocabulary), OURS),
        mask: documented(false, OURS),
        ratios: documented(Ratios::None, OURS),
        pixels: documented(Pixels::None, OURS),
        count: documented(between(1, 1), OURS),
        seed: documented(None, OURS),
        output_formats: documented(
            List(&[OutputFormat::Png, OutputFormat::Jpeg, OutputFormat::Webp]),
            OURS,
        ),
        negative_prompt: documented(false, OURS),
        steps: documented(None, OURS),
        guidance: documented(None, OURS),
        options: documented(List::EMPTY, OURS),
        ..Capabilities::NONE
    }
}

const OURS: Source = Source::new("our own code", Date::new(2026, 11, 24));
