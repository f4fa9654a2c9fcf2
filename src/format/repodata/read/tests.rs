//! Tests of reading the lists of packages.

use std::io::Read;

use super::*;
use crate::format::repodata::Checksum;
use crate::rpm::dependency::Kind;
use crate::rpm::sense;

const LINUX: &str = "http://linux.duke.edu/metadata";

pub(super) fn primary(packages: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metadata xmlns=\"{LINUX}/common\" xmlns:rpm=\"{LINUX}/rpm\" packages=\"9\">\n{packages}</metadata>\n"
    )
}

pub(super) fn package(name: &str) -> String {
    let pkgid = crate::base::Digest::of(name).hex();
    format!(
        r#"<package type="rpm">
  <name>{name}</name>
  <arch>x86_64</arch>
  <version epoch="1" ver="2.0" rel="3"/>
  <checksum type="sha256" pkgid="YES">{pkgid}</checksum>
  <summary>A &amp; B</summary>
  <description>  two
lines&#233; <![CDATA[<c>]]></description>
  <packager/>
  <url>https://a.example/?b=1&amp;c=2</url>
  <time file="8" build="7"/>
  <size package="1" installed="2" archive="3"/>
  <location href="Packages/{name}.rpm"/>
  <format>
    <rpm:license>MIT</rpm:license>
    <rpm:vendor>V</rpm:vendor>
    <rpm:group>Unspecified</rpm:group>
    <rpm:buildhost>h</rpm:buildhost>
    <rpm:sourcerpm>{name}-2.0-3.src.rpm</rpm:sourcerpm>
    <rpm:header-range start="10" end="20"/>
    <rpm:provides>
      <rpm:entry name="{name}" flags="EQ" epoch="1" ver="2.0" rel="3"/>
      <rpm:entry name="x(&quot;y&quot;)"/>
    </rpm:provides>
    <rpm:requires>
      <rpm:entry name="a" flags="GE" epoch="0" ver="1" pre="1"/>
      <rpm:entry name="b" flags="LT" ver="1" rel="2" pre="0"/>
      <rpm:entry name="(c if d)" pre="FALSE"/>
    </rpm:requires>
    <file>/usr/bin/{name}</file>
    <file type="dir">/etc/{name}.d</file>
    <file type="ghost">/etc/{name}.conf</file>
  </format>
</package>
"#
    )
}

fn read(document: &str) -> Result<Packages, ReadError> {
    Packages::read(document.as_bytes())
}

#[test]
fn reads_all_of_a_package() {
    let packages = read(&primary(&(package("p") + &package("q")))).unwrap();
    assert_eq!(packages.len(), 2);
    let entry = packages.get(1).unwrap();
    assert_eq!(entry.nevra().to_string(), "q-1:2.0-3.x86_64");
    assert_eq!(*entry.checksum(), Checksum::from(crate::base::Digest::of("q")));
    for (text, expected) in [
        (Text::Summary, "A & B"),
        (Text::Description, "  two\nlinesé <c>"),
        (Text::Packager, ""),
        (Text::Url, "https://a.example/?b=1&c=2"),
        (Text::License, "MIT"),
        (Text::Vendor, "V"),
        (Text::Group, "Unspecified"),
        (Text::Buildhost, "h"),
        (Text::Sourcerpm, "q-2.0-3.src.rpm"),
    ] {
        assert_eq!(entry.text(text), expected);
    }
    let numbers = Numbers {
        size: 1,
        installed_size: 2,
        archive_size: 3,
        file_time: 8,
        build_time: 7,
        header: (10, 20),
    };
    assert_eq!((entry.numbers(), entry.href(), entry.base()), (numbers, "Packages/q.rpm", None));
    let list = |kind| -> Vec<(String, u32, String)> {
        let all = entry.dependencies(kind);
        all.map(|item| (item.name.into(), item.flags, item.evr.into())).collect()
    };
    let item = |name: &str, flags: u32, evr: &str| (name.to_owned(), flags, evr.to_owned());
    assert_eq!(list(Kind::Provides), [item("q", sense::EQUAL, "1:2.0-3"), item("x(\"y\")", 0, "")]);
    let requires = [
        item("a", sense::GREATER | sense::EQUAL | sense::PREREQ, "0:1"),
        item("b", sense::LESS, "1-2"),
        item("(c if d)", 0, ""),
    ];
    assert_eq!(list(Kind::Requires), requires);
    assert!(list(Kind::Order).is_empty() && list(Kind::Conflicts).is_empty());
    let files: Vec<_> = entry.files().map(|file| (file.path(), file.kind)).collect();
    let expected = [
        ("/usr/bin/q".to_owned(), FileKind::File),
        ("/etc/q.d".to_owned(), FileKind::Directory),
        ("/etc/q.conf".to_owned(), FileKind::Ghost),
    ];
    assert_eq!(files, expected);
    assert!(!entry.has_all_files() && entry.changelogs().is_none());
}

