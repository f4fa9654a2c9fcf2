//! Packages of Debian's amd64 and i386, packed again as RPMs: names, versions and dependencies mapped plainly, files
//! moved to where RPM distributions have them, with change logs and scripts. They are good packages with real
//! content; no system comes out of installing them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use gander::base::Digest;
use gander::debian::{Deb, DebError, EntryKind, Mirrors, Paragraph, Request, fetch_all, lock, rules};
use gander::fetch::Fetcher;
use gander::store::Store;

use crate::package::{Change, Content, EQUAL, File, GREATER, LESS, List, Need, Package, Script};

/// Entries of a change log beyond these are left out.
const CHANGES: usize = 60;

/// Finds out which packages the request means, downloads them from the mirrors of this host, and gives their files.
pub fn fetch(store: &Path) -> Vec<PathBuf> {
    let text = include_str!("debian.toml");
    let request = Request::parse(text).unwrap();
    let mirrors = Mirrors::find(&[], [request.suite.as_str()]).unwrap();
    let store = Store::open(store).unwrap();
    let fetcher = Fetcher::new(&store, false).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let lock = runtime.block_on(async {
        let lock = lock(&request, Digest::of(text), &mirrors, &fetcher, &store, &()).await.unwrap();
        fetch_all(&lock, &mirrors, &fetcher, &()).await.unwrap();
        lock
    });
    lock.packages.iter().map(|deb| store.object_path(&deb.digest)).collect()
}

/// The RPM of a Debian package.
pub fn package(path: &Path) -> Package {
    let deb = Deb::open(path).unwrap();
    let control = deb.control().unwrap();
    let field = |name: &str| control.get(name).unwrap_or_default();
    let arch = match field("Architecture") {
        "amd64" => "x86_64",
        "i386" => "i686",
        _ => "noarch",
    };
    let files = files(&deb, arch);
    let documents = format!("/usr/share/doc/{}", field("Package"));
    let changes = changes(&files, &documents);
    let (epoch, version, release) = version(field("Version"));
    let mut lines = field("Description").lines();
    let name = name(field("Package"));
    let mut package = Package {
        source: source(&control, &version, &release),
        arch: arch.into(),
        summary: lines.next().unwrap_or_default().into(),
        description: lines.map(|line| if line == "." { "\n".into() } else { format!("{line}\n") }).collect(),
        license: license(&files, &documents),
        url: field("Homepage").into(),
        group: field("Section").into(),
        packager: field("Maintainer").into(),
        built: changes.first().map_or(1_700_000_000, |change| change.time),
        needs: BTreeMap::new(),
        scripts: scripts(path),
        name,
        epoch,
        version,
        release,
        files,
        changes,
    };
    for (list, fields) in [
        (List::Requires, &["Pre-Depends", "Depends"][..]),
        (List::Recommends, &["Recommends"]),
        (List::Suggests, &["Suggests"]),
        (List::Conflicts, &["Conflicts", "Breaks"]),
        (List::Obsoletes, &["Replaces"]),
        (List::Provides, &["Provides"]),
    ] {
        let needs = fields.iter().flat_map(|name| field(name).split(',')).filter_map(need);
        package.needs.insert(list, needs.collect());
    }
    let libraries = libraries(&package);
    package.needs.entry(List::Provides).or_default().extend(libraries);
    package
}

fn name(debian: &str) -> String {
    debian.strip_suffix("-dev").map_or(debian.into(), |stem| format!("{stem}-devel"))
}

/// Epoch, version and release of a Debian version.
fn version(debian: &str) -> (Option<u32>, String, String) {
    let (epoch, rest) = debian.split_once(':').unwrap_or(("", debian));
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "1"));
    let fit = |text: &str| {
        let fit = |c: char| if c.is_ascii_alphanumeric() || "._+~".contains(c) { c } else { '_' };
        text.chars().map(fit).collect::<String>()
    };
    (epoch.parse().ok(), fit(upstream), format!("{}.gos1", fit(revision)))
}

