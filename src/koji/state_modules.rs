//! Builds of modules that a tag has, and the packages of the streams that are asked for: as Pungi (4.3.6) takes them
//! with `pkgset_koji_module_tag`.
//!
//! - Of each module and stream those builds count that the first tag in the walk of the inheritance has, and of these the
//!   latest version in all its contexts. Koji's own `latest` knows modules, but not their streams.
//! - A build of a module has no RPMs: they are those of its content tag, at the same event and without inheritance.
//! - What a build has to say of its packages is in its files `modulemd.ARCH.txt`; `modulemd_str`, which comes with the
//!   build, is from before packages were known, unless the build is an old one.

use std::collections::{BTreeMap, BTreeSet};

use super::error::FaultKind;
use super::query::{Latest, Tagged};
use super::rows;
use super::snapshot::{Build, Module, Modulemd, Package, Snapshot};
use super::state::{Asking, TagError, take};
use crate::base::Digest;
use crate::recipe::ModuleChoice;

impl Asking<'_> {
    /// Builds of modules that the tag lists. A hub whose administrators never added that kind of build refuses to list
    /// it, and has none.
    pub(super) async fn listed_modules(&self) -> Result<Vec<rows::Build>, TagError> {
        let which = Tagged { kind: Some("module".into()), latest: Latest::All, ..self.tagged() };
        match self.hub.tagged_builds(self.tag, &which).await {
            Err(error) if matches!(error.fault(), Some((FaultKind::Generic, _))) => Ok(Vec::new()),
            rows => Ok(rows?),
        }
    }

    /// Takes in the builds of modules that count; with choices also what they say of themselves, and what the content
    /// tags of those that are named have.
    pub(super) async fn modules(
        &self,
        rows: Vec<rows::Build>,
        snapshot: &mut Snapshot,
    ) -> Result<(), TagError> {
        let parents = snapshot.links.iter().map(|link| link.parent);
        let walk: Vec<i64> = std::iter::once(self.tag).chain(parents).collect();
        let choices = self.question.modules;
        let latest = latest(rows, &walk, choices);
        let ids: Vec<i64> = latest.iter().map(|row| row.build_id).collect();
        let builds = self.hub.builds(&ids).await?;
        let mut wanted = Vec::new();
        for (row, build) in latest.into_iter().zip(builds) {
            let build = build.filter(|build| build.build_id == row.build_id);
            let module = build.as_ref().and_then(rows::Build::module).ok_or_else(|| {
                TagError::Contradiction(format!(
                    "{} is the build of a module, but which one is not said",
                    row.nvr
                ))
            })?;
            if !choices.is_empty() {
                let text = build.as_ref().and_then(|build| build.info()?.modulemd_str.as_deref());
                snapshot.modulemd.extend(own_words(&module, text)?);
            }
            if choices.iter().any(|choice| names(choice, &module)) {
                wanted.push(module.clone());
            }
            snapshot.modules.push(module);
            snapshot.taggings.extend(row.tagging());
            snapshot.builds.push(Build::from(row));
        }
        if !choices.is_empty() {
            self.files(snapshot).await?;
        }
        self.content(&wanted, snapshot).await
    }

    /// The files in which builds say what they are; their texts are not among a hub's answers.
    async fn files(&self, snapshot: &mut Snapshot) -> Result<(), TagError> {
        let ids: Vec<i64> = snapshot.modules.iter().map(|module| module.build).collect();
        for (id, rows) in ids.iter().zip(self.hub.archives(&ids, "module").await?) {
            let files = rows.into_iter().filter_map(rows::Archive::modulemd);
            snapshot.modulemd.extend(files.filter(|file| file.build == *id));
        }
        Ok(())
    }

    /// What the content tags of these builds have.
    async fn content(&self, modules: &[Module], snapshot: &mut Snapshot) -> Result<(), TagError> {
        let modules: BTreeMap<&str, &Module> =
            modules.iter().map(|module| (module.content_tag.as_str(), module)).collect();
        let names: Vec<&str> = modules.keys().copied().collect();
        let mut tags = Vec::new();
        for ((tag, module), row) in modules.into_iter().zip(self.hub.tags(&names, Some(self.event)).await?) {
            tags.push(row.ok_or_else(|| {
                let (module, tag) = (module.nsvc(), tag.to_owned());
                TagError::NoContent { module, tag, event: self.event }
            })?);
        }
        let ids: Vec<i64> = tags.iter().map(|tag| tag.id).collect();
        let which = Tagged { inherit: false, latest: Latest::One, ..self.tagged() };
        let (packages, lists) = tokio::try_join!(
            self.hub.own_packages(&ids, Some(self.event)),
            self.hub.tags_rpms(&ids, &which)
        )?;
        for list in lists {
            take(snapshot, list)?;
        }
        snapshot.packages.extend(packages.into_iter().flatten().map(Package::from));
        snapshot.tags.extend(tags.into_iter().map(Into::into));
        Ok(())
    }
}

/// Whether a choice names a build.
fn names(choice: &ModuleChoice, module: &Module) -> bool {
    choice.module == module.name
        && choice.stream.as_ref() == Some(&module.stream)
        && choice.admits(module.version.parse().unwrap_or(0), &module.context)
}

/// What a build says of itself without files.
fn own_words(module: &Module, text: Option<&str>) -> Result<Option<Modulemd>, TagError> {
    let Some(text) = text else { return Ok(None) };
    if text.len() as u64 > Modulemd::LARGEST {
        let text = format!("the modulemd of {} has {} bytes", module.nsvc(), text.len());
        return Err(TagError::Contradiction(text));
    }
    let size = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let (build, sha256) = (module.build, Digest::of(text).hex());
    Ok(Some(Modulemd { build, size, sha256, text: text.to_owned(), ..Modulemd::default() }))
}

/// The builds that count, by the order of the tags; where one build of a stream is asked for and there, that one.
fn latest(rows: Vec<rows::Build>, walk: &[i64], choices: &[ModuleChoice]) -> Vec<rows::Build> {
    // Module and stream as Koji has them: a `-` in a stream is a `_` there.
    let mut streams: BTreeMap<(String, String), Vec<rows::Build>> = BTreeMap::new();
    for row in rows {
        let key = (row.package_name.to_string(), row.version.to_string());
        streams.entry(key).or_default().push(row);
    }
    let mut found = Vec::new();
    for ((name, stream), mut rows) in streams {
        let about = |choice: &&ModuleChoice| {
            let named = choice.stream.as_ref().map(|stream| stream.replace('-', "_"));
            choice.module == name && choice.version.is_some() && named.as_deref() == Some(&stream)
        };
        let one: Vec<&ModuleChoice> = choices.iter().filter(about).collect();
        let admitted = |row: &rows::Build| {
            let (version, context) = row.version_and_context();
            !one.is_empty() && one.iter().all(|choice| choice.admits(version, context))
        };
        if rows.iter().any(admitted) {
            rows.retain(admitted);
        }
        let place =
            |row: &rows::Build| row.tag_id.and_then(|tag| walk.iter().position(|known| *known == tag));
        let place = |row: &rows::Build| place(row).unwrap_or(usize::MAX);
        let first = rows.iter().map(place).min();
        rows.retain(|row| Some(place(row)) == first);
        let last = rows.iter().map(|row| row.version_and_context().0).max();
        rows.retain(|row| Some(row.version_and_context().0) == last);
        let mut seen = BTreeSet::new();
        found.extend(rows.into_iter().filter(|row| seen.insert(row.build_id)));
    }
    found
}
