//! JSON Schemas, the catalogue and the pages, all from the registry: nothing here is written by hand
//! for a model.

mod callers;
mod catalogue;
mod changelog;
mod changes;
mod config;
mod edition;
mod index;
mod known;
mod openapi;
mod pages;
pub mod printed;
mod provenance;
mod rules;
mod schemas;

use std::collections::BTreeMap;

use repaint_core::Registry;

pub use callers::{Caller, CallerBudget, Callers, MOST_DOLLARS, MOST_OFTEN};
pub use catalogue::{Catalogue, Entry, ImageField, catalogue};
pub use changelog::{changelog, close, excuses};
pub use changes::{Change, Kind, changes};
pub use config::{Config, ProviderConfig, ServeConfig, Show};
pub use edition::{Edition, Version};
pub use index::{Code, Codes, Index};
pub use known::Standing;
pub use openapi::openapi_parts;
pub use pages::{models_page, models_table};
pub use provenance::{Ending, Finding, OLD_DAYS, Provenance, Share, provenance, share};
pub use schemas::{BASE, Document, Role, VERSION, named, names, request_path, request_schema, set};

/// Every generated file, by its path from the root of the repository. The same on every machine.
pub fn files(registry: &Registry) -> BTreeMap<String, String> {
    let mut files = schemas::files(registry);
    files.insert("docs/models.md".to_owned(), models_page(registry));
    files
}
