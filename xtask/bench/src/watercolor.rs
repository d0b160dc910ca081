//! What a local edit costs: the picture is decoded, painted and encoded, through the client.

use std::path::Path;

use image::{RgbImage, imageops};
use repaint_client::Client;
use repaint_core::{ImageInput, ImageRequest, Job, Registry};
use serde_json::{Value, json};
use tokio::runtime;

use crate::Result;
use crate::meter::cpu;

/// So many copies of the picture lie side by side, and as many below each other.
const TILES: [u32; 2] = [2, 4];
const TIMES: usize = 3;

pub(crate) fn run(picture: &Path, folder: &Path) -> Result<Value> {
    let picture = image::open(picture)?.into_rgb8();
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    let (registry, client) = (Registry::linked()?, Client::new()?);
    let mut figures = Vec::new();
    for tiles in TILES {
        let mut large = RgbImage::new(picture.width() * tiles, picture.height() * tiles);
        imageops::tile(&mut large, &picture);
        let file = folder.join(format!("{tiles}.png"));
        large.save(&file)?;
        let megapixels = f64::from(large.width()) * f64::from(large.height()) / 1e6;
        let mut seconds = Vec::new();
        for _ in 0..TIMES {
            let request = ImageRequest {
                images: vec![ImageInput::file(&file)],
                ..ImageRequest::new("Transform this into a watercolor painting")
            };
            let job = Job { select: vec!["local/watercolor".to_owned()], ..Job::new(request) };
            let begun = cpu();
            runtime.block_on(client.run(&registry, job))?;
            seconds.push((cpu() - begun).as_secs_f64());
        }
        seconds.sort_by(f64::total_cmp);
        let each = seconds[TIMES / 2] / megapixels;
        figures.push(json!({ "megapixels": megapixels, "cpu_s_per_megapixel": each }));
    }
    Ok(Value::Array(figures))
}
