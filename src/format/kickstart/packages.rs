//! The `%packages` sections.

use std::collections::BTreeMap;
use std::fmt;

use super::Place;
use super::arguments::{Arguments, complain, parse};
use super::syntax::{self, Dialect, Syntax};
use super::text::strip;

/// The most groups that are wanted or excluded: each is looked for among those that came before it.
pub const MOST_GROUPS: usize = 1000;

/// How much of a group is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Include {
    /// `--nodefaults`: only the mandatory packages.
    NoDefaults,
    /// The mandatory and the default packages.
    Default,
    /// `--optional`: all packages.
    Optional,
}

/// A group that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its id, or its name as comps has it; a module with a stream looks like one, `nodejs:10/default`.
    pub id: String,
    /// How much of it.
    pub include: Include,
    /// Where.
    pub place: Place,
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.id)?;
        match self.include {
            Include::NoDefaults => f.write_str(" --nodefaults"),
            Include::Default => Ok(()),
            Include::Optional => f.write_str(" --optional"),
        }
    }
}

/// What all `%packages` sections want together. A later line takes back what an earlier one said of the same
/// name; of two sections the later has the say about options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packages {
    /// Where each section begins; none where there is no such section.
    pub places: Vec<Place>,
    /// The environment, `@^ID`, the last given.
    pub environment: Option<(String, Place)>,
    /// The groups in the order of their first mention.
    pub groups: Vec<Group>,
    /// `-@ID`, in order.
    pub excluded_groups: Vec<(String, Place)>,
    /// Packages by name, glob or `name.arch`.
    pub packages: BTreeMap<String, Place>,
    /// `-NAME`.
    pub excluded: BTreeMap<String, Place>,
    /// `--nocore`: not even the group core.
    pub nocore: bool,
    /// `--default`: the default environment.
    pub default: bool,
    /// `--excludedocs`: without documentation.
    pub excludedocs: bool,
    /// `--inst-langs`: only translations for these languages, separated by commas; none where empty.
    pub inst_langs: Option<String>,
    /// `--exclude-weakdeps`: without recommended packages.
    pub exclude_weakdeps: bool,
    /// `--ignoremissing`: what no repository has is passed over.
    pub ignoremissing: bool,
    /// `--ignorebroken`: what cannot be installed is passed over.
    pub ignorebroken: bool,
    /// `--multilib`: all that are built for another ABI, too.
    pub multilib: bool,
    /// `--timeout`, in seconds.
    pub timeout: Option<i64>,
    /// `--retries`.
    pub retries: Option<i64>,
}

impl Packages {
    /// Begins a section.
    pub(super) fn begin(&mut self, place: Place, given: &Arguments) -> Result<(), String> {
        self.places.push(place);
        self.excludedocs = given.has("excludedocs");
        self.ignoremissing = given.has("ignoremissing");
        self.ignorebroken = given.has("ignorebroken");
        self.default |= given.has("default");
        let langs = given.last_of(&["inst-langs", "instLangs"]).and_then(|option| given.owned(option));
        self.inst_langs = langs.or(self.inst_langs.take());
        self.multilib = given.has("multilib");
        self.nocore = given.has("nocore");
        self.timeout = given.number("timeout");
        self.retries = given.number("retries");
        self.exclude_weakdeps = given.has("exclude-weakdeps") || given.has("excludeWeakdeps");
        if given.has("default") && self.nocore {
            return Err("--default and --nocore exclude each other".to_owned());
        }
        Ok(())
    }

    /// Reads a line that is neither blank nor a comment.
    pub(super) fn line(&mut self, line: &str, place: Place, dialect: Dialect) -> Result<(), String> {
        let line = strip(line.split('#').next().unwrap_or_default());
        if self.groups.len() + self.excluded_groups.len() > MOST_GROUPS {
            return Err(format!("more than {MOST_GROUPS} groups are named"));
        }
        if let Some(environment) = line.strip_prefix("@^") {
            self.environment = Some((named(environment, "environment")?, place));
        } else if let Some(group) = line.strip_prefix('@') {
            self.group(group, place, dialect)?;
        } else if let Some(excluded) = line.strip_prefix('-') {
            match excluded.strip_prefix('@') {
                Some(environment) if self.is_environment(environment) => self.environment = None,
                Some(group) => {
                    let group = named(group, "group")?;
                    self.groups.retain(|wanted| wanted.id != group);
                    self.excluded_groups.push((group, place));
                }
                None => {
                    let name = named(excluded, "package")?;
                    self.packages.remove(&name);
                    self.excluded.insert(name, place);
                }
            }
        } else {
            self.excluded.remove(line);
            self.packages.insert(line.to_owned(), place);
        }
        Ok(())
    }

