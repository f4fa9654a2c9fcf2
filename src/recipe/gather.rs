//! How a variant is gathered: the keys of `[variant.ID]` beyond what it names.

use super::table::{Findings, Table};

/// How the packages of a variant are gathered beyond what it names and what that requires.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gathering {
    /// Whether optional members of groups and optional groups of environments are wanted.
    pub optional: bool,
    /// Whether the other packages of a build come along with one of them.
    pub fulltree: bool,
    /// Names of source packages that `fulltree` leaves alone.
    pub fulltree_excludes: Vec<String>,
    /// Whether everything comes along that building the selected source packages requires.
    pub selfhosting: bool,
    /// How many of the packages that meet a requirement or pattern are taken.
    pub greedy: Greedy,
    /// Whether packages of languages come along, by the rules of comps.
    pub langpacks: bool,
    /// Whether recommended and supplementing packages come along.
    pub weak: bool,
    /// Packages that an earlier compose had, `NAME.ARCH`.
    pub prepopulate: Vec<String>,
    /// Whether a group's member that no source offers is an error.
    pub require_members: bool,
}

/// How many of the packages that meet a requirement or pattern are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Greedy {
    /// The best.
    #[default]
    None,
    /// All of them.
    All,
    /// All of the best one's build.
    Build,
}

const GREEDY: &[(&str, Greedy)] = &[("none", Greedy::None), ("all", Greedy::All), ("build", Greedy::Build)];
const WEAK: &[(&str, bool)] = &[("none", false), ("recommends", true)];

impl Gathering {
    /// Reads it from the table of a variant.
    pub(super) fn read(table: &Table<'_>, sources: bool, findings: &mut Findings) -> Self {
        let greedy = table.text("greedy", findings);
        let weak = table.text("weak", findings);
        let read = Self {
            optional: table.flag("optional", false, findings),
            fulltree: table.flag("fulltree", false, findings),
            fulltree_excludes: names(table, "fulltree-excludes", findings),
            selfhosting: table.flag("selfhosting", false, findings),
            greedy: greedy.and_then(|text| text.choose(GREEDY, findings)).unwrap_or_default(),
            langpacks: table.flag("langpacks", false, findings),
            weak: weak.and_then(|text| text.choose(WEAK, findings)).unwrap_or_default(),
            prepopulate: prepopulate(table, findings),
            require_members: table.flag("require-members", false, findings),
        };
        let mut idle = |key: &str, why: &str| {
            if let Some(value) = table.get(key) {
                findings.add(value.span(), format!("'{key}' has no effect: {why}"));
            }
        };
        if !sources {
            idle("selfhosting", "'sources' is false");
        }
        if !read.fulltree {
            idle("fulltree-excludes", "'fulltree' is not true");
        }
        if table.get("comps").is_none() {
            for key in ["optional", "langpacks", "require-members"] {
                idle(key, "there is no 'comps' file");
            }
        }
        read
    }
}

fn names(table: &Table<'_>, key: &str, findings: &mut Findings) -> Vec<String> {
    let mut found = Vec::new();
    for text in table.texts(key, findings) {
        if text.text.trim().is_empty() || text.text.contains(char::is_whitespace) {
            findings.add(text.span, format!("'{}' is no name of a package", text.text.escape_debug()));
        } else {
            found.push(text.text.to_owned());
        }
    }
    found
}

fn prepopulate(table: &Table<'_>, findings: &mut Findings) -> Vec<String> {
    let mut found = Vec::new();
    for text in table.texts("prepopulate", findings) {
        match text.text.rsplit_once('.') {
            Some((name, arch))
                if !name.is_empty() && !arch.is_empty() && !text.text.contains(['*', '?', '[', ' ']) =>
            {
                found.push(text.text.to_owned());
            }
            _ => findings
                .add(text.span, format!("'{}' is not of the form NAME.ARCH", text.text.escape_debug())),
        }
    }
    found
}
