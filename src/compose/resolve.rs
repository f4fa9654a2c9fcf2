//! From a recipe to its lock, in passes: read the files, run the builds, pin the headers that came out,
//! select, sign.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::contents;
use super::error::ComposeError;
use super::execute::{Executed, Session, execute};
use super::flow::Downloads;
use super::harvest::{self, Harvest, Offered};
use super::inputs::{BuildFiles, RecipeFiles};
use super::koji;
use super::lower::{self, Builds};
use super::modules::{self, Modular};
use super::repositories;
use super::signatures::{self, Compromised};
use super::trees;
use super::twins;
use crate::base::arch::TreeArch;
use crate::base::{Digest, RelPath, SourceDate};
use crate::format::comps::Comps;
use crate::lock::{
    Build, Builder, Header, InnerVariant, Key, KickstartFile, Lock, Medium, Origin, Package, Packages,
    Release, SCHEMA, Signed, Source, Tree, TreeKind, TreeRef,
};
use crate::oci;
use crate::openpgp::Certificate;
use crate::recipe::{BuilderImage, Family, Greedy, OnUnsigned, Variant};
use crate::select::{Greed, Multilib, Request, Streams, Universe, decide};

/// A universe of at most this many bytes travels in the lock.
const UNIVERSE_IN_LOCK: usize = 1 << 20;

/// A lock that was just resolved, with what was executed on the way.
#[derive(Debug)]
pub struct Resolved {
    /// The lock; signatures may still be missing.
    pub lock: Lock,
    /// The steps that ran.
    pub done: Executed,
    /// Members of comps groups that no source offers: tree, group and name.
    pub absent: BTreeSet<(String, String, String)>,
}

