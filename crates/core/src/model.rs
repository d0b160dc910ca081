//! A model that can be called at one place, and the proof that it takes a request.

use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::narrow::Narrowed;
use crate::{
    Adaptation, Call, Capabilities, Estimate, ImageFacts, ImageInput, ImageRequest, Made, Offer,
    Outcome, Provider, Receipt, Refusal, Result, Size, Terms, Warning, WarningCode, admit,
};

/// A model that can be called at one place: the contract between models and all the rest.
///
/// A hosted model gets it by submitting a [`Listing`](crate::Listing); implement it for a model that
/// runs in this process. A request arrives with a [`Witness`]: every field of it is admitted by this
/// very offer. Use it or fail; never drop it.
///
/// A wrapper around another model declares its own offer, from
/// [`Capabilities::NONE`], and lets the inner model admit the request again.
#[async_trait]
pub trait ImageModel: Debug + Send + Sync + 'static {
    /// Provider and model, such as `bfl/kontext-pro`.
    fn id(&self) -> &str;

    /// The line of models that it is of, such as `kontext`.
    fn family(&self) -> &str;

    /// Who hosts it.
    fn provider(&self) -> &'static Provider;

    /// What it accepts, costs and is called there.
    fn offer(&self) -> &Offer;

    /// What its body may be; `None` for a model that runs in this process.
    fn wire(&self) -> Option<&Narrowed>;

    /// What [`generate`](Self::generate) would do first. Does no I/O.
    fn encode(&self, witness: Witness<'_>) -> Result<Preview>;

    /// Makes the pictures; through `via` it reaches the network, files and idle cores.
    async fn generate(&self, witness: Witness<'_>, via: &dyn Transport) -> Result<Made>;
}

/// The only thing that touches the network, the files and the clock.
#[async_trait]
pub trait Transport: Debug + Send + Sync {
    /// Makes the call and all that follow, until the provider is done.
    async fn drive(&self, provider: &'static Provider, first: Call) -> Result<Made>;

    /// The bytes of an input image, for a model that runs in this process.
    async fn read(&self, image: &ImageInput) -> Result<Bytes>;

    /// Does CPU work away from the threads that wait for the network.
    async fn compute(&self, work: Work) -> Result<Made>;
}

/// CPU work of a model that runs in this process.
pub type Work = Box<dyn FnOnce() -> Result<Made> + Send>;

/// What a model would do.
#[derive(Clone, Debug, PartialEq)]
pub enum Preview {
    /// Make this call.
    Http(Call),
    /// Work in this process; the value says at what.
    Local(Value),
}

/// Proof that a request was admitted by the offer at hand; only [`Admitted`] makes one, for the
/// model that admitted it.
#[derive(Clone, Copy, Debug)]
pub struct Witness<'a> {
    id: &'a str,
    offer: &'a Offer,
    wire: Option<&'a Narrowed>,
    request: &'a ImageRequest,
}

impl<'a> Witness<'a> {
    /// The offer that admitted the request, with its overlay.
    pub fn offer(&self) -> &'a Offer {
        self.offer
    }

    /// The request, as adapted.
    pub fn request(&self) -> &'a ImageRequest {
        self.request
    }

    pub(crate) fn id(&self) -> &'a str {
        self.id
    }

    pub(crate) fn wire(&self) -> Option<&'a Narrowed> {
        self.wire
    }
}

/// A request that a model takes, with what was changed for it.
#[derive(Clone, Debug)]
pub struct Admitted<'a> {
    model: &'a dyn ImageModel,
    request: std::borrow::Cow<'a, ImageRequest>,
    adaptations: Vec<Adaptation>,
    warnings: Vec<Warning>,
}

impl<'a> Admitted<'a> {
    /// The request, as adapted.
    pub fn request(&self) -> &ImageRequest {
        &self.request
    }

    /// What was changed.
    pub fn adaptations(&self) -> &[Adaptation] {
        &self.adaptations
    }

