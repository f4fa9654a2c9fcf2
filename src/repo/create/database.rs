//! The lists as SQLite databases, which yum of EL 5 to 7 reads instead of XML. Later clients do without.
//!
//! Tables and columns are those of version 10, as createrepo_c (0.17 and 1.2) writes them. They are filled from the lists
//! that were just written, so they say what those say, and the same lists make the same bytes: SQLite is compiled in,
//! rows come in the order of the lists, indexes last. bzip2 compresses them, since old yum reads nothing else.
//!
//! What createrepo_c does and a reader would not expect:
//! - a package's description, URL and packager are NULL where it has none, its vendor and source package are empty;
//! - files are in one row a folder, their names with a `/` between them and a letter for the type of each; the folder of a
//!   source package's files is `.`;
//! - a boolean is the text `TRUE` or `FALSE`.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::Path;

use bzip2::write::BzEncoder;
use rusqlite::{Connection, OpenFlags, Statement, Transaction, params};

use super::error::{CreateError, failed};
use super::{Options, further, schema};
use crate::base::digest::HashingWriter;
use crate::format::repodata::{
    Content, Data, Entry, FileKind, List, Open, Packages, Text, flag_name, versions,
};
use crate::rpm::dependency::Kind;
use crate::rpm::sense;

/// The tables of dependencies.
const DEPENDENCIES: [(&str, Kind); 8] = [
    ("requires", Kind::Requires),
    ("provides", Kind::Provides),
    ("conflicts", Kind::Conflicts),
    ("obsoletes", Kind::Obsoletes),
    ("suggests", Kind::Suggests),
    ("enhances", Kind::Enhances),
    ("recommends", Kind::Recommends),
    ("supplements", Kind::Supplements),
];

/// Adds a database of each of the three lists, which lie in this folder.
pub(super) fn add(
    folder: &Path,
    options: &Options,
    lists: &[Data],
    timestamp: i64,
) -> Result<Vec<Data>, CreateError> {
    let mut packages = None;
    let mut all = Vec::new();
    for (list, data) in List::ALL.into_iter().zip(lists) {
        let path = folder.join(data.location.file_name());
        let file = File::open(&path).map_err(failed("opening", &path))?;
        let size = data.open.and_then(|open| open.size);
        let content = Content::open(BufReader::new(file), size).map_err(failed("reading", &path))?;
        let unread = |source| CreateError::Unread { list: list.name(), source };
        match (list, &mut packages) {
            (List::Primary, _) => packages = Some(Packages::read(content).map_err(unread)?),
            (List::Filelists, Some(packages)) => drop(packages.add_filelists(content).map_err(unread)?),
            (List::Other, Some(packages)) => drop(packages.add_other(content).map_err(unread)?),
            _ => {}
        }
        let part = folder.join(format!(".{}.sqlite", list.name()));
        if let Some(packages) = &packages {
            let broken = |source| CreateError::Database { path: part.clone(), source };
            write(&part, list, packages, &data.checksum.hex()).map_err(broken)?;
        }
        all.push(pack(&part, folder, options, list, timestamp)?);
    }
    Ok(all)
}

/// Compresses a database and gives it its name.
fn pack(
    part: &Path,
    folder: &Path,
    options: &Options,
    list: List,
    timestamp: i64,
) -> Result<Data, CreateError> {
    let packed = folder.join(format!(".{}.sqlite.part", list.name()));
    let mut plain = File::open(part).map_err(failed("opening", part))?;
    let file = File::create(&packed).map_err(failed("creating", &packed))?;
    let encoder = BzEncoder::new(HashingWriter::new(file), bzip2::Compression::best());
    let mut out = HashingWriter::new(encoder);
    io::copy(&mut plain, &mut out).map_err(failed("compressing", part))?;
    let (encoder, open, open_size) = out.finish();
    let (_, checksum, size) = encoder.finish().map_err(failed("writing", &packed))?.finish();
    fs::remove_file(part).map_err(failed("removing", part))?;
    let location = further::location(options, checksum, &format!("{}.sqlite.bz2", list.name()))?;
    let to = folder.join(location.file_name());
    fs::rename(&packed, &to).map_err(failed("naming", &to))?;
    Ok(Data {
        kind: format!("{}_db", list.name()),
        checksum: checksum.into(),
        size: Some(size),
        open: Some(Open { checksum: open.into(), size: Some(open_size) }),
        location,
        timestamp,
    })
}

/// Writes the database of a list; `checksum` is that of the list's file.
fn write(path: &Path, list: List, packages: &Packages, checksum: &str) -> rusqlite::Result<()> {
    // A path, whatever it looks like, and never a URI.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut database = Connection::open_with_flags(path, flags)?;
    // It is no database until it has its name: nothing has to survive a crash.
    database
        .execute_batch("PRAGMA page_size = 4096; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")?;
    let schema = match list {
        List::Primary => schema::PRIMARY,
        List::Filelists => schema::FILELISTS,
        List::Other => schema::OTHER,
    };
    let all = database.transaction()?;
    all.execute_batch(schema.tables)?;
    all.execute("INSERT INTO db_info VALUES (10, ?)", [checksum])?;
    match list {
        List::Primary => primary(&all, packages)?,
        List::Filelists => filelists(&all, packages)?,
        List::Other => other(&all, packages)?,
    }
    all.execute_batch(schema.indexes)?;
    all.commit()
}