#[test]
fn takes_what_others_take() {
    for (from, to, nevra) in [
        (" epoch=\"1\"", "", "p-0:2.0-3.x86_64"),
        ("epoch=\"1\"", "epoch=\"\"", "p-0:2.0-3.x86_64"),
        // Unknown elements, also with known ones in them, and unknown attributes.
        (
            "<arch>",
            "<more><name>n</name><arch>a</arch></more><x:name>n</x:name><arch y='1'>",
            "p-1:2.0-3.x86_64",
        ),
        ("<name>", "<name><!-- --><?pi x?>", "p-1:2.0-3.x86_64"),
        // By namespace, whatever the prefix; and by the usual prefix where none is declared.
        ("rpm:", "r:", "p-1:2.0-3.x86_64"),
        (&*format!(" xmlns:rpm=\"{LINUX}/rpm\""), "", "p-1:2.0-3.x86_64"),
        (&*format!(" xmlns=\"{LINUX}/common\""), "", "p-1:2.0-3.x86_64"),
        (">x86_64<", ">src<", "p-1:2.0-3.src"),
    ] {
        let document = primary(&package("p"))
            .replace(from, to)
            .replace("xmlns:rpm", if from == "rpm:" { "xmlns:r" } else { "xmlns:rpm" });
        let packages = read(&document).unwrap_or_else(|error| panic!("{from}: {error}"));
        let entry = packages.get(0).unwrap();
        assert_eq!(entry.nevra().to_string(), nevra, "{from}");
        assert_eq!((entry.text(Text::License), entry.files().len()), ("MIT", 3), "{from}");
        assert_eq!(entry.dependencies(Kind::Requires).len(), 3, "{from}");
    }
    // What has the letters but another namespace is something else.
    let other = primary(&package("p")).replace(&format!("{LINUX}/rpm"), "urn:x");
    assert_eq!(read(&other).unwrap().get(0).unwrap().dependencies(Kind::Requires).len(), 0);
    let based = primary(&package("p")).replace("<location ", "<location xml:base=\"https://h/a/\" ");
    assert_eq!(read(&based).unwrap().get(0).unwrap().base(), Some("https://h/a/"));
    let relative = primary(&package("p")).replace(">x86_64<", ">src<").replace("/usr/bin/p", "p.spec");
    assert_eq!(read(&relative).unwrap().get(0).unwrap().files().next().unwrap().path(), "p.spec");
    assert!(read(&primary("")).unwrap().is_empty());
}

