//! Questions about tags, events and what is around them.

use super::super::call::{Call, Outcome};
use super::super::table::Method;
use super::super::{generic, python};
use crate::format::xmlrpc::{Fault, Value};
use crate::hub::store::error::parameter;
use crate::hub::{BuildKey, GroupFilter, History, Key, PackageFilter, Time};

/// The id of a tag at an event; refuses one that is not there then.
pub(super) fn tag_at(call: &mut Call<'_, '_>, tag: &Key, event: Option<i64>) -> Result<i64, Fault> {
    let none = || generic(format!("No such tagInfo: {}", tag.quoted()));
    Ok(call.view()?.tag(tag, event, true)?.ok_or_else(none)?.row.id)
}

/// A time: seconds since 1970, or a text.
pub(super) fn time(call: &mut Call<'_, '_>, name: &str) -> Result<Option<Time>, Fault> {
    let value = call.value(name);
    time_of(&value)
}

fn time_of(value: &Value) -> Result<Option<Time>, Fault> {
    #[allow(clippy::cast_precision_loss, reason = "seconds since 1970 are far from 53 bits")]
    let found = match value {
        Value::Nil => return Ok(None),
        Value::Int(seconds) => Time::from_seconds(*seconds as f64),
        Value::Double(seconds) => Time::from_seconds(*seconds),
        Value::Text(text) => Time::parse(text),
        _ => None,
    };
    found.map(Some).ok_or_else(|| parameter(format!("Invalid time: {}", python::repr(value))))
}

fn get_tag(call: &mut Call<'_, '_>) -> Outcome {
    let (tag, strict, event) = (call.key("tagInfo")?, call.flag("strict"), call.integer("event")?);
    let found = if call.flag("blocked") {
        call.view()?.tag_with_blocked(&tag, event, strict)?
    } else {
        call.view()?.tag(&tag, event, strict)?
    };
    call.answer(&found)
}

fn full_inheritance(call: &mut Call<'_, '_>) -> Outcome {
    let (tag, event) = (call.key("tag")?, call.integer("event")?);
    let reverse = call.flag("reverse");
    let tag = call.view()?.tag_id(&tag)?;
    if reverse {
        let all = call.view()?.descendants(tag, event)?;
        call.answer(&all)
    } else {
        let all = call.view()?.full_inheritance(tag, event)?;
        call.answer(&all)
    }
}

fn list_packages(call: &mut Call<'_, '_>) -> Outcome {
    let (tag, user, package) = (call.some_key("tagID")?, call.some_key("userID")?, call.some_key("pkgID")?);
    let prefix = call.text("prefix")?;
    let options = call.options()?;
    if tag.is_none() && user.is_none() && package.is_none() {
        let all = call.view()?.all_packages(prefix.as_deref(), &options)?;
        return call.answer(&all);
    }
    let event = call.integer("event")?;
    let tag = match tag {
        Some(tag) => Some(tag_at(call, &tag, event)?),
        None => None,
    };
    let user = match user {
        Some(user) => Some(call.view()?.known_user(&user)?.id),
        None => None,
    };
    let filter = PackageFilter {
        tag,
        user,
        package,
        prefix,
        inherited: call.flag("inherited"),
        with_dups: call.flag("with_dups"),
        event,
        with_owners: call.flag("with_owners"),
        with_blocked: call.flag("with_blocked"),
    };
    let all = call.view()?.packages(&filter)?;
    if options.count_only {
        return call.answer(&all.len());
    }
    call.answer(&all)
}

fn query_history(call: &mut Call<'_, '_>) -> Outcome {
    let tables = call.texts("tables")?;
    let mut filter = History { tables, ..History::default() };
    for (name, value) in std::mem::take(&mut call.bound.keywords) {
        if value == Value::Nil {
            continue;
        }
        let key = || super::super::call::key(value.clone());
        let number = || match &value {
            Value::Int(number) => Ok(Some(*number)),
            value => Err(parameter(format!("Invalid event: {}", python::repr(value)))),
        };
        match name.as_str() {
            "tag" => filter.tag = Some(key()?),
            "build" => filter.build = Some(super::super::call::build(value)?),
            "package" | "pkg" => filter.package = Some(key()?),
            "user" => filter.user = Some(key()?),
            "permission" => filter.permission = Some(key()?),
            "cg" => filter.cg = Some(key()?),
            "external_repo" => filter.external_repo = Some(key()?),
            "build_target" => filter.build_target = Some(key()?),
            "xkey" => filter.xkey = Some(python::plain(&value)),
            "editor" => filter.editor = Some(key()?),
            "active" => filter.active = Some(python::truth(&value)),
            "after" => filter.after = time_of(&value)?,
            "before" => filter.before = time_of(&value)?,
            "afterEvent" => filter.after_event = number()?,
            "beforeEvent" => filter.before_event = number()?,
            "group" => filter.group = Some(key()?),
            "host" | "channel" => filter.of_nothing = true,
            // Koji passes over what it does not know.
            _ => {}
        }
    }
    let all = call.view()?.history(&filter)?;
    call.answer(&all)
}

