//! The writes that made a hub's state, as a list in JSON: read, and made again on a hub of ours, one after the other.

#![allow(clippy::panic, reason = "a test may fail")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use gander::format::xmlrpc::Fault;
use gander::hub::{
    BuildKey, BuildState, ChecksumType, Hub, Json, Key, LinkChange, NewArchive, NewBuild, NewBuildroot,
    NewRepo, NewRpm, NewTag, NewTask, QueryOptions, RpmKey, Stamp, TagConfig, TagEdit, Time, Write,
};
use serde_json::{Value, json};

/// Writes, in order.
pub struct Setup {
    operations: Vec<Value>,
    next: usize,
    /// RPMs that the list has before their build.
    early: Vec<Value>,
}

type Done = Result<(), Fault>;

impl Setup {
    pub fn read(path: &Path) -> Self {
        let mut all: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let Value::Array(operations) = all["operations"].take() else {
            panic!("{}: no operations", path.display())
        };
        Self { operations, next: 0, early: Vec::new() }
    }

    /// The write that comes next.
    pub fn peek(&self) -> Option<&Value> {
        self.operations.get(self.next)
    }

    /// Makes all writes up to one.
    pub fn until(&mut self, hub: &Hub, mut stop: impl FnMut(&Value) -> bool) {
        while let Some(operation) = self.peek().filter(|operation| !stop(operation)).cloned() {
            self.next += 1;
            self.make(hub, &operation);
        }
    }

    /// Makes all writes that are left.
    pub fn rest(&mut self, hub: &Hub) {
        self.until(hub, |_| false);
        assert!(self.early.is_empty(), "RPMs of builds that never come");
    }

    fn make(&mut self, hub: &Hub, operation: &Value) {
        let kind = operation["op"].as_str().unwrap();
        let mut write = hub.write().unwrap();
        if kind == "import_rpm" && write.build(&int(operation, "build_id").into(), false).unwrap().is_none() {
            self.early.push(operation.clone());
            return;
        }
        apply(&mut write, kind, operation).unwrap_or_else(|fault| panic!("{operation}: {fault}"));
        if kind == "create_build" {
            let build = int(operation, "build_id");
            for operation in self.early.extract_if(.., |early| int(early, "build_id") == build) {
                apply(&mut write, "import_rpm", &operation).unwrap();
            }
        }
        write.commit().unwrap();
    }
}

fn int(operation: &Value, name: &str) -> i64 {
    operation[name].as_i64().unwrap_or_else(|| panic!("no {name}: {operation}"))
}

fn text<'o>(operation: &'o Value, name: &str) -> &'o str {
    operation[name].as_str().unwrap_or_else(|| panic!("no {name}: {operation}"))
}

fn flag(operation: &Value, name: &str) -> bool {
    operation[name].as_bool().unwrap_or_else(|| panic!("no {name}: {operation}"))
}

fn maybe_text(operation: &Value, name: &str) -> Option<String> {
    operation[name].as_str().map(str::to_owned)
}

fn maybe_json(operation: &Value, name: &str) -> Option<Json> {
    Some(operation[name].clone()).filter(|value| !value.is_null()).map(Json)
}

fn time(operation: &Value, name: &str) -> Option<Time> {
    operation[name].as_str().map(|text| Time::parse(text).unwrap_or_else(|| panic!("no time: {text}")))
}

fn key(operation: &Value, name: &str) -> Key {
    text(operation, name).into()
}

