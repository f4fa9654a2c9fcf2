//! `gander sign`: files signed by keys in files or on tokens.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::key::{date, now, passphrase};
use super::output::quoted;
use super::rpm::{about, write};
use super::{Failure, Kind};
use crate::base::SourceDate;
use crate::openpgp::{armor_detached, clearsign, inspect_single};
use crate::rpm::edit::{self, How};
use crate::rpm::header::Type;
use crate::rpm::signature::Item;
use crate::rpm::{Header, Headers, Part, identify, tags};
use crate::sign::hashing::Hashing;
use crate::sign::{LocalSigner, Signer as _, open_key};

const BUFFER: usize = 1 << 17;
/// The largest text, in bytes.
const LONGEST: u64 = 1 << 30;

/// Sign files by a secret key file, or a key on a token.
///
/// The same key, file and '--time' give the same bytes. Each signature is verified before it is written.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Write each text, readable, with its signature into FILE.asc.
    Text {
        #[command(flatten)]
        common: Common,
    },
    /// Write a signature of each file into FILE.asc, or FILE.sig without armor.
    Detached {
        #[command(flatten)]
        common: Common,
        /// Without armor.
        #[arg(long)]
        binary: bool,
    },
    /// Put a signature into each package file, in its place or in the folder of '--output'.
    Rpm {
        #[command(flatten)]
        common: Common,
        /// Drop the OpenPGP signatures that the packages have.
        #[arg(long)]
        resign: bool,
        /// Sign header and payload, too, under PGP or GPG, for rpm before 4.14.
        #[arg(long)]
        legacy: bool,
        /// In packages of format 4, put the signature under OPENPGP, too, where several can stand.
        #[arg(long)]
        openpgp_tag: bool,
    },
}

#[derive(Debug, clap::Args)]
struct Common {
    /// The files.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// A secret key file, or the key file of a key on a token; several sign one after the other.
    #[arg(short, long = "key", value_name = "FILE", required = true)]
    keys: Vec<PathBuf>,
    /// Its passphrase, or the token's PIN, is the first line of this file; for several keys, in their order.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Vec<PathBuf>,
    /// The time of the signatures (default: now).
    #[arg(long, value_name = "TIME", value_parser = date)]
    time: Option<SourceDate>,
    /// A folder that exists, for what is written.
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Replace files that exist.
    #[arg(long)]
    force: bool,
}

impl Common {
    fn signers(&self) -> Result<(Vec<LocalSigner>, SourceDate), Failure> {
        let mut signers = Vec::new();
        for (place, key) in self.keys.iter().enumerate() {
            let passphrase = passphrase(self.passphrase_file.get(place).map(PathBuf::as_path))?;
            let key = open_key(key, passphrase.as_ref().map(|line| line.as_slice()))?;
            signers.push(key.signer()?);
        }
        Ok((signers, self.time.map_or_else(now, Ok)?))
    }

    /// Where the result for a file is written.
    fn place(&self, file: &Path, suffix: &str) -> Result<PathBuf, Failure> {
        let mut path = match &self.output {
            None => file.to_path_buf(),
            Some(folder) => folder.join(
                file.file_name()
                    .ok_or_else(|| Failure::new(Kind::Usage, format!("'{}' is no file", quoted(file))))?,
            ),
        }
        .into_os_string();
        path.push(suffix);
        Ok(path.into())
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
        write::file(path, self.force, |output| {
            output.write_all(bytes).map_err(|error| write::failed(path, error))
        })
    }
}

