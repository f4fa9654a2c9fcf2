//! How a variant is gathered: the keys of `[variant.ID]` beyond what it names, and what differs by arch.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::DeValue;

pub use crate::base::gather::Method;

use super::family::{Family, article};
use super::lines::GroupLines;
use super::modules::ModuleChoice;
use super::multilib::Multilib;
use super::read::Reader;
use super::table::{Findings, Table, either};
use crate::base::arch::TreeArch;

/// Keys of `[variant.ID.arch.ARCH]`.
pub(super) const BY_ARCH: &[&str] = &["packages", "modules", "exclude", "prepopulate", "multilib"];

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
    /// Whether of the packages that provide `system-release` only the one for the variant comes in.
    pub system_release: bool,
    /// By whose rules it is gathered.
    pub method: Method,
}

/// What a variant names for one of its arches, beside what it names for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForArch {
    /// Packages by name, glob or `name.arch`.
    pub packages: Vec<String>,
    /// Streams of modules whose packages it has.
    pub modules: Vec<ModuleChoice>,
    /// Packages to leave out.
    pub exclude: Vec<String>,
    /// Packages that an earlier compose had, `NAME.ARCH`.
    pub prepopulate: Vec<String>,
    /// Groups and environments.
    pub lines: GroupLines,
    /// The rule for packages of the secondary arch, in place of that of all arches.
    pub multilib: Option<Multilib>,
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
const NODEPS: &str = "'method' is \"nodeps\"";
const METHODS: &[(&str, Method)] =
    &[("deps", Method::Deps), ("nodeps", Method::Nodeps), ("mash", Method::Mash)];
/// Keys that a method which takes everything has no use for; and those of single arches.
const IDLE: &[&str] = &[
    "groups",
    "environments",
    "packages",
    "modules",
    "optional",
    "fulltree",
    "fulltree-excludes",
    "selfhosting",
    "greedy",
    "langpacks",
    "weak",
    "prepopulate",
    "require-members",
    "system-release",
    "parent",
    "lookaside",
];
const IDLE_BY_ARCH: &[&str] = &["packages", "modules", "prepopulate"];
const WEAK: &[(&str, bool)] = &[("none", false), ("recommends", true)];

impl Gathering {
    /// Reads it from the table of a variant, which has sources or not, a comps file or not, and this family.
    pub(super) fn read(
        table: &Table<'_>,
        (sources, comps, family): (bool, bool, &Family),
        findings: &mut Findings,
    ) -> Self {
        let greedy = table.text("greedy", findings);
        let weak = table.text("weak", findings);
        let method = table.text("method", findings);
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
            system_release: table.flag("system-release", false, findings),
            method: method.and_then(|text| text.choose(METHODS, findings)).unwrap_or_default(),
        };
        let inner = family.parent.is_some();
        let mut idle = |key: &str, why: &str| {
            if let Some(value) = table.get(key) {
                findings.add(value.span(), format!("'{key}' has no effect: {why}"));
            }
        };
        if read.method == Method::Mash {
            for key in IDLE {
                idle(key, "'method' is \"mash\", which takes everything");
            }
            by_arch_idle(table, findings);
            return read;
        }
        if read.method == Method::Nodeps {
            for key in ["fulltree", "selfhosting", "greedy", "langpacks", "weak", "prepopulate"] {
                idle(key, NODEPS);
            }
        }
        if !sources && !inner {
            idle("selfhosting", "'sources' is false");
        }
        if inner {
            for key in ["fulltree", "selfhosting"] {
                idle(key, &format!("{} has it by its type", article(family.kind)));
            }
        }
        if !read.fulltree && !inner {
            idle("fulltree-excludes", "'fulltree' is not true");
        }
        if !comps {
            for key in ["optional", "langpacks", "require-members"] {
                idle(key, "there is no 'comps' file");
            }
        }
        read
    }
}

