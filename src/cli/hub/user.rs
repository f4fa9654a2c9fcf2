//! `gander hub user`.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;

use super::super::{Failure, Global, Kind};
use super::{open, time};
use crate::hub::methods::hash_password;
use crate::hub::{Key, Stamp};

/// Bytes of a password file.
const LONGEST: u64 = 4096;

/// Make a user of a hub, or change one: password and permissions.
///
/// The password is the first line of --password-file, or of stdin with --password-file -. It is kept as a salted, slow
/// hash.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The hub's folder; a new one gets an empty hub.
    folder: PathBuf,
    /// The user's name.
    name: String,
    /// Let the user do everything.
    #[arg(long)]
    admin: bool,
    /// Give the user a permission, such as 'tag' or 'sign' (can be repeated).
    #[arg(long, value_name = "PERMISSION")]
    grant: Vec<String>,
    /// Set the password: the first line of this file; '-' is stdin.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Keep the user from logging in.
    #[arg(long, conflicts_with_all = ["admin", "grant", "password_file"])]
    block: bool,
}

/// Runs the command.
pub fn run(global: &Global, args: &Args) -> Result<ExitCode, Failure> {
    let password = args.password_file.as_deref().map(read_password).transpose()?;
    let kept = password.map(|password| hash_password(&password)).transpose();
    let kept = kept.map_err(|error| Failure::from_error(Kind::Usage, &error))?;
    let methods = open(&args.folder)?;
    let mut write = methods.hub().write()?;
    let key = Key::from(args.name.as_str());
    let (id, made) = match write.user(&key, false)? {
        Some(user) => (user.id, false),
        None => (write.create_user(None, &args.name, 0, 0)?, true),
    };
    if let Some(kept) = &kept {
        write.set_password(&key, Some(kept))?;
    }
    write.set_user_status(&key, i64::from(args.block))?;
    let has = write.permissions(id)?;
    let admin = args.admin.then_some("admin");
    for permission in admin.into_iter().chain(args.grant.iter().map(String::as_str)) {
        if !has.iter().any(|known| known == permission) {
            // Who has the folder is nobody of the hub's: users grant it to themselves.
            write.grant_permission(&Stamp::new(time(None)?, id), &key, &permission.into(), false)?;
        }
    }
    write.commit()?;
    global.say(format_args!("{} user {} (id {id})", if made { "made" } else { "changed" }, args.name));
    Ok(ExitCode::SUCCESS)
}

fn read_password(path: &std::path::Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(LONGEST).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut text))
    };
    read.map_err(|error| {
        let message = format!("no password can be read from '{}'", path.display());
        Failure::new(Kind::Input, message).hint(error.to_string())
    })?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
