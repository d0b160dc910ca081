//! Whether an offer takes a request: every field is decided here, from data, and nowhere else.

use std::borrow::Cow;

use serde_json::Value;

use crate::inputs::{Fitted, fitted, megabytes, megapixels, of_picture, scaled};
use crate::model::not_generative;
use crate::violation::faults;
use crate::{
    Adapt, AdaptFormat, AdaptNumber, Adaptation, Bounds, Capabilities, Fact, ImageInput,
    ImageModel, ImageRequest, ImageSource, Instructions, MediaType, Offer, OutputFormat, Pixels,
    Ratios, Refusal, RefusalCode, Size, Sure, Terms, Warning, WarningCode, fit,
};

/// A request that may be sent, with what was changed for it.
pub(crate) struct Verdict<'a> {
    pub(crate) request: Cow<'a, ImageRequest>,
    pub(crate) adaptations: Vec<Adaptation>,
    pub(crate) warnings: Vec<Warning>,
    /// What to make of the pictures once they are here.
    pub(crate) convert: Option<OutputFormat>,
}

/// Decides every field; all reasons against it are collected.
pub(crate) fn admit<'a>(
    model: &dyn ImageModel,
    request: &'a ImageRequest,
    terms: Terms<'_>,
) -> Result<Verdict<'a>, Vec<Refusal>> {
    decide(model, request, terms, true).finish()
}

/// The same decision without a word, for those who look at many offers: the request as it would be
/// sent, if it would be.
pub(crate) fn admits<'a>(
    model: &dyn ImageModel,
    request: &'a ImageRequest,
    terms: Terms<'_>,
) -> Option<Cow<'a, ImageRequest>> {
    let desk = decide(model, request, terms, false);
    (!desk.refused).then_some(desk.verdict.request)
}