/// The packages with their keys, which count from 1.
fn keyed(packages: &Packages) -> impl Iterator<Item = (i64, Entry<'_>)> {
    (1..).zip(packages.iter())
}

fn primary(database: &Transaction<'_>, packages: &Packages) -> rusqlite::Result<()> {
    let mut package = database.prepare(
        "INSERT INTO packages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    let mut file = database.prepare("INSERT INTO files VALUES (?, ?, ?)")?;
    let mut dependencies = Vec::new();
    for (table, kind) in DEPENDENCIES {
        let marked = if kind == Kind::Requires { ", ?" } else { "" };
        let insert = database.prepare(&format!("INSERT INTO {table} VALUES (?, ?, ?, ?, ?, ?{marked})"))?;
        dependencies.push((insert, kind));
    }
    for (key, entry) in keyed(packages) {
        let (nevra, numbers) = (entry.nevra(), entry.numbers());
        let text = |text| entry.text(text);
        let given = |text| Some(entry.text(text)).filter(|text| !text.is_empty());
        let (start, end) = numbers.header;
        package.execute(params![
            key,
            entry.checksum().hex(),
            nevra.name,
            nevra.arch,
            nevra.evr.version,
            nevra.evr.epoch.to_string(),
            nevra.evr.release,
            text(Text::Summary),
            given(Text::Description),
            given(Text::Url),
            numbers.file_time,
            numbers.build_time,
            text(Text::License),
            text(Text::Vendor),
            text(Text::Group),
            text(Text::Buildhost),
            text(Text::Sourcerpm),
            start.cast_signed(),
            end.cast_signed(),
            given(Text::Packager),
            numbers.size.cast_signed(),
            numbers.installed_size.cast_signed(),
            numbers.archive_size.cast_signed(),
            entry.href(),
            entry.base(),
            entry.checksum().kind(),
        ])?;
        for (insert, kind) in &mut dependencies {
            depend(insert, key, entry, *kind)?;
        }
        for path in entry.files() {
            let kind = match path.kind {
                FileKind::File => "file",
                FileKind::Directory => "dir",
                FileKind::Ghost => "ghost",
            };
            file.execute(params![path.path(), kind, key])?;
        }
    }
    Ok(())
}

fn depend(insert: &mut Statement<'_>, key: i64, entry: Entry<'_>, kind: Kind) -> rusqlite::Result<()> {
    for item in entry.dependencies(kind) {
        let flags = flag_name(item.flags);
        let [epoch, version, release] =
            versions(&item.evr).map(|part| Some(part).filter(|part| !part.is_empty()));
        if kind == Kind::Requires {
            let pre = if item.flags & sense::PREREQ != 0 { "TRUE" } else { "FALSE" };
            insert.execute(params![item.name, flags, epoch, version, release, key, pre])?;
        } else {
            insert.execute(params![item.name, flags, epoch, version, release, key])?;
        }
    }
    Ok(())
}

fn filelists(database: &Transaction<'_>, packages: &Packages) -> rusqlite::Result<()> {
    let mut package = database.prepare("INSERT INTO packages VALUES (?, ?)")?;
    let mut folder = database.prepare("INSERT INTO filelist VALUES (?, ?, ?, ?)")?;
    for (key, entry) in keyed(packages) {
        package.execute(params![key, entry.checksum().hex()])?;
        // In the order of their first file.
        let mut folders: Vec<(&str, String, String)> = Vec::new();
        let mut places = std::collections::BTreeMap::new();
        for file in entry.files() {
            let name = match file.directory.trim_end_matches('/') {
                "" if file.directory.is_empty() => ".",
                "" => "/",
                name => name,
            };
            let place = *places.entry(name).or_insert_with(|| {
                folders.push((name, String::new(), String::new()));
                folders.len() - 1
            });
            let Some((_, names, kinds)) = folders.get_mut(place) else { continue };
            if !kinds.is_empty() {
                names.push('/');
            }
            // The root itself.
            names.push_str(if file.name.is_empty() { "/" } else { file.name });
            kinds.push(match file.kind {
                FileKind::File => 'f',
                FileKind::Directory => 'd',
                FileKind::Ghost => 'g',
            });
        }
        for (name, names, kinds) in folders {
            folder.execute(params![key, name, names, kinds])?;
        }
    }
    Ok(())
}

fn other(database: &Transaction<'_>, packages: &Packages) -> rusqlite::Result<()> {
    let mut package = database.prepare("INSERT INTO packages VALUES (?, ?)")?;
    let mut change = database.prepare("INSERT INTO changelog VALUES (?, ?, ?, ?)")?;
    for (key, entry) in keyed(packages) {
        package.execute(params![key, entry.checksum().hex()])?;
        for entry in entry.changelogs().into_iter().flatten() {
            change.execute(params![key, entry.author, entry.time, entry.text])?;
        }
    }
    Ok(())
}
