//! Repository metadata: lists of packages, repomd.xml, comps files, gander's own form, and what they are packed in.

use std::io::{self, Read, Write as _};

use gander::base::Digest;
use gander::format::comps::Comps;
use gander::format::repodata::{Content, Packages, Repomd, Text};
use gander::rpm::dependency::Kind;

use super::mutant::{Random, xml};

const PRIMARY: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="1">
<package type="rpm">
  <name>goose</name><arch>x86_64</arch><version epoch="0" ver="1" rel="2"/>
  <checksum type="sha256" pkgid="YES">PKGID</checksum>
  <summary>A goose</summary><description>It honks
&amp; hisses.</description><packager/><url>https://goose.example.org/</url>
  <time file="1" build="2"/><size package="3" installed="4" archive="5"/><location href="Packages/goose.rpm"/>
  <format>
    <rpm:license>MIT</rpm:license><rpm:sourcerpm>goose-1-2.src.rpm</rpm:sourcerpm><rpm:header-range start="1" end="2"/>
    <rpm:provides><rpm:entry name="goose" flags="EQ" epoch="0" ver="1" rel="2"/></rpm:provides>
    <rpm:requires><rpm:entry name="pond" flags="GE" ver="1" pre="1"/><rpm:entry name="(a if b)"/></rpm:requires>
    <file>/usr/bin/goose</file><file type="dir">/etc/goose</file>
  </format>
</package>
</metadata>
"#;
const FILELISTS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<filelists xmlns="http://linux.duke.edu/metadata/filelists" packages="1">
<package pkgid="PKGID" name="goose" arch="x86_64">
  <version epoch="0" ver="1" rel="2"/>
  <file>/usr/bin/goose</file><file type="dir">/etc/goose</file><file type="ghost">/var/log/goose</file>
</package>
</filelists>
"#;
const OTHER: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<otherdata xmlns="http://linux.duke.edu/metadata/other" packages="1">
<package pkgid="PKGID" name="goose" arch="x86_64">
  <version epoch="0" ver="1" rel="2"/>
  <changelog author="Goose &lt;goose@example.org&gt; - 1-2" date="1793491200">- honk</changelog>
</package>
</otherdata>
"#;
const REPOMD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="http://linux.duke.edu/metadata/rpm">
  <revision>1793491200</revision>
  <tags><repo>goose</repo><distro cpeid="cpe:/o:gosling:1">Gosling</distro></tags>
  <data type="primary">
    <checksum type="sha256">PKGID</checksum><open-checksum type="sha256">PKGID</open-checksum>
    <location href="repodata/primary.xml.gz"/><timestamp>1793491200</timestamp><size>10</size><open-size>20</open-size>
  </data>
</repomd>
"#;
const COMPS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<comps>
  <group>
    <id>core</id><name>Core</name><name xml:lang="de">Kern</name><description>All</description>
    <default>true</default><uservisible>false</uservisible><langonly>de</langonly>
    <packagelist><packagereq type="mandatory">goose</packagereq><packagereq type="conditional" requires="pond" arch="x86_64">reed</packagereq></packagelist>
  </group>
  <environment>
    <id>all</id><name>All</name><display_order>1</display_order>
    <grouplist><groupid>core</groupid></grouplist><optionlist><groupid default="true">core</groupid></optionlist>
  </environment>
  <langpacks><match name="goose" install="goose-%s"/></langpacks>
</comps>
"#;

fn document(text: &str) -> String {
    text.replace("PKGID", &Digest::of("goose").hex())
}

/// The packages of the documents, with everything.
fn packages() -> Packages {
    let mut packages = Packages::read(document(PRIMARY).as_bytes()).unwrap();
    packages.add_filelists(document(FILELISTS).as_bytes()).unwrap();
    packages.add_other(document(OTHER).as_bytes()).unwrap();
    packages
}

/// How many there are; each is looked at.
fn seen(lengths: impl Iterator<Item = usize>) -> usize {
    lengths.collect::<Vec<usize>>().len()
}

