//! The gate of the published schemas: nothing that was right at the last release breaks before the
//! next major version.

mod document;
mod gate;

use std::collections::BTreeMap;

use gate::{Set, faults};
use repaint_adapters as _;
use repaint_core::Registry;
use repaint_schema::{Edition, Role, openapi_parts};
use serde_json::{Value, json};

const BASELINE: &str = include_str!("../schemas/baseline.json");
const BREAKING: &str = include_str!("../schemas/breaking.toml");

pub(crate) fn present() -> (Edition, BTreeMap<String, Role>) {
    let registry = Registry::linked().expect("adapters are linked");
    let document = repaint_gateway::openapi(&registry);
    let roles = repaint_schema::set(&registry).into_iter().map(|it| (it.path, it.role));
    let parts = openapi_parts(&document).into_iter().map(|(place, it)| (place, it.0));
    let roles = roles.chain(parts).collect();
    (Edition::present(&registry).expect("a set").with_openapi(document), roles)
}

#[test]
fn the_set_breaks_nobody_who_lives_on_the_last_release() {
    let old = Edition::read(BASELINE).expect("an edition");
    let (new, roles) = present();
    let excuses = repaint_schema::excuses(BREAKING).expect("a list");
    let faults = faults(&Set { old: &old, new: &new, roles: &roles, excuses: &excuses });
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// What the gate says when this schema becomes that one.
fn judged(role: Role, old: Value, new: Value) -> Vec<String> {
    excused(role, old, new, &[])
}

const PATH: &str = "models/together/flux2-dev.request.schema.json";

fn excused(role: Role, old: Value, new: Value, excuses: &[&str]) -> Vec<String> {
    let (old, new) = (edition("1.0.0", old), edition("1.0.0", new));
    let roles = BTreeMap::from([(PATH.to_owned(), role)]);
    let excuses = excuses.iter().map(|it| ((*it).to_owned(), "they said so".to_owned())).collect();
    faults(&Set { old: &old, new: &new, roles: &roles, excuses: &excuses })
}

fn edition(version: &str, schema: Value) -> Edition {
    let schemas = if schema.is_null() { None } else { Some((PATH.to_owned(), schema)) };
    let version = version.parse().expect("a version");
    Edition {
        version,
        offers: vec!["together/flux2-dev".to_owned()],
        schemas: schemas.into_iter().collect(),
        rules: BTreeMap::new(),
        openapi: Value::Null,
    }
}

/// A body with one image field.
fn one() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://repaint.example/schemas/v1/models/together/flux2-dev.request.schema.json",
        "title": "TogetherFlux2DevRequest",
        "type": "object",
        "properties": {
            "model": { "type": "string", "const": "black-forest-labs/FLUX.2-dev" },
            "prompt": { "type": "string", "minLength": 1 },
            "reference_images": {
                "type": "array", "items": { "type": "string", "minLength": 1 },
                "minItems": 1, "maxItems": 8
            },
            "width": { "type": "integer", "minimum": 256, "maximum": 1920, "multipleOf": 16 },
            "seed": { "type": "integer", "minimum": 0 },
            "guidance": { "type": "number", "minimum": 1.5, "maximum": 10.0 },
            "output_format": { "$ref": "#/$defs/OutputFormat" }
        },
        "additionalProperties": false,
        "required": ["model", "prompt"],
        "$defs": {
            "OutputFormat": { "title": "OutputFormat", "type": "string", "enum": ["jpeg", "png"] }
        }
    })
}

/// A body that has one of two forms.
fn two() -> Value {
    let form = |title: &str, field: Value| {
        let name = if title == "ByUrl" { "image_url" } else { "reference_images" };
        json!({
            "title": title, "type": "object", "additionalProperties": false,
            "properties": { "prompt": { "type": "string" }, name: field },
            "required": ["prompt", name],
        })
    };
    let images =
        json!({ "type": "array", "items": { "type": "string" }, "minItems": 1, "maxItems": 8 });
    json!({
        "title": "TogetherFlux2DevRequest",
        "oneOf": [{ "$ref": "#/$defs/ByUrl" }, { "$ref": "#/$defs/ByImages" }],
        "$defs": {
            "ByUrl": form("ByUrl", json!({ "type": "string" })),
            "ByImages": form("ByImages", images),
        },
    })
}

