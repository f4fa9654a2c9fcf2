//! Methods that change targets, external repositories, users, permissions and content generators.

use super::super::call::{Call, Outcome};
use super::super::table::Method;
use super::super::{generic, python};
use super::{arches, extra};
use crate::hub::TagEdit;

/// `editTag`, whose arguments all count: the older form of `editTag2`.
fn edit_tag(call: &mut Call<'_, '_>) -> Outcome {
    let (tag, stamp) = (call.key("tagInfo")?, call.stamp()?);
    let edit = TagEdit {
        name: call.text("name")?,
        arches: Some(arches(call.value("arches"))?),
        perm: Some(call.some_key("permissionID")?),
        locked: Some(call.flag("locked")),
        extra: extra(call, "extra")?,
        ..TagEdit::default()
    };
    call.write()?.0.edit_tag(&stamp, &tag, &edit)?;
    call.answer(&())
}

fn edit_tag_repo(call: &mut Call<'_, '_>) -> Outcome {
    let (tag, repo, stamp) = (call.key("tag_info")?, call.key("repo_info")?, call.stamp()?);
    let (priority, mode) = (call.integer("priority")?, call.text("merge_mode")?);
    let of_arches = arches(call.value("arches"))?;
    let edited = call.write()?.0.edit_tag_external_repo(
        &stamp,
        &tag,
        &repo,
        priority,
        mode.as_deref(),
        of_arches.as_deref(),
    )?;
    call.answer(&edited)
}

fn edit_user(call: &mut Call<'_, '_>) -> Outcome {
    let (user, name) = (call.key("userInfo")?, call.text("name")?);
    if python::truth(&call.value("krb_principal_mappings")) {
        return Err(generic("this hub knows no Kerberos principals"));
    }
    if let Some(name) = name.filter(|name| !name.is_empty()) {
        call.write()?.0.rename_user(&user, &name)?;
    }
    call.answer(&())
}

/// The methods.
pub const METHODS: &[Method] = &[
    Method::write(
        "editTag",
        "old_edit_tag",
        "tagInfo, name, arches, locked, permissionID, extra=None",
        "tag",
        edit_tag,
    ),
    Method::write(
        "editBuildTarget",
        "edit_build_target",
        "buildTargetInfo, name, build_tag, dest_tag",
        "target",
        |call| {
            let (target, name) = (call.key("buildTargetInfo")?, call.needed_text("name")?);
            let (build, dest, stamp) = (call.key("build_tag")?, call.key("dest_tag")?, call.stamp()?);
            call.write()?.0.edit_build_target(&stamp, &target, &name, &build, &dest)?;
            call.answer(&())
        },
    ),
    Method::write("deleteBuildTarget", "delete_build_target", "buildTargetInfo", "target", |call| {
        let (target, stamp) = (call.key("buildTargetInfo")?, call.stamp()?);
        call.write()?.0.delete_build_target(&stamp, &target)?;
        call.answer(&())
    }),
    Method::write("editExternalRepo", "edit_external_repo", "info, name=None, url=None", "admin", |call| {
        let (repo, stamp) = (call.key("info")?, call.stamp()?);
        let (name, url) = (call.text("name")?, call.text("url")?);
        call.write()?.0.edit_external_repo(&stamp, &repo, name.as_deref(), url.as_deref())?;
        call.answer(&())
    }),
    Method::write("deleteExternalRepo", "delete_external_repo", "info", "admin", |call| {
        let (repo, stamp) = (call.key("info")?, call.stamp()?);
        call.write()?.0.delete_external_repo(&stamp, &repo)?;
        call.answer(&())
    }),
    Method::write(
        "editTagExternalRepo",
        "edit_tag_external_repo",
        "tag_info, repo_info, priority=None, merge_mode=None, arches=None",
        "tag",
        edit_tag_repo,
    ),
    Method::write(
        "editPermission",
        "RootExports.editPermission",
        "permission, description",
        "admin",
        |call| {
            let (permission, description) = (call.key("permission")?, call.needed_text("description")?);
            call.write()?.0.describe_permission(&permission, &description)?;
            call.answer(&())
        },
    ),
    Method::write(
        "editUser",
        "RootExports.editUser",
        "userInfo, name=None, krb_principal_mappings=None",
        "admin",
        edit_user,
    ),
    Method::write("grantCGAccess", "grant_cg_access", "user, cg, create=False", "admin", |call| {
        let (user, generator, stamp) = (call.key("user")?, call.key("cg")?, call.stamp()?);
        let create = call.flag("create");
        call.write()?.0.grant_generator(&stamp, &user, &generator, None, create)?;
        call.answer(&())
    }),
    Method::write("revokeCGAccess", "revoke_cg_access", "user, cg", "admin", |call| {
        let (user, generator, stamp) = (call.key("user")?, call.key("cg")?, call.stamp()?);
        call.write()?.0.revoke_generator(&stamp, &user, &generator)?;
        call.answer(&())
    }),
];
