//! A closed vocabulary: instructions of which every word must be understood.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{List, Text};

/// Ordered slots, each with its words. A prompt is understood when its words fill the slots in
/// order, none is left over, and every required slot has at least one.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Vocabulary {
    /// The slots, in the order in which they are filled.
    pub slots: List<Slot>,
    /// Prompts that are understood, to show to a person.
    pub examples: List<Text>,
}

/// One place in the sentence.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    /// What its words are for.
    pub name: Text,
    /// Whether a prompt without any of its words is refused.
    pub required: bool,
    /// The words, in lower case. If there are none, the slot takes up to four words that no slot knows,
    /// such as the name of a thing, but none that turns the sentence, such as `not` or `except`.
    pub words: List<Text>,
}

impl Vocabulary {
    /// Every word, once, in alphabetical order.
    pub fn words(&self) -> Vec<&'static str> {
        let mut words: Vec<&str> =
            self.slots.iter().flat_map(|it| it.words.iter()).map(|it| it.0).collect();
        words.sort_unstable();
        words.dedup();
        words
    }

    /// The slot and the word for each word of the prompt, or what was not understood.
    ///
    /// Where several readings are possible, each word stands in the earliest slot that it can.
    pub fn read(&self, prompt: &str) -> Result<Vec<(&'static str, String)>, NotUnderstood> {
        let words: Vec<Word> = prompt
            .to_lowercase()
            .split(|it: char| it.is_whitespace() || it == ',')
            .map(|it| it.trim_matches(|it: char| it.is_ascii_punctuation() && it != '-'))
            .filter(|it| !it.is_empty())
            .map(|it| self.word(it))
            .collect();
        match self.fill(&words) {
            Some(slots) => {
                let names = slots.into_iter().map(|it| self.slots[it].name.0);
                Ok(names.zip(words.into_iter().map(|it| it.text)).collect())
            }
            None => Err(self.missed(&words)),
        }
    }

    fn word(&self, text: &str) -> Word {
        let has = |it: &Slot| it.words.iter().any(|it| it.0 == text);
        let known = self.slots.iter().any(has);
        let open = !known && !TURNS.contains(&text);
        let fits = self.slots.iter().map(|it| has(it) || open && it.words.is_empty()).collect();
        Word { fits, known, text: text.to_owned() }
    }

    /// The slot of each word: the earliest from which all later words and slots can still be filled.
    fn fill(&self, words: &[Word]) -> Option<Vec<usize>> {
        // Whether all words from here on can be read, where the one before stands in slot `after - 1`;
        // 0 if there is none. A long prompt must not be a deep recursion.
        let mut able = vec![vec![false; self.slots.len() + 1]; words.len() + 1];
        for at in (0..=words.len()).rev() {
            for after in 0..=self.slots.len() {
                able[at][after] = match words.get(at) {
                    Some(word) => self.place(word, after, &able[at + 1]).is_some(),
                    None => self.slots[after..].iter().all(|it| !it.required),
                };
            }
        }
        let (mut slots, mut after) = (Vec::with_capacity(words.len()), 0);
        if !able[0][0] {
            return None;
        }
        for (word, able) in words.iter().zip(&able[1..]) {
            let slot = self.place(word, after, able)?;
            slots.push(slot);
            after = slot + 1;
        }
        let crowded = |slot: usize| {
            let many = slots.iter().filter(|it| **it == slot).count();
            self.slots[slot].words.is_empty() && OPEN < many
        };
        (!(0..self.slots.len()).any(crowded)).then_some(slots)
    }

    /// The earliest slot that the word fits, if no required one is passed over.
    fn place(&self, word: &Word, after: usize, able: &[bool]) -> Option<usize> {
        for slot in after.saturating_sub(1)..self.slots.len() {
            if word.fits[slot] && able[slot + 1] {
                return Some(slot);
            }
            if after <= slot && self.slots[slot].required {
                return None;
            }
        }
        None
    }

    /// What to tell of a prompt that cannot be read.
    fn missed(&self, words: &[Word]) -> NotUnderstood {
        let (mut filled, mut strange) = (vec![false; self.slots.len()], Vec::new());
        let (mut slot, mut open) = (0, 0);
        for word in words {
            match word.fits[slot..].iter().position(|it| *it) {
                Some(ahead) => {
                    slot += ahead;
                    filled[slot] = true;
                    open += usize::from(self.slots[slot].words.is_empty());
                    if OPEN < open && !word.known {
                        strange.push(word);
                    }
                }
                None => strange.push(word),
            }
        }
        let missing = self.slots.iter().zip(&filled).filter(|(it, filled)| it.required && !*filled);
        let missing = missing.map(|(it, _)| it.name.to_string()).collect();
        // A word that is known and out of place matters only where all others are known too.
        let misplaced = strange.iter().all(|it| it.known);
        let mut words: Vec<String> = Vec::new();
        for word in strange.iter().filter(|it| misplaced || !it.known) {
            if words.len() < STRANGE && !words.contains(&word.text) {
                words.push(word.text.clone());
            }
        }
        NotUnderstood { words, misplaced, missing }
    }
}

