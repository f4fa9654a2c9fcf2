//! `gander repo create`.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind as IoKind;
use std::path::PathBuf;
use std::process::ExitCode;

use super::super::output::quoted;
use crate::base::SourceDate;
use crate::cli::{Failure, Global, Kind};
use crate::format::repodata::{CHANGELOGS, Compression, Tags};
use crate::repo::create::{self, CreateError, Filter, Options, Reason, Rendering};

/// Write the metadata of a folder of packages, as createrepo_c does.
///
/// The bytes depend on the packages, their paths and the options alone. What did not change since the last run is not
/// read again. docs/repo.md says more.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder of the packages.
    dir: PathBuf,
    /// The folder that gets 'repodata' (default: DIR).
    #[arg(short, long, value_name = "DIR")]
    outputdir: Option<PathBuf>,
    /// A comps file with the groups of the repository, in DIR or anywhere.
    #[arg(short, long, value_name = "FILE")]
    groupfile: Option<PathBuf>,
    /// Further metadata of a type, such as modules=modules.yaml (can be repeated).
    #[arg(long, value_name = "TYPE=FILE", value_parser = extra)]
    extra: Vec<(String, PathBuf)>,
    /// The time that stands in the metadata, such as 2026-11-01T00:00:00Z (default: SOURCE_DATE_EPOCH, else that of the
    /// latest build of a package).
    #[arg(long, value_name = "TIME")]
    source_date: Option<SourceDate>,
    /// Revision of the repository (default: the source date in seconds).
    #[arg(long)]
    revision: Option<String>,
    /// Take the revision, in seconds since 1970, as the source date, and as the time of the files.
    #[arg(long, requires = "revision", conflicts_with = "source_date")]
    set_timestamp_to_revision: bool,
    #[command(flatten)]
    packages: Packages,
    #[command(flatten)]
    files: Files,
    /// What the repository holds (can be repeated).
    #[arg(long, value_name = "TAG")]
    content: Vec<String>,
    /// What the repository is (can be repeated).
    #[arg(long, value_name = "TAG")]
    repo: Vec<String>,
    /// A distribution that it belongs to, perhaps with its CPE identifier (can be repeated).
    #[arg(long, value_name = "[CPEID,]NAME")]
    distro: Vec<String>,
    /// Threads (default: one for each processor). No byte depends on it.
    #[arg(long, visible_alias = "jobs", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: Option<u16>,
    /// Keep what is no list of the metadata that are there: groups, errata, modules. What did not change is never read
    /// again, with or without this.
    #[arg(long)]
    update: bool,
    #[command(flatten)]
    accepted: Accepted,
    #[command(flatten)]
    refused: Refused,
}

/// Which packages, and where they are.
#[derive(Debug, clap::Args)]
struct Packages {
    /// Leave out packages whose path or name matches (can be repeated).
    #[arg(short = 'x', long, value_name = "PATTERN")]
    excludes: Vec<String>,
    /// Take only the packages that a file lists, one path below DIR a line.
    #[arg(short = 'i', long, value_name = "FILE")]
    pkglist: Option<PathBuf>,
    /// Take only this package below DIR (can be repeated).
    #[arg(short = 'n', long, value_name = "PATH")]
    includepkg: Vec<String>,
    /// Leave out packages that are symbolic links.
    #[arg(short = 'S', long)]
    skip_symlinks: bool,
    /// Where clients find the packages, if not beside 'repodata'.
    #[arg(short = 'u', long, value_name = "URL")]
    baseurl: Option<String>,
    /// What is put in front of the path of each package.
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    location_prefix: String,
    /// How many components are taken from the front of the path of each package.
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    cut_dirs: usize,
    /// How many entries of each change log are taken, the newest ones.
    #[arg(long, value_name = "N", default_value_t = CHANGELOGS)]
    changelog_limit: usize,
}

/// The files of the metadata.
#[derive(Debug, clap::Args)]
struct Files {
    /// What the lists are compressed with, and all else, unless --compress-type says something else.
    #[arg(long, value_name = "TYPE", value_enum)]
    general_compress_type: Option<CompressType>,
    /// What groups and further metadata are compressed with.
    #[arg(long, value_name = "TYPE", value_enum)]
    compress_type: Option<CompressType>,
    /// As --compress-type xz.
    #[arg(long, conflicts_with = "compress_type")]
    xz: bool,
    /// Write the lists as SQLite databases, too: yum of EL 5 to 7 reads those.
    #[arg(short, long)]
    database: bool,
    /// Names without a checksum. Clients that come while they are exchanged may fail.
    #[arg(long)]
    simple_md_filenames: bool,
    /// Keep the files of the metadata that are there (0: remove them).
    #[arg(long, value_name = "N", default_value_t = 0)]
    retain_old_md: u32,
}

