//! Questions about headers that a hub answers out of its files: `getRPMHeaders`, `getRPMDeps`, `listRPMFiles`,
//! `getRPMFile`, as koji answers them with rpm 4.18.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, ErrorKind};
use std::path::Path;

use serde::Serialize;

use super::header_tags::TAGS;
use crate::base::chain;
use crate::format::xmlrpc::{Fault, Value};
use crate::hub::methods::{generic, internal};
use crate::rpm::header::Type;
use crate::rpm::values::text;
use crate::rpm::{Header, Headers, dependency, tags};

/// Reads the headers of a package file; none where there is no file.
pub fn read(path: &Path) -> Result<Option<Headers>, Fault> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(internal(error)),
    };
    Headers::read(BufReader::new(file)).map(Some).map_err(|error| internal(chain(&error)))
}

/// Where a tag is stored: rpm shows tags of the signature header as tags of the package, some under another number.
fn stored(headers: &Headers, tag: u32) -> (&Header, u32) {
    let moved = match tag {
        257 => tags::SIG_SIZE,
        259 => tags::SIG_PGP,
        261 => tags::SIG_MD5,
        262 => tags::SIG_GPG,
        1046 if headers.main.find(1046).is_none() => tags::SIG_PAYLOADSIZE,
        tag => tag,
    };
    let of_signature = moved != tag || (256..1000).contains(&tag);
    (if of_signature { &headers.signature } else { &headers.main }, moved)
}

fn integer(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

/// A stored tag as rpm's Python bindings give it.
fn field(headers: &Headers, tag: u32, list: bool) -> Result<Value, Fault> {
    let (header, tag) = stored(headers, tag);
    let Some(entry) = header.find(tag) else {
        return Ok(if list { Value::Array(Vec::new()) } else { Value::Nil });
    };
    let damaged = |error| internal(chain(&error));
    let mut values: Vec<Value> = match entry.kind {
        Type::Char | Type::Int8 | Type::Int16 | Type::Int32 | Type::Int64 => {
            header.numbers(tag).map_err(damaged)?.iter().map(integer).collect()
        }
        Type::Binary => vec![Value::Bytes(header.data(entry).to_vec())],
        Type::Text | Type::TextArray | Type::Translated => {
            let texts = header.texts(tag).map_err(damaged)?;
            texts.iter().map(|text| Value::Text(printable(&text))).collect()
        }
    };
    Ok(if list { Value::Array(values) } else { values.drain(..).next().unwrap_or(Value::Nil) })
}

/// Text without the characters that no document can hold.
fn printable(text: &str) -> String {
    text.chars().filter(|char| !char.is_control() || matches!(char, '\n' | '\t' | '\r')).collect()
}

fn paths(headers: &Headers) -> Result<Vec<Value>, Fault> {
    let package = headers.package().map_err(|error| internal(chain(&error)))?;
    Ok(package.files.listing().map(|file| Value::Text(printable(&file.path()))).collect())
}

/// The fields that a caller wants, by the names that the caller has for them; all that are stored where none are named.
pub fn fields(headers: &Headers, wanted: Option<Vec<String>>) -> Result<BTreeMap<String, Value>, Fault> {
    let wanted = wanted.unwrap_or_else(|| {
        let there = |tag: u32| {
            let (header, tag) = stored(headers, tag);
            header.find(tag).is_some()
        };
        TAGS.iter().filter(|(_, tag, _)| there(*tag)).map(|(name, _, _)| (*name).to_owned()).collect()
    });
    let mut found = BTreeMap::new();
    for name in wanted {
        let upper = name.to_ascii_uppercase();
        let value = match upper.as_str() {
            "FILENAMES" => Value::Array(paths(headers)?),
            // A size beyond 32 bits stands under another tag; asked for by its long name, either will do.
            "LONGSIZE" | "LONGFILESIZES" | "LONGARCHIVESIZE" => {
                either(headers, &upper, upper.trim_start_matches("LONG"))?
            }
            "SIZE" | "FILESIZES" | "ARCHIVESIZE" | "SIGSIZE" => {
                either(headers, &upper, &format!("LONG{upper}"))?
            }
            _ => known(headers, &upper)?,
        };
        found.insert(name, value);
    }
    Ok(found)
}

fn known(headers: &Headers, name: &str) -> Result<Value, Fault> {
    let place = TAGS.binary_search_by_key(&name, |(name, _, _)| name).ok();
    let tag = place.and_then(|place| TAGS.get(place));
    let (_, tag, list) = tag.ok_or_else(|| generic(format!("No such rpm header field: {name}")))?;
    field(headers, *tag, *list)
}

fn either(headers: &Headers, name: &str, other: &str) -> Result<Value, Fault> {
    let value = known(headers, name)?;
    let missing = matches!(&value, Value::Nil) || matches!(&value, Value::Array(values) if values.is_empty());
    if missing { known(headers, other) } else { Ok(value) }
}

/// A dependency, as `getRPMDeps` lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dependency {
    name: String,
    version: String,
    flags: u32,
    /// Koji's number of the kind.
    r#type: i64,
}

