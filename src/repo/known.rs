//! Lists of packages that were read before: the store has them in gander's own form, which is read many times faster
//! than XML.
//!
//! They are kept as the result of an action: its key is made of the digests of the lists, its output the file
//! `packages`. Whatever is wrong with that (a damaged object, a form of another gander, a full disk when it is written)
//! it counts as absent and the lists are read again, so an answer depends on nothing but the lists.

use std::collections::BTreeMap;

use crate::base::canonical::Encoder;
use crate::base::{Digest, RelPath};
use crate::format::repodata::Packages;
use crate::store::{Entry, EntryKind, Store, StoreError, Tree};

const FILE: &str = "packages";
/// Bytes of the largest form that is read; CentOS Stream 9 AppStream has 34 million.
const LARGEST: u64 = 2 << 30;

/// The packages of these lists (primary, then those that were added to it): as the store has them, or else as `read`
/// reads them. The digests are those of the lists' content, packed or not, as long as it is always the same.
pub fn known_packages<E>(
    store: &Store,
    lists: &[Digest],
    read: impl FnOnce() -> Result<Packages, E>,
) -> Result<Packages, E> {
    let key = key(lists);
    if let Some(packages) = find(store, &key) {
        return Ok(packages);
    }
    let packages = read()?;
    // What cannot be kept is read again the next time.
    keep(store, &key, &packages).ok();
    Ok(packages)
}

fn key(lists: &[Digest]) -> Digest {
    let mut key = Encoder::new("gander packages 1");
    key.list(lists.len());
    for list in lists {
        key.bytes(list.as_bytes());
    }
    key.finish()
}

fn find(store: &Store, key: &Digest) -> Option<Packages> {
    let (_, tree) = store.action(key).ok()??;
    let (digest, _) = tree.file(&RelPath::new(FILE).ok()?)?;
    Packages::from_bytes(&store.read_object(&digest, LARGEST).ok()?).ok()
}

fn keep(store: &Store, key: &Digest, packages: &Packages) -> Result<(), StoreError> {
    let bytes = packages.to_bytes();
    let digest = store.put_bytes(&bytes)?;
    let kind = EntryKind::File { digest, size: bytes.len() as u64 };
    let entry = Entry { mode: 0o644, uid: 0, gid: 0, mtime: 0, xattrs: BTreeMap::new(), kind };
    let tree = RelPath::new(FILE).ok().and_then(|path| Tree::new(BTreeMap::from([(path, entry)])).ok());
    let tree = store.put_tree(&tree.unwrap_or_default())?;
    store.record_action(key, &tree)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const PRIMARY: &str = "<metadata><package><name>p</name><arch>noarch</arch><version ver='1' rel='1'/>\
        <checksum type='sha1'>da39a3ee5e6b4b0d3255bfef95601890afd80709</checksum><location href='p.rpm'/></package></metadata>";

    fn read() -> Result<Packages, String> {
        Packages::read(PRIMARY.as_bytes()).map_err(|error| error.to_string())
    }

    fn never() -> Result<Packages, String> {
        Err("read again".into())
    }

    #[test]
    fn lists_are_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let lists = [Digest::of("primary"), Digest::of("filelists")];
        assert_eq!(known_packages(&store, &lists, never).map(|_| ()), Err("read again".into()));
        let form = known_packages(&store, &lists, read).unwrap().to_bytes();
        assert_eq!(known_packages(&store, &lists, never).unwrap().to_bytes(), form);
        for others in [&lists[..1], &[lists[1], lists[0]], &[]] {
            assert!(known_packages(&store, others, never).is_err());
        }
    }

    #[test]
    fn what_does_not_fit_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let lists = [Digest::of("primary")];
        let form = known_packages(&store, &lists, read).unwrap().to_bytes();
        // Damaged, of the same length.
        let path = store.object_path(&Digest::of(&form));
        fs::remove_file(&path).unwrap();
        fs::write(&path, vec![0; form.len()]).unwrap();
        assert!(known_packages(&store, &lists, never).is_err());
        // Gone: then it is made again.
        fs::remove_file(&path).unwrap();
        assert_eq!(known_packages(&store, &lists, read).unwrap().to_bytes(), form);
        assert!(known_packages(&store, &lists, never).is_ok());
        // A form that this gander does not know.
        let old = [b"gander packages 0\n", &form[18..]].concat();
        let kind = EntryKind::File { digest: store.put_bytes(&old).unwrap(), size: old.len() as u64 };
        let entry = Entry { mode: 0o644, uid: 0, gid: 0, mtime: 0, xattrs: BTreeMap::new(), kind };
        let tree = Tree::new(BTreeMap::from([(RelPath::new(FILE).unwrap(), entry)])).unwrap();
        store.record_action(&key(&lists), &store.put_tree(&tree).unwrap()).unwrap();
        assert!(known_packages(&store, &lists, never).is_err());
        assert!(known_packages(&store, &lists, read).is_ok());
        assert!(known_packages(&store, &lists, never).is_ok());
    }
}
