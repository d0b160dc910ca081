//! What can be said on the command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use repaint::{Adapt, MediaType, OrderBy, OutputFormat, Ratio, Usd};
use serde_json::Value;

/// One request, any image-editing model.
#[derive(Debug, Parser)]
#[command(name = "repaint", version, arg_required_else_help = true, after_help = AFTER)]
pub(crate) struct Line {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// The configuration file, or `none` [default: where `repaint config --path` says]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Edit images by a prompt, or draw from a prompt alone
    #[command(after_help = EDIT, visible_alias = "draw")]
    Edit(Ask),
    /// Say who would take a request, what would be sent, and why all others would not; sends nothing
    #[command(
        after_help = EXPLAIN,
        mut_arg("output", quiet),
        mut_arg("force", quiet),
        mut_arg("show", quiet),
        mut_arg("compare", quiet),
        mut_arg("account", quiet),
        mut_arg("dry_run", quiet)
    )]
    Explain(Ask),
    /// Bring the picture of a job that was started before, by its handle; buys nothing
    #[command(after_help = RESUME)]
    Resume(Resume),
    /// List the orders that are written down, with what can be done about each
    #[command(after_help = JOBS)]
    Jobs(Jobs),
    /// Add up what was spent, by offer
    #[command(after_help = SPEND)]
    Spend(Spend),
    /// Show or set how much may be spent a day, a month or ever
    #[command(after_help = BUDGET)]
    Budget(BudgetArgs),
    /// List what can be asked, and what it takes
    #[command(after_help = MODELS)]
    Models(Models),
    /// Ask a provider for its limits, by orders built to be refused; writes what it says as an overlay
    #[command(after_help = PROBE)]
    Probe(Probe),
    /// Say what a picture is, and what each offer would say of it as an input; sends nothing
    #[command(after_help = INSPECT)]
    Inspect(Inspect),
    /// Look at keys, proxies, the way to each provider, the clock, and who would be chosen
    #[command(after_help = DOCTOR)]
    Doctor(Doctor),
    /// Show what holds where the command line says nothing, and who says so
    #[command(after_help = CONFIG)]
    Config(Config),
    /// Print the JSON Schema of an offer's body, or of one of our own documents
    #[command(after_help = SCHEMA)]
    Schema {
        /// An offer (`together/flux2-pro`), a model at one provider, or a document such as job,
        /// image-request, receipt, plan, error, overlay, config, or what a command prints, such as
        /// commands/edit (schemas/README.md lists all)
        name: String,
        /// Print JSON, as it always is
        #[arg(long)]
        json: bool,
    },
    /// Check a body or a job in a file against what an offer takes; sends nothing
    #[command(after_help = VALIDATE)]
    Validate(Validate),
    /// Stand in for Together and Black Forest Labs on this machine: no key, no cost, faults on demand
    #[cfg(feature = "emulator")]
    #[command(after_help = emulate())]
    Emulate(Emulate),
    /// Serve all models over HTTP to clients of Together and OpenAI
    #[command(after_help = SERVE)]
    Serve(Serve),
    /// Make a key for somebody who may call `repaint serve`
    #[command(after_help = KEY)]
    Key(Key),
    /// Print what a shell needs to complete our commands
    #[command(after_help = COMPLETIONS)]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page of the program, or of one of its commands
    #[command(after_help = MAN)]
    Man {
        /// A command, such as edit [default: the program]
        command: Option<String>,
    },
}

impl Command {
    /// Whether the answer is to be JSON.
    pub(crate) fn json(&self) -> bool {
        match self {
            Self::Edit(ask) | Self::Explain(ask) => ask.json,
            Self::Models(args) => args.json,
            Self::Probe(args) => args.json,
            Self::Resume(args) => args.json,
            Self::Jobs(args) => args.json,
            Self::Spend(args) => args.json,
            Self::Budget(args) => args.json,
            Self::Inspect(args) => args.json,
            Self::Doctor(args) => args.json,
            Self::Config(args) => args.json,
            Self::Schema { json, .. } => *json,
            Self::Validate(args) => args.json,
            #[cfg(feature = "emulator")]
            Self::Emulate(_) => false,
            Self::Serve(_) => false,
            Self::Key(args) => args.json,
            Self::Completions { .. } | Self::Man { .. } => false,
        }
    }
}

