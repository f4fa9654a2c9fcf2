//! `multilib` of a `[variant.ID]`: the rule for packages of the secondary arch.

use toml::Spanned;
use toml::de::DeValue;

pub use crate::base::multilib::{Method as MultilibMethod, Profile as MultilibProfile};

use super::read::Reader;
use super::table::{Table, either};

pub(super) const MULTILIB: &[&str] = &["profile", "methods", "whitelist", "blacklist", "patterns"];

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
        Some(Multilib { profile: profile?, methods, whitelist, blacklist, patterns })
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