/// Looks at all that packages say.
fn look(packages: &Packages) {
    for entry in packages.iter() {
        assert!(!entry.nevra().name.is_empty() && !entry.nevra().file_name().contains('/'));
        assert!(!entry.href().starts_with('/') && !entry.href().split('/').any(|part| part == ".."));
        for kind in Kind::ALL {
            let list = entry.dependencies(kind);
            let length = list.len();
            assert_eq!(seen(list.map(|one| one.name.len() + one.evr.len())), length);
        }
        let length = entry.files().len();
        assert_eq!(seen(entry.files().map(|file| file.path().len())), length);
        std::hint::black_box((
            entry.text(Text::Description),
            entry.sourcerpm(),
            entry.base(),
            entry.numbers(),
        ));
        if let Some(log) = entry.changelogs() {
            let length = log.len();
            assert_eq!(seen(log.map(|change| change.author.len() + change.text.len())), length);
        }
    }
}

/// Documents of all kinds.
pub fn lists() -> Box<dyn FnMut(u64) -> bool> {
    let documents = [PRIMARY, PRIMARY, FILELISTS, OTHER, REPOMD, COMPS].map(document);
    Box::new(move |seed| {
        let which = seed as usize % documents.len();
        let bytes = xml::mutate(&documents[which], &mut Random::new(seed));
        match which {
            4 => return Repomd::parse(&bytes).is_ok(),
            5 => return Comps::parse(&bytes).is_ok(),
            _ => {}
        }
        let read = match which {
            0 | 1 => Packages::read(&bytes[..]),
            _ => {
                let mut packages = packages();
                let added = match which {
                    2 => packages.add_filelists(&bytes[..]),
                    _ => packages.add_other(&bytes[..]),
                };
                look(&packages);
                added.map(|_| packages)
            }
        };
        match read {
            Ok(packages) => {
                look(&packages);
                let form = packages.to_bytes();
                assert_eq!(Packages::from_bytes(&form).unwrap().to_bytes(), form);
                true
            }
            Err(error) => {
                assert!(error.to_string().len() < 2000, "{error}");
                false
            }
        }
    })
}

/// gander's own form.
pub fn forms() -> Box<dyn FnMut(u64) -> bool> {
    let whole = packages().to_bytes();
    Box::new(move |seed| {
        let mut random = Random::new(seed);
        let mut bytes = whole.clone();
        for _ in 0..=random.below(3) {
            let place = random.below(bytes.len());
            match random.below(6) {
                0 => bytes.truncate(place.max(1)),
                1 => drop(bytes.remove(place)),
                2 => bytes.insert(place, random.below(256) as u8),
                3 => bytes[place] = random.of(&[0x00, 0x7f, 0x80, 0xff]),
                _ => bytes[place] = random.below(4) as u8,
            }
            if bytes.is_empty() {
                return false;
            }
        }
        let Ok(packages) = Packages::from_bytes(&bytes) else { return false };
        // A location is looked at when it is read, so all that `look` asks for holds here, too.
        look(&packages);
        assert_eq!(packages.to_bytes(), bytes);
        true
    })
}

fn pack(kind: usize, plain: &mut dyn Read) -> Vec<u8> {
    let mut packed = Vec::new();
    match kind {
        0 => {
            let mut encoder = flate2::write::GzEncoder::new(&mut packed, flate2::Compression::new(9));
            io::copy(plain, &mut encoder).unwrap();
            encoder.finish().unwrap();
        }
        1 => {
            let mut encoder = bzip2::write::BzEncoder::new(&mut packed, bzip2::Compression::best());
            io::copy(plain, &mut encoder).unwrap();
            encoder.finish().unwrap();
        }
        2 => {
            let mut encoder = liblzma::write::XzEncoder::new(&mut packed, 1);
            io::copy(plain, &mut encoder).unwrap();
            encoder.finish().unwrap();
        }
        _ => {
            let mut encoder = zstd::Encoder::new(&mut packed, 1).unwrap();
            io::copy(plain, &mut encoder).unwrap();
            encoder.finish().unwrap();
        }
    }
    packed
}

