//! `gander rpm extract-signature`.

use std::fs::File;
use std::io::{BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::super::{Failure, Kind, output};
use super::{about, write};
use crate::openpgp::inspect_single;
use crate::rpm::{Headers, signature};

/// Take a header signature, or the whole signature header, out of a package file.
///
/// 'gander rpm insert-signature' puts it back: the same bytes come out.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The package file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where to write it (default: stdout).
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Take the whole signature header with its padding: digests, signatures of files and reserve included.
    #[arg(long)]
    header: bool,
    /// Of several signatures, take the one by this key: its fingerprint or the end of it.
    #[arg(long, value_name = "KEY", conflicts_with = "header")]
    key: Option<String>,
    /// Replace the output file if it exists.
    #[arg(long, requires = "output")]
    force: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let unread = "nothing can be read from";
    let file = File::open(&args.file).map_err(|error| about(Kind::Input, unread, &args.file, error))?;
    let headers = Headers::read(BufReader::new(file))
        .map_err(|error| about(Kind::Input, "no signature can be taken out of", &args.file, error))?;
    let bytes = if args.header {
        [headers.signature.bytes(), &headers.padding].concat()
    } else {
        packet(args, &headers)?
    };
    match &args.output {
        None => output::write_bytes(&bytes),
        Some(path) => write::file(path, args.force, |file| {
            file.write_all(&bytes).map_err(|error| write::failed(path, error))
        })?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The one packet that is meant.
fn packet(args: &Args, headers: &Headers) -> Result<Vec<u8>, Failure> {
    let what = "no signature can be taken out of";
    let mut packets: Vec<Vec<u8>> = signature::packets(&headers.signature)
        .map_err(|error| about(Kind::Input, what, &args.file, error))?
        .into_iter()
        .map(|(_, packet)| packet)
        .collect();
    // 'rpmsign --rpmv6' puts one packet under two tags.
    packets.sort();
    packets.dedup();
    let wanted = args.key.as_ref().map(|key| key.to_ascii_uppercase());
    let names = |packet: &[u8]| match inspect_single(packet) {
        Ok(info) => info.issuer.iter().map(ToString::to_string).chain(info.issuer_ids.clone()).collect(),
        Err(_) => Vec::new(),
    };
    if let Some(key) = &wanted {
        packets.retain(|packet| names(packet).iter().any(|name| name.ends_with(key.as_str())));
    }
    match <[Vec<u8>; 1]>::try_from(packets) {
        Ok([packet]) => Ok(packet),
        Err(none) if none.is_empty() => Err(nothing(&args.file, wanted.as_deref())),
        Err(several) => {
            let keys: Vec<String> = several
                .iter()
                .map(|packet| names(packet).into_iter().next().unwrap_or_else(|| "an unnamed key".into()))
                .collect();
            let words = format!("'{}' has {} signatures", output::quoted(&args.file), several.len());
            Err(Failure::new(Kind::Usage, words)
                .hint(format!("say with --key which one is meant: {}", keys.join(", ")))
                .hint("--header takes all of them"))
        }
    }
}

fn nothing(path: &Path, key: Option<&str>) -> Failure {
    let by = key.map_or_else(String::new, |key| format!(" by the key {key}"));
    Failure::new(Kind::Input, format!("'{}' has no header signature{by}", output::quoted(path)))
}
