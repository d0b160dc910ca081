//! What an answer to a probe teaches about a fact: what it was, or what is to stand in its place.

use repaint::{Dimensions, MediaType, OutputFormat, Ratio, quotable};
use repaint_schema::printed::LessonVerdict as Verdict;
use serde_json::{Value, json};

use crate::probe::heard::{Complaint, Says};
use crate::probe::plan::{Ask, Probe};

/// What an answer teaches.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lesson {
    pub(crate) verdict: Verdict,
    /// In a few words.
    pub(crate) says: String,
    /// The value of the fact, where the answer states one that is to be kept.
    pub(crate) value: Option<Value>,
    /// Whether the answer states the whole of the fact, so that all of it is observed now.
    pub(crate) whole: bool,
}

/// What a refusal teaches. `fact` is the value that the offer has now.
pub(crate) fn refused(probe: &Probe, fact: &Value, complaints: &[Complaint]) -> Lesson {
    let meaning = meaning(probe);
    let Some(complaint) = complaints.iter().find(|it| it.is_about(&probe.field, meaning)) else {
        let words = complaints.first().map_or("", |it| it.words.as_str());
        return nothing(format!("it speaks of something else: {}", short(words)));
    };
    match probe.ask {
        Ask::Beyond { at, over } => range(probe, fact, complaint, at, over),
        Ask::Outside { at } => list(probe, fact, complaint, at),
        Ask::Twice if complaint.words.to_lowercase().contains("string") => {
            confirmed("one image, not a list", Some(fact.clone()))
        }
        Ask::Twice => nothing(unclear(complaint)),
        Ask::Strange => match (&complaint.says, probe.fact) {
            (Says::Unsupported, Some(_)) => confirmed("not taken", Some(fact.clone())),
            (Says::Unsupported, None) => {
                confirmed("fields that it does not know are refused, not ignored", None)
            }
            _ => nothing(format!("the field is known there: {}", short(&complaint.words))),
        },
    }
}

/// What it teaches that a probe was taken; `pictures` is how many came back, where that is seen.
///
/// That a field was taken does not show that it was honoured: only pictures that were counted raise a
/// limit.
pub(crate) fn taken(probe: &Probe, fact: &Value, pictures: Option<usize>) -> Lesson {
    let (Ask::Beyond { at, over }, Some(name)) = (probe.ask, probe.fact) else {
        return nothing("it was taken, so the field is honoured or ignored".to_owned());
    };
    let sent = match (name, &probe.sent) {
        ("images", Value::Array(items)) => json!(items.len()),
        (_, sent) => sent.clone(),
    };
    if let ("count", Some(pictures)) = (name, pictures)
        && sent != json!(pictures)
    {
        return nothing(format!("it was taken, and {pictures} made: the number was not honoured"));
    }
    let ("count", Some(pictures)) = (name, pictures) else {
        let beyond = if over { "higher" } else { "lower" };
        return nothing(format!("{sent} was taken: the limit is {beyond}, or it was ignored"));
    };
    let mut value = fact.clone();
    match value.pointer_mut(at).and_then(|it| it.get_mut("max")) {
        Some(limit) => *limit = sent,
        None => return nothing("it was taken".to_owned()),
    }
    differs(format!("the limit is higher: {pictures} were made"), value)
}

fn range(probe: &Probe, fact: &Value, complaint: &Complaint, at: &str, over: bool) -> Lesson {
    let bounds = |end: &str| fact.pointer(at).and_then(|it| it[end].as_f64());
    let (Some(min), Some(max)) = (bounds("min"), bounds("max")) else {
        return nothing("there is no range to compare with".to_owned());
    };
    let sent = match &probe.sent {
        Value::Array(items) => items.len() as f64,
        sent => sent.as_f64().unwrap_or_default(),
    };
    match &complaint.says {
        Says::Limits { least, most, open } if (if over { *most } else { *least }).is_some() => {
            // The other end is stated, or can be no other.
            let whole = least.is_some() && most.is_some() || over && min <= 1.0;
            let (least, most) = match (open, probe.fact) {
                (false, _) => (*least, *most),
                (true, Some("guidance")) => {
                    return nothing(format!("an end is not included: {}", short(&complaint.words)));
                }
                (true, _) => (least.map(|it| it + 1.0), most.map(|it| it - 1.0)),
            };
            let (least, most) = (least.unwrap_or(min), most.unwrap_or(max));
            if (least..=most).contains(&sent) || most < least {
                return nothing(format!(
                    "it refuses what it says it takes: {}",
                    short(&complaint.words)
                ));
            }
            let mut value = fact.clone();
            if let Some(range) = value.pointer_mut(at) {
                range["min"] = plain(least);
                range["max"] = plain(most);
            }
            // Of widths and heights the step and the area are facts, too, which no side tells.
            let whole = whole && at.is_empty();
            let says = format!("{} to {}", plain(least), plain(most));
            let lesson = if (least, most) == (min, max) {
                confirmed(&says, Some(fact.clone()))
            } else {
                differs(format!("{says}, not {} to {}", plain(min), plain(max)), value)
            };
            Lesson { whole, ..lesson }
        }
        Says::Listed(items) if probe.fact == Some("pixels") => {
            let sizes: Vec<&String> =
                items.iter().filter(|it| it.parse::<Dimensions>().is_ok()).collect();
            if sizes.is_empty() {
                return nothing(unclear(complaint));
            }
            differs(format!("{} sizes, no range", sizes.len()), json!({ "listed": sizes }))
        }
        Says::Unsupported => {
            let none = match probe.fact {
                Some("images") => json!({ "min": 0, "max": 0 }),
                Some("count") => json!({ "min": 1, "max": 1 }),
                Some("pixels") => json!("none"),
                _ => Value::Null,
            };
            differs("not taken at all".to_owned(), none)
        }
        _ if complaint.is_about_fetching() || !complaint.is_about_value() => {
            nothing(unclear(complaint))
        }
        // What is refused without a word of the limit shows only that the limit is no higher.
        _ if over => confirmed(&format!("no more than {}", plain(max)), None),
        _ => confirmed(&format!("no less than {}", plain(min)), None),
    }
}

