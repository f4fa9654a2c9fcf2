//! Reading values out of TOML tables, taking note of everything wrong on the way.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::Range;
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::Finding;

/// What was found wrong so far.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn add(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.0.push(Finding { span, message: message.into(), help: None });
    }

    pub(super) fn add_with_help(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.0.push(Finding { span, message: message.into(), help: Some(help.into()) });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_inner(self) -> Vec<Finding> {
        self.0
    }
}

/// Says which of the known words was probably meant; none when no word is near.
pub(super) fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > 64 {
        return None;
    }
    known
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(word, known), known))
        .filter(|(distance, known)| *distance <= 1.max(known.len() / 3))
        .min()
        .map(|(_, known)| known)
}

/// Lists words for people: `'a', 'b' or 'c'`.
pub(super) fn either<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let mut words: Vec<_> = words.into_iter().map(|word| format!("'{word}'")).collect();
    match words.pop() {
        Some(last) if words.is_empty() => last,
        Some(last) => format!("{} or {last}", words.join(", ")),
        None => String::new(),
    }
}

/// A text and its place.
#[derive(Clone, Debug)]
pub(super) struct Text<'t> {
    pub(super) text: &'t str,
    pub(super) span: Range<usize>,
}

impl Text<'_> {
    /// Parses it, or notes why it cannot be.
    pub(super) fn parse<T: FromStr<Err: Display>>(&self, findings: &mut Findings) -> Option<T> {
        match self.text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                findings.add(self.span.clone(), error.to_string());
                None
            }
        }
    }

    /// Finds what stands for it in a table of words, or notes that it is none of them.
    pub(super) fn choose<T: Copy>(&self, choices: &[(&str, T)], findings: &mut Findings) -> Option<T> {
        let words = || choices.iter().map(|(word, _)| *word);
        let chosen = choices.iter().find(|(word, _)| *word == self.text).map(|(_, value)| *value);
        if chosen.is_none() {
            let message = format!("'{}' is not known here: expected {}", self.text, either(words()));
            match suggest(self.text, words()) {
                Some(word) => {
                    findings.add_with_help(self.span.clone(), message, format!("did you mean '{word}'?"));
                }
                None => findings.add(self.span.clone(), message),
            }
        }
        chosen
    }
}

/// A table whose keys are known.
#[derive(Debug)]
pub(super) struct Table<'t> {
    /// As a message names it: `[release]`, `build` of `[[source]]`.
    pub(super) name: String,
    /// Where it is.
    pub(super) span: Range<usize>,
    entries: &'t DeTable<'t>,
}

impl<'t> Table<'t> {
    /// Looks at a table; every key in it that is not known is noted.
    pub(super) fn new(
        name: impl Into<String>,
        span: Range<usize>,
        entries: &'t DeTable<'t>,
        known: &[&str],
        findings: &mut Findings,
    ) -> Self {
        let name = name.into();
        for key in entries.keys() {
            let word: &str = key.get_ref();
            if known.contains(&word) {
                continue;
            }
            let message = format!("{name} has no key '{word}'");
            let help = match suggest(word, known.iter().copied()) {
                Some(near) => format!("did you mean '{near}'?"),
                None => format!("known here: {}", known.join(", ")),
            };
            findings.add_with_help(key.span(), message, help);
        }
        Self { name, span, entries }
    }

    /// Looks at a value that must be a table.
    pub(super) fn of(
        name: impl Into<String>,
        value: &'t Spanned<DeValue<'t>>,
        known: &[&str],
        findings: &mut Findings,
    ) -> Option<Self> {
        let name = name.into();
        match value.get_ref().as_table() {
            Some(entries) => Some(Self::new(name, value.span(), entries, known, findings)),
            None => {
                findings.add(value.span(), format!("{name} must be a table, not {}", kind(value.get_ref())));
                None
            }
        }
    }

    /// A value of any type.
    pub(super) fn get(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.entries.get(key)
    }

    pub(super) fn wrong_type(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        expected: &str,
        findings: &mut Findings,
    ) {
        let message = format!("'{key}' of {} must be {expected}, not {}", self.name, kind(value.get_ref()));
        let quotable =
            expected == "a string" && !matches!(value.get_ref(), DeValue::Array(_) | DeValue::Table(_));
        match quotable {
            true => findings.add_with_help(value.span(), message, "put it in quotes"),
            false => findings.add(value.span(), message),
        }
    }

    /// A string; an empty one is noted, as none of a recipe's may be.
    pub(super) fn text(&self, key: &str, findings: &mut Findings) -> Option<Text<'t>> {
        let value = self.get(key)?;
        match value.get_ref().as_str() {
            Some("") => findings.add(value.span(), format!("'{key}' of {} must not be empty", self.name)),
            Some(text) => return Some(Text { text, span: value.span() }),
            None => self.wrong_type(key, value, "a string", findings),
        }
        None
    }

    /// A string that must be there.
    pub(super) fn required(&self, key: &str, findings: &mut Findings) -> Option<Text<'t>> {
        if self.get(key).is_none() {
            findings.add(self.span.clone(), format!("{} lacks '{key}'", self.name));
        }
        self.text(key, findings)
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, key: &str, default: bool, findings: &mut Findings) -> bool {
        let Some(value) = self.get(key) else { return default };
        value.get_ref().as_bool().unwrap_or_else(|| {
            self.wrong_type(key, value, "true or false", findings);
            default
        })
    }

    /// An integer.
    pub(super) fn number(&self, key: &str, findings: &mut Findings) -> Option<i64> {
        let value = self.get(key)?;
        let number = value.get_ref().as_integer();
        let number = number.and_then(|found| i64::from_str_radix(found.as_str(), found.radix()).ok());
        if number.is_none() {
            self.wrong_type(key, value, "an integer", findings);
        }
        number
    }

    /// A list of strings that must be there and not be empty.
    pub(super) fn required_texts(&self, key: &str, example: &str, findings: &mut Findings) -> Vec<Text<'t>> {
        let missing =
            |value: &Spanned<DeValue<'_>>| value.get_ref().as_array().is_some_and(|list| list.is_empty());
        if self.get(key).is_none_or(missing) {
            findings.add(self.span.clone(), format!("{} lacks '{key}', such as {example}", self.name));
        }
        self.texts(key, findings)
    }

    /// A list of strings, each at most once; empty when absent.
    pub(super) fn texts(&self, key: &str, findings: &mut Findings) -> Vec<Text<'t>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let Some(list) = value.get_ref().as_array() else {
            self.wrong_type(key, value, "a list of strings", findings);
            return Vec::new();
        };
        let mut seen = BTreeSet::new();
        let mut texts = Vec::new();
        for item in list.iter() {
            match item.get_ref().as_str() {
                None => self.wrong_type(key, item, "a list of strings", findings),
                Some("") => {
                    findings.add(item.span(), format!("'{key}' of {} holds an empty string", self.name));
                }
                Some(text) if !seen.insert(text) => {
                    findings.add(item.span(), format!("'{text}' stands twice in '{key}' of {}", self.name));
                }
                Some(text) => texts.push(Text { text, span: item.span() }),
            }
        }
        texts
    }
}

/// The type of a value, for people.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
