//! A family at a provider: the unit of registration.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use schemars::Schema;
use serde_json::Value;

use crate::field::Sample;
use crate::narrow::Narrowed;
use crate::violation::faults;
use crate::{
    Body, Call, Error, ErrorKind, ImageInput, ImageModel, ImageRequest, Made, Offer, Owner, Phase,
    Preview, Provider, Result, Transport, Wire, Witness, wire,
};

/// A family at a provider: one wire type, or one implementation in this process, and its offers.
///
/// A family at two providers has two listings; a new model of a known family is one more offer.
#[derive(Debug)]
pub struct Listing {
    /// The family, such as `kontext`.
    pub family: &'static str,
    /// Who hosts it.
    pub provider: &'static Provider,
    /// What is on offer.
    pub offers: &'static [Offer],
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Hosted(WireType),
    InProcess(fn(&'static Listing, Offer) -> Arc<dyn ImageModel>),
}

/// A [`Wire`] without its type.
#[derive(Clone, Copy, Debug)]
struct WireType {
    owned: &'static [(&'static str, Owner)],
    body: fn(&Witness<'_>) -> Result<Value>,
    schema: fn() -> Schema,
    sample: Sample,
}

inventory::collect!(Listing);

impl Listing {
    /// Lists offers that speak `W`. Write it within `inventory::submit!`.
    pub const fn new<W: Wire>(
        family: &'static str,
        provider: &'static Provider,
        offers: &'static [Offer],
    ) -> Self {
        let wire = WireType {
            owned: W::OWNED,
            body: body::<W>,
            schema: wire::schema::<W>,
            sample: sample::<W>,
        };
        Self { family, provider, offers, kind: Kind::Hosted(wire) }
    }

    /// Lists offers that run in this process; `make` gives the model of one.
    pub const fn in_process(
        family: &'static str,
        provider: &'static Provider,
        offers: &'static [Offer],
        make: fn(&'static Self, Offer) -> Arc<dyn ImageModel>,
    ) -> Self {
        Self { family, provider, offers, kind: Kind::InProcess(make) }
    }

    /// The models, one for each offer.
    pub fn models(&'static self) -> impl Iterator<Item = Arc<dyn ImageModel>> {
        self.offers.iter().map(move |offer| match self.kind {
            Kind::Hosted(wire) => {
                let id = format!("{}/{}", self.provider.id, offer.model);
                let narrowed = OnceLock::new();
                Arc::new(Hosted { id, listing: self, offer: *offer, wire, narrowed })
            }
            Kind::InProcess(make) => make(self, *offer),
        })
    }
}

/// The request as the wire type has it, with tokens in the place of images.
fn body<W: Wire>(witness: &Witness<'_>) -> Result<Value> {
    serde_json::to_value(W::from_request(witness.request(), witness.offer())).map_err(|err| {
        Error::new(ErrorKind::Unexpected, format!("the adapter wrote no JSON: {err}"))
    })
}

/// What the wire type makes of a request that nobody sends.
fn sample<W: Wire>(request: &ImageRequest, offer: &Offer) -> Value {
    serde_json::to_value(W::from_request(request, offer)).unwrap_or_default()
}

/// An [`Offer`] of a hosted listing, made callable.
#[derive(Debug)]
pub(crate) struct Hosted {
    id: String,
    listing: &'static Listing,
    offer: Offer,
    wire: WireType,
    narrowed: OnceLock<Narrowed>,
}

impl Hosted {
    fn call(&self, witness: &Witness<'_>) -> Result<Call> {
        // A wrapper could hand on the witness of its own offer; this offer must admit for itself.
        if witness.id() != self.id {
            let message =
                format!("{} was handed a request that {} admitted", self.id, witness.id());
            return Err(Error::new(ErrorKind::Unexpected, message));
        }
        let (Some(wire), Some(endpoint)) = (witness.wire(), &self.listing.provider.endpoint) else {
            let message = format!("{} has no address", self.id);
            return Err(Error::new(ErrorKind::Unexpected, message));
        };
        let request = witness.request();
        let mut value = (self.wire.body)(witness)?;
        if let Value::Object(fields) = &mut value {
            for (name, option) in &request.options {
                fields.insert(name.clone(), option.clone());
            }
        }
        let wrong = wire.check_ours(&value);
        if !wrong.is_empty() {
            let message = format!(
                "the body for {} is not what it takes (a field must be in OWNED or among the \
                 options): {}",
                self.id,
                faults(&wrong)
            );
            return Err(Error::new(ErrorKind::Unexpected, message));
        }
        let inputs: Vec<&ImageInput> = request.inputs().collect();
        let body = Body::new(&value, &inputs)?;
        let limit = witness.offer().accepts.body_bytes.value;
        if limit < body.length() {
            let message = format!("the body has {} bytes, more than {limit}", body.length());
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        let path = endpoint.path.replace("{name}", witness.offer().name);
        let url = format!("{}{path}", endpoint.base);
        Ok(Call { url, auth: Some(endpoint.auth), body: Some(body), phase: Phase::Submit })
    }
}

#[async_trait]
impl ImageModel for Hosted {
    fn id(&self) -> &str {
        &self.id
    }

    fn family(&self) -> &str {
        self.listing.family
    }

    fn provider(&self) -> &'static Provider {
        self.listing.provider
    }

    fn offer(&self) -> &Offer {
        &self.offer
    }

    fn wire(&self) -> Option<&Narrowed> {
        Some(self.narrowed.get_or_init(|| {
            let WireType { owned, schema, sample, body: _ } = self.wire;
            Narrowed::new(schema().to_value(), owned, &self.offer, sample)
        }))
    }

    fn encode(&self, witness: Witness<'_>) -> Result<Preview> {
        self.call(&witness).map(Preview::Http)
    }

    async fn generate(&self, witness: Witness<'_>, via: &dyn Transport) -> Result<Made> {
        via.drive(self.listing.provider, self.call(&witness)?).await
    }
}

/// A model whose offer an overlay has changed.
#[derive(Debug)]
pub(crate) struct Overlaid {
    pub(crate) inner: Arc<dyn ImageModel>,
    pub(crate) offer: Offer,
    pub(crate) narrowed: Option<Narrowed>,
}

#[async_trait]
impl ImageModel for Overlaid {
    fn id(&self) -> &str {
        self.inner.id()
    }

    fn family(&self) -> &str {
        self.inner.family()
    }

    fn provider(&self) -> &'static Provider {
        self.inner.provider()
    }

    fn offer(&self) -> &Offer {
        &self.offer
    }

    fn wire(&self) -> Option<&Narrowed> {
        self.narrowed.as_ref()
    }

    fn encode(&self, witness: Witness<'_>) -> Result<Preview> {
        self.inner.encode(witness)
    }

    async fn generate(&self, witness: Witness<'_>, via: &dyn Transport) -> Result<Made> {
        self.inner.generate(witness, via).await
    }
}
