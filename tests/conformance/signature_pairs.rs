//! Unsigned and signed copies of one package, as rpmsign and others wrote them: out of the one and what is in the other
//! the editor must make the same bytes. `oracle/rpmsign` has rpm 4.18's and sigul's, `realdata/rpms` what rpm
//! and distributions published, the crate `rpm` packages that rpm 6 signed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gander::base::Digest;
use gander::rpm::edit::{self, EditError, How};
use gander::rpm::signature::{self, Item};
use gander::rpm::{Headers, identify};
use serde_json::Value;

use super::{Tally, folder, skip};

/// The tags of OpenPGP signatures.
const SIGNATURES: [u32; 5] = [267, 268, 278, 1002, 1005];

/// Copies in `realdata/rpms` that the rule does not make, and why.
const OTHER_WRITERS: [(&str, &str); 2] = [
    ("hello-2.0-1.x86_64-v3-signed.rpm", "its reserve is 600 bytes shorter than it had to be"),
    ("negative/hello-2.0-1.x86_64-badima.rpm", "its tags are not in order, and its reserve did not give way"),
];

/// A package with another signature header.
fn splice(package: &[u8], header: &[u8]) -> Vec<u8> {
    let mut reader = package;
    let headers = Headers::read(&mut reader).unwrap();
    let mut written = Vec::new();
    edit::write(&headers, header, reader, &mut written).unwrap();
    let mut spliced = Vec::new();
    edit::splice(package, header, &mut spliced).unwrap();
    assert_eq!(written, spliced, "two ways to write a package");
    written
}

/// Puts a packet into a package.
fn sign(package: &[u8], packet: &[u8], how: How) -> Result<Vec<u8>, EditError> {
    let headers = Headers::read(package)?;
    Ok(splice(package, &edit::sign(&headers, packet, how)?))
}

fn items(headers: &Headers) -> Vec<Item> {
    let header = &headers.signature;
    let item = |entry: &gander::rpm::header::Entry| Item {
        tag: entry.tag,
        kind: entry.kind,
        count: entry.count,
        data: header.data(entry).to_vec(),
    };
    header.entries().iter().map(item).collect()
}

#[test]
fn a_packet_makes_what_rpmsign_and_sigul_made() {
    let Some(root) = folder("GANDER_ORACLE", "a_packet_makes_what_rpmsign_and_sigul_made") else { return };
    let root = root.join("rpmsign");
    let pairs: Vec<Value> = serde_json::from_slice(&fs::read(root.join("pairs.json")).unwrap()).unwrap();
    let mut tally = Tally::new("rpmsign: packets put in, headers taken out and put in again");
    for pair in pairs.iter().filter(|pair| pair["operation"] != "delsign") {
        let id = pair["id"].as_str().unwrap();
        let read = |side: &str| fs::read(root.join(pair[side]["file"].as_str().unwrap())).unwrap();
        let (input, output) = (read("input"), read("output"));
        let signed = Headers::read(&output[..]).unwrap();
        let packets = signature::packets(&signed.signature).unwrap();
        let [(_, packet)] = packets.as_slice() else { panic!("{id}: {} packets", packets.len()) };
        let replace = pair["operation"] == "resign";
        assert_eq!(sign(&input, packet, How::default()).is_err(), replace, "{id}: {:?}", pair["operation"]);
        let made = sign(&input, packet, How { replace, rpmv6: false }).unwrap();
        tally.case(id, (made != output).then(|| "other bytes than rpmsign's".into()));

        let raw = [signed.signature.bytes(), &signed.padding].concat();
        let header = edit::adopt(&Headers::read(&input[..]).unwrap(), &raw).unwrap();
        assert_eq!(splice(&input, &header), output, "{id}: the whole header");
        assert_eq!(edit::adopt(&signed, signed.signature.bytes()).unwrap(), raw, "{id}: without padding");
        assert!(matches!(sign(&output, packet, How::default()), Err(EditError::Present(_))), "{id}");
    }
    tally.finish();
}

/// Packages with the same lead, main header and payload, in order.
fn copies(root: &Path) -> Vec<Vec<(String, Vec<u8>)>> {
    let mut groups: BTreeMap<Digest, Vec<(String, Vec<u8>)>> = BTreeMap::new();
    for folder in [root.join("rpms"), root.join("rpms/negative")] {
        let mut paths: Vec<PathBuf> =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths.iter().filter(|path| path.is_file()) {
            let bytes = fs::read(path).unwrap();
            let Ok((headers, identity)) = identify(&bytes[..]) else { continue };
            let name = path.strip_prefix(root.join("rpms")).unwrap().to_str().unwrap().to_string();
            let key = Digest::of([&headers.lead[..], identity.content.hex().as_bytes()].concat());
            groups.entry(key).or_default().push((name, bytes));
        }
    }
    groups.into_values().filter(|group| group.len() > 1).collect()
}

