//! The step `attach`: recorded signatures are put where they belong. It has no key and signs nothing.
//!
//! | parameter | meaning |
//! |---|---|
//! | `form` | `rpm-header`, `detached` or `clearsign` |
//! | `name` | the output file's name |
//! | `fingerprint` | but with `rpm-header`: the key whose signature it is, or several with spaces between them |
//! | `replaced` | with `rpm-header`: `yes` where the signatures that the package has go |
//!
//! | input | meaning |
//! |---|---|
//! | `package.rpm` | with `rpm-header`: the package, unsigned but for `replaced` |
//! | `signature` | with `rpm-header`: the OpenPGP packet, in binary |
//! | `file` | otherwise: the file that is signed |
//! | `signatures` | otherwise: the lock's table of such signatures by these keys |
//!
//! With `rpm-header` the output is the signed package, as [`crate::rpm::edit`] makes it; with
//! `detached` it is the signature of exactly these bytes in armor, which stands beside the file as `FILE.asc`; with
//! `clearsign` it is the text with its signature, as [`crate::openpgp::cleartext`] makes it. Those of several keys stand in
//! one armor, in the order of `fingerprint`.
//! The table rather than a packet is the input there, so that the step is known before the file is made.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::base::{Digest, RelPath, SourceDate};
use crate::lock::{SignatureKind, Signatures};
use crate::openpgp::{CleartextError, PacketError, armor_detached, clearsign, inspect};
use crate::plan::{Executor, Input, Rights, Step, StepIo};
use crate::rpm::edit::{EditError, How, sign, splice};
use crate::rpm::{Headers, PackageError};

/// The step's kind.
pub const KIND: &str = "attach";
/// Raised whenever other bytes come out.
pub const REVISION: u32 = 3;

const PACKAGE: &str = "package.rpm";
const SIGNATURE: &str = "signature";
const FILE: &str = "file";
const TABLE: &str = "signatures";
/// Larger than any signature packet.
const LIMIT: u64 = 1 << 20;
/// Larger than any file that is signed as a whole, and any table of such signatures.
const LONGEST: u64 = 64 << 20;
const BUFFER: usize = 1 << 17;

