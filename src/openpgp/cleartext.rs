//! The cleartext signature framework (RFC 9580, section 7): a text that people can read, with its signature.
//!
//! ```text
//! -----BEGIN PGP SIGNED MESSAGE-----
//! Hash: SHA256
//!
//! the text; a line that begins with a dash or with 'From ' has '- ' in front
//! -----BEGIN PGP SIGNATURE-----
//! …
//! -----END PGP SIGNATURE-----
//! ```
//! Signed are the lines without blanks at their ends, with CR LF between them; the end of the last line is not
//! part of the text. What [`clearsign`] writes shows exactly that: no blanks at the ends of lines, and the last line
//! ends. So that every reader takes a text for the same lines, it is UTF-8 without control characters but tabs
//! and ends of lines (LF or CR LF), and its lines are no longer than gpg reads.
//!
//! gpg signs any bytes, and writes them as they came. So does [`clearsign_as_it_is`], for texts of others.

use super::packet::{PacketError, armor_detached, inspect};
use super::verify::VerifyError;

/// gpg reads lines of some 20,000 bytes.
const LONGEST_LINE: usize = 16_000;

/// A text or its signature does not fit into a cleartext-signed message. Retrying cannot help.
#[derive(Debug, thiserror::Error)]
pub enum CleartextError {
    /// The text has something that would be read in more than one way. Retrying cannot help.
    #[error("line {line} of the text cannot be part of a cleartext-signed message: {problem}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The signature is no packet. Retrying cannot help.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// The signature was made with a hash function that such a message has no name for. Retrying cannot help.
    #[error("the signature's hash function (number {0}) has no name in a cleartext-signed message")]
    Hash(u8),
}

/// The lines of a text as they stand, without the line feeds at their ends.
fn raw_lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.strip_suffix(b"\n").unwrap_or(text).split(|byte| *byte == b'\n')
}

/// The lines that are signed: without their ends and the blanks before these.
pub(super) fn lines(text: &[u8]) -> Result<Vec<&[u8]>, CleartextError> {
    let mut lines = Vec::new();
    for (place, line) in raw_lines(text).enumerate() {
        if line.len() > LONGEST_LINE {
            return Err(CleartextError::Line { line: place + 1, problem: "it is longer than 16,000 bytes" });
        }
        lines.push(stripped(line));
    }
    Ok(lines)
}

/// Whether every reader takes a text for the same lines.
pub(crate) fn check(text: &[u8]) -> Result<(), CleartextError> {
    for (place, line) in raw_lines(text).enumerate() {
        let wrong = |problem| CleartextError::Line { line: place + 1, problem };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let known = std::str::from_utf8(line).map_err(|_| wrong("it is not UTF-8"))?;
        if known.contains(|char: char| char.is_control() && char != '\t') {
            return Err(wrong("it has a control character"));
        }
    }
    Ok(())
}

/// The text as it is signed.
pub(crate) fn signed_text(text: &[u8]) -> Result<Vec<u8>, CleartextError> {
    let mut signed = Vec::new();
    canonical(&lines(text)?, |piece| signed.extend_from_slice(piece));
    Ok(signed)
}

/// Gives the text as it is signed, in pieces.
pub(super) fn canonical(lines: &[&[u8]], mut piece: impl FnMut(&[u8])) {
    for (place, line) in lines.iter().enumerate() {
        if place > 0 {
            piece(b"\r\n");
        }
        piece(line);
    }
}

/// Puts a text and its signature (packets, not armored) into a message, the same bytes each time.
pub fn clearsign(text: &[u8], packets: &[u8]) -> Result<Vec<u8>, CleartextError> {
    check(text)?;
    message(lines(text)?.into_iter(), packets)
}

/// Puts any text and its signature into a message as gpg 2.2 does: with its blanks and ends of lines, which are not signed.
pub fn clearsign_as_it_is(text: &[u8], packets: &[u8]) -> Result<Vec<u8>, CleartextError> {
    lines(text)?;
    message(raw_lines(text), packets)
}

