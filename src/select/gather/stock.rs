//! What one selection sees of the universe, indexed by what is asked of it.
//!
//! Members fall into three queues: source packages, debugging packages and all other binary ones; of each name and arch
//! only the newest is seen. What exclusions hide is hidden before that, so excluding the newest version uncovers an older
//! one. Packages that are looked aside at cannot be excluded.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::super::decision::{Greed, Request};
use super::super::expression::Expression;
use super::super::multilib::Judge;
use super::super::pattern::Pattern;
use super::super::relation::{Relation, Sense};
use super::super::universe::{List, Member, Place, RelationId, TextId, Universe, split};
use super::mash;
use crate::base::arch::TreeArch;

/// What a member is to a selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queue {
    Binary,
    Debug,
    /// Debugging packages, with those that an exclusion, a newer version or a copy hides.
    AnyDebug,
    Source,
}

/// Why a member is not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hidden {
    /// The tree cannot hold its arch, or it says itself that it is not for the tree.
    Foreign,
    /// It is of a stream that only others name.
    OtherStream,
    /// By an exclusion: its place among those of the request.
    Excluded(usize),
    /// By a pattern of the multilib blacklist.
    Blacklisted,
    /// By the same package among what is looked aside at.
    Copy,
    /// By a newer version.
    Older,
}

#[derive(Clone, Copy, Debug)]
struct Class {
    queue: Queue,
    /// Of a native arch, or `noarch`.
    native: bool,
    /// Of a secondary arch, or `noarch`.
    multilib: bool,
    hidden: Option<Hidden>,
    /// Whether the machine that the tree is for can have it: others meet no requirement.
    meets: bool,
    /// Whether it is only looked aside at.
    aside: bool,
}

impl Class {
    /// Whether what it provides is looked at.
    fn is_indexed(&self) -> bool {
        match self.hidden {
            None => true,
            Some(Hidden::Older | Hidden::Excluded(_) | Hidden::Copy) => self.queue == Queue::Debug,
            Some(_) => false,
        }
    }
}

/// Seen members by what they provide, own and are called.
#[derive(Debug)]
pub(super) struct Stock<'u> {
    pub(super) universe: &'u Universe,
    pub(super) arch: &'static TreeArch,
    classes: Vec<Class>,
    /// Members by name: the first and the one behind the last.
    names: BTreeMap<TextId, (Place, Place)>,
    /// For each text where what is provided under it begins in `provided`.
    starts: Vec<u32>,
    provided: Vec<(Place, RelationId)>,
    /// Owners of paths that some package requires: file lists are long, required files few.
    owners: BTreeMap<(TextId, TextId), Vec<Place>>,
    /// Texts that may be asked for by what they say.
    known: BTreeMap<String, TextId>,
    by_source: Vec<(TextId, Place)>,
    sources: BTreeMap<(&'u str, &'u str, &'u str), Vec<Place>>,
    /// Whether something is looked aside at.
    pub(super) aside: bool,
}

impl<'u> Stock<'u> {
    /// Indexes what a request sees. `asked` are names that will be asked for beside those in packages.
    pub(super) fn new(
        universe: &'u Universe,
        request: &Request,
        judge: Option<&Judge>,
        asked: impl Iterator<Item = String>,
    ) -> Self {
        let classes = classes(universe, request, judge);
        let mut names: BTreeMap<TextId, (Place, Place)> = BTreeMap::new();
        for member in universe.members() {
            let (at, behind) = (member.place(), member.place() + 1);
            names.entry(member.name_id()).or_insert((at, behind)).1 = behind;
        }
        let mut stock = Self {
            universe,
            arch: request.tree(),
            classes,
            names,
            starts: Vec::new(),
            provided: Vec::new(),
            owners: BTreeMap::new(),
            known: BTreeMap::new(),
            by_source: Vec::new(),
            sources: BTreeMap::new(),
            aside: false,
        };
        stock.aside = stock.classes.iter().any(|class| class.aside);
        stock.index_provides();
        stock.index_paths(asked);
        if request.weak {
            stock.know_all_names();
        }
        stock.index_sources();
        stock
    }

