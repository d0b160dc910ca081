//! `repaint inspect`: what a picture is, and what each offer would say of it as an input.

use std::path::Path;

use repaint::{
    Adapt, Client, Date, Error, ErrorKind, ImageInput, ImageModel, ImageRequest, Refusal,
    RefusalCode, Result, Terms,
};
use repaint_schema::printed::{Inspect as Printed, InspectedImage, Opinion};

use crate::args::Inspect;
use crate::output::invalid;
use crate::settings::Settings;
use crate::show::BOLD;
use crate::{ask, show};

/// Whether all of them are pictures.
pub(crate) async fn run(args: &Inspect, settings: &Settings) -> Result<bool> {
    let registry = ask::registry(args.capabilities.as_deref())?;
    let mut models: Vec<&dyn ImageModel> = Vec::new();
    for name in &args.model {
        models.extend(registry.resolve(name)?);
    }
    if models.is_empty() {
        models = registry.models().collect();
    }
    if 1 < args.images.iter().filter(|it| *it == "-").count() {
        return Err(invalid("`-` stands for standard input, which can be read only once"));
    }
    let client = settings.client(&registry)?;
    let (mut told, mut failed) = (Vec::new(), false);
    for (index, name) in args.images.iter().enumerate() {
        let seen = match ask::image(name) {
            Ok(image) => seen(&client, image).await,
            Err(err) => Err(err),
        };
        if !args.json && index != 0 {
            show::result("\n");
        }
        match seen {
            Ok(image) if args.json => told.push(shown(&image, &models)),
            Ok(image) => show::result(&text(&image, &models)),
            Err(error) => {
                show::error(&error);
                failed = true;
                told.push(InspectedImage {
                    image: show::path(Path::new(name)),
                    media_type: None,
                    width: None,
                    height: None,
                    bytes: None,
                    animated: None,
                    depth: None,
                    offers: None,
                    error: Some(error),
                });
            }
        }
    }
    if args.json {
        show::json(&Printed { images: told });
    }
    Ok(!failed)
}

/// The image with what its bytes say of it.
async fn seen(client: &Client, image: ImageInput) -> Result<ImageInput> {
    let request = ImageRequest { images: vec![image], ..ImageRequest::new("") };
    let image = client.inspect(request).await?.images.pop();
    image.ok_or_else(|| Error::new(ErrorKind::Unexpected, "the image was lost"))
}

/// What speaks against this very image, whatever else a request has: neither a prompt nor further
/// images are asked for yet.
fn against(model: &dyn ImageModel, image: &ImageInput) -> Vec<Refusal> {
    let request = ImageRequest { images: vec![image.clone()], ..ImageRequest::new("edit") };
    let refused = model.admit(&request, Terms { adapt: &Adapt::NONE, today: Date::today() }).err();
    let about = |it: &Refusal| {
        let image = it.field == "images" || it.field.starts_with("images/");
        (image && it.code != RefusalCode::TooFew) || it.code == RefusalCode::Retired
    };
    refused.into_iter().flatten().filter(about).collect()
}

fn shown(image: &ImageInput, models: &[&dyn ImageModel]) -> InspectedImage {
    let opinion = |it: &&dyn ImageModel| {
        let reasons = against(*it, image);
        Opinion { offer: it.id().to_owned(), takes: reasons.is_empty(), reasons }
    };
    let facts = image.facts();
    InspectedImage {
        image: image.label(),
        media_type: facts.map(|it| it.media_type),
        width: facts.map(|it| it.dimensions.width),
        height: facts.map(|it| it.dimensions.height),
        bytes: facts.map(|it| it.bytes),
        animated: facts.map(|it| it.animated),
        depth: facts.map(|it| it.depth),
        offers: Some(models.iter().map(opinion).collect()),
        error: None,
    }
}

fn text(image: &ImageInput, models: &[&dyn ImageModel]) -> String {
    let is = image.facts().map_or_else(
        || "an address: what is there is seen only by who fetches it".to_owned(),
        |facts| {
            let (size, bytes) = (facts.dimensions, facts.bytes);
            let megapixels = size.area() as f64 / 1e6;
            let weight = match bytes {
                0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
                _ => format!("{:.1} MB", bytes as f64 / 1e6),
            };
            let kind = facts.media_type.name();
            let moves = if facts.animated { ", animated" } else { "" };
            let deep = match facts.depth {
                0..=8 => String::new(),
                depth => format!(", {depth} bits a channel"),
            };
            format!("{kind}, {size} ({megapixels:.1} megapixels), {weight}{moves}{deep}")
        },
    );
    let title =
        show::wrapped(&format!("{}: {is}", show::visible(&image.label())), show::line_width())
            .join("\n");
    let rows: Vec<Vec<String>> = models
        .iter()
        .map(|it| {
            let reasons: Vec<String> =
                against(*it, image).iter().map(ToString::to_string).collect();
            let says =
                if reasons.is_empty() { "takes it".to_owned() } else { reasons.join("; it ") };
            vec![it.id().to_owned(), says]
        })
        .collect();
    format!("{BOLD}{title}{BOLD:#}\n{}", show::table(&rows, &["offer", "as an input"]))
}