    /// What the caller should know before it is sent.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The model that takes it.
    pub fn model(&self) -> &'a dyn ImageModel {
        self.model
    }

    /// What it may cost.
    pub fn estimate(&self) -> Estimate {
        let offer = self.model.offer();
        offer.price.value.estimate(&self.request, &offer.accepts)
    }

    /// What would be done first. Does no I/O.
    pub fn encode(&self) -> Result<Preview> {
        self.model.encode(self.witness()).map_err(|err| err.with(|it| self.place(&mut it.offer)))
    }

    /// Makes the pictures.
    pub async fn generate(&self, via: &dyn Transport) -> Result<Outcome> {
        let made = self.model.generate(self.witness(), via).await;
        let made = made.map_err(|err| err.with(|it| self.place(&mut it.offer)))?;
        let Made { images, attempts, warnings, cost, evidence, request_id, handle, failures } =
            made;
        let generative = self.model.offer().generative;
        let mut all = self.warnings.clone();
        all.extend(warnings);
        if let Size::Pixels(wanted) = self.request.size {
            let sizes = images.iter().filter_map(|it| ImageFacts::of(&it.bytes).ok());
            for other in sizes.map(|it| it.dimensions).filter(|it| *it != wanted) {
                let message = format!("a picture is {other}, not {wanted} as it was asked for");
                all.push(Warning::new(WarningCode::Provider, Some("size"), message));
            }
        }
        let (got, asked) = (images.len() + failures.len(), self.request.count);
        if got != asked as usize {
            let plural = if got == 1 { "" } else { "s" };
            let message = format!("{} made {got} picture{plural}, not {asked}", self.model.id());
            all.push(Warning::new(WarningCode::Provider, Some("count"), message));
        }
        let estimate = self.estimate();
        let receipt = Receipt {
            offer: self.model.id().to_owned(),
            generative,
            pictures: u32::try_from(images.len()).unwrap_or(u32::MAX),
            adaptations: self.adaptations.clone(),
            warnings: all,
            attempts,
            estimate,
            cost,
            spent: cost.map_or(estimate, |it| Estimate { low: it, high: it }),
            difference: cost.and_then(|it| estimate.difference(it, &evidence)),
            evidence,
            request_id,
            handle,
            calls: Vec::new(),
            failures,
            hops: Vec::new(),
            job: None,
            orders: Vec::new(),
        };
        Ok(Outcome { images, receipt })
    }

    fn place(&self, offer: &mut Option<String>) {
        offer.get_or_insert_with(|| self.model.id().to_owned());
    }

    fn witness(&self) -> Witness<'_> {
        Witness {
            id: self.model.id(),
            offer: self.model.offer(),
            wire: self.model.wire(),
            request: &self.request,
        }
    }
}

impl dyn ImageModel {
    /// What it accepts.
    pub fn capabilities(&self) -> &Capabilities {
        &self.offer().accepts
    }

    /// Checks every field of the request against the offer: the only way to an [`Admitted`].
    ///
    /// The error has *all* reasons. Input images in files must have been inspected by a client.
    pub fn admit<'a>(
        &'a self,
        request: &'a ImageRequest,
        terms: Terms<'_>,
    ) -> Result<Admitted<'a>, Vec<Refusal>> {
        let admit::Verdict { request, adaptations, warnings } = admit::admit(self, request, terms)?;
        Ok(Admitted { model: self, request, adaptations, warnings })
    }

    /// Whether `admit` would take the request, and what it may cost then; puts no reason
    /// into words, and is fast enough to be asked of thousands.
    pub fn admits(&self, request: &ImageRequest, terms: Terms<'_>) -> Option<Estimate> {
        let request = admit::admits(self, request, terms)?;
        let offer = self.offer();
        Some(offer.price.value.estimate(&request, &offer.accepts))
    }
}

impl Preview {
    /// For a person and for snapshots; holds no key and no bytes of images.
    pub fn shown(&self) -> Value {
        match self {
            Self::Http(call) => call.preview(),
            Self::Local(operation) => json!({ "local": operation }),
        }
    }
}

/// What a model in this process says of its result before it is asked.
pub(crate) fn not_generative(id: &str) -> Warning {
    Warning::new(
        WarningCode::NotGenerative,
        None,
        format!("{id} is a filter, not a generative model"),
    )
}
