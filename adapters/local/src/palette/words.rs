//! The words that local/palette understands: whose colours go where cannot be said the wrong way round.

use repaint_core::{List, Slot, Text, Vocabulary};

use crate::filter::Task;

/// Words of a slot.
macro_rules! words {
    ($($word:literal),* $(,)?) => { List(&[$(Text($word)),*]) };
}

/// `[Use] [the] [colors] [of] [image 2] [on] [image 1]`, or `[Give] [image 1] [the] [palette] [of]
/// [image 2]`.
pub(crate) const VOCABULARY: Vocabulary = Vocabulary {
    slots: List(SLOTS),
    examples: List(&[
        Text("Use the colors of image 2 on image 1"),
        Text("give the first picture the palette of the second"),
    ]),
};

const FIRST: List<Text> =
    words!["1", "first", "image", "it", "my", "one", "photo", "picture", "the", "this"];

const SLOTS: &[Slot] = &[
    Slot {
        name: Text("verb"),
        required: false,
        words: words![
            "apply", "can", "change", "could", "give", "match", "paint", "please", "put",
            "recolor", "recolour", "render", "repaint", "transfer", "use", "you",
        ],
    },
    Slot { name: Text("strength"), required: false, words: STRENGTHS },
    Slot { name: Text("picture"), required: false, words: FIRST },
    Slot { name: Text("strength"), required: false, words: STRENGTHS },
    Slot {
        name: Text("with"),
        required: false,
        words: words!["all", "in", "of", "same", "the", "to", "using", "with"],
    },
    Slot {
        name: Text("colours or palette"),
        required: true,
        words: words!["color", "colors", "colour", "colours", "palette"],
    },
    Slot { name: Text("of"), required: false, words: words!["from", "in", "of"] },
    Slot {
        name: Text("source"),
        required: false,
        words: words![
            "2",
            "image",
            "one",
            "other",
            "photo",
            "picture",
            "reference",
            "second",
            "the",
        ],
    },
    Slot { name: Text("onto"), required: false, words: words!["for", "in", "on", "onto", "to"] },
    Slot { name: Text("target"), required: false, words: FIRST },
    Slot { name: Text("finish"), required: false, words: STRENGTHS },
];

const STRENGTHS: List<Text> = words!["fully", "please", "slightly", "softly", "strongly"];

/// How far colours go, 0 to 1.
pub(crate) fn strength(task: &Task) -> f64 {
    let said = task.said("strength").chain(task.said("finish"));
    said.fold(0.85, |strength, word| match word {
        "fully" | "strongly" => 1.0,
        "slightly" | "softly" => 0.45,
        _ => strength,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_requests_are_understood() {
        for prompt in [
            "Use the colors of image 2 on image 1",
            "use the colours of the second image on the first",
            "Apply the palette of image 2 to image 1.",
            "transfer the colors of the other picture",
            "Give image 1 the palette of image 2",
            "Paint the first photo with the colors of the second, please",
            "palette",
            "recolour it slightly with the palette of the reference",
        ] {
            assert!(VOCABULARY.read(prompt).is_ok(), "{prompt}");
        }
    }

    #[test]
    fn the_wrong_way_round_is_not_understood() {
        for prompt in [
            "Use the colors of image 1 on image 2",
            "Give image 2 the palette of image 1",
            "apply the palette of the first image to the second",
            "recolour it slightly",
            "use the colors of image 3 on image 1",
            "Make it blue",
            "put the person from image 1 into image 2",
        ] {
            assert!(VOCABULARY.read(prompt).is_err(), "{prompt}");
        }
    }
}
