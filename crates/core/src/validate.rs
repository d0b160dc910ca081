//! What is wrong with a body or a job that somebody else wrote, before anything is made of it.

use std::sync::OnceLock;

use schemars::generate::SchemaSettings;
use serde::Deserialize;
use serde_json::Value;

use crate::shape::{Shape, Writer};
use crate::violation::{Violation, below};
use crate::{Date, ImageInput, ImageModel, Job, Refusal, RefusalCode, Terms, Usd, house};

impl dyn ImageModel {
    /// What is wrong with a body for this offer; nothing if it would be taken.
    ///
    /// It accepts exactly what the offer's published schema and its [rules](crate::Rule) accept
    /// together. What the bytes of an image hold is not looked at.
    ///
    /// ```
    /// # use repaint_core::ImageModel;
    /// fn complain(model: &dyn ImageModel, form: &serde_json::Value) {
    ///     for violation in model.validate(form) {
    ///         println!("{} {}: {}", violation.pointer, violation.message, violation.fix);
    ///     }
    /// }
    /// ```
    pub fn validate(&self, body: &Value) -> Vec<Violation> {
        match self.wire() {
            Some(wire) => wire.validate(body),
            None => {
                let message = format!("is for {}, which runs in this process", self.id());
                let violation = Violation::new(RefusalCode::Unsupported, "", message);
                vec![violation.fix("it has no body; validate a job for it")]
            }
        }
    }

    /// What is wrong with a job for this offer: its shape, and what the offer refuses of it.
    ///
    /// `select` is not looked at. Of an image at an address nothing is known.
    pub fn validate_job(&self, job: &Value, today: Date) -> Vec<Violation> {
        let job = match Job::read(job) {
            Ok(job) => job,
            Err(found) => return found,
        };
        let terms = Terms { adapt: &job.policy.adapt, today };
        match self.admit(&job.request, terms) {
            Err(refusals) => refusals.into_iter().map(in_a_job).collect(),
            Ok(admitted) => {
                let high = admitted.estimate().high;
                let cap = job.policy.max_cost.filter(|it| *it < high);
                cap.map(|cap| over_budget(cap, high)).into_iter().collect()
            }
        }
    }
}

impl Job {
    /// Reads a job that somebody else wrote, exactly as its published schema has it. (Serde alone would
    /// also read `{"request": ["a cat"]}`, a list in the place of an object.)
    ///
    /// # Errors
    ///
    /// All that is wrong with it.
    pub fn read(job: &Value) -> Result<Self, Vec<Violation>> {
        static SHAPE: OnceLock<Shape> = OnceLock::new();
        let shape = SHAPE.get_or_init(|| {
            let settings = SchemaSettings::draft2020_12();
            let mut schema = settings.into_generator().into_root_schema_for::<Self>();
            house::tidy(&mut schema);
            let schema = schema.to_value();
            Shape::compile(&schema, &schema)
        });
        let mut found = Vec::new();
        shape.check(job, "", Writer::Others, &mut found);
        if !found.is_empty() {
            return Err(found);
        }
        Self::deserialize(job).map_err(|err| {
            unreadable(&job["request"], &mut found);
            if found.is_empty() {
                found.push(Violation::new(RefusalCode::Invalid, "", err.to_string()));
            }
            found
        })
    }

    /// What is wrong with a job, whoever may take it: its shape, and images that cannot be read.
    pub fn validate(job: &Value) -> Vec<Violation> {
        Self::read(job).err().unwrap_or_default()
    }
}

/// Images of which the address or the bytes cannot be read.
fn unreadable(request: &Value, found: &mut Vec<Violation>) {
    let list = request["images"].as_array().into_iter().flatten().enumerate();
    let images = list.map(|(index, it)| (format!("/request/images/{index}"), it));
    let mask = request.get("mask").map(|it| ("/request/mask".to_owned(), it));
    for (at, image) in images.chain(mask) {
        let address = image.as_str().unwrap_or_default();
        if let Err(err) = ImageInput::from_address(address) {
            let message = format!("cannot be read: {}", err.message());
            let violation = Violation::new(RefusalCode::Unreadable, &at, message);
            found.push(violation.fix("give an http(s) address or a whole data URI"));
        }
    }
}

fn in_a_job(refusal: Refusal) -> Violation {
    let Refusal { code, field, limit, got, message, fix, sure: _ } = refusal;
    let pointer = match (field.as_str(), field.strip_prefix("options/")) {
        ("select", _) => "/select".to_owned(),
        (_, Some(option)) => below("/request/options", option),
        (field, None) => format!("/request/{field}"),
    };
    // A refusal's subject is the offer.
    let message = format!("is refused, since the model {message}");
    Violation { code, pointer, limit, got, message, fix }
}

fn over_budget(cap: Usd, high: Usd) -> Violation {
    let message = format!("is {cap}, but it may cost {high}");
    let violation = Violation::new(RefusalCode::OverBudget, "/policy/max_cost", message);
    violation.limit(cap).fix("raise it, or ask for less")
}
