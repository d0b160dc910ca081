//! What holds where the command line says nothing: the environment, and below it the configuration file.

mod file;

use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use repaint::{Adapt, Client, Error, ErrorKind, Policy, Provider, Registry, Result, Usd};
use repaint_fetch::Allow;
use repaint_gateway::Limits;
use repaint_schema::Show;
use repaint_schema::printed::{ConfigSource, Setting};
use url::Url;

use crate::args::{Command, Way};
use crate::ask;
use crate::output::invalid;
use crate::settings::file::File;

/// Instead of a file: none is read.
pub(crate) const NONE: &str = "none";
/// A configuration is shorter.
const LIMIT: u64 = 1 << 20;

/// A value, and who says so.
#[derive(Clone, Debug)]
pub(crate) struct Set<T> {
    pub(crate) value: T,
    pub(crate) from: String,
}

/// What is set.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) source: ConfigSource,
    model: Option<Set<Vec<String>>>,
    max_cost: Option<Set<Usd>>,
    timeout: Option<Set<u32>>,
    adapt: Option<Set<Vec<String>>>,
    capabilities: Option<Set<PathBuf>>,
    folder: Option<Set<PathBuf>>,
    show: Option<Set<Way>>,
    bases: Vec<(String, Set<Url>)>,
    serve: Vec<(&'static str, Set<String>)>,
    callers: Option<Set<PathBuf>>,
    pub(crate) allow: Vec<Set<Allow>>,
    pub(crate) limits: Limits,
}

/// What the command line left open, as it was filled in.
pub(crate) struct Filled {
    values: Vec<String>,
    /// What is set, and by whom.
    pub(crate) said: String,
}

/// Where a configuration is looked for.
struct Place {
    path: PathBuf,
    /// Whether somebody named it, so that it must be there.
    named: bool,
}

impl Filled {
    /// Whether an error speaks of it, which whoever wrote the command line has never seen.
    pub(crate) fn is_in(&self, error: &Error) -> bool {
        let refused = error.kind() == ErrorKind::Refused;
        refused || self.values.iter().any(|it| error.message().contains(it.as_str()))
    }
}

impl Settings {
    /// Reads the file that `--config` names, or else the environment, or the usual one; then the
    /// environment, which wins.
    pub(crate) fn load(wanted: Option<&Path>) -> Result<Self> {
        let place = place(wanted);
        let mut settings = Self::unread(wanted);
        if let Some(text) = place.as_ref().map(read).transpose()?.flatten()
            && let Some(Place { path, named: _ }) = &place
        {
            settings.source.read = true;
            File { path, text: &text }.set(&mut settings)?;
        }
        settings.set_from(&|name| env::var(name).ok().filter(|it| !it.trim().is_empty()))?;
        Ok(settings)
    }

    /// Nothing but where it would be read.
    pub(crate) fn unread(wanted: Option<&Path>) -> Self {
        let path = place(wanted).map(|it| crate::show::path(&it.path));
        Self {
            source: ConfigSource { path, read: false, error: None },
            model: None,
            max_cost: None,
            timeout: None,
            adapt: None,
            capabilities: None,
            folder: None,
            show: None,
            bases: Vec::new(),
            serve: Vec::new(),
            callers: None,
            allow: Vec::new(),
            limits: Limits::default(),
        }
    }

