//! Packages that are signed: files here, and packages in Koji that the bridge fetches.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use super::super::output::quoted;
use super::super::{Failure, Global, Kind};
use super::answers::{self, failed};
use super::asking::Session;
use super::secrets::Which::Passphrase;
use crate::koji::KojiError;
use crate::rpm::{Headers, edit, identify, tags};
use crate::sigul::client::{NamedError, Outcome, Package, PartFailure, Request, RpmsOptions, Signed, named};

/// How many signed packages may wait to be written.
const WAITING: usize = 64;

#[derive(Debug, clap::Args)]
pub struct Koji {
    /// Have the bridge give the signatures to Koji.
    #[arg(long)]
    store_in_koji: bool,
    /// Nothing is written here.
    #[arg(long, requires = "store_in_koji", conflicts_with = "output")]
    koji_only: bool,
    /// Which Koji instance is meant, of those that the bridge and the configuration know.
    #[arg(short, long, value_name = "NAME")]
    koji_instance: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct Rpm {
    /// The key.
    key: String,
    /// The package: a file, or the name-version-release.arch of a package in Koji.
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
    /// The packages: files, or name-version-release.arch of packages in Koji.
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

impl Koji {
    fn options(&self, head_signing: bool) -> RpmsOptions {
        RpmsOptions {
            head_signing,
            import: self.store_in_koji,
            no_data: self.koji_only,
            koji_instance: self.koji_instance.clone(),
        }
    }

    /// What is meant by the words of the command line, with the files' names: what is no file is looked for in Koji.
    fn find(&self, session: &Session<'_>, words: &[PathBuf]) -> Result<Vec<(Package, PathBuf)>, Failure> {
        let is_file = |word: &PathBuf| word.exists() || word.components().count() > 1;
        let names = words.iter().filter(|word| !is_file(word));
        let names: Vec<String> = names.map(|word| word.to_string_lossy().into_owned()).collect();
        let mut in_koji = Vec::new();
        if !names.is_empty() {
            let hub = session.config.hubs.open(self.koji_instance.as_deref())?;
            in_koji = session.runtime.block_on(named(&hub, &names))?;
        }
        let mut in_koji = in_koji.into_iter().map(|(package, file)| (package, PathBuf::from(file)));
        let found = words.iter().map(|word| {
            if is_file(word) { Some((Package::File(word.clone()), word.clone())) } else { in_koji.next() }
        });
        Ok(found.flatten().collect())
    }
}

/// Where a signed package goes.
fn place(package: &Package, file: &Path, output: Option<PathBuf>) -> Result<PathBuf, Failure> {
    match (output, package) {
        (Some(output), _) => Ok(output),
        (None, Package::File(_)) => Ok(file.into()),
        (None, Package::Koji { .. }) => {
            let what = format!("there is no file '{}' that could be replaced", quoted(file));
            Err(Failure::new(Kind::Usage, what).hint(
                "say with --output where the signed package goes, or with --koji-only that it does not",
            ))
        }
    }
}

/// Signs one.
pub fn one(session: &Session<'_>, what: &Rpm) -> Result<(), Failure> {
    let options = what.koji.options(false);
    let found = what.koji.find(session, std::slice::from_ref(&what.package))?;
    for (package, file) in &found {
        let output = match options.no_data {
            true => None,
            false => Some(place(package, file, what.output.clone())?),
        };
        let request = session.prove(Request::new("sign-rpm").field("key", &what.key), Passphrase)?;
        let passphrase = request.secrets.get("passphrase").unwrap_or_default();
        let Some(output) = output else {
            let mut nowhere = tokio::io::sink();
            let signing = session.client.sign_rpm(&what.key, passphrase, &options, package, &mut nowhere);
            session.runtime.block_on(signing)?;
            continue;
        };
        let made = answers::beside(&output)?;
        session.runtime.block_on(async {
            let mut file = tokio::fs::File::from_std(made.reopen().map_err(|error| failed(&output, error))?);
            session.client.sign_rpm(&what.key, passphrase, &options, package, &mut file).await?;
            tokio::io::AsyncWriteExt::flush(&mut file).await.map_err(|error| failed(&output, error))
        })?;
        same_package(package, file, made.path())?;
        answers::keep(made, &output)?;
    }
    Ok(())
}

/// Signs many in one request.
pub fn many(global: &Global, session: &Session<'_>, what: &Rpms) -> Result<(), Failure> {
    let options = what.koji.options(what.head_signing);
    let found = what.koji.find(session, &what.packages)?;
    let mut outputs = Vec::new();
    for (package, file) in &found {
        if options.no_data {
            continue;
        }
        if options.head_signing && matches!(package, Package::Koji { .. }) {
            let what = format!("there is no file '{}' for a signature header to be put into", quoted(file));
            return Err(Failure::new(Kind::Usage, what).hint("leave out --head-signing, or add --koji-only"));
        }
        let name = file.file_name().unwrap_or_default();
        outputs.push(place(package, file, what.output.as_ref().map(|folder| folder.join(name)))?);
    }
    let request = session.prove(Request::new("sign-rpms").field("key", &what.key), Passphrase)?;
    let passphrase = request.secrets.get("passphrase").unwrap_or_default();
    let folder = outputs.first().and_then(|output| output.parent());
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let spool = match options.no_data {
        true => tempfile::tempdir(),
        false => tempfile::Builder::new().prefix(".gander-sigul").tempdir_in(folder),
    };
    let spool = spool.map_err(|error| failed(folder, error))?;
    let packages: Vec<Package> = found.iter().map(|(package, _)| package.clone()).collect();
    // What is signed already gets onto the disk while others are being signed.
    let (asked, outcomes) = std::thread::scope(|scope| {
        let (tell, told) = mpsc::sync_channel(WAITING);
        let (found, outputs, folder) = (&found, &outputs, spool.path());
        let writing = scope.spawn(move || write(told, found, outputs));
        // Where nothing more can be written, nobody listens; the reason is returned then.
        let tell = move |place, outcome| drop(tell.send((place, outcome)));
        let signing = session.client.sign_rpms(&what.key, passphrase, &options, &packages, folder, tell);
        (session.runtime.block_on(signing), writing.join())
    });
    let outcomes = outcomes.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    asked?;
    let signed = outcomes.iter().filter(|outcome| matches!(outcome, Some(Ok(())))).count();
    global.say(format_args!("{signed} of {} packages signed", packages.len()));
    let mut wrong = Vec::new();
    for ((_, file), outcome) in found.iter().zip(outcomes) {
        match outcome {
            Some(Ok(())) => {}
            Some(Err(reason)) => wrong.push(format!("'{}' was not signed: {reason}", quoted(file))),
            None => wrong.push(format!("'{}' was not answered", quoted(file))),
        }
    }
    match wrong.split_first() {
        None => Ok(()),
        Some((first, others)) => {
            let failure = Failure::new(Kind::Verdict, first.clone());
            Err(others.iter().fold(failure, |failure, line| failure.hint(line.clone())))
        }
    }
}

/// Writes signed packages as they come, and says what became of each; none where it was not answered.
fn write(
    told: mpsc::Receiver<(usize, Outcome)>,
    found: &[(Package, PathBuf)],
    outputs: &[PathBuf],
) -> Result<Vec<Option<Result<(), PartFailure>>>, Failure> {
    let mut outcomes = vec![None; found.len()];
    for (place, outcome) in told {
        let written = match (outcome, found.get(place), outputs.get(place)) {
            (Ok(answer), Some((package, file)), Some(output)) => Ok(take(package, file, answer, output)?),
            (outcome, ..) => outcome.map(drop),
        };
        if let Some(outcome) = outcomes.get_mut(place) {
            *outcome = Some(written);
        }
    }
    Ok(outcomes)
}

/// Writes a signed package.
fn take(package: &Package, name: &Path, answer: Signed, output: &Path) -> Result<(), Failure> {
    match (answer, package) {
        (Signed::Nothing, _) => Ok(()),
        (Signed::File(file), _) => {
            same_package(package, name, &file)?;
            answers::adopt(&file, output)
        }
        (Signed::Header(_), Package::Koji { .. }) => Err(another(name, "only its signature header came")),
        (Signed::Header(header), Package::File(package)) => {
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

/// Looks whether a signed package is the one that was to be signed. Of a file nothing but the signature header may
/// differ; of a package in Koji there is the MD5.
fn same_package(package: &Package, name: &Path, signed: &Path) -> Result<(), Failure> {
    let identified = |path: &Path| {
        let file = File::open(path).map_err(|error| unread(path, &error))?;
        identify(BufReader::new(file)).map_err(|error| Failure::from_error(Kind::Input, &error))
    };
    let (headers, identity) = identified(signed)?;
    match package {
        Package::File(file) if identified(file)?.1.content != identity.content => {
            Err(another(name, "more than its signature header differs"))
        }
        Package::Koji { sigmd5, .. } => {
            let found = headers.signature.find(tags::SIG_MD5).map(|entry| headers.signature.data(entry));
            if found == Some(sigmd5) { Ok(()) } else { Err(another(name, "its MD5 is not the one in Koji")) }
        }
        Package::File(_) => Ok(()),
    }
}

fn another(name: &Path, why: &str) -> Failure {
    Failure::new(Kind::Input, format!("what came back for '{}' is another package", quoted(name))).hint(why)
}

pub fn unread(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Kind::Input, format!("'{}' cannot be read", quoted(path))).hint(error.to_string())
}

impl From<NamedError> for Failure {
    fn from(error: NamedError) -> Self {
        let kind = match &error {
            NamedError::Name(_) | NamedError::Instance(_) | NamedError::Profile(_) => Kind::Usage,
            NamedError::Hub(KojiError::Profile(_)) => Kind::Usage,
            NamedError::Hub(KojiError::Connection { .. } | KojiError::Status { .. }) => Kind::Surroundings,
            NamedError::Hub(_) | NamedError::None(_) | NamedError::Answer(_) => Kind::Input,
        };
        Self::from_error(kind, &error)
    }
}