/// A word of a prompt, and each slot's opinion of it.
struct Word {
    fits: Vec<bool>,
    known: bool,
    text: String,
}

/// So many words may stand in a slot that takes any: the name of a thing, and no story.
const OPEN: usize = 4;

/// Words that turn what is said of a thing into something else: no slot takes them as its name.
const TURNS: &[&str] = &[
    "add",
    "all",
    "also",
    "always",
    "and",
    "apart",
    "but",
    "besides",
    "don't",
    "each",
    "else",
    "every",
    "except",
    "excluding",
    "if",
    "instead",
    "keep",
    "less",
    "more",
    "never",
    "no",
    "none",
    "nor",
    "not",
    "nothing",
    "only",
    "or",
    "other",
    "rather",
    "remove",
    "some",
    "than",
    "then",
    "unless",
    "until",
    "while",
    "without",
];

/// More words than these need not be named to a person.
const STRANGE: usize = 10;

/// Why a prompt is outside a [`Vocabulary`].
#[derive(Clone, Debug, PartialEq)]
pub struct NotUnderstood {
    /// Words that have no place, or not this one.
    pub words: Vec<String>,
    /// Whether all of them are known, and only stand where they cannot.
    pub misplaced: bool,
    /// Required slots without a word.
    pub missing: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOTS: &[Slot] = &[
        Slot { name: Text("verb"), required: false, words: List(&[Text("make"), Text("it")]) },
        Slot { name: Text("style"), required: true, words: List(&[Text("watercolor")]) },
    ];

    fn vocabulary() -> Vocabulary {
        Vocabulary { slots: List(SLOTS), examples: List::EMPTY }
    }

    #[test]
    fn every_word_must_be_understood() {
        let read = vocabulary().read("Make it watercolor!").map(|it| it.len());
        assert_eq!(read, Ok(3));
        let err = vocabulary().read("Do not make it watercolor").expect_err("not");
        assert_eq!(err.words, ["do", "not"]);
    }

    #[test]
    fn order_and_required_words_count() {
        assert_eq!(vocabulary().read("watercolor it").expect_err("order").words, ["it"]);
        assert_eq!(vocabulary().read("make it").expect_err("style").missing, ["style"]);
    }

    const COLOURS: List<Text> = List(&[Text("red"), Text("blue")]);
    const REPAINT: &[Slot] = &[
        Slot { name: Text("ask"), required: true, words: List(&[Text("make"), Text("the")]) },
        Slot { name: Text("from"), required: false, words: COLOURS },
        Slot { name: Text("thing"), required: false, words: List::EMPTY },
        Slot { name: Text("to"), required: true, words: COLOURS },
    ];

    fn repaint(prompt: &str) -> Result<Vec<&'static str>, NotUnderstood> {
        let read = Vocabulary { slots: List(REPAINT), examples: List::EMPTY }.read(prompt);
        read.map(|it| it.into_iter().map(|it| it.0).collect())
    }

    #[test]
    fn a_word_of_two_slots_leaves_the_required_one_filled() {
        assert_eq!(repaint("make the blue").expect("to alone"), ["ask", "ask", "to"]);
        assert_eq!(repaint("make red blue").expect("both"), ["ask", "from", "to"]);
    }

    #[test]
    fn a_slot_without_words_takes_a_few_that_are_known_nowhere() {
        let read = repaint("make the old Lamborghini red").expect("a thing");
        assert_eq!(read, ["ask", "ask", "thing", "thing", "to"]);
        assert_eq!(repaint("make a b c d e red").expect_err("a story").words, ["e"]);
        assert_eq!(repaint("make car not red").expect_err("turned").words, ["not"]);
        assert_eq!(repaint("make car").expect_err("no colour").missing, ["to"]);
        assert!(repaint("make car the red").expect_err("order").misplaced);
    }

    #[test]
    fn a_very_long_prompt_is_read_all_the_same() {
        assert!(repaint(&"car ".repeat(50_000)).is_err());
        assert_eq!(repaint(&"red ".repeat(20_000)).expect_err("no verb").missing, ["ask", "to"]);
    }
}
