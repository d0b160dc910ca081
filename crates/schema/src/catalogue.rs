//! The catalogue: every offer as data, for programs in any language.

use repaint_core::{
    Capabilities, Fact, Field, Holds, ImageModel, Price, Registry, Retirement, Rule,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::schemas::{VERSION, request_path};

/// Every offer that this release knows.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Catalogue {
    /// The schema of this file.
    #[serde(rename = "$schema")]
    pub schema: String,
    /// The version of the set of schemas.
    pub version: String,
    /// Offers by provider, then model.
    pub models: Vec<Entry>,
}

/// One offer: a model at a provider.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Entry {
    /// Provider and model, such as `together/flux2-pro`.
    pub id: String,
    /// The model, the same at every provider.
    pub model: String,
    /// The line of models that it is of.
    pub family: String,
    /// Who hosts it.
    pub provider: String,
    /// The provider's own name for it.
    pub name: String,
    /// Other names that mean the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Whether a generative model makes the picture.
    pub generative: bool,
    /// The environment variable that has the key; absent where none is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Which fields of the provider's body carry input images.
    pub image_fields: Vec<ImageField>,
    /// What each field of the provider's body holds, in its order; none for what runs in this process.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    /// What the provider's body must keep besides its schema: it is taken if both take it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// The schema of the provider's body, from this file; absent for what runs in this process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_schema: Option<String>,
    /// What it accepts; each fact with how sure it is, its source and its date.
    pub accepts: Capabilities,
    /// What it costs, in millionths of a US dollar.
    pub price: Fact<Price>,
    /// When it ends, if that is announced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retires: Option<Fact<Retirement>>,
    /// How many orders may be on their way at a time before the provider refuses another; the most of any
    /// of its offers holds for all its offers together. Absent where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<Fact<u32>>,
}

/// A field of a provider's body that carries input images.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct ImageField {
    /// The name of the field.
    pub name: String,
    /// The most images that it takes.
    pub max_images: u32,
}

/// The catalogue of a registry.
pub fn catalogue(registry: &Registry) -> Catalogue {
    Catalogue {
        schema: "catalog.schema.json".to_owned(),
        version: VERSION.to_owned(),
        models: registry.models().map(entry).collect(),
    }
}

fn entry(model: &dyn ImageModel) -> Entry {
    let offer = model.offer();
    let wire = model.wire();
    let fields = wire.map_or(&[][..], |it| &it.fields);
    let image_fields = fields.iter().filter_map(|it| {
        let max_images = match it.holds {
            Holds::Image => 1,
            Holds::Images => offer.accepts.images.value.max,
            _ => return None,
        };
        Some(ImageField { name: it.name.clone(), max_images })
    });
    Entry {
        id: model.id().to_owned(),
        model: offer.model.to_owned(),
        family: model.family().to_owned(),
        provider: model.provider().id.to_owned(),
        name: offer.name.to_owned(),
        aliases: offer.aliases.iter().map(|it| (*it).to_owned()).collect(),
        generative: offer.generative,
        key: model.provider().endpoint.as_ref().map(|it| it.auth.env.to_owned()),
        image_fields: image_fields.collect(),
        fields: fields.to_vec(),
        rules: wire.map_or_else(Vec::new, |it| it.rules.clone()),
        request_schema: wire.map(|_| request_path(model)),
        accepts: offer.accepts,
        price: offer.price,
        retires: offer.retires,
        in_flight: offer.in_flight,
    }
}
