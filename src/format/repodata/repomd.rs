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
//! `<tags>` says what the repository is of: `<content>`, `<repo>`, `<distro cpeid="…">`. Checksums are SHA-224 to
//! SHA-512; SHA-1 and MD5 are refused, since whoever reads the files has nothing else to verify them by. Old tools leave
//! out sizes. Files of zchunk (`primary_zck`, …) repeat others in a form of their own and are passed over; those of
//! databases (`primary_db`, …), of errata, modules and groups are kept for whoever asks for them.

use super::List;
use super::checksum::Checksum;
use crate::base::RelPath;
use crate::format::xml::{Element, XmlError};
use crate::format::xml_text::Writer;

/// Version of the databases (`primary_db`, …): the one that all clients know.
const DATABASE_VERSION: &str = "10";

/// The content of a compressed file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// Its checksum.
    pub checksum: Checksum,
    /// Its bytes, where they are stated.
    pub size: Option<u64>,
}

/// One file of the metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    /// `primary`, `filelists`, `other`, `group`, …
    pub kind: String,
    /// Checksum of the file.
    pub checksum: Checksum,
    /// Bytes of the file, where they are stated.
    pub size: Option<u64>,
    /// Its content, where the file is compressed.
    pub open: Option<Open>,
    /// The file, from the folder that holds `repodata`.
    pub location: RelPath,
    /// Its time.
    pub timestamp: i64,
}

/// What a repository is of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    /// What it holds.
    pub content: Vec<String>,
    /// What it is.
    pub repo: Vec<String>,
    /// Distributions that it belongs to: identifiers in the Common Platform Enumeration, where there are some, and
    /// names.
    pub distro: Vec<(Option<String>, String)>,
}

/// repomd.xml.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repomd {
    /// Anything that changes with each revision, often a time; here the source date.
    pub revision: String,
    /// What the repository is of.
    pub tags: Tags,
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
        if self.tags != Tags::default() {
            out.raw("  <tags>\n");
            for (name, tags) in [("content", &self.tags.content), ("repo", &self.tags.repo)] {
                for tag in tags {
                    out.element("    ", name, &[], tag);
                }
            }
            for (cpeid, name) in &self.tags.distro {
                let cpeid = cpeid.as_ref().map(|cpeid| ("cpeid", cpeid.as_str()));
                out.element("    ", "distro", cpeid.as_slice(), name);
            }
            out.raw("  </tags>\n");
        }
        for data in &self.data {
            out.raw("  <data").attribute("type", &data.kind).raw(">\n");
            let mut checksum = |name, sum: &Checksum| {
                out.element("    ", name, &[("type", sum.kind())], &sum.hex());
            };
            checksum("checksum", &data.checksum);
            if let Some(open) = &data.open {
                checksum("open-checksum", &open.checksum);
            }
            out.element("    ", "location", &[("href", data.location.as_str())], "");
            out.element("    ", "timestamp", &[], &data.timestamp.to_string());
            let open_size = data.open.and_then(|open| open.size);
            for (name, size) in [("size", data.size), ("open-size", open_size)] {
                if let Some(size) = size {
                    out.element("    ", name, &[], &size.to_string());
                }
            }
            if data.kind.ends_with("_db") {
                out.element("    ", "database_version", &[], DATABASE_VERSION);
            }
            out.raw("  </data>\n");
        }
        out.raw("</repomd>\n");
        out.into_text()
    }

    /// Reads one. A file whose checksum verifies nothing, or whose location leaves the repository, is an error.
    pub fn parse(document: &[u8]) -> Result<Self, RepomdError> {
        let root = Element::parse(document)?;
        if root.name != "repomd" {
            return Err(damaged(&root, "the root element is not <repomd>"));
        }
        let revision = root.child("revision").map(|revision| revision.text.trim().to_owned());
        let mut repomd = Self { revision: revision.unwrap_or_default(), ..Self::default() };
        for element in &root.children {
            match element.name.as_str() {
                "tags" => repomd.tags.read(element),
                "data" => repomd.data.extend(Data::read(element)?),
                _ => {}
            }
        }
        let list = |kind: &str| List::ALL.iter().any(|list| list.name() == kind);
        for (place, data) in repomd.data.iter().enumerate().filter(|(_, data)| list(&data.kind)) {
            if repomd.data.iter().take(place).any(|before| before.kind == data.kind) {
                return Err(damaged(&root, &format!("there are two lists '{}'", data.kind)));
            }
        }
        Ok(repomd)
    }

    /// The file of a kind.
    pub fn find(&self, kind: &str) -> Option<&Data> {
        self.data.iter().find(|data| data.kind == kind)
    }
}

impl Tags {
    fn read(&mut self, element: &Element) {
        for tag in &element.children {
            let text = tag.text.trim().to_owned();
            match tag.name.as_str() {
                "content" => self.content.push(text),
                "repo" => self.repo.push(text),
                "distro" => self.distro.push((tag.attribute("cpeid").map(str::to_owned), text)),
                _ => {}
            }
        }
    }
}

