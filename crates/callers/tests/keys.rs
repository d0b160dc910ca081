//! A file of keys, from what somebody writes to who is let in.

use proptest::prelude::*;
use repaint_callers::{Hash, Keys, NewKey};
use repaint_core::{ErrorKind, Period, Store as _, Usd};
use repaint_store::Memory;
use secrecy::ExposeSecret as _;
use serde_json::json;

fn new() -> (String, Hash) {
    let new = NewKey::make().expect("random numbers");
    (new.key.expose_secret().to_owned(), new.hash)
}

/// A caller with these lines.
fn file(name: &str, hash: Hash, lines: &str) -> String {
    format!("[[caller]]\nname = \"{name}\"\nhashes = [\"{hash}\"]\n{lines}\n")
}

#[test]
fn each_is_let_in_with_its_own_key_and_nobody_else() {
    let (ours, theirs, old) = (new(), new(), new());
    let hashes = format!("[\"{}\", \"{}\"]", theirs.1, old.1);
    let text = format!("{}[[caller]]\nname = \"b\"\nhashes = {hashes}\n", file("a", ours.1, ""));
    let keys = Keys::read(&text).expect("a file");
    let name = |key: &str| keys.check(key).map(|it| it.name.as_str()).map_err(|it| it.kind());
    assert_eq!(name(&ours.0), Ok("a"));
    assert_eq!(name(&theirs.0), Ok("b"));
    assert_eq!(name(&old.0), Ok("b"), "while a key is changed, both are taken");
    for key in ["", "repaint_", "sk-1", &new().0, &ours.1.to_string(), &format!("{} ", ours.0)] {
        assert_eq!(name(key), Err(ErrorKind::Denied), "{key}");
    }
}

#[test]
fn who_is_not_let_in_learns_what_to_do() {
    let keys = Keys::read(&file("web", new().1, "")).expect("a file");
    let stranger = new().0;
    for (key, advice) in [
        ("", "Authorization: Bearer repaint_"),
        ("tgp_v1_secret", "keys of providers are not taken"),
        (&stranger, "ask whoever runs this server for another"),
    ] {
        let err = keys.check(key).expect_err(advice);
        assert!(err.message().contains(advice), "{err}");
        assert!(key.is_empty() || !err.message().contains(key), "{err}");
    }
}