/// What `edit` has and `explain` takes, so that the same line can be given to both, but without effect.
fn quiet(arg: clap::Arg) -> clap::Arg {
    arg.hide(true)
}

/// A request. `edit` and `explain` take the same.
#[derive(Args, Debug)]
pub(crate) struct Ask {
    /// Input images in order: paths, http(s) addresses, data URIs, or `-` for standard input
    #[arg(value_name = "IMAGE", value_hint = ValueHint::FilePath)]
    pub(crate) images: Vec<OsString>,
    /// What to draw, or how to change the images
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) prompt: String,
    /// Who may take it: a model, an offer or a family; more than once for a choice [default: any]
    #[arg(short, long, value_name = "ID")]
    pub(crate) model: Vec<String>,
    /// Where to save the picture: a file, a folder, or `-`; the extension follows the bytes [default:
    /// after the first image]
    #[arg(short, long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
    /// Overwrite the output
    #[arg(long)]
    pub(crate) force: bool,
    /// Edit each image by itself, one after another; `--max-cost` is for all together
    #[arg(long)]
    pub(crate) each: bool,
    /// Say who would take it, what it may cost and which files would be written; sends nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Show the picture in the terminal, in the way that it understands or in the one that is named
    #[arg(
        long,
        value_name = "WAY",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "auto",
        conflicts_with = "json"
    )]
    pub(crate) show: Option<Way>,
    /// Also save the first image and the picture side by side: a .png, .jpg or .webp
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) compare: Option<PathBuf>,
    /// Width and height of the picture
    #[arg(long, value_name = "WxH", conflicts_with = "ratio")]
    pub(crate) size: Option<repaint::Dimensions>,
    /// Shape of the picture
    #[arg(long, value_name = "W:H")]
    pub(crate) ratio: Option<Ratio>,
    /// How many pictures
    #[arg(short = 'n', long, value_name = "N", allow_negative_numbers = true, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) count: u32,
    /// Equal seeds give like pictures, where the model can
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) seed: Option<u64>,
    /// Which part of the first image to change: white, in a picture of its size
    #[arg(long, value_name = "IMAGE")]
    pub(crate) mask: Option<OsString>,
    /// File format of the picture [default: the model's own choice]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,
    /// What not to draw
    #[arg(long, value_name = "TEXT")]
    pub(crate) negative_prompt: Option<String>,
    /// How many denoising steps
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) steps: Option<u32>,
    /// How closely to follow the prompt
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = finite)]
    pub(crate) guidance: Option<f64>,
    /// A field of the provider's own body that no option above covers
    #[arg(long, value_name = "KEY=JSON", value_parser = option)]
    pub(crate) option: Vec<(String, Value)>,
    /// What may be changed to make the request fit, such as size=nearest, input_size=fit or
    /// output_format=convert
    #[arg(long, value_name = "FIELD=METHOD", value_parser = adaptation)]
    pub(crate) adapt: Vec<String>,
    /// Who is tried first: the cheapest for this request (by the high estimate), the fastest, or in the order of --model
    /// [default: price]
    #[arg(long, value_name = "BY")]
    pub(crate) order: Option<By>,
    /// Only offers at this provider; may be given more than once
    #[arg(long, value_name = "P")]
    pub(crate) allow_provider: Vec<String>,
    /// No offer at this provider; may be given more than once
    #[arg(long, value_name = "P")]
    pub(crate) deny_provider: Vec<String>,
    /// Ask nobody else when the first surely did not take it
    #[arg(long)]
    pub(crate) no_fallback: bool,
    /// The most that it may cost, in US dollars
    #[arg(long, value_name = "USD", allow_negative_numbers = true)]
    pub(crate) max_cost: Option<Usd>,
    /// On whose account it is written down, and whose budgets it keeps
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// Seconds until it is given up [default: 300]
    #[arg(long, value_name = "S", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) timeout: Option<u32>,
    /// A JSON file of facts that replace those of this release
    #[arg(long, value_name = "FILE")]
    pub(crate) capabilities: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Where pictures go whose file no `--output` names; from the configuration.
    #[arg(skip)]
    pub(crate) folder: Option<PathBuf>,
}

