//! Methods about who calls: logging in and out, users and what they may do.

pub(super) mod passwords;
pub(super) mod sessions;

use serde::Serialize;

use self::sessions::AUTH_ERROR;
use crate::format::xmlrpc::{Fault, Value};
use crate::hub::methods::call::{Call, Outcome};
use crate::hub::methods::table::{Method, Needs};
use crate::hub::methods::{now, python};
use crate::hub::sessions::Session;
use crate::hub::store::error::{generic, not_allowed, parameter};
use crate::hub::{Seconds, Time, User, UserFilter};

fn refused(text: impl Into<String>) -> Fault {
    Fault { code: AUTH_ERROR, text: text.into() }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct LoginAnswer {
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
    let (methods, address) = (call.methods, call.caller.address);
    let opened = methods.sessions.open(user.id, address, renew, now())?;
    let write = call.write()?.0;
    write.keep_session(&opened.session)?;
    if let Some(ended) = opened.ended {
        write.end_session(ended)?;
    }
    call.answer(&LoginAnswer { session_id: opened.session.id, session_key: opened.key, header_auth: true })
}

fn logout(call: &mut Call<'_, '_>) -> Outcome {
    let login = call.login().ok_or_else(|| refused("Not logged in"))?;
    let session = call.integer("session_id")?.unwrap_or(login.session);
    // A session of somebody else is an administrator's to end.
    if call.methods.sessions.owner(session) != Some(login.user) && !call.may("admin")? {
        return Err(not_allowed("only admins or owner may logout other session"));
    }
    call.write()?.0.end_session(session)?;
    call.methods.sessions.close(session);
    call.answer(&())
}

/// A session, as `getSessionInfo` shows it.
#[derive(Serialize)]
struct Shown {
    user_id: i64,
    expired: bool,
    master: Option<i64>,
    /// 0: by password.
    authtype: i64,
    callnum: Option<i64>,
    start_time: Time,
    start_ts: Seconds,
    update_time: Time,
    update_ts: Seconds,
    renew_time: Option<Time>,
    renew_ts: Option<Seconds>,
    exclusive: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hostip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
}

impl Shown {
    fn new(session: Session, details: bool) -> Self {
        Self {
            user_id: session.user,
            expired: false,
            master: None,
            authtype: 0,
            callnum: session.call,
            start_time: session.started,
            start_ts: Seconds(session.started),
            update_time: session.updated,
            update_ts: Seconds(session.updated),
            renew_time: session.renewed,
            renew_ts: session.renewed.map(Seconds),
            exclusive: None,
            hostip: details.then_some(session.address),
            id: details.then_some(session.id),
        }
    }
}

/// The session of who asks, or all sessions of a user.
fn session_info(call: &mut Call<'_, '_>) -> Outcome {
    let Some(login) = call.login() else { return call.answer(&()) };
    let details = call.flag("details");
    let user = match call.some_key("user_id")? {
        None => None,
        Some(user) => Some(call.view()?.known_user(&user)?.id),
    };
    if user.is_some_and(|user| user != login.user) && !call.may("admin")? {
        return Err(not_allowed("only admins or owners may see all active sessions"));
    }
    let sessions = call.methods.sessions.of_user(user.unwrap_or(login.user), now());
    if user.is_some() {
        let all: Vec<_> = sessions.into_iter().map(|session| Shown::new(session, details)).collect();
        return call.answer(&all);
    }
    let own = sessions.into_iter().find(|session| session.id == login.session);
    call.answer(&own.map(|session| Shown::new(session, details)))
}

fn list_users(call: &mut Call<'_, '_>) -> Outcome {
    let kinds = match call.value("userType") {
        Value::Nil => None,
        Value::Int(kind) => Some(vec![kind]),
        Value::Array(kinds) => {
            let number = |kind: &Value| if let Value::Int(kind) = kind { Some(*kind) } else { None };
            Some(kinds.iter().filter_map(number).collect())
        }
        _ => return Err(parameter("userType must be integer, list, tuple or None")),
    };
    let permission = call.some_key("perm")?;
    // There are no groups of users to inherit one from.
    if call.flag("inherited_perm") && permission.is_none() {
        return Err(generic("inherited_perm option must be used with perm option"));
    }
    let filter = UserFilter { kinds, prefix: call.text("prefix")?, permission };
    let options = call.options()?;
    let all = call.view()?.users(&filter, &options)?;
    call.answer(&all)
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
    Method::read("getSessionInfo", "RootExports.getSessionInfo", "details=False, user_id=None", session_info),
    Method::read(
        "listUsers",
        "RootExports.listUsers",
        "userType=0, prefix=None, queryOpts=None, perm=None, inherited_perm=False",
        list_users,
    ),
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
    Method::read("getUserPermsInheritance", "RootExports.getUserPermsInheritance", "userID", |call| {
        let user = call.key("userID")?;
        let user = call.view()?.known_user(&user)?.id;
        // Each permission with the groups that give it; none: the user's own.
        let names = call.view()?.permissions(user)?;
        let own: std::collections::BTreeMap<_, _> =
            names.into_iter().map(|name| (name, [None::<String>])).collect();
        call.answer(&own)
    }),
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