    /// Fills in what the command line left open; returns what that was.
    pub(crate) fn fill(&self, command: &mut Command) -> Vec<Filled> {
        let mut filled = Vec::new();
        let mut told = |option: &str, values: &[String], from: &str| {
            let said = values.join(&format!(" --{option} "));
            let said = format!("--{option} {said} is set by {from}");
            filled.push(Filled { values: values.to_vec(), said });
        };
        let capabilities = match command {
            Command::Edit(ask) | Command::Explain(ask) => {
                if let Some(Set { value, from }) =
                    self.model.as_ref().filter(|_| ask.model.is_empty())
                {
                    ask.model.clone_from(value);
                    told("model", value, from);
                }
                if let Some(Set { value, from }) =
                    self.adapt.as_ref().filter(|_| ask.adapt.is_empty())
                {
                    ask.adapt.clone_from(value);
                    told("adapt", value, from);
                }
                if let Some(Set { value, from }) =
                    self.max_cost.as_ref().filter(|_| ask.max_cost.is_none())
                {
                    ask.max_cost = Some(*value);
                    told("max-cost", &[value.to_string()], from);
                }
                if let Some(Set { value, from }) =
                    self.timeout.as_ref().filter(|_| ask.timeout.is_none())
                {
                    ask.timeout = Some(*value);
                    told("timeout", &[value.to_string()], from);
                }
                ask.folder = self.folder.as_ref().map(|it| it.value.clone());
                // Whoever reads the output of a script sees no picture in it, and needs no word of that.
                if ask.show.is_none() && !ask.json && io::stdout().is_terminal() {
                    ask.show = self.show.as_ref().map(|it| it.value);
                }
                &mut ask.capabilities
            }
            Command::Probe(args) => {
                args.timeout = args.timeout.or(self.timeout.as_ref().map(|it| it.value));
                &mut args.capabilities
            }
            #[cfg(feature = "emulator")]
            Command::Emulate(args) => &mut args.capabilities,
            Command::Serve(args) => {
                args.listen = args.listen.or_else(|| self.listen());
                if let Some(Set { value, from }) =
                    self.callers.as_ref().filter(|_| args.callers.is_none())
                {
                    args.callers = Some(value.clone());
                    told("callers", &[value.display().to_string()], from);
                }
                &mut args.capabilities
            }
            Command::Models(args) => &mut args.capabilities,
            Command::Inspect(args) => &mut args.capabilities,
            Command::Doctor(args) => &mut args.capabilities,
            Command::Validate(args) => &mut args.capabilities,
            Command::Config(_)
            | Command::Resume(_)
            | Command::Jobs(_)
            | Command::Spend(_)
            | Command::Budget(_)
            | Command::Key(_)
            | Command::Schema { .. }
            | Command::Completions { .. }
            | Command::Man { .. } => return filled,
        };
        if let Some(Set { value, from }) =
            self.capabilities.as_ref().filter(|_| capabilities.is_none())
        {
            *capabilities = Some(value.clone());
            told("capabilities", &[value.display().to_string()], from);
        }
        filled
    }

    /// Where a server listens.
    pub(crate) fn listen(&self) -> Option<SocketAddr> {
        let listen = self.serve.iter().find(|it| it.0 == "listen")?;
        listen.1.value.parse().ok()
    }

    /// What holds for a request that says nothing else.
    pub(crate) fn policy(&self) -> Policy {
        let mut adapt = Adapt::default();
        for text in self.adapt.iter().flat_map(|it| &it.value) {
            // It was read before.
            let _ = adapt.set(text);
        }
        Policy {
            adapt,
            max_cost: self.max_cost.as_ref().map(|it| it.value),
            timeout_seconds: self.timeout.as_ref().map(|it| it.value),
            ..Policy::default()
        }
    }

    /// A client that reaches providers where they are said to be.
    pub(crate) fn client(&self, registry: &Registry) -> Result<Client> {
        self.client_builder(registry).build()
    }

    /// The same, not made yet.
    pub(crate) fn client_builder(&self, registry: &Registry) -> repaint_client::Builder {
        let mut builder = Client::builder();
        for (id, base) in &self.bases {
            let provider = registry.models().map(|it| it.provider()).find(|it| it.id == id);
            if provider.is_some_and(|it| base_of(it).is_none()) {
                builder = builder.base(id, base.value.clone());
            }
        }
        builder
    }

