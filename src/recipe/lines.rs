//! Lines of `packages`: packages, and groups as in a kickstart's `%packages`.
//!
//! ```text
//! NAME, GLOB, NAME.ARCH                    a package
//! -NAME, -GLOB, -NAME.ARCH                 not seen at all, as in 'exclude'
//! @GROUP [--optional | --nodefaults]       a group by its id or name
//! -@GROUP                                  what environments come without
//! @^ID                                     an environment
//! ```

use std::ops::Range;

use super::read::{Reader, made_of};
use super::table::Table;
use crate::format::kickstart::Include;

/// Characters of patterns for packages beside letters and digits.
pub(super) const PATTERN: &str = "-._+%{}*?[]!^~";

/// What lines name beside packages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupLines {
    /// Groups by id or name, and how much of them.
    pub groups: Vec<(String, Include)>,
    /// Groups, by id or name, that environments come without.
    pub without: Vec<String>,
    /// Ids of environments.
    pub environments: Vec<String>,
}

/// All that a list of lines says.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) packages: Vec<String>,
    pub(super) exclude: Vec<String>,
    pub(super) groups: GroupLines,
}

/// A line of a variant that needs something else in it.
#[derive(Debug)]
pub(super) struct Dependent {
    span: Range<usize>,
    text: String,
}

/// What one line says.
enum Line<'t> {
    Package(&'t str),
    Exclude(&'t str),
    Group(String, Include),
    Without(&'t str),
    Environment(&'t str),
}

impl<'t> Line<'t> {
    fn read(text: &'t str) -> Result<Self, String> {
        if let Some(id) = text.strip_prefix("@^") {
            return plain(id, "an environment").map(Self::Environment);
        }
        if let Some(group) = text.strip_prefix('@') {
            let (options, words): (Vec<&str>, Vec<&str>) =
                group.split_whitespace().partition(|word| word.starts_with("--"));
            let include = match options[..] {
                [] => Include::Default,
                ["--optional"] => Include::Optional,
                ["--nodefaults"] => Include::NoDefaults,
                ["--optional" | "--nodefaults", ..] => {
                    return Err("a group has one of '--optional' and '--nodefaults'".into());
                }
                [other, ..] => {
                    return Err(format!(
                        "'{other}' is no option of a group: expected '--optional' or '--nodefaults'"
                    ));
                }
            };
            let name = words.join(" ");
            return plain(&name, "a group").map(|name| Self::Group(name.to_owned(), include));
        }
        let pattern = |name: &'t str| match made_of(name, PATTERN) {
            true => Ok(name),
            false => Err(format!("'{text}' is no package name, glob or name.arch")),
        };
        match text.strip_prefix('-') {
            None => pattern(text).map(Self::Package),
            Some(excluded) => match excluded.strip_prefix('@') {
                None => pattern(excluded).map(Self::Exclude),
                Some(id) if id.starts_with('^') => {
                    Err("an environment is not taken back: leave out the line that names it".into())
                }
                Some(group) => plain(group, "a group").map(Self::Without),
            },
        }
    }
}

/// The name of a group or environment.
fn plain<'t>(name: &'t str, what: &str) -> Result<&'t str, String> {
    if name.is_empty() {
        Err(format!("the name of {what} is missing"))
    } else if name.trim() != name || name.contains(char::is_control) || name.contains(" --") {
        Err(format!("'{name}' cannot be the name of {what}"))
    } else {
        Ok(name)
    }
}

impl Reader {
    /// The lines of `packages`.
    pub(super) fn lines(&mut self, table: &Table<'_>) -> Lines {
        let mut lines = Lines::default();
        for text in table.texts("packages", &mut self.findings) {
            let line = match Line::read(text.text) {
                Ok(line) => line,
                Err(message) => {
                    self.findings.add(text.span, message);
                    continue;
                }
            };
            if !matches!(line, Line::Package(_) | Line::Exclude(_)) {
                self.dependent.push(Dependent { span: text.span, text: text.text.into() });
            }
            match line {
                Line::Package(name) => lines.packages.push(name.into()),
                Line::Exclude(name) => lines.exclude.push(name.into()),
                Line::Group(name, include) => lines.groups.groups.push((name, include)),
                Line::Without(name) => lines.groups.without.push(name.into()),
                Line::Environment(id) => lines.groups.environments.push(id.into()),
            }
        }
        lines
    }

