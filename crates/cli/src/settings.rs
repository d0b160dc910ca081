//! What holds where the command line says nothing: the environment, and below it the configuration file.

use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use repaint::{Adapt, Client, Error, ErrorKind, Policy, Provider, Registry, Result, Usd};
use repaint_gateway::Limits;
use repaint_schema::printed::{ConfigSource, Setting};
use repaint_schema::{Config, ServeConfig, Show};
use toml::de::{DeTable, DeValue};
use url::Url;

use crate::args::{Command, Way};
use crate::ask;
use crate::output::invalid;

/// Instead of a file: none is read.
pub(crate) const NONE: &str = "none";
/// A configuration is shorter.
const LIMIT: u64 = 1 << 20;
/// So much alike is a name that was meant.
const ALIKE: f64 = 0.75;

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
        let mut builder = Client::builder();
        for (id, base) in &self.bases {
            let provider = registry.models().map(|it| it.provider()).find(|it| it.id == id);
            if provider.is_some_and(|it| base_of(it).is_none()) {
                builder = builder.base(id, base.value.clone());
            }
        }
        builder.build()
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

/// The text of a configuration, to tell where in it something stands.
struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn set(&self, settings: &mut Settings) -> Result<()> {
        let table =
            DeTable::parse(self.text).map_err(|err| self.wrong(err.span(), err.message()))?;
        let table = table.get_ref();
        self.known(table)?;
        let config: Config =
            toml::from_str(self.text).map_err(|err| self.wrong(err.span(), err.message()))?;
        let Config {
            model,
            max_cost,
            timeout,
            adapt,
            capabilities,
            folder,
            show,
            providers,
            serve,
        } = config;
        let from = |path: &[&str]| {
            let line = span(table, path).map(|it| format!(", line {}", self.line(&it)));
            format!("{}{}", self.path.display(), line.unwrap_or_default())
        };
        let wrong = |path: &[&str], why: &str| self.wrong(span(table, path), why);
        if !model.is_empty() {
            settings.model = Some(Set { value: model, from: from(&["model"]) });
        }
        if let Some(dollars) = max_cost {
            let value =
                dollars.to_string().parse().map_err(|why: String| wrong(&["max_cost"], &why))?;
            settings.max_cost = Some(Set { value, from: from(&["max_cost"]) });
        }
        if let Some(value) = timeout {
            if value == 0 {
                return Err(wrong(&["timeout"], "0 seconds are too few: 1 is the least"));
            }
            settings.timeout = Some(Set { value, from: from(&["timeout"]) });
        }
        let adapt = serde_json::to_value(adapt).unwrap_or_default();
        let adapt = adapt.as_object().into_iter().flatten();
        let adapt: Vec<String> = adapt
            .filter_map(|(field, method)| Some(format!("{field}={}", method.as_str()?)))
            .collect();
        if !adapt.is_empty() {
            settings.adapt = Some(Set { value: adapt, from: from(&["adapt"]) });
        }
        settings.capabilities =
            capabilities.map(|it| Set { value: self.beside(&it), from: from(&["capabilities"]) });
        settings.folder = folder.map(|it| Set { value: self.beside(&it), from: from(&["folder"]) });
        settings.show = show.map(|it| Set { value: it.into(), from: from(&["show"]) });
        if let Some(serve) = serve {
            self.set_serve(serve, table, settings)?;
        }
        if providers.is_empty() {
            return Ok(());
        }
        let registry = repaint::registry()?;
        let hosted: Vec<&str> = self::providers(&registry).map(|it| it.id).collect();
        for (id, provider) in providers {
            if !hosted.contains(&id.as_str()) {
                let why = format!("no provider is called `{id}`; there are {}", hosted.join(", "));
                return Err(wrong(&["providers", &id], &why));
            }
            let Some(base) = provider.base_url else { continue };
            let path = ["providers", &id, "base_url"];
            let url = Url::parse(&base).ok().filter(|it| {
                let open = it.username().is_empty() && it.password().is_none();
                matches!(it.scheme(), "http" | "https") && it.has_host() && open
            });
            let value = url.ok_or_else(|| {
                wrong(
                    &path,
                    "base_url is no plain http or https address (a key comes from the environment)",
                )
            })?;
            let from = from(&path);
            settings.bases.push((id, Set { value, from }));
        }
        Ok(())
    }

    /// What a server holds to; within the limits that the schema says.
    fn set_serve(
        &self,
        serve: ServeConfig,
        table: &DeTable<'_>,
        settings: &mut Settings,
    ) -> Result<()> {
        let schema = repaint_schema::named("config").unwrap_or_default();
        let ServeConfig {
            listen,
            body_megabytes,
            memory_megabytes,
            files_megabytes,
            kept_megabytes,
            connections,
            calls,
            body_seconds,
            wait_seconds,
            replay_seconds,
            drain_seconds,
        } = serve;
        let place = |name: &str| span(table, &["serve", name]);
        let from = |name: &str| {
            let line = place(name).map(|it| format!(", line {}", self.line(&it)));
            format!("{}{}", self.path.display(), line.unwrap_or_default())
        };
        if let Some(listen) = listen {
            listen.parse::<SocketAddr>().map_err(|_| {
                let why = "listen is an address with a port, such as 127.0.0.1:8080";
                self.wrong(place("listen"), why)
            })?;
            settings.serve.push(("listen", Set { value: listen, from: from("listen") }));
        }
        let mut number = |name: &'static str, value: Option<u32>| -> Result<Option<u64>> {
            let Some(value) = value else { return Ok(None) };
            let limit = &schema["$defs"]["ServeConfig"]["properties"][name];
            let (least, most) = (limit["minimum"].as_u64(), limit["maximum"].as_u64());
            let (least, most) = (least.unwrap_or(0), most.unwrap_or(u64::MAX));
            if !(least..=most).contains(&u64::from(value)) {
                let why = format!("{name} must be {least} to {most}, not {value}");
                return Err(self.wrong(place(name), &why));
            }
            settings.serve.push((name, Set { value: value.to_string(), from: from(name) }));
            Ok(Some(value.into()))
        };
        let mut limits = Limits::default();
        let megabytes = |to: &mut u64, it: Option<u64>| *to = it.map_or(*to, |it| it << 20);
        let seconds =
            |to: &mut Duration, it: Option<u64>| *to = it.map_or(*to, Duration::from_secs);
        let count = |to: &mut usize, it: Option<u64>| {
            *to = it.and_then(|it| usize::try_from(it).ok()).unwrap_or(*to);
        };
        megabytes(&mut limits.body, number("body_megabytes", body_megabytes)?);
        megabytes(&mut limits.memory, number("memory_megabytes", memory_megabytes)?);
        megabytes(&mut limits.files, number("files_megabytes", files_megabytes)?);
        megabytes(&mut limits.kept, number("kept_megabytes", kept_megabytes)?);
        count(&mut limits.connections, number("connections", connections)?);
        count(&mut limits.calls, number("calls", calls)?);
        seconds(&mut limits.body_time, number("body_seconds", body_seconds)?);
        seconds(&mut limits.wait, number("wait_seconds", wait_seconds)?);
        seconds(&mut limits.replay, number("replay_seconds", replay_seconds)?);
        seconds(&mut limits.drain, number("drain_seconds", drain_seconds)?);
        settings.limits = limits;
        Ok(())
    }

    /// Fails at the first name that means nothing, with the one that was meant.
    fn known(&self, table: &DeTable<'_>) -> Result<()> {
        let schema = repaint_schema::named("config").unwrap_or_default();
        let known = |of: &serde_json::Value| -> Vec<String> {
            of["properties"].as_object().into_iter().flatten().map(|it| it.0.clone()).collect()
        };
        self.known_of(table, &known(&schema))?;
        let serve = table.iter().find(|(name, _)| name.get_ref() == "serve");
        if let Some(DeValue::Table(serve)) = serve.map(|it| it.1.get_ref()) {
            self.known_of(serve, &known(&schema["$defs"]["ServeConfig"]))?;
        }
        let providers = table.iter().find(|(name, _)| name.get_ref() == "providers");
        if let Some(DeValue::Table(providers)) = providers.map(|it| it.1.get_ref()) {
            let names = known(&schema["$defs"]["ProviderConfig"]);
            for provider in providers.values() {
                if let DeValue::Table(provider) = provider.get_ref() {
                    self.known_of(provider, &names)?;
                }
            }
        }
        Ok(())
    }

    fn known_of(&self, table: &DeTable<'_>, known: &[String]) -> Result<()> {
        for (name, _) in table {
            let (span, name) = (name.span(), name.get_ref().as_ref());
            if known.iter().any(|it| it == name) {
                continue;
            }
            let plain: String = name.to_lowercase().replace('-', "_");
            if ["key", "token", "secret"].iter().any(|it| plain.contains(it)) {
                let why = format!(
                    "`{name}` cannot stand here: files like this are copied and shared, so keys come only \
                     from the environment, such as TOGETHER_API_KEY"
                );
                return Err(self.wrong(Some(span), &why));
            }
            let likeness = |it: &String| strsim::jaro_winkler(it, &plain);
            let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
            let hint = match nearest.filter(|it| ALIKE < likeness(it)) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("there are {}", known.join(", ")),
            };
            return Err(self.wrong(Some(span), &format!("`{name}` means nothing here; {hint}")));
        }
        Ok(())
    }

    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.as_bytes().iter().take(span.start);
        1 + before.filter(|it| **it == b'\n').count()
    }

    fn wrong(&self, span: Option<Range<usize>>, why: &str) -> Error {
        let line = span.map(|it| format!(", line {}", self.line(&it))).unwrap_or_default();
        let why = why.lines().collect::<Vec<_>>().join("; ");
        invalid(format!("{}{line}: {why}", self.path.display()))
    }

    /// A path in the file: from its folder, or from the home folder where it begins with `~/`.
    fn beside(&self, text: &str) -> PathBuf {
        if let Some(rest) = text.strip_prefix("~/")
            && let Some(home) = env::home_dir()
        {
            return home.join(rest);
        }
        self.path.parent().unwrap_or(Path::new("")).join(text)
    }
}

