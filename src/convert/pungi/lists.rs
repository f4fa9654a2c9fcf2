//! What Pungi's mappings say of single variants and arches: lists of packages, multilib, lookaside repositories.

use std::collections::BTreeMap;

use super::super::draft::{Multilib, add_new};
use super::super::note::{NoteKind, NotePlace, short};
use super::variants::Composed;
use super::{Work, mapping};
use crate::base::arch::TreeArch;
use crate::format::pungi_conf::Node;

/// Methods of multilib that packages are judged by, in Pungi with dnf.
const METHODS: &[&str] = &["none", "all", "devel", "runtime"];

impl<'i> Work<'i> {
    /// Patterns of packages that an option has for a variant and an arch.
    pub(super) fn patterns_of(&mut self, option: &str, one: &Composed<'i>, arch: &str) -> Vec<String> {
        let nodes = mapping::values(self.conf, option, (&one.uid, arch), &mut self.patterns, &mut self.notes);
        self.names(option, &nodes)
    }

    fn names(&mut self, option: &str, nodes: &[&Node]) -> Vec<String> {
        self.seen += nodes.len();
        let mut names = Vec::new();
        for node in nodes {
            match node.text().filter(|name| is_pattern(name)) {
                Some(name) => names.push(name.to_owned()),
                None => {
                    let what = node.text().map_or_else(|| "what is no string".into(), short);
                    let place = Some(NotePlace::from(&node.place));
                    let text = format!("{what} is no package name, glob or name.arch, and was left out");
                    self.notes.add(NoteKind::Lost, place, option, text);
                }
            }
        }
        let mut once = Vec::new();
        add_new(&mut once, names);
        once
    }

    /// The rules for packages of the secondary arch: that of the first arch, where each has one, and those that differ. As soon as Pungi has a method for some variant of an arch, all trees of the arch hold such packages.
    pub(super) fn multilib(&mut self, one: &Composed<'i>) -> (Option<Multilib>, BTreeMap<String, Multilib>) {
        let conf = self.conf;
        let capable = |arch: &&String| TreeArch::find(arch).is_some_and(|arch| !arch.multilib.is_empty());
        let holds = |arch: &&String| mapping::has_arch(conf, "multilib", arch);
        let for_all = one.arches.iter().filter(capable).all(|arch| holds(&arch));
        let mut first: Option<Multilib> = None;
        let mut others = BTreeMap::new();
        for arch in one.arches.iter().filter(capable).filter(holds) {
            let nodes =
                mapping::values(self.conf, "multilib", (&one.uid, arch), &mut self.patterns, &mut self.notes);
            let mut methods = Vec::new();
            for node in nodes {
                match node.text().and_then(|method| METHODS.iter().find(|known| **known == method)) {
                    Some(method) => add_new(&mut methods, [(*method).to_owned()]),
                    None => {
                        let text = "a method that Pungi has not (with dnf) was left out";
                        self.notes.add(NoteKind::Lost, Some(NotePlace::from(&node.place)), "multilib", text);
                    }
                }
            }
            let [whitelist, blacklist] = ["multilib_whitelist", "multilib_blacklist"].map(|option| {
                let nodes =
                    self.conf.get(option).map_or_else(Vec::new, |map| mapping::values_of_arch(map, arch));
                self.names(option, &nodes)
            });
            let profile = if methods.is_empty() { "none" } else { "pungi" };
            let rule = Multilib {
                profile,
                methods,
                whitelist,
                blacklist,
                patterns: Vec::new(),
                prefer_ppc64: false,
            };
            match &first {
                None if for_all => first = Some(rule),
                Some(first) if *first == rule => {}
                _ => {
                    others.insert(arch.clone(), rule);
                }
            }
        }
        (first, others)
    }

    /// The repositories that are looked aside at.
    pub(super) fn lookaside(&mut self, one: &Composed<'i>) {
        let option = "gather_lookaside_repos";
        let mut places: Vec<(&Node, Vec<String>)> = Vec::new();
        for arch in &one.arches {
            let id = (one.uid.as_str(), arch.as_str());
            for node in mapping::values(self.conf, option, id, &mut self.patterns, &mut self.notes) {
                match places.iter_mut().find(|(known, _)| known.value == node.value) {
                    Some((_, arches)) => arches.push(arch.clone()),
                    None => places.push((node, vec![arch.clone()])),
                }
            }
        }
        for (node, arches) in places {
            self.place_of_packages(node, &arches, option, Some(&one.id));
        }
    }
}

/// Whether a recipe takes a text as a package's name, glob or name.arch.
pub(super) fn is_pattern(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|char| char.is_ascii_alphanumeric() || "-._+%{}*?[]!^~".contains(char))
}
