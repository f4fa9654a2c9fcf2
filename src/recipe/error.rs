//! What is wrong with a recipe, shown as the text itself with a mark under each problem.

use std::fmt;
use std::ops::Range;

/// How much of a long line is shown on either side of a problem, in characters.
const CONTEXT: usize = 60;
/// How many problems are shown; more than this is a file of another kind.
const SHOWN: usize = 40;
/// How long a message may be, in characters: what it quotes may be of any length.
const MESSAGE: usize = 300;

/// A recipe with problems. Retrying cannot help: the recipe has to be changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct RecipeError {
    name: String,
    problems: Vec<Problem>,
    further: usize,
}

/// One problem of a recipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong: a sentence without its period.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    excerpt: String,
    before: usize,
    width: usize,
}

/// A problem by its place in the text, before line and column are known.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl RecipeError {
    /// Locates findings in the text, in the order of their places.
    pub(super) fn new(name: &str, text: &str, mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| (finding.span.start, finding.span.end));
        let further = findings.len().saturating_sub(SHOWN);
        let problems =
            findings.into_iter().take(SHOWN).map(|finding| Problem::locate(text, finding)).collect();
        Self { name: printable(name), problems, further }
    }

    /// The problems in the order of the text; of a great many, the first ones.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl Problem {
    fn locate(text: &str, finding: Finding) -> Self {
        let mut start = finding.span.start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let (above, rest) = text.split_at(start);
        let line_start = above.rfind('\n').map_or(0, |newline| newline + 1);
        let left: Vec<char> = above.get(line_start..).unwrap_or_default().chars().collect();
        let length = finding.span.end.saturating_sub(start);
        let line_rest = rest.lines().next().unwrap_or_default();
        let marked = line_rest.char_indices().take_while(|(at, _)| *at < length).count().max(1);
        // A long line is shown around the mark only.
        let skipped = left.len().saturating_sub(CONTEXT);
        let width = marked.min(CONTEXT);
        let excerpt = left
            .iter()
            .skip(skipped)
            .copied()
            .chain(line_rest.chars().take(width + CONTEXT))
            .collect::<String>();
        Self {
            line: above.matches('\n').count() + 1,
            column: left.len() + 1,
            message: printable(&finding.message),
            help: finding.help.as_deref().map(printable),
            excerpt: printable(excerpt.trim_end()),
            before: left.len() - skipped,
            width,
        }
    }
}

/// Nothing from a file may steer the terminal that it is shown on; tabs count as one column.
fn printable(text: &str) -> String {
    text.chars()
        .take(MESSAGE)
        .map(|char| match char {
            '\t' => ' ',
            char if char.is_control() => char::REPLACEMENT_CHARACTER,
            char => char,
        })
        .collect()
}

impl fmt::Display for RecipeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len() + self.further;
        if count != 1 {
            writeln!(f, "the recipe {} has {count} problems", self.name)?;
        }
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}:{problem}", self.name)?;
        }
        if self.further > 0 {
            write!(f, "\n… and {} more", self.further)?;
        }
        Ok(())
    }
}

/// `LINE:COLUMN: message`, the line of the text, and a mark under the problem.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}:{}: {}", self.line, self.column, self.message)?;
        writeln!(f, "{:>5} | {}", self.line, self.excerpt)?;
        write!(f, "      | {:before$}{}", "", "^".repeat(self.width), before = self.before)?;
        if let Some(help) = &self.help {
            write!(f, " {help}")?;
        }
        Ok(())
    }
}
