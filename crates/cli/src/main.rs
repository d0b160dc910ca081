//! The `repaint` program: results on standard output, all else on standard error.

mod args;
mod ask;
mod callers;
mod compare;
mod config;
mod doctor;
mod each;
mod edit;
#[cfg(feature = "emulator")]
mod emulate;
mod explain;
mod inspect;
mod key;
mod log;
mod manual;
mod models;
mod names;
mod orders;
mod output;
#[cfg(feature = "pictures")]
mod picture;
mod preview;
mod probe;
mod resume;
mod serve;
mod settings;
mod show;
mod signals;
mod validate;
mod watch;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use repaint::{Error, ErrorKind, Result};
use repaint_schema::printed::Failure;

use crate::args::{Command, Line};
use crate::edit::{Ended, Failed};
use crate::settings::Settings;

fn main() -> ExitCode {
    let Line { mut command, config } = Line::try_parse().unwrap_or_else(|err| said(&err));
    let json = command.json();
    let settings = settings(&command, config.as_deref());
    let filled = settings.as_ref().map_or_else(|_| Vec::new(), |it| it.fill(&mut command));
    let result = settings.map_err(Failed::misuse).and_then(|settings| run(&command, &settings));
    let code = match result {
        Ok(Ended::Done) if show::is_lost() => PARTLY,
        Ok(Ended::Done) => 0,
        Ok(Ended::Partly) => PARTLY,
        Ok(Ended::Invalid) => show::exit_code(ErrorKind::InvalidRequest),
        Ok(Ended::Failed(kind)) => show::exit_code(kind),
        Ok(Ended::Interrupted) => signals::INTERRUPTED,
        Ok(Ended::Nobody) => {
            filled.iter().for_each(|it| show::said(&it.said));
            show::exit_code(ErrorKind::Refused)
        }
        Err(Failed { error, warnings, interrupted, shown, misuse }) => {
            if json && !shown {
                show::json(&Failure { error: error.clone(), warnings });
            }
            show::error(&error);
            filled.iter().filter(|it| it.is_in(&error)).for_each(|it| show::said(&it.said));
            match () {
                () if interrupted => signals::INTERRUPTED,
                () if misuse => MISUSE,
                () => show::exit_code(error.kind()),
            }
        }
    };
    ExitCode::from(code)
}

/// Says what is wrong with the command line, and ends the program.
fn said(err: &clap::Error) -> ! {
    if err.kind() == clap::error::ErrorKind::InvalidUtf8 {
        // The parser does not say where.
        let strange = std::env::args_os().find(|it| it.to_str().is_none()).unwrap_or_default();
        let strange = show::visible(&strange.to_string_lossy());
        show::note(&format!("error: `{strange}` is no UTF-8, as all but paths must be"));
        std::process::exit(err.exit_code());
    }
    // What the standard library says of numbers, as we would.
    let said = err.render().ansi().to_string();
    let said = said
        .replace("invalid digit found in string", "it is no whole number")
        .replace("cannot parse integer from empty string", "it is no whole number")
        .replace("number too large to fit in target type", "it is too large");
    match err.use_stderr() {
        true => show::note(said.trim_end()),
        false => show::result(&said),
    }
    let lacks = err.kind() == clap::error::ErrorKind::MissingRequiredArgument;
    if lacks && err.render().to_string().contains("\n  --prompt <TEXT>\n") {
        show::note("The prompt is an option, such as -p \"make it night\".");
    }
    std::process::exit(err.exit_code())
}

/// The exit code of wrong use; that of the parser, too.
const MISUSE: u8 = 2;

/// The exit code where less came than was asked for.
const PARTLY: u8 = 1;

/// What is set, for commands that ask for it. The doctor works without, since it says what is wrong.
fn settings(command: &Command, config: Option<&Path>) -> Result<Settings> {
    match command {
        Command::Completions { .. } | Command::Man { .. } | Command::Schema { .. } => {
            Ok(Settings::unread(config))
        }
        Command::Config(args) if args.path || args.example => Ok(Settings::unread(config)),
        Command::Doctor(_) => Ok(Settings::load(config).unwrap_or_else(|err| {
            let mut settings = Settings::unread(config);
            settings.source.error = Some(err);
            settings
        })),
        _ => Settings::load(config),
    }
}

fn run(command: &Command, settings: &Settings) -> Result<Ended, Failed> {
    let done = |()| Ended::Done;
    let valid = |valid| if valid { Ended::Done } else { Ended::Invalid };
    match command {
        Command::Edit(ask) => with_runtime(edit::run(ask, settings)),
        Command::Explain(ask) => with_runtime(explain::run(ask, settings)),
        Command::Inspect(args) => with_runtime(async {
            inspect::run(args, settings).await.map(valid).map_err(Failed::misuse)
        }),
        Command::Doctor(args) => with_runtime(async {
            doctor::run(args, settings).await.map(done).map_err(Failed::misuse)
        }),
        Command::Config(args) => config::run(args, settings).map(done).map_err(Failed::misuse),
        #[cfg(feature = "emulator")]
        Command::Emulate(args) => {
            with_runtime(async { emulate::run(args).await.map(done).map_err(Failed::misuse) })
        }
        Command::Serve(args) => {
            serving(async { serve::run(args, settings).await.map(done).map_err(Failed::misuse) })
        }
        Command::Key(args) => key::run(args).map(done).map_err(Failed::misuse),
        Command::Completions { shell } => {
            manual::completions(*shell);
            Ok(Ended::Done)
        }
        Command::Man { command } => {
            manual::page(command.as_deref()).map(done).map_err(Failed::misuse)
        }
        Command::Models(args) => models::run(args, settings).map(done).map_err(Failed::misuse),
        Command::Probe(args) => with_runtime(probe::run(args, settings)),
        Command::Resume(args) => with_runtime(resume::run(args, settings)),
        Command::Jobs(args) => {
            with_runtime(async { orders::jobs(args).await.map(done).map_err(Failed::misuse) })
        }
        Command::Spend(args) => {
            with_runtime(async { orders::spend(args).await.map(done).map_err(Failed::misuse) })
        }
        Command::Budget(args) => {
            with_runtime(async { orders::budget(args).await.map(done).map_err(Failed::misuse) })
        }
        Command::Schema { name, json: _ } => schema(name).map(done).map_err(Failed::misuse),
        Command::Validate(args) => validate::run(args).map(valid).map_err(Failed::misuse),
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

/// The same for a server, which has a thread for every second core: the system moves bytes on the others, and work
/// that goes from thread to thread costs more than it gains.
fn serving<T>(work: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
    let cores = std::thread::available_parallelism().map_or(1, |it| it.get());
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if std::env::var_os("TOKIO_WORKER_THREADS").is_none() {
        runtime.worker_threads(cores.div_ceil(2));
    }
    let runtime = runtime.enable_all().build();
    let runtime =
        runtime.map_err(|err| Error::new(ErrorKind::Unexpected, format!("no runtime: {err}")))?;
    let result = runtime.block_on(work);
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
