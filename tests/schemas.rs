//! The published set: every file is a valid schema in house style, and agrees with the check that
//! every body passes.

use std::collections::BTreeMap;

use proptest::prelude::*;
use repaint_adapters as _;
use repaint_core::{Date, ImageModel, Preview, Registry, Terms};
use repaint_testkit::{accepted, render};
use serde_json::{Map, Value, json};

fn registry() -> Registry {
    Registry::linked().expect("adapters are linked")
}

fn schemas() -> BTreeMap<String, Value> {
    let files = repaint_schema::files(&registry()).into_iter();
    let schemas = files.filter(|(path, _)| path.ends_with(".schema.json"));
    schemas.map(|(path, text)| (path, serde_json::from_str(&text).expect("JSON"))).collect()
}

#[test]
fn every_file_is_a_valid_schema_of_its_own() {
    for (path, schema) in schemas() {
        jsonschema::meta::validate(&schema).unwrap_or_else(|err| panic!("{path}: {err}"));
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{path}");
        let id = schema["$id"].as_str().expect("an id");
        assert_eq!(id.strip_prefix(repaint_schema::BASE), path.strip_prefix("schemas/"));
        let text = schema.to_string();
        for reference in text.split("\"$ref\":\"").skip(1) {
            assert!(reference.starts_with("#/$defs/"), "{path} points out of itself");
        }
    }
}

#[test]
fn schemas_hold_only_what_generators_of_other_languages_read() {
    for (path, schema) in schemas() {
        walk(&schema, &mut |keyword, value| {
            assert!(!keyword.starts_with("x-"), "{path}: {keyword}");
            assert_ne!(keyword, "format", "{path}: {value}");
            assert!(
                !["allOf", "not", "if", "prefixItems", "dependentSchemas"].contains(&keyword),
                "{path}: {keyword}"
            );
            assert!(value != "null" && *value != Value::Null, "{path}: {keyword} may be null");
        });
        for (name, definition) in schema["$defs"].as_object().into_iter().flatten() {
            assert_eq!(definition["title"], json!(name), "{path}");
        }
    }
}

#[test]
fn a_title_names_one_thing_in_the_whole_set() {
    let mut seen: BTreeMap<String, Value> = BTreeMap::new();
    for (path, schema) in schemas() {
        let definitions = schema["$defs"].as_object().cloned().unwrap_or_default();
        let mut whole = schema.as_object().cloned().expect("an object");
        for key in ["$schema", "$id", "$defs"] {
            whole.remove(key);
        }
        let whole = (schema["title"].as_str().expect("a title").to_owned(), Value::Object(whole));
        for (title, shape) in definitions.into_iter().chain([whole]) {
            if let Some(other) = seen.insert(title.clone(), shape.clone()) {
                assert_eq!(other, shape, "{path}: {title} is two things");
            }
        }
    }
}

#[test]
fn the_catalogue_fits_its_schema() {
    let files = repaint_schema::files(&registry());
    let catalogue: Value = serde_json::from_str(&files["schemas/catalog.json"]).expect("JSON");
    let schema = &schemas()["schemas/catalog.schema.json"];
    let faults: Vec<String> = jsonschema::validator_for(schema)
        .expect("a schema")
        .iter_errors(&catalogue)
        .map(|it| format!("{}: {it}", it.instance_path()))
        .collect();
    assert_eq!(faults, [""; 0]);
}

/// Calls `see` for every keyword of a schema; the names of properties are none.
fn walk(schema: &Value, see: &mut impl FnMut(&str, &Value)) {
    for (keyword, value) in schema.as_object().into_iter().flatten() {
        match keyword.as_str() {
            "properties" | "$defs" => {
                value.as_object().into_iter().flatten().for_each(|(_, it)| walk(it, see));
            }
            "const" | "enum" | "default" | "examples" => {}
            _ => {
                see(keyword, value);
                match value {
                    Value::Object(_) => walk(value, see),
                    Value::Array(items) => items.iter().for_each(|it| walk(it, see)),
                    _ => {}
                }
            }
        }
    }
}

/// A body that the offer takes, as it goes out.
fn bodies(model: &dyn ImageModel) -> Vec<Map<String, Value>> {
    let cases = accepted(model).into_iter();
    let bodies = cases.filter_map(|case| {
        let terms = Terms { adapt: &Default::default(), today: Date::new(2026, 11, 22) };
        match model.admit(&case.request, terms).ok()?.encode().ok()? {
            Preview::Http(call) => serde_json::from_str(&render(&call.body?)).ok(),
            Preview::Local(_) => None,
        }
    });
    bodies.collect()
}

/// Values at and beyond every kind of limit.
fn strange() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop_oneof![
            Just(0),
            Just(1),
            Just(-1),
            Just(8),
            Just(255),
            Just(256),
            Just(257),
            Just(1024),
            Just(1440),
            Just(1536),
            Just(1544),
            Just(1920),
            Just(2048),
            Just(2_147_483_647),
            Just(2_147_483_648_i64),
            Just(4_294_967_296)
        ]
        .prop_map(Value::from),
        prop_oneof![Just(0.5), Just(1.5), Just(10.0), Just(10.5), Just(1024.0)]
            .prop_map(Value::from),
        prop_oneof![
            Just(""),
            Just("x"),
            Just("16:9"),
            Just("0:1"),
            Just("16:09"),
            Just("99999:1"),
            Just("100000:1"),
            Just("png"),
            Just("jpeg"),
            Just("webp"),
            Just("url"),
            Just("base64"),
            Just("black-forest-labs/FLUX.2-pro")
        ]
        .prop_map(Value::from),
        Just(json!([])),
        Just(json!(["https://example.com/a.png"])),
        Just(json!(["https://example.com/a.png", 1])),
        (0..16_usize).prop_map(|it| json!(vec!["https://example.com/a.png"; it])),
        Just(json!([{ "path": "p", "scale": 1 }])),
        Just(json!([{ "path": "", "scale": "1" }])),
        Just(json!({})),
    ]
}

proptest! {
    /// Bodies of every offer with up to three fields changed, added or taken away: the check in the
    /// library and the published schema never disagree.
    #[test]
    fn the_check_and_the_schema_agree(
        pick in any::<prop::sample::Index>(),
        body in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop::option::of(strange())), 0..4),
    ) {
        let registry = registry();
        let hosted: Vec<&dyn ImageModel> = registry.models().filter(|it| it.wire().is_some()).collect();
        let model = *pick.get(&hosted);
        let wire = model.wire().expect("hosted");
        let bodies = bodies(model);
        let mut body = body.get(&bodies).clone();
        let mut fields = wire.known.clone();
        fields.push("no_such_field".to_owned());
        for (field, change) in changes {
            let field = field.get(&fields);
            match change {
                Some(value) => { body.insert(field.clone(), value); }
                None => { body.remove(field); }
            }
        }
        let body = Value::Object(body);
        let schema = repaint_schema::request_schema(model).expect("hosted");
        let ours = wire.check(&body);
        prop_assert_eq!(ours.is_empty(), jsonschema::is_valid(&schema, &body), "{} {:?} {}", model.id(), ours, body);
    }
}
