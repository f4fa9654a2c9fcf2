//! Configurations of mash: INI files as Python 2's `RawConfigParser` reads them, and lists in files beside them.
//!
//! ```text
//! [rawhide]
//! rpm_path = %(arch)s/os/Packages      ; a comment behind a space
//! arches: i386 x86_64
//!         armhfp
//! # a comment at the beginning of a line, also with ';' or 'rem'
//! ```
//! A line that begins with a space goes on with the option above it. Names of options do not know upper and lower case; the
//! last of several counts. `[DEFAULT]` holds for every section. Nothing is interpolated while reading: `%(arch)s` is replaced
//! by mash itself, in paths and titles, and `%` needs no doubling.
//!
//! Values are read as yum's: a list is parted by spaces, commas and line ends, and `glob:PATTERN` in it stands for the
//! words of all files of that pattern, without lines that begin with `#`.

use std::collections::BTreeMap;

/// Bytes of the largest file that is read.
pub const LARGEST: usize = 1 << 20;
const MOST_PROBLEMS: usize = 100;

/// An option of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The line that it stands in, from 1.
    pub line: usize,
    /// Its value; lines that go on are parted by `\n`.
    pub value: String,
}

/// A section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// The line that it begins in, from 1.
    pub line: usize,
    /// Its options by their names in lower case.
    pub settings: BTreeMap<String, Setting>,
}

/// The file cannot be read. Retrying cannot help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MashConfError {
    /// It is too large.
    #[error("a configuration of mash has at most {LARGEST} bytes")]
    TooLarge,
    /// It is no text.
    #[error("line {0}: the text is not UTF-8")]
    NotText(usize),
    /// Lines that are neither section nor option; in the order of the text, of a great many the first ones.
    #[error("{}", .0.iter().map(|(line, what)| format!("line {line}: {what}")).collect::<Vec<_>>().join("\n"))]
    Invalid(Vec<(usize, &'static str)>),
}

/// Reads a file: its sections in their order, those of one name as one.
pub fn parse(bytes: &[u8]) -> Result<Vec<Section>, MashConfError> {
    if bytes.len() > LARGEST {
        return Err(MashConfError::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        MashConfError::NotText(before.iter().filter(|byte| **byte == b'\n').count() + 1)
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut sections, mut problems) = (Vec::<Section>::new(), Vec::new());
    // The section that lines belong to, and the option that a line may go on with.
    let (mut current, mut open): (Option<usize>, Option<String>) = (None, None);
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let first = line.split_whitespace().next().unwrap_or_default();
        if first.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if line.starts_with(['r', 'R']) && first.eq_ignore_ascii_case("rem") {
            continue;
        }
        let section = current.and_then(|at| sections.get_mut(at));
        if let (true, Some(section), Some(name)) = (line.starts_with(char::is_whitespace), section, &open) {
            if let Some(setting) = section.settings.get_mut(name) {
                setting.value.push('\n');
                setting.value.push_str(line.trim());
            }
            continue;
        }
        if let Some((name, _)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            let known = sections.iter().position(|section| section.name == name);
            current = known.or(Some(sections.len()));
            if known.is_none() {
                sections.push(Section { name: name.into(), line: number, settings: BTreeMap::new() });
            }
            open = None;
            continue;
        }
        let Some(section) = current.and_then(|at| sections.get_mut(at)) else {
            problem(&mut problems, number, "the file does not begin with a [section]");
            continue;
        };
        let parted = line
            .split_once(['=', ':'])
            .filter(|(name, _)| !name.trim().is_empty() && !name.starts_with(char::is_whitespace));
        let Some((name, value)) = parted else {
            problem(&mut problems, number, "this is neither '[section]' nor 'option = value'");
            continue;
        };
        let name = name.trim_end().to_lowercase();
        let value = without_comment(value).trim();
        let value = if value == "\"\"" { "" } else { value };
        section.settings.insert(name.clone(), Setting { line: number, value: value.into() });
        open = Some(name);
    }
    if !problems.is_empty() {
        return Err(MashConfError::Invalid(problems));
    }
    if let Some(at) = sections.iter().position(|section| section.name == "DEFAULT") {
        let shared = sections.remove(at);
        for section in &mut sections {
            for (name, setting) in &shared.settings {
                section.settings.entry(name.clone()).or_insert_with(|| setting.clone());
            }
        }
    }
    Ok(sections)
}

fn problem(problems: &mut Vec<(usize, &'static str)>, line: usize, what: &'static str) {
    if problems.len() < MOST_PROBLEMS {
        problems.push((line, what));
    }
}

/// Only the first ';' of a value can begin a comment, as in Python 2.
fn without_comment(value: &str) -> &str {
    match value.split_once(';') {
        Some((before, _)) if before.ends_with(char::is_whitespace) => before,
        _ => value,
    }
}

/// The words of a list.
pub fn words(value: &str) -> impl Iterator<Item = &str> {
    value.split(|char: char| char == ',' || char.is_whitespace()).filter(|word| !word.is_empty())
}

/// The words of a file that a list includes.
pub fn words_of_file(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with('#')).flat_map(words)
}

/// A value that is true or false.
pub fn flag(value: &str) -> Option<bool> {
    match value.to_lowercase().as_str() {
        "1" | "yes" | "true" => Some(true),
        "0" | "no" | "false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_python_does() {
        let text = "# one\n[DEFAULT]\nkeys = a\n[f24] ; two\nRPM_Path = %(arch)s/os ; three\narches: i386,\n  x86_64\n\n  # armhfp\nrem x\ntitle = a;b ; c\nempty = \"\"\n; x\nkeys=b\n[f25]\nx=1\n[f24]\ntag = f24\n";
        let sections = parse(text.as_bytes()).unwrap();
        let names: Vec<_> = sections.iter().map(|section| (section.name.as_str(), section.line)).collect();
        assert_eq!(names, [("f24", 4), ("f25", 15)]);
        let settings: Vec<_> = sections[0]
            .settings
            .iter()
            .map(|(name, setting)| format!("{name}@{}={}", setting.line, setting.value.escape_debug()))
            .collect();
        assert_eq!(
            settings,
            [
                "arches@6=i386,\\nx86_64\\n# armhfp",
                "empty@12=",
                "keys@14=b",
                "rpm_path@5=%(arch)s/os",
                "tag@18=f24",
                "title@11=a;b ; c",
            ]
        );
        assert_eq!(sections[1].settings["keys"].value, "a");
        assert_eq!(words("a, b\nc,,glob:x/*").collect::<Vec<_>>(), ["a", "b", "c", "glob:x/*"]);
        assert_eq!(
            words_of_file("a b\n # c\n\n d,e # f").collect::<Vec<_>>(),
            ["a", "b", "d", "e", "#", "f"]
        );
        assert_eq!(["Yes", "0", "on"].map(flag), [Some(true), Some(false), None]);
    }

    #[test]
    fn refuses_what_is_no_configuration() {
        let Err(MashConfError::Invalid(problems)) = parse(b"x = 1\n[a]\nno sign\n = 1\n") else { panic!() };
        assert_eq!(problems.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 3, 4]);
        assert_eq!(parse(b"[a]\n\xff"), Err(MashConfError::NotText(2)));
        assert_eq!(parse(&vec![b'\n'; LARGEST + 1]), Err(MashConfError::TooLarge));
        assert!(parse(&b"[a]\nx=1\n y\n".repeat(50_000)).unwrap()[0].settings["x"].value.len() < 10);
    }
}
