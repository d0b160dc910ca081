//! Facts that a user knows better than this release: they replace facts of the tables.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Capabilities, Error, ErrorKind, Fact, List, Offer, Price, Result, Retirement, Text};

/// Facts by offer. Each is whole: value, how sure, source and date.
///
/// ```
/// let overlay: repaint_core::Overlay = serde_json::from_str(r#"{ "offers": { "together/flux2-pro": {
///     "accepts": { "images": { "value": { "min": 0, "max": 6 }, "sure": "observed",
///                              "source": "our own probe", "date": "2026-11-20" } } } } }"#)?;
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Overlay {
    /// By the offer's id, such as `together/flux2-pro`.
    pub offers: BTreeMap<String, OfferOverlay>,
}

/// What replaces the facts of one offer.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OfferOverlay {
    /// Facts of its capabilities, by name.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub accepts: Map<String, Value>,
    /// Its price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Fact<Price>>,
    /// Its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retires: Option<Fact<Retirement>>,
    /// How many of its orders may be on their way at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<Fact<u32>>,
}

impl OfferOverlay {
    /// The offer with these facts; an error names the fact that does not fit.
    pub(crate) fn apply(&self, id: &str, offer: &Offer) -> Result<Offer> {
        let Self { accepts, price, retires, in_flight } = self;
        let invalid = |message: String| Error::new(ErrorKind::InvalidRequest, message);
        let mut facts =
            serde_json::to_value(offer.accepts).map_err(|err| invalid(format!("{id}: {err}")))?;
        let mut overlaid = Vec::new();
        for (name, fact) in accepts {
            let Some(known) = facts.get_mut(name) else {
                let names: Vec<&String> =
                    facts.as_object().into_iter().flat_map(|it| it.keys()).collect();
                return Err(invalid(format!(
                    "overlay of {id}: no fact is called `{name}`; there are {names:?}"
                )));
            };
            *known = fact.clone();
            let word = |key: &str| fact[key].as_str().unwrap_or("nothing").to_owned();
            overlaid.push(format!("{name} ({}, {})", word("source"), word("date")));
        }
        let accepts: Capabilities = serde_json::from_value(facts)
            .map_err(|err| invalid(format!("overlay of {id}: {err}")))?;
        accepts.check().map_err(|why| invalid(format!("overlay of {id}: {why}")))?;
        if let Some(Price::BySize(rows)) = price.as_ref().map(|it| &it.value)
            && rows.is_empty()
        {
            return Err(invalid(format!("overlay of {id}: a price by size needs a row")));
        }
        if let Some(price) = price {
            overlaid.push(format!("price ({}, {})", price.source, price.date));
        }
        if let Some(end) = retires {
            overlaid.push(format!("retires ({}, {})", end.source, end.date));
        }
        if let Some(most) = in_flight {
            if most.value == 0 {
                return Err(invalid(format!("overlay of {id}: `in_flight` is at least 1")));
            }
            overlaid.push(format!("in_flight ({}, {})", most.source, most.date));
        }
        let overlaid: Vec<Text> = overlaid.into_iter().map(|it| Text(it.leak())).collect();
        Ok(Offer {
            accepts,
            price: price.unwrap_or(offer.price),
            retires: retires.or(offer.retires),
            in_flight: in_flight.or(offer.in_flight),
            overlaid: List(overlaid.leak()),
            ..*offer
        })
    }
}