/// Resolves a recipe. Signatures and pins of the old lock that still fit are kept.
pub(super) fn resolve(
    session: &Session<'_>,
    downloads: &dyn Downloads,
    files: &RecipeFiles,
    old: Option<&Lock>,
    only: &[String],
    home: Option<&Path>,
) -> Result<Resolved, ComposeError> {
    let mut tags = koji::ask(session, downloads, files, old, only)?;
    if let Some(lock) = old.filter(|old| stands(session, files, &tags, old)) {
        session.note("nothing changed since the lock was made");
        return Ok(Resolved { lock: lock.clone(), done: Executed::default(), absent: BTreeSet::new() });
    }
    let mut objects = BTreeMap::new();
    let mut header = header(files, &mut objects)?;
    for bytes in objects.values() {
        session.store.put_bytes(bytes)?;
    }

    // What can be known before anything is built is not left for after it.
    if files.recipe.release.source_date.is_some() {
        signatures::open(&files.recipe, header.source_date, home)?;
    }
    for (id, variant) in &files.recipe.variants {
        check_groups(files, id, variant)?;
    }
    contents::check(files)?;
    for line in files.media.iter().flat_map(|kickstarts| kickstarts.notes()) {
        session.note(format!("note: {line}"));
    }
    let builder = files.builder()?;
    fetch(downloads, &header, files, builder.as_ref())?;
    if let Some(pinned) = &mut header.builder {
        pinned.platform = match &builder {
            Some(list) => oci::image_platform(list)?,
            None => oci::Image::load(session.store, &pinned.image)?.platform()?,
        }
        .into();
        contents::check_arches(files, &pinned.platform)?;
    }
    let builds = lower::builds(&header, builder.as_ref())?;
    let done = execute(
        session,
        &builds.plan,
        builds.steps.values().copied().chain(builds.image),
        Executed::default(),
    )?;
    pin_image(&mut header, &builds, &done)?;

    let mut harvest = Harvest::of(&files.recipe);
    harvest.builds(session.store, files, &header, &builds, &done)?;
    harvest.folders(session.store, files)?;
    // Where only some packages of tags are to move, repositories stay in the state that the lock has.
    let before = old.filter(|_| !only.is_empty());
    let pins = (&mut header, &mut objects);
    let repositories = repositories::open(session, downloads, files, before, pins)?;
    let modules = modules::of(session, files, &repositories, &tags)?;
    let (visible, streams) = modules.visible(session, files, &tags)?;
    repositories::offer(session, &repositories, &visible, &mut harvest)?;
    koji::offer(session, downloads, files, &mut tags, &visible, &mut harvest)?;
    let modules = Modular::of(&visible, streams);
    let universe = harvest.universe(&repositories)?;
    drop(repositories);
    if files.recipe.release.source_date.is_none() {
        let latest = harvest.packages.values().map(|package| package.build_time).max().unwrap_or_default();
        header.source_date = SourceDate::from_seconds(latest).map_err(|_| ComposeError::NoDate)?;
    }

    let encoded = universe.encode()?;
    header.universe = encoded.digest;
    if encoded.bytes.len() <= UNIVERSE_IN_LOCK {
        let digest = Digest::of(&encoded.bytes);
        header.universe_object = Some(digest);
        objects.insert(digest, encoded.bytes);
    } else {
        header.universe_stored = Some(session.store.put_bytes(&encoded.bytes)?);
    }

    let mut selected = contents::Selected::new();
    let mut absent = BTreeSet::new();
    select(files, (&universe, &modules.streams), &mut selected, &mut absent)?;

    let media = contents::choose(files, &universe, &selected)?;

    modules::carry(files, &modules, &selected, &mut header, &mut objects)?;
    let names = selected.keys().cloned().collect();
    repositories::obtain(session, downloads, files, &header, &names, &modules, &mut harvest)?;
    koji::obtain(
        session,
        downloads,
        files,
        tags,
        (&names, &modules),
        (&mut header, &mut objects),
        &mut harvest,
    )?;

    for line in twins::conflicts(session.store, &harvest, &selected)? {
        session.note(format!("warning: {line}"));
    }

    let signers = signatures::open(&files.recipe, header.source_date, home)?;
    let mut keys: BTreeMap<String, Certificate> = BTreeMap::new();
    signers.name(&mut header, &mut keys);
    let packages = packages(session, files, &harvest, selected, signers.of_packages(), &mut keys)?;
    for (fingerprint, certificate) in keys {
        let armored = certificate.armored().into_bytes();
        header.keys.push(Key { fingerprint, certificate: Digest::of(&armored) });
        objects.insert(Digest::of(&armored), armored);
    }
    let lock = Lock {
        header,
        packages,
        signatures: old.map(|old| old.signatures.clone()).unwrap_or_default(),
        signed: Signed::default(),
        media,
        objects,
    };
    Ok(Resolved { lock, done, absent })
}

/// Whether a lock is what resolving would lead to: nothing changed in the recipe, all packages come from tags in which
/// nothing changed, and the store has them.
fn stands(session: &Session<'_>, files: &RecipeFiles, tags: &[koji::Opened<'_>], old: &Lock) -> bool {
    old.header.recipe == files.digest
        && old.header.gander == env!("CARGO_PKG_VERSION")
        && files.recipe.sources.len() == tags.len()
        && tags.iter().all(|tag| tag.unchanged)
        && old.packages.0.values().all(|package| session.store.has(&package.unsigned))
}

/// Gets every Debian package that the header names.
pub(super) fn fetch(
    downloads: &dyn Downloads,
    header: &Header,
    files: &RecipeFiles,
    builder: Option<&crate::debian::Lock>,
) -> Result<(), ComposeError> {
    let lists: Vec<_> = files.builds.iter().filter_map(|build| build.debian.as_ref()).collect();
    fetch_lists(downloads, header, lists, builder)
}

