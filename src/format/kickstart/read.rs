//! The reading itself: lines, sections, includes. A stack of files instead of recursion.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::arguments::{Arguments, closest, complain, parse};
use super::commands::directive;
use super::rules::{judge, rivals};
use super::syntax::{self, Standing, Syntax};
use super::text::{first_line, is_blank_or_comment, is_space, strip, words};
use super::{
    Certificate, Command, DEEPEST_INCLUDE, Dialect, Directive, Includes, Kickstart, KickstartError,
    LONGEST_LINE, ListKind, Listed, MOST_BYTES, MOST_BYTES_IN_ALL, MOST_INCLUDES, MOST_PROBLEMS, Packages,
    Place, Problem, Script, ScriptKind, Section, Wanted,
};

/// A file that is being read.
struct Open {
    file: Arc<str>,
    text: String,
    at: usize,
    line: u32,
    /// The include that it belongs to: an appended file belongs to that of the appending one.
    unit: usize,
    appended: bool,
    /// Blank lines and comments at its beginning are passed over, as pykickstart does within sections.
    fresh: bool,
}

#[derive(Clone, Copy)]
enum Kind {
    Packages,
    Script(ScriptKind),
    Certificate,
    List(ListKind),
    Kept,
}

/// A section that is being read.
struct Now {
    kind: Kind,
    name: String,
    words: Vec<String>,
    given: Arguments,
    place: Place,
    unit: usize,
    body: String,
    /// Its first line was wrong: nothing is made of it.
    wrong: bool,
}

pub(super) struct Reader<'a, 'b> {
    includes: &'a mut Includes<'b>,
    open: Vec<Open>,
    now: Option<Now>,
    problems: Vec<Problem>,
    found: Kickstart,
    /// The first place of each command.
    seen: BTreeMap<String, Place>,
    read_files: usize,
    read_bytes: usize,
}

fn section(name: &str) -> Option<Kind> {
    Some(match name {
        "%packages" => Kind::Packages,
        "%certificate" => Kind::Certificate,
        "%addon" | "%anaconda" => Kind::Kept,
        name => match ScriptKind::ALL.into_iter().find(|kind| kind.section() == name) {
            Some(kind) => Kind::Script(kind),
            None => Kind::List(ListKind::ALL.into_iter().find(|kind| kind.section() == name)?),
        },
    })
}

fn section_names() -> impl Iterator<Item = &'static str> {
    let scripts = ScriptKind::ALL.into_iter().map(ScriptKind::section);
    let others = ["%packages", "%certificate", "%addon", "%anaconda", "%end", "%include", "%ksappend"];
    scripts.chain(ListKind::ALL.into_iter().map(ListKind::section)).chain(others)
}

impl<'a, 'b> Reader<'a, 'b> {
    pub(super) fn new(dialect: Dialect, includes: &'a mut Includes<'b>) -> Self {
        let found = Kickstart {
            dialect,
            commands: Vec::new(),
            packages: Packages::default(),
            scripts: Vec::new(),
            certificates: Vec::new(),
            sections: Vec::new(),
            lists: Vec::new(),
            warnings: Vec::new(),
            files: Vec::new(),
        };
        Self {
            includes,
            open: Vec::new(),
            now: None,
            problems: Vec::new(),
            found,
            seen: BTreeMap::new(),
            read_files: 0,
            read_bytes: 0,
        }
    }

    pub(super) fn read(mut self, name: &str, text: &[u8]) -> Result<Kickstart, KickstartError> {
        let place = Place { file: name.into(), line: 1 };
        if let Err(message) = self.push(name, text, None) {
            self.problem(&place, message);
        }
        while self.problems.len() < MOST_PROBLEMS {
            match self.next_line() {
                Some((place, line)) => self.line(&place, &line),
                None if self.open.is_empty() => break,
                None => {}
            }
        }
        if self.problems.is_empty() { Ok(self.found) } else { Err(KickstartError::Invalid(self.problems)) }
    }

    fn problem(&mut self, place: &Place, message: impl Into<String>) {
        self.problems.push(Problem { place: place.clone(), message: message.into() });
    }

    fn warn(&mut self, place: &Place, message: impl Into<String>) {
        if self.found.warnings.len() < MOST_PROBLEMS {
            self.found.warnings.push(Problem { place: place.clone(), message: message.into() });
        }
    }

