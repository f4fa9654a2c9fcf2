//! A small unsigned package, laid out as rpm 4.18's rpmbuild lays out its own.

use gander::base::digest::hex;
use gander::openpgp::Hashing;

enum Value<'a> {
    Text(&'a str),
    Texts(&'a [&'a str]),
    Translated(&'a str),
    Int16(&'a [u16]),
    Int32(&'a [u32]),
    Binary(&'a [u8]),
}

fn header(region: u32, entries: &[(u32, Value<'_>)]) -> Vec<u8> {
    let mut index = Vec::new();
    let mut store: Vec<u8> = Vec::new();
    for (tag, value) in entries {
        let texts =
            |texts: &[&str]| texts.iter().flat_map(|text| text.bytes().chain([0])).collect::<Vec<u8>>();
        let (kind, align, count, data) = match value {
            Value::Text(text) => (6, 1, 1, texts(&[text])),
            Value::Texts(all) => (8, 1, all.len(), texts(all)),
            Value::Translated(text) => (9, 1, 1, texts(&[text])),
            Value::Int16(all) => (3, 2, all.len(), all.iter().flat_map(|n| n.to_be_bytes()).collect()),
            Value::Int32(all) => (4, 4, all.len(), all.iter().flat_map(|n| n.to_be_bytes()).collect()),
            Value::Binary(bytes) => (7, 1, bytes.len(), bytes.to_vec()),
        };
        store.resize(store.len().next_multiple_of(align), 0);
        for field in [*tag, kind, store.len() as u32, count as u32] {
            index.extend(field.to_be_bytes());
        }
        store.extend(data);
    }
    let count = entries.len() as u32 + 1;
    let mut bytes = vec![0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0];
    bytes.extend(count.to_be_bytes());
    bytes.extend((store.len() as u32 + 16).to_be_bytes());
    for field in [region, 7, store.len() as u32, 16] {
        bytes.extend(field.to_be_bytes());
    }
    bytes.extend(index);
    bytes.extend(store);
    for field in [region, 7, (count * 16).wrapping_neg(), 16] {
        bytes.extend(field.to_be_bytes());
    }
    bytes
}

fn digest(number: u8, pieces: &[&[u8]]) -> Vec<u8> {
    let mut hashing = Hashing::new(number).unwrap();
    pieces.iter().for_each(|piece| hashing.update(piece));
    hashing.finish().unwrap()
}

/// The package `goose-1-1.noarch` with two files; its payload is no archive.
pub fn package() -> Vec<u8> {
    let payload = b"not really a cpio archive, but nobody looks".repeat(8);
    let sum = hex(&digest(Hashing::SHA256, &[&payload]));
    let main = header(
        63,
        &[
            (100, Value::Texts(&["C"])),
            (1000, Value::Text("goose")),
            (1001, Value::Text("1")),
            (1002, Value::Text("1")),
            (1004, Value::Translated("A goose")),
            (1005, Value::Translated("It is a goose.")),
            (1006, Value::Int32(&[1_793_491_200])),
            (1007, Value::Text("localhost")),
            (1009, Value::Int32(&[11])),
            (1014, Value::Text("MIT")),
            (1016, Value::Translated("Unspecified")),
            (1021, Value::Text("linux")),
            (1022, Value::Text("noarch")),
            (1028, Value::Int32(&[5, 6])),
            (1030, Value::Int16(&[0o100_644, 0o100_755])),
            (1034, Value::Int32(&[1, 2])),
            (1035, Value::Texts(&["", ""])),
            (1037, Value::Int32(&[2, 0])),
            (1039, Value::Texts(&["root", "root"])),
            (1040, Value::Texts(&["root", "root"])),
            (1044, Value::Text("goose-1-1.src.rpm")),
            (1047, Value::Texts(&["goose", "bird"])),
            (1048, Value::Int32(&[0, 16_777_226])),
            (1049, Value::Texts(&["/bin/sh", "rpmlib(CompressedFileNames)"])),
            (1050, Value::Texts(&["", "3.0.4-1"])),
            (1112, Value::Int32(&[8, 0])),
            (1113, Value::Texts(&["1-1", ""])),
            (1116, Value::Int32(&[0, 1])),
            (1117, Value::Texts(&["README", "goose"])),
            (1118, Value::Texts(&["/usr/share/doc/goose/", "/usr/bin/"])),
            (1124, Value::Text("cpio")),
            (1125, Value::Text("gzip")),
            (1126, Value::Text("9")),
            (5092, Value::Texts(&[&sum])),
            (5093, Value::Int32(&[8])),
        ],
    );
    let sizes = [(main.len() + payload.len()) as u32, payload.len() as u32];
    let signature = header(
        62,
        &[
            (269, Value::Text(&hex(&digest(Hashing::SHA1, &[&main])))),
            (273, Value::Text(&hex(&digest(Hashing::SHA256, &[&main])))),
            (1000, Value::Int32(&sizes[..1])),
            (1004, Value::Binary(&digest(Hashing::MD5, &[&main, &payload]))),
            (1007, Value::Int32(&sizes[1..])),
            (1008, Value::Binary(&[0; 4128])),
        ],
    );
    let mut bytes = vec![0; 96];
    bytes[..6].copy_from_slice(&[0xed, 0xab, 0xee, 0xdb, 3, 0]);
    bytes[10..19].copy_from_slice(b"goose-1-1");
    bytes[76..80].copy_from_slice(&[0, 1, 0, 5]);
    bytes.extend(&signature);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes.extend(main);
    bytes.extend(payload);
    bytes
}
