//! The trials are tried: each fault that an adapter can have is caught, and by a message that helps.
//!
//! Two are caught elsewhere: a field of a request that an encoder forgets does not compile, which the front
//! page of the testkit shows; that a crate registers nothing is said by `main!`, tried in its own tests.

use std::fmt::Debug;
use std::fs;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use repaint_core::{
    Capabilities, Date, Dimensions, Form, ImageModel, ImageRequest, List, Listing, Made, MediaType,
    Narrowed, Offer, Owner, Pixels, Preview, Price, Provider, Registry, Result, Size, Source, Text,
    Transport, Transports, Usd, Wire, WireImage, Witness, between, documented,
};
use repaint_providers::{LOCAL, TOGETHER};
use repaint_testkit::snapshots::{compare, strays};
use repaint_testkit::{Complaint, claims, snapshot};
use repaint_tests::unlinked;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[test]
fn a_sound_adapter_passes() {
    assert_eq!(complaints(&*model::<Body<Sound>>(TAKES)), [""; 0]);
}

#[test]
fn a_claim_is_made_of_every_capability() {
    let claimed: Vec<String> =
        claims(&*model::<Body<Sound>>(TAKES)).into_iter().map(|it| it.name).collect();
    for capability in [
        "2 by url",
        "2 by data",
        "2 by file",
        "a mask",
        "64x128",
        "count 4",
        "seed 0",
        "a negative prompt",
        "steps 50",
        "guidance 10",
    ] {
        assert!(claimed.contains(&format!("takes {capability}")), "{capability}: {claimed:?}");
    }
}

// --- Faults in the translation of a request.

#[test]
fn a_dropped_seed_is_caught() {
    caught::<DropsTheSeed>("takes seed 0", "`seed` is declared, but changes nothing in the body");
}

#[test]
fn a_seed_that_is_another_is_caught() {
    caught::<SpoilsTheSeed>("takes seed 0", "`seed` is 1, but 0 was asked for");
}

#[test]
fn two_claimed_and_one_sent_is_caught() {
    caught::<SendsOne>("takes 2 by data", "input image 2 would be sent 0 times");
}

#[test]
fn an_image_sent_twice_is_caught() {
    caught::<SendsTwice>("takes 1 by url", "input image 1 would be sent 2 times");
}

#[test]
fn images_in_reverse_are_caught() {
    caught::<Reverses>("takes 2 by file", "input image 2 stands before the one before it");
}

#[test]
fn a_mask_that_is_the_image_is_caught() {
    caught::<MasksTheMask>("takes a mask", "`mask` has another image than the one for it");
}

#[test]
fn a_dropped_mask_is_caught() {
    caught::<DropsTheMask>("takes a mask", "input image 2 would be sent 0 times");
}

#[test]
fn a_dropped_prompt_is_caught() {
    caught::<DropsThePrompt>("takes least", "the prompt is nowhere in the body");
}

#[test]
fn a_turned_picture_is_caught() {
    caught::<Turns>("takes 64x128", "`width` is 128, but 64 was asked for");
}

#[test]
fn a_dropped_count_is_caught() {
    caught::<DropsTheCount>("takes count 4", "`count` is declared, but changes nothing");
}

#[test]
fn a_field_of_nobody_is_caught() {
    // What no neutral field owns can only be an option: so it could be set twice.
    let message =
        "a field must be in OWNED or among the options): /pictures is not taken by this model";
    let takes = Capabilities { options: options(&["pictures", "strength"]), ..TAKES };
    let complaints = complaints(&*model::<Body<OwnsNoPictures>>(takes));
    has(&complaints, "takes 1 by url", message);
}

#[test]
fn a_field_of_somebody_else_is_caught() {
    caught::<ConfusesOwners>("takes steps 50", "declared as owned by `seed`");
}

// --- Faults in the type of the wire.

#[test]
fn an_open_wire_is_caught() {
    let complaints = complaints(&*model::<Open>(LEAST));
    has(&complaints, "has a closed and described schema", "add #[serde(deny_unknown_fields)]");
}

#[test]
fn an_undescribed_field_is_caught() {
    let complaints = complaints(&*model::<Undescribed>(LEAST));
    has(&complaints, "has a closed and described schema", "describe `seed` in a doc comment");
}

#[test]
fn a_null_is_caught() {
    let complaints = complaints(&*model::<Null>(LEAST));
    has(&complaints, "takes least", "/seed must be a whole number, not null");
}