/// Where a stand-in for the providers listens, and what befalls its callers.
#[cfg(feature = "emulator")]
#[derive(Args, Debug)]
pub(crate) struct Emulate {
    /// Where to listen; port 0 is any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(crate) listen: std::net::SocketAddr,
    /// Fetch input images that are addresses, and show them
    #[arg(long)]
    pub(crate) fetch: bool,
    /// What befalls every request that it can befall; see the list below
    #[arg(long, value_name = "NAME")]
    pub(crate) fault: Option<repaint_emulator::Fault>,
    /// A JSON file with a list of what befalls the first requests, such as ["429", null, "500"]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) script: Option<PathBuf>,
    /// Milliseconds that a picture takes
    #[arg(long, value_name = "MS", allow_negative_numbers = true, default_value_t = 0)]
    pub(crate) latency: u64,
    /// Ids of jobs follow from it
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 0)]
    pub(crate) seed: u64,
    /// A JSON file of facts that replace those of this release
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) capabilities: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Serve {
    /// Where to listen; port 0 is any that is free [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<std::net::SocketAddr>,
    /// Stand in for all hosted providers by machines of this program: no key, no cent
    #[cfg(feature = "emulator")]
    #[arg(long)]
    pub(crate) emulate: bool,
    /// A file of those who may call; `repaint key` makes keys for it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) callers: Option<PathBuf>,
    /// A JSON file of facts that replace those of this release
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) capabilities: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Key {
    /// Whose it is: 1 to 64 letters, digits, `.`, `_` and `-`; the account of all that it spends
    pub(crate) name: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Jobs {
    /// All that is known of one order
    #[arg(conflicts_with_all = ["open", "account", "forget"])]
    pub(crate) order: Option<String>,
    /// Only those that have not ended
    #[arg(long)]
    pub(crate) open: bool,
    /// Only those on this account
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// Of so many days
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 30)]
    pub(crate) days: u32,
    /// At most so many; 0 is no limit
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 50)]
    pub(crate) limit: u32,
    /// First forget orders that ended more than so many days ago; what they cost still counts
    #[arg(long, value_name = "DAYS", allow_negative_numbers = true)]
    pub(crate) forget: Option<u32>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Spend {
    /// Only what is on this account
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// Of so many days
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 30)]
    pub(crate) days: u32,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct BudgetArgs {
    /// How much may be spent, in US dollars; nothing shows what is set
    #[arg(value_name = "USD", allow_negative_numbers = true)]
    pub(crate) amount: Option<Usd>,
    /// In which time; days and months begin at midnight UTC
    #[arg(long, value_name = "TIME")]
    pub(crate) per: Option<Per>,
    /// Of this account alone, beside what holds for all together
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// Take the budget of that time away
    #[arg(long)]
    pub(crate) remove: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// The time that a budget is for.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Per {
    Day,
    Month,
    Ever,
}

