//! Operations on keys.

use std::path::PathBuf;

use super::super::Failure;
use super::answers;
use super::asking::{Asked, Nothing};
use super::secrets::Which::{New, Passphrase, Password};
use crate::sigul::client::{Payload, Request};

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Print the keys' names and types.
    ListKeys(Asked<Nothing>),
    /// Have the server make a key, and print its public part.
    NewKey(Asked<NewKey>),
    /// Give the server a secret key.
    ImportKey(Asked<ImportKey>),
    /// Delete a key, for good.
    DeleteKey(Asked<Key>),
    /// Change a key's name.
    ModifyKey(Asked<ModifyKey>),
    /// Print a key's public part.
    GetPublicKey(Asked<GetPublicKey>),
    /// Change when a key expires.
    ChangeKeyExpiration(Asked<ChangeKeyExpiration>),
    /// Print what waits for approval, a line of JSON each.
    ListApprovals(Asked<ListApprovals>),
    /// Approve a request that waits, and print how many have.
    Approve(Asked<Approve>),
}

#[derive(Debug, clap::Args)]
pub struct Key {
    /// The key.
    key: String,
}

#[derive(Debug, clap::Args)]
pub struct NewKey {
    /// Its name.
    key: String,
    /// Who administers it (default: you).
    #[arg(long, value_name = "USER")]
    key_admin: Option<String>,
    /// Its type: gnupg, or what else the server offers.
    #[arg(long, value_name = "TYPE", default_value = "gnupg")]
    key_type: String,
    /// The name in its user id.
    #[arg(long, value_name = "NAME")]
    gnupg_name_real: Option<String>,
    /// The comment in its user id.
    #[arg(long, value_name = "TEXT")]
    gnupg_name_comment: Option<String>,
    /// The address in its user id.
    #[arg(long, value_name = "ADDRESS")]
    gnupg_name_email: Option<String>,
    /// The day on which it expires.
    #[arg(long, value_name = "YYYY-MM-DD")]
    gnupg_expire_date: Option<String>,
    /// Write the public part to this file.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct ImportKey {
    /// Its name.
    key: String,
    /// The secret key, protected by the passphrase that is asked for; or the key file of a key on a token of the
    /// signer's, with the token's PIN for the passphrase.
    file: PathBuf,
    /// Who administers it (default: you).
    #[arg(long, value_name = "USER")]
    key_admin: Option<String>,
    /// Its type.
    #[arg(long, value_name = "TYPE", default_value = "gnupg")]
    key_type: String,
}

#[derive(Debug, clap::Args)]
pub struct ModifyKey {
    /// The key.
    key: String,
    /// Its new name.
    #[arg(long, value_name = "NAME")]
    new_name: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct GetPublicKey {
    /// The key.
    key: String,
    /// Ask as an administrator, by password, instead of as a user of the key.
    #[arg(long)]
    password: bool,
    /// Write it to this file.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct ChangeKeyExpiration {
    /// The key.
    key: String,
    /// The day on which it expires (default: never).
    #[arg(long, value_name = "YYYY-MM-DD")]
    expire_date: Option<String>,
    /// Which subkey is meant (default: the primary key).
    #[arg(long, value_name = "NUMBER")]
    subkey: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct ListApprovals {
    /// The key.
    key: String,
    /// Ask as an administrator, by password, instead of as a user of the key.
    #[arg(long)]
    password: bool,
}

#[derive(Debug, clap::Args)]
pub struct Approve {
    /// The key.
    key: String,
    /// The request's id, which its refusal and the list have.
    id: String,
}

/// The request with fields that are set.
fn with<'r>(mut request: Request<'r>, fields: &[(&str, Option<&String>)]) -> Request<'r> {
    for (name, value) in fields {
        if let Some(value) = value {
            request.fields.set(name, value);
        }
    }
    request
}

/// Runs the command.
pub fn run(verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::ListKeys(Asked { asking, .. }) => {
            let session = asking.begin()?;
            let (fields, names) = session.ask(session.prove(Request::new("list-keys"), Password)?)?;
            answers::names(&fields, "num-keys", &names)?;
        }
        Verb::NewKey(Asked { what, asking }) => {
            let session = asking.begin()?;
            let request = with(
                Request::new("new-key"),
                &[
                    ("key", Some(&what.key)),
                    ("keytype", Some(&what.key_type)),
                    ("initial-key-admin", what.key_admin.as_ref()),
                    ("name-real", what.gnupg_name_real.as_ref()),
                    ("name-comment", what.gnupg_name_comment.as_ref()),
                    ("name-email", what.gnupg_name_email.as_ref()),
                    ("expire-date", what.gnupg_expire_date.as_ref()),
                ],
            );
            let request = session.prove(request, Password)?;
            let (_, key) = session.ask(session.prove(request, New)?)?;
            answers::output(&key, what.output.as_deref())?;
        }
        Verb::ImportKey(Asked { what, asking }) => {
            let session = asking.begin()?;
            let request = with(
                Request::new("import-key").payload(Payload::File(&what.file)),
                &[
                    ("key", Some(&what.key)),
                    ("keytype", Some(&what.key_type)),
                    ("initial-key-admin", what.key_admin.as_ref()),
                ],
            );
            let request = session.prove(request, Password)?;
            let request = session.prove(request, Passphrase)?;
            session.ask(session.prove(request, New)?)?;
        }
        Verb::DeleteKey(Asked { what, asking }) => {
            let session = asking.begin()?;
            let request = Request::new("delete-key").field("key", &what.key);
            session.ask(session.prove(request, Password)?)?;
        }
        Verb::ModifyKey(Asked { what, asking }) => {
            let session = asking.begin()?;
            let fields = [("key", Some(&what.key)), ("new-name", what.new_name.as_ref())];
            let request = with(Request::new("modify-key"), &fields);
            session.ask(session.prove(request, Password)?)?;
        }
        Verb::GetPublicKey(Asked { what, asking }) => {
            let session = asking.begin()?;
            let request = Request::new("get-public-key").field("key", &what.key);
            let proof = if what.password { Password } else { Passphrase };
            let (_, key) = session.ask(session.prove(request, proof)?)?;
            answers::output(&key, what.output.as_deref())?;
        }
        Verb::ChangeKeyExpiration(Asked { what, asking }) => {
            let session = asking.begin()?;
            let fields = [
                ("key", Some(&what.key)),
                ("subkey", what.subkey.as_ref()),
                ("expire-date", what.expire_date.as_ref()),
            ];
            let request = with(Request::new("change-key-expiration"), &fields);
            session.ask(session.prove(request, Passphrase)?)?;
        }
        Verb::ListApprovals(Asked { what, asking }) => {
            let session = asking.begin()?;
            let request = Request::new("list-approvals").field("key", &what.key);
            let proof = if what.password { Password } else { Passphrase };
            let (_, list) = session.ask(session.prove(request, proof)?)?;
            answers::output(&list, None)?;
        }
        Verb::Approve(Asked { what, asking }) => {
            let session = asking.begin()?;
            let request = Request::new("approve").field("key", &what.key).field("id", &what.id);
            let (fields, _) = session.ask(session.prove(request, Passphrase)?)?;
            println!(
                "{} of {} approvals",
                answers::number(&fields, "given")?,
                answers::number(&fields, "needed")?
            );
        }
    }
    Ok(())
}
