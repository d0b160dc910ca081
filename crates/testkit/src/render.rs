//! A call as the provider would receive it, and the snapshot of all calls of an offer.

use std::collections::BTreeMap;

use repaint_core::{
    Adapt, Body, Date, ImageModel, ImageRequest, ImageSource, Owner, Preview, Segment, Terms,
};
use serde_json::{Map, Value, json};

use crate::pictures::file_bytes;
use crate::{accepted, grid};

/// The JSON text of a body, base64 and all. Files must be those of [`picture`](crate::picture).
pub fn render(body: &Body) -> String {
    let mut text = Vec::new();
    for segment in body.segments() {
        match segment {
            Segment::Text(part) => text.extend_from_slice(part),
            Segment::Image(image) => match image.source() {
                ImageSource::Bytes(bytes) => {
                    text.extend_from_slice(
                        base64_simd::STANDARD.encode_to_string(bytes).as_bytes(),
                    );
                }
                ImageSource::File(path) => {
                    let bytes = file_bytes(path);
                    text.extend_from_slice(
                        base64_simd::STANDARD.encode_to_string(bytes).as_bytes(),
                    );
                }
                ImageSource::Base64(base64) => text.extend_from_slice(base64),
                other => panic!("{other:?} is no segment of its own"),
            },
        }
    }
    assert_eq!(text.len() as u64, body.length(), "the declared length of the body is wrong");
    String::from_utf8(text).unwrap_or_else(|err| panic!("the body is no text: {err}"))
}

/// All calls of an offer, for a snapshot: what each case sends or why it is refused.
///
/// Under `only_by_option` stand the fields that no request sets: a capability that nobody declared
/// would show up there.
pub fn snapshot(model: &dyn ImageModel) -> Value {
    let mut shown = Map::new();
    let mut unset: Vec<String> = model.wire().map_or_else(Vec::new, |it| it.known.clone());
    let mut endpoint = Value::Null;
    let mut cases = Map::new();
    for case in accepted(model) {
        let body = outcome(model, &case.request, &Adapt::default());
        if let Ok(Preview::Http(call)) = encode(model, &case.request, &Adapt::default()) {
            endpoint = json!({ "url": call.url, "auth": call.auth });
        }
        unset.retain(|it| body.get(it).is_none());
        cases.insert(case.name, body);
    }
    // A model in this process has no wire, and says what it works on as `image` or `images`.
    let local = [("image", Owner::Image(0)), ("images", Owner::Images)];
    let owned = model.wire().map_or(&local[..], |it| it.owned);
    let sizes = fields_of(owned, |it| matches!(it, Owner::Width | Owner::Height | Owner::Ratio));
    let images = fields_of(owned, |it| matches!(it, Owner::Image(_) | Owner::Images));
    // Cells of the grid that send the same or are refused alike stand together.
    let mut cells: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, request, adapt) in grid(model) {
        let outcome = outcome(model, &request, &adapt);
        let text = match outcome {
            Value::String(refusal) => refusal,
            body => {
                let body = body.as_object().cloned().unwrap_or_default();
                let field = |it: &&str| body.get(*it).map(|value| format!("{it}={value}"));
                let size: Vec<String> = sizes.iter().filter_map(field).collect();
                let images = body.iter().filter(|(it, _)| images.contains(&it.as_str()));
                let images: Vec<String> = images
                    .map(|(it, value)| match value {
                        Value::Array(items) => format!("{it}[{}]", items.len()),
                        _ => it.clone(),
                    })
                    .collect();
                format!("sends {} {}", images.join(","), size.join(" ")).trim_end().to_owned()
            }
        };
        cells.entry(text).or_default().push(name);
    }
    shown.insert("endpoint".to_owned(), endpoint);
    shown.insert("cases".to_owned(), cases.into());
    shown.insert("grid".to_owned(), json!(cells));
    shown.insert("only_by_option".to_owned(), unset.into());
    shown.into()
}

fn fields_of<'a>(owned: &[(&'a str, Owner)], is: impl Fn(Owner) -> bool) -> Vec<&'a str> {
    owned.iter().filter(|(_, owner)| is(*owner)).map(|(name, _)| *name).collect()
}

fn outcome(model: &dyn ImageModel, request: &ImageRequest, adapt: &Adapt) -> Value {
    match encode(model, request, adapt) {
        Ok(Preview::Http(call)) => call.body.map_or(Value::Null, |it| it.preview().clone()),
        Ok(Preview::Local(operation)) => operation,
        Err(refused) => refused.into(),
    }
}

/// The first call for a request, or why there is none.
fn encode(
    model: &dyn ImageModel,
    request: &ImageRequest,
    adapt: &Adapt,
) -> Result<Preview, String> {
    let admitted = model.admit(request, terms(adapt)).map_err(|refusals| {
        let refusals: Vec<String> = refusals.iter().map(ToString::to_string).collect();
        format!("refused: {}", refusals.join("; "))
    })?;
    admitted.encode().map_err(|err| err.to_string())
}

pub(crate) fn terms(adapt: &Adapt) -> Terms<'_> {
    // A fixed day, so that no trial changes its mind on the day of a retirement.
    Terms { adapt, today: Date::new(2026, 11, 22) }
}
