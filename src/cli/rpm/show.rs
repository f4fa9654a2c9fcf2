//! `gander rpm show`.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::output::Format;
use super::super::{Failure, Kind};
use super::about;
use crate::rpm::dependency::{self, Dependency};
use crate::rpm::payload::{Member, Payload, PayloadError};
use crate::rpm::scriptlets::{Script, Trigger};
use crate::rpm::stated::algorithm_name;
use crate::rpm::{Headers, Package, PackageError};

/// Show what a package file says about itself.
///
/// Nothing is verified: neither digests nor signatures.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The package file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Read the payload, too, and list what it holds.
    #[arg(long)]
    payload: bool,
    /// How the result is written to stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let unread = "nothing can be read from";
    let file = File::open(&args.file).map_err(|error| about(Kind::Input, unread, &args.file, error))?;
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let broken = |error: PackageError| about(Kind::Input, "no package can be read from", &args.file, error);
    let headers = Headers::read(&mut reader).map_err(broken)?;
    let package = headers.package().map_err(broken)?;
    let members = match args.payload {
        true => Some(
            members(&headers, &package, reader)
                .map_err(|error| about(Kind::Input, "the payload cannot be read of", &args.file, error))?,
        ),
        false => None,
    };
    match args.format {
        Format::Text => print!("{}", text(&headers, &package, members.as_deref()).map_err(broken)?),
        Format::Json => println!("{:#}", document(&headers, &package, members.as_deref()).map_err(broken)?),
    }
    Ok(ExitCode::SUCCESS)
}

/// What the payload holds, in its order.
fn members(
    headers: &Headers,
    package: &Package<'_>,
    reader: impl BufRead,
) -> Result<Vec<Member>, PayloadError> {
    let mut payload = Payload::open(&headers.main, &package.files, reader)?;
    std::iter::from_fn(|| payload.next_member().transpose()).collect()
}

fn relation(dependency: &Dependency<'_>) -> String {
    match dependency.comparison() {
        "" => dependency.name.to_string(),
        comparison => format!("{} {comparison} {}", dependency.name, dependency.evr),
    }
}

fn algorithm(number: u32) -> String {
    algorithm_name(number).map_or_else(|| format!("algorithm {number}"), str::to_owned)
}

/// Lines for people: what fits into one each.
fn text(
    headers: &Headers,
    package: &Package<'_>,
    members: Option<&[Member]>,
) -> Result<String, PackageError> {
    let mut lines = Vec::new();
    let mut line = |label: &str, value: &str| {
        if !value.is_empty() {
            lines.push(format!("{label:<13} {value}"));
        }
    };
    line("package", &package.nevra.to_string());
    line("format", &(package.format as u8).to_string());
    line("summary", &package.summary);
    line("license", &package.license);
    line("url", &package.url);
    line("vendor", &package.vendor);
    line("packager", &package.packager);
    line("source", package.sourcerpm.as_deref().unwrap_or_default());
    line("built", &format!("{} on {}", package.buildtime, package.buildhost));
    line("size", &format!("{} bytes installed", package.installed_size));
    line("header", &format!("bytes {} to {}", package.header_range.start, package.header_range.end));
    for digest in headers.digests()? {
        line(
            "digest",
            &format!("{} of {}: {}", algorithm(digest.algorithm), digest.covered.name(), digest.value),
        );
    }
    for signature in headers.signatures()? {
        let (tag, bytes) = (signature.tag, signature.data.len());
        line("signature", &format!("tag {tag} over {}, {bytes} bytes", signature.covered.name()));
    }
    for kind in dependency::Kind::ALL {
        for dependency in package.dependencies(kind).iter() {
            line(kind.name(), &relation(&dependency));
        }
    }
    for (moment, script) in headers.scriptlets()? {
        line(moment.name(), &script.program.join(" "));
    }
    for trigger in headers.triggers()? {
        let conditions: Vec<_> = trigger.conditions.iter().map(relation).collect();
        let label = format!("{}{}", trigger.kind.name(), trigger.moment());
        line(&label, &format!("{} on {}", trigger.script.program.join(" "), conditions.join(", ")));
    }
    let mut paths = Vec::new();
    for file in package.files.iter() {
        let path = file.path();
        let owners = format!("{} {}", file.user, file.group);
        let ghost = if file.is_ghost() { " (ghost)" } else { "" };
        line("file", &format!("{:06o} {owners} {} {path}{ghost}", file.mode, file.size));
        paths.push(path);
    }
    for member in members.unwrap_or_default() {
        let path = paths.get(member.file).map_or("", String::as_str);
        line("payload", &format!("{} {path}", member.size));
    }
    // What others wrote may hold anything, even what moves a terminal's cursor.
    Ok(lines.iter().map(|line| line.escape_debug().to_string() + "\n").collect())
}

