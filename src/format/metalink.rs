//! Metalinks (version 3) of `repomd.xml`, and lists of mirrors: where a repository's mirrors are, and what they must have.
//!
//! ```text
//! <metalink version="3.0" xmlns="http://www.metalinker.org/" xmlns:mm0="http://fedorahosted.org/mirrormanager">
//!   <files>
//!     <file name="repomd.xml">
//!       <mm0:timestamp>1793491200</mm0:timestamp>
//!       <size>4096</size>
//!       <verification> <hash type="sha256">…</hash> … </verification>
//!       <mm0:alternates>
//!         <mm0:alternate> <mm0:timestamp/> <size/> <verification/> </mm0:alternate> …
//!       </mm0:alternates>
//!       <resources maxconnections="1">
//!         <url protocol="https" type="https" location="DE" preference="100">https://…/repodata/repomd.xml</url> …
//! ```
//! As librepo (1.14) reads it: the first file named `repomd.xml` counts, the prefix is literally `mm0:`, a higher
//! preference (100 to 1) is better, and a mirror's folder is the URL without `repodata/repomd.xml`. Other than there,
//! MD5 and SHA-1 verify nothing: a version needs a SHA-256 or better, and all those it has must fit, as must its size. Of
//! one algorithm it has one.
//!
//! A mirror list is a text with a folder's URL a line; empty lines and those that begin with `#` are passed over.

use super::repodata::Checksum;
use super::xml::{Element, Place, XmlError};

/// Bytes of the largest metalink or list that is read. MirrorManager's have some 50 kB.
pub const LARGEST: usize = 4 << 20;
const MOST_MIRRORS: usize = 2_000;
const MOST_VERSIONS: usize = 200;

const FILE: &str = "repodata/repomd.xml";

/// A metalink of `repomd.xml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metalink {
    /// What `repomd.xml` may be: the current one, then the alternates, newest first.
    pub versions: Vec<Version>,
    /// Folders that hold `repodata`, the best first; each ends without a slash.
    pub mirrors: Vec<String>,
}

/// One state of `repomd.xml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its time.
    pub timestamp: i64,
    /// Its bytes, where they are stated.
    pub size: Option<u64>,
    /// Its checksums; at least one, none of them a SHA-1.
    pub hashes: Vec<Checksum>,
}

/// It cannot be read. Retrying cannot help.
#[derive(Debug, thiserror::Error)]
pub enum MetalinkError {
    /// It is not XML.
    #[error("the metalink is not XML that gander reads")]
    Xml(#[from] XmlError),
    /// It lacks something or says something that cannot be.
    #[error("the metalink is damaged at {place}: {what}")]
    Damaged {
        /// Where.
        place: Place,
        /// What is wrong.
        what: String,
    },
    /// There is too much of it.
    #[error("the list has more than {LARGEST} bytes, {MOST_MIRRORS} mirrors or {MOST_VERSIONS} versions")]
    TooLarge,
    /// A list of mirrors is no text.
    #[error("the list of mirrors is not UTF-8 text")]
    NotText,
}

impl Version {
    /// Whether these bytes are that state.
    pub fn is(&self, repomd: &[u8]) -> bool {
        let fits = |hash: &Checksum| {
            hash.verifier().is_some_and(|mut verifier| {
                verifier.update(repomd);
                verifier.agrees()
            })
        };
        self.size.is_none_or(|size| size == repomd.len() as u64)
            && !self.hashes.is_empty()
            && self.hashes.iter().all(fits)
    }

