//! The words that local/collage understands, and what they mean for the sheet.

use repaint_core::{List, Slot, Text, Vocabulary};

use crate::filter::Task;

/// Words of a slot.
macro_rules! words {
    ($($word:literal),* $(,)?) => { List(&[$(Text($word)),*]) };
}

/// `[Make] [a] [numbered] [collage] [of these pictures on black]`; only the kind of sheet is required.
pub(crate) const VOCABULARY: Vocabulary = Vocabulary {
    slots: List(SLOTS),
    examples: List(&[
        Text("Make a numbered collage"),
        Text("show the images side by side on a black background"),
    ]),
};

const SLOTS: &[Slot] = &[
    Slot {
        name: Text("verb"),
        required: false,
        words: words![
            "arrange", "can", "combine", "could", "create", "give", "lay", "make", "me", "please",
            "put", "show", "you",
        ],
    },
    Slot {
        name: Text("what"),
        required: false,
        words: words![
            "a", "all", "an", "as", "images", "in", "into", "my", "numbered", "of", "on", "one",
            "out", "photos", "pictures", "the", "them", "these",
        ],
    },
    Slot {
        name: Text("layout"),
        required: true,
        words: words![
            "by", "collage", "column", "contact", "grid", "montage", "overview", "row", "sheet",
            "side", "strip",
        ],
    },
    Slot {
        name: Text("finish"),
        required: false,
        words: words![
            "a",
            "all",
            "and",
            "background",
            "black",
            "dark",
            "gaps",
            "grey",
            "gray",
            "images",
            "in",
            "light",
            "my",
            "narrow",
            "numbered",
            "numbers",
            "of",
            "on",
            "order",
            "photos",
            "pictures",
            "please",
            "the",
            "their",
            "them",
            "these",
            "white",
            "wide",
            "with",
        ],
    },
];

/// How the sheet looks.
#[derive(Debug, PartialEq)]
pub(crate) struct Style {
    /// Between pictures and around them, in parts of the sheet's width.
    pub(crate) gap: f32,
    /// The colour between the pictures.
    pub(crate) ground: [u8; 3],
    pub(crate) rows: Rows,
}

/// How many rows there are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rows {
    /// One for each picture.
    Each,
    /// As many as look best.
    Many,
    One,
}

impl Rows {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Each => "column",
            Self::Many => "rows",
            Self::One => "row",
        }
    }
}

impl Style {
    pub(crate) fn read(task: &Task) -> Self {
        let mut style = Self { gap: 0.012, ground: [250, 249, 246], rows: Rows::Many };
        for word in task.said("layout") {
            match word {
                "row" | "side" | "strip" => style.rows = Rows::One,
                "column" => style.rows = Rows::Each,
                _ => {}
            }
        }
        for word in task.said("finish") {
            match word {
                "black" | "dark" => style.ground = [18, 18, 20],
                "grey" | "gray" => style.ground = [150, 150, 152],
                "white" | "light" => style.ground = [255, 255, 255],
                "wide" => style.gap = 0.03,
                "narrow" => style.gap = 0.005,
                _ => {}
            }
        }
        style
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_requests_are_understood_and_others_are_not() {
        for prompt in [
            "Make a numbered collage",
            "collage",
            "Show these pictures side by side",
            "put the images in a grid on a black background with wide gaps",
            "contact sheet of all photos in order",
        ] {
            assert!(VOCABULARY.read(prompt).is_ok(), "{prompt}");
        }
        for prompt in ["Make it blue", "a collage of cats", "make a collage without numbers"] {
            assert!(VOCABULARY.read(prompt).is_err(), "{prompt}");
        }
    }
}
