//! What `/openapi.json` says of the body of a request: a form of it for each offer, so that a reader sees what
//! each takes.
//!
//! The forms refuse what the gateway refuses whatever a policy allows, and nothing else: how many images, which
//! options, seeds beyond their range. What a policy may change to make it fit (`policy.adapt`, or the gateway's
//! own where a request has none) is told in words instead, since a schema that refused it would be wrong as soon
//! as it is allowed.

use std::collections::{BTreeMap, BTreeSet};

use repaint_core::{
    Bounds, Capabilities, ImageInput, ImageModel, Instructions, Pixels, Ratios, Registry,
};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::dialect::{self, AUTO, nullable};
use crate::form::LONGEST_NAME;
use crate::openapi::Parts;

/// The bodies, as references to their parts.
pub(crate) struct Bodies {
    /// Of what draws or edits.
    pub(crate) generation: Value,
    /// Of what edits.
    pub(crate) edit: Value,
    /// The same as a form.
    pub(crate) form: Value,
    /// Of what is explained: what no model takes is explained, too.
    pub(crate) explained: Value,
    /// What may be wrong.
    pub(crate) any: Value,
}

/// Fields in which images are given, in the order in which they are told.
const IMAGES: [&str; 4] = ["image_url", "reference_images", "image", "images"];
/// Fields of OpenAI's that may say `auto`; anything else is an option.
const AUTOMATIC: [&str; 3] = ["quality", "background", "moderation"];

/// The bodies for the models of a registry.
pub(crate) fn bodies(registry: &Registry, parts: &mut Parts) -> Bodies {
    let shared = shared(parts);
    let with_images = with_images(parts);
    let rules = rules(parts, &with_images);
    let (single, several) = names(registry);
    let mut arms = Vec::new();
    let mut mapping = Map::new();
    let mut arm = |parts: &mut Parts, title: &str, names: &BTreeSet<String>, form: Value| {
        let reference = parts.put(title, form);
        for name in names {
            mapping.insert(name.clone(), reference["$ref"].clone());
        }
        arms.push(reference);
    };
    for model in registry.models() {
        let Some(names) = single.get(model.id()) else { continue };
        let form = of_offer(model, names, &shared, &with_images, parts);
        arm(parts, &title(model), names, form);
    }
    let form = of_several(registry, &several, &shared);
    arm(parts, "AnyModelGeneration", &several, form);
    let all: BTreeSet<String> = single.values().flatten().chain(&several).cloned().collect();
    let explained = explained(&all, &shared, &rules);
    let explained = parts.put("ExplainedGeneration", explained);
    let generation = parts.put(
        "Generation",
        json!({
            "description": "What a picture is asked for with: the fields of Together's API and of OpenAI's, with \
                one meaning each. `model` says which form holds: there is one for each offer, for its names, and \
                `AnyModelGeneration` for names that several answer to. A form refuses what is refused whatever \
                the policy; what `policy.adapt` may make fit, such as another size, is told in its words. `null` \
                is the same as to leave a field out, and a field that no form names is an option of the model's \
                own body.",
            "type": "object",
            "required": ["model", "prompt"],
            "allOf": rules,
            "oneOf": arms,
            "discriminator": { "propertyName": "model", "mapping": mapping },
        }),
    );
    let edit = parts.put(
        "Edit",
        json!({
            "description": "The same, with at least one image.",
            "allOf": [generation, with_images],
        }),
    );
    let form = form_of(&all, parts);
    let form = parts.put("EditForm", form);
    let any = parts.put(
        "AnyGeneration",
        json!({
            "description": "An object that is to be one of `Generation`: what is wrong with it is told.",
            "type": "object",
        }),
    );
    Bodies { generation, edit, form, explained, any }
}

/// The fields, each as a part of its own, by name and in the order of their types.
fn shared(parts: &mut Parts) -> Map<String, Value> {
    let Value::Object(mut wide) = parts.definitions(dialect::schema()) else { return Map::new() };
    let Some(Value::Object(fields)) = wide.shift_remove("properties") else { return Map::new() };
    let mut shared = Map::new();
    for (name, mut field) in fields {
        match name.as_str() {
            // The checker at the door says why in better words than a constant would.
            "stream" => (field["type"], field["enum"]) = (Value::Null, json!([false, null])),
            "model" => {
                shared.insert(name, field);
                continue;
            }
            _ => {}
        }
        if let Value::Object(keywords) = &mut field {
            keywords.retain(|_, it| !it.is_null());
        }
        let part = parts.put(&format!("Request{}", pascal(&name)), field);
        shared.insert(name, part);
    }
    shared
}

