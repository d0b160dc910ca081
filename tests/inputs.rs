//! Input images that are made to fit, and pictures in another format: only where it is allowed, and never in
//! silence.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Rgb, RgbImage, RgbaImage};
use repaint_client::Client;
use repaint_core::{
    Adapt, Capabilities, Dimensions, Error, ErrorKind, ImageInput, ImageRequest, Job, List,
    MediaType, Outcome, OutputFormat, PixelBudget, Policy, RefusalCode, Registry, Result,
    WarningCode, between,
};
use repaint_router::Router;
use repaint_testkit::{EDITS, Fake, fake, made_up, picture, real_png};

/// Takes few pixels, light files, and a mask.
const SMALL: Capabilities = Capabilities {
    images: made_up(between(0, 3)),
    image_pixels: made_up(between(0, 20_000)),
    image_bytes: made_up(40_000),
    image_side: made_up(1),
    media_types: made_up(List(&[MediaType::Png, MediaType::Jpeg])),
    body_bytes: made_up(100_000),
    mask: made_up(true),
    ..EDITS
};

/// A picture with so much going on that it does not pack well.
fn noise(width: u32, height: u32) -> RgbImage {
    let mut seed = 7_u32;
    RgbImage::from_fn(width, height, |_, _| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Rgb([(seed >> 24) as u8, (seed >> 16) as u8, (seed >> 8) as u8])
    })
}

fn file(image: impl Into<DynamicImage>, format: ImageFormat) -> ImageInput {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).expect("a file");
    ImageInput::bytes(bytes.into_inner()).expect("a picture")
}

fn edits(images: Vec<ImageInput>) -> ImageRequest {
    ImageRequest { images, ..ImageRequest::new("Make it blue") }
}

fn run(fake: &Fake, request: ImageRequest, adapt: &[&str]) -> Result<Outcome> {
    let mut policy = Policy::default();
    adapt.iter().for_each(|it| policy.adapt.set(it).expect("an adaptation"));
    let job = Job { policy, ..Job::new(request) };
    let client = Client::builder().without_environment().key("acme", "a key").build()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let router = Router::new(Registry::new([fake.model()])?, client);
    runtime.expect("a runtime").block_on(router.run(job))
}

fn refusals(err: Error) -> Vec<(RefusalCode, String, String)> {
    assert_eq!(err.kind(), ErrorKind::Refused, "{err}");
    let all = err.data().refusals.iter();
    all.map(|it| (it.code, it.field.clone(), it.fix.clone())).collect()
}

fn decoded(image: &ImageInput) -> DynamicImage {
    let repaint_core::ImageSource::Bytes(bytes) = image.source() else { panic!("{image:?}") };
    image::load_from_memory(bytes).expect("a picture")
}

#[test]
fn an_image_with_too_many_pixels_is_refused_with_the_size_that_would_fit_and_scaled_only_with_leave()
 {
    let model = fake("acme/a").takes(SMALL);
    let large = || file(RgbImage::from_pixel(400, 200, Rgb([9, 99, 200])), ImageFormat::Png);
    let refused = refusals(run(&model, edits(vec![large()]), &[]).expect_err("too large"));
    let fix = "scale it to 200x100, or allow the adaptation input_size=fit";
    assert_eq!(refused, [(RefusalCode::OutOfRange, "images/0".into(), fix.into())]);
    assert!(model.asked().is_empty());

    let outcome = run(&model, edits(vec![large()]), &["input_size=fit"]).expect("a picture");
    let asked = &model.asked()[0].images[0];
    assert_eq!(asked.facts().map(|it| it.dimensions), Some(Dimensions::new(200, 100)));
    assert_eq!(decoded(asked).to_rgb8()[(50, 50)], Rgb([9, 99, 200]));
    let [adaptation] = outcome.receipt.adaptations.as_slice() else { panic!("{outcome:?}") };
    assert_eq!((adaptation.field.as_str(), adaptation.method.as_str()), ("images/0", "fit"));
    assert_eq!(adaptation.from, "400x200");
    assert!(adaptation.to.as_str().is_some_and(|it| it.starts_with("200x100, ")), "{adaptation}");
}