/// An answer.
fn answer() -> Value {
    json!({
        "title": "Receipt",
        "type": "object",
        "properties": {
            "offer": { "type": "string" },
            "cost": { "type": "integer", "minimum": 0 },
            "stage": { "$ref": "#/$defs/Stage" },
            "warnings": { "type": "array", "items": { "$ref": "#/$defs/Warning" } }
        },
        "required": ["offer", "stage"],
        "$defs": {
            "Stage": { "title": "Stage", "type": "string", "enum": ["input", "output"] },
            "Warning": {
                "title": "Warning", "type": "object",
                "properties": { "message": { "type": "string" } }, "required": ["message"]
            }
        }
    })
}

/// A change of a schema.
type Change = fn(&mut Value);

/// Puts a value at a pointer; `null` takes it away.
pub(crate) fn put(schema: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    let parent = schema.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}"));
    let parent = parent.as_object_mut().expect("an object");
    match value {
        Value::Null => assert!(parent.remove(name).is_some(), "no {pointer}"),
        value => {
            parent.insert(name.to_owned(), value);
        }
    }
}

/// Applies each change to a schema; those that break must be refused, and no other.
fn try_all(
    role: Role,
    base: fn() -> Value,
    harmless: &[(&str, Change)],
    breaking: &[(&str, Change)],
) {
    assert_eq!(judged(role, base(), base()), [""; 0], "nothing has changed");
    for (name, change) in harmless {
        let mut new = base();
        change(&mut new);
        assert_ne!(new, base(), "{name} changes nothing");
        assert_eq!(judged(role, base(), new), [""; 0], "{name} breaks nobody");
    }
    for (name, change) in breaking {
        let mut new = base();
        change(&mut new);
        let faults = judged(role, base(), new.clone());
        assert_eq!(faults.len(), 1, "{name} is one fault, not {faults:?}");
        assert!(faults[0].contains(PATH), "{name} names the file: {}", faults[0]);
        assert!(faults[0].contains("breaking.toml"), "{name} says what to do: {}", faults[0]);
        assert_eq!(excused(role, base(), new, &[PATH]), [""; 0], "{name} can be excused");
    }
}