/// The names that stand for one offer alone, by its id, and all others.
fn names(registry: &Registry) -> (BTreeMap<String, BTreeSet<String>>, BTreeSet<String>) {
    let mut single: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut several = BTreeSet::from([AUTO.to_owned()]);
    for model in registry.models() {
        let offer = model.offer();
        let own = [model.id(), offer.model, offer.name, model.family()];
        for name in own.into_iter().chain(offer.aliases.iter().copied()).filter(|it| *it != AUTO) {
            match registry.resolve(name).as_deref() {
                Ok([only]) => {
                    single.entry(only.id().to_owned()).or_default().insert(name.to_owned());
                }
                Ok(_) => {
                    several.insert(name.to_owned());
                }
                Err(_) => {}
            }
        }
    }
    (single, several)
}

/// `TogetherFlux2ProGeneration`
fn title(model: &dyn ImageModel) -> String {
    format!("{}Generation", pascal(model.id()))
}

fn pascal(name: &str) -> String {
    let words = name.split(|it: char| !it.is_ascii_alphanumeric());
    let words = words.map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        format!("{}{rest}", first.to_ascii_uppercase())
    });
    words.collect()
}

/// What holds between fields, whoever takes the request: each thing is said once.
fn rules(parts: &mut Parts, with_images: &Value) -> Vec<Value> {
    let nothing = |names: &[&str]| -> Map<String, Value> {
        names.iter().map(|it| ((*it).to_owned(), json!({ "type": "null" }))).collect()
    };
    let none =
        json!({ "title": "WithoutImages", "type": "object", "properties": nothing(&IMAGES) });
    let images = json!({
        "description": "Input images stand in one field, or in none.",
        "oneOf": [none, with_images],
    });
    let auto = json!({ "enum": ["auto", null] });
    let size = |title: &str, given: Value| {
        let mut fields = nothing(&["width", "height", "aspect_ratio"]);
        fields.insert("size".to_owned(), auto.clone());
        let Value::Object(given) = given else { return Value::Null };
        let needed: Vec<String> = given.keys().cloned().collect();
        fields.extend(given);
        json!({ "title": title, "type": "object", "properties": fields, "required": needed })
    };
    let whole = json!({ "type": "integer" });
    let sizes = json!({
        "description": "The size is said in one way, or left to the model.",
        "oneOf": [
            size("AnySize", json!({})),
            size("SizeInPixels", json!({ "width": whole, "height": whole })),
            size("SizeByRatio", json!({ "aspect_ratio": { "type": "string" } })),
            size("SizeInWords", json!({ "size": { "type": "string", "pattern": "^[1-9]" } })),
        ],
    });
    let guidance = json!({
        "description": "`guidance` and `guidance_scale` mean the same: one of them, or neither.",
        "oneOf": [
            { "title": "WithoutGuidance", "type": "object", "properties": nothing(&["guidance"]) },
            {
                "title": "WithGuidance", "type": "object", "required": ["guidance"],
                "properties": { "guidance": { "type": "number" }, "guidance_scale": { "type": "null" } }
            },
        ],
    });
    let rules =
        [("OneWayOfImages", images), ("OneWayOfSize", sizes), ("OneWayOfGuidance", guidance)];
    rules.into_iter().map(|(name, rule)| parts.put(name, rule)).collect()
}

/// At least one image, in one field.
fn with_images(parts: &mut Parts) -> Value {
    let arm = |given: &&str| {
        let field = |name: &&str| {
            let kind = match *name {
                name if name != *given => json!({ "type": "null" }),
                "image_url" => json!({ "type": "string" }),
                // A linter wants to know what is in a list.
                "reference_images" => json!({ "type": "array", "items": {} }),
                _ => json!({ "type": ["string", "object", "array"], "items": {} }),
            };
            ((*name).to_owned(), kind)
        };
        let fields: Map<String, Value> = IMAGES.iter().map(field).collect();
        let title = format!("With{}", pascal(given));
        json!({ "title": title, "type": "object", "properties": fields, "required": [given] })
    };
    let arms: Vec<Value> = IMAGES.iter().map(arm).collect();
    let what = "At least one input image, in one field.";
    parts.put("WithImages", json!({ "description": what, "oneOf": arms }))
}

