//! What a hub reads out of package files and signature headers.

use std::io::{self, Read};

use openssl::hash::{Hasher, MessageDigest};

use crate::base::chain;
use crate::base::digest::hex;
use crate::format::xmlrpc::Fault;
use crate::hub::methods::{generic, internal};
use crate::koji::{NoSignatureHeader, SignatureHeader};
use crate::rpm;

/// A package file that was read whole, and that is what its digests say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageFile {
    /// Name, version and release.
    pub name: String,
    #[allow(missing_docs, reason = "see above")]
    pub version: String,
    #[allow(missing_docs, reason = "see above")]
    pub release: String,
    /// Epoch; none where the header has none.
    pub epoch: Option<i64>,
    /// Arch; `src` of all source packages, as Koji has it.
    pub arch: String,
    /// Whether it is a source package.
    pub is_source: bool,
    /// When it was built, in seconds since 1970.
    pub buildtime: i64,
    /// The file name of its source package.
    pub sourcerpm: Option<String>,
    /// MD5 of main header and payload: the same for every signed copy.
    pub sigmd5: String,
    /// Bytes of the file.
    pub size: i64,
    /// MD5 of the file.
    pub md5: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Its signature header with padding.
    pub signature: SignatureHeader,
}

/// A reader that hashes what goes through it.
struct Summing<R> {
    inner: R,
    md5: Hasher,
}

impl<R: Read> Read for Summing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.md5.update(buffer.get(..read).unwrap_or_default())?;
        Ok(read)
    }
}

impl PackageFile {
    /// Reads a package file to its end. Other than Koji's hub, this refuses one whose digests are wrong.
    pub fn read(reader: impl Read) -> Result<Self, Fault> {
        let md5 = Hasher::new(MessageDigest::md5()).map_err(internal)?;
        let mut summing = Summing { inner: reader, md5 };
        let (headers, identity) = rpm::identify(&mut summing)
            .map_err(|error| generic(format!("the file is no whole package: {}", chain(&error))))?;
        let md5 = hex(&summing.md5.finish().map_err(internal)?);
        let damaged =
            |error: rpm::PackageError| generic(format!("the package is damaged: {}", chain(&error)));
        let package = headers.package().map_err(damaged)?;
        let signature = SignatureHeader::of(&headers)?;
        let sigmd5 = signature.sigmd5.clone();
        Ok(Self {
            name: package.nevra.name,
            version: package.nevra.evr.version,
            release: package.nevra.evr.release,
            epoch: package.has_epoch.then_some(i64::from(package.nevra.evr.epoch)),
            arch: if package.is_source { "src".to_owned() } else { package.nevra.arch },
            is_source: package.is_source,
            buildtime: i64::from(package.buildtime),
            sourcerpm: package.sourcerpm.map(std::borrow::Cow::into_owned),
            sigmd5: sigmd5.ok_or_else(|| generic("the package has no MD5 of its header and payload"))?,
            size: i64::try_from(identity.size).map_err(internal)?,
            md5,
            sha256: identity.file.hex(),
            signature,
        })
    }

    /// `name-version-release`.
    pub fn nvr(&self) -> String {
        format!("{}-{}-{}", self.name, self.version, self.release)
    }

    /// `name-version-release.arch`.
    pub fn nvra(&self) -> String {
        format!("{}.{}", self.nvr(), self.arch)
    }
}

/// What Koji's hub answers.
impl From<NoSignatureHeader> for Fault {
    fn from(error: NoSignatureHeader) -> Self {
        use NoSignatureHeader as E;
        match error {
            E::Header(error) => generic(format!("Invalid signature header: {}", chain(&error))),
            E::Behind => generic("Invalid signature header: there is something behind it"),
            E::Packet(error) => generic(chain(&error)),
            E::KeyIds(number) => internal(format!("Unexpected number of key IDs: {number}")),
            E::Version(version) => internal(format!("Unknown PGP signature packet version {version}")),
            E::OpenSsl(error) => internal(error),
        }
    }
}
