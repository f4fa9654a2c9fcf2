//! The selection of a lock, made again: what its trees have, and why.
//!
//! A lock says what was selected; the universe in it, or in the store, is what that was selected from. With both of them the
//! selection follows from the recipe, for which nothing else is needed: no network, no builds.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::ComposeError;
use super::inputs::RecipeFiles;
use super::{folder, lock_folder, resolve};
use crate::base::{Digest, Nevra};
use crate::format::comps::Comps;
use crate::lock::{Lock, TreeKind, TreeRef};
use crate::recipe::Recipe;
use crate::select::{Decision, Explanation, Request, Universe, explain, gather};
use crate::store::Store;

/// A universe in the store may not be larger.
const LARGEST: u64 = 4 << 30;

/// What is asked of a universe for each tree.
#[derive(Debug)]
pub struct Selection {
    /// The candidates.
    pub universe: Universe,
    trees: BTreeMap<TreeRef, (Request, Comps)>,
    /// Of each tree the one that its debugging packages go into.
    debug: BTreeMap<TreeRef, TreeRef>,
    lock: Lock,
}

impl Selection {
    /// Of a lock's folder, the selection of that lock. Of a recipe, what it would select by now from the universe of its lock,
    /// which must be there but need not fit.
    pub fn read(place: &Path, store: impl FnOnce() -> Option<Store>) -> Result<Self, ComposeError> {
        let files = if place.is_dir() { None } else { Some(RecipeFiles::read(place)?) };
        let of_lock = if files.is_some() { lock_folder(place) } else { place.to_owned() };
        let lock = folder::read(&of_lock)?.ok_or_else(|| ComposeError::NoLock(of_lock.clone()))?;
        let object = |digest| {
            let found = lock.objects.get(&digest).map(Vec::as_slice);
            found.ok_or(ComposeError::NoObject { lock: of_lock.clone(), digest })
        };
        let text;
        let recipe = match &files {
            Some(files) => &files.recipe,
            None => {
                text = String::from_utf8_lossy(object(lock.header.recipe_text)?).into_owned();
                &Recipe::parse(&text, &of_lock.display().to_string())?
            }
        };
        let (mut trees, mut debug) = (BTreeMap::new(), BTreeMap::new());
        for (id, variant) in &recipe.variants {
            for arch in &variant.arches {
                let tree = TreeRef::new(id, TreeKind::Binary(arch.name));
                debug.insert(tree.clone(), resolve::debug_tree(variant, &tree));
                let comps = match &files {
                    Some(files) => resolve::comps(files, variant)?,
                    None => comps_of(&lock, &tree, object, place)?,
                };
                trees.insert(tree, (resolve::request(variant, arch), comps));
            }
        }
        let universe = match (lock.header.universe_object, lock.header.universe_stored) {
            (Some(digest), _) => Universe::decode(object(digest)?)?,
            (None, Some(digest)) => {
                let stored = store().and_then(|store| store.read_object(&digest, LARGEST).ok());
                Universe::decode(&stored.ok_or(ComposeError::NoUniverse(digest))?)?
            }
            (None, None) => return Err(ComposeError::NoUniverse(lock.header.universe)),
        };
        Ok(Self { universe, trees, debug, lock })
    }

    /// The trees, in order.
    pub fn trees(&self) -> impl Iterator<Item = &TreeRef> {
        self.trees.keys()
    }

    /// The tree that debugging packages go into which are selected with those of a tree.
    pub fn debug_tree<'t>(&'t self, tree: &'t TreeRef) -> &'t TreeRef {
        self.debug.get(tree).unwrap_or(tree)
    }

    /// The tree that a selected package goes into, given what was decided for a tree and its debugging packages.
    pub fn tree_of<'t>(&'t self, tree: &'t TreeRef, decision: &Decision, package: &Nevra) -> &'t TreeRef {
        if decision.debug.contains_key(package) { self.debug_tree(tree) } else { tree }
    }

    /// What a tree gets, and what is wrong with that.
    pub fn decision(&self, tree: &TreeRef) -> Option<Decision> {
        self.trees.get(tree).map(|(request, comps)| gather(request, comps, &self.universe))
    }

    /// What there is to say of packages in a tree.
    pub fn explain(&self, tree: &TreeRef, pattern: &str) -> Option<Explanation> {
        self.trees.get(tree).map(|(request, comps)| explain(request, comps, &self.universe, pattern))
    }

    /// The lock whose universe this is.
    pub fn lock(&self) -> &Lock {
        &self.lock
    }
}

fn comps_of<'l>(
    lock: &Lock,
    tree: &TreeRef,
    object: impl Fn(Digest) -> Result<&'l [u8], ComposeError>,
    place: &Path,
) -> Result<Comps, ComposeError> {
    match lock.header.tree(tree).and_then(|tree| tree.comps) {
        Some(digest) => Comps::parse(object(digest)?)
            .map_err(|source| ComposeError::Comps { path: place.to_owned(), source }),
        None => Ok(Comps::default()),
    }
}
