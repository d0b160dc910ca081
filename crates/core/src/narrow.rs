//! The wire type of a family at a provider, narrowed to what one offer accepts.
//!
//! One value is the published JSON Schema of the offer and the check that every finished body
//! passes, so the two cannot disagree.

use serde_json::{Map, Value, json};

use crate::shape::{RATIO_PATTERN, Shape};
use crate::wire::IMAGE_MARK;
use crate::{Capabilities, Offer, Owner, Pixels, Ratios, WireImage};

/// What one offer's body may be.
#[derive(Debug)]
pub struct Narrowed {
    /// Which fields a neutral field of the request fills.
    pub owned: &'static [(&'static str, Owner)],
    /// The JSON Schema, without `$id` and `title`.
    pub schema: Value,
    /// The names of all fields of the family there, whether or not this offer takes them.
    pub known: Vec<String>,
    wide: Value,
    shape: Shape,
}

impl Narrowed {
    /// Narrows the wire type's schema by what the offer accepts.
    pub(crate) fn new(wide: Value, owned: &'static [(&'static str, Owner)], offer: &Offer) -> Self {
        let known = match &wide["properties"] {
            Value::Object(properties) => properties.keys().cloned().collect(),
            _ => Vec::new(),
        };
        let schema = narrow(wide.clone(), owned, offer);
        let shape = Shape::compile(&schema, &schema);
        Self { owned, schema, known, wide, shape }
    }

    /// The same wire type narrowed by another offer, such as one that an overlay has changed.
    pub(crate) fn for_offer(&self, offer: &Offer) -> Self {
        Self::new(self.wide.clone(), self.owned, offer)
    }

    /// A fact that declares what the body has no field for, so that it would be dropped.
    pub(crate) fn unsendable(&self, accepts: &Capabilities) -> Option<&'static str> {
        let has = |owner: Owner| self.owned.iter().any(|(_, it)| *it == owner);
        let images = accepts.images.value.max;
        let declared = [
            ("images", has(Owner::Images) || (0..images.min(64)).all(|it| has(Owner::Image(it)))),
            ("mask", !accepts.mask.value || has(Owner::Mask)),
            ("ratios", accepts.ratios.value == Ratios::None || has(Owner::Ratio)),
            (
                "pixels",
                accepts.pixels.value == Pixels::None || has(Owner::Width) && has(Owner::Height),
            ),
            ("count", accepts.count.value.max == 1 || has(Owner::Count)),
            ("seed", accepts.seed.value.is_none() || has(Owner::Seed)),
            ("negative_prompt", !accepts.negative_prompt.value || has(Owner::NegativePrompt)),
            ("steps", accepts.steps.value.is_none() || has(Owner::Steps)),
            ("guidance", accepts.guidance.value.is_none() || has(Owner::Guidance)),
            ("output_formats", accepts.output_formats.value.is_empty() || has(Owner::OutputFormat)),
        ];
        declared.iter().find(|(_, sendable)| !sendable).map(|(name, _)| *name)
    }

    /// Who owns a field of the body.
    pub fn owner(&self, field: &str) -> Option<Owner> {
        self.owned.iter().find(|(name, _)| *name == field).map(|(_, owner)| *owner)
    }

    /// What is wrong with a whole body, one line each; nothing if it may be sent.
    pub fn check(&self, body: &Value) -> Vec<String> {
        let mut wrong = Vec::new();
        self.shape.check(body, "", &mut wrong);
        wrong
    }

    /// What is wrong with one field given as an option; `None` if the offer has no such field.
    pub fn check_field(&self, field: &str, value: &Value) -> Option<Vec<String>> {
        let shape = self.shape.field(field)?;
        if WireImage::is_within(value) {
            return Some(vec![format!("/{field} has an object in it that stands for an image")]);
        }
        let mut wrong = Vec::new();
        shape.check(value, &format!("/{field}"), &mut wrong);
        Some(wrong)
    }
}

