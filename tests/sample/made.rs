//! Packages to order: what they require and provide, and which files they hold.

use gander::base::digest::hex;
use gander::openpgp::Hashing;

use super::{Value, archive, compress, digest, whole};

/// A package to be made.
#[derive(Clone)]
pub struct Order {
    pub name: String,
    /// `version-release`.
    pub version: String,
    /// `src` for a source package.
    pub arch: &'static str,
    /// The name of the source package that it is built from.
    pub build: String,
    pub summary: String,
    /// As in a spec: `foo`, `foo >= 1`, `(a if b)`.
    pub requires: Vec<String>,
    /// Besides its own name.
    pub provides: Vec<String>,
    pub files: Vec<File>,
    /// The name of its source package, where it is not its own.
    pub source: Option<String>,
}

/// A file of a package to be made.
#[derive(Clone)]
pub struct File {
    pub path: String,
    pub mode: u16,
    pub owner: [&'static str; 2],
    /// rpm's flags: 1 config, 64 ghost.
    pub flags: u32,
    /// 1 for 32-bit ELF, 2 for 64-bit ELF.
    pub colour: u32,
    /// The content, or where a link points.
    pub content: String,
}

pub fn order(name: &str, arch: &'static str) -> Order {
    Order {
        name: name.into(),
        version: "1-1".into(),
        arch,
        build: name.into(),
        summary: format!("The package {name}"),
        requires: Vec::new(),
        provides: Vec::new(),
        files: Vec::new(),
        source: None,
    }
}

pub fn file(path: &str, content: &str) -> File {
    let (path, content) = (path.into(), content.into());
    File { path, mode: 0o100_644, owner: ["root", "root"], flags: 0, colour: 0, content }
}

impl Order {
    pub fn version(mut self, version: &str) -> Self {
        self.version = version.into();
        self
    }

    pub fn build(mut self, build: &str) -> Self {
        self.build = build.into();
        self
    }

    pub fn requires(mut self, requires: &[&str]) -> Self {
        self.requires.extend(requires.iter().map(|text| text.to_string()));
        self
    }

    pub fn provides(mut self, provides: &[&str]) -> Self {
        self.provides.extend(provides.iter().map(|text| text.to_string()));
        self
    }

    pub fn built_from(mut self, source: &str) -> Self {
        self.source = Some(source.into());
        self
    }

    pub fn file(mut self, file: File) -> Self {
        self.files.push(file);
        self
    }

    /// `name-version-release.arch.rpm`.
    pub fn file_name(&self) -> String {
        format!("{}-{}.{}.rpm", self.name, self.version, self.arch)
    }

    /// The package file.
    pub fn make(&self) -> Vec<u8> {
        let mut files = self.files.clone();
        files.sort_by(|left, right| left.path.cmp(&right.path));
        let kind = |file: &File| file.mode & 0o170_000;
        let members: Vec<(u32, String, &[u8])> = files
            .iter()
            .filter(|file| file.flags & 64 == 0)
            .map(|file| {
                let content: &[u8] = if kind(file) == 0o040_000 { b"" } else { file.content.as_bytes() };
                (u32::from(file.mode), format!(".{}", file.path), content)
            })
            .collect();
        let members: Vec<_> =
            members.iter().map(|(mode, name, content)| (*mode, &**name, *content)).collect();
        let payload = compress(Some("gzip"), &archive(&members));
        let sum = hex(&digest(Hashing::SHA256, &[&payload]));

        let digests: Vec<String> = files
            .iter()
            .map(|file| match kind(file) {
                0o100_000 => hex(&digest(Hashing::SHA256, &[file.content.as_bytes()])),
                _ => String::new(),
            })
            .collect();
        let links: Vec<&str> =
            files.iter().map(|file| if kind(file) == 0o120_000 { &*file.content } else { "" }).collect();
        let parts: Vec<(&str, &str)> =
            files.iter().map(|file| file.path.split_at(file.path.rfind('/').unwrap() + 1)).collect();
        let mut directories: Vec<&str> = parts.iter().map(|(directory, _)| *directory).collect();
        directories.sort_unstable();
        directories.dedup();
        let places: Vec<u32> =
            parts.iter().map(|(directory, _)| directories.binary_search(directory).unwrap() as u32).collect();
        let names: Vec<&str> = parts.iter().map(|(_, name)| *name).collect();
        let sizes: Vec<u32> = files.iter().map(|file| file.content.len() as u32).collect();
        let modes: Vec<u16> = files.iter().map(|file| file.mode).collect();
        let flags: Vec<u32> = files.iter().map(|file| file.flags).collect();
        let colours: Vec<u32> = files.iter().map(|file| file.colour).collect();
        let users: Vec<&str> = files.iter().map(|file| file.owner[0]).collect();
        let groups: Vec<&str> = files.iter().map(|file| file.owner[1]).collect();
        let digests: Vec<&str> = digests.iter().map(String::as_str).collect();
        let numbers: Vec<u32> = (1..=files.len() as u32).collect();
        let (times, none, devices) =
            (vec![1_793_491_200; files.len()], vec![u32::MAX; files.len()], vec![1; files.len()]);
        let empty = vec![""; files.len()];

        let own = format!("{} = {}", self.name, self.version);
        let provides: Vec<String> = [own].into_iter().chain(self.provides.iter().cloned()).collect();
        let [provided, required] = [&provides, &self.requires].map(|list| Relations::of(list));
        let (version, release) = self.version.split_once('-').unwrap();
        let full = format!("{}-{}", self.name, self.version);
        let source = format!("{}-{}.src.rpm", self.source.as_ref().unwrap_or(&self.build), self.version);
        let total = [sizes.iter().sum()];
        let sums = [&*sum];
        let mut tags = vec![
            (100, Value::Texts(&["C"])),
            (1000, Value::Text(&self.name)),
            (1001, Value::Text(version)),
            (1002, Value::Text(release)),
            (1004, Value::Translated(&self.summary)),
            (1005, Value::Translated("It is made to order.")),
            (1006, Value::Int32(&[1_793_491_200])),
            (1007, Value::Text("localhost")),
            (1009, Value::Int32(&total)),
            (1014, Value::Text("MIT")),
            (1016, Value::Translated("Unspecified")),
            (1021, Value::Text("linux")),
            (1022, Value::Text(if self.arch == "src" { "x86_64" } else { self.arch })),
            (1047, Value::Texts(&provided.names)),
            (1112, Value::Int32(&provided.flags)),
            (1113, Value::Texts(&provided.versions)),
            (1124, Value::Text("cpio")),
            (1125, Value::Text("gzip")),
            (1126, Value::Text("9")),
            (5011, Value::Int32(&[8])),
            (5092, Value::Texts(&sums)),
            (5093, Value::Int32(&[8])),
        ];
        tags.push(match self.arch {
            "src" => (1106, Value::Int32(&[1])),
            _ => (1044, Value::Text(&source)),
        });
        if !required.names.is_empty() {
            tags.extend([
                (1048, Value::Int32(&required.flags)),
                (1049, Value::Texts(&required.names)),
                (1050, Value::Texts(&required.versions)),
            ]);
        }
        if !files.is_empty() {
            tags.extend([
                (1028, Value::Int32(&sizes)),
                (1030, Value::Int16(&modes)),
                (1034, Value::Int32(&times)),
                (1035, Value::Texts(&digests)),
                (1036, Value::Texts(&links)),
                (1037, Value::Int32(&flags)),
                (1039, Value::Texts(&users)),
                (1040, Value::Texts(&groups)),
                (1045, Value::Int32(&none)),
                (1095, Value::Int32(&devices)),
                (1096, Value::Int32(&numbers)),
                (1097, Value::Texts(&empty)),
                (1116, Value::Int32(&places)),
                (1117, Value::Texts(&names)),
                (1118, Value::Texts(&directories)),
                (1140, Value::Int32(&colours)),
            ]);
        }
        tags.sort_by_key(|(tag, _)| *tag);
        whole(&full, &tags, &payload, &[0; 4128])
    }
}

/// A list of dependencies as three lists.
struct Relations<'t> {
    names: Vec<&'t str>,
    flags: Vec<u32>,
    versions: Vec<&'t str>,
}

