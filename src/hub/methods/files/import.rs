//! Importing packages: `importRPM`, and the same for one who has the hub's folder.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::package::PackageFile;
use super::placement::{Files, Note, Placement, Staged};
use crate::format::xmlrpc::Fault;
use crate::hub::methods::call::{Call, Lazy, Outcome};
use crate::hub::methods::table::Method;
use crate::hub::methods::{Methods, generic, internal};
use crate::hub::store::names::Nvra;
use crate::hub::{
    Build, BuildKey, ChecksumType, Key, NewBuild, NewRpm, NewTag, PackageUpdate, Rpm, Stamp, TagConfig,
    TaggedFilter, View, Write,
};

/// The answer of `importRPM`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "members are Koji's")]
pub struct Imported {
    pub name: String,
    pub version: String,
    pub release: String,
    pub epoch: Option<i64>,
    /// 1, or nil for what is no source package.
    pub sourcepackage: Option<i64>,
    pub arch: String,
    pub buildtime: i64,
    pub sourcerpm: Option<String>,
    pub draft: bool,
    pub id: i64,
    pub build_id: i64,
    pub size: i64,
    pub payloadhash: String,
    pub buildroot_id: Option<i64>,
    pub external_repo_id: i64,
    pub build: Build,
    pub brootid: Option<i64>,
}

/// Where a build's files are below topdir.
pub fn build_folder(build: &Build) -> PathBuf {
    folder_on(&build.row.volume_name, build)
}

/// Where they would be on a volume.
pub fn folder_on(volume: &str, build: &Build) -> PathBuf {
    let row = &build.row;
    let mut folder = PathBuf::new();
    if volume != "DEFAULT" {
        folder.extend(["vol", volume]);
    }
    folder.extend(["packages", &row.name, &row.version, &row.release]);
    folder
}

/// `ARCH/NAME-VERSION-RELEASE.ARCH.rpm`.
fn rpm_path(rpm: &Rpm) -> String {
    let Rpm { arch, .. } = rpm;
    format!("{arch}/{}.rpm", nvra(rpm))
}

/// `NAME-VERSION-RELEASE.ARCH`.
pub fn nvra(rpm: &Rpm) -> String {
    let Rpm { name, version, release, arch, .. } = rpm;
    format!("{name}-{version}-{release}.{arch}")
}

/// The files of an RPM below topdir.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpmPaths {
    folder: PathBuf,
    rpm: String,
}

impl RpmPaths {
    /// Those of an RPM of a build.
    pub fn new(build: &Build, rpm: &Rpm) -> Self {
        Self { folder: build_folder(build), rpm: rpm_path(rpm) }
    }

    /// As it was imported.
    pub fn primary(&self) -> PathBuf {
        self.folder.join(&self.rpm)
    }

    /// With the signature of a key.
    pub fn signed(&self, sigkey: &str) -> PathBuf {
        self.folder.join("data/signed").join(sigkey).join(&self.rpm)
    }

    /// Its signature header; without a key, that of the unsigned file.
    pub fn header(&self, sigkey: &str) -> PathBuf {
        // Joined with nothing, a path gets a slash more, which means nothing.
        self.folder.join("data/sigcache").join(sigkey).join(format!("{}.sig", self.rpm))
    }
}

/// A package that was read and lies ready to be imported.
#[derive(Debug)]
pub struct Import {
    staged: Staged,
    /// What it is.
    pub package: PackageFile,
}

impl Import {
    /// Copies a package into the hub's folder and reads it on the way. A copy, because the file may still be open for
    /// writing elsewhere.
    pub fn stage(files: &Files, mut from: impl Read) -> Result<Self, Fault> {
        let (staged, package) = files.stage(|file| {
            io::copy(&mut from, file).map_err(internal)?;
            file.flush().map_err(internal)?;
            file.rewind().map_err(internal)?;
            PackageFile::read(file)
        })?;
        Ok(Self { staged, package })
    }

    /// Imports it under a file name, which must be what the package calls itself.
    pub fn perform(
        self,
        basename: &str,
        stamp: &Stamp,
        write: &mut Write<'_>,
        placement: &mut Placement<'_>,
    ) -> Result<Imported, Fault> {
        let Self { staged, package } = self;
        let expected = format!("{}.rpm", package.nvra());
        if basename != expected {
            return Err(generic(format!("bad filename: {basename} (expected {expected})")));
        }
        let build_id = match find_build(write, &package)? {
            Some(id) => id,
            None if package.is_source => {
                let PackageFile { name, version, release, epoch, .. } = &package;
                let new = NewBuild::new(name, version, release, *epoch, stamp.user, stamp.time);
                write.create_build(stamp, &new)?
            }
            None => return Err(generic("No such build")),
        };
        let id = write.import_rpm(
            stamp,
            &NewRpm {
                id: None,
                build_id,
                name: package.name.clone(),
                version: package.version.clone(),
                release: package.release.clone(),
                epoch: package.epoch,
                arch: package.arch.clone(),
                payloadhash: package.sigmd5.clone(),
                size: package.size,
                buildtime: package.buildtime,
                buildroot_id: None,
                metadata_only: false,
                extra: None,
            },
        )?;
        let (build, rpm) = known(write, id)?;
        let paths = RpmPaths::new(&build, &rpm);
        placement.place(staged, Note::Rpm { path: paths.primary(), nvra: package.nvra() })?;
        let signature = &package.signature;
        super::signing::keep(write, placement, stamp, &rpm, &paths, signature)?;
        for (kind, checksum) in [(ChecksumType::Md5, &package.md5), (ChecksumType::Sha256, &package.sha256)] {
            write.keep_checksum(stamp, id, &signature.sigkey, kind, checksum)?;
        }
        Ok(Imported {
            name: package.name,
            version: package.version,
            release: package.release,
            epoch: package.epoch,
            sourcepackage: package.is_source.then_some(1),
            arch: package.arch,
            buildtime: package.buildtime,
            sourcerpm: package.sourcerpm,
            draft: false,
            id,
            build_id,
            size: package.size,
            payloadhash: package.sigmd5,
            buildroot_id: None,
            external_repo_id: 0,
            build,
            brootid: None,
        })
    }
}

