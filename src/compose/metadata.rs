//! `compose/metadata/` of a compose: `composeinfo.json` and `rpms.json`, from the lock alone.
//!
//! - The release is of type `ga`, the compose a production one; variants have no names but their ids. Those in others have
//!   the id after the parent's as their own, the whole as their uid, by which folders are named.
//! - An addon's repository and packages lie in the trees of its parent, below `addons/ID`, its packages in `Packages` there
//!   (Pungi has them beside its `repodata`).
//! - A source package stands in `rpms.json` under each arch of its variant that has binaries of it; one without
//!   any stands under every arch. A binary package names its source by a file name without an epoch; the epoch is
//!   that of the source package where the universe has it, else the binary's own.
//! - A package is of the category `debug` when its name says so, in whichever tree it is.
//! - `sigkey` is that of the first key that the lock wants; null for a package that is shipped as it is, even where
//!   it came signed.
//! - Without the universe in the lock nothing tells the source of a binary, so there is no `rpms.json`.

use std::collections::{BTreeMap, BTreeSet};

use super::error::ComposeError;
use crate::base::{Nevra, RelPath};
use crate::format::productmd::{
    Category, Compose, ComposeInfo, ComposeType, PathKind, Product, Release, ReleaseType, Rpm, Rpms, SigKey,
    Variant, VariantType,
};
use crate::lock::{Header, InnerVariant, Lock, LockError, MediumRef, Tree, TreeKind, TreeRef};
use crate::repo;
use crate::select::{Universe, is_debug_name};

/// The folder of a compose that other paths of its metadata are relative to.
pub(super) const FOLDER: &str = "compose";

/// The files of `compose/metadata/` by name.
pub(super) fn files(lock: &Lock) -> Result<BTreeMap<&'static str, Vec<u8>>, ComposeError> {
    let mut files = BTreeMap::from([("composeinfo.json", compose_info(lock)?.to_bytes()?)]);
    if let Some(stored) = lock.header.universe_object.and_then(|digest| lock.objects.get(&digest)) {
        files.insert("rpms.json", rpms(lock, &Universe::decode(stored)?)?.to_bytes()?);
    }
    Ok(files)
}

/// Whether there can be metadata of what a lock makes, found out before anything runs.
pub(super) fn check(lock: &Lock) -> Result<(), ComposeError> {
    Ok(compose_info(lock)?.check()?)
}

/// The compose that a lock makes.
pub(super) fn identity(header: &Header) -> Compose {
    Compose::new(&product(header), None, &header.source_date.compact_date(), ComposeType::Production, 0)
}

fn product(header: &Header) -> Product {
    let release = header.release.clone();
    Product { name: release.name, short: release.short, version: release.version, kind: ReleaseType::Ga }
}

/// Where a tree lies below `compose/`: where the lock says, else as Pungi lays composes out, an addon within its parent's.
pub(super) fn tree_path(header: &Header, tree: &TreeRef) -> Result<RelPath, ComposeError> {
    let os_path = os_path(header, tree)?;
    match inner(header, &tree.variant)? {
        Some((VariantType::Addon, addon)) => {
            Ok(os_path.join(&format!("addons/{}", addon.own_id().map_err(of_lock)?))?)
        }
        _ => Ok(os_path),
    }
}

/// Where a package lies in its tree; none for a name that is no file's.
pub(super) fn package_path(header: &Header, tree: &TreeRef, nevra: &Nevra) -> Option<RelPath> {
    let tree = header.tree(tree);
    let hashed = tree.is_none_or(|tree| tree.hashed);
    match tree.filter(|tree| tree.folder.is_some()) {
        None => repo::package_path(nevra, hashed),
        Some(tree) => {
            let place = repo::package_place(nevra, hashed)?;
            tree.packages.as_ref().map_or(Some(place.clone()), |folder| folder.join(place.as_str()).ok())
        }
    }
}