    /// Looks whether lines of a variant that speak of groups have what they need: a comps file, an environment. Whether the
    /// variant names any environment.
    pub(super) fn dependent(&mut self, id: &str, comps: bool, environments: bool) -> bool {
        let lines = std::mem::take(&mut self.dependent);
        let environments = environments || lines.iter().any(|line| line.text.starts_with("@^"));
        for Dependent { span, text } in lines {
            if !comps {
                let message = format!("[variant.{id}] names '{text}' but no 'comps' file to look it up in");
                self.findings.add(span, message);
            } else if text.starts_with('-') && !environments {
                let message =
                    format!("'{text}' has no effect: [variant.{id}] names no environment that has groups");
                self.findings.add(span, message);
            }
        }
        environments
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ForArch, Recipe, RecipeError};
    use super::*;

    fn read(variant: &str) -> Result<Recipe, RecipeError> {
        let text = format!(
            "[release]\nname = \"A\"\nshort = \"A\"\nversion = \"1\"\n[[source]]\ndir = \"d\"\non-unsigned = \"allow\"\n\
             [variant.Base]\narches = [\"x86_64\", \"s390x\"]\n{variant}"
        );
        Recipe::parse(&text, "r.toml")
    }

    #[test]
    fn lines_are_those_of_a_kickstart() {
        let recipe = read(
            "comps = \"c.xml\"\nexclude = [\"x\"]\n\
             packages = [\"a*\", \"-b.i686\", \"@core\", \"@Water Birds --optional\", \"@x --nodefaults\", \"-@y\", \"@^server\"]\n\
             [variant.Base.arch.s390x]\npackages = [\"s\", \"-t\", \"@zs\", \"@^mainframe\"]\nexclude = [\"u\"]\n",
        );
        let variant = &recipe.unwrap().variants["Base"];
        assert_eq!(variant.packages, ["a*"]);
        assert_eq!(variant.exclude, ["x", "b.i686"]);
        let group = |name: &str, include| (name.to_owned(), include);
        let lines = GroupLines {
            groups: vec![
                group("core", Include::Default),
                group("Water Birds", Include::Optional),
                group("x", Include::NoDefaults),
            ],
            without: vec!["y".into()],
            environments: vec!["server".into()],
        };
        assert_eq!(variant.lines, lines);
        let groups = vec![group("zs", Include::Default)];
        let lines = GroupLines { groups, without: Vec::new(), environments: vec!["mainframe".into()] };
        let expected = ForArch {
            multilib: None,
            modules: Vec::new(),
            packages: vec!["s".into()],
            exclude: vec!["u".into(), "t".into()],
            prepopulate: Vec::new(),
            lines,
        };
        assert_eq!(variant.by_arch["s390x"], expected);
    }

    #[test]
    fn what_is_no_line_is_told_where_it_stands() {
        for (variant, expected) in [
            (
                "packages = [\"@^server\"]",
                "10:13 [variant.Base] names '@^server' but no 'comps' file to look it up in",
            ),
            (
                "packages = [\"a\"]\n[variant.Base.arch.s390x]\npackages = [\"-@x\"]",
                "12:13 [variant.Base] names '-@x' but no 'comps' file to look it up in",
            ),
            (
                "comps = \"c\"\npackages = [\"-@x\", \"a\"]",
                "11:13 '-@x' has no effect: [variant.Base] names no environment that has groups",
            ),
            ("packages = [\"@ \"]", "10:13 the name of a group is missing"),
            ("packages = [\"@^\"]", "10:13 the name of an environment is missing"),
            ("packages = [\"@^a --optional\"]", "10:13 'a --optional' cannot be the name of an environment"),
            (
                "packages = [\"@a --optional --nodefaults\"]",
                "10:13 a group has one of '--optional' and '--nodefaults'",
            ),
            (
                "packages = [\"@a --all\"]",
                "10:13 '--all' is no option of a group: expected '--optional' or '--nodefaults'",
            ),
            (
                "packages = [\"-@^a\"]",
                "10:13 an environment is not taken back: leave out the line that names it",
            ),
            ("packages = [\"-@a --optional\"]", "10:13 'a --optional' cannot be the name of a group"),
            ("packages = [\"-\"]", "10:13 '-' is no package name, glob or name.arch"),
            ("packages = [\"a b\"]", "10:13 'a b' is no package name, glob or name.arch"),
        ] {
            let error = read(variant).expect_err(variant);
            let found = error.problems().iter();
            let found: Vec<_> =
                found.map(|found| format!("{}:{} {}", found.line, found.column, found.message)).collect();
            assert_eq!(found, [expected]);
        }
        assert!(read("comps = \"c\"\nenvironments = [\"e\"]\npackages = [\"-@x\"]").is_ok());
        // The parent has the comps file, and may have environments.
        let addon = "comps = \"c\"\npackages = [\"a\"]\n\
            [variant.Base-More]\ntype = \"addon\"\nparent = \"Base\"\narches = [\"x86_64\"]\npackages = [\"@y\", \"-@x\"]\n";
        read(addon).unwrap();
    }
}
