//! A package as it is described, and its bytes as rpmbuild lays them out.

use std::collections::BTreeMap;

use gander::base::digest::hex;
use gander::openpgp::Hashing;

use crate::sample::{Value, archive, compress, digest, whole};

/// Bits of a dependency's flags.
pub const LESS: u32 = 2;
pub const GREATER: u32 = 4;
pub const EQUAL: u32 = 8;
const RPMLIB: u32 = 1 << 24;

/// Bits of a file's flags.
const CONFIG: u32 = 1 | 16;
const DOC: u32 = 2;
const LICENSE: u32 = 128;

/// The space that rpm leaves for signatures.
const RESERVED: usize = 4128;

const FOLDER: u32 = 0o040_000;
const LINK: u32 = 0o120_000;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    pub name: String,
    pub flags: u32,
    pub evr: String,
}

impl Need {
    pub fn any(name: impl Into<String>) -> Self {
        Self { name: name.into(), flags: 0, evr: String::new() }
    }

    pub fn of(name: impl Into<String>, flags: u32, evr: impl Into<String>) -> Self {
        Self { name: name.into(), flags, evr: evr.into() }
    }
}

/// Lists of dependencies, with the tags of their names, flags and versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum List {
    Provides,
    Requires,
    Conflicts,
    Obsoletes,
    Recommends,
    Suggests,
}

impl List {
    const fn tags(self) -> (u32, u32, u32) {
        match self {
            Self::Provides => (1047, 1112, 1113),
            Self::Requires => (1049, 1048, 1050),
            Self::Conflicts => (1054, 1053, 1055),
            Self::Obsoletes => (1090, 1114, 1115),
            Self::Recommends => (5046, 5048, 5047),
            Self::Suggests => (5049, 5051, 5050),
        }
    }
}

/// A script, with the tags of its text and its interpreter and the bit of what needs that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Script {
    Prein,
    Postin,
    Preun,
    Postun,
}

impl Script {
    const fn tags(self) -> (u32, u32, u32) {
        match self {
            Self::Prein => (1023, 1085, 1 << 9),
            Self::Postin => (1024, 1086, 1 << 10),
            Self::Preun => (1025, 1087, 1 << 11),
            Self::Postun => (1026, 1088, 1 << 12),
        }
    }
}

#[derive(Clone, Debug)]
pub enum Content {
    File(Vec<u8>),
    Folder,
    Link(String),
}

#[derive(Clone, Debug)]
pub struct File {
    pub content: Content,
    /// Permission bits.
    pub mode: u32,
    pub mtime: u32,
}

pub struct Change {
    pub time: u32,
    pub author: String,
    pub text: String,
}

#[derive(Default)]
pub struct Package {
    pub name: String,
    pub epoch: Option<u32>,
    pub version: String,
    pub release: String,
    pub arch: String,
    pub summary: String,
    pub description: String,
    pub license: String,
    pub url: String,
    pub group: String,
    pub packager: String,
    /// File name of the source package; empty for a source package.
    pub source: String,
    pub built: u32,
    pub needs: BTreeMap<List, Vec<Need>>,
    pub scripts: BTreeMap<Script, String>,
    /// By their absolute paths.
    pub files: BTreeMap<String, File>,
    /// The newest first.
    pub changes: Vec<Change>,
}

impl Package {
    /// The name of its file.
    pub fn file_name(&self) -> String {
        let arch = if self.source.is_empty() { "src" } else { &self.arch };
        format!("{}-{}-{}.{arch}.rpm", self.name, self.version, self.release)
    }

    /// `EPOCH:VERSION-RELEASE`.
    pub fn evr(&self) -> String {
        let epoch = self.epoch.map_or(String::new(), |epoch| format!("{epoch}:"));
        format!("{epoch}{}-{}", self.version, self.release)
    }

