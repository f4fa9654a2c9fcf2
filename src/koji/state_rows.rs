//! Rows of a hub's answers, as far as a snapshot keeps them. Members that are not named here are passed over.

use serde::Deserialize;

use super::snapshot::{Build, External, Link, Module, Package, Rpm, Signature, Tagging};

/// An event.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Event {
    pub id: i64,
    pub ts: f64,
}

impl Event {
    /// Its time: microseconds since 1970.
    #[allow(clippy::cast_possible_truncation, reason = "a time beyond the range of integers becomes its end")]
    pub fn microseconds(&self) -> i64 {
        (self.ts * 1e6).round() as i64
    }
}

/// getTag.
#[derive(Debug, Deserialize)]
pub(super) struct TagRow {
    pub id: i64,
    pub name: String,
    pub arches: Option<String>,
    pub locked: bool,
}

/// A row of getFullInheritance.
#[derive(Debug, Deserialize)]
pub(super) struct LinkRow {
    child_id: i64,
    pub parent_id: i64,
    priority: i64,
    maxdepth: Option<i64>,
    intransitive: bool,
    noconfig: bool,
    pkg_filter: Option<String>,
    currdepth: i64,
    nextdepth: Option<i64>,
    #[serde(default)]
    filter: Vec<String>,
}

impl LinkRow {
    pub fn link(self) -> Link {
        Link {
            child: self.child_id,
            parent: self.parent_id,
            priority: self.priority,
            maxdepth: self.maxdepth,
            intransitive: self.intransitive,
            noconfig: self.noconfig,
            filter: self.pkg_filter.unwrap_or_default(),
            depth: self.currdepth,
            nextdepth: self.nextdepth,
            filters: self.filter,
        }
    }
}

/// A row of listPackages.
#[derive(Debug, Deserialize)]
pub(super) struct PackageRow {
    tag_id: i64,
    package_id: i64,
    package_name: String,
    owner_id: i64,
    owner_name: String,
    blocked: bool,
    extra_arches: Option<String>,
}

impl PackageRow {
    pub fn package(self) -> Package {
        Package {
            tag: self.tag_id,
            id: self.package_id,
            name: self.package_name,
            owner: self.owner_id,
            owner_name: self.owner_name,
            blocked: self.blocked,
            extra_arches: self.extra_arches,
        }
    }
}

/// A row of listTagged, also a build of listTaggedRPMS, or the answer to getBuild.
#[derive(Debug, Deserialize)]
pub(super) struct BuildRow {
    /// Only of rows of what is tagged.
    tag_id: Option<i64>,
    /// Only of rows of what is tagged: the event that it was tagged at.
    create_event: Option<i64>,
    build_id: i64,
    package_id: i64,
    package_name: String,
    epoch: Option<i64>,
    version: String,
    release: String,
    state: i64,
    #[serde(default)]
    draft: bool,
    volume_id: i64,
    volume_name: String,
    owner_id: i64,
    owner_name: String,
    task_id: Option<i64>,
    creation_event_id: i64,
    creation_time: String,
    start_time: Option<String>,
    completion_time: Option<String>,
    /// Only of getBuild.
    extra: Option<Extra>,
}

#[derive(Debug, Deserialize)]
struct Extra {
    typeinfo: Option<TypeInfo>,
}

#[derive(Debug, Deserialize)]
struct TypeInfo {
    module: Option<ModuleInfo>,
}

#[derive(Debug, Deserialize)]
struct ModuleInfo {
    name: String,
    stream: String,
    version: String,
    context: String,
    content_koji_tag: String,
}

impl BuildRow {
    pub fn id(&self) -> i64 {
        self.build_id
    }

    pub fn nvr(&self) -> String {
        format!("{}-{}-{}", self.package_name, self.version, self.release)
    }

    pub fn tagging(&self) -> Option<Tagging> {
        Some(Tagging { tag: self.tag_id?, build: self.build_id, event: self.create_event? })
    }

    pub fn module(&self) -> Option<Module> {
        let info = self.extra.as_ref()?.typeinfo.as_ref()?.module.as_ref()?;
        Some(Module {
            build: self.build_id,
            name: info.name.clone(),
            stream: info.stream.clone(),
            version: info.version.clone(),
            context: info.context.clone(),
            content_tag: info.content_koji_tag.clone(),
        })
    }

    pub fn build(self) -> Build {
        Build {
            id: self.build_id,
            package: self.package_id,
            name: self.package_name,
            epoch: self.epoch,
            version: self.version,
            release: self.release,
            state: self.state,
            draft: self.draft,
            volume: self.volume_id,
            volume_name: self.volume_name,
            owner: self.owner_id,
            owner_name: self.owner_name,
            task: self.task_id,
            event: self.creation_event_id,
            creation: self.creation_time,
            start: self.start_time,
            completion: self.completion_time,
        }
    }
}

/// A row of listTaggedRPMS or listBuildRPMs.
#[derive(Debug, Deserialize)]
pub(super) struct RpmRow {
    id: i64,
    pub build_id: i64,
    name: String,
    epoch: Option<i64>,
    version: String,
    release: String,
    arch: String,
    payloadhash: String,
    size: i64,
    buildtime: i64,
    buildroot_id: Option<i64>,
    #[serde(default)]
    metadata_only: bool,
    #[serde(default)]
    draft: bool,
}

impl RpmRow {
    pub fn rpm(self) -> Rpm {
        Rpm {
            id: self.id,
            build: self.build_id,
            name: self.name,
            epoch: self.epoch,
            version: self.version,
            release: self.release,
            arch: self.arch,
            payloadhash: self.payloadhash,
            size: self.size,
            buildtime: self.buildtime,
            buildroot: self.buildroot_id,
            metadata_only: self.metadata_only,
            draft: self.draft,
        }
    }
}

/// A row of queryRPMSigs.
#[derive(Debug, Deserialize)]
pub(super) struct SignatureRow {
    sigkey: String,
    sighash: String,
}

impl SignatureRow {
    pub fn signature(self, rpm: i64) -> Signature {
        Signature {
            rpm,
            sigkey: self.sigkey.to_ascii_lowercase(),
            sighash: self.sighash.to_ascii_lowercase(),
        }
    }
}

/// A row of getExternalRepoList.
#[derive(Debug, Deserialize)]
pub(super) struct ExternalRow {
    tag_id: i64,
    priority: i64,
    external_repo_id: i64,
    external_repo_name: String,
    url: String,
    merge_mode: Option<String>,
    arches: Option<String>,
}

impl ExternalRow {
    pub fn external(self) -> External {
        External {
            tag: self.tag_id,
            priority: self.priority,
            id: self.external_repo_id,
            name: self.external_repo_name,
            url: self.url,
            merge_mode: self.merge_mode,
            arches: self.arches,
        }
    }
}

/// A row of queryHistory about what was tagged.
#[derive(Debug, Deserialize)]
pub(super) struct HistoryRow {
    name: String,
    version: String,
    release: String,
    #[serde(rename = "build.state")]
    state: i64,
    create_event: i64,
    revoke_event: Option<i64>,
}

impl HistoryRow {
    pub fn nvr(&self) -> String {
        format!("{}-{}-{}", self.name, self.version, self.release)
    }

    /// Whether it was in force at an event, and its build is deleted (state 2).
    pub fn is_deleted(&self, event: i64) -> bool {
        let in_force = self.create_event <= event && self.revoke_event.is_none_or(|revoked| revoked > event);
        in_force && self.state == 2
    }
}
