//! Users, what they may do, and content generators.

use rusqlite::{OptionalExtension, params};
use serde::Serialize;

use crate::format::xmlrpc::Fault;
use crate::hub::search;
use crate::hub::store::change::{Stamp, Write};
use crate::hub::store::database::View;
use crate::hub::store::error::{generic, not_allowed};
use crate::hub::store::names::{Key, check_name};
use crate::hub::store::query::{Listing, QueryOptions, Select, row, set};

/// A user (`getUser`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct User {
    /// Id.
    pub id: i64,
    /// Kerberos principals; this hub knows none.
    pub krb_principals: Vec<String>,
    /// Name.
    pub name: String,
    /// 0 normal, 1 blocked.
    pub status: i64,
    /// 0 person, 1 host.
    pub usertype: i64,
}

row! {
    /// A user, without principals.
    Row {
        id: i64 = "users.id",
        name: String = "users.name",
        status: i64 = "users.status",
        usertype: i64 = "users.usertype",
    }
}

/// Which users (`listUsers`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserFilter {
    /// Of these types; none: of all.
    pub kinds: Option<Vec<i64>>,
    /// Whose names begin so, whatever the case.
    pub prefix: Option<String>,
    /// Who have this permission.
    pub permission: Option<Key>,
}

row! {
    /// A permission (`getAllPerms`).
    Permission {
        id: i64 = "id",
        name: String = "name",
        description: Option<String> = "description",
    }
}

impl View {
    /// A user (`getUser`).
    ///
    /// # Errors
    /// There is none, and `strict`.
    pub fn user(&self, user: &Key, strict: bool) -> Result<Option<User>, Fault> {
        let sql = format!("SELECT id, name, status, usertype FROM users WHERE {} = ?", user.column());
        let found = self.database.prepare(&sql)?.query_row([user.value()], |row| {
            let (id, name, status, usertype) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            Ok(User { id, krb_principals: Vec::new(), name, status, usertype })
        });
        match found.optional()? {
            None if strict => Err(generic(format!("No such user: {}", user.quoted()))),
            user => Ok(user),
        }
    }

    /// Users (`listUsers`), lowest id first unless another order is wanted.
    ///
    /// # Errors
    /// There is no such permission; an order that is none.
    pub fn users(&self, filter: &UserFilter, options: &QueryOptions) -> Result<Listing<User>, Fault> {
        let permission = filter.permission.as_ref();
        let permission = permission.map(|key| self.lookup_strict("permissions", key)).transpose()?;
        let prefix = filter.prefix.as_deref().filter(|prefix| !prefix.is_empty());
        let has = "users.id IN (SELECT user_id FROM user_perms WHERE perm_id = ? AND revoke_event IS NULL)";
        let users = Select::from("users")
            .with("users.usertype IN (SELECT value FROM json_each(?))", filter.kinds.as_deref().map(set))
            .with(
                "users.name LIKE ? ESCAPE '\\'",
                prefix.map(|prefix| format!("{}%", search::literal(prefix))),
            )
            .with(has, permission.map(|permission| permission.id));
        Ok(match users.order("users.id").list::<Row>(&self.database, options)? {
            Listing::Count(count) => Listing::Count(count),
            Listing::Rows(rows) => {
                let user = |Row { id, name, status, usertype }| User {
                    id,
                    krb_principals: Vec::new(),
                    name,
                    status,
                    usertype,
                };
                Listing::Rows(rows.into_iter().map(user).collect())
            }
        })
    }

    /// A user's id.
    ///
    /// # Errors
    /// There is no such user.
    pub fn user_id(&self, user: &Key) -> Result<i64, Fault> {
        Ok(self.known_user(user)?.id)
    }

    pub(super) fn known_user(&self, user: &Key) -> Result<User, Fault> {
        let none = || generic(format!("No such user: {}", user.quoted()));
        self.user(user, true)?.ok_or_else(none)
    }