/// Written anew, it may weigh more than it did, as long as that is taken.
#[test]
fn an_image_that_is_only_too_large_becomes_as_large_as_was_said() {
    let (image_bytes, body_bytes) = (made_up(200_000), made_up(1_000_000));
    let model = fake("acme/a").takes(Capabilities { image_bytes, body_bytes, ..SMALL });
    let large = || file(noise(160, 130), ImageFormat::Jpeg);
    let refused = refusals(run(&model, edits(vec![large()]), &[]).expect_err("too large"));
    run(&model, edits(vec![large()]), &["input_size=fit"]).expect("a picture");
    let facts = model.asked()[0].images[0].facts().expect("known");
    let said = format!("scale it to {},", facts.dimensions);
    assert!(refused[0].2.starts_with(&said), "{said} {refused:?}");
}

#[test]
fn an_image_that_is_too_heavy_is_packed_tighter_before_it_is_made_smaller() {
    let model = fake("acme/a")
        .takes(Capabilities { image_pixels: made_up(between(0, 1_000_000)), ..SMALL });
    let heavy = || file(noise(150, 100), ImageFormat::Png);
    let refused = refusals(run(&model, edits(vec![heavy()]), &[]).expect_err("too heavy"));
    assert_eq!(refused[0].0, RefusalCode::TooLarge);
    assert!(refused[0].2.starts_with("scale it to "), "{refused:?}");
    run(&model, edits(vec![heavy()]), &["input_size=fit"]).expect("a picture");
    let facts = model.asked()[0].images[0].facts().expect("known");
    assert_eq!((facts.media_type, facts.dimensions), (MediaType::Jpeg, Dimensions::new(150, 100)));
    assert!(facts.bytes <= 40_000, "{facts:?}");

    let heavier = file(noise(500, 400), ImageFormat::Png);
    run(&model, edits(vec![heavier]), &["input_size=fit"]).expect("a picture");
    let facts = model.asked()[1].images[0].facts().expect("known");
    assert!(facts.bytes <= 40_000 && facts.dimensions.area() < 200_000, "{facts:?}");
}

#[test]
fn images_that_are_too_much_together_share_what_there_is() {
    let model = fake("acme/a").takes(SMALL);
    let three = || vec![file(noise(110, 100), ImageFormat::Png); 3];
    let refused = refusals(run(&model, edits(three()), &[]).expect_err("too much"));
    let (code, field, fix) = &refused[0];
    assert_eq!((*code, field.as_str()), (RefusalCode::TooLarge, "images"));
    assert!(fix.contains("% of their width and height"), "{fix}");
    run(&model, edits(three()), &["input_size=fit"]).expect("a picture");
    let bytes: Vec<u64> =
        model.asked()[0].images.iter().map(|it| it.facts().expect("known").bytes).collect();
    assert_eq!(bytes.len(), 3);
    assert!(bytes.iter().map(|it| it.div_ceil(3) * 4).sum::<u64>() < 100_000, "{bytes:?}");

    let budget = PixelBudget { input: 20_000, total: 30_000 };
    let model = fake("acme/b").takes(Capabilities { pixel_budget: made_up(Some(budget)), ..SMALL });
    let two = || vec![file(RgbImage::new(140, 140), ImageFormat::Png); 2];
    assert_eq!(refusals(run(&model, edits(two()), &[]).expect_err("budget")).len(), 1);
    run(&model, edits(two()), &["input_size=fit"]).expect("a picture");
    assert_eq!(model.asked()[0].images.len(), 2);
}

#[test]
fn a_mask_stays_as_large_as_its_image() {
    let model = fake("acme/a").takes(SMALL);
    let image = file(RgbImage::new(301, 201), ImageFormat::Png);
    let mask = file(
        RgbImage::from_fn(301, 201, |x, _| Rgb([if x < 150 { 0 } else { 255 }; 3])),
        ImageFormat::Png,
    );
    let request = ImageRequest { mask: Some(mask), ..edits(vec![image]) };
    run(&model, request, &["input_size=fit"]).expect("a picture");
    let asked = &model.asked()[0];
    let size = |it: &ImageInput| it.facts().map(|it| it.dimensions);
    let mask = asked.mask.as_ref().expect("a mask is never changed away");
    assert_eq!(size(&asked.images[0]), size(mask));
    let mask = decoded(mask).to_rgb8();
    assert_eq!((mask[(10, 10)], mask[(mask.width() - 10, 10)]), (Rgb([0; 3]), Rgb([255; 3])));
}

