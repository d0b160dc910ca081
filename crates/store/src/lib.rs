//! Where orders, budgets and the keys of repeated calls are kept: in memory, in a file for several
//! processes of one machine (feature `sqlite`), or in PostgreSQL for many machines (`postgres`).
//!
//! All three keep the contract of [`Store`](repaint_core::Store). [`connect`] chooses by a URL; [`Memory`]
//! is for tests, and for a library whose host remembers by itself.
//!
//! ```
//! use repaint_core::{Budget, Period, Usd};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let store = repaint_store::connect("memory:").await?;
//! let budget = Budget { account: None, period: Period::Day, limit: Usd(5_000_000) };
//! store.set_budget(&budget).await?;
//! assert_eq!(store.budgets().await?, [budget]);
//! # Ok::<(), repaint_core::Error>(()) }).unwrap();
//! ```

#[cfg(feature = "sqlite")]
mod log;
mod memory;
mod place;
#[cfg(feature = "postgres")]
mod postgres;
mod rules;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod statements;

pub use memory::Memory;
pub use place::{connect, default_place, shown};
#[cfg(feature = "postgres")]
pub use postgres::Postgres;
#[cfg(feature = "sqlite")]
pub use sqlite::Sqlite;