fn narrow(mut schema: Value, owned: &[(&str, Owner)], offer: &Offer) -> Value {
    let Value::Object(root) = &mut schema else { return schema };
    root.shift_remove("title");
    let mut required: Vec<Value> = match root.shift_remove("required") {
        Some(Value::Array(names)) => names,
        _ => Vec::new(),
    };
    let accepts = &offer.accepts;
    if let Some(Value::Object(properties)) = root.get_mut("properties") {
        let names: Vec<String> = properties.keys().cloned().collect();
        for name in names {
            let Some(Value::Object(field)) = properties.get_mut(&name) else { continue };
            let owner = owned.iter().find(|(it, _)| *it == name).map(|(_, owner)| *owner);
            let keep = match owner {
                Some(owner) => narrow_field(field, owner, offer),
                // An image is never an option: it would go round admission.
                None if is_image(field) => false,
                None => accepts.options.value.iter().any(|it| it.0 == name),
            };
            unmark(field);
            if !keep {
                properties.shift_remove(&name);
                required.retain(|it| *it != name);
            } else if owner.is_some_and(|it| is_required(it, accepts))
                && !required.contains(&json!(name))
            {
                required.push(json!(name));
            }
        }
    }
    root.insert("required".to_owned(), required.into());
    prune(root);
    split_by_size(root, owned);
    // Definitions stand last, where a reader expects them.
    if let Some(definitions) = root.shift_remove("$defs") {
        root.insert("$defs".to_owned(), definitions);
    }
    schema
}

/// Whether a field holds input images, by the mark of [`WireImage`].
fn is_image(field: &Map<String, Value>) -> bool {
    field.contains_key(IMAGE_MARK)
        || field.get("items").is_some_and(|it| it.get(IMAGE_MARK).is_some())
}

/// The mark is for us: validators in other languages know no such keyword.
fn unmark(field: &mut Map<String, Value>) {
    field.shift_remove(IMAGE_MARK);
    if let Some(Value::Object(items)) = field.get_mut("items") {
        items.shift_remove(IMAGE_MARK);
    }
}

/// Writes the offer's limits into one field; `false` takes the field away.
fn narrow_field(field: &mut Map<String, Value>, owner: Owner, offer: &Offer) -> bool {
    let Capabilities {
        images,
        mask,
        ratios,
        pixels,
        count,
        seed,
        negative_prompt,
        steps,
        guidance,
        output_formats,
        // These are checked on the request: a body does not show them.
        transports: _,
        media_types: _,
        image_bytes: _,
        image_pixels: _,
        image_side: _,
        pixel_budget: _,
        body_bytes: _,
        instructions: _,
        options: _,
    } = &offer.accepts;
    let mut set = |key: &str, value: Value| {
        field.insert(key.to_owned(), value);
    };
    match owner {
        Owner::Prompt => {}
        Owner::Model => set("const", json!(offer.name)),
        Owner::Image(index) => return index < images.value.max,
        Owner::Images => {
            set("minItems", json!(images.value.min.max(1)));
            set("maxItems", json!(images.value.max));
            return 0 < images.value.max;
        }
        Owner::Mask => return mask.value,
        Owner::Width | Owner::Height => match &pixels.value {
            Pixels::None => return false,
            Pixels::Range { side, step, .. } => {
                set("minimum", json!(side.min));
                set("maximum", json!(side.max));
                if 1 < *step {
                    set("multipleOf", json!(step));
                }
            }
            Pixels::Listed(sizes) => {
                let side = |it: &crate::Dimensions| match owner {
                    Owner::Width => it.width,
                    _ => it.height,
                };
                let mut sides: Vec<u32> = sizes.iter().map(side).collect();
                sides.sort_unstable();
                sides.dedup();
                field.shift_remove("minimum");
                field.shift_remove("maximum");
                field.insert("enum".to_owned(), json!(sides));
            }
        },
        Owner::Ratio => match &ratios.value {
            Ratios::None => return false,
            Ratios::Listed(listed) => {
                field.shift_remove("pattern");
                field.insert("enum".to_owned(), json!(listed));
            }
            Ratios::Between { .. } => set("pattern", json!(RATIO_PATTERN)),
        },
        Owner::Count => {
            set("minimum", json!(count.value.min));
            set("maximum", json!(count.value.max));
        }
        Owner::Seed => match seed.value {
            Some(seeds) => {
                set("minimum", json!(seeds.min));
                set("maximum", json!(seeds.max));
            }
            None => return false,
        },
        Owner::NegativePrompt => return negative_prompt.value,
        Owner::Steps => match steps.value {
            Some(range) => {
                set("minimum", json!(range.min));
                set("maximum", json!(range.max));
            }
            None => return false,
        },
        Owner::Guidance => match guidance.value {
            Some(range) => {
                set("minimum", json!(range.min));
                set("maximum", json!(range.max));
            }
            None => return false,
        },
        Owner::OutputFormat => {
            field.shift_remove("$ref");
            field.insert("type".to_owned(), json!("string"));
            field.insert("enum".to_owned(), json!(output_formats.value));
            return !output_formats.value.is_empty();
        }
    }
    true
}

