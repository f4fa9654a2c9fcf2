//! Modules of the repositories and tags that a recipe takes packages from: what is active, and what the composed repositories say
//! of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::contents::Selected;
use super::error::ComposeError;
use super::execute::Session;
use super::inputs::RecipeFiles;
use super::koji;
use super::repositories::Place;
use crate::base::arch::TreeArch;
use crate::base::{Digest, Nevra};
use crate::format::modulemd::{Content, Document, Modules, Stream};
use crate::lock::{Header, TreeKind};
use crate::recipe::{KojiSource, ModuleChoice, Origin, Recipe};
use crate::rpm::{Headers, tags};
use crate::select::{ModularProblem, Streams, Visible, carried, visible};

/// What is kept of modules until packages are selected.
#[derive(Clone, Debug, Default)]
pub(super) struct Modular {
    documents: Vec<Document>,
    artifacts: BTreeSet<Nevra>,
    /// Where variants name modules, what they can choose among.
    pub(super) streams: Arc<Streams>,
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

/// The streams that a tag is asked for: those that its source names, and those that variants do.
pub(super) fn of_tag(recipe: &Recipe, koji: &KojiSource) -> Vec<ModuleChoice> {
    let mut all = koji.modules.clone();
    for choice in recipe.named_modules() {
        if !all.contains(choice) {
            all.push(choice.clone());
        }
    }
    all
}

impl Asked<'_> {
    /// Decides which packages are seen, and says so.
    pub(super) fn visible(
        &self,
        session: &Session<'_>,
        files: &RecipeFiles,
        tags: &[koji::Opened<'_>],
    ) -> Result<(Visible<'_>, Streams), ComposeError> {
        let modules: Vec<&Modules> = self.repositories.iter().copied().chain(&self.tags).collect();
        let told = |problems: BTreeSet<ModularProblem>| {
            ComposeError::Modules(problems.iter().map(ToString::to_string).collect())
        };
        let named: Vec<ModuleChoice> = files.recipe.named_modules().cloned().collect();
        let mut visible = visible(&modules, &self.choices).map_err(told)?;
        let streams = match named.is_empty() {
            true => Streams::default(),
            false => visible.name(&modules, &named).map_err(told)?,
        };
        let unnamed = koji::unnamed(files, tags, &visible, &self.repositories);
        if !unnamed.is_empty() {
            return Err(ComposeError::Modules(unnamed));
        }
        tell(session, &visible);
        Ok((visible, streams))
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

/// Puts what the composed repositories say of modules into the lock, and what the selection knows of them where variants
/// name some.
pub(super) fn carry(
    files: &RecipeFiles,
    modular: &Modular,
    selected: &Selected,
    header: &mut Header,
    objects: &mut BTreeMap<Digest, Vec<u8>>,
) -> Result<(), ComposeError> {
    if *modular.streams != Streams::default() {
        let bytes = modular.streams.to_json()?;
        let digest = Digest::of(&bytes);
        header.streams = Some(digest);
        objects.insert(digest, bytes);
    }
    for tree in &mut header.trees {
        let name = tree.name();
        let has = |nevra: &Nevra| {
            let trees = selected.get(nevra);
            trees.is_some_and(|trees| trees.contains_key(&name))
        };
        let arch = if let TreeKind::Binary(arch) = tree.kind() { TreeArch::find(arch) } else { None };
        let variant = files.recipe.variants.get(&tree.variant);
        let choices = arch.zip(variant).map(|(arch, variant)| (arch, variant.modules_of(arch)));
        let named = |module: &str, stream: &Stream| {
            let means = |(arch, choices): &(&TreeArch, Vec<ModuleChoice>)| {
                modular.streams.is_for(choices, arch, module, stream)
            };
            choices.as_ref().is_some_and(means)
        };
        tree.modules = carried(&modular.documents, has, named).map(|text| {
            let digest = Digest::of(&text);
            objects.insert(digest, text.into_bytes());
            digest
        });
    }
    Ok(())
}

impl Modular {
    /// Keeps what is needed after the repositories are closed.
    pub(super) fn of(visible: &Visible<'_>, streams: Streams) -> Self {
        let documents: Vec<Document> = visible.documents.iter().copied().cloned().collect();
        let builds = documents.iter().filter_map(|document| match &document.content {
            Content::Stream(stream) => Some(&stream.artifacts),
            _ => None,
        });
        let artifacts = builds.flatten().cloned().collect();
        Self { documents, artifacts, streams: Arc::new(streams) }
    }

    /// Whether a package is none of a module, by its header, or one of an active stream: without the metadata of its
    /// stream dnf installs none.
    pub(super) fn explains(&self, headers: &Headers, nevra: &Nevra) -> bool {
        headers.main.find(tags::MODULARITYLABEL).is_none() || self.artifacts.contains(nevra)
    }
}
