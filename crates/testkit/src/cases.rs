//! Requests made from what an offer declares: those that it must take, and those just beyond.

use repaint_core::{
    Adapt, Capabilities, Dimensions, ImageFacts, ImageInput, ImageModel, ImageRequest,
    Instructions, MediaType, OutputFormat, Pixels, Ratio, Ratios, RefusalCode, Size,
};

use crate::picture;
use crate::pictures::KINDS;

/// A request that the offer must take.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Which capability it uses.
    pub name: String,
    /// The request.
    pub request: ImageRequest,
    /// The field that differs from the first case; none for those that only differ in images.
    pub field: &'static str,
}

/// A request that the offer must refuse, with a reason of this code about this field.
#[derive(Clone, Debug)]
pub struct Refused {
    /// What is beyond the offer.
    pub name: String,
    /// The request.
    pub request: ImageRequest,
    /// Why it must be refused.
    pub code: RefusalCode,
    /// The field that the reason must name.
    pub field: &'static str,
}

/// One request for each thing that the offer says it accepts; the first asks for the least.
pub fn accepted(model: &dyn ImageModel) -> Vec<Accepted> {
    let Capabilities {
        images,
        transports,
        mask,
        ratios,
        pixels,
        count,
        seed,
        negative_prompt,
        steps,
        guidance,
        output_formats,
        // These limit single images, the prompt and the sums; `refused` tries them.
        media_types: _,
        image_bytes: _,
        image_pixels: _,
        image_side: _,
        pixel_budget: _,
        body_bytes: _,
        instructions: _,
        options: _,
    } = model.capabilities();
    let least = least(model);
    let mut cases = Vec::new();
    let mut add = |name: String, field: &'static str, request: ImageRequest| {
        cases.push(Accepted { name, request, field });
    };
    add("least".to_owned(), "", least.clone());
    let counts = [1, 2, images.value.max].map(|it| it.clamp(images.value.min, images.value.max));
    let mut tried = Vec::new();
    for many in counts.into_iter().filter(|it| 0 < *it) {
        if tried.contains(&many) {
            continue;
        }
        tried.push(many);
        for kind in KINDS {
            let travels = if kind == "url" { transports.value.url } else { transports.value.bytes };
            if travels {
                let request = ImageRequest { images: pictures(model, kind, many), ..least.clone() };
                add(format!("{many} by {kind}"), "images", request);
            }
        }
    }
    if mask.value {
        let mut masked = ImageRequest { images: pictures(model, "data", 1), ..least.clone() };
        masked.mask = pictures(model, "data", 2).pop();
        add("a mask".to_owned(), "mask", masked);
    }
    for size in sizes(&ratios.value, &pixels.value) {
        add(size.to_string(), "size", ImageRequest { size, ..least.clone() });
    }
    if count.value.min < count.value.max {
        let count = count.value.max;
        add(format!("count {count}"), "count", ImageRequest { count, ..least.clone() });
    }
    if let Some(seeds) = seed.value {
        // 0 is a seed, and is lost where somebody asks "is there one?" the wrong way.
        for seed in [seeds.min, seeds.max] {
            add(format!("seed {seed}"), "seed", ImageRequest { seed: Some(seed), ..least.clone() });
        }
    }
    if negative_prompt.value {
        let negative_prompt = Some("blurry".to_owned());
        add(
            "a negative prompt".to_owned(),
            "negative_prompt",
            ImageRequest { negative_prompt, ..least.clone() },
        );
    }
    if let Some(range) = steps.value {
        let steps = Some(range.max);
        add(format!("steps {}", range.max), "steps", ImageRequest { steps, ..least.clone() });
    }
    if let Some(range) = guidance.value {
        let guidance = Some(range.max);
        add(
            format!("guidance {}", range.max),
            "guidance",
            ImageRequest { guidance, ..least.clone() },
        );
    }
    for format in output_formats.value.iter() {
        let request = ImageRequest { output_format: Some(*format), ..least.clone() };
        add(format.name().to_owned(), "output_format", request);
    }
    cases
}

