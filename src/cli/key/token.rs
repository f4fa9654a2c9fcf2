//! `gander key token`.

use std::path::PathBuf;
use std::process::ExitCode;

use super::super::output::Format;
use super::super::{Failure, Global, Kind};
use super::{date, now, passphrase};
use crate::base::SourceDate;
use crate::base::digest::{hex, unhex};
use crate::sign::NewKey;
use crate::sign::key::{Algorithm, Reason, SecretKey, Spec, Subkeys, create};
use crate::sign::token::{Address, KeyName, Pair, Session, Token, TokenError, certify, generate, tokens};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a key pair on a token, its certificate, a certificate that revokes it, and a key file that finds it again.
    ///
    /// Prints the certificate's fingerprint. The secret cannot be copied from the token. The key file has no secret; it
    /// stands where a secret key file may stand.
    New {
        #[command(flatten)]
        token: At,
        #[command(flatten)]
        made: Made,
        /// What it is made of: rsa4096, rsa3072 or ed25519, as far as the token can.
        #[arg(long, value_name = "NAME", default_value = "rsa4096")]
        algorithm: Algorithm,
        /// What the token is to call the key pair (default: the user id).
        #[arg(long, value_name = "TEXT")]
        key_label: Option<String>,
        /// The key pair's id on the token (default: random).
        #[arg(long, value_name = "HEX")]
        key_id: Option<KeyId>,
    },
    /// Show the tokens behind a module, and the key pairs on one; private keys show after a login only.
    List {
        #[command(flatten)]
        token: At,
        /// How the result is written to stdout.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Make the certificate and the key file of a key pair that is on a token already.
    ///
    /// The same pair, user id and dates give the same certificate.
    Certificate {
        #[command(flatten)]
        token: At,
        #[command(flatten)]
        made: Made,
        /// What the token calls the key pair.
        #[arg(long, value_name = "TEXT", required_unless_present = "key_id")]
        key_label: Option<String>,
        /// The key pair's id on the token.
        #[arg(long, value_name = "HEX")]
        key_id: Option<KeyId>,
    },
}

#[derive(Debug, clap::Args)]
struct At {
    /// The PKCS #11 library of the token's vendor, an absolute path. It is loaded as a part of gander.
    #[arg(long, value_name = "FILE")]
    module: PathBuf,
    /// The token's label.
    #[arg(long, value_name = "TEXT")]
    token: Option<String>,
    /// The token's serial number.
    #[arg(long, value_name = "TEXT")]
    serial: Option<String>,
    /// The user's PIN: the first line of this file, such as /dev/fd/3 (default: the token's own keypad).
    #[arg(long, value_name = "FILE")]
    pin_file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Made {
    /// Who signs, such as 'Example Linux 1 <security@example.org>'.
    #[arg(long, value_name = "NAME")]
    user_id: String,
    /// The day or time on which the key was made, a part of its fingerprint (default: now).
    #[arg(long, value_name = "TIME", value_parser = date)]
    created: Option<SourceDate>,
    /// The day (2028-12-31) or time on which the key expires (default: never).
    #[arg(long, value_name = "DATE", value_parser = date)]
    expires: Option<SourceDate>,
    /// A folder that exists (files are named by fingerprint) or the key file; the certificate gets '.asc'.
    #[arg(short, long, value_name = "DIR|FILE")]
    output: PathBuf,
}

/// The id of a key pair.
#[derive(Clone, Debug)]
struct KeyId(Vec<u8>);

impl std::str::FromStr for KeyId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match unhex(text) {
            Some(id) if (1..=255).contains(&id.len()) => Ok(Self(id)),
            _ => Err("an id is 1 to 255 bytes in hexadecimal"),
        }
    }
}

impl At {
    fn address(&self) -> Address {
        Address { module: self.module.clone(), label: self.token.clone(), serial: self.serial.clone() }
    }

    /// A session that is logged in.
    fn log_in(&self, writing: bool) -> Result<Session, Failure> {
        let pin = passphrase(self.pin_file.as_deref())?;
        let session = Session::open(&self.address(), writing)?;
        session.log_in(pin.as_ref().map(|line| line.as_slice()))?;
        Ok(session)
    }
}

impl Made {
    fn spec(&self, algorithm: Algorithm) -> Result<Spec<'_>, Failure> {
        let created = self.created.map_or_else(now, Ok)?;
        let (user_id, expires) = (self.user_id.as_str(), self.expires);
        Ok(Spec { algorithm, user_id, created, expires, subkeys: Subkeys::default() })
    }

    fn write(&self, global: &Global, key: &SecretKey, created: SourceDate) -> Result<(), Failure> {
        let (file, public) = NewKey::of(key, None)?.write(&self.output)?;
        let revocation = file.with_extension("rev");
        create(&revocation, 0o600, &key.revocation(Reason::Unspecified, "", created)?)?;
        global.say(format_args!("key file (finds the key on the token): {}", file.display()));
        global
            .say(format_args!("revocation (for the day on which the key is lost): {}", revocation.display()));
        global.say(format_args!("certificate (give it away): {}", public.display()));
        println!("{}", key.certificate().fingerprint());
        Ok(())
    }
}