    /// All that is set, by name.
    pub(crate) fn shown(&self, registry: &Registry) -> Vec<Setting> {
        let mut shown = Vec::new();
        let mut add = |name: &str, value: String, from: &str| {
            shown.push(Setting { name: name.to_owned(), value, from: from.to_owned() });
        };
        if let Some(Set { value, from }) = &self.model {
            add("model", value.join(", "), from);
        }
        if let Some(Set { value, from }) = &self.max_cost {
            add("max_cost", value.to_string(), from);
        }
        if let Some(Set { value, from }) = &self.timeout {
            add("timeout", value.to_string(), from);
        }
        if let Some(Set { value, from }) = &self.adapt {
            add("adapt", value.join(", "), from);
        }
        if let Some(Set { value, from }) = &self.capabilities {
            add("capabilities", crate::show::path(value), from);
        }
        if let Some(Set { value, from }) = &self.folder {
            add("folder", crate::show::path(value), from);
        }
        if let Some(Set { value, from }) = &self.show {
            add("show", name_of(*value), from);
        }
        if let Some(Set { value, from }) = &self.callers {
            add("serve.callers", crate::show::path(value), from);
        }
        for Set { value, from } in &self.allow {
            add("serve.allow", value.to_string(), from);
        }
        for (name, Set { value, from }) in &self.serve {
            add(&format!("serve.{name}"), value.clone(), from);
        }
        for provider in providers(registry) {
            let name = format!("providers.{}.base_url", provider.id);
            let file = self.bases.iter().find(|(id, _)| id == provider.id);
            match (base_of(provider), file) {
                (Some((env, value)), _) => add(&name, crate::doctor::unlocked(&value), env),
                (None, Some((_, Set { value, from }))) => add(&name, value.to_string(), from),
                (None, None) => {}
            }
        }
        shown
    }

    /// What variables say; they win over the file.
    fn set_from(&mut self, env: &dyn Fn(&str) -> Option<String>) -> Result<()> {
        let list = |it: &str| it.split(',').map(|it| it.trim().to_owned()).collect::<Vec<_>>();
        let set = |name: &str| env(name).map(|value| Set { value, from: name.to_owned() });
        if let Some(Set { value, from }) = set("REPAINT_MODEL") {
            self.model = Some(Set { value: list(&value), from });
        }
        if let Some(Set { value, from }) = set("REPAINT_MAX_COST") {
            let value = value.trim().parse().map_err(|why| invalid(format!("{from}: {why}")))?;
            self.max_cost = Some(Set { value, from });
        }
        if let Some(Set { value, from }) = set("REPAINT_TIMEOUT") {
            let seconds = value.trim().parse().ok().filter(|it| 0 < *it);
            let value = seconds.ok_or_else(|| {
                invalid(format!("{from}: `{value}` is no number of seconds such as 300"))
            })?;
            self.timeout = Some(Set { value, from });
        }
        if let Some(Set { value, from }) = set("REPAINT_ADAPT") {
            let value = list(&value);
            let mut adapt = Adapt::default();
            for text in &value {
                adapt.set(text).map_err(|why| invalid(format!("{from}: {why}")))?;
            }
            self.adapt = Some(Set { value, from });
        }
        if let Some(Set { value, from }) = set("REPAINT_CAPABILITIES") {
            self.capabilities = Some(Set { value: value.into(), from });
        }
        if let Some(Set { value, from }) = set("REPAINT_FOLDER") {
            self.folder = Some(Set { value: value.into(), from });
        }
        if let Some(Set { value, from }) = set("REPAINT_SHOW") {
            let way = Way::from_str(value.trim(), false).map_err(|_| {
                let ways: Vec<String> =
                    Way::value_variants().iter().copied().map(name_of).collect();
                invalid(format!(
                    "{from}: `{value}` is no way to show a picture; there are {}",
                    ways.join(", ")
                ))
            })?;
            self.show = Some(Set { value: way, from });
        }
        Ok(())
    }
}

/// The variable that replaces the address of a provider, where it is set.
fn base_of(provider: &Provider) -> Option<(&'static str, String)> {
    let env = provider.endpoint.as_ref()?.base_env;
    let value = env::var(env).ok().filter(|it| !it.trim().is_empty())?;
    Some((env, value))
}

/// Those that are reached over a network, each once.
fn providers(registry: &Registry) -> impl Iterator<Item = &'static Provider> {
    let mut hosted: Vec<&'static Provider> =
        registry.models().map(|it| it.provider()).filter(|it| it.endpoint.is_some()).collect();
    hosted.sort_by_key(|it| it.id);
    hosted.dedup_by_key(|it| it.id);
    hosted.into_iter()
}

fn read(place: &Place) -> Result<Option<String>> {
    if !place.named && !place.path.exists() {
        return Ok(None);
    }
    ask::text(&place.path, LIMIT).map(Some)
}