#[test]
fn a_seed_that_the_wire_lacks_is_caught() {
    let complaints = complaints(&*model::<Lacking>(LEAST));
    has(&complaints, "takes seed 0", "`seed` is declared, but changes nothing in the body");
}

#[test]
fn an_option_without_bounds_is_caught() {
    let takes = Capabilities { options: options(&["strength"]), ..LEAST };
    let complaints = complaints(&*model::<Unbounded>(takes));
    has(&complaints, "holds options to the wire", "`strength` takes any number");
    let takes = Capabilities { options: options(&["styles"]), ..LEAST };
    let complaints = self::complaints(&*model::<Unbounded>(takes));
    has(&complaints, "holds options to the wire", "`styles` takes any number of entries");
}

#[test]
fn an_option_that_the_wire_lacks_is_caught() {
    let takes = Capabilities { options: options(&["strength", "sharpness"]), ..TAKES };
    let complaints = complaints(&*model::<Body<Sound>>(takes));
    has(&complaints, "holds options to the wire", "the wire has no such field");
}

#[test]
fn an_image_that_could_be_an_option_is_caught() {
    let takes = Capabilities { options: options(&["logo"]), ..LEAST };
    let complaints = complaints(&*model::<Smuggler>(takes));
    has(&complaints, "holds options to the wire", "`logo` is an image, which is never an option");
}

#[test]
fn a_guidance_that_is_dropped_is_caught() {
    caught::<DropsTheGuidance>("takes guidance 10", "`guidance` is declared, but changes nothing");
}

// --- Faults that only a snapshot shows.

#[test]
fn an_offer_without_a_snapshot_is_caught() {
    let folder = tempfile::tempdir().expect("a folder");
    let complaint = compare(&*model::<Body<Sound>>(TAKES), folder.path());
    let said = helpful(&complaint.expect_err("nothing is there"));
    assert!(said.contains("together.trial-1.snap"), "{said}");
    assert!(said.contains("write it with INSTA_UPDATE=always"), "{said}");
}

/// Writes a snapshot as insta has it, so that the test is the same whatever the environment says.
fn keep(model: &dyn ImageModel, folder: &Path) {
    let file = folder.join(format!("{}.snap", model.id().replace('/', ".")));
    let text = format!("---\nsource: a trial\n---\n{:#}\n", snapshot(model));
    fs::write(file, text).expect("written");
}

/// All that is declared is still sent; but something goes along that nobody has read.
#[test]
fn a_default_that_came_unseen_is_caught() {
    let folder = tempfile::tempdir().expect("a folder");
    keep(&*model::<Body<Sound>>(TAKES), folder.path());
    compare(&*model::<Body<Sound>>(TAKES), folder.path()).expect("the same");
    let strong = model::<Body<Strong>>(TAKES);
    assert_eq!(complaints(&*strong), [""; 0]);
    let said = helpful(&compare(&*strong, folder.path()).expect_err("differs"));
    assert!(said.contains("read the difference"), "{said}");
}

#[test]
fn another_name_or_limit_is_caught() {
    let folder = tempfile::tempdir().expect("a folder");
    keep(&*model::<Body<Sound>>(TAKES), folder.path());
    let fewer = Capabilities { images: documented(between(0, 1), SOURCE), ..TAKES };
    let fewer = offered::<Body<Sound>>(Offer::new("trial-1", "Trial One", fewer, free()));
    assert_eq!(complaints(&*fewer), [""; 0]);
    let said = helpful(&compare(&*fewer, folder.path()).expect_err("differs"));
    assert!(said.contains("sends something else"), "{said}");
}

#[test]
fn the_snapshot_of_an_offer_that_is_gone_is_caught() {
    let folder = tempfile::tempdir().expect("a folder");
    let gone = offered::<Body<Sound>>(Offer::new("trial-0", "Trial Zero", TAKES, free()));
    keep(&*gone, folder.path());
    let registry = Registry::new([model::<Body<Sound>>(TAKES)]).expect("one model");
    let said = helpful(&strays(&registry, folder.path()).expect_err("a stray"));
    assert!(said.contains("delete it") && said.contains("together.trial-0.snap"), "{said}");
    strays(&Registry::new([gone]).expect("one model"), folder.path()).expect("its own");
}

// --- Faults of a model in this process.

#[test]
fn a_local_model_that_is_deaf_to_a_seed_is_caught() {
    static DEAF: Listing = Listing::in_process(
        "trial",
        &LOCAL,
        &[Offer::new("trial-1", "Trial One", LEAST, documented(Price::Free, SOURCE))],
        |_, offer| Arc::new(Deaf(offer)),
    );
    let complaints = complaints(&*DEAF.models().next().expect("one offer"));
    has(&complaints, "takes seed 99", "`seed` is declared, but changes nothing in the operation");
}

