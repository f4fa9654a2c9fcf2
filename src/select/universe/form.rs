//! The form in which a universe is kept.
//!
//! Its text form is one JSON object a line: first `{"gander-universe":1,"candidates":N}`, then each candidate,
//! sorted by name, version, arch and content digest. The universe's digest is that of this text, so it does not
//! depend on the order in which candidates were found, nor on the compressor. On disk the text is a zstd stream.

use std::io::{BufRead, BufReader, BufWriter, Read, Write};

use serde::{Deserialize, Serialize};

use super::super::candidate::Candidate;
use super::{Universe, UniverseError};
use crate::base::{Digest, Hasher};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    #[serde(rename = "gander-universe")]
    version: u32,
    candidates: usize,
}

const VERSION: u32 = 1;
/// Larger than any distribution: 100,000 packages with 200 MB of file names.
const LARGEST: u64 = 4 << 30;
const LONGEST_LINE: u64 = 256 << 20;
const MOST: usize = 2_000_000;
/// What is large stays in the store: a level that takes a second for 200 MB of text, where 12 takes ten.
const LEVEL: i32 = 3;
/// What is small travels in locks, which are kept for good.
const SMALL: usize = 1 << 20;
const LEVEL_OF_SMALL: i32 = 12;

/// A universe as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The digest of its text form.
    pub digest: Digest,
    /// Its text form, compressed.
    pub bytes: Vec<u8>,
}

