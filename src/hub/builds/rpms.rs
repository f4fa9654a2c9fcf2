//! RPMs and their signatures.
//!
//! `payloadhash` is the MD5 of main header and payload (RPMTAG_SIGMD5), the same for every signed copy. `sigkey` is the
//! last 8 digits of the key id in lower case, '' for the unsigned header, which an RPM that was imported signed does not
//! have. Signatures have no history.

use rusqlite::params;
use serde::Serialize;

use super::build::BuildState;
use crate::format::xmlrpc::Fault;
use crate::hub::store::change::{Change, Stamp, Write};
use crate::hub::store::database::View;
use crate::hub::store::error::generic;
use crate::hub::store::names::quoted;
use crate::hub::store::names::{Nvra, RpmKey};
use crate::hub::store::query::{Json, Listing, QueryOptions, Select, row, set};

row! {
    /// An RPM (`getRPM`).
    Rpm {
        arch: String = "rpminfo.arch",
        build_id: Option<i64> = "rpminfo.build_id",
        buildroot_id: Option<i64> = "rpminfo.buildroot_id",
        buildtime: i64 = "rpminfo.buildtime",
        draft: bool = "rpminfo.draft",
        epoch: Option<i64> = "rpminfo.epoch",
        external_repo_id: i64 = "rpminfo.external_repo_id",
        external_repo_name: String = "external_repo.name",
        extra: Option<Json> = "rpminfo.extra",
        id: i64 = "rpminfo.id",
        metadata_only: bool = "rpminfo.metadata_only",
        name: String = "rpminfo.name",
        payloadhash: String = "rpminfo.payloadhash",
        release: String = "rpminfo.release",
        size: i64 = "rpminfo.size",
        version: String = "rpminfo.version",
    }
}

row! {
    /// An RPM in lists (`listRPMs`, `listBuildRPMs`).
    ListedRpm {
        arch: String = "rpminfo.arch",
        build_id: Option<i64> = "rpminfo.build_id",
        buildroot_id: Option<i64> = "rpminfo.buildroot_id",
        buildtime: i64 = "rpminfo.buildtime",
        draft: bool = "rpminfo.draft",
        epoch: Option<i64> = "rpminfo.epoch",
        external_repo_id: i64 = "rpminfo.external_repo_id",
        external_repo_name: String = "external_repo.name",
        extra: Option<Json> = "rpminfo.extra",
        id: i64 = "rpminfo.id",
        metadata_only: bool = "rpminfo.metadata_only",
        name: String = "rpminfo.name",
        nvr: String = "rpminfo.name || '-' || rpminfo.version || '-' || rpminfo.release",
        payloadhash: String = "rpminfo.payloadhash",
        release: String = "rpminfo.release",
        size: i64 = "rpminfo.size",
        version: String = "rpminfo.version",
    }
}

row! {
    /// A signature (`queryRPMSigs`).
    Signature {
        rpm_id: i64 = "rpm_id",
        sighash: String = "sighash",
        sigkey: String = "sigkey",
    }
}

/// Which RPMs (`listRPMs`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RpmFilter {
    /// Of this build.
    pub build: Option<i64>,
    /// Built in this buildroot.
    pub buildroot: Option<i64>,
    /// Of these arches; none: of all.
    pub arches: Option<Vec<String>>,
    /// Drafts, or others.
    pub draft: Option<bool>,
}

/// A new RPM of a build.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NewRpm {
    /// Its id, where it is given.
    pub id: Option<i64>,
    /// Its build.
    pub build_id: i64,
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Release; of a draft's RPM without the ending.
    pub release: String,
    /// Epoch.
    pub epoch: Option<i64>,
    /// Arch; `src` for sources.
    pub arch: String,
    /// MD5 of main header and payload, in hexadecimal.
    pub payloadhash: String,
    /// Size of the file in bytes.
    pub size: i64,
    /// When it was built, in seconds since 1970.
    pub buildtime: i64,
    /// Where it was built.
    pub buildroot_id: Option<i64>,
    /// Whether there is no file.
    pub metadata_only: bool,
    /// What is known beyond that.
    pub extra: Option<Json>,
}

const RPMS: &str = "rpminfo JOIN external_repo ON rpminfo.external_repo_id = external_repo.id";

