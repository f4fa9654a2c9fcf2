//! What commands that run steps share: the runner, downloads, and what people see of it.

use std::path::{Path, PathBuf};

use super::hub_at;
use super::network::Network;
use super::timings::Timings;
use super::{Failure, Global, Kind, run};
use crate::compose::{ComposeError, Downloads, Event, Session};
use crate::fetch::FetchError;
use crate::repo::open::OpenError;
use crate::runner::{Backend, Choice, Runner};
use crate::select::{Problem, SelectError};
use crate::store::{Store, StoreError};

/// How steps run.
#[derive(Debug, clap::Args)]
pub struct Jobs {
    /// How many steps may run at a time (default: the number of CPUs).
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// What runs the programs of steps; the results are the same.
    #[arg(long, value_enum, value_name = "RUNNER", default_value_t)]
    runner: Programs,
    /// Show on stderr at the end which steps ran for how long, and which the store had.
    #[arg(long)]
    timings: bool,
    #[command(flatten)]
    ids: Ids,
}

/// Which ids steps get.
#[derive(Debug, Default, clap::Args)]
pub struct Ids {
    /// User ids of a step: 65,536 of them, or one and a supervisor; auto: one where no range can be had.
    #[arg(long, value_name = "IDS", default_value = "auto")]
    ids: HowMany,
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum HowMany {
    #[default]
    Auto,
    Range,
    Single,
}

impl Ids {
    /// A runner whose steps get these. Says so when they are fewer than they should be.
    pub fn runner(&self, global: &Global, store: &Store) -> Result<Runner, Failure> {
        static SAID: std::sync::Once = std::sync::Once::new();
        let choice = match self.ids {
            HowMany::Auto => Choice::Auto,
            HowMany::Range => Choice::Range,
            HowMany::Single => Choice::Single,
        };
        let runner = Runner::with_ids(store, run::executable()?, choice)?;
        if let Some(why) = runner.without_range() {
            SAID.call_once(|| global.say(format_args!("steps run with one user id, since {why}")));
        }
        Ok(runner)
    }
}

/// What runs the programs of steps.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Programs {
    /// gander itself
    #[default]
    Embedded,
    /// runc, which has to be installed
    Runc,
}

impl Jobs {
    #[allow(clippy::disallowed_methods, reason = "how many steps run at a time reaches no output")]
    fn number(&self) -> usize {
        let cpus = || std::thread::available_parallelism().map_or(1, Into::into);
        self.jobs.map_or_else(cpus, usize::from)
    }
}

/// Runs something that needs a store, a runner and downloads, and shows the steps as they run.
pub fn with<T>(
    global: &Global,
    jobs: &Jobs,
    work: impl FnOnce(&Session<'_>, &dyn Downloads) -> Result<T, ComposeError>,
) -> Result<T, Failure> {
    let store = global.open_store()?;
    let backend = match jobs.runner {
        Programs::Embedded => Backend::Embedded,
        Programs::Runc => Backend::Runc,
    };
    let runner = jobs.ids.runner(global, &store)?.with_backend(backend)?;
    let downloads = Network::new(global, &store)?;
    let timings = jobs.timings.then(Timings::new);
    let show = |event: Event<'_>| match event {
        Event::Note(text) => global.say(text),
        Event::Start(step) if global.verbose > 0 => {
            global.say(format_args!("  start {} {}", step.kind, step.label));
        }
        Event::Start(_) | Event::Known(_) | Event::Phase(..) => {}
        Event::Done(step, elapsed) => {
            global.say(format_args!("  {:<9} {} ({:.2} s)", step.kind, step.label, elapsed.as_secs_f64()));
        }
    };
    let watch = |event: Event<'_>| {
        if let Some(timings) = &timings {
            timings.see(&event);
        }
        show(event);
    };
    let session = Session { store: &store, runner: &runner, jobs: jobs.number(), watch: &watch };
    let done = work(&session, &downloads);
    if let Some(timings) = timings {
        // Asked for, so not even --quiet keeps it back; a step that failed is missing from it.
        eprint!("{}", timings.text());
    }
    done.map_err(Failure::from)
}

/// The home folder, for key files below it.
#[allow(clippy::disallowed_methods, reason = "where a key file lies reaches no output")]
pub fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from).filter(|path| path.is_absolute())
}