#[test]
fn a_caller_uses_what_its_key_is_for() {
    let (key, hash) = new();
    let lines = "models = [\"flux2-*\", \"bfl/kontext-pro\"]\nproviders = [\"together\", \"bfl\"]";
    let keys = Keys::read(&file("web", hash, lines)).expect("a file");
    let web = keys.check(&key).expect("let in");
    for offer in ["together/flux2-pro", "bfl/flux2-flex", "bfl/kontext-pro"] {
        assert!(web.check_offer(offer).is_ok(), "{offer}");
    }
    for offer in
        ["together/kontext-pro", "local/flux2-pro", "google/gemini", "together/my-flux2-pro"]
    {
        let err = web.check_offer(offer).expect_err(offer);
        assert_eq!(err.kind(), ErrorKind::Denied);
        let told = "the key of `web` is not for";
        assert!(err.message().starts_with(told), "{err}");
        assert!(
            err.message().ends_with("it is for models flux2-*, bfl/kontext-pro at together, bfl"),
            "{err}"
        );
    }
    let err = web.check_own_key().expect_err("not for that");
    assert_eq!(err.kind(), ErrorKind::Denied);
    assert!(err.message().contains("a provider's key of your own: leave it out, or ask"), "{err}");
    let keys = Keys::read(&file("web", hash, "own_keys = true")).expect("a file");
    let web = keys.check(&key).expect("let in");
    assert!(web.check_own_key().is_ok() && web.may_use("any/model"));
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_place_and_its_fix() {
    let (key, hash) = new();
    let with = |lines: &str| file("web", hash, lines);
    for (text, why) in [
        (String::new(), "nobody is in it: add a [[caller]]"),
        ("[[caller]]\nhashes = []".to_owned(), "line 1: missing field `name`"),
        ("[[caller]]\nname = \"web\"\nhashes = []".to_owned(), "caller `web`: it has no hash"),
        (
            format!("[[caller]]\nname = \"web\"\nhashes = [\"{key}\"]"),
            "make another, since this one is written down",
        ),
        (
            "[[caller]]\nname = \"web\"\nhashes = [\"1234\"]".to_owned(),
            "`sha256:` and 64 hex digits",
        ),
        (file("a b", hash, ""), "the name of caller 1 is not one of"),
        (format!("{}{}", with(""), file("web", new().1, "")), "there are two callers `web`"),
        (
            format!("{}{}", with(""), file("b", hash, "")),
            "caller `b`: its key stands in the file twice; give each caller a key of its own",
        ),
        (with("models = []"), "`models` is empty, so that it could use none"),
        (with("models = [\"\"]"), "a pattern is a name such as"),
        (with("rate = 0"), "`rate` is 1 to 100000"),
        (with("rate = -1"), "line 4: expected u32"),
        (with("budget = { day = -1 }"), "the budget for `day` is no amount"),
        (with("budget = { day = nan }"), "the budget for `day` is no amount"),
        (with("budget = { week = 1 }"), "line 4: unknown field `week`"),
        (with(&format!("key = \"{key}\"")), "line 4: unknown field `key`"),
        (with(&format!("rate = \"{key}\"")), "line 4:"),
        (with(&format!("{key} = 1")), "line 4: unknown field `(a key)`"),
        (format!("[[caller]]\nname = \"{key}\"\nhashes = []"), "has no hash"),
    ] {
        let err = Keys::read(&text).expect_err(&text);
        assert!(err.message().contains(why), "{why}: {err}");
        assert!(!err.message().contains(&key), "{err}");
        assert_eq!(err.kind(), ErrorKind::InvalidRequest);
    }
}

/// A provider's key has no form by which it could be known, so no value is repeated where another type
/// belongs.
#[test]
fn a_value_of_another_type_is_not_repeated() {
    let hash = new().1;
    let secret = "tgp_v1_secret";
    for (lines, why) in [
        (format!("rate = \"{secret}\""), "line 4: expected u32"),
        (format!("rate = \"{secret}, expected {secret}\""), "line 4: expected u32"),
        (format!("own_keys = \"{secret}\""), "line 4: expected a boolean"),
        (format!("models = \"{secret}\""), "line 4: expected a sequence"),
        (format!("budget = \"{secret}\""), "line 4: expected "),
        (format!("budget = {{ day = \"{secret}\" }}"), "line 4: expected f64"),
        (format!("rate = {secret}"), "line 4: "),
    ] {
        let err = Keys::read(&file("web", hash, &lines)).expect_err(&lines);
        assert!(err.message().starts_with(why), "{lines}: {err}");
        assert!(!format!("{err} {err:?}").contains(secret), "{lines}: {err}");
    }
    let err = Keys::read(&format!("caller = \"{secret}\"")).expect_err("no list");
    assert_eq!(err.message(), "line 1: expected a sequence");
}

/// What has no end, or nobody who writes to it, would be read for ever.
#[test]
fn only_a_regular_file_of_a_likely_size_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = |path: &std::path::Path, why: &str| {
        let err = Keys::load(path).expect_err(why);
        assert_eq!(err.message(), format!("{}: {why}", path.display()));
        assert_eq!(err.kind(), ErrorKind::InvalidRequest);
    };
    let irregular = "is no regular file; write the callers into one";
    refused(folder.path(), irregular);
    #[cfg(unix)]
    {
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("mkfifo runs").success());
        for path in ["/dev/null".as_ref(), "/dev/zero".as_ref(), pipe.as_path()] {
            refused(path, irregular);
        }
    }
    let path = folder.path().join("large.toml");
    let large = std::fs::File::create(&path).expect("a file");
    large.set_len((16 << 20) + 1).expect("made longer");
    refused(&path, "has more than 16777216 bytes, as no file of keys has");
    std::fs::write(&path, b"# \xff").expect("written");
    refused(&path, "cannot be read: it is not UTF-8");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keys.toml");
    let err = Keys::load(&path).expect_err("no file");
    assert!(err.message().contains("keys.toml: cannot be read"), "{err}");
    let new = NewKey::make().expect("random numbers");
    std::fs::write(&path, new.entry("web").expect("a name")).expect("written");
    let keys = Keys::load(&path).expect("what a new key says to write");
    assert_eq!(keys.check(new.key.expose_secret()).expect("let in").name, "web");
}