impl View {
    /// All RPMs that an id or name means (`getRPM` with `multi`): drafts may share their names.
    ///
    /// # Errors
    /// The text is no name; the external repository is unknown.
    pub fn rpms_named(&self, rpm: &RpmKey) -> Result<Vec<Rpm>, Fault> {
        let rpms = Select::from(RPMS).order("rpminfo.id");
        let named = "rpminfo.name = ? AND version = ? AND release = ? AND arch = ?";
        let rpms = match rpm {
            RpmKey::Id(id) => rpms.and("rpminfo.id = ?", [*id]),
            RpmKey::Nvra(text) => match text.parse::<i64>() {
                Ok(id) => rpms.and("rpminfo.id = ?", [id]),
                Err(_) => {
                    let nvra = Nvra::parse(text)?;
                    let parts = [nvra.name, nvra.version, nvra.release, nvra.arch].map(str::to_owned);
                    let from = match nvra.location {
                        Some(location) => Some(self.lookup_strict("external_repo", &location.into())?.id),
                        None => None,
                    };
                    rpms.and(named, parts).with("external_repo_id = ?", from)
                }
            },
            RpmKey::Parts { name, version, release, arch } => {
                rpms.and(named, [name, version, release, arch].map(Clone::clone))
            }
        };
        rpms.all(&self.database)
    }

    /// An RPM (`getRPM`): of those that a name means the one that is no draft, else the latest draft, else the latest of
    /// an external repository.
    ///
    /// # Errors
    /// There is none, and `strict`; the text is no name.
    pub fn rpm(&self, rpm: &RpmKey, strict: bool) -> Result<Option<Rpm>, Fault> {
        let all = self.rpms_named(rpm)?;
        let best = all.into_iter().max_by_key(|rpm| (rpm.external_repo_id == 0, !rpm.draft, rpm.id));
        if best.is_some() || !strict {
            return Ok(best);
        }
        let quoted = match rpm {
            RpmKey::Id(id) => format!("{{'id': {id}}}"),
            RpmKey::Nvra(text) => match text.parse::<i64>() {
                Ok(id) => format!("{{'id': {id}}}"),
                Err(_) => Nvra::parse(text)?.quoted(),
            },
            RpmKey::Parts { name, version, release, arch } => {
                let [name, version, release, arch] = [name, version, release, arch].map(|part| quoted(part));
                format!("{{'name': {name}, 'version': {version}, 'release': {release}, 'arch': {arch}}}")
            }
        };
        Err(generic(format!("No such rpm: {quoted}")))
    }

    /// RPMs (`listRPMs`), lowest id first unless another order is wanted.
    ///
    /// # Errors
    /// An order that is none.
    pub fn rpms(&self, filter: &RpmFilter, options: &QueryOptions) -> Result<Listing<ListedRpm>, Fault> {
        let rpms = Select::from(RPMS)
            .with("rpminfo.build_id = ?", filter.build)
            .with("rpminfo.buildroot_id = ?", filter.buildroot)
            .with("rpminfo.arch IN (SELECT value FROM json_each(?))", filter.arches.as_deref().map(set))
            .with("rpminfo.draft = ?", filter.draft);
        rpms.order("rpminfo.id").list(&self.database, options)
    }

    /// Signatures of an RPM, by a key, or all (`queryRPMSigs`), in the order in which they came. An RPM that is not there
    /// has none.
    ///
    /// # Errors
    /// The text is no name; an order that is none.
    pub fn signatures(
        &self,
        rpm: Option<&RpmKey>,
        sigkey: Option<&str>,
        options: &QueryOptions,
    ) -> Result<Listing<Signature>, Fault> {
        let id = match rpm {
            None => None,
            Some(RpmKey::Id(id)) => Some(*id),
            Some(rpm) => match self.rpm(rpm, false)? {
                Some(rpm) => Some(rpm.id),
                None => return Ok(Listing::Rows(Vec::new())),
            },
        };
        let signatures = Select::from("rpmsigs").with("rpm_id = ?", id);
        let signatures = signatures.with("sigkey = ?", sigkey.map(str::to_lowercase));
        signatures.order("rpmsigs.rowid").list(&self.database, options)
    }
}