/// Where in the text a value stands.
fn span(table: &DeTable<'_>, path: &[&str]) -> Option<Range<usize>> {
    let (first, rest) = path.split_first()?;
    let (name, value) = table.iter().find(|(name, _)| name.get_ref() == *first)?;
    match value.get_ref() {
        DeValue::Table(inner) if !rest.is_empty() => span(inner, rest),
        _ => Some(name.span()),
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
    fn a_fault_is_told_with_its_line_and_the_fix() {
        for (text, needle) in [
            (
                "timeout = 3\nmax_csot = 1\n",
                "line 2: `max_csot` means nothing here; did you mean `max_cost`?",
            ),
            ("colour = 1", "line 1: `colour` means nothing here; there are model, max_cost"),
            ("\n\ntimeout = \"long\"", "line 3: invalid type: string \"long\""),
            ("timeout = 0", "line 1: 0 seconds are too few"),
            ("max_cost = -1", "line 1: `-1` is no amount in US dollars such as 0.05"),
            ("show = \"loud\"", "line 1: unknown variant `loud`, expected one of `auto`"),
            (
                "[adapt]\nimages = \"drop\"",
                "line 2: unknown field `images`, expected one of `size`",
            ),
            ("model = [", "line 1: "),
            (
                "[providers.togehter]\nbase_url = \"http://a\"",
                "line 1: no provider is called `togehter`; there are bfl, together",
            ),
            (
                "[providers.together]\nbase_url = \"http://me:secret@a\"",
                "line 2: base_url is no plain http or https address",
            ),
            ("[providers.together]\napi_key = \"s3cr3t\"", "line 2: `api_key` cannot stand here"),
        ] {
            let err = set(text).expect_err(text);
            assert!(err.message().starts_with("/etc/repaint.toml, "), "{err}");
            assert!(err.message().contains(needle), "{needle}: {err}");
            assert!(
                !err.message().contains("s3cr3t") && !err.message().contains("secret@"),
                "{err}"
            );
        }
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