/// The folder of a tree's packages, below `compose/`.
fn packages_folder(tree: &Tree, path: &RelPath) -> Result<RelPath, ComposeError> {
    Ok(match (&tree.folder, &tree.packages) {
        (None, _) => path.join("Packages")?,
        (Some(_), Some(within)) => path.join(within.as_str())?,
        (Some(_), None) => path.clone(),
    })
}

/// Where the installable tree lies that a tree is or is in.
fn os_path(header: &Header, tree: &TreeRef) -> Result<RelPath, ComposeError> {
    if let Some(folder) = header.tree(tree).and_then(|tree| tree.folder.clone()) {
        return Ok(folder);
    }
    let variant = match inner(header, &tree.variant)? {
        Some((VariantType::Addon, addon)) => &addon.parent,
        _ => &tree.variant,
    };
    Ok(RelPath::new(match tree.kind() {
        TreeKind::Binary(arch) => format!("{variant}/{arch}/os"),
        TreeKind::Debug(arch) => format!("{variant}/{arch}/debug/tree"),
        TreeKind::Source => format!("{variant}/source/tree"),
    })?)
}

/// What the lock has of a variant that is in another one.
fn inner<'h>(header: &'h Header, id: &str) -> Result<Option<(VariantType, &'h InnerVariant)>, ComposeError> {
    let found = header.variants.iter().find(|found| found.id == id);
    found.map(|found| Ok((found.kind().map_err(of_lock)?, found))).transpose()
}

/// The addons within a tree: their own ids and trees.
pub(super) fn addons<'h>(
    header: &'h Header,
    tree: &TreeRef,
) -> Result<Vec<(&'h str, TreeRef)>, ComposeError> {
    let mut addons = Vec::new();
    for found in header.variants.iter().filter(|found| found.parent == tree.variant) {
        let own = TreeRef { variant: found.id.clone(), arch: tree.arch.clone() };
        let is_there = header.trees.iter().any(|tree| tree.variant == own.variant && tree.arch == own.arch);
        if found.kind().map_err(of_lock)? == VariantType::Addon && is_there {
            addons.push((found.own_id().map_err(of_lock)?, own));
        }
    }
    Ok(addons)
}

fn of_lock(source: LockError) -> ComposeError {
    ComposeError::Lock { path: "lock.toml".into(), source }
}

/// Where a medium lies below `compose/`, named as Pungi names images.
pub(super) fn image_path(header: &Header, medium: &MediumRef) -> Result<RelPath, ComposeError> {
    let id = identity(header).id;
    let MediumRef { variant, arch, name } = medium;
    Ok(image_folder(variant, arch)?.join(&format!("{id}-{variant}-{arch}-{name}1.iso"))?)
}

fn image_folder(variant: &str, arch: &str) -> Result<RelPath, ComposeError> {
    Ok(RelPath::new(format!("{variant}/{arch}/iso"))?)
}

/// The file with the certificates of the keys that sign metadata, as trees and media have it: its name and its bytes.
pub(super) fn key_file(lock: &Lock) -> Option<(String, Vec<u8>)> {
    let header = &lock.header;
    let certificate = |key: &str| {
        let known = header.keys.iter().find(|known| known.fingerprint == key)?;
        lock.objects.get(&known.certificate).cloned()
    };
    let certificates: Vec<_> = header.metadata_keys().filter_map(certificate).collect();
    let name = format!("RPM-GPG-KEY-{}", header.release.short);
    (!certificates.is_empty()).then(|| (name, certificates.concat()))
}

/// The arches of each variant.
fn arches(header: &Header) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut arches: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for tree in &header.trees {
        if let TreeKind::Binary(arch) = tree.kind() {
            arches.entry(&tree.variant).or_default().insert(arch);
        }
    }
    arches
}

