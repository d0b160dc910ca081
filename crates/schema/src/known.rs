//! Every fact of an offer in words, and how it is known.

use repaint_core::{
    BODY_BYTES, Capabilities, Date, Fact, IMAGE_BYTES, ImageModel, Instructions, Offer, Pixels,
    Ratios, Sure, Text, UNDECLARED,
};
use serde::Serialize;

/// A fact of an offer in words, and how it is known.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Known {
    /// Its name in [`Capabilities`], or `price`, `retires` or `in_flight`.
    pub(crate) fact: &'static str,
    /// What a person calls it.
    pub(crate) what: &'static str,
    /// What is the case.
    pub(crate) value: String,
    pub(crate) standing: Standing,
    pub(crate) source: Text,
    pub(crate) date: Date,
    /// Whether some request is refused because of it. A limit that is not set, and what concerns input
    /// images where none are taken, decides nothing.
    pub(crate) decides: bool,
}

/// How a fact is known.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// The provider says so.
    Documented,
    /// Somebody saw the provider do so.
    Observed,
    /// Somebody judged what is known, and took the strict reading.
    Assumed,
    /// The adapter does not name it, so nobody has judged it: it is as in [`Capabilities::NONE`].
    Undeclared,
}

impl Standing {
    fn of<T>(fact: &Fact<T>) -> Self {
        match fact.sure {
            Sure::Documented => Self::Documented,
            Sure::Observed => Self::Observed,
            Sure::Assumed if fact.source.0 == UNDECLARED.source => Self::Undeclared,
            Sure::Assumed => Self::Assumed,
        }
    }

    /// Whether somebody outside this project vouches for it.
    pub(crate) fn is_known(self) -> bool {
        match self {
            Self::Documented | Self::Observed => true,
            Self::Assumed | Self::Undeclared => false,
        }
    }
}

/// All facts of an offer, in the order in which a person asks for them.
pub(crate) fn known(model: &dyn ImageModel) -> Vec<Known> {
    // No `..`: a new fact does not compile until it has its words here.
    let Capabilities {
        images,
        transports,
        media_types,
        image_bytes,
        image_pixels,
        image_side,
        pixel_budget,
        body_bytes,
        mask,
        instructions,
        ratios,
        pixels,
        count,
        seed,
        negative_prompt,
        steps,
        guidance,
        output_formats,
        options,
    } = model.capabilities();
    let takes = 0 < images.value.max;
    let inline = takes && transports.value.bytes;
    let limited = |it: u64| it < Capabilities::NONE.image_pixels.value.max;
    let mut all = vec![
        one("images", "input images", images.value.to_string(), images, true),
        one(
            "transports",
            "as",
            way(transports.value.url, transports.value.bytes),
            transports,
            takes,
        ),
        one(
            "media_types",
            "media types",
            list(media_types.value.iter().map(|it| it.name())),
            media_types,
            inline,
        ),
        one(
            "image_bytes",
            "bytes an image",
            megabytes(image_bytes.value),
            image_bytes,
            inline && !is_ours(image_bytes, IMAGE_BYTES),
        ),
        one(
            "image_pixels",
            "pixels an image",
            if limited(image_pixels.value.max) {
                format!("at most {:.1} megapixels", image_pixels.value.max as f64 / 1e6)
            } else {
                "any".to_owned()
            },
            image_pixels,
            inline && limited(image_pixels.value.max),
        ),
        one(
            "image_side",
            "shortest side of an image",
            match image_side.value {
                0 | 1 => "any".to_owned(),
                least => format!("at least {least} pixels"),
            },
            image_side,
            inline && 1 < image_side.value,
        ),
        one(
            "pixel_budget",
            "pixels of inputs and picture",
            pixel_budget.value.map_or_else(
                || "any".to_owned(),
                |it| format!("at most {:.1} megapixels", it.total as f64 / 1e6),
            ),
            pixel_budget,
            takes && pixel_budget.value.is_some(),
        ),
        one(
            "body_bytes",
            "bytes a call",
            megabytes(body_bytes.value),
            body_bytes,
            limited(body_bytes.value) && !is_ours(body_bytes, BODY_BYTES),
        ),
        one("mask", "mask", yes(mask.value), mask, true),
        one(
            "instructions",
            "prompt",
            match instructions.value {
                Instructions::Any => "any words".to_owned(),
                Instructions::Closed(vocabulary) => {
                    let examples = vocabulary.examples.iter().map(|it| format!("\"{it}\""));
                    format!("a closed vocabulary, such as {}", list(examples))
                }
            },
            instructions,
            instructions.value != Instructions::Any,
        ),
        one("ratios", "ratios", named(&ratios.value, &Ratios::None), ratios, true),
        one("pixels", "width and height", named(&pixels.value, &Pixels::None), pixels, true),
        one("count", "pictures a call", count.value.to_string(), count, true),
        one("seed", "seed", optional(seed.value), seed, true),
        one(
            "negative_prompt",
            "negative prompt",
            yes(negative_prompt.value),
            negative_prompt,
            true,
        ),
        one("steps", "steps", optional(steps.value), steps, true),
        one("guidance", "guidance", optional(guidance.value), guidance, true),
        one(
            "output_formats",
            "output formats",
            list(output_formats.value.iter().map(|it| it.name())),
            output_formats,
            true,
        ),
        one(
            "options",
            "options",
            list(options.value.iter().map(|it| format!("`{it}`"))),
            options,
            true,
        ),
    ];
    let Offer { price, retires, in_flight, .. } = model.offer();
    all.push(one("price", "price of a picture", price.value.to_string(), price, true));
    if let Some(end) = retires {
        let instead = end.value.successor.map_or(String::new(), |it| format!("; use {it}"));
        all.push(one("retires", "ends", format!("{}{instead}", end.value.date), end, true));
    }
    if let Some(most) = in_flight {
        let what = "orders on their way at a time";
        all.push(one("in_flight", what, most.value.to_string(), most, false));
    }
    all
}

fn one<T>(
    fact: &'static str,
    what: &'static str,
    value: String,
    it: &Fact<T>,
    decides: bool,
) -> Known {
    let standing = Standing::of(it);
    Known { fact, what, value, standing, source: it.source, date: it.date, decides }
}

fn way(url: bool, bytes: bool) -> String {
    match (url, bytes) {
        (true, true) => "address or bytes",
        (true, false) => "address",
        (false, true) => "bytes",
        (false, false) => "nothing",
    }
    .to_owned()
}

fn yes(it: bool) -> String {
    if it { "yes" } else { "no" }.to_owned()
}

fn named<T: std::fmt::Display + PartialEq>(value: &T, none: &T) -> String {
    if value == none { "no".to_owned() } else { value.to_string() }
}

fn optional<T: std::fmt::Display>(range: Option<T>) -> String {
    range.map_or_else(|| "no".to_owned(), |it| it.to_string())
}

fn megabytes(bytes: u64) -> String {
    if 1 << 50 < bytes { "any".to_owned() } else { format!("{} MB", bytes / 1_000_000) }
}

fn list<T: std::fmt::Display>(items: impl Iterator<Item = T>) -> String {
    let items: Vec<String> = items.map(|it| it.to_string()).collect();
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}
/// Whether a limit is one that we set where no provider states any: no fact of theirs.
fn is_ours(limit: &Fact<u64>, own: u64) -> bool {
    limit.sure == Sure::Assumed && limit.value == own
}
