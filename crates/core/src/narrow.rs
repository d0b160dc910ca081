//! The wire type of a family at a provider, narrowed to what one offer accepts.
//!
//! One value is the published JSON Schema of the offer and the check that every finished body
//! passes, so the two cannot disagree.

use serde_json::{Map, Value, json};

use crate::admit::neutral;
use crate::field::{Field, Sample};
use crate::rule::Rule;
use crate::shape::{Shape, Writer};
use crate::size::RATIO_PATTERN;
use crate::violation::Violation;
use crate::wire::IMAGE_MARK;
use crate::{Capabilities, Form, List, Offer, Owner, Pixels, Ratios, RefusalCode, WireImage};

/// What one offer's body may be.
#[derive(Debug)]
pub struct Narrowed {
    /// Which fields a neutral field of the request fills.
    pub owned: &'static [(&'static str, Owner)],
    /// The JSON Schema, without `$id` and `title`.
    pub schema: Value,
    /// What the body must keep besides its schema.
    pub rules: Vec<Rule>,
    /// What each field of the body holds, in the body's order.
    pub fields: Vec<Field>,
    /// The names of all fields of the family there, whether or not this offer takes them.
    pub known: Vec<String>,
    wide: Value,
    shape: Shape,
    sample: Sample,
}

impl Narrowed {
    /// Narrows the wire type's schema by what the offer accepts.
    pub(crate) fn new(
        wide: Value,
        owned: &'static [(&'static str, Owner)],
        offer: &Offer,
        sample: Sample,
    ) -> Self {
        let known: Vec<String> = match &wide["properties"] {
            Value::Object(properties) => properties.keys().cloned().collect(),
            _ => Vec::new(),
        };
        let schema = narrow(wide.clone(), owned, offer);
        let shape = Shape::compile(&schema, &schema);
        let fields = Field::all(&known, &shape, owned, offer, sample);
        let rules = rules(&fields, &offer.accepts);
        Self { owned, schema, rules, fields, known, wide, shape, sample }
    }

    /// The same wire type narrowed by another offer, such as one that an overlay has changed.
    pub(crate) fn for_offer(&self, offer: &Offer) -> Self {
        Self::new(self.wide.clone(), self.owned, offer, self.sample)
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

    /// What is wrong with a whole body that somebody else wrote; nothing if the offer takes it.
    pub(crate) fn validate(&self, body: &Value) -> Vec<Violation> {
        self.check(body, Writer::Others)
    }

    /// What is wrong with a whole body of ours.
    pub(crate) fn check_ours(&self, body: &Value) -> Vec<Violation> {
        self.check(body, Writer::Us)
    }

    fn check(&self, body: &Value, writer: Writer) -> Vec<Violation> {
        let mut found = Vec::new();
        self.shape.check(body, "", writer, &mut found);
        if let Value::Object(fields) = body {
            found.iter_mut().for_each(|it| self.in_terms_of_the_offer(it, fields));
            let (own, mut of_rules) = (found.len(), Vec::new());
            self.rules.iter().for_each(|it| it.check(fields, &mut of_rules));
            // A product of sides of which one is no side says nothing.
            let spoiled = |owner: Owner| {
                let name = self.owned.iter().find(|it| it.1 == owner).map(|it| it.0);
                let at = |it: &Violation| it.pointer.strip_prefix('/') == name;
                found[..own].iter().any(at)
            };
            if spoiled(Owner::Width) || spoiled(Owner::Height) {
                let of_size = |it: &Violation| {
                    let name = it.pointer.strip_prefix('/').unwrap_or_default();
                    matches!(self.owner(name), Some(Owner::Width | Owner::Height))
                };
                of_rules.retain(|it| it.code == RefusalCode::Empty || !of_size(it));
            }
            found.append(&mut of_rules);
        }
        found
    }

    /// What is wrong with one field given as an option; `None` if the offer has no such field.
    pub(crate) fn check_field(&self, field: &str, value: &Value) -> Option<Vec<Violation>> {
        let shape = self.shape.field(field)?;
        let at = format!("/{field}");
        let mut found = Vec::new();
        if WireImage::is_within(value) {
            let message = "has an object in it that stands for an image";
            let violation = Violation::new(RefusalCode::Invalid, &at, message);
            found.push(violation.fix("give an image among the images of the request"));
        } else {
            shape.check(value, &at, Writer::Others, &mut found);
        }
        Some(found)
    }

    /// A schema knows fields; the offer knows what they are for.
    fn in_terms_of_the_offer(&self, violation: &mut Violation, body: &Map<String, Value>) {
        let Some(name) = violation.pointer.strip_prefix('/').filter(|it| !it.contains('/')) else {
            return;
        };
        let named = |owners: &[Owner]| {
            let names = self.fields.iter().filter_map(|it| {
                self.owner(&it.name).filter(|it| owners.contains(it)).map(|_| it.name.as_str())
            });
            names.filter(|it| body.contains_key(*it)).collect::<Vec<_>>().join("` and `")
        };
        match (violation.code, self.owner(name)) {
            (RefusalCode::OutOfRange, Some(Owner::Count)) => {
                let few = violation.got.as_f64() < violation.limit["min"].as_f64();
                violation.code = if few { RefusalCode::TooFew } else { RefusalCode::TooMany };
            }
            (RefusalCode::Empty, Some(Owner::Images | Owner::Image(_)))
                if !body.contains_key(name) =>
            {
                violation.code = RefusalCode::TooFew;
                violation.fix = "give the image".to_owned();
            }
            (RefusalCode::Empty, Some(Owner::Prompt)) => {
                violation.fix = "say what to draw or to change".to_owned();
            }
            (RefusalCode::Unknown, owner) if self.shape.field(name).is_some() => {
                // Both forms of the size are known here, each without the other.
                let other = match owner {
                    Some(Owner::Ratio) => named(&[Owner::Width, Owner::Height]),
                    _ => named(&[Owner::Ratio]),
                };
                violation.code = RefusalCode::Invalid;
                violation.fix = format!("leave out `{name}`, or `{other}`");
                violation.message = format!("must not stand beside `{other}`");
            }
            (RefusalCode::Unknown, _) => {
                let known = self.known.iter().any(|it| it == name);
                if known {
                    violation.code = RefusalCode::Unsupported;
                    violation.message = "is not taken by this model".to_owned();
                    violation.fix = "leave it out".to_owned();
                }
                // Another provider's name, or another model's: the same thing has a field here.
                let instead = neutral(name).and_then(|wanted| {
                    let is =
                        |it: &&Field| self.owner(&it.name).is_some_and(|it| it.field() == wanted);
                    self.fields.iter().find(is)
                });
                if let Some(field) = instead {
                    violation.fix = format!("use `{}`", field.name);
                }
            }
            _ => {}
        }
    }
}

