//! The readers of bodies, as `tests/fuzz` tries them; for nobody else, and no part of the API.

use bytes::Bytes;
use repaint_core::{ImageInput, Job, Policy, Violation};
use serde_json::Value;

use crate::dialect::understand;
use crate::form::Form;
use crate::json::Read;
use crate::receive::in_pieces;
use crate::scan::Scan;

/// That of no store.
const SECRET: [u8; 16] = [7; 16];

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

impl Body {
    /// A JSON body in memory.
    pub fn json(body: &Bytes) -> Result<Self, String> {
        crate::scan::at_once(body).map(Self)
    }

    /// The same outside memory, which comes in pieces of this size.
    pub fn pieces(body: &Bytes, size: usize) -> Result<Self, String> {
        in_pieces(Scan::new(&SECRET), body, size).map(Self)
    }

    /// A form, which comes in pieces of this size.
    pub fn form(body: &[u8], boundary: &str, size: usize) -> Result<Self, String> {
        in_pieces(Form::new(boundary, &SECRET), body, size).map(Self)
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

/// What the head of a part of a form says.
#[derive(Debug)]
pub struct FormPart {
    /// The name of its field.
    pub name: String,
    /// Whether it is one of several.
    pub many: bool,
    /// Whether it is a file.
    pub file: bool,
}

impl FormPart {
    /// Reads a head, without the empty line at its end.
    pub fn of_head(head: &[u8]) -> Result<Self, String> {
        crate::form::head(head).map(|(name, many, file)| Self { name, many, file })
    }
}
