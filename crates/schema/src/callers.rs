//! The file of callers: who may call `repaint serve`, for what and how often.

use schemars::JsonSchema;
use serde::Deserialize;

/// Who may call. It holds no secret.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Callers {
    /// Everybody who may call.
    // Absent is read as empty, for a better error than serde's; the schema requires it all the same.
    #[serde(default)]
    #[schemars(!default, length(min = 1))]
    pub caller: Vec<Caller>,
}

/// Somebody who may call, and for what.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Caller {
    /// What it is called: the account on which its orders are written down.
    #[schemars(regex(pattern = r"^[A-Za-z0-9._-]{1,64}$"))]
    pub name: String,
    /// The hash of its key: `sha256:` and the SHA-256 of the key's text in hex. More than one while a key
    /// is being changed for another.
    #[schemars(length(min = 1), inner(regex(pattern = r"^sha256:[0-9A-Fa-f]{64}$")))]
    pub hashes: Vec<String>,
    /// Which models it may use, by their names (`flux2-pro`) or those of offers (`together/flux2-pro`); `*`
    /// stands for anything. All if absent.
    #[schemars(length(min = 1), inner(regex(pattern = r"^[!-~]+$")))]
    pub models: Option<Vec<String>>,
    /// Which providers it may use; `*` stands for anything. All if absent.
    #[schemars(length(min = 1), inner(regex(pattern = r"^[!-~]+$")))]
    pub providers: Option<Vec<String>>,
    /// What it may spend, in US dollars.
    #[serde(default)]
    pub budget: CallerBudget,
    /// How often it may call in a minute.
    #[schemars(range(min = 1, max = MOST_OFTEN))]
    pub rate: Option<u32>,
    /// Whether it may send a provider's key of its own along, which then pays.
    #[serde(default)]
    pub own_keys: bool,
}

/// What may be spent, in US dollars; days and months begin at midnight UTC.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CallerBudget {
    /// In a day.
    #[schemars(range(min = 0, max = MOST_DOLLARS))]
    pub day: Option<f64>,
    /// In a month.
    #[schemars(range(min = 0, max = MOST_DOLLARS))]
    pub month: Option<f64>,
    /// At all.
    #[schemars(range(min = 0, max = MOST_DOLLARS))]
    pub ever: Option<f64>,
}

/// Beyond, a limit in a minute is none.
pub const MOST_OFTEN: u32 = 100_000;
/// Beyond, a number of dollars is not exact to a millionth any more.
pub const MOST_DOLLARS: f64 = 1e9;
