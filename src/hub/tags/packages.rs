//! Package lists: which packages belong to a tag.
//!
//! A tag's own entries count first, then those of its ancestors in the order of inheritance, each through all
//! `pkg_filter`s on the way to it. An entry may block its package. A build belongs to a tag only if the list of the tag
//! that is *asked for* has its package, not blocked; the list of the tag that holds the build means nothing.
//!
//! Owners are entries of their own: one without an entry for the package has no effect.

use std::collections::BTreeMap;

use serde::Serialize;

use super::inheritance::Filters;
use crate::format::xmlrpc::Fault;
use crate::hub::search;
use crate::hub::store::change::{Change, Stamp, Write};
use crate::hub::store::database::View;
use crate::hub::store::error::generic;
use crate::hub::store::names::{Key, arches};
use crate::hub::store::query::{Listing, QueryOptions, Select, row};

row! {
    /// A package (`listPackages` without a filter).
    PackageName {
        package_id: i64 = "package.id",
        package_name: String = "package.name",
    }
}

/// An entry of a package list (`listPackages`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PackageEntry {
    /// Whether the package is blocked.
    pub blocked: bool,
    /// Arches beyond the tag's.
    pub extra_arches: Option<String>,
    /// The owner's id; not there where owners were not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<i64>,
    /// The owner's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_name: Option<String>,
    /// The package.
    pub package_id: i64,
    /// Its name.
    pub package_name: String,
    /// The tag whose entry it is.
    pub tag_id: i64,
    /// Its name.
    pub tag_name: String,
}

row! {
    /// The entry without its owner.
    Entry {
        blocked: bool = "tag_packages.blocked",
        extra_arches: Option<String> = "tag_packages.extra_arches",
        package_id: i64 = "package.id",
        package_name: String = "package.name",
        tag_id: i64 = "tag.id",
        tag_name: String = "tag.name",
    }
}

/// Which entries of package lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageFilter {
    /// Of this tag.
    pub tag: Option<i64>,
    /// Of this owner.
    pub user: Option<i64>,
    /// Of this package.
    pub package: Option<Key>,
    /// Whose names begin so, whatever their case.
    pub prefix: Option<String>,
    /// With what the tag inherits.
    pub inherited: bool,
    /// Also those that a nearer entry replaces.
    pub with_dups: bool,
    /// In force then.
    pub event: Option<i64>,
    /// With owners.
    pub with_owners: bool,
    /// Also blocked ones.
    pub with_blocked: bool,
}

impl Default for PackageFilter {
    fn default() -> Self {
        let (inherited, with_dups, with_owners, with_blocked) = (false, false, true, true);
        let (tag, user, package, prefix, event) = (None, None, None, None, None);
        Self { tag, user, package, prefix, inherited, with_dups, event, with_owners, with_blocked }
    }
}

/// What is to be with a package in a tag (`packageListAdd`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackageUpdate {
    /// Its owner; none: as before.
    pub owner: Option<Key>,
    /// Whether it is blocked; none: as before.
    pub block: Option<bool>,
    /// Arches beyond the tag's; none: as before.
    pub extra_arches: Option<String>,
    /// Also lifts a block.
    pub force: bool,
    /// Only where there is an entry already.
    pub update: bool,
}