fn source(control: &Paragraph, version: &str, release: &str) -> String {
    let stated = control.get("Source").or(control.get("Package")).unwrap();
    let (name, own) = stated.split_once(' ').unwrap_or((stated, ""));
    let own = own.trim_matches(['(', ')']);
    let (_, version, release) =
        if own.is_empty() { (None, version.into(), release.into()) } else { self::version(own) };
    format!("{name}-{version}-{release}.src.rpm")
}

/// The first alternative of a relation such as `a:any (>= 1:2-3) [amd64] | b`.
fn need(relation: &str) -> Option<Need> {
    let first = relation.split('|').next()?.trim();
    let stem = first.split([' ', '(', '[', ':']).next().filter(|stem| !stem.is_empty())?;
    let name = name(stem);
    let Some((operator, debian)) = first.split_once('(').and_then(|(_, rest)| {
        let (stated, _) = rest.split_once(')')?;
        stated.split_once(' ')
    }) else {
        return Some(Need::any(name));
    };
    let (epoch, version, release) = version(debian.trim());
    let epoch = epoch.map_or(String::new(), |epoch| format!("{epoch}:"));
    let flags = match operator {
        "<<" => LESS,
        "<=" => LESS | EQUAL,
        "=" => EQUAL,
        ">=" => GREATER | EQUAL,
        _ => GREATER,
    };
    Some(Need::of(name, flags, format!("{epoch}{version}-{release}")))
}

/// What the dynamic linker finds in the package.
fn libraries(package: &Package) -> Vec<Need> {
    let suffix = if package.arch == "x86_64" { "()(64bit)" } else { "" };
    let found = package.files.keys().filter_map(|path| {
        let name = path.strip_prefix("/usr/lib64/").or(path.strip_prefix("/usr/lib/"))?;
        let (stem, number) = name.split_once(".so.")?;
        let plain = !stem.contains('/') && number.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| Need::any(format!("{name}{suffix}")))
    });
    found.collect()
}

/// The package's files by where they go: `/usr` is merged, libraries lie in `lib64` or `lib`.
fn files(deb: &Deb, arch: &str) -> BTreeMap<String, File> {
    let mut files: BTreeMap<String, File> = BTreeMap::new();
    deb.walk(|entry, content| -> Result<(), DebError> {
        let path = place(rules::merged(&entry.path).as_str(), arch);
        let mtime = entry.mtime as u32;
        let (content, mode) = match entry.kind {
            EntryKind::File(size) => {
                let mut bytes = Vec::with_capacity(size as usize);
                content.read_to_end(&mut bytes).unwrap();
                (Content::File(bytes), entry.mode & 0o7777)
            }
            EntryKind::Directory => (Content::Folder, entry.mode & 0o7777),
            EntryKind::Symlink(target) => (Content::Link(target), 0o777),
            EntryKind::HardLink(first) => {
                let first = &files[&place(rules::merged(&first).as_str(), arch)];
                (first.content.clone(), first.mode)
            }
        };
        // Folders such as /usr/share/doc belong to packages that have nothing else.
        if !matches!(content, Content::Folder) || path.matches('/').count() > 3 {
            files.insert(path, File { content, mode, mtime });
        }
        Ok(())
    })
    .unwrap();
    files
}

fn place(path: &str, arch: &str) -> String {
    for (triplet, libraries) in [("x86_64-linux-gnu", "lib64"), ("i386-linux-gnu", "lib")] {
        for (folder, new) in [("usr/lib", format!("usr/{libraries}")), ("usr/include", "usr/include".into())]
        {
            if let Some(rest) = path.strip_prefix(&format!("{folder}/{triplet}")) {
                return format!("/{new}{rest}");
            }
        }
    }
    match arch {
        // The same files of both architectures are one file; what is in doc differs.
        "i686" if path.starts_with("usr/bin/") => format!("/{path}-32"),
        _ => format!("/{path}"),
    }
}

/// A document of the package, by its path below the folder of its documents.
fn document(files: &BTreeMap<String, File>, folder: &str, names: &[&str]) -> String {
    let found = names.iter().find_map(|name| files.get(&format!("{folder}/{name}")));
    let Some(File { content: Content::File(bytes), .. }) = found else { return String::new() };
    let mut plain = Vec::new();
    match bytes.starts_with(&[0x1f, 0x8b]) {
        true => flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut plain).unwrap(),
        false => bytes.as_slice().read_to_end(&mut plain).unwrap(),
    };
    String::from_utf8_lossy(&plain).into_owned()
}

