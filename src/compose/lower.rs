//! From a lock to a plan. Touches nothing.

use std::collections::BTreeMap;

use super::error::ComposeError;
use super::media::{self, MediumPlan};
use super::metadata;
use crate::base::Digest;
use crate::base::{Nevra, RelPath, SourceDate};
use crate::build::{self, Parts};
use crate::debian;
use crate::lock::{Header, Lock, Origin, Package, SignatureKind, Signatures, Tree, TreeRef};
use crate::plan::{Input, Plan, StepId};
use crate::{oci, repo, sign};

/// A signature that a plan needs and the lock's table does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// What is to be signed, for people.
    pub what: String,
    /// What the signature covers.
    pub kind: SignatureKind,
    /// The digest that the table knows it by.
    pub digest: Digest,
    /// By which key.
    pub fingerprint: String,
}

/// The plan of a lock, up to its media. Only the signature of CHECKSUM is planned later, once there is one.
#[derive(Clone, Debug, Default)]
pub struct Lowered {
    /// The steps.
    pub plan: Plan,
    /// The step that assembles the builder image, where it is assembled here.
    pub image: Option<StepId>,
    /// Where each package comes from, before signatures.
    pub unsigned: BTreeMap<Nevra, Input>,
    /// Each package as it is shipped; absent while a signature is missing.
    pub shipped: BTreeMap<Nevra, Input>,
    /// Trees: the packages in them by path, and the step that writes their repository's metadata.
    pub trees: BTreeMap<TreeRef, TreePlan>,
    /// Signatures that must be made before the rest can be planned.
    pub demands: Vec<Demand>,
    /// The media.
    pub media: Vec<MediumPlan>,
    /// Each `.treeinfo` that is signed: whose it is, and the file.
    pub treeinfos: Vec<(String, Input)>,
    /// Small inputs that planning made: menus, scripts, tables of signatures. The store must have them before
    /// steps run.
    pub texts: BTreeMap<Digest, Vec<u8>>,
}

/// What one tree is made of.
#[derive(Clone, Debug, Default)]
pub struct TreePlan {
    /// Packages by their path in the tree.
    pub packages: BTreeMap<RelPath, Input>,
    /// Its repository's metadata.
    pub repository: Option<Repository>,
    /// Files that make it an install tree, by their path in it.
    pub install: BTreeMap<RelPath, Input>,
    /// The step that made the boot loaders of an install tree.
    pub loader: Option<StepId>,
}

/// The metadata of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repository {
    /// The step that writes `repodata`.
    pub repodata: StepId,
    /// The step that writes `repomd.xml.asc`, where metadata is signed. It fails while the lock has no signature.
    pub signature: Option<StepId>,
}

impl Repository {
    /// The repository's `repomd.xml`.
    pub fn repomd(&self) -> Result<Input, ComposeError> {
        Ok(Input::Output { step: self.repodata, path: Some(RelPath::new("repodata/repomd.xml")?) })
    }
}

/// The builds of a lock's header and the image that they run in.
#[derive(Clone, Debug, Default)]
pub struct Builds {
    /// The steps.
    pub plan: Plan,
    /// The step that assembles the builder image, where it is assembled here.
    pub image: Option<StepId>,
    /// The image that programs run in.
    pub builder: Option<Input>,
    /// One step for each spec and target.
    pub steps: BTreeMap<(RelPath, String), StepId>,
}

/// The arch that native steps are planned for: their bytes do not depend on it.
pub(super) const NATIVE_PLATFORM: &str = "any";

/// The step that assembles an image of Debian packages, alone in a plan.
pub fn image_plan(lock: &debian::Lock, platform: &str) -> Result<(Plan, StepId), ComposeError> {
    let mut plan = Plan::new();
    // The image's own date is fixed, so that every recipe gets the same image of one list.
    let date = oci::SOURCE_DATE.parse().map_err(|_| ComposeError::SourceDate)?;
    let step = plan.add(oci::image_step(lock, platform, date)?)?;
    Ok((plan, step))
}