/// Runs the command.
pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    match &args.what {
        What::Text { common } => {
            let (signers, time) = common.signers()?;
            for file in &common.files {
                let mut text = Vec::new();
                let read = open(file)?.take(LONGEST + 1).read_to_end(&mut text);
                read.map_err(|error| about(Kind::Input, "nothing can be read from", file, error))?;
                if text.len() as u64 > LONGEST {
                    return Err(Failure::new(Kind::Input, format!("'{}' has more than 1 GiB", quoted(file))));
                }
                let mut packets = Vec::new();
                for signer in &signers {
                    packets.extend(signer.sign_cleartext(&text, time)?);
                }
                let message = clearsign(&text, &packets)
                    .map_err(|error| about(Kind::Input, "nothing is signed in", file, error))?;
                common.write(&common.place(file, ".asc")?, &message)?;
            }
        }
        What::Detached { common, binary } => {
            let (signers, time) = common.signers()?;
            for file in &common.files {
                let hashing = hash(Hashing::new()?, open(file)?, file)?;
                let mut packets = Vec::new();
                for signer in &signers {
                    packets.extend(hashing.sign(signer, time)?);
                }
                let (suffix, bytes) =
                    if *binary { (".sig", packets) } else { (".asc", armor_detached(&packets).into()) };
                common.write(&common.place(file, suffix)?, &bytes)?;
            }
        }
        What::Rpm { common, resign, legacy, openpgp_tag } => {
            let (signers, time) = common.signers()?;
            if signers.len() > 1 && !*openpgp_tag {
                let words = "a package of format 4 has one signature; several stand under OPENPGP";
                return Err(Failure::new(Kind::Usage, words).hint("--openpgp-tag puts them there"));
            }
            let how = How { replace: *resign, rpmv6: *openpgp_tag };
            for file in &common.files {
                rpm(common, file, &signers, time, how, *legacy)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn rpm(
    common: &Common,
    file: &Path,
    signers: &[LocalSigner],
    time: SourceDate,
    how: How,
    legacy: bool,
) -> Result<(), Failure> {
    const WHAT: &str = "no signature can be put into";
    let mut package = BufReader::with_capacity(BUFFER, open(file)?);
    let mut headers = Headers::read(&mut package).map_err(|error| about(Kind::Input, WHAT, file, error))?;
    let payload = package
        .stream_position()
        .map_err(|error| about(Kind::Input, "nothing can be read from", file, error))?;
    let mut how = how;
    let mut header = Vec::new();
    let parse = |bytes: &[u8]| {
        Header::parse(Part::Signature, bytes).map_err(|error| about(Kind::Input, WHAT, file, error))
    };
    for signer in signers {
        let packet = signer.sign_detached(headers.main.bytes(), time)?;
        header = edit::sign(&headers, &packet, how).map_err(|error| {
            about(Kind::Input, WHAT, file, error).hint("--resign drops the signatures it has")
        })?;
        headers.signature = parse(&header)?;
        how.replace = false;
    }
    if let (true, Some(signer)) = (legacy, signers.first()) {
        let mut hashing = Hashing::new()?;
        hashing.update(headers.main.bytes());
        let hashing = hash(hashing, &mut package, file)?;
        package
            .seek(std::io::SeekFrom::Start(payload))
            .map_err(|error| about(Kind::Input, "nothing can be read from", file, error))?;
        let packet = hashing.sign(signer, time)?;
        let rsa = inspect_single(&packet).is_ok_and(|info| info.is_rsa());
        let tag = if rsa { tags::SIG_PGP } else { tags::SIG_GPG };
        let count = u32::try_from(packet.len()).unwrap_or(u32::MAX);
        let item = Item { tag, kind: Type::Binary, count, data: packet };
        header = edit::edit(&headers.signature, &[], &[item]).map_err(|error| {
            about(Kind::Input, WHAT, file, error).hint("--resign drops the signatures it has")
        })?;
    }
    let path = common.place(file, "")?;
    let replace = common.force || common.output.is_none();
    write::file(&path, replace, |output| {
        let writer = BufWriter::with_capacity(BUFFER, &*output);
        edit::write(&headers, &header, package, writer).map_err(|error| {
            about(Kind::Surroundings, "the signed package cannot be written to", &path, error)
        })?;
        // A package that is damaged gets no name.
        output.rewind().map_err(|error| write::failed(&path, error))?;
        identify(BufReader::with_capacity(BUFFER, output))
            .map(drop)
            .map_err(|error| about(Kind::Input, WHAT, file, error))
    })
}

/// Hashes what is left of a file.
fn hash(mut hashing: Hashing, mut file: impl std::io::Read, path: &Path) -> Result<Hashing, Failure> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hashing),
            Ok(length) => hashing.update(buffer.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(about(Kind::Input, "nothing can be read from", path, error)),
        }
    }
}

fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|error| about(Kind::Input, "nothing can be read from", path, error))
}
