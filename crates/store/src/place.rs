//! Which store a URL means, and where one is when nothing says it.

use std::path::PathBuf;
use std::sync::Arc;

use repaint_core::{Error, ErrorKind, Result, Store};

use crate::Memory;

/// A store by its URL: `sqlite:PATH` or a plain path, `postgres://USER:PASSWORD@HOST/DATABASE`, or
/// `memory:`. One that is not there yet is made, and one of an older version is brought up to date.
///
/// # Errors
///
/// `InvalidRequest` for a URL of another kind, or of one whose feature is off; `Unavailable` for a store
/// that cannot be reached, read or written, or that a newer version made. No password is in either.
pub async fn connect(url: &str) -> Result<Arc<dyn Store>> {
    match Place::of(url)? {
        Place::Memory => Ok(Arc::new(Memory::new())),
        #[cfg(feature = "sqlite")]
        Place::File(path) => Ok(Arc::new(crate::Sqlite::connect(&path).await?)),
        #[cfg(not(feature = "sqlite"))]
        Place::File(path) => Err(invalid(format!(
            "{} would be a SQLite store, which this program is built without (feature `sqlite`)",
            path.display()
        ))),
        #[cfg(feature = "postgres")]
        Place::Postgres(url) => Ok(Arc::new(crate::Postgres::connect(&url).await?)),
        #[cfg(not(feature = "postgres"))]
        Place::Postgres(_) => Err(invalid(
            "this program is built without PostgreSQL (feature `postgres`): name a file instead",
        )),
    }
}

/// A URL of a store as it may be shown: without user and password.
pub fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |it| it.1);
    // Parameters may hold a password, too.
    let path = path.split(['?', '#']).next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

/// Where the store of this user is when nothing else is said: `repaint/store.sqlite` in the folder for
/// programs' data of the platform. `None` where the environment names none.
pub fn default_place() -> Option<PathBuf> {
    let folder =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|it| it.is_absolute());
    let data = if cfg!(windows) {
        folder("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        folder("HOME").map(|it| it.join("Library/Application Support"))
    } else {
        folder("XDG_DATA_HOME").or_else(|| folder("HOME").map(|it| it.join(".local/share")))
    };
    data.map(|it| it.join("repaint").join("store.sqlite"))
}

#[derive(Debug, PartialEq)]
enum Place {
    Memory,
    File(PathBuf),
    Postgres(String),
}

impl Place {
    fn of(url: &str) -> Result<Self> {
        if url == "memory:" {
            return Ok(Self::Memory);
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(url.to_owned()));
        }
        let path = match url.strip_prefix("sqlite:") {
            Some(path) => path.strip_prefix("//").unwrap_or(path),
            None => url,
        };
        if let Some((scheme, _)) = path.split_once("://") {
            return Err(invalid(format!(
                "no store is kept at a {scheme}: address; name sqlite:PATH or postgres://HOST/DATABASE"
            )));
        }
        if path.is_empty() || path == ":memory:" {
            return Err(invalid(
                "the store has no path: name sqlite:PATH, or memory: to keep nothing",
            ));
        }
        Ok(Self::File(path.into()))
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_what_kind_of_store_it_is() {
        for (url, place) in [
            ("memory:", Place::Memory),
            ("sqlite:a.db", Place::File("a.db".into())),
            ("sqlite:///var/a.db", Place::File("/var/a.db".into())),
            ("/var/a.db", Place::File("/var/a.db".into())),
            (r"C:\a.db", Place::File(r"C:\a.db".into())),
            ("postgres://h/d", Place::Postgres("postgres://h/d".into())),
            ("postgresql://h/d", Place::Postgres("postgresql://h/d".into())),
        ] {
            assert_eq!(Place::of(url).ok(), Some(place), "{url}");
        }
        for url in ["", "sqlite:", "sqlite::memory:", "mysql://user:secret@host/db"] {
            let err = Place::of(url).expect_err("no store");
            assert_eq!(err.kind(), ErrorKind::InvalidRequest);
            assert!(!err.message().contains("secret"), "{err}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        for (url, told) in [
            ("postgres://me:secret@host:5432/db", "postgres://host:5432/db"),
            ("postgres://me:sec@ret@host/db", "postgres://host/db"),
            ("postgres://host/db?password=secret", "postgres://host/db"),
            ("postgres://me:secret@host", "postgres://host"),
            ("/home/me/a.db", "/home/me/a.db"),
        ] {
            assert_eq!(shown(url), told);
        }
    }
}