    fn read(element: &Element) -> Result<Self, MetalinkError> {
        let number = |name: &str| -> Result<Option<u64>, MetalinkError> {
            let Some(child) = element.child(name) else { return Ok(None) };
            let text = child.text.trim();
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            let number = text.parse().ok().filter(|_| digits);
            number.map(Some).ok_or_else(|| damaged(child, "this is not a number"))
        };
        let mut hashes = Vec::new();
        for hash in element.child("verification").into_iter().flat_map(|element| &element.children) {
            let kind = hash.attribute("type").unwrap_or_default();
            if hash.name != "hash" || matches!(kind, "md5" | "sha1") {
                continue;
            }
            let sum = Checksum::parse(kind, hash.text.trim());
            match sum {
                Ok(Checksum::Sha1(_)) => {}
                // Each is computed when something is compared with it.
                Ok(sum) if hashes.contains(&sum) => {}
                Ok(sum) if hashes.iter().any(|known: &Checksum| known.kind() == sum.kind()) => {
                    return Err(damaged(hash, &format!("there are two different {}", sum.kind())));
                }
                Ok(sum) => hashes.push(sum),
                Err(error) => return Err(damaged(hash, &error.to_string())),
            }
        }
        if hashes.is_empty() {
            return Err(damaged(element, "a version of repomd.xml has no SHA-256 or better"));
        }
        let timestamp = number("mm0:timestamp")?.and_then(|time| i64::try_from(time).ok()).unwrap_or(0);
        Ok(Self { timestamp, size: number("size")?, hashes })
    }
}

impl Metalink {
    /// Reads one.
    pub fn parse(document: &[u8]) -> Result<Self, MetalinkError> {
        if document.len() > LARGEST {
            return Err(MetalinkError::TooLarge);
        }
        let root = Element::parse(document)?;
        if root.name != "metalink" {
            return Err(damaged(&root, "the root element is not <metalink>"));
        }
        let files = root.child("files").ok_or_else(|| damaged(&root, "there are no <files>"))?;
        let named = |file: &&Element| file.name == "file" && file.attribute("name") == Some("repomd.xml");
        let file = files.children.iter().find(named);
        let file = file.ok_or_else(|| damaged(files, "there is no file named repomd.xml"))?;

        let mut versions = vec![Version::read(file)?];
        let mut alternates = Vec::new();
        for element in file.child("mm0:alternates").into_iter().flat_map(|element| &element.children) {
            if element.name == "mm0:alternate" {
                alternates.push(Version::read(element)?);
            }
        }
        alternates.sort_by_key(|version| std::cmp::Reverse(version.timestamp));
        versions.extend(alternates);

        let mut mirrors: Vec<(u32, String)> = Vec::new();
        for url in file.child("resources").into_iter().flat_map(|resources| &resources.children) {
            // Those of other protocols (rsync, ftp) and of other files are for others.
            if url.name == "url"
                && let Some(folder) = url.text.trim().strip_suffix(FILE)
                && let Some(folder) = address(folder)
            {
                let preference = url.attribute("preference").and_then(|text| text.parse().ok());
                mirrors.push((preference.unwrap_or(0).min(100), folder));
            }
        }
        mirrors.sort_by_key(|(preference, _)| std::cmp::Reverse(*preference));
        if versions.len() > MOST_VERSIONS || mirrors.len() > MOST_MIRRORS {
            return Err(MetalinkError::TooLarge);
        }
        Ok(Self { versions, mirrors: mirrors.into_iter().map(|(_, folder)| folder).collect() })
    }
}

/// Reads a list of mirrors: folders that hold `repodata`, each without a slash at its end.
pub fn parse_list(text: &[u8]) -> Result<Vec<String>, MetalinkError> {
    if text.len() > LARGEST {
        return Err(MetalinkError::TooLarge);
    }
    let text = std::str::from_utf8(text).map_err(|_| MetalinkError::NotText)?;
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let mirrors: Vec<_> = lines.filter_map(address).collect();
    if mirrors.len() > MOST_MIRRORS { Err(MetalinkError::TooLarge) } else { Ok(mirrors) }
}

/// The URL of a folder, where it is one that can be asked.
fn address(text: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}?#@$".contains(&byte);
    let text = text.trim_end_matches('/');
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let rest = rest.or_else(|| text.strip_prefix("file:///"))?;
    (!rest.is_empty() && rest.len() < 2_000 && rest.bytes().all(plain)).then(|| text.to_owned())
}

