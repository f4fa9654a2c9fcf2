//! What tags inherit from, and in which order.
//!
//! The walk goes depth first, by ascending priority, each tag before what it inherits. Options of links:
//!
//! - `maxdepth` of a link of the tag that is asked for counts the levels behind the parent: 0 is the parent alone. With a
//!   limit from further up in force, what is left is the smaller of both less one, and without a limit of its own the
//!   outer one less one.
//! - `intransitive` links are followed from the tag that is asked for, and from no other.
//! - `pkg_filter` is a regular expression (Python's) on names of packages; see [`super::packages`]. The row of an
//!   ancestor has all filters of the links on the way.
//! - `noconfig`: arches and extra values are not inherited over this link.
//!
//! A tag that is on the way down already is passed over (a loop). A tag that was reached before is listed and walked
//! again, unless an earlier row for it suffices: it has no filter, its remaining depth is not lower, and its own link is
//! not noconfig where this walk is free of that. A walk is not free of it behind a noconfig link, nor at the links that
//! come after one in the same tag.
//!
//! Reversed, it is those who inherit: intransitive links end the walk, and `maxdepth` only says whether the link reaches
//! as far as the tag that is asked for.

use std::collections::BTreeMap;

use regex::Regex;
use rusqlite::types::Value;
use serde::Serialize;

use crate::format::xmlrpc::Fault;
use crate::hub::store::change::{Change, Stamp, Write};
use crate::hub::store::database::View;
use crate::hub::store::error::{generic, unexpected};
use crate::hub::store::names::{Key, numbers};
use crate::hub::store::query::set;
use crate::hub::store::query::{Select, row};

/// A walk with more rows than this is given up: filters can make it grow exponentially.
const MOST: usize = 20_000;
/// A chain longer than this is given up, as by Koji, whose Python ends there.
const DEEPEST: i64 = 900;

row! {
    /// A link from a tag to one that it inherits from (`getInheritanceData`).
    Link {
        child_id: i64 = "tag_inheritance.tag_id",
        intransitive: bool = "intransitive",
        maxdepth: Option<i64> = "maxdepth",
        name: String = "tag.name",
        noconfig: bool = "noconfig",
        parent_id: i64 = "parent_id",
        pkg_filter: String = "pkg_filter",
        priority: i64 = "priority",
    }
}

/// A row of the walk (`getFullInheritance`).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ancestor {
    /// The link that led there; its name is that of the ancestor.
    #[serde(flatten)]
    pub link: Link,
    /// How many links from the tag that was asked for.
    pub currdepth: i64,
    /// Filters on the way.
    pub filter: Vec<String>,
    /// How many levels behind it count; none: all.
    pub nextdepth: Option<i64>,
}

/// A row of the walk to those who inherit (`getFullInheritance` with `reverse`): `tag_id` instead of `child_id`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Descendant {
    currdepth: i64,
    filter: Vec<String>,
    intransitive: bool,
    maxdepth: Option<i64>,
    name: String,
    nextdepth: Option<i64>,
    noconfig: bool,
    parent_id: i64,
    pkg_filter: String,
    priority: i64,
    tag_id: i64,
}

/// A link to make, change or remove (`setInheritanceData`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkChange {
    /// The tag to inherit from.
    pub parent_id: i64,
    /// Lower comes first.
    pub priority: i64,
    /// Levels behind the parent; none: all.
    pub maxdepth: Option<i64>,
    /// Not followed from tags that inherit this one.
    pub intransitive: bool,
    /// Without arches and extra values.
    pub noconfig: bool,
    /// A regular expression on names of packages; empty: all.
    pub pkg_filter: String,
    /// Ends the link; the rest means nothing.
    pub delete: bool,
}

impl LinkChange {
    /// A link without options, of priority 0.
    pub fn plain(parent_id: i64) -> Self {
        let (maxdepth, pkg_filter) = (None, String::new());
        Self {
            parent_id,
            priority: 0,
            maxdepth,
            intransitive: false,
            noconfig: false,
            pkg_filter,
            delete: false,
        }
    }

    fn same(&self, link: &Link) -> bool {
        (self.priority, self.maxdepth, self.intransitive, self.noconfig, &self.pkg_filter)
            == (link.priority, link.maxdepth, link.intransitive, link.noconfig, &link.pkg_filter)
    }
}

/// Filters of links, as Python's `re.match` has them: from the beginning of the name, not necessarily to its end.
#[derive(Debug, Default)]
pub(in crate::hub) struct Filters(BTreeMap<String, Regex>);

