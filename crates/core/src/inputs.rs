//! How input images are made to fit an offer, where that is allowed: which of them, how large, of which kind.

use crate::{
    Adapt, Adaptation, Capabilities, Dimensions, ImageFacts, ImageInput, ImageRequest, ImageSource,
    PixelBudget, Size, Target, fit,
};

/// Input images that fit, with what is to be made of them; none is left out, none changes its place.
pub(crate) struct Fitted {
    pub(crate) images: Vec<ImageInput>,
    pub(crate) mask: Option<ImageInput>,
    pub(crate) adaptations: Vec<Adaptation>,
}

/// What is to become of one image, while limits are looked at one by one.
#[derive(Clone, Copy)]
struct Plan {
    facts: ImageFacts,
    area: u64,
    bytes: u64,
}

/// What would make the input images fit; `None` if nothing would or need be changed.
///
/// Decides by facts alone: whether a file can be decoded shows when a client does it, before anything is
/// sent.
pub(crate) fn fitted(
    accepts: &Capabilities,
    adapt: &Adapt,
    request: &ImageRequest,
) -> Option<Fitted> {
    let (scales, converts) = (adapt.input_size.is_some(), adapt.input_format.is_some());
    if !(scales || converts) || accepts.images.value.max == 0 || !accepts.transports.value.bytes {
        return None;
    }
    let inputs: Vec<&ImageInput> = request.inputs().collect();
    let mut plans: Vec<Option<Plan>> = inputs
        .iter()
        .map(|it| {
            let facts = it.facts().filter(|_| !matches!(it.source(), ImageSource::Url(_)))?;
            // What is of a kind that is not taken, and may not be converted, is refused as it is.
            let kind = converts || accepts.media_types.value.contains(&facts.media_type);
            kind.then_some(Plan { facts, area: facts.dimensions.area(), bytes: facts.bytes })
        })
        .collect();
    if scales {
        scale(&mut plans, accepts, request);
    }
    let spare = room(accepts, request).saturating_sub(weight(&plans)) / inputs.len().max(1) as u64;
    let mut adaptations = Vec::new();
    let mut made = Vec::with_capacity(inputs.len());
    for (index, (input, plan)) in inputs.iter().zip(&plans).enumerate() {
        let field = match index < request.images.len() {
            true => format!("images/{index}"),
            false => "mask".to_owned(),
        };
        let target = plan.and_then(|plan| {
            let converts = !accepts.media_types.value.contains(&plan.facts.media_type);
            let area = plan.facts.dimensions.area();
            if !converts && plan.area == area && plan.bytes == plan.facts.bytes {
                return None;
            }
            let dimensions = scaled(plan.facts.dimensions, plan.area as f64 / area.max(1) as f64);
            // Written anew, a file may weigh more than it did: it may, as long as there is room for all.
            let bytes = match plan.bytes == plan.facts.bytes {
                true => accepts.image_bytes.value.min(plan.bytes + spare),
                false => plan.bytes,
            };
            Some(Target { dimensions, media_types: accepts.media_types.value, bytes })
        });
        let Some(target) = target else {
            made.push((*input).clone());
            continue;
        };
        let to = input.becoming(target);
        if let (Some(before), Some(after)) = (input.facts(), to.facts()) {
            if before.media_type != after.media_type {
                let (from, to) = (before.media_type.name(), after.media_type.name());
                adaptations.push(adaptation(&field, "convert", from, to));
            }
            if before.dimensions != after.dimensions {
                let (from, to) = (before.dimensions.to_string(), after.dimensions.to_string());
                adaptations.push(adaptation(&field, "fit", &from, &to));
            } else if target.bytes < before.bytes {
                let most = format!("at most {}", megabytes(target.bytes));
                adaptations.push(adaptation(&field, "fit", &megabytes(before.bytes), &most));
            }
        }
        made.push(to);
    }
    if made.iter().all(|it| it.becomes().is_none()) {
        return None;
    }
    let mask = request.mask.as_ref().and_then(|_| made.pop());
    Some(Fitted { images: made, mask, adaptations })
}

/// Makes areas and weights as small as each limit asks for.
fn scale(plans: &mut [Option<Plan>], accepts: &Capabilities, request: &ImageRequest) {
    for plan in plans.iter_mut().flatten() {
        plan.area = plan.area.min(accepts.image_pixels.value.max);
        plan.bytes = plan.bytes.min(accepts.image_bytes.value);
    }
    let images = request.images.len();
    if let Some(budget) = accepts.pixel_budget.value {
        let counted = |it: &Plan| it.area.min(budget.input);
        let of_inputs: u64 = plans[..images].iter().flatten().map(counted).sum();
        let first = plans[..images].first().copied().flatten().map(|it| it.area);
        let picture = of_picture(request.size, first, budget);
        if budget.total < of_inputs + picture && 0 < of_inputs {
            // The picture shrinks with the first image where nobody asked for a size.
            let part = match request.size {
                Size::Auto => budget.total as f64 / (of_inputs + picture) as f64,
                Size::Pixels(_) | Size::Ratio(_) => {
                    budget.total.saturating_sub(picture) as f64 / of_inputs as f64
                }
            };
            for plan in plans[..images].iter_mut().flatten() {
                plan.area = (counted(plan) as f64 * part) as u64;
            }
        }
    }
    let (room, sum) = (room(accepts, request), weight(plans));
    if room < sum {
        for plan in plans.iter_mut().flatten() {
            let part = plan.bytes as f64 / sum as f64;
            plan.bytes = ((room as f64 * part) as u64).saturating_sub(2);
        }
    }
    // A mask of the size of its image keeps that size.
    if let [Some(image), .., Some(mask)] = plans
        && request.mask.is_some()
        && image.facts.dimensions == mask.facts.dimensions
    {
        mask.area = image.area.min(mask.area);
        image.area = mask.area;
    }
}

/// How many bytes of files a body has room for. A kilobyte and the prompt cover what is no image; see the
/// check of the whole.
fn room(accepts: &Capabilities, request: &ImageRequest) -> u64 {
    accepts.body_bytes.value.saturating_sub(1024 + request.prompt.len() as u64) / 4 * 3
}

/// What all files weigh together, with the padding of their base64.
fn weight(plans: &[Option<Plan>]) -> u64 {
    plans.iter().flatten().map(|it| it.bytes + 2).sum()
}

/// How many pixels the picture counts for, where inputs and picture have one budget.
pub(crate) fn of_picture(size: Size, first: Option<u64>, budget: PixelBudget) -> u64 {
    match size {
        Size::Pixels(size) => size.area(),
        Size::Ratio(_) => fit::MEGAPIXEL,
        // Left to itself, the picture is as large as the first input image.
        Size::Auto => first.map_or(fit::MEGAPIXEL, |it| it.min(budget.input)),
    }
}

/// The same shape with such a part of the area, rounded down.
pub(crate) fn scaled(size: Dimensions, part: f64) -> Dimensions {
    if 1.0 <= part {
        return size;
    }
    let side = |it: u32| ((f64::from(it) * part.sqrt()).floor() as u32).max(1);
    Dimensions { width: side(size.width), height: side(size.height) }
}

pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

pub(crate) fn megapixels(pixels: u64) -> String {
    format!("{:.1} megapixels", pixels as f64 / 1e6)
}

fn adaptation(field: &str, method: &str, from: &str, to: &str) -> Adaptation {
    let (field, method) = (field.to_owned(), method.to_owned());
    Adaptation { field, method, from: from.into(), to: to.into() }
}
