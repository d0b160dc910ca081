//! The validator and the published schemas with their rules agree on a million bodies, on as many jobs as an offer
//! has bodies, and on every value about which any two validators ever disagreed.

use std::time::Instant;

use repaint_adapters as _;
use repaint_core::{Dimensions, Form, ImageModel, Job, List, MediaType, Ratio, Registry, Rule};
use repaint_testkit::{Corpus, SEED};
use repaint_tests::rules::keeps;
use serde_json::{Value, json};

/// How many bodies are compared.
const BODIES: usize = 1_000_000;

#[test]
fn a_million_bodies_have_one_verdict() {
    let registry = Registry::linked().expect("adapters are linked");
    let hosted: Vec<&dyn ImageModel> = registry.models().filter(|it| it.wire().is_some()).collect();
    let each = BODIES.div_ceil(hosted.len());
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
    assert!(BODIES + each <= all, "{all}");
    println!("{all} values, {valid} of them valid, in {:?}", began.elapsed());
    assert!(all * 2 / 5 < valid, "only {valid} of {all} are valid: the comparison is thin");
}

/// Compares so many bodies; how many were valid comes back.
fn bodies(model: &dyn ImageModel, index: usize, count: usize) -> usize {
    let schema = repaint_schema::request_schema(model).expect("hosted");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let corpus = Corpus::of_bodies(model, schema, SEED + index as u64);
    let rules = model.wire().map_or(&[][..], |it| &it.rules);
    let rules: Vec<Value> =
        rules.iter().map(|it| serde_json::to_value(it).expect("JSON")).collect();
    let valid = corpus.take(count).filter(|body| {
        let ours = model.validate(body);
        let published = validator.is_valid(body) && rules.iter().all(|it| keeps(it, body));
        assert_eq!(ours.is_empty(), published, "{} {body}\n{ours:?}", model.id());
        published
    });
    valid.count()
}

/// Rules with limits that a small body reaches, and bodies at both sides of each limit: those of the offers need
/// pictures of megabytes, or are reached by no size that the schema takes.
#[test]
fn every_rule_is_judged_alike_at_both_sides_of_its_limits() {
    const KINDS: List<MediaType> = List(&[MediaType::Png, MediaType::Webp]);
    const SIZES: List<Dimensions> = List(&[Dimensions::new(8, 6), Dimensions::new(6, 8)]);
    let image = |url, form, media_types, max_bytes| Rule::Image {
        fields: vec!["a".into(), "b".into()],
        url,
        form,
        media_types,
        max_bytes,
    };
    let (width, height) = (|| "w".to_owned(), || "h".to_owned());
    let rules = [
        Rule::Pixels { width: width(), height: height(), min_area: 12, max_area: 48 },
        Rule::ListedPixels { width: width(), height: height(), sizes: SIZES },
        Rule::Ratio { field: "r".into(), tallest: Ratio::new(1, 4), flattest: Ratio::new(4, 1) },
        image(true, Form::DataUri, KINDS, 3),
        image(false, Form::DataUri, KINDS, 4),
        image(true, Form::Base64, KINDS, 5),
        image(true, Form::Base64, List::EMPTY, 5),
        Rule::Texts { max_bytes: 9 },
    ];
    let numbers = (0..9).map(|it| json!(it)).chain([json!(6.0), json!(8.0), Value::Null]);
    let numbers: Vec<Value> = numbers.collect();
    let ratios = ["1:4", "10:40", "1:5", "99:397", "4:1", "5:1", "397:99", "1:1", "16:9"];
    let base64 = ["QUI=", "QUJD", "QUJDRA==", "QUJDREU=", "QUJDREVG", "QUJ", "====", "Q=JD", ""];
    let mut images: Vec<String> = base64.iter().map(|it| (*it).to_owned()).collect();
    for kind in ["image/png", "image/webp", "image/jpeg", "IMAGE/PNG"] {
        images.extend(base64.iter().map(|it| format!("data:{kind};base64,{it}")));
    }
    for address in
        ["http://a", "https://a/b?c#d", "http://", "https:///a", "http://?a", "https://a b"]
    {
        images.push(address.to_owned());
    }
    let mut bodies: Vec<Value> = Vec::new();
    for across in &numbers {
        for down in &numbers {
            bodies.push(json!({ "w": across, "h": down }));
        }
    }
    bodies.extend(ratios.iter().map(|it| json!({ "r": it })));
    for one in &images {
        bodies.extend([
            json!({ "a": one }),
            json!({ "b": [one] }),
            json!({ "a": "http://a", "b": ["http://b", one] }),
        ]);
    }
    for length in 0..12 {
        bodies.push(json!({ "x": "a".repeat(length) }));
        bodies.push(json!({ "x": ["ü", { "deep": "a".repeat(length) }], "n": 12345678901_u64 }));
    }
    // What is absent is not null.
    for body in &mut bodies {
        body.as_object_mut().expect("an object").retain(|_, it| !it.is_null());
    }
    for rule in &rules {
        let shown = serde_json::to_value(rule).expect("JSON");
        let mut verdicts = [0, 0];
        for body in &bodies {
            let mut found = Vec::new();
            rule.check(body.as_object().expect("an object"), &mut found);
            let kept = keeps(&shown, body);
            assert_eq!(found.is_empty(), kept, "{shown} {body} {found:?}");
            verdicts[usize::from(kept)] += 1;
        }
        assert!(verdicts.iter().all(|it| 2 < *it), "{shown} has one side only: {verdicts:?}");
    }
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
