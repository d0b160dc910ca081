//! The words that local/watercolor understands, as data, and what each does to the brush.
//!
//! The vocabulary is closed: a word that would change nothing is not in it, so that a prompt is
//! either carried out whole or refused.

use repaint_core::{List, Slot, Text, Vocabulary};

use super::Brush;
use crate::filter::Word;

pub(crate) const VOCABULARY: Vocabulary = Vocabulary {
    slots: List(SLOTS),
    examples: List(&[
        Text("Transform this into a watercolor painting"),
        Text("a soft, light watercolor on rough paper"),
    ]),
};

/// Words of a slot.
macro_rules! words {
    ($($word:literal),* $(,)?) => { List(&[$(Text($word)),*]) };
}

/// `[please turn] [this photo] [into a] [soft and light] [watercolor] [painting] [on rough paper]`;
/// only the medium is required.
const SLOTS: &[Slot] = &[
    Slot {
        name: Text("ask"),
        required: false,
        words: words![
            "can",
            "change",
            "convert",
            "could",
            "draw",
            "make",
            "paint",
            "please",
            "redo",
            "redraw",
            "render",
            "repaint",
            "transform",
            "turn",
            "you",
        ],
    },
    Slot {
        name: Text("subject"),
        required: false,
        words: words!["image", "it", "my", "photo", "photograph", "picture", "the", "this"],
    },
    Slot {
        name: Text("join"),
        required: false,
        words: words![
            "a", "an", "as", "be", "in", "into", "like", "look", "of", "painted", "painting",
            "style", "the", "to", "using", "with",
        ],
    },
    Slot {
        name: Text("look"),
        required: false,
        words: words![
            "airy",
            "and",
            "bold",
            "bright",
            "broad",
            "coarse",
            "colorful",
            "colourful",
            "crisp",
            "dark",
            "deep",
            "delicate",
            "detailed",
            "dry",
            "faded",
            "fine",
            "flat",
            "fresh",
            "gentle",
            "grainy",
            "granulated",
            "hard",
            "large",
            "light",
            "loose",
            "luminous",
            "muted",
            "narrow",
            "pale",
            "precise",
            "rich",
            "rough",
            "sharp",
            "simple",
            "slightly",
            "small",
            "smooth",
            "soft",
            "strong",
            "subdued",
            "textured",
            "very",
            "vibrant",
            "vivid",
            "wet",
            "wide",
        ],
    },
    Slot {
        name: Text("medium"),
        required: true,
        words: words![
            "aquarelle",
            "water-color",
            "water-colour",
            "watercolor",
            "watercolors",
            "watercolour",
            "watercolours",
        ],
    },
    Slot {
        name: Text("work"),
        required: false,
        words: words![
            "art",
            "artwork",
            "effect",
            "image",
            "it",
            "look",
            "my",
            "of",
            "paint",
            "painting",
            "photo",
            "photograph",
            "picture",
            "style",
            "the",
            "this",
            "version",
        ],
    },
    Slot {
        name: Text("finish"),
        required: false,
        words: words![
            // What holds the sentence together.
            "a",
            "an",
            "and",
            "in",
            "of",
            "on",
            "please",
            "slightly",
            "the",
            "very",
            "with",
            // What is described.
            "bleeding",
            "blooms",
            "border",
            "borders",
            "brushstrokes",
            "color",
            "colors",
            "colour",
            "colours",
            "details",
            "edges",
            "grain",
            "granulation",
            "margin",
            "margins",
            "paper",
            "pigment",
            "pigments",
            "strokes",
            "texture",
            "tones",
            "washes",
            // How it is.
            "airy",
            "bold",
            "bright",
            "broad",
            "coarse",
            "colorful",
            "colourful",
            "crisp",
            "dark",
            "deep",
            "delicate",
            "detailed",
            "dry",
            "faded",
            "fine",
            "flat",
            "fresh",
            "gentle",
            "grainy",
            "granulated",
            "hard",
            "large",
            "light",
            "loose",
            "luminous",
            "muted",
            "narrow",
            "pale",
            "precise",
            "rich",
            "rough",
            "sharp",
            "simple",
            "small",
            "smooth",
            "soft",
            "strong",
            "subdued",
            "textured",
            "vibrant",
            "vivid",
            "wet",
            "wide",
        ],
    },
];

