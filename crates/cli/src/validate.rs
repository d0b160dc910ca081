//! `repaint validate`: whether a body or a job in a file is one that an offer takes; sends nothing.

use std::io::{self, IsTerminal, Read};

use repaint::{Date, Error, ErrorKind, ImageModel, Job, Result, Violation};
use repaint_schema::printed::{Validate as Printed, Validated};
use serde_json::Value;

use crate::args::Validate;
use crate::{ask, show};

/// A file that is longer holds no body that anybody takes.
const LIMIT: u64 = 256_000_000;

/// Whether the file is taken.
pub(crate) fn run(args: &Validate) -> Result<bool> {
    let registry = ask::registry(args.capabilities.as_deref())?;
    let value = read(&args.file)?;
    // No provider's body has a field `request`; every job has.
    let is_job = value.get("request").is_some();
    let what = if is_job { "job" } else { "body" };
    let (taker, found) = match &args.model {
        Some(name) => {
            let model = one(&registry.resolve(name)?, name)?;
            let found = match is_job {
                true => model.validate_job(&value, Date::today()),
                false => model.validate(&value),
            };
            (Some(model.id().to_owned()), found)
        }
        None if is_job => (None, Job::validate(&value)),
        None => {
            let message = "a body is for one offer: say which with --model, such as \
                           --model together/flux2-pro (a job has a field `request`)";
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
    };
    let valid = found.is_empty();
    if args.json {
        let what = if is_job { Validated::Job } else { Validated::Body };
        show::json(&Printed { what, offer: taker, valid, violations: found });
        return Ok(valid);
    }
    let name = if args.file == "-" { "standard input" } else { &args.file };
    let takes = taker.map_or_else(|| "is sound".to_owned(), |it| format!("is one that {it} takes"));
    if valid {
        show::result(&format!("the {what} in {name} {takes}\n"));
    } else {
        show::result(&table(&found));
        let count =
            if found.len() == 1 { "1 violation" } else { &format!("{} violations", found.len()) };
        show::note(&format!("{count}: the {what} in {name} is not what it should be"));
    }
    Ok(valid)
}

/// A name that several offers have says too little: their bodies differ.
fn one<'a>(models: &[&'a dyn ImageModel], name: &str) -> Result<&'a dyn ImageModel> {
    match models {
        [model] => Ok(*model),
        many => {
            let ids: Vec<&str> = many.iter().map(|it| it.id()).collect();
            let message = format!("{name} is several offers; name one: {}", ids.join(", "));
            Err(Error::new(ErrorKind::InvalidRequest, message))
        }
    }
}

fn table(found: &[Violation]) -> String {
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|it| {
            let place = if it.pointer.is_empty() { "(the whole)" } else { &it.pointer };
            let fix = if it.fix.is_empty() { String::new() } else { format!(": {}", it.fix) };
            vec![place.to_owned(), format!("{}{fix}", it.message)]
        })
        .collect();
    show::table(&rows, &["at", "what is wrong, and what to do"])
}

fn read(file: &str) -> Result<Value> {
    let invalid = |message: String| Error::new(ErrorKind::InvalidRequest, message);
    let name = if file == "-" { "standard input" } else { file };
    let mut text = Vec::new();
    let read = if file == "-" {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            let message = "`-` reads JSON from standard input, which is a terminal; pipe it in";
            return Err(invalid(message.to_owned()));
        }
        stdin.lock().take(LIMIT + 1).read_to_end(&mut text)
    } else {
        std::fs::File::open(file).and_then(|it| it.take(LIMIT + 1).read_to_end(&mut text))
    };
    read.map_err(|err| invalid(format!("{name} cannot be read: {}", ask::why(&err))))?;
    if LIMIT < text.len() as u64 {
        return Err(invalid(format!("{name} has more than {LIMIT} bytes")));
    }
    serde_json::from_slice(&text).map_err(|err| invalid(format!("{name} is no JSON: {err}")))
}
