//! `gander sigul ledger`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use super::super::key::date;
use super::super::output::Format;
use super::super::{Failure, Global, Kind};
use crate::base::{Digest, SourceDate};
use crate::sign::ledger::{Line, Noted, read};
use crate::sign::vault::noted_head;

/// Show and check a signer's ledger.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show the entries, oldest first.
    Show {
        /// The store.
        #[arg(long, value_name = "DIR")]
        store: PathBuf,
        /// Only those about this key.
        #[arg(long, value_name = "NAME")]
        key: Option<String>,
        /// Only those of this user.
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// Only those from this day or time on.
        #[arg(long, value_name = "DATE", value_parser = date)]
        since: Option<SourceDate>,
        /// Only those before this day or time.
        #[arg(long, value_name = "DATE", value_parser = date)]
        until: Option<SourceDate>,
        /// How the entries are written to stdout; JSON has a line each, as it stands in the ledger.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Check that nothing was changed, removed, added or moved, and that the end is there.
    ///
    /// The end is compared with the head that the store's database has, and with heads that were written down
    /// elsewhere. Half a line at the very end is no harm: its signature never left.
    Verify {
        /// The store.
        #[arg(long, value_name = "DIR")]
        store: PathBuf,
        /// A hash (64 hexadecimal digits) that was the head once; several may be given.
        #[arg(long, value_name = "HASH", value_parser = hash)]
        head: Vec<Digest>,
        /// How the verdict is written to stdout.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

/// With or without the `sha256:` that a digest has in the ledger.
fn hash(text: &str) -> Result<Digest, String> {
    Digest::from_hex(text.strip_prefix("sha256:").unwrap_or(text)).map_err(|error| error.to_string())
}

/// Runs the command.
pub fn run(_global: &Global, args: &Args) -> Result<ExitCode, Failure> {
    match &args.verb {
        Verb::Show { store, key, user, since, until, format } => {
            let wanted = |line: &Line| {
                let entry = &line.entry;
                key.as_ref().is_none_or(|key| entry.key.as_ref() == Some(key))
                    && user.as_ref().is_none_or(|user| entry.user.as_ref() == Some(user))
                    && since.is_none_or(|since| entry.time >= since)
                    && until.is_none_or(|until| entry.time < until)
            };
            let found = read(&store.join("ledger"), 1, &[], |line, raw| {
                if wanted(line) {
                    match format {
                        Format::Text => println!("{}", text(line)),
                        Format::Json => println!("{}", String::from_utf8_lossy(raw)),
                    }
                }
            })?;
            if found.is_whole() {
                return Ok(ExitCode::SUCCESS);
            }
            Err(Failure::new(Kind::Verdict, "the ledger is not whole")
                .hint("see `gander sigul ledger verify`"))
        }
        Verb::Verify { store, head, format } => {
            let mut noted: Vec<Noted> = head.iter().copied().map(Noted::Hash).collect();
            noted.extend(noted_head(store)?.map(Noted::Head));
            let found = read(&store.join("ledger"), 1, &noted, |_, _| {})?;
            let whole = found.is_whole();
            match format {
                Format::Text => {
                    found.problems.iter().for_each(|problem| println!("{problem}"));
                    if whole {
                        println!("{} entries, head {}", found.head.count, found.head.hash.hex());
                    }
                }
                Format::Json => {
                    let problems: Vec<_> = found.problems.iter().map(ToString::to_string).collect();
                    let value = serde_json::json!({
                        "whole": whole, "entries": found.head.count, "head": found.head.hash, "problems": problems,
                    });
                    println!("{value:#}");
                }
            }
            Ok(if whole { ExitCode::SUCCESS } else { ExitCode::from(Kind::Verdict as u8) })
        }
    }
}

/// An entry on one line. What others chose may not steer the terminal.
fn text(line: &Line) -> String {
    let entry = &line.entry;
    let mut text = format!("{} {} {}", line.seq, entry.time, entry.event.name());
    let digest = entry.digest.map(|digest| digest.hex());
    let signature = entry.signature.map(|digest| digest.hex());
    let approvals = Some(entry.approvals.join(",")).filter(|names| !names.is_empty());
    let parts = [
        ("user", &entry.user),
        ("operation", &entry.operation),
        ("key", &entry.key),
        ("nevra", &entry.nevra),
        ("reference", &entry.reference),
        ("digest", &digest),
        ("signature", &signature),
        ("approved-by", &approvals),
        ("detail", &entry.detail),
    ];
    for (name, value) in parts {
        if let Some(value) = value {
            let value = value.escape_debug().to_string();
            let value = if value.contains(' ') { format!("'{value}'") } else { value };
            text = format!("{text} {name}={value}");
        }
    }
    text
}