    fn index_provides(&mut self) {
        let mut counts = vec![0_u32; self.universe.texts() + 1];
        let lists = |stock: &Self| {
            let meets = |member: &Member<'u>| stock.class(member.place()).is_some_and(|class| class.meets);
            let meeting = stock.indexed().filter(meets);
            meeting.map(|member| (member.place(), member.list(List::Provides))).collect::<Vec<_>>()
        };
        let lists = lists(self);
        for id in lists.iter().flat_map(|(_, list)| *list) {
            if let Some(count) = counts.get_mut(self.universe.name_of(*id) as usize + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for count in &mut counts {
            sum += *count;
            *count = sum;
        }
        self.starts = counts.clone();
        self.provided = vec![(0, 0); sum as usize];
        for (place, list) in lists {
            for id in list {
                if let Some(next) = counts.get_mut(self.universe.name_of(*id) as usize) {
                    if let Some(slot) = self.provided.get_mut(*next as usize) {
                        *slot = (place, *id);
                    }
                    *next += 1;
                }
            }
        }
    }

    fn index_paths(&mut self, asked: impl Iterator<Item = String>) {
        let mut wanted: BTreeSet<String> = asked.collect();
        let mut paths: BTreeSet<(String, String)> = BTreeSet::new();
        let mut path = |name: &str| {
            let (folder, name) = split(name);
            paths.insert((folder.to_owned(), name.to_owned()));
        };
        let ids = u32::try_from(self.universe.relations()).unwrap_or(u32::MAX);
        for id in 0..ids {
            let name = self.universe.text(self.universe.name_of(id));
            if name.starts_with('/') {
                path(name);
            } else if name.starts_with('(') {
                // What cannot be read is told when it is resolved.
                let Ok(expression) = Expression::parse(name) else { continue };
                for part in expression.relations() {
                    wanted.insert(part.name.clone());
                    if part.name.starts_with('/') {
                        path(&part.name);
                    }
                }
            }
        }
        let texts = wanted.iter().chain(paths.iter().flat_map(|(folder, name)| [folder, name]));
        let found = self.universe.find(texts.map(String::as_str));
        let mut is_wanted = vec![false; self.universe.texts()];
        for (folder, name) in &paths {
            if let (Some(folder), Some(name)) = (found.get(folder.as_str()), found.get(name.as_str())) {
                self.owners.insert((*folder, *name), Vec::new());
                if let Some(flag) = is_wanted.get_mut(*name as usize) {
                    *flag = true;
                }
            }
        }
        self.known = found.iter().map(|(text, id)| ((*text).to_owned(), *id)).collect();
        let mut owned = Vec::new();
        for member in self.indexed() {
            let meets = self.class(member.place()).is_some_and(|class| class.meets);
            for (folder, name) in member.file_ids().filter(|_| meets) {
                if is_wanted.get(name as usize) == Some(&true) {
                    owned.push(((folder, name), member.place()));
                }
            }
        }
        for (path, place) in owned {
            if let Some(owners) = self.owners.get_mut(&path)
                && owners.last() != Some(&place)
            {
                owners.push(place);
            }
        }
    }

    /// Recommendations are followed name by name.
    fn know_all_names(&mut self) {
        let ids = u32::try_from(self.universe.relations()).unwrap_or(u32::MAX);
        for name in (0..ids).map(|id| self.universe.name_of(id)) {
            self.known.insert(self.universe.text(name).to_owned(), name);
        }
    }

    fn index_sources(&mut self) {
        let (mut by_source, mut sources) = (Vec::new(), BTreeMap::<_, Vec<_>>::new());
        for (member, queue) in self.seen() {
            if queue == Queue::Source {
                let nevra = member.nevra();
                let key = (nevra.name.as_str(), nevra.evr.version.as_str(), nevra.evr.release.as_str());
                sources.entry(key).or_default().push(member.place());
            } else if let Some(source) = member.source_id() {
                by_source.push((source, member.place()));
            }
        }
        by_source.sort_unstable();
        (self.by_source, self.sources) = (by_source, sources);
    }

    /// Seen members in canonical order, with their queues.
    pub(super) fn seen(&self) -> impl Iterator<Item = (Member<'u>, Queue)> + '_ {
        let members = self.universe.members().zip(&self.classes);
        members.filter(|(_, class)| class.hidden.is_none()).map(|(member, class)| (member, class.queue))
    }

    /// Members whose provisions are looked at, in canonical order.
    fn indexed(&self) -> impl Iterator<Item = Member<'u>> + '_ {
        let members = self.universe.members().zip(&self.classes);
        let indexed = members.filter(|(_, class)| class.queue != Queue::Source && class.is_indexed());
        indexed.map(|(member, _)| member)
    }

    /// Members that are not seen, and why.
    pub(super) fn hidden(&self) -> impl Iterator<Item = (Member<'u>, Hidden)> + '_ {
        let members = self.universe.members().zip(&self.classes);
        members.filter_map(|(member, class)| Some((member, class.hidden?)))
    }

    pub(super) fn get(&self, place: Place) -> Option<Member<'u>> {
        self.universe.at(place)
    }

    fn class(&self, place: Place) -> Option<Class> {
        self.classes.get(place as usize).copied()
    }

    pub(super) fn is_in(&self, place: Place, queue: Queue) -> bool {
        self.class(place).is_some_and(|class| match queue {
            Queue::AnyDebug => class.queue == Queue::Debug && class.is_indexed(),
            _ => class.hidden.is_none() && class.queue == queue,
        })
    }

    /// Whether it is native to the tree (`noarch` included).
    pub(super) fn is_native(&self, place: Place) -> bool {
        self.class(place).is_some_and(|class| class.native)
    }

    /// Whether it is of the secondary arch, or `noarch`.
    pub(super) fn is_multilib(&self, place: Place) -> bool {
        self.class(place).is_some_and(|class| class.multilib)
    }

    /// Whether it is of the secondary arch.
    pub(super) fn is_secondary(&self, place: Place) -> bool {
        self.class(place).is_some_and(|class| class.multilib && !class.native)
    }

    /// Whether it is only looked aside at.
    pub(super) fn is_aside(&self, place: Place) -> bool {
        self.class(place).is_some_and(|class| class.aside)
    }

    /// Why a member is not seen.
    pub(super) fn why_hidden(&self, place: Place) -> Option<Hidden> {
        self.class(place)?.hidden
    }

    /// Binary members that meet a requirement: each by itself, if that is rich.
    pub(super) fn meeting_of(&self, requirement: RelationId) -> Vec<Place> {
        let name = self.universe.name_of(requirement);
        let text = self.universe.text(name);
        if !text.starts_with('(') {
            return self.meeting(&self.universe.relation(requirement), Some(name), Queue::Binary);
        }
        Expression::parse(text)
            .map_or_else(|_| Vec::new(), |expression| self.meeting_alone(&expression, Queue::Binary))
    }

    /// Whether a member meets a requirement: all by itself, if that is rich.
    pub(super) fn meets(&self, place: Place, requirement: RelationId) -> bool {
        let name = self.universe.name_of(requirement);
        let text = self.universe.text(name);
        if text.starts_with('(') {
            return self.meeting_of(requirement).binary_search(&place).is_ok();
        }
        let provided = self.get(place).map_or(&[][..], |member| member.list(List::Provides));
        let mut named = provided.iter().filter(|id| self.universe.name_of(**id) == name).peekable();
        if named.peek().is_none() && !text.starts_with('/') {
            return false;
        }
        let wanted = self.universe.relation(requirement);
        named.any(|id| wanted.meets(&self.universe.relation(*id)))
            || (text.starts_with('/')
                && self.meeting(&wanted, Some(name), Queue::Binary).binary_search(&place).is_ok())
    }

    /// The number of a text that was announced.
    pub(super) fn text(&self, text: &str) -> Option<TextId> {
        self.known.get(text).copied()
    }

    /// Seen members of a name.
    pub(super) fn named(&self, name: TextId, queue: Queue) -> impl DoubleEndedIterator<Item = Place> + '_ {
        let (start, end) = self.names.get(&name).copied().unwrap_or_default();
        (start..end).filter(move |place| self.is_in(*place, queue))
    }

    /// All names that members have.
    pub(super) fn names(&self) -> impl Iterator<Item = TextId> + '_ {
        self.names.keys().copied()
    }

    /// Seen binary and debugging members that were built from a source package.
    pub(super) fn built(&self, source: TextId) -> impl Iterator<Item = Place> + '_ {
        let start = self.by_source.partition_point(|(built, _)| *built < source);
        let from = self.by_source.get(start..).unwrap_or_default().iter();
        from.take_while(move |(built, _)| *built == source).map(|(_, place)| *place)
    }