impl From<Per> for repaint::Period {
    fn from(per: Per) -> Self {
        match per {
            Per::Day => Self::Day,
            Per::Month => Self::Month,
            Per::Ever => Self::Ever,
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct Resume {
    /// An order, as `repaint jobs` lists it; or a handle in JSON, as `--json` prints it in an error or a
    /// receipt; `-` for standard input
    #[arg(value_name = "ORDER", required_unless_present = "all", conflicts_with = "all")]
    pub(crate) order: Option<String>,
    /// Fetch the pictures of every order that can be picked up
    #[arg(long, conflicts_with = "output")]
    pub(crate) all: bool,
    /// Where to save the picture, or `-`; its extension follows the bytes [default: repaint]
    #[arg(short, long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
    /// Overwrite the output
    #[arg(long)]
    pub(crate) force: bool,
    /// Show the picture in the terminal, in the way that it understands or in the one that is named
    #[arg(
        long,
        value_name = "WAY",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "auto",
        conflicts_with = "json"
    )]
    pub(crate) show: Option<Way>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Models {
    /// Only these: models, offers or families, such as kontext
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<String>,
    /// Only those that take so many input images
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) images: Option<u32>,
    /// Only those at this provider
    #[arg(long, value_name = "P")]
    pub(crate) provider: Option<String>,
    /// A JSON file of facts that replace those of this release
    #[arg(long, value_name = "FILE")]
    pub(crate) capabilities: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Validate {
    /// A JSON file with the body of one offer, or with a job; `-` for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: String,
    /// Who is to take it; a job alone is checked for its shape
    #[arg(short, long, value_name = "ID")]
    pub(crate) model: Option<String>,
    /// A JSON file of facts that replace those of this release
    #[arg(long, value_name = "FILE")]
    pub(crate) capabilities: Option<PathBuf>,
    /// Print JSON: each violation with its code, JSON Pointer, message and fix
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Probe {
    /// An offer (`together/flux2-pro`), or a model at one provider
    pub(crate) offer: String,
    /// Show what would be sent, and send nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Send without asking first
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Also send fields that the offer is not known to have; a provider that ignores them renders, and
    /// charges
    #[arg(long)]
    pub(crate) unknown_fields: bool,
    /// Where to write the overlay [default: OFFER.DATE.json]
    #[arg(short, long, value_name = "PATH")]
    pub(crate) output: Option<PathBuf>,
    /// Overwrite the output
    #[arg(long)]
    pub(crate) force: bool,
    /// Seconds until it is given up [default: 300]
    #[arg(long, value_name = "S", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) timeout: Option<u32>,
    /// A JSON file of facts that replace those of this release, to be probed in their place
    #[arg(long, value_name = "FILE")]
    pub(crate) capabilities: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Inspect {
    /// Pictures: paths, http(s) addresses, data URIs, or `-` for standard input
    #[arg(value_name = "IMAGE", required = true, value_hint = ValueHint::FilePath)]
    pub(crate) images: Vec<OsString>,
    /// Of whom to say whether it takes them: a model, an offer or a family [default: all]
    #[arg(short, long, value_name = "ID")]
    pub(crate) model: Vec<String>,
    /// A JSON file of facts that replace those of this release
    #[arg(long, value_name = "FILE")]
    pub(crate) capabilities: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// Look only at this machine
    #[arg(long)]
    pub(crate) offline: bool,
    /// A JSON file of facts that replace those of this release
    #[arg(long, value_name = "FILE")]
    pub(crate) capabilities: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Config {
    /// Print only where the file is, or would be
    #[arg(long, conflicts_with_all = ["example", "json"])]
    pub(crate) path: bool,
    /// Print a file to start from
    #[arg(long, conflicts_with = "json")]
    pub(crate) example: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How a terminal is told to show a picture.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Way {
    /// What the terminal says that it understands; else blocks
    Auto,
    /// The graphics protocol of kitty, Ghostty and Konsole
    Kitty,
    /// The inline images of iTerm2 and WezTerm
    Iterm,
    /// Sixels: foot, mlterm, Windows Terminal and others
    Sixel,
    /// Two pixels a character, in colour: any terminal
    Blocks,
    /// Not at all, whatever the configuration says
    Never,
}

/// What decides who is tried first.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum By {
    Price,
    Latency,
    Preference,
}

impl From<By> for OrderBy {
    fn from(by: By) -> Self {
        match by {
            By::Price => Self::Price,
            By::Latency => Self::Latency,
            By::Preference => Self::Preference,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    Png,
    Jpeg,
    Webp,
}

impl From<Format> for OutputFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Png => Self::Png,
            Format::Jpeg => Self::Jpeg,
            Format::Webp => Self::Webp,
        }
    }
}

impl From<Format> for MediaType {
    fn from(format: Format) -> Self {
        match format {
            Format::Png => Self::Png,
            Format::Jpeg => Self::Jpeg,
            Format::Webp => Self::Webp,
        }
    }
}

fn option(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').ok_or("an option is written KEY=JSON")?;
    let value = serde_json::from_str(value).map_err(|_| {
        format!("`{value}` is not JSON; a text is written with quotes: '{key}=\"{value}\"'")
    })?;
    Ok((key.to_owned(), value))
}

fn adaptation(text: &str) -> Result<String, String> {
    Adapt::default().set(text).map(|()| text.to_owned())
}

fn finite(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|it: &f64| it.is_finite());
    number.ok_or_else(|| format!("`{text}` is no number such as 3.5"))
}

/// The end of the help of `emulate`.
#[cfg(feature = "emulator")]
fn emulate() -> String {
    let faults: String = repaint_emulator::Fault::all()
        .map(|it| format!("  {:<19}{}\n", it.name(), it.about()))
        .collect();
    format!(
        "\
Examples:
  repaint emulate --listen 127.0.0.1:8080
  TOGETHER_BASE_URL=http://127.0.0.1:8080 TOGETHER_API_KEY=any \\
    repaint edit car.jpg -p \"make it blue\" -m together/flux2-pro
  curl http://127.0.0.1:8080/__emulator/requests

Together and Black Forest Labs, on one port, as far as their documents say what they do. No model
makes the pictures: they show which inputs arrived. Any key is taken. GET /__emulator/requests shows
what came and what would have been billed; DELETE forgets it. The log is JSON, on standard error.

Faults, for --fault, --script and the header x-emulate-fault:
{faults}"
    )
}

const AFTER: &str = "\
Keys come from the environment: TOGETHER_API_KEY, BFL_API_KEY. TOGETHER_BASE_URL and BFL_BASE_URL
replace the addresses, with or without /v1.

Exit codes:
  0  done                        6  moderated
  1  a picture is missing or     7  exhausted: wait, or pay
     not where it was to go, or
     a probe was taken
  2  wrong use: an argument, a   8  unavailable: try again later; nothing was bought
     variable, the configuration
  3  refused, nothing was sent   9  outcome unknown: look before you try again
  4  the request is invalid: a  10  expired
     prompt, an image, a body
  5  denied: see the key        11  unexpected: report it
                               130  interrupted

Start without a key:
  repaint edit cat.png --prompt \"Transform this into a watercolor painting\" --model local/watercolor";

const EDIT: &str = "\
Examples:
  repaint edit cat.png -p \"Transform this into a watercolor painting\" -m local/watercolor
  repaint edit car.jpg -p \"Replace the color of the car to blue\" -m flux2-pro --max-cost 0.20
  repaint edit person.jpg cat.jpg -p \"The person from image 1 is petting the cat from image 2\"
  repaint edit photo.jpg -p \"make it night\" -m kontext-pro --ratio 16:9 --seed 7 --json
  repaint draw -p \"A red fox in snow\" -m flux2-dev --size 1024x768 -n 2 -o fox.jpg
  repaint edit *.jpg -p \"make it night\" --each --max-cost 2 --dry-run
  repaint edit photo.jpg -p \"make it night\" -m kontext-pro --adapt input_size=fit
  repaint edit cat.png -p \"watercolor\" -m local/watercolor --show --compare both.png

The cheapest hosted offer that takes all of the request and has a key is asked, by the most that it
may cost; without any key, a local one. If it surely did not take the request, the next one is asked.
`repaint explain` with the same arguments says which, and why.";

const SERVE: &str = "\
Examples:
  repaint serve
  repaint serve --listen 127.0.0.1:0 --emulate
  repaint serve --listen 0.0.0.0:8080 --callers callers.toml
  curl http://127.0.0.1:8080/v1/images/generations -H 'content-type: application/json' \\
    -d '{\"model\": \"flux2-pro\", \"prompt\": \"A red fox in snow\"}'

The first line on standard output is `listening on http://ADDRESS`. Clients of Together and OpenAI need
nothing but that address, with /v1 or without. Without a file of callers it listens on this machine only;
`repaint key NAME` makes a key, and the lines for that file.
The configuration has its limits, in [serve]; max_cost, timeout and adapt hold for each request.
Orders are written down in the store of REPAINT_STORE, which several servers may share.
SIGTERM and SIGINT let calls finish.";

const KEY: &str = "\
Examples:
  repaint key web >> callers.toml
  repaint serve --callers callers.toml

The key is shown once, on standard error, and kept nowhere; give it to whoever will call, as the API key
of their library. On standard output are the lines for the file of callers, which has only its hash. There
one may add what the caller may do:
  models = [\"flux2-*\"]     providers = [\"together\"]     rate = 60
  budget = { day = 5.00 }  own_keys = true";

const EXPLAIN: &str = "\
Examples:
  repaint explain cat.png dog.png -p \"both on a sofa\"
  repaint explain cat.png -p \"make it night\" -m together/flux2-dev --ratio 16:9 --json

It takes every option of `repaint edit`, so that a line can be tried by its first word alone; --output,
--force, --compare, --show, --account and --dry-run have no effect here.";

const RESUME: &str = "\
Examples:
  repaint resume '{\"provider\":\"bfl\",\"id\":\"…\",\"poll\":\"https://api.bfl.ai/v1/get_result?id=…\"}'
  repaint edit car.jpg -p \"make it night\" -m bfl/flux2-pro --json > done.json
  repaint resume - -o car-night.png < done.json
  repaint resume --all

Orders are those that `repaint jobs` lists. It buys nothing. It needs the key of the provider that has
the job. How long a job is kept is the provider's to say.";

const JOBS: &str = "\
Examples:
  repaint jobs
  repaint jobs 019ac0d1f3c47b21a5-0
  repaint jobs --open --json
  repaint jobs --forget 90

An order is written down before it is sent, and ends when its picture is saved: offer, cost, handle
and file, but no prompt, no image and no key. REPAINT_STORE names another file, a postgres:// address,
or none.";

const SPEND: &str = "\
Examples:
  repaint spend
  repaint spend --days 1 --json
  repaint spend --account web

What a provider said that it charged; where it said nothing, the estimate.";

const BUDGET: &str = "\
Examples:
  repaint budget 5.00 --per day
  repaint budget
  repaint budget 1.00 --per day --account web
  repaint budget --remove --per day

An order that would go beyond is refused before it is sent, whoever of those who share the store sends
it. What may have been charged counts, too.";

const MODELS: &str = "\
Examples:
  repaint models kontext
  repaint models --images 2
  repaint models --provider together --json";

const INSPECT: &str = "\
Examples:
  repaint inspect photo.jpg
  repaint inspect *.png -m flux2 --json

Exits with 4 if one of them is no picture.";

const DOCTOR: &str = "\
Examples:
  repaint doctor
  repaint doctor --offline --json

Each provider's host is asked for its front page, without a key: that costs nothing.
No key is shown, nor sent.";

const CONFIG: &str = "\
Examples:
  repaint config
  repaint config --example > my.toml
  repaint --config my.toml config --json
  repaint edit cat.png -p \"watercolor\" -m local/watercolor --config none

Each name is the option of that name. An option on the command line wins over the environment
(REPAINT_MODEL, REPAINT_MAX_COST, REPAINT_TIMEOUT, REPAINT_ADAPT, REPAINT_CAPABILITIES,
REPAINT_FOLDER, REPAINT_SHOW; lists with commas), and that over the file. REPAINT_CONFIG names
another file, or none. Keys come only from the environment.";

const COMPLETIONS: &str = "\
Examples:
  repaint completions bash > ~/.local/share/bash-completion/completions/repaint
  repaint completions zsh > ~/.zfunc/_repaint
  repaint completions fish > ~/.config/fish/completions/repaint.fish
  repaint completions powershell >> $PROFILE";

const MAN: &str = "\
Examples:
  repaint man > repaint.1
  repaint man edit > repaint-edit.1
  repaint man edit | man -l -";

const PROBE: &str = "\
Examples:
  repaint probe together/flux2-pro --dry-run
  repaint probe together/flux2-pro
  repaint probe bfl/flux2-flex --yes --json -o facts.json
  repaint edit cat.png -p \"make it night\" -m bfl/flux2-flex --capabilities facts.json

Each order is one that the offer takes, with one field changed to what it should
refuse: a number beyond its limit, a value that is in no list, one image too many.
The answer confirms a fact, or says another, or teaches nothing. No order is sent
twice. What is taken after all may be charged: then nothing more is sent. It needs
a key, says first what it costs at worst, and asks.";

const SCHEMA: &str = "\
Examples:
  repaint schema together/flux2-pro
  repaint schema job";

const VALIDATE: &str = "\
Examples:
  repaint validate body.json --model together/flux2-pro
  repaint validate job.json --model bfl/kontext-pro --json
  echo '{\"request\": {\"prompt\": \"a cat\"}}' | repaint validate -

Exits with 0 if it is taken, with 4 if it is not.";
