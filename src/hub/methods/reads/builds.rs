//! Questions about builds, RPMs, signatures, headers and tasks.

use std::collections::BTreeMap;

use super::super::call::{Call, Outcome};
use super::super::files::headers;
use super::super::files::import::{RpmPaths, known};
use super::super::generic;
use super::super::table::Method;
use super::tags::time;
use crate::format::xmlrpc::{Fault, Value};
use crate::hub::{ArchiveFilter, BuildFilter, BuildState, RpmFilter, RpmKey};
use crate::rpm::Headers;

fn list_builds(call: &mut Call<'_, '_>) -> Outcome {
    let options = call.options()?;
    let volume = call.some_key("volumeID")?;
    let volume = match volume {
        Some(volume) => call.view()?.volume(&volume, true)?.map(|volume| volume.id),
        None => None,
    };
    let filter = BuildFilter {
        package: call.some_key("packageID")?,
        user: call.some_key("userID")?,
        task: call.integer("taskID")?,
        prefix: call.text("prefix")?,
        pattern: call.text("pattern")?,
        source: call.text("source")?,
        state: call.integer("state")?,
        volume,
        created_before: time(call, "createdBefore")?,
        created_after: time(call, "createdAfter")?,
        completed_before: time(call, "completeBefore")?,
        completed_after: time(call, "completeAfter")?,
        kind: call.text("type")?,
        generator: call.some_key("cgID")?,
        draft: call.choice("draft"),
    };
    let all = call.view()?.builds(&filter, &options)?;
    call.answer(&all)
}

fn list_rpms(call: &mut Call<'_, '_>) -> Outcome {
    let options = call.options()?;
    let build = match call.some_build("buildID")? {
        None => None,
        Some(build) => match call.view()?.build(&build, false)? {
            Some(build) => Some(build.id),
            None => return call.answer(&[(); 0]),
        },
    };
    // Nothing was built or imaged here.
    let elsewhere = ["imageID", "componentBuildrootID", "hostID"];
    if elsewhere.into_iter().any(|name| call.value(name) != Value::Nil) {
        return call.answer(&[(); 0]);
    }
    let filter = RpmFilter {
        build,
        buildroot: call.integer("buildrootID")?,
        arches: call.texts("arches")?,
        draft: call.choice("draft"),
    };
    let all = call.view()?.rpms(&filter, &options)?;
    call.answer(&all)
}

fn list_archives(call: &mut Call<'_, '_>) -> Outcome {
    let options = call.options()?;
    let strict = call.flag("strict");
    let build = match call.some_build("buildID")? {
        None => None,
        Some(build) => match call.view()?.build(&build, strict)? {
            Some(build) => Some(build.id),
            None => return call.answer(&[(); 0]),
        },
    };
    let filter = ArchiveFilter {
        build,
        buildroot: call.integer("buildrootID")?,
        kind: call.text("type")?,
        filename: call.text("filename")?,
        checksum: call.text("checksum")?,
        archive: call.integer("archiveID")?,
    };
    let all = call.view()?.archives(&filter, &options)?;
    call.answer(&all)
}

fn get_rpm(call: &mut Call<'_, '_>) -> Outcome {
    let (rpm, strict) = (call.rpm("rpminfo")?, call.flag("strict"));
    if call.flag("multi") {
        let all = call.view()?.rpms_named(&rpm)?;
        if strict && all.is_empty() {
            call.view()?.rpm(&rpm, true)?;
        }
        return call.answer(&all);
    }
    let rpm = call.view()?.rpm(&rpm, strict)?;
    call.answer(&rpm)
}

/// The headers of an RPM of this hub, read from its file; none where there is no such RPM or file and that is no matter.
fn read_headers(call: &mut Call<'_, '_>, rpm: &RpmKey, strict: bool) -> Result<Option<Headers>, Fault> {
    let Some(found) = call.view()?.rpm(rpm, strict)? else { return Ok(None) };
    let none = |text: String| if strict { Err(generic(text)) } else { Ok(None) };
    if found.external_repo_id != 0 || found.build_id.is_none() {
        return none(format!("External rpm: {}", found.id));
    }
    let (build, found) = known(call.view()?, found.id)?;
    if build.row.state == BuildState::Deleted as i64 {
        return none(format!("Build {} is deleted", build.row.nvr));
    }
    let path = RpmPaths::new(&build, &found).primary();
    match headers::read(&call.methods.files.topdir().join(&path))? {
        None => none(format!("Missing rpm file: {}", path.display())),
        headers => Ok(headers),
    }
}