    /// Seen source packages of a name, version and release (the epoch is not part of a file name).
    pub(super) fn sources<'s>(&'s self, name: &'s str, version: &'s str, release: &'s str) -> &'s [Place] {
        self.sources.get(&(name, version, release)).map_or(&[], Vec::as_slice)
    }

    /// What seen members provide under a name.
    pub(super) fn provided(&self, name: TextId) -> &[(Place, RelationId)] {
        let at = |place: usize| self.starts.get(place).map_or(0, |start| *start as usize);
        self.provided.get(at(name as usize)..at(name as usize + 1)).unwrap_or_default()
    }

    /// Members of a queue that meet a single requirement, in canonical order.
    pub(super) fn meeting(&self, wanted: &Relation, name: Option<TextId>, queue: Queue) -> Vec<Place> {
        let mut found = Vec::new();
        for (place, provided) in name.map_or(&[][..], |name| self.provided(name)) {
            let meets = || wanted.sense == Sense::ANY || wanted.meets(&self.universe.relation(*provided));
            if self.is_in(*place, queue) && meets() {
                found.push(*place);
            }
        }
        if wanted.name.starts_with('/') {
            let (folder, name) = split(&wanted.name);
            if let (Some(folder), Some(name)) = (self.text(folder), self.text(name)) {
                let owners = self.owners.get(&(folder, name)).into_iter().flatten();
                found.extend(owners.copied().filter(|place| self.is_in(*place, queue)));
                found.sort_unstable();
            }
        }
        found.dedup();
        found
    }

