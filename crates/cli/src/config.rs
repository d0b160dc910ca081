//! `repaint config`: what holds where the command line says nothing, and who says so.

use repaint::Result;
use repaint_schema::printed::{ConfigSource, ShownConfig};

use crate::args::Config;
use crate::settings::Settings;
use crate::show;

/// What somebody begins a configuration with; nothing of it holds before its mark is taken away.
pub(crate) const EXAMPLE: &str = include_str!("config.toml");

pub(crate) fn run(args: &Config, settings: &Settings) -> Result<()> {
    if args.example {
        show::result(EXAMPLE);
        return Ok(());
    }
    let source = &settings.source;
    if args.path {
        show::result(&format!("{}\n", source.path.as_deref().unwrap_or(crate::settings::NONE)));
        return Ok(());
    }
    let shown = settings.shown(&repaint::registry()?);
    if args.json {
        show::json(&ShownConfig { config: source.clone(), settings: shown });
        return Ok(());
    }
    show::said(&told(source));
    if shown.is_empty() {
        show::said("nothing is set; `repaint config --example` prints a file to start from");
        return Ok(());
    }
    let rows: Vec<Vec<String>> =
        shown.into_iter().map(|it| vec![it.name, it.value, it.from]).collect();
    show::result(&show::table(&rows, &["name", "value", "set by"]));
    Ok(())
}

/// Where the configuration is, in words.
pub(crate) fn told(source: &ConfigSource) -> String {
    match source {
        ConfigSource { error: Some(error), .. } => format!("the configuration is wrong: {error}"),
        ConfigSource { path: Some(path), read: true, .. } => format!("the configuration is {path}"),
        ConfigSource { path: Some(path), .. } => {
            format!("there is no configuration; it would be {path}")
        }
        ConfigSource { path: None, .. } => "no configuration is looked for".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_names_everything_that_can_be_set() {
        let whole: String = EXAMPLE
            .lines()
            .map(|it| it.strip_prefix('#').filter(|it| !it.starts_with(' ')).unwrap_or(it))
            .map(|it| format!("{it}\n"))
            .collect();
        let table: toml::de::DeTable<'_> =
            toml::de::DeTable::parse(&whole).expect("TOML").into_inner();
        let schema = repaint_schema::named("config").expect("a schema");
        for name in schema["properties"].as_object().expect("fields").keys() {
            assert!(table.iter().any(|it| it.0.get_ref() == name), "{name} is not in the example");
        }
        toml::from_str::<repaint_schema::Config>(&whole).expect("a configuration");
        toml::from_str::<repaint_schema::Config>(EXAMPLE).expect("an empty configuration");
    }
}
