//! `gander key extend`, `revoke`, `export`, `import`, `passphrase`, `backup` and `restore`.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use zeroize::Zeroizing;

use super::super::{Failure, Global, Kind};
use super::{date, now};
use crate::base::SourceDate;
use crate::openpgp::Certificate;
use crate::sign::key::{
    Reason, SecretKey, Which, check, create, minimal, read_certificates, read_passphrase, read_small,
    refuse_checkout, wrap,
};
use crate::sign::{NewKey, open_key};

/// A secret key file and what opens it.
#[derive(Debug, clap::Args)]
pub struct Opened {
    /// The secret key file, or the key file of a key on a token; it is not changed.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Its passphrase, or the token's PIN, is the first line of this file.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl Opened {
    fn open(&self) -> Result<(SecretKey, Passphrase), Failure> {
        let passphrase = passphrase(self.passphrase_file.as_deref())?;
        let key = open_key(&self.file, passphrase.as_ref().map(|line| line.as_slice()))?;
        Ok((key, passphrase))
    }
}

#[derive(Debug, clap::Args)]
pub struct Extend {
    #[command(flatten)]
    key: Opened,
    /// The day or time on which it expires from now on.
    #[arg(long, value_name = "DATE", value_parser = date, required_unless_present = "never")]
    expires: Option<SourceDate>,
    /// It never expires.
    #[arg(long, conflicts_with = "expires")]
    never: bool,
    /// Only this subkey, from 1 (default: the primary key and all its subkeys).
    #[arg(long, value_name = "NUMBER")]
    subkey: Option<usize>,
    /// When the change is made (default: now).
    #[arg(long, value_name = "TIME", value_parser = date)]
    time: Option<SourceDate>,
    /// A folder that exists, or the new secret key file; the certificate gets '.asc'.
    #[arg(short, long, value_name = "DIR|FILE")]
    output: PathBuf,
}

#[derive(Debug, clap::Args)]
pub struct Revoke {
    #[command(flatten)]
    key: Opened,
    /// Why: after 'compromised' and 'unspecified' no signature counts any more, after the others those of before do.
    #[arg(long, value_enum)]
    reason: Why,
    /// A line for people.
    #[arg(long, value_name = "TEXT", default_value = "")]
    text: String,
    /// When the key ends (default: now).
    #[arg(long, value_name = "TIME", value_parser = date)]
    time: Option<SourceDate>,
    /// The revoked certificate, to be published in the place of the old one.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Why {
    Compromised,
    Superseded,
    Retired,
    Unspecified,
}