impl Reader {
    /// Finds what the method `nodeps` leaves without effect where a variant names no environment, and by arch.
    pub(super) fn idle_of_nodeps(&mut self, table: &Table<'_>, environments: bool) {
        if let Some(value) = table.get("optional").filter(|_| !environments) {
            let message = format!("'optional' has no effect: {NODEPS}, which takes members of every type");
            self.findings.add(value.span(), message);
        }
        let by_arch = table.get("arch").and_then(|value| value.get_ref().as_table());
        for of_arch in by_arch.into_iter().flatten().filter_map(|(_, value)| value.get_ref().as_table()) {
            if let Some(value) = of_arch.get("prepopulate") {
                self.findings.add(value.span(), format!("'prepopulate' has no effect: {NODEPS}"));
            }
        }
    }

    /// The tables of single arches of a variant.
    pub(super) fn by_arch<'t>(
        &mut self,
        id: &str,
        value: &'t Spanned<DeValue<'t>>,
        arches: &[&'static TreeArch],
    ) -> BTreeMap<String, ForArch> {
        let known: Vec<&str> = arches.iter().map(|arch| arch.name).collect();
        let Some(entries) = value.get_ref().as_table() else {
            let message = format!("what differs by arch is written as [variant.{id}.arch.ARCH]");
            self.findings.add(value.span(), message);
            return BTreeMap::new();
        };
        let mut found = BTreeMap::new();
        for (arch, value) in entries {
            let name: &str = arch.get_ref();
            if !known.contains(&name) {
                let message = format!(
                    "'{name}' is no arch of [variant.{id}]: it has {}",
                    either(known.iter().copied())
                );
                self.findings.add(arch.span(), message);
                continue;
            }
            let title = format!("[variant.{id}.arch.{name}]");
            let Some(table) = Table::of(title, value, BY_ARCH, &mut self.findings) else { continue };
            let lines = self.lines(&table);
            let multilib = table.get("multilib").and_then(|value| {
                let rule = self.multilib(&format!("{id}.arch.{name}"), value);
                let tree = arches.iter().find(|arch| arch.name == name);
                if let (Some(rule), Some(tree)) = (&rule, tree)
                    && !rule.has_secondary(tree)
                {
                    let message = format!("'multilib' has no effect: {name} has no secondary arch");
                    self.findings.add(value.span(), message);
                }
                rule
            });
            let mut lists = ForArch {
                multilib,
                packages: lines.packages,
                modules: self.named_modules(&table),
                exclude: self.patterns(&table, "exclude"),
                prepopulate: prepopulate(&table, &mut self.findings),
                lines: lines.groups,
            };
            lists.exclude.extend(lines.exclude);
            found.insert(name.to_owned(), lists);
        }
        found
    }
}