    fn is_environment(&self, excluded: &str) -> bool {
        let wanted = self.environment.as_ref().map(|(id, _)| id.as_str());
        excluded.strip_prefix('^').is_some_and(|id| wanted == Some(id))
    }

    fn group(&mut self, line: &str, place: Place, dialect: Dialect) -> Result<(), String> {
        let syntax = Syntax::read(syntax::GROUP, dialect);
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let given = parse(&words, &syntax)?;
        // A name of several words may have options in between.
        if let Some(word) = given.left_over.iter().find(|word| word.starts_with('-')) {
            return Err(complain(word, "a group", &syntax));
        }
        let words: Vec<&str> =
            given.arguments("name").chain(given.left_over.iter().map(String::as_str)).collect();
        let id = named(&words.join(" "), "group")?;
        let include = match (given.has("nodefaults"), given.has("optional")) {
            (true, true) => return Err("--nodefaults and --optional exclude each other".to_owned()),
            (true, false) => Include::NoDefaults,
            (false, true) => Include::Optional,
            (false, false) => Include::Default,
        };
        if !self.groups.iter().any(|group| group.id == id) {
            self.groups.push(Group { id, include, place });
        }
        Ok(())
    }
}

fn named(name: &str, what: &str) -> Result<String, String> {
    if strip(name).is_empty() {
        return Err(format!("the name of the {what} is missing"));
    }
    Ok(name.to_owned())
}

/// The packages as one section of a dialect, groups and names sorted as pykickstart sorts them.
#[derive(Clone, Copy, Debug)]
pub struct PackagesSection<'a>(pub &'a Packages, pub Dialect);

impl fmt::Display for PackagesSection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(packages, dialect) = *self;
        if packages.places.is_empty() {
            return Ok(());
        }
        let (inst_langs, exclude_weakdeps) = match dialect {
            Dialect::Rhel8 => ("instLangs", "excludeWeakdeps"),
            _ => ("inst-langs", "exclude-weakdeps"),
        };
        f.write_str("%packages")?;
        for (given, option) in [
            (packages.default, "default"),
            (packages.excludedocs, "excludedocs"),
            (packages.nocore, "nocore"),
            (packages.ignoremissing, "ignoremissing"),
            (packages.ignorebroken, "ignorebroken"),
        ] {
            if given {
                write!(f, " --{option}")?;
            }
        }
        if let Some(langs) = &packages.inst_langs {
            write!(f, " --{inst_langs}={}", super::quoted(langs))?;
        }
        if packages.multilib {
            f.write_str(" --multilib")?;
        }
        if packages.exclude_weakdeps {
            write!(f, " --{exclude_weakdeps}")?;
        }
        for (number, option) in [(packages.timeout, "timeout"), (packages.retries, "retries")] {
            if let Some(number) = number {
                write!(f, " --{option}={number}")?;
            }
        }
        writeln!(f)?;
        if let Some((environment, _)) = &packages.environment {
            writeln!(f, "@^{environment}")?;
        }
        let mut groups: Vec<_> = packages.groups.iter().collect();
        groups.sort_by(|a, b| a.id.cmp(&b.id));
        for group in groups {
            writeln!(f, "{group}")?;
        }
        for name in packages.packages.keys() {
            writeln!(f, "{name}")?;
        }
        let mut groups: Vec<_> = packages.excluded_groups.iter().map(|(id, _)| id).collect();
        groups.sort();
        for id in groups {
            writeln!(f, "-@{id}")?;
        }
        for name in packages.excluded.keys() {
            writeln!(f, "-{name}")?;
        }
        f.write_str("%end\n")
    }
}
