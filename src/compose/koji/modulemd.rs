//! Modules of tags: what their builds say of themselves, and which packages of a tag are seen.
//!
//! What builds say comes from the files `modulemd.ARCH.txt` of the recipe's arches; where a build has no such file, from
//! what the hub says of the build itself, if that names packages. A text is believed if it has the hub's size and checksum
//! and is about the very build. Packages that a content tag has beyond those that texts of active streams name are left
//! out: a stream is what its text says.

use std::collections::{BTreeMap, BTreeSet};

use super::ask::{Opened, nevra};
use crate::base::arch::TreeArch;
use crate::base::digest::hex;
use crate::base::{Digest, chain};
use crate::compose::error::ComposeError;
use crate::compose::execute::Session;
use crate::compose::flow::Downloads;
use crate::compose::inputs::RecipeFiles;
use crate::compose::modules::of_tag;
use crate::format::modulemd::{Content, Modules};
use crate::koji::Snapshot;
use crate::koji::paths::BuildPath;
use crate::koji::snapshot::{Build, Module, Modulemd};
use crate::openpgp::Hashing;
use crate::recipe::{KojiSource, ModuleChoice, Origin as Where};
use crate::repo::open::url;
use crate::select::Visible;

/// The arches of a recipe's trees.
fn arches(files: &RecipeFiles) -> BTreeSet<&'static str> {
    files.recipe.variants.values().flat_map(|variant| &variant.arches).map(|arch| arch.name).collect()
}

/// The tree that a file's arch means: Koji names arches of packages.
fn tree_of(arch: &str) -> Option<&'static str> {
    let fits = |tree: &&TreeArch| tree.name == arch || tree.native.contains(&arch);
    TreeArch::names().filter_map(TreeArch::find).find(fits).map(|tree| tree.name)
}

/// Where the files of a module's build are, below a hub's files.
pub(super) fn path(build: &Build, file: &str) -> Result<String, ComposeError> {
    let (name, version, release) = (&*build.name, &*build.version, &*build.release);
    let folder = BuildPath { name, version, release, volume: &build.volume_name }.folder();
    let folder = folder.map_err(|error| ComposeError::Modulemd(vec![error.to_string()]))?;
    Ok(format!("{folder}/files/module/{file}"))
}

