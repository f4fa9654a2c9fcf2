//! What a person has to know about a recipe that was made of another configuration.

use std::fmt;
use std::sync::Arc;

use crate::format::pungi_conf::Place;

/// A recipe and what there is to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// The text of the recipe.
    pub recipe: String,
    /// The notes, those first that need something done.
    pub notes: Vec<Note>,
    /// Ids of keys that the configuration names and whose fingerprints were not given.
    pub missing_keys: Vec<String>,
}

/// What became of something that the configuration says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoteKind {
    /// The recipe cannot be used before a person has done this.
    Todo,
    /// It was not carried over, and what is composed may differ.
    Lost,
    /// It was carried over as something similar.
    Changed,
    /// It was not carried over, and what is composed does not depend on it.
    NoEffect,
}

impl NoteKind {
    /// Its name, for people and programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Todo => "todo",
            Self::Lost => "lost",
            Self::Changed => "changed",
            Self::NoEffect => "no-effect",
        }
    }
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotePlace {
    /// The file, as it is called in messages.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: usize,
}

impl From<&Place> for NotePlace {
    fn from(place: &Place) -> Self {
        Self { file: place.file.clone(), line: place.line }
    }
}

/// One note.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// What became of it.
    pub kind: NoteKind,
    /// Where the configuration says it; none for what it leaves to a default.
    pub place: Option<NotePlace>,
    /// The option, or what else it is about.
    pub subject: String,
    /// What there is to say: a sentence without its period.
    pub text: String,
}

/// `FILE:LINE: option: what there is to say`
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{}:{}: ", place.file, place.line)?;
        }
        write!(f, "{}: {}", self.subject, self.text)
    }
}

/// Notes that are being collected.
#[derive(Debug, Default)]
pub(super) struct Notes(Vec<Note>);

impl Notes {
    pub(super) fn add(
        &mut self,
        kind: NoteKind,
        place: Option<NotePlace>,
        subject: impl Into<String>,
        text: impl Into<String>,
    ) {
        self.0.push(Note { kind, place, subject: subject.into(), text: text.into() });
    }

    /// All of them, each once, in their order.
    pub(super) fn into_sorted(mut self) -> Vec<Note> {
        self.0.sort();
        self.0.dedup();
        self.0
    }
}

/// Characters of a text that a note quotes.
const LONGEST: usize = 160;

/// What a note quotes of a text: the beginning, in one line.
pub(super) fn short(text: &str) -> String {
    let visible = |char: char| if char.is_control() { char::REPLACEMENT_CHARACTER } else { char };
    let dots = if text.chars().nth(LONGEST).is_some() { "…" } else { "" };
    format!("'{}{dots}'", text.chars().take(LONGEST).map(visible).collect::<String>())
}
