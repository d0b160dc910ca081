//! `repaint resume`: the pictures of jobs that were started before; buys nothing.

use std::io::Read;
use std::path::PathBuf;

use repaint::{Handle, Submit};
use repaint_schema::printed::{ResumeAll, Resumed};

use crate::args::Resume;
use crate::edit::{self, Brought, Ended, Failed, Place, Teller};
use crate::output::{Output, invalid};
use crate::settings::Settings;
use crate::{ask, orders, show};

pub(crate) async fn run(args: &Resume, settings: &Settings) -> Result<Ended, Failed> {
    let mut router = ask::router(None, settings)?;
    let handle = args.order.as_deref().map(named).transpose()?;
    // Whoever has a handle needs no store.
    let needs = !matches!(handle, Some(Named::Handle(_)));
    if needs || orders::is_wanted() {
        router = router.with_store(orders::there().await?);
    }
    let brought = match handle {
        None => return all(args, &router).await,
        Some(Named::Handle(handle)) => {
            let place = place(args, None)?;
            edit::carry_out(|teller: Teller| router.pick_up(handle, teller), place).await?
        }
        Some(Named::Order(id)) => {
            let order = orders::there().await?.get(&id).await?;
            let place = place(args, order.as_ref())?;
            edit::carry_out(|teller: Teller| router.pick_up_order(id, teller), place).await?
        }
    };
    brought.receipt.warnings.iter().for_each(show::warning);
    brought.tell(args.json, args.output.as_deref(), args.show);
    brought.print(args.json);
    Ok(if brought.is_saved() { Ended::Done } else { Ended::Partly })
}

/// Every order that can be picked up, one after another; what fails does not stop the others.
async fn all(args: &Resume, router: &repaint::Router) -> Result<Ended, Failed> {
    let open = router.resumable().await?;
    let count = open.len();
    let (mut jobs, mut whole, mut failed) = (Vec::new(), 0, None);
    for order in open {
        show::said(&format!("order {} at {}", order.id, order.offer));
        match one(args, router, &order).await {
            Ok(brought) => {
                brought.tell(args.json, None, args.show);
                whole += usize::from(brought.is_saved());
                jobs.push(Resumed { order: order.id, brought: Some(brought.shown()), error: None });
            }
            Err(Failed { error, .. }) => {
                show::error(&error);
                failed.get_or_insert(error.kind());
                jobs.push(Resumed { order: order.id, brought: None, error: Some(error) });
            }
        }
    }
    if args.json {
        show::json(&ResumeAll { jobs });
    }
    show::said(&match count {
        0 => "no order can be picked up; `repaint jobs` lists all".to_owned(),
        count => format!("{whole} of {count} orders fetched"),
    });
    Ok(match failed {
        None if whole == count => Ended::Done,
        Some(kind) if whole == 0 => Ended::Failed(kind),
        _ => Ended::Partly,
    })
}

async fn one(args: &Resume, router: &repaint::Router, order: &Submit) -> Result<Brought, Failed> {
    let place = place(args, Some(order))?;
    let id = order.id.clone();
    edit::carry_out(|teller: Teller| router.pick_up_order(id, teller), place).await
}

/// Where the caller says, else where the order was to go.
fn place(args: &Resume, order: Option<&Submit>) -> Result<Place, Failed> {
    let meant = order.and_then(|it| it.paths.first()).filter(|it| *it != "-").map(PathBuf::from);
    let output = match (&args.output, meant) {
        (None, Some(path)) => Output::hold(path, args.force)?,
        (output, _) => Output::reserve(output.as_deref(), args.force, 1, None)?,
    };
    Ok(Place { output, strip: None })
}

/// What is to be picked up.
enum Named {
    Handle(Handle),
    Order(String),
}

/// A handle as our JSON has it, which an error or a receipt may be around; else the id of an order.
fn named(text: &str) -> Result<Named, Failed> {
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
    let id = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_');
    if !text.is_empty() && text.chars().all(id) {
        return Ok(Named::Order(text.to_owned()));
    }
    let value: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let places = ["", "/resume", "/handle", "/error/resume", "/receipt/handle"];
    let found = places.iter().filter_map(|it| value.pointer(it));
    let mut handles = found.filter_map(|it| serde_json::from_value(it.clone()).ok());
    handles.next().map(Named::Handle).ok_or_else(|| {
        let message = "this is no order and no handle: give an id that `repaint jobs` lists, or what --json printed \
                       as `resume` of an error or as `handle` of a receipt";
        invalid(message).into()
    })
}
