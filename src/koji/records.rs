//! What a snapshot keeps of a hub's rows.

use super::rows;
use super::snapshot::{Build, External, Link, Module, Modulemd, Package, Rpm, Signature, Tag, Tagging};

fn text(text: Option<rows::Text>) -> Option<String> {
    text.map(String::from)
}

impl From<rows::Tag> for Tag {
    fn from(row: rows::Tag) -> Self {
        Self { id: row.id, name: row.name.into(), arches: text(row.arches), locked: row.locked }
    }
}

impl From<rows::Link> for Link {
    fn from(row: rows::Link) -> Self {
        Self {
            child: row.child_id,
            parent: row.parent_id,
            priority: row.priority,
            maxdepth: row.maxdepth,
            intransitive: row.intransitive,
            noconfig: row.noconfig,
            filter: text(row.pkg_filter).unwrap_or_default(),
            depth: row.currdepth,
            nextdepth: row.nextdepth,
            filters: row.filter.into_iter().map(String::from).collect(),
        }
    }
}

impl From<rows::Package> for Package {
    fn from(row: rows::Package) -> Self {
        Self {
            tag: row.tag_id,
            id: row.package_id,
            name: row.package_name.into(),
            owner: row.owner_id,
            owner_name: row.owner_name.into(),
            blocked: row.blocked,
            extra_arches: text(row.extra_arches),
        }
    }
}

impl From<rows::Build> for Build {
    fn from(row: rows::Build) -> Self {
        Self {
            id: row.build_id,
            package: row.package_id,
            name: row.package_name.into(),
            epoch: row.epoch.map(i64::from),
            version: row.version.into(),
            release: row.release.into(),
            state: row.state,
            draft: row.draft,
            volume: row.volume_id,
            volume_name: row.volume_name.into(),
            owner: row.owner_id,
            owner_name: row.owner_name.into(),
            task: row.task_id,
            event: row.creation_event_id,
            creation: row.creation_time.into(),
            start: text(row.start_time),
            completion: text(row.completion_time),
        }
    }
}

impl rows::Build {
    /// Its entry in a tag, if the row is about one.
    pub(super) fn tagging(&self) -> Option<Tagging> {
        Some(Tagging { tag: self.tag_id?, build: self.build_id, event: self.create_event? })
    }

    /// What the hub says of the module that it is a build of.
    pub(super) fn info(&self) -> Option<&rows::ModuleInfo> {
        self.extra.as_ref()?.typeinfo.as_ref()?.module.as_ref()
    }

    /// The module that it is a build of.
    pub(super) fn module(&self) -> Option<Module> {
        let info = self.info()?;
        Some(Module {
            build: self.build_id,
            name: info.name.to_string(),
            stream: info.stream.to_string(),
            version: info.version.to_string(),
            context: info.context.to_string(),
            content_tag: info.content_koji_tag.to_string(),
        })
    }

    /// Version and context of the build of a module.
    pub(super) fn version_and_context(&self) -> (u64, &str) {
        let (version, context) = self.release.split_once('.').unwrap_or((&self.release, ""));
        (version.parse().unwrap_or(0), context)
    }
}

impl rows::Archive {
    /// The file, if it is one in which the build of a module says what it is.
    pub(super) fn modulemd(self) -> Option<Modulemd> {
        let plain = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
        let file = self.filename;
        let is = &*self.btype == "module" && file.starts_with("modulemd.") && file.ends_with(".txt");
        if !is || !file.chars().all(plain) {
            return None;
        }
        let kind = match self.checksum_type {
            0 => "md5",
            1 => "sha1",
            2 => "sha256",
            _ => return None,
        };
        Some(Modulemd {
            build: self.build_id,
            file: Some(file.into()),
            size: self.size.try_into().ok()?,
            checksum: Some(format!("{kind}:{}", self.checksum.to_ascii_lowercase())),
            ..Modulemd::default()
        })
    }
}

impl Rpm {
    /// None where the row says of no build, or of a size that no file has.
    pub(super) fn of(row: rows::Rpm) -> Option<Self> {
        Some(Self {
            id: row.id,
            build: row.build_id?,
            name: row.name.into(),
            epoch: row.epoch.map(i64::from),
            version: row.version.into(),
            release: row.release.into(),
            arch: row.arch.into(),
            payloadhash: row.payloadhash.into(),
            size: row.size.try_into().ok()?,
            buildtime: row.buildtime,
            buildroot: row.buildroot_id,
            metadata_only: row.metadata_only,
            draft: row.draft,
        })
    }
}

impl From<rows::Signature> for Signature {
    fn from(row: rows::Signature) -> Self {
        Self {
            rpm: row.rpm_id,
            sigkey: row.sigkey.to_ascii_lowercase(),
            sighash: row.sighash.to_ascii_lowercase(),
        }
    }
}

impl From<rows::ExternalRepo> for External {
    fn from(row: rows::ExternalRepo) -> Self {
        Self {
            tag: row.tag_id,
            priority: row.priority,
            id: row.external_repo_id,
            name: row.external_repo_name.into(),
            url: row.url.into(),
            merge_mode: text(row.merge_mode),
            arches: text(row.arches),
        }
    }
}

impl rows::TaggingHistory {
    /// Whether it was in force at an event, and its build is deleted (state 2).
    pub(super) fn is_deleted(&self, event: i64) -> bool {
        let in_force = self.create_event <= event && self.revoke_event.is_none_or(|revoked| revoked > event);
        in_force && self.state == 2
    }

    /// Name, version and release of the build.
    pub(super) fn nvr(&self) -> String {
        format!("{}-{}-{}", self.name, self.version, self.release)
    }
}

impl rows::Event {
    /// Its time: microseconds since 1970.
    #[allow(clippy::cast_possible_truncation, reason = "a time beyond the range of integers becomes its end")]
    pub(super) fn microseconds(&self) -> i64 {
        (self.ts * 1e6).round() as i64
    }
}