/// Does the same whatever the seed.
#[derive(Debug)]
struct Deaf(Offer);

#[async_trait]
impl ImageModel for Deaf {
    fn id(&self) -> &str {
        "local/trial-1"
    }

    fn family(&self) -> &str {
        "trial"
    }

    fn provider(&self) -> &'static Provider {
        &LOCAL
    }

    fn offer(&self) -> &Offer {
        &self.0
    }

    fn wire(&self) -> Option<&Narrowed> {
        None
    }

    fn encode(&self, witness: Witness<'_>) -> Result<Preview> {
        Ok(Preview::Local(json!({ "draw": witness.request().prompt })))
    }

    async fn generate(&self, _: Witness<'_>, _: &dyn Transport) -> Result<Made> {
        Ok(Made::default())
    }
}

// --- Faults in the table.

#[test]
fn an_id_that_is_there_twice_is_caught() {
    let twice = [model::<Body<Sound>>(TAKES), model::<Body<Sound>>(LEAST)];
    let err = Registry::new(twice).expect_err("two of one id");
    assert_eq!(err.message(), "two models are together/trial-1");
}

/// The crate is there and compiles, and nobody names it, or it names not its own module.
#[test]
fn an_adapter_that_is_not_linked_is_caught() {
    let adapters = tempfile::tempdir().expect("a folder");
    for name in ["all", "trial", "ghost"] {
        fs::create_dir(adapters.path().join(name)).expect("made");
        fs::write(adapters.path().join(name).join("Cargo.toml"), "").expect("written");
    }
    let registry = Registry::new([model::<Body<Sound>>(TAKES)]).expect("one model");
    let said = unlinked(&registry, adapters.path()).expect_err("a ghost");
    assert!(said.starts_with("adapters/ghost registers nothing"), "{said}");
    assert!(said.contains("name it in adapters/all"), "{said}");
    fs::remove_dir_all(adapters.path().join("ghost")).expect("gone");
    unlinked(&registry, adapters.path()).expect("all are linked");
}

#[test]
fn a_strange_id_is_caught() {
    for name in ["Trial One", "trial_1", "", "trial/1"] {
        let offer = Offer::new(name, "Trial One", TAKES, free());
        let complaints = complaints(&*offered::<Body<Sound>>(offer));
        has(&complaints, "has a canonical id", "is not in kebab case");
    }
}

/// Nobody complains of what is not declared: the snapshot shows it.
#[test]
fn a_capability_that_is_not_declared_shows_in_the_snapshot() {
    let shown = |takes| snapshot(&*model::<Body<Sound>>(takes))["only_by_option"].clone();
    assert_eq!(shown(TAKES), json!(["strength"]));
    let seedless = Capabilities { seed: Capabilities::NONE.seed, ..TAKES };
    assert_eq!(shown(seedless), json!(["seed", "strength"]));
    let maskless = Capabilities { mask: Capabilities::NONE.mask, ..TAKES };
    assert_eq!(shown(maskless), json!(["mask", "strength"]));
}

// --- How a fault is caught.

fn caught<F: Fault>(claim: &str, message: &str) {
    has(&complaints(&*model::<Body<F>>(TAKES)), claim, message);
}

fn has(complaints: &[String], claim: &str, message: &str) {
    let start = format!("{claim}: ");
    let found = complaints.iter().any(|it| it.starts_with(&start) && it.contains(message));
    assert!(found, "no {claim:?} with {message:?}, but {complaints:#?}");
}

fn complaints(model: &dyn ImageModel) -> Vec<String> {
    let tried = claims(model).into_iter().map(|it| (it.holds(model), it.name));
    let failed = tried.filter_map(|(held, name)| Some((name, held.err()?)));
    failed.map(|(name, complaint)| format!("{name}: {}", helpful(&complaint))).collect()
}

/// No fault is only reported: what to do stands in each complaint.
fn helpful(complaint: &Complaint) -> String {
    let Complaint { wrong, fix } = complaint;
    assert!(!wrong.is_empty() && !fix.is_empty(), "{complaint}");
    assert!(!fix.ends_with('.') && fix.starts_with(char::is_lowercase), "{complaint}");
    complaint.to_string()
}

fn model<W: Wire>(accepts: Capabilities) -> Arc<dyn ImageModel> {
    offered::<W>(Offer::new("trial-1", "Trial One", accepts, free()))
}