/// What createrepo_c takes and gander does anyway.
#[derive(Debug, clap::Args)]
struct Accepted {
    /// Names begin with a checksum; this is the default.
    #[arg(long, conflicts_with = "simple_md_filenames", hide = true)]
    unique_md_filenames: bool,
    /// No databases; this is the default.
    #[arg(long, conflicts_with = "database", hide = true)]
    no_database: bool,
    /// Only SHA-256 is written.
    #[arg(short = 's', long, value_parser = ["sha256"], hide = true)]
    checksum: Option<String>,
    /// The checksums in repomd.xml; only SHA-256 is written.
    #[arg(long, value_parser = ["sha256"], hide = true)]
    repomd_checksum: Option<String>,
    /// XML is always written with one element a line.
    #[arg(short, long, hide = true)]
    pretty: bool,
    /// With --update: keep what is no list; this is the default.
    #[arg(long, conflicts_with = "discard_additional_metadata", hide = true)]
    keep_all_metadata: bool,
    /// With --update: keep nothing.
    #[arg(long)]
    discard_additional_metadata: bool,
    /// Other metadata to take records from; the store has them.
    #[arg(long, value_name = "DIR", hide = true)]
    update_md_path: Vec<PathBuf>,
    /// Where checksums of packages are kept; the store has them.
    #[arg(short, long, value_name = "DIR", hide = true)]
    cachedir: Option<PathBuf>,
    /// Packages that are there are looked at in any case.
    #[arg(long, hide = true)]
    skip_stat: bool,
    /// Where databases are made; no byte depends on it.
    #[arg(long, hide = true)]
    local_sqlite: bool,
    /// What to do with packages of one name, version and arch; all are kept.
    #[arg(long, value_parser = ["keep"], hide = true)]
    duplicated_nevra: Option<String>,
    /// Any error is one; this is the default.
    #[arg(long, hide = true)]
    error_exit_val: bool,
}

/// What createrepo_c takes and gander does not do: known here so that it can be said what to do instead.
#[derive(Debug, clap::Args)]
struct Refused {
    #[arg(long, value_name = "DIR", hide = true)]
    basedir: Option<PathBuf>,
    #[arg(long, hide = true)]
    compatibility: bool,
    #[arg(long, hide = true)]
    filelists_ext: bool,
    #[arg(long, hide = true)]
    no_pretty: bool,
    #[arg(long, value_name = "FILE", hide = true)]
    read_pkgs_list: Option<PathBuf>,
    #[arg(long, hide = true)]
    recycle_pkglist: bool,
    #[arg(long, value_name = "AGE", hide = true)]
    retain_old_md_by_age: Option<String>,
    #[arg(long, hide = true)]
    split: bool,
    #[arg(long, hide = true)]
    zck: bool,
}

impl Refused {
    fn check(&self) -> Result<(), Failure> {
        let all = [
            (self.basedir.is_some(), "basedir", "name the folder from where you are"),
            (
                self.compatibility,
                "compatibility",
                "give --database --general-compress-type gz for clients of EL 5 to 7",
            ),
            (self.filelists_ext, "filelists-ext", "leave it out: the digests of files are in the packages"),
            (self.no_pretty, "no-pretty", "leave it out: what it saves is compressed away"),
            (
                self.read_pkgs_list.is_some(),
                "read-pkgs-list",
                "leave it out: how many were read is told on stderr",
            ),
            (self.recycle_pkglist, "recycle-pkglist", "name the packages with --pkglist"),
            (
                self.retain_old_md_by_age.is_some(),
                "retain-old-md-by-age",
                "give --retain-old-md 1, and remove what is too old elsewhere",
            ),
            (self.split, "split", "name the folder that holds all volumes"),
            (self.zck, "zck", "leave it out: clients take the lists as they are"),
        ];
        match all.into_iter().find(|(is_given, ..)| *is_given) {
            None => Ok(()),
            Some((_, name, instead)) => {
                let what = format!("--{name} of createrepo_c is not done here");
                Err(Failure::new(Kind::Usage, what).hint(instead))
            }
        }
    }
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum CompressType {
    /// Zstandard (the default): small and fast, read by clients since EL 8.
    #[value(alias = "zst")]
    Zstd,
    /// gzip: read by every client.
    #[value(alias = "gzip")]
    Gz,
    /// xz: the smallest, and slow.
    Xz,
}

impl From<CompressType> for Compression {
    fn from(kind: CompressType) -> Self {
        match kind {
            CompressType::Zstd => Self::Zstd,
            CompressType::Gz => Self::Gzip,
            CompressType::Xz => Self::Xz,
        }
    }
}

fn extra(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((kind, file)) if !kind.is_empty() && !file.is_empty() => Ok((kind.into(), file.into())),
        _ => Err("expected a type and a file, such as modules=modules.yaml".into()),
    }
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<ExitCode, Failure> {
    let dir = args.dir.clone();
    let output = args.outputdir.clone().unwrap_or_else(|| dir.clone());
    args.refused.check()?;
    let options = options(args)?;
    // Without a store nothing is remembered, and all is done anew; that is no reason to fail.
    let memory = match global.open_store().and_then(|store| {
        let memory = store.memory("repodata").map_err(Failure::from)?;
        Ok((store, memory))
    }) {
        Ok(memory) => Some(memory),
        Err(failure) => {
            global.say(format_args!("warning: nothing can be remembered for the next run: {failure}"));
            None
        }
    };
    let created = create::create(&dir, &options, memory.as_ref().map(|(_, folder)| folder.as_path()))?;
    global.say(format_args!(
        "wrote the metadata of {} packages to '{}' ({} were read; source date {})",
        created.packages,
        quoted(&output.join("repodata")),
        created.read,
        created.source_date
    ));
    Ok(ExitCode::SUCCESS)
}

fn options(args: Args) -> Result<Options, Failure> {
    let Args { packages, files, accepted, .. } = args;
    let only = only(packages.pkglist.as_deref(), packages.includepkg)?;
    let compression = files.general_compress_type.map_or(Compression::Zstd, Compression::from);
    let further = if files.xz { Some(CompressType::Xz) } else { files.compress_type };
    let source_date = match (args.set_timestamp_to_revision, &args.revision, args.source_date) {
        (true, Some(revision), _) => Some(from_seconds("--revision", revision)?),
        (_, _, Some(date)) => Some(date),
        _ => environment()?,
    };
    Ok(Options {
        output: args.outputdir,
        filter: Filter { excludes: packages.excludes, only, skip_symlinks: packages.skip_symlinks },
        rendering: Rendering {
            base_url: packages.baseurl,
            location_prefix: packages.location_prefix,
            cut_dirs: packages.cut_dirs,
            changelogs: packages.changelog_limit,
        },
        compression,
        further_compression: further.map_or(compression, Compression::from),
        comps: args.groupfile,
        extras: args.extra,
        databases: files.database,
        keep_further: args.update && !accepted.discard_additional_metadata,
        retain_old: files.retain_old_md > 0,
        simple_names: files.simple_md_filenames,
        revision: args.revision,
        source_date,
        set_times: args.set_timestamp_to_revision,
        tags: Tags {
            content: args.content,
            repo: args.repo,
            distro: args
                .distro
                .iter()
                .map(|distro| match distro.split_once(',') {
                    Some((cpeid, name)) => (Some(cpeid.into()), name.into()),
                    None => (None, distro.clone()),
                })
                .collect(),
        },
        workers: args.workers.map_or_else(processors, usize::from),
    })
}

#[allow(clippy::disallowed_methods, reason = "no output depends on it")]
fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, Into::into)
}