/// Gets the texts that a snapshot lacks; those that an old one of the same tag has are taken from there.
pub(super) fn fetch(
    session: &Session<'_>,
    downloads: &dyn Downloads,
    files: &RecipeFiles,
    place: &str,
    snapshot: &mut Snapshot,
    before: Option<&Snapshot>,
) -> Result<(), ComposeError> {
    let (builds, arches) = (&snapshot.builds, arches(files));
    let same = |left: &Modulemd, right: &Modulemd| {
        (left.build, &left.file, left.size, &left.checksum)
            == (right.build, &right.file, right.size, &right.checksum)
    };
    let (mut wanted, mut places) = (Vec::new(), Vec::new());
    for record in &mut snapshot.modulemd {
        let useful = match record.arch() {
            Some(arch) => tree_of(arch).is_some_and(|tree| arches.contains(tree)),
            None => true,
        };
        let (Some(file), true, true) = (&record.file, record.text.is_empty(), useful) else { continue };
        let had = before.into_iter().flat_map(|before| &before.modulemd);
        if let Some(had) = had.filter(|had| !had.text.is_empty()).find(|had| same(had, record)) {
            (record.sha256, record.text) = (had.sha256.clone(), had.text.clone());
            continue;
        }
        let Some(build) = builds.iter().find(|build| build.id == record.build) else { continue };
        places.push((url(place, &path(build, file)?), Modulemd::LARGEST));
        wanted.push(record);
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let urls: Vec<String> = places.iter().map(|(url, _)| url.clone()).collect();
    let found = session.timed("modules", || downloads.unpinned(places));
    let mut wrong = Vec::new();
    for ((record, url), found) in wanted.into_iter().zip(urls).zip(found) {
        let (digest, _) = match found {
            Ok(found) => found,
            Err(error) if error.is_gone() => {
                wrong.push(format!("{url}: {}", chain(&error)));
                continue;
            }
            Err(error) => return Err(ComposeError::Fetch(error)),
        };
        let bytes = session.store.read_object(&digest, Modulemd::LARGEST)?;
        match checked(record, bytes) {
            Ok(text) => (record.sha256, record.text) = (digest.hex(), text),
            Err(why) => wrong.push(format!("{url}: {why}")),
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(ComposeError::Modulemd(wrong)) }
}

/// The text of a file, if it is what the hub says that it is.
fn checked(record: &Modulemd, bytes: Vec<u8>) -> Result<String, String> {
    if i64::try_from(bytes.len()).ok() != Some(record.size) {
        return Err(format!("it has {} bytes, but the hub says that it has {}", bytes.len(), record.size));
    }
    let stated = record.checksum.as_deref().unwrap_or_default();
    let (kind, wanted) = stated.split_once(':').unwrap_or_default();
    let hashing = |kind| {
        let mut hashing = Hashing::new(kind)?;
        hashing.update(&bytes);
        hashing.finish()
    };
    let found = match kind {
        "md5" => hashing(Hashing::MD5).map(|sum| hex(&sum)),
        "sha1" => hashing(Hashing::SHA1).map(|sum| hex(&sum)),
        "sha256" => Some(Digest::of(&bytes).hex()),
        _ => None,
    };
    if found.as_deref() != Some(wanted) {
        let found = found.unwrap_or_else(|| "one of another kind".into());
        return Err(format!("its {kind} checksum is {found}, but the hub says that it is {wanted}"));
    }
    if bytes.is_empty() {
        return Err("it is empty".into());
    }
    String::from_utf8(bytes).map_err(|_| "it is no text".into())
}

/// The modules of a tag, as far as its source asks for modules; what is missing is said.
pub(in crate::compose) fn modules(
    session: &Session<'_>,
    files: &RecipeFiles,
    tag: &Opened<'_>,
) -> Result<Modules, ComposeError> {
    let Some(koji) = source(files, tag) else { return Ok(Modules::default()) };
    let asked = of_tag(&files.recipe, koji);
    let (mut all, mut wrong, mut silent) = (Modules::default(), Vec::new(), Vec::new());
    let arches = arches(files);
    for module in &tag.snapshot.modules {
        let records = || tag.snapshot.modulemd.iter().filter(|record| record.build == module.build);
        let per_arch = records().any(|record| record.arch().is_some());
        let mut covered = BTreeSet::new();
        for record in records().filter(|record| !record.text.is_empty()) {
            let tree = record.arch().and_then(tree_of);
            // Beside files for arches the others say what was known before there were packages.
            if per_arch && tree.is_none() || !per_arch && record.file.is_some() {
                continue;
            }
            match parse(module, record) {
                Ok(parsed)
                    if per_arch || parsed.streams().any(|(_, stream)| !stream.artifacts.is_empty()) =>
                {
                    covered.extend(tree);
                    all.documents.extend(parsed.documents);
                    if !per_arch {
                        covered.clone_from(&arches);
                    }
                }
                Ok(_) => {}
                Err(why) => wrong.push(format!("{}: {why}", module.nsvc())),
            }
        }
        let lacks: Vec<&str> = arches.difference(&covered).copied().collect();
        if !lacks.is_empty() && is_named(&asked, &module.name, &module.stream) {
            silent.push((module, lacks.join(", ")));
        }
    }
    if !wrong.is_empty() {
        return Err(ComposeError::Modulemd(wrong));
    }
    // A stream without any text cannot be active; one that lacks an arch has nothing there.
    let has = |module: &Module| {
        all.streams().any(|(name, stream)| name == module.name && stream.name == module.stream)
    };
    let (some, none): (Vec<_>, Vec<_>) = silent.into_iter().partition(|(module, _)| has(module));
    for (module, lacks) in some {
        let nsvc = module.nsvc();
        session.note(format!("warning: {nsvc} has no modulemd for {lacks}: no package of it is seen there"));
    }
    let lines = none.iter().map(|(module, lacks)| {
        format!("{}: nothing on the hub says which packages it has for {lacks}", module.nsvc())
    });
    let lines: Vec<_> = lines.collect();
    if lines.is_empty() { Ok(all) } else { Err(ComposeError::Modulemd(lines)) }
}

/// A text as the one document that it has to be, of that build.
fn parse(module: &Module, record: &Modulemd) -> Result<Modules, String> {
    let what = record.file.as_deref().unwrap_or("modulemd_str");
    let parsed = Modules::parse(record.text.as_bytes()).map_err(|error| format!("{what}: {error}"))?;
    let [document] = parsed.documents.as_slice() else {
        return Err(format!("{what}: it has {} documents instead of one", parsed.documents.len()));
    };
    let Content::Stream(stream) = &document.content else {
        return Err(format!("{what}: it is about no stream"));
    };
    let found = format!("{}:{}:{}:{}", document.module, stream.name, stream.version, stream.context);
    if found != module.nsvc() {
        return Err(format!("{what}: it is about {found}"));
    }
    Ok(parsed)
}

/// The source that a tag belongs to.
fn source<'f>(files: &'f RecipeFiles, tag: &Opened<'_>) -> Option<&'f KojiSource> {
    match &files.recipe.sources.get(tag.source)?.origin {
        Where::Koji(koji) => Some(koji),
        _ => None,
    }
}

/// Whether these name a stream.
fn is_named(choices: &[ModuleChoice], module: &str, stream: &str) -> bool {
    choices.iter().any(|choice| choice.module == module && choice.stream.as_deref() == Some(stream))
}

/// Active streams that only tags have and that no tag's source names, so that their packages were not asked for: the
/// default streams of some repository.
pub(in crate::compose) fn unnamed(
    files: &RecipeFiles,
    tags: &[Opened<'_>],
    visible: &Visible<'_>,
    repositories: &[&Modules],
) -> Vec<String> {
    let mut lines = BTreeSet::new();
    let of_repository: BTreeSet<(&str, &str)> = repositories
        .iter()
        .flat_map(|modules| modules.streams())
        .map(|(module, stream)| (module, stream.name.as_str()))
        .collect();
    let active: BTreeSet<&str> = visible.active.values().flatten().map(String::as_str).collect();
    for tag in tags {
        let Some(koji) = source(files, tag) else { continue };
        let asked = of_tag(&files.recipe, koji);
        if asked.is_empty() {
            continue;
        }
        for module in &tag.snapshot.modules {
            let stream = format!("{}:{}", module.name, module.stream);
            if active.contains(stream.as_str())
                && !of_repository.contains(&(&module.name, &module.stream))
                && !is_named(&asked, &module.name, &module.stream)
            {
                lines.insert(format!(
                    "{stream} is a default stream that {} has: name it in 'modules' there",
                    koji.id
                ));
            }
        }
    }
    lines.into_iter().collect()
}

/// Leaves out of a tag what is not seen, as far as names alone decide it: of content tags all but packages of active
/// streams.
pub(super) fn hide(tag: &mut Opened<'_>, visible: &Visible<'_>) {
    let content = tag.snapshot.content();
    let nevras: BTreeMap<i64, _> = tag
        .snapshot
        .rpms
        .iter()
        .filter(|rpm| tag.counted.contains(&rpm.id))
        .filter_map(|rpm| Some((rpm.id, (rpm.build, nevra(tag.snapshot.build(rpm.build)?, rpm)?))))
        .collect();
    tag.counted.retain(|id| {
        nevras.get(id).is_some_and(|(build, nevra)| match content.contains(build) {
            true => visible.is_modular(nevra),
            false => visible.shows(nevra, [""; 0]),
        })
    });
}