fn message<'a>(lines: impl Iterator<Item = &'a [u8]>, packets: &[u8]) -> Result<Vec<u8>, CleartextError> {
    let mut hashes = Vec::new();
    for info in inspect(packets)? {
        let name = match info.hash {
            8 => "SHA256",
            9 => "SHA384",
            10 => "SHA512",
            number => return Err(CleartextError::Hash(number)),
        };
        // Version 6 signatures name theirs themselves.
        if info.version < 6 && !hashes.contains(&name) {
            hashes.push(name);
        }
    }
    let mut message = b"-----BEGIN PGP SIGNED MESSAGE-----\n".to_vec();
    if !hashes.is_empty() {
        message.extend_from_slice(format!("Hash: {}\n", hashes.join(",")).as_bytes());
    }
    message.push(b'\n');
    for line in lines {
        if line.starts_with(b"-") || line.starts_with(b"From ") {
            message.extend_from_slice(b"- ");
        }
        message.extend_from_slice(line);
        message.push(b'\n');
    }
    message.extend_from_slice(armor_detached(packets).as_bytes());
    Ok(message)
}

/// A line without blanks at its end, for which gpg 2.2 takes NUL, too.
fn stripped(line: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | 0);
    let length = line.iter().rposition(|byte| !blank(byte)).map_or(0, |last| last + 1);
    line.get(..length).unwrap_or_default()
}

/// Lines of the signed text (without dash escapes and trailing white space) and the armored signature.
pub(super) fn split(message: &[u8]) -> Result<(Vec<&[u8]>, &[u8]), VerifyError> {
    let bad = VerifyError::NoCleartext;
    let mut rest = message;
    let mut line = || -> Option<(&[u8], &[u8])> {
        let before = rest;
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let (line, after) = (rest.get(..end)?, rest.get(end + 1..)?);
        rest = after;
        Some((line.strip_suffix(b"\r").unwrap_or(line), before))
    };
    if line().map(|(line, _)| line.trim_ascii_end()) != Some(b"-----BEGIN PGP SIGNED MESSAGE-----") {
        return Err(bad("it does not begin with the line that such a message begins with"));
    }
    loop {
        match line() {
            Some((line, _)) if line.trim_ascii_end().is_empty() => break,
            // The only header that may stand here; others could be taken for signed text.
            Some((line, _)) if line.starts_with(b"Hash: ") => {}
            _ => return Err(bad("only 'Hash' headers may stand in front of its text")),
        }
    }
    let mut lines = Vec::new();
    let signature = loop {
        let (line, before) = line().ok_or(bad("it ends before its signature"))?;
        if line.trim_ascii_end() == b"-----BEGIN PGP SIGNATURE-----" {
            break before;
        }
        let text = match line.strip_prefix(b"- ") {
            Some(text) => text,
            None if line.starts_with(b"-") => return Err(bad("a line of its text begins with a bare dash")),
            None => line,
        };
        lines.push(stripped(text));
    };
    const END: &[u8] = b"-----END PGP SIGNATURE-----";
    let end = signature.windows(END.len()).position(|window| window == END).map(|place| place + END.len());
    let (block, after) =
        end.and_then(|end| signature.split_at_checked(end)).ok_or(bad("its signature does not end"))?;
    if !after.trim_ascii().is_empty() {
        return Err(bad("something follows its signature"));
    }
    Ok((lines, block))
}

/// The armored signature in a cleartext-signed message; nothing is verified.
pub fn signature_of(message: &[u8]) -> Result<&[u8], VerifyError> {
    split(message).map(|(_, signature)| signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_has_no_blanks_at_the_ends_of_lines() {
        let cases: [(&[u8], &[u8]); 8] = [
            (b"", b""),
            (b"a", b"a"),
            (b"a\n", b"a"),
            (b"a\n\n", b"a\r\n"),
            (b"a \t\n b\n", b"a\r\n b"),
            (b"a\r\nb\r\n", b"a\r\nb"),
            (b"- a\n", b"- a"),
            ("ä\n".as_bytes(), "ä".as_bytes()),
        ];
        for (text, wanted) in cases {
            let signed = signed_text(text).unwrap();
            assert_eq!(signed, wanted, "{:?}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn text_that_could_be_read_in_two_ways_is_refused() {
        let long = [b'a'; LONGEST_LINE + 1];
        let cases: [(&[u8], usize); 5] =
            [(b"a\rb\n", 1), (b"a\n\0\n", 2), (b"\xff", 1), (b"a\n\nb\x1b[2J", 3), (&long, 1)];
        for (text, wanted) in cases {
            let taken = clearsign(text, b"none");
            let Err(CleartextError::Line { line, .. }) = taken else { panic!("{text:?} is taken") };
            assert_eq!(line, wanted, "{:?}", String::from_utf8_lossy(text));
        }
        assert!(matches!(clearsign(b"a", b"none"), Err(CleartextError::Packet(_))));
    }
}
