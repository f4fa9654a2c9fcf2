//! `multilib` of a `[variant.ID]`: the rule for packages of the secondary arch.

use toml::Spanned;
use toml::de::DeValue;

pub use crate::base::multilib::{Method as MultilibMethod, Profile as MultilibProfile};

use super::read::Reader;
use super::schema::Variant;
use super::table::{Table, either};
use crate::base::arch::TreeArch;

pub(super) const MULTILIB: &[&str] =
    &["profile", "methods", "whitelist", "blacklist", "patterns", "prefer-ppc64"];

/// The tree that `prefer-ppc64` speaks of.
pub(super) const PPC: &str = "ppc";

/// The rule for packages of the secondary arch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Multilib {
    /// Whose rules and lists apply.
    pub profile: MultilibProfile,
    /// The methods, each one that the profile has; a package that any of them takes is in.
    pub methods: Vec<MultilibMethod>,
    /// Names and globs that are in whatever the methods say.
    pub whitelist: Vec<String>,
    /// Names and globs that are out whatever the methods say.
    pub blacklist: Vec<String>,
    /// Names and globs that the method `file` takes; empty without it.
    pub patterns: Vec<String>,
    /// Whether a tree of ppc takes no packages of ppc64 by rule (mash's option).
    pub prefer_ppc64: bool,
}

impl Multilib {
    /// Whether it is for a tree.
    fn is_for(&self, arch: &TreeArch) -> bool {
        !(self.prefer_ppc64 && arch.name == PPC)
    }

    /// Whether it may bring packages of a secondary arch into a tree.
    pub(super) fn has_secondary(&self, arch: &'static TreeArch) -> bool {
        self.is_for(arch) && !self.profile.tree(arch).multilib.is_empty()
    }
}

impl Variant {
    /// The rule for packages of the secondary arch of one of its trees.
    pub fn multilib_of(&self, arch: &TreeArch) -> Option<&Multilib> {
        let own = self.by_arch.get(arch.name).and_then(|own| own.multilib.as_ref());
        own.or(self.multilib.as_ref()).filter(|multilib| multilib.is_for(arch))
    }
}

impl Reader {
    pub(super) fn multilib<'t>(&mut self, id: &str, value: &'t Spanned<DeValue<'t>>) -> Option<Multilib> {
        let name = format!("'multilib' of [variant.{id}]");
        let table = Table::of(name, value, MULTILIB, &mut self.findings)?;
        let words: Vec<_> = MultilibProfile::ALL.iter().map(|found| (found.name(), *found)).collect();
        let profile = table.required("profile", &mut self.findings);
        let profile = profile.and_then(|text| text.choose(&words, &mut self.findings));
        let methods = self.methods(&table, profile);
        let whitelist = self.patterns(&table, "whitelist");
        let blacklist = self.patterns(&table, "blacklist");
        let patterns = self.patterns(&table, "patterns");
        match (table.get("patterns"), methods.contains(&MultilibMethod::File)) {
            (Some(value), false) => {
                let message = "'patterns' belongs to the method 'file', and that is not asked for";
                self.findings.add(value.span(), message);
            }
            (None, true) => {
                let span = table.get("methods").map_or(table.span.clone(), |value| value.span());
                self.findings.add(span, "the method 'file' needs 'patterns', such as [\"glibc*\"]");
            }
            _ => {}
        }
        let prefer_ppc64 = table.flag("prefer-ppc64", false, &mut self.findings);
        if let Some(value) = table.get("prefer-ppc64")
            && profile.is_some_and(|profile| profile != MultilibProfile::Mash)
        {
            self.findings.add(value.span(), "'prefer-ppc64' belongs to the profile 'mash'");
        }
        Some(Multilib { profile: profile?, methods, whitelist, blacklist, patterns, prefer_ppc64 })
    }

    /// The methods that are asked for, or the profile's own where it has some.
    fn methods(&mut self, table: &Table<'_>, profile: Option<MultilibProfile>) -> Vec<MultilibMethod> {
        if let (Some(profile), None) = (profile, table.get("methods"))
            && !profile.default_methods().is_empty()
        {
            return profile.default_methods().to_vec();
        }
        let has = profile.map_or(MultilibMethod::ALL, MultilibProfile::methods);
        let words: Vec<_> = has.iter().map(|method| (method.name(), *method)).collect();
        let mut methods = Vec::new();
        for text in table.required_texts("methods", "[\"devel\"]", &mut self.findings) {
            match (profile, MultilibMethod::find(text.text)) {
                (Some(profile), Some(method)) if !has.contains(&method) => {
                    let has = either(words.iter().map(|(word, _)| *word));
                    let message = format!("the profile '{profile}' has no method '{method}': expected {has}");
                    self.findings.add(text.span, message);
                }
                _ => methods.extend(text.choose(&words, &mut self.findings)),
            }
        }
        methods
    }
}

#[cfg(test)]
mod tests {
    use super::super::Recipe;
    use super::*;

    fn read(arches: &str, multilib: &str) -> Result<Variant, Vec<String>> {
        let text = format!(
            "[release]\nname = \"A\"\nshort = \"A\"\nversion = \"1\"\n[[source]]\ndir = \"d\"\non-unsigned = \"allow\"\n\
             [variant.Base]\npackages = [\"a\"]\narches = [{arches}]\nmultilib = {{ {multilib} }}\n"
        );
        let read = Recipe::parse(&text, "r.toml");
        read.map(|mut recipe| recipe.variants.remove("Base").unwrap())
            .map_err(|error| error.problems().iter().map(|problem| problem.message.clone()).collect())
    }

    #[test]
    fn a_rule_is_for_trees_that_have_a_secondary_arch_with_its_profile() {
        let none = "'multilib' has no effect: no arch of [variant.Base] has a secondary arch";
        for (arches, multilib, expected) in [
            ("\"ppc\"", "profile = \"mash\"", Ok("ppc")),
            ("\"ppc\"", "profile = \"fedora\"", Err(none)),
            ("\"sparc\"", "profile = \"koji\"", Err(none)),
            ("\"sparc\"", "profile = \"mash\"", Ok("sparc")),
            ("\"ppc\", \"ppc64\"", "profile = \"mash\"", Ok("ppc ppc64")),
            ("\"ppc\", \"ppc64\"", "profile = \"mash\", prefer-ppc64 = true", Ok("ppc64")),
            ("\"ppc\"", "profile = \"mash\", prefer-ppc64 = true", Err(none)),
            (
                "\"ppc64\"",
                "profile = \"mash\", prefer-ppc64 = true",
                Err("'prefer-ppc64' has no effect: [variant.Base] has no tree of ppc"),
            ),
            (
                "\"ppc\", \"ppc64\"",
                "profile = \"fedora\", prefer-ppc64 = true",
                Err("'prefer-ppc64' belongs to the profile 'mash'"),
            ),
        ] {
            let trees = read(arches, multilib).map(|variant| {
                let has = |arch: &&&'static TreeArch| {
                    variant.multilib_of(arch).is_some_and(|multilib| multilib.has_secondary(arch))
                };
                let with = variant.arches.iter().filter(has);
                with.map(|arch| arch.name).collect::<Vec<_>>().join(" ")
            });
            let expected = expected.map(str::to_owned).map_err(|problem| vec![problem.to_owned()]);
            assert_eq!(trees, expected, "{arches} {multilib}");
        }
    }
}