#[test]
fn a_body_may_take_more_and_never_less() {
    try_all(
        Role::Received,
        one,
        &[
            ("an optional field", |it| put(it, "/properties/steps", json!({ "type": "integer" }))),
            ("a field that may be absent now", |it| put(it, "/required", json!(["model"]))),
            ("a higher maximum", |it| put(it, "/properties/width/maximum", json!(2048))),
            ("a lower minimum", |it| put(it, "/properties/width/minimum", json!(64))),
            ("no maximum", |it| put(it, "/properties/width/maximum", json!(null))),
            ("a finer step", |it| put(it, "/properties/width/multipleOf", json!(8))),
            ("more items", |it| put(it, "/properties/reference_images/maxItems", json!(10))),
            ("a shorter text", |it| put(it, "/properties/prompt/minLength", json!(0))),
            ("one more value", |it| {
                put(it, "/$defs/OutputFormat/enum", json!(["jpeg", "png", "webp"]));
            }),
            ("numbers for whole numbers", |it| put(it, "/properties/seed/type", json!("number"))),
            ("other words", |it| put(it, "/description", json!("What Together takes."))),
            ("a warning", |it| put(it, "/properties/seed/deprecated", json!(true))),
            ("another default", |it| put(it, "/properties/seed/default", json!(7))),
            ("an example", |it| put(it, "/properties/prompt/examples", json!(["a cat"]))),
            ("an open object", |it| put(it, "/additionalProperties", json!(null))),
            ("one more type", |it| put(it, "/$defs/Unused", json!({ "title": "Unused" }))),
        ],
        &[
            ("a required field", |it| {
                put(it, "/properties/steps", json!({ "type": "integer" }));
                put(it, "/required", json!(["model", "prompt", "steps"]));
            }),
            ("a field that is gone", |it| put(it, "/properties/seed", json!(null))),
            ("a field that must be given now", |it| {
                put(it, "/required", json!(["model", "prompt", "width"]));
            }),
            ("a lower maximum", |it| put(it, "/properties/width/maximum", json!(1024))),
            ("a higher minimum", |it| put(it, "/properties/width/minimum", json!(512))),
            ("a new maximum", |it| put(it, "/properties/seed/maximum", json!(2_147_483_647))),
            ("a lower maximum of a number", |it| {
                put(it, "/properties/guidance/maximum", json!(9.5))
            }),
            ("a coarser step", |it| put(it, "/properties/width/multipleOf", json!(32))),
            ("fewer items", |it| put(it, "/properties/reference_images/maxItems", json!(4))),
            ("more items at least", |it| {
                put(it, "/properties/reference_images/minItems", json!(2));
            }),
            ("another constant", |it| put(it, "/properties/model/const", json!("other"))),
            ("a value less", |it| put(it, "/$defs/OutputFormat/enum", json!(["png"]))),
            ("another type", |it| put(it, "/properties/width/type", json!("string"))),
            ("items of another type", |it| {
                put(it, "/properties/reference_images/items", json!({ "type": "object" }));
            }),
            ("a pattern", |it| put(it, "/properties/prompt/pattern", json!("^[a-z]+$"))),
            ("a longer text at least", |it| put(it, "/properties/prompt/minLength", json!(5))),
            ("a shorter text at most", |it| put(it, "/properties/prompt/maxLength", json!(500))),
        ],
    );
}

#[test]
fn a_body_with_two_forms_keeps_both() {
    try_all(
        Role::Received,
        two,
        &[
            ("a third form", |it| {
                let form = json!({
                    "title": "ByFile", "type": "object", "additionalProperties": false,
                    "properties": { "file": { "type": "string" } }, "required": ["file"],
                });
                put(it, "/$defs/ByFile", form);
                let forms = ["ByUrl", "ByImages", "ByFile"];
                let forms = forms.map(|it| json!({ "$ref": format!("#/$defs/{it}") }));
                put(it, "/oneOf", json!(forms));
            }),
            ("more in a form", |it| {
                put(it, "/$defs/ByImages/properties/reference_images/maxItems", json!(9));
            }),
            ("the forms in another order", |it| {
                put(
                    it,
                    "/oneOf",
                    json!([{ "$ref": "#/$defs/ByImages" }, { "$ref": "#/$defs/ByUrl" }]),
                );
            }),
        ],
        &[
            ("a form that is gone", |it| put(it, "/oneOf", json!([{ "$ref": "#/$defs/ByUrl" }]))),
            ("less in a form", |it| {
                put(it, "/$defs/ByImages/properties/reference_images/maxItems", json!(2));
            }),
        ],
    );
}

#[test]
fn a_closed_object_that_was_open_breaks() {
    let open = || {
        let mut open = one();
        put(&mut open, "/additionalProperties", json!(null));
        open
    };
    try_all(
        Role::Received,
        open,
        &[("closed parts", |it| {
            put(it, "/$defs/OutputFormat/enum", json!(["jpeg", "png", "gif"]))
        })],
        &[("a closed object", |it| put(it, "/additionalProperties", json!(false)))],
    );
}