fn damaged(element: &Element, what: &str) -> MetalinkError {
    MetalinkError::Damaged { place: element.place, what: what.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Digest;

    fn metalink() -> String {
        let hash = |text: &str| {
            let md5 = "0".repeat(32);
            format!(
                "<verification><hash type=\"md5\">{md5}</hash><hash type=\"sha256\">{}</hash></verification>",
                Digest::of(text).hex()
            )
        };
        format!(
            "<?xml version=\"1.0\"?><metalink version=\"3.0\" xmlns:mm0=\"http://fedorahosted.org/mirrormanager\"><files>\
             <file name=\"other.xml\"/><file name=\"repomd.xml\"><mm0:timestamp>30</mm0:timestamp><size>3</size>{}\
             <mm0:alternates><mm0:alternate><mm0:timestamp>10</mm0:timestamp><size>3</size>{}</mm0:alternate>\
             <mm0:alternate><mm0:timestamp>20</mm0:timestamp>{}</mm0:alternate></mm0:alternates>\
             <resources maxconnections=\"1\">\
             <url protocol=\"http\" preference=\"50\">http://b.example/x/repodata/repomd.xml</url>\
             <url protocol=\"rsync\" preference=\"100\">rsync://c.example/x/repodata/repomd.xml</url>\
             <url protocol=\"https\" preference=\"99\"> https://a.example/x/repodata/repomd.xml </url>\
             <url protocol=\"http\" preference=\"7\">http://d.example/x/repodata/other.xml</url>\
             </resources></file></files></metalink>",
            hash("new"),
            hash("old"),
            hash("mid")
        )
    }

    #[test]
    fn reads_versions_and_mirrors_in_their_order() {
        let metalink = Metalink::parse(metalink().as_bytes()).unwrap();
        assert_eq!(metalink.mirrors, ["https://a.example/x", "http://b.example/x"]);
        let fits = |text: &str| metalink.versions.iter().position(|version| version.is(text.as_bytes()));
        assert_eq!(["new", "mid", "old", "other"].map(fits), [Some(0), Some(1), Some(2), None]);
        let mut sized = metalink.versions[0].clone();
        sized.size = Some(4);
        assert!(!sized.is(b"new"), "of another size");
    }

    #[test]
    fn a_hash_counts_once() {
        let hash = |text: &str| format!("<hash type=\"sha256\">{}</hash>", Digest::of(text).hex());
        let twice = metalink().replace(&hash("new"), &hash("new").repeat(1000));
        assert_eq!(Metalink::parse(twice.as_bytes()).unwrap().versions[0].hashes.len(), 1);
        let differing = metalink().replace(&hash("new"), &[hash("new"), hash("other")].concat());
        let error = Metalink::parse(differing.as_bytes()).unwrap_err();
        assert!(error.to_string().ends_with("there are two different sha256"), "{error}");
    }

    #[test]
    fn refuses_what_verifies_nothing() {
        for (from, to) in [
            ("sha256", "sha1"),
            ("sha256", "sha512"),
            ("type=\"sha256\"", ""),
            ("<size>3<", "<size>-3<"),
            ("name=\"repomd.xml\"", "name=\"x\""),
            ("<metalink", "<other"),
            ("</files>", ""),
        ] {
            assert!(Metalink::parse(metalink().replace(from, to).as_bytes()).is_err(), "{from} {to}");
        }
        assert!(Metalink::parse(&vec![b' '; LARGEST + 1]).is_err());
    }

    #[test]
    fn mutations_end_in_an_error_or_a_metalink() {
        let good = metalink().into_bytes();
        let (mut state, mut refused) = (1_u64, 0);
        for _ in 0..20_000 {
            let mut bytes = good.clone();
            for _ in 0..3 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let place = usize::try_from(state >> 33).unwrap() % bytes.len();
                match state & 3 {
                    0 => bytes.truncate(place.max(1)),
                    1 => bytes.insert(place, bytes[place]),
                    _ => bytes[place] = (state >> 8) as u8,
                }
            }
            refused += usize::from(Metalink::parse(&bytes).is_err());
            drop(parse_list(&bytes));
        }
        assert!(refused > 10_000, "only {refused} were refused");
    }

    #[test]
    fn lists_hold_urls() {
        let list = b"# mirrors\n\nhttp://a.example/x/\n https://b.example/y \nftp://c/\n/srv\nhttp://u:p@h/\nfile:///srv/x\n";
        assert_eq!(parse_list(list).unwrap(), ["http://a.example/x", "https://b.example/y", "file:///srv/x"]);
        assert!(parse_list(b"\xff").is_err());
        assert!(parse_list("http://a/\n".repeat(MOST_MIRRORS + 1).as_bytes()).is_err());
    }
}
