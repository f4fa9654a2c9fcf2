//! `realdata/rpms`: what gander reads of packages.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use gander::base::digest::hex;
use gander::openpgp::Hashing;
use gander::rpm::payload::PayloadError;
use gander::rpm::{File, Files, Headers, Payload, identify};

use super::rpmsign::table;
use super::{Tally, folder};

/// The package files of a folder, sorted.
fn packages(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths
        .filter(|path| path.is_file() && path.extension().is_some_and(|end| end == "rpm" || end == "drpm"))
        .collect();
    paths.sort();
    paths
}

/// Reads all of a payload and compares each content with its digest; what is wrong, or the number of contents.
fn contents(headers: &Headers, files: &Files<'_>, payload: &[u8]) -> Result<usize, String> {
    let listed: Vec<File<'_>> = files.iter().collect();
    let chain = |error: PayloadError| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        format!("{error}{}", cause.unwrap_or_default())
    };
    let mut payload = Payload::open(&headers.main, files, payload).map_err(chain)?;
    let mut compared = 0;
    let mut seen = 0;
    while let Some(member) = payload.next_member().map_err(chain)? {
        let file = &listed[member.file];
        seen += usize::from(!file.is_ghost());
        let mut content = Vec::new();
        payload.read_to_end(&mut content).map_err(|error| error.to_string())?;
        let has_content = !file.digest.is_empty() && !file.is_link() && (member.size > 0 || file.size == 0);
        if !has_content || file.is_ghost() {
            continue;
        }
        assert_eq!(content.len() as u64, file.size);
        let mut hashing = Hashing::new(files.digest_algorithm as u8).unwrap();
        hashing.update(&content);
        let found = hex(&hashing.finish().unwrap());
        // rpm of old wrote zeros for the digest of empty files.
        let unknown = content.is_empty() && file.digest.bytes().all(|digit| digit == b'0');
        if found != *file.digest && !unknown {
            return Err(format!("{} has the digest {found} instead of {}", file.path(), file.digest));
        }
        compared += 1;
    }
    let wanted = listed.iter().filter(|file| !file.is_ghost()).count();
    (seen == wanted).then_some(compared).ok_or(format!("{seen} of {wanted} files were there"))
}

#[test]
fn payloads_hold_what_headers_say() {
    let Some(root) = folder("GANDER_REALDATA", "payloads_hold_what_headers_say") else { return };
    let mut tally = Tally::new("realdata/rpms: payloads hold what their headers say");
    let mut compared = 0;
    for path in packages(&root.join("rpms")) {
        let bytes = fs::read(&path).unwrap();
        let mut rest = &bytes[..];
        let Ok(headers) = Headers::read(&mut rest) else { continue };
        let Ok(package) = headers.package() else { continue };
        let outcome = contents(&headers, &package.files, rest);
        compared += outcome.as_ref().unwrap_or(&0);
        tally.case(&path.file_name().unwrap().to_string_lossy(), outcome.err());
    }
    println!("{compared} contents have the digests that the headers state");
    tally.finish();
}

#[test]
fn hostile_payloads_are_refused() {
    let Some(root) = folder("GANDER_REALDATA", "hostile_payloads_are_refused") else { return };
    let mut tally = Tally::new("realdata/rpms: payloads that are hostile though all digests are right");
    for row in table(&root.join("rpms/INDEX.tsv")) {
        let (name, made) = (&row["file"], &row["good_for"]);
        if !["cpio", "expands to", "PAYLOADCOMPRESSOR"].iter().any(|word| made.contains(word)) {
            continue;
        }
        if made.contains("delta RPM") {
            continue;
        }
        let bytes = fs::read(root.join(name)).unwrap();
        let (headers, _) = identify(&bytes[..]).unwrap();
        let package = headers.package().unwrap();
        let payload = &bytes[package.header_range.end as usize..];
        let outcome = contents(&headers, &package.files, payload);
        println!("{name}: {outcome:?}");
        tally.case(name, outcome.is_ok().then(|| "it was read".into()));
    }
    tally.finish();
}
