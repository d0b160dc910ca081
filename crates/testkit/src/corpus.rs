//! Bodies and jobs at and beyond every limit of a schema, the same from the same seed: what
//! validators in all languages are compared on.

use fastrand::Rng;
use repaint_core::{ImageInput, ImageModel, ImageRequest, ImageSource, Job, Preview, Rule};
use serde_json::{Map, Value, json};

use crate::pictures::file_bytes;
use crate::{accepted, render};

/// The seed of the corpus that is kept.
pub const SEED: u64 = 20_261_124;

/// Makes values for one schema: about half of them good, the others with one to three faults.
#[derive(Clone, Debug)]
pub struct Corpus {
    schema: Value,
    rules: Vec<Rule>,
    rng: Rng,
}

impl Corpus {
    /// Bodies for an offer, by its published schema.
    pub fn of_bodies(model: &dyn ImageModel, schema: Value, seed: u64) -> Self {
        let rules = model.wire().map_or_else(Vec::new, |it| it.rules.clone());
        Self { schema, rules, rng: Rng::with_seed(seed) }
    }

    /// Values for a schema without rules, such as that of a job.
    pub fn of(schema: Value, seed: u64) -> Self {
        Self { schema, rules: Vec::new(), rng: Rng::with_seed(seed) }
    }

    fn good(&mut self) -> Value {
        let schema = self.schema.clone();
        let mut value = self.value(&schema, "");
        if let Value::Object(fields) = &mut value {
            self.keep_rules(fields);
        }
        value
    }

    /// A value that the schema takes.
    fn value(&mut self, schema: &Value, name: &str) -> Value {
        if let Some(target) = schema["$ref"].as_str() {
            let definition = self.schema["$defs"][target.trim_start_matches("#/$defs/")].clone();
            return self.value(&definition, name);
        }
        if let Some(arms) = schema["oneOf"].as_array() {
            let arm = arms[self.rng.usize(..arms.len())].clone();
            return self.value(&arm, name);
        }
        if !schema["const"].is_null() {
            return schema["const"].clone();
        }
        if let Some(values) = schema["enum"].as_array() {
            let value = values[self.rng.usize(..values.len())].clone();
            return self.spelled(value);
        }
        match schema["type"].as_str() {
            Some("boolean") => self.rng.bool().into(),
            Some("integer") => {
                let least = schema["minimum"].as_u64().unwrap_or(0);
                let most = schema["maximum"].as_u64().unwrap_or((1 << 53) - 1);
                let step = schema["multipleOf"].as_u64().unwrap_or(1);
                let (first, last) = (least.div_ceil(step), most / step);
                let pick = match self.rng.u8(..4) {
                    0 => first,
                    1 => last,
                    2 => (first + 1).min(last),
                    _ => self.rng.u64(first..=last),
                };
                self.spelled((pick * step).into())
            }
            Some("number") => {
                let least = schema["minimum"].as_f64().unwrap_or(-1e3);
                let most = schema["maximum"].as_f64().unwrap_or(1e3);
                match self.rng.u8(..4) {
                    0 => json!(least),
                    1 => json!(most),
                    2 => json!(least.ceil() as i64),
                    // Tenths are what people write; they have no exact binary form.
                    _ => json!((least + (most - least) * f64::from(self.rng.u8(..=10)) / 10.0)),
                }
            }
            Some("string") => self.text(schema, name).into(),
            Some("array") => {
                let least = schema["minItems"].as_u64().unwrap_or(0);
                let most = schema["maxItems"].as_u64().unwrap_or(least + 3);
                let length = match self.rng.u8(..3) {
                    0 => least,
                    1 => most,
                    _ => self.rng.u64(least..=most),
                };
                (0..length).map(|_| self.value(&schema["items"], name)).collect()
            }
            Some("object") => {
                let required = schema["required"].as_array().cloned().unwrap_or_default();
                let mut fields = Map::new();
                for (name, field) in schema["properties"].as_object().into_iter().flatten() {
                    if required.iter().any(|it| it == name) || self.rng.u8(..3) == 0 {
                        let value = self.value(field, name);
                        fields.insert(name.clone(), value);
                    }
                }
                fields.into()
            }
            _ => Value::Null,
        }
    }