/// Gets the Debian packages of these lists that the header names, and the builder's.
pub(super) fn fetch_lists(
    downloads: &dyn Downloads,
    header: &Header,
    lists: Vec<&crate::debian::Lock>,
    builder: Option<&crate::debian::Lock>,
) -> Result<(), ComposeError> {
    let sources = header.builds.iter().flat_map(|build| &build.sources);
    let named: BTreeSet<_> = sources.filter(|source| source.debian).map(|source| source.digest).collect();
    if let Some(builder) = builder {
        downloads.debian(builder)?;
    }
    for list in lists {
        let mut list = list.clone();
        list.packages.retain(|package| named.contains(&package.digest));
        downloads.debian(&list)?;
    }
    match &header.builder {
        Some(Builder { image, reference: Some(reference), .. }) => downloads.image(reference, image),
        _ => Ok(()),
    }
}

fn header(files: &RecipeFiles, objects: &mut BTreeMap<Digest, Vec<u8>>) -> Result<Header, ComposeError> {
    let mut keep = |bytes: &[u8]| {
        let digest = Digest::of(bytes);
        objects.entry(digest).or_insert_with(|| bytes.to_vec());
        digest
    };
    let recipe = &files.recipe;
    let source_date = match recipe.release.source_date {
        Some(date) => date,
        None if files.builds.is_empty() => SourceDate::EARLIEST,
        None => return Err(ComposeError::SourceDate),
    };
    let builder = match recipe.builder.as_ref().map(|builder| &builder.image) {
        Some(BuilderImage::Lock(path)) => Some(Builder {
            // Both are known once the image is there.
            image: Digest::of(""),
            platform: String::new(),
            debian: Some(keep(files.file(path)?)),
            reference: None,
        }),
        Some(BuilderImage::Registry { repository, digest }) => Some(Builder {
            image: *digest,
            platform: String::new(),
            debian: None,
            reference: Some(format!("{repository}@{digest}")),
        }),
        None => None,
    };
    let mut all_trees = Vec::new();
    for (id, variant) in &recipe.variants {
        let whole = match &variant.comps {
            Some(path) => Some((files.file(path)?, comps(files, variant)?)),
            None => None,
        };
        let tree = |kind| -> Result<Tree, ComposeError> {
            let place = variant.layout.as_ref().map(|layout| match kind {
                TreeKind::Binary(arch) => layout.binary(arch),
                TreeKind::Debug(arch) => layout.debug(arch),
                TreeKind::Source => layout.source(),
            });
            let (folder, packages) = match place.transpose()? {
                Some(place) => (Some(place.repository), place.packages),
                None => (None, None),
            };
            Ok(Tree { hashed: variant.hashed, folder, packages, ..Tree::new(id, kind) })
        };
        for arch in &variant.arches {
            let part = whole.as_ref().map(|(_, comps)| trees::comps(recipe, id, arch, comps).to_xml());
            let (comps, comps_source) =
                (part.map(|part| keep(part.as_bytes())), whole.as_ref().map(|(bytes, _)| keep(bytes)));
            all_trees.push(Tree { comps, comps_source, ..tree(TreeKind::Binary(arch.name))? });
            all_trees.extend(variant.debug.then(|| tree(TreeKind::Debug(arch.name))).transpose()?);
        }
        all_trees.extend(variant.sources.then(|| tree(TreeKind::Source)).transpose()?);
    }
    all_trees.sort();
    let inner = recipe.variants.iter().filter_map(|(id, variant)| {
        let Family { kind, parent, release, .. } = &variant.family;
        let release = release.as_ref().map(|release| Release {
            name: release.name.clone(),
            short: release.short.clone(),
            version: release.version.clone(),
        });
        Some(InnerVariant { id: id.clone(), kind: kind.name().into(), parent: parent.clone()?, release })
    });
    let variants = inner.collect();
    let mut builds = Vec::new();
    let mut debian = Vec::new();
    let mut missing = Vec::new();
    for group in &files.builds {
        if let Some(path) = files.recipe.debian_list(group.source) {
            debian.push(keep(files.file(&path)?));
        }
        for (path, spec) in &group.specs {
            let mut sources = Vec::new();
            for name in &spec.sources {
                match source(files, group, name)? {
                    Some((bytes, None)) => {
                        sources.push(Source { name: name.clone(), digest: keep(bytes), debian: false });
                    }
                    Some((_, Some(digest))) => {
                        sources.push(Source { name: name.clone(), digest, debian: true });
                    }
                    None => missing.push(format!("{name} of {path}")),
                }
            }
            sources.sort();
            builds.push(Build {
                spec: path.clone(),
                digest: keep(files.file(path)?),
                dist: recipe.release.dist.clone(),
                targets: spec.targets(&group.targets),
                sources,
            });
        }
    }
    if !missing.is_empty() {
        return Err(ComposeError::Sources(missing));
    }
    let mut media = Vec::new();
    for medium in &recipe.media {
        for arch in &medium.arches {
            media.push(Medium {
                variant: medium.variant.clone(),
                arch: arch.clone(),
                name: medium.name.clone(),
                kind: medium.kind.name().into(),
                volume_id: contents::volume_id(files, medium, arch)?.to_string(),
                dialect: medium.dialect.name().into(),
                kickstart: medium.kickstart.clone(),
                installer: medium.installer.clone(),
            });
        }
    }
    let kickstarts = files.kickstarts.iter();
    let kickstarts = kickstarts.map(|(path, text)| KickstartFile { path: path.clone(), digest: keep(text) });
    let kickstarts = kickstarts.collect();
    builds.retain(|build| !build.targets.is_empty());
    builds.sort_by(|left, right| left.spec.cmp(&right.spec));
    Ok(Header {
        schema: SCHEMA,
        gander: env!("CARGO_PKG_VERSION").into(),
        recipe: files.digest,
        recipe_text: keep(files.text.as_bytes()),
        source_date,
        packages: Digest::of(""),
        universe: Digest::of(""),
        universe_object: None,
        universe_stored: None,
        streams: None,
        media_packages: None,
        media,
        kickstarts,
        debian,
        builder,
        metadata_key: None,
        further_metadata_keys: Vec::new(),
        sign_treeinfo: recipe.sign_treeinfo,
        release: Release {
            name: recipe.release.name.clone(),
            short: recipe.release.short.clone(),
            version: recipe.release.version.clone(),
        },
        repodata: recipe.repodata,
        keys: Vec::new(),
        repositories: Vec::new(),
        koji: Vec::new(),
        variants,
        trees: all_trees,
        builds,
    })
}