impl View {
    /// Entries of package lists (`listPackages`), in the order of inheritance, within a tag oldest first.
    ///
    /// # Errors
    /// Nothing to filter by, or a filter of a link that is none.
    pub fn packages(&self, filter: &PackageFilter) -> Result<Vec<PackageEntry>, Fault> {
        if filter.tag.is_none() && filter.user.is_none() && filter.package.is_none() {
            return Err(generic("tag,user, and/or pkg must be specified"));
        }
        if filter.user.is_some() && !filter.with_owners {
            return Err(generic("userID and with_owners=False can't be used together"));
        }
        let mut all = Vec::new();
        let mut places: BTreeMap<i64, usize> = BTreeMap::new();
        let mut take = |entry: PackageEntry, first: bool| {
            let place = places.get(&entry.package_id).and_then(|place| all.get_mut(*place));
            match place {
                None => {
                    places.insert(entry.package_id, all.len());
                    all.push(vec![entry]);
                }
                Some(place) if filter.with_dups => place.push(entry),
                // Without a tag, entries of several are read at once, and Koji keeps the last.
                Some(place) if first => *place = vec![entry],
                Some(_) => {}
            }
        };
        for entry in self.own_packages(filter.tag, filter)? {
            take(entry, true);
        }
        if let Some(tag) = filter.tag.filter(|_| filter.inherited) {
            let mut filters = Filters::default();
            for ancestor in self.full_inheritance(tag, filter.event)? {
                for entry in self.own_packages(Some(ancestor.link.parent_id), filter)? {
                    if filters.fit(&ancestor.filter, &entry.package_name)? {
                        take(entry, false);
                    }
                }
            }
        }
        let prefix = filter.prefix.as_deref().unwrap_or_default().to_lowercase();
        let all = all.into_iter().flatten();
        Ok(all.filter(|entry| entry.package_name.to_lowercase().starts_with(&prefix)).collect())
    }

    fn own_packages(&self, tag: Option<i64>, filter: &PackageFilter) -> Result<Vec<PackageEntry>, Fault> {
        let mut from = "tag_packages JOIN tag ON tag.id = tag_packages.tag_id
            JOIN package ON package.id = tag_packages.package_id"
            .to_owned();
        if filter.with_owners {
            from.push_str(
                " JOIN tag_package_owners ON tag_packages.tag_id = tag_package_owners.tag_id
                    AND tag_packages.package_id = tag_package_owners.package_id
                 JOIN users ON users.id = tag_package_owners.owner",
            );
        }
        let mut entries = Select::from(&from).at("tag_packages", filter.event);
        if filter.with_owners {
            entries = entries.at("tag_package_owners", filter.event);
        }
        let condition = match &filter.package {
            Some(Key::Name(_)) => "package.name = ?",
            _ => "package.id = ?",
        };
        let entries = entries
            .with("tag_packages.tag_id = ?", tag)
            .with("users.id = ?", filter.user)
            .with(condition, filter.package.as_ref().map(Key::value))
            .only(!filter.with_blocked, "NOT tag_packages.blocked")
            .order("tag_packages.create_event, tag_packages.rowid");
        let further = if filter.with_owners { ", users.id, users.name" } else { "" };
        let mut all = Vec::new();
        entries.each(&self.database, further, |entry: Entry, row| {
            let owner = if filter.with_owners { Some((row.get(6)?, row.get(7)?)) } else { None };
            let (owner_id, owner_name) = owner.unzip();
            let Entry { blocked, extra_arches, package_id, package_name, tag_id, tag_name } = entry;
            all.push(PackageEntry {
                blocked,
                extra_arches,
                owner_id,
                owner_name,
                package_id,
                package_name,
                tag_id,
                tag_name,
            });
            Ok(())
        })?;
        Ok(all)
    }

    /// All packages that the hub knows (`listPackages` without a filter).
    ///
    /// # Errors
    /// An order that is none.
    pub fn all_packages(
        &self,
        prefix: Option<&str>,
        options: &QueryOptions,
    ) -> Result<Listing<PackageName>, Fault> {
        let prefix = prefix.map(|prefix| format!("{}%", search::literal(prefix)));
        let packages = Select::from("package").with("name LIKE ? ESCAPE '\\'", prefix);
        packages.order("package.id").list(&self.database, options)
    }

    /// A package's id (`getPackageID`).
    ///
    /// # Errors
    /// There is none, and `strict`.
    pub fn package_id(&self, name: &str, strict: bool) -> Result<Option<i64>, Fault> {
        match self.lookup("package", &name.into())? {
            None if strict => Err(generic(format!("No such package name: {name}"))),
            package => Ok(package.map(|package| package.id)),
        }
    }

    /// A package's id and name (`getPackage`).
    ///
    /// # Errors
    /// There is none, and `strict`.
    pub fn package(&self, package: &Key, strict: bool) -> Result<Option<super::tag::Named>, Fault> {
        let found = if strict {
            Some(self.lookup_strict("package", package)?)
        } else {
            self.lookup("package", package)?
        };
        Ok(found.map(|found| super::tag::Named { id: found.id, name: found.name }))
    }