    /// Opens a file, which another may have asked for: as an include or to be appended.
    fn push(&mut self, name: &str, text: &[u8], append: Option<bool>) -> Result<(), String> {
        if text.len() > MOST_BYTES {
            return Err(format!("'{name}' has {} bytes; at most {MOST_BYTES} are read", text.len()));
        }
        let text = std::str::from_utf8(text).map_err(|error| {
            let before = text.get(..error.valid_up_to()).unwrap_or_default();
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            format!("'{name}' is not UTF-8: line {line} has other bytes")
        })?;
        if text.starts_with('\u{feff}') {
            return Err(format!("'{name}' begins with a byte order mark: remove it"));
        }
        self.read_bytes += text.len();
        if self.read_files >= MOST_INCLUDES || self.read_bytes > MOST_BYTES_IN_ALL {
            return Err(format!(
                "too much is included: at most {MOST_INCLUDES} files and {MOST_BYTES_IN_ALL} bytes are read"
            ));
        }
        self.read_files += 1;
        let unit = match append {
            Some(true) => self.open.last().map_or(0, |open| open.unit),
            _ => self.read_files,
        };
        let file: Arc<str> = name.into();
        if !self.found.files.contains(&file) {
            self.found.files.push(file.clone());
        }
        self.open.push(Open {
            file,
            text: text.to_owned(),
            at: 0,
            line: 0,
            unit,
            appended: append == Some(true),
            fresh: append == Some(false),
        });
        Ok(())
    }

    /// The next line of the file on top; None where it has ended and is closed.
    fn next_line(&mut self) -> Option<(Place, String)> {
        let open = self.open.last_mut()?;
        let line = first_line(open.text.get(open.at..).unwrap_or_default()).to_owned();
        open.at += line.len();
        open.line = open.line.saturating_add(1);
        let place = Place { file: open.file.clone(), line: open.line };
        if !line.is_empty() {
            return Some((place, line));
        }
        let (unit, appended) = (open.unit, open.appended);
        self.open.pop();
        if !appended && self.now.as_ref().is_some_and(|now| now.unit == unit) {
            self.unended(None);
        }
        None
    }

    /// Reports a section without an end and closes it.
    fn unended(&mut self, next: Option<(&Place, &str)>) {
        let Some(now) = self.now.take() else { return };
        let what = match next {
            Some((place, name)) => format!("before {name} in line {}", place.line),
            None => "before the file ends".to_owned(),
        };
        self.problem(&now.place, format!("the section {} does not end with %end {what}", now.name));
    }

    fn line(&mut self, place: &Place, line: &str) {
        if line.len() > LONGEST_LINE {
            return self.problem(place, format!("the line is longer than {LONGEST_LINE} bytes"));
        }
        if strip(line).starts_with("%ksappend") {
            return self.append(place, strip(line));
        }
        match self.open.last_mut() {
            Some(open) if open.fresh && is_blank_or_comment(line) => return,
            Some(open) => open.fresh = false,
            None => {}
        }
        if self.now.is_some() { self.in_section(place, line) } else { self.in_commands(place, line) }
    }

    fn in_commands(&mut self, place: &Place, line: &str) {
        if is_blank_or_comment(line) {
            return;
        }
        let args = match words(line, true) {
            Ok(args) => args,
            Err(error) => return self.problem(place, error.to_string()),
        };
        match args.split_first() {
            None => {}
            Some((name, _)) if name.is_empty() => self.problem(place, "the name of the command is empty"),
            Some((name, rest)) if name == "%include" => self.include(place, rest.first()),
            Some((name, rest)) if name.starts_with('%') => self.begin(place, name, rest),
            Some((name, rest)) => self.command(place, name, rest, line),
        }
    }

    fn in_section(&mut self, place: &Place, line: &str) {
        let first = line.trim_start_matches(is_space).split(is_space).next().unwrap_or_default();
        let special =
            first.starts_with('%') && (matches!(first, "%end" | "%include") || section(first).is_some());
        if !special {
            return self.body(place, line);
        }
        let args = match words(line, false) {
            Ok(args) => args,
            Err(error) => return self.problem(place, error.to_string()),
        };
        match first {
            "%include" => self.include(place, args.get(1)),
            "%end" => {
                let unit = self.open.last().map_or(0, |open| open.unit);
                match &self.now {
                    Some(now) if now.unit != unit => {
                        let message = format!(
                            "%end stands in another file than the beginning of {}, {}",
                            now.name, now.place
                        );
                        self.problem(place, message);
                    }
                    _ => self.end(),
                }
            }
            name => {
                self.unended(Some((place, name)));
                self.in_commands(place, line);
            }
        }
    }