#[allow(clippy::disallowed_methods, reason = "an option in the form that all tools know")]
fn environment() -> Result<Option<SourceDate>, Failure> {
    const NAME: &str = "SOURCE_DATE_EPOCH";
    match std::env::var_os(NAME).filter(|value| !value.is_empty()) {
        Some(value) => from_seconds(NAME, &value.to_string_lossy()).map(Some),
        None => Ok(None),
    }
}

fn from_seconds(what: &str, text: &str) -> Result<SourceDate, Failure> {
    let seconds = text.parse().ok().and_then(|seconds| SourceDate::from_seconds(seconds).ok());
    seconds.ok_or_else(|| {
        Failure::new(Kind::Usage, format!("{what} is '{text}', which is no source date"))
            .hint("give seconds since 1970-01-01, from 1980 up to 2105")
    })
}

/// The paths that are wanted, where they are named.
fn only(list: Option<&std::path::Path>, named: Vec<String>) -> Result<Option<BTreeSet<String>>, Failure> {
    let mut only: BTreeSet<String> = named.into_iter().collect();
    let Some(list) = list else { return Ok((!only.is_empty()).then_some(only)) };
    let text = fs::read_to_string(list).map_err(|error| {
        let what = format!("the list of packages '{}' cannot be read: {error}", quoted(list));
        Failure::new(Kind::Input, what)
    })?;
    only.extend(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(String::from));
    Ok(Some(only))
}

impl From<CreateError> for Failure {
    fn from(error: CreateError) -> Self {
        use CreateError as E;
        let kind = match &error {
            E::Kind(_) => Kind::Usage,
            E::NoFolder(_)
            | E::Problems(_)
            | E::TooMany
            | E::Comps { .. }
            | E::Old { .. }
            | E::OldFile(_)
            | E::Unread { .. } => Kind::Input,
            E::Io { source, .. }
                if matches!(
                    source.kind(),
                    IoKind::NotFound | IoKind::InvalidInput | IoKind::FileTooLarge
                ) =>
            {
                Kind::Input
            }
            E::Io { .. } | E::Busy(_) | E::Database { .. } => Kind::Surroundings,
            E::Memory => Kind::Bug,
        };
        let failure = Self::from_error(kind, &error).hint_full_disk("the disk of the repository");
        match &error {
            E::Problems(problems) => {
                let changed = problems.iter().any(|problem| matches!(problem.reason, Reason::Changed));
                let failure = failure
                    .hint("nothing was written; remove these files, or leave them out with --excludes");
                if changed {
                    failure.hint("run this again when nothing writes to the folder")
                } else {
                    failure
                }
            }
            E::Busy(_) => failure.hint("try again when it is done"),
            E::Old { .. } | E::OldFile(_) => {
                failure.hint("leave out --update, or give --discard-additional-metadata, to do without them")
            }
            _ => failure,
        }
    }
}
