//! Packages: what has to be right about one, and what makes it signed.

use std::io;

use super::spool::Spool;
use crate::rpm::edit::{How, sign};
use crate::rpm::{Headers, identify, tags};
use crate::sigul::wire::{Code, Fields};

/// A package that arrived whole.
#[derive(Debug)]
pub(super) struct Arrived {
    spool: Spool,
    headers: Headers,
    size: u64,
}

/// What is sent: some bytes, and then what is spooled from some place on.
#[derive(Debug)]
pub(super) struct Spooled {
    spool: Spool,
    start: Vec<u8>,
    rest: u64,
    size: u64,
}

/// Why a package is not signed: a code of the protocol, and words.
pub(super) type Refused = (Code, Option<String>);

impl Arrived {
    /// Looks at a package: it has to be whole, as its digests say, and the one that the fields name, if they do.
    pub(super) fn check(mut spool: Spool, fields: &Fields) -> Result<Self, Refused> {
        let corrupt = |error: &dyn std::error::Error| (Code::CorruptRpm, Some(words(error)));
        let read = spool.read_whole().map_err(|error| (Code::UnknownError, Some(words(&error))))?;
        let (headers, identity) = identify(read).map_err(|error| corrupt(&error))?;
        meant(&headers, fields)?;
        Ok(Self { spool, headers, size: identity.size })
    }

    /// Bytes of it that are in memory besides what is spooled.
    pub(super) fn held(&self) -> usize {
        self.headers.main.bytes().len() + self.headers.signature.bytes().len()
    }

    /// What a signature covers.
    pub(super) fn main_header(&self) -> &[u8] {
        self.headers.main.bytes()
    }

    /// The new signature header, with what pads it. Signatures that it had are replaced, as `rpmsign` does.
    pub(super) fn signature_header(&self, packet: &[u8]) -> Result<Vec<u8>, Refused> {
        let how = How { replace: true, ..How::default() };
        sign(&self.headers, packet, how).map_err(|error| (Code::UnknownError, Some(words(&error))))
    }

    /// The package with another signature header.
    pub(super) fn with(self, signature: &[u8]) -> Spooled {
        let rest = self.headers.main_range().end;
        let start = [&self.headers.lead[..], signature, self.headers.main.bytes()].concat();
        let size = start.len() as u64 + self.size.saturating_sub(rest);
        Spooled { spool: self.spool, start, rest, size }
    }
}

impl Spooled {
    /// All that is spooled.
    pub(super) fn all(spool: Spool) -> Self {
        Self { start: Vec::new(), rest: 0, size: spool.size(), spool }
    }

    /// Its size in bytes.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The bytes in front.
    pub(super) fn start(&self) -> &[u8] {
        &self.start
    }

    /// Where it goes on in what is spooled.
    pub(super) fn rest_at(&self) -> u64 {
        self.rest
    }

    /// Reads what is spooled at a place, as far as the buffer goes.
    pub(super) fn read_at(&self, place: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.spool.read_at(place, buffer)
    }
}

/// Whether a package is the one that is asked for.
fn meant(headers: &Headers, fields: &Fields) -> Result<(), Refused> {
    let other = |what: &str| (Code::UnauthenticatedRpm, Some(format!("the package has another {what}")));
    if let Some(wanted) = fields.get("rpm-sigmd5") {
        let entry = headers.signature.find(tags::SIG_MD5);
        if entry.map(|entry| headers.signature.data(entry)) != Some(wanted) {
            return Err(other("MD5"));
        }
    }
    let named = ["rpm-name", "rpm-epoch", "rpm-version", "rpm-release", "rpm-arch"];
    if named.iter().all(|name| fields.get(name).is_none()) {
        return Ok(());
    }
    let package = headers.package().map_err(|error| (Code::CorruptRpm, Some(words(&error))))?;
    let evr = &package.nevra.evr;
    let arch = if package.is_source { "src" } else { &package.nevra.arch };
    let epoch = evr.epoch.to_string();
    let found = [&package.nevra.name, &epoch, &evr.version, &evr.release, arch];
    for (field, found) in named.iter().zip(found) {
        // No epoch is epoch 0.
        let same = |wanted: &[u8]| wanted == found.as_bytes() || wanted.is_empty() && found == "0";
        if fields.get(field).is_some_and(|wanted| !same(wanted)) {
            return Err(other(field.trim_start_matches("rpm-")));
        }
    }
    Ok(())
}

/// An error for people at the other end: printable, and no longer than a field.
pub(super) fn words(error: &dyn std::error::Error) -> String {
    let clean = |c: char| if (' '..='~').contains(&c) { c } else { '?' };
    error.to_string().chars().map(clean).take(255).collect()
}
