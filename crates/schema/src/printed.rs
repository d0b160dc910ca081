//! What the program prints with `--json`: a type for each command, and one for what failed.

use std::collections::BTreeMap;

use repaint_core::{
    Adaptation, Budget, Candidate, Error, ErrorData, Estimate, MediaType, OfferRefusals, Overlay,
    Receipt, Refusal, Spend, Submit, SubmitState, Usd, Violation, Warning,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::catalogue::Entry;

/// Instead of anything else, where a command fails; its exit code is that of the error.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Failure {
    /// What went wrong.
    #[schemars(with = "ErrorData")]
    pub error: Error,
    /// What the caller should know besides.
    pub warnings: Vec<Warning>,
}

/// Of `repaint edit`: the pictures, and how they were made.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Edit {
    /// The pictures, in the provider's order.
    pub files: Vec<PictureFile>,
    /// What was done.
    pub receipt: Receipt,
    /// The file that has the pictures side by side; absent if none was asked for or written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<String>,
}

/// A picture, and where it is.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct PictureFile {
    /// Its file; absent if it went to standard output, or could not be saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How many bytes it has.
    pub bytes: u64,
    /// What kind of file its bytes are; absent if they are of none that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// Pixels from left to right, if its bytes say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Pixels from top to bottom, if its bytes say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
}

/// Of `repaint key`: a key that was just made. It is kept nowhere.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct MadeKey {
    /// Whose it is.
    pub name: String,
    /// The key, which nobody can show again.
    pub key: String,
    /// Its hash, for the file of callers.
    pub hash: String,
    /// The lines for the file of callers, in TOML.
    pub entry: String,
}

/// Of `repaint jobs`: orders, the newest first.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Jobs {
    /// One for each order that is written down.
    pub jobs: Vec<ListedOrder>,
}

/// An order, and what can be done about it.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct ListedOrder {
    /// What has become of it by now: what nobody holds any more and was never answered is `unknown`.
    pub state: SubmitState,
    /// Whether `repaint resume` can fetch its pictures.
    pub resumable: bool,
    /// As it is written down.
    pub order: Submit,
}

/// Of `repaint spend`: what was spent.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Spent {
    /// By offer.
    pub offers: Vec<Spend>,
    /// All together.
    pub total: Estimate,
    /// How many orders have an outcome that nobody knows.
    pub unknown: u64,
}

/// Of `repaint budget`: every budget.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Budgets {
    /// One for each.
    pub budgets: Vec<ShownBudget>,
}

/// A budget, and what is left of it.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct ShownBudget {
    /// How much, and in which time.
    pub budget: Budget,
    /// What is spent in that time, or may be, in millionths of a US dollar.
    pub spent: Usd,
}

/// Of `repaint resume --all`: what came of each order.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct ResumeAll {
    /// One for each order that could be picked up.
    pub jobs: Vec<Resumed>,
}

/// What came of one order: pictures, or an `error`.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Resumed {
    /// The order.
    pub order: String,
    /// The pictures, and the receipt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brought: Option<Edit>,
    /// Why there are none.
    #[schemars(with = "Option<ErrorData>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
}

/// Of `repaint edit --each`: what came of each image.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct EditEach {
    /// One for each image that was begun, in their order.
    pub jobs: Vec<EditJob>,
    /// What all together were to cost.
    pub estimate: Estimate,
}

/// What came of one image: `files` and a `receipt`, or an `error`.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct EditJob {
    /// The image, as it was named.
    pub image: String,
    /// What it brought.
    #[serde(flatten)]
    pub brought: Option<Edit>,
    /// Why it brought nothing.
    #[schemars(with = "Option<ErrorData>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
    /// What the caller should know besides the error.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

/// Of `repaint explain`, and of `repaint edit --dry-run`: who would take a request.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Explain {
    /// Who would be asked first; absent if nobody would take it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer: Option<String>,
    /// What would be done, exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<ShownCall>,
    /// What would be changed of the request.
    pub adaptations: Vec<Adaptation>,
    /// What the caller should know.
    pub warnings: Vec<Warning>,
    /// What it may cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Estimate>,
    /// Who else would take it, in the order in which they would be tried.
    pub alternatives: Vec<Candidate>,
    /// Every other offer, with all its reasons.
    pub refusals: Vec<OfferRefusals>,
    /// The files that `edit` would write, but for their extensions, which follow the bytes; none if the
    /// picture would go to standard output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<String>>,
}

/// A call, without the key and without bytes of images: a `method` and a `url`, or `local`.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct ShownCall {
    /// The HTTP method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Where it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its headers, in their order.
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<Map<String, Value>>,
    /// Its body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// What is done in this process instead of a call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local: Option<Value>,
}

/// Of `repaint explain --each`, and of `repaint edit --each --dry-run`: who would take which image.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct ExplainEach {
    /// One for each image, in their order.
    pub jobs: Vec<ExplainJob>,
    /// What all together may cost.
    pub estimate: Estimate,
}

/// Who would take one image: an `offer`, or an `error`.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct ExplainJob {
    /// The image, as it was named.
    pub image: String,
    /// Who would be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer: Option<String>,
    /// What would be changed of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adaptations: Option<Vec<Adaptation>>,
    /// What the caller should know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warnings: Option<Vec<Warning>>,
    /// What it may cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Estimate>,
    /// The files that `edit` would write, but for their extensions, which follow the bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<String>>,
    /// Why nobody would be asked.
    #[schemars(with = "Option<ErrorData>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
}

/// Of `repaint models`: what can be asked.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Models {
    /// Offers by provider, then model.
    pub models: Vec<ListedModel>,
}