/// Why a signature was not attached.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// A file cannot be read or written. A retry may help.
    #[error("the file '{path}' cannot be {what}")]
    File {
        /// `read` or `written`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The step's description is wrong: a bug in what made it.
    #[error("the step's parameter '{0}' is missing or wrong")]
    Parameter(&'static str),
    /// The package or the signature is not usable. Retrying cannot help.
    #[error(transparent)]
    Signature(#[from] EditError),
    /// The package is not readable. Retrying cannot help.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The table has no signature of the file. Retrying cannot help; having it signed can.
    #[error("the lock has no {kind} signature by {fingerprint} of the file with digest {digest}")]
    Missing {
        /// The kind of signature.
        kind: SignatureKind,
        /// The key.
        fingerprint: String,
        /// The file.
        digest: Digest,
    },
    /// The table is malformed. Retrying cannot help.
    #[error("the table of signatures cannot be read")]
    Table(#[from] crate::lock::LockError),
    /// The signature is no packet. Retrying cannot help.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// The text does not fit into a message with its signature. Retrying cannot help.
    #[error(transparent)]
    Text(#[from] CleartextError),
    /// There is more of it than is ever signed. Retrying cannot help.
    #[error("the file '{path}' is larger than {limit} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The largest size.
        limit: u64,
    },
}

/// The step that makes the signed package `file` from one and a packet. Where it is `replaced`, the signatures that the
/// package has go; otherwise it must have none that the packet's would stand in the place of.
pub fn step(
    package: Input,
    signature: Input,
    replaced: bool,
    file: &RelPath,
    platform: &str,
    source_date: SourceDate,
) -> Step {
    let inputs = vec![(PACKAGE, package), (SIGNATURE, signature)];
    let mut step = build("rpm-header", inputs, file, platform, source_date);
    if replaced {
        step.params.insert("replaced".into(), "yes".into());
    }
    step
}

/// The step that makes the armored detached signature `name` (such as `repomd.xml.asc`) of a file from a
/// [`table`] of signatures by these keys.
pub fn detached_step(
    file: Input,
    table: Input,
    fingerprints: &[&str],
    name: &RelPath,
    platform: &str,
    source_date: SourceDate,
) -> Step {
    of_file("detached", [file, table], fingerprints, name, platform, source_date)
}

/// The table that steps of this kind of signature by these keys have as input: those of the lock, and no others.
pub fn table(signatures: &Signatures, kind: SignatureKind, fingerprints: &[&str]) -> Vec<u8> {
    signatures.only(kind, fingerprints).to_string().into_bytes()
}

/// The step that makes the clearsigned `name` (such as `CHECKSUM`) of a text from a [`table`] of signatures by these
/// keys.
pub fn clearsign_step(
    text: Input,
    table: Input,
    fingerprints: &[&str],
    name: &RelPath,
    platform: &str,
    source_date: SourceDate,
) -> Step {
    of_file("clearsign", [text, table], fingerprints, name, platform, source_date)
}

/// The step that looks the signature of a file up in a table.
fn of_file(
    form: &str,
    [file, table]: [Input; 2],
    fingerprints: &[&str],
    name: &RelPath,
    platform: &str,
    source_date: SourceDate,
) -> Step {
    let mut step = build(form, vec![(FILE, file), (TABLE, table)], name, platform, source_date);
    step.params.insert("fingerprint".into(), fingerprints.join(" "));
    step
}

fn build(
    form: &str,
    inputs: Vec<(&str, Input)>,
    file: &RelPath,
    platform: &str,
    source_date: SourceDate,
) -> Step {
    // The names are constants that are plain paths.
    let inputs = inputs.into_iter().filter_map(|(name, input)| Some((RelPath::new(name).ok()?, input)));
    Step {
        kind: KIND.into(),
        label: file.to_string(),
        params: BTreeMap::from([("form".into(), form.into()), ("name".into(), file.to_string())]),
        inputs: inputs.collect(),
        root: None,
        base: None,
        rights: Rights::Plain,
        platform: platform.into(),
        source_date,
        executor: Executor::Native(REVISION),
    }
}

/// Carries the step out.
pub fn execute(io: &StepIo) -> Result<(), AttachError> {
    let file = io.params.get("name").and_then(|name| RelPath::new(name).ok());
    let file = file.ok_or(AttachError::Parameter("name"))?;
    let output = file.below(&io.output);
    if let Some(folder) = output.parent() {
        fs::create_dir_all(folder).map_err(|source| written(folder, source))?;
    }
    match io.params.get("form").map(String::as_str) {
        Some("rpm-header") => {
            let replace = io.params.contains_key("replaced");
            let packet = read(&io.inputs.join(SIGNATURE), LIMIT)?;
            attach(&io.inputs.join(PACKAGE), &packet, How { replace, rpmv6: false }, &output)
        }
        Some("detached") => {
            let (_, packets) = find(io, SignatureKind::Detached)?;
            inspect(&packets)?;
            fs::write(&output, armor_detached(&packets)).map_err(|source| written(&output, source))
        }
        Some("clearsign") => {
            let (text, packets) = find(io, SignatureKind::Clearsign)?;
            fs::write(&output, clearsign(&text, &packets)?).map_err(|source| written(&output, source))
        }
        _ => Err(AttachError::Parameter("form")),
    }
}

/// The file, and the packets in the table that sign it.
fn find(io: &StepIo, kind: SignatureKind) -> Result<(Vec<u8>, Vec<u8>), AttachError> {
    let fingerprints = io.params.get("fingerprint").ok_or(AttachError::Parameter("fingerprint"))?;
    let table = read(&io.inputs.join(TABLE), LONGEST)?;
    let table = Signatures::parse(&String::from_utf8_lossy(&table))?;
    let file = read(&io.inputs.join(FILE), LONGEST)?;
    let digest = Digest::of(&file);
    let mut packets = Vec::new();
    for fingerprint in fingerprints.split(' ') {
        let missing = || AttachError::Missing { kind, fingerprint: fingerprint.into(), digest };
        packets.extend_from_slice(table.get(kind, &digest, fingerprint).ok_or_else(missing)?);
    }
    Ok((file, packets))
}

fn attach(package: &Path, packet: &[u8], how: How, output: &Path) -> Result<(), AttachError> {
    let headers = Headers::read(open(package)?)?;
    let header = sign(&headers, packet, how)?;
    let signed = File::create_new(output).map_err(|source| written(output, source))?;
    let mut signed = BufWriter::with_capacity(BUFFER, signed);
    splice(open(package)?, &header, &mut signed)?;
    signed.flush().map_err(|source| written(output, source))
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>, AttachError> {
    let mut bytes = Vec::new();
    open(path)?.take(limit + 1).read_to_end(&mut bytes).map_err(|source| unread(path, source))?;
    if bytes.len() as u64 > limit {
        return Err(AttachError::TooLarge { path: path.into(), limit });
    }
    Ok(bytes)
}

fn open(path: &Path) -> Result<BufReader<File>, AttachError> {
    let file = File::open(path).map_err(|source| unread(path, source))?;
    Ok(BufReader::with_capacity(BUFFER, file))
}

fn unread(path: &Path, source: io::Error) -> AttachError {
    AttachError::File { what: "read", path: path.into(), source }
}

fn written(path: &Path, source: io::Error) -> AttachError {
    AttachError::File { what: "written", path: path.into(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::{Signer, demonstration};

    #[test]
    fn puts_signatures_into_armor_and_around_texts() {
        let folder = tempfile::tempdir().unwrap();
        let date = SourceDate::from_seconds(1_793_491_200).unwrap();
        let signer = demonstration("goose", date, "Test").unwrap();
        let packet = signer.sign_detached(b"repomd", date).unwrap();
        for part in ["in", "out", "build"] {
            fs::create_dir(folder.path().join(part)).unwrap();
        }
        let fingerprint = signer.certificate().fingerprint().to_string();
        let mut signatures = Signatures::default();
        signatures.add(SignatureKind::Detached, Digest::of("repomd"), &fingerprint, packet.clone());
        signatures.add(SignatureKind::Detached, Digest::of("other"), &fingerprint, packet);
        let table = table(&signatures, SignatureKind::Detached, &[&fingerprint]);
        fs::write(folder.path().join("in/signatures"), &table).unwrap();
        fs::write(folder.path().join("in/file"), "repomd").unwrap();
        let step = detached_step(
            Input::Object(Digest::of("repomd")),
            Input::Object(Digest::of(&table)),
            &[&fingerprint],
            &RelPath::new("repomd.xml.asc").unwrap(),
            "x86_64",
            date,
        );
        let mut io = StepIo {
            params: step.params,
            source_date: date,
            inputs: folder.path().join("in"),
            output: folder.path().join("out"),
            scratch: folder.path().join("build"),
        };
        execute(&io).unwrap();
        let armored = fs::read(folder.path().join("out/repomd.xml.asc")).unwrap();
        assert!(armored.starts_with(b"-----BEGIN PGP SIGNATURE-----\n"));
        crate::openpgp::verify_detached(signer.certificate(), &armored, &b"repomd"[..], None).unwrap();

        let text = b"- a line with a dash \nFrom here\nno end";
        let packet = signer.sign_cleartext(text, date).unwrap();
        let mut signatures = Signatures::default();
        signatures.add(SignatureKind::Clearsign, Digest::of(text), &fingerprint, packet);
        let table = super::table(&signatures, SignatureKind::Clearsign, &[&fingerprint]);
        fs::write(folder.path().join("in/signatures"), &table).unwrap();
        fs::write(folder.path().join("in/file"), text).unwrap();
        let input = |bytes: &[u8]| Input::Object(Digest::of(bytes));
        let file = RelPath::new("CHECKSUM").unwrap();
        let step = clearsign_step(input(text), input(&table), &[&fingerprint], &file, "x86_64", date);
        io.params = step.params;
        execute(&io).unwrap();
        let message = fs::read(folder.path().join("out/CHECKSUM")).unwrap();
        let certificate = std::slice::from_ref(signer.certificate());
        let shown = crate::openpgp::verify_cleartext(certificate, &message).unwrap();
        assert_eq!(shown, b"- a line with a dash\nFrom here\nno end\n");
        assert_eq!(
            (REVISION, crate::base::Digest::of(&message).hex().as_str()),
            (3, "3023355d39df5dff50eba8f48808a25a65be17bb180a8b6d56f92ff252b147b2"),
            "the step attach makes other bytes: raise attach::REVISION and pin the new digest"
        );
        // Of two keys both signatures stand in one armor, and each alone verifies.
        let second = demonstration("gander", date, "Test").unwrap();
        let (first, other) = (signer.certificate(), second.certificate());
        let names = [other, first].map(|certificate| certificate.fingerprint().to_string());
        let names = names.each_ref().map(String::as_str);
        signatures.add(
            SignatureKind::Clearsign,
            Digest::of(text),
            names[0],
            second.sign_cleartext(text, date).unwrap(),
        );
        let table = super::table(&signatures, SignatureKind::Clearsign, &names);
        fs::write(folder.path().join("in/signatures"), &table).unwrap();
        io.params = clearsign_step(input(text), input(&table), &names, &file, "x86_64", date).params;
        execute(&io).unwrap();
        let message = fs::read(folder.path().join("out/CHECKSUM")).unwrap();
        for certificate in [first, other] {
            crate::openpgp::verify_cleartext(std::slice::from_ref(certificate), &message).unwrap();
        }
        assert_eq!(message.windows(9).filter(|piece| piece == b"BEGIN PGP").count(), 2);
        fs::write(folder.path().join("in/file"), "changed").unwrap();
        io.params.insert("name".into(), "y".into());
        assert!(matches!(execute(&io), Err(AttachError::Missing { .. })));
        io.params.insert("name".into(), "../x".into());
        assert!(matches!(execute(&io), Err(AttachError::Parameter("name"))));
        io.params.insert("name".into(), "x".into());
        io.params.insert("form".into(), "other".into());
        assert!(matches!(execute(&io), Err(AttachError::Parameter("form"))));
    }
}