    /// Whole numbers are sometimes written with a point.
    fn spelled(&mut self, value: Value) -> Value {
        match value.as_u64() {
            Some(whole) if self.rng.u8(..8) == 0 && whole < 1 << 53 => json!(whole as f64),
            _ => value,
        }
    }

    fn text(&mut self, schema: &Value, name: &str) -> String {
        let pattern = schema["pattern"].as_str().unwrap_or_default();
        if pattern.contains("data:image/") {
            return self.image("data_uri");
        }
        if pattern.starts_with("^(auto|") {
            return self.one_of(&["auto", "16:9", "1024x768", "9999:1", "99999x1"]);
        }
        if pattern.contains(':') {
            return self.one_of(&["16:9", "1:1", "9:21", "21:9", "3:7", "7:3", "9999:9998", "2:2"]);
        }
        let image = self.rules.iter().find_map(|rule| match rule {
            Rule::Image { fields, form, .. } if fields.iter().any(|it| it == name) => {
                Some(json!(form))
            }
            _ => None,
        });
        if let Some(form) = image {
            return self.image(form.as_str().unwrap_or_default());
        }
        self.one_of(&["a cat", "猫 🐈", "\u{0}", " ", "\"\\", "e\u{301}", "x"])
    }

    fn image(&mut self, form: &str) -> String {
        let base64 = self.one_of(&["QUJD", "iVBORw0KGgo=", "QQ==", "QR==", "++//"]);
        let url = self.one_of(&["https://example.com/a.png", "http://a", "https://ä/ü?q=1#f"]);
        let kind = self.one_of(&["image/png", "image/jpeg", "image/webp"]);
        match (self.rng.bool(), form) {
            (true, _) => url,
            (false, "base64") => base64,
            (false, _) => format!("data:{kind};base64,{base64}"),
        }
    }

    fn one_of(&mut self, texts: &[&str]) -> String {
        texts[self.rng.usize(..texts.len())].to_owned()
    }

    /// Sizes that the schema takes one side at a time are made such as the rules take together.
    fn keep_rules(&mut self, body: &mut Map<String, Value>) {
        for rule in self.rules.clone() {
            match rule {
                Rule::Pixels { width, height, max_area, .. } => {
                    let sides = [&width, &height].map(|it| body.get(it).and_then(Value::as_f64));
                    match sides {
                        [Some(across), Some(down)] if max_area as f64 >= across * down => {}
                        [None, None] => {}
                        _ => {
                            // The least side is a side of every range.
                            let least = self.least(&width);
                            body.insert(width, least.clone());
                            body.insert(height, least);
                        }
                    }
                }
                Rule::ListedPixels { width, height, sizes } => {
                    if body.contains_key(&width) || body.contains_key(&height) {
                        let size = sizes[self.rng.usize(..sizes.len())];
                        body.insert(width, size.width.into());
                        body.insert(height, size.height.into());
                    }
                }
                Rule::Ratio { .. } | Rule::Image { .. } | Rule::Texts { .. } => {}
            }
        }
    }

    fn least(&self, name: &str) -> Value {
        let field = field(&self.schema, name);
        let step = field["multipleOf"].as_u64().unwrap_or(1);
        let least = field["minimum"].as_u64().unwrap_or(1);
        json!(least.max(512).div_ceil(step) * step)
    }

    /// One fault, or a change that is none after all.
    fn spoil(&mut self, value: &mut Value) {
        if self.rng.u8(..40) == 0 {
            *value = self.strange();
            return;
        }
        // In a job most faults are in its request.
        if self.rng.u8(..4) != 0
            && let Some(request) = value.get_mut("request").filter(|it| it.is_object())
        {
            let mut request = std::mem::take(request);
            self.spoil_fields(&mut request);
            value["request"] = request;
            return;
        }
        self.spoil_fields(value);
    }

