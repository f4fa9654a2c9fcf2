//! Packages of modules that a request names, as Pungi's source `module` takes them with its method `nodeps` (4.3.6).
//!
//! They are gathered by themselves, before and beside all else: every package of the tree's arches that a build of the stream
//! lists, in whatever version, with its source package and the debugging packages of its build, and nothing that it requires.
//! What is filtered out of a module (`filter` of its `modulemd`) is not in the list of its build. What patterns and groups name
//! is gathered as if these packages were not selected yet, with them to choose from; then both are one selection.

use super::super::decision::{Decision, Flag, Request};
use super::super::universe::Place;
use super::stock::Queue;
use super::{Gather, Why};
use crate::base::gather::Method;

impl Request {
    /// What asks for the packages of modules that it names, and nothing else; none where it names no module.
    pub(super) fn of_modules(&self) -> Option<Self> {
        let named = !self.modules.is_empty() && !self.is_everything();
        named.then(|| Self {
            variant: self.variant.clone(),
            modules: self.modules.clone(),
            streams: self.streams.clone(),
            exclude: self.exclude.clone(),
            multilib: self.multilib.clone(),
            sources: self.sources,
            debug: self.debug,
            aside: self.aside.clone(),
            method: Method::Nodeps,
            only_modules: true,
            ..Self::new(self.arch)
        })
    }
}

impl Gather<'_> {
    /// Adds the packages of modules.
    pub(super) fn modules(&mut self) {
        let request = self.request;
        let mut found: Vec<(String, Vec<Place>)> = Vec::new();
        for choice in &request.modules {
            let builds = request.streams.chosen(choice, request.arch);
            if builds.is_empty() {
                self.problems.insert(request.streams.problem(choice, request.arch));
            }
            for build in builds {
                let seen = self.stock.seen().filter(|(member, queue)| {
                    *queue == Queue::Binary
                        && !member.is_lookaside()
                        && build.packages.contains(member.nevra())
                });
                found.push((build.name, seen.map(|(member, _)| member.place()).collect()));
            }
        }
        for (build, places) in found {
            let at = self.builds.len();
            self.builds.push(build);
            for place in places {
                self.flag(place, Flag::Module);
                self.add(place, Why::Module(at));
            }
        }
    }
}

impl Decision {
    /// Adds what was decided beside it. Of a package that both have the reason here is kept.
    pub(super) fn with(mut self, other: Self) -> Self {
        for (own, others) in [(&mut self.packages, other.packages), (&mut self.debug, other.debug)] {
            for (nevra, chosen) in others {
                match own.get_mut(&nevra) {
                    Some(known) => known.flags.extend(chosen.flags),
                    None => drop(own.insert(nevra, chosen)),
                }
            }
        }
        for (nevra, source) in other.sources {
            match self.sources.get_mut(&nevra) {
                Some(known) => {
                    known.flags.extend(source.flags);
                    known.built.extend(source.built);
                }
                None => drop(self.sources.insert(nevra, source)),
            }
        }
        self.absent_members.extend(other.absent_members);
        self.judged.extend(other.judged);
        self.problems.extend(other.problems);
        self.notes.extend(other.notes);
        self.trimmed.extend(other.trimmed);
        self.moved.extend(other.moved);
        self
    }
}

#[cfg(test)]
#[path = "module_tests.rs"]
mod tests;