fn offered<W: Wire>(offer: Offer) -> Arc<dyn ImageModel> {
    let offers = Box::leak(Box::new([offer]));
    let listing: &'static Listing =
        Box::leak(Box::new(Listing::new::<W>("trial", &TOGETHER, offers)));
    listing.models().next().expect("one offer")
}

fn free() -> repaint_core::Fact<Price> {
    documented(Price::Each(Usd(1)), SOURCE)
}

fn options(names: &'static [&'static str]) -> repaint_core::Fact<List<Text>> {
    let names: Vec<Text> = names.iter().map(|it| Text(it)).collect();
    documented(List(names.leak()), SOURCE)
}

const SOURCE: Source = Source::new("made up for a trial", Date::new(2026, 11, 22));

/// What the sound wire can do: everything that has a field.
const TAKES: Capabilities = Capabilities {
    images: documented(between(0, 2), SOURCE),
    transports: documented(Transports { url: true, bytes: true }, SOURCE),
    media_types: documented(List(&[MediaType::Png]), SOURCE),
    mask: documented(true, SOURCE),
    pixels: documented(
        Pixels::Listed(List(&[Dimensions::new(64, 128), Dimensions::new(128, 64)])),
        SOURCE,
    ),
    count: documented(between(1, 4), SOURCE),
    negative_prompt: documented(true, SOURCE),
    steps: documented(Some(between(1, 50)), SOURCE),
    guidance: documented(Some(between(1.0, 10.0)), SOURCE),
    options: documented(List(&[Text("strength")]), SOURCE),
    ..LEAST
};

/// What the small wires can do.
const LEAST: Capabilities =
    Capabilities { seed: documented(Some(between(0, 99)), SOURCE), ..Capabilities::NONE };

// --- A sound wire, and how it is spoilt.

/// A sound wire.
#[derive(Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Fields {
    /// What to draw.
    prompt: String,
    /// Images to edit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pictures: Vec<WireImage>,
    /// Which part of the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    mask: Option<WireImage>,
    /// Pixels across.
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    /// Pixels down.
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
    /// How many pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<u32>,
    /// Equal seeds give like pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    /// What not to draw.
    #[serde(skip_serializing_if = "Option::is_none")]
    negative_prompt: Option<String>,
    /// How many steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<u32>,
    /// How closely to follow the prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    guidance: Option<f64>,
    /// How much to change.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    strength: Option<f64>,
}

const OWNED: &[(&str, Owner)] = &[
    ("prompt", Owner::Prompt),
    ("pictures", Owner::Images),
    ("mask", Owner::Mask),
    ("width", Owner::Width),
    ("height", Owner::Height),
    ("n", Owner::Count),
    ("seed", Owner::Seed),
    ("negative_prompt", Owner::NegativePrompt),
    ("steps", Owner::Steps),
    ("guidance", Owner::Guidance),
];

/// What is wrong with a translation; nothing, if nothing is said.
trait Fault: Debug + 'static {
    const OWNED: &'static [(&'static str, Owner)] = OWNED;

    fn spoil(_: &mut Fields) {}
}

#[derive(Debug)]
struct Sound;

impl Fault for Sound {}

macro_rules! faults {
    ($($name:ident: |$fields:ident| $spoil:expr;)*) => {$(
        #[derive(Debug)]
        struct $name;

        impl Fault for $name {
            fn spoil($fields: &mut Fields) {
                $spoil;
            }
        }
    )*};
}

faults! {
    DropsTheSeed: |fields| fields.seed = None;
    SpoilsTheSeed: |fields| fields.seed = fields.seed.map(|it| it.max(1));
    SendsOne: |fields| fields.pictures.truncate(1);
    SendsTwice: |fields| fields.mask = fields.pictures.first().cloned();
    Reverses: |fields| fields.pictures.reverse();
    MasksTheMask: |fields| if let Some(mask) = &mut fields.mask {
        std::mem::swap(mask, &mut fields.pictures[0]);
    };
    DropsTheMask: |fields| fields.mask = None;
    DropsThePrompt: |fields| fields.prompt = "Something else".to_owned();
    Turns: |fields| std::mem::swap(&mut fields.width, &mut fields.height);
    DropsTheCount: |fields| fields.n = None;
    DropsTheGuidance: |fields| fields.guidance = None;
    Strong: |fields| fields.strength = Some(0.5);
}

#[derive(Debug)]
struct OwnsNoPictures;