fn list_tags(call: &mut Call<'_, '_>) -> Outcome {
    let (build, package) = (call.some_build("build")?, call.some_key("package")?);
    let (pattern, options) = (call.text("pattern")?, call.options()?);
    if let Some(package) = package {
        return tags_of_package(call, &package);
    }
    let all = call.view()?.tags(build.as_ref(), pattern.as_deref(), &options)?;
    call.answer(&all)
}

/// The tags that list a package, each as a tag and its entry.
fn tags_of_package(call: &mut Call<'_, '_>, package: &Key) -> Outcome {
    let filter =
        PackageFilter { package: Some(package.clone()), with_dups: true, ..PackageFilter::default() };
    let view = call.view()?;
    let entries = view.packages(&filter)?;
    let mut tags = Vec::new();
    for entry in entries {
        if let Some(tag) = view.tag(&entry.tag_id.into(), None, false)? {
            tags.push((tag.row.name.clone(), entry, tag));
        }
    }
    tags.sort_by(|a, b| a.0.cmp(&b.0));
    #[derive(serde::Serialize)]
    struct Listed<'t> {
        #[serde(flatten)]
        row: &'t crate::hub::TagRow,
        blocked: bool,
        extra_arches: &'t Option<String>,
        owner_id: Option<i64>,
        owner_name: &'t Option<String>,
    }
    let listed: Vec<_> = tags
        .iter()
        .map(|(_, entry, tag)| Listed {
            row: &tag.row,
            blocked: entry.blocked,
            extra_arches: &entry.extra_arches,
            owner_id: entry.owner_id,
            owner_name: &entry.owner_name,
        })
        .collect();
    call.answer(&listed)
}

fn changed_since(call: &mut Call<'_, '_>) -> Outcome {
    let event = call.integer("event")?.unwrap_or(0);
    let tags = match call.value("taglist") {
        Value::Array(values) => values.into_iter().map(|value| match value {
            Value::Int(id) => Ok(id),
            value => Err(super::super::internal(format!("invalid tag id: {}", python::repr(&value)))),
        }),
        value => return Err(super::super::internal(format!("no list of tag ids: {}", python::repr(&value)))),
    };
    let tags: Vec<i64> = tags.collect::<Result<_, _>>()?;
    let changed = call.view()?.tags_changed_since(event, &tags)?;
    call.answer(&changed)
}

fn events_of(call: &mut Call<'_, '_>) -> Outcome {
    let (before, strict) = (time(call, "before")?, call.flag("strict"));
    let event = call.view()?.last_event(before, strict)?;
    call.answer(&event)
}

fn found(call: &mut Call<'_, '_>) -> Outcome {
    let (terms, kind) = (call.needed_text("terms")?, call.needed_text("type")?);
    let (matching, options) = (call.needed_text("matchType")?, call.options()?);
    let all = call.view()?.search(&terms, &kind, &matching, &options)?;
    call.answer(&all)
}

fn find_build(call: &mut Call<'_, '_>) -> Outcome {
    let (build, strict): (BuildKey, bool) = (call.build("X")?, call.flag("strict"));
    if strict {
        let id = call.view()?.build(&build, true)?.map(|build| build.id);
        return call.answer(&id);
    }
    let id = call.view()?.find_build(&build)?;
    call.answer(&id)
}

