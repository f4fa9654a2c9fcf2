//! Questions about what is tagged.

use super::super::call::{Call, Outcome};
use super::super::python;
use super::super::table::Method;
use super::tags::tag_at;
use crate::format::xmlrpc::{Fault, Value};
use crate::hub::{Key, TaggedFilter};

/// How many of each package: true is one, false all.
fn latest(call: &mut Call<'_, '_>) -> Result<Option<i64>, Fault> {
    match call.value("latest") {
        Value::Bool(true) => Ok(Some(1)),
        Value::Int(count) if count > 0 => Ok(Some(count)),
        value if !python::truth(&value) => Ok(None),
        value => Err(super::super::internal(format!("latest: {}", python::repr(&value)))),
    }
}

/// A package's or user's name; of an id the name is looked up.
fn name(call: &mut Call<'_, '_>, argument: &str) -> Result<Option<String>, Fault> {
    match call.some_key(argument)? {
        None => Ok(None),
        Some(Key::Name(name)) => Ok(Some(name)),
        Some(id) if argument == "package" => Ok(call.view()?.package(&id, true)?.map(|package| package.name)),
        Some(id) => Ok(call.view()?.user(&id, true)?.map(|user| user.name)),
    }
}

fn filter(call: &mut Call<'_, '_>) -> Result<TaggedFilter, Fault> {
    Ok(TaggedFilter {
        event: call.integer("event")?,
        inherit: call.flag("inherit"),
        latest: latest(call)?,
        package: name(call, "package")?,
        prefix: call.text("prefix")?,
        owner: name(call, "owner")?,
        kind: call.text("type")?,
        extra: call.flag("extra"),
        draft: call.choice("draft"),
        arches: call.texts("arch")?.filter(|arches| !arches.is_empty()),
        rpmsigs: call.flag("rpmsigs"),
    })
}

/// The tag of a call and what is asked of it; none where it is not there and that is no matter.
fn asked(call: &mut Call<'_, '_>) -> Result<(Option<i64>, TaggedFilter), Fault> {
    let (tag, filter) = (call.key("tag")?, filter(call)?);
    let strict = call.flag("strict");
    match tag_at(call, &tag, filter.event) {
        Err(fault) if strict => Err(fault),
        tag => Ok((tag.ok(), filter)),
    }
}

fn list_tagged(call: &mut Call<'_, '_>) -> Outcome {
    let (tag, filter) = asked(call)?;
    let all = match tag {
        Some(tag) => call.view()?.tagged(tag, &filter)?,
        None => Vec::new(),
    };
    call.answer(&all)
}

fn list_tagged_rpms(call: &mut Call<'_, '_>) -> Outcome {
    let (tag, filter) = asked(call)?;
    let all = match tag {
        Some(tag) => call.view()?.tagged_rpms(tag, &filter)?,
        None => (Vec::new(), Vec::new()),
    };
    call.answer(&all)
}

/// What `getLatest…` ask: there `inherit` and `latest` are no arguments.
fn newest(call: &mut Call<'_, '_>, extra: bool) -> Result<(i64, TaggedFilter), Fault> {
    let tag = call.key("tag")?;
    let filter = TaggedFilter { inherit: true, latest: Some(1), extra, ..filter(call)? };
    Ok((tag_at(call, &tag, filter.event)?, filter))
}

/// The methods.
pub const METHODS: &[Method] = &[
    Method::read(
        "listTagged",
        "RootExports.listTagged",
        "tag, event=None, inherit=False, prefix=None, latest=False, package=None, owner=None, type=None, strict=True, extra=False, draft=None",
        list_tagged,
    ),
    Method::read(
        "listTaggedRPMS",
        "RootExports.listTaggedRPMS",
        "tag, event=None, inherit=False, latest=False, package=None, arch=None, rpmsigs=False, owner=None, type=None, strict=True, extra=True, draft=None",
        list_tagged_rpms,
    ),
    Method::read(
        "listTaggedArchives",
        "RootExports.listTaggedArchives",
        "tag, event=None, inherit=False, latest=False, package=None, type=None, strict=True, extra=True",
        |call| {
            let (tag, filter) = asked(call)?;
            let all = match tag {
                Some(tag) => call.view()?.tagged_archives(tag, &filter)?,
                None => (Vec::new(), Vec::new()),
            };
            call.answer(&all)
        },
    ),
    Method::read(
        "getLatestBuilds",
        "RootExports.getLatestBuilds",
        "tag, event=None, package=None, type=None, draft=None",
        |call| {
            let (tag, filter) = newest(call, false)?;
            let all = call.view()?.tagged(tag, &filter)?;
            call.answer(&all)
        },
    ),
    Method::read(
        "getLatestRPMS",
        "RootExports.getLatestRPMS",
        "tag, package=None, arch=None, event=None, rpmsigs=False, type=None, draft=None",
        |call| {
            let (tag, filter) = newest(call, true)?;
            let all = call.view()?.tagged_rpms(tag, &filter)?;
            call.answer(&all)
        },
    ),
];