#[test]
fn an_answer_may_say_more_and_never_other_things() {
    try_all(
        Role::Sent,
        answer,
        &[
            ("one more field", |it| put(it, "/properties/model", json!({ "type": "string" }))),
            ("a field that is always there", |it| {
                put(it, "/required", json!(["offer", "stage", "cost"]))
            }),
            ("a higher minimum", |it| put(it, "/properties/cost/minimum", json!(1))),
            ("a maximum", |it| put(it, "/properties/cost/maximum", json!(1_000_000))),
            ("one value less", |it| put(it, "/$defs/Stage/enum", json!(["input"]))),
            ("more of a part", |it| {
                put(it, "/$defs/Warning/properties/code", json!({ "type": "string" }));
            }),
            ("other words", |it| put(it, "/properties/offer/description", json!("Who did it."))),
        ],
        &[
            ("a field that may be absent now", |it| put(it, "/required", json!(["stage"]))),
            ("a field that is gone", |it| put(it, "/properties/cost", json!(null))),
            ("another type", |it| put(it, "/properties/cost/type", json!("string"))),
            ("no minimum", |it| put(it, "/properties/cost/minimum", json!(null))),
            ("one more value", |it| {
                put(it, "/$defs/Stage/enum", json!(["input", "output", "both"]))
            }),
            ("an open value", |it| put(it, "/$defs/Stage/enum", json!(null))),
            ("a part that may be absent now", |it| put(it, "/$defs/Warning/required", json!([]))),
        ],
    );
}

/// An answer that has one of two open forms, told apart by the field that they must have.
fn price() -> Value {
    json!({
        "title": "Price",
        "oneOf": [
            { "type": "object", "properties": { "each": { "type": "integer" } }, "required": ["each"] },
            {
                "type": "object",
                "properties": {
                    "megapixel": {
                        "type": "object", "properties": { "cost": { "type": "integer" } },
                        "required": ["cost"]
                    }
                },
                "required": ["megapixel"]
            }
        ]
    })
}

#[test]
fn an_answer_keeps_to_the_forms_that_it_had() {
    const COST: &str = "/oneOf/1/properties/megapixel/properties/cost";
    try_all(
        Role::Sent,
        price,
        &[
            ("more in a form", |it| {
                put(it, "/oneOf/0/properties/note", json!({ "type": "string" }));
                put(
                    it,
                    "/oneOf/1/properties/megapixel/properties/steps",
                    json!({ "type": "integer" }),
                );
            }),
            ("one form less", |it| {
                it["oneOf"].as_array_mut().expect("forms").pop();
            }),
        ],
        &[
            ("one form more", |it| {
                let form = json!({
                    "type": "object", "properties": { "free": { "type": "boolean" } },
                    "required": ["free"],
                });
                it["oneOf"].as_array_mut().expect("forms").push(form);
            }),
            ("another type in a form", |it| put(it, COST, json!({ "type": "string" }))),
            ("a part that may be absent now", |it| put(it, "/oneOf/0/required", json!([]))),
        ],
    );
}

#[test]
fn names_that_programs_are_generated_from_stay() {
    let renamed = |schema: Value, from: &str, to: &str| -> Value {
        serde_json::from_str(&schema.to_string().replace(from, to)).expect("JSON")
    };
    for (role, base, from, to) in [
        (Role::Received, one(), "OutputFormat", "FileFormat"),
        (Role::Received, one(), "TogetherFlux2DevRequest", "TogetherFlux2Request"),
        (Role::Received, one(), "schemas/v1/", "schemas/v2/"),
        (Role::Sent, answer(), "Warning", "Note"),
        (Role::Sent, answer(), "Receipt", "Bill"),
    ] {
        let faults = judged(role, base.clone(), renamed(base, from, to));
        assert_eq!(faults.len(), 1, "{from}: {faults:?}");
        assert!(faults[0].contains(to) || faults[0].contains(from), "{}", faults[0]);
    }
    try_all(
        Role::Received,
        one,
        &[("a format that is gone", |it| put(it, "/properties/prompt/title", json!("Prompt")))],
        &[
            ("a format", |it| put(it, "/properties/prompt/format", json!("uri"))),
            ("a field of another type with the same values", |it| {
                let twin = json!({ "title": "Twin", "type": "string", "enum": ["jpeg", "png"] });
                put(it, "/$defs/Twin", twin);
                put(it, "/properties/output_format/$ref", json!("#/$defs/Twin"));
            }),
            ("a definition without a title", |it| {
                put(it, "/$defs/OutputFormat/title", json!(null))
            }),
        ],
    );
}

