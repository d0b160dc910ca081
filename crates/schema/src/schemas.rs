//! The set of JSON Schemas: one for each offer's body, and those of our own documents.

use std::collections::BTreeMap;

use repaint_core::{
    Capabilities, ErrorData, Handle, ImageModel, ImageRequest, Job, Overlay, Plan, Receipt,
    Refusal, Registry, Violation, house,
};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::callers::Callers;
use crate::catalogue::{Catalogue, catalogue};
use crate::config::Config;
use crate::index::{Codes, Entry, Index};
use crate::printed;

/// What every `$id` begins with: an identifier, which nobody has to fetch. It has the major version.
pub const BASE: &str = "https://repaint.example/schemas/v1/";
/// The version of the set; `cargo xtask release-schemas` raises it.
pub const VERSION: &str = "1.0.0";

/// Which side of a document we are on, and so which of its changes break whoever is on the other.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "IndexRole")]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// We, or a provider, read it: what was right must stay right.
    Received,
    /// We write it: what comes must be what came.
    Sent,
}

/// One file of the set.
#[derive(Clone, Debug)]
pub struct Document {
    /// Where it is, from `schemas/`.
    pub path: String,
    /// The name of its type in other languages.
    pub title: String,
    /// Which side of it we are on.
    pub role: Role,
    /// The schema.
    pub schema: Value,
    /// What it is, in a line.
    pub what: String,
}

/// Our own documents: file, title, schema, and what it is.
fn documents() -> Vec<(&'static str, &'static str, Sided, &'static str)> {
    vec![
        ("callers", "Callers", received::<Callers>(), "the file of those who may call a server"),
        ("capabilities", "Capabilities", sent::<Capabilities>(), "what an offer accepts"),
        ("catalog", "Catalogue", sent::<Catalogue>(), "the catalogue, `catalog.json`"),
        ("codes", "Codes", sent::<Codes>(), "every code of an error or a refusal, `codes.json`"),
        ("config", "Config", received::<Config>(), "the configuration file of the program"),
        ("error", "Error", sent::<ErrorData>(), "what went wrong, by what a caller can do"),
        ("handle", "Handle", sent::<Handle>(), "how to pick up a job that was started"),
        (
            "image-request",
            "ImageRequest",
            received::<ImageRequest>(),
            "what is wanted, of any model",
        ),
        ("index", "Index", sent::<Index>(), "the list of these files, `index.json`"),
        ("job", "Job", received::<Job>(), "a request, who may take it, and the rules"),
        (
            "overlay",
            "Overlay",
            prefixed(received::<Overlay>(), "Overlay"),
            "facts that replace those of a release",
        ),
        ("plan", "Plan", sent::<Plan>(), "who would take a job, and why others would not"),
        ("receipt", "Receipt", sent::<Receipt>(), "what was done for a job"),
        ("refusal", "Refusal", sent::<Refusal>(), "one reason why an offer cannot take a request"),
        (
            "violation",
            "Violation",
            sent::<Violation>(),
            "one thing that is wrong with a body or a job",
        ),
    ]
}

/// What each command prints with `--json`: file, title, schema, and what it is.
fn printed() -> Vec<(&'static str, &'static str, Sided, &'static str)> {
    vec![
        (
            "commands/config",
            "ConfigOutput",
            sent::<printed::ShownConfig>(),
            "printed by `repaint config`",
        ),
        (
            "commands/doctor",
            "DoctorOutput",
            sent::<printed::Doctor>(),
            "printed by `repaint doctor`",
        ),
        ("commands/edit", "EditOutput", sent::<printed::Edit>(), "printed by `repaint edit`"),
        (
            "commands/edit-each",
            "EditEachOutput",
            sent::<printed::EditEach>(),
            "printed by `repaint edit --each`",
        ),
        (
            "commands/explain",
            "ExplainOutput",
            sent::<printed::Explain>(),
            "printed by `repaint explain` and `repaint edit --dry-run`",
        ),
        (
            "commands/explain-each",
            "ExplainEachOutput",
            sent::<printed::ExplainEach>(),
            "printed by both with `--each`",
        ),
        (
            "commands/failure",
            "FailureOutput",
            sent::<printed::Failure>(),
            "printed by any command that fails",
        ),
        (
            "commands/inspect",
            "InspectOutput",
            sent::<printed::Inspect>(),
            "printed by `repaint inspect`",
        ),
        (
            "commands/budget",
            "BudgetOutput",
            sent::<printed::Budgets>(),
            "printed by `repaint budget`",
        ),
        ("commands/key", "KeyOutput", sent::<printed::MadeKey>(), "printed by `repaint key`"),
        ("commands/jobs", "JobsOutput", sent::<printed::Jobs>(), "printed by `repaint jobs`"),
        (
            "commands/resume-all",
            "ResumeAllOutput",
            sent::<printed::ResumeAll>(),
            "printed by `repaint resume --all`",
        ),
        ("commands/spend", "SpendOutput", sent::<printed::Spent>(), "printed by `repaint spend`"),
        (
            "commands/models",
            "ModelsOutput",
            sent::<printed::Models>(),
            "printed by `repaint models`",
        ),
        ("commands/probe", "ProbeOutput", sent::<printed::Probe>(), "printed by `repaint probe`"),
        (
            "commands/probe-plan",
            "ProbePlanOutput",
            sent::<printed::ProbePlan>(),
            "printed by `repaint probe --dry-run`",
        ),
        (
            "commands/validate",
            "ValidateOutput",
            sent::<printed::Validate>(),
            "printed by `repaint validate`",
        ),
    ]
}

