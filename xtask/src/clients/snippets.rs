//! The programs that stand in docs/schemas.md, so that each is run as it is printed.

use std::fs;

use super::failed;
use super::tools::Trouble;
use crate::root;

const PAGE: &str = "docs/schemas.md";

/// The blocks of one language, in order; none is an error, since the page shows each language that is tried.
pub(super) fn of(language: &str) -> Result<Vec<String>, Trouble> {
    let path = root().join(PAGE);
    let found = blocks(&fs::read_to_string(&path).map_err(failed(&path))?, language);
    match found.is_empty() {
        true => Err(Trouble::Failed(format!("{PAGE} has no block of {language}"))),
        false => Ok(found),
    }
}

fn blocks(page: &str, language: &str) -> Vec<String> {
    let start = format!("```{language}");
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if line.trim_end() == start {
            let block: Vec<&str> = lines.by_ref().take_while(|it| it.trim_end() != "```").collect();
            blocks.push(block.join("\n") + "\n");
        } else if line.starts_with("```") {
            lines.by_ref().find(|it| it.trim_end() == "```");
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_taken_as_it_is_printed() {
        let page = "a\n```ts\nlet a;\n\nlet b;\n```\n```sh\n```ts\n```\nb\n```ts\nc\n```\n";
        assert_eq!(blocks(page, "ts"), ["let a;\n\nlet b;\n", "c\n"]);
    }
}
