//! repomd.xml: which lists a repository has, by checksum.
//!
//! ```text
//! <repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="http://linux.duke.edu/metadata/rpm">
//!   <revision>1793491200</revision>
//!   <data type="primary">
//!     <checksum type="sha256">…</checksum>               of the file as it lies there
//!     <open-checksum type="sha256">…</open-checksum>     of its content, where it is compressed
//!     <location href="repodata/<checksum>-primary.xml.gz"/>
//!     <timestamp>1793491200</timestamp>
//!     <size>…</size> <open-size>…</open-size>
//!   </data>
//! </repomd>
//! ```
//! Read are files with SHA-256 checksums only; other kinds of data and elements are kept out of the way.

use super::text::Writer;
use crate::base::{Digest, RelPath};
use crate::format::xml::{Element, XmlError};

/// One file of the metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    /// `primary`, `filelists`, `other`, `group`, …
    pub kind: String,
    /// Digest of the file.
    pub checksum: Digest,
    /// Bytes of the file.
    pub size: u64,
    /// Digest and bytes of its content, where the file is compressed.
    pub open: Option<(Digest, u64)>,
    /// The file, from the folder that holds `repodata`.
    pub location: RelPath,
    /// Its time.
    pub timestamp: i64,
}

/// repomd.xml.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repomd {
    /// A number that grows with each revision, here the source date.
    pub revision: String,
    /// The files, in order.
    pub data: Vec<Data>,
}

/// It cannot be read. Retrying cannot help.
#[derive(Debug, thiserror::Error)]
pub enum RepomdError {
    /// It is not XML.
    #[error("repomd.xml is not XML that gander reads")]
    Xml(#[from] XmlError),
    /// It lacks something or says something that cannot be.
    #[error("repomd.xml is damaged at {place}: {what}")]
    Damaged {
        /// Where.
        place: crate::format::xml::Place,
        /// What is wrong.
        what: String,
    },
}

impl Repomd {
    /// Its text.
    pub fn to_xml(&self) -> String {
        let mut out = Writer::default();
        out.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<repomd xmlns=\"http://linux.duke.edu/metadata/repo\" xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\">\n");
        out.element("  ", "revision", &[], &self.revision);
        for data in &self.data {
            out.raw("  <data").attribute("type", &data.kind).raw(">\n");
            let sha256 = &[("type", "sha256")];
            out.element("    ", "checksum", sha256, &data.checksum.hex());
            if let Some((digest, _)) = &data.open {
                out.element("    ", "open-checksum", sha256, &digest.hex());
            }
            out.element("    ", "location", &[("href", data.location.as_str())], "");
            out.element("    ", "timestamp", &[], &data.timestamp.to_string());
            out.element("    ", "size", &[], &data.size.to_string());
            if let Some((_, size)) = &data.open {
                out.element("    ", "open-size", &[], &size.to_string());
            }
            out.raw("  </data>\n");
        }
        out.raw("</repomd>\n");
        out.into_text()
    }

    /// Reads one. A file whose checksum is no SHA-256, or whose location leaves the repository, is an error.
    pub fn parse(document: &[u8]) -> Result<Self, RepomdError> {
        let root = Element::parse(document)?;
        let damaged =
            |element: &Element, what: &str| RepomdError::Damaged { place: element.place, what: what.into() };
        if root.name != "repomd" {
            return Err(damaged(&root, "the root element is not <repomd>"));
        }
        let mut repomd = Self {
            revision: root
                .child("revision")
                .map(|revision| revision.text.trim().to_owned())
                .unwrap_or_default(),
            data: Vec::new(),
        };
        for element in root.children.iter().filter(|child| child.name == "data") {
            let child = |name: &str| {
                element.child(name).ok_or_else(|| damaged(element, &format!("<{name}> is missing")))
            };
            let digest = |element: &Element| {
                if element.attribute("type") != Some("sha256") {
                    return Err(damaged(element, "the checksum is no SHA-256"));
                }
                Digest::from_hex(element.text.trim()).map_err(|error| damaged(element, &error.to_string()))
            };
            let number = |element: &Element| {
                element.text.trim().parse::<u64>().map_err(|_| damaged(element, "this is not a size"))
            };
            let location = child("location")?;
            let href =
                location.attribute("href").ok_or_else(|| damaged(location, "the location has no href"))?;
            let open = element.child("open-checksum").zip(element.child("open-size"));
            let timestamp = child("timestamp")?;
            // Some tools write fractions of a second.
            let seconds = timestamp.text.trim().split('.').next().unwrap_or_default();
            repomd.data.push(Data {
                kind: element
                    .attribute("type")
                    .ok_or_else(|| damaged(element, "the data has no type"))?
                    .to_owned(),
                checksum: digest(child("checksum")?)?,
                size: number(child("size")?)?,
                open: open
                    .map(|(checksum, size)| Ok::<_, RepomdError>((digest(checksum)?, number(size)?)))
                    .transpose()?,
                location: RelPath::new(href).map_err(|error| damaged(location, &error.to_string()))?,
                timestamp: seconds.parse().map_err(|_| damaged(timestamp, "this is not a time"))?,
            });
        }
        Ok(repomd)
    }

    /// The file of a kind.
    pub fn find(&self, kind: &str) -> Option<&Data> {
        self.data.iter().find(|data| data.kind == kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips() {
        let location = RelPath::new("repodata/x-primary.xml.gz").unwrap();
        let data = Data {
            kind: "primary".into(),
            checksum: Digest::of("a"),
            size: 5,
            open: Some((Digest::of("b"), 9)),
            location,
            timestamp: 7,
        };
        let group = Data { kind: "group".into(), open: None, ..data.clone() };
        let repomd = Repomd { revision: "7".into(), data: vec![data, group] };
        assert_eq!(Repomd::parse(repomd.to_xml().as_bytes()).unwrap(), repomd);
        for (from, to) in [
            ("sha256", "md5"),
            ("repodata/x", "../x"),
            (">5<", ">-5<"),
            ("<timestamp>7", "<timestamp>x"),
            ("repomd xmlns", "other xmlns"),
        ] {
            let text = repomd.to_xml().replace(from, to);
            assert!(Repomd::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