fn decide<'a, 'm>(
    model: &'m dyn ImageModel,
    request: &'a ImageRequest,
    terms: Terms<'m>,
    says: bool,
) -> Desk<'a, 'm> {
    let mut desk = Desk {
        model,
        offer: model.offer(),
        adapt: terms.adapt,
        says,
        refused: false,
        verdict: Verdict {
            request: Cow::Borrowed(request),
            adaptations: Vec::new(),
            warnings: Vec::new(),
            convert: None,
        },
        refusals: Vec::new(),
    };
    // No `..` in either pattern: a new field does not compile until it is decided here.
    let ImageRequest {
        prompt,
        images,
        mask,
        size,
        count,
        seed,
        negative_prompt,
        steps,
        guidance,
        output_format,
        options,
    } = request;
    let Capabilities {
        images: _,
        transports: _,
        media_types: _,
        image_bytes: _,
        image_pixels: _,
        image_side: _,
        pixel_budget: _,
        body_bytes: _,
        mask: takes_mask,
        instructions,
        ratios: _,
        pixels: _,
        count: counts,
        seed: seeds,
        negative_prompt: takes_negative,
        steps: step_range,
        guidance: guidance_range,
        output_formats,
        options: _,
    } = &desk.offer.accepts;

    desk.retirement(terms);
    if says {
        desk.prompt(prompt, instructions);
    }
    let fitted = fitted(&desk.offer.accepts, terms.adapt, request);
    if let Some(Fitted { images, mask, adaptations }) = &fitted {
        let request = desk.verdict.request.to_mut();
        (request.images, request.mask) = (images.clone(), mask.clone());
        desk.verdict.adaptations.extend(adaptations.iter().cloned());
    }
    let (images, mask) = fitted.as_ref().map_or((images, mask), |it| (&it.images, &it.mask));
    let bytes = desk.images(images, mask.as_ref());
    if desk.is_done() {
        return desk;
    }
    if mask.is_some() && !takes_mask.value {
        desk.unsupported("mask", takes_mask, "a mask", Value::from("a mask"), "");
    }
    if mask.is_some() && images.is_empty() && desk.against() {
        let refusal = Refusal::by_rule(RefusalCode::TooFew, "images");
        desk.refuse(refusal.saying("was given a mask without an image", "give the image first"));
    }
    if let (true, Some(image), Some(mask)) = (takes_mask.value, images.first(), mask) {
        desk.mask(image, mask);
    }
    desk.size(*size);
    // Only now: a picture weighs what it was made to fit, not what was asked for.
    desk.sums(images, bytes);
    if !counts.value.contains(count) && desk.against() {
        let code =
            if *count < counts.value.min { RefusalCode::TooFew } else { RefusalCode::TooMany };
        let refusal = Refusal::new(code, "count", counts, counts.value, count);
        let message = format!("makes {} a call, not {count}", how_many(counts.value, "picture"));
        let fix = format!("ask for {}", nearest(*count, counts.value));
        desk.refuse(refusal.saying(message, fix));
    }
    desk.number("seed", *seed, seeds, terms.adapt.seed.map(|_| AdaptNumber::Drop), |it, to| {
        it.seed = to
    });
    if negative_prompt.is_some() && !takes_negative.value {
        let value = negative_prompt.as_deref().unwrap_or_default();
        if terms.adapt.negative_prompt.is_some() {
            desk.change("negative_prompt", "drop", value.into(), Value::Null, |it| {
                it.negative_prompt = None
            });
        } else {
            desk.unsupported(
                "negative_prompt",
                takes_negative,
                "a negative prompt",
                value.into(),
                "say it in the prompt, or allow the adaptation negative_prompt=drop",
            );
        }
    } else if negative_prompt.as_deref().is_some_and(|it| it.trim().is_empty()) && desk.against() {
        let refusal = Refusal::by_rule(RefusalCode::Empty, "negative_prompt");
        desk.refuse(refusal.saying("was given an empty negative prompt", "leave it out"));
    }
    desk.number("steps", *steps, step_range, terms.adapt.steps, |it, to| it.steps = to);
    if guidance.is_some_and(|it| !it.is_finite()) {
        if desk.against() {
            let refusal = Refusal::by_rule(RefusalCode::Invalid, "guidance");
            desk.refuse(
                refusal
                    .saying("was given a guidance that is no number", "give a number such as 3.5"),
            );
        }
    } else {
        desk.number("guidance", *guidance, guidance_range, terms.adapt.guidance, |it, to| {
            it.guidance = to
        });
    }
    if terms.adapt.output_format == Some(AdaptFormat::Convert) {
        // A provider may send another kind of file than it was asked for.
        desk.verdict.convert = *output_format;
    }
    if let Some(format) = output_format
        && !output_formats.value.contains(format)
    {
        let from = Value::from(format.name());
        if terms.adapt.output_format == Some(AdaptFormat::Drop) {
            desk.change("output_format", "drop", from, Value::Null, |it| it.output_format = None);
        } else if terms.adapt.output_format == Some(AdaptFormat::Convert) {
            let to = Value::from("converted afterwards");
            desk.change("output_format", "convert", from, to, |it| it.output_format = None);
        } else if output_formats.value.is_empty() {
            let got = Value::from(format.name());
            desk.unsupported(
                "output_format",
                output_formats,
                "an output format",
                got,
                "leave it out, or allow the adaptation output_format=drop or output_format=convert",
            );
        } else if desk.against() {
            let names: Vec<&str> = output_formats.value.iter().map(|it| it.name()).collect();
            let refusal = Refusal::new(
                RefusalCode::NotListed,
                "output_format",
                output_formats,
                &names,
                format.name(),
            );
            let message = format!("makes {}, not {}", names.join(" or "), format.name());
            let fix = format!(
                "ask for {}, or allow the adaptation output_format=convert",
                names.join(" or ")
            );
            desk.refuse(refusal.saying(message, fix));
        }
    }
    desk.options(options);
    // To read a prompt takes longest: where nobody reads why, it comes last.
    if !says && !desk.refused {
        desk.prompt(prompt, instructions);
    }
    desk
}