    fn append(&mut self, place: &Place, line: &str) {
        let target = line.split(' ').nth(1).unwrap_or_default();
        if target.is_empty() {
            return self.problem(place, "%ksappend wants the name of a file");
        }
        // pykickstart appends to the outermost file only, before it reads anything.
        if self.open.len() != 1 {
            return self.problem(place, "%ksappend may only stand in the outermost file");
        }
        self.fetch(place, target, true);
    }

    fn include(&mut self, place: &Place, target: Option<&String>) {
        match target.filter(|target| !target.is_empty()) {
            Some(target) => self.fetch(place, target, false),
            None => self.problem(place, "%include wants the name of a file"),
        }
    }

    fn fetch(&mut self, place: &Place, target: &str, append: bool) {
        if self.open.len() > DEEPEST_INCLUDE {
            return self.problem(place, format!("files are included more than {DEEPEST_INCLUDE} deep"));
        }
        let from = place.file.clone();
        let included = match (self.includes)(&Wanted { target, from: &from, append }) {
            Ok(included) => included,
            Err(message) => return self.problem(place, message),
        };
        if self.open.iter().any(|open| *open.file == *included.name) {
            return self.problem(place, format!("'{}' includes itself", included.name));
        }
        if let Err(message) = self.push(&included.name, &included.text, Some(append)) {
            self.problem(place, message);
        }
    }

    fn command(&mut self, place: &Place, name: &str, rest: &[String], line: &str) {
        let dialect = self.found.dialect;
        let entry = syntax::find(name);
        let mut command = Command {
            name: name.to_owned(),
            place: place.clone(),
            directive: Directive::Deprecated,
            words: rest.to_vec(),
            arguments: Arguments::default(),
        };
        let entry = match entry.map(|entry| (entry, entry.standing(dialect))) {
            Some((entry, Standing::Known)) => entry,
            Some((_, Standing::Deprecated)) => {
                self.warn(place, format!("the command {name} is deprecated and does nothing: remove it"));
                return self.found.commands.push(command);
            }
            Some((_, Standing::Removed)) => {
                return self.problem(place, format!("{dialect} has the command {name} no longer"));
            }
            _ => return self.unknown(place, name),
        };
        self.seen.entry(name.to_owned()).or_insert_with(|| place.clone());
        if let Some((rival, at)) = rivals(name).iter().find_map(|rival| self.seen.get_key_value(*rival)) {
            let message = format!("the command {name} cannot stand beside {rival}, {at}");
            self.problem(place, message);
        }
        let raw = strip(line).strip_prefix(name).map_or("", strip);
        let outcome = match entry.syntax {
            None => judge(name, &command.arguments, raw, dialect),
            Some(table) => {
                self.arguments(place, name, rest, &Syntax::read(table, dialect)).and_then(|given| {
                    command.arguments = given;
                    judge(name, &command.arguments, raw, dialect)
                })
            }
        };
        match outcome {
            Err(message) => self.problem(place, format!("{name}: {message}")),
            Ok(()) => {
                command.directive = directive(name, &command.arguments, raw);
                self.found.commands.push(command);
            }
        }
    }

    /// Takes arguments apart and refuses what nothing takes.
    fn arguments(
        &mut self,
        place: &Place,
        name: &str,
        rest: &[String],
        syntax: &Syntax,
    ) -> Result<Arguments, String> {
        let mut given = parse(rest, syntax)?;
        // Those whose own arguments may come in several runs.
        let several = matches!(name, "raid" | "volgroup" | "btrfs" | "stratispool");
        if let Some(word) = given.left_over.iter().find(|word| !several || word.starts_with('-')) {
            return Err(complain(word, "this", syntax));
        }
        for option in std::mem::take(&mut given.deprecated) {
            self.warn(place, format!("the option --{option} of {name} is deprecated"));
        }
        Ok(given)
    }

