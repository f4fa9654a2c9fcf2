//! What the variants of a recipe ask of a selection, for those who select: a new lock, and whoever asks about one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::ComposeError;
use super::resolve;
use crate::base::arch::TreeArch;
use crate::format::comps::{Comps, Extent};
use crate::recipe::{Recipe, Variant};
use crate::select::{Streams, VariantRequest, Variants};

/// The variants of a recipe, each with what `comps` has for it, and the streams that modules have.
pub(super) fn variants(
    recipe: &Recipe,
    streams: &Arc<Streams>,
    comps: impl Fn(&str, &Variant) -> Result<Comps, ComposeError>,
) -> Result<Variants, ComposeError> {
    let mut all = BTreeMap::new();
    for (id, variant) in &recipe.variants {
        let request = VariantRequest {
            kind: variant.family.kind,
            parent: variant.family.parent.clone(),
            lookaside: variant.family.lookaside.clone(),
            comps: Arc::new(comps(id, variant)?),
            trees: variant
                .arches
                .iter()
                .map(|arch| (arch.name, resolve::request(id, variant, arch, streams)))
                .collect(),
        };
        all.insert(id.clone(), request);
    }
    Ok(Variants::new(all)?)
}

/// The comps of a tree's repository: the groups and environments that the variant names; all of them where it stands alone
/// and names none.
pub(super) fn comps(recipe: &Recipe, id: &str, arch: &'static TreeArch, comps: &Comps) -> Comps {
    let mut extent = Extent { arch: arch.name, variant: id, ..Extent::default() };
    let Some(variant) = recipe.variants.get(id) else { return comps.for_tree(&extent) };
    let named = |id, variant| resolve::groups(id, variant, arch).named(comps);
    let (groups, environments) = named(id, variant);
    if variant.family.parent.is_some() || !groups.is_empty() || !environments.is_empty() {
        (extent.groups, extent.environments) = (Some(groups), Some(environments));
    } else if !variant.modules_of(arch).is_empty() {
        // Pungi 4.3.6 takes all groups of the file as a variant's own only where it names no modules either.
        extent.groups = Some(groups);
    }
    for other in variant.family.parent.iter().chain(&variant.family.lookaside) {
        if let Some(of) = recipe.variants.get(other) {
            extent.beside.extend(named(other, of).0);
        }
    }
    comps.for_tree(&extent)
}