    /// Its bytes, the payload compressed with zstd.
    pub fn bytes(&self) -> Vec<u8> {
        let plain: Vec<(u32, String, &[u8])> = self.files.iter().map(member).collect();
        let members: Vec<(u32, &str, &[u8])> =
            plain.iter().map(|(mode, path, bytes)| (*mode, path.as_str(), *bytes)).collect();
        let payload = compress(Some("zstd"), &archive(&members));
        let sum = hex(&digest(Hashing::SHA256, &[&payload]));
        let lists = self.lists();
        let digests: Vec<String> = self.files.values().map(digest_of).collect();
        let columns = Columns::of(&self.files, &digests);
        let (locale, sums) = (["C"], [&*sum]);
        let size = plain.iter().map(|(_, _, bytes)| bytes.len() as u32).sum::<u32>();
        let os = if self.arch == "noarch" { "noarch-linux" } else { "redhat-linux" };
        let platform = format!("{}-{os}", self.arch);
        let (built, sizes) = ([self.built], [size]);
        let mut tags = vec![
            (100, Value::Texts(&locale)),
            (1000, Value::Text(&self.name)),
            (1001, Value::Text(&self.version)),
            (1002, Value::Text(&self.release)),
            (1004, Value::Translated(&self.summary)),
            (1005, Value::Translated(&self.description)),
            (1006, Value::Int32(&built)),
            (1007, Value::Text("builder.example.org")),
            (1009, Value::Int32(&sizes)),
            (1011, Value::Text("Gosling Linux")),
            (1014, Value::Text(&self.license)),
            (1015, Value::Text(&self.packager)),
            (1016, Value::Translated(&self.group)),
            (1021, Value::Text("linux")),
            (1022, Value::Text(&self.arch)),
            (1064, Value::Text("4.18.0")),
            (1124, Value::Text("cpio")),
            (1125, Value::Text("zstd")),
            (1126, Value::Text("3")),
            (1132, Value::Text(&platform)),
            (5092, Value::Texts(&sums)),
            (5093, Value::Int32(&[8])),
        ];
        tags.push(match self.source.as_str() {
            "" => (1106, Value::Int32(&[1])),
            source => (1044, Value::Text(source)),
        });
        if !self.url.is_empty() {
            tags.push((1020, Value::Text(&self.url)));
        }
        let epoch = self.epoch.map(|epoch| [epoch]);
        tags.extend(epoch.as_ref().map(|epoch| (1003, Value::Int32(epoch))));

        let lists: Vec<_> = lists
            .iter()
            .map(|(list, needs)| {
                let names: Vec<&str> = needs.iter().map(|need| need.name.as_str()).collect();
                let versions: Vec<&str> = needs.iter().map(|need| need.evr.as_str()).collect();
                let flags: Vec<u32> = needs.iter().map(|need| need.flags).collect();
                (list.tags(), names, flags, versions)
            })
            .collect();
        for ((name, flag, version), names, flags, versions) in &lists {
            tags.push((*name, Value::Texts(names)));
            tags.push((*flag, Value::Int32(flags)));
            tags.push((*version, Value::Texts(versions)));
        }
        for (script, text) in &self.scripts {
            let (name, interpreter, _) = script.tags();
            tags.extend([(name, Value::Text(text)), (interpreter, Value::Text("/bin/sh"))]);
        }
        let times: Vec<u32> = self.changes.iter().map(|change| change.time).collect();
        let authors: Vec<&str> = self.changes.iter().map(|change| change.author.as_str()).collect();
        let changes: Vec<&str> = self.changes.iter().map(|change| change.text.as_str()).collect();
        if !times.is_empty() {
            tags.extend([
                (1080, Value::Int32(&times)),
                (1081, Value::Texts(&authors)),
                (1082, Value::Texts(&changes)),
            ]);
        }
        columns.add(&mut tags);
        tags.sort_by_key(|(tag, _)| *tag);
        // The lead has room for 65 bytes of the name.
        let full = format!("{}-{}-{}", self.name, self.version, self.release);
        let mut bytes = whole(&full[..full.len().min(65)], &tags, &payload, &[0; RESERVED]);
        // The lead says what it is, too.
        bytes[7] = u8::from(self.source.is_empty());
        bytes
    }

    /// The lists with what every package has in them; rpm sorts them.
    fn lists(&self) -> BTreeMap<List, Vec<Need>> {
        let mut lists = self.needs.clone();
        let isa = match self.arch.as_str() {
            "x86_64" => "(x86-64)",
            "i686" => "(x86-32)",
            _ => "",
        };
        let provides = lists.entry(List::Provides).or_default();
        provides.push(Need::of(&self.name, EQUAL, self.evr()));
        if !isa.is_empty() {
            provides.push(Need::of(format!("{}{isa}", self.name), EQUAL, self.evr()));
        }
        let requires = lists.entry(List::Requires).or_default();
        for (feature, version) in [
            ("rpmlib(CompressedFileNames)", "3.0.4-1"),
            ("rpmlib(FileDigests)", "4.6.0-1"),
            ("rpmlib(PayloadFilesHavePrefix)", "4.0-1"),
            ("rpmlib(PayloadIsZstd)", "5.4.18-1"),
        ] {
            requires.push(Need::of(feature, RPMLIB | LESS | EQUAL, version));
        }
        for script in self.scripts.keys() {
            let (_, _, bit) = script.tags();
            requires.push(Need { name: "/bin/sh".into(), flags: bit | 1 << 8, evr: String::new() });
        }
        for list in lists.values_mut() {
            list.sort();
            list.dedup();
        }
        lists.retain(|_, list| !list.is_empty());
        lists
    }
}