/// All that is not a provider's.
fn own() -> impl Iterator<Item = (&'static str, &'static str, Sided, &'static str)> {
    documents().into_iter().chain(printed())
}

/// The names that [`named`] knows.
pub fn names() -> Vec<&'static str> {
    own().map(|it| it.0).collect()
}

/// The schema of one of our own documents, such as `job` or `commands/edit`.
pub fn named(name: &str) -> Option<Value> {
    own().find(|it| it.0 == name).map(|(name, title, sided, _)| {
        finish(sided.schema.to_value(), &format!("{name}.schema.json"), title)
    })
}

/// The schema of the body that an offer is sent; `None` for what runs in this process.
pub fn request_schema(model: &dyn ImageModel) -> Option<Value> {
    let title = title(model);
    let mut schema = model.wire()?.schema.clone();
    // The two forms of a body are named after the offer, so that names are unique over the set.
    if let Some(Value::Object(definitions)) = schema.get_mut("$defs") {
        for form in FORMS {
            if let Some(definition) = definitions.shift_remove(form) {
                definitions.insert(format!("{title}{form}"), definition);
            }
        }
    }
    if let Some(Value::Array(arms)) = schema.get_mut("oneOf") {
        for (arm, form) in arms.iter_mut().zip(FORMS) {
            *arm = json!({ "$ref": format!("#/$defs/{title}{form}") });
        }
    }
    Some(finish(schema, &request_path(model), &title))
}

/// Where a body has one of two forms, these are their names.
const FORMS: [&str; 2] = ["ByPixels", "ByRatio"];

/// The path of an offer's schema within the set.
pub fn request_path(model: &dyn ImageModel) -> String {
    format!("models/{}/{}.request.schema.json", model.provider().id, model.offer().model)
}

/// The whole set: our own documents, then the body of each offer.
pub fn set(registry: &Registry) -> Vec<Document> {
    let own = own().map(|(name, title, sided, what)| {
        let path = format!("{name}.schema.json");
        let schema = finish(sided.schema.to_value(), &path, title);
        Document { path, title: title.to_owned(), role: sided.role, schema, what: what.to_owned() }
    });
    let bodies = registry.models().filter_map(|model| {
        let what = format!("the body for `{}`", model.offer().name);
        let (path, title) = (request_path(model), title(model));
        Some(Document { path, title, role: Role::Received, schema: request_schema(model)?, what })
    });
    own.chain(bodies).collect()
}

pub(crate) fn files(registry: &Registry) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut index = Vec::new();
    for Document { path, title, role, schema, what } in set(registry) {
        files.insert(format!("schemas/{path}"), text(&schema));
        index.push(Entry { id: format!("{BASE}{path}"), path, title, role, what });
    }
    let row = |it: &Entry| format!("| [`{0}`]({0}) | `{1}` | {2} |\n", it.path, it.title, it.what);
    let table: String = index.iter().map(row).collect();
    files.insert("schemas/README.md".to_owned(), format!("{HEAD}{table}"));
    files.insert("schemas/catalog.json".to_owned(), pretty(&catalogue(registry)));
    files.insert("schemas/codes.json".to_owned(), pretty(&Codes::all()));
    files.insert("schemas/index.json".to_owned(), pretty(&Index::of(index)));
    files
}