#[test]
fn the_schema_takes_what_is_taken() {
    let schema = repaint_schema::named("callers").expect("a schema");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let hash = new().1.to_string();
    let caller = |with: serde_json::Value| {
        let mut caller = json!({ "name": "web", "hashes": [hash] });
        let given = with.as_object().expect("an object").clone();
        caller.as_object_mut().expect("an object").extend(given);
        json!({ "caller": [caller] })
    };
    let read = |value: &serde_json::Value| {
        let text = toml_of(value);
        Keys::read(&text).is_ok()
    };
    for with in [
        json!({}),
        json!({ "models": ["flux2-*"], "providers": ["bfl"], "rate": 1, "own_keys": true }),
        json!({ "budget": { "day": 0, "month": 1.5, "ever": 1_000_000_000 } }),
    ] {
        let value = caller(with);
        assert!(schema.is_valid(&value) && read(&value), "{value}");
    }
    for with in [
        json!({ "name": "a b" }),
        json!({ "name": "" }),
        json!({ "hashes": [] }),
        json!({ "hashes": ["1234"] }),
        json!({ "models": [] }),
        json!({ "models": [""] }),
        json!({ "models": ["flux2-*", "a b"] }),
        json!({ "providers": [] }),
        json!({ "providers": [""] }),
        json!({ "providers": ["b\u{e9}"] }),
        json!({ "rate": 0 }),
        json!({ "rate": 100_001 }),
        json!({ "budget": { "day": -1 } }),
        json!({ "budget": { "day": 1_000_000_001 } }),
        json!({ "budget": { "month": 1_000_000_001 } }),
        json!({ "budget": { "ever": 1_000_000_001 } }),
        json!({ "budget": { "week": 1 } }),
        json!({ "key": "any" }),
    ] {
        let value = caller(with);
        assert!(!schema.is_valid(&value) && !read(&value), "{value}");
    }
    for value in [json!({}), json!({ "caller": [] })] {
        assert!(!schema.is_valid(&value) && !read(&value), "{value}");
    }
}

/// TOML's inline form of a JSON value without null.
fn toml_of(value: &serde_json::Value) -> String {
    fn inline(value: &serde_json::Value) -> String {
        match value {
            serde_json::Value::Object(fields) => {
                let fields: Vec<String> =
                    fields.iter().map(|(k, v)| format!("{k} = {}", inline(v))).collect();
                format!("{{ {} }}", fields.join(", "))
            }
            serde_json::Value::Array(items) => {
                format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", "))
            }
            plain => plain.to_string(),
        }
    }
    let fields = value.as_object().expect("an object").iter();
    fields.map(|(k, v)| format!("{k} = {}\n", inline(v))).collect()
}

#[tokio::test]
async fn the_file_has_the_last_word_on_budgets() {
    let store = Memory::new();
    let (web, other) = (new().1, new().1);
    let both = |lines: &str| {
        format!("{}{}", file("web", web, lines), file("other", other, "budget = { ever = 1 }"))
    };
    let set = async |lines: &str| {
        Keys::read(&both(lines)).expect("a file").set_budgets(&store).await.expect("set");
        let budgets = store.budgets().await.expect("a list");
        let shown =
            |it: repaint_core::Budget| (it.account.unwrap_or_default(), it.period, it.limit);
        budgets.into_iter().map(shown).collect::<Vec<_>>()
    };
    let other = ("other".to_owned(), Period::Ever, Usd(1_000_000));
    let web = |period, limit| ("web".to_owned(), period, Usd(limit));
    let first = set("budget = { day = 0.1, month = 80.5 }").await;
    assert_eq!(first, [other.clone(), web(Period::Day, 100_000), web(Period::Month, 80_500_000)]);
    assert_eq!(set("budget = { month = 7 }").await, [other.clone(), web(Period::Month, 7_000_000)]);
    assert_eq!(set("").await, [other]);
}

proptest! {
    /// A key that is written anywhere in a file by mistake is in no error.
    #[test]
    fn no_error_shows_a_key(at in 0usize..200, cut in 0usize..200) {
        let (key, hash) = new();
        let text = file("web", hash, "models = [\"flux2-*\"]\nrate = 60\nbudget = { day = 5 }");
        let at = at.min(text.len());
        let text = format!("{}{key}{}", &text[..at], &text[(at + cut).min(text.len())..]);
        if let Err(err) = Keys::read(&text) {
            prop_assert!(!format!("{err} {err:?}").contains(&key[8..]), "{}", err);
        }
    }

    /// Whatever is sent as a key is taken only if it is one.
    #[test]
    fn only_a_key_lets_in(sent in "(repaint_)?[ -~]{0,60}") {
        let keys = Keys::read(&file("web", new().1, "")).expect("a file");
        let err = keys.check(&sent).expect_err("nobody's");
        prop_assert!(sent.len() < 12 || !err.message().contains(&sent), "{}", err);
    }
}
