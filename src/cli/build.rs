//! `gander build`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::session::{self, Jobs};
use super::{Failure, Global};
use crate::base::{Digest, RelPath, SourceDate};
use crate::build::{self, Build, Parts, Spec};
use crate::compose::{ComposeError, Downloads, Executed, Session, execute, image_plan};
use crate::plan::{Input, StepId};
use crate::store::{EntryKind, Store};
use crate::{debian, oci};

/// Build source and binary packages from specs, hermetically.
///
/// Each spec is built by rpmbuild inside the image, without network. The same spec, sources, image and source
/// date give the same bytes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A spec (can be repeated).
    #[arg(required = true, value_name = "SPEC")]
    specs: Vec<PathBuf>,
    /// A source that specs name by its file name, or a folder of them (can be repeated).
    #[arg(long, value_name = "FILE")]
    source: Vec<PathBuf>,
    /// A lock of Debian packages that specs name as sources (can be repeated).
    #[arg(long, value_name = "LOCK")]
    debian: Vec<PathBuf>,
    /// The image to build in: a lock of Debian packages, or the digest of an image in the store.
    #[arg(long, value_name = "IMAGE", default_value = "recipes/images/builder.lock")]
    image: String,
    /// An arch to build for (can be repeated); the first one also makes the source package.
    #[arg(long, value_name = "ARCH", default_value = "x86_64")]
    target: Vec<String>,
    /// What %{dist} is.
    #[arg(long, value_name = "TAG", default_value = "")]
    dist: String,
    /// The only time that reaches the packages.
    #[arg(long, value_name = "TIME", default_value = "2026-01-01T00:00:00Z")]
    source_date: SourceDate,
    /// The folder that packages are written to, one folder below it for each arch.
    #[arg(short, long, value_name = "DIR", default_value = "rpms")]
    output: PathBuf,
    #[command(flatten)]
    jobs: Jobs,
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<ExitCode, Failure> {
    let made = session::with(global, &args.jobs, |session, downloads| build_all(&args, session, downloads))?;
    let store = global.open_store()?;
    for (path, digest) in made {
        let to = path.below(&args.output);
        copy(&store, &digest, &to).map_err(|error| Failure::from(ComposeError::write(&to, error)))?;
        println!("{digest} {}", to.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn copy(store: &Store, digest: &Digest, to: &Path) -> std::io::Result<()> {
    if let Some(parent) = to.parent() {
        std::fs::create_dir_all(parent)?;
    }
    // Never a package that is half there under its own name.
    let fresh = to.with_extension("rpm.new");
    match std::fs::remove_file(&fresh) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        // A killed run may have left one, which nobody may write to.
        _ => {}
    }
    std::fs::copy(store.object_path(digest), &fresh)?;
    std::fs::rename(&fresh, to)
}

/// The packages that were built, by path.
type Made = BTreeMap<RelPath, Digest>;

fn build_all(args: &Args, session: &Session<'_>, downloads: &dyn Downloads) -> Result<Made, ComposeError> {
    let mut offered = sources(args, session.store)?;
    let mut lists = Vec::new();
    for path in &args.debian {
        lists.push(debian_lock(path)?);
    }
    let (mut plan, root, platform) = match args.image.parse::<Digest>() {
        Ok(digest) => {
            let platform = oci::Image::load(session.store, &digest)?.platform()?;
            (crate::plan::Plan::new(), Input::Object(digest), platform)
        }
        Err(_) => {
            let list = debian_lock(Path::new(&args.image))?;
            downloads.debian(&list)?;
            let platform = oci::image_platform(&list)?;
            let (plan, step) = image_plan(&list, platform)?;
            (plan, Input::Output { step, path: Some(RelPath::new("manifest.json")?) }, platform)
        }
    };
    let mut steps: Vec<StepId> = Vec::new();
    let mut missing = Vec::new();
    for path in &args.specs {
        let text = std::fs::read(path).map_err(|error| ComposeError::read(path, error))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let spec = Spec::parse(&name, &text)?;
        let digest = session.store.put_bytes(&text)?;
        let mut inputs = BTreeMap::new();
        for source in &spec.sources {
            if !offered.contains_key(source) {
                let named =
                    |list: &&debian::Lock| list.packages.iter().any(|deb| deb.path.file_name() == source);
                if let Some(list) = lists.iter().find(named) {
                    let mut list = list.clone();
                    list.packages.retain(|deb| deb.path.file_name() == source);
                    downloads.debian(&list)?;
                    offered.extend(list.packages.iter().map(|deb| (source.clone(), deb.digest)));
                }
            }
            match offered.get(source) {
                Some(digest) => drop(inputs.insert(source.clone(), Input::Object(*digest))),
                None => missing.push(format!("{source} of {name}")),
            }
        }
        for (place, target) in spec.targets(&args.target).iter().enumerate() {
            let step = build::step(&Build {
                spec: &name,
                text: Input::Object(digest),
                sources: inputs.clone(),
                target,
                parts: if place == 0 { Parts::All } else { Parts::Binary },
                dist: &args.dist,
                root: root.clone(),
                platform,
                source_date: args.source_date,
            })?;
            steps.push(plan.add(step)?);
        }
    }
    if !missing.is_empty() {
        return Err(ComposeError::Sources(missing));
    }
    let done = execute(session, &plan, steps.iter().copied(), Executed::default())?;
    let trees = steps.iter().filter_map(|step| done.tree(*step));
    Ok(trees
        .flat_map(|tree| tree.entries())
        .filter_map(|(path, entry)| match entry.kind {
            EntryKind::File { digest, .. } => Some((path.clone(), digest)),
            _ => None,
        })
        .collect())
}

fn debian_lock(path: &Path) -> Result<debian::Lock, ComposeError> {
    let text = std::fs::read_to_string(path).map_err(|error| ComposeError::read(path, error))?;
    debian::Lock::parse(&text).map_err(|source| ComposeError::DebianLock { path: path.into(), source })
}

/// The sources that were named, and those in folders that were named.
#[allow(clippy::disallowed_methods, reason = "the files go into a map")]
fn sources(args: &Args, store: &Store) -> Result<BTreeMap<String, Digest>, ComposeError> {
    let mut found = BTreeMap::new();
    for path in &args.source {
        let failed = |error| ComposeError::read(path, error);
        let mut files = vec![path.clone()];
        if path.is_dir() {
            files.clear();
            for entry in std::fs::read_dir(path).map_err(failed)? {
                files.push(entry.map_err(failed)?.path());
            }
        }
        for file in files.iter().filter(|file| file.is_file()) {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            found.insert(name, store.put_file(file)?.0);
        }
    }
    Ok(found)
}
