//! The published set: every file is a valid schema in house style.

use std::collections::BTreeMap;

use repaint_adapters as _;
use repaint_core::{Job, Registry};
use serde_json::{Value, json};

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
fn data_fits_its_schema() {
    let files = repaint_schema::files(&registry());
    for name in ["catalog", "codes", "index"] {
        let data: Value =
            serde_json::from_str(&files[&format!("schemas/{name}.json")]).expect("JSON");
        let schema = &schemas()[&format!("schemas/{name}.schema.json")];
        let faults: Vec<String> = jsonschema::validator_for(schema)
            .expect("a schema")
            .iter_errors(&data)
            .map(|it| format!("{name} {}: {it}", it.instance_path()))
            .collect();
        assert_eq!(faults, [""; 0]);
        assert_eq!(data["$schema"], format!("{name}.schema.json"));
    }
}

#[test]
fn every_code_has_a_meaning() {
    let codes = repaint_schema::Codes::all();
    assert_eq!((codes.errors.len(), codes.refusals.len()), (9, 17));
    for code in codes.errors.iter().chain(&codes.refusals) {
        assert!(!code.code.is_empty() && !code.meaning.is_empty(), "{code:?}");
    }
}

#[test]
fn an_example_is_right_or_wrong_as_its_name_says() {
    let registry = registry();
    for model in registry.models().filter(|it| it.wire().is_some()) {
        let schema = repaint_schema::request_schema(model).expect("hosted");
        for (name, body) in repaint_testkit::examples(model) {
            let codes = model.validate(&body).into_iter().map(|it| json!(it.code)).collect();
            is_as_named(&schema, model.id(), &name, &body, codes);
        }
    }
    let schema = repaint_schema::named("job").expect("a document");
    for (name, job) in repaint_testkit::job_examples() {
        let codes = Job::validate(&job).into_iter().map(|it| json!(it.code)).collect();
        is_as_named(&schema, "job", &name, &job, codes);
    }
}

/// They stand beside each other: what programs of others are tried with.
#[test]
fn every_document_has_examples_that_its_schema_judges_as_their_names_say() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/examples");
    let list = |path: &std::path::Path| -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(path).into_iter().flatten();
        entries.map(|it| it.expect("an entry").path()).collect()
    };
    for name in repaint_schema::names() {
        // The data files are beside their schemas.
        if name.starts_with("commands/") || ["catalog", "codes", "index"].contains(&name) {
            continue;
        }
        let schema = repaint_schema::named(name).expect("a document");
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let mut seen = 0;
        for kind in ["valid", "invalid"] {
            for path in list(&folder.join(name).join(kind)) {
                let text = std::fs::read_to_string(&path).expect("an example");
                let value: Value = serde_json::from_str(&text).expect("JSON");
                let faults: Vec<String> =
                    validator.iter_errors(&value).map(|it| it.to_string()).collect();
                assert_eq!(faults.is_empty(), kind == "valid", "{}: {faults:?}", path.display());
                seen += usize::from(kind == "valid");
            }
        }
        assert!(0 < seen, "{name} has no example");
    }
}

fn is_as_named(schema: &Value, of: &str, name: &str, value: &Value, codes: Vec<Value>) {
    let (kind, code) = name.split_once('/').expect("valid/… or invalid/…");
    assert_eq!(jsonschema::is_valid(schema, value), kind == "valid", "{of}: {name}");
    let code = code.split('-').next().filter(|_| kind == "invalid").map(|it| json!(it));
    assert_eq!(codes, code.into_iter().collect::<Vec<_>>(), "{of}: {name}");
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
