//! Fetches pictures from addresses that strangers give, and from nowhere that they must not reach.
//!
//! A server that fetches what its callers name can be made to knock at doors that only it can reach: its own
//! machine, its neighbours, the metadata of its cloud. A [`Fetcher`] goes only to public addresses, decides
//! that where the connection is made, so that no name can lead elsewhere between the check and the call, and
//! decides it again wherever it is redirected to:
//!
//! ```
//! use repaint_fetch::Fetcher;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> repaint_core::Result<()> {
//! let fetcher = Fetcher::new();
//! for address in ["http://169.254.169.254/latest/meta-data", "http://0x7f.1/", "file:///etc/passwd"] {
//!     let err = fetcher.fetch(address).await.expect_err("nobody's business");
//!     println!("{err}");
//! }
//! # Ok(()) }
//! ```
//!
//! The rules:
//!
//! - `http` and `https`, without a user or a password, and from `https` never back to `http`.
//! - Only ports 80, 443 and 1024 and above, as proxies have it ([`Safe_ports`] of Squid), and none that belongs
//!   to another service by the [Fetch standard].
//! - Public addresses only: [`Reach`] says of each address what it is. *All* addresses of a name must be
//!   public; one that has both kinds is set up wrongly, or set up against us. Names that have a meaning only
//!   nearby (`localhost`, `*.local`, `*.internal`, those without a dot) are not even looked up.
//! - The addresses that were checked are those that are connected to: the check is the resolver. There is no
//!   proxy, which would look the name up again, and no connection is kept.
//! - [`Limits`] on bytes, pixels, time and redirects. Nothing is unpacked, so nothing can swell.
//! - What comes must be a picture by its bytes; what its server calls it does not matter.
//!
//! [`Allow`] lets in what is yours: a network or a name. It is empty unless you fill it.
//!
//! Errors name the address, without what may be secret in it, and the reason. They do not tell at which
//! address a private name is, since that would draw a map for strangers.
//!
//! [`Safe_ports`]: https://wiki.squid-cache.org/SquidFaq/SecurityPitfalls
//! [Fetch standard]: https://fetch.spec.whatwg.org/#bad-port

mod allow;
mod fetcher;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod guard;
mod limits;
mod reach;
mod resolve;

pub use allow::Allow;
pub use fetcher::{Answer, Builder, Fetched, Fetcher};
pub use limits::Limits;
pub use reach::Reach;
pub use resolve::{Resolve, System};
