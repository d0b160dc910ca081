//! What the set has: its files, and the closed lists of codes.

use repaint_core::{ErrorKind, RefusalCode};
use schemars::{JsonSchema, schema_for};
use serde::Serialize;
use serde_json::Value;

use crate::schemas::{Role, VERSION};

/// The list of the schemas of this set.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Index {
    /// The schema of this file.
    #[serde(rename = "$schema")]
    pub schema: String,
    /// The version of the set.
    pub version: String,
    /// Our own documents, then the bodies of offers.
    pub schemas: Vec<Entry>,
}

/// A schema of the set.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[schemars(rename = "IndexEntry")]
pub struct Entry {
    /// From this file.
    pub path: String,
    /// The `$id`: an identifier, which nobody has to fetch.
    pub id: String,
    /// What a type is called that is generated from it; unique in the set.
    pub title: String,
    /// Whether a program of yours writes such a value, which we or a provider read, or reads it.
    pub role: Role,
    /// What it describes.
    pub what: String,
}

/// Every code that an error or a refusal can have: closed lists, which only a new version of the set
/// makes longer.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Codes {
    /// The schema of this file.
    #[serde(rename = "$schema")]
    pub schema: String,
    /// The version of the set.
    pub version: String,
    /// What a caller can do about an error.
    pub errors: Vec<Code>,
    /// Why an offer cannot take a request, or what is wrong with a body or a job.
    pub refusals: Vec<Code>,
}

/// A code and its meaning.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Code {
    /// As it is written in JSON.
    pub code: String,
    /// In words.
    pub meaning: String,
}

impl Index {
    pub(crate) fn of(schemas: Vec<Entry>) -> Self {
        Self { schema: "index.schema.json".to_owned(), version: VERSION.to_owned(), schemas }
    }
}

impl Codes {
    /// All of this version.
    pub fn all() -> Self {
        Self {
            schema: "codes.schema.json".to_owned(),
            version: VERSION.to_owned(),
            errors: codes::<ErrorKind>(),
            refusals: codes::<RefusalCode>(),
        }
    }
}

/// The values of an enum with their doc comments.
fn codes<T: JsonSchema>() -> Vec<Code> {
    let schema = schema_for!(T).to_value();
    let word = |arm: &Value, key: &str| arm[key].as_str().unwrap_or_default().replace('\n', " ");
    let arms = schema["oneOf"].as_array().into_iter().flatten();
    arms.map(|arm| Code { code: word(arm, "const"), meaning: word(arm, "description") }).collect()
}