    /// Members of a queue each of which meets an expression by itself.
    pub(super) fn meeting_alone(&self, wanted: &Expression, queue: Queue) -> Vec<Place> {
        match wanted {
            Expression::Simple(relation) => self.meeting(relation, self.text(&relation.name), queue),
            Expression::Any(parts) => {
                let all = parts.iter().flat_map(|part| self.meeting_alone(part, queue));
                all.collect::<BTreeSet<_>>().into_iter().collect()
            }
            Expression::All(parts) | Expression::With(parts) => {
                let mut sets = parts.iter().map(|part| self.meeting_alone(part, queue));
                let first = sets.next().unwrap_or_default();
                sets.fold(first, |mut left, right| {
                    left.retain(|place| right.binary_search(place).is_ok());
                    left
                })
            }
            Expression::Without(wanted, unwanted) => {
                let (mut wanted, not) =
                    (self.meeting_alone(wanted, queue), self.meeting_alone(unwanted, queue));
                wanted.retain(|place| not.binary_search(place).is_err());
                wanted
            }
            Expression::If(..) | Expression::Unless(..) => Vec::new(),
        }
    }
}

/// What each member is to a request.
fn classes(universe: &Universe, request: &Request, judge: Option<&Judge>) -> Vec<Class> {
    let tree = request.tree();
    // Of several exclusions the first by name is told, whatever their order.
    let mut excludes: Vec<_> = request.exclude.iter().enumerate().collect();
    excludes.sort_by_key(|(_, text)| *text);
    let excludes: Vec<_> = excludes.into_iter().map(|(at, text)| (at, Pattern::parse(text, tree))).collect();
    let unseen = request.streams.unseen(&request.modules, request.arch);
    let mut classes: Vec<Class> = Vec::with_capacity(universe.len());
    let mut newest: Vec<(Place, Place)> = Vec::new();
    let is_for = |member: Member<'_>| member.is_for(request.variant.as_deref(), tree.name);
    for member in universe.members() {
        let nevra = member.nevra();
        let arch = nevra.arch.as_str();
        let everything = request.is_everything();
        let (native, secondary) = (tree.is_native(arch), tree.is_multilib(arch));
        let debug = if everything { mash::is_debug(&nevra.name) } else { member.is_debug() };
        let queue = match (nevra.is_source(), debug) {
            (true, _) => Queue::Source,
            (false, true) => Queue::Debug,
            (false, false) => Queue::Binary,
        };
        // A tree without a rule for packages of the secondary arch holds none.
        let held = native || (secondary && request.multilib.is_some() && !(everything && debug));
        // mash has no place for source packages without sources.
        let held = if queue == Queue::Source { !everything || arch != "nosrc" } else { held };
        let foreign = !held || !is_for(member);
        let excluded = || {
            let hides =
                |(_, pattern): &&(usize, Pattern<'_>)| pattern.hides(nevra, queue == Queue::Debug, tree);
            excludes.iter().find(hides).map(|(at, _)| *at)
        };
        let blacklisted = || {
            secondary
                && queue == Queue::Binary
                && !everything
                && judge.is_some_and(|judge| judge.blacklists(&nevra.name))
        };
        // The method `nodeps` does not look aside at anything: those packages come in where they are named.
        let aside = (member.is_lookaside() && is_for(member))
            || (!request.is_nodeps() && request.aside.contains(nevra));
        let hidden = if foreign {
            Some(Hidden::Foreign)
        } else if unseen.contains(nevra) && !request.aside.contains(nevra) {
            Some(Hidden::OtherStream)
        } else if everything && aside {
            copies(universe, member, &classes).then_some(Hidden::Copy)
        } else if aside {
            // The blacklist is for all, exclusions are not.
            blacklisted().then_some(Hidden::Blacklisted)
        } else if !(everything
            || request.is_nodeps()
            || request.greed == Greed::All && queue == Queue::Binary)
            && copied(universe, member).is_some_and(is_for)
        {
            // With greed Pungi takes both copies for a requirement: what the one requires comes in, and the other is not
            // delivered.
            Some(Hidden::Copy)
        } else if let Some(pattern) = excluded() {
            Some(Hidden::Excluded(pattern))
        } else {
            blacklisted().then_some(Hidden::Blacklisted)
        };
        let meets = request.machine.is_none_or(|machine| tree.rank(arch) >= tree.rank(machine));
        classes.push(Class { queue, native, multilib: secondary || arch == "noarch", hidden, meets, aside });
        if hidden.is_none() && !request.is_nodeps() && !everything {
            older(universe, member, &mut newest, &mut classes);
        }
    }
    classes
}

impl Stock<'_> {
    /// Whether the same package is looked aside at, too.
    pub(super) fn is_copy(&self, place: Place) -> bool {
        let copy = self.get(place).filter(|_| self.aside).and_then(|member| copied(self.universe, member));
        copy.is_some_and(|copy| self.class(copy.place()).is_some_and(|class| class.aside))
    }
}