struct Desk<'a, 'm> {
    model: &'m dyn ImageModel,
    offer: &'m Offer,
    adapt: &'m Adapt,
    /// Whether anybody wants to read why; words take longer than all the rest.
    says: bool,
    refused: bool,
    verdict: Verdict<'a>,
    refusals: Vec<Refusal>,
}

impl<'a> Desk<'a, '_> {
    /// Notes that there is a reason against it; says whether it is to be put into words.
    fn against(&mut self) -> bool {
        self.refused = true;
        self.says
    }

    /// Whether nothing more can change the answer, and nobody wants to read all reasons.
    fn is_done(&self) -> bool {
        self.refused && !self.says
    }

    fn finish(mut self) -> Result<Verdict<'a>, Vec<Refusal>> {
        if self.refused {
            return Err(self.refusals);
        }
        if !self.offer.generative {
            self.verdict.warnings.push(not_generative(self.model.id()));
        }
        for fact in self.offer.overlaid.iter() {
            let message = format!("an overlay sets {fact}");
            self.verdict.warnings.push(Warning::new(WarningCode::Overlay, None, message));
        }
        Ok(self.verdict)
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.refused = true;
        self.refusals.push(refusal);
    }

    /// The offer takes no such thing. An empty fix becomes "leave it out".
    fn unsupported<T>(&mut self, field: &str, limit: &Fact<T>, what: &str, got: Value, fix: &str) {
        if !self.against() {
            return;
        }
        let refusal = Refusal::new(RefusalCode::Unsupported, field, limit, Value::Null, got);
        let fix = if fix.is_empty() { "leave it out" } else { fix };
        self.refuse(refusal.saying(
            format!("takes no {}", what.trim_start_matches("a ").trim_start_matches("an ")),
            fix,
        ));
    }

    fn change(
        &mut self,
        field: &str,
        method: &str,
        from: Value,
        to: Value,
        set: impl FnOnce(&mut ImageRequest),
    ) {
        set(self.verdict.request.to_mut());
        if !self.says {
            return;
        }
        let (field, method) = (field.to_owned(), method.to_owned());
        self.verdict.adaptations.push(Adaptation { field, method, from, to });
    }

    fn retirement(&mut self, terms: Terms<'_>) {
        let Some(end) = &self.offer.retires else { return };
        let retirement = &end.value;
        let left = terms.today.days_until(retirement.date);
        self.refused |= left <= 0;
        if !self.says {
            return;
        }
        let instead = match &retirement.successor {
            Some(successor) => format!("use {successor}"),
            None => "choose another model".to_owned(),
        };
        if left <= 0 {
            let (date, today) = (retirement.date.to_string(), terms.today.to_string());
            let refusal = Refusal::new(RefusalCode::Retired, "select", end, date, today);
            self.refuse(refusal.saying(format!("ended on {}", retirement.date), instead));
        } else if left <= WARN_DAYS {
            let message = format!("{} ends on {}: {instead}", self.model.id(), retirement.date);
            self.verdict.warnings.push(Warning::new(
                WarningCode::Retiring,
                Some("select"),
                message,
            ));
        }
    }

    fn prompt(&mut self, prompt: &str, instructions: &Fact<Instructions>) {
        if prompt.trim().is_empty() {
            if !self.against() {
                return;
            }
            let refusal = Refusal::by_rule(RefusalCode::Empty, "prompt");
            return self.refuse(refusal.saying("needs a prompt", "say what to draw or to change"));
        }
        let Instructions::Closed(vocabulary) = &instructions.value else { return };
        let Err(strange) = vocabulary.read(prompt) else { return };
        if !self.against() {
            return;
        }
        let examples: Vec<&str> = vocabulary.examples.iter().map(|it| it.0).collect();
        let refusal = Refusal::new(
            RefusalCode::NotUnderstood,
            "prompt",
            instructions,
            &examples,
            &strange.words,
        );
        let words: Vec<String> = strange.words.iter().map(|it| format!("`{it}`")).collect();
        let message = match (words.join(", "), strange.misplaced) {
            (none, _) if none.is_empty() => {
                format!("finds no {} in the prompt", strange.missing.join(" and no "))
            }
            (words, true) => format!("cannot make sense of {words} where it stands in the prompt"),
            (words, false) => format!("knows few words, and not {words}"),
        };
        let known = vocabulary.words();
        let mut meant: Vec<String> =
            strange.words.iter().filter_map(|it| near(it, &known)).collect();
        meant.dedup();
        let examples: Vec<String> = examples.iter().map(|it| format!("\"{it}\"")).collect();
        // All words of all offers would hide what is said.
        let fix = match (meant.as_slice(), strange.misplaced) {
            (meant @ [_, ..], false) => format!("did you mean {}?", meant.join(", ")),
            _ => format!("say for example {}", examples.join(" or ")),
        };
        self.refuse(refusal.saying(message, fix));
    }

    /// Checks how many images there are and each of them; returns how many bytes they are as base64.
    fn images(&mut self, images: &[ImageInput], mask: Option<&ImageInput>) -> u64 {
        let accepts = &self.offer.accepts;
        let (takes, got) = (&accepts.images, images.len() as u64);
        let Bounds { min, max } = takes.value;
        if !(u64::from(min)..=max.into()).contains(&got) && !self.against() {
            return 0;
        }
        if u64::from(max) < got {
            let code = if max == 0 { RefusalCode::Unsupported } else { RefusalCode::TooMany };
            let refusal = Refusal::new(code, "images", takes, takes.value, got);
            let message = match max {
                0 => format!("takes no input images, not {got}"),
                _ => format!("takes {}, not {got}", how_many(takes.value, "input image")),
            };
            let fix = format!("drop {}", got - u64::from(max));
            self.refuse(refusal.saying(message, fix));
        } else if got < u64::from(min) {
            let refusal = Refusal::new(RefusalCode::TooFew, "images", takes, takes.value, got);
            let message = format!("takes {}, not {got}", how_many(takes.value, "input image"));
            self.refuse(refusal.saying(message, format!("add {}", u64::from(min) - got)));
        }
        if max == 0 {
            // Where no image has a place, the kind of one is beside the point.
            return 0;
        }
        let inputs = images.iter().map(Some).enumerate().map(|(index, it)| (it, Some(index)));
        let inputs = inputs.chain([(mask, None)]);
        let (mut unchecked, mut bytes) = (Vec::new(), 0);
        for (image, index) in inputs {
            let Some(image) = image else { continue };
            let field = match index {
                _ if !self.says => String::new(),
                Some(index) => format!("images/{index}"),
                None => "mask".to_owned(),
            };
            match image.source() {
                ImageSource::Url(_) => {
                    self.address(image, field);
                    if self.says {
                        unchecked.push(image.label());
                    }
                }
                ImageSource::Bytes(_) | ImageSource::File(_) | ImageSource::Base64(_) => {
                    bytes += self.inline(image, &field);
                }
            }
        }
        if !unchecked.is_empty() {
            let message = format!(
                "only the provider fetches an address, so kind and size are not checked of {}",
                unchecked.join(", ")
            );
            self.verdict.warnings.push(Warning::new(
                WarningCode::Unchecked,
                Some("images"),
                message,
            ));
        }
        bytes
    }

    fn address(&mut self, image: &ImageInput, field: String) {
        let takes = &self.offer.accepts.transports;
        if !takes.value.url && self.against() {
            let refusal =
                Refusal::new(RefusalCode::Unsupported, field, takes, takes.value, image.label());
            self.refuse(
                refusal.saying("takes no addresses", "download the image and give the file"),
            );
        }
    }

    /// Checks an image whose bytes we send; returns how many they are as base64.
    fn inline(&mut self, image: &ImageInput, field: &str) -> u64 {
        let accepts = &self.offer.accepts;
        let Some(facts) = image.facts() else {
            if !self.against() {
                return 0;
            }
            let mut refusal = Refusal::by_rule(RefusalCode::Unreadable, field);
            refusal.got = image.label().into();
            let message = format!("cannot judge {}, which was not inspected", image.label());
            self.refuse(refusal.saying(message, "let a client inspect the request first"));
            return 0;
        };
        let name = if self.says { image.label() } else { String::new() };
        let takes = &accepts.transports;
        if !takes.value.bytes && self.against() {
            let refusal = Refusal::new(RefusalCode::Unsupported, field, takes, takes.value, &name);
            self.refuse(
                refusal.saying("takes only addresses", "put the image where it can be fetched"),
            );
        }
        let kinds = &accepts.media_types;
        if !kinds.value.contains(&facts.media_type) && self.against() {
            let names: Vec<&str> = kinds.value.iter().map(|it| it.name()).collect();
            let refusal =
                Refusal::new(RefusalCode::NotListed, field, kinds, &names, facts.media_type.name());
            let message =
                format!("takes {}, not {} ({name})", names.join(", "), facts.media_type.name());
            let fix =
                "convert the image to PNG or JPEG, or allow the adaptation input_format=convert";
            self.refuse(refusal.saying(message, fix));
        }
        let most = &accepts.image_bytes;
        if most.value < facts.bytes && self.against() {
            let refusal = Refusal::new(RefusalCode::TooLarge, field, most, most.value, facts.bytes);
            let message = format!(
                "takes at most {} an image, not {} ({name})",
                megabytes(most.value),
                megabytes(facts.bytes)
            );
            // As much smaller in area as it is too heavy: about right for a photo.
            let size = scaled(facts.dimensions, most.value as f64 / facts.bytes as f64);
            let fix = format!(
                "scale it to {size}, save it as JPEG, or allow the adaptation input_size=fit"
            );
            self.refuse(refusal.saying(message, fix));
        }
        let (size, range, side) = (facts.dimensions, &accepts.image_pixels, &accepts.image_side);
        if !range.value.contains(&size.area()) && self.against() {
            let refusal =
                Refusal::new(RefusalCode::OutOfRange, field, range, range.value, size.area());
            let message = format!(
                "takes at most {} an image, not {} ({name} is {size})",
                megapixels(range.value.max),
                megapixels(size.area())
            );
            let fits = scaled(size, range.value.max as f64 / size.area() as f64);
            let fix = format!("scale it to {fits}, or allow the adaptation input_size=fit");
            self.refuse(refusal.saying(message, fix));
        }
        let shortest = size.width.min(size.height);
        if shortest < side.value && self.against() {
            let refusal = Refusal::new(RefusalCode::OutOfRange, field, side, side.value, shortest);
            let message =
                format!("takes sides of at least {} pixels ({name} is {size})", side.value);
            self.refuse(refusal.saying(message, "scale the image up"));
        }
        for (is, what) in [
            (facts.animated, "is animated: a model sees one frame of it"),
            (8 < facts.depth, "has more than 8 bits a channel: a model may see fewer"),
        ] {
            if is && self.says {
                let message = format!("{name} {what}");
                self.verdict.warnings.push(Warning::new(WarningCode::Input, Some(field), message));
            }
        }
        facts.bytes.div_ceil(3) * 4
    }

    /// A mask says of each pixel of its image whether to change it, so it has as many.
    fn mask(&mut self, image: &ImageInput, mask: &ImageInput) {
        // What is behind an address is the provider's to see.
        let (Some(of_image), Some(of_mask)) = (image.facts(), mask.facts()) else { return };
        let (size, got) = (of_image.dimensions, of_mask.dimensions);
        // Cameras store what was held upright on its side, and its mask may be upright.
        let turned = [of_image, of_mask].iter().any(|it| it.media_type != MediaType::Png)
            && (size.width, size.height) == (got.height, got.width);
        if size == got || turned || !self.against() {
            return;
        }
        let mut refusal = Refusal::by_rule(RefusalCode::OutOfRange, "mask");
        (refusal.limit, refusal.got) = (size.to_string().into(), got.to_string().into());
        let message = format!(
            "takes a mask of its image's size, not {got} ({}) for {size} ({})",
            mask.label(),
            image.label()
        );
        self.refuse(refusal.saying(message, format!("make the mask {size}")));
    }

    /// Limits on all images together.
    fn sums(&mut self, images: &[ImageInput], bytes: u64) {
        let accepts = &self.offer.accepts;
        let most = &accepts.body_bytes;
        // The skeleton of a body is small; a kilobyte and the prompt cover it.
        let body = bytes + 1024 + self.verdict.request.prompt.len() as u64;
        if 0 < bytes && most.value < body && self.against() {
            let refusal = Refusal::new(RefusalCode::TooLarge, "images", most, most.value, body);
            let message =
                format!("takes at most {} a call, not {}", megabytes(most.value), megabytes(body));
            let percent = percent((most.value as f64 / body as f64).sqrt());
            let fix = format!(
                "scale the images to {percent} % of their width and height, give addresses, or allow \
                 the adaptation input_size=fit"
            );
            self.refuse(refusal.saying(message, fix));
        }
        let Some(budget) = accepts.pixel_budget.value else { return };
        let of_inputs: u64 = images
            .iter()
            .filter_map(|it| it.facts())
            .map(|it| it.dimensions.area().min(budget.input))
            .sum();
        let first = images.first().and_then(ImageInput::facts).map(|it| it.dimensions.area());
        let sum = of_inputs + of_picture(self.verdict.request.size, first, budget);
        if budget.total < sum && self.against() {
            let limit = &accepts.pixel_budget;
            let refusal = Refusal::new(RefusalCode::TooLarge, "images", limit, budget.total, sum);
            let message = format!(
                "takes at most {} of input images and picture together, not {}",
                megapixels(budget.total),
                megapixels(sum)
            );
            let percent = percent((budget.total as f64 / sum as f64).sqrt());
            let fix = format!(
                "scale input images and picture to {percent} % of their width and height, or allow the \
                 adaptation input_size=fit"
            );
            self.refuse(refusal.saying(message, fix));
        }
    }

    fn size(&mut self, size: Size) {
        let accepts = &self.offer.accepts;
        let (ratios, pixels) = (&accepts.ratios, &accepts.pixels);
        let fits = match size {
            Size::Auto => true,
            Size::Ratio(ratio) => ratios.value.contains(ratio),
            Size::Pixels(dimensions) => pixels.value.contains(dimensions),
        };
        if fits {
            return;
        }
        // Pixels that are only assumed to be taken do not stand in for a list of shapes that is known.
        let sure = ratios.value == Ratios::None || pixels.sure != Sure::Assumed;
        if let (Size::Ratio(ratio), true) = (size, sure)
            && let Some(dimensions) = fit::exact(ratio, &pixels.value)
        {
            // Nothing is lost: the shape is kept exactly, and no pixels were asked for.
            let to = Size::Pixels(dimensions);
            return self.resize(size, to, "exact");
        }
        let nearest = nearest_size(size, &ratios.value, &pixels.value);
        if let (Some(to), Some(_)) = (nearest, self.adapt.size) {
            return self.resize(size, to, "nearest");
        }
        if !self.against() {
            return;
        }
        let (what, takes_kind) = match size {
            Size::Ratio(_) => ("ratio", ratios.value != Ratios::None),
            Size::Pixels(_) | Size::Auto => ("width and height", pixels.value != Pixels::None),
        };
        let listed = match size {
            Size::Ratio(_) => matches!(ratios.value, Ratios::Listed(_)),
            Size::Auto | Size::Pixels(_) => matches!(pixels.value, Pixels::Listed(_)),
        };
        let code = match (takes_kind, listed) {
            (false, _) => RefusalCode::Unsupported,
            (true, true) => RefusalCode::NotListed,
            (true, false) => RefusalCode::OutOfRange,
        };
        let offered = match (&ratios.value, &pixels.value) {
            (Ratios::None, Pixels::None) => "decides the size itself".to_owned(),
            (Ratios::None, pixels) => format!("makes {pixels}"),
            (ratios, Pixels::None) => format!("takes a ratio ({ratios})"),
            (ratios, pixels) => format!("makes {pixels}, or takes a ratio ({ratios})"),
        };
        let got = size.to_string();
        let refusal = match size {
            Size::Ratio(_) => Refusal::new(code, "size", ratios, ratios.value, got),
            Size::Auto | Size::Pixels(_) => Refusal::new(code, "size", pixels, pixels.value, got),
        };
        let fix = match nearest {
            Some(to) => format!("ask for {to}, or allow the adaptation size=nearest"),
            None => "leave the size out".to_owned(),
        };
        let message = match takes_kind {
            true => format!("{offered}, not {size}"),
            false => format!("takes no {what} such as {size}; it {offered}"),
        };
        self.refuse(refusal.saying(message, fix));
    }

    fn resize(&mut self, from: Size, to: Size, method: &str) {
        let (from, shown) = (from.to_string().into(), to.to_string().into());
        self.change("size", method, from, shown, |it| it.size = to);
    }

    fn number<T>(
        &mut self,
        field: &str,
        value: Option<T>,
        limit: &Fact<Option<Bounds<T>>>,
        method: Option<AdaptNumber>,
        set: impl FnOnce(&mut ImageRequest, Option<T>),
    ) where
        T: Copy + PartialOrd + std::fmt::Display + serde::Serialize,
    {
        let Some(got) = value else { return };
        let shown = |it: T| serde_json::to_value(it).unwrap_or_default();
        match (limit.value, method) {
            (Some(range), _) if range.contains(&got) => {}
            (Some(range), Some(AdaptNumber::Nearest)) => {
                let to = nearest(got, range);
                self.change(field, "nearest", shown(got), shown(to), |it| set(it, Some(to)));
            }
            (None, Some(AdaptNumber::Drop)) => {
                self.change(field, "drop", shown(got), Value::Null, |it| set(it, None));
            }
            _ if !self.against() => {}
            (Some(range), _) => {
                let refusal =
                    Refusal::new(RefusalCode::OutOfRange, field, limit, range, shown(got));
                let message = format!("takes {field} {range}, not {got}");
                self.refuse(refusal.saying(message, format!("ask for {}", nearest(got, range))));
            }
            (None, _) => {
                let fix = format!("leave it out, or allow the adaptation {field}=drop");
                self.unsupported(field, limit, field, shown(got), &fix);
            }
        }
    }

    fn options(&mut self, options: &serde_json::Map<String, Value>) {
        if options.is_empty() {
            return;
        }
        let limit = &self.offer.accepts.options;
        let taken: Vec<&str> = limit.value.iter().map(|it| it.0).collect();
        let offered = match taken.as_slice() {
            [] => "leave it out; this offer takes no options".to_owned(),
            taken => format!("leave it out; this offer takes {}", taken.join(", ")),
        };
        let wire = self.model.wire();
        for (name, value) in options {
            let field = format!("options/{name}");
            if let Some(owner) =
                wire.and_then(|it| it.owner(name)).map(|it| it.field()).or_else(|| neutral(name))
            {
                self.refused = true;
                let refusal = Refusal::by_rule(RefusalCode::Owned, field);
                let message = format!("takes no option `{name}`, since `{owner}` is for that");
                self.refuse(refusal.saying(message, format!("use `{owner}`")));
            } else if taken.contains(&name.as_str())
                && let Some(wrong) = wire.and_then(|it| it.check_field(name, value))
            {
                if !wrong.is_empty() && self.against() {
                    let refusal =
                        Refusal::new(RefusalCode::Invalid, field, limit, Value::Null, short(value));
                    self.refuse(refusal.saying(
                        format!("does not take this option: {}", faults(&wrong)),
                        wrong[0].fix.clone(),
                    ));
                }
            } else if !self.against() {
            } else if wire.is_some_and(|it| it.known.contains(name)) {
                let refusal =
                    Refusal::new(RefusalCode::Unsupported, field, limit, &taken, short(value));
                self.refuse(refusal.saying(format!("takes no `{name}`"), offered.clone()));
            } else {
                let refusal =
                    Refusal::new(RefusalCode::Unknown, field, limit, &taken, short(value));
                let near = taken.iter().find(|it| 0.7 < strsim::jaro_winkler(it, name));
                let fix = near.map_or(offered.clone(), |it| format!("did you mean `{it}`?"));
                self.refuse(refusal.saying(format!("has no option `{name}`"), fix));
            }
        }
    }
}

