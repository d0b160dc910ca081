//! `repaint resume`: the pictures of a job that was started before; buys nothing.

use std::io::Read;

use repaint::Handle;

use crate::args::Resume;
use crate::edit::{self, Ended, Failed, Place};
use crate::output::{Output, invalid};
use crate::settings::Settings;
use crate::{ask, show};

pub(crate) async fn run(args: &Resume, settings: &Settings) -> Result<Ended, Failed> {
    let handle = handle(&args.handle)?;
    let router = ask::router(None, settings)?;
    let output = Output::reserve(args.output.as_deref(), args.force, 1, None)?;
    let place = Place { output, strip: None };
    let brought = edit::carry_out(|teller| router.pick_up(handle, teller), place).await?;
    brought.receipt.warnings.iter().for_each(show::warning);
    brought.tell(args.json, args.output.as_deref(), args.show);
    brought.print(args.json);
    Ok(if brought.is_saved() { Ended::Done } else { Ended::Partly })
}

/// A handle as our JSON has it; an error or a receipt around it may have been copied, too.
fn handle(text: &str) -> Result<Handle, Failed> {
    let mut read = String::new();
    let text = match text {
        "-" => {
            // A handle is small, and standard input need not be.
            let from = std::io::stdin().lock().take(1 << 20).read_to_string(&mut read);
            from.map_err(|err| invalid(format!("standard input cannot be read: {err}")))?;
            read.as_str()
        }
        text => text,
    };
    let value: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let places = ["", "/resume", "/handle", "/error/resume", "/receipt/handle"];
    let found = places.iter().filter_map(|it| value.pointer(it));
    let mut handles = found.filter_map(|it| serde_json::from_value(it.clone()).ok());
    handles.next().ok_or_else(|| {
        let message = "this is no handle: give what --json printed as `resume` of an error or as \
                       `handle` of a receipt, or all of it";
        invalid(message).into()
    })
}
