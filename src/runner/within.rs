//! Errands: work on files that belong to the map's ids, done as root of the map.
//!
//! Root does all of this from outside. An ordinary user cannot: files of the map's other ids are somebody else's
//! there, and may be closed to everybody but their owner.

use std::error::Error;

use super::folders::with_mount_points;
use super::request::{Errand, Report};
use super::supervise;
use crate::store::{IdMap, Store};

/// Does an errand. The process has become root of the map, so ids stand for themselves; `single`: the map has one.
pub(super) fn run(errand: &Errand, single: bool) -> Result<Report, Box<dyn Error>> {
    match errand {
        Errand::Remove { folder } => crate::store::remove_tree(folder)?,
        Errand::LayOut { store, image, dest } => {
            crate::oci::lay_out(&Store::open(store)?, image, dest, &IdMap::identity())?;
        }
        Errand::Tree { store, tree, dest, as_root } => {
            let store = Store::open(store)?;
            let mut tree = store.tree(tree)?;
            if *as_root {
                tree = with_mount_points(tree)?;
            }
            if single {
                tree = supervise::flatten(tree)?;
            }
            crate::store::lay_out(&store, &tree, dest, &IdMap::identity())?;
        }
        Errand::Capture { store, folder, clamp, owners } => {
            let store = Store::open(store)?;
            let mut tree = crate::store::capture(&store, folder, &IdMap::identity(), *clamp)?;
            if let Some(owners) = owners {
                tree = supervise::owned(tree, folder, owners)?;
            }
            return Ok(Report::Captured(store.put_tree(&tree)?));
        }
    }
    Ok(Report::Exited(0))
}