fn apply(write: &mut Write<'_>, kind: &str, operation: &Value) -> Done {
    let stamp = &Stamp {
        event: operation["event"].as_i64(),
        time: time(operation, "time").unwrap_or(Time::from_micros(0)),
        user: 1,
    };
    let tag = || Key::Id(int(operation, "tag_id"));
    let build = || BuildKey::Id(int(operation, "build_id"));
    let package = |write: &mut Write<'_>| {
        let id = int(operation, "package_id");
        let made = write.create_package(stamp, Some(id), text(operation, "package"))?;
        assert_eq!(made, id, "{operation}");
        Ok::<_, Fault>(Key::Id(id))
    };
    match kind {
        "user" => {
            let id = Some(int(operation, "user_id"));
            write.create_user(
                id,
                text(operation, "name"),
                int(operation, "status"),
                int(operation, "usertype"),
            )?;
        }
        "grant_permission" => {
            write.grant_permission(stamp, &key(operation, "user"), &key(operation, "permission"), false)?;
        }
        "grant_cg" => {
            let id = Some(int(operation, "cg_id"));
            let create = flag(operation, "create");
            write.grant_generator(stamp, &key(operation, "user"), &key(operation, "cg"), id, create)?;
        }
        "add_btype" => {
            write.add_btype(stamp, Some(int(operation, "btype_id")), text(operation, "name"))?;
        }
        "add_volume" => {
            write.add_volume(stamp, Some(int(operation, "volume_id")), text(operation, "name"))?;
        }
        "create_build" => create_build(write, stamp, operation)?,
        "change_build_volume" => write.change_build_volume(stamp, &build(), &key(operation, "volume"))?,
        "delete_build" => assert!(write.delete_build(stamp, &build())?, "{operation}"),
        "import_rpm" => import_rpm(write, stamp, operation)?,
        "add_signature" => {
            let (rpm, sigkey) = (int(operation, "rpm_id"), text(operation, "sigkey"));
            write.add_signature(stamp, rpm, sigkey, text(operation, "sighash"))?;
        }
        "write_signed" => {
            checksums(write, stamp, int(operation, "rpm_id"), text(operation, "sigkey"), &operation["file"])?;
        }
        "create_buildroot" => {
            write.create_buildroot(
                stamp,
                &NewBuildroot {
                    id: operation["buildroot_id"].as_i64(),
                    cg_id: operation["cg_id"].as_i64(),
                    cg_version: maybe_text(operation, "cg_version"),
                    host_os: maybe_text(operation, "host_os"),
                    host_arch: maybe_text(operation, "host_arch"),
                    container_type: maybe_text(operation, "container_type"),
                    container_arch: maybe_text(operation, "container_arch"),
                },
            )?;
        }
        "import_archive" => {
            let md5 = text(operation, "checksum_type");
            write.import_archive(
                stamp,
                &NewArchive {
                    id: Some(int(operation, "archive_id")),
                    build_id: int(operation, "build_id"),
                    btype: int(operation, "btype_id").into(),
                    kind: key(operation, "type_name"),
                    filename: text(operation, "filename").to_owned(),
                    size: int(operation, "size"),
                    checksum_type: ChecksumType::named(md5)?,
                    checksum: text(operation, "checksum").to_owned(),
                    buildroot_id: operation["buildroot_id"].as_i64(),
                    metadata_only: flag(operation, "metadata_only"),
                    extra: maybe_json(operation, "extra"),
                },
            )?;
        }
        "create_tag" => {
            let extra = operation["extra"].as_object().unwrap().clone();
            let extra = extra.into_iter().map(|(key, value)| (key, Json(value))).collect();
            let (id, config) = (int(operation, "tag_id"), config(operation));
            let new = NewTag { id: Some(id), config, parent: None, extra };
            assert_eq!(write.create_tag(stamp, text(operation, "tag"), &new)?, id, "{operation}");
        }
        "edit_tag" => write.set_tag_config(stamp, &tag(), &config(operation))?,
        "set_extra" => {
            let extra =
                BTreeMap::from([(text(operation, "key").to_owned(), Json(operation["value"].clone()))]);
            write.edit_tag(stamp, &tag(), &TagEdit { extra, ..TagEdit::default() })?;
        }
        "block_extra" => {
            let block_extra = vec![text(operation, "key").to_owned()];
            write.edit_tag(stamp, &tag(), &TagEdit { block_extra, ..TagEdit::default() })?;
        }
        "remove_extra" => {
            let remove_extra = vec![text(operation, "key").to_owned()];
            write.edit_tag(stamp, &tag(), &TagEdit { remove_extra, ..TagEdit::default() })?;
        }
        "rename_tag" => {
            let name = maybe_text(operation, "tag");
            write.edit_tag(stamp, &key(operation, "old"), &TagEdit { name, ..TagEdit::default() })?;
        }
        "delete_tag" => write.delete_tag(stamp, &tag())?,
        "add_inheritance" => {
            let link = LinkChange {
                parent_id: int(operation, "parent_id"),
                priority: int(operation, "priority"),
                maxdepth: operation["maxdepth"].as_i64(),
                intransitive: flag(operation, "intransitive"),
                noconfig: flag(operation, "noconfig"),
                pkg_filter: text(operation, "pkg_filter").to_owned(),
                delete: false,
            };
            write.set_link(stamp, &tag(), &link)?;
        }
        "remove_inheritance" => {
            let link = LinkChange { delete: true, ..LinkChange::plain(int(operation, "parent_id")) };
            write.set_link(stamp, &tag(), &link)?;
        }
        "set_package" => {
            let package = package(write)?;
            let (owner, blocked) = (key(operation, "owner"), flag(operation, "blocked"));
            let extra_arches = operation["extra_arches"].as_str();
            write.set_package(stamp, &tag(), &package, &owner, blocked, extra_arches)?;
        }
        "remove_package" => {
            let package = package(write)?;
            write.remove_package(stamp, &tag(), &package)?;
        }
        "set_package_owner" => {
            let package = package(write)?;
            write.set_package_owner(stamp, &tag(), &package, &key(operation, "owner"))?;
        }
        "tag_build" => {
            // The list does not say whether a lock was overridden, only whether the build had the tag.
            let again = operation["retag"].as_bool().unwrap_or_default();
            let (tag, build) = (tag(), int(operation, "build_id"));
            let tagged = write.tags(Some(&build.into()), None, &QueryOptions::default())?.rows();
            assert_eq!(tagged.iter().any(|row| Key::Id(row.id) == tag), again, "{operation}");
            write.tag_build(stamp, &tag, &build.into(), true)?;
        }
        "untag_build" => write.untag_build(stamp, &tag(), &build(), true, true)?,
        "create_external_repo" => {
            let id = Some(int(operation, "external_repo_id"));
            write.create_external_repo(stamp, id, text(operation, "name"), text(operation, "url"))?;
        }
        "add_external_repo_to_tag" => {
            let (repo, priority) = (key(operation, "external_repo"), int(operation, "priority"));
            let (mode, arches) = (text(operation, "merge_mode"), operation["arches"].as_str());
            write.add_external_repo(stamp, &tag(), &repo, priority, mode, arches)?;
        }
        "create_repo" => create_repo(write, stamp, operation)?,
        "create_task" => create_task(write, stamp, operation)?,
        "cancel_task" => {
            write.end_task(stamp, int(operation, "task_id"), int(operation, "state"), None)?;
        }
        "skip_event" => {
            write.skip_event(stamp)?;
        }
        _ => panic!("an operation that is not known: {operation}"),
    }
    Ok(())
}