fn is_required(owner: Owner, accepts: &Capabilities) -> bool {
    match owner {
        Owner::Image(index) => index < accepts.images.value.min,
        Owner::Images => 0 < accepts.images.value.min,
        _ => false,
    }
}

/// Where a size can be given by pixels or by ratio, a body has one of them: two closed objects, which
/// is the form of "either, or" that generators and validators of all languages understand.
fn split_by_size(root: &mut Map<String, Value>, owned: &[(&str, Owner)]) {
    let names = |wanted: &[Owner]| -> Vec<&str> {
        let has = |name: &str| root.get("properties").is_some_and(|it| it.get(name).is_some());
        owned
            .iter()
            .filter(|(it, owner)| wanted.contains(owner) && has(it))
            .map(|it| it.0)
            .collect()
    };
    let (pixels, ratio) = (names(&[Owner::Width, Owner::Height]), names(&[Owner::Ratio]));
    if pixels.is_empty() || ratio.is_empty() {
        return;
    }
    let without = |gone: &[&str], needed: &[&str], title: &str, what: &str| {
        let mut variant = Map::new();
        variant.insert("title".to_owned(), json!(title));
        variant.insert("description".to_owned(), json!(what));
        for key in ["type", "properties", "required", "additionalProperties"] {
            if let Some(value) = root.get(key) {
                variant.insert(key.to_owned(), value.clone());
            }
        }
        if let Some(Value::Object(properties)) = variant.get_mut("properties") {
            gone.iter().for_each(|it| drop(properties.shift_remove(*it)));
        }
        if let Some(Value::Array(required)) = variant.get_mut("required") {
            required.extend(needed.iter().map(|it| json!(it)));
        }
        Value::Object(variant)
    };
    let by_pixels = without(&ratio, &pixels, "ByPixels", "The size in pixels.");
    let by_ratio = without(&pixels, &[], "ByRatio", "The shape, or as the model likes.");
    for key in ["type", "properties", "required", "additionalProperties"] {
        root.shift_remove(key);
    }
    root.insert(
        "oneOf".to_owned(),
        json!([{"$ref": "#/$defs/ByPixels"}, {"$ref": "#/$defs/ByRatio"}]),
    );
    let definitions = root.entry("$defs").or_insert_with(|| json!({}));
    definitions["ByPixels"] = by_pixels;
    definitions["ByRatio"] = by_ratio;
}

/// Drops definitions that nothing points to since fields were taken away.
fn prune(root: &mut Map<String, Value>) {
    loop {
        let Some(Value::Object(definitions)) = root.get("$defs") else { return };
        let text = Value::Object(root.clone()).to_string();
        let unused = |name: &&String| !text.contains(&format!("\"#/$defs/{name}\""));
        let Some(unused) = definitions.keys().find(unused).cloned() else { return };
        if let Some(Value::Object(definitions)) = root.get_mut("$defs") {
            definitions.shift_remove(&unused);
            if definitions.is_empty() {
                root.shift_remove("$defs");
            }
        }
    }
}