/// The brush that these words, as (slot, word) pairs in the prompt's order, ask for.
///
/// What words do is added up: "soft and bold" lies between, and a word said twice counts twice.
/// An adjective belongs to the next noun ("dark edges"), or to the painting if none follows.
pub(super) fn brush(words: &[Word], seed: u64) -> Brush {
    let mut brush = Brush { seed, ..Brush::default() };
    let mut strength = 1.0;
    for (at, (_, word)) in words.iter().enumerate() {
        match STRENGTHS.iter().find(|(name, _)| name == word) {
            Some((_, by)) => strength = *by,
            None => {
                let rest = words[at + 1..].iter().map(|(_, word)| word.as_str());
                let effects = meaning(word, noun(rest));
                for &(quality, step) in effects {
                    *quality.of(&mut brush) += step * strength;
                }
                if !effects.is_empty() {
                    strength = 1.0;
                }
            }
        }
    }
    for &(quality, low, high) in RANGES {
        let value = quality.of(&mut brush);
        *value = value.clamp(low, high);
    }
    brush
}

/// The noun that an adjective belongs to: the next, with only other adjectives between.
fn noun<'a>(mut rest: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    rest.find(|word| {
        let adjective = !meaning(word, None).is_empty() && !NOUNS.contains(word);
        !adjective && *word != "and" && STRENGTHS.iter().all(|(name, _)| name != word)
    })
    .filter(|word| NOUNS.contains(word))
}

/// What a word does beside this noun, or else by itself.
fn meaning(word: &str, noun: Option<&str>) -> &'static [(Quality, f32)] {
    let row = |of: &str| MEANINGS.iter().find(|it| it.word == word && it.of.contains(&of));
    let beside = noun.and_then(row);
    let alone = || MEANINGS.iter().find(|it| it.word == word && it.of.is_empty());
    beside.or_else(alone).map_or(&[], |it| it.effects)
}

/// A number of the [`Brush`].
#[derive(Clone, Copy, Debug, PartialEq)]
enum Quality {
    Border,
    Depth,
    Edges,
    Granulation,
    Roughness,
    Stroke,
    Vividness,
    Washes,
    Wetness,
    Whites,
}

use Quality::{
    Border, Depth, Edges, Granulation, Roughness, Stroke, Vividness, Washes, Wetness, Whites,
};

impl Quality {
    fn of(self, brush: &mut Brush) -> &mut f32 {
        match self {
            Border => &mut brush.border,
            Depth => &mut brush.depth,
            Edges => &mut brush.edges,
            Granulation => &mut brush.granulation,
            Roughness => &mut brush.roughness,
            Stroke => &mut brush.stroke,
            Vividness => &mut brush.vividness,
            Washes => &mut brush.washes,
            Wetness => &mut brush.wetness,
            Whites => &mut brush.whites,
        }
    }
}

/// How far words can push each quality, however many there are.
const RANGES: &[(Quality, f32, f32)] = &[
    (Border, 0.0, 8.0),
    (Depth, 0.5, 1.6),
    (Edges, 0.0, 2.2),
    (Granulation, 0.0, 2.5),
    (Roughness, 0.1, 2.2),
    (Stroke, 0.4, 2.0),
    (Vividness, 0.3, 2.2),
    (Washes, 0.0, 1.0),
    (Wetness, 0.0, 2.2),
    (Whites, 0.0, 1.0),
];

/// How strongly the next word with a meaning counts.
const STRENGTHS: &[(&str, f32)] = &[("slightly", 0.5), ("very", 1.6)];

