//! Plans the media of a lock.
//!
//! ```text
//! packages ─[install]─▶ root ─[configure]─▶ root ─┬─[initrd]─────▶ kernel, initrd ─┐
//!                                                 ├─[squashfs]───▶ root.img ───────┼─[iso]─▶ FILE.iso
//!                                                 └─[bootloader]─▶ EFI/, images/ ──┘
//! ```
//! A live image is that and no more. A DVD has the repository of what its kickstart names besides, and what starts
//! from it is its installer. The first DVD of a variant and arch also makes the variant's tree an install tree.

use std::collections::BTreeMap;

use super::error::ComposeError;
use super::kickstarts::{self, MediumKickstarts};
use super::lower::{Lowered, Repository};
use super::metadata;
use crate::base::{Nevra, RelPath};
use crate::format::treeinfo::{Disc, TreeInfo, TreePaths, TreeProduct, TreeVariant, TreeVariantType};
use crate::format::volume_id::VolumeId;
use crate::lock::{self, Lock, MediumRef, Part, TreeKind, TreeRef};
use crate::media::{Stage, place};
use crate::plan::{Input, StepId};
use crate::recipe::MediumKind;
use crate::{media, repo, root};

/// A medium of a plan.
#[derive(Clone, Debug)]
pub struct MediumPlan {
    /// What it is.
    pub kind: MediumKind,
    /// Which one.
    pub name: MediumRef,
    /// Its path, relative to `compose/`.
    pub path: RelPath,
    /// The step that makes it and its manifest.
    pub iso: StepId,
    /// The repository that is on it and in no tree of the compose.
    pub repository: Option<Repository>,
}

impl MediumPlan {
    /// Its file.
    pub fn image(&self) -> Result<Input, ComposeError> {
        Ok(Input::Output { step: self.iso, path: Some(RelPath::new(self.path.file_name())?) })
    }

    /// The list of what is on it.
    pub fn manifest(&self) -> Result<Input, ComposeError> {
        let name = format!("{}.manifest", self.path.file_name());
        Ok(Input::Output { step: self.iso, path: Some(RelPath::new(name)?) })
    }
}

/// Plans all media of a lock whose packages are planned.
pub(super) fn lower(lock: &Lock, builder: &Input, lowered: &mut Lowered) -> Result<(), ComposeError> {
    let kickstarts = kickstarts::locked(lock)?;
    for (medium, kickstarts) in lock.header.media.iter().zip(&kickstarts) {
        let mut planner = Planner::new(lock, builder, medium, lowered)?;
        let plan = planner.medium(kickstarts)?;
        lowered.media.push(plan);
    }
    Ok(())
}

struct Planner<'a> {
    lock: &'a Lock,
    builder: &'a Input,
    platform: &'a str,
    volume_id: VolumeId,
    kind: MediumKind,
    name: MediumRef,
    tree: TreeRef,
    lowered: &'a mut Lowered,
}

/// What starts from a medium.
struct System {
    kernel: Input,
    initrd: Input,
    image: Input,
    loader: StepId,
}

impl<'a> Planner<'a> {
    fn new(
        lock: &'a Lock,
        builder: &'a Input,
        medium: &'a lock::Medium,
        lowered: &'a mut Lowered,
    ) -> Result<Self, ComposeError> {
        let name = medium.name();
        let tree = TreeRef::new(&medium.variant, TreeKind::Binary(&medium.arch));
        let kind = medium.kind().map_err(|source| ComposeError::Lock { path: "lock.toml".into(), source })?;
        let platform = lock.header.builder.as_ref().map_or("", |builder| builder.platform.as_str());
        let volume_id = VolumeId::new(&medium.volume_id)
            .map_err(|source| ComposeError::VolumeId { medium: name.to_string(), source })?;
        Ok(Self { lock, builder, platform, volume_id, kind, name, tree, lowered })
    }

    fn medium(&mut self, kickstarts: &MediumKickstarts) -> Result<MediumPlan, ComposeError> {
        let system = self.system(kickstarts)?;
        let path = metadata::image_path(&self.lock.header, &self.name)?;
        let date = self.lock.header.source_date;
        let mut files: BTreeMap<RelPath, Input> = BTreeMap::new();
        let mut trees = Vec::new();
        files.insert(RelPath::new(place::KERNEL)?, system.kernel.clone());
        files.insert(RelPath::new(place::INITRD)?, system.initrd.clone());
        let mut own_repository = None;
        match self.kind {
            MediumKind::Live => {
                files.insert(RelPath::new(place::LIVE)?, system.image.clone());
            }
            MediumKind::Dvd => {
                files.insert(RelPath::new(place::STAGE)?, system.image.clone());
                own_repository = self.repository(&mut files, &mut trees, &system)?;
            }
        }
        let step = media::iso(&media::Iso {
            label: &self.name.to_string(),
            file_name: path.file_name(),
            volume_id: &self.volume_id,
            files,
            trees,
            loader: output(system.loader, None)?,
            builder: self.builder.clone(),
            platform: self.platform,
            source_date: date,
        })?;
        let iso = self.lowered.plan.add(step)?;
        Ok(MediumPlan { kind: self.kind, name: self.name.clone(), path, iso, repository: own_repository })
    }

