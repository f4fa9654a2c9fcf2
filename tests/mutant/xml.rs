//! Mutations of XML documents: of their bytes, and of what a reader of XML looks at.

use super::Random;

/// What is put in somewhere.
const PIECES: [&str; 28] = [
    "<a>",
    "</a>",
    "<a/>",
    "<a b=''>",
    "<!-- c -->",
    "<!--",
    "-->",
    "<![CDATA[<x>]]>",
    "<![CDATA[",
    "]]>",
    "<?p q?>",
    "<!DOCTYPE a>",
    "<!DOCTYPE a [<!ENTITY b 'c'><!ENTITY d '&b;&b;&b;&b;'>]>",
    "&d;",
    "&amp;",
    "&#65;",
    "&#0;",
    "&#x110000;",
    "&",
    ";",
    "<",
    ">",
    "\"",
    "'",
    "\u{1}",
    "\u{feff}",
    "é",
    "\0",
];

/// What is put in place of a value.
const VALUES: [&str; 22] = [
    "",
    "0",
    "-1",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "18446744073709551616",
    "1e9",
    "../x",
    "/etc/x",
    "a/../b",
    "-x",
    "src",
    "dir",
    "ghost",
    "sha512",
    "GE",
    "EQ",
    "https://h/x",
    "&lt;",
    "é",
    "\u{1}",
];

/// A document as it becomes for a seed.
pub fn mutate(document: &str, random: &mut Random) -> Vec<u8> {
    let mut bytes = document.as_bytes().to_vec();
    for _ in 0..=random.below(3) {
        let place = random.below(bytes.len() + 1);
        match random.below(16) {
            0..=4 => value(&mut bytes, place, random),
            5 | 6 => drop(bytes.splice(place..place, random.of(&PIECES).bytes())),
            7 | 8 => {
                // At a tag, where an element could be.
                let place = bytes.iter().skip(place).position(|byte| *byte == b'<').map_or(0, |n| place + n);
                drop(bytes.splice(place..place, random.of(&PIECES).bytes()));
            }
            9 => {
                let end = (place + 1 + random.below(60)).min(bytes.len());
                drop(bytes.drain(place.min(end)..end));
            }
            10 | 11 => element(&mut bytes, place, random),
            12 => {
                let depth = random.below(40);
                let close = if random.below(2) == 0 { "</a>".repeat(depth) } else { String::new() };
                drop(bytes.splice(place..place, ("<a>".repeat(depth) + &close).bytes()));
            }
            13 => {
                let many: String =
                    (0..random.below(40)).map(|number| format!(" x{number}='{number}'")).collect();
                let place = bytes.iter().skip(place).position(|byte| *byte == b'>').map_or(0, |n| place + n);
                drop(bytes.splice(place..place, many.bytes()));
            }
            14 if random.below(100) == 0 => {
                let length = (1 << 20) - 100 + random.below(200);
                drop(bytes.splice(place..place, std::iter::repeat_n(b'x', length)));
            }
            _ => {
                if let Some(byte) = bytes.get_mut(place) {
                    *byte = random.below(256) as u8;
                }
            }
        }
    }
    bytes
}

/// Puts something else in place of an attribute's value or of a text.
fn value(bytes: &mut Vec<u8>, place: usize, random: &mut Random) {
    let find = |from: usize, wanted: &[u8]| {
        bytes.iter().skip(from).position(|byte| wanted.contains(byte)).map(|place| from + place)
    };
    let Some(start) = find(place, b"\">") else { return };
    let end: &[u8] = if bytes[start] == b'"' { b"\"" } else { b"<" };
    let Some(end) = find(start + 1, end) else { return };
    drop(bytes.splice(start + 1..end, random.of(&VALUES).bytes()));
}

/// Puts what begins at a tag a second time somewhere else, or there again.
fn element(bytes: &mut Vec<u8>, place: usize, random: &mut Random) {
    let starts: Vec<usize> = (0..bytes.len()).filter(|place| bytes[*place] == b'<').collect();
    let Some(next) = starts.iter().position(|start| *start >= place) else { return };
    let start = starts[next];
    let end = starts.get(next + 1 + random.below(3)).copied().unwrap_or(bytes.len());
    let piece = bytes[start..end].to_vec();
    let to = if random.below(2) == 0 { end } else { random.of(&starts) };
    drop(bytes.splice(to..to, piece));
}
