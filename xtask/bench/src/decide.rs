//! How long it takes to decide about a request, and to encode it.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use repaint_core::{
    Adapt, Date, Error, ErrorKind, ImageInput, ImageModel, ImageRequest, Job, Made, Narrowed,
    Offer, Preview, Provider, Registry, Terms, Transport, Witness,
};
use repaint_providers::TOGETHER;
use repaint_router::{Conditions, plan};
use serde_json::{Value, json};

use crate::Result;

const BATCHES: usize = 201;
const BATCH: u32 = 100;
/// Characters of base64 in each of the five images of a heavy body.
const HEAVY: usize = 4_000_000;

pub(crate) fn run() -> Result<Value> {
    let registry = Registry::linked()?;
    let adapt = Adapt::default();
    let mut figures = Vec::new();
    for (id, images) in [("together/flux2-dev", 8), ("together/kontext-pro", 1)] {
        let model = registry.get(id).ok_or_else(|| format!("{id} is not linked"))?;
        let (request, terms) = (request(images)?, Terms { adapt: &adapt, today: Date::today() });
        let admit = || model.admit(&request, terms);
        let admitted = admit().map_err(|it| format!("{id} refuses: {it:?}"))?;
        admitted.encode()?;
        for (what, ns) in [
            ("admit", median(|| drop(black_box(admit())))),
            ("encode", median(|| drop(black_box(admitted.encode())))),
        ] {
            figures.push(json!({ "what": what, "offer": id, "images": images, "ns": ns }));
        }
    }
    plans(&registry, &mut figures)?;
    validations(&registry, &mut figures)?;
    Ok(Value::Array(figures))
}

/// A plan over the registry, and over a thousand offers with the same facts; and how long it takes to
/// read every word of it.
fn plans(registry: &Registry, figures: &mut Vec<Value>) -> Result<()> {
    let many = (0..1_000).map(|it| -> Arc<dyn ImageModel> {
        let offers: Vec<&Offer> = registry.models().map(ImageModel::offer).collect();
        Arc::new(Named { id: format!("acme/{it:04}"), offer: *offers[it % offers.len()] })
    });
    let many = Registry::new(many)?;
    let job = Job::new(request(8)?);
    let conditions = Conditions::new(&|_| true, Date::today());
    for registry in [registry, &many] {
        let decided = || plan(registry, &job, &conditions);
        let read = || serde_json::to_string(&decided().ok()?).ok();
        let words = read().ok_or("no plan")?;
        let offers = registry.models().count();
        let named = decided()?.candidates.len() + decided()?.refusals.len();
        if named != offers || words.len() < 100 * offers {
            return Err("a plan that does not name every offer".into());
        }
        let ns = median_of(20, || drop(black_box(decided())));
        let read_ns = median_of(1, || drop(black_box(read())));
        let (what, images) = ("plan", 8);
        figures.push(json!({
            "what": what, "offers": offers, "images": images, "ns": ns, "read_ns": read_ns,
        }));
    }
    Ok(())
}

/// An offer under another name; it is planned for, and makes nothing.
#[derive(Debug)]
struct Named {
    id: String,
    offer: Offer,
}

#[async_trait]
impl ImageModel for Named {
    fn id(&self) -> &str {
        &self.id
    }

    fn family(&self) -> &str {
        self.offer.model
    }

    fn provider(&self) -> &'static Provider {
        &TOGETHER
    }

    fn offer(&self) -> &Offer {
        &self.offer
    }

    fn wire(&self) -> Option<&Narrowed> {
        None
    }

    fn encode(&self, _: Witness<'_>) -> repaint_core::Result<Preview> {
        Err(Error::new(ErrorKind::Unexpected, "it is only planned for"))
    }

    async fn generate(&self, _: Witness<'_>, _: &dyn Transport) -> repaint_core::Result<Made> {
        Err(Error::new(ErrorKind::Unexpected, "it is only planned for"))
    }
}

/// The library's validator beside the one that judges by the published schema alone.
fn validations(registry: &Registry, figures: &mut Vec<Value>) -> Result<()> {
    let id = "together/flux2-dev";
    let model = registry.get(id).ok_or_else(|| format!("{id} is not linked"))?;
    let schema = repaint_schema::request_schema(model).ok_or("no schema")?;
    let peer = jsonschema::validator_for(&schema).map_err(|err| err.to_string())?;
    let body = |images: Vec<String>| {
        json!({
            "model": model.offer().name,
            "prompt": "The person from image 1, in watercolor, on a bridge over a quiet river",
            "reference_images": images,
            "width": 1024,
            "height": 768,
            "seed": 7,
            "response_format": "url",
        })
    };
    let address = |it| format!("https://example.com/{}/{it}.jpg", "pictures".repeat(10));
    let heavy = |_| format!("data:image/png;base64,{}", "QUJD".repeat(HEAVY / 4));
    let (small, large) = (body((0..8).map(address).collect()), body((0..5).map(heavy).collect()));
    for (what, body, calls) in [("1 KB", &small, BATCH), ("20 MB of data URIs", &large, 1)] {
        if !model.validate(body).is_empty() || !peer.is_valid(body) {
            return Err(format!("{id} does not take {what}").into());
        }
        let ours = median_of(calls, || drop(black_box(model.validate(body))));
        let theirs = median_of(calls, || assert!(black_box(peer.is_valid(body))));
        figures.push(json!({ "what": "validate", "of": what, "ns": ours, "peer_ns": theirs }));
    }
    Ok(())
}

fn request(images: usize) -> Result<ImageRequest> {
    let image = |it| ImageInput::url(&format!("https://example.com/pictures/{it}.jpg"));
    let images = (0..images).map(image).collect::<repaint_core::Result<_>>()?;
    Ok(ImageRequest { images, ..ImageRequest::new("The person from image 1, in watercolor") })
}

/// Nanoseconds of one call: the median over batches, since a single call is too short for the clock.
fn median(work: impl FnMut()) -> f64 {
    median_of(BATCH, work)
}

fn median_of(batch: u32, mut work: impl FnMut()) -> f64 {
    let mut batches: Vec<f64> = (0..BATCHES)
        .map(|_| {
            let began = Instant::now();
            (0..batch).for_each(|_| work());
            began.elapsed().as_secs_f64() * 1e9 / f64::from(batch)
        })
        .collect();
    batches.sort_by(f64::total_cmp);
    batches[BATCHES / 2]
}
