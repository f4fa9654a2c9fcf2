//! Checksums of RPMs: of the whole file, once for each signature, whether that copy lies there or not.

use std::collections::BTreeMap;

use rusqlite::params;

use crate::format::xmlrpc::Fault;
use crate::hub::store::change::{Stamp, Write};
use crate::hub::store::database::View;
use crate::hub::store::error::generic;
use crate::hub::store::names::RpmKey;

/// Kinds of checksums that a hub computes, with Koji's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChecksumType {
    /// MD5.
    Md5 = 0,
    /// SHA-1.
    Sha1 = 1,
    /// SHA-256.
    Sha256 = 2,
}

impl ChecksumType {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Md5, "md5"), (Self::Sha1, "sha1"), (Self::Sha256, "sha256")];
    /// What is asked for where nothing is said (Koji's RPMDefaultChecksums).
    pub const DEFAULT: [Self; 2] = [Self::Md5, Self::Sha256];

    /// The kind of a name.
    ///
    /// # Errors
    /// A hub does not compute it.
    pub fn named(name: &str) -> Result<Self, Fault> {
        let kind = Self::ALL.into_iter().find(|(_, known)| *known == name);
        let kind = kind.ok_or_else(|| generic(format!("Checksum_type {name} isn't supported")))?;
        Ok(kind.0)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }
}

/// Checksums by sigkey and kind's name; none where one is not known.
pub type Checksums = BTreeMap<String, BTreeMap<String, Option<String>>>;

impl View {
    /// The checksums that are kept of an RPM, with each of its signatures (`getRPMChecksums` with `cacheonly`): where one
    /// is none it was never computed. An RPM without signatures, as those of deleted builds, has none.
    ///
    /// # Errors
    /// There is no such RPM.
    pub fn checksums(&self, rpm: i64, kinds: &[ChecksumType]) -> Result<Checksums, Fault> {
        self.rpm(&RpmKey::Id(rpm), true)?;
        let mut statement = self.database.prepare(
            "SELECT rpmsigs.sigkey, checksum_type, checksum FROM rpmsigs
             LEFT JOIN rpm_checksum ON rpm_checksum.rpm_id = rpmsigs.rpm_id AND rpm_checksum.sigkey = rpmsigs.sigkey
             WHERE rpmsigs.rpm_id = ?",
        )?;
        let mut rows = statement.query([rpm])?;
        let mut all = Checksums::new();
        while let Some(row) = rows.next()? {
            let wanted = kinds.iter().map(|kind| (kind.name().to_owned(), None));
            let of_key = all.entry(row.get(0)?).or_insert_with(|| wanted.collect());
            let number: Option<i64> = row.get(1)?;
            let kind = kinds.iter().find(|kind| Some(**kind as i64) == number);
            if let Some(kind) = kind {
                of_key.insert(kind.name().to_owned(), row.get(2)?);
            }
        }
        Ok(all)
    }
}

impl Write<'_> {
    /// Keeps a checksum of the file with a signature.
    ///
    /// # Errors
    /// The RPM has no such signature, or another checksum is kept.
    pub fn keep_checksum(
        &mut self,
        stamp: &Stamp,
        rpm: i64,
        sigkey: &str,
        kind: ChecksumType,
        checksum: &str,
    ) -> Result<(), Fault> {
        self.change(stamp, |change| {
            let signed = "SELECT 1 FROM rpmsigs WHERE rpm_id = ? AND sigkey = ?";
            if !change.database.prepare(signed)?.exists(params![rpm, sigkey])? {
                return Err(generic(format!("No signature of key '{sigkey}' for rpm {rpm}")));
            }
            let kept = "SELECT 1 FROM rpm_checksum WHERE rpm_id = ? AND sigkey = ? AND checksum_type = ? AND checksum != ?";
            if change.database.prepare(kept)?.exists(params![rpm, sigkey, kind as i64, checksum])? {
                let kind = kind.name();
                return Err(generic(format!("rpm {rpm} has another {kind} with the signature of key '{sigkey}'")));
            }
            let sql = "INSERT OR IGNORE INTO rpm_checksum VALUES (?, ?, ?, ?)";
            change.database.prepare(sql)?.execute(params![rpm, sigkey, kind as i64, checksum])?;
            Ok(())
        })
    }
}
