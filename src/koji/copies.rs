//! The copies of an RPM below a hub's files, and their headers without their payloads.
//!
//! Koji keeps of each RPM the primary file (as it was imported), signed copies, which may be pruned, and for each signature
//! the whole signature header it was imported with. A signed copy is lead, that signature header, and the rest of the
//! primary file, byte for byte.
//!
//! Koji says nothing of where headers end: the start of the file is read in the hope that they are in it, and once more as
//! far as needed where they are not. A signed copy that is not there is looked for in the primary file (a package that was
//! imported already signed), else its signature header is taken from where Koji keeps it.
//!
//! What comes this way has no digest of its own. What can be checked is: that it is the headers of that package, that the
//! MD5 of header and payload which it states is what the hub calls payloadhash, and that the signature header has the MD5
//! that the hub calls sighash. Whether the payload fits is known when the whole file is there.

use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::base::Nevra;
use crate::base::digest::hex;
use crate::fetch::{FetchError, Fetcher};
use crate::openpgp::Hashing;
use crate::rpm::edit::{EditError, adopt};
use crate::rpm::{Extent, HeaderError, Headers, PackageError, extent, tags};

/// Bytes that are read first.
const GUESS: u64 = 64 << 10;
/// Headers may have so many bytes; the largest real ones have some 10 MB.
const LARGEST: u64 = 256 << 20;
/// A signature header may have so many bytes. Those with signatures of files have some 100 bytes a file.
const LARGEST_SIGNATURE: u64 = 64 << 20;

/// An RPM whose headers are wanted.
#[derive(Clone, Debug)]
pub struct HeadOf {
    /// Its name.
    pub nevra: Nevra,
    /// What the hub calls its payloadhash.
    pub payloadhash: String,
    /// The URL of its primary file.
    pub primary: String,
    /// The signed copy that is wanted.
    pub signed: Option<SignedCopy>,
}

/// A signed copy.
#[derive(Clone, Debug)]
pub struct SignedCopy {
    /// Its URL.
    pub url: String,
    /// The URL of its signature header alone.
    pub header: String,
    /// The MD5 of that.
    pub sighash: String,
}

/// Where the wanted copy is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The signed copy is there.
    Signed,
    /// The primary file is the wanted copy.
    Primary,
    /// It has to be put together: of the primary file and this signature header, padding included.
    Apart(Vec<u8>),
}

/// The headers of the wanted copy.
#[derive(Clone, Debug)]
pub struct Head {
    /// The headers.
    pub headers: Headers,
    /// Where the copy is.
    pub place: Place,
}

/// Why headers are not to be had, or not those that the hub speaks of.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// They cannot be had. Retrying can help where the connection is at fault.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// They cannot be read. Retrying cannot help.
    #[error("{url}: it is no package")]
    Package {
        /// Where.
        url: String,
        /// Why.
        #[source]
        source: PackageError,
    },
    /// They are larger than any. Retrying cannot help.
    #[error("{url}: its headers would have {bytes} bytes, more than any package's")]
    TooLarge {
        /// Where.
        url: String,
        /// Bytes that they would have.
        bytes: u64,
    },
    /// They are another package's. Retrying cannot help.
    #[error("{url}: it is the package {found}")]
    Other {
        /// Where.
        url: String,
        /// The package.
        found: String,
    },
    /// The content is not what the hub says. Retrying cannot help.
    #[error("{url}: it is of the content {found}, but the hub says that its payloadhash is {stated}")]
    Payloadhash {
        /// Where.
        url: String,
        /// What the file states.
        found: String,
        /// What the hub states.
        stated: String,
    },
    /// The signature is not the one that the hub speaks of. Retrying cannot help.
    #[error("{url}: its signature header has the MD5 {found}, but the hub says that it is {stated}")]
    Sighash {
        /// Where.
        url: String,
        /// What it is.
        found: String,
        /// What the hub states.
        stated: String,
    },
    /// What Koji keeps is no signature header of this package. Retrying cannot help.
    #[error("{url}: it is no signature header of that package")]
    Signature {
        /// Where.
        url: String,
        /// Why.
        #[source]
        source: EditError,
    },
}

impl CopyError {
    /// Whether the network or this machine is at fault and not what is there.
    pub fn is_surroundings(&self) -> bool {
        matches!(self, Self::Fetch(error) if error.is_surroundings())
    }
}

/// Reads the headers of copies, `parallel` at a time, and hands over each as it comes, with its place among those wanted;
/// gives up where it is told to.
pub async fn heads(
    fetcher: &Fetcher,
    wanted: Vec<HeadOf>,
    parallel: usize,
    take: &mut dyn FnMut(usize, Result<Head, CopyError>) -> ControlFlow<()>,
) {
    let turns = Arc::new(Semaphore::new(parallel.max(1)));
    let mut tasks = JoinSet::new();
    for (place, wanted) in wanted.into_iter().enumerate() {
        let (fetcher, turns) = (fetcher.clone(), turns.clone());
        tasks.spawn(async move {
            let turn = turns.acquire().await;
            let head = head(&fetcher, &wanted).await;
            drop(turn);
            (place, head)
        });
    }
    while let Some(joined) = tasks.join_next().await {
        match joined {
            Ok((place, head)) => {
                // Dropping the others ends them.
                if take(place, head).is_break() {
                    return;
                }
            }
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {}
        }
    }
}

