//! The INI files of Python's ConfigParser, as far as `.treeinfo` needs them.
//!
//! Read: `[section]`, `key = value` or `key: value` (the first of either sign parts them), lines that start with
//! `#` or `;` are comments, white space around keys and values is none of theirs. A section or a key that is there
//! twice is an error, as for Python. Values over several lines, `[DEFAULT]` (whose keys would be in every section)
//! and `%` (which Python replaces or refuses) are errors too: no tree has them.
//!
//! Written: sections and keys sorted, `key = value`, an empty line after each section. What would not come
//! back as it was is refused.

use std::collections::BTreeMap;

use super::{TreeInfoError, wrong};

/// Largest file in bytes that is read.
pub(super) const LARGEST: usize = 4 << 20;

#[derive(Clone, Debug, Default)]
pub(super) struct Ini(BTreeMap<String, BTreeMap<String, String>>);

impl Ini {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, TreeInfoError> {
        if bytes.len() > LARGEST {
            return Err(TreeInfoError::TooLarge(bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            TreeInfoError::Line { line, problem: "the text is not UTF-8".into() }
        })?;
        let mut sections: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        let mut current: Option<(&str, BTreeMap<String, String>)> = None;
        for (index, raw) in text.split('\n').enumerate() {
            let error = |problem: String| TreeInfoError::Line { line: index + 1, problem };
            let line = raw.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if raw.starts_with(char::is_whitespace) {
                return Err(error(
                    "the line starts with white space; values over several lines are not read".into(),
                ));
            }
            if let Some(bad) = line.chars().find(|char| char.is_control() && *char != '\t') {
                return Err(error(format!("the line has the control character {bad:?}")));
            }
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                if let Some((done, keys)) = current.take() {
                    sections.insert(done.into(), keys);
                }
                if let Some(problem) = bad_section(name) {
                    return Err(error(problem));
                }
                if sections.contains_key(name) {
                    return Err(error(format!("the section [{}] is there twice", short(name))));
                }
                current = Some((name, BTreeMap::new()));
                continue;
            }
            let Some((_, keys)) = &mut current else {
                return Err(error("the line stands before the first section".into()));
            };
            let Some((key, value)) = line.split_once(['=', ':']) else {
                return Err(error(format!("{:?} is neither a section nor 'key = value'", short(line))));
            };
            let (key, value) = (key.trim(), value.trim());
            if let Some(problem) = bad_key(key).or_else(|| bad_value(value)) {
                return Err(error(problem));
            }
            if keys.insert(key.into(), value.into()).is_some() {
                return Err(error(format!("the key {:?} is there twice", short(key))));
            }
        }
        if let Some((done, keys)) = current {
            sections.insert(done.into(), keys);
        }
        Ok(Self(sections))
    }

    pub(super) fn get(&self, section: &str, key: &str) -> Option<&str> {
        self.0.get(section)?.get(key).map(String::as_str)
    }

    pub(super) fn need(&self, section: &str, key: &str) -> Result<&str, TreeInfoError> {
        self.get(section, key).ok_or_else(|| wrong(short(section), key, "the key is missing"))
    }

    pub(super) fn has(&self, section: &str) -> bool {
        self.0.contains_key(section)
    }

    pub(super) fn sections(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(super) fn entries(&self, section: &str) -> impl Iterator<Item = (&str, &str)> {
        self.0.get(section).into_iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    pub(super) fn section(&mut self, section: &str) {
        self.0.entry(section.into()).or_default();
    }

    pub(super) fn set(&mut self, section: &str, key: &str, value: impl Into<String>) {
        self.0.entry(section.into()).or_default().insert(key.into(), value.into());
    }

    /// A comment that has the form of a key, which is how productmd writes them.
    pub(super) fn comment(&mut self, section: &str, key: &str, value: &str) {
        self.set(section, &format!("; {key}"), value);
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, TreeInfoError> {
        let mut out = String::new();
        for (section, keys) in &self.0 {
            if let Some(problem) = bad_section(section) {
                return Err(wrong(short(section), "", problem));
            }
            out.extend(["[", section, "]\n"]);
            for (key, value) in keys {
                // Nothing but this codec writes keys of [general].
                let comment = key.strip_prefix("; ").filter(|_| section == "general");
                let plain = comment.unwrap_or(key);
                if let Some(problem) = bad_key(plain).or_else(|| bad_value(value)) {
                    return Err(wrong(section, short(key), problem));
                }
                out.extend([key, " = ", value, "\n"]);
            }
            out.push('\n');
        }
        Ok(out.into_bytes())
    }
}

fn short(text: &str) -> String {
    text.chars().take(100).collect()
}

fn bad_section(name: &str) -> Option<String> {
    let plain = !name.is_empty() && !name.contains([']', '[']) && !name.chars().any(char::is_control);
    (!plain || name == "DEFAULT").then(|| format!("{:?} cannot be the name of a section", short(name)))
}

fn bad_key(key: &str) -> Option<String> {
    let plain = !key.is_empty()
        && key.trim() == key
        && !key.starts_with(['#', ';', '['])
        && !key.contains(['=', ':'])
        && !key.chars().any(char::is_control);
    (!plain).then(|| format!("{:?} cannot be a key", short(key)))
}

fn bad_value(value: &str) -> Option<String> {
    let plain = value.trim() == value && !value.contains('%') && !value.chars().any(char::is_control);
    (!plain).then(|| {
        format!("{:?} cannot be a value: no '%', no control characters, no white space around", short(value))
    })
}