    /// The entry that counts for a package in a tag (`getPackageConfig`).
    ///
    /// # Errors
    /// A filter of a link that is none.
    pub fn package_config(
        &self,
        tag: i64,
        package: i64,
        event: Option<i64>,
    ) -> Result<Option<PackageEntry>, Fault> {
        let package = Some(package.into());
        let filter =
            PackageFilter { tag: Some(tag), package, inherited: true, event, ..PackageFilter::default() };
        Ok(self.packages(&filter)?.into_iter().next())
    }
}

impl Change<'_> {
    fn set_package(
        &self,
        tag: i64,
        package: i64,
        owner: i64,
        blocked: bool,
        extra_arches: Option<&str>,
    ) -> Result<(), Fault> {
        let extra_arches = extra_arches.map(arches).transpose()?;
        self.end_package(tag, package)?;
        let columns = "tag_id, package_id, blocked, extra_arches";
        self.begin("tag_packages", columns, &[&tag, &package, &blocked, &extra_arches])?;
        self.set_owner(tag, package, owner)
    }

    fn end_package(&self, tag: i64, package: i64) -> Result<(), Fault> {
        self.end("tag_packages", "tag_id = ? AND package_id = ?", &[&tag, &package])?;
        Ok(())
    }

    fn set_owner(&self, tag: i64, package: i64, owner: i64) -> Result<(), Fault> {
        self.end("tag_package_owners", "tag_id = ? AND package_id = ?", &[&tag, &package])?;
        self.begin("tag_package_owners", "tag_id, package_id, owner", &[&tag, &package, &owner])
    }

    pub(in crate::hub) fn add_package(
        &self,
        tag: &Key,
        package: &Key,
        update: &PackageUpdate,
    ) -> Result<(), Fault> {
        let tag = self.known_tag(tag, None)?;
        if let (Key::Id(id), None) = (package, self.lookup("package", package)?) {
            return Err(generic(format!("No such package: {id}")));
        }
        let owner =
            update.owner.as_ref().map(|owner| self.known_user(owner)).transpose()?.map(|owner| owner.id);
        let package = self.lookup_or_create("package", package, None, true)?;
        let extra_arches = update.extra_arches.as_deref().map(arches).transpose()?;
        let previous = self.package_config(tag.id, package.id, None)?;
        let Some(previous) = previous else {
            if update.update && !update.force {
                let text =
                    format!("cannot update: tag {} has no data for package {}", tag.name, package.name);
                return Err(generic(text));
            }
            let owner = owner.or_else(|| update.force.then(|| self.user()));
            let owner = owner.ok_or_else(|| generic("owner not specified"))?;
            let block = update.block.unwrap_or_default();
            return self.set_package(tag.id, package.id, owner, block, extra_arches.as_deref());
        };
        let before = previous.owner_id.unwrap_or_default();
        let owner = owner.unwrap_or(before);
        let block = update.block.unwrap_or(previous.blocked);
        let extra_arches = extra_arches.or_else(|| previous.extra_arches.clone());
        let changed = (previous.blocked, &previous.extra_arches) != (block, &extra_arches);
        if !changed && owner == before && !update.force {
            return Ok(());
        }
        if previous.blocked && !block && !update.force {
            return Err(generic(format!("package {} is blocked in tag {}", package.name, tag.name)));
        }
        if changed {
            self.set_package(tag.id, package.id, owner, block, extra_arches.as_deref())
        } else if owner != before {
            self.set_owner(tag.id, package.id, owner)
        } else {
            Ok(())
        }
    }

    fn unblock_package(&self, tag: &Key, package: &Key) -> Result<(), Fault> {
        let tag = self.known_tag(tag, None)?;
        let package = self.lookup_strict("package", package)?;
        let (name, id) = (package.name, package.id);
        let Some(previous) = self.package_config(tag.id, id, None)? else {
            let text = format!("no data (blocked or otherwise) for package {name} in tag {}", tag.name);
            return Err(generic(text));
        };
        if !previous.blocked {
            return Err(generic(format!("package {name} NOT blocked in tag {}", tag.name)));
        }
        if previous.tag_id == tag.id {
            self.end_package(tag.id, id)?;
            // What counts now may be a block as well, or nothing at all.
            if self.package_config(tag.id, id, None)?.is_some_and(|entry| !entry.blocked) {
                return Ok(());
            }
        }
        let owner = previous.owner_id.unwrap_or_default();
        self.set_package(tag.id, id, owner, false, previous.extra_arches.as_deref())
    }
}