/// What adjectives can belong to; some mean something by themselves.
const NOUNS: &[&str] = &[
    "bleeding",
    "blooms",
    "border",
    "borders",
    "brushstrokes",
    "color",
    "colors",
    "colour",
    "colours",
    "details",
    "edges",
    "grain",
    "granulation",
    "margin",
    "margins",
    "paper",
    "pigment",
    "pigments",
    "strokes",
    "texture",
    "tones",
    "washes",
];

const COLOURS: &[&str] =
    &["color", "colors", "colour", "colours", "pigment", "pigments", "tones", "washes"];
const EDGES: &[&str] = &["edges"];
const GRAIN: &[&str] = &["grain", "paper", "texture"];
const MARGIN: &[&str] = &["border", "borders", "margin", "margins"];
const STROKES: &[&str] = &["brushstrokes", "details", "strokes"];

/// What a word does: steps added to the default brush.
struct Meaning {
    word: &'static str,
    /// The nouns beside which it does this; empty for everywhere else.
    of: &'static [&'static str],
    effects: &'static [(Quality, f32)],
}

const fn means(
    word: &'static str,
    of: &'static [&'static str],
    effects: &'static [(Quality, f32)],
) -> Meaning {
    Meaning { word, of, effects }
}

const MEANINGS: &[Meaning] = &[
    means("airy", &[], &[(Depth, -0.15), (Whites, 0.4)]),
    means("bleeding", &[], &[(Wetness, 0.8), (Edges, -0.3)]),
    means("blooms", &[], &[(Wetness, 0.8)]),
    means("bold", COLOURS, &[(Vividness, 0.5), (Depth, 0.2)]),
    means("bold", EDGES, &[(Edges, 0.8)]),
    means("bold", STROKES, &[(Stroke, 0.6)]),
    means(
        "bold",
        &[],
        &[(Depth, 0.2), (Edges, 0.5), (Stroke, 0.3), (Vividness, 0.3), (Washes, 0.4)],
    ),
    means("border", &[], &[(Border, 4.0)]),
    means("borders", &[], &[(Border, 4.0)]),
    means("bright", &[], &[(Vividness, 0.35), (Whites, 0.2)]),
    means("broad", MARGIN, &[(Border, 3.0)]),
    means("broad", &[], &[(Stroke, 0.6)]),
    means("coarse", STROKES, &[(Stroke, 0.6)]),
    means("coarse", &[], &[(Roughness, 0.8), (Granulation, 0.4)]),
    means("colorful", &[], &[(Vividness, 0.5)]),
    means("colourful", &[], &[(Vividness, 0.5)]),
    means("crisp", &[], &[(Edges, 0.5), (Wetness, -0.5)]),
    means("dark", EDGES, &[(Edges, 0.8)]),
    means("dark", &[], &[(Depth, 0.35)]),
    means("deep", &[], &[(Depth, 0.25), (Vividness, 0.2)]),
    means("delicate", &[], &[(Depth, -0.12), (Edges, -0.3), (Stroke, -0.3)]),
    means("detailed", &[], &[(Stroke, -0.45), (Wetness, -0.3)]),
    means("details", &[], &[(Stroke, -0.3)]),
    means("dry", &[], &[(Wetness, -0.8), (Roughness, 0.7)]),
    means("faded", &[], &[(Depth, -0.2), (Vividness, -0.4)]),
    means("fine", EDGES, &[(Edges, -0.4)]),
    means("fine", GRAIN, &[(Roughness, -0.5)]),
    means("fine", &[], &[(Stroke, -0.4)]),
    means("flat", &[], &[(Washes, 0.4), (Wetness, -0.5)]),
    means("fresh", &[], &[(Vividness, 0.3), (Whites, 0.25)]),
    means("gentle", &[], &[(Edges, -0.5), (Depth, -0.1), (Washes, -0.3)]),
    means("grain", &[], &[(Granulation, 0.6), (Roughness, 0.3)]),
    means("grainy", &[], &[(Granulation, 0.9), (Roughness, 0.3)]),
    means("granulated", &[], &[(Granulation, 1.2)]),
    means("granulation", &[], &[(Granulation, 1.0)]),
    means("hard", &[], &[(Edges, 0.7), (Wetness, -0.4)]),
    means("large", MARGIN, &[(Border, 3.0)]),
    means("large", &[], &[(Stroke, 0.6)]),
    means("light", EDGES, &[(Edges, -0.6)]),
    means("light", &[], &[(Depth, -0.22), (Whites, 0.3)]),
    means("loose", &[], &[(Stroke, 0.5), (Wetness, 0.5)]),
    means("luminous", &[], &[(Depth, -0.1), (Vividness, 0.2), (Whites, 0.4)]),
    means("margin", &[], &[(Border, 4.0)]),
    means("margins", &[], &[(Border, 4.0)]),
    means("muted", &[], &[(Vividness, -0.55)]),
    means("narrow", MARGIN, &[(Border, -1.5)]),
    means("narrow", &[], &[(Stroke, -0.35)]),
    means("pale", &[], &[(Depth, -0.3), (Vividness, -0.2)]),
    means("precise", &[], &[(Stroke, -0.35), (Wetness, -0.6)]),
    means("rich", &[], &[(Depth, 0.2), (Vividness, 0.35)]),
    means("rough", EDGES, &[(Wetness, 0.6)]),
    means("rough", STROKES, &[(Stroke, 0.5), (Wetness, 0.3)]),
    means("rough", &[], &[(Roughness, 0.9), (Granulation, 0.4)]),
    means("sharp", &[], &[(Edges, 0.5), (Wetness, -0.6)]),
    means("simple", &[], &[(Stroke, 1.5), (Washes, 0.4), (Edges, -0.3), (Whites, 0.2)]),
    means("small", MARGIN, &[(Border, -1.5)]),
    means("small", &[], &[(Stroke, -0.35)]),
    means("smooth", EDGES, &[(Edges, -0.5), (Wetness, -0.4)]),
    means("smooth", &[], &[(Roughness, -0.8), (Granulation, -0.6)]),
    means("soft", COLOURS, &[(Depth, -0.15), (Vividness, -0.3)]),
    means("soft", EDGES, &[(Edges, -0.8), (Washes, -0.3)]),
    means("soft", &[], &[(Depth, -0.1), (Edges, -0.7), (Vividness, -0.1), (Washes, -0.5)]),
    means("strong", EDGES, &[(Edges, 0.8)]),
    means("strong", &[], &[(Depth, 0.25), (Edges, 0.3), (Vividness, 0.2)]),
    means("subdued", &[], &[(Vividness, -0.5)]),
    means("texture", &[], &[(Roughness, 0.6), (Granulation, 0.3)]),
    means("textured", &[], &[(Roughness, 0.8), (Granulation, 0.3)]),
    means("vibrant", &[], &[(Vividness, 0.55)]),
    means("vivid", &[], &[(Vividness, 0.55)]),
    means("wet", &[], &[(Wetness, 0.9), (Edges, 0.2)]),
    means("wide", MARGIN, &[(Border, 3.0)]),
    means("wide", &[], &[(Stroke, 0.6)]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Picture;
    use crate::watercolor::paint;

    fn matched(prompt: &str) -> Option<Vec<Word>> {
        VOCABULARY.read(prompt).ok()
    }

    fn finish(words: &[&str]) -> Brush {
        let words: Vec<Word> = words.iter().map(|it| ("finish", (*it).to_owned())).collect();
        brush(&words, 0)
    }

    fn asked(prompt: &str) -> Brush {
        brush(&matched(prompt).unwrap_or_else(|| panic!("not understood: {prompt}")), 0)
    }

    #[test]
    fn plain_requests_are_understood() {
        for prompt in [
            "Transform this into a watercolor painting",
            "watercolor",
            "Watercolour, please.",
            "Turn the photo into a soft, light watercolour",
            "make it a bold watercolor painting on rough paper",
            "paint this as a loose wet watercolor with dark edges",
            "a detailed aquarelle with pale colors on smooth paper",
            "Please make my photo look like a watercolor",
            "in the style of a watercolour",
            "a very light watercolor with a wide border",
            "watercolor version of this picture, slightly grainy",
        ] {
            assert!(matched(prompt).is_some(), "{prompt}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_not_understood() {
        for prompt in [
            "",
            "make it soft",
            "a watercolor of a dog",
            "not a watercolor",
            "a watercolor without dark edges",
            "an oil painting",
            "a blue watercolor",
        ] {
            assert!(matched(prompt).is_none(), "{prompt}");
        }
    }

    #[test]
    fn a_plain_watercolor_is_the_default_brush() {
        assert_eq!(asked("turn this into a watercolor painting"), Brush::default());
    }

    #[test]
    fn every_meaning_is_said_by_a_word_and_changes_the_brush() {
        for it in MEANINGS {
            assert!(
                SLOTS.iter().any(|slot| slot.words.iter().any(|word| word.0 == it.word)),
                "{}",
                it.word
            );
            let noun = it.of.first().copied().unwrap_or("please");
            let plain = finish(&[noun]);
            let said = finish(&[it.word, noun]);
            assert_ne!(plain, said, "{} {noun}", it.word);
        }
    }

    #[test]
    fn every_look_changes_the_brush_before_and_after_the_medium() {
        let words = |name: &str| SLOTS.iter().find(|it| it.name.0 == name).map(|it| it.words);
        let (look, finish) = (words("look").unwrap(), words("finish").unwrap());
        for word in look.iter().map(|it| it.0) {
            assert!(finish.iter().any(|it| it.0 == word), "{word}");
            let joins = word == "and" || STRENGTHS.iter().any(|(name, _)| *name == word);
            assert!(joins || !meaning(word, None).is_empty(), "{word}");
        }
    }

    #[test]
    fn an_adjective_belongs_to_its_noun() {
        let brush = asked("watercolor with dark edges");
        assert!(brush.edges > 1.0 && brush.depth == 1.0);
        let brush = asked("dark watercolor");
        assert!(brush.edges == 1.0 && brush.depth > 1.0);
    }

    #[test]
    fn very_counts_more_and_slightly_less() {
        let wetness = |prompt| asked(prompt).wetness;
        let plain = wetness("wet watercolor");
        assert!(wetness("very wet watercolor") > plain);
        assert!(wetness("slightly wet watercolor") < plain);
    }

    #[test]
    fn every_quality_shows_in_the_painting() {
        let (width, height) = (240, 180);
        let tone = |at: u32| {
            let (x, y) = (at % width, at / width);
            let (across, down) = ((x * 255 / width) as u8, (y * 255 / height) as u8);
            // Above a slope of greys, below one of colours with stripes.
            if y < height / 2 {
                [across; 3]
            } else {
                [across, down, if x % 23 < 9 { 40 } else { 230 }]
            }
        };
        let pixels = (0..width * height).map(tone).collect();
        let picture = Picture { alpha: None, height, pixels, profile: None, width };
        let painted = |quality: Quality, value| {
            let mut brush = Brush::default();
            *quality.of(&mut brush) = value;
            paint(&picture, &brush).pixels
        };
        for &(quality, low, high) in RANGES {
            let (low, high) = (painted(quality, low), painted(quality, high));
            let pairs = low.as_flattened().iter().zip(high.as_flattened());
            let sum: u32 = pairs.map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
            assert!(sum > 3 * width * height, "{quality:?} shows too little: {sum}");
        }
    }

    #[test]
    fn a_bold_brush_differs_from_a_soft_one() {
        let (bold, soft) = (asked("bold watercolor"), asked("soft watercolor"));
        assert!(bold.edges > 1.0 && soft.edges < 1.0);
        assert!(bold.vividness > soft.vividness && bold.depth > soft.depth);
    }

    #[test]
    fn words_said_over_and_over_stay_in_range() {
        assert!(finish(&["bold"; 40]).edges <= 2.2);
        assert!(finish(&["pale"; 40]).depth >= 0.5);
    }
}