fn compose_info(lock: &Lock) -> Result<ComposeInfo, ComposeError> {
    let filled: BTreeSet<&TreeRef> =
        lock.packages.0.values().flat_map(|package| package.trees.keys()).collect();
    let mut variants = BTreeMap::new();
    for (id, arches) in arches(&lock.header) {
        let mut paths: BTreeMap<PathKind, BTreeMap<String, RelPath>> = BTreeMap::new();
        for arch in &arches {
            let mut tree = |kind: TreeKind<'_>, kinds: [PathKind; 3]| -> Result<(), ComposeError> {
                let tree = TreeRef::new(id, kind);
                let Some(of_lock) = lock.header.tree(&tree) else { return Ok(()) };
                let path = tree_path(&lock.header, &tree)?;
                let packages = filled.contains(&tree).then(|| packages_folder(of_lock, &path)).transpose()?;
                let places = [Some(os_path(&lock.header, &tree)?), Some(path), packages];
                for (kind, path) in kinds.into_iter().zip(places) {
                    if let Some(path) = path {
                        paths.entry(kind).or_default().insert((*arch).into(), path);
                    }
                }
                Ok(())
            };
            let os = [PathKind::OsTree, PathKind::Repository, PathKind::Packages];
            let debug = [PathKind::DebugTree, PathKind::DebugRepository, PathKind::DebugPackages];
            let source = [PathKind::SourceTree, PathKind::SourceRepository, PathKind::SourcePackages];
            tree(TreeKind::Binary(arch), os)?;
            tree(TreeKind::Debug(arch), debug)?;
            tree(TreeKind::Source, source)?;
            if lock.header.media.iter().any(|medium| medium.variant == id && medium.arch == *arch) {
                let path = image_folder(id, arch)?;
                paths.entry(PathKind::Isos).or_default().insert((*arch).into(), path);
            }
        }
        let inner = inner(&lock.header, id)?;
        let own_id = inner.map_or(Ok(id), |(_, found)| found.own_id().map_err(of_lock))?;
        let variant = Variant {
            id: own_id.into(),
            uid: id.into(),
            name: own_id.into(),
            kind: inner.map_or(VariantType::Variant, |(kind, _)| kind),
            arches: arches.into_iter().map(str::to_owned).collect(),
            paths,
            release: inner.and_then(|(_, found)| layered(found)),
            variants: BTreeMap::new(),
        };
        variants.insert(id.into(), variant);
    }
    for found in &lock.header.variants {
        if let Some(variant) = variants.remove(&found.id) {
            let absent = || of_lock(LockError::Header(format!("it lacks the trees of '{}'", found.parent)));
            let parent = variants.get_mut(&found.parent).ok_or_else(absent)?;
            parent.variants.insert(variant.id.clone(), variant);
        }
    }
    let release = Release { product: product(&lock.header), internal: false };
    Ok(ComposeInfo { compose: identity(&lock.header), release, base_product: None, variants })
}

/// What a layered product releases.
fn layered(variant: &InnerVariant) -> Option<Release> {
    let release = variant.release.clone()?;
    let product =
        Product { name: release.name, short: release.short, version: release.version, kind: ReleaseType::Ga };
    Some(Release { product, internal: false })
}

