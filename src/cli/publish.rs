//! `gander publish`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use super::output::Format;
use super::{Failure, Global, Kind};
use crate::base::SourceDate;
use crate::publish::{self, Options, PublishError, Published, Release};

/// Publish a finished compose for clients and mirrors, in one moment.
///
/// DEST becomes a link to the release, which lies in the folder .NAME.published beside it. Repository metadata and
/// packages of superseded releases stay in the new one for as long as clients may hold them. docs/publish.md says more.
#[derive(Debug, clap::Args)]
#[command(allow_missing_positional = true)]
pub struct Args {
    /// The compose: what 'gander compose' wrote.
    #[arg(required_unless_present_any = ["rollback", "list"])]
    compose: Option<PathBuf>,
    /// Where the release is public.
    dest: PathBuf,
    /// Go back to an earlier release: the one before, or the one of a number (--rollback=N).
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, conflicts_with = "compose")]
    rollback: Option<Option<u32>>,
    /// List the releases that are there.
    #[arg(long, conflicts_with_all = ["compose", "rollback"])]
    list: bool,
    /// Hold at least so many superseded releases.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    keep: u32,
    /// Hold releases that were superseded within so many days.
    #[arg(long, value_name = "N", default_value_t = 14, value_parser = clap::value_parser!(u32).range(..=36_500))]
    days: u32,
    /// Publish even if packages or images change under names that clients know.
    #[arg(long)]
    replace: bool,
    /// Check everything and say what would be done.
    #[arg(long)]
    dry_run: bool,
    /// The time of publication, such as 2026-11-01T00:00:00Z (default: now).
    #[arg(long, value_name = "TIME")]
    time: Option<SourceDate>,
    /// How the result is written to stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<ExitCode, Failure> {
    if args.list {
        let (releases, public) = publish::list(&args.dest)?;
        show(&releases, public, args.format);
        return Ok(ExitCode::SUCCESS);
    }
    let now = match args.time {
        Some(time) => time,
        None => now()?,
    };
    let Args { keep, days, replace, dry_run, .. } = args;
    let options = Options { now, keep, days, replace, dry_run };
    let published = match (&args.compose, args.rollback) {
        (Some(compose), None) => publish::publish(compose, &args.dest, &options)?,
        (_, to) => publish::rollback(&args.dest, to.flatten(), &options)?,
    };
    narrate(global, &args.dest, &published, dry_run);
    show(std::slice::from_ref(&published.release), published.release.number, args.format);
    Ok(ExitCode::SUCCESS)
}

#[allow(clippy::disallowed_methods, reason = "when a release is published is no part of it")]
fn now() -> Result<SourceDate, Failure> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).ok();
    let date = seconds.and_then(|since| SourceDate::from_seconds(i64::try_from(since.as_secs()).ok()?).ok());
    date.ok_or_else(|| {
        Failure::new(Kind::Surroundings, "this machine's clock is wrong").hint("set it, or give --time")
    })
}

fn narrate(global: &Global, dest: &std::path::Path, published: &Published, dry_run: bool) {
    let Published { release, unchanged, files, carried, laid, removed } = published;
    let dest = dest.display();
    if *unchanged {
        return global.say(format_args!("release {} is public as {dest} already", release.number));
    }
    if dry_run {
        global.say(format_args!("would publish release {} as {dest}", release.number));
    } else {
        global.say(format_args!("published release {} as {dest}", release.number));
    }
    global.say(format_args!("  {files} files, and {carried} of superseded releases"));
    if !dry_run {
        global.say(format_args!("  {} hard links, {} copies", laid.linked, laid.copied));
    }
    if let Some((count, why)) = &laid.unlinked {
        global.say(format_args!("  {count} of the copies could not be hard links: {why}"));
    }
    if !removed.is_empty() {
        let numbers: Vec<_> = removed.iter().map(u32::to_string).collect();
        let removed = if dry_run { "no longer held" } else { "removed" };
        global.say(format_args!("  {removed}: release {}", numbers.join(", ")));
    }
}

fn show(releases: &[Release], public: u32, format: Format) {
    match format {
        Format::Text => {
            for Release { number, time, of, id, .. } in releases {
                let mark = if *number == public { "public" } else { "held" };
                let of = if of == number { String::new() } else { format!(" of release {of}") };
                println!("release {number} {time} {id} {mark}{of}");
            }
        }
        Format::Json => {
            let all = releases.iter().map(|release| {
                serde_json::json!({
                    "number": release.number,
                    "time": release.time,
                    "of": release.of,
                    "id": release.id,
                    "public": release.number == public,
                })
            });
            println!("{:#}", serde_json::Value::from_iter(all));
        }
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        use PublishError as E;
        let kind = match &error {
            E::NoCompose(_)
            | E::Unfinished { .. }
            | E::Record { .. }
            | E::LinkGone { .. }
            | E::Read { .. } => Kind::Input,
            E::Conflict(_) => Kind::Verdict,
            E::Occupied(_)
            | E::NoName(_)
            | E::SamePlace(_)
            | E::Inside(_)
            | E::Nothing(_)
            | E::NoRelease { .. } => Kind::Usage,
            E::Write { .. } | E::Busy(_) | E::Changed(_) | E::Time => Kind::Surroundings,
        };
        let failure = Self::from_error(kind, &error).hint_full_disk("the disk of the release");
        match &error {
            E::NoCompose(_) => failure.hint("name the folder that 'gander compose' wrote"),
            E::Unfinished { .. } => failure.hint("make the compose again with 'gander compose'"),
            E::Conflict(_) => failure.hint(
                "give what changed a new release number; or, with --replace, let clients fail that hold the earlier metadata",
            ),
            E::Occupied(_) => failure.hint("name a path where nothing is, or move it away"),
            E::Nothing(_) => failure.hint("publish a compose first: gander publish COMPOSE DEST"),
            E::NoRelease { .. } => failure.hint("see what is there with: gander publish --list DEST"),
            E::LinkGone { path, number } => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let path = path.display();
                failure.hint(format!("put it back with: ln -s '.{name}.published/{number}' '{path}'"))
            }
            E::Record { path, .. } => failure.hint(format!(
                "restore it from a backup; or move '{}' and the link away and publish anew",
                path.parent().unwrap_or(path).display()
            )),
            E::Busy(_) => failure.hint("try again when it is done"),
            E::Changed(_) => failure.hint("let nothing write there, and run this again"),
            E::Time => failure.hint("set the clock, or give --time"),
            E::Read { .. } | E::Write { .. } | E::NoName(_) | E::SamePlace(_) | E::Inside(_) => failure,
        }
    }
}
