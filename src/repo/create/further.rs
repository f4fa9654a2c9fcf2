//! Metadata besides the three lists: groups, errata, modules, product certificates and whatever else there is.
//!
//! As modifyrepo_c (1.2): each is compressed; what is compressed already stays byte for byte.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::super::load::{self, open_regular, read_bounded};
use super::Options;
use super::compress::Packer;
use super::error::{CreateError, failed};
use crate::base::{Digest, Hasher, RelPath};
use crate::format::comps::Comps;
use crate::format::repodata::{Content, Data, List, Open, Repomd};
use crate::rpm::Compressor;

const GROUP: &str = "group";
/// Bytes of the largest file that is taken.
const LARGEST: u64 = 1 << 30;

/// Files of a type of metadata that stand for themselves. The lists and their databases do not.
pub(super) fn check_kind(kind: &str) -> Result<(), CreateError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if kind.is_empty() || kind.len() > 100 || !kind.bytes().all(plain) || is_list(kind) {
        return Err(CreateError::Kind(kind.into()));
    }
    Ok(())
}

fn is_list(kind: &str) -> bool {
    List::ALL.iter().any(|list| {
        let rest = kind.strip_prefix(list.name());
        rest.is_some_and(|rest| matches!(rest, "" | "_db" | "_zck"))
    })
}

/// Puts all further metadata into a folder.
pub(super) fn add(
    root: &Path,
    folder: &Path,
    options: &Options,
    timestamp: i64,
) -> Result<Vec<Data>, CreateError> {
    let mut all = Vec::new();
    // createrepo_c takes the file from the folder of the packages.
    let comps = options.comps.as_ref().map(|path| {
        let inside = root.join(path);
        (GROUP, if inside.exists() { inside } else { path.clone() })
    });
    let extras = options.extras.iter().map(|(kind, path)| (kind.as_str(), path.clone()));
    for (kind, path) in comps.into_iter().chain(extras) {
        check_kind(kind)?;
        let file = File::open(&path).map_err(failed("opening", &path))?;
        let mut bytes = Vec::new();
        file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed("reading", &path))?;
        if bytes.len() as u64 > LARGEST {
            return Err(failed("reading", &path)(std::io::ErrorKind::FileTooLarge.into()));
        }
        all.push(carry(kind, &path, bytes, folder, options, timestamp)?);
    }
    Ok(all)
}

fn carry(
    kind: &str,
    path: &Path,
    bytes: Vec<u8>,
    folder: &Path,
    options: &Options,
    timestamp: i64,
) -> Result<Data, CreateError> {
    let outside = || CreateError::Kind(path.display().to_string());
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(outside)?;
    let (open, bytes, name) = if Compressor::by_magic(&bytes) == Compressor::None {
        if kind == GROUP {
            Comps::parse(&bytes).map_err(|source| CreateError::Comps { path: path.into(), source })?;
        }
        let open = Open { checksum: Digest::of(&bytes).into(), size: Some(bytes.len() as u64) };
        let packed = Packer::new(options.further_compression).pack(&bytes);
        let packed = packed.map_err(failed("compressing", path))?;
        (open, packed, format!("{name}.{}", options.further_compression.ending()))
    } else {
        let mut content = Content::open(&*bytes, None).map_err(failed("reading", path))?;
        let mut hasher = Hasher::new();
        std::io::copy(&mut content, &mut hasher).map_err(failed("reading", path))?;
        let size = Some(hasher.length());
        (Open { checksum: hasher.finish().into(), size }, bytes, name.to_owned())
    };
    let checksum = Digest::of(&bytes);
    let location = location(options, checksum, &name)?;
    let to = folder.join(location.file_name());
    let written = File::create_new(&to).and_then(|mut file| file.write_all(&bytes));
    written.map_err(failed("writing", &to))?;
    Ok(Data {
        kind: kind.into(),
        checksum: checksum.into(),
        size: Some(bytes.len() as u64),
        open: Some(open),
        location,
        timestamp,
    })
}

/// Where a file of the metadata lies.
pub(super) fn location(options: &Options, checksum: Digest, name: &str) -> Result<RelPath, CreateError> {
    let path = match options.simple_names {
        true => format!("repodata/{name}"),
        false => format!("repodata/{}-{name}", checksum.hex()),
    };
    RelPath::new(path).map_err(|error| CreateError::Kind(error.to_string()))
}

/// The metadata that are there, if there are any.
pub(super) fn old(repodata: &Path, options: &Options) -> Result<Option<Repomd>, CreateError> {
    let path = repodata.join("repomd.xml");
    let bytes = match open_regular(&path).and_then(|file| read_bounded(file, load::LARGEST)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(failed("reading", &path))?,
    };
    match Repomd::parse(&bytes) {
        Ok(old) => Ok(Some(old)),
        // Nothing of them is wanted, so whatever they are does not matter.
        Err(_) if !options.keep_further => Ok(None),
        Err(source) => Err(CreateError::Old { path, source }),
    }
}

/// What of the metadata that are there is kept: all that is no list, and that is not given anew.
pub(super) fn kept(output: &Path, old: &Repomd, new: &[Data]) -> Result<Vec<Data>, CreateError> {
    let group = new.iter().any(|data| data.kind == GROUP);
    let replaced =
        |kind: &str| new.iter().any(|data| data.kind == kind) || group && kind.starts_with("group_");
    let mut all = Vec::new();
    for data in old.data.iter().filter(|data| !is_list(&data.kind) && !replaced(&data.kind)) {
        let path: PathBuf = data.location.below(output);
        let mut file = open_regular(&path).map_err(failed("opening", &path))?;
        let mut verifier = data.checksum.verifier().ok_or_else(|| CreateError::OldFile(path.clone()))?;
        let mut buffer = vec![0; 1 << 16];
        loop {
            match file.read(&mut buffer).map_err(failed("reading", &path))? {
                0 => break,
                length => verifier.update(buffer.get(..length).unwrap_or_default()),
            }
        }
        if !verifier.agrees() {
            return Err(CreateError::OldFile(path));
        }
        all.push(data.clone());
    }
    Ok(all)
}