/// Tells what single arches have that does nothing where everything is taken.
fn by_arch_idle(table: &Table<'_>, findings: &mut Findings) {
    let arches = table.get("arch").and_then(|value| value.get_ref().as_table());
    for (arch, value) in arches.into_iter().flatten() {
        for (key, value) in value.get_ref().as_table().into_iter().flatten() {
            if IDLE_BY_ARCH.contains(&&**key.get_ref()) {
                let message = format!(
                    "'{}' of {} has no effect: 'method' is \"mash\", which takes everything",
                    key.get_ref(),
                    arch.get_ref()
                );
                findings.add(value.span(), message);
            }
        }
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

#[cfg(test)]
mod tests {
    use super::super::Recipe;
    use super::*;

    fn parse(variant: &str) -> Result<Recipe, super::super::RecipeError> {
        let text = format!(
            "[release]\nname = \"A\"\nshort = \"A\"\nversion = \"1\"\n[[source]]\ndir = \"d\"\non-unsigned = \"allow\"\n\
             [variant.Base]\narches = [\"x86_64\"]\n{variant}"
        );
        Recipe::parse(&text, "r.toml")
    }

    /// What is wrong with a variant that says this.
    fn problems(variant: &str) -> Vec<String> {
        let error = parse(variant).err();
        let problems = error.as_ref().map_or(&[][..], |error| error.problems());
        problems.iter().map(|found| format!("{}:{} {}", found.line, found.column, found.message)).collect()
    }

    #[test]
    fn the_method_nodeps_leaves_keys_without_effect() {
        let named = "packages = [\"a\"]\nmethod = \"nodeps\"\n";
        for (key, found) in [
            ("fulltree = true", "'fulltree' has no effect: 'method' is \"nodeps\""),
            ("greedy = \"all\"", "'greedy' has no effect: 'method' is \"nodeps\""),
            ("weak = \"recommends\"", "'weak' has no effect: 'method' is \"nodeps\""),
            ("prepopulate = [\"a.x86_64\"]", "'prepopulate' has no effect: 'method' is \"nodeps\""),
            (
                "comps = \"c\"\noptional = true",
                "'optional' has no effect: 'method' is \"nodeps\", which takes members of every type",
            ),
        ] {
            let found_in = problems(&format!("{named}{key}"));
            assert!(matches!(&found_in[..], [one] if one.ends_with(found)), "{found_in:?}");
            assert_eq!(problems(&format!("packages = [\"a\"]\n{key}")), [""; 0], "{key}");
        }
        assert_eq!(
            problems(&format!("{named}[variant.Base.arch.x86_64]\nprepopulate = [\"a.x86_64\"]")),
            ["13:15 'prepopulate' has no effect: 'method' is \"nodeps\""]
        );
        assert_eq!(problems(named), [""; 0]);
        let line = "method = \"nodeps\"\npackages = [\"@^e\"]\ncomps = \"c\"\noptional = true";
        assert_eq!(problems(line), [""; 0]);
        assert_eq!(
            problems(&format!("{named}comps = \"c\"\nenvironments = [\"e\"]\noptional = true")),
            [""; 0]
        );
    }

    #[test]
    fn the_method_mash_takes_everything() {
        let read = parse("method = \"mash\"\n").unwrap();
        assert_eq!(read.variants["Base"].gather.method, Method::Mash);
        for good in [
            "comps = \"c\"\n",
            "exclude = [\"a\"]\n",
            "sources = false\n",
            "multilib = { profile = \"mash\" }\n",
            "[variant.Base.arch.x86_64]\nexclude = [\"a\"]\n",
        ] {
            assert!(parse(&format!("method = \"mash\"\n{good}")).is_ok(), "{good}");
        }
        let mash = "has no effect: 'method' is \"mash\", which takes everything";
        for (key, expected) in [
            ("packages = [\"a\"]", "'packages'"),
            ("comps = \"c\"\ngroups = [\"a\"]", "'groups'"),
            ("comps = \"c\"\nenvironments = [\"a\"]", "'environments'"),
            ("modules = [\"a:1\"]", "'modules'"),
            ("comps = \"c\"\noptional = true", "'optional'"),
            ("comps = \"c\"\nlangpacks = true", "'langpacks'"),
            ("comps = \"c\"\nrequire-members = true", "'require-members'"),
            ("fulltree = true", "'fulltree'"),
            ("fulltree-excludes = [\"a\"]", "'fulltree-excludes'"),
            ("selfhosting = true", "'selfhosting'"),
            ("greedy = \"all\"", "'greedy'"),
            ("weak = \"recommends\"", "'weak'"),
            ("prepopulate = [\"a.noarch\"]", "'prepopulate'"),
            ("[variant.Base.arch.x86_64]\npackages = [\"a\"]", "'packages' of x86_64"),
            ("[variant.Base.arch.x86_64]\nprepopulate = [\"a.noarch\"]", "'prepopulate' of x86_64"),
        ] {
            let error = parse(&format!("method = \"mash\"\n{key}\n")).unwrap_err();
            let messages: Vec<_> = error.problems().iter().map(|found| found.message.clone()).collect();
            assert_eq!(messages, [format!("{expected} {mash}")], "{key}");
        }
        let error = parse("method = \"smash\"\n").unwrap_err().to_string();
        assert!(error.contains("expected 'deps', 'nodeps' or 'mash'"), "{error}");
    }
}