/// An offer as the catalogue has it, and whether it can be asked from here.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct ListedModel {
    /// What the catalogue has.
    #[serde(flatten)]
    pub entry: Entry,
    /// Whether its key is there, or none is needed.
    pub has_key: bool,
}

/// Of `repaint inspect`: what pictures are.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Inspect {
    /// One for each picture, in their order.
    pub images: Vec<InspectedImage>,
}

/// What one picture is, and what each offer would say of it; or an `error`.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct InspectedImage {
    /// The picture, as it was named.
    pub image: String,
    /// What kind of file its bytes are; absent for an address, which nobody has fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// Pixels from left to right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Pixels from top to bottom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// How many bytes it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Whether it has more than one frame, as far as its head shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub animated: Option<bool>,
    /// Bits a channel, as far as its head shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<u8>,
    /// What each offer that was asked for would say of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offers: Option<Vec<Opinion>>,
    /// Why it is no picture.
    #[schemars(with = "Option<ErrorData>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
}

/// What an offer says of a picture as its input.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Opinion {
    /// The offer.
    pub offer: String,
    /// Whether it takes it.
    pub takes: bool,
    /// Why not.
    pub reasons: Vec<Refusal>,
}

/// Of `repaint doctor`: what stands between this machine and a picture.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Doctor {
    /// The version of the program.
    pub version: String,
    /// The version of the set of schemas.
    pub schemas: String,
    /// Who speaks TLS, and whose certificates are trusted.
    pub tls: String,
    /// The operating system.
    pub os: String,
    /// The processor.
    pub arch: String,
    /// The configuration.
    pub config: ConfigSource,
    /// One for each provider with a host, by its id.
    pub providers: Vec<ReachedProvider>,
    /// The variables that name a proxy, without passwords.
    pub proxy: BTreeMap<String, String>,
    /// Who would make a watercolor painting of a photo; absent if nobody would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chosen: Option<Chosen>,
}

/// A provider, and the way to it.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct ReachedProvider {
    /// Its id.
    pub provider: String,
    /// The variable that has the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_env: Option<String>,
    /// Whether a key is there.
    pub has_key: bool,
    /// Where it is reached; absent if the address that is set is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Whether it answered; absent if it was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reached: Option<bool>,
    /// The HTTP status of its answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How long its answer took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<u64>,
    /// How far the clock of this machine is ahead of its clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_ahead_seconds: Option<i64>,
    /// Why it did not answer, or was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// An offer that would be asked.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Chosen {
    /// The offer.
    pub offer: String,
    /// What it may cost.
    pub estimate: Estimate,
}

/// Of `repaint validate`: what is wrong with a file.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Validate {
    /// What the file holds.
    pub what: Validated,
    /// Who was to take it; absent if a job was checked only for its shape.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer: Option<String>,
    /// Whether it is taken.
    pub valid: bool,
    /// Everything that is wrong with it.
    pub violations: Vec<Violation>,
}

/// What can be validated.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Validated {
    /// The body of an offer.
    Body,
    /// A job.
    Job,
}

/// Of `repaint probe`: what a provider says of its limits.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Probe {
    /// The probes that were answered, in order.
    pub probes: Vec<HeardProbe>,
    /// The file that has what was learned; absent if nothing was, or it could not be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlay: Option<String>,
    /// What was learned, where no file could be written: the content of an overlay.
    #[schemars(with = "Option<Map<String, Value>>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unwritten: Option<Overlay>,
    /// Whether a probe was taken, so that it may have been charged; absent if that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken: Option<bool>,
    /// What all probes would cost if every one were rendered, in millionths of a US dollar.
    pub worst_case: Usd,
    /// What ended it early.
    #[schemars(with = "Option<ErrorData>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
}

/// A probe, and what came of it.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct HeardProbe {
    /// The fact that it is about; absent if it is about strange fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fact: Option<String>,
    /// The field of the body that was beyond its limit.
    pub field: String,
    /// What stood in it, in short.
    pub sent: String,
    /// The HTTP status of the answer.
    pub status: u16,
    /// What the answer teaches.
    pub lesson: Lesson,
}

/// What an answer teaches of a fact.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Lesson {
    /// Whether the fact is as it was taken to be.
    pub verdict: LessonVerdict,
    /// In a few words.
    pub says: String,
    /// The value of the fact, where the answer states one that is to be kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

/// How a fact stands after a probe.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LessonVerdict {
    /// It is as it was taken to be.
    Confirmed,
    /// It is another.
    Differs,
    /// The answer says nothing of it.
    Nothing,
}

/// Of `repaint probe --dry-run`: what would be sent.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct ProbePlan {
    /// The probes, in order.
    pub probes: Vec<PlannedProbe>,
    /// What all would cost if every one were rendered, in millionths of a US dollar.
    pub worst_case: Usd,
}

/// A probe that would be sent.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct PlannedProbe {
    /// The fact that it is about; absent if it is about strange fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fact: Option<String>,
    /// The field of the body that would be beyond its limit.
    pub field: String,
    /// What it would cost if it were rendered, in millionths of a US dollar.
    pub at_most: Usd,
    /// The call.
    pub call: ShownCall,
}

/// Of `repaint config`: what holds where the command line says nothing.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct ShownConfig {
    /// Where it is read.
    pub config: ConfigSource,
    /// What is set, by name.
    pub settings: Vec<Setting>,
}

/// Where the configuration is read.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct ConfigSource {
    /// The file; absent if none is looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Whether the file is there and was read.
    pub read: bool,
    /// Why it could not be read.
    #[schemars(with = "Option<ErrorData>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
}

/// One thing that is set.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Setting {
    /// Its name in the file, such as `max_cost`.
    pub name: String,
    /// Its value, as the command line would have it.
    pub value: String,
    /// Who says so: the file with a line, or a variable.
    pub from: String,
}