/// Plans the builds of a header; `builder` is the parsed list that the builder is made of.
pub(super) fn builds(header: &Header, builder: Option<&debian::Lock>) -> Result<Builds, ComposeError> {
    let mut builds = Builds::default();
    let root = match (&header.builder, builder) {
        (Some(pinned), Some(list)) => {
            let (plan, step) = image_plan(list, &pinned.platform)?;
            builds.plan = plan;
            builds.image = Some(step);
            Input::Output { step, path: Some(RelPath::new("manifest.json")?) }
        }
        (Some(pinned), None) => Input::Object(pinned.image),
        (None, _) if header.builds.is_empty() => return Ok(builds),
        (None, _) => return Err(ComposeError::NoBuilder),
    };
    builds.builder = Some(root.clone());
    let platform = header.builder.as_ref().map_or("", |builder| builder.platform.as_str());
    for build in &header.builds {
        for (place, target) in build.targets.iter().enumerate() {
            let sources =
                build.sources.iter().map(|source| (source.name.clone(), Input::Object(source.digest)));
            let parts = if place == 0 { Parts::All } else { Parts::Binary };
            let step = build::step(&build::Build {
                spec: build.spec.file_name(),
                text: Input::Object(build.digest),
                sources: sources.collect(),
                target,
                parts,
                dist: &build.dist,
                root: root.clone(),
                platform,
                source_date: header.source_date,
            })?;
            builds.steps.insert((build.spec.clone(), target.clone()), builds.plan.add(step)?);
        }
    }
    Ok(builds)
}

/// Plans everything that a lock asks for, as far as its signatures allow.
pub(super) fn lower(lock: &Lock) -> Result<Lowered, ComposeError> {
    let builder = debian_list(lock, lock.header.builder.as_ref().and_then(|builder| builder.debian))?;
    let Builds { plan, image, builder, steps } = builds(&lock.header, builder.as_ref())?;
    let mut lowered = Lowered { plan, image, ..Lowered::default() };
    for (nevra, package) in &lock.packages.0 {
        let unsigned = origin(package, &steps)
            .ok_or_else(|| ComposeError::NoOutput { step: nevra.to_string(), path: "its origin".into() })?;
        lowered.unsigned.insert(nevra.clone(), unsigned.clone());
        let attached =
            attach(&mut lowered, nevra, package, unsigned, &lock.signatures, lock.header.source_date)?;
        if let Some(shipped) = attached {
            for tree in package.trees.keys() {
                let place = metadata::package_path(&lock.header, tree, nevra).ok_or_else(|| {
                    ComposeError::NoOutput { step: tree.to_string(), path: nevra.to_string() }
                })?;
                let packages = &mut lowered.trees.entry(tree.clone()).or_default().packages;
                if packages.insert(place.clone(), shipped.clone()).is_some_and(|other| other != shipped) {
                    return Err(ComposeError::SamePlace { tree: tree.to_string(), path: place.to_string() });
                }
            }
            lowered.shipped.insert(nevra.clone(), shipped);
        }
    }
    if lowered.demands.is_empty() {
        for tree in &lock.header.trees {
            let name = tree.name();
            let packages = lowered.trees.entry(name.clone()).or_default().packages.clone();
            let repository = lowered.repository(lock, &name.to_string(), packages, Some(tree))?;
            lowered.trees.entry(name).or_default().repository = Some(repository);
        }
        if let Some(builder) = builder {
            media::lower(lock, &builder, &mut lowered)?;
        }
    }
    Ok(lowered)
}

