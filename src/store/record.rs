//! Small text files that check themselves: action records and roots.
//!
//! ```text
//! gander-KIND 1
//! NAME
//! sha256:…
//! …
//! check sha256:…
//! ```
//!
//! NAME is the record's own name (so that a file moved elsewhere is noticed), then come the digests that it
//! holds, one a line. The last line is the digest of all lines before it: a record that is torn, changed or
//! misplaced is none.

use crate::base::Digest;

/// More digests than any record has.
pub(super) const MAX_BYTES: u64 = 16 << 20;

/// Writes a record.
pub(super) fn write(kind: &str, name: &str, digests: &[Digest]) -> String {
    let mut text = format!("gander-{kind} 1\n{name}\n");
    for digest in digests {
        text.extend([digest.to_string().as_str(), "\n"]);
    }
    let check = Digest::of(&text);
    text.extend(["check ", &check.to_string(), "\n"]);
    text
}

/// Reads a record, if it is one of this kind and name.
pub(super) fn read(kind: &str, name: &str, bytes: &[u8]) -> Option<Vec<Digest>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines = text.lines();
    let head = (lines.next()?, lines.next()?);
    let digests: Vec<Digest> = lines.map_while(|line| line.parse().ok()).collect();
    (head.1 == name && write(kind, name, &digests) == text).then_some(digests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_change_is_noticed() {
        let digests = [Digest::of("a"), Digest::of("b")];
        let text = write("root", "goose", &digests);
        assert_eq!(read("root", "goose", text.as_bytes()), Some(digests.to_vec()));
        assert_eq!(read("root", "duck", text.as_bytes()), None);
        assert_eq!(read("action", "goose", text.as_bytes()), None);
        for at in 0..text.len() {
            assert_eq!(read("root", "goose", &text.as_bytes()[..at]), None, "torn at {at}");
            let mut flipped = text.clone().into_bytes();
            flipped[at] ^= 1;
            assert_eq!(read("root", "goose", &flipped), None, "flipped at {at}");
        }
    }
}