#[test]
fn another_kind_of_file_is_named_and_converted_only_with_leave() {
    let model = fake("acme/a").takes(SMALL);
    let bmp = || file(noise(20, 10), ImageFormat::Bmp);
    let refused = refusals(run(&model, edits(vec![bmp()]), &[]).expect_err("a BMP"));
    let fix = "convert the image to PNG or JPEG, or allow the adaptation input_format=convert";
    assert_eq!(refused, [(RefusalCode::NotListed, "images/0".into(), fix.into())]);
    let outcome = run(&model, edits(vec![bmp()]), &["input_format=convert"]).expect("a picture");
    let asked = &model.asked()[0].images[0];
    assert_eq!(decoded(asked).to_rgb8(), noise(20, 10), "without loss");
    let [adaptation] = outcome.receipt.adaptations.as_slice() else { panic!("{outcome:?}") };
    assert_eq!(adaptation.to_string(), "images/0: \"image/bmp\" became \"image/png\" (convert)");

    // What is transparent stays so.
    let clear = RgbaImage::from_pixel(20, 10, image::Rgba([1, 2, 3, 0]));
    run(&model, edits(vec![file(clear, ImageFormat::WebP)]), &["input_format=convert"])
        .expect("made");
    assert_eq!(decoded(&model.asked()[1].images[0]).to_rgba8()[(0, 0)].0[3], 0);
}

#[test]
fn what_cannot_be_decoded_here_is_said_before_anything_is_sent() {
    let model = fake("acme/a").takes(SMALL);
    // The head of an HEIC, and nothing after it.
    let head = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic";
    let mut heic = head.to_vec();
    heic.extend(b"\0\0\0\x30meta\0\0\0\0\0\0\0\x24iprp\0\0\0\x1cipco\0\0\0\x14ispe\0\0\0\0\0\0\0\x40\0\0\0\x30");
    let Ok(image) = ImageInput::bytes(heic) else { panic!("its head is whole") };
    let refused = refusals(run(&model, edits(vec![image.clone()]), &[]).expect_err("an HEIC"));
    assert_eq!(refused[0].0, RefusalCode::NotListed);
    let err = run(&model, edits(vec![image]), &["input_format=convert"]).expect_err("no decoder");
    assert_eq!(err.kind(), ErrorKind::InvalidRequest);
    assert!(err.message().contains("images/0: an image in memory cannot be changed to fit: this program was built without a decoder of image/heic"), "{err}");
    assert!(model.asked().is_empty());
}

#[test]
fn a_picture_that_lies_on_its_side_is_sent_upright() {
    let model = fake("acme/a").takes(SMALL);
    let mut jpeg = Cursor::new(Vec::new());
    // Red on the left; its EXIF says to turn it right by a quarter, so red comes to stand on top.
    let wide = RgbImage::from_fn(400, 200, |x, _| Rgb([if x < 200 { 250 } else { 0 }, 0, 0]));
    DynamicImage::from(wide).write_to(&mut jpeg, ImageFormat::Jpeg).expect("a file");
    let jpeg = jpeg.into_inner();
    let exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let length = (exif.len() as u16 + 2).to_be_bytes();
    let turned = [&jpeg[..2], &[0xff, 0xe1], &length, exif, &jpeg[2..]].concat();
    let image = ImageInput::bytes(turned).expect("a picture");
    run(&model, edits(vec![image]), &["input_size=fit"]).expect("a picture");
    let seen = decoded(&model.asked()[0].images[0]).to_rgb8();
    assert_eq!(seen.dimensions(), (100, 200));
    assert!(200 < seen[(50, 20)].0[0] && seen[(50, 180)].0[0] < 50);
}

#[test]
fn an_address_is_never_changed() {
    let model = fake("acme/a").takes(SMALL);
    let url = picture("url", 1, 512, MediaType::Png);
    let leave = ["input_size=fit", "input_format=convert"];
    let outcome = run(&model, edits(vec![url.clone()]), &leave).expect("a picture");
    assert_eq!(model.asked()[0].images, [url]);
    assert!(outcome.receipt.adaptations.is_empty());
}

#[test]
fn a_plan_tells_what_would_be_changed_and_changes_nothing() {
    let model = fake("acme/a").takes(SMALL).model();
    let mut adapt = Adapt::NONE;
    adapt.set("input_size=fit").expect("an adaptation");
    let request = edits(vec![file(RgbImage::new(400, 200), ImageFormat::Png)]);
    let terms = repaint_core::Terms { adapt: &adapt, today: repaint_core::Date::today() };
    let admitted = model.admit(&request, terms).expect("it would fit");
    assert_eq!(admitted.adaptations()[0].to, "200x100");
    let shown = admitted.encode().expect("a preview").shown();
    assert_eq!(shown["body"]["images"][0], "data:image/png;base64,…(made 200x100)");
}