    fn spoil_fields(&mut self, value: &mut Value) {
        let Value::Object(fields) = value else { return };
        let mut names = names(&self.schema);
        names.extend(STRANGERS.iter().map(|it| (*it).to_owned()));
        let own: Vec<String> = fields.keys().cloned().collect();
        match self.rng.u8(..8) {
            0 if !own.is_empty() => {
                fields.shift_remove(&own[self.rng.usize(..own.len())]);
            }
            1 => {
                let name = names[self.rng.usize(..names.len())].clone();
                let strange = self.strange();
                fields.insert(name, strange);
            }
            2 | 3 if !own.is_empty() => {
                let name = own[self.rng.usize(..own.len())].clone();
                let strange = self.strange();
                fields.insert(name, strange);
            }
            _ => {
                let name = match own.is_empty() || self.rng.bool() {
                    true => names[self.rng.usize(..names.len())].clone(),
                    false => own[self.rng.usize(..own.len())].clone(),
                };
                let schema = field(&self.schema, &name);
                let edge = self.edge(&schema, &name);
                fields.insert(name, edge);
            }
        }
    }

    /// A value at or just beyond a limit of this field.
    fn edge(&mut self, schema: &Value, name: &str) -> Value {
        if let Some(target) = schema["$ref"].as_str() {
            let definition = self.schema["$defs"][target.trim_start_matches("#/$defs/")].clone();
            return self.edge(&definition, name);
        }
        match schema["type"].as_str() {
            Some("integer" | "number") if schema["enum"].is_null() => {
                let limit = match self.rng.bool() {
                    true => schema["minimum"].as_f64().unwrap_or(0.0),
                    false => schema["maximum"].as_f64().unwrap_or(1e6),
                };
                let step = schema["multipleOf"].as_f64().unwrap_or(1.0);
                let by = [0.0, 1.0, -1.0, 0.5, -0.5, step, -step, step / 2.0, 1e-9];
                let number = limit + by[self.rng.usize(..by.len())];
                if number.fract() == 0.0 && self.rng.bool() && number.abs() < 9e15 {
                    json!(number as i64)
                } else {
                    json!(number)
                }
            }
            Some("array") => {
                let limits = [&schema["minItems"], &schema["maxItems"]];
                let limit = limits[self.rng.usize(..2)].as_u64().unwrap_or(0);
                let length = match self.rng.u8(..3) {
                    0 => limit,
                    1 => limit + 1,
                    _ => limit.saturating_sub(1),
                };
                let mut items: Vec<Value> =
                    (0..length).map(|_| self.value(&schema["items"], name)).collect();
                if let Some(last) = items.last_mut()
                    && self.rng.u8(..3) == 0
                {
                    *last = self.strange();
                }
                items.into()
            }
            Some("string") => self.one_of(TEXTS).into(),
            _ => self.strange(),
        }
    }

    fn strange(&mut self) -> Value {
        match self.rng.u8(..10) {
            0 => Value::Null,
            1 => self.rng.bool().into(),
            2 | 3 => json!(INTEGERS[self.rng.usize(..INTEGERS.len())]),
            4 => json!(NUMBERS[self.rng.usize(..NUMBERS.len())]),
            5..=7 => self.one_of(TEXTS).into(),
            8 => json!([self.one_of(TEXTS)]),
            _ => json!({ "type": self.one_of(TEXTS) }),
        }
    }
}

impl Iterator for Corpus {
    type Item = Value;

    /// Never ends.
    fn next(&mut self) -> Option<Value> {
        let mut value = self.good();
        if self.rng.u8(..100) < 48 {
            for _ in 0..self.rng.u8(1..=3) {
                self.spoil(&mut value);
            }
        }
        Some(value)
    }
}

/// Names that some other model or provider has, or nobody.
const STRANGERS: &[&str] = &[
    "no_such_field",
    "image_url",
    "reference_images",
    "input_image",
    "image_urls",
    "width",
    "aspect_ratio",
    "num_images",
    "Prompt",
    "prompt ",
    "",
    "a/b",
    "m~n",
    "$ref",
    "constructor",
    "toString",
    "select",
    "policy",
    "options",
    "\u{0}image",
];