fn config(operation: &Value) -> TagConfig {
    TagConfig {
        arches: maybe_text(operation, "arches"),
        perm: operation["perm"].as_str().map(Key::from),
        locked: flag(operation, "locked"),
        maven_support: flag(operation, "maven_support"),
        maven_include_all: flag(operation, "maven_include_all"),
    }
}

fn create_build(write: &mut Write<'_>, stamp: &Stamp, operation: &Value) -> Done {
    let id = int(operation, "build_id");
    let btypes = operation["btypes"].as_array().unwrap();
    let new = NewBuild {
        id: Some(id),
        name: text(operation, "package").to_owned(),
        package_id: Some(int(operation, "package_id")),
        version: text(operation, "version").to_owned(),
        release: text(operation, "release").to_owned(),
        epoch: operation["epoch"].as_i64(),
        owner: int(operation, "owner_id"),
        state: BuildState::from_number(int(operation, "state")).unwrap(),
        draft: flag(operation, "draft"),
        volume: key(operation, "volume"),
        source: maybe_text(operation, "source"),
        extra: maybe_json(operation, "extra"),
        cg_id: operation["cg_id"].as_i64(),
        task_id: operation["task_id"].as_i64(),
        start_time: time(operation, "start_time"),
        completion_time: time(operation, "completion_time"),
        btypes: btypes.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
    };
    assert_eq!(write.create_build(stamp, &new)?, id, "{operation}");
    assert_eq!(write.build(&id.into(), true)?.unwrap().row.nvr, text(operation, "nvr"));
    Ok(())
}