impl Change<'_> {
    fn import_rpm(&self, new: &NewRpm) -> Result<i64, Fault> {
        let build = self.known_build(&new.build_id.into())?;
        let state = BuildState::from_number(build.state);
        if matches!(state, Some(BuildState::Failed | BuildState::Canceled | BuildState::Deleted)) {
            let state = state.map_or("", BuildState::name);
            return Err(generic(format!("Build is {state}: {}", build.nvr)));
        }
        let NewRpm { name, version, release, arch, .. } = new;
        for part in [name, version, release, arch] {
            // Names of files are made of these.
            if part.is_empty() || part.contains(['/', '\\', '\0', '\n']) || part.starts_with("..") {
                return Err(generic(format!("No such name of an rpm: {}", quoted(part))));
            }
        }
        let sql = "SELECT 1 FROM rpminfo WHERE name = ? AND version = ? AND release = ? AND arch = ?
             AND external_repo_id = 0 AND NOT draft";
        let taken = self.database.prepare(sql)?.exists([name, version, release, arch])?;
        if taken && !build.draft {
            return Err(generic(format!("RPM already exists: {name}-{version}-{release}.{arch}")));
        }
        self.database.prepare("INSERT OR IGNORE INTO build_types VALUES (?, 1)")?.execute([build.id])?;
        self.database
            .prepare(
                "INSERT INTO rpminfo (id, build_id, buildroot_id, name, version, release, epoch, arch, draft,
                    external_repo_id, payloadhash, size, buildtime, metadata_only, extra)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                new.id,
                build.id,
                new.buildroot_id,
                name,
                version,
                release,
                new.epoch,
                arch,
                build.draft,
                new.payloadhash,
                new.size,
                new.buildtime,
                new.metadata_only,
                new.extra,
            ])?;
        Ok(self.database.last_insert_rowid())
    }

    fn add_signature(&self, rpm: i64, sigkey: &str, sighash: &str) -> Result<(), Fault> {
        let found = self.rpm(&RpmKey::Id(rpm), true)?;
        let found = found.ok_or_else(|| generic(format!("No such rpm: {rpm}")))?;
        if found.external_repo_id != 0 {
            let text = format!("Not an internal rpm: {rpm} (from {})", found.external_repo_name);
            return Err(generic(text));
        }
        let sql = "INSERT OR IGNORE INTO rpmsigs VALUES (?, ?, ?)";
        let sigkey = sigkey.to_lowercase();
        if self.database.prepare(sql)?.execute(params![rpm, sigkey, sighash])? == 0 {
            let Rpm { name, version, release, arch, .. } = found;
            let nvra = format!("{name}-{version}-{release}.{arch}");
            return Err(generic(format!("Signature already exists for package {nvra}, key {sigkey}")));
        }
        Ok(())
    }
}

impl Write<'_> {
    /// Adds an RPM to a build (the database's part of `importRPM`); the build becomes one of type rpm. Its id.
    ///
    /// # Errors
    /// The RPM is there; the build is not, or failed or was deleted.
    pub fn import_rpm(&mut self, stamp: &Stamp, new: &NewRpm) -> Result<i64, Fault> {
        self.change(stamp, |change| change.import_rpm(new))
    }

    /// Adds a signature (the database's part of `addRPMSig`): `sighash` is the MD5 of the signature header.
    ///
    /// # Errors
    /// The RPM has one by that key, or is not there.
    pub fn add_signature(
        &mut self,
        stamp: &Stamp,
        rpm: i64,
        sigkey: &str,
        sighash: &str,
    ) -> Result<(), Fault> {
        self.change(stamp, |change| change.add_signature(rpm, sigkey, sighash))
    }

    /// Removes signatures by a key, or all, with their checksums (the database's part of `deleteRPMSig`). What it
    /// removed.
    ///
    /// # Errors
    /// There is none such.
    pub fn delete_signature(
        &mut self,
        stamp: &Stamp,
        rpm: &RpmKey,
        sigkey: Option<&str>,
    ) -> Result<Vec<Signature>, Fault> {
        self.change(stamp, |change| {
            let found = change.rpm(rpm, true)?.ok_or_else(|| generic("No such rpm"))?;
            let all = change.signatures(Some(&found.id.into()), sigkey, &QueryOptions::default())?.rows();
            if all.is_empty() {
                let Rpm { name, version, release, arch, .. } = found;
                let nvra = format!("{name}-{version}-{release}.{arch}");
                return Err(generic(format!("{nvra} has no matching signatures to delete")));
            }
            for signature in &all {
                for table in ["rpmsigs", "rpm_checksum"] {
                    let sql = format!("DELETE FROM {table} WHERE rpm_id = ? AND sigkey = ?");
                    change.database.execute(&sql, params![signature.rpm_id, signature.sigkey])?;
                }
            }
            Ok(all)
        })
    }
}
