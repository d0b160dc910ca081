//! The validator and the published schemas with their rules agree on a million bodies and jobs, and on
//! every value about which any two validators ever disagreed.

use std::time::Instant;

use jsonschema::Validator;
use repaint_adapters as _;
use repaint_core::{ImageModel, Job, Registry};
use repaint_testkit::{Corpus, SEED};
use serde_json::Value;

/// How many values are compared.
const VALUES: usize = 1_000_000;

#[test]
fn a_million_values_have_one_verdict() {
    let registry = Registry::linked().expect("adapters are linked");
    let hosted: Vec<&dyn ImageModel> = registry.models().filter(|it| it.wire().is_some()).collect();
    let each = VALUES.div_ceil(hosted.len() + 1);
    let began = Instant::now();
    let (valid, all) = std::thread::scope(|scope| {
        let halves = [0, 1].map(|half| {
            let mine: Vec<_> = hosted.iter().enumerate().filter(|it| it.0 % 2 == half).collect();
            scope.spawn(move || {
                let counts = mine.into_iter().map(|(index, model)| bodies(*model, index, each));
                let jobs = if half == 0 { jobs(each) } else { 0 };
                counts.sum::<usize>() + jobs
            })
        });
        let valid: usize = halves.into_iter().map(|it| it.join().expect("no panic")).sum();
        (valid, each * (hosted.len() + 1))
    });
    println!("{all} values, {valid} of them valid, in {:?}", began.elapsed());
    assert!(all * 2 / 5 < valid, "only {valid} of {all} are valid: the comparison is thin");
}

/// Compares so many bodies; how many were valid comes back.
fn bodies(model: &dyn ImageModel, index: usize, count: usize) -> usize {
    let schema = repaint_schema::request_schema(model).expect("hosted");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let corpus = Corpus::of_bodies(model, schema, SEED + index as u64);
    let valid = corpus.take(count).filter(|body| {
        let ours = model.validate(body);
        let published = published(model, &validator, body);
        assert_eq!(ours.is_empty(), published, "{} {body}\n{ours:?}", model.id());
        published
    });
    valid.count()
}

/// Whether the schema and the rules of the catalogue take a body.
fn published(model: &dyn ImageModel, validator: &Validator, body: &Value) -> bool {
    let mut found = Vec::new();
    let rules = model.wire().map_or(&[][..], |it| &it.rules);
    validator.is_valid(body)
        && body.as_object().is_some_and(|body| {
            rules.iter().for_each(|it| it.check(body, &mut found));
            found.is_empty()
        })
}

/// The schema of a job takes what the library reads, but for images that cannot be read.
fn jobs(count: usize) -> usize {
    let schema = repaint_schema::named("job").expect("a document");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let valid = Corpus::of(schema, SEED).take(count).filter(|job| {
        let published = validator.is_valid(job);
        let ours = Job::validate(job);
        let shape = ours.iter().all(|it| it.message.starts_with("cannot be read"));
        assert_eq!(shape, published, "{job}\n{ours:?}");
        assert_eq!(ours.is_empty(), Job::read(job).is_ok(), "{job}\n{ours:?}");
        published
    });
    valid.count()
}

/// Each is a value about which two validators once disagreed. Add one when the corpus finds another.
#[test]
fn what_was_ever_judged_differently_has_one_verdict() {
    let registry = Registry::linked().expect("adapters are linked");
    let lines: Vec<Value> =
        serde_json::from_str(include_str!("disagreements.json")).expect("a list");
    for line in lines {
        let (body, why) = (&line["body"], &line["why"]);
        let (schema, valid) = match line["offer"].as_str() {
            Some(offer) => {
                let model = registry.get(offer).expect("an offer");
                (repaint_schema::request_schema(model), model.validate(body).is_empty())
            }
            None => (repaint_schema::named("job"), Job::read(body).is_ok()),
        };
        let schema_valid = jsonschema::is_valid(&schema.expect("a schema"), body);
        assert_eq!(line["schema_valid"], schema_valid, "{why}: {body}");
        assert_eq!(line["valid"], valid, "{why}: {body}");
    }
}

/// A fix can be followed: what it says is taken.
#[test]
fn the_fix_of_a_side_is_a_side_that_is_taken() {
    let registry = Registry::linked().expect("adapters are linked");
    for offer in ["together/flux2-pro", "together/kontext-pro", "bfl/flux2-pro"] {
        let model = registry.get(offer).expect("an offer");
        for wrong in [0, 1, 5, 255, 257, 1441, 1925, 2047, 1_000_000] {
            let mut body = serde_json::json!({ "prompt": "a cat", "width": wrong, "height": 512 });
            if model.wire().is_some_and(|it| it.known.iter().any(|it| it == "model")) {
                body["model"] = model.offer().name.into();
            }
            let found = model.validate(&body);
            let of_width: Vec<_> = found.iter().filter(|it| it.pointer == "/width").collect();
            let [only] = of_width[..] else { panic!("{offer} {wrong}: {found:?}") };
            let side = only.fix.rsplit(' ').next().and_then(|it| it.parse::<u32>().ok());
            body["width"] = side.expect("a number").into();
            assert_eq!(model.validate(&body), [], "{offer} {wrong}");
        }
    }
}