/// The dependencies of a package, of one kind (by Koji's number) or of all, in koji's order.
pub fn dependencies(headers: &Headers, kind: Option<i64>) -> Result<Vec<Dependency>, Fault> {
    use dependency::Kind;
    const KINDS: [(Kind, i64, u32); 8] = [
        (Kind::Requires, 0, 1050),
        (Kind::Provides, 1, 1113),
        (Kind::Conflicts, 3, 1055),
        (Kind::Obsoletes, 2, 1115),
        (Kind::Suggests, 4, 5050),
        (Kind::Enhances, 5, 5056),
        (Kind::Supplements, 6, 5053),
        (Kind::Recommends, 7, 5047),
    ];
    let package = headers.package().map_err(|error| internal(chain(&error)))?;
    let mut found = Vec::new();
    for (list, number, versions) in
        KINDS.into_iter().filter(|(_, number, _)| kind.is_none_or(|kind| kind == *number))
    {
        let versions = headers.main.texts(versions).map_err(|error| internal(chain(&error)))?;
        let each = package.dependencies(list).iter().zip(versions.iter());
        found.extend(each.map(|(dependency, version)| Dependency {
            name: printable(&dependency.name),
            version: printable(&version),
            flags: dependency.flags,
            r#type: number,
        }));
    }
    Ok(found)
}

/// A file of a package, as `listRPMFiles` lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedFile {
    /// Its path.
    pub name: String,
    digest: String,
    digest_algo: &'static str,
    md5: String,
    size: u64,
    flags: u32,
    user: String,
    group: String,
    mtime: u32,
    mode: u16,
}

/// The files of a package.
pub fn files(headers: &Headers) -> Result<Vec<ListedFile>, Fault> {
    let package = headers.package().map_err(|error| internal(chain(&error)))?;
    let algorithm = headers.main.number(tags::FILEDIGESTALGO).map_err(|error| internal(chain(&error)))?;
    let digest_algo = match algorithm {
        None | Some(1) => "md5",
        Some(2) => "sha1",
        Some(3) => "ripemd160",
        Some(5) => "md2",
        Some(6) => "tiger192",
        Some(7) => "haval-5-160",
        Some(8) => "sha256",
        Some(9) => "sha384",
        Some(10) => "sha512",
        Some(11) => "sha224",
        Some(_) => "unknown",
    };
    let listed = package.files.iter().map(|file| {
        let digest = file.digest.to_string();
        ListedFile {
            name: printable(&text(file.path().as_bytes())),
            md5: digest.clone(),
            digest,
            digest_algo,
            size: file.size,
            flags: file.flags,
            user: printable(&file.user),
            group: printable(&file.group),
            mtime: file.mtime,
            mode: file.mode,
        }
    });
    Ok(listed.collect())
}
