//! `gander repo check`.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::super::output::{Format, visible};
use super::super::rpm::keys;
use super::super::{Failure, Global, Kind};
use super::Access;
use crate::base::SourceDate;
use crate::base::arch::TreeArch;
use crate::repo::check::{self, Looked, Options, Report, Severity};

/// Check repositories: whether they are whole, signed, closed, and what their metadata say.
///
/// Several repositories are checked together: what a package of one requires may come from another. Looked at are
///
/// - the metadata: every file that repomd.xml names, by size and checksum, and whether the lists agree with each other,
///
/// - the packages: each file by size and checksum, its own digests, its header against its record and, with --keys, its
///   signatures and that of repomd.xml. At an address only sizes are asked for, unless --download is given,
///
/// - dependencies: whether something provides what each package requires, rich dependencies and files included,
///
/// - multilib: whether packages that come in two arches can be installed beside each other.
///
/// All findings are shown. Exit code 0 without an error among them, 1 with some, 3 if metadata are missing or damaged, 4
/// if a server does not answer. docs/repo-check.md lists the findings.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folders that hold repodata/, or their addresses (file:, http:, https:).
    #[arg(value_name = "DIR|URL", required = true)]
    repositories: Vec<String>,
    /// Take what packages require from here, too, without checking it (can be repeated).
    #[arg(long, value_name = "DIR|URL")]
    lookaside: Vec<String>,
    /// Look at dependencies of this arch, with the secondary one that goes with it (can be repeated; default: the arches of the
    /// packages).
    #[arg(long, value_name = "ARCH", value_parser = arch)]
    arch: Vec<&'static TreeArch>,
    /// Of each name and arch, check and offer only the newest version in each repository.
    #[arg(long)]
    newest: bool,
    /// Of each name and arch, offer only the newest version in all repositories.
    #[arg(long)]
    best: bool,
    /// A key file, or a folder of key files, that signatures must be by (can be repeated).
    #[arg(long, value_name = "DIR|FILE")]
    keys: Vec<PathBuf>,
    /// With --keys, take a repomd.xml that is not signed.
    #[arg(long, requires = "keys")]
    unsigned_repomd: bool,
    /// Judge keys, signatures and algorithms as on this day (2028-12-31) or at this time (default: keys and
    /// signatures as when the signature was made, algorithms by the standards of 2026).
    #[arg(long, value_name = "TIME", value_parser = super::super::key::date, requires = "keys")]
    policy_time: Option<SourceDate>,
    /// Look at no package files, only at the metadata and at dependencies.
    #[arg(long, conflicts_with = "download")]
    metadata_only: bool,
    /// Download packages from addresses into the store, and look at all of them.
    #[arg(long)]
    download: bool,
    /// How the result is written to stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

fn arch(name: &str) -> Result<&'static TreeArch, String> {
    TreeArch::find(name).ok_or_else(|| {
        let known: Vec<_> = TreeArch::names().collect();
        format!("expected one of {}", known.join(", "))
    })
}

/// Lines that are shown of a finding's details without --verbose.
const DETAILS: usize = 5;

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<ExitCode, Failure> {
    let keys = if args.keys.is_empty() { None } else { Some(keys::read(global, &args.keys)?) };
    let access = Access::new(global, args.repositories.iter().chain(&args.lookaside))?;
    let options = Options {
        keys,
        policy_time: args.policy_time.map(|time| time.seconds()),
        unsigned_repomd: args.unsigned_repomd,
        arches: args.arch,
        newest: args.newest,
        best: args.best,
        lookaside: args.lookaside,
        download: args.download,
        metadata_only: args.metadata_only,
    };
    let work = check::check(&args.repositories, &options, &access.fetcher, &access.store);
    let report = access.runtime.block_on(work)?;
    match args.format {
        Format::Text => text(&report, global.verbose > 0),
        Format::Json => {
            let errors = report.count(Severity::Error);
            let (warnings, information) =
                (report.count(Severity::Warning), report.count(Severity::Information));
            let document = json!({
                "repositories": report.repositories,
                "arches": report.arches,
                "findings": report.findings,
                "summary": { "errors": errors, "warnings": warnings, "information": information },
            });
            println!("{document:#}");
        }
    }
    let errors = report.count(Severity::Error);
    let message = match errors {
        0 => return Ok(ExitCode::SUCCESS),
        1 => "the check found an error".to_owned(),
        _ => format!("the check found {errors} errors"),
    };
    let kind = if report.is_damaged() { Kind::Input } else { Kind::Verdict };
    Err(Failure::new(kind, message))
}

fn text(report: &Report, verbose: bool) {
    for repository in &report.repositories {
        let looked = match repository.looked {
            Looked::Content => "sizes, digests and headers of packages looked at",
            Looked::Sizes => "sizes of packages looked at",
            Looked::Nothing => "packages not looked at",
        };
        println!("{}: {} packages, {looked}", visible(&repository.name), repository.packages);
    }
    if !report.arches.is_empty() {
        println!("dependencies looked at for {}", report.arches.join(", "));
    }
    for ((severity, code), findings) in report.by_code() {
        let severity = match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Information => "information",
        };
        println!("\n{severity}: {code} ({})", findings.len());
        for finding in findings {
            let of = if report.repositories.len() > 1 {
                format!("{}: ", finding.repository)
            } else {
                String::new()
            };
            println!("  {}", visible(&format!("{of}{}: {}", finding.subject, finding.message)));
            let shown = if verbose { finding.details.len() } else { DETAILS };
            finding.details.iter().take(shown).for_each(|line| println!("    {}", visible(line)));
            if let Some(more) = finding.details.len().checked_sub(shown).filter(|more| *more > 0) {
                println!("    and {more} more (--verbose shows them)");
            }
        }
    }
    let [errors, warnings, information] =
        [Severity::Error, Severity::Warning, Severity::Information].map(|severity| report.count(severity));
    println!("");
    for ((severity, code), findings) in report.by_code() {
        if severity != Severity::Information {
            println!("{:>7} {code}", findings.len());
        }
    }
    println!("{errors} errors, {warnings} warnings, {information} remarks");
}