/// The known word that a strange one may be a slip of.
fn near(word: &str, known: &[&str]) -> Option<String> {
    let likely = known.iter().map(|it| (strsim::damerau_levenshtein(it, word), it));
    let (slips, known) = likely.min_by_key(|(slips, _)| *slips)?;
    (slips <= 2 && 3 * slips < word.chars().count()).then(|| format!("`{known}`"))
}

/// An offer is announced as retiring this many days before it ends.
const WARN_DAYS: i64 = 90;

/// Names of neutral fields, and other providers' names for them: no option anywhere, so that no
/// image, model, count, size or prompt goes round admission.
pub(crate) fn neutral(name: &str) -> Option<&'static str> {
    Some(match name {
        "prompt" => "prompt",
        "model" => "select",
        "images" | "image" | "image_url" | "image_urls" | "reference_images" | "input_image"
        | "input_images" | "image_input" | "input_references" | "image_prompt" | "image_base64"
        | "condition_image" => "images",
        "mask" | "mask_image" | "mask_url" | "mask_image_url" => "mask",
        "size" | "width" | "height" | "aspect_ratio" | "resolution" => "size",
        "count" | "n" | "num_images" => "count",
        "seed" => "seed",
        "negative_prompt" => "negative_prompt",
        "steps" | "num_inference_steps" => "steps",
        "guidance" | "guidance_scale" => "guidance",
        "output_format" => "output_format",
        _ if name.starts_with("input_image_") => "images",
        _ => return None,
    })
}