    /// What is kept of a user's password; none where the user has none or does not exist.
    ///
    /// # Errors
    /// The database fails.
    pub fn password(&self, user: &str) -> Result<Option<String>, Fault> {
        let mut statement = self.database.prepare("SELECT password FROM users WHERE name = ?")?;
        let password: Option<Option<String>> = statement.query_row([user], |row| row.get(0)).optional()?;
        Ok(password.flatten())
    }

    /// All permissions (`getAllPerms`).
    ///
    /// # Errors
    /// The database fails.
    pub fn all_permissions(&self) -> Result<Vec<Permission>, Fault> {
        Select::from("permissions").order("id").all(&self.database)
    }

    /// The names of a user's permissions (`getUserPerms`).
    ///
    /// # Errors
    /// The database fails.
    pub fn permissions(&self, user: i64) -> Result<Vec<String>, Fault> {
        let mut statement = self.database.prepare(
            "SELECT name FROM permissions JOIN user_perms ON perm_id = id WHERE revoke_event IS NULL AND user_id = ?
             ORDER BY id",
        )?;
        let names = statement.query_map([user], |row| row.get(0))?;
        Ok(names.collect::<rusqlite::Result<_>>()?)
    }

    /// Whether the user has a permission, or may do everything (`hasPerm`).
    ///
    /// # Errors
    /// The database fails.
    pub fn has_permission(&self, user: i64, permission: &str) -> Result<bool, Fault> {
        Ok(self.permissions(user)?.iter().any(|name| name == permission || name == "admin"))
    }

    /// Refuses who lacks a permission; no user: nobody is logged in.
    ///
    /// # Errors
    /// Koji's ActionNotAllowed.
    pub fn require(&self, user: Option<i64>, permission: &str) -> Result<(), Fault> {
        let who = match user {
            None => "user not logged in".to_owned(),
            Some(user) if self.has_permission(user, permission)? => return Ok(()),
            Some(user) => format!("logged in as {}", self.known_user(&user.into())?.name),
        };
        Err(not_allowed(format!("{permission} permission required ({who})")))
    }

    /// Whether a user may import for a content generator.
    ///
    /// # Errors
    /// The database fails.
    pub fn has_generator(&self, user: i64, generator: &Key) -> Result<bool, Fault> {
        let Some(generator) = self.lookup("content_generator", generator)? else { return Ok(false) };
        let sql = "SELECT 1 FROM cg_users WHERE cg_id = ? AND user_id = ? AND revoke_event IS NULL";
        Ok(self.database.prepare(sql)?.exists([generator.id, user])?)
    }
}

