//! `repaint models`: what can be asked, and what it takes.

use repaint::{Error, ErrorKind, ImageModel, Pixels, Price, Ratios, Registry, Result, Sure};
use repaint_schema::printed::{ListedModel, Models as Printed};
use repaint_schema::{Entry, catalogue};

use crate::args::Models;
use crate::settings::Settings;
use crate::{ask, show};

pub(crate) fn run(args: &Models, settings: &Settings) -> Result<()> {
    let registry = ask::registry(args.capabilities.as_deref())?;
    if let Some(provider) = &args.provider {
        known(&registry, provider)?;
    }
    let mut named = Vec::new();
    for name in &args.ids {
        named.extend(registry.resolve(name)?.iter().map(|it| it.id().to_owned()));
    }
    let wanted = |it: &Entry| {
        (named.is_empty() || named.contains(&it.id))
            && args.provider.as_ref().is_none_or(|provider| it.provider == *provider)
            && args.images.is_none_or(|images| it.accepts.images.value.contains(&images))
    };
    let client = settings.client(&registry)?;
    let has_key = |it: &Entry| {
        let provider = registry.get(&it.id).map(|it| it.provider());
        it.key.is_none() || provider.is_some_and(|it| client.has_key(it))
    };
    let entries: Vec<Entry> = catalogue(&registry).models.into_iter().filter(wanted).collect();
    if args.json {
        let listed = |entry: Entry| ListedModel { has_key: has_key(&entry), entry };
        show::json(&Printed { models: entries.into_iter().map(listed).collect() });
        return Ok(());
    }
    if entries.is_empty() {
        show::note("no model takes that; `repaint models` lists all");
        return Ok(());
    }
    let rows: Vec<Vec<String>> = entries
        .iter()
        .filter_map(|entry| registry.get(&entry.id).map(|model| row(model, entry, has_key(entry))))
        .collect();
    // A narrow terminal goes without the sizes.
    let head = ["offer", "images", "price", "key", "size"];
    let columns = if show::line_width() < WIDE { 4 } else { 5 };
    let rows: Vec<Vec<String>> = rows.into_iter().map(|it| it[..columns].to_vec()).collect();
    show::result(&show::table(&rows, &head[..columns]));
    let assumed = rows.iter().flatten().any(|it| it.contains('*'));
    show::said(match assumed {
        true => "* an assumed limit; `repaint explain` says who takes a request",
        false => "`repaint explain` says who takes a request",
    });
    Ok(())
}

/// All columns fit into so many characters.
const WIDE: usize = 96;

fn row(model: &dyn ImageModel, entry: &Entry, has_key: bool) -> Vec<String> {
    let accepts = model.capabilities();
    let images = accepts.images.value;
    let star = if accepts.images.sure == Sure::Assumed { "*" } else { "" };
    let images = if images.min == images.max {
        format!("{}{star}", images.max)
    } else {
        format!("{}-{}{star}", images.min, images.max)
    };
    let size = match (&accepts.pixels.value, accepts.ratios.value != Ratios::None) {
        (Pixels::None, false) => "its own".to_owned(),
        (Pixels::None, true) => "ratio".to_owned(),
        (Pixels::Listed(sizes), _) => format!("{} listed", sizes.len()),
        (Pixels::Range { side, .. }, false) => format!("{}-{}", side.min, side.max),
        (Pixels::Range { side, .. }, true) => format!("{}-{} or ratio", side.min, side.max),
    };
    let key = match (&entry.key, has_key) {
        (None, _) => "needs none".to_owned(),
        (Some(_), true) => "found".to_owned(),
        (Some(env), false) => format!("set {env}"),
    };
    vec![entry.id.clone(), images, short(&entry.price.value), key, size]
}

/// A table has room for what the first picture costs.
fn short(price: &Price) -> String {
    match price {
        Price::Free => "free".to_owned(),
        Price::Each(each) => each.to_string(),
        Price::BySize(rows) => {
            rows.first().map_or_else(String::new, |it| format!("from {}", it.each))
        }
        Price::Megapixel { each, .. } => format!("{each}/MP"),
        Price::FirstMegapixel { first, .. } => format!("from {first}"),
    }
}

/// Fails for a name that no provider has.
pub(crate) fn known(registry: &Registry, provider: &str) -> Result<()> {
    let mut providers: Vec<&str> = registry.models().map(|it| it.provider().id).collect();
    providers.dedup();
    if providers.contains(&provider) {
        return Ok(());
    }
    let message = format!("no provider is called `{provider}`; there are {}", providers.join(", "));
    Err(Error::new(ErrorKind::InvalidRequest, message))
}