    /// Plans what starts from the medium.
    fn system(&mut self, kickstarts: &MediumKickstarts) -> Result<System, ComposeError> {
        let (builder, platform) = (self.builder.clone(), self.platform);
        let date = self.lock.header.source_date;
        let label = self.name.to_string();
        let kickstart = kickstarts.system();
        let mut packages = BTreeMap::new();
        for nevra in self.lock.media.of(&self.name, Part::System) {
            packages.insert(RelPath::new(nevra.file_name())?, self.shipped(nevra)?);
        }
        let has = |name: &str| self.lock.media.of(&self.name, Part::System).any(|nevra| nevra.name == name);
        let stage = if has("anaconda-dracut") { Stage::Anaconda } else { Stage::Live };
        let check = has("isomd5sum");
        let languages: Option<Vec<String>> = kickstart
            .packages
            .inst_langs
            .as_ref()
            .map(|langs| langs.split(',').filter(|lang| !lang.is_empty()).map(str::to_owned).collect());
        let step = root::install(&root::Install {
            label: &label,
            packages,
            docs: !kickstart.packages.excludedocs,
            languages: languages.as_deref(),
            builder: builder.clone(),
            platform,
            source_date: date,
        })?;
        let installed = output(self.lowered.plan.add(step)?, None)?;

        let configuration = root::configuration(kickstart)?;
        let mut files = BTreeMap::new();
        for (path, bytes) in configuration.files {
            files.insert(path, self.lowered.text(bytes));
        }
        let step = root::configure(&root::Configure {
            label: &label,
            base: installed,
            files,
            builder: builder.clone(),
            platform,
            source_date: date,
        })?;
        let configured = output(self.lowered.plan.add(step)?, None)?;

        let step = media::initrd(&media::Initrd {
            label: &label,
            root: configured.clone(),
            check,
            platform,
            source_date: date,
        })?;
        let initrd = self.lowered.plan.add(step)?;
        let step = media::squashfs(&media::Squashfs {
            label: &label,
            root: configured.clone(),
            compression: media::Compression::Auto,
            builder: builder.clone(),
            platform,
            source_date: date,
        })?;
        let squashfs = self.lowered.plan.add(step)?;
        let title = format!("{} {}", self.lock.header.release.name, self.lock.header.release.version);
        let menu = media::Menu {
            title: &title,
            volume_id: &self.volume_id,
            append: &configuration.append,
            check,
            timeout: configuration.timeout.unwrap_or(media::DEFAULT_TIMEOUT),
        };
        let menus = match self.kind {
            MediumKind::Live => media::live_menu(&menu)?,
            MediumKind::Dvd => media::install_menu(&menu, stage)?,
        };
        let step = media::loader(&media::Loader {
            label: &label,
            root: configured,
            volume_id: &self.volume_id,
            menus: &menus,
            arch: &self.name.arch,
            builder,
            platform,
            source_date: date,
        })?;
        let loader = self.lowered.plan.add(step)?;
        Ok(System {
            kernel: output(initrd, Some("vmlinuz"))?,
            initrd: output(initrd, Some("initrd.img"))?,
            image: output(squashfs, Some("root.img"))?,
            loader,
        })
    }

    /// Plans the repository of a DVD and what makes it an install tree. Gives the repository if it is another one
    /// than that of the variant.
    fn repository(
        &mut self,
        files: &mut BTreeMap<RelPath, Input>,
        trees: &mut Vec<(Option<RelPath>, Input)>,
        system: &System,
    ) -> Result<Option<Repository>, ComposeError> {
        let mut packages = BTreeMap::new();
        let tree = self.lock.header.tree(&self.tree);
        let hashed = tree.is_none_or(|tree| tree.hashed);
        for nevra in self.lock.media.of(&self.name, Part::Repository) {
            let unknown = || self.unknown(nevra);
            packages.insert(repo::package_path(nevra, hashed).ok_or_else(unknown)?, self.shipped(nevra)?);
        }
        let of_tree = self.lowered.trees.get(&self.tree).cloned().unwrap_or_default();
        let whole = packages == of_tree.packages;
        let repository = match of_tree.repository {
            Some(repository) if whole => repository,
            _ => self.lowered.repository(self.lock, &self.name.to_string(), packages.clone(), tree)?,
        };
        let disc = Disc { number: 1, total: 1 };
        let install = self.install_files(system, &repository, Some(disc))?;
        files.extend(install);
        files.extend(packages);
        trees.push((None, output(repository.repodata, None)?));
        if let Some(step) = repository.signature {
            files.insert(RelPath::new("repodata/repomd.xml.asc")?, output(step, Some("repomd.xml.asc"))?);
        }
        if let Some((name, keys)) = metadata::key_file(self.lock) {
            files.insert(RelPath::new(name)?, self.lowered.text(keys));
        }

        if of_tree.install.is_empty()
            && let Some(of_variant) = of_tree.repository
        {
            let mut install = self.install_files(system, &of_variant, None)?;
            for path in [place::KERNEL, place::INITRD, place::STAGE] {
                let path = RelPath::new(path)?;
                install.extend(files.get(&path).cloned().map(|input| (path, input)));
            }
            let tree = self.lowered.trees.entry(self.tree.clone()).or_default();
            tree.install = install;
            tree.loader = Some(system.loader);
        }
        Ok((!whole).then_some(repository))
    }