fn rpms(lock: &Lock, universe: &Universe) -> Result<Rpms, ComposeError> {
    let mut source_of: BTreeMap<&Nevra, &str> = BTreeMap::new();
    let mut by_file: BTreeMap<String, &Nevra> = BTreeMap::new();
    for member in universe.members() {
        if let Some(source) = member.source() {
            source_of.insert(member.nevra(), source);
        } else if member.nevra().is_source() {
            by_file.insert(member.nevra().file_name(), member.nevra());
        }
    }
    let arches = arches(&lock.header);
    let mut rpms = Rpms { compose: identity(&lock.header), rpms: BTreeMap::new() };
    let mut sources = Vec::new();
    for (nevra, package) in &lock.packages.0 {
        let sigkey = package.keys.first().and_then(|key| sigkey(key));
        for tree in package.trees.keys() {
            let unknown = || ComposeError::NoOutput { step: tree.to_string(), path: nevra.to_string() };
            let place = package_path(&lock.header, tree, nevra).ok_or_else(unknown)?;
            let path = tree_path(&lock.header, tree)?.join(place.as_str())?;
            let rpm = |category| Rpm { category, path, sigkey: sigkey.clone() };
            let arch = match tree.kind() {
                TreeKind::Binary(arch) | TreeKind::Debug(arch) => arch,
                TreeKind::Source if nevra.is_source() => {
                    sources.push((&tree.variant, nevra, rpm(Category::Source)));
                    continue;
                }
                TreeKind::Source => return Err(unknown()),
            };
            let debug = is_debug_name(&nevra.name);
            let file = *source_of.get(nevra).ok_or_else(unknown)?;
            let source = match by_file.get(file) {
                Some(source) => (*source).clone(),
                None => source_nevra(file, nevra.evr.epoch).ok_or_else(unknown)?,
            };
            let rpm = rpm(if debug { Category::Debug } else { Category::Binary });
            rpms.add(&tree.variant, arch, &source, nevra.clone(), rpm);
        }
    }
    for (variant, nevra, rpm) in sources {
        let all = arches.get(variant.as_str()).into_iter().flatten();
        let below = rpms.rpms.get(variant);
        let has = |arch: &str| {
            below.and_then(|below| below.get(arch)).is_some_and(|below| below.contains_key(nevra))
        };
        let with: Vec<&str> = all.clone().copied().filter(|arch| has(arch)).collect();
        let chosen = if with.is_empty() { all.copied().collect() } else { with };
        for arch in chosen {
            rpms.add(variant, arch, nevra, nevra.clone(), rpm.clone());
        }
    }
    // A tree without packages is part of the compose all the same.
    for (variant, arches) in arches {
        for arch in arches {
            let below = rpms.rpms.entry(variant.into()).or_default();
            below.entry(arch.into()).or_default();
        }
    }
    Ok(rpms)
}

/// The last digits of a key's id. The id ends a fingerprint of 40 digits, but begins one of 64 (version 6).
fn sigkey(fingerprint: &str) -> Option<SigKey> {
    SigKey::of_key(if fingerprint.len() == 64 { fingerprint.get(..16)? } else { fingerprint })
}

