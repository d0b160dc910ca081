//! The words that local/recolour understands, as data, and the colours that they name.

use repaint_core::{List, Slot, Text, Vocabulary};

use crate::filter::Word;

/// Words of a slot.
macro_rules! words {
    ($($word:literal),* $(,)?) => { List(&[$(Text($word)),*]) };
}

/// `[Replace] [the color of the] [red] [car] [in the photo] [to] [dark] [blue] [please]`; a verb and
/// the new colour are required.
pub(crate) const VOCABULARY: Vocabulary = Vocabulary {
    slots: List(SLOTS),
    examples: List(&[
        Text("Replace the color of the car to blue"),
        Text("replace the red with dark green"),
        Text("recolour to teal"),
    ]),
};

const SLOTS: &[Slot] = &[
    Slot {
        name: Text("verb"),
        required: true,
        words: words![
            "can", "change", "color", "colour", "convert", "could", "dye", "make", "paint",
            "please", "recolor", "recolour", "repaint", "replace", "shift", "swap", "tint", "turn",
            "you",
        ],
    },
    Slot {
        name: Text("what"),
        required: false,
        words: words![
            "a", "an", "all", "color", "colors", "colour", "colours", "from", "her", "his", "hue",
            "image", "in", "it", "its", "my", "of", "our", "paint", "photo", "picture", "that",
            "the", "their", "these", "this", "your",
        ],
    },
    Slot { name: Text("from"), required: false, words: COLOURS },
    Slot { name: Text("thing"), required: false, words: List::EMPTY },
    Slot {
        name: Text("where"),
        required: false,
        words: words!["image", "in", "my", "of", "on", "photo", "picture", "the", "this"],
    },
    Slot {
        name: Text("join"),
        required: false,
        words: words!["a", "an", "as", "be", "by", "for", "into", "look", "the", "to", "with"],
    },
    Slot {
        name: Text("shade"),
        required: false,
        words: words!["bright", "dark", "deep", "light", "muted", "pale", "pastel", "vivid"],
    },
    Slot { name: Text("new colour"), required: true, words: COLOURS },
    Slot {
        name: Text("finish"),
        required: false,
        words: words!["color", "colour", "hue", "now", "paint", "please", "shade", "tone"],
    },
];

/// A colour with a name.
#[derive(Debug, PartialEq)]
pub(crate) struct Dye {
    pub(crate) name: &'static str,
    /// As paint and cloth have it, which is duller than the primaries of a screen.
    pub(crate) rgb: [u8; 3],
}

/// What the words ask for.
#[derive(Debug)]
pub(crate) struct Order {
    /// The colour to replace, if one is named.
    pub(crate) from: Option<&'static Dye>,
    /// Steps of lightness and of strength that the shades add up to.
    pub(crate) shade: [f32; 2],
    /// What the colour belongs to, in the caller's words; nobody looks for it.
    pub(crate) thing: Option<String>,
    pub(crate) to: &'static Dye,
}

impl Order {
    pub(crate) fn read(words: &[Word]) -> Self {
        let of = |slot: &'static str| {
            words.iter().filter(move |(it, _)| *it == slot).map(|(_, word)| word.as_str())
        };
        let dye =
            |slot| of(slot).next_back().and_then(|word| DYES.iter().find(|it| it.name == word));
        let mut shade = [0.0, 0.0];
        for (_, light, strength) in
            of("shade").filter_map(|word| SHADES.iter().find(|it| it.0 == word))
        {
            shade[0] += light;
            shade[1] += strength;
        }
        let thing = of("thing").collect::<Vec<_>>().join(" ");
        Self {
            from: dye("from"),
            shade,
            thing: (!thing.is_empty()).then_some(thing),
            // The slot is required, so there is one.
            to: dye("new colour").unwrap_or(&DYES[0]),
        }
    }
}