/// For names that several answer to: each takes what it takes, so all fields are there.
fn of_several(registry: &Registry, names: &BTreeSet<String>, shared: &Map<String, Value>) -> Value {
    let mut fields = shared.clone();
    let among = |name: &String| {
        let found = registry.resolve(name).unwrap_or_default();
        let ids: Vec<&str> = found.iter().map(|it| it.id()).collect();
        (!ids.is_empty()).then(|| format!("`{name}` is one of {}", ids.join(", ")))
    };
    let said: Vec<String> = names.iter().filter_map(among).collect();
    fields["model"] = json!({
        "description": format!("{}; `{AUTO}` is any that takes the request.", said.join("; ")),
        "type": "string",
        "enum": names,
    });
    json!({
        "description": "A request that may go to one of several offers, which is the first in the order of \
            the policy that takes it. Its forms say what each takes.",
        "type": "object",
        "properties": fields,
        "required": ["model", "prompt"],
    })
}

/// For whoever asks what would become of it: a model's limits are in the answer then.
fn explained(names: &BTreeSet<String>, shared: &Map<String, Value>, rules: &[Value]) -> Value {
    let mut fields = shared.clone();
    fields["model"] = json!({ "description": "Who is asked.", "type": "string", "enum": names });
    json!({
        "description": "A request as `Generation` has it, within the limits of a model or not: the answer says who \
            would take it, and why each other would not.",
        "type": "object",
        "properties": fields,
        "required": ["model", "prompt"],
        "allOf": rules,
    })
}

/// For the names of one offer.
fn of_offer(
    model: &dyn ImageModel,
    names: &BTreeSet<String>,
    shared: &Map<String, Value>,
    with_images: &Value,
    parts: &mut Parts,
) -> Value {
    let offer = model.offer();
    let mut fields = Map::new();
    for (name, field) in shared {
        if let Some(field) = of_field(name, field, model, names, parts) {
            fields.insert(name.clone(), field);
        }
    }
    for name in offer.accepts.options.value.iter().map(|it| it.0) {
        let known = shared.contains_key(name) && !AUTOMATIC.contains(&name);
        if let Some(field) = option(model, name).filter(|_| !known) {
            fields.insert(name.to_owned(), field);
        }
    }
    let mut what = format!("What {} takes.", model.id());
    if let Some(end) = &offer.retires {
        what.push_str(&format!(" It ends on {}", end.value.date));
        match &end.value.successor {
            Some(successor) => what.push_str(&format!(": use {successor}.")),
            None => what.push('.'),
        }
    }
    let mut form = json!({
        "description": what,
        "type": "object",
        "properties": fields,
        "required": ["model", "prompt"],
        "additionalProperties": parts.put("NotTaken", json!({
            "description": "It has no such field; `null` is the same as to leave it out.", "type": "null"
        })),
    });
    if 0 < offer.accepts.images.value.min {
        form["allOf"] = json!([with_images]);
    }
    form
}