fn find_build(view: &View, package: &PackageFile) -> Result<Option<i64>, Fault> {
    let key = match &package.sourcerpm {
        _ if package.is_source => BuildKey::Parts {
            name: package.name.clone(),
            version: package.version.clone(),
            release: package.release.clone(),
        },
        None => return Ok(None),
        Some(sourcerpm) => {
            let Nvra { name, version, release, .. } = Nvra::parse(sourcerpm)?;
            let [name, version, release] = [name, version, release].map(str::to_owned);
            BuildKey::Parts { name, version, release }
        }
    };
    view.find_build(&key)
}

/// An RPM of this hub and its build.
pub fn known(view: &View, id: i64) -> Result<(Build, Rpm), Fault> {
    let none = || generic(format!("No such rpm: {id}"));
    let rpm = view.rpm(&id.into(), true)?.ok_or_else(none)?;
    let build = view.build(&rpm.build_id.ok_or_else(none)?.into(), true)?.ok_or_else(none)?;
    Ok((build, rpm))
}

/// Builds to be tagged, by one who has the hub's folder.
#[derive(Clone, Debug)]
pub struct Tagging<'t> {
    /// The tag; made where it is not there.
    pub tag: &'t str,
    /// Its arches, then.
    pub arches: Vec<&'t str>,
    /// The builds, in the order in which they are tagged: name-version-release.
    pub builds: Vec<&'t str>,
}

impl Methods {
    /// Copies a package into the hub's folder, to be imported.
    pub fn stage(&self, from: impl Read) -> Result<Import, Fault> {
        Import::stage(&self.files, from)
    }

    /// Imports a package, under the name that it has.
    pub fn import(&self, import: Import, stamp: &Stamp) -> Result<Imported, Fault> {
        let name = format!("{}.rpm", import.package.nvra());
        let mut lazy = Lazy::new(&self.hub, &self.files);
        let (write, placement) = lazy.write()?;
        let imported = import.perform(&name, stamp, write, placement)?;
        lazy.commit()?;
        Ok(imported)
    }

    /// Tags builds that have the tag not yet, with an entry in its package list; how many.
    pub fn tag(&self, stamp: &Stamp, tagging: &Tagging<'_>) -> Result<usize, Fault> {
        let mut write = self.hub.write()?;
        let tag = Key::from(tagging.tag);
        let id = match write.tag(&tag, None, false)? {
            Some(tag) => tag.row.id,
            None => {
                let config = TagConfig { arches: Some(tagging.arches.join(" ")), ..TagConfig::default() };
                write.create_tag(stamp, tagging.tag, &NewTag { config, ..NewTag::default() })?
            }
        };
        let has: BTreeSet<i64> =
            write.tagged(id, &TaggedFilter::default())?.iter().map(|build| build.row.build_id).collect();
        let mut tagged = 0;
        for nvr in &tagging.builds {
            let build = write.known_build(&BuildKey::from(*nvr))?;
            let package = Key::Id(build.package_id);
            let entry = write.package_config(id, build.package_id, None)?;
            if entry.is_none_or(|entry| entry.blocked) {
                let update = PackageUpdate {
                    owner: Some(Key::Id(stamp.user)),
                    block: Some(false),
                    force: true,
                    ..PackageUpdate::default()
                };
                write.add_package(stamp, &Key::Id(id), &package, &update)?;
            }
            if !has.contains(&build.id) {
                write.tag_build(stamp, &Key::Id(id), &BuildKey::Id(build.id), false)?;
                tagged += 1;
            }
        }
        write.commit()?;
        Ok(tagged)
    }
}

fn import_rpm(call: &mut Call<'_, '_>) -> Outcome {
    let (path, basename) = (call.needed_text("path")?, call.needed_text("basename")?);
    let stamp = call.stamp()?;
    let uploaded = open(&call.methods.uploads.path(&path, &basename)?, &path, &basename)?;
    let import = Import::stage(&call.methods.files, uploaded)?;
    let (write, placement) = call.write()?;
    let imported = import.perform(&basename, &stamp, write, placement)?;
    let uploads = call.methods.uploads.clone();
    call.write()?.1.later(move || uploads.remove(&path, &basename));
    call.answer(&imported)
}

fn open(file: &Path, path: &str, basename: &str) -> Result<File, Fault> {
    let found = File::open(file).and_then(|opened| Ok((opened.metadata()?.is_file(), opened)));
    match found {
        Ok((true, opened)) => Ok(opened),
        _ => Err(generic(format!("No such file: {path}/{basename}"))),
    }
}

/// The methods.
pub const METHODS: &[Method] =
    &[Method::write("importRPM", "RootExports.importRPM", "path, basename", "admin", import_rpm)];