fn list(probe: &Probe, fact: &Value, complaint: &Complaint, at: &str) -> Lesson {
    let (Says::Listed(items), Some(name)) = (&complaint.says, probe.fact) else {
        return nothing(format!(
            "refused without a word of what is taken: {}",
            short(&complaint.words)
        ));
    };
    let known = |it: &String| -> Option<String> {
        let it = if it == "jpg" { "jpeg" } else { it.trim_start_matches("image/") };
        let read = |value: Value| match name {
            "output_formats" => serde_json::from_value::<OutputFormat>(value).is_ok(),
            "media_types" => serde_json::from_value::<MediaType>(value).is_ok(),
            "ratios" => it.parse::<Ratio>().is_ok(),
            _ => it.parse::<Dimensions>().is_ok(),
        };
        let it = if name == "media_types" { format!("image/{it}") } else { it.to_owned() };
        read(json!(it)).then_some(it)
    };
    let mut stated: Vec<String> = Vec::new();
    for item in items.iter().filter_map(known) {
        if !stated.contains(&item) {
            stated.push(item);
        }
    }
    let mut ours: Vec<String> = match fact.pointer(at) {
        Some(Value::Array(items)) => {
            items.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    };
    if stated.is_empty() || ours.is_empty() {
        return nothing(unclear(complaint));
    }
    let mut value = fact.clone();
    if let Some(list) = value.pointer_mut(at) {
        *list = json!(stated);
    }
    stated.sort();
    ours.sort();
    let shown = |it: &[String]| match it.len() {
        0..=6 => it.join(", "),
        many => format!("{many} of them"),
    };
    if stated == ours {
        return confirmed(&shown(&ours), Some(fact.clone()));
    }
    let missing = ours.iter().filter(|it| !stated.contains(it)).count();
    let more = stated.iter().filter(|it| !ours.contains(it)).count();
    differs(format!("{} ({more} more, {missing} fewer)", shown(&stated)), value)
}

/// Words in which a provider may speak of a field without naming it.
fn meaning(probe: &Probe) -> &'static [&'static str] {
    match probe.fact {
        Some("images") => &["input images", "reference images", "images"],
        Some("media_types") => &["image", "images", "image format", "media type", "mime type"],
        Some("count") => &["number of images", "number of results"],
        Some("pixels") => &["dimensions", "height"],
        Some("output_formats") => &["output format"],
        _ => &[],
    }
}

fn confirmed(says: &str, value: Option<Value>) -> Lesson {
    Lesson { verdict: Verdict::Confirmed, says: says.to_owned(), value, whole: true }
}

fn differs(says: String, value: Value) -> Lesson {
    Lesson { verdict: Verdict::Differs, says, value: Some(value), whole: true }
}

pub(crate) fn nothing(says: String) -> Lesson {
    Lesson { verdict: Verdict::Nothing, says, value: None, whole: false }
}

fn unclear(complaint: &Complaint) -> String {
    format!("refused, but not for this: {}", short(&complaint.words))
}

/// The provider's words, as many as a line of a table or a source has room for.
pub(crate) fn short(words: &str) -> String {
    const MOST: usize = 160;
    let words = quotable(words);
    match words.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}

/// A number as JSON has it: whole where it is.
fn plain(number: f64) -> Value {
    if number.fract() == 0.0 && (0.0..9e15).contains(&number) {
        json!(number as u64)
    } else {
        json!(number)
    }
}

#[cfg(test)]
mod tests {
    use repaint::{Call, Phase, Usd};

    use super::*;

    fn probe(fact: &'static str, field: &str, sent: Value, ask: Ask) -> Probe {
        let call = Call { url: String::new(), auth: None, body: None, phase: Phase::Submit };
        let field = field.to_owned();
        Probe { fact: Some(fact), field, sent, ask, assumed: true, call, cost: Usd(0) }
    }

    fn said(words: &str, says: Says) -> [Complaint; 1] {
        [Complaint { field: None, words: words.to_owned(), says }]
    }

    fn at_most(most: f64) -> Says {
        Says::Limits { least: None, most: Some(most), open: false }
    }

