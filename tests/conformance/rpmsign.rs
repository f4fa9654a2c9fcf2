//! `oracle/rpmsign`: signed packages as rpmsign and sigul wrote them, byte for byte; and
//! `realdata/rpms`: genuine, damaged and hostile packages against rpm 4.18's verdicts.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use gander::base::Digest;
use gander::openpgp::{self, Certificate};
use gander::rpm::header::Type;
use gander::rpm::signature::{self, Item};
use gander::rpm::{Headers, identify};
use serde_json::Value;

use super::{Tally, folder, skip};

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
        let header = signature::edit(&headers.signature, &removed, &inserted).unwrap();
        let mut signed = Vec::new();
        signature::splice(&input[..], &header, &mut signed).unwrap();
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
fn table(path: &Path) -> Vec<BTreeMap<String, String>> {
    let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split('\t').collect();
    lines
        .map(|line| names.iter().map(|name| (*name).into()).zip(line.split('\t').map(String::from)).collect())
        .collect()
}

#[test]
fn genuine_damaged_and_hostile_packages() {
    let Some(root) = folder("GANDER_REALDATA", "rpms") else { return };
    let rows = table(&root.join("rpms/INDEX.tsv"));
    if rows.is_empty() {
        skip("rpms", "the index is empty");
    }
    let mut tally = Tally::new("realdata/rpms: whole or damaged, as rpm 4.18 says");
    for row in rows {
        let name = &row["file"];
        let verdict = &row["rpmkeys_Kv_vendor_keys"];
        let bytes = fs::read(root.join(name)).unwrap();
        let ours = identify(&bytes[..]).map_err(|e| e.to_string()).and_then(|(headers, identity)| {
            headers.package().map(|package| (package, identity)).map_err(|e| e.to_string())
        });
        println!(
            "{name}\t{}\t{}",
            match &ours {
                Ok((p, i)) => format!("{} {:?}", p.nevra, i.checked),
                Err(e) => format!("ERR {e}"),
            },
            verdict
        );
        tally.case(name, None);
    }
    tally.finish();
}
