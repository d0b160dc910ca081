//! A model that runs in this process: what its offer admitted, read, handed to a filter, written.

use async_trait::async_trait;
use bytes::Bytes;
use repaint_core::{
    Error, ErrorKind, Image, ImageInput, ImageModel, ImageRequest, Instructions, Listing, Made,
    Narrowed, Offer, OutputFormat, Preview, Provider, Result, Transport, Warning, WarningCode,
    Witness,
};
use serde_json::{Map, Value, json};

use crate::picture::{Format, Picture};

/// What a model here does.
#[derive(Debug)]
pub(crate) struct Filter {
    /// Adds what only it can say of a task, for `explain`.
    pub(crate) show: fn(&Task, &mut Map<String, Value>),
    /// Makes the picture; away from the threads that wait for the network.
    pub(crate) make: fn(&Task, Files) -> Result<Painted, String>,
}

/// What a request means here; every field was admitted.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) format: OutputFormat,
    /// The input images by name, in order.
    pub(crate) images: Vec<String>,
    /// The mask by name.
    pub(crate) mask: Option<String>,
    pub(crate) seed: u64,
    pub(crate) words: Vec<Word>,
}

/// A word of the prompt, after the name of its slot.
pub(crate) type Word = (&'static str, String);

/// The bytes of the input images, in order, and of the mask.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) images: Vec<Bytes>,
    pub(crate) mask: Option<Bytes>,
}

/// A picture, and what the caller should know of it.
#[derive(Debug)]
pub(crate) struct Painted {
    pub(crate) notes: Vec<Note>,
    pub(crate) picture: Picture,
}

/// Something that the caller should know, and the field of the request that it is about.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Note {
    pub(crate) field: String,
    pub(crate) message: String,
}

impl Note {
    pub(crate) fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

impl Task {
    fn of(witness: &Witness<'_>) -> Self {
        // No `..`: a new field does not compile until it is decided here.
        let ImageRequest {
            prompt,
            images,
            mask,
            size: _,
            count: _,
            seed,
            negative_prompt: _,
            steps: _,
            guidance: _,
            output_format,
            options: _,
        } = witness.request();
        let words = match witness.offer().accepts.instructions.value {
            // Admission has understood them all.
            Instructions::Closed(vocabulary) => vocabulary.read(prompt).unwrap_or_default(),
            Instructions::Any => Vec::new(),
        };
        Self {
            format: output_format.unwrap_or(OutputFormat::Png),
            images: images.iter().map(ImageInput::label).collect(),
            mask: mask.as_ref().map(ImageInput::label),
            seed: seed.unwrap_or_default(),
            words,
        }
    }

    /// An input image, with at most `limit` pixels, and what was changed to get it.
    pub(crate) fn decode(
        &self,
        index: usize,
        bytes: &[u8],
        limit: u64,
    ) -> Result<(Picture, Vec<Note>), String> {
        let name = self.images.get(index).map_or("the image", String::as_str);
        let (picture, notes) =
            Picture::decode(bytes, limit).map_err(|why| format!("{name}: {why}"))?;
        let which = match self.images.len() {
            1 => "the picture".to_owned(),
            _ => format!("image {}", index + 1),
        };
        let note = |it| Note::new(format!("images/{index}"), format!("{which}: {it}"));
        Ok((picture, notes.into_iter().map(note).collect()))
    }

    /// The words of a slot.
    pub(crate) fn said(&self, slot: &str) -> impl Iterator<Item = &str> {
        self.words.iter().filter(move |(it, _)| *it == slot).map(|(_, word)| word.as_str())
    }
}

/// An offer of this process with its filter.
#[derive(Debug)]
pub(crate) struct Local {
    filter: &'static Filter,
    id: String,
    listing: &'static Listing,
    offer: Offer,
}

impl Local {
    pub(crate) fn new(listing: &'static Listing, offer: Offer, filter: &'static Filter) -> Self {
        Self { filter, id: format!("{}/{}", listing.provider.id, offer.model), listing, offer }
    }
}

#[async_trait]
impl ImageModel for Local {
    fn id(&self) -> &str {
        &self.id
    }

    fn family(&self) -> &str {
        self.listing.family
    }

    fn provider(&self) -> &'static Provider {
        self.listing.provider
    }

    fn offer(&self) -> &Offer {
        &self.offer
    }

    fn wire(&self) -> Option<&Narrowed> {
        None
    }

    fn encode(&self, witness: Witness<'_>) -> Result<Preview> {
        let task = Task::of(&witness);
        let accepts = &witness.offer().accepts;
        let mut shown = Map::new();
        let mut show = |name: &str, value: Value| shown.insert(name.to_owned(), value);
        show("operation", self.offer.model.into());
        match (accepts.images.value.max, task.images.as_slice()) {
            (1, [only]) => show("image", only.as_str().into()),
            (_, many) => show("images", json!(many)),
        };
        if let Some(mask) = &task.mask {
            show("mask", mask.as_str().into());
        }
        show("words", task.words.iter().map(|(_, word)| word.as_str()).collect());
        if accepts.seed.value.is_some() {
            show("seed", json!(witness.request().seed));
        }
        show("output_format", task.format.name().into());
        (self.filter.show)(&task, &mut shown);
        Ok(Preview::Local(shown.into()))
    }

    async fn generate(&self, witness: Witness<'_>, via: &dyn Transport) -> Result<Made> {
        let request = witness.request();
        let task = Task::of(&witness);
        let mut files = Files { images: Vec::new(), mask: None };
        for image in &request.images {
            files.images.push(via.read(image).await?);
        }
        if let Some(mask) = &request.mask {
            files.mask = Some(via.read(mask).await?);
        }
        let make = self.filter.make;
        via.compute(Box::new(move || {
            let invalid = |why| Error::new(ErrorKind::InvalidRequest, why);
            let Painted { picture, notes } = make(&task, files).map_err(invalid)?;
            let format = match task.format {
                OutputFormat::Png => Format::Png,
                OutputFormat::Jpeg => Format::Jpeg,
                OutputFormat::Webp => Format::Webp,
            };
            let file =
                picture.encode(format).map_err(|why| Error::new(ErrorKind::Unexpected, why))?;
            let warn = |Note { field, message }: Note| {
                Warning::new(WarningCode::Picture, Some(field.as_str()), message)
            };
            let warnings = notes.into_iter().map(warn).collect();
            Ok(Made { images: vec![Image::new(file.into())], warnings, ..Made::default() })
        }))
        .await
    }
}

/// Does a part of the work on each half, in two threads; each is told the index of its first item.
pub(crate) fn in_two<T: Send>(items: &mut [T], work: impl Fn(usize, &mut [T]) + Sync) {
    let half = items.len() / 2;
    let (lower, upper) = items.split_at_mut(half);
    std::thread::scope(|scope| {
        scope.spawn(|| work(half, upper));
        work(0, lower);
    });
}