    #[test]
    fn a_stated_limit_confirms_or_replaces_ours() {
        let ask = Ask::Beyond { at: "", over: true };
        let (probe, fact) =
            (probe("steps", "steps", json!(51), ask), json!({ "min": 1, "max": 50 }));
        let lesson = refused(&probe, &fact, &said("steps: at most 50", at_most(50.0)));
        assert_eq!((lesson.verdict, lesson.value), (Verdict::Confirmed, Some(fact.clone())));
        let lesson = refused(&probe, &fact, &said("steps: at most 28", at_most(28.0)));
        assert_eq!(lesson.verdict, Verdict::Differs);
        assert_eq!(lesson.value, Some(json!({ "min": 1, "max": 28 })));
        // A provider that contradicts itself teaches nothing.
        let lesson = refused(&probe, &fact, &said("steps: at most 80", at_most(80.0)));
        assert_eq!((lesson.verdict, lesson.value), (Verdict::Nothing, None));
        let lesson = refused(&probe, &fact, &said("the prompt is too long", at_most(1.0)));
        assert_eq!(lesson.verdict, Verdict::Nothing);
        let lesson = refused(&probe, &fact, &said("unsupported use of 'steps'", Says::Unsupported));
        assert_eq!((lesson.verdict, lesson.value), (Verdict::Differs, Some(Value::Null)));
    }

    #[test]
    fn an_image_that_cannot_be_fetched_says_nothing_of_how_many_are_taken() {
        let ask = Ask::Beyond { at: "", over: true };
        let probe = probe("images", "reference_images", json!(["a", "b"]), ask);
        let fact = json!({ "min": 0, "max": 1 });
        let words = "Invalid reference_images: could not download https://probe.invalid/1.png";
        assert_eq!(refused(&probe, &fact, &said(words, Says::Unsaid)).verdict, Verdict::Nothing);
        let words = "Invalid reference_images: too many";
        assert_eq!(refused(&probe, &fact, &said(words, Says::Unsaid)).verdict, Verdict::Confirmed);
    }

    #[test]
    fn a_list_is_compared_by_what_it_has_and_not_by_its_order() {
        let probe = probe("output_formats", "output_format", json!("bmp"), Ask::Outside { at: "" });
        let fact = json!(["jpeg", "png"]);
        let listed = |items: &[&str]| {
            let items = items.iter().map(|it| (*it).to_owned()).collect();
            refused(&probe, &fact, &said("output_format", Says::Listed(items)))
        };
        assert_eq!(listed(&["png", "jpg"]).verdict, Verdict::Confirmed);
        let more = listed(&["png", "jpeg", "webp"]);
        assert_eq!(
            (more.verdict, more.value),
            (Verdict::Differs, Some(json!(["png", "jpeg", "webp"])))
        );
        assert_eq!(listed(&["tiff"]).verdict, Verdict::Nothing);
        let unsaid = refused(&probe, &fact, &said("invalid output_format", Says::Unsaid));
        assert_eq!(unsaid.verdict, Verdict::Nothing);
    }

    #[test]
    fn what_was_taken_raises_the_limit_unless_it_was_not_honoured() {
        let ask = Ask::Beyond { at: "", over: true };
        let (probe, fact) = (probe("count", "n", json!(5), ask), json!({ "min": 1, "max": 4 }));
        let lesson = taken(&probe, &fact, Some(5));
        assert_eq!(lesson.value, Some(json!({ "min": 1, "max": 5 })));
        assert_eq!(taken(&probe, &fact, Some(4)).verdict, Verdict::Nothing);
    }

    #[test]
    fn what_is_not_stated_is_not_observed() {
        let ask = Ask::Beyond { at: "", over: true };
        let (steps, fact) =
            (probe("steps", "steps", json!(51), ask), json!({ "min": 1, "max": 50 }));
        // Taken, and perhaps ignored.
        let lesson = taken(&steps, &fact, None);
        assert_eq!((lesson.verdict, lesson.value), (Verdict::Nothing, None));
        // Refused without a word of the limit.
        let lesson = refused(&steps, &fact, &said("invalid steps", Says::Unsaid));
        assert_eq!((lesson.verdict, lesson.value), (Verdict::Confirmed, None));
        // A limit of one side is not the whole of what is known of widths and heights.
        let ask = Ask::Beyond { at: "/range/side", over: true };
        let width = probe("pixels", "width", json!(1928), ask);
        let fact = json!({ "range": { "side": { "min": 256, "max": 1920 }, "step": 8 } });
        let lesson = refused(&width, &fact, &said("width: at most 1440", at_most(1440.0)));
        assert_eq!((lesson.verdict, lesson.whole), (Verdict::Differs, false));
        // Nobody knows the last number below an end that is not included.
        let ask = Ask::Beyond { at: "", over: true };
        let guidance = probe("guidance", "guidance", json!(11.0), ask);
        let open = Says::Limits { least: None, most: Some(10.0), open: true };
        let fact = json!({ "min": 1.5, "max": 10.0 });
        assert_eq!(refused(&guidance, &fact, &said("guidance", open)).value, None);
    }
}
