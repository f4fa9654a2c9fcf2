//! `oracle/rpmsign`: signed packages as rpmsign and sigul wrote them, byte for byte; and
//! `realdata/rpms`: genuine, damaged and hostile packages against rpm 4.18's verdicts.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use gander::base::Digest;
use gander::openpgp::{self, Certificate, VerifyError};
use gander::rpm::header::Type;
use gander::rpm::signature::{self, Item};
use gander::rpm::{Headers, PackageError, edit, identify};
use serde_json::Value;

use super::{Tally, folder};

fn number(value: &Value) -> u32 {
    u32::try_from(value.as_u64().unwrap()).unwrap()
}

#[test]
fn signed_packages_byte_for_byte() {
    let Some(root) = folder("GANDER_ORACLE", "rpmsign") else { return };
    let root = root.join("rpmsign");
    let pairs: Vec<Value> = serde_json::from_slice(&fs::read(root.join("pairs.json")).unwrap()).unwrap();
    let mut edited = Tally::new("rpmsign: edited signature headers");
    let mut verified = Tally::new("rpmsign: verified packets");
    for pair in &pairs {
        let id = pair["id"].as_str().unwrap();
        let input = fs::read(root.join(pair["input"]["file"].as_str().unwrap())).unwrap();
        let headers = Headers::read(&input[..]).unwrap();
        let removed: Vec<u32> = pair["removed_tags"].as_array().unwrap().iter().map(number).collect();
        let engine = base64::engine::general_purpose::STANDARD;
        let item = |value: &Value| Item {
            tag: number(&value["tag"]),
            kind: Type::from_number(number(&value["type"])).unwrap(),
            count: number(&value["count"]),
            data: engine.decode(value["base64"].as_str().unwrap()).unwrap(),
        };
        let inserted: Vec<Item> = pair["inserted"].as_array().unwrap().iter().map(item).collect();
        let header = edit::edit(&headers.signature, &removed, &inserted).unwrap();
        let mut signed = Vec::new();
        edit::splice(&input[..], &header, &mut signed).unwrap();
        let wanted = Digest::from_hex(pair["output"]["sha256"].as_str().unwrap()).unwrap();
        edited.case(id, (Digest::of(&signed) != wanted).then(|| "other bytes than the oracle's".into()));

        let (signed_headers, identity) = identify(&signed[..]).unwrap();
        assert_eq!(identity.content, identify(&input[..]).unwrap().1.content, "{id}");
        assert_eq!(identity.header.hex(), pair["main_header"]["sha256"].as_str().unwrap(), "{id}");
        assert_eq!(
            signed_headers.main_range().start,
            pair["main_header"]["offset"].as_u64().unwrap(),
            "{id}"
        );
        let Some(key) = pair["key"].as_str() else { continue };
        let key = Certificate::parse(&fs::read(root.join(key)).unwrap()).unwrap();
        for item in inserted.iter().filter(|item| matches!(item.tag, 267 | 268)) {
            // Our own choice of the tag must be the oracle's.
            assert_eq!(Item::for_packet(&item.data).unwrap(), *item, "{id}");
            let verdict = openpgp::verify_header(&key, &item.data, headers.main.bytes(), None);
            verified.case(id, verdict.err().map(|error| error.to_string()));
            let mut other = headers.main.bytes().to_vec();
            *other.last_mut().unwrap() ^= 1;
            assert!(openpgp::verify_header(&key, &item.data, &other[..], None).is_err(), "{id}");
        }
    }
    edited.finish();
    verified.finish();
}

/// Rows of a tab-separated table with a header line.
pub fn table(path: &Path) -> Vec<BTreeMap<String, String>> {
    let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split('\t').collect();
    lines
        .map(|line| names.iter().map(|name| (*name).into()).zip(line.split('\t').map(String::from)).collect())
        .collect()
}