/// One request for each thing just beyond what the offer says it accepts.
pub fn refused(model: &dyn ImageModel) -> Vec<Refused> {
    use RefusalCode::{Empty, NotUnderstood, OutOfRange, TooFew, TooMany, Unsupported};
    let accepts = model.capabilities();
    let least = least(model);
    let mut cases = Vec::new();
    let mut add = |name: &str, code: RefusalCode, field: &'static str, request: ImageRequest| {
        cases.push(Refused { name: name.to_owned(), request, code, field });
    };
    add(
        "an empty prompt",
        Empty,
        "prompt",
        ImageRequest { prompt: " ".to_owned(), ..least.clone() },
    );
    if let Instructions::Closed(_) = accepts.instructions.value {
        let prompt = "Knit the fox a scarf of moonlight".to_owned();
        add("strange words", NotUnderstood, "prompt", ImageRequest { prompt, ..least.clone() });
    }
    let kind = if accepts.transports.value.bytes { "data" } else { "url" };
    let (fewest, most) = (accepts.images.value.min, accepts.images.value.max);
    let too_many = ImageRequest { images: pictures(model, kind, most + 1), ..least.clone() };
    let code = if most == 0 { Unsupported } else { TooMany };
    add("one image too many", code, "images", too_many);
    if 0 < fewest {
        let images = pictures(model, kind, fewest - 1);
        add("one image too few", TooFew, "images", ImageRequest { images, ..least.clone() });
    }
    if !accepts.mask.value && 0 < most {
        let mut masked = ImageRequest { images: pictures(model, kind, 1), ..least.clone() };
        masked.mask = pictures(model, kind, 2).pop();
        add("a mask", Unsupported, "mask", masked);
    }
    if accepts.mask.value && accepts.transports.value.bytes {
        let mut masked = ImageRequest { images: pictures(model, kind, 1), ..least.clone() };
        let side = accepts.image_side.value.max(16) + 1;
        masked.mask = Some(picture(kind, 2, side, media_type(model)));
        add("a mask of another size", OutOfRange, "mask", masked);
    }
    let count = accepts.count.value;
    add(
        "one picture too many",
        TooMany,
        "count",
        ImageRequest { count: count.max + 1, ..least.clone() },
    );
    add("no picture", TooFew, "count", ImageRequest { count: 0, ..least.clone() });
    match accepts.seed.value {
        Some(seeds) => {
            let seed = Some(seeds.max + 1);
            add("a seed too great", OutOfRange, "seed", ImageRequest { seed, ..least.clone() });
        }
        None => add("a seed", Unsupported, "seed", ImageRequest { seed: Some(0), ..least.clone() }),
    }
    match accepts.steps.value {
        Some(range) => {
            let steps = Some(range.max + 1);
            add("a step too many", OutOfRange, "steps", ImageRequest { steps, ..least.clone() });
        }
        None => {
            add("steps", Unsupported, "steps", ImageRequest { steps: Some(20), ..least.clone() })
        }
    }
    match accepts.guidance.value {
        Some(range) => {
            let guidance = Some(range.max + 0.5);
            add(
                "too much guidance",
                OutOfRange,
                "guidance",
                ImageRequest { guidance, ..least.clone() },
            );
        }
        None => {
            let guidance = Some(3.5);
            add("guidance", Unsupported, "guidance", ImageRequest { guidance, ..least.clone() });
        }
    }
    if !accepts.negative_prompt.value {
        let negative_prompt = Some("blurry".to_owned());
        add(
            "a negative prompt",
            Unsupported,
            "negative_prompt",
            ImageRequest { negative_prompt, ..least.clone() },
        );
    }
    let formats = accepts.output_formats.value;
    let other = [OutputFormat::Png, OutputFormat::Jpeg, OutputFormat::Webp]
        .into_iter()
        .find(|it| !formats.contains(it));
    if let Some(format) = other {
        let code = if formats.is_empty() { Unsupported } else { RefusalCode::NotListed };
        let request = ImageRequest { output_format: Some(format), ..least.clone() };
        add("another file format", code, "output_format", request);
    }
    let beyond = match &accepts.pixels.value {
        Pixels::None => Some((Unsupported, Dimensions::new(1024, 1000))),
        Pixels::Listed(_) => Some((RefusalCode::NotListed, Dimensions::new(1000, 1001))),
        Pixels::Range { side, step, .. } => {
            let wide = side.max / step * step + step;
            Some((OutOfRange, Dimensions { width: wide, height: side.min.div_ceil(*step) * step }))
        }
    };
    if let Some((code, size)) = beyond {
        add("odd pixels", code, "size", ImageRequest { size: Size::Pixels(size), ..least.clone() });
    }
    let code = match &accepts.ratios.value {
        Ratios::None => Unsupported,
        Ratios::Listed(_) => RefusalCode::NotListed,
        Ratios::Between { .. } => OutOfRange,
    };
    let size = Size::Ratio(Ratio::new(997, 1));
    add("an odd ratio", code, "size", ImageRequest { size, ..least.clone() });
    if 0 < most && accepts.transports.value.bytes {
        let whole = ImageFacts::still(media_type(model), Dimensions::new(1024, 1024), 1000);
        let mut one = |name: &str, code: RefusalCode, facts: ImageFacts| {
            let images = vec![said(facts); fewest.max(1) as usize];
            add(name, code, "images/0", ImageRequest { images, ..least.clone() });
        };
        if !accepts.media_types.value.contains(&MediaType::Gif) {
            one(
                "another kind of image",
                RefusalCode::NotListed,
                ImageFacts { media_type: MediaType::Gif, ..whole },
            );
        }
        let bytes = accepts.image_bytes.value + 1;
        one("an image of too many bytes", RefusalCode::TooLarge, ImageFacts { bytes, ..whole });
        let side = accepts.image_side.value;
        if 1 < side {
            let dimensions = Dimensions { width: side - 1, height: 1024 };
            one("a small image", OutOfRange, ImageFacts { dimensions, ..whole });
        }
        let area = accepts.image_pixels.value.max;
        if area < u64::from(u32::MAX) {
            let dimensions = Dimensions { width: (area / 1024 + 1) as u32, height: 1024 };
            one("an image of too many pixels", OutOfRange, ImageFacts { dimensions, ..whole });
        }
        let mut all = |name: &str, facts: ImageFacts| {
            let images = vec![said(facts); most as usize];
            add(name, RefusalCode::TooLarge, "images", ImageRequest { images, ..least.clone() });
        };
        let bytes = accepts.image_bytes.value;
        if accepts.body_bytes.value < bytes.saturating_mul(most.into()) {
            all("images of too many bytes together", ImageFacts { bytes, ..whole });
        }
        if let Some(budget) = accepts.pixel_budget.value {
            let dimensions = Dimensions { width: (budget.input / 1024) as u32, height: 1024 };
            all("images of too many pixels together", ImageFacts { dimensions, ..whole });
        }
    }
    cases
}

