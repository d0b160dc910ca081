//! What a provider says against a field, read no further than its words go.

use repaint::{Reply, quotable};
use serde_json::Value;

/// What a refusal says against one field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Complaint {
    /// The field, where it is named apart from the words.
    pub(crate) field: Option<String>,
    pub(crate) words: String,
    pub(crate) says: Says,
}

/// What the words amount to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Says {
    /// The field has these limits, as far as they are stated; an end is `open` that is not included.
    Limits { least: Option<f64>, most: Option<f64>, open: bool },
    /// The field takes these values.
    Listed(Vec<String>),
    /// There is no such field for this model.
    Unsupported,
    /// Nothing that can be read.
    Unsaid,
}

/// All that a refusal says.
///
/// Together has one message, which may quote a parameter: "Invalid value for 'seed' parameter. Seed must
/// be an integer value between 0 and 2147483647." Black Forest Labs has a list of FastAPI's: place,
/// message, type and sometimes the limit itself.
pub(crate) fn complaints(reply: &Reply) -> Vec<Complaint> {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    if let Value::Array(details) = &body["detail"] {
        return details.iter().map(detail).collect();
    }
    let words = reply.words();
    let field = body["error"]["param"].as_str().map(str::to_owned);
    vec![Complaint { field, says: says(&words), words }]
}

