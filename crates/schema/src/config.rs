//! The configuration file of the program: what people would else repeat on every command line.

use std::collections::BTreeMap;

use repaint_core::Adapt;
use schemars::JsonSchema;
use serde::Deserialize;

/// What holds where neither the command line nor the environment says otherwise.
///
/// No key stands here: files of this kind are copied, shared and put under version control.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Who may take a request: models, offers or families; as `--model`.
    pub model: Vec<String>,
    /// The most that a command may cost, in US dollars; as `--max-cost`.
    #[schemars(range(min = 0))]
    pub max_cost: Option<f64>,
    /// Seconds until a command is given up; as `--timeout`.
    #[schemars(range(min = 1))]
    pub timeout: Option<u32>,
    /// What may be changed to make a request fit; as `--adapt`.
    pub adapt: Option<Adapt>,
    /// A file of facts that replace those of this release, from the folder of this file; as
    /// `--capabilities`.
    pub capabilities: Option<String>,
    /// The folder for pictures whose file no `--output` names, from the folder of this file.
    pub folder: Option<String>,
    /// How pictures are shown in a terminal; as `--show`.
    pub show: Option<Show>,
    /// What is different of a provider, by its id.
    pub providers: BTreeMap<String, ProviderConfig>,
    /// How much `repaint serve` takes at a time, and for how long.
    pub serve: Option<ServeConfig>,
}

/// How much `repaint serve` takes at a time, and for how long.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ServeConfig {
    /// Where it listens, such as `127.0.0.1:8080`; as `--listen`.
    pub listen: Option<String>,
    /// The file of those who may call, from the folder of this file; as `--callers`.
    pub callers: Option<String>,
    /// What is let in of your own when pictures are fetched, since only public addresses are: networks
    /// (`10.1.0.0/16`), addresses and names.
    pub allow: Vec<String>,
    /// The most megabytes (2^20 bytes) of one request's body; 64 by default.
    #[schemars(range(min = 1, max = 4096))]
    pub body_megabytes: Option<u32>,
    /// The most megabytes of the bodies of all requests together in memory; 64 by default.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub memory_megabytes: Option<u32>,
    /// The most megabytes of bodies and of kept answers in files without a name, when memory has no room;
    /// beyond that bodies wait for their turn. 4096 by default.
    #[schemars(range(min = 0, max = 1_048_576))]
    pub files_megabytes: Option<u32>,
    /// The megabytes of pictures that come in answers of providers, in memory, together; the next answer is
    /// read when others have gone out, or into files. 16 by default.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub answers_megabytes: Option<u32>,
    /// The most megabytes of pictures that are kept in memory for callers who ask again; 8 by default.
    #[schemars(range(min = 0, max = 1_048_576))]
    pub kept_megabytes: Option<u32>,
    /// How many connections may be open; 1024 by default.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections: Option<u32>,
    /// How many calls may be at work; 512 by default.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub calls: Option<u32>,
    /// Seconds that the body of a request may take; 120 by default.
    #[schemars(range(min = 1, max = 86_400))]
    pub body_seconds: Option<u32>,
    /// Seconds that a request waits for room before it is told to come back; 30 by default.
    #[schemars(range(min = 1, max = 86_400))]
    pub wait_seconds: Option<u32>,
    /// Seconds that an answer which nobody has taken is kept for the caller who asks again; 600 by default.
    #[schemars(range(min = 1, max = 86_400))]
    pub replay_seconds: Option<u32>,
    /// Seconds that calls may go on when it is told to stop; 30 by default.
    #[schemars(range(min = 0, max = 86_400))]
    pub drain_seconds: Option<u32>,
}

/// What is different of a provider.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProviderConfig {
    /// Where it is reached instead of its own address, with or without `/v1`.
    pub base_url: Option<String>,
}

/// How a terminal is told to show a picture.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[schemars(rename = "ShowWay")]
#[serde(rename_all = "lowercase")]
pub enum Show {
    /// What the terminal says that it understands; else blocks.
    Auto,
    /// The graphics protocol of kitty.
    Kitty,
    /// The inline images of iTerm2.
    Iterm,
    /// Sixels.
    Sixel,
    /// Two pixels a character.
    Blocks,
    /// Not at all.
    Never,
}