/// What the schema of such a body cannot say.
fn rules(fields: &[Field], accepts: &Capabilities) -> Vec<Rule> {
    use crate::field::Holds;
    let named = |holds: Holds| fields.iter().find(|it| it.holds == holds).map(|it| it.name.clone());
    let mut rules = Vec::new();
    if let (Some(width), Some(height)) = (named(Holds::Width), named(Holds::Height)) {
        match accepts.pixels.value {
            Pixels::None => {}
            Pixels::Range { area, .. } => {
                let (min_area, max_area) = (area.min, area.max);
                rules.push(Rule::Pixels { width, height, min_area, max_area });
            }
            Pixels::Listed(sizes) => rules.push(Rule::ListedPixels { width, height, sizes }),
        }
    }
    if let (Some(field), Ratios::Between { tallest, flattest }) =
        (named(Holds::Ratio), accepts.ratios.value)
    {
        rules.push(Rule::Ratio { field, tallest, flattest });
    }
    for form in [Form::DataUri, Form::Base64] {
        let written = fields.iter().filter(|it| it.form == Some(form));
        let fields: Vec<String> = written.map(|it| it.name.clone()).collect();
        if fields.is_empty() {
            continue;
        }
        let transports = accepts.transports.value;
        rules.push(Rule::Image {
            fields,
            url: transports.url,
            form,
            media_types: if transports.bytes { accepts.media_types.value } else { List::EMPTY },
            max_bytes: accepts.image_bytes.value,
        });
    }
    rules.push(Rule::Texts { max_bytes: accepts.body_bytes.value });
    rules
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