/// An image of which only the facts are there: nothing reads its bytes before it is refused.
fn said(facts: ImageFacts) -> ImageInput {
    ImageInput::file("an image of which only the facts are there").inspected(facts)
}

/// 0, 1, 2, most and one more images, by each way that they travel, in each size; with what the policy
/// of the case allows to change.
pub fn grid(model: &dyn ImageModel) -> Vec<(String, ImageRequest, Adapt)> {
    let most = model.capabilities().images.value.max;
    let mut counts = vec![0, 1, 2, most, most + 1];
    counts.sort_unstable();
    counts.dedup();
    let sizes = ["auto", "1024x768", "1000x700", "16:9", "1:1", "31:1"];
    let mut nearest = Adapt::default();
    nearest.set("size=nearest").unwrap_or_else(|err| panic!("{err}"));
    let mut cases = Vec::new();
    for count in counts {
        for kind in KINDS {
            if count == 0 && kind != "url" {
                continue;
            }
            for size in sizes {
                for adapt in [Adapt::default(), nearest.clone()] {
                    let how = if adapt == nearest { " nearest" } else { "" };
                    let request = ImageRequest {
                        images: pictures(model, kind, count),
                        size: size.parse().unwrap_or_else(|err| panic!("{err}")),
                        ..ImageRequest::new(prompt(model))
                    };
                    let images =
                        if count == 0 { "0".to_owned() } else { format!("{count} {kind}") };
                    cases.push((format!("{images} {size}{how}"), request, adapt));
                }
            }
        }
    }
    cases
}

fn least(model: &dyn ImageModel) -> ImageRequest {
    let accepts = model.capabilities();
    let kind = if accepts.transports.value.bytes { "file" } else { "url" };
    let images = pictures(model, kind, accepts.images.value.min);
    ImageRequest { images, ..ImageRequest::new(prompt(model)) }
}

/// Something that the offer understands.
fn prompt(model: &dyn ImageModel) -> String {
    match &model.capabilities().instructions.value {
        Instructions::Any => "A red fox in snow".to_owned(),
        Instructions::Closed(vocabulary) => {
            vocabulary.examples.first().map_or_else(String::new, |it| it.to_string())
        }
    }
}

fn pictures(model: &dyn ImageModel, kind: &str, count: u32) -> Vec<ImageInput> {
    let side = model.capabilities().image_side.value.max(16);
    (1..=count as usize).map(|index| picture(kind, index, side, media_type(model))).collect()
}

fn media_type(model: &dyn ImageModel) -> MediaType {
    let allowed = model.capabilities().media_types.value;
    if allowed.contains(&MediaType::Jpeg) && !allowed.contains(&MediaType::Png) {
        MediaType::Jpeg
    } else {
        MediaType::Png
    }
}

/// The first and the last of each kind of size.
fn sizes(ratios: &Ratios, pixels: &Pixels) -> Vec<Size> {
    let mut sizes = Vec::new();
    match ratios {
        Ratios::None => {}
        Ratios::Listed(listed) => sizes.extend(listed.iter().map(|it| Size::Ratio(*it))),
        Ratios::Between { tallest, flattest } => {
            sizes.extend([*tallest, Ratio::new(1, 1), *flattest].map(Size::Ratio));
        }
    }
    match pixels {
        Pixels::None => {}
        Pixels::Listed(listed) => {
            let last = listed.last().filter(|it| listed.first() != Some(it));
            sizes.extend(listed.first().into_iter().chain(last).map(|it| Size::Pixels(*it)));
        }
        Pixels::Range { side, step, .. } => {
            let least = side.min.div_ceil(*step) * step;
            let most = side.max / step * step;
            let corners = [(least, least), (least, most), (most, least), (most, most)];
            let corners = corners.map(|(width, height)| Dimensions { width, height });
            sizes.extend(corners.into_iter().filter(|it| pixels.contains(*it)).map(Size::Pixels));
        }
    }
    sizes
}
