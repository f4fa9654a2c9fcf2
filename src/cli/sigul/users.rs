//! Operations on users and their access to keys.

use super::super::Failure;
use super::answers;
use super::asking::{Asked, Nothing};
use super::secrets::Which::{New, Passphrase, Password};
use crate::sigul::client::Request;

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Print the users' names.
    ListUsers(Asked<Nothing>),
    /// Add a user.
    NewUser(Asked<NewUser>),
    /// Delete a user who has no access to any key.
    DeleteUser(Asked<User>),
    /// Say whether a user is an administrator.
    UserInfo(Asked<User>),
    /// Change a user.
    ModifyUser(Asked<ModifyUser>),
    /// Say whether a user administers a key.
    KeyUserInfo(Asked<UserKey>),
    /// Change a user's access to a key.
    ModifyKeyUser(Asked<ModifyKeyUser>),
    /// Print who has access to a key.
    ListKeyUsers(Asked<KeyByPassword>),
    /// Give another user access to a key.
    GrantKeyAccess(Asked<KeyUser>),
    /// Take a user's access to a key.
    RevokeKeyAccess(Asked<RevokeKeyAccess>),
    /// Change your passphrase for a key.
    ChangePassphrase(Asked<Key>),
    /// Print the methods by which the server can bind passphrases.
    ListServerBindingMethods(Asked<Nothing>),
}

#[derive(Debug, clap::Args)]
pub struct User {
    /// The user.
    name: String,
}

#[derive(Debug, clap::Args)]
pub struct NewUser {
    /// Their name.
    name: String,
    /// They are an administrator.
    #[arg(long)]
    admin: bool,
    /// They get a password; administrators need one.
    #[arg(long)]
    with_password: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Truth {
    Yes,
    No,
}

#[derive(Debug, clap::Args)]
pub struct ModifyUser {
    /// Their name.
    name: String,
    /// Whether they are an administrator from now on.
    #[arg(long, value_enum)]
    admin: Option<Truth>,
    /// Their new name.
    #[arg(long, value_name = "NAME")]
    new_name: Option<String>,
    /// They get another password.
    #[arg(long)]
    change_password: bool,
}

#[derive(Debug, clap::Args)]
pub struct UserKey {
    /// The user.
    name: String,
    /// The key.
    key: String,
}

#[derive(Debug, clap::Args)]
pub struct ModifyKeyUser {
    /// The user.
    name: String,
    /// The key.
    key: String,
    /// Whether they administer the key from now on.
    #[arg(long, value_enum)]
    key_admin: Option<Truth>,
}

#[derive(Debug, clap::Args)]
pub struct Key {
    /// The key.
    key: String,
}

#[derive(Debug, clap::Args)]
pub struct KeyByPassword {
    /// The key.
    key: String,
    /// Ask as an administrator, by password, instead of as a user of the key.
    #[arg(long)]
    password: bool,
}

#[derive(Debug, clap::Args)]
pub struct KeyUser {
    /// The key.
    key: String,
    /// The user.
    name: String,
}

#[derive(Debug, clap::Args)]
pub struct RevokeKeyAccess {
    /// The key.
    key: String,
    /// The user.
    name: String,
    /// Ask as an administrator, by password, instead of as a user of the key.
    #[arg(long)]
    password: bool,
}

fn set_truth(request: &mut Request<'_>, field: &str, truth: Option<Truth>) {
    if let Some(truth) = truth {
        request.fields.set_bool(field, matches!(truth, Truth::Yes));
    }
}

/// Runs the command.
pub fn run(verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::ListUsers(Asked { asking, .. }) => {
            let session = asking.begin()?;
            let (fields, names) = session.ask(session.prove(Request::new("list-users"), Password)?)?;
            answers::names(&fields, "num-users", &names)?;
        }
        Verb::NewUser(Asked { what, asking }) => {
            let session = asking.begin()?;
            let mut request = Request::new("new-user").field("name", &what.name);
            if what.admin {
                request.fields.set_bool("admin", true);
            }
            let mut request = session.prove(request, Password)?;
            if what.with_password {
                request = session.prove(request, New)?;
            }
            session.ask(request)?;
        }
        Verb::DeleteUser(Asked { what, asking }) => {
            let session = asking.begin()?;
            let request = Request::new("delete-user").field("name", &what.name);
            session.ask(session.prove(request, Password)?)?;
        }
        Verb::UserInfo(Asked { what, asking }) => {
            let session = asking.begin()?;
            let request = Request::new("user-info").field("name", &what.name);
            let (fields, _) = session.ask(session.prove(request, Password)?)?;
            answers::truth(&fields, "admin", "Administrator")?;
        }
        Verb::ModifyUser(Asked { what, asking }) => {
            let session = asking.begin()?;
            let mut request = Request::new("modify-user").field("name", &what.name);
            set_truth(&mut request, "admin", what.admin);
            if let Some(name) = &what.new_name {
                request.fields.set("new-name", name);
            }
            let mut request = session.prove(request, Password)?;
            if what.change_password {
                request = session.prove(request, New)?;
            }
            session.ask(request)?;
        }
        Verb::KeyUserInfo(Asked { what, asking }) => {
            let session = asking.begin()?;
            let request = Request::new("key-user-info").field("name", &what.name).field("key", &what.key);
            let (fields, _) = session.ask(session.prove(request, Password)?)?;
            answers::truth(&fields, "key-admin", "Key administrator")?;
        }
        Verb::ModifyKeyUser(Asked { what, asking }) => {
            let session = asking.begin()?;
            let mut request =
                Request::new("modify-key-user").field("name", &what.name).field("key", &what.key);
            set_truth(&mut request, "key-admin", what.key_admin);
            session.ask(session.prove(request, Password)?)?;
        }
        Verb::ListKeyUsers(Asked { what, asking }) => {
            let session = asking.begin()?;
            let request = Request::new("list-key-users").field("key", &what.key);
            let proof = if what.password { Password } else { Passphrase };
            let (fields, names) = session.ask(session.prove(request, proof)?)?;
            answers::names(&fields, "num-users", &names)?;
        }
        Verb::GrantKeyAccess(Asked { what, asking }) => {
            let session = asking.begin()?;
            let request = Request::new("grant-key-access").field("key", &what.key).field("name", &what.name);
            let request = session.prove(request, Passphrase)?;
            session.ask(session.prove(request, New)?)?;
        }
        Verb::RevokeKeyAccess(Asked { what, asking }) => {
            let session = asking.begin()?;
            let request = Request::new("revoke-key-access").field("key", &what.key).field("name", &what.name);
            let proof = if what.password { Password } else { Passphrase };
            session.ask(session.prove(request, proof)?)?;
        }
        Verb::ChangePassphrase(Asked { what, asking }) => {
            let session = asking.begin()?;
            let request = Request::new("change-passphrase").field("key", &what.key);
            let request = session.prove(request, Passphrase)?;
            session.ask(session.prove(request, New)?)?;
        }
        Verb::ListServerBindingMethods(Asked { asking, .. }) => {
            let session = asking.begin()?;
            let request = session.prove(Request::new("list-binding-methods"), Password)?;
            let (fields, names) = session.ask(request)?;
            answers::names(&fields, "num-methods", &names)?;
        }
    }
    Ok(())
}
