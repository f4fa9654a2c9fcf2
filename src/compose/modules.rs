//! Modules of the repositories that a recipe takes packages from: what is active, and what the composed repositories say
//! of them.

use std::collections::{BTreeMap, BTreeSet};

use super::contents::Selected;
use super::execute::Session;
use crate::base::{Digest, Nevra};
use crate::format::modulemd::{Content, Document, Modules};
use crate::lock::{Header, TreeRef};
use crate::recipe::{ModuleChoice, RepoSource};
use crate::repo::open::Opened;
use crate::rpm::{Headers, tags};
use crate::select::{Visible, carried};

/// What is kept of modules until packages are selected.
#[derive(Clone, Debug, Default)]
pub(super) struct Modular {
    documents: Vec<Document>,
    artifacts: BTreeSet<Nevra>,
}

/// What a recipe asks for, and the modules of its repositories.
pub(super) fn asked<'o>(opened: &'o [(usize, &RepoSource, Opened)]) -> (Vec<ModuleChoice>, Vec<&'o Modules>) {
    let choices = opened.iter().flat_map(|(_, repo, _)| &repo.modules).cloned();
    (choices.collect(), opened.iter().map(|(.., opened)| &opened.modules).collect())
}

/// Says which streams are active, and which default ones are not.
pub(super) fn tell(session: &Session<'_>, visible: &Visible<'_>) {
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
        let name = TreeRef { variant: tree.variant.clone(), arch: tree.arch.clone() };
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