/// Whether rpm 4.18 found the file whole: it read the headers, and no digest is wrong. Its verdicts
/// over signatures are about keys, which is another question.
fn whole(verdict: &str) -> bool {
    let complaint = ["digest: BAD", "error:", "not an rpm package"].iter().any(|text| verdict.contains(text));
    !complaint && verdict.trim() != "rc=1:"
}

#[test]
fn genuine_damaged_and_hostile_packages() {
    let Some(root) = folder("GANDER_REALDATA", "rpms") else { return };
    let mut tally = Tally::new("realdata/rpms: whole or damaged, as rpm 4.18 says");
    let mut strict = Tally::new("realdata/rpms: genuine packages accepted, refused ones are hostile");
    let mut refused = 0;
    for row in table(&root.join("rpms/INDEX.tsv")) {
        let name = &row["file"];
        let verdict = &row["rpmkeys_Kv_vendor_keys"];
        let bytes = fs::read(root.join(name)).unwrap();
        let ours = identify(&bytes[..]);
        // rpm takes any of two entries of a tag; we refuse such a header.
        let doubled = matches!(&ours, Err(error) if error.to_string().contains("the tag stands twice"));
        let wrong = ours.is_ok() != whole(verdict) && !doubled;
        tally.case(name, wrong.then(|| format!("{:?}, rpm says: {verdict}", ours.as_ref().err())));
        let refusal = match &ours {
            Ok((headers, identity)) => {
                assert_eq!(identity.file, Digest::of(&bytes), "{name}");
                headers.package().err()
            }
            Err(_) if doubled => Some(PackageError::Missing("unambiguous header")),
            Err(_) => continue,
        };
        refused += usize::from(refusal.is_some());
        // A delta has good headers, those of the package that it makes.
        let delta = row["good_for"].contains("must not take it for a package");
        assert!(!delta || refusal.is_some(), "{name} was taken for a package");
        let hostile = name.contains("/negative/") || delta;
        strict.case(name, refusal.filter(|_| !hostile).map(|error| error.to_string()));
    }
    println!("of these, {refused} were refused though rpm 4.18 takes them");
    tally.finish();
    strict.finish();
}

/// Each key file of the folder that can be read.
fn keys(folder: &Path) -> Vec<Certificate> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().filter_map(|path| Certificate::parse_all(&fs::read(path).unwrap()).ok()).flatten().collect()
}

#[test]
fn vendors_signatures() {
    let Some(root) = folder("GANDER_REALDATA", "vendors_signatures") else { return };
    let keys = keys(&root.join("keys/vendor"));
    let mut tally = Tally::new("realdata/rpms: header signatures, as rpm 4.18 says with the vendors' keys");
    let mut good = 0;
    for row in table(&root.join("rpms/INDEX.tsv")) {
        let (name, verdict) = (&row["file"], &row["rpmkeys_Kv_vendor_keys"]);
        let bytes = fs::read(root.join(name)).unwrap();
        let Ok(headers) = Headers::read(&bytes[..]) else { continue };
        let packets = signature::packets(&headers.signature).unwrap_or_default();
        for (_, packet) in packets.iter().filter(|(tag, _)| *tag != 278) {
            let ours = openpgp::verify_header(&keys, packet, headers.main.bytes(), None);
            // rpm knows no weak hashes; of a damaged packet it does not even name the key.
            let theirs = verdict.split("; ").find(|part| {
                part.contains("Header V") && part.contains(" Signature, key ID ")
                    || part.contains("ature: BAD")
            });
            let agreed = match (theirs, &ours) {
                (Some(line), Err(VerifyError::Weak { detail, .. })) => {
                    line.contains("/SHA1 ") || line.contains(" DSA/") || detail.contains("RSA 1024")
                }
                (Some(line), ours) if line.ends_with(": OK") => ours.is_ok(),
                (_, ours) => ours.is_err(),
            };
            good += usize::from(ours.is_ok());
            tally.case(name, (!agreed).then(|| format!("{ours:?}, rpm says: {verdict}")));
        }
    }
    println!("{good} good signatures");
    tally.finish();
}
