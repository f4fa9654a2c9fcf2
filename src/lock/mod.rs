//! What was decided: inputs, origins, selection, signatures. Pure; reading and writing the folder is
//! the work of `compose/`.
//!
//! A lock is a folder beside its recipe, `NAME.lock/`:
//!
//! | file | content |
//! |---|---|
//! | `lock.toml` | [`Header`]: schema, the recipe's deep digest, source date, builder, keys, builds |
//! | `packages` | [`Package`]: one a line, with content digest, origins and selection |
//! | `signatures` | [`Signatures`]: one a line: kind, digest of what is signed, fingerprint, packet |
//! | `signed` | [`Signed`]: one a line: sha256 and size of each package as shipped |
//! | `media` | [`MediaPackages`]: one a line: what packages each medium is made of; only where there are media |
//! | `objects/` | the small inputs themselves, each in a file named by its 64 hexadecimal digits |
//!
//! All text files are UTF-8, sorted, with one record a line and fields between TABs; the first line
//! names the format and its version. `lock.toml` holds the digests of `packages` and `media`, so
//! a folder whose files do not belong together is found out.

mod header;
mod koji;
mod media;
mod packages;
mod signatures;
mod tree;

use std::collections::BTreeMap;

use crate::base::Digest;

pub use header::{
    Build, Builder, Header, InnerVariant, Key, KickstartFile, Medium, Release, Repository, Source,
};
pub use koji::{Koji, Pin, PinKind};
pub use media::{MediaPackages, MediumRef, Part};
pub use packages::{Origin, Package, Packages};
pub use signatures::{SignatureKind, Signatures, Signed};
pub use tree::{Tree, TreeKind, TreeRef};

/// The version of the folder's format. A change that older readers cannot understand raises it.
pub const SCHEMA: u32 = 1;

/// A file of the lock cannot be understood. Retrying cannot help.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// A line is malformed.
    #[error("line {line} of '{file}': {problem}")]
    Line {
        /// The file of the folder.
        file: &'static str,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// A file is missing or no text.
    #[error("its file '{file}' is {problem}")]
    File {
        /// The file of the folder.
        file: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// `lock.toml` is malformed.
    #[error("'lock.toml' is not a lock's header: {0}")]
    Header(String),
    /// The lock is of a later format.
    #[error("the lock has schema {found}, but this gander understands only schema {SCHEMA}")]
    Schema {
        /// The schema that it claims.
        found: u32,
    },
    /// Files of the folder do not belong together.
    #[error("'{file}' does not have the digest that 'lock.toml' states")]
    Torn {
        /// The file.
        file: String,
    },
    /// An object that the lock names is not in its folder.
    #[error("the lock names object {0}, which is not in its 'objects' folder")]
    MissingObject(Digest),
    /// `media` names a package that `packages` does not have for that tree.
    #[error("its file 'media' has {nevra} for the {of}, but 'packages' does not have it in that tree")]
    Unselected {
        /// Part and medium.
        of: String,
        /// The package's NEVRA.
        nevra: String,
    },
    /// Signatures by a key are demanded, and nothing here could check them.
    #[error("the lock wants signatures by key {0}, but holds no certificate of it")]
    NoCertificate(String),
}

/// A whole lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// `lock.toml`.
    pub header: Header,
    /// `packages`.
    pub packages: Packages,
    /// `signatures`.
    pub signatures: Signatures,
    /// `signed`.
    pub signed: Signed,
    /// `media`.
    pub media: MediaPackages,
    /// `objects/`, by digest.
    pub objects: BTreeMap<Digest, Vec<u8>>,
}