impl Data {
    /// None for a file of zchunk.
    fn read(element: &Element) -> Result<Option<Self>, RepomdError> {
        let kind = element.attribute("type").ok_or_else(|| damaged(element, "the data has no type"))?;
        if kind.ends_with("_zck") {
            return Ok(None);
        }
        let child =
            |name: &str| element.child(name).ok_or_else(|| damaged(element, &format!("<{name}> is missing")));
        let location = child("location")?;
        let href = location.attribute("href");
        let href = href.ok_or_else(|| damaged(location, "the location has no href"))?;
        if location.attribute("xml:base").is_some_and(|base| !base.is_empty()) {
            return Err(damaged(location, "the file lies outside of the repository"));
        }
        let open = element.child("open-checksum").map(checksum).transpose()?;
        let open_size = element.child("open-size").map(number).transpose()?;
        let timestamp = element.child("timestamp");
        // Some tools write fractions of a second.
        let seconds = timestamp.map_or("0", |timestamp| timestamp.text.trim());
        let seconds = seconds.split('.').next().unwrap_or_default();
        Ok(Some(Self {
            kind: kind.to_owned(),
            checksum: checksum(child("checksum")?)?,
            size: element.child("size").map(number).transpose()?,
            open: open.map(|checksum| Open { checksum, size: open_size }),
            location: RelPath::new(href).map_err(|error| damaged(location, &error.to_string()))?,
            timestamp: seconds
                .parse()
                .map_err(|_| damaged(timestamp.unwrap_or(element), "this is not a time"))?,
        }))
    }
}

fn checksum(element: &Element) -> Result<Checksum, RepomdError> {
    let kind = element.attribute("type").unwrap_or_default();
    match Checksum::parse(kind, element.text.trim()) {
        Ok(Checksum::Sha1(_)) => Err(damaged(element, "the checksum is a SHA-1, which verifies nothing")),
        Ok(checksum) => Ok(checksum),
        Err(error) => Err(damaged(element, &error.to_string())),
    }
}

fn number(element: &Element) -> Result<u64, RepomdError> {
    let text = element.text.trim();
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or_else(|| damaged(element, "this is not a size"))
}

fn damaged(element: &Element, what: &str) -> RepomdError {
    RepomdError::Damaged { place: element.place, what: what.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Digest;

    fn data(kind: &str) -> Data {
        Data {
            kind: kind.into(),
            checksum: Digest::of("a").into(),
            size: Some(5),
            open: Some(Open { checksum: Digest::of("b").into(), size: Some(9) }),
            location: RelPath::new(format!("repodata/x-{kind}.xml.gz")).unwrap(),
            timestamp: 7,
        }
    }

    #[test]
    fn round_trips() {
        let long = Checksum::parse("sha512", &"0a".repeat(64)).unwrap();
        let open = Some(Open { checksum: long, size: None });
        let tags = Tags {
            content: vec!["binary".into()],
            repo: vec!["a".into(), "b & c".into()],
            distro: vec![(Some("cpe:/o:x".into()), "X 1".into()), (None, "Y".into())],
        };
        let others = [
            Data { open: None, ..data("group") },
            Data { checksum: long, size: None, open, ..data("primary_db") },
        ];
        for tags in [tags, Tags::default()] {
            let data = [data("primary")].into_iter().chain(others.clone()).collect();
            let repomd = Repomd { revision: "7".into(), tags, data };
            assert_eq!(Repomd::parse(repomd.to_xml().as_bytes()).unwrap(), repomd);
        }
    }

    #[test]
    fn refuses_what_verifies_nothing_or_leaves_the_repository() {
        let text = Repomd { data: vec![data("primary"), data("group")], ..Repomd::default() }.to_xml();
        assert_eq!(Repomd::parse(text.as_bytes()).unwrap().data.len(), 2);
        for (from, to) in [
            ("sha256", "md5"),
            ("sha256", "sha512"),
            (" type=\"sha256\"", ""),
            (&*format!("sha256\">{}", Digest::of("a").hex()), &*format!("sha1\">{}", "0".repeat(40))),
            ("repodata/x", "../x"),
            ("repodata/x", "/x"),
            ("location href", "location xml:base=\"http://h/\" href"),
            (">5<", ">-5<"),
            (">5<", ">+5<"),
            (">5<", "><"),
            (">9<", ">99999999999999999999<"),
            ("<timestamp>7", "<timestamp>x"),
            ("repomd xmlns", "other xmlns"),
            ("\"group\"", "\"primary\""),
            ("</repomd>", ""),
        ] {
            let text = text.replace(from, to);
            assert!(Repomd::parse(text.as_bytes()).is_err(), "{from} {to}");
        }
    }

    #[test]
    fn takes_what_other_tools_write() {
        let text = Repomd { data: vec![data("primary"), data("group")], ..Repomd::default() }.to_xml();
        for (from, to, count) in [
            ("<timestamp>7<", "<timestamp>7.25<", 2),
            ("    <open-size>9</open-size>\n", "", 2),
            ("    <size>5</size>\n", "    <database_version>10</database_version>\n", 2),
            ("\"group\"", "\"primary_zck\"", 1),
        ] {
            let read = Repomd::parse(text.replace(from, to).as_bytes()).unwrap();
            assert_eq!(read.data.len(), count, "{from}");
            assert_eq!(read.find("primary").unwrap().timestamp, 7);
        }
    }
}
