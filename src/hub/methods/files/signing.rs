//! Signatures: `addRPMSig`, `writeSignedRPM`, `deleteRPMSig` and the checksums of files with them.

use std::fs::{self, File};
use std::io::{self, BufReader, Write as _};

use base64::Engine as _;
use openssl::hash::{Hasher, MessageDigest};

use super::import::{RpmPaths, known, nvra};
use super::placement::{Note, Placement};
use crate::base::chain;
use crate::base::digest::hex;
use crate::format::xmlrpc::{Fault, Value};
use crate::hub::methods::call::{Call, Outcome};
use crate::hub::methods::python;
use crate::hub::methods::table::Method;
use crate::hub::methods::{generic, internal, now};
use crate::hub::{Build, ChecksumType, QueryOptions, Rpm, RpmKey, Stamp, View, Write};
use crate::koji::SignatureHeader;
use crate::rpm::edit;

/// Bytes of the largest signature header that is taken; rpm reads none beyond 64 MiB.
const LARGEST_HEADER: u64 = 64 << 20;

/// Whether an RPM has a signature of a key.
pub fn has_signature(view: &View, rpm: i64, sigkey: &str) -> Result<bool, Fault> {
    let all = view.signatures(Some(&rpm.into()), Some(sigkey), &QueryOptions::default())?;
    Ok(!all.rows().is_empty())
}

/// Keeps a signature and its header.
pub fn keep(
    write: &mut Write<'_>,
    placement: &mut Placement<'_>,
    stamp: &Stamp,
    rpm: &Rpm,
    paths: &RpmPaths,
    signature: &SignatureHeader,
) -> Result<(), Fault> {
    write.add_signature(stamp, rpm.id, &signature.sigkey, &signature.sighash)?;
    let staged = placement.files().stage(|file| file.write_all(&signature.bytes).map_err(internal))?.0;
    let (path, sigkey) = (paths.header(&signature.sigkey), signature.sigkey.clone());
    placement.place(staged, Note::Signature { path, nvra: nvra(rpm), sigkey })
}

/// An RPM that is this hub's own, its build and where its files are.
fn internal_rpm(view: &View, key: &RpmKey) -> Result<(Build, Rpm, RpmPaths), Fault> {
    let rpm = view.rpm(key, true)?.ok_or_else(|| generic("No such rpm"))?;
    if rpm.external_repo_id != 0 {
        return Err(generic(format!(
            "Not an internal rpm: {} (from {})",
            nvra(&rpm),
            rpm.external_repo_name
        )));
    }
    let (build, rpm) = known(view, rpm.id)?;
    let paths = RpmPaths::new(&build, &rpm);
    Ok((build, rpm, paths))
}

fn add_signature(call: &mut Call<'_, '_>) -> Outcome {
    let (key, stamp) = (call.rpm("an_rpm")?, call.stamp()?);
    let bytes = match call.value("data") {
        // The CLI sends base64 as a text, with line ends.
        Value::Text(text) => {
            let text: String = text.split_ascii_whitespace().collect();
            base64::engine::general_purpose::STANDARD.decode(text).map_err(internal)?
        }
        Value::Bytes(bytes) => bytes,
        _ => return Err(internal("the signature header is no text")),
    };
    let topdir = call.methods.files.topdir();
    let (write, placement) = call.write()?;
    let (_, rpm, paths) = internal_rpm(write, &key)?;
    if !topdir.join(paths.primary()).is_file() {
        return Err(generic(format!("No such path: {}", paths.primary().display())));
    }
    let signature = SignatureHeader::parse(&bytes)?;
    let sigmd5 = signature.sigmd5.as_deref().unwrap_or_default();
    if sigmd5 != rpm.payloadhash {
        return Err(generic(format!("wrong md5 for {}: {sigmd5}", nvra(&rpm))));
    }
    keep(write, placement, &stamp, &rpm, &paths, &signature)?;
    call.answer(&())
}

/// Counts what is written and hashes it.
struct Sums {
    hashers: Vec<(ChecksumType, Hasher)>,
}

impl Sums {
    fn new(kinds: &[ChecksumType]) -> Result<Self, Fault> {
        let hasher = |kind: &ChecksumType| {
            let digest = match kind {
                ChecksumType::Md5 => MessageDigest::md5(),
                ChecksumType::Sha1 => MessageDigest::sha1(),
                ChecksumType::Sha256 => MessageDigest::sha256(),
            };
            Hasher::new(digest).map(|hasher| (*kind, hasher)).map_err(internal)
        };
        Ok(Self { hashers: kinds.iter().map(hasher).collect::<Result<_, _>>()? })
    }

    fn finish(self) -> Result<Vec<(ChecksumType, String)>, Fault> {
        let each = self.hashers.into_iter();
        each.map(|(kind, mut hasher)| Ok((kind, hex(&hasher.finish().map_err(internal)?)))).collect()
    }
}

