//! HEIC and AVIF are named where no offer takes them, and converted where that is allowed and built in.

use repaint::{Client, ErrorKind, ImageInput, ImageRequest, Job, Policy, RefusalCode, Router};

/// Red on the left, blue on the right, 96x64; made by `heif-enc` of libheif from such a PNG.
fn photo(extension: &str) -> ImageInput {
    ImageInput::file(format!("{}/tests/heif/two.{extension}", env!("CARGO_MANIFEST_DIR")))
}

fn router() -> Router {
    let client = Client::builder().without_environment().build().expect("a client");
    Router::new(repaint::registry().expect("adapters"), client)
}

fn job(extension: &str, adapt: &[&str]) -> Job {
    let request = ImageRequest {
        images: vec![photo(extension)],
        ..ImageRequest::new("Transform this into a watercolor painting")
    };
    let mut policy = Policy::default();
    adapt.iter().for_each(|it| policy.adapt.set(it).expect("an adaptation"));
    Job { select: vec!["local/watercolor".to_owned()], policy, ..Job::new(request) }
}

#[tokio::test]
async fn a_photo_of_a_telephone_is_named_with_what_helps() {
    let router = router();
    for (extension, kind) in [("heic", "image/heic"), ("avif", "image/avif")] {
        let err = router.run(job(extension, &[])).await.expect_err(kind);
        assert_eq!(err.kind(), ErrorKind::Refused);
        let [refusal] = err.data().refusals.as_slice() else { panic!("{err}") };
        assert_eq!((refusal.code, &refusal.got), (RefusalCode::NotListed, &kind.into()));
        assert!(refusal.fix.contains("allow the adaptation input_format=convert"), "{refusal}");
    }
}

#[cfg(not(feature = "heif"))]
#[tokio::test]
async fn without_a_decoder_a_person_is_told_what_to_do() {
    let router = router();
    let err = router.run(job("heic", &["input_format=convert"])).await;
    let err = err.expect_err("no decoder");
    assert_eq!(err.kind(), ErrorKind::InvalidRequest);
    for words in ["two.heic", "the feature `heif`", "save it as JPEG"] {
        assert!(err.message().contains(words), "{err}");
    }
}

#[cfg(feature = "heif")]
#[tokio::test]
async fn a_photo_of_a_telephone_is_converted_where_that_is_allowed() {
    let router = router();
    for extension in ["heic", "avif"] {
        let job = job(extension, &["input_format=convert"]);
        let outcome = router.run(job).await.expect("a picture");
        let [adaptation] = outcome.receipt.adaptations.as_slice() else { panic!("{outcome:?}") };
        assert_eq!((adaptation.method.as_str(), &adaptation.to), ("convert", &"image/jpeg".into()));
        let image = &outcome.images[0];
        let facts = repaint::ImageFacts::of(&image.bytes).expect("a picture");
        assert_eq!((facts.dimensions.width, facts.dimensions.height), (96, 64));
        assert_eq!(facts.media_type.name(), "image/png");
    }
}
