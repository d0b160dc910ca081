//! What to send so that a provider refuses it, each time because of one field.

use repaint::{
    Adapt, Call, Capabilities, Date, Dimensions, Error, ErrorKind, ImageFacts, ImageInput,
    ImageModel, ImageRequest, MediaType, Owner, Pixels, Preview, Ratio, Ratios, Registry, Result,
    Size, Sure, Terms, Usd,
};
use serde_json::{Value, json};

/// An order that is built to be refused: an admitted one with one field of its body changed.
#[derive(Debug)]
pub(crate) struct Probe {
    /// The fact that the answer tells of, by its name in the capabilities; none where it tells how
    /// strange fields are met.
    pub(crate) fact: Option<&'static str>,
    /// The field of the body that is changed.
    pub(crate) field: String,
    /// What it is changed to.
    pub(crate) sent: Value,
    /// What a refusal of it can teach.
    pub(crate) ask: Ask,
    /// Whether the fact is assumed only, so that the order may be taken.
    pub(crate) assumed: bool,
    /// The whole order.
    pub(crate) call: Call,
    /// What it costs at most if it is rendered after all.
    pub(crate) cost: Usd,
}

/// What a refusal can teach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ask {
    /// Where the range ends that stands at this place of the fact: beyond its most, or below its least.
    Beyond { at: &'static str, over: bool },
    /// What is in the list that stands at this place of the fact.
    Outside { at: &'static str },
    /// That no more than one image is taken.
    Twice,
    /// That the field is not taken at all.
    Strange,
}

/// The probes of an offer, the surest to be refused first. `strange` adds those that only a provider
/// refuses which does not ignore what it does not know.
pub(crate) fn probes(
    registry: &Registry,
    model: &dyn ImageModel,
    strange: bool,
) -> Result<Vec<Probe>> {
    let Some(wire) = model.wire() else {
        let message = format!(
            "{} runs in this process: there is no provider that could be asked",
            model.id()
        );
        return Err(Error::new(ErrorKind::InvalidRequest, message));
    };
    let field = |owner: Owner| wire.owned.iter().find(|it| it.1 == owner).map(|it| it.0);
    let mut plan = Plan { model, probes: Vec::new() };
    let Capabilities {
        images,
        media_types,
        ratios,
        pixels,
        count,
        seed,
        steps,
        guidance,
        output_formats,
        // A refusal of these takes megabytes to provoke, or is nobody's to see.
        transports: _,
        image_bytes: _,
        image_pixels: _,
        image_side: _,
        pixel_budget: _,
        body_bytes: _,
        mask,
        instructions: _,
        negative_prompt,
        options: _,
    } = model.capabilities();
    let least = least(model);

    if let (Some(range), Some(name)) = (seed.value, field(Owner::Seed)) {
        let over = range.max.saturating_add(1);
        let request = ImageRequest { seed: Some(over), ..least.clone() };
        plan.add(Some("seed"), name, over.into(), beyond("", true), &least, &request)?;
    }
    if let (Some(range), Some(name)) = (steps.value, field(Owner::Steps)) {
        let over = range.max.saturating_add(1);
        let request = ImageRequest { steps: Some(over), ..least.clone() };
        plan.add(Some("steps"), name, over.into(), beyond("", true), &least, &request)?;
    }
    if let (Some(range), Some(name)) = (guidance.value, field(Owner::Guidance)) {
        let over = range.max + 1.0;
        plan.add(Some("guidance"), name, json!(over), beyond("", true), &least, &least)?;
    }
    if let Some(name) = field(Owner::Count) {
        let over = count.value.max.saturating_add(1);
        let request = ImageRequest { count: over, ..least.clone() };
        plan.add(Some("count"), name, over.into(), beyond("", true), &least, &request)?;
    }
    if let (Some(name), Size::Pixels(size)) = (field(Owner::Width), least.size) {
        let mut ask = |width: u32, ask: Ask| {
            let size = Size::Pixels(Dimensions { width, ..size });
            let request = ImageRequest { size, ..least.clone() };
            plan.add(Some("pixels"), name, width.into(), ask, &least, &request)
        };
        match &pixels.value {
            Pixels::Range { side, step, .. } => {
                if *step < side.min {
                    ask(side.min - step, beyond("/range/side", false))?;
                }
                ask(side.max.saturating_add(*step), beyond("/range/side", true))?;
            }
            Pixels::Listed(_) => ask(size.width + 1, Ask::Outside { at: "/listed" })?,
            Pixels::None => {}
        }
    }
    if let Some(name) = field(Owner::Ratio) {
        // Flatter than anything that is made.
        let odd = Ratio::new(97, 3);
        let admitted = match &ratios.value {
            Ratios::Listed(list) => list.first().copied().map(|it| (it, "/listed")),
            Ratios::Between { flattest, .. } => Some((*flattest, "")),
            Ratios::None => None,
        };
        if let Some((ratio, at)) = admitted {
            let base = ImageRequest { size: Size::Ratio(ratio), ..least.clone() };
            plan.add(Some("ratios"), name, json!(odd), Ask::Outside { at }, &base, &base)?;
        }
    }
    if let (Some(name), false) = (field(Owner::OutputFormat), output_formats.value.is_empty()) {
        let ask = Ask::Outside { at: "" };
        plan.add(Some("output_formats"), name, json!("bmp"), ask, &least, &least)?;
    }
    let most = images.value.max;
    let addresses = |count: u32| -> Vec<String> { (1..=count).map(address).collect() };
    if let (Some(name), 1..=MANY) = (field(Owner::Images), most) {
        let request = with_images(&least, most + 1)?;
        let sent = json!(addresses(most + 1));
        plan.add(Some("images"), name, sent, beyond("", true), &least, &request)?;
    } else if let (Some(name), 1) = (field(Owner::Image(0)), most) {
        let request = with_images(&least, 2)?;
        plan.add(Some("images"), name, json!(addresses(2)), Ask::Twice, &least, &request)?;
    }
    if let Some(name) = field(Owner::Images).or(field(Owner::Image(0)))
        && 0 < most
        && !media_types.value.contains(&MediaType::Gif)
        && let Some(image) = gif(model, name)
    {
        let sent = if field(Owner::Images).is_some() { json!([image]) } else { json!(image) };
        let request = with_images(&least, 1)?;
        plan.add(Some("media_types"), name, sent, Ask::Outside { at: "" }, &least, &request)?;
    }
    if strange {
        // The provider's name of a field is in what it takes for its other families.
        let others = registry.models().filter(|it| it.provider().id == model.provider().id);
        let others: Vec<_> = others.filter_map(|it| it.wire()).flat_map(|it| it.owned).collect();
        let lacking = [
            ("seed", Owner::Seed, json!(1), seed.value.is_none()),
            ("steps", Owner::Steps, json!(20), steps.value.is_none()),
            ("guidance", Owner::Guidance, json!(3.5), guidance.value.is_none()),
            ("output_formats", Owner::OutputFormat, json!("png"), output_formats.value.is_empty()),
            ("ratios", Owner::Ratio, json!("1:1"), ratios.value == Ratios::None),
            ("negative_prompt", Owner::NegativePrompt, json!("blur"), !negative_prompt.value),
            ("mask", Owner::Mask, json!(address(1)), !mask.value),
        ];
        if let Some(name) = field(Owner::Image(most)) {
            let sent = json!(address(most + 1));
            let request = with_images(&least, most + 1)?;
            plan.add(Some("images"), name, sent, Ask::Strange, &least, &request)?;
        }
        for (fact, owner, sent, _) in lacking.into_iter().filter(|it| it.3) {
            let named = others.iter().find(|it| it.1 == owner).map_or(owner.field(), |it| it.0);
            plan.add(Some(fact), named, sent, Ask::Strange, &least, &least)?;
        }
        plan.add(None, "repaint_probe", json!(true), Ask::Strange, &least, &least)?;
    }
    // What a provider documents it surely refuses; where it is only assumed, it may not.
    plan.probes.sort_by_key(|it| (it.ask == Ask::Strange, it.assumed));
    Ok(plan.probes)
}

fn beyond(at: &'static str, over: bool) -> Ask {
    Ask::Beyond { at, over }
}

struct Plan<'a> {
    model: &'a dyn ImageModel,
    probes: Vec<Probe>,
}