fn nearest_size(size: Size, ratios: &Ratios, pixels: &Pixels) -> Option<Size> {
    let (quotient, area) = match size {
        Size::Auto => return None,
        Size::Ratio(ratio) => (ratio.quotient(), fit::MEGAPIXEL),
        Size::Pixels(dimensions) => {
            // The very shape, if it can be asked for and no pixels can.
            if *pixels == Pixels::None
                && let Some(ratio) =
                    dimensions.ratio().filter(|it| it.width <= 32 && it.height <= 32)
                && ratios.contains(ratio)
            {
                return Some(Size::Ratio(ratio));
            }
            (dimensions.quotient(), dimensions.area())
        }
    };
    let by_pixels = || fit::nearest_pixels(quotient, area, pixels).map(Size::Pixels);
    let by_ratio = || fit::nearest_ratio(quotient, ratios).map(Size::Ratio);
    match size {
        Size::Ratio(_) => by_ratio().or_else(by_pixels),
        Size::Pixels(_) | Size::Auto => by_pixels().or_else(by_ratio),
    }
}

fn nearest<T: Copy + PartialOrd>(value: T, range: Bounds<T>) -> T {
    if value < range.min {
        range.min
    } else if range.max < value {
        range.max
    } else {
        value
    }
}

/// Such as "1 input image", "at most 8 input images", "2 to 8 input images".
fn how_many(range: Bounds<u32>, noun: &str) -> String {
    let plural = if range.max == 1 { "" } else { "s" };
    match range.min {
        0 | 1 if range.min < range.max => format!("at most {} {noun}{plural}", range.max),
        0 if range.max == 1 => format!("at most 1 {noun}"),
        _ => format!("{range} {noun}{plural}"),
    }
}

/// A part of a length, in whole percent that surely fit.
fn percent(part: f64) -> u32 {
    ((part * 100.0).floor() as u32).clamp(1, 99)
}

/// A value in a refusal; a text that may be an image is not repeated.
fn short(value: &Value) -> Value {
    match value {
        Value::String(text) if 80 < text.len() => "a long text".into(),
        Value::Array(_) | Value::Object(_) => "a structure".into(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}
