//! One row of a listing: a model at a provider, as data.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Capabilities, Date, Fact, List, Price, Text};

/// One model at one provider, as data: what a request is finally sent to.
///
/// The same model may accept less at another provider, so everything hangs on the offer.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// The canonical id, such as `flux2-pro`: family, then variant.
    pub model: &'static str,
    /// The provider's own name, such as `black-forest-labs/FLUX.2-pro`.
    pub name: &'static str,
    /// Dated ids and former names that mean the same.
    pub aliases: &'static [&'static str],
    /// What it accepts.
    pub accepts: Capabilities,
    /// What it costs.
    pub price: Fact<Price>,
    /// When it ends, if that is announced.
    pub retires: Option<Fact<Retirement>>,
    /// Whether a generative model makes the picture; a filter of ours says no, and never stands in
    /// for one that does.
    pub generative: bool,
    /// How many orders of it may be on their way at a time before the provider refuses another; the most
    /// of any of its offers holds for all its offers together.
    pub in_flight: Option<Fact<u32>>,
    /// Which facts an overlay has replaced, each with its source; none in a table.
    pub overlaid: List<Text>,
}

/// The end of an offer.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Retirement {
    /// The first day on which it is refused.
    pub date: Date,
    /// What to use instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<Text>,
}

impl Offer {
    /// A generative offer without aliases that nobody has announced the end of. For others write
    /// `Offer { retires: …, ..Offer::new(…) }`.
    pub const fn new(
        model: &'static str,
        name: &'static str,
        accepts: Capabilities,
        price: Fact<Price>,
    ) -> Self {
        Self {
            model,
            name,
            aliases: &[],
            accepts,
            price,
            retires: None,
            generative: true,
            in_flight: None,
            overlaid: List::EMPTY,
        }
    }

    /// The same offer, of which so many orders may be on their way at a time.
    #[must_use]
    pub const fn limited(self, in_flight: Fact<u32>) -> Self {
        Self { in_flight: Some(in_flight), ..self }
    }
}
