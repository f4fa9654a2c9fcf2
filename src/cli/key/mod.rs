//! `gander key`.

mod change;
mod token;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Subcommand;

use super::output::Format;
use super::{Failure, Global, Kind};
use crate::base::SourceDate;
use crate::openpgp::Certificate;
use crate::sign::key::{
    Algorithm, KeyError, Reason, SecretKey, Spec, Subkeys, create, read_certificates, refuse_checkout,
};
use crate::sign::{NewKey, SignError, Signer as _, demonstration, is_demonstration};

pub(super) use change::passphrase;

/// Make, keep, change and show signing keys.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an OpenPGP key: a secret key file, its certificate and a certificate that revokes it.
    ///
    /// Prints the certificate's fingerprint. Existing files are never replaced, and a secret key is never
    /// written into a git checkout.
    New {
        /// Who signs, such as 'Example Linux 1 <security@example.org>'.
        #[arg(long, value_name = "NAME")]
        user_id: String,
        /// A folder that exists (files are named by fingerprint) or the secret key file; the certificate
        /// gets '.asc'.
        #[arg(short, long, value_name = "DIR|FILE")]
        output: PathBuf,
        /// The day (2028-12-31) or time on which the key expires (default: never).
        #[arg(long, value_name = "DATE", value_parser = date)]
        expires: Option<SourceDate>,
        /// Protect the secret key by the first line of this file.
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
        /// What it is made of: rsa4096 (rsa3072 to rsa8192) or ed25519.
        #[arg(long, value_name = "NAME", default_value = "rsa4096")]
        algorithm: Algorithm,
        /// A subkey signs, and the primary key only certifies.
        #[arg(long)]
        signing_subkey: bool,
        /// A subkey that others encrypt to.
        #[arg(long)]
        encryption_subkey: bool,
    },
    /// Take in a key that another program exported, unless it is too weak, expired or revoked.
    Import(change::Rewrite),
    /// Write a key under another passphrase.
    Passphrase(change::Rewrite),
    /// Change when a key expires, by new bindings.
    Extend(change::Extend),
    /// End a key: write its certificate with a revocation.
    Revoke(change::Revoke),
    /// Write certificates as 'rpm --import' and a folder of keys want them; never a secret.
    Export(change::Export),
    /// Write a secret key file into one encrypted file, which 'gpg --decrypt' opens, too.
    Backup(change::Backup),
    /// Get a secret key file out of its backup.
    Restore(change::Backup),
    /// Keep keys on a PKCS #11 token: a smart card, a hardware security module, softhsm2.
    Token(token::Args),
    /// Show the certificates in a key file.
    Show {
        /// A certificate, keyring or secret key file.
        file: PathBuf,
        /// How the result is written to stdout.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Print the certificate of a demonstration key, which anyone can derive from its phrase.
    Demonstration {
        /// The phrase, as the recipe states it.
        #[arg(long)]
        phrase: String,
        /// The recipe's source date.
        #[arg(long, value_name = "TIME", value_parser = date)]
        created: SourceDate,
        /// Whose key it is, such as 'Gosling Linux'.
        #[arg(long, value_name = "NAME")]
        user_id: String,
    },
}