#[test]
fn refuses_what_is_hostile() {
    let good = primary(&package("p"));
    let hostile: &[(&str, &str, &str)] = &[
        ("Packages/p.rpm", "../p.rpm", "location"),
        ("Packages/p.rpm", "Packages/../../p.rpm", "location"),
        ("Packages/p.rpm", "/etc/passwd", "location"),
        ("Packages/p.rpm", "https://h//p.rpm", "location"),
        ("Packages/p.rpm", "", "location"),
        (" href=\"Packages/p.rpm\"", "", "href"),
        ("<location ", "<location xml:base=\"../\" ", "base"),
        ("<location ", "<location xml:base=\"://x\" ", "base"),
        ("<location ", "<location href='a.rpm'/><location ", "second"),
        ("<name>", "<name>a</name><name>", "second"),
        ("<arch>", "<arch>a</arch><arch>", "second"),
        ("<version ", "<version ver='1' rel='1'/><version ", "second"),
        ("<rpm:provides>", "<rpm:provides/><rpm:provides>", "second"),
        ("<format>", "<format/><format>", "second"),
        ("<name>p</name>", "", "name is missing"),
        ("<name>p</name>", "<name>../p</name>", "name of the package"),
        ("<name>p</name>", "<name>-p</name>", "name of the package"),
        ("ver=\"2.0\" rel=\"3\"/>\n  <c", "ver=\"2/0\" rel=\"3\"/>\n  <c", "name of the package"),
        ("epoch=\"1\"", "epoch=\"-1\"", "epoch"),
        ("epoch=\"1\"", "epoch=\"4294967296\"", "epoch"),
        ("epoch=\"0\"", "epoch=\"x\"", "epoch"),
        ("sha256", "md5", "not supported"),
        ("sha256", "sha512", "checksum"),
        ("pkgid=\"YES\">", "pkgid=\"YES\">0", "checksum"),
        ("flags=\"GE\"", "flags=\"NE\"", "comparison"),
        ("name=\"a\"", "name=\"\"", "dependency's name"),
        ("type=\"dir\"", "type=\"x\"", "kind of a file"),
        (">/usr/bin/p<", ">usr/bin/p<", "folder of a file"),
        (">/usr/bin/p<", ">/usr/../p<", "path of a file"),
        (">/usr/bin/p<", "><", "path of a file"),
        ("package=\"1\"", "package=\"-1\"", "package"),
        ("package=\"1\"", "package=\"9223372036854775808\"", "package"),
        ("build=\"7\"", "build=\"x\"", "build"),
        ("start=\"10\"", "start=\"21\"", "header range"),
        ("type=\"rpm\"", "type=\"deb\"", "type of a package"),
        (">p-2.0-3.src.rpm<", ">../p.src.rpm<", "source package"),
        ("<?xml version=\"1.0\" encoding=\"UTF-8\"?>", "<!DOCTYPE metadata>", "document type"),
        ("<?xml version=\"1.0\" encoding=\"UTF-8\"?>", "<!DOCTYPE m [<!ENTITY a 'b'>]>", "document type"),
        ("UTF-8", "ISO-8859-1", "only UTF-8"),
        ("A &amp; B", "&a;", "entity"),
        ("A &amp; B", "&#0;", "entity"),
        ("A &amp; B", "&#8;", "control"),
        ("A &amp; B", "\u{1}", "control"),
        ("A &amp; B", "A & B", "XML"),
        ("name=\"a\"", "name=\"&a;\"", "attribute"),
        ("name=\"a\"", "name=\"&#1;\"", "control"),
        ("name=\"a\"", "name=\"a\" name=\"b\"", "repeated"),
        ("name=\"a\"", "name=a", "attribute"),
        ("name=\"a\"", "name=\"<\"", "'<'"),
        ("</metadata>", "", "ends inside"),
        ("</metadata>", "</metadata><metadata/>", "second root"),
        ("</metadata>", "</metadata>x", "outside"),
        ("</metadata>", "</metadatb>", "XML"),
        ("<metadata", "x<metadata", "outside"),
        ("metadata", "filelists", "root"),
        ("/common", "/filelistz", "root"),
    ];
    for (from, to, message) in hostile {
        let document = good.replace(from, to);
        assert_ne!(document, good, "{from} is not there");
        let error = read(&document).map(|_| ()).expect_err(to).to_string();
        assert!(error.contains(message), "{from} -> {to}: {error}");
    }
    assert!(read(&good).is_ok());
    let mut bytes = good.into_bytes();
    let place = bytes.iter().position(|byte| *byte == b'&').unwrap();
    bytes[place] = 0xff;
    assert!(
        Packages::read(&*bytes).unwrap_err().to_string().contains("UTF-8")
            || Packages::read(&*bytes).is_err()
    );
}

#[test]
fn says_where() {
    let good = primary(&package("p"));
    let document = good.replace("name=\"a\" flags=\"GE\"", "name=\"a\" flags=\"XX\"");
    let byte = document.find("<rpm:entry name=\"a\"").unwrap() as u64;
    let line = document[..usize::try_from(byte).unwrap()].matches('\n').count() as u64 + 1;
    let Err(ReadError::Value { place, what, value }) = read(&document) else { panic!() };
    assert_eq!((place, what, &*value), (Position { line, byte }, "comparison of a dependency", "XX"));
    // Far behind the first buffer, too.
    let many: String = (0..200).map(|number| package(&format!("p{number}"))).collect();
    let document = primary(&many).replace("<name>p199<", "<name>/<");
    let byte = document.rfind("<package ").unwrap();
    let line = document[..byte].matches('\n').count() as u64 + 1;
    let Err(ReadError::Value { place, .. }) = read(&document) else { panic!() };
    assert_eq!(place, Position { line, byte: byte as u64 });
    assert!(byte > 1 << 17);
}

/// Gives out one text and then another one again and again, without end.
struct Endless(Vec<u8>, Vec<u8>, usize);

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        for byte in &mut *buffer {
            *byte = match self.0.get(self.2) {
                Some(byte) => *byte,
                None => self.1[(self.2 - self.0.len()) % self.1.len()],
            };
            self.2 += 1;
        }
        Ok(buffer.len())
    }
}