    /// `.treeinfo`, `.discinfo` and `media.repo`.
    fn install_files(
        &mut self,
        system: &System,
        repository: &Repository,
        disc: Option<Disc>,
    ) -> Result<BTreeMap<RelPath, Input>, ComposeError> {
        let release = &self.lock.header.release;
        let (date, variant, arch) = (self.lock.header.source_date, &self.tree.variant, &self.tree.arch);
        let product = TreeProduct {
            name: release.name.clone(),
            short: release.short.clone(),
            version: release.version.clone(),
        };
        let mut info = TreeInfo::new(product, arch, date.seconds());
        info.disc = disc;
        let paths = TreePaths {
            packages: Some("Packages".into()),
            repository: Some(".".into()),
            ..TreePaths::default()
        };
        let mut files = BTreeMap::from([
            (RelPath::new("repodata/repomd.xml")?, repository.repomd()?),
            (RelPath::new(place::KERNEL)?, system.kernel.clone()),
            (RelPath::new(place::INITRD)?, system.initrd.clone()),
            (RelPath::new(place::STAGE)?, system.image.clone()),
        ]);
        // A disc has what its kickstart names; the variant's own tree has its addons in it.
        let within = match disc {
            Some(_) => Vec::new(),
            None => metadata::addons(&self.lock.header, &self.tree)?,
        };
        let mut addons = BTreeMap::new();
        for (id, tree) in within {
            let Some(repository) = self.lowered.trees.get(&tree).and_then(|tree| tree.repository) else {
                continue;
            };
            let place = format!("addons/{id}");
            files.insert(RelPath::new(format!("{place}/repodata/repomd.xml"))?, repository.repomd()?);
            let addon = TreeVariant {
                id: id.into(),
                uid: tree.variant.clone(),
                name: id.into(),
                kind: TreeVariantType::Addon,
                paths: TreePaths {
                    packages: Some(format!("{place}/Packages")),
                    repository: Some(place),
                    ..TreePaths::default()
                },
                addons: BTreeMap::new(),
            };
            addons.insert(tree.variant, addon);
        }
        info.variants.insert(
            variant.clone(),
            TreeVariant {
                id: variant.clone(),
                uid: variant.clone(),
                name: variant.clone(),
                kind: TreeVariantType::Variant,
                paths,
                addons,
            },
        );
        info.main_variant = Some(variant.clone());
        let step = media::treeinfo(&media::Medium {
            label: &match disc {
                Some(_) => self.name.to_string(),
                None => self.tree.to_string(),
            },
            info: &info,
            files,
            loader: Some(output(system.loader, None)?),
            source_date: date,
        })?;
        let tree_info = output(self.lowered.plan.add(step)?, Some(".treeinfo"))?;
        let mut signature = None;
        if self.lock.header.sign_treeinfo {
            signature = self.lowered.signature(self.lock, tree_info.clone(), ".treeinfo.asc")?;
            let what = disc.map_or_else(|| self.tree.to_string(), |_| self.name.to_string());
            self.lowered.treeinfos.extend(signature.map(|_| (what, tree_info.clone())));
        }
        let title = format!("{} {}", release.name, release.version);
        let disc_info = media::discinfo(&title, arch, date)?;
        let media_repo = media::media_repo(&title, arch, date)?;
        let mut files = BTreeMap::from([
            (RelPath::new(".treeinfo")?, tree_info),
            (RelPath::new(".discinfo")?, self.lowered.text(disc_info)),
            (RelPath::new("media.repo")?, self.lowered.text(media_repo)),
        ]);
        if let Some(step) = signature {
            files.insert(RelPath::new(".treeinfo.asc")?, output(step, Some(".treeinfo.asc"))?);
        }
        Ok(files)
    }

    fn shipped(&self, nevra: &Nevra) -> Result<Input, ComposeError> {
        self.lowered.shipped.get(nevra).cloned().ok_or_else(|| self.unknown(nevra))
    }

    fn unknown(&self, nevra: &Nevra) -> ComposeError {
        ComposeError::NoOutput { step: self.name.to_string(), path: nevra.to_string() }
    }
}

fn output(step: StepId, path: Option<&str>) -> Result<Input, ComposeError> {
    Ok(Input::Output { step, path: path.map(RelPath::new).transpose()? })
}