#[test]
fn what_moves_and_what_is_deep_is_said() {
    let model = fake("acme/a").takes(SMALL);
    let deep = DynamicImage::new_rgb16(10, 10);
    let outcome = run(&model, edits(vec![file(deep, ImageFormat::Png)]), &[]).expect("a picture");
    let warned = outcome.receipt.warnings.iter().find(|it| it.code == WarningCode::Input);
    let warned = warned.expect("a warning");
    assert!(warned.message.contains("more than 8 bits a channel"), "{warned:?}");
    assert_eq!(warned.field.as_deref(), Some("images/0"));
}

#[test]
fn a_picture_keeps_its_bytes_unless_another_format_is_asked_for_and_leave_is_given() {
    let webp = || ImageRequest {
        output_format: Some(OutputFormat::Webp),
        ..edits(vec![file(RgbImage::new(10, 10), ImageFormat::Png)])
    };
    let model = fake("acme/a").takes(SMALL);
    let refused = refusals(run(&model, webp(), &[]).expect_err("it makes no WebP"));
    assert!(refused[0].2.contains("output_format=convert"), "{refused:?}");

    let plain = run(&model, webp(), &["output_format=drop"]).expect("a picture");
    assert_eq!(plain.images[0].bytes, real_png(64, 64, 1), "the very bytes");

    let outcome = run(&model, webp(), &["output_format=convert"]).expect("a picture");
    assert_eq!(outcome.images[0].media_type, Some(MediaType::Webp));
    let pixels = |bytes: &[u8]| image::load_from_memory(bytes).expect("a picture").to_rgb8();
    assert_eq!(pixels(&outcome.images[0].bytes), pixels(&plain.images[0].bytes));
    assert_eq!(model.asked()[1].output_format, None);
    let [adaptation] = outcome.receipt.adaptations.as_slice() else { panic!("{outcome:?}") };
    assert_eq!((adaptation.method.as_str(), &adaptation.to), ("convert", &"webp".into()));
    let warned = outcome.receipt.warnings.iter().any(|it| it.message.contains("C2PA"));
    assert!(warned, "{:?}", outcome.receipt.warnings);
}

/// The fake makes PNG, whatever it is asked for.
#[test]
fn a_picture_of_another_format_than_was_asked_for_is_told_or_converted() {
    let formats = made_up(List(&[OutputFormat::Jpeg]));
    let model = fake("acme/a").takes(Capabilities { output_formats: formats, ..SMALL });
    let jpeg = || ImageRequest {
        output_format: Some(OutputFormat::Jpeg),
        ..edits(vec![file(RgbImage::new(10, 10), ImageFormat::Png)])
    };
    let told = run(&model, jpeg(), &[]).expect("a picture");
    assert_eq!(told.images[0].media_type, Some(MediaType::Png));
    let warned = told.receipt.warnings.iter().find(|it| it.code == WarningCode::Output);
    assert!(warned.is_some_and(|it| it.message.contains("is image/png, not jpeg")), "{told:?}");

    let outcome = run(&model, jpeg(), &["output_format=convert"]).expect("a picture");
    assert_eq!(outcome.images[0].media_type, Some(MediaType::Jpeg));
    let [adaptation] = outcome.receipt.adaptations.as_slice() else { panic!("{outcome:?}") };
    assert_eq!((&adaptation.from, &adaptation.to), (&"image/png".into(), &"jpeg".into()));
    assert_eq!(model.asked()[1].output_format, Some(OutputFormat::Jpeg), "it is asked for first");
}

#[test]
fn a_colour_profile_goes_along() {
    let model = fake("acme/a").takes(SMALL);
    let mut png = Vec::new();
    let mut profile = vec![0; 128];
    profile[16..20].copy_from_slice(b"RGB ");
    let mut encoder = image::codecs::png::PngEncoder::new(&mut png);
    image::ImageEncoder::set_icc_profile(&mut encoder, profile.clone()).expect("a profile");
    DynamicImage::new_rgb8(400, 200).write_with_encoder(encoder).expect("a file");
    let image = ImageInput::bytes(png).expect("a picture");
    run(&model, edits(vec![image]), &["input_size=fit"]).expect("a picture");
    let sent = &model.asked()[0].images[0];
    let repaint_core::ImageSource::Bytes(bytes) = sent.source() else { panic!("in memory") };
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().expect("a format");
    let mut decoder = reader.into_decoder().expect("a decoder");
    assert_eq!(decoder.icc_profile().expect("readable"), Some(profile));
}
