//! Operations that sign, and the one that decrypts.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::super::output::quoted;
use super::super::{Failure, Global, Kind};
use super::answers::{self, failed};
use super::asking::{Asked, Session};
use super::secrets::Which::Passphrase;
use crate::rpm::{Headers, edit, identify};
use crate::sigul::client::{Package, Payload, Request, RpmsOptions, Signed};

/// The largest signed text and decrypted message: the protocol's bound, and room for the signature.
const LARGEST_TEXT: u64 = (1 << 30) + (1 << 20);
/// The largest signature.
const LARGEST_SIGNATURE: u64 = 1 << 20;
/// The largest package.
const LARGEST_PACKAGE: u64 = 1 << 40;

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

#[derive(Debug, clap::Args)]
pub struct Koji {
    /// Have the bridge give the signatures to Koji.
    #[arg(long)]
    store_in_koji: bool,
    /// Nothing is written here.
    #[arg(long, requires = "store_in_koji", conflicts_with = "output")]
    koji_only: bool,
    /// Which of the bridge's Koji instances is meant.
    #[arg(short, long, value_name = "NAME")]
    koji_instance: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct Rpm {
    /// The key.
    key: String,
    /// The package.
    package: PathBuf,
    /// Write to this file (default: the package is replaced).
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    koji: Koji,
}

#[derive(Debug, clap::Args)]
pub struct Rpms {
    /// The key.
    key: String,
    /// The packages.
    #[arg(required = true)]
    packages: Vec<PathBuf>,
    /// Write into this folder, which exists (default: the packages are replaced).
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Only signature headers come back: much less than packages.
    #[arg(long)]
    head_signing: bool,
    #[command(flatten)]
    koji: Koji,
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
        Verb::SignRpm(Asked { what, asking }) => rpm(&asking.begin()?, &what),
        Verb::SignRpms(Asked { what, asking }) => rpms(global, &asking.begin()?, &what),
    }
}

/// An operation on one file.
fn file(session: &Session<'_>, operation: &str, what: &Input, limit: u64) -> Result<(), Failure> {
    let request = Request::new(operation).field("key", &what.key).payload(Payload::File(&what.file));
    let request = session.prove(request, Passphrase)?;
    answers::payload(session, request, limit, what.output.as_deref())
}

fn rpm(session: &Session<'_>, what: &Rpm) -> Result<(), Failure> {
    let mut request = Request::new("sign-rpm").field("key", &what.key).payload(Payload::File(&what.package));
    if what.koji.store_in_koji {
        request.fields.set_bool("import-signature", true);
    }
    if what.koji.koji_only {
        request.fields.set_bool("return-data", false);
    }
    if let Some(instance) = &what.koji.koji_instance {
        request.fields.set("koji-instance", instance);
    }
    let request = session.prove(request, Passphrase)?;
    if what.koji.koji_only {
        return session.ask(request).map(drop);
    }
    let output = what.output.as_deref().unwrap_or(&what.package);
    let made = answers::beside(output)?;
    session.runtime.block_on(async {
        let mut file = tokio::fs::File::from_std(made.reopen().map_err(|error| failed(output, error))?);
        session.client.call_into(request, LARGEST_PACKAGE, &mut file).await?;
        tokio::io::AsyncWriteExt::flush(&mut file).await.map_err(|error| failed(output, error))
    })?;
    same_package(&what.package, made.path())?;
    answers::keep(made, output)
}

fn rpms(global: &Global, session: &Session<'_>, what: &Rpms) -> Result<(), Failure> {
    let request = session.prove(Request::new("sign-rpms").field("key", &what.key), Passphrase)?;
    let passphrase = request.secrets.get("passphrase").unwrap_or_default();
    let options = RpmsOptions {
        head_signing: what.head_signing,
        import: what.koji.store_in_koji,
        no_data: what.koji.koji_only,
        koji_instance: what.koji.koji_instance.clone(),
    };
    let first = what.packages.first().map(PathBuf::as_path).unwrap_or(Path::new("."));
    let spool = match &what.output {
        Some(folder) => folder.join("x"),
        None => first.into(),
    };
    let folder = spool.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let spool = tempfile::Builder::new().prefix(".gander-sigul").tempdir_in(folder);
    let spool = spool.map_err(|error| failed(folder, error))?;
    let packages: Vec<Package> = what.packages.iter().cloned().map(Package::File).collect();
    let mut outcomes = Vec::new();
    let asked = session.runtime.block_on(session.client.sign_rpms(
        &what.key,
        passphrase,
        &options,
        &packages,
        spool.path(),
        &mut outcomes,
    ));
    let mut wrong = Vec::new();
    let mut signed = 0;
    for (package, outcome) in what.packages.iter().zip(outcomes) {
        match outcome {
            Some(Ok(answer)) => {
                let output = match &what.output {
                    Some(folder) => folder.join(package.file_name().unwrap_or_default()),
                    None => package.clone(),
                };
                take(package, answer, &output)?;
                signed += 1;
            }
            Some(Err(reason)) => wrong.push(format!("'{}' was not signed: {reason}", quoted(package))),
            None => wrong.push(format!("'{}' was not answered", quoted(package))),
        }
    }
    asked?;
    global.say(format_args!("{signed} of {} packages signed", packages.len()));
    match wrong.split_first() {
        None => Ok(()),
        Some((first, others)) => {
            let failure = Failure::new(Kind::Verdict, first.clone());
            Err(others.iter().fold(failure, |failure, line| failure.hint(line.clone())))
        }
    }
}

/// Writes a signed package.
fn take(package: &Path, answer: Signed, output: &Path) -> Result<(), Failure> {
    match answer {
        Signed::Nothing => Ok(()),
        Signed::File(file) => {
            same_package(package, &file)?;
            answers::replace(output, |made| std::fs::copy(&file, made).map(drop))
        }
        Signed::Header(header) => {
            let open = || File::open(package).map(BufReader::new).map_err(|error| unread(package, &error));
            let other = |error: &dyn std::error::Error| {
                let what = format!("what came back for '{}' is no signature of it", quoted(package));
                Failure::new(Kind::Input, what).hint(error.to_string())
            };
            let headers = Headers::read(open()?).map_err(|error| other(&error))?;
            let header = edit::adopt(&headers, &header).map_err(|error| other(&error))?;
            let made = answers::beside(output)?;
            edit::splice(open()?, &header, made.as_file()).map_err(|error| other(&error))?;
            answers::keep(made, output)
        }
    }
}

/// Looks whether a signed package is the one that was to be signed: nothing but its signature header may differ.
fn same_package(package: &Path, signed: &Path) -> Result<(), Failure> {
    let content = |path: &Path| {
        let file = File::open(path).map_err(|error| unread(path, &error))?;
        let identified = identify(BufReader::new(file));
        identified
            .map(|(_, identity)| identity.content)
            .map_err(|error| Failure::from_error(Kind::Input, &error))
    };
    if content(package)? == content(signed)? {
        return Ok(());
    }
    Err(Failure::new(Kind::Input, format!("what came back for '{}' is another package", quoted(package))))
}

fn unread(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Kind::Input, format!("'{}' cannot be read", quoted(path))).hint(error.to_string())
}
