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
