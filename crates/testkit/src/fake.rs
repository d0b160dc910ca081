//! Models without a network, for the tests of routers and applications.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use repaint_core::{
    Attempt, Auth, Call, Capabilities, Date, Endpoint, Error, ErrorKind, Fact, Form, Handle, Image,
    ImageModel, ImageRequest, List, Listing, Made, MediaType, Narrowed, Offer, OutputFormat, Owner,
    Phase, Preview, Price, Provider, Ratio, Reply, Result, Size, Source, Stage, Step, Transport,
    Transports, Usd, Wire, WireImage, Witness, between, documented, non_null,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::real_png;

/// A model that takes what it is told to take, and answers as it is told, without a network.
///
/// `id` is a provider and a model, such as `acme/one-image`. Left to itself it takes [`EDITS`], costs
/// $0.01 a picture, and paints every picture that it is asked for.
///
/// # Panics
///
/// If the id is not of that form.
pub fn fake(id: &str) -> Fake {
    let Some((provider, model)) = id.split_once('/') else {
        panic!("a fake has a provider and a model, such as acme/one-image; `{id}` has not both")
    };
    Fake {
        provider: provider.to_owned(),
        model: model.to_owned(),
        family: model.to_owned(),
        takes: EDITS,
        price: made_up(Price::Each(Usd(10_000))),
        state: Arc::default(),
    }
}

/// A fact of a test.
pub const fn made_up<T>(value: T) -> Fact<T> {
    documented(value, MADE_UP)
}

/// Where the facts of a fake come from.
pub const MADE_UP: Source = Source::new("made up for a test", Date::new(2026, 11, 22));

/// Draws, or edits one image; nothing else. Write other facts as changes to it.
pub const EDITS: Capabilities = Capabilities {
    images: made_up(between(0, 1)),
    transports: made_up(Transports { url: true, bytes: true }),
    media_types: made_up(List(&[MediaType::Png, MediaType::Jpeg, MediaType::Webp])),
    ..Capabilities::NONE
};

/// A model without a network that has not been made yet; see [`fake`].
///
/// It has a body like any hosted model, so that it can be previewed, validated and published, and it holds
/// what all trials claim of a model. It has a key to ask for: that of `acme` is `ACME_API_KEY`. Of the
/// capabilities only `options` is beyond it: its body has no field that a request does not have.
#[derive(Clone, Debug)]
pub struct Fake {
    provider: String,
    model: String,
    family: String,
    takes: Capabilities,
    price: Fact<Price>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// What comes next; `None` is a picture. The last one stays.
    told: VecDeque<Option<Error>>,
    asked: Vec<ImageRequest>,
}

impl Fake {
    /// What it takes; all else is refused.
    #[must_use]
    pub fn takes(self, takes: Capabilities) -> Self {
        Self { takes, ..self }
    }

    /// What this model takes and costs, and of which family it is: what would be refused there is refused
    /// here. Options are left out, since its body has no field for them.
    ///
    /// ```
    /// use repaint_adapters as _;
    /// use repaint_core::{Adapt, Date, ImageInput, ImageRequest, Registry, Terms};
    /// use repaint_testkit::fake;
    ///
    /// let kontext = fake("acme/kontext").like(Registry::linked()?.get("bfl/kontext-pro").unwrap());
    /// let image = ImageInput::url("https://example.com/cat.png")?;
    /// let request = ImageRequest { images: vec![image; 2], ..ImageRequest::new("make it night") };
    /// let terms = Terms { adapt: &Adapt::NONE, today: Date::today() };
    /// assert!(kontext.model().admit(&request, terms).is_err(), "it takes one");
    /// # Ok::<(), repaint_core::Error>(())
    /// ```
    #[must_use]
    pub fn like(self, model: &dyn ImageModel) -> Self {
        let options = made_up(List::EMPTY);
        let takes = Capabilities { options, ..*model.capabilities() };
        Self { takes, price: model.offer().price, ..self.of_family(model.family()) }
    }