fn dependency_value(dependency: &Dependency<'_>) -> Value {
    json!({ "name": dependency.name, "flags": dependency.flags, "evr": dependency.evr })
}

fn script_value(script: &Script<'_>) -> Value {
    json!({ "program": script.program, "body": script.body, "flags": script.flags })
}

fn trigger_value(trigger: &Trigger<'_>) -> Value {
    let conditions: Vec<_> = trigger.conditions.iter().map(dependency_value).collect();
    json!({
        "kind": trigger.kind.name(),
        "moment": trigger.moment(),
        "script": script_value(&trigger.script),
        "conditions": conditions,
        "priority": trigger.priority,
    })
}

/// Everything, for programs.
fn document(
    headers: &Headers,
    package: &Package<'_>,
    members: Option<&[Member]>,
) -> Result<Value, PackageError> {
    let Package { nevra, .. } = package;
    let digests = headers.digests()?.into_iter().map(|digest| {
        json!({
            "covered": digest.covered.name(),
            "algorithm": algorithm(digest.algorithm),
            "value": digest.value,
        })
    });
    let signatures = headers.signatures()?.into_iter().map(|signature| {
        let data = match std::str::from_utf8(signature.data) {
            Ok(base64) if signature.tag == crate::rpm::tags::SIG_OPENPGP => base64.to_owned(),
            _ => STANDARD.encode(signature.data),
        };
        json!({ "tag": signature.tag, "covered": signature.covered.name(), "packet": data })
    });
    let scriptlets = headers.scriptlets()?.into_iter().map(|(moment, script)| {
        let mut value = script_value(&script);
        value["moment"] = moment.name().into();
        value
    });
    let files = package.files.iter().map(|file| {
        json!({
            "path": file.path(),
            "mode": file.mode,
            "flags": file.flags,
            "verify_flags": file.verify_flags,
            "user": file.user,
            "group": file.group,
            "size": file.size,
            "mtime": file.mtime,
            "digest": file.digest,
            "link_to": file.link_to,
            "colour": file.colour,
            "inode": file.inode,
            "device": file.device,
            "rdev": file.rdev,
            "capabilities": file.capabilities,
            "language": file.language,
        })
    });
    let changelog = package
        .changelogs
        .iter()
        .map(|entry| json!({ "time": entry.time, "author": entry.author, "text": entry.text }));
    let mut document = json!({
        "nevra": nevra,
        "name": nevra.name,
        "epoch": package.has_epoch.then_some(nevra.evr.epoch),
        "version": nevra.evr.version,
        "release": nevra.evr.release,
        "arch": nevra.arch,
        "format": package.format as u8,
        "source": package.is_source,
        "sourcerpm": package.sourcerpm,
        "summary": package.summary,
        "description": package.description,
        "license": package.license,
        "vendor": package.vendor,
        "group": package.group,
        "url": package.url,
        "packager": package.packager,
        "buildhost": package.buildhost,
        "buildtime": package.buildtime,
        "installed_size": package.installed_size,
        "archive_size": package.archive_size,
        "header": { "start": package.header_range.start, "end": package.header_range.end },
        "digests": digests.collect::<Vec<_>>(),
        "signatures": signatures.collect::<Vec<_>>(),
        "scriptlets": scriptlets.collect::<Vec<_>>(),
        "triggers": headers.triggers()?.iter().map(trigger_value).collect::<Vec<_>>(),
        "file_digests": algorithm(package.files.digest_algorithm),
        "files": files.collect::<Vec<_>>(),
        "changelog": changelog.collect::<Vec<_>>(),
    });
    for kind in dependency::Kind::ALL {
        document[kind.name()] = package.dependencies(kind).iter().map(|one| dependency_value(&one)).collect();
    }
    if let Some(members) = members {
        let value = |member: &Member| json!({ "file": member.file, "size": member.size });
        document["payload"] = members.iter().map(value).collect();
    }
    Ok(document)
}
