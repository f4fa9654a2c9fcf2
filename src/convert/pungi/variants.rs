//! `[variant.ID]` of Pungi's variants and of the options that say what is in them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::super::companion::{Companion, companion};
use super::super::draft::{Lists, Variant as Draft, add_new};
use super::super::note::{NoteKind, NotePlace, short};
use super::lists::is_pattern;
use super::{MOST_NAMES, MOST_SEEN, MOST_VARIANTS, PungiError, Work, mapping};
use crate::base::RelPath;
use crate::base::arch::TreeArch;
use crate::base::fnmatch;
use crate::format::pungi_conf::{Node, Value};
use crate::format::variants_xml::{Type, Variant};

/// The options that map variants and arches to values.
const MAPPINGS: &[&str] = &["multilib", "additional_packages", "filter_packages", "gather_lookaside_repos"];

/// `{VARIANT: {ARCH: …}}` of a file with JSON.
type ByVariant = serde_json::Map<String, Json>;

/// A variant that is composed.
pub(super) struct Composed<'i> {
    pub(super) variant: &'i Variant,
    /// Its id with its parent's, as Pungi's expressions see it.
    pub(super) uid: String,
    /// Its id in the recipe.
    pub(super) id: String,
    /// The parent's id in the recipe.
    pub(super) parent: Option<String>,
    pub(super) arches: Vec<String>,
}

impl<'i> Work<'i> {
    pub(super) fn input_place(&self, line: usize) -> Option<NotePlace> {
        Some(NotePlace { file: self.input.variants_name.into(), line })
    }

    pub(super) fn note_of(
        &mut self,
        variant: &Variant,
        kind: NoteKind,
        subject: &str,
        text: impl Into<String>,
    ) {
        let place = self.input_place(variant.place.line);
        self.notes.add(kind, place, format!("{subject} of {}", short(&variant.id)), text);
    }