/// What the lock says of each package of a tree of source packages.
const SOURCE: &str = "source";

/// A source of a spec by its name: a small file, or the digest of a Debian package.
type Found<'a> = Option<(&'a [u8], Option<Digest>)>;

fn source<'a>(files: &'a RecipeFiles, group: &BuildFiles, name: &str) -> Result<Found<'a>, ComposeError> {
    if let Some(path) = group.sources.get(name) {
        return Ok(Some((files.file(path)?, None)));
    }
    let packages = group.debian.iter().flat_map(|list| &list.packages);
    let found = packages.into_iter().find(|package| package.path.file_name() == name);
    Ok(found.map(|package| (&[][..], Some(package.digest))))
}

/// Writes the digest of the image that was assembled into the header, or compares it with the one there.
fn pin_image(header: &mut Header, builds: &Builds, done: &Executed) -> Result<(), ComposeError> {
    if let (Some(builder), Some(step)) = (&mut header.builder, builds.image)
        && let Some(tree) = done.tree(step)
    {
        builder.image = oci::image_in(tree)?;
    }
    Ok(())
}

pub(super) fn comps(files: &RecipeFiles, variant: &Variant) -> Result<Comps, ComposeError> {
    match &variant.comps {
        Some(path) => Comps::parse(files.file(path)?)
            .map_err(|source| ComposeError::Comps { path: path.below(&files.folder), source }),
        None => Ok(Comps::default()),
    }
}