impl io::Write for Sums {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for (_, hasher) in &mut self.hashers {
            hasher.update(bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes to both.
struct Both<'w>(&'w mut File, &'w mut Sums);

impl io::Write for Both<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.0.write(bytes)?;
        self.1.write_all(bytes.get(..written).unwrap_or_default())?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Puts the file with a signature together: of the file as it was imported, and the signature header.
fn splice(call: &Call<'_, '_>, paths: &RpmPaths, sigkey: &str, to: impl io::Write) -> Result<(), Fault> {
    let topdir = call.methods.files.topdir();
    let (primary, header) = (paths.primary(), paths.header(sigkey));
    let missing = |path: &std::path::Path| generic(format!("No such path: {}", path.display()));
    let found = fs::metadata(topdir.join(&header)).map_err(|_| missing(&header))?;
    if found.len() > LARGEST_HEADER {
        return Err(internal("the signature header is too large"));
    }
    let header = fs::read(topdir.join(&header)).map_err(internal)?;
    let file = File::open(topdir.join(&primary)).map_err(|_| missing(&primary))?;
    edit::splice(BufReader::with_capacity(1 << 17, file), &header, to)
        .map_err(|error| internal(chain(&error)))
}

fn write_signed(call: &mut Call<'_, '_>) -> Outcome {
    let key = call.rpm("an_rpm")?;
    let sigkey = call.needed_text("sigkey")?.to_ascii_lowercase();
    let (force, stamp) = (call.flag("force"), call.stamp()?);
    let view = call.view()?;
    let (_, rpm, paths) = internal_rpm(view, &key)?;
    if sigkey.is_empty() || !has_signature(view, rpm.id, &sigkey)? {
        let text = format!("No cached signature for package {}, key {sigkey}", nvra(&rpm));
        return Err(generic(text));
    }
    let files = &call.methods.files;
    let mut sums = Sums::new(&ChecksumType::DEFAULT)?;
    if !force && files.topdir().join(paths.signed(&sigkey)).is_file() {
        splice(call, &paths, &sigkey, &mut sums)?;
    } else {
        let staged = files.stage(|file| splice(call, &paths, &sigkey, Both(file, &mut sums)))?.0;
        files.replace(staged, &paths.signed(&sigkey))?;
    }
    let (write, _) = call.write()?;
    for (kind, checksum) in sums.finish()? {
        write.keep_checksum(&stamp, rpm.id, &sigkey, kind, &checksum)?;
    }
    call.answer(&())
}

fn delete_signature(call: &mut Call<'_, '_>) -> Outcome {
    let (key, stamp) = (call.rpm("rpminfo")?, call.stamp()?);
    let (sigkey, all) = (call.text("sigkey")?, call.flag("all_sigs"));
    let sigkey = if all { None } else { sigkey.filter(|sigkey| !sigkey.is_empty()) };
    if !all && sigkey.is_none() {
        return Err(generic("No signature specified"));
    }
    let topdir = call.methods.files.topdir();
    let (write, placement) = call.write()?;
    let (_, _, paths) = internal_rpm(write, &key)?;
    for signature in write.delete_signature(&stamp, &key, sigkey.as_deref())? {
        // The header stays under another name, as with Koji; the copy follows from it.
        let header = topdir.join(paths.header(&signature.sigkey));
        let mut kept = header.clone().into_os_string();
        kept.push(format!(".{}.save", signature.sighash));
        let signed = (!signature.sigkey.is_empty()).then(|| topdir.join(paths.signed(&signature.sigkey)));
        placement.later(move || {
            drop(fs::rename(header, kept));
            drop(signed.map(fs::remove_file));
        });
    }
    call.answer(&())
}

fn checksums(call: &mut Call<'_, '_>) -> Outcome {
    let Value::Int(id) = call.value("rpm_id") else { return Err(generic("rpm_id must be an integer")) };
    let kinds = match call.value("checksum_types") {
        Value::Nil => ChecksumType::DEFAULT.to_vec(),
        Value::Array(names) if names.is_empty() => ChecksumType::DEFAULT.to_vec(),
        Value::Array(names) => {
            let named = |name| match name {
                Value::Text(name) => ChecksumType::named(&name),
                name => Err(generic(format!("Checksum_type {} isn't supported", python::repr(&name)))),
            };
            names.into_iter().map(named).collect::<Result<_, _>>()?
        }
        _ => return Err(generic("checksum_type must be a list")),
    };
    let cache_only = call.flag("cacheonly");
    let kept = call.view()?.checksums(id, &kinds)?;
    let lacking =
        |of_key: &std::collections::BTreeMap<String, Option<String>>| of_key.values().any(Option::is_none);
    let missing: Vec<String> =
        kept.iter().filter(|(_, of_key)| lacking(of_key)).map(|(sigkey, _)| sigkey.clone()).collect();
    if cache_only || missing.is_empty() {
        return call.answer(&kept);
    }
    let (_, _, paths) = internal_rpm(call.view()?, &id.into())?;
    let mut found = Vec::new();
    for sigkey in missing {
        let mut sums = Sums::new(&kinds)?;
        splice(call, &paths, &sigkey, &mut sums)?;
        found.push((sigkey, sums.finish()?));
    }
    // Anybody may have them computed; that is no event, and nobody's.
    let stamp = Stamp::new(now(), 0);
    let (write, _) = call.write()?;
    for (sigkey, sums) in found {
        for (kind, checksum) in sums {
            write.keep_checksum(&stamp, id, &sigkey, kind, &checksum)?;
        }
    }
    let kept = write.checksums(id, &kinds)?;
    call.answer(&kept)
}

/// The methods.
pub const METHODS: &[Method] = &[
    Method::write("addRPMSig", "RootExports.addRPMSig", "an_rpm, data", "sign", add_signature),
    Method::write(
        "writeSignedRPM",
        "RootExports.writeSignedRPM",
        "an_rpm, sigkey, force=False",
        "sign",
        write_signed,
    ),
    Method::write(
        "deleteRPMSig",
        "RootExports.deleteRPMSig",
        "rpminfo, sigkey=None, all_sigs=False",
        "admin",
        delete_signature,
    ),
    Method::read(
        "getRPMChecksums",
        "RootExports.getRPMChecksums",
        "rpm_id, checksum_types=None, cacheonly=False",
        checksums,
    ),
];
