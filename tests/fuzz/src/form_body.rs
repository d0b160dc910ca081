//! Forms: every part is read once, whole, and all that they say is asked for.

use bytes::Bytes;
use repaint_core::ImageSource;
use repaint_gateway::fuzzing::{Body, FormPart};
use serde_json::Value;

use crate::body::{assert_told, assert_whole, text};
use crate::{assert_short, swollen};

const BOUNDARY: &str = "x-1";

/// Reads a form whose boundary is `x-1`.
pub fn form_body(bytes: &[u8]) {
    let body = Bytes::from(swollen(bytes));
    let parts = match FormPart::all(&body, BOUNDARY) {
        Ok(parts) => parts,
        Err(why) => return assert_short(&why),
    };
    assert_in_order(&parts, &body);
    let again = FormPart::all(&written(&parts), BOUNDARY).expect("it is a form");
    assert!(again == parts, "written down and read again it is another");

    let read = match Body::form(&body, BOUNDARY) {
        Ok(read) => read,
        Err(why) => return assert_short(&why),
    };
    let value = read.value().clone();
    let Value::Object(mut fields) = value.clone() else { panic!("it is no object") };
    let files = parts.iter().filter(|it| it.is.1);
    for file in files.clone() {
        let of_field = match &value[&file.name] {
            Value::Array(items) => items.iter().collect(),
            one => vec![one],
        };
        let mut addresses = of_field.iter().filter_map(|it| it.as_str());
        let has = addresses.any(|it| match read.image(it) {
            Ok(image) => matches!(image.source(), ImageSource::Bytes(it) if *it == file.content),
            // It is no picture, which whoever asks is told.
            Err(_) => true,
        });
        assert!(has, "a file of `{}` is lost", file.name);
    }
    let images: Vec<_> = files.filter(|it| it.name == "image").collect();
    let (image, all_files) = (|it: &str| read.image(it), images.len());
    let all_images = value["image"].as_array().map_or(0, Vec::len);
    let known: Vec<(String, _)> =
        strings(&value).into_iter().map(|it| (it.clone(), image(&it).ok())).collect();
    match read.asked() {
        Ok(asked) => {
            fields.retain(|_, it| !it.is_null());
            assert_whole(&fields, &asked, |it| {
                let (_, image) = known.iter().find(|(text, _)| text == it).expect("it is there");
                image.clone().expect("an accepted image can be read")
            });
            if all_files == all_images && all_files != 0 {
                let sent = asked.job.request.images.iter().map(text);
                let given = images.iter().map(|it| {
                    use base64::Engine as _;
                    base64::prelude::BASE64_STANDARD.encode(&it.content).into_bytes()
                });
                assert!(sent.eq(given), "the files are others, or in another order");
            }
        }
        Err(found) => assert_told(&found, &value),
    }
}

fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(fields) => fields.values().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}

/// What they have stands in the body one after the other, uncut: a boundary comes after each, and none is in one.
fn assert_in_order(parts: &[FormPart], body: &Bytes) {
    let start = body.as_ptr() as usize;
    let between = format!("\r\n--{BOUNDARY}");
    let mut at = 0;
    for part in parts {
        let from = part.content.as_ptr() as usize - start;
        let to = from + part.content.len();
        // The line before an empty part may be its boundary's.
        let ends = if part.content.is_empty() { [to, to - 2] } else { [to, to] };
        assert!(at <= from && ends.iter().any(|it| body[*it..].starts_with(between.as_bytes())));
        let inside = body[from - 2..to].windows(between.len()).any(|it| it == between.as_bytes());
        assert!(!inside, "two parts are read as one");
        // Beside a head, nothing stands between two parts.
        let boundaries =
            body[at..from].windows(between.len()).filter(|it| *it == between.as_bytes());
        assert!(at == 0 || boundaries.count() <= 1, "a part is lost");
        at = to;
    }
}

fn written(parts: &[FormPart]) -> Bytes {
    let mut form = Vec::new();
    for FormPart { name, is: (many, file), content } in parts {
        let name = name.replace('\\', "\\\\").replace('"', "\\\"");
        let many = if *many { "[]" } else { "" };
        let file = if *file { "; filename=\"f\"" } else { "" };
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}{many}\"{file}\r\n\r\n"
        );
        form.extend(head.into_bytes());
        form.extend_from_slice(content);
        form.extend(b"\r\n");
    }
    form.extend(format!("--{BOUNDARY}--\r\n").into_bytes());
    form.into()
}
