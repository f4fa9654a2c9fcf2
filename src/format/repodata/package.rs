//! One package in the three lists.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::List;
use crate::base::{Digest, Nevra, evr};
use crate::format::xml_text::Writer;
use crate::rpm::{Changelog, Dependencies, Dependency, Package, sense};

/// How many entries of a change log are kept, unless something else is wanted.
pub const CHANGELOGS: usize = 10;

/// A package in a repository.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// What the package says about itself.
    pub package: &'a Package<'a>,
    /// The digest of its file.
    pub checksum: Digest,
    /// Bytes of its file.
    pub size: u64,
    /// The time that stands for its file's.
    pub file_time: i64,
    /// Where its file is, from the folder that holds `repodata`.
    pub href: &'a str,
    /// Where `href` starts, if that is elsewhere.
    pub base: Option<&'a str>,
    /// How many entries of its change log are kept: the newest ones.
    pub changelogs: usize,
}

/// Whether a path is listed in primary.
pub fn is_primary(path: &str) -> bool {
    path.starts_with("/etc/") || path == "/usr/lib/sendmail" || path.contains("bin/")
}

impl Record<'_> {
    /// Its element in one of the lists.
    pub fn write(&self, list: List) -> String {
        let mut out = Writer::default();
        match list {
            List::Primary => self.primary(&mut out),
            List::Filelists => {
                self.start(&mut out);
                self.files(&mut out, "  ", |_| true);
            }
            List::Other => {
                self.start(&mut out);
                for entry in changelogs(self.package.changelogs.iter().take(self.changelogs)) {
                    let date = entry.time.to_string();
                    out.element(
                        "  ",
                        "changelog",
                        &[("author", &entry.author), ("date", &date)],
                        &entry.text,
                    );
                }
            }
        }
        out.raw("</package>\n");
        out.into_text()
    }

    fn start(&self, out: &mut Writer) {
        let nevra = &self.package.nevra;
        out.raw("<package").attribute("pkgid", &self.checksum.hex());
        out.attribute("name", &nevra.name).attribute("arch", arch(nevra)).raw(">\n");
        self.version(out);
    }

    fn version(&self, out: &mut Writer) {
        let evr = &self.package.nevra.evr;
        let epoch = evr.epoch.to_string();
        out.element("  ", "version", &[("epoch", &epoch), ("ver", &evr.version), ("rel", &evr.release)], "");
    }

    fn files(&self, out: &mut Writer, indent: &str, wanted: impl Fn(&str) -> bool) {
        for file in self.package.files.listing() {
            let path = file.path();
            if !wanted(&path) {
                continue;
            }
            let kind: &[(&str, &str)] = match (file.is_directory(), file.is_ghost()) {
                (true, _) => &[("type", "dir")],
                (false, true) => &[("type", "ghost")],
                (false, false) => &[],
            };
            out.element(indent, "file", kind, &path);
        }
    }

    fn primary(&self, out: &mut Writer) {
        let package = self.package;
        let number = |number: u64| number.to_string();
        out.raw("<package type=\"rpm\">\n");
        out.element("  ", "name", &[], &package.nevra.name).element("  ", "arch", &[], arch(&package.nevra));
        self.version(out);
        out.element("  ", "checksum", &[("type", "sha256"), ("pkgid", "YES")], &self.checksum.hex());
        out.element("  ", "summary", &[], &package.summary).element(
            "  ",
            "description",
            &[],
            &package.description,
        );
        out.element("  ", "packager", &[], &package.packager).element("  ", "url", &[], &package.url);
        let (file, build) = (self.file_time.to_string(), package.buildtime.to_string());
        out.element("  ", "time", &[("file", &file), ("build", &build)], "");
        let sizes = [number(self.size), number(package.installed_size), number(package.archive_size)];
        let [size, installed, archive] = &sizes;
        out.element("  ", "size", &[("package", size), ("installed", installed), ("archive", archive)], "");
        let href = ("href", self.href);
        match self.base {
            Some(base) => out.element("  ", "location", &[("xml:base", base), href], ""),
            None => out.element("  ", "location", &[href], ""),
        };
        out.raw("  <format>\n");
        out.element("    ", "rpm:license", &[], &package.license);
        out.element("    ", "rpm:vendor", &[], &package.vendor);
        out.element("    ", "rpm:group", &[], &package.group);
        out.element("    ", "rpm:buildhost", &[], &package.buildhost);
        out.element("    ", "rpm:sourcerpm", &[], package.sourcerpm.as_deref().unwrap_or_default());
        let (start, end) = (number(package.header_range.start), number(package.header_range.end));
        out.element("    ", "rpm:header-range", &[("start", &start), ("end", &end)], "");
        let (requires, wished) = requires(package);
        let mut recommends = wished;
        recommends.extend(entries(&package.recommends));
        for (name, list) in [
            ("provides", entries(&package.provides)),
            ("requires", requires),
            ("conflicts", entries(&package.conflicts)),
            ("obsoletes", entries(&package.obsoletes)),
            ("suggests", entries(&package.suggests)),
            ("enhances", entries(&package.enhances)),
            ("recommends", recommends),
            ("supplements", entries(&package.supplements)),
        ] {
            if !list.is_empty() {
                out.raw("    <rpm:").raw(name).raw(">\n");
                list.iter().for_each(|entry| entry.write(out));
                out.raw("    </rpm:").raw(name).raw(">\n");
            }
        }
        self.files(out, "    ", is_primary);
        out.raw("  </format>\n");
    }
}