impl Filters {
    /// Whether a name fits all filters.
    pub(in crate::hub) fn fit(&mut self, filters: &[String], name: &str) -> Result<bool, Fault> {
        for filter in filters {
            if !self.0.contains_key(filter) {
                self.0.insert(filter.clone(), compile(filter)?);
            }
            if !self.0.get(filter).is_some_and(|filter| filter.is_match(name)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Python's syntax but for look-around and references back, which are refused; `\Z` is the end.
pub(in crate::hub) fn compile(filter: &str) -> Result<Regex, Fault> {
    let mut pattern = String::from(r"\A(?:");
    let mut escaped = false;
    for character in filter.chars() {
        pattern.push(if escaped && character == 'Z' { 'z' } else { character });
        escaped = character == '\\' && !escaped;
    }
    pattern.push(')');
    let compiled = regex::RegexBuilder::new(&pattern).size_limit(1 << 20).nest_limit(50).build();
    compiled.map_err(|error| generic(format!("invalid package filter {filter}: {error}")))
}

/// What is known on the way down.
struct Way<'w> {
    event: Option<i64>,
    reverse: bool,
    order: &'w mut Vec<Ancestor>,
    /// Rows by tag.
    history: BTreeMap<i64, Vec<usize>>,
    /// Tags from the one that is asked for to this one.
    top: Vec<i64>,
}

impl View {
    /// The links of a tag, by priority (`getInheritanceData`).
    ///
    /// # Errors
    /// The database fails.
    pub fn inheritance(&self, tag: i64, event: Option<i64>) -> Result<Vec<Link>, Fault> {
        self.links(tag, event, false)
    }

    fn links(&self, tag: i64, event: Option<i64>, reverse: bool) -> Result<Vec<Link>, Fault> {
        let (from, condition, order) = if reverse {
            (
                "tag_inheritance JOIN tag ON tag_inheritance.tag_id = tag.id",
                "parent_id = ?",
                "priority, tag_id",
            )
        } else {
            (
                "tag_inheritance JOIN tag ON parent_id = tag.id",
                "tag_inheritance.tag_id = ?",
                "priority, parent_id",
            )
        };
        Select::from(from).at("tag_inheritance", event).and(condition, [tag]).order(order).all(&self.database)
    }

    /// All that a tag inherits from, in order (`getFullInheritance`).
    ///
    /// # Errors
    /// It is too much.
    pub fn full_inheritance(&self, tag: i64, event: Option<i64>) -> Result<Vec<Ancestor>, Fault> {
        self.walk_from(tag, event, false)
    }

    /// All that inherit from a tag (`getFullInheritance` with `reverse`).
    ///
    /// # Errors
    /// It is too much.
    pub fn descendants(&self, tag: i64, event: Option<i64>) -> Result<Vec<Descendant>, Fault> {
        let rows = self.walk_from(tag, event, true)?.into_iter();
        let turned = |Ancestor { link, currdepth, filter, nextdepth }| Descendant {
            currdepth,
            filter,
            intransitive: link.intransitive,
            maxdepth: link.maxdepth,
            name: link.name,
            nextdepth,
            noconfig: link.noconfig,
            parent_id: link.parent_id,
            pkg_filter: link.pkg_filter,
            priority: link.priority,
            tag_id: link.child_id,
        };
        Ok(rows.map(turned).collect())
    }

    fn walk_from(&self, tag: i64, event: Option<i64>, reverse: bool) -> Result<Vec<Ancestor>, Fault> {
        let mut order = Vec::new();
        let mut way = Way { event, reverse, order: &mut order, history: BTreeMap::new(), top: Vec::new() };
        self.walk(&mut way, tag, None, false, &[])?;
        Ok(order)
    }

    fn walk(
        &self,
        way: &mut Way<'_>,
        tag: i64,
        depth: Option<i64>,
        mut noconfig: bool,
        filters: &[String],
    ) -> Result<(), Fault> {
        if depth.is_some_and(|depth| depth < 1) {
            return Ok(());
        }
        way.top.push(tag);
        let currdepth = way.top.len() as i64;
        if currdepth > DEEPEST || way.order.len() > MOST {
            return Err(unexpected("the inheritance of the tag is too large"));
        }
        for link in self.links(tag, way.event, way.reverse)? {
            let next = if way.reverse { link.child_id } else { link.parent_id };
            if way.top.contains(&next) || (link.intransitive && way.top.len() > 1 && !way.reverse) {
                continue;
            }
            let nextdepth = if way.reverse {
                if link.maxdepth.is_some_and(|maxdepth| maxdepth < currdepth - 1) {
                    continue;
                }
                None
            } else {
                match (link.maxdepth, depth) {
                    (own, None) => own,
                    (None, Some(outer)) => Some(outer - 1),
                    (Some(own), Some(outer)) => Some(own.min(outer) - 1),
                }
            };
            noconfig |= link.noconfig;
            let mut filter = filters.to_vec();
            filter.extend(Some(link.pkg_filter.clone()).filter(|filter| !filter.is_empty()));
            let earlier = way.history.entry(next).or_default();
            let suffices = |earlier: &Ancestor| {
                let deep = match (earlier.nextdepth, nextdepth) {
                    (None, _) => true,
                    (Some(_), None) => false,
                    (Some(earlier), Some(now)) => earlier >= now,
                };
                deep && earlier.filter.is_empty() && (noconfig || !earlier.link.noconfig)
            };
            if earlier.iter().filter_map(|index| way.order.get(*index)).any(suffices) {
                continue;
            }
            earlier.push(way.order.len());
            let stop = way.reverse && link.intransitive;
            way.order.push(Ancestor { link, currdepth, filter: filter.clone(), nextdepth });
            if !stop {
                self.walk(way, next, nextdepth, noconfig, &filter)?;
            }
        }
        way.top.pop();
        Ok(())
    }
}

impl Change<'_> {
    /// Makes a link, in place of the one to that parent.
    pub(in crate::hub) fn set_link(&self, tag: i64, link: &LinkChange) -> Result<(), Fault> {
        compile(&link.pkg_filter)?;
        self.end("tag_inheritance", "tag_id = ? AND parent_id = ?", &[&tag, &link.parent_id])?;
        self.begin(
            "tag_inheritance",
            "tag_id, parent_id, priority, maxdepth, intransitive, noconfig, pkg_filter",
            &[
                &tag,
                &link.parent_id,
                &link.priority,
                &link.maxdepth,
                &link.intransitive,
                &link.noconfig,
                &link.pkg_filter,
            ],
        )
    }

    fn set_inheritance(&self, tag: i64, changes: &[LinkChange], clear: bool) -> Result<(), Fault> {
        for change in changes {
            self.known_tag(&change.parent_id.into(), None)?;
        }
        let old = self.inheritance(tag, None)?;
        // In the order in which Koji names them in its fault: those that are there, then new ones.
        let mut parents: Vec<(i64, i64, Option<LinkChange>)> =
            old.iter().map(|link| (link.parent_id, link.priority, None)).collect();
        for change in changes {
            let before = old.iter().find(|link| link.parent_id == change.parent_id);
            let place = parents.iter_mut().find(|(parent, ..)| *parent == change.parent_id);
            match (place, before) {
                (None, _) if change.delete => {}
                (None, _) => parents.push((change.parent_id, change.priority, Some(change.clone()))),
                (Some(_), Some(before)) if !change.delete && !clear && change.same(before) => {}
                (Some(place), _) => *place = (change.parent_id, change.priority, Some(change.clone())),
            }
        }
        if clear {
            for (parent, _, change) in parents.iter_mut().filter(|(_, _, change)| change.is_none()) {
                *change = Some(LinkChange { delete: true, ..LinkChange::plain(*parent) });
            }
        }
        let kept = |change: &Option<LinkChange>| !change.as_ref().is_some_and(|change| change.delete);
        let mut priorities: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for (parent, priority, _) in parents.iter().filter(|(_, _, change)| kept(change)) {
            priorities.entry(*priority).or_default().push(*parent);
        }
        if !parents.iter().any(|(_, _, change)| change.is_some()) {
            return Ok(());
        }
        if let Some((priority, parents)) = priorities.iter().find(|(_, parents)| parents.len() > 1) {
            return Err(generic(format!(
                "Multiple parent tags ({}) cannot have the same priority value ({priority}) on child tag {tag}",
                numbers(parents)
            )));
        }
        for change in parents.iter().filter_map(|(_, _, change)| change.as_ref()) {
            if change.delete {
                self.end("tag_inheritance", "tag_id = ? AND parent_id = ?", &[&tag, &change.parent_id])?;
            } else {
                self.set_link(tag, change)?;
            }
        }
        Ok(())
    }
}

impl Write<'_> {
    /// Changes what a tag inherits from (`setInheritanceData`). Links that stay as they are get no new entry, unless
    /// `clear`, which also ends those that are not named.
    ///
    /// # Errors
    /// A tag is not there; two links would have the same priority; a filter is no regular expression (Koji takes it, and
    /// fails when it is used).
    pub fn set_inheritance(
        &mut self,
        stamp: &Stamp,
        tag: &Key,
        changes: &[LinkChange],
        clear: bool,
    ) -> Result<(), Fault> {
        self.change(stamp, |change| change.set_inheritance(change.tag_id(tag)?, changes, clear))
    }

    /// Makes or removes one link whatever the others are: how a history is loaded, where the links of one call are
    /// separate entries.
    ///
    /// # Errors
    /// The tag is not there; a filter is no regular expression.
    pub fn set_link(&mut self, stamp: &Stamp, tag: &Key, link: &LinkChange) -> Result<(), Fault> {
        self.change(stamp, |change| {
            let tag = change.tag_id(tag)?;
            if link.delete {
                change.end("tag_inheritance", "tag_id = ? AND parent_id = ?", &[&tag, &link.parent_id])?;
                return Ok(());
            }
            change.set_link(tag, link)
        })
    }
}

/// Ids as one value.
pub(in crate::hub) fn ids(all: &[i64]) -> Value {
    set(all)
}
