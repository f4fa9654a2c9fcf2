//! From a configuration of Pungi 4, its variants and what lies beside them to a recipe.

mod family;
mod lists;
mod mapping;
mod options;
mod sources;
#[cfg(test)]
mod tests;
mod variants;

use super::draft::Draft;
use super::note::{Conversion, NoteKind, NotePlace, Notes, short};
use crate::format::comps::Comps;
use crate::format::pungi_conf::{PungiConf, Value};
use crate::format::variants_xml::Variant;
use crate::recipe::Fingerprint;
use options::Fate;

use mapping::Patterns;

/// Variants that are composed, those in others among them.
const MOST_VARIANTS: usize = 200;
/// Entries of a mapping.
const MOST_ENTRIES: usize = 2_000;
/// Names of packages and groups of all variants and arches together.
const MOST_NAMES: usize = 200_000;
/// Names in mappings, counted for each variant and arch that they are for.
const MOST_SEEN: usize = 1_000_000;

/// What a recipe is made of.
#[derive(Debug)]
pub struct PungiInput<'i> {
    /// The configuration's name in messages.
    pub name: &'i str,
    /// The configuration.
    pub conf: &'i PungiConf,
    /// The name of the file of variants in messages.
    pub variants_name: &'i str,
    /// The variants.
    pub variants: &'i [Variant],
    /// The comps file, where it is at hand.
    pub comps: Option<&'i Comps>,
    /// The text of `gather_prepopulate`, where it is at hand.
    pub prepopulate: Option<&'i str>,
    /// The text of `gather_source_mapping`, where it is at hand.
    pub mapping: Option<&'i str>,
    /// Fingerprints that ids of keys are looked up in.
    pub keys: &'i [Fingerprint],
}

/// No recipe can be made of it. Retrying cannot help.
#[derive(Debug, thiserror::Error)]
pub enum PungiError {
    /// A file with JSON is none, or not of the form that Pungi reads.
    #[error("the file of '{option}' is not what Pungi reads: {reason}")]
    Json {
        /// The option that names it.
        option: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// There is too much of it.
    #[error("{what} are more than gander carries over ({most})")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// How much there may be.
        most: usize,
    },
}

/// What the parts of the conversion share.
struct Work<'i> {
    input: &'i PungiInput<'i>,
    conf: &'i PungiConf,
    notes: Notes,
    patterns: Patterns,
    draft: Draft,
    missing_keys: Vec<String>,
    /// Names that were looked at, each time that they were.
    seen: usize,
}

/// Makes a recipe of a configuration.
pub fn from_pungi(input: &PungiInput<'_>) -> Result<Conversion, PungiError> {
    let mut work = Work {
        input,
        conf: input.conf,
        notes: Notes::default(),
        patterns: Patterns::default(),
        draft: Draft::default(),
        missing_keys: Vec::new(),
        seen: 0,
    };
    for setting in work.conf.settings.values() {
        if setting.node.elements().is_some_and(|entries| entries.len() > MOST_ENTRIES) {
            return Err(PungiError::TooLarge { what: "the entries of an option", most: MOST_ENTRIES });
        }
    }
    for (place, remark) in &work.conf.remarks {
        work.notes.add(NoteKind::Lost, Some(place.into()), "a missing comma", remark.as_str());
    }
    work.options();
    work.release();
    work.repodata();
    work.variants()?;
    work.sources();
    let mut conversion = Conversion {
        recipe: String::new(),
        notes: work.notes.into_sorted(),
        missing_keys: work.missing_keys,
    };
    work.draft.head = head("pungi", input.name, &conversion.notes);
    conversion.recipe = work.draft.write();
    Ok(conversion)
}

/// The comment that a recipe begins with.
pub(super) fn head(composer: &str, name: &str, notes: &[super::note::Note]) -> Vec<String> {
    let mut head = vec![
        format!(
            "Written by 'gander import {composer}' from {name}; paths are meant from the folder of this recipe."
        ),
        "What was not carried over was said then; run it again to see it.".to_owned(),
    ];
    let todo: Vec<_> = notes.iter().filter(|note| note.kind == NoteKind::Todo).collect();
    if !todo.is_empty() {
        head.push("To be done:".into());
        head.extend(todo.iter().map(|note| format!("- {note}")));
    }
    head
}

