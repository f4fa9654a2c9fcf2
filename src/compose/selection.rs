//! The selection of a lock, made again: what its trees have, and why.
//!
//! A lock says what was selected; the universe in it, or in the store, is what that was selected from. With both of them the
//! selection follows from the recipe, for which nothing else is needed: no network, no builds.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::error::ComposeError;
use super::inputs::RecipeFiles;
use super::{folder, lock_folder, resolve, trees};
use crate::base::{Digest, Nevra};
use crate::format::comps::Comps;
use crate::lock::{Lock, TreeRef};
use crate::recipe::Recipe;
use crate::select::{Absence, Decision, Explanation, Request, Streams, Universe, VariantTree, Variants};
use crate::store::Store;

/// A universe in the store may not be larger.
const LARGEST: u64 = 4 << 30;

/// What is asked of a universe for each tree.
#[derive(Debug)]
pub struct Selection {
    /// The candidates.
    pub universe: Universe,
    variants: Variants,
    /// Who depends on others is decided on with all of them, once.
    decided: OnceCell<BTreeMap<TreeRef, VariantTree>>,
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
        let streams = match lock.header.streams {
            Some(digest) => Streams::from_json(object(digest)?)?,
            None => Streams::default(),
        };
        let variants = trees::variants(recipe, &Arc::new(streams), |id, variant| match &files {
            Some(files) => resolve::comps(files, variant),
            None => comps_of(&lock, id, object, place),
        })?;
        let universe = match (lock.header.universe_object, lock.header.universe_stored) {
            (Some(digest), _) => Universe::decode(object(digest)?)?,
            (None, Some(digest)) => {
                let stored = store().and_then(|store| store.read_object(&digest, LARGEST).ok());
                Universe::decode(&stored.ok_or(ComposeError::NoUniverse(digest))?)?
            }
            (None, None) => return Err(ComposeError::NoUniverse(lock.header.universe)),
        };
        Ok(Self { universe, variants, decided: OnceCell::new(), lock })
    }

    /// The trees, in order.
    pub fn trees(&self) -> impl Iterator<Item = TreeRef> {
        let tree = |id: &String, arch: &str| TreeRef { variant: id.clone(), arch: arch.into() };
        self.variants
            .iter()
            .flat_map(move |(id, variant)| variant.trees.keys().map(move |arch| tree(id, arch)))
    }

    fn decided(&self, tree: &TreeRef) -> Option<&VariantTree> {
        let decide = || {
            let all = self.variants.gather(&self.universe).into_iter();
            all.map(|((variant, arch), tree)| (TreeRef { variant, arch: arch.into() }, tree)).collect()
        };
        self.decided.get_or_init(decide).get(tree)
    }

    /// What a tree asks for, with what comes from other variants, and the comps that it looks groups up in.
    pub fn asked(&self, tree: &TreeRef) -> Option<(&Request, &Comps)> {
        self.decided(tree).map(|found| (&found.request, &*found.comps))
    }

    /// The tree that debugging packages go into which are selected with those of a tree.
    pub fn debug_tree(&self, tree: &TreeRef) -> TreeRef {
        let variant = self.variants.iter().find(|(id, _)| **id == tree.variant);
        let asked = variant.and_then(|(_, variant)| variant.trees.get(tree.arch.as_str()));
        tree.of_debug(asked.is_some_and(|asked| asked.debug))
    }

    /// The tree that a selected package goes into, given what was decided for a tree and its debugging packages.
    pub fn tree_of(&self, tree: &TreeRef, decision: &Decision, package: &Nevra) -> TreeRef {
        if decision.debug.contains_key(package) { self.debug_tree(tree) } else { tree.clone() }
    }

    /// What a tree gets, and what is wrong with that.
    pub fn decision(&self, tree: &TreeRef) -> Option<Decision> {
        self.decided(tree).map(|found| found.decision.clone())
    }

    /// What there is to say of packages in a tree.
    pub fn explain(&self, tree: &TreeRef, pattern: &str) -> Option<Explanation> {
        if self.variants.is_alone(&tree.variant) {
            return self.variants.explain_alone(&tree.variant, &tree.arch, &self.universe, pattern);
        }
        self.decided(tree).map(|found| found.explain(&self.universe, pattern))
    }

    /// Why packages are not in a tree; none where there is no such tree.
    pub fn absent(&self, tree: &TreeRef, means: &dyn Fn(&Nevra) -> bool) -> Option<BTreeMap<Nevra, Absence>> {
        self.decided(tree).map(|found| found.explain_those(&self.universe, means).absent)
    }

    /// The lock whose universe this is.
    pub fn lock(&self) -> &Lock {
        &self.lock
    }
}

fn comps_of<'l>(
    lock: &Lock,
    variant: &str,
    object: impl Fn(Digest) -> Result<&'l [u8], ComposeError>,
    place: &Path,
) -> Result<Comps, ComposeError> {
    let mut of_variant = lock.header.trees.iter().filter(|tree| tree.variant == variant);
    match of_variant.find_map(|tree| tree.comps_source.or(tree.comps)) {
        Some(digest) => Comps::parse(object(digest)?)
            .map_err(|source| ComposeError::Comps { path: place.to_owned(), source }),
        None => Ok(Comps::default()),
    }
}