#[test]
fn published_copies_come_out_of_each_other() {
    let Some(root) = folder("GANDER_REALDATA", "published_copies_come_out_of_each_other") else { return };
    let mut edited = Tally::new("realdata/rpms: what a signed copy has more put into the unsigned one");
    let mut packets_in = Tally::new("realdata/rpms: of these, packets put in");
    let mut spliced = Tally::new("realdata/rpms: signature headers put into other copies");
    let mut others = 0;
    for group in copies(&root) {
        for (name, signed) in &group {
            let to = Headers::read(&signed[..]).unwrap();
            let raw = [to.signature.bytes(), &to.padding].concat();
            for (from, input) in group.iter().filter(|(from, _)| from != name) {
                let headers = Headers::read(&input[..]).unwrap();
                let made = splice(input, &edit::adopt(&headers, &raw).unwrap());
                spliced.case(name, (made != *signed).then(|| format!("other bytes, from {from}")));
                let has =
                    |headers: &Headers| SIGNATURES.iter().any(|tag| headers.signature.find(*tag).is_some());
                if has(&headers) || !has(&to) {
                    continue;
                }
                let known = |item: &Item| headers.signature.find(item.tag).is_some();
                let more: Vec<Item> = items(&to).into_iter().filter(|item| !known(item)).collect();
                let same = splice(input, &edit::edit(&headers.signature, &[], &more).unwrap()) == *signed;
                let other = OTHER_WRITERS.iter().find(|(other, _)| other == name);
                others += usize::from(other.is_some());
                edited.case(
                    name,
                    match (same, other) {
                        (true, None) | (false, Some(_)) => None,
                        (true, Some((_, why))) => Some(format!("it does come out, though {why}")),
                        (false, None) => Some(format!("other bytes, from {from}")),
                    },
                );
                if let ([(_, packet)], 1) = (&signature::packets(&to.signature).unwrap()[..], more.len()) {
                    let made = sign(input, packet, How::default()).unwrap();
                    packets_in.case(name, (made != *signed).then(|| format!("other bytes, from {from}")));
                }
            }
        }
    }
    println!("of these, {others} by writers of their own rule");
    assert_eq!(others, OTHER_WRITERS.len());
    edited.finish();
    packets_in.finish();
    spliced.finish();
}

/// The packages that the crate `rpm` is tested with.
fn assets() -> Option<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let metadata = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--offline", "--manifest-path"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .output()
        .ok()?;
    let metadata: Value = serde_json::from_slice(&metadata.stdout).ok()?;
    let package = metadata["packages"].as_array()?.iter().find(|package| package["name"] == "rpm")?;
    let folder = Path::new(package["manifest_path"].as_str()?).parent()?.join("tests/assets/RPMS");
    folder.is_dir().then_some(folder)
}

#[test]
fn rpm_6_signs_the_same() {
    let Some(root) = assets() else {
        return skip("rpm_6_signs_the_same", "the sources of the crate rpm are not here");
    };
    let read = |path: &str| fs::read(root.join(path)).unwrap();
    let mut tally = Tally::new("crate rpm: packages that rpm 6 signed");
    let names = |format: &str, keys: &[&str]| -> Vec<String> {
        keys.iter().map(|key| format!("{format}/signed/rpm-basic-{key}-2.3.4-5.el9.noarch.rpm")).collect()
    };
    let older = names("v4", &["with-rsa4096", "with-ecdsa", "with-ed25519"]);
    let newer = names("v6", &["with-rsa4k", "with-ed25519", "with-mldsa65-ed25519", "multiple-signatures"]);
    for path in older.iter().chain(&newer) {
        let format = path.split('/').next().unwrap();
        let unsigned = read(&format!("{format}/rpm-basic-2.3.4-5.el9.noarch.rpm"));
        let signed = read(path);
        let packets = signature::packets(&Headers::read(&signed[..]).unwrap().signature).unwrap();
        let mut made = unsigned.clone();
        for (_, packet) in &packets {
            made = sign(&made, packet, How::default()).unwrap();
        }
        tally.case(path, (made != signed).then(|| "other bytes than rpm 6's".into()));
        // In a version 6 package, the reserve grows back when one signature goes for another.
        if format == "v6" && packets.iter().all(|(_, packet)| packet.len() < 2000) {
            let (_, packet) = packets.last().unwrap();
            let again = sign(&signed, packet, How { replace: true, rpmv6: false }).unwrap();
            assert_eq!(again, sign(&unsigned, packet, How::default()).unwrap(), "{path}");
            assert_eq!(again.len(), unsigned.len(), "{path}");
        }
    }

    // Three runs of 'rpmsign --rpmv6', the last one with signatures of files.
    let signed = read("v4/signed/rpm-basic-with-ima-2.3.4-5.el9.noarch.rpm");
    let to = Headers::read(&signed[..]).unwrap();
    let all = signature::packets(&to.signature).unwrap();
    let packets: Vec<&Vec<u8>> =
        all.iter().filter(|(tag, _)| *tag == 278).map(|(_, packet)| packet).collect();
    let mut made = read("v4/rpm-basic-2.3.4-5.el9.noarch.rpm");
    for packet in &packets[..2] {
        made = sign(&made, packet, How { replace: false, rpmv6: true }).unwrap();
    }
    let headers = Headers::read(&made[..]).unwrap();
    let last: Vec<Item> = items(&to).into_iter().filter(|item| matches!(item.tag, 274 | 275 | 278)).collect();
    made = splice(&made, &edit::edit(&headers.signature, &[278], &last).unwrap());
    tally.case("v4 with IMA", (made != signed).then(|| "other bytes than rpm 6's".into()));

    // Signatures of files survive when the others are made anew.
    let again = sign(&signed, packets[0], How { replace: true, rpmv6: true }).unwrap();
    let kept = |bytes: &[u8]| -> Vec<Item> {
        let headers = Headers::read(bytes).unwrap();
        items(&headers).into_iter().filter(|item| matches!(item.tag, 269..=275 | 1000..=1007)).collect()
    };
    assert_eq!(kept(&again), kept(&signed));
    assert!(kept(&again).iter().any(|item| item.tag == 274));
    assert_eq!(identify(&again[..]).unwrap().1.content, identify(&signed[..]).unwrap().1.content);
    tally.finish();
}
