//! Small unsigned packages, laid out as rpm's rpmbuild lays out its own.

use gander::base::digest::hex;
use gander::openpgp::Hashing;

#[allow(dead_code, reason = "not every test needs it")]
pub mod made;
#[allow(dead_code, reason = "not every test needs it")]
pub mod repository;

/// A value of a header's entry.
pub enum Value<'a> {
    Text(&'a str),
    Texts(&'a [&'a str]),
    Translated(&'a str),
    Int16(&'a [u16]),
    Int32(&'a [u32]),
    #[allow(dead_code, reason = "not every test needs it")]
    Int64(&'a [u64]),
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
            Value::Int64(all) => (5, 8, all.len(), all.iter().flat_map(|n| n.to_be_bytes()).collect()),
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

/// The digest of pieces that follow each other, by OpenPGP's number of the algorithm.
pub fn digest(number: u8, pieces: &[&[u8]]) -> Vec<u8> {
    let mut hashing = Hashing::new(number).unwrap();
    pieces.iter().for_each(|piece| hashing.update(piece));
    hashing.finish().unwrap()
}

/// The package `goose-1-1.noarch` with two files; its payload is no archive.
#[allow(dead_code, reason = "not every test needs it")]
pub fn package() -> Vec<u8> {
    let payload = b"not really a cpio archive, but nobody looks".repeat(8);
    let sum = hex(&digest(Hashing::SHA256, &[&payload]));
    whole(
        "goose-1-1",
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
        &payload,
        &[0; 4128],
    )
}

/// A package that rpm installs: one file, nothing required.
#[allow(dead_code, reason = "not every test needs it")]
pub fn installable(name: &str, version: &str) -> Vec<u8> {
    modular(name, version, None)
}

/// The same, of a stream of a module: `NAME:STREAM:VERSION:CONTEXT`.
#[allow(dead_code, reason = "not every test needs it")]
pub fn modular(name: &str, version: &str, label: Option<&str>) -> Vec<u8> {
    let content = format!("{name} {version}\n");
    let member = format!("./usr/share/{name}");
    let payload = compress(Some("gzip"), &archive(&[(0o100_644, &member, content.as_bytes())]));
    let sum = hex(&digest(Hashing::SHA256, &[&payload]));
    let own = hex(&digest(Hashing::SHA256, &[content.as_bytes()]));
    let (full, source) = (format!("{name}-{version}-1"), format!("{name}-{version}-1.src.rpm"));
    let evr = format!("{version}-1");
    let tags = [
        (100, Value::Texts(&["C"])),
        (1000, Value::Text(name)),
        (1001, Value::Text(version)),
        (1002, Value::Text("1")),
        (1004, Value::Translated("A bird")),
        (1005, Value::Translated("It is a bird.")),
        (1006, Value::Int32(&[1_793_491_200])),
        (1007, Value::Text("localhost")),
        (1009, Value::Int32(&[content.len() as u32])),
        (1014, Value::Text("MIT")),
        (1016, Value::Translated("Unspecified")),
        (1021, Value::Text("linux")),
        (1022, Value::Text("noarch")),
        (1028, Value::Int32(&[content.len() as u32])),
        (1030, Value::Int16(&[0o100_644])),
        (1034, Value::Int32(&[1_793_491_200])),
        (1035, Value::Texts(&[&own])),
        (1036, Value::Texts(&[""])),
        (1037, Value::Int32(&[0])),
        (1039, Value::Texts(&["root"])),
        (1040, Value::Texts(&["root"])),
        (1044, Value::Text(&source)),
        (1045, Value::Int32(&[u32::MAX])),
        (1047, Value::Texts(&[name])),
        (1095, Value::Int32(&[1])),
        (1096, Value::Int32(&[1])),
        (1097, Value::Texts(&[""])),
        (1112, Value::Int32(&[8])),
        (1113, Value::Texts(&[&evr])),
        (1116, Value::Int32(&[0])),
        (1117, Value::Texts(&[name])),
        (1118, Value::Texts(&["/usr/share/"])),
        (1124, Value::Text("cpio")),
        (1125, Value::Text("gzip")),
        (1126, Value::Text("9")),
        (5011, Value::Int32(&[8])),
        (5092, Value::Texts(&[&sum])),
        (5093, Value::Int32(&[8])),
    ];
    let label = label.map(|label| (5096, Value::Text(label)));
    let tags: Vec<_> = tags.into_iter().chain(label).collect();
    whole(&full, &tags, &payload, &[0; 4128])
}

/// Lead, signature header, main header of these tags and payload.
pub fn whole(name: &str, tags: &[(u32, Value<'_>)], payload: &[u8], reserve: &[u8]) -> Vec<u8> {
    let main = header(63, tags);
    let sizes = [(main.len() + payload.len()) as u32, payload.len() as u32];
    let signature = header(
        62,
        &[
            (269, Value::Text(&hex(&digest(Hashing::SHA1, &[&main])))),
            (273, Value::Text(&hex(&digest(Hashing::SHA256, &[&main])))),
            (1000, Value::Int32(&sizes[..1])),
            (1004, Value::Binary(&digest(Hashing::MD5, &[&main, payload]))),
            (1007, Value::Int32(&sizes[1..])),
            (1008, Value::Binary(reserve)),
        ],
    );
    let mut bytes = vec![0; 96];
    bytes[..6].copy_from_slice(&[0xed, 0xab, 0xee, 0xdb, 3, 0]);
    bytes[10..10 + name.len()].copy_from_slice(name.as_bytes());
    bytes[76..80].copy_from_slice(&[0, 1, 0, 5]);
    bytes.extend(&signature);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes.extend(main);
    bytes.extend(payload);
    bytes
}

/// A cpio archive of the members with these heads (mode, name) and contents.
pub fn archive(members: &[(u32, &str, &[u8])]) -> Vec<u8> {
    let mut bytes: Vec<u8> = Vec::new();
    for (mode, name, content) in members.iter().chain(&[(0, "TRAILER!!!", &b""[..])]) {
        let length = [content.len() as u32, name.len() as u32 + 1];
        let numbers = [1, *mode, 0, 0, 1, 0, length[0], 0, 0, 0, 0, length[1], 0];
        bytes.extend(b"070701");
        bytes.extend(numbers.iter().flat_map(|number| format!("{number:08x}").into_bytes()));
        bytes.extend(name.bytes().chain([0]));
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(*content);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}

/// The same archive as rpm 6 writes it: members by their places in the header.
fn stripped(members: &[(usize, &[u8])]) -> Vec<u8> {
    let mut bytes: Vec<u8> = Vec::new();
    for (place, content) in members {
        bytes.extend(format!("07070X{place:08x}").bytes());
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(*content);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes.extend(archive(&[]));
    bytes
}

/// What [`everything`] is compressed with.
#[allow(dead_code, reason = "not every test needs it")]
pub const COMPRESSORS: [Option<&str>; 6] =
    [None, Some("gzip"), Some("bzip2"), Some("xz"), Some("lzma"), Some("zstd")];

/// The package `gander-2:1~rc1-1.x86_64`, which has something under nearly every tag, and a payload. Without a
/// compressor it is one of format 6.
#[allow(dead_code, reason = "not every test needs it")]
pub fn everything(compressor: Option<&str>) -> Vec<u8> {
    let content = b"honk\n".repeat(40);
    let six = compressor.is_none();
    let plain = if six {
        stripped(&[(0, b""), (1, &content), (2, b"goose"), (3, b""), (4, b"x\n")])
    } else {
        archive(&[
            (0o040_755, "./usr/share/gander", b""),
            (0o100_644, "./usr/share/gander/goose", &content),
            (0o120_777, "./usr/share/gander/link", b"goose"),
            (0o100_755, "./usr/bin/gander", b""),
            (0o100_755, "./usr/bin/honk", b"x\n"),
        ])
    };
    let payload = compress(compressor, &plain);
    let of = |content: &[u8]| hex(&digest(Hashing::SHA256, &[content]));
    let (sum, link) = (of(&payload), of(b"x\n"));
    let sums = [&*sum];
    let mut tags = vec![
        (100, Value::Texts(&["C"])),
        (1000, Value::Text("gander")),
        (1001, Value::Text("1~rc1")),
        (1002, Value::Text("1")),
        (1003, Value::Int32(&[2])),
        (1004, Value::Translated("A gander")),
        (1005, Value::Translated("It honks: Ä.")),
        (1006, Value::Int32(&[1_793_491_200])),
        (1009, Value::Int32(&[207])),
        (1014, Value::Text("MIT")),
        (1022, Value::Text("x86_64")),
        (1023, Value::Text("echo prein")),
        (1024, Value::Text("print('postin')")),
        (1030, Value::Int16(&[0o040_755, 0o100_644, 0o120_777, 0o100_755, 0o100_755, 0o100_600])),
        (1034, Value::Int32(&[1, 2, 3, 4, 5, 6])),
        (1036, Value::Texts(&["", "", "goose", "", "", ""])),
        (1037, Value::Int32(&[0, 2, 0, 0, 0, 64])),
        (1039, Value::Texts(&["root", "root", "root", "root", "root", "goose"])),
        (1040, Value::Texts(&["root", "root", "root", "root", "root", "goose"])),
        (1044, Value::Text("gander-1~rc1-1.src.rpm")),
        (1045, Value::Int32(&[u32::MAX; 6])),
        (1047, Value::Texts(&["gander", "libgander.so.1()(64bit)"])),
        (1048, Value::Int32(&[0, 12, 0])),
        (1049, Value::Texts(&["/bin/sh", "goose", "((pond if water) or (lake with fish >= 1:2-3))"])),
        (1050, Value::Texts(&["", "1:2-3", ""])),
        (1053, Value::Int32(&[2])),
        (1054, Value::Texts(&["fox"])),
        (1055, Value::Texts(&["3"])),
        (1065, Value::Texts(&["echo in", "echo un"])),
        (1066, Value::Texts(&["pond", "pond", "lake"])),
        (1067, Value::Texts(&["", "1", ""])),
        (1068, Value::Int32(&[1 << 16, (1 << 16) | 8, 1 << 17])),
        (1069, Value::Int32(&[0, 0, 1])),
        (1080, Value::Int32(&[1_793_491_200, 1_793_404_800])),
        (1081, Value::Texts(&["Goose <goose@example.org> - 1", "Gander <gander@example.org>"])),
        (1082, Value::Texts(&["- honk", "- hiss"])),
        (1085, Value::Texts(&["/bin/sh", "-e"])),
        (1086, Value::Texts(&["<lua>"])),
        (1090, Value::Texts(&["goslings"])),
        (1092, Value::Texts(&["/bin/sh", "/bin/sh"])),
        (1095, Value::Int32(&[1; 6])),
        (1096, Value::Int32(&[1, 2, 3, 4, 4, 5])),
        (1097, Value::Texts(&["", "de", "", "", "", ""])),
        (1112, Value::Int32(&[8, 0])),
        (1113, Value::Texts(&["2:1~rc1-1", ""])),
        (1114, Value::Int32(&[2])),
        (1115, Value::Texts(&["1"])),
        (1116, Value::Int32(&[0, 1, 1, 2, 2, 1])),
        (1117, Value::Texts(&["gander", "goose", "link", "gander", "honk", "ghost"])),
        (1118, Value::Texts(&["/usr/share/", "/usr/share/gander/", "/usr/bin/"])),
        (1124, Value::Text("cpio")),
        (1140, Value::Int32(&[0, 0, 0, 2, 2, 0])),
        (5010, Value::Texts(&["", "", "", "", "cap_net_raw=ep", ""])),
        (5011, Value::Int32(&[8])),
        (5046, Value::Texts(&["feathers"])),
        (5047, Value::Texts(&[""])),
        (5048, Value::Int32(&[0])),
        (5055, Value::Texts(&["(flock unless winter)"])),
        (5056, Value::Texts(&[""])),
        (5057, Value::Int32(&[0])),
        (5066, Value::Texts(&["ldconfig"])),
        (5067, Value::Texts(&["/sbin/ldconfig"])),
        (5069, Value::Texts(&["/usr/lib"])),
        (5070, Value::Int32(&[0])),
        (5071, Value::Texts(&[""])),
        (5072, Value::Int32(&[1 << 16])),
        (5084, Value::Int32(&[1_000_000])),
        (5092, Value::Texts(&sums)),
        (5093, Value::Int32(&[8])),
    ];
    let own = of(&content);
    let digests = ["", &own, "", &link, &link, ""];
    tags.push((1035, Value::Texts(&digests)));
    let sizes = [0, 200, 5, 2, 2, 0];
    let (long, format) = (sizes.map(u64::from), [6]);
    if let Some(name) = compressor {
        tags.extend([(1028, Value::Int32(&sizes)), (1125, Value::Text(name))]);
    } else {
        tags.extend([(5008, Value::Int64(&long)), (5114, Value::Int32(&format))]);
    }
    tags.sort_by_key(|(tag, _)| *tag);
    whole("gander-1~rc1-1", &tags, &payload, &[0; 32])
}

/// Compresses as rpm names it, or not at all.
pub fn compress(compressor: Option<&str>, plain: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    match compressor {
        Some("gzip") => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(9));
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        Some("bzip2") => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        Some("xz") => {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 2);
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        Some("lzma") => {
            let options = liblzma::stream::LzmaOptions::new_preset(2).unwrap();
            let stream = liblzma::stream::Stream::new_lzma_encoder(&options).unwrap();
            let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        Some("zstd") => zstd::encode_all(plain, 3).unwrap(),
        _ => plain.to_vec(),
    }
}