fn detail(detail: &Value) -> Complaint {
    let places = detail["loc"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut names = places.iter().filter_map(Value::as_str).filter(|it| *it != "body");
    let words = quotable(detail["msg"].as_str().unwrap_or_default());
    let limit = |key: &str| detail["ctx"][key].as_f64();
    let open = limit("gt").or(limit("lt")).is_some();
    let least = limit("ge").or(limit("gt")).or(limit("min_length"));
    let most = limit("le").or(limit("lt")).or(limit("max_length"));
    let says = match (detail["type"].as_str(), least, most) {
        (Some("extra_forbidden"), ..) => Says::Unsupported,
        (_, None, None) => says(&words),
        (_, least, most) => Says::Limits { least, most, open },
    };
    Complaint { field: names.next().map(str::to_owned), words, says }
}

impl Complaint {
    /// Whether it is about a field of the body, or about one of the words that mean the same.
    pub(crate) fn is_about(&self, field: &str, meaning: &[&str]) -> bool {
        match &self.field {
            Some(named) => named == field || meaning.contains(&named.as_str()),
            None => {
                let words = self.words.to_lowercase();
                let spaced = field.replace('_', " ");
                names(&words, field)
                    || spaced != field && names(&words, &spaced)
                    || meaning.iter().any(|it| names(&words, it))
            }
        }
    }

    /// Whether an image could not be fetched, which says nothing of limits.
    pub(crate) fn is_about_fetching(&self) -> bool {
        let words = self.words.to_lowercase();
        ["fetch", "download", "retrieve", "resolve", "unreachable", "could not access"]
            .iter()
            .any(|it| words.contains(it))
    }

    /// Whether it is the value that is wrong, as far as the words show.
    pub(crate) fn is_about_value(&self) -> bool {
        let words = self.words.to_lowercase();
        ["invalid", "too ", "exceed", "range", "maximum", "minimum", "limit", "must", "should"]
            .iter()
            .any(|it| words.contains(it))
    }
}

/// Whether a name stands in the words whole. One of a letter or two must be quoted: words are full of
/// them.
fn names(words: &str, name: &str) -> bool {
    let part = |it: char| it.is_ascii_alphanumeric() || it == '_';
    words.match_indices(name).any(|(at, found)| {
        let before = words[..at].chars().next_back();
        let after = words[at + found.len()..].chars().next();
        if name.len() < 3 {
            let quote = |it: Option<char>| it.is_some_and(|it| "'\"`".contains(it));
            return quote(before) && quote(after);
        }
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

fn says(words: &str) -> Says {
    let words = words.to_lowercase();
    if let Some(listed) = listed(&words) {
        return Says::Listed(listed);
    }
    let (mut least, mut most) = (None, None);
    for phrase in ["between ", "from ", "range of ", "range "] {
        if let Some((from, rest)) = number_after(&words, phrase)
            && let Some(rest) = [" and ", " to ", "-"].iter().find_map(|it| rest.strip_prefix(it))
            && let Some((to, _)) = number(rest)
        {
            (least, most) = (Some(from), Some(to));
            break;
        }
    }
    let stated = |phrases: &[&str]| {
        phrases.iter().find_map(|it| number_after(&words, it)).map(|(number, _)| number)
    };
    let mut open = false;
    most = most
        .or_else(|| {
            stated(&[
                "less than or equal to ",
                "at most ",
                "no more than ",
                "up to ",
                "maximum of ",
                "maximum is ",
                "exceed ",
                "<= ",
            ])
        })
        .or_else(|| stated(&["less than "]).inspect(|_| open = true));
    least = least
        .or_else(|| stated(&["greater than or equal to ", "at least ", "minimum of ", ">= "]))
        .or_else(|| stated(&["greater than "]).inspect(|_| open = true));
    if least.is_some() || most.is_some() {
        return Says::Limits { least, most, open };
    }
    let strange = [
        "unsupported use of",
        "not recognized or supported",
        "parameter is not supported",
        "extra inputs are not permitted",
        "additional properties",
        "unknown parameter",
        "unknown field",
        "unrecognized",
        "unexpected keyword",
    ];
    if strange.iter().any(|it| words.contains(it)) { Says::Unsupported } else { Says::Unsaid }
}

/// The values in a sentence that lists them, quoted or not.
fn listed(words: &str) -> Option<Vec<String>> {
    let leads = [
        "supported values are",
        "supported sizes are",
        "supported formats are",
        "supported formats",
        "allowed values are",
        "allowed values",
        "one of",
    ];
    let lead = leads.iter().find_map(|it| words.split_once(it)).map(|it| it.1);
    // FastAPI: "Input should be 'jpeg' or 'png'".
    let quoted = || words.split_once("should be ").map(|it| it.1).filter(|it| it.starts_with('\''));
    let rest = lead.or_else(quoted)?;
    let rest = rest.trim_start_matches([':', ' ', '(', '[']);
    let items: Vec<String> = if rest.starts_with(['\'', '"', '`']) {
        let parts = rest.split(['\'', '"', '`']).enumerate();
        parts.filter(|(index, _)| index % 2 == 1).map(|(_, it)| it.to_owned()).collect()
    } else {
        let sentence = rest.split(". ").next().unwrap_or(rest).trim_end_matches(['.', ')', ']']);
        let parts = sentence.split([',', ' ']).map(str::trim);
        parts.filter(|it| !["", "and", "or"].contains(it)).map(str::to_owned).collect()
    };
    (!items.is_empty()).then_some(items)
}

/// A limit in bytes, in areas or in time is none of a field that counts.
fn number_after<'a>(words: &'a str, phrase: &str) -> Option<(f64, &'a str)> {
    const UNITS: [&str; 9] =
        ["mb", "kb", "gb", "byte", "megapixel", "mp", "second", "character", "token"];
    let counts = |rest: &str| {
        let rest = rest.trim_start();
        !rest.starts_with(['×', '%']) && !UNITS.iter().any(|it| rest.starts_with(it))
    };
    let mut numbers =
        words.match_indices(phrase).filter_map(|(at, it)| number(&words[at + it.len()..]));
    numbers.find(|it| counts(it.1))
}

/// The number that a text begins with, and what follows it. Commas stand between thousands.
fn number(text: &str) -> Option<(f64, &str)> {
    let text = text.trim_start_matches([' ', '\'', '"', '`']);
    let end = text.find(|it: char| !it.is_ascii_digit() && it != '.' && it != ',');
    let digits = text[..end.unwrap_or(text.len())].trim_end_matches(['.', ',']);
    let number = digits.replace(',', "").parse().ok()?;
    Some((number, &text[digits.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(body: &str) -> Vec<Complaint> {
        complaints(&Reply { status: 400, body: body.into(), ..Reply::default() })
    }

    fn together(message: &str) -> Complaint {
        let body = serde_json::json!({ "id": "o-1", "error": {
            "message": message, "type": "invalid_request_error", "param": null, "code": null
        } });
        heard(&body.to_string()).remove(0)
    }

    /// ref: refusals that third parties quote as seen live, 2025-12-02 to 2026-09-06
    #[test]
    fn what_together_was_seen_to_say_is_read() {
        let seed = together(
            "Invalid value for 'seed' parameter. Seed must be an integer value between 0 and \
             2147483647. Default: Random.",
        );
        assert_eq!(
            seed.says,
            Says::Limits { least: Some(0.0), most: Some(2_147_483_647.0), open: false }
        );
        assert!(seed.is_about("seed", &[]) && !seed.is_about("n", &[]));
        for words in [
            "Unsupported use of 'image_url' parameter. This parameter is not supported for the \
             selected model.",
            "Invalid parameter detected. The parameter \"'image_url'\" is not recognized or supported.",
        ] {
            let refused = together(words);
            assert_eq!(refused.says, Says::Unsupported, "{words}");
            assert!(refused.is_about("image_url", &[]) && !refused.is_about("image", &[]));
        }
        let sizes = together(
            "Unsupported use of width/height parameters. The specified dimensions are not supported \
             for the selected model. Supported values are: '1024x1024', '1264x848', '848x1264'.",
        );
        assert_eq!(
            sizes.says,
            Says::Listed(["1024x1024", "1264x848", "848x1264"].map(str::to_owned).to_vec())
        );
        assert!(sizes.is_about("width", &[]));
        // A range of areas is not one of sides.
        let area = together(
            "Invalid dimensions. The total area (width × height) must be within the range of \
             1265×1265 to 1440×1440. The aspect ratio must be between 1:4 and 4:1.",
        );
        assert_eq!(area.says, Says::Unsaid);
        let many = together("Too many input images. This model accepts up to 3 input images.");
        assert_eq!(many.says, Says::Limits { least: None, most: Some(3.0), open: false });
        assert!(many.is_about("reference_images", &["input images"]));
    }

    /// ref: the form of FastAPI's errors, docs.bfl.ai OpenAPI, `HTTPValidationError`, 2026-11-22
    #[test]
    fn what_fastapi_says_is_read_by_place() {
        let steps = heard(
            r#"{"detail":[{"loc":["body","steps"],"msg":"Input should be less than or equal to 50","type":"less_than_equal","ctx":{"le":50}}]}"#,
        );
        assert_eq!(steps[0].says, Says::Limits { least: None, most: Some(50.0), open: false });
        assert!(steps[0].is_about("steps", &[]) && !steps[0].is_about("width", &[]));
        let bare = heard(
            r#"{"detail":[{"loc":["body","width"],"msg":"ensure this value is greater than or equal to 64","type":"value_error"}]}"#,
        );
        assert_eq!(bare[0].says, Says::Limits { least: Some(64.0), most: None, open: false });
        let format = heard(
            r#"{"detail":[{"loc":["body","output_format"],"msg":"Input should be 'jpeg', 'png' or 'webp'","type":"enum"}]}"#,
        );
        assert_eq!(
            format[0].says,
            Says::Listed(["jpeg", "png", "webp"].map(str::to_owned).to_vec())
        );
        let extra = heard(
            r#"{"detail":[{"loc":["body","seed"],"msg":"Extra inputs are not permitted","type":"extra_forbidden"}]}"#,
        );
        assert_eq!(extra[0].says, Says::Unsupported);
    }

    #[test]
    fn an_end_that_is_not_included_is_said_to_be_open() {
        let guidance = heard(
            r#"{"detail":[{"loc":["body","guidance"],"msg":"Input should be less than 10","type":"less_than","ctx":{"lt":10.0}}]}"#,
        );
        let open = Says::Limits { least: None, most: Some(10.0), open: true };
        assert_eq!(guidance[0].says, open);
        assert_eq!(together("guidance must be less than 10.").says, open);
    }

    #[test]
    fn a_limit_of_another_kind_is_none_of_the_field() {
        for words in
            ["Each image must be at most 5 MB", "at most 20 megapixels", "up to 4,000 tokens"]
        {
            assert_eq!(together(words).says, Says::Unsaid, "{words}");
        }
        let limits = Says::Limits { least: None, most: Some(2_147_483_647.0), open: false };
        assert_eq!(together("n must be no more than 2,147,483,647.").says, limits);
    }

    #[test]
    fn what_is_no_error_of_theirs_says_nothing() {
        for body in ["", "<html>bad gateway</html>", "[]", "{}", r#"{"detail":"no"}"#, "null"] {
            assert_eq!(heard(body)[0].says, Says::Unsaid, "{body}");
        }
        assert_eq!(heard(r#"{"detail":[]}"#), []);
        assert_eq!(heard(r#"{"detail":[7]}"#)[0].says, Says::Unsaid);
    }
}
