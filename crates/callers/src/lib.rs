//! Who may call a server, for what and how often: keys of callers, hashed at rest.
//!
//! A file lists the callers ([`repaint_schema::Callers`]); it has no secret in it, since of each key it has only
//! the hash:
//!
//! ```
//! use repaint_callers::{Keys, NewKey};
//! use secrecy::ExposeSecret;
//!
//! // Shown once, to be given to whoever will call.
//! let new = NewKey::make()?;
//! let file = format!(
//!     r#"
//!     [[caller]]
//!     name = "web"
//!     hashes = ["{}"]
//!     models = ["flux2-*", "local/*"]
//!     budget = {{ day = 5, month = 80.5 }}
//!     rate = 60
//!     "#,
//!     new.hash
//! );
//! let keys = Keys::read(&file)?;
//! let caller = keys.check(new.key.expose_secret())?;
//! assert_eq!(caller.name, "web");
//! assert!(caller.may_use("together/flux2-pro") && !caller.may_use("together/kontext-pro"));
//! assert!(keys.check("repaint_somebody-else").is_err());
//! # Ok::<(), repaint_core::Error>(())
//! ```
//!
//! Why the hash is a plain SHA-256: keys are made here, of 256 random bits, and what has another form is never
//! a key. No guessing finds one, however fast the hash is; a slow one, as passwords need, would only let
//! strangers keep the server busy. Hashes are compared in constant time, each call with all of them.
//!
//! Nothing here has a clock or a network: [`Rates`] is told the time, and budgets are kept by the
//! [`Store`](repaint_core::Store) that orders are written to ([`Keys::set_budgets`]).

mod caller;
mod file;
mod key;
mod keys;
mod pattern;
mod rates;

pub use caller::Caller;
pub use key::{Hash, NewKey};
pub use keys::Keys;
pub use pattern::Pattern;
pub use rates::Rates;
