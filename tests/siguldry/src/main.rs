//! siguldry's client of sigul's first protocol, driven by lines of JSON: one operation a line on stdin, one outcome a
//! line on stdout. README.md is the specification.

use std::io::{self, BufRead as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use siguldry::v1::client::{Client, KeyType, Password, TlsConfig};
use siguldry::v1::error::ClientError;

/// The first line: whom to talk to, and as whom.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Connection {
    bridge: String,
    port: u16,
    server: String,
    user: String,
    certificate: PathBuf,
    key: PathBuf,
    authority: PathBuf,
    /// Seconds for one operation.
    patience: u64,
}

/// What can be asked for; the names and arguments are siguldry's.
#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
enum Operation {
    Users {
        password: String,
    },
    GetUser {
        password: String,
        name: String,
    },
    CreateUser {
        password: String,
        name: String,
        admin: bool,
        new_password: Option<String>,
    },
    ModifyUser {
        password: String,
        name: String,
        new_name: Option<String>,
        admin: Option<bool>,
        new_password: Option<String>,
    },
    DeleteUser {
        password: String,
        name: String,
    },
    Keys {
        password: String,
    },
    NewKey {
        password: String,
        passphrase: String,
        key: String,
        /// `gnupg` if none is named.
        keytype: Option<String>,
        initial_key_admin: Option<String>,
        name_real: Option<String>,
        name_comment: Option<String>,
        name_email: Option<String>,
        expire_date: Option<String>,
    },
    ImportKey {
        password: String,
        passphrase: String,
        new_passphrase: String,
        key: String,
        /// The secret key, armored.
        secret: String,
        initial_key_admin: Option<String>,
    },
    DeleteKey {
        password: String,
        key: String,
    },
    ModifyKey {
        password: String,
        key: String,
        new_name: Option<String>,
    },
    GetPublicKey {
        password: String,
        key: String,
    },
    KeyUsers {
        password: String,
        key: String,
    },
    KeyUserInfo {
        password: String,
        name: String,
        key: String,
    },
    ModifyKeyUser {
        password: String,
        name: String,
        key: String,
        key_admin: Option<bool>,
    },
    GrantKeyAccess {
        password: String,
        key: String,
        passphrase: String,
        name: String,
        new_passphrase: String,
        server_binding: Option<String>,
    },
    RevokeKeyAccess {
        password: String,
        key: String,
        name: String,
    },
    ChangeKeyExpiration {
        password: String,
        key: String,
        passphrase: String,
        subkey: Option<String>,
        expire_date: Option<String>,
    },
    ChangePassphrase {
        key: String,
        passphrase: String,
        new_passphrase: String,
        server_binding: Option<String>,
    },
    ServerBindingMethods {
        password: String,
    },
}