/// The full name that a source package's file name tells, with an epoch that it does not.
fn source_nevra(file: &str, epoch: u32) -> Option<Nevra> {
    let (rest, arch) = file.strip_suffix(".rpm")?.rsplit_once('.')?;
    let (rest, release) = rest.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    format!("{name}-{epoch}:{version}-{release}.{arch}").parse().ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::base::{Digest, SourceDate};
    use crate::lock::{self, MediaPackages, Package, Packages, Signatures, Signed};
    use crate::select::Candidate;

    const FINGERPRINT: &str = "0123456789ABCDEF0123456789ABCDEF95A43F54";

    fn package(trees: &[(&str, &str)], keys: &[&str]) -> Package {
        let tree =
            |(variant, arch): &(&str, &str)| TreeRef { variant: (*variant).into(), arch: (*arch).into() };
        let digest = Digest::of("");
        Package {
            content: digest,
            header: digest,
            unsigned: digest,
            size: 1,
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            replaced: false,
            origins: Vec::new(),
            trees: trees.iter().map(|at| (tree(at), BTreeSet::new())).collect(),
        }
    }

    pub(in crate::compose) fn sample() -> Lock {
        let nevra = |text: &str| text.parse::<Nevra>().unwrap();
        let built = |text: &str, source: &str| {
            let mut candidate = Candidate::new(nevra(text), Digest::of(text));
            candidate.source = Some(source.into());
            candidate
        };
        let universe = Universe::new(vec![
            built("goose-1:2-3.x86_64", "goose-2-3.src.rpm"),
            built("goose-debuginfo-1:2-3.x86_64", "goose-2-3.src.rpm"),
            built("egg-5:1-1.noarch", "nest-1-1.src.rpm"),
            Candidate::new(nevra("goose-0:2-3.src"), Digest::of("src")),
            Candidate::new(nevra("lone-0:1-1.src"), Digest::of("lone")),
        ]);
        let stored = universe.unwrap().encode().unwrap().bytes;
        let (both, sources) = ([("Base", "aarch64"), ("Base", "x86_64")], [("Base", "source")]);
        let packages = [
            ("goose-1:2-3.x86_64", package(&both[1..], &[FINGERPRINT])),
            ("goose-debuginfo-1:2-3.x86_64", package(&both[1..], &[FINGERPRINT])),
            ("egg-5:1-1.noarch", package(&both, &[])),
            ("goose-0:2-3.src", package(&sources, &[FINGERPRINT])),
            ("lone-0:1-1.src", package(&sources, &[])),
        ];
        let tree = |variant: &str, arch: &str| {
            let name: TreeRef = format!("{variant}/{arch}").parse().unwrap();
            lock::Tree::new(variant, name.kind())
        };
        let header = Header {
            schema: lock::SCHEMA,
            gander: String::new(),
            recipe: Digest::of(""),
            recipe_text: Digest::of(""),
            source_date: "2023-11-14T00:00:00Z".parse::<SourceDate>().unwrap(),
            packages: Digest::of(""),
            universe: Digest::of(""),
            universe_object: Some(Digest::of(&stored)),
            universe_stored: None,
            streams: None,
            media_packages: None,
            media: Vec::new(),
            kickstarts: Vec::new(),
            debian: Vec::new(),
            builder: None,
            metadata_key: None,
            further_metadata_keys: Vec::new(),
            sign_treeinfo: false,
            release: lock::Release {
                name: "Gosling Linux".into(),
                short: "Gosling".into(),
                version: "1".into(),
            },
            keys: Vec::new(),
            repodata: crate::format::repodata::Form::default(),
            repositories: Vec::new(),
            koji: Vec::new(),
            variants: Vec::new(),
            trees: vec![
                tree("Base", "aarch64"),
                tree("Base", "source"),
                tree("Base", "x86_64"),
                tree("Void", "x86_64"),
            ],
            builds: Vec::new(),
        };
        Lock {
            header,
            packages: Packages(packages.into_iter().map(|(name, package)| (nevra(name), package)).collect()),
            signatures: Signatures::default(),
            signed: Signed::default(),
            media: MediaPackages::default(),
            objects: BTreeMap::from([(Digest::of(&stored), stored)]),
        }
    }

    #[test]
    fn every_package_stands_below_its_source() {
        let files = files(&sample()).unwrap();
        let rpms = Rpms::parse(&files["rpms.json"]).unwrap();
        assert_eq!(rpms.compose.id, "Gosling-1-20231114.0");
        let mut lines = Vec::new();
        for (variant, arches) in &rpms.rpms {
            for (arch, sources) in arches {
                lines.push(format!("{variant}/{arch}"));
                for (source, packages) in sources {
                    for (nevra, rpm) in packages {
                        let key = rpm.sigkey.as_ref().map_or("-", SigKey::as_str);
                        lines.push(format!("{source} {nevra} {} {key} {}", rpm.category.name(), rpm.path));
                    }
                }
            }
        }
        assert_eq!(
            lines,
            [
                "Base/aarch64",
                "lone-0:1-1.src lone-0:1-1.src source - Base/source/tree/Packages/l/lone-1-1.src.rpm",
                "nest-5:1-1.src egg-5:1-1.noarch binary - Base/aarch64/os/Packages/e/egg-1-1.noarch.rpm",
                "Base/x86_64",
                "goose-0:2-3.src goose-0:2-3.src source 95a43f54 Base/source/tree/Packages/g/goose-2-3.src.rpm",
                "goose-0:2-3.src goose-1:2-3.x86_64 binary 95a43f54 Base/x86_64/os/Packages/g/goose-2-3.x86_64.rpm",
                "goose-0:2-3.src goose-debuginfo-1:2-3.x86_64 debug 95a43f54 Base/x86_64/os/Packages/g/goose-debuginfo-2-3.x86_64.rpm",
                "lone-0:1-1.src lone-0:1-1.src source - Base/source/tree/Packages/l/lone-1-1.src.rpm",
                "nest-5:1-1.src egg-5:1-1.noarch binary - Base/x86_64/os/Packages/e/egg-1-1.noarch.rpm",
                "Void/x86_64",
            ]
        );
    }

    #[test]
    fn variants_say_where_their_trees_are() {
        let files = files(&sample()).unwrap();
        let info = ComposeInfo::parse(&files["composeinfo.json"]).unwrap();
        let path = |variant: &str, kind: PathKind, arch: &str| {
            info.variants[variant].paths.get(&kind)?.get(arch).map(RelPath::as_str)
        };
        assert_eq!(path("Base", PathKind::OsTree, "x86_64"), Some("Base/x86_64/os"));
        assert_eq!(path("Base", PathKind::Packages, "aarch64"), Some("Base/aarch64/os/Packages"));
        assert_eq!(path("Base", PathKind::SourcePackages, "aarch64"), Some("Base/source/tree/Packages"));
        assert_eq!(path("Void", PathKind::Repository, "x86_64"), Some("Void/x86_64/os"));
        assert_eq!(path("Void", PathKind::Packages, "x86_64"), None);
        assert_eq!(path("Void", PathKind::SourceTree, "x86_64"), None);
    }

    #[test]
    fn debugging_packages_have_trees_of_their_own() {
        let mut lock = sample();
        let debug = TreeRef::new("Base", TreeKind::Debug("x86_64"));
        lock.header.trees.push(lock::Tree { hashed: false, ..lock::Tree::new("Base", debug.kind()) });
        lock.header.trees.push(lock::Tree::new("Void", debug.kind()));
        let package = lock.packages.0.get_mut(&"goose-debuginfo-1:2-3.x86_64".parse().unwrap()).unwrap();
        package.trees = BTreeMap::from([(debug, BTreeSet::new())]);
        let files = files(&lock).unwrap();
        let info = ComposeInfo::parse(&files["composeinfo.json"]).unwrap();
        let path = |variant: &str, kind: PathKind, arch: &str| {
            info.variants[variant].paths.get(&kind)?.get(arch).map(RelPath::as_str)
        };
        assert_eq!(path("Base", PathKind::DebugTree, "x86_64"), Some("Base/x86_64/debug/tree"));
        assert_eq!(path("Base", PathKind::DebugRepository, "x86_64"), Some("Base/x86_64/debug/tree"));
        assert_eq!(path("Base", PathKind::DebugPackages, "x86_64"), Some("Base/x86_64/debug/tree/Packages"));
        assert_eq!(path("Base", PathKind::DebugTree, "aarch64"), None);
        assert_eq!(path("Void", PathKind::DebugPackages, "x86_64"), None);
        assert_eq!(info.variants["Base"].arches.iter().collect::<Vec<_>>(), ["aarch64", "x86_64"]);
        let rpms = Rpms::parse(&files["rpms.json"]).unwrap();
        let of_source = &rpms.rpms["Base"]["x86_64"][&"goose-0:2-3.src".parse::<Nevra>().unwrap()];
        let rpm = &of_source[&"goose-debuginfo-1:2-3.x86_64".parse::<Nevra>().unwrap()];
        assert_eq!(rpm.category, Category::Debug);
        assert_eq!(rpm.path.as_str(), "Base/x86_64/debug/tree/Packages/goose-debuginfo-2-3.x86_64.rpm");
    }

    #[test]
    fn without_the_universe_there_is_no_list_of_packages() {
        let mut lock = sample();
        lock.header.universe_object = None;
        assert_eq!(files(&lock).unwrap().into_keys().collect::<Vec<_>>(), ["composeinfo.json"]);
    }

    #[test]
    fn what_productmd_would_refuse_is_found_before_anything_runs() {
        let mut lock = sample();
        assert!(check(&lock).is_ok());
        lock.header.release.version = "1_beta".into();
        assert!(matches!(check(&lock), Err(ComposeError::Metadata(_))));
    }

    #[test]
    fn keys_of_version_6_have_their_id_in_front() {
        assert_eq!(sigkey(FINGERPRINT).unwrap().as_str(), "95a43f54");
        assert_eq!(sigkey(&format!("{FINGERPRINT}{}", "0".repeat(24))).unwrap().as_str(), "89abcdef");
    }
}