/// One field as this offer takes it; `None` if it takes none, whatever the policy.
fn of_field(
    name: &str,
    field: &Value,
    model: &dyn ImageModel,
    names: &BTreeSet<String>,
    parts: &mut Parts,
) -> Option<Value> {
    let Capabilities {
        images,
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
        // Told of the image itself, or by other fields.
        transports: _,
        media_types: _,
        image_bytes: _,
        image_pixels: _,
        image_side: _,
        pixel_budget: _,
        body_bytes: _,
        options,
    } = &model.offer().accepts;
    let said = |what: String| Some(with(field, &what));
    let dropped =
        |what: &str| said(format!("It takes no {what}, unless `policy.adapt.{name}` drops it."));
    match name {
        "model" => Some(json!({
            "description": "Its names.", "type": "string", "enum": names,
        })),
        "prompt" => match &instructions.value {
            Instructions::Closed(vocabulary) => {
                let examples: Vec<String> =
                    vocabulary.examples.iter().map(|it| format!("\"{}\"", it.0)).collect();
                said(format!("It knows few words: {}.", examples.join(", ")))
            }
            Instructions::Any => Some(field.clone()),
        },
        "n" => {
            let Bounds { min, max } = count.value;
            if model.offer().generative && min <= 1 {
                return said(format!("At most {max} a call; more are made in several calls."));
            }
            let mut least = json!({ "type": "integer", "minimum": min, "maximum": max });
            nullable(&mut least);
            Some(with(&least, "How many pictures; 1 by default."))
        }
        "image_url" | "reference_images" | "image" | "images" => {
            of_images(name, field, images.value, parts)
        }
        "mask" => mask.value.then(|| field.clone()),
        "size" | "aspect_ratio" | "width" | "height" => {
            let makes = match (&ratios.value, &pixels.value) {
                (Ratios::None, Pixels::None) if name == "size" => {
                    return Some(
                        json!({ "description": "It decides the size itself.", "enum": ["auto", null] }),
                    );
                }
                (Ratios::None, Pixels::None) => return None,
                (Ratios::None, pixels) => format!("It makes {pixels}"),
                (ratios, Pixels::None) => format!("It takes a ratio ({ratios})"),
                (ratios, pixels) => format!("It makes {pixels}, or takes a ratio ({ratios})"),
            };
            match name {
                "size" => said(format!(
                    "{makes}; others only where `policy.adapt.size` allows the nearest."
                )),
                _ => Some(field.clone()),
            }
        }
        "seed" => match seed.value {
            Some(Bounds { min, max }) => {
                let mut seed = json!({ "type": "integer", "minimum": min, "maximum": max });
                nullable(&mut seed);
                Some(with(&seed, "Equal seeds give like pictures."))
            }
            None => dropped("seed"),
        },
        "negative_prompt" if !negative_prompt.value => dropped("negative prompt"),
        "steps" => match steps.value {
            Some(range) => {
                said(format!("{range}, or the nearest where `policy.adapt.steps` allows it."))
            }
            None => dropped("steps"),
        },
        "guidance" | "guidance_scale" => match guidance.value {
            Some(range) => {
                said(format!("{range}, or the nearest where `policy.adapt.guidance` allows it."))
            }
            None => {
                said("It takes no guidance, unless `policy.adapt.guidance` drops it.".to_owned())
            }
        },
        "output_format" => {
            let formats: Vec<&str> = output_formats.value.iter().map(|it| it.name()).collect();
            let others = "where `policy.adapt.output_format` drops or converts it";
            match formats.as_slice() {
                [] => said(format!("It takes none, but {others}.")),
                formats => {
                    said(format!("It makes {}; others only {others}.", formats.join(" or ")))
                }
            }
        }
        _ if AUTOMATIC.contains(&name) => {
            let what = "`auto` leaves it to the model.";
            let auto = json!({ "type": "string", "enum": ["auto"] });
            let takes = options.value.iter().any(|it| it.0 == name);
            let mut field = match option(model, name).filter(|_| takes) {
                Some(option) => json!({ "anyOf": [auto, option] }),
                None => {
                    let left = json!({ "description": what, "enum": ["auto", null] });
                    return Some(parts.put("LeftToTheModel", left));
                }
            };
            field["description"] = what.into();
            Some(field)
        }
        _ => Some(field.clone()),
    }
}

/// A field of images, as many as an offer takes.
fn of_images(name: &str, field: &Value, takes: Bounds<u32>, parts: &mut Parts) -> Option<Value> {
    let Bounds { min, max } = takes;
    let (fewest, one) = (min.max(1), min <= 1);
    if max == 0 || name == "image_url" && !one {
        return None;
    }
    if name == "image_url" {
        return Some(field.clone());
    }
    let item = match name {
        "reference_images" => parts.put("ImageAddress", address()),
        _ => json!({ "$ref": "#/components/schemas/GivenImage" }),
    };
    let list = json!({ "type": "array", "items": item, "minItems": fewest, "maxItems": max });
    let many = format!("{fewest}To{max}");
    Some(match name {
        "reference_images" => {
            let mut list = list;
            nullable(&mut list);
            list["description"] =
                "The images to edit or to follow, the most important first.".into();
            parts.put(&format!("ReferenceImages{many}"), list)
        }
        _ => {
            let mut arms = vec![list, json!({ "type": "null" })];
            if one {
                arms.insert(0, item);
            }
            let what = "The images to edit, the most important first.";
            parts.put(&format!("GivenImages{many}"), json!({ "description": what, "oneOf": arms }))
        }
    })
}

