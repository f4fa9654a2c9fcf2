//! `gander rpm verify`.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::super::output::{Format, quoted, visible};
use super::super::{Failure, Global, Kind};
use super::keys;
use crate::base::SourceDate;
use crate::openpgp::{Judgement, Keyring};
use crate::rpm::verify::{self, Check, Level, Outcome, Requirements, Subject, Verification};

/// Check digests and signatures of package files, as 'rpmkeys --checksig' does.
///
/// Everything that a package claims about itself is checked: digests of its header and payload, and OpenPGP
/// signatures of both. A package is OK if
///
/// - every digest and every signature in it fits,
///
/// - every signature is by a key of --keys that may sign, was neither expired nor revoked when it signed, and uses
///   algorithms that are strong enough: no MD5 or SHA-1, no DSA or RSA keys below 2048 bits. Packets of version 3 count,
///   since EL, Fedora and SUSE sign with them; the line says V3,
///
/// - good signatures cover header and payload, and so do digests,
///
/// - and its name and paths can be used: no '..', no control characters, no empty names.
///
/// A package that is not signed, or whose key is not there, is not OK unless an option says so. Signatures of single
/// files (IMA, fs-verity) are not checked.
///
/// Results: OK; BAD (does not fit); NOKEY (the key is not there); NOTTRUSTED (fits, but is weak, or its key is expired,
/// revoked or none that may sign); UNSUPPORTED (cannot be checked here). Exit code 1 if any package is not OK.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Package files.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// A key file, or a folder of key files (can be repeated).
    #[arg(long, value_name = "DIR|FILE", required_unless_present = "nosignature")]
    keys: Vec<PathBuf>,
    /// What must cover header and payload, as rpm's macro %_pkgverify_level: with 'digest', packages that are not
    /// signed are OK, too.
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t)]
    pkgverify_level: PkgverifyLevel,
    /// Where good signatures cover header and payload, take others that are NOKEY, NOTTRUSTED or UNSUPPORTED.
    #[arg(long)]
    any_signature: bool,
    /// Do not look at signatures.
    #[arg(long, conflicts_with_all = ["keys", "any_signature"])]
    nosignature: bool,
    /// Judge keys, signatures and algorithms as on this day (2028-12-31) or at this time (default: keys and
    /// signatures as when the signature was made, algorithms by the standards of 2026).
    #[arg(long, value_name = "TIME", value_parser = super::super::key::date)]
    policy_time: Option<SourceDate>,
    /// How the result is written to stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// rpm's levels.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum PkgverifyLevel {
    /// Signatures and digests.
    #[default]
    All,
    /// Signatures.
    Signature,
    /// Digests.
    Digest,
    /// Nothing: only what is there is checked.
    None,
}

/// Runs the command.
pub fn run(global: &Global, args: &Args) -> Result<ExitCode, Failure> {
    let keyring = if args.nosignature { None } else { Some(keys::read(global, &args.keys)?) };
    let level = match (args.pkgverify_level, args.nosignature) {
        (PkgverifyLevel::All, false) => Level::All,
        (PkgverifyLevel::Signature, false) => Level::Signature,
        (PkgverifyLevel::All | PkgverifyLevel::Digest, _) => Level::Digest,
        (PkgverifyLevel::Signature | PkgverifyLevel::None, _) => Level::None,
    };
    let wanted = Requirements { level, any_signature: args.any_signature };
    let judgement = args.policy_time.map_or_else(Judgement::default, |time| Judgement::as_of(time.seconds()));
    let mut failed = 0;
    let mut shown = Vec::new();
    for path in &args.files {
        let result = open(path, keyring.as_ref(), judgement);
        let good = result.as_ref().is_ok_and(|found| found.problems(wanted).is_empty());
        failed += usize::from(!good);
        match args.format {
            Format::Text => text(path, &result, wanted, global.verbose > 0),
            Format::Json => shown.push(document(path, &result, wanted)),
        }
    }
    if let Format::Json = args.format {
        println!("{:#}", Value::from(shown));
    }
    if failed == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    let all = args.files.len();
    Err(Failure::new(Kind::Verdict, format!("{failed} of {all} package files are not OK")))
}

