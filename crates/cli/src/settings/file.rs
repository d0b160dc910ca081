//! The configuration file: read as TOML, and whatever is wrong in it told with its line and the fix.

use std::env;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use repaint::{Adapt, Error, Result};
use repaint_gateway::Limits;
use repaint_schema::{Config, ServeConfig};
use toml::de::{DeTable, DeValue};
use url::Url;

use super::{Set, Settings, providers};
use crate::output::invalid;

/// So much alike is a name that was meant.
const ALIKE: f64 = 0.75;

/// What each name takes, and how it is written.
const TAKES: [(&str, &str, &str); 24] = [
    ("model", "a list of names", r#"model = ["flux2-pro"]"#),
    ("max_cost", "an amount in US dollars without a mark", "max_cost = 0.50"),
    ("timeout", "a whole number of seconds, 1 or more", "timeout = 300"),
    ("adapt", "methods by the field that may be changed", r#"adapt = { size = "nearest" }"#),
    ("capabilities", "a path in quotes", r#"capabilities = "facts.json""#),
    ("folder", "a path in quotes", r#"folder = "~/Pictures""#),
    ("show", "auto, kitty, iterm, sixel, blocks or never, in quotes", r#"show = "auto""#),
    (
        "providers",
        "a table for each provider",
        r#"providers.together.base_url = "http://127.0.0.1:8080""#,
    ),
    ("base_url", "an address in quotes", r#"base_url = "http://127.0.0.1:8080""#),
    ("serve", "a table of what a server holds to", r#"serve.listen = "127.0.0.1:8080""#),
    ("listen", "an address with a port in quotes", r#"listen = "127.0.0.1:8080""#),
    ("callers", "a path in quotes", r#"callers = "callers.toml""#),
    ("allow", "a list of networks, addresses and names", r#"allow = ["10.1.0.0/16"]"#),
    ("body_megabytes", MEGABYTES, "body_megabytes = 64"),
    ("memory_megabytes", MEGABYTES, "memory_megabytes = 64"),
    ("files_megabytes", MEGABYTES, "files_megabytes = 1024"),
    ("answers_megabytes", MEGABYTES, "answers_megabytes = 16"),
    ("kept_megabytes", MEGABYTES, "kept_megabytes = 8"),
    ("connections", "a whole number", "connections = 1024"),
    ("calls", "a whole number", "calls = 512"),
    ("body_seconds", SECONDS, "body_seconds = 120"),
    ("wait_seconds", SECONDS, "wait_seconds = 30"),
    ("replay_seconds", SECONDS, "replay_seconds = 600"),
    ("drain_seconds", SECONDS, "drain_seconds = 30"),
];
const MEGABYTES: &str = "a whole number of megabytes";
const SECONDS: &str = "a whole number of seconds";

/// What a name takes, in a sentence.
fn takes(name: &str) -> Option<String> {
    let (name, kind, example) = TAKES.iter().find(|it| it.0 == name)?;
    Some(format!("`{name}` takes {kind}, such as {example}"))
}

/// The text of a configuration, to tell where in it something stands.
pub(super) struct File<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
}

impl File<'_> {
    pub(super) fn set(&self, settings: &mut Settings) -> Result<()> {
        let table = DeTable::parse(self.text).map_err(|err| self.unreadable(&err))?;
        let table = table.get_ref();
        self.known(table)?;
        let config: Config =
            toml::from_str(self.text).map_err(|err| self.of_another_kind(table, &err))?;
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
            callers,
            allow,
            body_megabytes,
            memory_megabytes,
            files_megabytes,
            answers_megabytes,
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
        if let Some(callers) = callers {
            let value = self.beside(&callers);
            settings.callers = Some(Set { value, from: from("callers") });
        }
        for text in allow {
            let allowed = text.parse().map_err(|err: repaint::Error| {
                self.wrong(place("allow"), &format!("allow: {}", err.message()))
            })?;
            settings.allow.push(Set { value: allowed, from: from("allow") });
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
        megabytes(&mut limits.answers, number("answers_megabytes", answers_megabytes)?);
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
        let inner = |wanted: &str| {
            let found = table.iter().find(|(name, _)| name.get_ref() == wanted);
            match found.map(|it| it.1.get_ref()) {
                Some(DeValue::Table(inner)) => Some(inner),
                _ => None,
            }
        };
        if let Some(adapt) = inner("adapt") {
            self.known_of(adapt, &known(&schema["$defs"]["Adapt"]))?;
            for (field, method) in adapt {
                if let DeValue::String(method) = method.get_ref() {
                    let set = Adapt::default().set(&format!("{}={method}", field.get_ref()));
                    set.map_err(|why| self.wrong(Some(field.span()), &why))?;
                }
            }
        }
        if let Some(serve) = inner("serve") {
            self.known_of(serve, &known(&schema["$defs"]["ServeConfig"]))?;
        }
        if let Some(providers) = inner("providers") {
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

    /// What is no TOML, with what its name takes.
    fn unreadable(&self, err: &toml::de::Error) -> Error {
        let line = err.span().map(|it| self.line(&it)).unwrap_or(1);
        let text = self.text.lines().nth(line - 1).unwrap_or_default();
        let takes = text.split_once('=').and_then(|(name, _)| takes(name.trim()));
        let takes = takes.map(|it| format!("; {it}")).unwrap_or_default();
        self.wrong(err.span(), &format!("{}{takes}", err.message()))
    }

    /// A value of a kind that its name does not take.
    fn of_another_kind(&self, table: &DeTable<'_>, err: &toml::de::Error) -> Error {
        let names = names(table, err.span().map_or(0, |it| it.start));
        let why = names.iter().rev().find_map(|it| takes(it));
        let why = why.unwrap_or_else(|| err.message().to_owned());
        self.wrong(err.span(), &why)
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

/// The names that lead to what stands at a place in the text, the outermost first.
fn names<'a>(table: &'a DeTable<'_>, at: usize) -> Vec<&'a str> {
    // A table that is written over several lines has the place of its head only.
    for (name, value) in table {
        let inner = match value.get_ref() {
            DeValue::Table(inner) => names(inner, at),
            _ => Vec::new(),
        };
        if !inner.is_empty() || name.span().contains(&at) || value.span().contains(&at) {
            return [vec![name.get_ref().as_ref()], inner].concat();
        }
    }
    Vec::new()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> Result<Settings> {
        let mut settings = Settings::unread(Some(Path::new("/etc/repaint.toml")));
        File { path: Path::new("/etc/repaint.toml"), text }.set(&mut settings)?;
        Ok(settings)
    }

    #[test]
    fn a_fault_is_told_with_its_line_and_the_fix() {
        for (text, needle) in [
            (
                "timeout = 3\nmax_csot = 1\n",
                "line 2: `max_csot` means nothing here; did you mean `max_cost`?",
            ),
            ("colour = 1", "line 1: `colour` means nothing here; there are model, max_cost"),
            (
                "\n\ntimeout = \"long\"",
                "line 3: `timeout` takes a whole number of seconds, 1 or more, such as timeout = 300",
            ),
            ("timeout = 0", "line 1: 0 seconds are too few"),
            ("max_cost = -1", "line 1: `-1` is no amount in US dollars such as 0.05"),
            (
                "show = \"loud\"",
                "line 1: `show` takes auto, kitty, iterm, sixel, blocks or never, in quotes",
            ),
            ("[adapt]\nimages = \"drop\"", "line 2: `images` means nothing here; there are size"),
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
    fn whatever_can_be_set_says_what_it_takes() {
        let schema = repaint_schema::named("config").expect("a schema");
        let names = |of: &serde_json::Value| -> Vec<String> {
            of["properties"].as_object().expect("fields").keys().cloned().collect()
        };
        let of_a_server = names(&schema["$defs"]["ServeConfig"]);
        let names = names(&schema).into_iter().chain(["base_url".to_owned()]);
        for name in names.chain(of_a_server.clone()) {
            let name = name.as_str();
            let takes = takes(name).unwrap_or_else(|| panic!("say what `{name}` takes"));
            let (_, example) = takes.split_once("such as ").expect("an example");
            let text = match name {
                "base_url" => format!("[providers.together]\n{example}"),
                _ if of_a_server.iter().any(|it| it == name) => format!("[serve]\n{example}"),
                _ => example.to_owned(),
            };
            set(&text).unwrap_or_else(|err| panic!("{example}: {err}"));
        }
    }
}