/// The methods.
pub const METHODS: &[Method] = &[
    Method::read("getTag", "get_tag", "tagInfo, strict=False, event=None, blocked=False", get_tag),
    Method::read("getTagID", "get_tag_id", "info, strict=False, create=False", |call| {
        let (tag, strict) = (call.key("info")?, call.flag("strict"));
        let id = match call.view()?.tag_id(&tag) {
            Ok(id) => Some(id),
            Err(fault) if strict => return Err(fault),
            Err(_) => None,
        };
        call.answer(&id)
    }),
    Method::read(
        "listTags",
        "list_tags",
        "build=None, package=None, perms=True, queryOpts=None, pattern=None",
        list_tags,
    ),
    Method::read("getBuildConfig", "RootExports.getBuildConfig", "tag, event=None", |call| {
        let (tag, event) = (call.key("tag")?, call.integer("event")?);
        let config = call.view()?.build_config(&tag, event)?;
        call.answer(&config)
    }),
    Method::read("getInheritanceData", "RootExports.getInheritanceData", "tag, event=None", |call| {
        let (tag, event) = (call.key("tag")?, call.integer("event")?);
        let tag = call.view()?.tag_id(&tag)?;
        let links = call.view()?.inheritance(tag, event)?;
        call.answer(&links)
    }),
    Method::read(
        "getFullInheritance",
        "RootExports.getFullInheritance",
        "tag, event=None, reverse=False, **kwargs",
        full_inheritance,
    ),
    Method::read(
        "listPackages",
        "RootExports.listPackages",
        "tagID=None, userID=None, pkgID=None, prefix=None, inherited=False, with_dups=False, event=None, queryOpts=None, with_owners=True, with_blocked=True",
        list_packages,
    ),
    Method::read(
        "listPackagesSimple",
        "RootExports.listPackagesSimple",
        "prefix=None, queryOpts=None",
        |call| {
            let (prefix, options) = (call.text("prefix")?, call.options()?);
            let all = call.view()?.all_packages(prefix.as_deref(), &options)?;
            call.answer(&all)
        },
    ),
    Method::read("getPackage", "lookup_package", "info, strict=False, create=False", |call| {
        let (package, strict) = (call.key("info")?, call.flag("strict"));
        let package = call.view()?.package(&package, strict)?;
        call.answer(&package)
    }),
    Method::read("getPackageID", "RootExports.getPackageID", "name, strict=False", |call| {
        let (name, strict) = (call.needed_text("name")?, call.flag("strict"));
        let id = call.view()?.package_id(&name, strict)?;
        call.answer(&id)
    }),
    Method::read("getPackageConfig", "RootExports.getPackageConfig", "tag, pkg, event=None", |call| {
        let (tag, package, event) = (call.key("tag")?, call.key("pkg")?, call.integer("event")?);
        let tag = tag_at(call, &tag, event)?;
        let entry = match call.view()?.package(&package, false)? {
            Some(package) => call.view()?.package_config(tag, package.id, event)?,
            None => None,
        };
        call.answer(&entry)
    }),
    Method::read("checkTagPackage", "RootExports.checkTagPackage", "tag, pkg", |call| {
        let (tag, package) = (call.key("tag")?, call.key("pkg")?);
        let tag = tag_at(call, &tag, None)?;
        let entry = match call.view()?.package(&package, false)? {
            Some(package) => call.view()?.package_config(tag, package.id, None)?,
            None => None,
        };
        call.answer(&entry.is_some_and(|entry| !entry.blocked))
    }),
    Method::read(
        "getTagGroups",
        "readTagGroups",
        "tag, event=None, inherit=True, incl_pkgs=True, incl_reqs=True, incl_blocked=False",
        |call| {
            let (tag, event) = (call.key("tag")?, call.integer("event")?);
            let filter = GroupFilter {
                event,
                inherit: call.flag("inherit"),
                packages: call.flag("incl_pkgs"),
                requirements: call.flag("incl_reqs"),
                blocked: call.flag("incl_blocked"),
            };
            let groups = call.view()?.tag_groups(&tag, &filter)?;
            call.answer(&groups)
        },
    ),
    Method::read(
        "getBuildTargets",
        "get_build_targets",
        "info=None, event=None, buildTagID=None, destTagID=None, queryOpts=None",
        |call| {
            let (target, event) = (call.some_key("info")?, call.integer("event")?);
            let mut id = |name| -> Result<Option<i64>, Fault> {
                let key = call.some_key(name)?;
                key.map(|key| call.view()?.tag_id(&key)).transpose()
            };
            let (build, dest) = (id("buildTagID")?, id("destTagID")?);
            let targets = call.view()?.build_targets(target.as_ref(), event, build, dest)?;
            call.answer(&targets)
        },
    ),
    Method::read("getBuildTarget", "get_build_target", "info, event=None, strict=False", |call| {
        let (target, event, strict) = (call.key("info")?, call.integer("event")?, call.flag("strict"));
        let found = call.view()?.build_targets(Some(&target), event, None, None)?.into_iter().next();
        if found.is_none() && strict {
            return Err(generic(format!("No matching build target found: {}", target.plain())));
        }
        call.answer(&found)
    }),
    Method::read(
        "getTagExternalRepos",
        "get_tag_external_repos",
        "tag_info=None, repo_info=None, event=None",
        |call| {
            let (tag, repo, event) =
                (call.some_key("tag_info")?, call.some_key("repo_info")?, call.integer("event")?);
            let all = call.view()?.tag_external_repos(tag.as_ref(), repo.as_ref(), event)?;
            call.answer(&all)
        },
    ),
    Method::read("getExternalRepoList", "get_external_repo_list", "tag_info, event=None", |call| {
        let (tag, event) = (call.key("tag_info")?, call.integer("event")?);
        let all = call.view()?.external_repo_list(&tag, event)?;
        call.answer(&all)
    }),
    Method::read(
        "listExternalRepos",
        "get_external_repos",
        "info=None, url=None, event=None, queryOpts=None",
        |call| {
            let (repo, url, event) = (call.some_key("info")?, call.text("url")?, call.integer("event")?);
            let all = call.view()?.external_repos(repo.as_ref(), url.as_deref(), event)?;
            call.answer(&all)
        },
    ),
    Method::read("getExternalRepo", "get_external_repo", "info, strict=False, event=None", |call| {
        let (repo, strict, event) = (call.key("info")?, call.flag("strict"), call.integer("event")?);
        let found = call.view()?.external_repos(Some(&repo), None, event)?.into_iter().next();
        if found.is_none() && strict {
            return Err(generic(format!("No such repo: {}", repo.plain())));
        }
        call.answer(&found)
    }),
    Method::read("getLastEvent", "RootExports.getLastEvent", "before=None, strict=True", events_of),
    Method::read("getEvent", "RootExports.getEvent", "id, strict=True", |call| {
        let (id, strict) = (call.integer("id")?.unwrap_or(0), call.flag("strict"));
        let event = call.view()?.event(id, strict)?;
        call.answer(&event)
    }),
    Method::read("queryHistory", "query_history", "tables=None, **kwargs", query_history),
    Method::read("tagChangedSinceEvent", "tag_changed_since_event", "event, taglist", changed_since),
    Method::read("tagLastChangeEvent", "tag_last_change_event", "tag, before=None, inherit=True", |call| {
        let (tag, before, inherit) = (call.key("tag")?, call.integer("before")?, call.flag("inherit"));
        let event = call.view()?.tag_last_change(&tag, before, inherit)?;
        call.answer(&event)
    }),
    Method::read("tagFirstChangeEvent", "tag_first_change_event", "tag, after=None, inherit=True", |call| {
        let tag = call.key("tag")?;
        let event = call.view()?.tag_first_change(&tag)?;
        call.answer(&event)
    }),
    Method::read("repoInfo", "repo_info", "repo_id, strict=False", |call| {
        let (repo, strict) = (call.integer("repo_id")?.unwrap_or(0), call.flag("strict"));
        let repo = call.view()?.repo_info(repo, strict)?;
        call.answer(&repo)
    }),
    Method::read(
        "getRepo",
        "old_get_repo",
        "tag, state=None, event=None, dist=False, min_event=None",
        |call| {
            let (tag, state, event) = (call.key("tag")?, call.integer("state")?, call.integer("event")?);
            let (dist, least) = (call.flag("dist"), call.integer("min_event")?);
            let repo = call.view()?.repo(&tag, state, event, dist, least)?;
            call.answer(&repo)
        },
    ),
    Method::read("getActiveRepos", "get_active_repos", "", |call| call.answer(&[(); 0])),
    Method::read("listVolumes", "list_volumes", "", |call| {
        let all = call.view()?.volumes()?;
        call.answer(&all)
    }),
    Method::read("getVolume", "RootExports.getVolume", "volume, strict=False", |call| {
        let (volume, strict) = (call.key("volume")?, call.flag("strict"));
        let volume = call.view()?.volume(&volume, strict)?;
        call.answer(&volume)
    }),
    Method::read("listBTypes", "list_btypes", "query=None, queryOpts=None", |call| {
        let all = call.view()?.btypes()?;
        call.answer(&all)
    }),
    Method::read("search", "RootExports.search", "terms, type, matchType, queryOpts=None", found),
    Method::read("findBuildID", "find_build_id", "X, strict=False", find_build),
    Method::read("mavenEnabled", "RootExports.mavenEnabled", "", |call| call.answer(&false)),
    Method::read("winEnabled", "RootExports.winEnabled", "", |call| call.answer(&false)),
];
