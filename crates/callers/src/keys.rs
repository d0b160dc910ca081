//! All keys: read from a file, asked at every call.

use std::fs;
use std::path::Path;

use repaint_core::{Error, ErrorKind, Period, Result, Store};
use subtle::ConstantTimeEq;

use crate::caller::Caller;
use crate::file::File;
use crate::key::{Hash, is_key, without_keys};

/// Everybody who may call. It holds no key, only hashes.
#[derive(Clone, Debug)]
pub struct Keys(Vec<(Vec<Hash>, Caller)>);

/// A file of so many callers is something else.
const LIMIT: u64 = 16 << 20;

impl Keys {
    /// Reads the file of keys; see [`schema`](crate::schema) for what stands in it.
    ///
    /// # Errors
    ///
    /// `InvalidRequest`, naming the file, the line or the caller, and what to write instead.
    pub fn load(path: &Path) -> Result<Self> {
        let named = |why: String| {
            Error::new(ErrorKind::InvalidRequest, format!("{}: {why}", path.display()))
        };
        let size = fs::metadata(path).map_err(|err| named(format!("cannot be read: {err}")))?.len();
        if LIMIT < size {
            return Err(named(format!("has {size} bytes; no file of keys has more than {LIMIT}")));
        }
        let text =
            fs::read_to_string(path).map_err(|err| named(format!("cannot be read: {err}")))?;
        Self::read(&text).map_err(|err| named(err.message().to_owned()))
    }

    /// The same from the text of such a file.
    ///
    /// # Errors
    ///
    /// `InvalidRequest`, naming the line or the caller; never a key, if one was written there by mistake.
    pub fn read(text: &str) -> Result<Self> {
        let wrong = |err: toml::de::Error| {
            let line = err.span().map(|it| text[..it.start].matches('\n').count() + 1);
            let line = line.map_or_else(String::new, |it| format!("line {it}: "));
            let why = err.message().lines().collect::<Vec<_>>().join("; ");
            Error::new(ErrorKind::InvalidRequest, without_keys(&format!("{line}{why}")))
        };
        let file: File = toml::from_str(text).map_err(wrong)?;
        let callers =
            file.callers().map_err(|err| err.with(|it| it.message = without_keys(&it.message)))?;
        Ok(Self(callers))
    }

    /// Who calls with this key.
    ///
    /// # Errors
    ///
    /// `Denied`, without the key, if it is nobody's.
    pub fn check(&self, key: &str) -> Result<&Caller> {
        let denied = |message: &str| Error::new(ErrorKind::Denied, message);
        if key.is_empty() {
            return Err(denied("there is no key: send yours as `Authorization: Bearer repaint_…`"));
        }
        if !is_key(key) {
            return Err(denied(
                "this is not a key of this server: those begin with `repaint_`, and keys of providers are not \
                 taken in their place; ask whoever runs it",
            ));
        }
        let hash = Hash::of(key);
        let mut found = None;
        // Always all of them, so that the time says nothing of where it was found.
        for (hashes, caller) in &self.0 {
            for known in hashes {
                if known.ct_eq(&hash).into() {
                    found = Some(caller);
                }
            }
        }
        found.ok_or_else(|| {
            denied("nobody has this key, or not any more: ask whoever runs this server for another")
        })
    }

    /// Everybody who may call.
    pub fn callers(&self) -> impl Iterator<Item = &Caller> {
        self.0.iter().map(|it| &it.1)
    }

    /// Sets everybody's budgets in the store that their orders are written to. The file has the last word: a
    /// budget that it no longer has is removed.
    ///
    /// # Errors
    ///
    /// What the store cannot do.
    pub async fn set_budgets(&self, store: &dyn Store) -> Result<()> {
        for caller in self.callers() {
            for budget in caller.budgets() {
                store.set_budget(&budget).await?;
            }
            for period in [Period::Day, Period::Month, Period::Ever] {
                if caller.budgets.iter().all(|it| it.0 != period) {
                    store.remove_budget(Some(&caller.name), period).await?;
                }
            }
        }
        Ok(())
    }
}