const INTEGERS: &[i64] =
    &[0, 1, -1, 2, 5, 6, 50, 51, 64, 255, 256, 1024, 4096, 2_147_483_648, 9_007_199_254_740_992];

const NUMBERS: &[f64] = &[0.5, 1.5, 10.0, 10.5, 1024.0, -0.0, 1e300, 1e-300, 0.1, 1024.5];

const TEXTS: &[&str] = &[
    "",
    " ",
    "x",
    "1",
    "1024",
    "true",
    "null",
    "auto",
    "16:9",
    "16:09",
    "0:1",
    "1:0",
    "9999:1",
    "10000:1",
    "1:9999",
    " 16:9",
    "16:9\n",
    "16：9",
    "1024x768",
    "100000x1",
    "1024X768",
    "png",
    "PNG",
    "jpg",
    "url",
    "base64",
    "https://example.com/a.png",
    "https://example.com/a b.png",
    "https://",
    "https:///a",
    "https://?a",
    "HTTPS://example.com/a.png",
    "http:/a",
    "ftp://example.com/a.png",
    "file:///etc/passwd",
    "data:image/png;base64,QUJD",
    "data:image/png;base64,",
    "data:image/png;base64,QUJ",
    "data:image/png;base64,QU=D",
    "data:image/png;base64,QUJD\n",
    "data:image/gif;base64,QUJD",
    "data:image/png,QUJD",
    "data:IMAGE/PNG;base64,QUJD",
    "data:image/png;charset=utf-8;base64,QUJD",
    "data:text/plain;base64,QUJD",
    "QUJD",
    "QUJD====",
    "Q===",
    "QUJ-",
    "QÜJD",
    "black-forest-labs/FLUX.2-pro",
    "black-forest-labs/FLUX.1-kontext-pro",
];

/// The names of all fields that stand anywhere in a schema.
fn names(schema: &Value) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in
        objects(schema).filter_map(|it| it["properties"].as_object()).flat_map(|it| it.keys())
    {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// A field of a schema, wherever it stands.
fn field(schema: &Value, name: &str) -> Value {
    objects(schema).find_map(|it| it["properties"].get(name)).cloned().unwrap_or_default()
}

fn objects(schema: &Value) -> impl Iterator<Item = &Value> {
    let definitions = schema["$defs"].as_object().into_iter().flatten().map(|it| it.1);
    std::iter::once(schema).chain(definitions)
}

/// Jobs that the offer takes, as JSON, each with the body that it is sent.
pub fn jobs(model: &dyn ImageModel, schema: &Value) -> Vec<(Value, Value)> {
    let mut requests: Vec<ImageRequest> =
        accepted(model).into_iter().map(|it| it.request).collect();
    let mut corpus = Corpus::of_bodies(model, schema.clone(), SEED);
    for name in model.capabilities().options.value.iter() {
        let mut request = requests[0].clone();
        request.options.insert(name.to_string(), corpus.value(&field(schema, name), name));
        requests.push(request);
    }
    let jobs = requests.into_iter().filter_map(|mut request| {
        request.images = request.images.iter().map(in_json).collect();
        request.mask = request.mask.as_ref().map(in_json);
        let job = Job { select: vec![model.id().to_owned()], ..Job::new(request) };
        let terms = crate::render::terms(&job.policy.adapt);
        let body = match model.admit(&job.request, terms).ok()?.encode().ok()? {
            Preview::Http(call) => render(&call.body?),
            Preview::Local(_) => return None,
        };
        Some((serde_json::to_value(&job).ok()?, serde_json::from_str(&body).ok()?))
    });
    jobs.collect()
}

/// The same image as JSON can hold it.
fn in_json(image: &ImageInput) -> ImageInput {
    let bytes = match image.source() {
        ImageSource::File(path) => file_bytes(path),
        ImageSource::Bytes(bytes) => bytes.to_vec(),
        ImageSource::Url(_) | ImageSource::Base64(_) | ImageSource::Kept(_) => {
            return image.clone();
        }
    };
    let base64 = base64_simd::STANDARD.encode_to_string(&bytes);
    ImageInput::base64(base64.into()).unwrap_or_else(|err| panic!("{err}"))
}