/// Verifies a file, which is opened once; an error as one line.
fn open(path: &Path, keyring: Option<&Keyring>, judgement: Judgement) -> Result<Verification, String> {
    let file = File::open(path).map_err(|error| format!("the file cannot be read: {error}"))?;
    let certificates = keyring.map(Keyring::certificates);
    verify::verify(BufReader::new(file), certificates, judgement).map_err(|error| {
        let causes = std::iter::successors(std::error::Error::source(&error), |error| error.source());
        causes.fold(error.to_string(), |line, cause| format!("{line}: {cause}"))
    })
}

/// The classes of claims that a package has, as `rpmkeys -K` names them: in capitals where one failed.
fn classes(found: &Verification) -> String {
    let class = |signatures: bool, name: &str| {
        let mut all = found.checks.iter().filter(|check| check.is_signature() == signatures).peekable();
        all.peek()?;
        Some(if all.all(Check::is_good) { name.to_string() } else { name.to_ascii_uppercase() })
    };
    [class(false, "digests"), class(true, "signatures")].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn text(path: &Path, result: &Result<Verification, String>, wanted: Requirements, verbose: bool) {
    let name = quoted(path);
    let found = match result {
        Ok(found) => found,
        Err(problem) => return println!("{name}: NOT OK\n    {}", visible(problem)),
    };
    let problems = found.problems(wanted);
    let verdict = if problems.is_empty() { "OK" } else { "NOT OK" };
    println!("{name}: {}", format!("{} {verdict}", classes(found)).trim_start());
    let lines: Vec<String> = if verbose {
        let checks = found.checks.iter().map(ToString::to_string);
        let others = problems.iter().filter(|problem| !matches!(problem, verify::Problem::Check(_)));
        checks.chain(others.map(ToString::to_string)).collect()
    } else {
        problems.iter().map(ToString::to_string).collect()
    };
    for line in lines {
        println!("    {}", visible(&line));
    }
}

fn document(path: &Path, result: &Result<Verification, String>, wanted: Requirements) -> Value {
    let name = path.to_str().map_or_else(|| quoted(path), String::from);
    match result {
        Err(problem) => json!({ "file": name, "ok": false, "problems": [problem] }),
        Ok(found) => {
            let problems: Vec<String> = found.problems(wanted).iter().map(ToString::to_string).collect();
            json!({
                "file": name,
                "ok": problems.is_empty(),
                "problems": problems,
                "nevra": found.nevra.as_ref().ok().map(ToString::to_string),
                "sha256": found.file.hex(),
                "size": found.size,
                "checks": found.checks.iter().map(check).collect::<Vec<_>>(),
            })
        }
    }
}

fn check(check: &Check) -> Value {
    let mut shown = json!({
        "covers": match check.covers {
            verify::Covers::Header => "header",
            verify::Covers::Payload => "payload",
            verify::Covers::Both => "header and payload",
        },
        "tag": check.tag,
        "result": check.outcome.word(),
        "reason": check.outcome.reason(),
    });
    let more = match &check.subject {
        Subject::Digest { name, alternative } => {
            json!({ "kind": "digest", "algorithm": name, "uncompressed": alternative })
        }
        Subject::Signature(None) => json!({ "kind": "signature" }),
        Subject::Signature(Some(info)) => {
            let verified = match &check.outcome {
                Outcome::Good(verified) => verified.as_ref(),
                _ => None,
            };
            json!({
                "kind": "signature",
                "version": info.version,
                "algorithm": info.algorithm_name(),
                "hash": info.hash_name(),
                "issuer": info.issuer_name(),
                "created": info.created.and_then(|time| SourceDate::from_seconds(time).ok()),
                "key": verified.map(|verified| &verified.key),
                "certificate": verified.map(|verified| &verified.certificate),
            })
        }
    };
    if let (Value::Object(shown), Value::Object(more)) = (&mut shown, more) {
        shown.extend(more);
    }
    shown
}