/// What a shade adds to lightness, and the factor's step of strength.
const SHADES: &[(&str, f32, f32)] = &[
    ("bright", 0.08, 0.25),
    ("dark", -0.16, -0.05),
    ("deep", -0.10, 0.15),
    ("light", 0.16, -0.15),
    ("muted", 0.0, -0.5),
    ("pale", 0.22, -0.45),
    ("pastel", 0.26, -0.5),
    ("vivid", 0.02, 0.4),
];

macro_rules! dyes {
    ($($name:literal $rgb:expr),* $(,)?) => {
        /// The colours, in alphabetical order.
        pub(crate) const DYES: &[Dye] = &[$(Dye { name: $name, rgb: $rgb }),*];
        const COLOURS: List<Text> = words![$($name),*];
    };
}

dyes! {
    "beige" [214, 196, 160],
    "black" [22, 22, 25],
    "blue" [30, 84, 200],
    "brown" [112, 66, 36],
    "burgundy" [112, 20, 44],
    "coral" [240, 112, 88],
    "cream" [246, 234, 204],
    "crimson" [184, 18, 48],
    "cyan" [0, 176, 214],
    "gold" [212, 166, 32],
    "gray" [128, 128, 130],
    "green" [34, 138, 58],
    "grey" [128, 128, 130],
    "indigo" [62, 40, 150],
    "lavender" [178, 160, 220],
    "lime" [144, 204, 40],
    "magenta" [200, 32, 150],
    "maroon" [100, 20, 26],
    "mint" [140, 214, 176],
    "navy" [24, 36, 96],
    "olive" [118, 116, 36],
    "orange" [236, 120, 24],
    "peach" [248, 184, 146],
    "pink" [238, 128, 170],
    "purple" [118, 44, 158],
    "red" [200, 26, 30],
    "salmon" [240, 136, 118],
    "silver" [186, 190, 194],
    "tan" [196, 158, 114],
    "teal" [10, 122, 124],
    "turquoise" [34, 186, 180],
    "violet" [126, 70, 190],
    "white" [242, 242, 240],
    "yellow" [244, 204, 28],
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(prompt: &str) -> Order {
        Order::read(&VOCABULARY.read(prompt).unwrap_or_else(|it| panic!("{prompt}: {it:?}")))
    }

    #[test]
    fn what_is_asked_for_is_understood() {
        for (prompt, from, thing, to) in [
            ("Replace the color of the car to blue", None, Some("car"), "blue"),
            ("make it red", None, None, "red"),
            ("recolour to teal", None, None, "teal"),
            ("replace the red with blue", Some("red"), None, "blue"),
            ("Please turn the red car dark green.", Some("red"), Some("car"), "green"),
            ("change the colour of the cup in the photo to pale pink", None, Some("cup"), "pink"),
            ("change from orange to blue", Some("orange"), None, "blue"),
            ("paint my old front door a vivid yellow", None, Some("old front door"), "yellow"),
        ] {
            let order = order(prompt);
            assert_eq!(order.from.map(|it| it.name), from, "{prompt}");
            assert_eq!((order.thing.as_deref(), order.to.name), (thing, to), "{prompt}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_not_understood() {
        for prompt in [
            "",
            "blue",
            "make it",
            "make the car",
            "add a red hat",
            "add a hat and make it red",
            "make the car not blue",
            "make everything except the car blue",
            "make it more blue",
            "make the sky blue and remove the tree",
            "remove the car and make the sky blue",
            "a blue car",
            "make it look like blue velvet",
            "Transform this into a watercolor painting",
            "The person from image 1 is petting the cat from image 2",
        ] {
            assert!(VOCABULARY.read(prompt).is_err(), "{prompt}");
        }
    }

    #[test]
    fn shades_add_up() {
        assert!(order("make it dark blue").shade[0] < 0.0);
        assert!(order("make it pale blue").shade[1] < 0.0);
        assert_eq!(order("make it blue").shade, [0.0, 0.0]);
    }

    #[test]
    fn every_colour_stands_once_in_order() {
        assert!(DYES.is_sorted_by(|a, b| a.name < b.name));
    }
}
