//! `gander rpm insert-signature`.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::super::output::quoted;
use super::super::{Failure, Kind};
use super::{about, write};
use crate::openpgp::dearmor;
use crate::rpm::edit::{self, EditError, How};
use crate::rpm::signature::SignatureError;
use crate::rpm::{Headers, identify};

const BUFFER: usize = 1 << 17;
/// More than a signature header may have.
const LONGEST: u64 = 65 << 20;

/// Put a signature into a package file: unsigned file and signature give the signed file, byte for byte.
///
/// The result is what rpmsign writes. Main header and payload stay as they are, and the signature must have been made
/// over this main header; whether its key can be trusted is for 'gander rpm verify' to say. The signature stands under
/// RSAHEADER or DSAHEADER in a package of format 4, under OPENPGP in one of format 6.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The package file; it is not changed.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    what: What,
    /// The file to write, complete or not at all.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Drop the OpenPGP signatures that the package has, as 'rpmsign --resign' does.
    #[arg(long, conflicts_with = "header")]
    replace: bool,
    /// In a package of format 4, put the signature under OPENPGP, too, as 'rpmsign --rpmv6' does.
    #[arg(long, conflicts_with = "header")]
    rpmv6: bool,
    /// Replace the output file if it exists.
    #[arg(long)]
    force: bool,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct What {
    /// An OpenPGP signature, armored or not.
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    /// A whole signature header, as 'gander rpm extract-signature --header' gives it; it replaces the one that is there.
    #[arg(long, value_name = "FILE")]
    header: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let mut package = BufReader::with_capacity(BUFFER, open(&args.file)?);
    let about = |error: EditError| about(Kind::Input, "no signature can be put into", &args.file, error);
    let headers = Headers::read(&mut package).map_err(|error| about(error.into()))?;
    let header = match (&args.what.signature, &args.what.header) {
        (Some(path), _) => {
            let packet = dearmor(&read(path)?).map_err(|error| about(SignatureError::from(error).into()))?;
            edit::sign(&headers, &packet, How { replace: args.replace, rpmv6: args.rpmv6 })
        }
        (None, path) => edit::adopt(&headers, &path.as_deref().map_or(Ok(Vec::new()), read)?),
    };
    let header = header.map_err(|error| match error {
        EditError::Present(_) | EditError::Same => about(error).hint("--replace drops what is there"),
        _ => about(error),
    })?;
    write::file(&args.output, args.force, |output| {
        let writer = BufWriter::with_capacity(BUFFER, &*output);
        edit::write(&headers, &header, package, writer).map_err(about)?;
        // A package that is damaged gets no name.
        output.rewind().map_err(|error| write::failed(&args.output, error))?;
        identify(BufReader::with_capacity(BUFFER, output))
            .map(drop)
            .map_err(|error| super::about(Kind::Input, "no signature can be put into", &args.file, error))
    })?;
    Ok(ExitCode::SUCCESS)
}

fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|error| super::about(Kind::Input, "nothing can be read from", path, error))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = open(path)?.take(LONGEST + 1).read_to_end(&mut bytes);
    read.map_err(|error| super::about(Kind::Input, "nothing can be read from", path, error))?;
    if bytes.len() as u64 > LONGEST {
        let words = format!("'{}' is larger than any signature or signature header", quoted(path));
        return Err(Failure::new(Kind::Input, words));
    }
    Ok(bytes)
}