    /// What it costs.
    #[must_use]
    pub fn costs(self, price: Price) -> Self {
        Self { price: made_up(price), ..self }
    }

    /// The family that it is of; its own name if nothing is said.
    #[must_use]
    pub fn of_family(self, family: &str) -> Self {
        Self { family: family.to_owned(), ..self }
    }

    /// Paints what it is asked for, once it has done what it was told before. The last thing that it is
    /// told it does again and again.
    #[must_use]
    pub fn paints(self) -> Self {
        self.state().told.push_back(None);
        self
    }

    /// Fails as a provider does in such a case, once it has done what it was told before.
    #[must_use]
    pub fn fails(self, kind: ErrorKind) -> Self {
        let error = like_a_provider(kind, &self.provider);
        self.fails_with(error)
    }

    /// Fails with this very error, once it has done what it was told before.
    #[must_use]
    pub fn fails_with(self, error: Error) -> Self {
        self.state().told.push_back(Some(error));
        self
    }

    /// The model, for a registry.
    pub fn model(&self) -> Arc<dyn ImageModel> {
        let Self { provider, model, family, takes, price, state } = self;
        // A table is static, and a test ends soon.
        let text = |it: &str| -> &'static str { it.to_owned().leak() };
        let variable = |end: &str| -> &'static str {
            format!("{}_{end}", provider.replace(['-', '.'], "_").to_uppercase()).leak()
        };
        let provider: &'static Provider = Box::leak(Box::new(Provider {
            id: text(provider),
            name: text(provider),
            endpoint: Some(Endpoint {
                base: format!("https://{provider}.invalid").leak(),
                base_env: variable("BASE_URL"),
                base_suffix: "",
                path: "/images",
                auth: Auth { header: "authorization", prefix: "Bearer ", env: variable("API_KEY") },
                trusts: &[],
                advance,
            }),
        }));
        let offers = Box::leak(Box::new([Offer::new(text(model), text(model), *takes, *price)]));
        let listing = Listing::new::<Body>(text(family), provider, offers);
        let listing: &'static Listing = Box::leak(Box::new(listing));
        let inner = listing.models().next().unwrap_or_else(|| panic!("a listing of one offer"));
        Arc::new(Model { inner, state: Arc::clone(state) })
    }

    /// Every request that it took, in order; what it refused is not among them.
    pub fn asked(&self) -> Vec<ImageRequest> {
        self.state().asked.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A [`Fake`] in a registry: a hosted model that is never sent for.
#[derive(Debug)]
struct Model {
    inner: Arc<dyn ImageModel>,
    state: Arc<Mutex<State>>,
}

#[async_trait]
impl ImageModel for Model {
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
        self.inner.offer()
    }

    fn wire(&self) -> Option<&Narrowed> {
        self.inner.wire()
    }

    fn encode(&self, witness: Witness<'_>) -> Result<Preview> {
        self.inner.encode(witness)
    }

    async fn generate(&self, witness: Witness<'_>, _: &dyn Transport) -> Result<Made> {
        // What could not be sent is not painted either.
        self.inner.encode(witness)?;
        let request = witness.request();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.asked.push(request.clone());
        let told = match state.told.len() {
            0 => None,
            1 => state.told[0].clone(),
            _ => state.told.pop_front().flatten(),
        };
        match told {
            Some(error) => Err(error),
            None => Ok(paint(request, witness.offer())),
        }
    }
}

/// A picture of the asked size for each that was asked for, each unlike the others.
fn paint(request: &ImageRequest, offer: &Offer) -> Made {
    let (width, height) = match request.size {
        Size::Pixels(size) => (size.width, size.height),
        Size::Ratio(_) | Size::Auto => (64, 64),
    };
    let picture = |index| Image::new(real_png(width, height, index).into());
    let submit =
        Attempt { phase: Phase::Submit, status: Some(200), milliseconds: 0, failure: None };
    Made {
        images: (1..=request.count as usize).map(picture).collect(),
        attempts: vec![submit],
        cost: Some(offer.price.value.estimate(request, &offer.accepts).high),
        ..Made::default()
    }
}

