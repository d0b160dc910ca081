//! The readers of bodies, as `tests/fuzz` tries them; for nobody else, and no part of the API.

use bytes::Bytes;
use repaint_core::{ImageInput, Job, Policy, Violation};
use serde_json::Value;

use crate::dialect::understand;
use crate::json::Read;

/// A body that was read, with its images aside.
#[derive(Debug)]
pub struct Body(Read);

/// What a body asks for.
#[derive(Debug)]
pub struct Asked {
    /// The job, under no rules but the body's own.
    pub job: Job,
    /// How the pictures are to come back.
    pub format: Option<String>,
    /// The fields of which somebody is told that they go no further.
    pub warned: Vec<&'static str>,
}

/// A part of a form.
#[derive(Debug, PartialEq)]
pub struct FormPart {
    /// The name of its field.
    pub name: String,
    /// Whether it is one of several, a file, or both.
    pub is: (bool, bool),
    /// What it has.
    pub content: Bytes,
}

impl Body {
    /// A JSON body in memory.
    pub fn json(body: &Bytes) -> Result<Self, String> {
        crate::scan::at_once(body).map(Self)
    }

    /// The same outside memory, which comes in pieces of this size.
    pub fn pieces(body: &Bytes, size: usize) -> Result<Self, String> {
        crate::scan::in_pieces(body, size).map(Self)
    }

    /// A form.
    pub fn form(body: &Bytes, boundary: &str) -> Result<Self, String> {
        crate::form::read(crate::form::parts(body, boundary)?).map(Self)
    }

    /// What it says; in the place of an image, perhaps a mark.
    pub fn value(&self) -> &Value {
        &self.0.value
    }

    /// The image that stands at an address of the value.
    pub fn image(&self, address: &str) -> repaint_core::Result<ImageInput> {
        self.0.lifted.image(address)
    }

    /// What it asks for.
    pub fn asked(self) -> Result<Asked, Vec<Violation>> {
        let it = understand(self.0, &Policy::default())?;
        let warned = it.warnings.iter().map(|it| it.0).collect();
        Ok(Asked { job: it.job, format: it.format.map(|it| format!("{it:?}")), warned })
    }
}

impl FormPart {
    /// The parts of a form.
    pub fn all(body: &Bytes, boundary: &str) -> Result<Vec<Self>, String> {
        Ok(crate::form::parts(body, boundary)?.into_iter().map(Self::of).collect())
    }

    fn of(part: crate::form::Part) -> Self {
        let is = part.is();
        Self { name: part.name, is, content: part.content }
    }
}