impl Write<'_> {
    /// Makes a package known, with an id where one is given. Its id.
    ///
    /// # Errors
    /// The name is none, or the id is another's.
    pub fn create_package(&mut self, stamp: &Stamp, id: Option<i64>, name: &str) -> Result<i64, Fault> {
        self.change(stamp, |change| Ok(change.lookup_or_create("package", &name.into(), id, true)?.id))
    }

    /// Lists a package in a tag, or changes how it is listed (`packageListAdd`). What changes nothing takes no event.
    ///
    /// # Errors
    /// No owner is known; it is blocked; there is nothing to update; something does not exist.
    pub fn add_package(
        &mut self,
        stamp: &Stamp,
        tag: &Key,
        package: &Key,
        update: &PackageUpdate,
    ) -> Result<(), Fault> {
        self.change(stamp, |change| change.add_package(tag, package, update))
    }

    /// Blocks a package that is listed (`packageListBlock`).
    ///
    /// # Errors
    /// It is not listed, or does not exist.
    pub fn block_package(
        &mut self,
        stamp: &Stamp,
        tag: &Key,
        package: &Key,
        force: bool,
    ) -> Result<(), Fault> {
        self.change(stamp, |change| {
            let known = change.known_tag(tag, None)?;
            let found = change.lookup_strict("package", package)?;
            if change.package_config(known.id, found.id, None)?.is_none() {
                let text = format!("Package {} is not in tag listing for {}", found.name, known.name);
                return Err(generic(text));
            }
            let update = PackageUpdate { block: Some(true), force, ..PackageUpdate::default() };
            change.add_package(tag, package, &update)
        })
    }

    /// Lifts a block (`packageListUnblock`): ends the tag's own entry, and where that is not enough makes one that is
    /// not blocked.
    ///
    /// # Errors
    /// It is not blocked, or does not exist.
    pub fn unblock_package(&mut self, stamp: &Stamp, tag: &Key, package: &Key) -> Result<(), Fault> {
        self.change(stamp, |change| change.unblock_package(tag, package))
    }

    /// Ends a tag's own entry (`packageListRemove`), if there is one; an event is taken anyhow.
    ///
    /// # Errors
    /// Tag or package do not exist.
    pub fn remove_package(&mut self, stamp: &Stamp, tag: &Key, package: &Key) -> Result<(), Fault> {
        self.change(stamp, |change| {
            let tag = change.known_tag(tag, None)?.id;
            change.end_package(tag, change.lookup_strict("package", package)?.id)
        })
    }

    /// Makes an entry whatever is there: how a history is loaded.
    ///
    /// # Errors
    /// Tag or owner do not exist.
    pub fn set_package(
        &mut self,
        stamp: &Stamp,
        tag: &Key,
        package: &Key,
        owner: &Key,
        blocked: bool,
        extra_arches: Option<&str>,
    ) -> Result<(), Fault> {
        self.change(stamp, |change| {
            let tag = change.known_tag(tag, None)?.id;
            let package = change.lookup_or_create("package", package, None, true)?.id;
            change.set_package(tag, package, change.known_user(owner)?.id, blocked, extra_arches)
        })
    }

    /// Makes an entry of an owner whatever is there: how a history is loaded.
    ///
    /// # Errors
    /// Tag, package or owner do not exist.
    pub fn set_package_owner(
        &mut self,
        stamp: &Stamp,
        tag: &Key,
        package: &Key,
        owner: &Key,
    ) -> Result<(), Fault> {
        self.change(stamp, |change| {
            let tag = change.known_tag(tag, None)?.id;
            let package = change.lookup_strict("package", package)?.id;
            change.set_owner(tag, package, change.known_user(owner)?.id)
        })
    }
}