impl Lock {
    /// Parses the files of a folder, given by their names; objects by `objects/HEX`.
    pub fn parse(files: &BTreeMap<String, Vec<u8>>) -> Result<Self, LockError> {
        let text = |file: &'static str| -> Result<&str, LockError> {
            let unusable = |problem| LockError::File { file, problem };
            let bytes = files.get(file).ok_or(unusable("missing"))?;
            std::str::from_utf8(bytes).map_err(|_| unusable("not UTF-8 text"))
        };
        let header = Header::parse(text("lock.toml")?)?;
        let packages = text("packages")?;
        if Digest::of(packages) != header.packages {
            return Err(LockError::Torn { file: "packages".into() });
        }
        let media = match header.media_packages {
            Some(digest) => {
                let media = text(media::FILE)?;
                if Digest::of(media) != digest {
                    return Err(LockError::Torn { file: media::FILE.into() });
                }
                MediaPackages::parse(media)?
            }
            None => MediaPackages::default(),
        };
        let mut objects = BTreeMap::new();
        for (name, bytes) in files {
            if let Some(hex) = name.strip_prefix("objects/") {
                let digest = Digest::of(bytes);
                if digest.hex() != hex {
                    return Err(LockError::Torn { file: name.clone() });
                }
                objects.insert(digest, bytes.clone());
            }
        }
        let lock = Self {
            packages: Packages::parse(packages)?,
            signatures: Signatures::parse(text("signatures")?)?,
            signed: Signed::parse(text("signed")?)?,
            media,
            header,
            objects,
        };
        if let Some(missing) = lock.header.objects().find(|digest| !lock.objects.contains_key(digest)) {
            return Err(LockError::MissingObject(missing));
        }
        lock.check_repositories()?;
        lock.media.check(&lock.packages)?;
        Ok(lock)
    }

    /// Every repository and every tag that packages come from is in the header, and their signatures are there.
    fn check_repositories(&self) -> Result<(), LockError> {
        let origins = self.packages.0.values().flat_map(|package| &package.origins);
        for origin in origins {
            match origin {
                Origin::Repo { repository, .. }
                    if !self.header.repositories.iter().any(|known| known.id == *repository) =>
                {
                    return Err(LockError::Header(format!("it lacks the repository '{repository}'")));
                }
                Origin::Koji { source, .. } | Origin::KojiSigned { source, .. }
                    if !self.header.koji.iter().any(|known| known.id == *source) =>
                {
                    return Err(LockError::Header(format!("it lacks the Koji source '{source}'")));
                }
                Origin::KojiSigned { header, .. } if !self.objects.contains_key(header) => {
                    return Err(LockError::MissingObject(*header));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The files of the folder by their names, the header's digests of `packages` and `media` brought up to date.
    pub fn to_files(&self) -> Result<BTreeMap<String, Vec<u8>>, LockError> {
        let packages = self.packages.to_string();
        let media = (!self.media.0.is_empty()).then(|| self.media.to_string());
        let header = Header {
            packages: Digest::of(&packages),
            media_packages: media.as_ref().map(Digest::of),
            ..self.header.clone()
        };
        let mut files = BTreeMap::from([
            ("lock.toml".to_owned(), header.to_text()?.into_bytes()),
            ("packages".to_owned(), packages.into_bytes()),
            ("signatures".to_owned(), self.signatures.to_string().into_bytes()),
            ("signed".to_owned(), self.signed.to_string().into_bytes()),
        ]);
        files.extend(media.map(|media| (media::FILE.to_owned(), media.into_bytes())));
        for (digest, bytes) in &self.objects {
            files.insert(format!("objects/{}", digest.hex()), bytes.clone());
        }
        Ok(files)
    }
}

/// The records of a text file of the lock, after its first line was checked.
fn records<'a>(
    file: &'static str,
    first: &str,
    text: &'a str,
) -> Result<impl Iterator<Item = (usize, Vec<&'a str>)>, LockError> {
    let body = text
        .strip_prefix(first)
        .and_then(|rest| rest.strip_prefix('\n'))
        .ok_or_else(|| LockError::Line { file, line: 1, problem: format!("expected '{first}'") })?;
    if !body.is_empty() && !body.ends_with('\n') {
        let line = text.lines().count();
        return Err(LockError::Line { file, line, problem: "the last line does not end".into() });
    }
    Ok(body.lines().enumerate().map(|(index, line)| (index + 2, line.split('\t').collect())))
}

/// Parses one field, wording a failure as a problem of its line.
fn field<T: std::str::FromStr>(file: &'static str, line: usize, text: &str) -> Result<T, LockError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| LockError::Line { file, line, problem: error.to_string() })
}
