//! Forms: every part is read once, whole, and all that they say is asked for; however a form comes, it says the same.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use repaint_gateway::fuzzing::{Body, FormPart};
use serde_json::Value;

use crate::body::{assert_told, assert_whole, text};
use crate::{assert_short, swollen};

const BOUNDARY: &str = "x-1";

/// Reads a form whose boundary is `x-1`.
pub fn form_body(bytes: &[u8]) {
    let body = swollen(bytes);
    let (naive, whole) = (parts(&body), Body::form(&body, BOUNDARY, body.len().max(1)));
    // Byte for byte, only what is short: each byte is looked at with all that is held.
    for size in [if body.len() < 1000 { 1 } else { 100 }, 1000] {
        match (&whole, Body::form(&body, BOUNDARY, size)) {
            (Ok(whole), Ok(pieces)) => assert_eq!(shown(whole), shown(&pieces), "{size}"),
            (Err(whole), Err(pieces)) => assert_eq!(*whole, pieces, "{size}"),
            (_, pieces) => panic!("{whole:?} in pieces of {size} is {pieces:?}"),
        }
    }
    let read = match (whole, &naive) {
        (Ok(read), Some(_)) => read,
        (Ok(read), None) => panic!("it is no form, and is read as {read:?}"),
        (Err(why), _) => return assert_short(&why),
    };
    let naive = naive.unwrap_or_default();
    let value = read.value().clone();
    let Value::Object(mut fields) = value.clone() else { panic!("it is no object") };
    let mut by_name: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for (FormPart { name, many: _, file }, content) in &naive {
        let own = match file {
            // By what is sent, or by nothing where it is no picture, of which whoever asks is told.
            true => Value::from(BASE64_STANDARD.encode(content)),
            false => {
                let text = std::str::from_utf8(content).expect("it was taken as a text");
                serde_json::from_str(text)
                    .ok()
                    .filter(|it| {
                        value[name] == *it
                            || value[name].as_array().is_some_and(|all| all.contains(it))
                    })
                    .unwrap_or_else(|| Value::from(text))
            }
        };
        by_name.entry(name).or_default().push(own);
    }
    assert_eq!(fields.len(), by_name.len(), "{fields:?} is not {by_name:?}");
    for (name, given) in by_name {
        let items = match (&value[name], &given[..]) {
            (Value::Array(items), [only]) if only.is_array() => {
                assert_eq!(Value::Array(items.clone()), *only);
                continue;
            }
            (Value::Array(items), [Value::Array(first), rest @ ..]) => {
                assert_eq!(items.len(), first.len() + rest.len());
                continue;
            }
            (Value::Array(items), _) => items.clone(),
            (one, _) => vec![one.clone()],
        };
        assert_eq!(items.len(), given.len(), "a part of `{name}` is lost");
        for (item, given) in items.iter().zip(given) {
            let image = item.as_str().and_then(|it| read.image(it).ok());
            let sent = image.as_ref().map(text);
            let is_said = *item == given
                || sent.is_some_and(|it| given.as_str().is_some_and(|own| own.as_bytes() == it))
                // What is no picture is told to whoever asks for it.
                || image.is_none() && item.as_str().is_some_and(|it| it.contains("x-lifted"));
            assert!(is_said, "{item} is not {given}");
        }
    }
    let known: Vec<(String, _)> =
        strings(&value).into_iter().map(|it| (it.clone(), read.image(&it).ok())).collect();
    match read.asked() {
        Ok(asked) => {
            fields.retain(|_, it| !it.is_null());
            assert_whole(&fields, &asked, |it| {
                let (_, image) = known.iter().find(|(text, _)| text == it).expect("it is there");
                image.clone().expect("an accepted image can be read")
            });
            let files = naive.iter().filter(|(part, _)| part.file && part.name == "image");
            let given: Vec<_> =
                files.map(|(_, content)| BASE64_STANDARD.encode(content).into_bytes()).collect();
            let all_images = value["image"].as_array().map_or(0, Vec::len);
            if given.len() == all_images && all_images != 0 {
                let sent = asked.job.request.images.iter().map(text);
                assert!(sent.eq(given), "the files are others, or in another order");
            }
        }
        Err(found) => assert_told(&found, &value),
    }
}

/// What it says, with the base64 of its images in the place of their marks, which are others each time.
fn shown(body: &Body) -> Value {
    fn shown(value: &Value, body: &Body) -> Value {
        match value {
            Value::String(mark) if mark.contains("x-lifted") => match body.image(mark) {
                Ok(image) => String::from_utf8_lossy(&text(&image)).into_owned().into(),
                Err(err) => err.message().into(),
            },
            Value::Array(items) => items.iter().map(|it| shown(it, body)).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(name, it)| (name.clone(), shown(it, body))).collect()
            }
            other => other.clone(),
        }
    }
    shown(body.value(), body)
}

/// The heads and contents of a form that is whole, as somebody would cut it who has all of it and is in no hurry.
fn parts(body: &[u8]) -> Option<Vec<(FormPart, Vec<u8>)>> {
    let between = format!("\r\n--{BOUNDARY}");
    let mut rest = &[b"\r\n", body].concat()[..];
    let find = |text: &[u8], wanted: &[u8]| text.windows(wanted.len()).position(|it| it == wanted);
    rest = &rest[find(rest, between.as_bytes())? + between.len()..];
    let mut parts = Vec::new();
    while !rest.starts_with(b"--") {
        let end = find(rest, between.as_bytes())?;
        let blanks = rest.iter().take_while(|it| matches!(it, b' ' | b'\t')).count();
        // The line before a boundary may be the empty one at the end of a head.
        let part = rest[blanks..end + 2].strip_prefix(b"\r\n")?;
        let (head, content) = match part.strip_prefix(b"\r\n") {
            Some(content) => (&[][..], content),
            None => {
                let end = find(part, b"\r\n\r\n")?;
                (&part[..end], &part[end + 4..])
            }
        };
        let content = content.strip_suffix(b"\r\n").unwrap_or(content);
        parts.push((FormPart::of_head(head).ok()?, content.to_vec()));
        rest = &rest[end + between.len()..];
    }
    Some(parts)
}

fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(fields) => fields.values().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}