async fn head(fetcher: &Fetcher, wanted: &HeadOf) -> Result<Head, CopyError> {
    let label = wanted.nevra.file_name();
    let Some(signed) = &wanted.signed else {
        let headers = checked(fetcher, &label, wanted, &wanted.primary).await?;
        return Ok(Head { headers, place: Place::Primary });
    };
    match checked(fetcher, &label, wanted, &signed.url).await {
        Ok(headers) => {
            let found = sighash(&headers);
            if found != signed.sighash {
                let (url, stated) = (signed.url.clone(), signed.sighash.clone());
                return Err(CopyError::Sighash { url, found, stated });
            }
            return Ok(Head { headers, place: Place::Signed });
        }
        Err(CopyError::Fetch(error)) if error.is_gone() => {}
        Err(error) => return Err(error),
    }
    let primary = checked(fetcher, &label, wanted, &wanted.primary).await?;
    if sighash(&primary) == signed.sighash {
        return Ok(Head { headers: primary, place: Place::Primary });
    }
    let header = fetcher.small(&signed.header, LARGEST_SIGNATURE).await?;
    let found = md5(&header);
    if found != signed.sighash {
        let (url, stated) = (signed.header.clone(), signed.sighash.clone());
        return Err(CopyError::Sighash { url, found, stated });
    }
    let broken = |source| CopyError::Signature { url: signed.header.clone(), source };
    let header = adopt(&primary, &header).map_err(broken)?;
    let bytes = [&primary.lead[..], &header, primary.main.bytes()].concat();
    let headers = Headers::read(&bytes[..]).map_err(|source| broken(source.into()))?;
    Ok(Head { headers, place: Place::Apart(header) })
}

/// Reads the headers of a file and compares them with what the hub says of all copies.
async fn checked(fetcher: &Fetcher, label: &str, wanted: &HeadOf, url: &str) -> Result<Headers, CopyError> {
    let headers = read(fetcher, label, url).await?;
    check(&headers, &wanted.nevra, &wanted.payloadhash, url)?;
    Ok(headers)
}

/// Compares headers with what the hub says of the package.
pub fn check(headers: &Headers, nevra: &Nevra, payloadhash: &str, url: &str) -> Result<(), CopyError> {
    let package = |source| CopyError::Package { url: url.into(), source };
    let found = headers.package().map_err(package)?.nevra;
    if !same(&found, nevra) {
        return Err(CopyError::Other { url: url.into(), found: found.to_string() });
    }
    let broken = |source: HeaderError| package(source.into());
    let found = match payloadhash.split_once("::") {
        // Hubs since 1.36, of packages without an MD5.
        Some((kind, _)) => {
            let number =
                [("sha1", Hashing::SHA1), ("sha256", Hashing::SHA256), ("sha3-256", Hashing::SHA3_256)];
            let number = number.into_iter().find(|(name, _)| *name == kind).map(|(_, number)| number);
            let digest = number.and_then(|number| digest(number, headers.main.bytes()));
            digest.map_or_else(|| "of an unknown kind".into(), |digest| format!("{kind}::{digest}"))
        }
        None => match headers.signature.binary(tags::SIG_MD5).map_err(broken)? {
            Some(digest) => hex(digest),
            None => "unstated".into(),
        },
    };
    if found == payloadhash {
        return Ok(());
    }
    let (url, stated) = (url.to_owned(), payloadhash.escape_debug().take(128).collect());
    Err(CopyError::Payloadhash { url, found, stated })
}

/// Whether both name one package; a hub has one arch for all source packages.
fn same(found: &Nevra, wanted: &Nevra) -> bool {
    found.name == wanted.name
        && found.evr == wanted.evr
        && (found.arch == wanted.arch || found.is_source() && wanted.is_source())
}

/// The MD5 of a signature header with its padding, as Koji states it.
pub fn sighash(headers: &Headers) -> String {
    md5(&[headers.signature.bytes(), &headers.padding].concat())
}

fn md5(bytes: &[u8]) -> String {
    digest(Hashing::MD5, bytes).unwrap_or_default()
}

fn digest(number: u8, bytes: &[u8]) -> Option<String> {
    let mut hashing = Hashing::new(number)?;
    hashing.update(bytes);
    hashing.finish().map(|digest| hex(&digest))
}

async fn read(fetcher: &Fetcher, label: &str, url: &str) -> Result<Headers, CopyError> {
    let package = |source| CopyError::Package { url: url.into(), source };
    let mut wanted = GUESS;
    // Signature header, main header, and one to spare.
    for _ in 0..3 {
        let bytes = fetcher.start(label, url, wanted).await?;
        let needed = match extent(&bytes).map_err(package)? {
            Extent::Whole(end) if end <= bytes.len() as u64 => {
                return Headers::read(&bytes[..]).map_err(package);
            }
            Extent::Whole(end) => end,
            Extent::Unknown(end) => end.saturating_add(GUESS),
        };
        if needed > LARGEST {
            return Err(CopyError::TooLarge { url: url.into(), bytes: needed });
        }
        if (bytes.len() as u64) < wanted {
            // The file ends here, so this says how.
            return Headers::read(&bytes[..]).map_err(package);
        }
        wanted = needed;
    }
    Err(package(PackageError::Truncated("headers")))
}