const HEAD: &str = "<!-- Generated by `cargo xtask codegen`. -->\n\
    # Schemas\n\n\
    JSON Schema, draft 2020-12. Each file stands alone; requests are closed, answers are open, and what \
    is optional is absent, never `null`. A body's schema is the provider's wire type narrowed by what \
    the offer accepts; the same narrowing checks every body before it is sent. The `$id`s are \
    identifiers and need not be fetched.\n\n\
    - `catalog.json`: every offer with what it accepts, each fact with its source; what each field of its \
    body holds; and the `rules` that a body keeps besides its schema. It is taken if both take it.\n\
    - `codes.json`: the closed lists of codes. `index.json`: this list, for programs.\n\
    - `openapi.json`: what the gateway serves, as OpenAPI 3.1.1, with a form of the request for each model.\n\
    - `examples/`: under the path of a schema, values that are `valid` and such as are `invalid`; the name \
    of a file begins with the code of its violation.\n\
    - [CHANGELOG.md](CHANGELOG.md): what has changed since the last release, which `baseline.json` holds. \
    Within a major version no change breaks a program that was right; what does so nevertheless, because \
    a provider narrowed a model, stands in `breaking.toml` with its source.\n\n\
    | file | title | what it is |\n|---|---|---|\n";

/// A schema, and which side of it we are on.
struct Sided {
    role: Role,
    schema: Schema,
}

/// What we read: closed.
fn received<T: JsonSchema>() -> Sided {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    house::tidy(&mut schema);
    Sided { role: Role::Received, schema }
}

/// Names the parts of a closed document apart from those of open ones, which they look like.
fn prefixed(Sided { role, mut schema }: Sided, prefix: &str) -> Sided {
    let Some(Value::Object(definitions)) = schema.remove("$defs") else {
        return Sided { role, schema };
    };
    let mut text = schema.to_value().to_string();
    let mut parts = Value::Object(definitions.clone()).to_string();
    for name in definitions.keys() {
        let (from, to) = (format!("\"#/$defs/{name}\""), format!("\"#/$defs/{prefix}{name}\""));
        text = text.replace(&from, &to);
        parts = parts.replace(&from, &to);
    }
    let mut whole: Value = serde_json::from_str(&text).unwrap_or_default();
    let parts: Map<String, Value> = serde_json::from_str(&parts).unwrap_or_default();
    let parts = parts.into_iter().map(|(name, it)| (format!("{prefix}{name}"), it));
    whole["$defs"] = Value::Object(parts.collect());
    Sided { role, schema: Schema::try_from(whole).unwrap_or_default() }
}

/// What we write: open.
fn sent<T: JsonSchema>() -> Sided {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    house::tidy(&mut schema);
    house::open(&mut schema);
    Sided { role: Role::Sent, schema }
}

fn finish(schema: Value, path: &str, title: &str) -> Value {
    let mut finished = Map::new();
    finished.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    finished.insert("$id".to_owned(), json!(format!("{BASE}{path}")));
    finished.insert("title".to_owned(), json!(title));
    let Value::Object(mut fields) = schema else { return Value::Object(finished) };
    for key in ["$schema", "$id", "title"] {
        fields.shift_remove(key);
    }
    let definitions = fields.shift_remove("$defs");
    finished.extend(fields);
    if let Some(Value::Object(mut definitions)) = definitions {
        for (name, definition) in &mut definitions {
            if let Value::Object(fields) = definition {
                fields.insert("title".to_owned(), json!(name));
            }
        }
        definitions.sort_keys();
        finished.insert("$defs".to_owned(), definitions.into());
    }
    finished.into()
}

/// The text of a schema: schemars knows the order of keywords that people expect.
fn text(schema: &Value) -> String {
    match Schema::try_from(schema.clone()) {
        Ok(schema) => pretty(&schema),
        Err(_) => pretty(schema),
    }
}

pub(crate) fn pretty(value: &impl serde::Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

/// `TogetherFlux2ProRequest`
fn title(model: &dyn ImageModel) -> String {
    let words = model.id().split(|it: char| !it.is_ascii_alphanumeric());
    let pascal = words.map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        format!("{}{rest}", first.to_ascii_uppercase())
    });
    format!("{}Request", pascal.collect::<String>())
}