/// The file that is read: what the command line or the environment names, or else the usual one.
fn place(wanted: Option<&Path>) -> Option<Place> {
    let named = wanted
        .map(Path::to_path_buf)
        .or_else(|| env::var_os("REPAINT_CONFIG").filter(|it| !it.is_empty()).map(PathBuf::from));
    match named {
        Some(path) if path == Path::new(NONE) => None,
        Some(path) => Some(Place { path, named: true }),
        None => usual(env::consts::OS, &|name| env::var_os(name))
            .map(|path| Place { path, named: false }),
    }
}

/// Where programs of this system keep such files; `None` where nobody says whose home it is.
fn usual(os: &str, env: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name: &str| env(name).filter(|it| !it.is_empty()).map(PathBuf::from);
    let base = match os {
        "windows" => folder("APPDATA")?,
        "macos" => folder("HOME")?.join("Library").join("Application Support"),
        // ref: <https://specifications.freedesktop.org/basedir-spec/latest/>: a relative one is none.
        _ => match folder("XDG_CONFIG_HOME").filter(|it| it.is_absolute()) {
            Some(base) => base,
            None => folder("HOME")?.join(".config"),
        },
    };
    Some(base.join("repaint").join("config.toml"))
}

impl From<Show> for Way {
    fn from(show: Show) -> Self {
        match show {
            Show::Auto => Self::Auto,
            Show::Kitty => Self::Kitty,
            Show::Iterm => Self::Iterm,
            Show::Sixel => Self::Sixel,
            Show::Blocks => Self::Blocks,
            Show::Never => Self::Never,
        }
    }
}

fn name_of(way: Way) -> String {
    way.to_possible_value().map_or_else(String::new, |it| it.get_name().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> Result<Settings> {
        let mut settings = Settings::unread(Some(Path::new("/etc/repaint.toml")));
        File { path: Path::new("/etc/repaint.toml"), text }.set(&mut settings)?;
        Ok(settings)
    }

    #[test]
    fn every_system_has_its_usual_place() {
        let env = |name: &str| match name {
            "HOME" => Some("/home/me".into()),
            "APPDATA" => Some("roaming".into()),
            _ => None,
        };
        let at = |os: &str, env: &dyn Fn(&str) -> Option<OsString>| usual(os, env);
        let tail = |base: &[&str]| {
            let parts = base.iter().chain(&["repaint", "config.toml"]);
            Some(parts.collect::<PathBuf>())
        };
        assert_eq!(at("linux", &env), tail(&["/home/me", ".config"]));
        assert_eq!(at("macos", &env), tail(&["/home/me", "Library", "Application Support"]));
        assert_eq!(at("windows", &env), tail(&["roaming"]));
        let base = |base: &'static str| {
            move |name: &str| match name {
                "XDG_CONFIG_HOME" => Some(base.into()),
                other => env(other),
            }
        };
        #[cfg(unix)]
        assert_eq!(at("linux", &base("/srv/config")), tail(&["/srv/config"]));
        assert_eq!(at("linux", &base("config")), tail(&["/home/me", ".config"]));
        assert_eq!(at("linux", &|_| None), None);
    }

    #[test]
    fn a_variable_wins_over_the_file() {
        let mut settings =
            set("timeout = 3\nmax_cost = 0.05\ncapabilities = \"facts.json\"").unwrap();
        let env = |name: &str| (name == "REPAINT_TIMEOUT").then(|| "7".to_owned());
        settings.set_from(&env).unwrap();
        let timeout = settings.timeout.unwrap();
        assert_eq!((timeout.value, timeout.from.as_str()), (7, "REPAINT_TIMEOUT"));
        let max_cost = settings.max_cost.unwrap();
        assert_eq!(
            (max_cost.value, max_cost.from.as_str()),
            (Usd(50_000), "/etc/repaint.toml, line 2")
        );
        assert_eq!(settings.capabilities.unwrap().value, Path::new("/etc/facts.json"));
        for (name, value) in [
            ("REPAINT_TIMEOUT", "0"),
            ("REPAINT_MAX_COST", "much"),
            ("REPAINT_ADAPT", "size=nearest,images=drop"),
            ("REPAINT_SHOW", "loud"),
        ] {
            let env = |it: &str| (it == name).then(|| value.to_owned());
            let err = set("").unwrap().set_from(&env).expect_err(name);
            assert!(err.message().starts_with(&format!("{name}: ")), "{err}");
        }
    }
}
