//! Chores that cargo cannot express.

mod bench;

use std::process::ExitCode;

use repaint_adapters as _;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.split_first() {
        Some((chore, rest)) if chore == "bench" => bench::run(rest),
        _ => Err("usage: cargo xtask bench".to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
