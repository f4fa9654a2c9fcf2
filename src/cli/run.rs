//! `gander run`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::failure::{self, Kind};
use super::session::Ids;
use super::{Failure, Global};
use crate::base::{RelPath, SourceDate};
use crate::runner::{Command, Root, RunError};
use crate::store::{Store, StoreError};

/// Run a command inside an image, without network, as a step would be.
///
/// The command starts in /build, an empty folder; inputs are below /in, read-only; what it leaves in /out is its
/// output. Its exit code is passed on.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A file or folder shown read-only in the image; DST is an absolute path, at best below /in.
    #[arg(long, value_name = "SRC:DST", value_parser = parse_bind)]
    bind_ro: Vec<(PathBuf, RelPath)>,
    /// Where /out goes when the command has ended; nothing may be there yet.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Set SOURCE_DATE_EPOCH; times of /out are no later.
    #[arg(long, value_name = "TIME")]
    source_date: Option<SourceDate>,
    #[command(flatten)]
    ids: Ids,
    /// The image: its digest in the store, a lock of packages, an OCI layout, or a folder that is a root.
    #[arg(value_name = "IMAGE")]
    image: String,
    /// The command and its arguments.
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<String>,
}

fn parse_bind(text: &str) -> Result<(PathBuf, RelPath), String> {
    let (source, target) = text.rsplit_once(':').ok_or("expected SRC:DST")?;
    let target = target.strip_prefix('/').ok_or("the path after ':' does not begin with '/'")?;
    Ok((source.into(), RelPath::new(target).map_err(|error| error.to_string())?))
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<ExitCode, Failure> {
    let store = global.open_store()?;
    if let Some(out) = args.out.as_deref().filter(|out| out.symlink_metadata().is_ok()) {
        let message = format!("the output folder '{}' is there already", out.display());
        return Err(Failure::new(Kind::Usage, message).hint("name one that is not"));
    }
    let root = resolve(global, &store, &args.image)?;
    let runner = args.ids.runner(global, &store)?;
    let command = Command {
        root,
        binds: args.bind_ro,
        output: args.out,
        source_date: args.source_date,
        argv: args.command,
    };
    Ok(ExitCode::from(runner.command(&command)?.code()))
}

/// This gander, as the runner starts it.
pub fn executable() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|error| Failure::from_error(Kind::Surroundings, &error))
}

/// The image that a person named.
fn resolve(global: &Global, store: &Store, image: &str) -> Result<Root, Failure> {
    if let Ok(digest) = image.parse() {
        return Ok(Root::Image(digest));
    }
    let path = Path::new(image);
    if path.join("oci-layout").is_file() {
        let imported = crate::oci::import(store, path, None);
        return Ok(Root::Image(imported.map_err(|error| Failure::from_error(Kind::Input, &error))?));
    }
    if path.is_dir() {
        return Ok(Root::Folder(path.to_owned()));
    }
    if path.is_file() {
        return Ok(Root::Image(super::image::image_of(global, store, path)?));
    }
    let message =
        format!("'{image}' is no image: neither a digest such as sha256:…, nor a lock, nor a folder");
    Err(Failure::new(Kind::Usage, message))
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        let kind = match &error {
            // A full disk is nobody's input, also where gander's own code meets it inside of a jail.
            RunError::Native { errno: Some(errno), .. }
                if failure::no_room(&std::io::Error::from_raw_os_error(*errno)) =>
            {
                Kind::Surroundings
            }
            RunError::Native { .. } | RunError::Root { .. } | RunError::Execute { .. } => Kind::Input,
            RunError::Platform { .. } => Kind::Usage,
            RunError::NoRoot { .. } => Kind::Bug,
            RunError::Store {
                source: StoreError::Missing { .. } | StoreError::Damaged { .. } | StoreError::BadTree { .. },
                ..
            } => Kind::Input,
            _ => Kind::Surroundings,
        };
        let failure = Self::from_error(kind, &error);
        if matches!(error, RunError::Forbidden { .. } | RunError::NoIds { .. } | RunError::Runtime { .. }) {
            // The kernel has the same word for a full disk and for too many namespaces.
            return failure;
        }
        let failure = failure.hint_full_disk("the disk that the store is on");
        // What a step ran into on a full disk is no fault of its input.
        if failure.met_full_disk() { failure.of_kind(Kind::Surroundings) } else { failure }
    }
}