async fn carry_out(client: &Client, operation: Operation) -> Result<Value, ClientError> {
    use Operation as Op;
    let p = Password::from;
    let optional = |secret: Option<String>| secret.map(Password::from);
    let key_of = |key: siguldry::v1::client::responses::PublicKey| json!({ "key": key.key_name(), "data": String::from_utf8_lossy(key.data()) });
    Ok(match operation {
        Op::Users { password } => json!(client.users(p(password)).await?),
        Op::GetUser { password, name } => {
            let user = client.get_user(p(password), name).await?;
            json!({ "name": user.name(), "admin": user.admin() })
        }
        Op::CreateUser { password, name, admin, new_password } => {
            json!(client.create_user(p(password), name, admin, optional(new_password)).await?)
        }
        Op::ModifyUser { password, name, new_name, admin, new_password } => {
            json!(client.modify_user(p(password), name, new_name, admin, optional(new_password)).await?)
        }
        Op::DeleteUser { password, name } => json!(client.delete_user(p(password), name).await?),
        Op::Keys { password } => json!(client.keys(p(password)).await?),
        Op::NewKey {
            password,
            passphrase,
            key,
            keytype,
            initial_key_admin,
            name_real,
            name_comment,
            name_email,
            expire_date,
        } => {
            let kind = match keytype.as_deref() {
                Some("ECC") => KeyType::Ecc,
                Some("RSA") => KeyType::Rsa,
                _ => KeyType::GnuPG {
                    real_name: name_real,
                    comment: name_comment,
                    email: name_email,
                    expire_date,
                },
            };
            key_of(client.new_key(p(password), p(passphrase), key, kind, initial_key_admin).await?)
        }
        Op::ImportKey { password, passphrase, new_passphrase, key, secret, initial_key_admin } => {
            let kind = KeyType::GnuPG { real_name: None, comment: None, email: None, expire_date: None };
            let (password, passphrase, new) = (p(password), p(passphrase), p(new_passphrase));
            let secret = secret.as_bytes();
            json!(client.import_key(password, passphrase, new, key, secret, kind, initial_key_admin).await?)
        }
        Op::DeleteKey { password, key } => json!(client.delete_key(p(password), key).await?),
        Op::ModifyKey { password, key, new_name } => {
            json!(client.modify_key(p(password), key, new_name).await?)
        }
        Op::GetPublicKey { password, key } => key_of(client.get_public_key(p(password), key).await?),
        Op::KeyUsers { password, key } => json!(client.key_users(p(password), key).await?),
        Op::KeyUserInfo { password, name, key } => {
            let access = client.key_user_info(p(password), name, key).await?;
            json!({ "user": access.user(), "key": access.key(), "admin": access.admin() })
        }
        Op::ModifyKeyUser { password, name, key, key_admin } => {
            json!(client.modify_key_user(p(password), name, key, key_admin).await?)
        }
        Op::GrantKeyAccess { password, key, passphrase, name, new_passphrase, server_binding } => {
            let (password, passphrase, new) = (p(password), p(passphrase), p(new_passphrase));
            json!(client.grant_key_access(password, key, passphrase, name, new, None, server_binding).await?)
        }
        Op::RevokeKeyAccess { password, key, name } => {
            json!(client.revoke_key_access(p(password), key, name).await?)
        }
        Op::ChangeKeyExpiration { password, key, passphrase, subkey, expire_date } => {
            let (password, passphrase) = (p(password), p(passphrase));
            json!(client.change_key_expiration(password, key, passphrase, subkey, expire_date).await?)
        }
        Op::ChangePassphrase { key, passphrase, new_passphrase, server_binding } => {
            let (old, new) = (p(passphrase), p(new_passphrase));
            json!(client.change_passphrase(key, old, new, None, server_binding).await?)
        }
        Op::ServerBindingMethods { password } => json!(client.server_binding_methods(p(password)).await?),
    })
}

fn problem(kind: &str, code: Option<String>, message: &dyn std::fmt::Display) -> Value {
    json!({ "error": { "kind": kind, "code": code, "message": message.to_string() } })
}

fn told(error: &ClientError) -> Value {
    let (kind, code) = match error {
        ClientError::Sigul(code) => ("sigul", Some(format!("{code:?}"))),
        ClientError::Serde(_) => ("serde", None),
        ClientError::InvalidSignature => ("signature", None),
        ClientError::Connection(_) => ("connection", None),
        ClientError::Io(_) => ("io", None),
        ClientError::Openssl(_) => ("openssl", None),
        _ => ("other", None),
    };
    problem(kind, code, error)
}

fn drive() -> Result<(), Box<dyn std::error::Error>> {
    let mut lines = io::stdin().lock().lines();
    let first = lines.next().ok_or("stdin has no first line, which says whom to talk to")??;
    let Connection { bridge, port, server, user, certificate, key, authority, patience } =
        serde_json::from_str(&first)?;
    let tls = TlsConfig::new(certificate, key, None, authority)?;
    let client = Client::new(tls, bridge, port, server, user);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for line in lines {
        let operation = serde_json::from_str(&line?)?;
        let timely = async {
            tokio::time::timeout(Duration::from_secs(patience), carry_out(&client, operation)).await
        };
        let outcome = match runtime.block_on(timely) {
            Ok(Ok(value)) => json!({ "ok": value }),
            Ok(Err(error)) => told(&error),
            Err(late) => problem("timeout", None, &late),
        };
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{outcome}")?;
        stdout.flush()?;
    }
    Ok(())
}

fn main() -> ExitCode {
    match drive() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