    pub(super) fn variants(&mut self) -> Result<(), PungiError> {
        let composed = self.composed()?;
        let uids: Vec<_> = composed.iter().map(|one| one.uid.clone()).collect();
        for option in MAPPINGS {
            mapping::examine(self.conf, option, &uids, &mut self.patterns, &mut self.notes);
        }
        let comps = self.comps();
        let prepopulate = self.by_variant("gather_prepopulate", self.input.prepopulate)?;
        let packages = self.by_variant("gather_source_mapping", self.input.mapping)?;
        let mut names = 0;
        for one in &composed {
            let Some(mut draft) = self.variant(one, comps.as_ref()) else { continue };
            let mut lists: BTreeMap<&str, Lists> = BTreeMap::new();
            for arch in &one.arches {
                let mut own = Lists {
                    packages: self.patterns_of("additional_packages", one, arch),
                    exclude: self.patterns_of("filter_packages", one, arch),
                    prepopulate: Vec::new(),
                };
                for (name, arches) in entries(&packages, &one.uid, arch) {
                    let arches = arches.as_array().map_or(&[][..], Vec::as_slice);
                    let new = arches.iter().map(|arch| match arch.as_str() {
                        Some(arch) => format!("{name}.{arch}"),
                        None => name.clone(),
                    });
                    add_new(&mut own.packages, new.filter(|name| is_pattern(name)));
                }
                for (_, list) in entries(&prepopulate, &one.uid, arch) {
                    let new =
                        list.as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_owned);
                    add_new(&mut own.prepopulate, new.filter(|name| is_pattern(name)));
                }
                if draft.method == "nodeps" {
                    let unread =
                        [("filter_packages", &mut own.exclude), ("gather_prepopulate", &mut own.prepopulate)];
                    for (option, list) in unread.into_iter().filter(|(_, list)| !list.is_empty()) {
                        let text = "Pungi's method 'nodeps' does not look at it";
                        self.note_of(one.variant, NoteKind::NoEffect, option, text);
                        list.clear();
                    }
                }
                names += own.packages.len() + own.exclude.len() + own.prepopulate.len();
                lists.insert(arch, own);
                if self.seen > MOST_SEEN {
                    break;
                }
            }
            names += draft.groups.len();
            if names > MOST_NAMES || self.seen > MOST_SEEN {
                return Err(PungiError::TooLarge { what: "names of packages and groups", most: MOST_NAMES });
            }
            part(&mut draft, lists);
            (draft.multilib, draft.multilib_by_arch) = self.multilib(one);
            self.lookaside(one);
            let nothing = draft.groups.is_empty()
                && draft.environments.is_empty()
                && draft.common.packages.is_empty()
                && draft.modules.is_empty();
            if nothing && one.variant.kind != Type::Optional {
                let by_arch = draft.by_arch.values().any(|lists| !lists.packages.is_empty());
                let text = if by_arch {
                    "it has packages by arch alone: name some for all of them"
                } else {
                    "nothing is known that it selects, so it is a comment in the recipe: name groups or packages"
                };
                self.note_of(one.variant, NoteKind::Todo, "content", text);
                draft.disabled = true;
            }
            self.draft.variants.push(draft);
        }
        for option in ["multilib_whitelist", "multilib_blacklist"] {
            match self.conf.get(option) {
                None => {}
                Some(node) if node.entries().is_none() => {
                    self.note(NoteKind::Lost, option, "this is no map of arches and lists; it was left out");
                }
                Some(_)
                    if self
                        .draft
                        .variants
                        .iter()
                        .all(|variant| variant.multilib.is_none() && variant.multilib_by_arch.is_empty()) =>
                {
                    self.note(
                        NoteKind::NoEffect,
                        option,
                        "no variant has a rule for packages of a secondary arch",
                    );
                }
                Some(_) => {}
            }
        }
        self.drop_orphans();
        self.variants_aside(&composed);
        self.what_variants_lose(&composed);
        if self.draft.variants.iter().all(|variant| variant.disabled) {
            let place = self.input_place(1);
            self.notes.add(
                NoteKind::Todo,
                place,
                "variants",
                "none could be carried over: add a [variant.ID]",
            );
        }
        Ok(())
    }

    /// The variants that are composed, each with those in it behind it.
    fn composed(&mut self) -> Result<Vec<Composed<'i>>, PungiError> {
        let (tree_arches, tree_variants) = (self.texts("tree_arches"), self.texts("tree_variants"));
        let wanted = |uid: &str| tree_variants.is_empty() || tree_variants.iter().any(|known| known == uid);
        let (mut found, mut ids) = (Vec::new(), BTreeSet::new());
        for top in self.input.variants {
            let uid = top.id.clone();
            let arches = self.arches(top, &tree_arches, None);
            if arches.is_empty() || !wanted(&uid) {
                continue;
            }
            let id = unique(super::clean(&uid, ""), &mut ids);
            let parent = (!top.is_empty).then(|| id.clone());
            found.push(Composed { variant: top, uid, id, parent: None, arches: arches.clone() });
            for inner in &top.variants {
                let uid = format!("{}-{}", top.id, inner.id);
                let arches = self.arches(inner, &tree_arches, Some(&arches));
                if arches.is_empty() || !wanted(&uid) {
                    continue;
                }
                let own = super::clean(&inner.id, "");
                let id = unique(format!("{}-{own}", parent.as_deref().unwrap_or_default()), &mut ids);
                found.push(Composed { variant: inner, uid, id, parent: parent.clone(), arches });
            }
            if found.len() > MOST_VARIANTS {
                return Err(PungiError::TooLarge { what: "the variants", most: MOST_VARIANTS });
            }
        }
        for uid in &tree_variants {
            if found.iter().all(|one| one.uid != *uid) {
                let text = format!("there is no variant {} with an arch that is composed", short(uid));
                self.note(NoteKind::NoEffect, "tree_variants", text);
            }
        }
        Ok(found)
    }

    /// The arches of a variant that are composed and that gander has trees of.
    fn arches(&mut self, variant: &Variant, wanted: &[String], of_parent: Option<&[String]>) -> Vec<String> {
        let mut arches = Vec::new();
        for arch in &variant.arches {
            if !wanted.is_empty() && !wanted.contains(arch)
                || of_parent.is_some_and(|all| !all.contains(arch))
            {
                continue;
            }
            if TreeArch::find(arch).is_none() {
                let text = format!("gander makes no trees of the arch {}", short(arch));
                self.note_of(variant, NoteKind::Lost, "arches", text);
            } else if !arches.contains(arch) {
                arches.push(arch.clone());
            }
        }
        arches
    }

    /// The path of the comps file beside the recipe.
    fn comps(&mut self) -> Option<RelPath> {
        match companion(self.conf.get("comps_file")) {
            Companion::None => {
                if !matches!(self.conf.get("comps_file").map(|node| &node.value), None | Some(Value::None)) {
                    self.note(NoteKind::Lost, "comps_file", "it names no file, and was left out");
                }
                None
            }
            Companion::Beside(path) => Some(path),
            Companion::Elsewhere { name, whence } => {
                let text = format!(
                    "put the comps file beside the recipe as '{name}'; it is from {}",
                    short(&whence)
                );
                self.note(NoteKind::Todo, "comps_file", text);
                Some(name)
            }
        }
    }

    /// A file with JSON that an option names, by variant.
    fn by_variant(&mut self, option: &'static str, text: Option<&str>) -> Result<ByVariant, PungiError> {
        let Some(text) = text else {
            match companion(self.conf.get(option)) {
                Companion::None => {}
                Companion::Beside(path) => {
                    let text = format!("'{path}' was not there to be read: what it names is missing");
                    self.note(NoteKind::Lost, option, text);
                }
                Companion::Elsewhere { whence, .. } => {
                    let text = format!("what it names is missing; it is in {}", short(&whence));
                    self.note(NoteKind::Lost, option, text);
                }
            }
            return Ok(ByVariant::new());
        };
        let wrong = |reason: String| PungiError::Json { option, reason };
        match serde_json::from_str(text).map_err(|error| wrong(error.to_string()))? {
            Json::Object(map) => Ok(map),
            _ => Err(wrong("it is no object of variants".into())),
        }
    }

    /// A variant without what can differ by arch; none where it has no packages.
    fn variant(&mut self, one: &Composed<'i>, comps: Option<&RelPath>) -> Option<Draft> {
        let variant = one.variant;
        if variant.is_empty {
            let text = "it has no packages of its own, and gander has no variants without any";
            self.note_of(variant, NoteKind::Lost, "is_empty", text);
            return None;
        }
        let mut draft = Draft { id: one.id.clone(), arches: one.arches.clone(), ..Draft::default() };
        if one.uid != one.id {
            draft.comment = one.uid.clone();
        }
        if variant.kind != Type::Variant && !self.inner(one, &mut draft) {
            return None;
        }
        draft.method = self.method(one);
        draft.modules = self.modules(variant);
        draft.groups = self.groups(variant);
        draft.environments = self.environments(variant, &draft.groups);
        draft.comps = comps.cloned();
        if comps.is_none() && !(draft.groups.is_empty() && draft.environments.is_empty()) {
            let text = "there is no comps file to look its groups up in: they are left out";
            self.note_of(variant, NoteKind::Lost, "groups", text);
            draft.groups.clear();
            draft.environments.clear();
        }
        let deps = draft.method == "deps";
        let configured = (self.flag("gather_fulltree", false), self.flag("gather_selfhosting", false));
        let (fulltree, selfhosting) = match variant.kind {
            Type::Variant => configured,
            // They have it by their type.
            Type::Addon | Type::LayeredProduct | Type::Optional => (false, false),
        };
        let require = self.flag("require_all_comps_packages", false) && !draft.groups.is_empty();
        let flags = [
            ("debug", true),
            (
                "optional",
                deps && (!draft.groups.is_empty() || (draft.inner.is_some() && draft.comps.is_some())),
            ),
            ("fulltree", deps && fulltree),
            ("selfhosting", deps && selfhosting),
            ("langpacks", deps && draft.comps.is_some()),
            ("require-members", require),
        ];
        draft.flat = !self.flag("hashed_directories", false);
        draft.flags = flags.into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect();
        match self.text("greedy_method").as_deref() {
            None | Some("none") => {}
            Some(greedy @ ("all" | "build")) if deps => draft.greedy = Some(greedy.into()),
            Some("all" | "build") => {}
            Some(other) => {
                let text = format!("{} is none of 'none', 'all' and 'build'", short(other));
                self.note(NoteKind::Lost, "greedy_method", text);
            }
        }
        Some(draft)
    }

    /// The method that what comps and lists name is gathered with.
    fn method(&mut self, one: &Composed<'i>) -> &'static str {
        let option = "gather_method";
        let Some(node) = self.conf.get(option) else { return "deps" };
        let mut chosen = Some(node);
        if let Some(entries) = node.entries() {
            chosen = None;
            for (pattern, value) in entries {
                if self.patterns.fits(pattern, &one.uid, option, &mut self.notes) == Some(true) {
                    chosen = Some(value);
                }
            }
            // By where names come from: comps groups, lists in JSON, modules.
            if let Some(by_source) = chosen.filter(|value| value.entries().is_some()) {
                let sources = ["comps", "json"].map(|source| by_source.get(source));
                let [comps, json] = sources.map(|value| value.and_then(Node::text));
                if let (Some(one), Some(other)) = (comps, json)
                    && one != other
                {
                    let text = "it names one method for comps groups and another for the list in JSON; the first holds for both";
                    self.note(NoteKind::Lost, option, text);
                }
                if by_source.get("module").and_then(Node::text) == Some("deps")
                    && !one.variant.modules.is_empty()
                {
                    let text = "it gathers modules by 'deps': packages of a module come in without what they require";
                    self.note(NoteKind::Changed, option, text);
                }
                let found = sources.into_iter().flatten().next();
                if found.is_none() {
                    return "nodeps";
                }
                chosen = found;
            }
        }
        match chosen.and_then(Node::text) {
            Some("deps") => "deps",
            Some("nodeps") => "nodeps",
            Some("hybrid") => {
                let text =
                    "'hybrid' became 'deps', which asks no other solver and differs in multilib and modules";
                self.note(NoteKind::Changed, option, text);
                "deps"
            }
            other => {
                let text = match other {
                    Some(other) => format!("{} is no method, and became 'deps'", short(other)),
                    None => format!("it names no method for {}, where 'deps' is taken", short(&one.uid)),
                };
                self.note(NoteKind::Changed, option, text);
                "deps"
            }
        }
    }

    /// The ids of a variant's groups; all of comps where a variant on its own names none, as with Pungi.
    fn groups(&mut self, variant: &Variant) -> Vec<String> {
        let known: Vec<String> =
            self.input.comps.iter().flat_map(|comps| &comps.groups).map(|group| group.id.clone()).collect();
        let mut ids = Vec::new();
        let uses_comps =
            !matches!(self.conf.get("comps_file").map(|node| &node.value), None | Some(Value::None));
        if variant.groups.is_empty()
            && variant.kind == Type::Variant
            && variant.modules.is_empty()
            && variant.koji_tags.is_empty()
            && uses_comps
        {
            if known.is_empty() {
                let text = "it names none, which is all of the comps file; the file is not at hand to list them here: give it with --comps";
                self.note_of(variant, NoteKind::Lost, "groups", text);
            } else {
                let text = "it names none, which is all of the comps file as it is now";
                self.note_of(variant, NoteKind::Changed, "groups", text);
            }
            add_new(&mut ids, known.iter().cloned());
        }
        for group in &variant.groups {
            if !group.is_glob {
                if self.input.comps.is_some() && !known.contains(&group.id) {
                    let text =
                        format!("the comps file has no group {}, which was left out", short(&group.id));
                    self.note_of(variant, NoteKind::Lost, "groups", text);
                } else {
                    add_new(&mut ids, [group.id.clone()]);
                }
                continue;
            }
            let fitting: Vec<_> =
                known.iter().filter(|id| fnmatch::matches(&group.id, id)).cloned().collect();
            if fitting.is_empty() {
                let text = format!(
                    "{} is a pattern, and no comps file is at hand that has such groups",
                    short(&group.id)
                );
                self.note_of(variant, NoteKind::Lost, "groups", text);
            }
            add_new(&mut ids, fitting);
        }
        let plain = |id: &String| {
            !id.is_empty() && id.chars().all(|char| char.is_ascii_alphanumeric() || "-._+ ".contains(char))
        };
        for id in ids.iter().filter(|id| !plain(id)) {
            let text = format!("{} cannot be the id of a group in a recipe", short(id));
            self.note_of(variant, NoteKind::Lost, "groups", text);
        }
        ids.retain(plain);
        ids
    }

    /// The environments of a variant that bring no groups that it does not have: in Pungi they bring none.
    fn environments(&mut self, variant: &Variant, groups: &[String]) -> Vec<String> {
        let mut ids = Vec::new();
        for environment in &variant.environments {
            let found = self.input.comps.and_then(|comps| comps.environment(&environment.id));
            let harmless = found.is_some_and(|found| {
                found.groups.iter().chain(&found.options).all(|group| groups.contains(&group.id))
            });
            if harmless {
                add_new(&mut ids, [environment.id.clone()]);
            } else {
                let text = format!(
                    "{} was left out: Pungi takes no packages for an environment, gander would take those of its groups",
                    short(&environment.id)
                );
                self.note_of(variant, NoteKind::Lost, "environments", text);
            }
        }
        ids
    }

    /// Takes out what is in a variant that could not be carried over.
    fn drop_orphans(&mut self) {
        let there: BTreeSet<String> = self
            .draft
            .variants
            .iter()
            .filter(|variant| !variant.disabled && variant.inner.is_none())
            .map(|variant| variant.id.clone())
            .collect();
        for variant in &mut self.draft.variants {
            if let Some((_, parent)) = &variant.inner {
                variant.disabled |= !there.contains(parent);
            }
        }
    }

    /// What variants XML says and a recipe does not: one note for all variants of which it is true.
    fn what_variants_lose(&mut self, composed: &[Composed<'i>]) {
        type Is = fn(&Composed<'_>) -> bool;
        let losses: [(&str, NoteKind, &str, Is); 6] = [
            ("name", NoteKind::Lost, "a variant has an id alone", |one| {
                one.variant.name != one.variant.id && one.variant.kind != Type::Optional
            }),
            ("id", NoteKind::Changed, "in the recipe it is made of letters and digits", |one| {
                one.uid != one.id
            }),
            ("release", NoteKind::Lost, "only a layered product has a name and version of its own", |one| {
                one.variant.release.is_some() && one.variant.kind != Type::LayeredProduct
            }),
            ("default, uservisible", NoteKind::Lost, "comps alone says it of groups", |one| {
                let groups = &one.variant.groups;
                groups.iter().any(|group| group.default.is_some() || group.user_visible.is_some())
            }),
            ("display_order", NoteKind::Lost, "comps alone says it of environments", |one| {
                one.variant.environments.iter().any(|environment| environment.display_order.is_some())
            }),
            ("buildinstallpackages", NoteKind::Lost, "what is on media is named in kickstarts", |one| {
                !one.variant.buildinstall_packages.is_empty()
            }),
        ];
        for (subject, kind, why, is) in losses {
            let of: Vec<_> = composed.iter().filter(|one| is(one)).collect();
            if let Some(first) = of.first() {
                let names: Vec<_> = of.iter().map(|one| short(&one.uid)).collect();
                let place = self.input_place(first.variant.place.line);
                self.notes.add(kind, place, subject, format!("{why} ({})", names.join(", ")));
            }
        }
    }
}

/// What a file with JSON has for a variant and an arch, by name; for prepopulate by build.
fn entries<'j>(map: &'j ByVariant, uid: &str, arch: &str) -> impl Iterator<Item = (&'j String, &'j Json)> {
    map.get(uid).and_then(|arches| arches.get(arch)).and_then(Json::as_object).into_iter().flatten()
}

/// An id of letters and digits that no other variant has.
fn unique(plain: String, ids: &mut BTreeSet<String>) -> String {
    let mut id = plain.clone();
    let mut number = 2;
    while !ids.insert(id.clone()) {
        id = format!("{plain}{number}");
        number += 1;
    }
    id
}

/// Parts lists into what all arches have, and what is added for each.
fn part(draft: &mut Draft, lists: BTreeMap<&str, Lists>) {
    type Of = fn(&mut Lists) -> &mut Vec<String>;
    let parts: [Of; 3] =
        [|lists| &mut lists.packages, |lists| &mut lists.exclude, |lists| &mut lists.prepopulate];
    let mut lists: Vec<(&str, Lists)> = lists.into_iter().collect();
    for part in parts {
        let mut count: BTreeMap<String, usize> = BTreeMap::new();
        let arches = lists.len();
        for (_, own) in &mut lists {
            part(own).iter().for_each(|name| *count.entry(name.clone()).or_default() += 1);
        }
        let everywhere = |name: &String| count.get(name) == Some(&arches);
        if let Some((_, first)) = lists.first_mut() {
            *part(&mut draft.common) = part(first).iter().filter(|name| everywhere(name)).cloned().collect();
        }
        lists.iter_mut().for_each(|(_, own)| part(own).retain(|name| !everywhere(name)));
    }
    let differing = lists.into_iter().filter(|(_, own)| *own != Lists::default());
    draft.by_arch = differing.map(|(arch, own)| (arch.to_owned(), own)).collect();
}
