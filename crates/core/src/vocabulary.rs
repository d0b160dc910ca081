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
    /// The words, in lower case.
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
    pub fn read(&self, prompt: &str) -> Result<Vec<(&'static str, &'static str)>, NotUnderstood> {
        let mut read = Vec::new();
        let mut strange = Vec::new();
        let mut slot = 0;
        let spoken = prompt.to_lowercase();
        for word in spoken.split(|it: char| it.is_whitespace() || it == ',') {
            let word = word.trim_matches(|it: char| it.is_ascii_punctuation() && it != '-');
            if word.is_empty() {
                continue;
            }
            let place = self.slots[slot..].iter().enumerate().find_map(|(ahead, it)| {
                it.words.iter().find(|it| it.0 == word).map(|found| (ahead, it, found))
            });
            match place {
                Some((ahead, it, found)) => {
                    slot += ahead;
                    read.push((it.name.0, found.0));
                }
                None => strange.push(word.to_owned()),
            }
        }
        let missing: Vec<String> = self
            .slots
            .iter()
            .filter(|it| it.required && read.iter().all(|(name, _)| *name != it.name.0))
            .map(|it| it.name.to_string())
            .collect();
        // A word that is known and out of place matters only where all others are known too.
        let known =
            |word: &String| self.slots.iter().any(|it| it.words.iter().any(|it| it.0 == word));
        let misplaced = strange.iter().all(known);
        if !misplaced {
            strange.retain(|it| !known(it));
        }
        strange.truncate(STRANGE);
        if strange.is_empty() && missing.is_empty() {
            Ok(read)
        } else {
            Err(NotUnderstood { words: strange, misplaced, missing })
        }
    }
}

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
}