#[test]
fn a_file_or_an_offer_that_is_gone_is_missed() {
    let gone = judged(Role::Received, one(), Value::Null);
    assert!(gone[0].contains("the file is gone") && gone[0].contains(PATH), "{gone:?}");
    assert_eq!(excused(Role::Received, one(), Value::Null, &[PATH]), [""; 0]);

    let (old, mut new) = (edition("1.0.0", one()), edition("1.0.0", one()));
    new.offers.clear();
    let (roles, excuses) = (BTreeMap::from([(PATH.to_owned(), Role::Received)]), BTreeMap::new());
    let faults = faults(&Set { old: &old, new: &new, roles: &roles, excuses: &excuses });
    assert!(faults[0].contains("`together/flux2-dev`: the offer is gone"), "{faults:?}");
}

/// What no schema says is promised, too.
#[test]
fn a_rule_that_takes_less_needs_an_excuse() {
    let with = |max_bytes: u64| {
        let rule = json!({ "rule": "texts", "max_bytes": max_bytes });
        let rules = BTreeMap::from([("together/flux2-dev".to_owned(), vec![rule])]);
        Edition { rules, ..edition("1.0.0", one()) }
    };
    let roles = BTreeMap::from([(PATH.to_owned(), Role::Received)]);
    let judged = |old: &Edition, new: &Edition, excuses: &[&str]| {
        let excuses = excuses.iter().map(|it| ((*it).to_owned(), "they said so".to_owned()));
        faults(&Set { old, new, roles: &roles, excuses: &excuses.collect() })
    };
    let less = judged(&with(9), &with(8), &[]);
    assert_eq!(less.len(), 1);
    assert!(less[0].contains("`max_bytes` is 8, was 9: takes less (this breaks them)"), "{less:?}");
    assert_eq!(judged(&with(9), &with(8), &[PATH]), [""; 0]);
    assert_eq!(judged(&with(8), &with(9), &[]), [""; 0]);
}

#[test]
fn another_major_version_may_break_everything() {
    let (old, new) = (edition("1.4.0", one()), edition("2.0.0", two()));
    let (roles, excuses) = (BTreeMap::new(), BTreeMap::new());
    assert_eq!(faults(&Set { old: &old, new: &new, roles: &roles, excuses: &excuses }), [""; 0]);
}

#[test]
fn an_excuse_that_excuses_nothing_is_a_fault() {
    let faults = excused(Role::Received, one(), one(), &[PATH]);
    assert!(faults[0].contains(PATH) && faults[0].contains("take the line away"), "{faults:?}");
    assert_eq!(excused(Role::Received, one(), one(), &["no-such.schema.json"]).len(), 1);
}

/// A gate that is shut for want of a proof is a gate that people climb over: what is sure to break
/// nobody must pass on every schema that there really is.
#[test]
fn every_published_schema_can_grow() {
    let (old, roles) = present();
    let mut new = old.clone();
    for (path, schema) in &mut new.schemas {
        let mut grown = 0;
        grow(schema, &mut grown);
        assert!(0 < grown, "{path} has no field");
    }
    let excuses = BTreeMap::new();
    let faults = faults(&Set { old: &old, new: &new, roles: &roles, excuses: &excuses });
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// Gives every object one more optional field, and everything other words.
pub(crate) fn grow(schema: &mut Value, grown: &mut usize) {
    let Some(fields) = schema.as_object_mut() else { return };
    if fields.contains_key("description") {
        fields.insert("description".to_owned(), json!("In other words."));
    }
    for parts in ["properties", "$defs"] {
        let parts = fields.get_mut(parts).and_then(Value::as_object_mut);
        parts.into_iter().flatten().for_each(|(_, it)| grow(it, grown));
    }
    for arms in ["oneOf", "anyOf"] {
        let arms = fields.get_mut(arms).and_then(Value::as_array_mut);
        arms.into_iter().flatten().for_each(|it| grow(it, grown));
    }
    if let Some(properties) = fields.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert("one_more".to_owned(), json!({ "type": "boolean" }));
        *grown += 1;
    }
}