#[derive(Debug, clap::Args)]
pub struct Export {
    /// A certificate or secret key file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Without armor.
    #[arg(long)]
    binary: bool,
    /// Only the newest binding of each part, and no signatures of others.
    #[arg(long)]
    minimal: bool,
    /// The file to write (default: stdout).
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct Rewrite {
    #[command(flatten)]
    key: Opened,
    /// The passphrase that protects the new file is the first line of this file (default: the same one).
    #[arg(long, value_name = "FILE", conflicts_with = "unprotected")]
    new_passphrase_file: Option<PathBuf>,
    /// The new file is not protected.
    #[arg(long)]
    unprotected: bool,
    /// A folder that exists, or the new secret key file; the certificate gets '.asc'.
    #[arg(short, long, value_name = "DIR|FILE")]
    output: PathBuf,
}

#[derive(Debug, clap::Args)]
pub struct Backup {
    /// The file to keep: a secret key file, protected or not; for restore, the backup.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The backup's passphrase is the first line of this file.
    #[arg(long, value_name = "FILE")]
    backup_passphrase_file: PathBuf,
    /// The file to write.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// The first line of a file, if there is one.
type Passphrase = Option<Zeroizing<Vec<u8>>>;

/// Reads a passphrase that must not be empty.
pub fn passphrase(file: Option<&Path>) -> Result<Passphrase, Failure> {
    let passphrase = file.map(read_passphrase).transpose()?;
    if passphrase.as_ref().is_some_and(|line| line.is_empty()) {
        return Err(Failure::new(Kind::Usage, "the passphrase file's first line is empty"));
    }
    Ok(passphrase)
}

fn write(global: &Global, key: &SecretKey, passphrase: Option<&[u8]>, output: &Path) -> Result<(), Failure> {
    let (secret, public) = NewKey::of(key, passphrase)?.write(output)?;
    global.say(format_args!("secret key (keep it safe): {}", secret.display()));
    global.say(format_args!("certificate (give it away): {}", public.display()));
    println!("{}", key.certificate().fingerprint());
    Ok(())
}

fn at(time: Option<SourceDate>) -> Result<SourceDate, Failure> {
    time.map_or_else(now, Ok)
}

pub fn extend(global: &Global, args: &Extend) -> Result<(), Failure> {
    let (mut key, passphrase) = args.key.open()?;
    let time = at(args.time)?;
    match args.subkey {
        Some(0) => return Err(Failure::new(Kind::Usage, "subkeys are counted from 1")),
        Some(number) => key.extend(Which::Subkey(number - 1), args.expires, time)?,
        None => {
            key.extend(Which::Primary, args.expires, time)?;
            let subkeys = key.certificate().key_fingerprints().len() - 1;
            for number in 0..subkeys {
                key.extend(Which::Subkey(number), args.expires, time)?;
            }
        }
    }
    write(global, &key, passphrase.as_ref().map(|line| line.as_slice()), &args.output)
}

pub fn revoke(args: &Revoke) -> Result<(), Failure> {
    let (mut key, _) = args.key.open()?;
    let reason = match args.reason {
        Why::Compromised => Reason::Compromised,
        Why::Superseded => Reason::Superseded,
        Why::Retired => Reason::Retired,
        Why::Unspecified => Reason::Unspecified,
    };
    key.revoke(reason, &args.text, at(args.time)?)?;
    create(&args.output, 0o644, key.certificate().armored().as_bytes())?;
    println!("{}", key.certificate().fingerprint());
    Ok(())
}

pub fn export(args: &Export) -> Result<(), Failure> {
    let certificates = read_certificates(&args.file)?;
    let mut bytes = Vec::new();
    for certificate in &certificates {
        let certificate: Certificate = if args.minimal { minimal(certificate)? } else { certificate.clone() };
        match args.binary {
            true => bytes.extend(certificate.to_bytes()),
            false => bytes.extend(certificate.armored().bytes()),
        }
    }
    match &args.output {
        Some(path) => create(path, 0o644, &bytes)?,
        None => std::io::Write::write_all(&mut std::io::stdout(), &bytes).map_err(|error| {
            Failure::new(Kind::Surroundings, format!("stdout cannot be written: {error}"))
        })?,
    }
    Ok(())
}

/// Writes a key anew; one that is taken in has to be good.
pub fn rewrite(global: &Global, args: &Rewrite, imported: bool) -> Result<(), Failure> {
    let (key, old) = args.key.open()?;
    if key.is_kept() {
        let words = "the key is on a token, and its key file has no secret to be taken in or protected";
        return Err(Failure::new(Kind::Usage, words).hint("the token's own program changes its PIN"));
    }
    if imported {
        check(key.certificate(), now()?)?;
    }
    let new = passphrase(args.new_passphrase_file.as_deref())?.or(old).filter(|_| !args.unprotected);
    write(global, &key, new.as_ref().map(|line| line.as_slice()), &args.output)
}

pub fn backup(args: &Backup) -> Result<(), Failure> {
    let Some(passphrase) = passphrase(Some(&args.backup_passphrase_file))? else { return Ok(()) };
    let sealed = wrap::seal(&read_small(&args.file)?, &passphrase)
        .map_err(|error| Failure::from_error(Kind::Bug, &error))?;
    Ok(create(&args.output, 0o600, &sealed)?)
}

pub fn restore(args: &Backup) -> Result<(), Failure> {
    let Some(passphrase) = passphrase(Some(&args.backup_passphrase_file))? else { return Ok(()) };
    refuse_checkout(&args.output)?;
    let opened = wrap::unseal(&read_small(&args.file)?, &passphrase)
        .map_err(|error| Failure::from_error(Kind::Input, &error))?;
    Ok(create(&args.output, 0o600, &opened)?)
}