/// What a list is packed in.
pub fn packed() -> Box<dyn FnMut(u64) -> bool> {
    let plain = document(PRIMARY);
    let all: [Vec<u8>; 4] = std::array::from_fn(|kind| pack(kind, &mut plain.as_bytes()));
    Box::new(move |seed| {
        let mut random = Random::new(seed);
        let mut bytes = all[seed as usize % all.len()].clone();
        for _ in 0..random.below(3) {
            let place = random.below(bytes.len());
            match random.below(5) {
                0 => bytes.truncate(place.max(1)),
                1 => bytes.extend_from_within(place..),
                2 => bytes.push(0),
                // Heads say how much memory it takes.
                3 => bytes[place.min(20)] = random.below(256) as u8,
                _ => bytes[place] = random.below(256) as u8,
            }
        }
        let stated = [None, Some(plain.len() as u64), Some(100)][random.below(3)];
        let Ok(content) = Content::open(&bytes[..], stated) else { return false };
        let Ok(packages) = Packages::read(content) else { return false };
        look(&packages);
        true
    })
}

/// Counts what is read.
struct Counted<R>(R, u64);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.0.read(buffer)?;
        self.1 += length as u64;
        Ok(length)
    }
}

/// A start, then one thing again and again.
struct Bomb {
    start: &'static str,
    again: &'static str,
    /// The most bytes of it that may be looked at.
    most: u64,
}

const BOMBS: [Bomb; 9] = [
    Bomb { start: "", again: " ", most: 2 << 20 },
    Bomb { start: "<metadata>", again: "x", most: 2 << 20 },
    Bomb { start: "<metadata a='", again: "b", most: 2 << 20 },
    Bomb { start: "<metadata>", again: "<a>", most: 1 << 20 },
    Bomb { start: "<metadata><package><name>", again: "n&lt;", most: 12 << 20 },
    Bomb { start: "<!DOCTYPE a [<!ENTITY a '", again: "&b;", most: 2 << 20 },
    Bomb { start: "<metadata ", again: "a='' ", most: 2 << 20 },
    Bomb { start: "<metadata><package><format>", again: "<x y='z'>w</x><!-- -->", most: 12 << 20 },
    Bomb { start: "<metadata>", again: "<package><name>a</name></package>", most: 1 << 20 },
];

/// How much each bomb unpacks to.
const EXPANDED: u64 = 12 << 20;

/// Bombs behind each compressor. Of those that are no XML in their end, little is unpacked; none is accepted.
pub fn bombs() -> Box<dyn FnMut(u64) -> bool> {
    let packed: Vec<Vec<u8>> = (0..BOMBS.len() * 4)
        .map(|number| {
            let bomb = &BOMBS[number / 4];
            let lot = bomb.again.repeat((1 << 20) / bomb.again.len());
            let mut plain =
                Repeated { start: bomb.start.as_bytes(), lot: lot.as_bytes(), place: 0 }.take(EXPANDED);
            pack(number % 4, &mut plain)
        })
        .collect();
    Box::new(move |seed| {
        let number = seed as usize % packed.len();
        // Stated to be small, it is not read further than that; stated or not, memory is bounded.
        let small = Content::open(&packed[number][..], Some(100_000)).unwrap();
        assert!(Packages::read(small).is_err());
        let mut counted = Counted(Content::open(&packed[number][..], None).unwrap(), 0);
        let read = Packages::read(&mut counted);
        let bomb = &BOMBS[number / 4];
        assert!(read.is_err(), "{}", bomb.start);
        assert!(counted.1 <= bomb.most, "{} bytes of {} were read", counted.1, bomb.start);
        false
    })
}

struct Repeated<'a> {
    start: &'a [u8],
    lot: &'a [u8],
    place: usize,
}

impl Read for Repeated<'_> {
    fn read(&mut self, mut buffer: &mut [u8]) -> io::Result<usize> {
        if !self.start.is_empty() {
            return self.start.read(buffer);
        }
        let length = buffer.write(&self.lot[self.place..])?;
        self.place = (self.place + length) % self.lot.len();
        Ok(length)
    }
}
