//! Hosted providers on this machine.
mod bfl;
mod emulator;
mod exchange;
mod fault;
mod fetch;
mod message;
mod offers;
mod paint;
mod read;
mod reply;
mod server;
mod together;

pub use emulator::{Emulator, Seen, Settings};
pub use exchange::InProcess;
pub use fault::{Fault, Script, Stage};
pub use message::{Incoming, Outgoing};
pub use read::Input;
pub use server::{Server, Serving};