impl Plan<'_> {
    /// Changes one field of what `base` becomes; `asked` is what that amounts to, for the price.
    fn add(
        &mut self,
        fact: Option<&'static str>,
        field: &str,
        sent: Value,
        ask: Ask,
        base: &ImageRequest,
        asked: &ImageRequest,
    ) -> Result<()> {
        let Some(call) = call(self.model, base)? else { return Ok(()) };
        let call = call.with_field(field, sent.clone())?;
        let offer = self.model.offer();
        let estimate = |it: &ImageRequest| offer.price.value.estimate(it, &offer.accepts).high;
        // Who ignores the size that is asked for may make the largest.
        let largest = ImageRequest { size: largest(self.model), ..asked.clone() };
        let cost = estimate(asked).max(estimate(&largest));
        let facts = serde_json::to_value(offer.accepts).unwrap_or_default();
        let assumed = fact.is_none_or(|it| facts[it]["sure"] == json!(Sure::Assumed));
        let field = field.to_owned();
        self.probes.push(Probe { fact, field, sent, ask, assumed, call, cost });
        Ok(())
    }
}

/// The order that a request becomes, once it is admitted.
fn call(model: &dyn ImageModel, request: &ImageRequest) -> Result<Option<Call>> {
    let terms = Terms { adapt: &Adapt::default(), today: Date::today() };
    let admitted =
        model.admit(request, terms).map_err(|refusals| Error::refused(model.id(), refusals))?;
    Ok(match admitted.encode()? {
        Preview::Http(call) => Some(call),
        Preview::Local(_) => None,
    })
}