/// The first licence that the machine-readable copyright file names.
fn license(files: &BTreeMap<String, File>, documents: &str) -> String {
    let text = document(files, documents, &["copyright"]);
    let mut stated = text.lines().filter_map(|line| line.strip_prefix("License:"));
    stated.next().map_or("Unknown".into(), |license| license.trim().into())
}

/// The entries of the change log, which begin with `name (version) …` and end with ` -- author  date`.
fn changes(files: &BTreeMap<String, File>, documents: &str) -> Vec<Change> {
    let text = document(files, documents, &["changelog.Debian.gz", "changelog.gz"]);
    let mut changes = Vec::new();
    let (mut version, mut lines) = (String::new(), Vec::new());
    for line in text.lines() {
        if let Some((author, date)) = line.strip_prefix(" -- ").and_then(|end| end.split_once("  ")) {
            let text = std::mem::take(&mut lines).join("\n");
            if let Some(time) = time(date.trim()).filter(|_| !text.is_empty()) {
                changes.push(Change { time, author: format!("{author} - {version}"), text });
            }
        } else if let Some(change) = line.strip_prefix("  ") {
            let change = change.replacen("* ", "- ", usize::from(change.starts_with('*')));
            lines.extend((!change.trim().is_empty()).then_some(change));
        } else if let Some((_, rest)) = line.split_once(" (") {
            version = rest.split(')').next().unwrap_or_default().into();
        }
    }
    changes.truncate(CHANGES);
    changes
}

/// Seconds since 1970 of noon of a day such as `Sat, 01 Apr 2023 12:34:56 +0200`: change logs of RPMs have days.
fn time(date: &str) -> Option<u32> {
    let mut parts = date.split_once(", ")?.1.split_whitespace();
    let day: i64 = parts.next()?.parse().ok()?;
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = parts.next()?;
    let month = months.iter().position(|name| *name == month)? as i64 + 1;
    let year: i64 = parts.next()?.parse().ok()?;
    // Years that begin in March have the leap day at their end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 719_469;
    u32::try_from(days * 86_400 + 43_200).ok()
}

/// The maintainer's scripts, which lie in the archive that is the second member of the package.
fn scripts(path: &Path) -> BTreeMap<Script, String> {
    let bytes = fs::read(path).unwrap();
    let mut scripts = BTreeMap::new();
    let Some((name, member)) = members(&bytes).nth(1) else { return scripts };
    let stream: Box<dyn Read + '_> = match name.rsplit('.').next() {
        Some("xz") => Box::new(liblzma::read::XzDecoder::new(member)),
        Some("gz") => Box::new(flate2::read::GzDecoder::new(member)),
        Some("zst") => Box::new(zstd::Decoder::new(member).unwrap()),
        _ => Box::new(member),
    };
    for entry in tar::Archive::new(stream).entries().unwrap() {
        let mut entry = entry.unwrap();
        let script = match entry.path().unwrap().file_name().and_then(|name| name.to_str()) {
            Some("preinst") => Script::Prein,
            Some("postinst") => Script::Postin,
            Some("prerm") => Script::Preun,
            Some("postrm") => Script::Postun,
            _ => continue,
        };
        let mut text = Vec::new();
        io::copy(&mut entry, &mut text).unwrap();
        scripts.insert(script, String::from_utf8_lossy(&text).into_owned());
    }
    scripts
}

/// Names and contents of an ar archive's members.
fn members(bytes: &[u8]) -> impl Iterator<Item = (&str, &[u8])> {
    let mut rest = bytes.get(8..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (head, after) = rest.split_at_checked(60)?;
        let text = |from, to| std::str::from_utf8(&head[from..to]).map(str::trim_end).ok();
        let size: usize = text(48, 58)?.parse().ok()?;
        let content = after.get(..size)?;
        rest = after.get(size.next_multiple_of(2)..).unwrap_or_default();
        Some((text(0, 16)?.trim_end_matches('/'), content))
    })
}