impl Universe {
    fn write(&self, mut out: impl Write) -> std::io::Result<()> {
        serde_json::to_writer(&mut out, &Head { version: VERSION, candidates: self.len() })?;
        out.write_all(b"\n")?;
        for member in self.members() {
            serde_json::to_writer(&mut out, &member.to_candidate())?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    /// Its text form, compressed, and the digest of that text.
    pub fn encode(&self) -> Result<Encoded, UniverseError> {
        let mut encoded = self.encode_at(LEVEL).map_err(UniverseError::Compression)?;
        if encoded.bytes.len() <= SMALL {
            encoded = self.encode_at(LEVEL_OF_SMALL).map_err(UniverseError::Compression)?;
        }
        Ok(encoded)
    }

    fn encode_at(&self, level: i32) -> std::io::Result<Encoded> {
        let both = Both { hasher: Hasher::new(), encoder: zstd::Encoder::new(Vec::new(), level)? };
        // Both take large pieces faster than the few bytes that JSON is written in.
        let mut out = BufWriter::with_capacity(1 << 16, both);
        self.write(&mut out)?;
        let both = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        Ok(Encoded { digest: both.hasher.finish(), bytes: both.encoder.finish()? })
    }

    /// Reads what [`Universe::encode`] wrote.
    pub fn decode(stored: &[u8]) -> Result<Self, UniverseError> {
        let decoder = zstd::Decoder::with_buffer(stored).map_err(UniverseError::Compression)?;
        let mut reader = BufReader::new(decoder.take(LARGEST));
        let head: Head = match read_line(&mut reader, 1)? {
            Some(line) => from_json(&line, 1)?,
            None => return Err(UniverseError::Damaged { line: 1, reason: "it is empty".into() }),
        };
        if head.version != VERSION || head.candidates > MOST {
            let reason = format!("it has version {} and {} candidates", head.version, head.candidates);
            return Err(UniverseError::Damaged { line: 1, reason });
        }
        let mut candidates: Vec<Candidate> = Vec::new();
        let mut number = 1;
        while let Some(line) = read_line(&mut reader, number + 1)? {
            number += 1;
            let candidate: Candidate = from_json(&line, number)?;
            // Only the one order has the universe's digest.
            let after =
                |last: &Candidate| (&last.nevra, last.lookaside) >= (&candidate.nevra, candidate.lookaside);
            if candidates.last().is_some_and(after) {
                return Err(UniverseError::Damaged {
                    line: number,
                    reason: "the candidates are not sorted".into(),
                });
            }
            if candidates.len() >= head.candidates {
                return Err(UniverseError::Damaged {
                    line: number,
                    reason: "there are more candidates than announced".into(),
                });
            }
            candidates.push(candidate);
        }
        if candidates.len() != head.candidates {
            let reason = format!("{} candidates are missing", head.candidates - candidates.len());
            return Err(UniverseError::Damaged { line: number, reason });
        }
        Self::new(candidates)
    }
}

/// Hashes text and compresses it.
struct Both {
    hasher: Hasher,
    encoder: zstd::Encoder<'static, Vec<u8>>,
}

impl Write for Both {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.hasher.update(bytes);
        self.encoder.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.encoder.flush()
    }
}

fn read_line(reader: &mut impl BufRead, number: usize) -> Result<Option<Vec<u8>>, UniverseError> {
    let mut line = Vec::new();
    let read = reader.take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(UniverseError::Compression)?;
    match line.last() {
        None if read == 0 => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        _ => Err(UniverseError::Damaged { line: number, reason: "it is cut off or too long".into() }),
    }
}

fn from_json<T: for<'a> Deserialize<'a>>(line: &[u8], number: usize) -> Result<T, UniverseError> {
    serde_json::from_slice(line)
        .map_err(|error| UniverseError::Damaged { line: number, reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::super::super::candidate::{FileKind, PackagedFile};
    use super::super::super::relation::{Relation, Sense};
    use super::*;

    fn candidate(nevra: &str) -> Candidate {
        let mut candidate = Candidate::new(nevra.parse().unwrap(), Digest::of(nevra));
        candidate.provides.push(Relation::versioned("x", Sense::EQUAL, "0:1-1"));
        candidate.files.push(PackagedFile(FileKind::Ghost, "/var/log/é".into()));
        candidate
    }

    #[test]
    fn order_does_not_matter_and_the_form_round_trips() {
        let names = ["b-0:1-1.x86_64", "a-0:2-1.x86_64", "a-0:10-1.i686", "a-0:2-1.i686"];
        let one = Universe::new(names.iter().map(|name| candidate(name)).collect()).unwrap();
        let two =
            Universe::new(names.iter().rev().chain(&names).map(|name| candidate(name)).collect()).unwrap();
        assert_eq!(one.encode().unwrap(), two.encode().unwrap());
        let order: Vec<_> = one.members().map(|member| member.nevra().to_string()).collect();
        assert_eq!(order, ["a-0:2-1.i686", "a-0:2-1.x86_64", "a-0:10-1.i686", "b-0:1-1.x86_64"]);
        assert_eq!(Universe::decode(&one.encode().unwrap().bytes).unwrap(), one);
    }

    #[test]
    fn the_text_form_is_pinned() {
        let mut text = Vec::new();
        Universe::new(vec![candidate("a-1:2-3.noarch")]).unwrap().write(&mut text).unwrap();
        // A change here changes every universe's digest: raise VERSION with it.
        let key = Digest::of("a-1:2-3.noarch");
        assert_eq!(
            String::from_utf8(text).unwrap(),
            format!(
                "{{\"gander-universe\":1,\"candidates\":1}}\n{{\"nevra\":\"a-1:2-3.noarch\",\"key\":\"{key}\",\"provides\":[{{\"n\":\"x\",\"s\":8,\"v\":\"0:1-1\"}}],\"files\":[[\"g\",\"/var/log/é\"]]}}\n"
            )
        );
    }

    #[test]
    fn refuses_two_contents_of_one_name_and_damage() {
        let mut other = candidate("a-0:1-1.noarch");
        other.key = Digest::of("other");
        assert!(
            matches!(Universe::new(vec![candidate("a-0:1-1.noarch"), other]), Err(UniverseError::Different(names)) if names == ["a-0:1-1.noarch"])
        );
        for text in [
            "",
            "{}\n",
            "{\"gander-universe\":2,\"candidates\":0}\n",
            "{\"gander-universe\":1,\"candidates\":1}\n",
            "{\"gander-universe\":1,\"candidates\":99999999999}\n",
            "{\"gander-universe\":1,\"candidates\":0}\n{\"nevra\":\"a-0:1-1.noarch\"}\n",
            "{\"gander-universe\":1,\"candidates\":0}",
        ] {
            let stored = zstd::encode_all(text.as_bytes(), 1).unwrap();
            assert!(Universe::decode(&stored).is_err(), "{text}");
        }
        let good = Universe::new(vec![candidate("a-0:1-1.noarch")]).unwrap().encode().unwrap().bytes;
        assert!(Universe::decode(&good[..good.len() - 5]).is_err());
        assert!(Universe::decode(b"no zstd").is_err());
    }
}