fn rpm_headers(call: &mut Call<'_, '_>) -> Outcome {
    let (rpm, strict) = (call.some_rpm("rpmID")?, call.flag("strict"));
    let wanted = call.texts("headers")?;
    let Some(rpm) = rpm else {
        return Err(generic(if call.value("taskID") == Value::Nil {
            "either rpmID or taskID and filepath must be specified"
        } else {
            "this hub has no files of tasks"
        }));
    };
    let found = match read_headers(call, &rpm, strict)? {
        Some(found) => headers::fields(&found, wanted)?,
        None => BTreeMap::new(),
    };
    call.answer(&found)
}

fn rpm_deps(call: &mut Call<'_, '_>) -> Outcome {
    let (rpm, strict, kind) = (call.rpm("rpmID")?, call.flag("strict"), call.integer("depType")?);
    let found = match read_headers(call, &rpm, strict)? {
        Some(found) => headers::dependencies(&found, kind)?,
        None => Vec::new(),
    };
    call.answer(&found)
}

fn rpm_files(call: &mut Call<'_, '_>) -> Outcome {
    let rpm = call.rpm("rpmID")?;
    let found = match read_headers(call, &rpm, false)? {
        Some(found) => headers::files(&found)?,
        None => Vec::new(),
    };
    call.answer(&found)
}

fn rpm_file(call: &mut Call<'_, '_>) -> Outcome {
    #[derive(serde::Serialize)]
    struct File {
        rpm_id: i64,
        #[serde(flatten)]
        file: headers::ListedFile,
    }
    let (rpm, name, strict) = (call.rpm("rpmID")?, call.needed_text("filename")?, call.flag("strict"));
    let id = call.view()?.rpm(&rpm, strict)?.map_or(0, |rpm| rpm.id);
    let files = match read_headers(call, &rpm, strict)? {
        Some(found) => headers::files(&found)?,
        None => Vec::new(),
    };
    match files.into_iter().find(|file| file.name == name) {
        Some(file) => call.answer(&File { rpm_id: id, file }),
        None if strict => Err(generic(format!("No file: {name} found in RPM: {id}"))),
        None => call.answer(&BTreeMap::<String, Value>::new()),
    }
}

fn task_info(call: &mut Call<'_, '_>) -> Outcome {
    let (request, strict) = (call.flag("request"), call.flag("strict"));
    match call.value("task_id") {
        Value::Array(ids) => {
            let mut tasks = Vec::new();
            for id in ids {
                let Value::Int(id) = id else { return Err(generic("a task's id is a number")) };
                tasks.push(call.view()?.task(id, request, strict)?);
            }
            call.answer(&tasks)
        }
        Value::Int(id) => {
            let task = call.view()?.task(id, request, strict)?;
            call.answer(&task)
        }
        _ => Err(generic("a task's id is a number")),
    }
}

fn task_descendents(call: &mut Call<'_, '_>) -> Outcome {
    let (id, request) = (call.integer("task_id")?.unwrap_or(0), call.flag("request"));
    let mut all = BTreeMap::new();
    let mut open = vec![id];
    while let Some(id) = open.pop() {
        let children = call.view()?.task_children(id, request)?;
        open.extend(children.iter().map(|task| task.row.id));
        if all.insert(id.to_string(), children).is_some() {
            break;
        }
    }
    call.answer(&all)
}

