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

use std::io::{self, BufRead, Read as _, Write};

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
    /// The text cannot be read, or the message not written. A retry may help.
    #[error("the text cannot be read, or the message not written: {0}")]
    Io(#[from] io::Error),
}

/// Gives each line as it stands, without the line feed at its end, and its number. Takes memory for one line alone.
fn each_line(
    mut text: impl BufRead,
    mut seen: impl FnMut(usize, &[u8]) -> Result<(), CleartextError>,
) -> Result<(), CleartextError> {
    let mut whole = Vec::new();
    for number in 1.. {
        whole.clear();
        // So much of one that is too long shows that it is.
        text.by_ref().take(LONGEST_LINE as u64 + 3).read_until(b'\n', &mut whole)?;
        // A text without lines has one that is empty.
        if whole.is_empty() && number > 1 {
            break;
        }
        let line = whole.strip_suffix(b"\n").unwrap_or(&whole);
        if line.strip_suffix(b"\r").unwrap_or(line).len() > LONGEST_LINE {
            return Err(CleartextError::Line { line: number, problem: "it is longer than 16,000 bytes" });
        }
        seen(number, line)?;
    }
    Ok(())
}

/// Whether every reader takes a text for the same lines.
pub(crate) fn check(text: &[u8]) -> Result<(), CleartextError> {
    each_line(text, |number, line| {
        let wrong = |problem| CleartextError::Line { line: number, problem };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let known = std::str::from_utf8(line).map_err(|_| wrong("it is not UTF-8"))?;
        if known.contains(|char: char| char.is_control() && char != '\t') {
            return Err(wrong("it has a control character"));
        }
        Ok(())
    })
}

/// Gives a text as it is signed, in pieces.
pub(crate) fn canonical(text: impl BufRead, mut piece: impl FnMut(&[u8])) -> Result<(), CleartextError> {
    each_line(text, |number, line| {
        if number > 1 {
            piece(b"\r\n");
        }
        piece(stripped(line));
        Ok(())
    })
}

/// Puts a text and its signature (packets, not armored) into a message, the same bytes each time.
pub fn clearsign(text: &[u8], packets: &[u8]) -> Result<Vec<u8>, CleartextError> {
    check(text)?;
    let mut whole = Vec::new();
    message(text, packets, stripped, &mut whole)?;
    Ok(whole)
}

/// Puts any text and its signature into a message as gpg 2.2 does: with its blanks and ends of lines, which are not
/// signed. Takes memory for one line alone.
pub fn clearsign_as_it_is(
    text: impl BufRead,
    packets: &[u8],
    output: &mut impl Write,
) -> Result<(), CleartextError> {
    message(text, packets, |line| line, output)
}

fn message(
    text: impl BufRead,
    packets: &[u8],
    shown: impl Fn(&[u8]) -> &[u8],
    output: &mut impl Write,
) -> Result<(), CleartextError> {
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
    output.write_all(b"-----BEGIN PGP SIGNED MESSAGE-----\n")?;
    if !hashes.is_empty() {
        writeln!(output, "Hash: {}", hashes.join(","))?;
    }
    output.write_all(b"\n")?;
    each_line(text, |_, line| {
        let line = shown(line);
        if line.starts_with(b"-") || line.starts_with(b"From ") {
            output.write_all(b"- ")?;
        }
        output.write_all(line)?;
        Ok(output.write_all(b"\n")?)
    })?;
    Ok(output.write_all(armor_detached(packets).as_bytes())?)
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
        let cases: [(&[u8], &[u8]); 9] = [
            (b"", b""),
            (b"\n", b""),
            (b"a", b"a"),
            (b"a\n", b"a"),
            (b"a\n\n", b"a\r\n"),
            (b"a \t\n b\n", b"a\r\n b"),
            (b"a\r\nb\r\n", b"a\r\nb"),
            (b"- a\n", b"- a"),
            ("ä\n".as_bytes(), "ä".as_bytes()),
        ];
        for (text, wanted) in cases {
            let mut signed = Vec::new();
            canonical(text, |piece| signed.extend_from_slice(piece)).unwrap();
            assert_eq!(signed, wanted, "{:?}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn text_that_could_be_read_in_two_ways_is_refused() {
        let long = [b'a'; LONGEST_LINE + 1];
        let longest = [&long[1..], b"\r\n"].concat();
        canonical(&longest[..], |_| ()).unwrap();
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