impl Work<'_> {
    fn note(&mut self, kind: NoteKind, option: &str, text: impl Into<String>) {
        let place = self.conf.settings.get(option).map(|setting| NotePlace::from(&setting.place));
        self.notes.add(kind, place, option, text);
    }

    /// Says of every option that has no part in what follows what becomes of it.
    fn options(&mut self) {
        for option in self.conf.settings.keys() {
            match options::fate(option) {
                Some(Fate::Carried) => {}
                Some(Fate::NoEffect(why)) => self.note(NoteKind::NoEffect, option, why),
                Some(Fate::Lost(_)) if self.is_off(option) => {
                    self.note(NoteKind::NoEffect, option, "it is off, or empty");
                }
                Some(Fate::Lost(why)) => self.note(NoteKind::Lost, option, why),
                None => {
                    let near = options::suggest(option).map(|near| format!("; '{near}' may be meant"));
                    let text = format!(
                        "no option of Pungi that gander knows, or a variable of the configuration itself{}",
                        near.unwrap_or_default()
                    );
                    self.note(NoteKind::Lost, option, text);
                }
            }
        }
    }

    /// Whether an option asks for nothing: for most that is what `False` says.
    fn is_off(&self, option: &str) -> bool {
        match self.conf.get(option).map(|node| &node.value) {
            Some(Value::None) => true,
            Some(Value::Flag(flag)) => *flag == options::ON_BY_DEFAULT.contains(&option),
            Some(Value::Text(text)) => text.is_empty(),
            Some(Value::List(nodes) | Value::Tuple(nodes)) => nodes.is_empty(),
            Some(Value::Map(entries)) => entries.is_empty(),
            Some(Value::Integer(_) | Value::Float(_)) | None => false,
        }
    }

    /// A string, or a number as one; a note where it is neither.
    fn text(&mut self, option: &str) -> Option<String> {
        let node = self.conf.get(option)?;
        let text = match &node.value {
            Value::Text(text) => return Some(text.clone()).filter(|text| !text.is_empty()),
            Value::Integer(number) => number.to_string(),
            Value::Float(number) => format!("{number:?}"),
            Value::None => return None,
            _ => {
                self.note(NoteKind::Lost, option, "it is no string, and was left out");
                return None;
            }
        };
        Some(text)
    }

    fn flag(&mut self, option: &str, default: bool) -> bool {
        match self.conf.get(option).map(|node| &node.value) {
            Some(Value::Flag(flag)) => *flag,
            None | Some(Value::None) => default,
            Some(_) => {
                self.note(NoteKind::Lost, option, "it is neither True nor False, and was left out");
                default
            }
        }
    }

    /// A string or a list of strings.
    fn texts(&mut self, option: &str) -> Vec<String> {
        let Some(node) = self.conf.get(option) else { return Vec::new() };
        let all = match &node.value {
            Value::None => return Vec::new(),
            _ => node.elements().unwrap_or(std::slice::from_ref(node)),
        };
        let (mut texts, mut other) = (Vec::new(), false);
        for node in all {
            match &node.value {
                Value::Text(text) if text.is_empty() => {}
                Value::Text(text) => texts.push(text.clone()),
                Value::Integer(number) => texts.push(number.to_string()),
                _ => other = true,
            }
        }
        if other {
            self.note(NoteKind::Lost, option, "what in it is no string was left out");
        }
        texts
    }

    fn release(&mut self) {
        let stem =
            self.input.name.rsplit('/').next().and_then(|name| name.split('.').next()).unwrap_or_default();
        let parts = [
            ("release_name", "product_name"),
            ("release_short", "product_short"),
            ("release_version", "product_version"),
        ];
        let [name, short_name, version] = parts.map(|(new, old)| self.text(new).or_else(|| self.text(old)));
        let fallback = short_name.clone().or_else(|| name.clone()).unwrap_or_else(|| stem.to_owned());
        let sources =
            [("release_name", &name), ("release_short", &short_name), ("release_version", &version)];
        let missing: Vec<_> =
            sources.into_iter().filter(|(_, value)| value.is_none()).map(|(key, _)| key).collect();
        for option in missing {
            self.note(NoteKind::Todo, option, "it is not set: put the right value into [release]");
        }
        let name = name.unwrap_or_else(|| fallback.clone());
        self.draft.name = name.chars().filter(|char| !char.is_control()).collect();
        let short_name = short_name.unwrap_or(fallback);
        self.draft.short = clean_short(&short_name);
        let version = version.unwrap_or_else(|| "0".into());
        self.draft.version = clean(&version, "._");
        for (option, from, to) in [
            ("release_name", name, self.draft.name.clone()),
            ("release_short", short_name, self.draft.short.clone()),
            ("release_version", version, self.draft.version.clone()),
        ] {
            if from != to {
                self.note(NoteKind::Changed, option, format!("{} became {}", short(&from), short(&to)));
            }
        }
        if self.draft.name.is_empty() {
            self.draft.name = self.draft.short.clone();
        }
        if let Some(kind) = self.text("release_type").filter(|kind| kind != "ga") {
            let text = format!("a release of the type {} is composed as any other", short(&kind));
            self.note(NoteKind::Lost, "release_type", text);
        }
    }

    fn repodata(&mut self) {
        self.draft.database = self.flag("createrepo_database", false);
        let mut compression = self.flag("createrepo_use_xz", false).then_some("xz");
        let mut database = None;
        for argument in self.texts("createrepo_extra_args") {
            let (name, value) = argument.split_once('=').unwrap_or((&argument, ""));
            let known = ["zstd", "gz", "xz"].into_iter().find(|known| *known == value);
            match (name, known) {
                ("--general-compress-type" | "--compress-type", Some(known)) => compression = Some(known),
                ("--xz", _) => compression = Some("xz"),
                ("--database" | "-d", _) => database = Some(true),
                ("--no-database", _) => database = Some(false),
                _ => {
                    let text = format!("[repodata] has nothing for {}", short(&argument));
                    self.note(NoteKind::Lost, "createrepo_extra_args", text);
                }
            }
        }
        self.draft.database = database.unwrap_or(self.draft.database);
        self.draft.compression = compression;
        if self.flag("createrepo_use_xz", false) {
            let text = "all lists are compressed with xz, not the databases alone; [repodata] says why one may want another";
            self.note(NoteKind::Changed, "createrepo_use_xz", text);
        }
        if let Some(sum) = self.text("createrepo_checksum").filter(|sum| sum != "sha256") {
            let text = format!("repositories have SHA-256, not {}", short(&sum));
            self.note(NoteKind::Lost, "createrepo_checksum", text);
        }
        if !self.flag("check_deps", true) {
            let text = "a requirement that nothing provides is always an error";
            self.note(NoteKind::Changed, "check_deps", text);
        }
        if self.flag("filter_system_release_packages", false) {
            let text = "Pungi finds no such package since kobo reads names as text (0.42 does), and leaves all; 'system-release' of a variant does what the option says";
            self.note(NoteKind::Changed, "filter_system_release_packages", text);
        }
        if !self.flag("comps_filter_environments", true) {
            let text = "repositories have the environments that the variant names";
            self.note(NoteKind::Changed, "comps_filter_environments", text);
        }
    }
}

/// The letters and digits of a text, and some other characters.
pub(super) fn clean(text: &str, extra: &str) -> String {
    let clean: String =
        text.chars().filter(|char| char.is_ascii_alphanumeric() || extra.contains(*char)).collect();
    if clean.is_empty() { "0".into() } else { clean }
}

/// A text as the short name of a release.
pub(super) fn clean_short(text: &str) -> String {
    let clean = clean(text, "-");
    let begin = clean.trim_start_matches(|char: char| !char.is_ascii_alphabetic());
    if begin.is_empty() { "Release".into() } else { begin.into() }
}
