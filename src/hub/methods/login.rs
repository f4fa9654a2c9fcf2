//! Methods about who calls: logging in and out, users and what they may do.

use serde::Serialize;

use super::call::{Call, Outcome};
use super::sessions::AUTH_ERROR;
use super::table::{Method, Needs};
use super::{now, python};
use crate::format::xmlrpc::{Fault, Value};
use crate::hub::User;
use crate::hub::error::generic;

fn refused(text: impl Into<String>) -> Fault {
    Fault { code: AUTH_ERROR, text: text.into() }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Opened {
    session_id: i64,
    session_key: String,
    header_auth: bool,
}

/// `login(user, password, opts, renew)`: the declaration takes anything, as the hub's does.
fn login(call: &mut Call<'_, '_>) -> Outcome {
    let bad = || refused("invalid username or password");
    if call.is_one_of_several() {
        // Thousands of guesses in one request would keep the hub busy for an hour.
        return Err(refused("login cannot be part of a multiCall"));
    }
    let mut arguments = std::mem::take(&mut call.bound.rest).into_iter();
    let mut keywords = std::mem::take(&mut call.bound.keywords);
    let mut next = |name: &str| arguments.next().or_else(|| keywords.remove(name));
    let (Some(Value::Text(name)), Some(Value::Text(password))) = (next("user"), next("password")) else {
        return Err(bad());
    };
    drop(next("opts"));
    let renew = next("renew").is_some_and(|value| python::truth(&value));
    if call.login().is_some() {
        return Err(refused("Already logged in"));
    }
    let kept = call.view()?.password(&name)?;
    if !call.methods.passwords.matches(kept.as_deref(), &password) {
        return Err(bad());
    }
    let user = call.view()?.user(&name.as_str().into(), false)?.ok_or_else(bad)?;
    if user.status != 0 {
        return Err(refused(format!("logins by {name} are not allowed")));
    }
    let renew = call.expired().filter(|_| renew);
    let (session_id, session_key) =
        call.methods.sessions.open(user.id, &name, call.caller.address, renew, now().seconds())?;
    call.answer(&Opened { session_id, session_key, header_auth: true })
}

fn logout(call: &mut Call<'_, '_>) -> Outcome {
    let login = call.login().ok_or_else(|| refused("Not logged in"))?;
    let session = call.integer("session_id")?.unwrap_or(login.session);
    // A session of somebody else is an administrator's to end.
    if call.methods.sessions.owner(session) != Some(login.user) && !call.may("admin")? {
        return Err(crate::hub::error::not_allowed("only admins or owner may logout other session"));
    }
    call.methods.sessions.close(session);
    call.answer(&())
}

#[derive(Serialize)]
struct LoggedIn {
    #[serde(flatten)]
    user: User,
    /// 0: by password.
    authtype: i64,
    krb_principal: Option<String>,
}

fn logged_in_user(call: &mut Call<'_, '_>) -> Outcome {
    let Some(login) = call.login() else { return call.answer(&()) };
    let user = call.view()?.user(&login.user.into(), false)?;
    call.answer(&user.map(|user| LoggedIn { user, authtype: 0, krb_principal: None }))
}

fn user_permissions(call: &mut Call<'_, '_>) -> Outcome {
    let user = match call.some_key("userID")? {
        Some(user) => call.view()?.user(&user, true)?.map_or(0, |user| user.id),
        None => call.user()?,
    };
    let names = call.view()?.permissions(user)?;
    call.answer(&names)
}

/// The methods.
pub const METHODS: &[Method] = &[
    Method {
        name: "login",
        function: "RootExports.login",
        parameters: "*args, **opts",
        needs: Needs::Nothing,
        writes: false,
        run: login,
    },
    Method {
        name: "sslLogin",
        function: "RootExports.sslLogin",
        parameters: "*args, **opts",
        needs: Needs::Nothing,
        writes: false,
        // There is no proxy that this hub would believe.
        run: |_| Err(refused("could not verify client: None")),
    },
    Method::read("logout", "RootExports.logout", "session_id=None", logout),
    Method::read("getLoggedInUser", "RootExports.getLoggedInUser", "", logged_in_user),
    Method::read("showSession", "RootExports.showSession", "", |call| match call.login() {
        None => call.answer("session: not logged in (no session header or session args)"),
        // Other than Koji's hub, this does not show the key.
        Some(login) => call.answer(&format!("session {}: {}", login.session, login.name)),
    }),
    Method::read(
        "getUser",
        "get_user",
        "userInfo=None, strict=False, krb_princs=True, groups=False",
        |call| {
            let strict = call.flag("strict");
            let user = match call.some_key("userInfo")? {
                Some(user) => user,
                None => call
                    .login()
                    .map(|login| login.user.into())
                    .ok_or_else(|| generic("No such user: None"))?,
            };
            let user = call.view()?.user(&user, strict)?;
            call.answer(&user)
        },
    ),
    Method::read("hasPerm", "RootExports.hasPerm", "perm, strict=False", |call| {
        let (permission, strict) = (call.needed_text("perm")?, call.flag("strict"));
        if strict && !call.view()?.all_permissions()?.iter().any(|known| known.name == permission) {
            return Err(generic(format!("No such permission {permission} defined")));
        }
        // The hub's hasPerm is about the permission itself; the CLI asks for `admin` on its own.
        let has = match call.login() {
            Some(login) => call.view()?.permissions(login.user)?.contains(&permission),
            None => false,
        };
        call.answer(&has)
    }),
    Method::read("getPerms", "RootExports.getPerms", "", |call| {
        let user = call.login().map(|login| login.user);
        let names = match user {
            Some(user) => call.view()?.permissions(user)?,
            None => Vec::new(),
        };
        call.answer(&names)
    }),
    Method::read(
        "getUserPerms",
        "RootExports.getUserPerms",
        "userID=None, with_groups=True",
        user_permissions,
    ),
    Method::read("getUserGroups", "RootExports.getUserGroups", "user", |call| call.answer(&[(); 0])),
    Method::read("getAllPerms", "RootExports.getAllPerms", "", |call| {
        let all = call.view()?.all_permissions()?;
        call.answer(&all)
    }),
    Method::write(
        "createUser",
        "RootExports.createUser",
        "username, status=None, krb_principal=None",
        "admin",
        |call| {
            let (name, status) = (call.needed_text("username")?, call.integer("status")?.unwrap_or(0));
            let id = call.write()?.0.create_user(None, &name, status, 0)?;
            call.answer(&id)
        },
    ),
    Method::write("disableUser", "RootExports.disableUser", "username", "admin", |call| set_status(call, 1)),
    Method::write("enableUser", "RootExports.enableUser", "username", "admin", |call| set_status(call, 0)),
    Method::write(
        "grantPermission",
        "RootExports.grantPermission",
        "userinfo, permission, create=False, description=None",
        "admin",
        |call| {
            let (user, permission) = (call.key("userinfo")?, call.key("permission")?);
            let (create, stamp) = (call.flag("create"), call.stamp()?);
            call.write()?.0.grant_permission(&stamp, &user, &permission, create)?;
            call.answer(&())
        },
    ),
    Method::write(
        "revokePermission",
        "RootExports.revokePermission",
        "userinfo, permission",
        "admin",
        |call| {
            let (user, permission, stamp) = (call.key("userinfo")?, call.key("permission")?, call.stamp()?);
            call.write()?.0.revoke_permission(&stamp, &user, &permission)?;
            call.answer(&())
        },
    ),
];

fn set_status(call: &mut Call<'_, '_>, status: i64) -> Outcome {
    let user = call.key("username")?;
    call.write()?.0.set_user_status(&user, status)?;
    call.answer(&())
}
