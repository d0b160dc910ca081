//! What a local edit costs: the pictures are decoded, worked on and encoded, through the client.

use std::path::Path;

use image::{GrayImage, Luma, RgbImage, imageops};
use repaint_client::Client;
use repaint_core::{ImageInput, ImageRequest, Job, Registry};
use repaint_router::Router;
use serde_json::{Value, json};
use tokio::runtime;

use crate::Result;
use crate::meter::cpu;

/// So many copies of the picture lie side by side, and as many below each other.
const TILES: [u32; 2] = [2, 4];
const TIMES: usize = 3;

/// What is asked of whom, with how many copies of the image, and whether with a mask.
const CASES: [(&str, &str, &str, usize, bool); 5] = [
    ("local/collage", " of two", "Make a numbered collage", 2, false),
    ("local/palette", "", "Use the colors of image 2 on image 1", 2, false),
    ("local/recolour", " by colour", "Replace the color of the suit to blue", 1, false),
    ("local/recolour", " by mask", "Replace the color of the suit to blue", 1, true),
    ("local/watercolor", "", "Transform this into a watercolor painting", 1, false),
];

pub(crate) fn run(picture: &Path, folder: &Path) -> Result<Value> {
    let picture = image::open(picture)?.into_rgb8();
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    let router = Router::new(Registry::linked()?, Client::new()?);
    let mut figures = Vec::new();
    for tiles in TILES {
        let mut large = RgbImage::new(picture.width() * tiles, picture.height() * tiles);
        imageops::tile(&mut large, &picture);
        let (file, mask) =
            (folder.join(format!("{tiles}.png")), folder.join(format!("{tiles}-mask.png")));
        large.save(&file)?;
        // A slope, so that every share of a mask occurs.
        let slope = |x, _| Luma([(x * 255 / large.width()) as u8]);
        GrayImage::from_fn(large.width(), large.height(), slope).save(&mask)?;
        let megapixels = f64::from(large.width()) * f64::from(large.height()) / 1e6;
        for (offer, how, prompt, images, masked) in CASES {
            let mut seconds = Vec::new();
            for _ in 0..TIMES {
                let request = ImageRequest {
                    images: vec![ImageInput::file(&file); images],
                    mask: masked.then(|| ImageInput::file(&mask)),
                    ..ImageRequest::new(prompt)
                };
                let job = Job { select: vec![offer.to_owned()], ..Job::new(request) };
                let begun = cpu();
                runtime.block_on(router.run(job))?;
                seconds.push((cpu() - begun).as_secs_f64());
            }
            seconds.sort_by(f64::total_cmp);
            let each = seconds[TIMES / 2] / (megapixels * images as f64);
            figures.push(json!({
                "offer": offer,
                "how": how,
                "megapixels": megapixels,
                "cpu_s_per_megapixel": each,
            }));
        }
    }
    Ok(Value::Array(figures))
}