/// Finds groups and environments that the comps file lacks: a selection of them from no packages at all.
fn check_groups(files: &RecipeFiles, id: &str, variant: &Variant) -> Result<(), ComposeError> {
    let comps = comps(files, variant)?;
    let nothing = Universe::new(Vec::new())?;
    for arch in &variant.arches {
        decide(&groups(id, variant, arch), &comps, &nothing)
            .map_err(|source| ComposeError::Select { tree: format!("{id}/{}", arch.name), source })?;
    }
    Ok(())
}

/// The rule for packages of the secondary arch, as selection takes it.
pub(super) fn multilib(rule: &crate::recipe::Multilib) -> Multilib {
    Multilib {
        profile: rule.profile,
        methods: rule.methods.clone(),
        whitelist: rule.whitelist.clone(),
        blacklist: rule.blacklist.clone(),
        patterns: rule.patterns.clone(),
    }
}

/// The groups and environments that a variant asks for.
pub(super) fn groups(id: &str, variant: &Variant, arch: &'static TreeArch) -> Request {
    let mut request = Request::new(arch);
    request.variant = Some(id.into());
    request.groups = variant.groups.clone();
    request.environments = variant.environments.clone();
    let more = variant.by_arch.get(arch.name).map(|more| &more.lines);
    for lines in [Some(&variant.lines), more].into_iter().flatten() {
        request.named_groups.extend(lines.groups.iter().cloned());
        request.without_groups.extend(lines.without.iter().cloned());
        request.environments.extend(lines.environments.iter().cloned());
    }
    request
}

/// What a variant asks of a selection for one of its trees.
pub(super) fn request(
    id: &str,
    variant: &Variant,
    arch: &'static TreeArch,
    streams: &Arc<Streams>,
) -> Request {
    let gather = &variant.gather;
    let mut request = groups(id, variant, arch);
    request.packages = variant.packages.clone();
    request.modules = variant.modules_of(arch);
    request.streams = streams.clone();
    request.exclude = variant.exclude.clone();
    request.prepopulate = gather.prepopulate.clone();
    if let Some(more) = variant.by_arch.get(arch.name) {
        request.packages.extend(more.packages.iter().cloned());
        request.exclude.extend(more.exclude.iter().cloned());
        request.prepopulate.extend(more.prepopulate.iter().cloned());
    }
    request.sources = variant.sources;
    request.debug = variant.debug;
    request.method = gather.method;
    request.multilib = variant.multilib_of(arch).map(multilib);
    request.optional = gather.optional;
    request.fulltree = gather.fulltree;
    request.fulltree_excludes = gather.fulltree_excludes.clone();
    request.selfhosting = gather.selfhosting;
    request.greed = match gather.greedy {
        Greedy::None => Greed::None,
        Greedy::All => Greed::All,
        Greedy::Build => Greed::Build,
    };
    request.langpacks = gather.langpacks;
    request.weak = gather.weak;
    let tree = request.tree();
    // The list is that of all arches of a variant.
    let here = |name: &String| name.rsplit_once('.').is_some_and(|(_, package)| tree.rank(package).is_some());
    request.prepopulate.retain(here);
    request.require_members = gather.require_members;
    request.system_release = gather.system_release;
    request
}

fn select(
    files: &RecipeFiles,
    (universe, streams): (&Universe, &Arc<Streams>),
    selected: &mut contents::Selected,
    absent: &mut BTreeSet<(String, String, String)>,
) -> Result<(), ComposeError> {
    let variants = trees::variants(&files.recipe, streams, |_, variant| comps(files, variant))?;
    for ((id, arch), found) in variants.gather(universe) {
        let tree = TreeRef::new(&id, TreeKind::Binary(arch));
        let decision = found
            .decision
            .faultless()
            .map_err(|source| ComposeError::Select { tree: tree.to_string(), source })?;
        for (group, name) in decision.absent_members {
            absent.insert((tree.to_string(), group, name));
        }
        let variant = files.recipe.variants.get(&id);
        let of_debug = tree.of_debug(variant.is_some_and(|variant| variant.debug));
        for (tree, packages) in [(&tree, decision.packages), (&of_debug, decision.debug)] {
            for (nevra, chosen) in packages.into_iter().filter(|(_, chosen)| chosen.is_delivered()) {
                let flags = chosen.flags.iter().map(|flag| flag.name().to_owned()).collect();
                selected.entry(nevra).or_default().insert(tree.clone(), flags);
            }
        }
        let sources = decision.sources.into_iter().filter(|(_, source)| source.is_delivered());
        for nevra in sources.map(|(nevra, _)| nevra) {
            let tree = TreeRef::new(&id, TreeKind::Source);
            selected.entry(nevra).or_default().insert(tree, BTreeSet::from([SOURCE.to_owned()]));
        }
    }
    Ok(())
}

