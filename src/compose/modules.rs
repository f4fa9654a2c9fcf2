//! Modules of the repositories and tags that a recipe takes packages from: what is active, and what the composed repositories say
//! of them.

use std::collections::{BTreeMap, BTreeSet};

use super::contents::Selected;
use super::error::ComposeError;
use super::execute::Session;
use super::inputs::RecipeFiles;
use super::koji;
use super::repositories::Place;
use crate::base::{Digest, Nevra};
use crate::format::modulemd::{Content, Document, Modules};
use crate::lock::Header;
use crate::recipe::{ModuleChoice, Origin};
use crate::rpm::{Headers, tags};
use crate::select::{Visible, carried, visible};

/// What is kept of modules until packages are selected.
#[derive(Clone, Debug, Default)]
pub(super) struct Modular {
    documents: Vec<Document>,
    artifacts: BTreeSet<Nevra>,
}

/// What a recipe asks for, and the modules of its sources.
#[derive(Debug)]
pub(super) struct Asked<'o> {
    choices: Vec<ModuleChoice>,
    repositories: Vec<&'o Modules>,
    tags: Vec<Modules>,
}

/// Puts together what a recipe asks for and what its repositories and tags have.
pub(super) fn of<'o>(
    session: &Session<'_>,
    files: &RecipeFiles,
    repositories: &'o [Place<'_>],
    tags: &[koji::Opened<'_>],
) -> Result<Asked<'o>, ComposeError> {
    let choices = files.recipe.sources.iter().flat_map(|source| match &source.origin {
        Origin::Repo(repo) => repo.modules.as_slice(),
        Origin::Koji(koji) => koji.modules.as_slice(),
        Origin::Build(_) | Origin::Dir(_) => &[],
    });
    let choices = choices.cloned().collect();
    let repositories = repositories.iter().map(|(.., opened)| &opened.modules).collect();
    let tags = tags.iter().map(|tag| koji::modules(session, files, tag)).collect::<Result<_, _>>()?;
    Ok(Asked { choices, repositories, tags })
}

impl Asked<'_> {
    /// Decides which packages are seen, and says so.
    pub(super) fn visible(
        &self,
        session: &Session<'_>,
        files: &RecipeFiles,
        tags: &[koji::Opened<'_>],
    ) -> Result<Visible<'_>, ComposeError> {
        let modules: Vec<&Modules> = self.repositories.iter().copied().chain(&self.tags).collect();
        let visible = visible(&modules, &self.choices)
            .map_err(|problems| ComposeError::Modules(problems.iter().map(ToString::to_string).collect()))?;
        let unnamed = koji::unnamed(files, tags, &visible, &self.repositories);
        if !unnamed.is_empty() {
            return Err(ComposeError::Modules(unnamed));
        }
        tell(session, &visible);
        Ok(visible)
    }
}

/// Says which streams are active, and which default ones are not.
fn tell(session: &Session<'_>, visible: &Visible<'_>) {
    for (arch, streams) in &visible.active {
        session.note(format!("note: active modules for {arch}: {}", streams.join(", ")));
    }
    for stream in &visible.unmet {
        session.note(format!(
            "warning: {stream} is the default stream of its module, but not active: what it needs is not"
        ));
    }
}

/// Puts what the composed repositories say of modules into the lock.
pub(super) fn carry(
    modular: &Modular,
    selected: &Selected,
    header: &mut Header,
    objects: &mut BTreeMap<Digest, Vec<u8>>,
) {
    for tree in &mut header.trees {
        let name = tree.name();
        let has = |nevra: &Nevra| {
            let trees = selected.get(nevra);
            trees.is_some_and(|trees| trees.contains_key(&name))
        };
        tree.modules = carried(&modular.documents, has).map(|text| {
            let digest = Digest::of(&text);
            objects.insert(digest, text.into_bytes());
            digest
        });
    }
}

impl Modular {
    /// Keeps what is needed after the repositories are closed.
    pub(super) fn of(visible: &Visible<'_>) -> Self {
        let documents: Vec<Document> = visible.documents.iter().copied().cloned().collect();
        let streams = documents.iter().filter_map(|document| match &document.content {
            Content::Stream(stream) => Some(&stream.artifacts),
            _ => None,
        });
        let artifacts = streams.flatten().cloned().collect();
        Self { documents, artifacts }
    }

    /// Whether a package is none of a module, by its header, or one of an active stream: without the metadata of its
    /// stream dnf installs none.
    pub(super) fn explains(&self, headers: &Headers, nevra: &Nevra) -> bool {
        headers.main.find(tags::MODULARITYLABEL).is_none() || self.artifacts.contains(nevra)
    }
}
