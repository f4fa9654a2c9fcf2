//! From a configuration of mash (its last release with own multilib rules, 2017) to a recipe.
//!
//! The variant has mash's method, which takes every package of a tag, and its rule for the secondary arch.

mod layout;
mod options;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::draft::{Draft, Multilib, Origin, Source, Variant, add_new, string};
use super::keys::look_up;
use super::note::{Conversion, NoteKind, NotePlace, Notes, short};
use super::pungi::{clean, clean_short, head};
use crate::base::RelPath;
use crate::base::arch::TreeArch;
use crate::format::mash_conf::{Section, Setting, flag, words};
use crate::recipe::{Fingerprint, HubPlace, Lookaside, Url};
use options::{
    CARRIED, DEVEL_BLACKLIST, LISTS, LOST, LOST_IF_ON, METHODS, NO_EFFECT, RUNTIME_BLACKLIST,
    RUNTIME_WHITELIST,
};

/// Words of all lists with the files that they include.
const MOST_WORDS: usize = 50_000;

/// What reads the words of a file or of all files of a pattern, by the path that the configuration has; none where it
/// cannot be had.
pub type Words<'w> = dyn FnMut(&str) -> Option<Vec<String>> + 'w;

/// What a recipe is made of.
#[derive(Debug)]
pub struct MashInput<'i> {
    /// The configuration's name in messages.
    pub name: &'i str,
    /// The section to take; that of the configuration, where it has one.
    pub section: Option<&'i str>,
    /// The sections of the configuration.
    pub sections: &'i [Section],
    /// The file with `[defaults]`, by its name in messages and its sections.
    pub defaults: Option<(&'i str, &'i [Section])>,
    /// Fingerprints that ids of keys are looked up in.
    pub keys: &'i [Fingerprint],
}

/// No recipe can be made of it. Retrying cannot help.
#[derive(Debug, thiserror::Error)]
pub enum MashError {
    /// There is no section to take.
    #[error("the configuration has no section but [defaults], and so describes no tree")]
    NoSection,
    /// It is not said which section is meant.
    #[error("the configuration describes several trees ({}): choose one with --section", .0.join(", "))]
    Several(Vec<String>),
    /// The section that is meant is not there.
    #[error("the configuration has no section '{}'", .0.escape_debug())]
    Unknown(String),
    /// There is too much of it.
    #[error("the lists of the configuration have more than {MOST_WORDS} words")]
    TooLarge,
}

/// Makes a recipe of a configuration. `files` reads what its lists include.
pub fn from_mash(input: &MashInput<'_>, files: &mut Words<'_>) -> Result<Conversion, MashError> {
    let section = section(input)?;
    let mut settings = BTreeMap::new();
    for (name, setting) in &section.settings {
        settings.insert(name.as_str(), (input.name, setting));
    }
    let inside = input.sections.iter().find(|section| section.name == "defaults");
    let outside = input.defaults.into_iter().flat_map(|(name, sections)| {
        sections.iter().filter(|section| section.name == "defaults").map(move |section| (name, section))
    });
    for (file, defaults) in inside.map(|section| (input.name, section)).into_iter().chain(outside) {
        for (name, setting) in &defaults.settings {
            settings.entry(name.as_str()).or_insert((file, setting));
        }
    }
    let mut work = Work { settings, files, notes: Notes::default(), words: 0 };
    work.options();
    let mut draft = Draft { name: section.name.clone(), ..Draft::default() };
    work.release(&mut draft, section, input);
    work.repodata(&mut draft);
    let missing_keys = work.koji(&mut draft, input.keys);
    work.variant(&mut draft, section);
    work.parents(&mut draft);
    if work.words > MOST_WORDS {
        return Err(MashError::TooLarge);
    }
    let notes = work.notes.into_sorted();
    draft.head = head("mash", input.name, &notes);
    Ok(Conversion { recipe: draft.write(), notes, missing_keys })
}