/// Decides for each selected package who must have signed it. Collects every package that cannot be shipped.
fn packages(
    session: &Session<'_>,
    files: &RecipeFiles,
    harvest: &Harvest,
    selected: contents::Selected,
    signer: Option<&signatures::Backend>,
    keys: &mut BTreeMap<String, Certificate>,
) -> Result<Packages, ComposeError> {
    let mut accepted = BTreeMap::new();
    for place in 0..files.recipe.sources.len() {
        accepted.insert(place, signatures::accepted(files, place)?);
    }
    let compromised = match files.recipe.compromised.is_empty() {
        true => Compromised::default(),
        false => Compromised::of(&files.recipe, &signatures::known(files)?),
    };
    let mut unsigned = Vec::new();
    let mut packages = BTreeMap::new();
    for (nevra, trees) in selected {
        let Some(found) = harvest.packages.get(&nevra) else { continue };
        let Offered::Read(identity) = &found.offered else { continue };
        let known = accepted.get(&found.source).map(Vec::as_slice).unwrap_or_default();
        let (already, by, replaced) = match found.origin {
            Origin::Dir(_) | Origin::Repo { .. } | Origin::Koji { .. } | Origin::KojiSigned { .. } => {
                let headers = harvest::headers(session.store, &identity.file, &nevra.to_string())?;
                let already = signatures::signed_by(&headers, known);
                let replaced = already.is_none() && signer.is_some() && compromised.signed(&headers);
                (already, signatures::signers(&headers), replaced)
            }
            Origin::Build { .. } => (None, Vec::new(), false),
        };
        let rule =
            files.recipe.sources.get(found.source).map_or(OnUnsigned::Error, |source| source.on_unsigned);
        let wanted = match (already, rule, signer) {
            // Shipped as it is: its signature is part of the file.
            (Some(key), _, _) => {
                keys.insert(key.fingerprint().to_string(), key.clone());
                Vec::new()
            }
            (None, OnUnsigned::Sign | OnUnsigned::Allow, Some(signer)) if replaced => {
                vec![signer.fingerprint()]
            }
            (None, OnUnsigned::Allow, _) => Vec::new(),
            // A signature goes into an unsigned file only: clients would still refuse the other one.
            (None, OnUnsigned::Sign, Some(signer)) if by.is_empty() => vec![signer.fingerprint()],
            (None, OnUnsigned::Sign | OnUnsigned::Error, _) => {
                unsigned.push(signatures::unsigned(&nevra, &by));
                continue;
            }
        };
        let package = Package {
            content: identity.content,
            header: identity.header,
            unsigned: identity.file,
            size: identity.size,
            keys: wanted,
            replaced,
            origins: std::iter::once(&found.origin).chain(&found.more).cloned().collect(),
            trees,
        };
        packages.insert(nevra, package);
    }
    if unsigned.is_empty() { Ok(Packages(packages)) } else { Err(ComposeError::Unsigned(unsigned)) }
}

impl crate::recipe::Recipe {
    /// The Debian list of a source, if it has one.
    pub(super) fn debian_list(&self, source: usize) -> Option<RelPath> {
        match &self.sources.get(source)?.origin {
            crate::recipe::Origin::Build(build) => build.debian.clone(),
            _ => None,
        }
    }
}