impl<'t> Relations<'t> {
    fn of(list: &'t [String]) -> Self {
        let mut relations = Self { names: Vec::new(), flags: Vec::new(), versions: Vec::new() };
        for text in list {
            let (name, sense, version) = match text.split(' ').collect::<Vec<_>>()[..] {
                [name, sense, version] if !text.starts_with('(') => (name, sense, version),
                _ => (&**text, "", ""),
            };
            relations.names.push(name);
            relations.versions.push(version);
            relations.flags.push(match sense {
                "<" => 2,
                ">" => 4,
                "=" => 8,
                "<=" => 10,
                ">=" => 12,
                _ => 0,
            });
        }
        relations
    }
}

/// Files of one path in a package of the secondary and the native arch, and whether rpm finds that they conflict.
pub fn pairs() -> Vec<(&'static str, [File; 2], bool)> {
    let path = "/usr/share/x";
    let with = |change: fn(&mut File)| {
        let mut file = file(path, "a");
        change(&mut file);
        file
    };
    let elf = |colour, content: &str| File { colour, mode: 0o100_755, ..file(path, content) };
    let link = |to: &str| File { mode: 0o120_777, ..file(path, to) };
    let folder = |mode| File { mode, content: String::new(), ..file(path, "") };
    vec![
        ("the same", [file(path, "a"), file(path, "a")], false),
        ("contents", [file(path, "a"), file(path, "b")], true),
        ("sizes", [file(path, "a"), file(path, "bb")], true),
        ("colours", [elf(1, "a"), elf(2, "b")], false),
        ("one colour", [elf(2, "a"), elf(2, "b")], true),
        ("one without colour", [elf(0, "a"), elf(2, "b")], true),
        ("colours and modes", [elf(1, "a"), File { mode: 0o100_711, ..elf(2, "b") }], false),
        ("a ghost", [with(|file| file.flags = 64), file(path, "b")], false),
        ("configuration", [with(|file| file.flags = 1), File { flags: 1, ..file(path, "b") }], true),
        ("modes", [file(path, "a"), with(|file| file.mode = 0o100_755)], true),
        ("owners", [file(path, "a"), with(|file| file.owner[0] = "bin")], true),
        ("groups", [file(path, "a"), with(|file| file.owner[1] = "bin")], true),
        ("links", [link("a"), link("b")], true),
        ("the same link", [link("a"), link("a")], false),
        ("a link and a file", [link("a"), file(path, "a")], true),
        ("folders", [folder(0o040_755), folder(0o040_755)], false),
        ("modes of folders", [folder(0o040_755), folder(0o040_700)], true),
        ("a folder and a file", [folder(0o040_755), file(path, "")], true),
    ]
}

/// A package of the secondary and one of the native arch, with a file each.
pub fn pair(files: &[File; 2]) -> [Order; 2] {
    let [secondary, native] = files.clone();
    [order("pair", "i686").file(secondary), order("pair", "x86_64").file(native)]
}
