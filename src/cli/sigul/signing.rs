//! Operations that sign, and the one that decrypts.

use std::path::PathBuf;

use super::super::{Failure, Global};
use super::answers;
use super::asking::{Asked, Session};
use super::packages::{self, Rpm, Rpms, unread};
use super::secrets::Which::Passphrase;
use crate::sigul::client::{Payload, Request};

/// The largest signed text and decrypted message: the protocol's bound, and room for the signature.
const LARGEST_TEXT: u64 = (1 << 30) + (1 << 20);
/// The largest signature.
const LARGEST_SIGNATURE: u64 = 1 << 20;

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Sign a text so that people can read it.
    SignText(Asked<Input>),
    /// Sign a file with a signature of its own.
    SignData(Asked<Data>),
    /// Decrypt a message to the key.
    Decrypt(Asked<Input>),
    /// Sign an annotated tag of git.
    ///
    /// FILE is the tag as 'git cat-file tag NAME' prints it; the signed tag is for 'git hash-object -t tag -w --stdin',
    /// whose answer is for 'git update-ref refs/tags/NAME'.
    SignGitTag(Asked<Input>),
    /// Sign a container's manifest.
    SignContainer(Asked<Container>),
    /// Sign a package.
    SignRpm(Asked<Rpm>),
    /// Sign packages in one request.
    ///
    /// Each is replaced by the signed one, or the signed ones are written into a folder. What could be signed is
    /// written even where others failed.
    SignRpms(Asked<Rpms>),
}

#[derive(Debug, clap::Args)]
pub struct Input {
    /// The key.
    key: String,
    /// The file.
    file: PathBuf,
    /// Write to this file (default: stdout).
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct Data {
    #[command(flatten)]
    input: Input,
    /// In armor.
    #[arg(short, long)]
    armor: bool,
}

#[derive(Debug, clap::Args)]
pub struct Container {
    /// The key.
    key: String,
    /// The manifest.
    manifest: PathBuf,
    /// What the container is called, such as registry.example.org/name:tag.
    reference: String,
    /// Write to this file (default: stdout).
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs the command.
pub fn run(global: &Global, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::SignText(Asked { what, asking }) => file(&asking.begin()?, "sign-text", &what, LARGEST_TEXT),
        Verb::Decrypt(Asked { what, asking }) => file(&asking.begin()?, "decrypt", &what, LARGEST_TEXT),
        Verb::SignData(Asked { what: Data { input, armor }, asking }) => {
            if !armor {
                answers::refuse_terminal(input.output.as_deref())?;
            }
            let session = asking.begin()?;
            let mut request =
                Request::new("sign-data").field("key", &input.key).payload(Payload::File(&input.file));
            if armor {
                request.fields.set_bool("armor", true);
            }
            let request = session.prove(request, Passphrase)?;
            answers::payload(&session, request, LARGEST_SIGNATURE, input.output.as_deref())
        }
        Verb::SignGitTag(Asked { what, asking }) => {
            let session = asking.begin()?;
            let tag = std::fs::read(&what.file).map_err(|error| unread(&what.file, &error))?;
            let request = Request::new("sign-git-tag").field("key", &what.key).payload(Payload::Bytes(&tag));
            let (_, signature) = session.ask(session.prove(request, Passphrase)?)?;
            answers::output(&[tag, signature].concat(), what.output.as_deref())
        }
        Verb::SignContainer(Asked { what, asking }) => {
            answers::refuse_terminal(what.output.as_deref())?;
            let session = asking.begin()?;
            let request = Request::new("sign-container")
                .field("key", &what.key)
                .field("docker-reference", &what.reference)
                .payload(Payload::File(&what.manifest));
            let request = session.prove(request, Passphrase)?;
            answers::payload(&session, request, LARGEST_TEXT, what.output.as_deref())
        }
        Verb::SignRpm(Asked { what, asking }) => packages::one(&asking.begin()?, &what),
        Verb::SignRpms(Asked { what, asking }) => packages::many(global, &asking.begin()?, &what),
    }
}

/// An operation on one file.
fn file(session: &Session<'_>, operation: &str, what: &Input, limit: u64) -> Result<(), Failure> {
    let request = Request::new(operation).field("key", &what.key).payload(Payload::File(&what.file));
    let request = session.prove(request, Passphrase)?;
    answers::payload(session, request, limit, what.output.as_deref())
}
