//! JSON bodies of the gateway: in memory and in pieces they say the same, which is what they say to others.

use bytes::Bytes;
use repaint_core::{ImageInput, Violation};
use repaint_gateway::fuzzing::{Asked, Body};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::body::{assert_told, assert_whole, same, text};
use crate::{assert_short, pieces, swollen};

/// Reads a JSON body in both ways.
pub fn json_body(bytes: &[u8]) {
    let body = Bytes::from(swollen(bytes));
    let other = serde_json::from_slice::<Value>(&body);
    let at_once = Body::json(&body);
    match (&at_once, &other) {
        (Ok(read), Ok(Value::Object(fields))) => assert_same(read, fields),
        (Ok(_), Ok(_)) => panic!("taken, and to others it is no object"),
        (Err(why), Ok(Value::Object(_))) => {
            let Entries { names, longest } = serde_json::from_slice(&body).expect("it is JSON");
            let one_name = names == entries(other.as_ref().unwrap_or(&Value::Null));
            assert!(!one_name || 10_000 < longest, "refused, and there is nothing wrong: {why}");
        }
        // What was lifted is read as JSON when it is understood, and is refused then.
        (Ok(_), Err(_)) | (Err(_), _) => {}
    }
    let whole = at_once.map_err(|why| assert_short(&why)).ok().map(|it| told(it, &other));
    for size in pieces(&body) {
        let read = Body::pieces(&body, size).map_err(|why| assert_short(&why));
        let read = read.ok().map(|it| told(it, &other));
        match (&whole, &read) {
            (Some(Ok(a)), Some(Ok(b))) => assert_equal(a, b),
            (Some(Ok(_)), _) => panic!("in pieces of {size} it is refused: {read:?}"),
            (_, Some(Ok(_))) => panic!("in pieces of {size} it is taken: {whole:?}"),
            _ => {}
        }
    }
}

/// What is asked for is all that the body says, and what is refused is told.
fn told(read: Body, other: &serde_json::Result<Value>) -> Result<Asked, Vec<Violation>> {
    let (again, value) = (read.value().clone(), other.as_ref().unwrap_or(&Value::Null));
    let result = read.asked();
    match &result {
        Ok(asked) => {
            let Value::Object(mut fields) = value.clone() else { panic!("it is no object") };
            fields.retain(|_, it| !it.is_null());
            assert_whole(&fields, asked, |it| {
                ImageInput::from_address(it).expect("an accepted image can be read")
            });
        }
        Err(found) => assert_told(found, &again),
    }
    result
}

fn assert_equal(a: &Asked, b: &Asked) {
    let words = |it: &Asked| {
        let mut job = it.job.clone();
        job.request.images.clear();
        job.request.mask = None;
        (job, it.format.clone(), it.warned.clone())
    };
    assert_eq!(words(a), words(b));
    let (a, b) = (a.job.request.inputs(), b.job.request.inputs());
    assert!(a.zip(b).all(|(a, b)| same(a, b)));
}

/// Every value is what others read, but for images, which are what stands there.
fn assert_same(read: &Body, fields: &Map<String, Value>) {
    let Value::Object(own) = read.value() else { panic!("it is no object") };
    assert_eq!(own.len(), fields.len());
    let mut pairs: Vec<(&Value, &Value)> = Vec::new();
    for ((name, value), (theirs, other)) in own.iter().zip(fields) {
        assert_eq!(name, theirs);
        pairs.push((value, other));
    }
    while let Some(pair) = pairs.pop() {
        match pair {
            (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
                pairs.extend(a.iter().zip(b))
            }
            (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
                pairs.extend(a.values().zip(b.values()));
            }
            (Value::String(a), Value::String(b)) if a != b => {
                // One was lifted: an image, or refused as one.
                assert!(b.starts_with("data:image/"), "a text is another");
                if let Ok(image) = read.image(a) {
                    assert!(b.ends_with(&*String::from_utf8_lossy(&text(&image))));
                }
            }
            (a, b) => assert!(a == b, "a value is another"),
        }
    }
}

/// How many entries all objects of a value have.
fn entries(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(entries).sum(),
        Value::Object(fields) => fields.len() + fields.values().map(entries).sum::<usize>(),
        _ => 0,
    }
}

/// How many names a text has, each as often as it is there, and the longest list or object of it.
#[derive(Default)]
struct Entries {
    names: usize,
    longest: usize,
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Count)
    }
}

struct Count;

impl<'de> Visitor<'de> for Count {
    type Value = Entries;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Entries, E> {
        Ok(Entries::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Entries, E> {
        Ok(Entries::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Entries, E> {
        Ok(Entries::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Entries, E> {
        Ok(Entries::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Entries, E> {
        Ok(Entries::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<Entries, E> {
        Ok(Entries::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Entries, A::Error> {
        let (mut all, mut own) = (Entries::default(), 0);
        while let Some(it) = list.next_element::<Entries>()? {
            own += 1;
            all.names += it.names;
            all.longest = all.longest.max(it.longest);
        }
        all.longest = all.longest.max(own);
        Ok(all)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Entries, A::Error> {
        let (mut all, mut own) = (Entries::default(), 0);
        while let Some((_, it)) = object.next_entry::<IgnoredAny, Entries>()? {
            own += 1;
            all.names += it.names;
            all.longest = all.longest.max(it.longest);
        }
        all.names += own;
        all.longest = all.longest.max(own);
        Ok(all)
    }
}