/// A member of the archive: its mode, its name and what follows.
fn member<'a>((path, file): (&String, &'a File)) -> (u32, String, &'a [u8]) {
    let content: &[u8] = match &file.content {
        Content::File(bytes) => bytes,
        Content::Link(target) => target.as_bytes(),
        Content::Folder => &[],
    };
    (mode(file), format!(".{path}"), content)
}

fn mode(file: &File) -> u32 {
    let kind = match file.content {
        Content::File(_) => 0o100_000,
        Content::Folder => FOLDER,
        Content::Link(_) => LINK,
    };
    kind | file.mode
}

/// What the header has on files: a column for each property.
#[derive(Default)]
struct Columns<'a> {
    folders: Vec<&'a str>,
    folder: Vec<u32>,
    names: Vec<&'a str>,
    sizes: Vec<u32>,
    modes: Vec<u16>,
    times: Vec<u32>,
    digests: Vec<&'a str>,
    targets: Vec<&'a str>,
    flags: Vec<u32>,
    inodes: Vec<u32>,
    devices: Vec<u16>,
    ones: Vec<u32>,
    all: Vec<u32>,
    owners: Vec<&'a str>,
    languages: Vec<&'a str>,
}

impl<'a> Columns<'a> {
    fn of(files: &'a BTreeMap<String, File>, digests: &'a [String]) -> Self {
        let mut columns = Self::default();
        for ((path, file), digest) in files.iter().zip(digests) {
            let (folder, name) = path.split_at(path.rfind('/').unwrap() + 1);
            let known = columns.folders.iter().rposition(|known| *known == folder);
            let place = known.unwrap_or_else(|| {
                columns.folders.push(folder);
                columns.folders.len() - 1
            });
            let (size, target) = match &file.content {
                Content::File(bytes) => (bytes.len(), ""),
                Content::Link(target) => (target.len(), target.as_str()),
                Content::Folder => (4096, ""),
            };
            columns.folder.push(place as u32);
            columns.names.push(name);
            columns.sizes.push(size as u32);
            columns.modes.push(mode(file) as u16);
            columns.times.push(file.mtime);
            columns.digests.push(digest);
            columns.targets.push(target);
            columns.flags.push(flags(path, file));
            columns.inodes.push(columns.inodes.len() as u32 + 1);
            columns.devices.push(0);
            columns.ones.push(1);
            columns.all.push(u32::MAX);
            columns.owners.push("root");
            columns.languages.push("");
        }
        columns
    }

    fn add<'b: 'a>(&'b self, tags: &mut Vec<(u32, Value<'b>)>) {
        if self.names.is_empty() {
            return;
        }
        tags.extend([
            (1028, Value::Int32(&self.sizes)),
            (1030, Value::Int16(&self.modes)),
            (1033, Value::Int16(&self.devices)),
            (1034, Value::Int32(&self.times)),
            (1035, Value::Texts(&self.digests)),
            (1036, Value::Texts(&self.targets)),
            (1037, Value::Int32(&self.flags)),
            (1039, Value::Texts(&self.owners)),
            (1040, Value::Texts(&self.owners)),
            (1045, Value::Int32(&self.all)),
            (1095, Value::Int32(&self.ones)),
            (1096, Value::Int32(&self.inodes)),
            (1097, Value::Texts(&self.languages)),
            (1116, Value::Int32(&self.folder)),
            (1117, Value::Texts(&self.names)),
            (1118, Value::Texts(&self.folders)),
            (5011, Value::Int32(&[8])),
        ]);
    }
}

fn flags(path: &str, file: &File) -> u32 {
    let text = matches!(file.content, Content::File(_));
    let documentation = path.starts_with("/usr/share/doc/") || path.starts_with("/usr/share/man/");
    match () {
        () if text && path.starts_with("/etc/") => CONFIG,
        () if text && path.ends_with("/copyright") => LICENSE,
        () if text && documentation => DOC,
        () => 0,
    }
}

/// The digest of a file, empty for everything else.
fn digest_of(file: &File) -> String {
    match &file.content {
        Content::File(bytes) => hex(&digest(Hashing::SHA256, &[bytes])),
        _ => String::new(),
    }
}