/// Where an image is, or a data URI.
fn address() -> Value {
    let settings = SchemaSettings::draft2020_12();
    let mut schema = settings.into_generator().into_root_schema_for::<ImageInput>().to_value();
    if let Value::Object(fields) = &mut schema {
        fields.retain(|name, _| matches!(name.as_str(), "type" | "pattern"));
    }
    with(&schema, "An http(s) address, or a whole data URI of an image.")
}

/// The schema of an option, as the wire type of the offer has it.
fn option(model: &dyn ImageModel, name: &str) -> Option<Value> {
    let schema = &model.wire()?.schema;
    let whole = |it: &Value| it["properties"].get(name).cloned();
    let arms = schema["$defs"].as_object().into_iter().flat_map(Map::values);
    let mut field = whole(schema).or_else(|| arms.filter_map(whole).next())?;
    inline(&mut field, &schema["$defs"]);
    nullable(&mut field);
    Some(field)
}

/// Puts definitions where they are referred to: the names of a wire type's parts are its own affair.
fn inline(schema: &mut Value, definitions: &Value) {
    if let Value::Object(fields) = schema
        && let Some(Value::String(target)) = fields.shift_remove("$ref")
        && let Some(Value::Object(part)) = definitions.get(target.trim_start_matches("#/$defs/"))
    {
        for (key, value) in part.iter().filter(|it| it.0 != "title") {
            fields.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    match schema {
        Value::Object(fields) => fields.values_mut().for_each(|it| inline(it, definitions)),
        Value::Array(items) => items.iter_mut().for_each(|it| inline(it, definitions)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The same body as a form: files in the place of addresses, and several under one name.
fn form_of(names: &BTreeSet<String>, parts: &mut Parts) -> Value {
    let Value::Object(mut wide) = parts.definitions(dialect::plain_schema()) else {
        return Value::Null;
    };
    let Some(Value::Object(mut fields)) = wide.shift_remove("properties") else {
        return Value::Null;
    };
    let file =
        json!({ "type": "string", "contentMediaType": "application/octet-stream", "minLength": 1 });
    let files = json!({ "type": "array", "items": file, "minItems": 1 });
    fields["model"] =
        json!({ "type": "string", "enum": names, "description": "Who makes the picture." });
    fields["stream"]["const"] = false.into();
    fields["mask"] = with(&file, "Which part of the first image to change.");
    for name in ["reference_images", "image", "images"] {
        fields[name] = with(&files, "The images, the most important first.");
        fields.insert(format!("{name}[]"), with(&files, "The same."));
    }
    let ways = |name: &str| match name {
        "image_url" => vec![name.to_owned()],
        name => vec![name.to_owned(), format!("{name}[]")],
    };
    let needs = |names: Vec<String>| -> Vec<Value> {
        names.iter().map(|it| json!({ "properties": { it: {} }, "required": [it] })).collect()
    };
    let arm = |given: &&str| {
        let others = IMAGES.iter().filter(|it| *it != given).flat_map(|it| ways(it)).collect();
        json!({
            "title": format!("FormWith{}", pascal(given)), "type": "object",
            "anyOf": needs(ways(given)), "not": { "anyOf": needs(others) },
        })
    };
    json!({
        "description": "The fields of the JSON body as texts, and images as files: all under one name, with `[]` \
            or without. Any other field is an option of the model's own body, and there once.",
        "type": "object",
        "propertyNames": { "minLength": 1, "maxLength": LONGEST_NAME },
        "additionalProperties": { "type": ["string", "number", "boolean", "object"] },
        "required": ["model", "prompt"],
        "properties": fields,
        "allOf": [parts.put("FormWithImages", json!({
            "description": "At least one image, all under one name.",
            "oneOf": IMAGES.iter().map(arm).collect::<Vec<_>>(),
        })), { "$ref": "#/components/schemas/OneWayOfSize" }, { "$ref": "#/components/schemas/OneWayOfGuidance" }],
    })
}

/// The same schema in other words.
pub(crate) fn with(schema: &Value, description: &str) -> Value {
    let mut schema = schema.clone();
    schema["description"] = description.into();
    schema
}
