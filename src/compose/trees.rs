//! What the variants of a recipe ask of a selection, for those who select: a new lock, and whoever asks about one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::ComposeError;
use super::resolve;
use crate::format::comps::Comps;
use crate::recipe::{Recipe, Variant};
use crate::select::{VariantRequest, Variants};

/// The variants of a recipe, each with what `comps` has for it.
pub(super) fn variants(
    recipe: &Recipe,
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
                .map(|arch| (arch.name, resolve::request(id, variant, arch)))
                .collect(),
        };
        all.insert(id.clone(), request);
    }
    Ok(Variants::new(all)?)
}