fn section<'i>(input: &MashInput<'i>) -> Result<&'i Section, MashError> {
    let mut trees = input.sections.iter().filter(|section| section.name != "defaults");
    if let Some(name) = input.section {
        return trees.find(|section| section.name == name).ok_or_else(|| MashError::Unknown(name.into()));
    }
    match (trees.next(), trees.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(MashError::NoSection),
        (Some(one), Some(other)) => {
            let names = [one, other].into_iter().chain(trees).take(20);
            Err(MashError::Several(names.map(|section| short(&section.name)).collect()))
        }
    }
}

struct Work<'i, 'w> {
    settings: BTreeMap<&'i str, (&'i str, &'i Setting)>,
    files: &'w mut Words<'w>,
    notes: Notes,
    words: usize,
}

impl Work<'_, '_> {
    fn place(&self, option: &str) -> Option<NotePlace> {
        let (file, setting) = self.settings.get(option)?;
        Some(NotePlace { file: (*file).into(), line: setting.line })
    }

    fn note(&mut self, kind: NoteKind, option: &str, text: impl Into<String>) {
        let place = self.place(option);
        self.notes.add(kind, place, option, text);
    }

    fn value(&self, option: &str) -> Option<&str> {
        self.settings.get(option).map(|(_, setting)| setting.value.as_str()).filter(|value| !value.is_empty())
    }

    fn flag(&mut self, option: &str, default: bool) -> bool {
        let Some(value) = self.value(option) else { return default };
        let read = flag(value);
        if read.is_none() {
            let text = format!("{} is neither true nor false; mash's default holds", short(value));
            self.note(NoteKind::Lost, option, text);
        }
        read.unwrap_or(default)
    }

    /// The words of a list, with those of the files that it includes.
    fn list(&mut self, option: &str) -> Vec<String> {
        let Some(value) = self.value(option).map(str::to_owned) else { return Vec::new() };
        let mut all = Vec::new();
        for word in words(&value) {
            let Some(pattern) = word.strip_prefix("glob:") else {
                all.push(word.to_owned());
                continue;
            };
            match (self.files)(pattern) {
                Some(words) => all.extend(words),
                None => {
                    let text = format!(
                        "the files {} were not there to be read: what they list is missing",
                        short(pattern)
                    );
                    self.note(NoteKind::Lost, option, text);
                }
            }
            if all.len() + self.words > MOST_WORDS {
                break;
            }
        }
        self.words += all.len();
        let mut once = Vec::new();
        add_new(&mut once, all);
        once
    }

