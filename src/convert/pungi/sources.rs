//! `[[source]]` of what Pungi's package set and lookaside repositories are.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::companion::{Companion, companion};
use super::super::draft::{Origin, Source, add_new, string};
use super::super::keys::look_up;
use super::super::note::{NoteKind, NotePlace, short};
use super::{Work, clean, mapping};
use crate::format::pungi_conf::{Node, Value};
use crate::format::variants_xml::Variant;
use crate::recipe::{HubPlace, Lookaside, ModuleChoice, Url};

impl Work<'_> {
    /// The sources of packages, behind those that are looked aside at.
    pub(super) fn sources(&mut self) {
        let koji = ["pkgset_koji_tag", "pkgset_koji_module_tag", "pkgset_koji_builds"];
        let from_repos = match self.text("pkgset_source").as_deref() {
            Some("koji") => false,
            Some("repos") => true,
            Some(other) => {
                let text = format!("{} is neither 'koji' nor 'repos'", short(other));
                self.note(NoteKind::Lost, "pkgset_source", text);
                self.conf.get("pkgset_repos").is_some()
            }
            None => self.conf.get("pkgset_repos").is_some(),
        };
        let before = self.draft.sources.len();
        if from_repos {
            self.repos();
        } else {
            self.koji();
        }
        let unused = if from_repos { &koji[..] } else { &["pkgset_repos"] };
        for option in unused.iter().filter(|option| self.conf.get(option).is_some()) {
            self.note(NoteKind::NoEffect, option, "packages come from elsewhere: see pkgset_source");
        }
        if self.draft.sources.len() == before {
            let text = "no place of packages could be carried over: add a [[source]]";
            self.note(NoteKind::Todo, "pkgset_source", text);
        }
        // Those that are looked aside at were found with the variants; they stand behind.
        self.draft.sources.rotate_left(before);
    }

    fn koji(&mut self) {
        let profile = self.text("koji_profile").unwrap_or_else(|| {
            self.note(NoteKind::Changed, "koji_profile", "it is not set: the profile 'koji' is asked");
            "koji".into()
        });
        let hub = format!("profile:{profile}");
        if HubPlace::parse(&hub).is_err() {
            let text = format!("{} is no name of a profile: put the hub's place into 'hub'", short(&profile));
            self.note(NoteKind::Todo, "koji_profile", text);
        }
        let (ids, unsigned) = self.sigkeys();
        let keys = look_up(&ids, unsigned, self.input.keys, "sigkeys", &mut self.notes);
        add_new(&mut self.missing_keys, keys.missing.iter().cloned());
        let keys = Arc::new(keys);
        let inherit = self.flag("pkgset_koji_inherit", true);
        let event = self.event();
        let builds = self.builds();
        let tags = self.texts("pkgset_koji_tag");
        let module_tags = self.module_tags();
        self.no_modules(!module_tags.is_empty());
        let mut used = BTreeSet::new();
        let of_modules = module_tags.iter().filter(|tag| !tags.contains(tag));
        for (at, tag) in tags.iter().chain(of_modules).enumerate() {
            if tag.len() > 256 || tag.contains(|char: char| char.is_control() || char.is_whitespace()) {
                let text = format!("{} is no name of a tag, and was left out", short(tag));
                self.note(NoteKind::Lost, "pkgset_koji_tag", text);
                continue;
            }
            let mut id = clean(tag, "-_.");
            while !used.insert(id.clone()) {
                id.push('_');
            }
            let mut pairs = vec![("hub", string(&hub)), ("tag", string(tag))];
            if id != *tag {
                pairs.push(("id", string(&id)));
            }
            if let Some(event) = event {
                pairs.push(("event", event.to_string()));
            }
            if !inherit && tags.contains(tag) {
                pairs.push(("inherit", "false".into()));
            }
            // As Pungi does: the source package of the build says where its noarch packages belong.
            pairs.push(("noarch", string("source")));
            if at == 0 && !builds.is_empty() {
                pairs.push(("force", format!("[{}]", builds.join(", "))));
            }
            let comment = if module_tags.contains(tag) { "Modules." } else { "" };
            let origin = Origin::Koji(pairs, keys.clone());
            self.draft.sources.push(Source { comment: comment.into(), origin, lookaside: Lookaside::No });
        }
        if tags.is_empty() && !builds.is_empty() {
            self.note(NoteKind::Lost, "pkgset_koji_builds", "builds are added to a tag, and none is named");
        }
    }

    fn event(&mut self) -> Option<i64> {
        match self.conf.get("koji_event").map(|node| &node.value) {
            None | Some(Value::None) => None,
            Some(Value::Integer(event)) if *event > 0 => Some(*event),
            Some(_) => {
                self.note(NoteKind::Lost, "koji_event", "it is no number of an event, and was left out");
                None
            }
        }
    }

    /// The ids of keys, and whether packages without a signature are taken.
    fn sigkeys(&mut self) -> (Vec<(String, NotePlace)>, bool) {
        let Some(node) = self.conf.get("sigkeys") else { return (Vec::new(), true) };
        let (mut ids, mut unsigned) = (Vec::new(), false);
        for key in node.elements().unwrap_or(std::slice::from_ref(node)) {
            match &key.value {
                Value::Text(id) if !id.is_empty() => ids.push((id.clone(), NotePlace::from(&key.place))),
                Value::Integer(id) => ids.push((id.to_string(), NotePlace::from(&key.place))),
                _ => unsigned = true,
            }
        }
        // An empty list takes nothing at all; Pungi's default takes what is not signed.
        (ids, unsigned)
    }

    /// `pkgset_koji_builds` as entries of 'force'.
    fn builds(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        for build in self.texts("pkgset_koji_builds") {
            let parts: Vec<_> = build.rsplitn(3, '-').collect();
            let is_nvr = parts.len() == 3
                && parts.iter().all(|part| !part.is_empty())
                && build.chars().all(|char| char.is_ascii_alphanumeric() || "-._+~^,".contains(char));
            if is_nvr {
                found.push(format!("{{ build = {}, reason = \"pkgset_koji_builds\" }}", string(&build)));
            } else {
                let text = format!("{} is no name-version-release, and was left out", short(&build));
                self.note(NoteKind::Lost, "pkgset_koji_builds", text);
            }
        }
        found
    }

    fn module_tags(&mut self) -> Vec<String> {
        let mut tags = self.texts("pkgset_koji_module_tag");
        let own = self.input.variants.iter().flat_map(|variant| variant.koji_tags.iter().cloned());
        add_new(&mut tags, own);
        let mut clean = Vec::new();
        add_new(&mut clean, tags);
        clean
    }

    /// Says where modules of a tag are meant and no variant names any.
    fn no_modules(&mut self, has_tag: bool) {
        let has_any = |variant: &Variant| !variant.modules.is_empty();
        let any = self.input.variants.iter().any(|top| has_any(top) || top.variants.iter().any(has_any));
        if has_tag && !any {
            let text = "all modules of the tag are meant: name their streams in 'modules' of [variant.ID]";
            self.note(NoteKind::Lost, "pkgset_koji_module_tag", text);
        }
    }

    /// The streams that a variant names.
    pub(super) fn modules(&mut self, variant: &Variant) -> Vec<String> {
        let has_tag = !self.module_tags().is_empty();
        let mut streams = Vec::new();
        for module in &variant.modules {
            let choice = module.name.parse::<ModuleChoice>().ok().filter(|_| !module.is_glob);
            let text = match choice.filter(|choice| choice.stream.is_some()) {
                Some(choice) if has_tag => {
                    add_new(&mut streams, [choice.to_string()]);
                    continue;
                }
                Some(_) => "is in no tag that is named: only modules of tags can be taken",
                None => "does not name one stream: name those that are meant in 'modules' of [variant.ID]",
            };
            let text = format!("{} {text}", short(&module.name));
            self.note_of(variant, NoteKind::Lost, "modules", text);
        }
        streams
    }

    fn repos(&mut self) {
        let option = "pkgset_repos";
        let Some(node) = self.conf.get(option) else { return };
        if node.entries().is_none() {
            self.note(NoteKind::Lost, option, "this is no map of arches and repositories, and was left out");
            return;
        }
        let (ids, _) = self.sigkeys();
        if !ids.is_empty() {
            let text = "Pungi looks at no signatures where packages come from repositories; to have them verified, set 'keys' and 'gpgcheck'";
            self.note(NoteKind::NoEffect, "sigkeys", text);
        }
        let arches: BTreeSet<String> =
            self.draft.variants.iter().flat_map(|variant| variant.arches.iter().cloned()).collect();
        let mut places: Vec<(&Node, Vec<String>)> = Vec::new();
        let extra = ["src".to_owned()];
        for arch in arches.iter().chain(&extra) {
            for repo in mapping::values_of_arch(node, arch) {
                match places.iter_mut().find(|(known, _)| known.value == repo.value) {
                    Some((_, arches)) => arches.push(arch.clone()),
                    None => places.push((repo, vec![arch.clone()])),
                }
            }
        }
        for (repo, of) in places {
            let binary: Vec<_> = of.iter().filter(|arch| *arch != "src").cloned().collect();
            if binary.len() < arches.len() && !binary.is_empty() && !has_variable(repo) {
                let text =
                    format!("it is for {} alone; in the recipe every arch takes from it", binary.join(", "));
                self.notes.add(NoteKind::Changed, Some(NotePlace::from(&repo.place)), option, text);
            }
            self.place_of_packages(repo, &of, option, None);
        }
    }

    /// Adds a repository or folder for some arches, one for each where its address holds a variable; gives the ids of its
    /// sources. A variant looks aside at it, or it is there to be delivered.
    pub(super) fn place_of_packages(
        &mut self,
        node: &Node,
        arches: &[String],
        option: &str,
        lookaside: Option<&str>,
    ) -> Vec<String> {
        let place = Some(NotePlace::from(&node.place));
        let Some(text) = node.text() else {
            self.notes.add(NoteKind::Lost, place, option, "a repository that is no string was left out");
            return Vec::new();
        };
        let mut ids = Vec::new();
        if text.contains("://") || text.starts_with('/') && !text.contains("{{") {
            let base = if text.starts_with('/') { format!("file://{text}") } else { text.to_owned() };
            let one = [String::new()];
            for arch in if has_variable(node) { arches } else { &one } {
                let of = if arch.is_empty() { arches } else { std::slice::from_ref(arch) };
                let url = base.replace("$basearch", arch).replace("$arch", arch);
                match url.parse::<Url>() {
                    Ok(url) if !url.as_str().contains(['?', '#']) => {
                        ids.push(self.repo(url.as_str(), arch, aside(lookaside, of)));
                    }
                    _ => {
                        let text =
                            format!("{} is no URL that packages can come from; it was left out", short(&url));
                        self.notes.add(NoteKind::Lost, place.clone(), option, text);
                    }
                }
            }
            return ids;
        }
        match companion(Some(node)) {
            Companion::Beside(path) => {
                let text =
                    format!("its packages are read, in '{path}' beside the recipe, and not its repodata");
                self.notes.add(NoteKind::Changed, place, option, text);
                let lookaside = aside(lookaside, arches);
                let known = self.draft.sources.iter_mut().find(|source| {
                    matches!(&source.origin, Origin::Dir(known) if *known == path)
                        && source.is_like(&lookaside)
                });
                match known {
                    Some(known) => known.seen_by(lookaside),
                    None => {
                        let origin = Origin::Dir(path);
                        self.draft.sources.push(Source { comment: String::new(), origin, lookaside });
                    }
                }
            }
            _ => {
                let text = format!(
                    "{} is no URL, and was left out: add the repository as a [[source]]",
                    short(text)
                );
                self.notes.add(NoteKind::Lost, place, option, text);
            }
        }
        ids
    }

    /// A repository by its URL, once; gives its id.
    fn repo(&mut self, url: &str, arch: &str, lookaside: Lookaside) -> String {
        let mut number = 1;
        for source in self.draft.sources.iter_mut().filter(|source| source.is_like(&lookaside)) {
            let Origin::Repo { id, baseurl } = &source.origin else { continue };
            if baseurl == url {
                let id = id.clone();
                source.seen_by(lookaside);
                return id;
            }
            number += 1;
        }
        let kind = if lookaside.is_on() { "lookaside" } else { "repo" };
        let arch = if arch.is_empty() { String::new() } else { format!("-{arch}") };
        let id = format!("{kind}-{number}{arch}");
        let comment = if lookaside.is_on() { "What it has only meets requirements." } else { "" };
        let origin = Origin::Repo { id: id.clone(), baseurl: url.into() };
        self.draft.sources.push(Source { comment: comment.into(), origin, lookaside });
        id
    }
}

/// How the trees of a variant, if one looks aside at them, see packages.
fn aside(variant: Option<&str>, arches: &[String]) -> Lookaside {
    let Some(id) = variant else { return Lookaside::No };
    Lookaside::Trees(arches.iter().map(|arch| (id.to_owned(), Some(arch.clone()))).collect())
}

/// Whether a repository's address holds one of dnf's variables for arches.
fn has_variable(node: &Node) -> bool {
    node.text().is_some_and(|text| text.contains("$basearch") || text.contains("$arch"))
}