impl Lowered {
    /// Plans the metadata of a repository with its signature; it carries what the tree has besides packages.
    pub(super) fn repository(
        &mut self,
        lock: &Lock,
        label: &str,
        packages: BTreeMap<RelPath, Input>,
        tree: Option<&Tree>,
    ) -> Result<Repository, ComposeError> {
        let date = lock.header.source_date;
        let further = repo::Further {
            comps: tree.and_then(|tree| tree.comps).map(Input::Object),
            modules: tree.and_then(|tree| tree.modules).map(Input::Object),
        };
        let step = repo::step(label, packages, further, lock.header.repodata, date)?;
        let mut repository = Repository { repodata: self.plan.add(step)?, signature: None };
        repository.signature = self.signature(lock, repository.repomd()?, "repomd.xml.asc")?;
        Ok(repository)
    }

    /// Plans the detached signature of a file by every key that signs metadata; none where nothing is signed.
    pub(super) fn signature(
        &mut self,
        lock: &Lock,
        file: Input,
        name: &str,
    ) -> Result<Option<StepId>, ComposeError> {
        let keys: Vec<_> = lock.header.metadata_keys().collect();
        if keys.is_empty() {
            return Ok(None);
        }
        let (name, date) = (RelPath::new(name)?, lock.header.source_date);
        let table = self.text(sign::attach::table(&lock.signatures, SignatureKind::Detached, &keys));
        let step = sign::attach::detached_step(file, table, &keys, &name, NATIVE_PLATFORM, date);
        Ok(Some(self.plan.add(step)?))
    }

    /// Takes note of a small input that planning made.
    pub(super) fn text(&mut self, bytes: Vec<u8>) -> Input {
        let digest = Digest::of(&bytes);
        self.texts.insert(digest, bytes);
        Input::Object(digest)
    }
}

fn origin(package: &Package, builds: &BTreeMap<(RelPath, String), StepId>) -> Option<Input> {
    package.origins.iter().find_map(|origin| match origin {
        Origin::Build { spec, target, path } => {
            let step = builds.get(&(spec.clone(), target.clone()))?;
            Some(Input::Output { step: *step, path: Some(path.clone()) })
        }
        _ => Some(Input::Object(package.unsigned)),
    })
}

/// Plans the insertion of a package's signatures; none while one is missing.
fn attach(
    lowered: &mut Lowered,
    nevra: &Nevra,
    package: &Package,
    unsigned: Input,
    signatures: &Signatures,
    source_date: SourceDate,
) -> Result<Option<Input>, ComposeError> {
    let mut shipped = Some(unsigned);
    for (place, fingerprint) in package.keys.iter().enumerate() {
        let kind = SignatureKind::RpmHeader;
        let Some(packet) = signatures.get(kind, &package.header, fingerprint) else {
            let (what, digest) = (nevra.to_string(), package.header);
            lowered.demands.push(Demand { what, kind, digest, fingerprint: fingerprint.clone() });
            shipped = None;
            continue;
        };
        if let Some(input) = shipped {
            let file = RelPath::new(nevra.file_name())?;
            let packet = Input::Object(Digest::of(packet));
            let replaced = package.replaced && place == 0;
            let step = sign::attach::step(input, packet, replaced, &file, NATIVE_PLATFORM, source_date);
            shipped = Some(Input::Output { step: lowered.plan.add(step)?, path: Some(file) });
        }
    }
    Ok(shipped)
}

/// A Debian list that lies in the lock.
pub(super) fn debian_list(lock: &Lock, digest: Option<Digest>) -> Result<Option<debian::Lock>, ComposeError> {
    let Some(digest) = digest else { return Ok(None) };
    let path = || std::path::PathBuf::from(format!("objects/{}", digest.hex()));
    let bytes = lock.objects.get(&digest).ok_or_else(|| ComposeError::Lock {
        path: path(),
        source: crate::lock::LockError::MissingObject(digest),
    })?;
    let text = String::from_utf8_lossy(bytes);
    debian::Lock::parse(&text).map(Some).map_err(|source| ComposeError::DebianLock { path: path(), source })
}
