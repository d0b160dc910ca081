//! What a body says is all in what is asked for, or somebody is told that it is not.

use repaint_core::{Dimensions, ImageInput, ImageSource, Job, Policy, Violation};
use repaint_gateway::fuzzing::Asked;
use serde_json::{Map, Value};

/// The images of a body, in order, by their fields; `mask` is apart.
fn addresses(fields: &Map<String, Value>) -> Vec<&str> {
    let lists = ["image_url", "reference_images", "image", "images"];
    let lists = lists.iter().filter_map(|it| fields.get(*it));
    lists
        .flat_map(|it| it.as_array().map_or_else(|| vec![it], |it| it.iter().collect()))
        .map(address)
        .collect()
}

fn address(given: &Value) -> &str {
    given.as_str().or_else(|| given["image_url"].as_str()).expect("an accepted image is an address")
}

/// Holds what is asked for to the body. `image` reads an image of it, and `fields` are without what is `null`.
pub(crate) fn assert_whole(
    fields: &Map<String, Value>,
    asked: &Asked,
    image: impl Fn(&str) -> ImageInput,
) {
    let Asked { job: Job { select, request, policy }, format, warned } = asked;
    let mut options = request.options.clone();
    for (name, value) in fields {
        let number = |is: Option<f64>| is == value.as_f64();
        let is_said = match name.as_str() {
            "model" if value == "auto" => select.is_empty(),
            "model" => *select == [value.as_str().unwrap_or_default()],
            "prompt" => *value == request.prompt,
            "n" => number(Some(request.count.into())),
            "response_format" => {
                let format = format.as_deref().unwrap_or_default();
                *value == format.to_lowercase().replace("b64json", "b64_json")
            }
            "output_format" => request.output_format.is_some_and(|it| value == it.name()),
            "policy" => serde_json::from_value(value.clone()).is_ok_and(|it: Policy| it == *policy),
            // All at once, below.
            "image_url" | "reference_images" | "image" | "images" => true,
            "mask" => request.mask.as_ref().is_some_and(|it| same(it, &image(address(value)))),
            "size" => {
                value.as_str().and_then(|it| it.parse().ok()).is_some_and(|it| request.size == it)
            }
            "width" | "height" => match request.size {
                repaint_core::Size::Pixels(Dimensions { width, height }) => {
                    number(Some(if name == "width" { width } else { height }.into()))
                }
                _ => false,
            },
            "aspect_ratio" => {
                let ratio = serde_json::from_value(value.clone()).ok();
                ratio.is_some_and(|it| request.size == repaint_core::Size::Ratio(it))
            }
            "steps" => number(request.steps.map(f64::from)),
            "seed" => number(request.seed.map(|it| it as f64)),
            "negative_prompt" => request.negative_prompt.as_deref() == value.as_str(),
            "guidance" | "guidance_scale" => number(request.guidance),
            "user" => warned.contains(&"user"),
            "stream" => *value == false,
            "partial_images" => number(Some(0.0)),
            "quality" | "background" | "moderation" if value == "auto" => true,
            other => options.remove(other).is_some_and(|it| it == *value),
        };
        assert!(is_said, "`{name}` is lost, or another");
    }
    assert!(options.is_empty(), "options that nobody gave: {:?}", options.keys());
    let given: Vec<ImageInput> = addresses(fields).into_iter().map(image).collect();
    assert_eq!(given.len(), request.images.len(), "an image is lost");
    assert!(given.iter().zip(&request.images).all(|(a, b)| same(a, b)), "an image is another");
    assert_eq!(fields.contains_key("mask"), request.mask.is_some());
}

/// Whether two images have the same bytes or address, wherever they are kept.
pub(crate) fn same(a: &ImageInput, b: &ImageInput) -> bool {
    a.facts() == b.facts() && text(a) == text(b)
}

/// What tells an image from another: its base64, or its address.
pub(crate) fn text(image: &ImageInput) -> Vec<u8> {
    match image.source() {
        ImageSource::Url(url) => url.as_bytes().to_vec(),
        ImageSource::Bytes(bytes) => {
            use base64::Engine as _;
            base64::prelude::BASE64_STANDARD.encode(bytes).into_bytes()
        }
        ImageSource::Base64(text) => text.to_vec(),
        ImageSource::Kept(kept) => kept.whole().expect("it is at hand").to_vec(),
        ImageSource::File(path) => {
            panic!("a body names a file of this machine: {}", path.display())
        }
    }
}

/// A refusal names a place in the body, or one that is missing in it, and repeats no image.
pub(crate) fn assert_told(found: &[Violation], value: &Value) {
    assert!(!found.is_empty(), "refused for nothing");
    for it in found {
        let up = it.pointer.rsplit_once('/').map_or("", |it| it.0);
        let is_there = value.pointer(&it.pointer).or_else(|| value.pointer(up)).is_some();
        assert!(is_there, "no such place: {}", it.pointer);
        assert!(!it.message.is_empty());
        crate::assert_short(&it.message);
    }
}