fn import_rpm(write: &mut Write<'_>, stamp: &Stamp, operation: &Value) -> Done {
    let id = int(operation, "rpm_id");
    let new = NewRpm {
        id: Some(id),
        build_id: int(operation, "build_id"),
        name: text(operation, "name").to_owned(),
        version: text(operation, "version").to_owned(),
        release: text(operation, "release").to_owned(),
        epoch: operation["epoch"].as_i64(),
        arch: text(operation, "arch").to_owned(),
        payloadhash: text(operation, "payloadhash").to_owned(),
        size: int(operation, "size"),
        buildtime: int(operation, "buildtime"),
        buildroot_id: operation["buildroot_id"].as_i64(),
        metadata_only: flag(operation, "metadata_only"),
        extra: maybe_json(operation, "extra"),
    };
    assert_eq!(write.import_rpm(stamp, &new)?, id, "{operation}");
    assert_eq!(write.rpm(&RpmKey::Id(id), true)?.unwrap().draft, flag(operation, "draft"));
    let signature = &operation["signature"];
    if signature.is_object() {
        let sigkey = text(signature, "sigkey");
        write.add_signature(stamp, id, sigkey, text(signature, "sighash"))?;
        checksums(write, stamp, id, sigkey, &operation["file"])?;
    }
    Ok(())
}

fn checksums(write: &mut Write<'_>, stamp: &Stamp, rpm: i64, sigkey: &str, file: &Value) -> Done {
    for kind in [ChecksumType::Md5, ChecksumType::Sha256] {
        if let Some(checksum) = file[kind.name()].as_str() {
            write.keep_checksum(stamp, rpm, sigkey, kind, checksum)?;
        }
    }
    Ok(())
}

fn create_repo(write: &mut Write<'_>, stamp: &Stamp, operation: &Value) -> Done {
    if stamp.event.is_some() {
        write.skip_event(stamp)?;
    }
    let new = NewRepo {
        id: Some(int(operation, "repo_id")),
        tag_id: int(operation, "tag_id"),
        create_event: int(operation, "create_event"),
        begin_event: operation["begin_event"].as_i64(),
        end_event: operation["end_event"].as_i64(),
        state: int(operation, "state"),
        state_time: time(operation, "state_time").unwrap(),
        creation_time: time(operation, "creation_time").unwrap(),
        dist: flag(operation, "dist"),
        opts: maybe_json(operation, "opts"),
        custom_opts: maybe_json(operation, "custom_opts"),
        task_id: operation["task_id"].as_i64(),
    };
    write.create_repo(stamp, &new)?;
    Ok(())
}

/// The list has names where the hub kept ids.
fn create_task(write: &mut Write<'_>, stamp: &Stamp, operation: &Value) -> Done {
    let arguments = &operation["arguments"];
    let method = text(operation, "method");
    let (request, priority) = match (method, &arguments[0], &arguments[1]) {
        ("tagBuild", Value::String(tag), Value::String(build)) => {
            let tag = write.tag_id(&tag.as_str().into())?;
            let build = write.find_build(&build.as_str().into())?;
            (json!([tag, build, null, null]), 10)
        }
        _ => (arguments.clone(), 15),
    };
    let new = NewTask {
        id: Some(int(operation, "task_id")),
        method: method.to_owned(),
        request: Json(request),
        state: int(operation, "state"),
        arch: text(operation, "arch").to_owned(),
        priority,
    };
    let owner = write.user_id(&key(operation, "owner"))?;
    let time = time(operation, "create_time").unwrap();
    write.create_task(&Stamp { time, user: owner, ..*stamp }, &new)?;
    Ok(())
}
