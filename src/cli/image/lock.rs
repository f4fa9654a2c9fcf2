//! `gander image lock`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::super::{Failure, Global, Kind};
use crate::base::{Digest, chain};
use crate::debian::{self, Lock, Mirrors, Request};
use crate::fetch::{FetchError, Fetcher};

/// Pin the Debian packages that a request names, and what they depend on.
///
/// The request is a TOML file: suite, components, arches, packages. The lock is written beside it with
/// the extension .lock; what changed is printed.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The request.
    request: PathBuf,
    /// The lock (default: the request's name with the extension .lock).
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Only check that the lock answers the request as it is now; use no network.
    #[arg(long)]
    check: bool,
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<ExitCode, Failure> {
    let text = read(&args.request)?;
    let request = Request::parse(&text).map_err(|error| {
        let what = format!("the request '{}' cannot be used", args.request.display());
        Failure::new(Kind::Usage, format!("{what}: {}", chain(&error)))
    })?;
    let output = args.output.unwrap_or_else(|| args.request.with_extension("lock"));
    let digest = Digest::of(&text);
    if args.check {
        return check(&args.request, &output, digest);
    }
    // A lock of another form is simply replaced: it is in version control, if it matters.
    let old = std::fs::read_to_string(&output).ok();
    let old_lock = old.as_deref().and_then(|text| Lock::parse(text).ok());
    let mirrors = Mirrors::find(&global.debian_mirror, [request.suite.as_str()])?;
    let store = global.open_store()?;
    let fetcher = Fetcher::new(&store, global.offline)?;
    global.say(format_args!("resolving {} packages of {}", request.packages.len(), request.suite));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        Failure::new(Kind::Surroundings, format!("the asynchronous runtime cannot be started: {error}"))
    })?;
    let lock = runtime.block_on(debian::lock(&request, digest, &mirrors, &fetcher, &store, &()))?;
    let changes = lock.changes_since(old_lock.as_ref());
    let new = lock.to_string();
    if old.as_ref() != Some(&new) {
        write(&output, &new)?;
    }
    let mut out = std::io::stdout().lock();
    for line in &changes {
        // A closed pipe is the reader's wish.
        drop(writeln!(out, "{line}"));
    }
    let bytes: u64 = lock.packages.iter().map(|deb| deb.size).sum();
    global.say(format_args!(
        "{}: {} packages, {} MB, {} changed",
        output.display(),
        lock.packages.len(),
        bytes / 1_000_000,
        changes.len()
    ));
    Ok(ExitCode::SUCCESS)
}

fn check(request: &Path, output: &Path, digest: Digest) -> Result<ExitCode, Failure> {
    let refresh = format!("refresh it with: gander image lock {}", request.display());
    let lock = Lock::parse(&read(output)?).map_err(|error| {
        Failure::new(Kind::Input, format!("the lock '{}' cannot be used: {error}", output.display()))
            .hint(refresh.clone())
    })?;
    if lock.request == digest {
        return Ok(ExitCode::SUCCESS);
    }
    let message =
        format!("the lock '{}' is stale: '{}' has changed since", output.display(), request.display());
    Err(Failure::new(Kind::Verdict, message).hint(refresh))
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::new(Kind::Input, format!("'{}' cannot be read: {error}", path.display())))
}

/// Writes the file complete or not at all.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = tempfile::Builder::new().prefix(".gander-lock").tempfile_in(folder).and_then(|mut file| {
        use std::os::unix::fs::PermissionsExt as _;
        file.write_all(text.as_bytes())?;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
        file.persist(path).map_err(|error| error.error)
    });
    written.map(drop).map_err(|error| {
        Failure::new(Kind::Surroundings, format!("the lock '{}' cannot be written: {error}", path.display()))
    })
}

impl From<debian::MirrorError> for Failure {
    fn from(error: debian::MirrorError) -> Self {
        let kind = match &error {
            debian::MirrorError::Address(_) => Kind::Usage,
            _ => Kind::Surroundings,
        };
        Self::from_error(kind, &error)
    }
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        Self::from_error(fetch_kind(&error), &error)
    }
}

fn fetch_kind(error: &FetchError) -> Kind {
    if error.is_surroundings() { Kind::Surroundings } else { Kind::Input }
}

impl From<debian::ArchiveError> for Failure {
    fn from(error: debian::ArchiveError) -> Self {
        use debian::ArchiveError::{Fetch, Index, Keys, NoRelease, Release, Resolve, Store};
        let kind = match &error {
            NoRelease { source, .. } | Fetch(source) => fetch_kind(source),
            Release(_) | Index { .. } => Kind::Input,
            Store(_) => Kind::Surroundings,
            Resolve(_) => Kind::Usage,
            Keys(_) => Kind::Bug,
        };
        let failure = Self::from_error(kind, &error);
        match error {
            NoRelease { source: FetchError::Small(attempt), .. }
                if !matches!(attempt.reason, crate::fetch::Reason::Offline) =>
            {
                failure.hint("name a mirror that has the suite with --debian-mirror URL")
            }
            Release(_) => failure.hint(
                "the mirror's copy is damaged or was tampered with: name another one with --debian-mirror URL",
            ),
            _ => failure,
        }
    }
}

impl From<debian::PackagesError> for Failure {
    fn from(error: debian::PackagesError) -> Self {
        match &error {
            debian::PackagesError::Fetch(source) => {
                let failure = Self::from_error(fetch_kind(source), &error);
                let failure = failure.hint_full_disk("the disk that the store is on");
                match source {
                    FetchError::Offline(_) => failure.hint("run this once without --offline"),
                    _ => failure,
                }
            }
            debian::PackagesError::Gone(_) => Self::from_error(Kind::Input, &error)
                .hint("refresh the lock with: gander image lock REQUEST.toml")
                .hint("or name a mirror that still has them with --debian-mirror URL"),
        }
    }
}

impl From<debian::UnpackError> for Failure {
    fn from(error: debian::UnpackError) -> Self {
        let kind = match &error {
            debian::UnpackError::Write { .. } | debian::UnpackError::NotEmpty(_) => Kind::Surroundings,
            _ => Kind::Input,
        };
        Self::from_error(kind, &error)
    }
}
