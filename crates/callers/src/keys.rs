//! All keys: read from a file, asked at every call.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use repaint_core::{Error, ErrorKind, Period, Result, Store};
use subtle::ConstantTimeEq;

use crate::caller::Caller;
use crate::key::{Hash, is_key, without_keys};
use repaint_schema::Callers;

/// Everybody who may call. It holds no key, only hashes.
#[derive(Clone, Debug)]
pub struct Keys(Vec<(Vec<Hash>, Arc<Caller>)>);

/// A file of so many callers is something else.
const LIMIT: u64 = 16 << 20;

impl Keys {
    /// Reads the file of callers; [`repaint_schema::Callers`] says what stands in it.
    ///
    /// # Errors
    ///
    /// `InvalidRequest`, naming the file, the line or the caller, and what to write instead.
    pub fn load(path: &Path) -> Result<Self> {
        let named = |why: String| {
            Error::new(ErrorKind::InvalidRequest, format!("{}: {why}", path.display()))
        };
        let unread = |err: std::io::Error| named(format!("cannot be read: {err}"));
        // Before it is opened: to open a pipe waits for somebody who writes to it.
        if !fs::metadata(path).map_err(unread)?.is_file() {
            return Err(named("is no regular file; write the callers into one".to_owned()));
        }
        let mut bytes = Vec::new();
        let file = fs::File::open(path).map_err(unread)?;
        file.take(LIMIT + 1).read_to_end(&mut bytes).map_err(unread)?;
        if LIMIT < bytes.len() as u64 {
            return Err(named(format!("has more than {LIMIT} bytes, as no file of keys has")));
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| named("cannot be read: it is not UTF-8".to_owned()))?;
        Self::read(&text).map_err(|err| named(err.message().to_owned()))
    }

    /// The same from the text of such a file.
    ///
    /// # Errors
    ///
    /// `InvalidRequest`, naming the line or the caller. A key of ours that was written there by mistake is never
    /// in it; nor is a provider's, unless it stands where a name belongs: that of a caller or of a field.
    pub fn read(text: &str) -> Result<Self> {
        let wrong = |err: toml::de::Error| {
            let line = err.span().map(|it| text[..it.start].matches('\n').count() + 1);
            let line = line.map_or_else(String::new, |it| format!("line {it}: "));
            let why = without_value(err.message()).lines().collect::<Vec<_>>().join("; ");
            Error::new(ErrorKind::InvalidRequest, without_keys(&format!("{line}{why}")))
        };
        let file: Callers = toml::from_str(text).map_err(wrong)?;
        let callers = crate::file::callers(file)
            .map_err(|err| err.with(|it| it.message = without_keys(&it.message)))?;
        Ok(Self(callers.into_iter().map(|(hashes, it)| (hashes, Arc::new(it))).collect()))
    }

    /// Who calls with this key.
    ///
    /// # Errors
    ///
    /// `Denied`, without the key, if it is nobody's.
    pub fn check(&self, key: &str) -> Result<&Arc<Caller>> {
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
        self.0.iter().map(|it| &*it.1)
    }

    /// Sets the budgets of the callers that are in the file, in the store that their orders are written to. Of
    /// them the file has the last word: a budget that it does not have is removed, and what
    /// `repaint budget --account` set for one of them is undone. Nobody else's budget is touched, not even that of
    /// a caller who was taken out of the file.
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

/// What serde says of a value of the wrong type, without the value: it may be a key that belongs elsewhere, and
/// those of providers have no form by which they could be known.
fn without_value(message: &str) -> &str {
    let of_value = ["invalid type: ", "invalid value: "].iter().any(|it| message.starts_with(it));
    match message.rfind(", expected ").filter(|_| of_value) {
        Some(at) => &message[at + ", ".len()..],
        None => message,
    }
}
