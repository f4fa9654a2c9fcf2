//! Pungi's method `nodeps`: what is named, in every version and arch that fits, and nothing that this requires.
//!
//! | named by | takes |
//! |---|---|
//! | a member of a group, whatever its type | packages of the arch that has the tree's name, and `noarch` ones |
//! | a pattern `NAME` | packages of any arch that the tree holds: with a multilib rule those of the secondary arch, too |
//! | a pattern `NAME.ARCH` | packages of that arch, and `noarch` ones |
//!
//! A name is an expression: `*` stands for any text, `.` and `+` for themselves, all else is as in a regular expression, and it
//! has to fit the whole name. There is no best package, no newest version and nothing that is looked aside at. With these
//! packages come their source packages, and of the builds that they are from the debugging packages of an arch that one of
//! them has (on an i686 that is `i386`, …, too). Pungi does not look at excluded packages here either; those stay hidden.

use std::collections::BTreeMap;

use regex::Regex;

use super::super::decision::Flag;
use super::super::pattern::Pattern;
use super::super::universe::{Member, Place, TextId};
use super::stock::Queue;
use super::{From, Gather, Why};
use crate::base::arch::TreeArch;

/// No name of a package is longer; expressions are compiled to code of bounded size.
const LARGEST: usize = 1 << 16;

impl<'u> Gather<'u> {
    /// All of the method.
    pub(super) fn nodeps(&mut self) {
        for (at, wanted) in self.wanted.clone().iter().enumerate() {
            let (is_group, found) = match &wanted.from {
                From::Pattern => (false, self.of_pattern(&wanted.pattern)),
                From::Group { .. } => {
                    let tree = self.stock.arch.name;
                    (true, self.of_name(&wanted.pattern, &|arch| arch == tree || arch == "noarch"))
                }
            };
            match &wanted.from {
                From::Pattern if found.is_empty() => self.no_match(&wanted.pattern),
                From::Group { group, .. } if found.is_empty() => {
                    self.absent.insert((group.clone(), wanted.pattern.clone()));
                }
                _ => {}
            }
            for place in found {
                self.flag(place, if is_group { Flag::Group } else { Flag::Input });
                self.add(place, Why::Wanted(at));
            }
        }
        if self.request.sources {
            self.sources();
        }
        if self.request.debug {
            self.debug_of_builds();
        }
    }

    fn of_pattern(&self, text: &str) -> Vec<Place> {
        let tree = self.stock.arch;
        let pattern = Pattern::parse(text, tree);
        self.of_name(pattern.name, &|arch| arch == "noarch" || pattern.asks_for(arch, tree))
    }

    /// Packages whose name an expression fits, and that are of such an arch.
    fn of_name(&self, name: &str, fits: &dyn Fn(&str) -> bool) -> Vec<Place> {
        let names: Vec<TextId> = match expression(name) {
            None => self.stock.text(name).into_iter().collect(),
            Some(Ok(expression)) => {
                let matches = |name: &TextId| expression.is_match(self.stock.universe.text(*name));
                self.stock.names().filter(matches).collect()
            }
            // What is no expression names nothing.
            Some(Err(_)) => Vec::new(),
        };
        let named = names.into_iter().flat_map(|name| self.stock.named(name, Queue::Binary));
        let fits = |member: &Member<'u>| !member.is_lookaside() && fits(&member.nevra().arch);
        named.filter_map(|place| self.stock.get(place)).filter(fits).map(Member::place).collect()
    }

    /// Debugging packages of the builds that packages are from, where one of these is of a compatible arch.
    fn debug_of_builds(&mut self) {
        let mut builds: BTreeMap<TextId, BTreeMap<&str, Place>> = BTreeMap::new();
        for member in self.binary.keys().filter_map(|place| self.stock.get(*place)) {
            if let Some(source) = member.source_id() {
                builds.entry(source).or_default().entry(&member.nevra().arch).or_insert(member.place());
            }
        }
        let mut found = Vec::new();
        for (source, of) in builds {
            for place in self.stock.built(source).filter(|place| self.stock.is_in(*place, Queue::Debug)) {
                let Some(debug) = self.stock.get(place).filter(|debug| !debug.is_lookaside()) else {
                    continue;
                };
                let mut beside = of.iter().filter(|(arch, _)| compatible(&debug.nevra().arch, arch));
                found.extend(beside.next().map(|(_, of)| (place, *of)));
            }
        }
        for (place, of) in found {
            self.add_debug(place, Why::Debug { of });
        }
    }
}

/// What a name means beside itself; none where that is all.
fn expression(name: &str) -> Option<Result<Regex, regex::Error>> {
    let plain = |char: char| char.is_ascii_alphanumeric() || "-._+~%".contains(char);
    if name.chars().all(plain) {
        return None;
    }
    let text = name.replace('.', "\\.").replace('+', "\\+").replace('*', ".*");
    Some(regex::RegexBuilder::new(&format!("^(?:{text})$")).size_limit(LARGEST).build())
}

/// Whether a machine for packages of one arch takes those of another; `noarch` packages bring no debugging packages.
fn compatible(debug: &str, arch: &str) -> bool {
    if debug == "noarch" || arch == "noarch" {
        return false;
    }
    let mut trees = TreeArch::names().filter_map(TreeArch::find);
    debug == arch || trees.any(|tree| tree.native.contains(&debug) && tree.native.contains(&arch))
}
