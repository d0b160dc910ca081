//! A model that can be called at one place, and the proof that it takes a request.

use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::inputs::megabytes;
use crate::narrow::Narrowed;
use crate::{
    Adapt, Adaptation, Call, Capabilities, Date, Error, Estimate, Image, ImageFacts, ImageInput,
    ImageRequest, Made, MediaType, Offer, Outcome, OutputFormat, Provider, Receipt, Refusal,
    Result, Size, Terms, Warning, WarningCode, admit,
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

    /// Makes an input image into what it [`becomes`](ImageInput::becomes): scaled, upright, of another
    /// kind. What comes back is in memory and becomes nothing else.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if it cannot be decoded here, or not be made so small.
    async fn remake(&self, image: &ImageInput) -> Result<ImageInput>;

    /// Makes a picture into a file of another format; the error is in words, and the picture is kept.
    async fn convert(&self, image: &Image, format: OutputFormat) -> Result<Image, String>;
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
    convert: Option<OutputFormat>,
    today: Date,
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

    /// Makes the pictures. Input images that are to be changed are, before anything is sent, and what
    /// they have become is admitted anew.
    pub async fn generate(&self, via: &dyn Transport) -> Result<Outcome> {
        if self.request.inputs().any(|it| it.becomes().is_some()) {
            let (request, adaptations) = self.remade(via).await?;
            let terms = Terms { adapt: &Adapt::NONE, today: self.today };
            let verdict = admit::admit(self.model, &request, terms)
                .map_err(|refusals| Error::refused(self.model.id(), refusals))?;
            let admitted = Admitted {
                model: self.model,
                request: verdict.request,
                adaptations,
                warnings: self.warnings.clone(),
                convert: self.convert,
                today: self.today,
            };
            return admitted.made(via).await;
        }
        self.made(via).await
    }

    /// The request with every input image as it is to be sent, and what was really changed.
    async fn remade(&self, via: &dyn Transport) -> Result<(ImageRequest, Vec<Adaptation>)> {
        let (mut request, mut adaptations) = ((*self.request).clone(), self.adaptations.clone());
        let fields = (0..request.images.len()).map(|it| format!("images/{it}"));
        let fields: Vec<String> = fields.chain(["mask".to_owned()]).collect();
        let inputs = request.images.iter_mut().chain(&mut request.mask);
        for (image, field) in inputs.zip(&fields).filter(|it| it.0.becomes().is_some()) {
            let remade = via.remake(image).await;
            *image = remade.map_err(|err| {
                let message = format!("{field}: {}", err.message());
                err.with(|it| it.message = message)
            })?;
            let Some(facts) = image.facts() else { continue };
            for adaptation in adaptations.iter_mut().filter(|it| it.field == *field) {
                adaptation.to = match adaptation.method.as_str() {
                    "convert" => facts.media_type.name().into(),
                    _ => format!("{}, {}", facts.dimensions, megabytes(facts.bytes)).into(),
                };
            }
        }
        Ok((request, adaptations))
    }

    async fn made(&self, via: &dyn Transport) -> Result<Outcome> {
        let made = self.model.generate(self.witness(), via).await;
        let made = made.map_err(|err| err.with(|it| self.place(&mut it.offer)))?;
        let Made { mut images, attempts, warnings, cost, evidence, request_id, handle, failures } =
            made;
        let generative = self.model.offer().generative;
        let mut all = self.warnings.clone();
        all.extend(warnings);
        let mut adaptations = self.adaptations.clone();
        if let (Some(format), None) = (self.request.output_format, self.convert) {
            let other = |it: &&Image| it.media_type.is_some_and(|it| it != format.media_type());
            if let Some(image) = images.iter().find(other) {
                let kind = image.media_type.map_or("another kind", MediaType::name);
                let message = format!(
                    "a picture is {kind}, not {} as it was asked for; the adaptation \
                     output_format=convert makes it so",
                    format.name()
                );
                all.push(Warning::new(WarningCode::Output, Some("output_format"), message));
            }
        }
        if let Some(format) = self.convert {
            all.extend(converted(via, &mut images, format, &mut adaptations).await);
        }
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
            adaptations,
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
        let admit::Verdict { request, adaptations, warnings, convert } =
            admit::admit(self, request, terms)?;
        Ok(Admitted { model: self, request, adaptations, warnings, convert, today: terms.today })
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

/// Makes pictures into files of the wanted format. One that cannot be is kept as it came: it is paid for.
async fn converted(
    via: &dyn Transport,
    images: &mut [Image],
    format: OutputFormat,
    adaptations: &mut Vec<Adaptation>,
) -> Vec<Warning> {
    let (mut warnings, mut changed) = (Vec::new(), false);
    let came = images.iter().find_map(|it| it.media_type);
    for (index, image) in images.iter_mut().enumerate() {
        let kind = image.media_type;
        // Whoever wants a conversion has pictures fetched.
        if image.is_left() {
            continue;
        }
        if kind.is_some_and(|it| it == format.media_type()) {
            continue;
        }
        match via.convert(image, format).await {
            Ok(file) => {
                *image = file;
                changed = true;
            }
            Err(why) => {
                let message = format!(
                    "picture {} stays as it came: it cannot be made {}: {why}",
                    index + 1,
                    format.name()
                );
                warnings.push(Warning::new(WarningCode::Output, Some("output_format"), message));
            }
        }
    }
    let at = adaptations.iter().position(|it| it.field == "output_format");
    match at {
        Some(at) if changed => adaptations[at].to = format.name().into(),
        // It was asked for in vain.
        None if changed => adaptations.push(Adaptation {
            field: "output_format".to_owned(),
            method: "convert".to_owned(),
            from: came.map_or(serde_json::Value::Null, |it| it.name().into()),
            to: format.name().into(),
        }),
        // The provider sent what was wanted, or nothing could be changed.
        Some(at) => drop(adaptations.remove(at)),
        None => {}
    }
    if changed {
        let message =
            "a converted picture has lost what the provider wrote into its file, such as C2PA";
        warnings.push(Warning::new(WarningCode::Output, Some("output_format"), message));
    }
    warnings
}

/// What a model in this process says of its result before it is asked.
pub(crate) fn not_generative(id: &str) -> Warning {
    Warning::new(
        WarningCode::NotGenerative,
        None,
        format!("{id} is a filter, not a generative model"),
    )
}
