//! How long it takes to decide about a request, and to encode it.

use std::hint::black_box;
use std::time::Instant;

use repaint_core::{Adapt, Date, ImageInput, ImageRequest, Job, Registry, Terms};
use serde_json::{Value, json};

use crate::Result;

const BATCHES: usize = 201;
const BATCH: u32 = 100;

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
    let (job, today) = (Job::new(request(8)?), Date::today());
    let plan = || registry.plan(&job, &|_| true, today);
    plan()?;
    let offers = registry.models().count();
    let ns = median(|| drop(black_box(plan())));
    figures.push(json!({ "what": "plan", "offers": offers, "images": 8, "ns": ns }));
    Ok(Value::Array(figures))
}

fn request(images: usize) -> Result<ImageRequest> {
    let image = |it| ImageInput::url(&format!("https://example.com/pictures/{it}.jpg"));
    let images = (0..images).map(image).collect::<repaint_core::Result<_>>()?;
    Ok(ImageRequest { images, ..ImageRequest::new("The person from image 1, in watercolor") })
}

/// Nanoseconds of one call: the median over batches, since a single call is too short for the clock.
fn median(mut work: impl FnMut()) -> f64 {
    let mut batches: Vec<f64> = (0..BATCHES)
        .map(|_| {
            let began = Instant::now();
            (0..BATCH).for_each(|_| work());
            began.elapsed().as_secs_f64() * 1e9 / f64::from(BATCH)
        })
        .collect();
    batches.sort_by(f64::total_cmp);
    batches[BATCHES / 2]
}