/// The same package among what is looked aside at: of one full name, that copy is the next.
fn copied<'u>(universe: &'u Universe, member: Member<'u>) -> Option<Member<'u>> {
    let next = universe.at(member.place() + 1)?;
    (next.is_lookaside() && next.nevra() == member.nevra()).then_some(next)
}

/// Whether it is looked aside at, while the same package is offered and seen: that one comes right before it.
fn copies(universe: &Universe, member: Member<'_>, classes: &[Class]) -> bool {
    let before = member.place().checked_sub(1).and_then(|before| universe.at(before));
    before.is_some_and(|before| before.nevra() == member.nevra())
        && classes.last().is_some_and(|class| class.hidden.is_none())
}

/// Hides the older of two members of one name and arch. Members come in their order: by name, then by version. `newest` has
/// those of the name that are seen so far, as the first and the last of an arch.
fn older(universe: &Universe, member: Member<'_>, newest: &mut Vec<(Place, Place)>, classes: &mut [Class]) {
    let known = |place: Place| universe.at(place).map(Member::nevra);
    let nevra = member.nevra();
    let other_name = |place: Place| known(place).is_none_or(|other| other.name != nevra.name);
    if newest.first().is_some_and(|(first, _)| other_name(*first)) {
        newest.clear();
    }
    let same_arch = |place: Place| known(place).is_some_and(|other| other.arch == nevra.arch);
    match newest.iter_mut().find(|(first, _)| same_arch(*first)) {
        None => newest.push((member.place(), member.place())),
        Some(seen) => {
            let newer = known(seen.1).is_some_and(|last| last.evr.cmp(&nevra.evr) == Ordering::Less);
            if newer {
                for place in seen.0..=seen.1 {
                    if let Some(class) = classes.get_mut(place as usize)
                        && class.hidden.is_none()
                        && same_arch(place)
                    {
                        class.hidden = Some(Hidden::Older);
                    }
                }
                seen.0 = member.place();
            }
            seen.1 = member.place();
        }
    }
}
