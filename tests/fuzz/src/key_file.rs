//! The file of callers' keys: nobody is lost or gets more than it says, and an error repeats no key.

use repaint_callers::Keys;
use repaint_core::{Period, Usd};
use toml::{Table, Value};

use crate::swollen;

/// Reads a file of keys.
pub fn key_file(bytes: &[u8]) {
    let bytes = swollen(bytes);
    let Ok(text) = std::str::from_utf8(&bytes) else { return };
    let keys = match Keys::read(text) {
        Ok(keys) => keys,
        Err(err) => {
            for key in keys_in(text) {
                assert!(!err.to_string().contains(key) && !format!("{err:?}").contains(key));
            }
            return;
        }
    };
    let table: Table = text.parse().expect("what is taken is TOML to others, too");
    let entries = table["caller"].as_array().expect("callers").iter();
    let callers: Vec<_> = keys.callers().collect();
    assert_eq!(entries.len(), callers.len(), "somebody is lost");
    for (entry, caller) in entries.zip(callers) {
        assert_eq!(entry["name"].as_str(), Some(caller.name.as_str()));
        for (name, patterns) in [("models", &caller.models), ("providers", &caller.providers)] {
            let listed = entry.get(name).and_then(Value::as_array).map(Vec::len);
            assert_eq!(listed.unwrap_or(0), patterns.len(), "no patterns are no limit");
            assert_ne!(listed, Some(0), "an empty list is taken for no limit");
        }
        let budget = entry.get("budget").and_then(Value::as_table);
        assert_eq!(budget.map_or(0, Table::len), caller.budgets.len(), "a limit is lost");
        for (period, usd) in &caller.budgets {
            let name = match period {
                Period::Day => "day",
                Period::Month => "month",
                Period::Ever => "ever",
            };
            let said = &budget.expect("a budget")[name];
            let said = said.as_float().or_else(|| said.as_integer().map(|it| it as f64));
            let said = said.expect("a number");
            assert!(
                usd.0 as f64 <= said * 1e6 + 0.5 && *usd <= Usd(1_000_000_000_000_000),
                "more than it says"
            );
        }
        let rate = entry.get("rate").and_then(Value::as_integer);
        assert_eq!(rate, caller.rate.map(i64::from));
        let own = entry.get("own_keys").and_then(Value::as_bool).unwrap_or(false);
        assert_eq!(own, caller.own_keys);
    }
    assert!(keys.check("").is_err());
}

/// What has the form of a key, by its first letters and its length.
fn keys_in(text: &str) -> Vec<&str> {
    let random = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_');
    let found = text.match_indices("repaint_").map(|(at, _)| &text[at..]);
    let whole = found.map(|it| &it[..it.find(|it| !random(it)).unwrap_or(it.len())]);
    whole.filter(|it| 51 <= it.len()).collect()
}
