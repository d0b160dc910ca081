//! Fakes: they hold what is claimed of every model, and do what they are told.

use repaint_client::Client;
use repaint_core::{
    Capabilities, Date, Dimensions, Error, ErrorKind, ImageFacts, ImageInput, ImageRequest, Job,
    List, Outcome, OutputFormat, Pixels, Plan, Price, Provider, Ratio, Ratios, RefusalCode,
    Registry, Result, Usd, between,
};
use repaint_router::{Conditions, Router};
use repaint_testkit::{EDITS, Fake, claims, fake, made_up, real_png};
use repaint_tests::{edit, edits, job, linked};

#[test]
fn a_fake_holds_what_is_claimed_of_every_model() {
    for takes in [EDITS, EVERYTHING, Capabilities::NONE] {
        let model = fake("acme/trial-1").takes(takes).model();
        for claim in claims(&*model) {
            claim.holds(&*model).unwrap_or_else(|err| panic!("{}: {err}", claim.name));
        }
    }
}

#[test]
fn a_fake_admits_as_its_facts_say() {
    let one = fake("acme/one-image");
    let plan = plan(&one, &job("acme/one-image", edits(2)));
    let reason = &plan.refusals[0].reasons[0];
    assert_eq!((reason.code, reason.field.as_str()), (RefusalCode::TooMany, "images"));
    assert_eq!(reason.fix, "drop 1");
}

/// Of an image that has no place at all, its kind and its way are nobody's affair.
#[test]
fn a_model_that_takes_no_images_says_that_and_no_more() {
    let draws = fake("acme/draws").takes(Capabilities::NONE);
    let plan = plan(&draws, &job("acme/draws", edits(2)));
    assert_eq!(plan.refusals[0].said(), "takes no input images, not 2: drop 2");
}

#[tokio::test]
async fn a_fake_paints_so_many_real_pictures_of_the_asked_size() {
    let painter = fake("acme/trial-1").takes(EVERYTHING).costs(Price::Each(Usd(20_000)));
    let request = ImageRequest { count: 3, size: "128x64".parse().expect("a size"), ..edits(2) };
    let outcome = run(&painter, request).await.expect("pictures");
    for image in &outcome.images {
        let facts = ImageFacts::of(&image.bytes).expect("a whole picture");
        assert_eq!(facts.dimensions, Dimensions::new(128, 64));
    }
    assert_ne!(outcome.images[0], outcome.images[1]);
    let receipt = outcome.receipt;
    assert_eq!((receipt.pictures, receipt.cost), (3, Some(Usd(60_000))));
    assert_eq!(receipt.warnings, []);
    assert_eq!(painter.asked()[0].images.len(), 2);
}

#[tokio::test]
async fn a_fake_fails_as_it_is_told_and_in_turn() {
    let told = [
        ErrorKind::Refused,
        ErrorKind::InvalidRequest,
        ErrorKind::Denied,
        ErrorKind::Moderated,
        ErrorKind::Exhausted,
        ErrorKind::Unavailable,
        ErrorKind::OutcomeUnknown,
        ErrorKind::Expired,
        ErrorKind::Unexpected,
    ];
    let model = told.into_iter().fold(fake("acme/trial-1").paints(), Fake::fails);
    run(&model, edit()).await.expect("first it paints");
    for kind in told {
        let err = run(&model, edit()).await.expect_err(kind.code());
        assert_eq!(err.kind(), kind);
        let data = err.data();
        assert_eq!(data.stage.is_some(), kind == ErrorKind::Moderated);
        assert_eq!(data.retry_after_seconds.is_some(), kind == ErrorKind::Exhausted);
        let resume = data.resume.as_ref().map(|it| it.provider.as_str());
        assert_eq!(resume, (kind == ErrorKind::OutcomeUnknown).then_some("acme"));
    }
    let last = run(&model, edit()).await.expect_err("the last stays");
    assert_eq!(last.kind(), ErrorKind::Unexpected);
    let own = fake("acme/trial-1").fails_with(Error::new(ErrorKind::Denied, "ours"));
    assert_eq!(run(&own, edit()).await.expect_err("ours").message(), "ours");
}

#[test]
fn a_cheaper_fake_comes_first_and_one_without_a_key_not_at_all() {
    let (dear, cheap) = (fake("acme/dear"), fake("else/cheap").costs(Price::Each(Usd(1))));
    let registry = Registry::new([dear.model(), cheap.model()]).expect("two models");
    let plan = planned(&registry, &Job::new(edit()), &|_| true);
    assert_eq!(plan.candidates[0].offer, "else/cheap");
    let plan = planned(&registry, &Job::new(edit()), &|it| it.id == "acme");
    assert_eq!(plan.candidates[0].offer, "acme/dear");
    assert_eq!(plan.refusals[0].reasons[0].fix, "set ELSE_API_KEY");
}

/// A decoder that is not ours reads it whole.
#[tokio::test]
async fn a_picture_of_a_fake_can_be_worked_on() {
    for (width, height) in [(64, 64), (97, 33), (1200, 900)] {
        let image = ImageInput::bytes(real_png(width, height, 1)).expect("a picture");
        let request = ImageRequest { images: vec![image], ..ImageRequest::new("watercolor") };
        let client = Client::builder().without_environment().build().expect("a client");
        let outcome = Router::new(linked(), client).run(job("local/watercolor", request)).await;
        let painted = outcome.expect("painted").images.remove(0);
        let facts = ImageFacts::of(&painted.bytes).expect("a picture");
        assert_eq!(facts.dimensions, Dimensions::new(width, height));
    }
}

async fn run(model: &Fake, request: ImageRequest) -> Result<Outcome> {
    let client = Client::builder().without_environment().key("acme", "test-key").build()?;
    Router::new(Registry::new([model.model()])?, client).run(Job::new(request)).await
}

fn plan(model: &Fake, job: &Job) -> Plan {
    let registry = Registry::new([model.model()]).expect("one model");
    planned(&registry, job, &|_| true)
}

fn planned(registry: &Registry, job: &Job, has_key: &dyn Fn(&Provider) -> bool) -> Plan {
    let conditions = Conditions::new(has_key, Date::new(2026, 11, 22));
    repaint_router::plan(registry, job, &conditions).expect("a plan")
}

const EVERYTHING: Capabilities = Capabilities {
    images: made_up(between(0, 3)),
    mask: made_up(true),
    ratios: made_up(Ratios::Listed(List(&[Ratio::new(1, 1), Ratio::new(16, 9)]))),
    pixels: made_up(Pixels::Range { side: between(64, 256), step: 8, area: between(1, 65_536) }),
    count: made_up(between(1, 4)),
    seed: made_up(Some(between(0, 99))),
    negative_prompt: made_up(true),
    steps: made_up(Some(between(1, 50))),
    guidance: made_up(Some(between(1.0, 10.0))),
    output_formats: made_up(List(&[OutputFormat::Png])),
    ..EDITS
};