/// The methods.
pub const METHODS: &[Method] = &[
    Method::read("getBuild", "get_build", "buildInfo, strict=False", |call| {
        let (build, strict) = (call.build("buildInfo")?, call.flag("strict"));
        let build = call.view()?.build(&build, strict)?;
        call.answer(&build)
    }),
    Method::read(
        "listBuilds",
        "RootExports.listBuilds",
        "packageID=None, userID=None, taskID=None, prefix=None, state=None, volumeID=None, source=None, createdBefore=None, createdAfter=None, completeBefore=None, completeAfter=None, type=None, typeInfo=None, queryOpts=None, pattern=None, cgID=None, draft=None, promotedBefore=None, promotedAfter=None, promoter=None",
        list_builds,
    ),
    Method::read("getBuildType", "get_build_type", "buildInfo, strict=False", |call| {
        let (build, strict) = (call.build("buildInfo")?, call.flag("strict"));
        let types = call.view()?.build_types(&build, strict)?;
        call.answer(&types)
    }),
    Method::read("getMavenBuild", "get_maven_build", "buildInfo, strict=False", |call| call.answer(&())),
    Method::read("getWinBuild", "get_win_build", "buildInfo, strict=False", |call| call.answer(&())),
    Method::read("getImageBuild", "get_image_build", "buildInfo, strict=False", |call| call.answer(&())),
    Method::read("getBuildLogs", "get_build_logs", "build", |call| {
        let build = call.build("build")?;
        call.view()?.build(&build, true)?;
        call.answer(&[(); 0])
    }),
    Method::read("listBuildRPMs", "RootExports.listBuildRPMs", "build", |call| {
        let build = call.build("build")?;
        let Some(build) = call.view()?.find_build(&build)? else {
            return Err(generic(format!("No such build: {}", build.quoted())));
        };
        let filter = RpmFilter { build: Some(build), ..RpmFilter::default() };
        let all = call.view()?.rpms(&filter, &crate::hub::QueryOptions::default())?;
        call.answer(&all)
    }),
    Method::read(
        "listRPMs",
        "list_rpms",
        "buildID=None, buildrootID=None, imageID=None, componentBuildrootID=None, hostID=None, arches=None, queryOpts=None, draft=None",
        list_rpms,
    ),
    Method::read("getRPM", "get_rpm", "rpminfo, strict=False, multi=False", get_rpm),
    Method::read(
        "listArchives",
        "list_archives",
        "buildID=None, buildrootID=None, componentBuildrootID=None, hostID=None, type=None, filename=None, size=None, checksum=None, checksum_type=None, typeInfo=None, queryOpts=None, imageID=None, archiveID=None, strict=False",
        list_archives,
    ),
    Method::read("untaggedBuilds", "untagged_builds", "name=None, queryOpts=None, draft=None", |call| {
        let (name, draft, options) = (call.text("name")?, call.choice("draft"), call.options()?);
        let all = call.view()?.untagged_builds(name.as_deref(), draft, &options)?;
        call.answer(&all)
    }),
    Method::read("queryRPMSigs", "query_rpm_sigs", "rpm_id=None, sigkey=None, queryOpts=None", |call| {
        let (rpm, sigkey, options) = (call.some_rpm("rpm_id")?, call.text("sigkey")?, call.options()?);
        let all = call.view()?.signatures(rpm.as_ref(), sigkey.as_deref(), &options)?;
        call.answer(&all)
    }),
    Method::read(
        "getRPMHeaders",
        "RootExports.getRPMHeaders",
        "rpmID=None, taskID=None, filepath=None, headers=None, strict=False",
        rpm_headers,
    ),
    Method::read(
        "getRPMDeps",
        "RootExports.getRPMDeps",
        "rpmID, depType=None, queryOpts=None, strict=False",
        rpm_deps,
    ),
    Method::read("listRPMFiles", "RootExports.listRPMFiles", "rpmID, queryOpts=None", rpm_files),
    Method::read("getRPMFile", "RootExports.getRPMFile", "rpmID, filename, strict=False", rpm_file),
    Method::read(
        "checkUpload",
        "RootExports.checkUpload",
        "path, name, verify=None, tail=None, volume=None",
        |call| {
            let (path, name) = (call.needed_text("path")?, call.needed_text("name")?);
            let (verify, tail) = (call.text("verify")?.unwrap_or_default(), call.integer("tail")?);
            let found = call.methods.uploads.check(&path, &name, &verify, tail)?;
            call.answer(&found)
        },
    ),
    Method::read("getTaskInfo", "RootExports.getTaskInfo", "task_id, request=False, strict=False", task_info),
    Method::read(
        "getTaskChildren",
        "RootExports.getTaskChildren",
        "task_id, request=False, strict=False",
        |call| {
            let (id, request) = (call.integer("task_id")?.unwrap_or(0), call.flag("request"));
            let tasks = call.view()?.task_children(id, request)?;
            call.answer(&tasks)
        },
    ),
    Method::read(
        "getTaskDescendents",
        "RootExports.getTaskDescendents",
        "task_id, request=False",
        task_descendents,
    ),
    Method::read("getTaskResult", "RootExports.getTaskResult", "taskId, raise_fault=True", |call| {
        let id = call.integer("taskId")?.unwrap_or(0);
        let result = call.view()?.task_result(id)?;
        call.answer(&result)
    }),
    Method::read(
        "listTaskOutput",
        "list_task_output",
        "taskID, stat=False, all_volumes=False, strict=False",
        |call| call.answer(&[(); 0]),
    ),
];
