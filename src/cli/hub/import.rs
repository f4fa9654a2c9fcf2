//! `gander hub import`.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::super::{Failure, Global, Kind};
use super::{open, time};
use crate::base::{SourceDate, chain};
use crate::hub::methods::{Methods, Tagging};
use crate::hub::{Key, RpmKey, Stamp};
use crate::rpm::Headers;

/// Import packages into a hub's folder, without a server: source packages first, each of which makes a build, then what
/// was built of them.
///
/// What the hub has already is passed over, so that an import that was cut off can be run again. With --tag the builds are
/// tagged, with an entry in the tag's package list; a tag that is not there is made, with the arches of the packages.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The hub's folder; a new one gets an empty hub.
    folder: PathBuf,
    /// Package files, or folders whose packages are meant (not what is deeper in them).
    #[arg(required = true, value_name = "RPM")]
    packages: Vec<PathBuf>,
    /// Tag the builds with this.
    #[arg(long)]
    tag: Option<String>,
    /// Whose builds they are; made where there is no such user.
    #[arg(long, value_name = "USER", default_value = "gander")]
    owner: String,
    /// The time of the events (default: now). With it, the same import into an empty hub gives the same hub.
    #[arg(long, value_name = "TIME")]
    time: Option<SourceDate>,
}

/// A package file to be imported.
struct Candidate {
    path: PathBuf,
    nvra: String,
    build: String,
    arch: String,
    is_source: bool,
}

/// Runs the command.
pub fn run(global: &Global, args: &Args) -> Result<ExitCode, Failure> {
    let mut all: Vec<Candidate> =
        files(&args.packages)?.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
    all.sort_by(|a, b| (!a.is_source, &a.build, &a.nvra).cmp(&(!b.is_source, &b.build, &b.nvra)));
    let methods = open(&args.folder)?;
    let user = owner(&methods, &args.owner)?;
    let mut imported = 0;
    for candidate in &all {
        imported += usize::from(import(&methods, user, candidate, args.time)?);
    }
    let done = format!("imported {imported} of {} packages", all.len());
    if let Some(tag) = &args.tag {
        let builds: BTreeSet<&str> = all.iter().map(|candidate| candidate.build.as_str()).collect();
        let arches = all.iter().map(|candidate| candidate.arch.as_str());
        let arches: BTreeSet<_> = arches.filter(|arch| !matches!(*arch, "noarch" | "src")).collect();
        let stamp = Stamp::new(time(args.time)?, user);
        let tagging =
            Tagging { tag, arches: arches.into_iter().collect(), builds: builds.into_iter().collect() };
        let tagged = methods.tag(&stamp, &tagging)?;
        global.say(format_args!("{done}, tagged {tagged} of {} builds with {tag}", tagging.builds.len()));
    } else {
        global.say(done);
    }
    let read = methods.hub().read()?;
    let event = read.last_event(None, false)?.map_or(0, |event| event.id);
    println!("event {event}");
    Ok(ExitCode::SUCCESS)
}

/// The files that are named, and those in folders that are.
fn files(named: &[PathBuf]) -> Result<BTreeSet<PathBuf>, Failure> {
    let mut all = BTreeSet::new();
    for path in named {
        if !path.is_dir() {
            all.insert(path.clone());
            continue;
        }
        #[allow(clippy::disallowed_methods, reason = "they are sorted")]
        let entries = std::fs::read_dir(path).map_err(|error| unreadable(path, &error.to_string()))?;
        for entry in entries {
            let entry = entry.map_err(|error| unreadable(path, &error.to_string()))?.path();
            if entry.extension().is_some_and(|extension| extension == "rpm") {
                all.insert(entry);
            }
        }
    }
    Ok(all)
}

fn unreadable(path: &Path, why: &str) -> Failure {
    Failure::new(Kind::Input, format!("'{}' cannot be read: {why}", path.display()))
}

fn read(path: &Path) -> Result<Candidate, Failure> {
    let file = File::open(path).map_err(|error| unreadable(path, &error.to_string()))?;
    let headers = Headers::read(BufReader::new(file)).map_err(|error| unreadable(path, &chain(&error)))?;
    let package = headers.package().map_err(|error| unreadable(path, &chain(&error)))?;
    let arch = if package.is_source { "src".to_owned() } else { package.nevra.arch.clone() };
    let nvr = format!("{}-{}-{}", package.nevra.name, package.nevra.evr.version, package.nevra.evr.release);
    let build = match &package.sourcerpm {
        _ if package.is_source => nvr.clone(),
        Some(sourcerpm) => {
            let build = sourcerpm.strip_suffix(".rpm").and_then(|name| name.rsplit_once('.'));
            build.map(|(build, _)| build.to_owned()).ok_or_else(|| {
                unreadable(path, &format!("its source package '{sourcerpm}' is no name of one"))
            })?
        }
        None => return Err(unreadable(path, "it names no source package")),
    };
    Ok(Candidate {
        path: path.to_owned(),
        nvra: format!("{nvr}.{arch}"),
        build,
        arch,
        is_source: package.is_source,
    })
}

fn owner(methods: &Methods, name: &str) -> Result<i64, Failure> {
    if let Some(user) = methods.hub().read()?.user(&Key::from(name), false)? {
        return Ok(user.id);
    }
    let mut write = methods.hub().write()?;
    let id = write.create_user(None, name, 0, 0)?;
    write.commit()?;
    Ok(id)
}

/// Imports a package; false where the hub has it.
fn import(
    methods: &Methods,
    user: i64,
    candidate: &Candidate,
    given: Option<SourceDate>,
) -> Result<bool, Failure> {
    let Candidate { path, nvra, .. } = candidate;
    let failed = |failure: Failure| failure.hint(format!("nothing of '{}' was imported", path.display()));
    let file = File::open(path).map_err(|error| unreadable(path, &error.to_string()))?;
    let staged = methods.stage(file).map_err(Failure::from).map_err(failed)?;
    let known = methods.hub().read()?.rpm(&RpmKey::from(nvra.as_str()), false)?;
    if let Some(known) = known {
        if known.payloadhash == staged.package.sigmd5 {
            return Ok(false);
        }
        let message = format!("the hub has another {nvra} than '{}'", path.display());
        return Err(Failure::new(Kind::Input, message).hint("build it again with another release"));
    }
    let stamp = Stamp::new(time(given)?, user);
    methods.import(staged, &stamp).map_err(Failure::from).map_err(failed)?;
    Ok(true)
}