/// The arch as repodata has it: every source package is `src`.
fn arch(nevra: &Nevra) -> &str {
    if nevra.is_source() { "src" } else { &nevra.arch }
}

fn entries<'a>(list: &Dependencies<'a>) -> Vec<Entry<'a>> {
    list.iter().filter_map(|item| Entry::new(item, false)).collect()
}

/// One entry of a list of dependencies.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry<'a> {
    name: Cow<'a, str>,
    flags: Option<&'static str>,
    version: Cow<'a, str>,
    pre: bool,
}

impl<'a> Entry<'a> {
    /// None for an entry without a name or with an epoch that is no number.
    fn new(item: Dependency<'a>, pre: bool) -> Option<Self> {
        let (epoch, _) = item.evr.split_once(':').unwrap_or_default();
        if item.name.is_empty() || !epoch.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some(Self { name: item.name, flags: flag_name(item.flags), version: item.evr, pre })
    }

    fn write(&self, out: &mut Writer) {
        out.raw("      <rpm:entry").attribute("name", &self.name);
        if let Some(flags) = self.flags {
            out.attribute("flags", flags);
            if !self.version.is_empty() {
                let [epoch, version, release] = versions(&self.version);
                out.attribute("epoch", if epoch.is_empty() { "0" } else { epoch });
                for (name, value) in [("ver", version), ("rel", release)] {
                    if !value.is_empty() {
                        out.attribute(name, value);
                    }
                }
            }
        }
        if self.pre {
            out.attribute("pre", "1");
        }
        out.raw("/>\n");
    }
}

/// Epoch, version and release of a dependency's version, each perhaps empty; the release begins after the first `-`.
pub fn versions(evr: &str) -> [&str; 3] {
    let (epoch, rest) = evr.split_once(':').unwrap_or(("", evr));
    let (version, release) = rest.split_once('-').unwrap_or((rest, ""));
    [epoch, version, release]
}

/// The name of a comparison (rpm's sense flags); none where nothing is compared.
pub fn flag_name(flags: u32) -> Option<&'static str> {
    match flags & 0xf {
        2 => Some("LT"),
        4 => Some("GT"),
        8 => Some("EQ"),
        10 => Some("LE"),
        12 => Some("GE"),
        _ => None,
    }
}

/// The requirements that are listed, and those that are only wished for.
fn requires<'a>(package: &Package<'a>) -> (Vec<Entry<'a>>, Vec<Entry<'a>>) {
    const PRE_TRANSACTION: u32 = 1 << 7;
    const POST_TRANSACTION: u32 = 1 << 5;
    const MISSING_OK: u32 = 1 << 19;
    const PRE: u32 =
        sense::PREREQ | sense::SCRIPT_PRE | sense::SCRIPT_POST | PRE_TRANSACTION | POST_TRANSACTION;
    // Of the files only those are looked up that are required, which are few or none.
    let needed: BTreeSet<_> =
        package.requires.iter().map(|item| item.name).filter(|name| is_primary(name)).collect();
    let own: BTreeSet<String> = match needed.is_empty() {
        true => BTreeSet::new(),
        false => {
            package.files.listing().map(|file| file.path()).filter(|path| needed.contains(&**path)).collect()
        }
    };
    let provided: BTreeSet<_> =
        package.provides.iter().map(|item| (item.name, flag_name(item.flags), item.evr)).collect();
    // Only the last entry of a name is remembered, so a repetition with another one between stays.
    let mut last: BTreeMap<Cow<'a, str>, Entry<'a>> = BTreeMap::new();
    let mut libc: Option<Entry<'a>> = None;
    let (mut listed, mut wished) = (Vec::new(), Vec::new());
    for item in package.requires.iter() {
        let (name, flags) = (item.name.clone(), item.flags);
        if name.starts_with("rpmlib(")
            || own.contains(&*name)
            || provided.contains(&(name.clone(), flag_name(flags), item.evr.clone()))
        {
            continue;
        }
        let Some(entry) = Entry::new(item, flags & PRE != 0) else { continue };
        if last.get(&name) == Some(&entry) {
            continue;
        }
        if flags & MISSING_OK != 0 {
            wished.push(Entry { pre: false, ..entry });
        } else if name.starts_with("libc.so.6") {
            if libc.as_ref().is_none_or(|highest| compare_libc(&highest.name, &name) == Ordering::Less) {
                libc = Some(entry);
            }
        } else {
            last.insert(name, entry.clone());
            listed.push(entry);
        }
    }
    listed.extend(libc);
    (listed, wished)
}

