//! How variants relate to one another: `type`, `parent`, `lookaside` and `release` of `[variant.ID]`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::read::{Reader, check, made_of, owned};
use super::schema::Variant;
use super::table::{Table, suggest};
use crate::format::productmd::VariantType;

/// Keys of `release` of `[variant.ID]`.
pub(super) const RELEASE: &[&str] = &["name", "short", "version"];

/// How a variant relates to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    /// Its type.
    pub kind: VariantType,
    /// The id of the variant that it is in: all types but `variant` have one, which is a `variant` with all its arches.
    pub parent: Option<String>,
    /// Ids of variants whose packages are only looked aside at; each can be gathered before this one.
    pub lookaside: Vec<String>,
    /// What a layered product releases; no other type has it.
    pub release: Option<LayeredRelease>,
}

/// What a layered product releases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayeredRelease {
    /// The full name.
    pub name: String,
    /// The short name.
    pub short: String,
    /// The version.
    pub version: String,
}

/// When variants of a type are gathered.
fn rank(kind: VariantType) -> Option<usize> {
    VariantType::GATHERED.iter().position(|other| *other == kind)
}

/// A type with its article, for messages.
pub(super) const fn article(kind: VariantType) -> &'static str {
    match kind {
        VariantType::Variant => "a variant",
        VariantType::Addon => "an addon",
        VariantType::LayeredProduct => "a layered product",
        VariantType::Optional => "an optional variant",
    }
}

/// The table of a variant, where it is one.
fn table_of<'t>(others: &'t DeTable<'t>, id: &str) -> Option<&'t DeTable<'t>> {
    others.get(id)?.get_ref().as_table()
}

/// What a variant looks aside at, but itself.
fn asides<'v>(variants: &'v BTreeMap<String, Variant>, id: &'v str) -> impl Iterator<Item = &'v str> {
    let lookaside = variants.get(id).map(|variant| variant.family.lookaside.as_slice()).unwrap_or_default();
    lookaside.iter().map(String::as_str).filter(move |of| *of != id)
}

impl Family {
    /// Whether the parent has a key.
    pub(super) fn parent_has(&self, key: &str, others: &DeTable<'_>) -> bool {
        let parent = self.parent.as_ref().and_then(|parent| table_of(others, parent));
        parent.is_some_and(|parent| parent.contains_key(key))
    }
}