#[test]
fn documents_without_end_are_refused_early() {
    let reference = format!("{}&lt;", "b".repeat(1000));
    for (start, again, message) in [
        ("", " ", "1048576 bytes"),
        ("", "x", "1048576 bytes"),
        ("<metadata ", "a", "1048576 bytes"),
        ("<metadata a='", "b", "1048576 bytes"),
        ("<metadata><!--", "b", "1048576 bytes"),
        ("<!DOCTYPE ", "b", "1048576 bytes"),
        ("<metadata>", "<a>", "nested"),
        ("<metadata><package>", "<package>", "nested"),
        ("<metadata><package><name>", "b", "1048576 bytes"),
        ("<metadata><package><name>", &*reference, "4194304 bytes"),
        ("<metadata><package><summary>", &*reference.replace("&lt;", "<a/>"), "4194304 bytes"),
    ] {
        let endless = Endless(start.into(), again.into(), 0);
        // What is read over without end is bounded by the content's size, so the test bounds it, too.
        let error = Packages::read(endless.take(64 << 20)).unwrap_err().to_string();
        assert!(error.contains(message), "{start} {again}: {error}");
    }
    let attributes: String = (0..40).map(|number| format!(" a{number}=''")).collect();
    let error = read(&format!("<metadata{attributes}/>")).unwrap_err().to_string();
    assert!(error.contains("attributes"), "{error}");
}

#[test]
fn lists_add_to_packages() {
    let pkgid = |name: &str| crate::base::Digest::of(name).hex();
    let filelists = |name: &str, files: &str| {
        format!(
            "<package pkgid=\"{}\" name=\"{name}\" arch=\"x86_64\"><version epoch=\"1\" ver=\"2.0\" rel=\"3\"/>{files}</package>",
            pkgid(name)
        )
    };
    let all = |root: &str, content: &str| format!("<{root} packages=\"2\">{content}</{root}>");
    let mut packages = read(&primary(&(package("p") + &package("q") + &package("q")))).unwrap();
    let of_q = filelists("q", "<file>/a/b</file><file type=\"dir\">/a</file><file>/</file>");
    assert_eq!(packages.add_filelists(all("filelists", &of_q).as_bytes()).unwrap(), 1);
    let files = |packages: &Packages, place| -> Vec<String> {
        packages.get(place).unwrap().files().map(|file| file.path()).collect()
    };
    for place in [1, 2] {
        assert_eq!(files(&packages, place), ["/a/b", "/a", "/"]);
        assert!(packages.get(place).unwrap().has_all_files());
    }
    assert!(!packages.get(0).unwrap().has_all_files());
    assert_eq!(packages.get(0).unwrap().files().len(), 3);
    // A list names a package as often as primary does; once is enough, and nothing grows.
    let (again, before) = (filelists("q", "<file>/c</file>").repeat(1000), packages.to_bytes().len());
    assert_eq!(packages.add_filelists(all("filelists", &again).as_bytes()).unwrap(), 1);
    assert_eq!((files(&packages, 1), packages.to_bytes().len()), (files(&packages, 2), before));

    let log = "<changelog author=\"A &lt;a@b&gt; - 1\" date=\"-5\">- x\n- y</changelog>";
    let other = all("otherdata", &(filelists("q", log) + &filelists("p", "")));
    assert_eq!(packages.add_other(other.as_bytes()).unwrap(), 0);
    let logs: Vec<_> = packages.get(1).unwrap().changelogs().unwrap().collect();
    assert_eq!(logs, [ChangelogEntry { time: -5, author: "A <a@b> - 1", text: "- x\n- y" }]);
    assert_eq!(packages.get(0).unwrap().changelogs().unwrap().len(), 0);

    for (list, message) in [
        (all("filelists", &filelists("r", "")), "not listed"),
        (all("filelists", &filelists("p", "<file>a</file>")), "folder"),
        (all("filelists", "<package/>"), "pkgid"),
        (all("filelists", "<package pkgid='x'/>"), "pkgid"),
        (all("otherdata", ""), "root"),
    ] {
        let error = packages.add_filelists(list.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(message), "{list}: {error}");
    }
    let broken = all("otherdata", &filelists("p", "<changelog date='x'/>"));
    assert!(read(&primary(&package("p"))).unwrap().add_other(broken.as_bytes()).is_err());
}