impl Write<'_> {
    /// Makes a user (`createUser`); an id may be given. The id.
    ///
    /// # Errors
    /// The name is taken or none.
    pub fn create_user(
        &mut self,
        id: Option<i64>,
        name: &str,
        status: i64,
        usertype: i64,
    ) -> Result<i64, Fault> {
        // Other than names of tags: principals have an @ (RegexUserName).
        check_name(&name.replace('@', "_"))?;
        if self.user(&name.into(), false)?.is_some() {
            return Err(generic(format!("user already exists: {name}")));
        }
        let sql = "INSERT INTO users (id, name, status, usertype) VALUES (?, ?, ?, ?)";
        self.database.execute(sql, params![id, name, status, usertype])?;
        Ok(self.database.last_insert_rowid())
    }

    /// Keeps what a password is checked with; none: no login by password.
    ///
    /// # Errors
    /// There is no such user.
    pub fn set_password(&mut self, user: &Key, password: Option<&str>) -> Result<(), Fault> {
        let user = self.known_user(user)?;
        self.database.execute("UPDATE users SET password = ? WHERE id = ?", params![password, user.id])?;
        Ok(())
    }

    /// Blocks a user or lifts that (`disableUser`, `enableUser`).
    ///
    /// # Errors
    /// There is no such user.
    pub fn set_user_status(&mut self, user: &Key, status: i64) -> Result<(), Fault> {
        let user = self.known_user(user)?;
        self.database.execute("UPDATE users SET status = ? WHERE id = ?", params![status, user.id])?;
        Ok(())
    }

    /// Grants a permission (`grantPermission`); `create` makes it where the hub does not know it.
    ///
    /// # Errors
    /// User or permission do not exist, or the user has it.
    pub fn grant_permission(
        &mut self,
        stamp: &Stamp,
        user: &Key,
        permission: &Key,
        create: bool,
    ) -> Result<(), Fault> {
        self.change(stamp, |change| {
            let id = change.known_user(user)?.id;
            let permission = change.lookup_or_create("permissions", permission, None, create)?;
            if change.permissions(id)?.contains(&permission.name) {
                let text = format!("user {} already has permission: {}", user.plain(), permission.name);
                return Err(generic(text));
            }
            change.begin("user_perms", "user_id, perm_id", &[&id, &permission.id])
        })
    }

    /// Takes a permission back (`revokePermission`).
    ///
    /// # Errors
    /// User or permission do not exist, or the user does not have it.
    pub fn revoke_permission(&mut self, stamp: &Stamp, user: &Key, permission: &Key) -> Result<(), Fault> {
        self.change(stamp, |change| {
            let id = change.known_user(user)?.id;
            let permission = change.lookup_strict("permissions", permission)?;
            if !change.permissions(id)?.contains(&permission.name) {
                let text = format!("user {} does not have permission: {}", user.plain(), permission.name);
                return Err(generic(text));
            }
            change.end("user_perms", "user_id = ? AND perm_id = ?", &[&id, &permission.id])?;
            Ok(())
        })
    }

    /// Lets a user import for a content generator (`grantCGAccess`); `create` makes it, with an id where one is given.
    ///
    /// # Errors
    /// User or generator do not exist, or the user has it.
    pub fn grant_generator(
        &mut self,
        stamp: &Stamp,
        user: &Key,
        generator: &Key,
        id: Option<i64>,
        create: bool,
    ) -> Result<(), Fault> {
        self.change(stamp, |change| {
            let user = change.known_user(user)?.id;
            let generator = change.lookup_or_create("content_generator", generator, id, create)?;
            if change.has_generator(user, &generator.id.into())? {
                let text = format!("User already has access to content generator {}", generator.name);
                return Err(generic(text));
            }
            change.begin("cg_users", "cg_id, user_id", &[&generator.id, &user])
        })
    }

    /// Takes that back (`revokeCGAccess`).
    ///
    /// # Errors
    /// User or generator do not exist.
    pub fn revoke_generator(&mut self, stamp: &Stamp, user: &Key, generator: &Key) -> Result<(), Fault> {
        self.change(stamp, |change| {
            let user = change.known_user(user)?.id;
            let generator = change.lookup_strict("content_generator", generator)?.id;
            change.end("cg_users", "cg_id = ? AND user_id = ?", &[&generator, &user])?;
            Ok(())
        })
    }

    /// Gives a user another name (`editUser`).
    ///
    /// # Errors
    /// There is no such user; the name is taken or none.
    pub fn rename_user(&mut self, user: &Key, name: &str) -> Result<(), Fault> {
        let user = self.known_user(user)?;
        if user.name == name {
            return Ok(());
        }
        check_name(&name.replace('@', "_"))?;
        if let Some(other) = self.user(&name.into(), false)? {
            return Err(generic(format!("Name {name} already taken by user {}", other.id)));
        }
        self.database.execute("UPDATE users SET name = ? WHERE id = ?", params![name, user.id])?;
        Ok(())
    }

    /// Describes a permission (`editPermission`).
    ///
    /// # Errors
    /// There is no such permission.
    pub fn describe_permission(&mut self, permission: &Key, description: &str) -> Result<(), Fault> {
        let id = self.lookup_strict("permissions", permission)?.id;
        let sql = "UPDATE permissions SET description = ? WHERE id = ?";
        self.database.execute(sql, params![description, id])?;
        Ok(())
    }
}