/// An error of this kind, with what a provider's has besides.
fn like_a_provider(kind: ErrorKind, provider: &str) -> Error {
    let message = format!("the fake was told to fail: {}", kind.code());
    Error::new(kind, message).with(|it| {
        it.status = match kind {
            ErrorKind::InvalidRequest => Some(400),
            ErrorKind::Denied => Some(401),
            ErrorKind::Moderated => Some(422),
            ErrorKind::Exhausted => Some(429),
            ErrorKind::Unavailable => Some(503),
            ErrorKind::OutcomeUnknown => Some(504),
            ErrorKind::Expired => Some(404),
            ErrorKind::Refused | ErrorKind::Unexpected => None,
        };
        it.stage = (kind == ErrorKind::Moderated).then_some(Stage::Output);
        it.retry_after_seconds = (kind == ErrorKind::Exhausted).then_some(1);
        it.resume = (kind == ErrorKind::OutcomeUnknown).then(|| Handle {
            provider: provider.to_owned(),
            id: "job-1".to_owned(),
            poll: None,
            pictures: Vec::new(),
        });
    })
}

fn advance(_: &Call, reply: &Reply) -> Result<Step> {
    Err(reply.error(ErrorKind::Unexpected, "a fake is never sent for"))
}

/// What a fake would be sent: every field that a request has.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "FakeBody")]
#[serde(deny_unknown_fields)]
struct Body {
    /// Which model.
    model: String,
    /// What to draw, or what to make of the images.
    #[schemars(length(min = 1))]
    prompt: String,
    /// Images to edit: http(s) addresses or data URIs.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    images: Option<Vec<WireImage>>,
    /// Which part of the first image to change.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    mask: Option<WireImage>,
    /// Pixels across; not together with `aspect_ratio`.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    /// Pixels down; not together with `aspect_ratio`.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
    /// Width to height; not together with `width` and `height`.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    aspect_ratio: Option<Ratio>,
    /// How many pictures; 1 if absent.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    n: Option<u32>,
    /// Equal seeds give like pictures.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    /// What not to draw.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    negative_prompt: Option<String>,
    /// How many denoising steps.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    steps: Option<u32>,
    /// How closely to follow the prompt.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    guidance: Option<f64>,
    /// The file format of the pictures.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    output_format: Option<OutputFormat>,
}

impl Wire for Body {
    const OWNED: &'static [(&'static str, Owner)] = &[
        ("model", Owner::Model),
        ("prompt", Owner::Prompt),
        ("images", Owner::Images),
        ("mask", Owner::Mask),
        ("width", Owner::Width),
        ("height", Owner::Height),
        ("aspect_ratio", Owner::Ratio),
        ("n", Owner::Count),
        ("seed", Owner::Seed),
        ("negative_prompt", Owner::NegativePrompt),
        ("steps", Owner::Steps),
        ("guidance", Owner::Guidance),
        ("output_format", Owner::OutputFormat),
    ];

    fn from_request(request: &ImageRequest, offer: &Offer) -> Self {
        let ImageRequest {
            prompt,
            images,
            mask: _,
            size,
            count,
            seed,
            negative_prompt,
            steps,
            guidance,
            output_format,
            options: _,
        } = request;
        let (width, height, aspect_ratio) = match size {
            Size::Auto => (None, None, None),
            Size::Ratio(ratio) => (None, None, Some(*ratio)),
            Size::Pixels(size) => (Some(size.width), Some(size.height), None),
        };
        let images: Vec<WireImage> = WireImage::all(images, Form::DataUri).collect();
        Self {
            model: offer.name.to_owned(),
            prompt: prompt.clone(),
            images: (!images.is_empty()).then_some(images),
            mask: WireImage::mask(request, Form::DataUri),
            width,
            height,
            aspect_ratio,
            n: (*count != 1).then_some(*count),
            seed: *seed,
            negative_prompt: negative_prompt.clone(),
            steps: *steps,
            guidance: *guidance,
            output_format: *output_format,
        }
    }
}
