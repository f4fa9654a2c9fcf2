//! `gander store`.

use std::process::ExitCode;

use clap::Subcommand;

use super::output::Format;
use super::{Failure, Global, Kind};
use crate::store::{GcOptions, Removed, StoreError};

/// Inspect and clean the store.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Remove everything that no root needs: objects, results of steps and laid-out images.
    Gc {
        /// Only say what would be removed.
        #[arg(long)]
        dry_run: bool,
        /// Wait until no other gander process uses the store, instead of giving up.
        #[arg(long)]
        wait: bool,
    },
    /// Read everything in the store again and name all that is damaged or missing.
    Verify {
        /// Remove what is damaged, so that the next run fetches or makes it again.
        #[arg(long)]
        repair: bool,
    },
    /// Show how much room each kind of thing takes.
    Du {
        /// How the result is written to stdout.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<ExitCode, Failure> {
    match args.command {
        Command::Gc { dry_run, wait } => gc(global, GcOptions { dry_run, wait }),
        Command::Verify { repair } => verify(global, repair),
        Command::Du { format } => du(global, format),
    }
}

fn gc(global: &Global, options: GcOptions) -> Result<ExitCode, Failure> {
    let store = global.open_store()?;
    let report = store.gc(&options)?;
    let done = if options.dry_run { "would remove" } else { "removed" };
    for (what, sum) in [("objects", report.objects), ("actions", report.actions), ("images", report.images)] {
        println!("{done} {}", amount(what, sum));
    }
    println!("{} {}", if options.dry_run { "would keep" } else { "kept" }, amount("objects", report.kept));
    for digest in &report.missing {
        global.say(format_args!("warning: {digest} is kept by a root but missing from the store"));
    }
    for path in &report.stuck {
        global.say(format_args!("warning: '{}' could not be removed", path.display()));
    }
    Ok(ExitCode::SUCCESS)
}

fn verify(global: &Global, repair: bool) -> Result<ExitCode, Failure> {
    let store = global.open_store()?;
    let report = store.verify(repair)?;
    for fault in &report.faults {
        println!("{fault}");
    }
    let checked = format!(
        "checked {}, {} actions and {} roots",
        amount("objects", report.objects),
        report.actions,
        report.roots
    );
    global.say(&checked);
    if report.faults.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let count = report.faults.len();
    let failure =
        Failure::new(Kind::Verdict, format!("the store '{}' has {count} faults", store.root().display()));
    Err(if repair {
        failure.hint(format!("{} damaged files were removed; run what needs them again", report.repaired))
    } else {
        failure.hint(
            "run 'gander store verify --repair' to remove what is damaged, then run what needs it again",
        )
    })
}

fn du(global: &Global, format: Format) -> Result<ExitCode, Failure> {
    let report = global.open_store()?.du()?;
    match format {
        Format::Json => {
            let text = serde_json::to_string_pretty(&report);
            println!("{}", text.map_err(|error| Failure::from_error(Kind::Bug, &error))?);
        }
        Format::Text => {
            for usage in &report.kinds {
                println!("{:<8} {:>9} {:>12}", usage.kind, usage.count, human(usage.bytes));
            }
            println!("{:<8} {:>9} {:>12}", "all", "", human(report.bytes()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn amount(what: &str, sum: Removed) -> String {
    format!("{} {what} ({})", sum.count, human(sum.bytes))
}

fn human(bytes: u64) -> String {
    let mut value = bytes;
    let mut rest = 0;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024 {
            return if unit == "B" {
                format!("{value} B")
            } else {
                format!("{value}.{} {unit}", rest * 10 / 1024)
            };
        }
        (rest, value) = (value % 1024, value / 1024);
    }
    format!("{value}.{} TiB", rest * 10 / 1024)
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::Missing { .. }
            | StoreError::Damaged { .. }
            | StoreError::Unexpected { .. }
            | StoreError::TooLarge { .. }
            | StoreError::BadTree { .. }
            | StoreError::NoTree { .. }
            | StoreError::BadName { .. }
            | StoreError::Unsupported { .. }
            | StoreError::Unmapped { .. } => Kind::Input,
            StoreError::RootName { .. } | StoreError::NotAStore { .. } => Kind::Usage,
            StoreError::Io { .. }
            | StoreError::Changed { .. }
            | StoreError::Owner { .. }
            | StoreError::DamagedRoot { .. }
            | StoreError::Newer { .. }
            | StoreError::Busy { .. } => Kind::Surroundings,
        };
        let failure = Self::from_error(kind, &error).hint_full_disk("the disk that the store is on");
        match &error {
            StoreError::Damaged { .. } | StoreError::BadTree { .. } => {
                failure.hint("run 'gander store verify --repair', then run this again")
            }
            StoreError::Busy { .. } => failure.hint("try again when it is done"),
            StoreError::NotAStore { .. } => failure.hint("name an empty or a new folder with --store DIR"),
            StoreError::Newer { .. } => {
                failure.hint("use the gander that made it, or another folder with --store DIR")
            }
            StoreError::DamagedRoot { name } => {
                failure.hint(format!("'gander store verify --repair' removes the root '{name}'"))
            }
            _ => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn sizes_for_people() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (5 << 30, "5.0 GiB"),
            (3 << 40, "3.0 TiB"),
            (u64::MAX, "16777215.9 TiB"),
        ] {
            assert_eq!(human(bytes), text);
        }
    }
}