/// Takes a time or a day.
pub(super) fn date(text: &str) -> Result<SourceDate, String> {
    let whole = if text.contains('T') { text.into() } else { format!("{text}T00:00:00Z") };
    whole.parse().map_err(|error: crate::base::source_date::SourceDateError| error.to_string())
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<ExitCode, Failure> {
    match args.command {
        Command::New {
            user_id,
            output,
            expires,
            passphrase_file,
            algorithm,
            signing_subkey,
            encryption_subkey,
        } => {
            let passphrase = change::passphrase(passphrase_file.as_deref())?;
            refuse_checkout(&output)?;
            global.say(match algorithm {
                Algorithm::Rsa(bits) => format!("making an RSA key of {bits} bits"),
                Algorithm::Ed25519 => "making an Ed25519 key".into(),
            });
            let passphrase = passphrase.as_ref().map(|line| line.as_slice());
            let created = now()?;
            let subkeys = Subkeys { signing: signing_subkey, encryption: encryption_subkey };
            let key = SecretKey::generate(&Spec { algorithm, user_id: &user_id, created, expires, subkeys })?;
            let (secret, public) = NewKey::of(&key, passphrase)?.write(&output)?;
            let revocation = secret.with_extension("rev");
            create(&revocation, 0o600, &key.revocation(Reason::Unspecified, "", created)?)?;
            global.say(format_args!("secret key (keep it safe): {}", secret.display()));
            global.say(format_args!(
                "revocation (for the day on which the key is lost): {}",
                revocation.display()
            ));
            global.say(format_args!("certificate (give it away): {}", public.display()));
            println!("{}", key.certificate().fingerprint());
        }
        Command::Token(args) => return token::run(global, args),
        Command::Import(args) => change::rewrite(global, &args, true)?,
        Command::Passphrase(args) => change::rewrite(global, &args, false)?,
        Command::Extend(args) => change::extend(global, &args)?,
        Command::Revoke(args) => change::revoke(&args)?,
        Command::Export(args) => change::export(&args)?,
        Command::Backup(args) => change::backup(&args)?,
        Command::Restore(args) => change::restore(&args)?,
        Command::Show { file, format } => {
            let certificates = read_certificates(&file)?;
            match format {
                Format::Text => certificates.iter().for_each(show),
                Format::Json => {
                    let all: Vec<_> = certificates.iter().map(json).collect();
                    println!("{:#}", serde_json::Value::from(all));
                }
            }
        }
        Command::Demonstration { phrase, created, user_id } => {
            print!("{}", demonstration(&phrase, created, &user_id)?.certificate().armored());
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[allow(
    clippy::disallowed_methods,
    reason = "a new key's creation time is now; it is no output of a compose"
)]
pub(super) fn now() -> Result<SourceDate, Failure> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    SourceDate::from_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
        .map_err(|error| Failure::from_error(Kind::Surroundings, &error).hint("set this machine's clock"))
}

fn time(seconds: i64) -> String {
    SourceDate::from_seconds(seconds)
        .map_or_else(|_| format!("{seconds} s after 1970"), |date| date.to_string())
}

fn show(certificate: &Certificate) {
    println!("fingerprint  {}", certificate.fingerprint());
    certificate.user_ids().iter().for_each(|id| println!("user id      {}", id.escape_debug()));
    println!("algorithm    {}", certificate.algorithm());
    println!("created      {}", time(certificate.created()));
    match certificate.expiry() {
        Ok(expires) => println!("expires      {}", expires.map_or_else(|| "never".into(), time)),
        Err(reason) => println!("not usable   {reason}"),
    }
    if is_demonstration(certificate) {
        println!("note         a demonstration key: its secret is public, its signatures prove nothing");
    }
}

fn json(certificate: &Certificate) -> serde_json::Value {
    serde_json::json!({
        "fingerprint": certificate.fingerprint(),
        "user_ids": certificate.user_ids(),
        "algorithm": certificate.algorithm(),
        "created": time(certificate.created()),
        "expires": certificate.expiry().ok().flatten().map(time),
        "usable": certificate.expiry().is_ok(),
        "demonstration": is_demonstration(certificate),
    })
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        match &error {
            KeyError::File { what: "read", .. } => Self::from_error(Kind::Input, &error),
            KeyError::File { .. } => Self::from_error(Kind::Surroundings, &error),
            KeyError::InsideCheckout { .. }
            | KeyError::UserId(_)
            | KeyError::Expiry { .. }
            | KeyError::Algorithm(_) => Self::from_error(Kind::Usage, &error),
            KeyError::NotAKey { .. }
            | KeyError::Passphrase { .. }
            | KeyError::Unusable(_)
            | KeyError::Locked(_)
            | KeyError::Weak { .. } => Self::from_error(Kind::Input, &error),
            KeyError::Sign(inner) => Self::from_error(sign_kind(inner), &error),
        }
    }
}

impl From<SignError> for Failure {
    fn from(error: SignError) -> Self {
        Self::from_error(sign_kind(&error), &error)
    }
}

fn sign_kind(error: &SignError) -> Kind {
    match error {
        SignError::Library(_) => Kind::Bug,
        SignError::Token(error) => token::kind(error),
        SignError::NotAccepted(_) | SignError::Text(_) => Kind::Input,
    }
}
