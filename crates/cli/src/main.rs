//! The `repaint` program: results on standard output, all else on standard error.

mod args;
mod ask;
mod compare;
mod doctor;
mod each;
mod edit;
#[cfg(feature = "emulator")]
mod emulate;
mod explain;
mod inspect;
mod manual;
mod models;
mod output;
#[cfg(feature = "pictures")]
mod picture;
mod preview;
mod probe;
mod show;
mod validate;
mod watch;

use std::process::ExitCode;

use clap::Parser;
use repaint::{Error, ErrorKind, Result};
use serde_json::json;

use crate::args::{Command, Line};
use crate::edit::{Ended, Failed};

fn main() -> ExitCode {
    let line = Line::parse();
    let json = match &line.command {
        Command::Edit(ask) | Command::Explain(ask) => ask.json,
        Command::Inspect(args) => args.json,
        Command::Doctor(args) => args.json,
        Command::Completions { .. } | Command::Man { .. } => false,
        #[cfg(feature = "emulator")]
        Command::Emulate(_) => false,
        Command::Models(models) => models.json,
        Command::Probe(probe) => probe.json,
        Command::Schema { .. } => true,
        Command::Validate(args) => args.json,
    };
    let done = |()| Ended::Done;
    let valid = |valid| if valid { Ended::Done } else { Ended::Invalid };
    let result = match &line.command {
        Command::Edit(ask) => with_runtime(edit::run(ask)),
        Command::Explain(ask) => with_runtime(explain::run(ask)),
        Command::Inspect(args) => with_runtime(async { Ok(inspect::run(args).await.map(valid)?) }),
        Command::Doctor(args) => with_runtime(async { Ok(doctor::run(args).await.map(done)?) }),
        #[cfg(feature = "emulator")]
        Command::Emulate(args) => with_runtime(async { Ok(emulate::run(args).await.map(done)?) }),
        Command::Completions { shell } => {
            manual::completions(*shell);
            Ok(Ended::Done)
        }
        Command::Man { command } => {
            manual::page(command.as_deref()).map(done).map_err(Failed::from)
        }
        Command::Models(args) => models::run(args).map(done).map_err(Failed::from),
        Command::Probe(args) => with_runtime(probe::run(args)),
        Command::Schema { name, json: _ } => schema(name).map(done).map_err(Failed::from),
        Command::Validate(args) => validate::run(args).map(valid).map_err(Failed::from),
    };
    match result {
        Ok(Ended::Done) => ExitCode::SUCCESS,
        Ok(Ended::Partly) => ExitCode::FAILURE,
        Ok(Ended::Invalid) => ExitCode::from(show::exit_code(ErrorKind::InvalidRequest)),
        Ok(Ended::Failed(kind)) => ExitCode::from(show::exit_code(kind)),
        Ok(Ended::Interrupted) => ExitCode::from(edit::INTERRUPTED),
        Ok(Ended::Nobody) => ExitCode::from(show::exit_code(ErrorKind::Refused)),
        Err(Failed { error, warnings, interrupted, shown }) => {
            if json && !shown {
                show::json(&json!({ "error": error, "warnings": warnings }));
            }
            show::error(&error);
            let code = show::exit_code(error.kind());
            ExitCode::from(if interrupted { edit::INTERRUPTED } else { code })
        }
    }
}

fn with_runtime<T>(work: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
    // One thread for the network: files are read and pictures worked on beside it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|err| Error::new(ErrorKind::Unexpected, format!("no runtime: {err}")))?;
    let result = runtime.block_on(work);
    // Work that was given up is not waited for.
    runtime.shutdown_background();
    result
}

fn schema(name: &str) -> Result<()> {
    if let Some(schema) = repaint_schema::named(name) {
        show::json(&schema);
        return Ok(());
    }
    let registry = repaint::registry()?;
    let models = registry.resolve(name)?;
    let schemas: Vec<_> = models
        .iter()
        .filter_map(|it| repaint_schema::request_schema(*it).map(|schema| (it.id(), schema)))
        .collect();
    match schemas.as_slice() {
        [(_, schema)] => show::json(schema),
        [] => {
            let message = format!(
                "{name} runs in this process and has no body of its own; `repaint schema job` is what \
                 describes a request for it"
            );
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        many => {
            let ids: Vec<&str> = many.iter().map(|it| it.0).collect();
            let message =
                format!("{name} has a body for each provider; name one: {}", ids.join(", "));
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
    }
    Ok(())
}
