//! What `cargo xtask bench` measures, each in a process of its own: it prints one line of JSON.

mod client;
mod decide;
mod floor;
mod gateway;
mod local;
mod meter;
mod soak;

use std::error::Error;
use std::process::ExitCode;

use repaint_adapters as _;

use crate::client::Threads;
use crate::gateway::proxy::Way;
use crate::gateway::{load, proxy, upstream};

/// A failure ends the program; nobody takes it apart.
type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["floor", base, folder, times] => floor::run(base, folder.as_ref(), times),
        ["client", base, folder, times] => client::run(Threads::Many, base, folder.as_ref(), times),
        ["lone-client", base, folder, times] => {
            client::run(Threads::One, base, folder.as_ref(), times)
        }
        ["decide"] => decide::run(),
        ["upstream"] => upstream::run(),
        ["raw-proxy", upstream] => proxy::run(Way::Raw, upstream),
        ["buffering-proxy", upstream] => proxy::run(Way::Buffering, upstream),
        ["load", url, body, callers, times, headers @ ..] => {
            load::run(url, body, callers, times, headers)
        }
        ["soak", program, minutes, callers, seed] => {
            soak::run(program.as_ref(), minutes, callers, seed)
        }
        ["local", picture, folder] => local::run(picture.as_ref(), folder.as_ref()),
        _ => Err("`cargo xtask bench` runs this".into()),
    };
    match result {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(err) => {
            eprintln!("{err}");
            ExitCode::FAILURE
        }
    }
}
