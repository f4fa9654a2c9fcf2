//! Files of builds that are no RPMs (modules have their metadata in one), and the buildroots of content generators.

use rusqlite::params;

use super::checksums::ChecksumType;
use crate::format::xmlrpc::Fault;
use crate::hub::store::change::{Stamp, Write};
use crate::hub::store::database::View;
use crate::hub::store::error::generic;
use crate::hub::store::names::Key;
use crate::hub::store::names::check_name;
use crate::hub::store::names::quoted;
use crate::hub::store::query::{Json, Listing, QueryOptions, Select, row};

row! {
    /// A file of a build (`listArchives`).
    Archive {
        btype: String = "btype.name",
        btype_id: i64 = "archiveinfo.btype_id",
        build_id: i64 = "archiveinfo.build_id",
        buildroot_id: Option<i64> = "archiveinfo.buildroot_id",
        checksum: String = "archiveinfo.checksum",
        checksum_type: i64 = "archiveinfo.checksum_type",
        compression_type: Option<String> = "archivetypes.compression_type",
        extra: Option<Json> = "archiveinfo.extra",
        filename: String = "archiveinfo.filename",
        id: i64 = "archiveinfo.id",
        metadata_only: bool = "archiveinfo.metadata_only",
        size: i64 = "archiveinfo.size",
        type_description: String = "archivetypes.description",
        type_extensions: String = "archivetypes.extensions",
        type_id: i64 = "archiveinfo.type_id",
        type_name: String = "archivetypes.name",
    }
}

/// Which files (`listArchives`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArchiveFilter {
    /// Of this build.
    pub build: Option<i64>,
    /// Made in this buildroot.
    pub buildroot: Option<i64>,
    /// Of this type of builds.
    pub kind: Option<String>,
    /// Of this name.
    pub filename: Option<String>,
    /// With this checksum.
    pub checksum: Option<String>,
    /// This one.
    pub archive: Option<i64>,
}

/// A new file of a build.
#[derive(Clone, Debug, PartialEq)]
pub struct NewArchive {
    /// Its id, where it is given.
    pub id: Option<i64>,
    /// Its build.
    pub build_id: i64,
    /// Its type of builds.
    pub btype: Key,
    /// Its type of files.
    pub kind: Key,
    /// Its name.
    pub filename: String,
    /// Its size in bytes.
    pub size: i64,
    /// Kind of its checksum.
    pub checksum_type: ChecksumType,
    /// Its checksum.
    pub checksum: String,
    /// Where it was made.
    pub buildroot_id: Option<i64>,
    /// Whether there is no file.
    pub metadata_only: bool,
    /// What is known beyond that.
    pub extra: Option<Json>,
}

/// A buildroot of a content generator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewBuildroot {
    /// Its id, where it is given.
    pub id: Option<i64>,
    /// The content generator.
    pub cg_id: Option<i64>,
    /// Its version.
    pub cg_version: Option<String>,
    /// What ran outside.
    pub host_os: Option<String>,
    /// On which arch.
    pub host_arch: Option<String>,
    /// What it was.
    pub container_type: Option<String>,
    /// Of which arch.
    pub container_arch: Option<String>,
}

impl View {
    /// Files of builds (`listArchives`), lowest id first unless another order is wanted.
    ///
    /// # Errors
    /// A type or an order that there is not.
    pub fn archives(
        &self,
        filter: &ArchiveFilter,
        options: &QueryOptions,
    ) -> Result<Listing<Archive>, Fault> {
        let btype = match &filter.kind {
            None => None,
            Some(kind) => match self.lookup("btype", &kind.as_str().into())? {
                Some(found) => Some(found.id),
                None => return Err(generic(format!("unsupported archive type: {kind}"))),
            },
        };
        let from = "archiveinfo JOIN archivetypes ON archiveinfo.type_id = archivetypes.id
            JOIN btype ON archiveinfo.btype_id = btype.id";
        let archives = Select::from(from)
            .with("archiveinfo.build_id = ?", filter.build)
            .with("archiveinfo.buildroot_id = ?", filter.buildroot)
            .with("archiveinfo.btype_id = ?", btype)
            .with("archiveinfo.filename = ?", filter.filename.clone())
            .with("archiveinfo.checksum = ?", filter.checksum.clone())
            .with("archiveinfo.id = ?", filter.archive);
        archives.order("archiveinfo.id").list(&self.database, options)
    }
}

impl Write<'_> {
    /// Adds a file to a build. Its id.
    ///
    /// # Errors
    /// Build or types are not there; the name cannot be a file's.
    pub fn import_archive(&mut self, stamp: &Stamp, new: &NewArchive) -> Result<i64, Fault> {
        self.change(stamp, |change| {
            let build = change.known_build(&new.build_id.into())?.id;
            let btype = change.lookup_strict("btype", &new.btype)?.id;
            let kind = change.lookup_strict("archivetypes", &new.kind)?.id;
            let name = &new.filename;
            if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\\', '\0', '\n']) {
                return Err(generic(format!("No such name of a file: {}", quoted(name))));
            }
            change.database.execute(
                "INSERT INTO archiveinfo (id, type_id, btype_id, build_id, buildroot_id, filename, size, checksum,
                    checksum_type, metadata_only, extra) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                params![
                    new.id,
                    kind,
                    btype,
                    build,
                    new.buildroot_id,
                    name,
                    new.size,
                    new.checksum,
                    new.checksum_type as i64,
                    new.metadata_only,
                    new.extra,
                ],
            )?;
            let id = change.database.last_insert_rowid();
            change.database.execute("INSERT OR IGNORE INTO build_types VALUES (?, ?)", [build, btype])?;
            Ok(id)
        })
    }

    /// Adds a type of files (`addArchiveType`). Its id.
    ///
    /// # Errors
    /// It is there.
    pub fn add_archive_type(
        &mut self,
        stamp: &Stamp,
        name: &str,
        description: &str,
        extensions: &str,
        compression_type: Option<&str>,
    ) -> Result<i64, Fault> {
        self.change(stamp, |change| {
            check_name(name)?;
            if change.lookup("archivetypes", &name.into())?.is_some() {
                return Err(generic(format!("archivetype {name} already exists")));
            }
            let sql = "INSERT INTO archivetypes (name, description, extensions, compression_type) VALUES (?, ?, ?, ?)";
            change.database.execute(sql, params![name, description, extensions, compression_type])?;
            Ok(change.database.last_insert_rowid())
        })
    }

    /// Makes a buildroot. Its id.
    ///
    /// # Errors
    /// The content generator is not there.
    pub fn create_buildroot(&mut self, stamp: &Stamp, new: &NewBuildroot) -> Result<i64, Fault> {
        self.change(stamp, |change| {
            let sql = "INSERT INTO buildroot VALUES (?, ?, ?, ?, ?, ?, ?)";
            let NewBuildroot { id, cg_id, cg_version, host_os, host_arch, container_type, container_arch } =
                new;
            let values = params![id, cg_id, cg_version, host_os, host_arch, container_type, container_arch];
            change.database.execute(sql, values)?;
            Ok(change.database.last_insert_rowid())
        })
    }
}