impl Reader {
    /// All variants, each with what it says of others.
    pub(super) fn variants<'t>(
        &mut self,
        value: &'t Spanned<DeValue<'t>>,
    ) -> Option<BTreeMap<String, Variant>> {
        let Some(entries) = value.get_ref().as_table() else {
            return self.lack(value.span(), "variants are written as [variant.ID]");
        };
        let mut variants = BTreeMap::new();
        for (id, value) in entries {
            let word: &str = id.get_ref();
            if let Some(variant) = self.variant(word, value, entries) {
                variants.insert(word.to_string(), variant);
            }
        }
        self.families(entries, &mut variants);
        if entries.is_empty() {
            return self.lack(value.span(), "a recipe needs at least one [variant.ID]");
        }
        Some(variants)
    }

    /// Name, short name and version of what is released.
    pub(super) fn named_release(
        &mut self,
        table: &Table<'_>,
    ) -> (Option<String>, Option<String>, Option<String>) {
        let findings = &mut self.findings;
        let [name, short, version] = ["name", "short", "version"].map(|key| table.required(key, findings));
        check(&short, "a short name is a letter, then letters, digits and '-'", findings, |text| {
            text.starts_with(|first: char| first.is_ascii_alphabetic()) && made_of(text, "-")
        });
        check(&version, "a version is made of letters, digits, '.' and '_'", findings, |text| {
            made_of(text, "._")
        });
        check(&name, "a name has no control characters", findings, |text| !text.contains(char::is_control));
        (owned(name), owned(short), owned(version))
    }

    /// What a variant says of itself; the others may not be read yet.
    pub(super) fn family(&mut self, id: &str, table: &Table<'_>) -> Family {
        let findings = &mut self.findings;
        let kinds: Vec<_> = VariantType::GATHERED.iter().map(|kind| (kind.name(), *kind)).collect();
        let kind = table.text("type", findings).and_then(|text| text.choose(&kinds, findings));
        let kind = kind.unwrap_or(VariantType::Variant);
        let parent = table.text("parent", findings);
        match (&parent, kind) {
            (Some(text), VariantType::Variant) => findings.add_with_help(
                text.span.clone(),
                "'parent' belongs to an addon, a layered product or an optional variant",
                "say which with 'type'",
            ),
            (None, VariantType::Variant) | (Some(_), _) => {}
            (None, _) if table.get("parent").is_some() => {}
            (None, _) => findings.add_with_help(
                table.span.clone(),
                format!("[variant.{id}] lacks 'parent': {} is in another variant", article(kind)),
                "such as parent = \"Server\"",
            ),
        }
        let parent = parent.filter(|_| kind != VariantType::Variant).map(|text| text.text.to_owned());
        let lookaside = table.texts("lookaside", findings).into_iter().map(|text| text.text.into()).collect();
        let release = table.get("release").and_then(|value| self.layered(id, value));
        match (table.get("release"), kind) {
            (None, VariantType::LayeredProduct) => self.findings.add_with_help(
                table.span.clone(),
                format!(
                    "[variant.{id}] lacks 'release': a layered product has a name and version of its own"
                ),
                "release = { name = \"…\", short = \"…\", version = \"…\" }",
            ),
            (None, _) | (Some(_), VariantType::LayeredProduct) => {}
            (Some(value), _) => {
                self.findings.add(
                    value.span(),
                    "'release' belongs to a layered product: what else is composed is [release]",
                );
            }
        }
        Family { kind, parent, lookaside, release }
    }

    fn layered<'t>(&mut self, id: &str, value: &'t Spanned<DeValue<'t>>) -> Option<LayeredRelease> {
        let name = format!("'release' of [variant.{id}]");
        let table = Table::of(name, value, RELEASE, &mut self.findings)?;
        let (name, short, version) = self.named_release(&table);
        Some(LayeredRelease { name: name?, short: short?, version: version? })
    }

    /// What can only be said once all variants are read. One without a comps file of its own has its parent's.
    pub(super) fn families(&mut self, entries: &DeTable<'_>, variants: &mut BTreeMap<String, Variant>) {
        for (key, _) in entries {
            let id: &str = key.get_ref();
            self.id(id, key.span(), variants.get(id).map(|variant| &variant.family));
            if let (Some(variant), Some(table)) = (variants.get(id), table_of(entries, id)) {
                self.parent(id, variant, variants, table);
                self.looks_aside(id, variant, variants, table);
            }
        }
        self.cycles(entries, variants);
        self.layouts(entries, variants);
        let inherited: Vec<_> = variants
            .iter()
            .filter(|(_, variant)| variant.comps.is_none())
            .filter_map(|(id, variant)| {
                Some((id.clone(), variants.get(variant.family.parent.as_ref()?)?.comps.clone()))
            })
            .collect();
        for (id, comps) in inherited {
            if let Some(variant) = variants.get_mut(&id) {
                variant.comps = comps;
            }
        }
    }

    /// An id is made of letters and digits, that of a variant in another one begins with the parent's and a dash: so
    /// productmd has it, and so folders are named.
    fn id(&mut self, id: &str, span: Range<usize>, family: Option<&Family>) {
        match family.and_then(|family| Some((family.kind, family.parent.as_ref()?))) {
            Some((kind, parent)) => {
                let own = id.strip_prefix(parent.as_str()).and_then(|rest| rest.strip_prefix('-'));
                if !own.is_some_and(|own| made_of(own, "")) {
                    let what = article(kind);
                    let message = format!(
                        "the id '{id}' of {what} in {parent} must be '{parent}-', then letters and digits"
                    );
                    let plain: String = id.chars().filter(char::is_ascii_alphanumeric).collect();
                    let plain =
                        plain.strip_prefix(parent.as_str()).filter(|own| !own.is_empty()).unwrap_or(&plain);
                    self.findings.add_with_help(span, message, format!("such as [variant.{parent}-{plain}]"));
                }
            }
            // What lacks its parent was told so.
            None if family.is_some_and(|family| family.kind != VariantType::Variant) => {}
            None if !made_of(id, "") => {
                self.findings
                    .add(span, format!("the id '{id}' of a variant may hold letters and digits only"));
            }
            None => {}
        }
    }

    fn parent(
        &mut self,
        id: &str,
        variant: &Variant,
        variants: &BTreeMap<String, Variant>,
        table: &DeTable<'_>,
    ) {
        let (Some(parent), Some(value)) = (&variant.family.parent, table.get("parent")) else { return };
        let Some(found) = variants.get(parent) else {
            return self.no_variant(parent, value.span(), id, variants);
        };
        if found.family.kind != VariantType::Variant {
            let message = format!(
                "'{parent}' is {} itself: only a variant that stands alone has others in it",
                article(found.family.kind)
            );
            return self.findings.add(value.span(), message);
        }
        let lacks = |arch: &str| found.arches.iter().all(|other| other.name != arch);
        let arches = table.get("arches").and_then(|value| value.get_ref().as_array());
        for item in arches.into_iter().flat_map(|list| list.iter()) {
            if let Some(arch) = item.get_ref().as_str().filter(|arch| lacks(arch) && !found.arches.is_empty())
            {
                let message =
                    format!("[variant.{id}] has the arch '{arch}', which its parent {parent} lacks");
                self.findings.add(item.span(), message);
            }
        }
    }

    fn no_variant(
        &mut self,
        wanted: &str,
        span: Range<usize>,
        id: &str,
        variants: &BTreeMap<String, Variant>,
    ) {
        let known = variants.keys().map(String::as_str).filter(|known| *known != id);
        let message = format!("there is no [variant.{wanted}]");
        match suggest(wanted, known) {
            Some(near) => self.findings.add_with_help(span, message, format!("did you mean '{near}'?")),
            None => self.findings.add(span, message),
        }
    }

    fn looks_aside(
        &mut self,
        id: &str,
        variant: &Variant,
        variants: &BTreeMap<String, Variant>,
        table: &DeTable<'_>,
    ) {
        let list = table.get("lookaside").and_then(|value| value.get_ref().as_array());
        for item in list.into_iter().flat_map(|list| list.iter()) {
            let Some(of) = item.get_ref().as_str() else { continue };
            let Some(found) = variants.get(of) else {
                self.no_variant(of, item.span(), id, variants);
                continue;
            };
            let (kind, other) = (variant.family.kind, found.family.kind);
            if of == id {
                self.findings.add(item.span(), format!("[variant.{id}] cannot look aside at itself"));
            } else if rank(kind) < rank(other) {
                let message = format!(
                    "{} cannot look aside at {}: '{of}' is gathered after it",
                    article(kind),
                    article(other)
                );
                self.findings.add(item.span(), message);
            }
        }
    }

    /// Finds variants that look aside at one another.
    fn cycles(&mut self, entries: &DeTable<'_>, variants: &BTreeMap<String, Variant>) {
        let mut open: BTreeSet<&str> = variants.keys().map(String::as_str).collect();
        loop {
            // Neither what looks at none that is left nor what none looks at is in a cycle.
            let looks = |id: &&str| asides(variants, id).any(|of| open.contains(of));
            let is_seen = |id: &&str| open.iter().any(|other| asides(variants, other).any(|of| of == *id));
            let rest: BTreeSet<&str> = open.iter().copied().filter(|id| looks(id) && is_seen(id)).collect();
            if rest.len() == open.len() {
                break;
            }
            open = rest;
        }
        let first = open.first().and_then(|id| table_of(entries, id)?.get("lookaside"));
        if let Some(value) = first {
            let ids = open.iter().copied().collect::<Vec<_>>().join(", ");
            self.findings.add(value.span(), format!("these variants look aside at one another: {ids}"));
        }
    }
}