impl Fault for OwnsNoPictures {
    const OWNED: &'static [(&'static str, Owner)] = &[
        ("prompt", Owner::Prompt),
        ("mask", Owner::Mask),
        ("width", Owner::Width),
        ("height", Owner::Height),
        ("n", Owner::Count),
        ("seed", Owner::Seed),
        ("negative_prompt", Owner::NegativePrompt),
        ("steps", Owner::Steps),
        ("guidance", Owner::Guidance),
    ];
}

#[derive(Debug)]
struct ConfusesOwners;

impl Fault for ConfusesOwners {
    const OWNED: &'static [(&'static str, Owner)] = &[
        ("prompt", Owner::Prompt),
        ("pictures", Owner::Images),
        ("mask", Owner::Mask),
        ("width", Owner::Width),
        ("height", Owner::Height),
        ("n", Owner::Count),
        ("seed", Owner::Steps),
        ("negative_prompt", Owner::NegativePrompt),
        ("steps", Owner::Seed),
        ("guidance", Owner::Guidance),
    ];
}

/// The sound wire with a fault in its translation.
#[derive(Debug, Deserialize, Serialize)]
#[serde(transparent, bound = "")]
struct Body<F> {
    fields: Fields,
    #[serde(skip)]
    fault: PhantomData<F>,
}

impl<F> JsonSchema for Body<F> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        Fields::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Fields::json_schema(generator)
    }
}

impl<F: Fault> Wire for Body<F> {
    const OWNED: &'static [(&'static str, Owner)] = F::OWNED;

    fn from_request(request: &ImageRequest, _: &Offer) -> Self {
        let pixels = match request.size {
            Size::Pixels(size) => Some(size),
            Size::Auto | Size::Ratio(_) => None,
        };
        let mut fields = Fields {
            prompt: request.prompt.clone(),
            pictures: WireImage::all(&request.images, Form::DataUri).collect(),
            mask: WireImage::mask(request, Form::DataUri),
            width: pixels.map(|it| it.width),
            height: pixels.map(|it| it.height),
            n: (request.count != 1).then_some(request.count),
            seed: request.seed,
            negative_prompt: request.negative_prompt.clone(),
            steps: request.steps,
            guidance: request.guidance,
            strength: None,
        };
        F::spoil(&mut fields);
        Self { fields, fault: PhantomData }
    }
}

// --- Wires whose type is at fault.

const SMALL: &[(&str, Owner)] = &[("prompt", Owner::Prompt), ("seed", Owner::Seed)];

macro_rules! small {
    ($($name:ident: |$request:ident| $wire:expr;)*) => {$(
        impl Wire for $name {
            const OWNED: &'static [(&'static str, Owner)] = SMALL;

            fn from_request($request: &ImageRequest, _: &Offer) -> Self {
                $wire
            }
        }
    )*};
}

small! {
    Open: |request| Self { prompt: request.prompt.clone(), seed: request.seed };
    Undescribed: |request| Self { prompt: request.prompt.clone(), seed: request.seed };
    Null: |request| Self { prompt: request.prompt.clone(), seed: request.seed };
    Lacking: |request| Self { prompt: request.prompt.clone() };
    Smuggler: |request| Self { prompt: request.prompt.clone(), seed: request.seed, logo: None };
    Unbounded: |request| Self {
        prompt: request.prompt.clone(),
        seed: request.seed,
        strength: None,
        styles: None,
    };
}

/// Lets strangers in.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
struct Open {
    /// What to draw.
    prompt: String,
    /// Equal seeds give like pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
}

/// Says not what its seed is.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
struct Undescribed {
    /// What to draw.
    prompt: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
}

/// Sends `null` for what is not there.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
struct Null {
    /// What to draw.
    prompt: String,
    /// Equal seeds give like pictures.
    seed: Option<u64>,
}

/// Has no seed.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
struct Lacking {
    /// What to draw.
    prompt: String,
}

/// Has a field for images that no neutral field fills.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
struct Smuggler {
    /// What to draw.
    prompt: String,
    /// Equal seeds give like pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    /// What to put in the corner.
    #[serde(skip_serializing_if = "Option::is_none")]
    logo: Option<Vec<WireImage>>,
}

/// Takes any strength and any number of styles.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
struct Unbounded {
    /// What to draw.
    prompt: String,
    /// Equal seeds give like pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    /// How much to change.
    #[serde(skip_serializing_if = "Option::is_none")]
    strength: Option<u8>,
    /// Styles to apply.
    #[serde(skip_serializing_if = "Option::is_none")]
    styles: Option<Vec<String>>,
}