/// The request that asks for least, and so costs least if it is rendered.
fn least(model: &dyn ImageModel) -> ImageRequest {
    let accepts = model.capabilities();
    let size = match &accepts.pixels.value {
        Pixels::None => Size::Auto,
        Pixels::Listed(sizes) => {
            sizes.iter().min_by_key(|it| it.area()).map_or(Size::Auto, |it| Size::Pixels(*it))
        }
        Pixels::Range { side, step, area } => {
            let least = (area.min as f64).sqrt().ceil() as u32;
            let side = side.min.max(least).div_ceil(*step) * step;
            Size::Pixels(Dimensions::new(side, side))
        }
    };
    let images = (1..=accepts.images.value.min).filter_map(|it| ImageInput::url(&address(it)).ok());
    ImageRequest { images: images.collect(), size, ..ImageRequest::new("a grey square") }
}

/// The most pixels that the offer makes.
fn largest(model: &dyn ImageModel) -> Size {
    match &model.capabilities().pixels.value {
        Pixels::None => Size::Auto,
        Pixels::Listed(sizes) => {
            sizes.iter().max_by_key(|it| it.area()).map_or(Size::Auto, |it| Size::Pixels(*it))
        }
        Pixels::Range { side, area, .. } => {
            let most = area.max.min(u64::from(side.max) * u64::from(side.max));
            let side = ((most as f64).sqrt().ceil() as u32).clamp(side.min.max(1), side.max);
            Size::Pixels(Dimensions { width: side, height: side })
        }
    }
}

fn with_images(request: &ImageRequest, count: u32) -> Result<ImageRequest> {
    let images = (1..=count).map(|it| ImageInput::url(&address(it))).collect::<Result<_>>()?;
    Ok(ImageRequest { images, ..request.clone() })
}

/// Where no image can ever be: the name is reserved, so a provider that fetches before it counts
/// finds nothing to render.
fn address(index: u32) -> String {
    format!("https://probe.invalid/{index}.png")
}

/// More addresses than these in one body would say more of the body than of their number.
const MANY: u32 = 64;

/// A GIF of one pixel, in the form in which this body carries images.
fn gif(model: &dyn ImageModel, field: &str) -> Option<String> {
    /// ref: the smallest file of "GIF89a", w3.org/Graphics/GIF/spec-gif89a.txt
    const GIF: &str = "R0lGODlhAQABAAAAACwAAAAAAQABAAACAkQBADs=";
    /// A PNG of one pixel; what is claimed of it is what an offer takes.
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0:~\x9bU\0\0\0\nIDATx\x9cc`\0\0\0\x02\0\x01H\xaf\xa4q\0\0\0\0IEND\xaeB`\x82";
    let facts = ImageFacts::still(MediaType::Png, Dimensions::new(512, 512), PNG.len() as u64);
    let image = ImageInput::bytes(PNG).ok()?.inspected(facts);
    let request = ImageRequest { images: vec![image], ..least(model) };
    let call = call(model, &request).ok()??;
    let body = call.body.as_ref()?.preview();
    let carried = body[field][0].as_str().or(body[field].as_str())?;
    Some(if carried.starts_with("data:") {
        format!("data:image/gif;base64,{GIF}")
    } else {
        GIF.to_owned()
    })
}