impl From<ComposeError> for Failure {
    fn from(error: ComposeError) -> Self {
        use ComposeError as E;
        let kind = match &error {
            E::Recipe(_)
            | E::NoSpecs(_)
            | E::Spec(_)
            | E::Sources(_)
            | E::Comps { .. }
            | E::Kickstart(_)
            | E::Unsupported(_)
            | E::Configuration(_)
            | E::Menu(_)
            | E::MediumText(_)
            | E::TreeInfo(_)
            | E::VolumeId { .. }
            | E::CannotStart { .. }
            | E::OtherArch { .. }
            | E::SourceDate
            | E::Metadata(_)
            | E::NoDate
            | E::NoBuilder
            | E::Select { .. }
            | E::Variants(_)
            | E::Modules(_)
            | E::WhichTag { .. }
            | E::Occupied(_)
            | E::SamePlace { .. }
            | E::NoName(_)
            | E::Demonstration(_)
            | E::NotText(_)
            | E::TooLarge(_)
            | E::Stale(_)
            | E::Compromised(_)
            | E::SameKey(_)
            | E::NotOnlyKeys { .. }
            | E::NoSigner
            | E::NoFiles(_)
            | E::NoBuilds(_)
            | E::NotMovable(_)
            | E::AllMove(_)
            | E::NoCertificate { .. } => Kind::Usage,
            E::Headers { unreachable: true, .. } => Kind::Surroundings,
            E::Hub { source, .. } => return hub_at::failure(&error, source),
            E::NotReproduced(_) | E::BadSignature { .. } => Kind::Verdict,
            E::Plan(_) | E::Path(_) | E::Tree(_) | E::NoOutput { .. } | E::Medium { .. } | E::Checksum(_) => {
                Kind::Bug
            }
            E::Io { doing: "written", .. } => Kind::Surroundings,
            E::Deliver { source: StoreError::Missing { .. } | StoreError::Damaged { .. }, .. } => Kind::Input,
            E::Deliver { .. } => Kind::Surroundings,
            E::Io { .. }
            | E::DebianLock { .. }
            | E::Lock { .. }
            | E::NoLock(_)
            | E::NoObject { .. }
            | E::NoUniverse(_)
            | E::NoSnapshot { .. }
            | E::Assemble(_)
            | E::Image(_)
            | E::Repo(_)
            | E::Digest(_)
            | E::Package { .. }
            | E::BrokenPackages(_)
            | E::Modulemd(_)
            | E::Conflicts(_)
            | E::Outside(_)
            | E::WeakChecksum { .. }
            | E::StrangeNames(_)
            | E::Headers { .. }
            | E::GoneFromHub { .. }
            | E::Snapshot(_)
            | E::Splice { .. }
            | E::NoOrigin(_)
            | E::HubOffline(_)
            | E::NotStored(_)
            | E::NoBundle(_)
            | E::NotPinned(_)
            | E::WrongDigest { .. }
            | E::Universe(_)
            | E::Streams(_)
            | E::Unsigned(_)
            | E::Keyring { .. }
            | E::MissingSignatures(_)
            | E::OtherKey { .. }
            | E::Expired { .. }
            | E::Sign { .. } => Kind::Input,
            E::Fetch(error) if error.is_surroundings() => Kind::Surroundings,
            E::Open(error) if error.is_surroundings() => Kind::Surroundings,
            E::Fetch(_) | E::Open(_) => Kind::Input,
            // What fails in another room has its kind there.
            E::Store(_)
            | E::Run(_)
            | E::Packages(_)
            | E::Key(_)
            | E::Remote(_)
            | E::Mirror(_)
            | E::Registry(_)
            | E::Reference(_) => match error {
                E::Mirror(error) => return error.into(),
                E::Registry(error) => return error.into(),
                E::Reference(error) => return error.into(),
                E::Store(error) => return error.into(),
                E::Run(error) => return error.into(),
                E::Packages(error) => return error.into(),
                E::Key(error) => return error.into(),
                E::Remote(error) => return error.into(),
                _ => Kind::Bug,
            },
        };
        let recipe = |lock: &Path| lock.with_extension("toml").display().to_string();
        let hint: Option<String> = match &error {
            E::Stale(lock) => {
                Some(format!(
                    "see what changes and take it over with: gander lock --update {}; where only keys changed, --resign signs \
                     the same release again",
                    recipe(lock)
                ))
            }
            E::NoLock(lock) => Some(format!("make it with: gander lock {}", recipe(lock))),
            E::WhichTag { ids, .. } if !ids.is_empty() => Some("name one of them with --source".into()),
            E::NoSnapshot { .. } => Some("name a bundle that has it with --bundle".into()),
            E::Lock { .. } => Some("restore it from version control, or remove it and resolve anew".into()),
            E::NotPinned(_) => Some(
                "put the pinned files back, or take the others over with: gander lock --update RECIPE".into(),
            ),
            E::MissingSignatures(_) => Some(
                "run 'gander compose' without --locked where the key is, or add the signatures to the lock"
                    .into(),
            ),
            E::Unsigned(lines) if lines.iter().any(|line| line.contains(" of build ")) => Some(
                "have them signed and the signatures imported with 'koji import-sig FILE.rpm', or have Koji write a signed \
                 copy again with 'koji write-signed-rpm SIGKEY BUILD'; or name the key that signed them under 'keys', or set \
                 'on-unsigned'"
                    .into(),
            ),
            E::Unsigned(_) => Some(
                "have them signed, name the key that signed them under 'keys', or set 'on-unsigned'".into(),
            ),
            E::Deliver { source: StoreError::Missing { .. } | StoreError::Damaged { .. }, .. } => {
                Some("run 'gander store verify --repair', then this again".into())
            }
            E::Occupied(_) | E::NoName(_) => Some("name another folder with --output".into()),
            E::Demonstration(_) => Some(
                "make a key of your own with 'gander key new' and name it under [sign] as 'key-file'".into(),
            ),
            E::Expired { .. } => {
                Some("make a new key with 'gander key new', and name it under [sign] as 'key-file'".into())
            }
            E::OtherArch { platform, .. } => {
                Some(format!("name what the builder can make under 'arches' of the medium: [\"{platform}\"]"))
            }
            E::Compromised(_) => Some("name another key; one that is compromised counts nowhere".into()),
            E::NotOnlyKeys { .. } => Some(
                "put it back as it was and sign again, then take over other changes with: gander lock --update".into(),
            ),
            E::NoSigner => Some("name a key under [sign]".into()),
            E::NoCertificate { .. } => Some("put the certificate there, in a file named *.asc".into()),
            E::Package { .. } | E::BrokenPackages(_) => {
                Some("get them anew from where they come from".into())
            }
            E::Conflicts(_) => Some("keep one of each, or give the other one a release of its own".into()),
            E::Sources(_) => Some(
                "add them to the folder of sources, or ask for them in the Debian list and lock it again"
                    .into(),
            ),
            E::Select { source: SelectError::Problems(problems), .. } => select_hint(problems),
            E::NotStored(_) => Some(
                "take them from another bundle with --bundle, or resolve anew with 'gander lock --update'".into(),
            ),
            E::NotMovable(_) | E::AllMove(_) | E::Open(OpenError::Gone { .. }) => Some("run 'gander lock --update' without names of packages".into()),
            E::NoFiles(_) => Some("name the place under 'files' of the source".into()),
            E::GoneFromHub { .. } => Some(
                "ask for what the hub has now with 'gander lock --update', or compose from a bundle with --bundle".into(),
            ),
            E::HubOffline(_) => Some("run this once without --offline".into()),
            E::Fetch(FetchError::Offline(_)) => Some("run this once without --offline".into()),
            E::NotReproduced(_) => {
                Some("a step's log shows what it ran: see 'gander plan' for the steps".into())
            }
            _ => None,
        };
        let failure = Self::from_error(kind, &error);
        let failure = match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        };
        failure.hint_full_disk("the disk")
    }
}

/// What to do about the commonest problem of a selection.
fn select_hint(problems: &[Problem]) -> Option<String> {
    let has = |kind: fn(&Problem) -> bool| problems.iter().any(kind);
    if has(|problem| matches!(problem, Problem::Unresolved { .. })) {
        Some("add a [[source]] that provides what is missing, or leave out what requires it".into())
    } else if has(|problem| matches!(problem, Problem::NoGroup { .. } | Problem::NoEnvironment { .. })) {
        Some(
            "correct 'groups' and 'environments' of the variant, or the file that it names as 'comps'".into(),
        )
    } else if has(|problem| matches!(problem, Problem::NoStream { .. })) {
        Some("correct 'modules' of the variant, or add a [[source]] that has the stream".into())
    } else if has(|problem| matches!(problem, Problem::NoSource { .. })) {
        Some("add the source packages to a [[source]], or set 'sources = false' for the variant".into())
    } else {
        None
    }
}