    /// Says of every option that has no part in what follows what becomes of it.
    fn options(&mut self) {
        let names: Vec<&str> = self.settings.keys().copied().collect();
        for name in names {
            let find = |table: &[(&str, &'static str)]| {
                table.iter().find(|(known, _)| *known == name).map(|(_, why)| *why)
            };
            if let Some(why) = find(LOST) {
                self.note(NoteKind::Lost, name, why);
            } else if let Some(why) = find(LOST_IF_ON) {
                let kind = if self.flag(name, true) { NoteKind::Lost } else { NoteKind::NoEffect };
                self.note(kind, name, why);
            } else if let Some(why) = find(NO_EFFECT) {
                self.note(NoteKind::NoEffect, name, why);
            } else if !CARRIED.contains(&name) {
                let near = options::all().filter(|_| name.len() <= 64);
                let near = near.map(|known| (strsim::damerau_levenshtein(name, known), known)).min();
                let near = near.filter(|(distance, known)| *distance <= 1.max(known.len() / 4));
                let near = near.map_or_else(String::new, |(_, near)| format!("; '{near}' may be meant"));
                self.note(NoteKind::Lost, name, format!("mash has no such option{near}"));
            }
        }
    }

    fn release(&mut self, draft: &mut Draft, section: &Section, input: &MashInput<'_>) {
        draft.name = section.name.chars().filter(|char| !char.is_control()).collect();
        draft.short = clean_short(&section.name);
        if draft.name.is_empty() {
            draft.name = draft.short.clone();
        }
        let digits: String =
            section.name.chars().filter(|char| char.is_ascii_digit() || *char == '.').collect();
        draft.version = clean(digits.trim_matches('.'), "._");
        let place = Some(NotePlace { file: input.name.into(), line: section.line });
        let text = "mash knows neither names nor versions: put the right ones into [release]";
        self.notes.add(NoteKind::Todo, place, short(&section.name), text);
    }

    fn repodata(&mut self, draft: &mut Draft) {
        draft.database = self.flag("use_sqlite", true);
        let compression = self.value("compress_type").unwrap_or("xz").to_owned();
        draft.compression = ["xz", "gz", "zstd"].into_iter().find(|known| **known == *compression);
        if draft.compression.is_none() {
            let text = format!("lists cannot be compressed with {}", short(&compression));
            self.note(NoteKind::Lost, "compress_type", text);
        }
        if let Some(hash) = self.value("hash").filter(|hash| *hash != "sha256") {
            let text = format!("repositories have SHA-256, not {}", short(hash));
            self.note(NoteKind::Lost, "hash", text);
        }
    }

    /// The tag as a source; gives the ids of keys that have no fingerprint.
    fn koji(&mut self, draft: &mut Draft, given: &[Fingerprint]) -> Vec<String> {
        let mut pairs = Vec::new();
        let host = self.value("buildhost").map(str::to_owned);
        match host.as_deref().map(HubPlace::parse) {
            Some(Ok(HubPlace::Url(url))) => pairs.push(("hub", string(url.as_str()))),
            other => {
                let text = match other {
                    None => "it is not set: Koji's profile 'koji' is asked".to_owned(),
                    Some(_) => format!(
                        "{} is no URL of a hub: Koji's profile 'koji' is asked",
                        short(&host.unwrap_or_default())
                    ),
                };
                self.note(NoteKind::Changed, "buildhost", text);
                pairs.push(("hub", string("profile:koji")));
            }
        }
        let has_url = pairs.iter().all(|(_, value)| !value.contains("profile:"));
        let files = self.value("repodir").map(str::to_owned);
        if has_url || files.is_some() {
            let folder = files.unwrap_or_else(|| "/mnt/koji".into());
            let url = if folder.starts_with('/') { format!("file://{folder}") } else { folder };
            match url.parse::<Url>() {
                Ok(url) if !url.as_str().contains(['?', '#']) => pairs.push(("files", string(url.as_str()))),
                _ => {
                    let text = format!("{} is no place of files: put it into 'files'", short(&url));
                    self.note(NoteKind::Todo, "repodir", text);
                }
            }
        }
        let tag = self.value("tag").unwrap_or_default().to_owned();
        if tag.is_empty()
            || tag.len() > 256
            || tag.contains(|char: char| char.is_control() || char.is_whitespace())
        {
            self.note(NoteKind::Todo, "tag", "it names no tag: put one into 'koji'");
        } else {
            pairs.push(("tag", string(&tag)));
            if clean(&tag, "-_.") != tag {
                pairs.push(("id", string(&clean(&tag, "-_."))));
            }
        }
        if !self.flag("inherit", true) {
            pairs.push(("inherit", "false".into()));
        }
        let latest = self.value("latest").unwrap_or("true").to_owned();
        match (flag(&latest), latest.parse::<u32>()) {
            (Some(true), _) => {}
            (Some(false), _) => pairs.push(("latest", "false".into())),
            (None, Ok(number)) => {
                let text = format!("of each package one build is taken, not {number}");
                self.note(NoteKind::Changed, "latest", text);
            }
            (None, Err(_)) => self.note(NoteKind::Lost, "latest", "it is neither true, false nor a number"),
        }
        pairs.push(("noarch", string("mash")));
        let strict = self.flag("strict_keys", false);
        let place = self.place("keys").unwrap_or(NotePlace { file: "".into(), line: 1 });
        let ids: Vec<_> = self.list("keys").into_iter().map(|id| (id, place.clone())).collect();
        let unsigned = !strict || ids.is_empty();
        if !strict && !ids.is_empty() {
            let text = "packages that none of 'keys' signed are taken as they are, as mash does after a warning: leave out on-unsigned to refuse them";
            self.note(NoteKind::Changed, "strict_keys", text);
        }
        let keys = look_up(&ids, unsigned, given, "keys", &mut self.notes);
        let missing = keys.missing.clone();
        let origin = Origin::Koji(pairs, Arc::new(keys));
        draft.sources.push(Source { comment: String::new(), origin, lookaside: Lookaside::No });
        missing
    }

    fn variant(&mut self, draft: &mut Draft, section: &Section) {
        let mut arches = Vec::new();
        for arch in self.list("arches") {
            if TreeArch::find(&arch).is_some() {
                arches.push(arch);
            } else {
                let text = format!("gander makes no trees of the arch {}", short(&arch));
                self.note(NoteKind::Lost, "arches", text);
            }
        }
        let mut variant = Variant { id: clean(&section.name, ""), method: "mash", ..Variant::default() };
        if arches.is_empty() {
            self.note(NoteKind::Todo, "arches", "there is no arch to compose: name one");
            variant.disabled = true;
        }
        variant.no_sources = !self.flag("source", true);
        variant.flat = !self.flag("hash_packages", false);
        if self.flag("debuginfo", true) {
            variant.flags.push("debug");
        }
        if let Some(path) = self.value("compsfile").map(str::to_owned) {
            let name = path.rsplit('/').next().unwrap_or_default();
            match RelPath::new(path.as_str()).or_else(|_| RelPath::new(name)) {
                Ok(found) => {
                    if found.as_str() != path {
                        let text = format!("put {} beside the recipe as '{found}'", short(&path));
                        self.note(NoteKind::Todo, "compsfile", text);
                    }
                    variant.comps = Some(found);
                }
                Err(_) => self.note(NoteKind::Lost, "compsfile", "it names no file"),
            }
        }
        let prefer_ppc64 = self.flag("prefer_ppc64", false);
        let has_secondary = |name: &String| {
            let tree = TreeArch::find(name).map(TreeArch::of_mash);
            tree.is_some_and(|tree| !tree.multilib.is_empty()) && !(prefer_ppc64 && name == "ppc")
        };
        let wanted = self.flag("multilib", true);
        if wanted && arches.iter().any(has_secondary) {
            variant.multilib = Some(self.multilib());
        } else {
            let why = if wanted { "no arch has a secondary one" } else { "multilib is off" };
            for option in ["multilib_method", "multilib_file"].iter().chain(LISTS) {
                if self.value(option).is_some() {
                    self.note(NoteKind::NoEffect, option, why);
                }
            }
        }
        if prefer_ppc64 {
            match &mut variant.multilib {
                Some(multilib) if arches.iter().any(|arch| arch == "ppc") => multilib.prefer_ppc64 = true,
                _ => self.note(NoteKind::NoEffect, "prefer_ppc64", "it is for trees of ppc with multilib"),
            }
        }
        variant.arches = arches;
        variant.layout = self.layout(&variant);
        draft.variants.push(variant);
    }

    fn multilib(&mut self) -> Multilib {
        let method = self.value("multilib_method").unwrap_or("devel").to_owned();
        let mut multilib = Multilib {
            profile: "mash",
            methods: vec![method.clone()],
            whitelist: Vec::new(),
            blacklist: Vec::new(),
            prefer_ppc64: false,
            patterns: Vec::new(),
        };
        if !METHODS.contains(&method.as_str()) {
            let text = format!(
                "{} is no method: mash keeps all packages of the secondary arch then, as 'all' does",
                short(&method)
            );
            self.note(NoteKind::Changed, "multilib_method", text);
            multilib.methods = vec!["all".into()];
            multilib_lists_idle(self, "mash asks no list without a method");
            return multilib;
        }
        if method == "none" {
            multilib_lists_idle(self, "the method 'none' takes no package");
            return multilib;
        }
        if method == "file" {
            let path = self.value("multilib_file").unwrap_or_default().to_owned();
            let patterns = (self.files)(&path);
            if patterns.is_none() {
                let text =
                    format!("the file {} was not there to be read: what it lists is missing", short(&path));
                self.note(NoteKind::Lost, "multilib_file", text);
            }
            let plain = self.patterns("multilib_file", patterns.unwrap_or_default());
            add_new(&mut multilib.patterns, plain);
            if multilib.patterns.is_empty() {
                multilib.methods = vec!["none".into()];
            }
            multilib_lists_idle(self, "the method 'file' does not ask it");
            return multilib;
        }
        if self.value("multilib_file").is_some() {
            self.note(NoteKind::NoEffect, "multilib_file", "another method is chosen");
        }
        let runtime = matches!(method.as_str(), "devel" | "runtime");
        let devel = method == "devel";
        for (option, own, asked, white) in [
            ("multilib_devel_whitelist", &[][..], devel, true),
            ("multilib_devel_blacklist", DEVEL_BLACKLIST, devel, false),
            ("multilib_runtime_whitelist", RUNTIME_WHITELIST, runtime, true),
            ("multilib_runtime_blacklist", RUNTIME_BLACKLIST, runtime, false),
        ] {
            if !self.settings.contains_key(option) {
                continue;
            }
            if !asked {
                let text = format!("the method '{method}' does not ask it");
                self.note(NoteKind::NoEffect, option, text);
                continue;
            }
            let listed = self.list(option);
            let gone: Vec<_> =
                own.iter().filter(|name| !listed.iter().any(|word| word == *name)).copied().collect();
            if !gone.is_empty() {
                let text = format!(
                    "the profile 'mash' has mash's own list, also what is not in this one: {}",
                    gone.join(", ")
                );
                self.note(NoteKind::Changed, option, text);
            }
            let new: Vec<_> = listed.into_iter().filter(|name| !own.contains(&name.as_str())).collect();
            let new = self.patterns(option, new);
            // There it means 'not for being of use at run time', and the rules for development still apply.
            if devel && option == "multilib_runtime_blacklist" {
                if !new.is_empty() {
                    let text = format!(
                        "a recipe has no list for this alone: {} are judged as others",
                        short(&new.join(", "))
                    );
                    self.note(NoteKind::Lost, option, text);
                }
                continue;
            }
            if new.iter().any(|name| name.contains(['*', '?', '['])) {
                self.note(
                    NoteKind::Changed,
                    option,
                    "in a recipe '*', '?' and '[' have a meaning; for mash they are letters",
                );
            }
            add_new(if white { &mut multilib.whitelist } else { &mut multilib.blacklist }, new);
        }
        multilib
    }

    fn patterns(&mut self, option: &str, words: Vec<String>) -> Vec<String> {
        let good = |word: &String| {
            !word.is_empty()
                && word.chars().all(|char| char.is_ascii_alphanumeric() || "-._+%{}*?[]!^~".contains(char))
        };
        for word in words.iter().filter(|word| !good(word)) {
            let text = format!("{} is no name of a package, and was left out", short(word));
            self.note(NoteKind::Lost, option, text);
        }
        words.into_iter().filter(good).collect()
    }

    /// The repositories whose packages may be required.
    fn parents(&mut self, draft: &mut Draft) {
        let repos = self.list("parent_repos");
        let Some(variant) = draft.variants.first() else { return };
        let (variant, arches) = (variant.id.clone(), variant.arches.clone());
        let mut number = 0;
        for repo in repos {
            let variables = ["%(arch)s", "$basearch", "$arch"];
            let one = [String::new()];
            let by_arch = variables.iter().any(|variable| repo.contains(variable));
            let base = if repo.starts_with('/') { format!("file://{repo}") } else { repo.clone() };
            number += 1;
            for arch in if by_arch { arches.as_slice() } else { &one } {
                let url = variables.iter().fold(base.clone(), |url, variable| url.replace(variable, arch));
                let Some(url) = url.parse::<Url>().ok().filter(|url| !url.as_str().contains(['?', '#']))
                else {
                    let text = format!("{} is no URL of a repository, and was left out", short(&url));
                    self.note(NoteKind::Lost, "parent_repos", text);
                    continue;
                };
                let id = if by_arch { format!("parent-{number}-{arch}") } else { format!("parent-{number}") };
                let origin = Origin::Repo { id, baseurl: url.as_str().into() };
                let comment = "What it has only meets requirements.".into();
                let lookaside = match by_arch {
                    true => Lookaside::Trees(vec![(variant.clone(), Some(arch.clone()))]),
                    false => Lookaside::All,
                };
                draft.sources.push(Source { comment, origin, lookaside });
            }
        }
    }
}

fn multilib_lists_idle(work: &mut Work<'_, '_>, why: &str) {
    for option in LISTS {
        if work.value(option).is_some() {
            work.note(NoteKind::NoEffect, option, why);
        }
    }
}