pub fn run(global: &Global, args: Args) -> Result<ExitCode, Failure> {
    match args.command {
        Command::New { token, made, algorithm, key_label, key_id } => {
            let spec = made.spec(algorithm)?;
            let id = match key_id {
                Some(KeyId(id)) => id,
                None => random()?,
            };
            let label = key_label.unwrap_or_else(|| made.user_id.clone());
            let name = KeyName { id: Some(id), label: Some(label) };
            let session = token.log_in(true)?;
            global.say("making a key pair on the token");
            let key = generate(session, &name, &spec)?;
            made.write(global, &key, spec.created).map_err(|failure| {
                failure.hint(format!(
                    "the key pair with {name} is on the token: 'gander key token certificate' writes its files"
                ))
            })?;
        }
        Command::Certificate { token, made, key_label, key_id } => {
            // The algorithm is that of the pair.
            let spec = made.spec(Algorithm::Ed25519)?;
            let key = certify(
                token.log_in(false)?,
                &KeyName { id: key_id.map(|KeyId(id)| id), label: key_label },
                &spec,
            )?;
            made.write(global, &key, spec.created)?;
        }
        Command::List { token, format } => list(&token, format)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn random() -> Result<Vec<u8>, Failure> {
    let mut id = vec![0; 16];
    openssl::rand::rand_bytes(&mut id)
        .map_err(|error| Failure::new(Kind::Surroundings, format!("there are no random numbers: {error}")))?;
    Ok(id)
}

/// Key pairs are listed where the token is named, or a PIN is given.
fn list(token: &At, format: Format) -> Result<(), Failure> {
    let named = token.token.is_some() || token.serial.is_some();
    let pairs = match (&token.pin_file, named) {
        (Some(_), _) => Some(token.log_in(false)?.pairs()?),
        (None, true) => Some(Session::open(&token.address(), false)?.pairs()?),
        (None, false) => None,
    };
    let wanted = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
    let tokens = tokens(&token.module)?.into_iter();
    let tokens: Vec<_> = tokens
        .filter(|found| wanted(&token.token, &found.label) && wanted(&token.serial, &found.serial))
        .collect();
    match format {
        Format::Text => {
            for token in tokens {
                let Token { label, serial, manufacturer, model, .. } = token;
                println!("token   {}", label.escape_debug());
                println!("serial  {}", serial.escape_debug());
                println!("model   {} {}", manufacturer.escape_debug(), model.escape_debug());
            }
            for Pair { name, algorithm, private, extractable } in pairs.into_iter().flatten() {
                let algorithm = algorithm.as_deref().unwrap_or("not usable");
                let note = match (private, extractable) {
                    (false, _) => " (public part)",
                    (true, Some(true)) => " (can be copied from the token)",
                    (true, _) => "",
                };
                println!("key     {algorithm}, {name}{note}");
            }
        }
        Format::Json => {
            let tokens = tokens.iter().map(|token| {
                serde_json::json!({
                    "label": token.label, "serial": token.serial, "manufacturer": token.manufacturer, "model": token.model,
                })
            });
            let pairs = pairs.map(|pairs| {
                let pair = |pair: Pair| {
                    serde_json::json!({
                        "id": pair.name.id.as_deref().map(hex), "label": pair.name.label, "algorithm": pair.algorithm,
                        "private": pair.private, "extractable": pair.extractable,
                    })
                };
                pairs.into_iter().map(pair).collect::<Vec<_>>()
            });
            let all = serde_json::json!({ "tokens": tokens.collect::<Vec<_>>(), "keys": pairs });
            println!("{all:#}");
        }
    }
    Ok(())
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        Self::from_error(kind(&error), &error)
    }
}

pub fn kind(error: &TokenError) -> Kind {
    use TokenError as E;
    match error {
        E::NoModule(_)
        | E::NotLoaded(_)
        | E::SeveralTokens { .. }
        | E::SeveralKeys { .. }
        | E::Present { .. }
        | E::NoPin(_)
        | E::NoText(_) => Kind::Usage,
        E::WrongPin(_) | E::NoKey { .. } | E::OtherKey { .. } | E::Unusable { .. } => Kind::Input,
        E::Module { .. }
        | E::NoToken { .. }
        | E::PinLocked(_)
        | E::InUse(_)
        | E::Refused(_)
        | E::LastTry(_)
        | E::Unsupported { .. }
        | E::Removed { .. }
        | E::Failed { .. } => Kind::Surroundings,
    }
}