    fn unknown(&mut self, place: &Place, name: &str) {
        let dialect = self.found.dialect;
        let known = syntax::COMMANDS.iter().filter(|entry| entry.standing(dialect) == Standing::Known);
        let message = match closest(name, known.map(|entry| entry.name)) {
            Some(other) => format!("{dialect} has no command {name}; did you mean {other}?"),
            None => format!("{dialect} has no command {name}"),
        };
        self.problem(place, message);
    }

    fn begin(&mut self, place: &Place, name: &str, rest: &[String]) {
        let Some(kind) = section(name) else {
            let message = match closest(name, section_names()) {
                Some("%end") | None if name == "%end" => "%end without a section before it".to_owned(),
                Some(other) => format!("there is no section {name}; did you mean {other}?"),
                None => format!("there is no section {name}"),
            };
            return self.problem(place, message);
        };
        let table = match kind {
            Kind::Packages => Some(syntax::PACKAGES),
            Kind::Script(ScriptKind::Post) => Some(syntax::POST),
            Kind::Script(_) => Some(syntax::SCRIPT),
            Kind::Certificate => Some(syntax::CERTIFICATE),
            Kind::List(_) | Kind::Kept => None,
        };
        let mut outcome = match table {
            Some(table) => {
                let syntax = Syntax::read(table, self.found.dialect);
                self.arguments(place, name, rest, &syntax)
            }
            None => Ok(Arguments::default()),
        };
        if let Ok(given) = &outcome {
            let more = match kind {
                Kind::Packages => self.found.packages.begin(place.clone(), given),
                Kind::Certificate if given.text("dir").is_none() && given.text("type").is_none() => {
                    Err("--dir or --type is needed".to_owned())
                }
                _ => Ok(()),
            };
            outcome = more.and(outcome);
        }
        let wrong = outcome.is_err();
        let given = outcome.unwrap_or_else(|message| {
            self.problem(place, format!("{name}: {message}"));
            Arguments::default()
        });
        self.now = Some(Now {
            kind,
            name: name.to_owned(),
            words: rest.to_vec(),
            given,
            place: place.clone(),
            unit: self.open.last().map_or(0, |open| open.unit),
            body: String::new(),
            wrong,
        });
    }

    /// A line of a section.
    fn body(&mut self, place: &Place, line: &str) {
        let Some(now) = &mut self.now else { return };
        match now.kind {
            Kind::Packages if is_blank_or_comment(line) => {}
            Kind::Packages => {
                let outcome = self.found.packages.line(line, place.clone(), self.found.dialect);
                if let Err(message) = outcome {
                    self.problem(place, message);
                }
            }
            Kind::List(kind) => {
                let name = strip(line.split('#').next().unwrap_or_default()).to_owned();
                if !name.is_empty() {
                    self.found.lists.push(Listed { kind, name, place: place.clone() });
                }
            }
            Kind::Script(_) | Kind::Certificate | Kind::Kept => now.body.push_str(line),
        }
    }

    fn end(&mut self) {
        let Some(now) = self.now.take() else { return };
        let Now { kind, name, words, given, place, body, wrong, .. } = now;
        match kind {
            _ if wrong => {}
            Kind::Packages | Kind::List(_) => {}
            Kind::Script(_) if strip(&body).is_empty() => {}
            Kind::Script(kind) => {
                if kind == ScriptKind::Traceback {
                    self.warn(&place, "the section %traceback is deprecated: use %onerror");
                }
                self.found.scripts.push(Script {
                    kind,
                    in_chroot: kind == ScriptKind::Post && !given.has("nochroot"),
                    interpreter: given.owned("interpreter").unwrap_or_else(|| "/bin/sh".to_owned()),
                    error_on_fail: given.has("erroronfail"),
                    log: given.owned("log"),
                    body,
                    place,
                });
            }
            Kind::Certificate if strip(&body).is_empty() => self.problem(&place, "the %certificate is empty"),
            Kind::Certificate => self.found.certificates.push(Certificate {
                filename: given.owned("filename").unwrap_or_default(),
                dir: given.owned("dir").filter(|dir| !dir.is_empty()),
                kind: given.owned("type").filter(|kind| !kind.is_empty()),
                body: body.strip_suffix('\n').unwrap_or(&body).to_owned(),
                place,
            }),
            Kind::Kept => self.found.sections.push(Section { name, words, body, place }),
        }
    }
}