/// Compares `libc.so.6(GLIBC_2.34)(64bit)` by the version in the first parentheses; none is the lowest.
fn compare_libc(left: &str, right: &str) -> Ordering {
    let version = |name: &str| -> Option<String> {
        let (_, rest) = name.split_once('(')?;
        let (inside, _) = rest.split_once(')')?;
        Some(inside.get(inside.find(|character: char| character.is_ascii_digit())?..)?.to_owned())
    };
    match (version(left), version(right)) {
        (Some(left), Some(right)) => evr::compare_segments(&left, &right),
        (left, right) => left.is_some().cmp(&right.is_some()),
    }
}

/// The newest entries, the oldest of them first, with times that keep their order.
fn changelogs<'a>(entries: impl Iterator<Item = Changelog<'a>>) -> Vec<Changelog<'a>> {
    let mut kept: Vec<Changelog<'_>> = entries.collect();
    kept.reverse();
    // Newer entries of the same time make room, each by one second, and so do those whose place is taken then.
    let mut before: Option<(u32, u32)> = None;
    for entry in &mut kept {
        let stated = entry.time;
        if let Some((earlier, taken)) = before
            && (earlier..=taken).contains(&stated)
        {
            entry.time = taken.saturating_add(1);
        }
        before = Some((stated, entry.time));
        let trimmed = entry.author.trim_end_matches(' ');
        if trimmed.len() < entry.author.len() {
            // A name of spaces only keeps its first.
            entry.author = if trimmed.is_empty() { " " } else { trimmed }.to_owned().into();
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primary_files() {
        for (path, expected) in [
            ("/usr/bin/a", true),
            ("/usr/sbin/a", true),
            ("/opt/x/bin/y", true),
            ("/etc/passwd", true),
            ("/usr/lib/sendmail", true),
            ("/usr/lib/sendmail.x", false),
            ("/usr/share/bin", false),
            ("/etc", false),
        ] {
            assert_eq!(is_primary(path), expected, "{path}");
        }
    }

    #[test]
    fn libc_versions() {
        use Ordering::{Equal, Greater, Less};
        for (left, right, order) in [
            ("libc.so.6()(64bit)", "libc.so.6(GLIBC_2.4)(64bit)", Less),
            ("libc.so.6(GLIBC_2.34)(64bit)", "libc.so.6(GLIBC_2.4)(64bit)", Greater),
            ("libc.so.6", "libc.so.6()", Equal),
            ("libc.so.6", "libc.so.6(GLIBC_2.0)", Less),
        ] {
            assert_eq!(compare_libc(left, right), order, "{left} {right}");
        }
    }

    #[test]
    fn entries_of_one_time_count_up() {
        let entry = |time, author: &'static str| Changelog { time, author: author.into(), text: "".into() };
        let entries = [entry(20, "d "), entry(10, "c"), entry(10, "b"), entry(10, "a")];
        let found: Vec<_> =
            changelogs(entries.into_iter()).into_iter().map(|entry| (entry.time, entry.author)).collect();
        assert_eq!(found, [(10, "a".into()), (11, "b".into()), (12, "c".into()), (20, Cow::from("d"))]);
        // From the newest to the oldest, as the header has them; then from the oldest to the newest.
        let max = u32::MAX;
        for (stated, written) in [
            (&[11, 10, 10][..], &[10, 11, 12][..]),
            (&[13, 10, 10], &[10, 11, 13]),
            (&[6, 5, 5, 5], &[5, 6, 7, 8]),
            (&[9, 6, 6, 5, 5, 5], &[5, 6, 7, 8, 9, 10]),
            (&[10, 5, 10], &[10, 5, 10]),
            (&[0, 0], &[0, 1]),
            (&[max, max, max], &[max, max, max]),
        ] {
            let entries = changelogs(stated.iter().map(|time| entry(*time, "a")));
            assert_eq!(entries.iter().map(|entry| entry.time).collect::<Vec<_>>(), written, "{stated:?}");
        }
        // As many as a package may have.
        let many = changelogs((0..1_000_000).map(|_| entry(1, "a")));
        assert_eq!(many.last().unwrap().time, 1_000_000);
    }
}
