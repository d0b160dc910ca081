//! One interface to image models, wherever they are hosted.
//!
//! A request is *admitted* by a model's [`Capabilities`], *encoded* into the [`Wire`] type of the
//! [`Listing`] that offers the model, and *driven* through the [`Provider`] that hosts it. Only the
//! [`Transport`] does I/O; everything before it is a pure function of the request.
//!
//! ```text
//! ImageRequest ─admit─▶ Admitted ─encode─▶ Call ─drive─▶ Step … ─▶ Vec<Image> + Receipt
//! ```
//!
//! To add a model, add an [`Offer`] to a listing. To add a family, write one file: a `Wire` type and
//! the listings that speak it. To add a provider, write one [`Provider`].

mod admit;
mod base64;
mod body;
mod capabilities;
mod date;
mod error;
mod facts;
mod field;
mod fingerprint;
mod fit;
mod fixed;
pub mod house;
mod input;
mod inputs;
mod job;
mod later;
mod listing;
mod model;
mod narrow;
mod offer;
mod outcome;
mod overlay;
mod plan;
mod price;
mod provenance;
mod provider;
mod refusal;
mod registry;
mod request;
mod rule;
mod shape;
mod size;
mod store;
mod validate;
mod violation;
mod vocabulary;
mod wire;

pub use base64::{Base64Read, Base64Reader};
pub use body::{Body, Segment};
pub use capabilities::{
    BODY_BYTES, Bounds, Capabilities, IMAGE_BYTES, Instructions, PixelBudget, Pixels, Ratios,
    Transports, between,
};
pub use date::Date;
pub use error::{Error, ErrorData, ErrorKind, Result, Stage, quotable};
pub use facts::{ImageFacts, MediaType};
pub use field::{Field, Holds};
pub use fixed::{List, Text};
pub use input::{ImageInput, ImageSource, Keep, Kept, Target, address_label};
pub use job::{
    Adapt, AdaptConvert, AdaptDrop, AdaptFit, AdaptFormat, AdaptNumber, AdaptSize, Job, OrderBy,
    Policy, Providers, Terms,
};
pub use later::Later;
pub use listing::Listing;
pub use model::{Admitted, ImageModel, Preview, Transport, Witness, Work};
pub use narrow::Narrowed;
pub use offer::{Offer, Retirement};
pub use outcome::{
    Adaptation, Attempt, Called, Hop, Image, Made, Outcome, Receipt, Warning, WarningCode,
};
pub use overlay::{OfferOverlay, Overlay};
pub use plan::{Candidate, OfferRefusals, Plan};
pub use price::{Estimate, Price, SizePrice, Usd};
pub use provenance::{Fact, Source, Sure, UNDECLARED, assumed, documented, observed};
pub use provider::{
    Auth, Call, Charge, Done, Endpoint, Handle, Payload, Phase, Picture, Provider, Rate, Reply,
    Step,
};
pub use refusal::{Refusal, RefusalCode};
pub use registry::Registry;
pub use request::{ImageRequest, OutputFormat};
pub use rule::Rule;
pub use shape::Checker;
pub use size::{Dimensions, Ratio, Size};
pub use store::{Budget, Filter, Period, Spend, Store, Submit, SubmitState};
pub use violation::Violation;
pub use vocabulary::{NotUnderstood, Slot, Vocabulary};
pub use wire::{Form, Owner, Wire, WireImage, non_null, whole, whole_or_absent};
