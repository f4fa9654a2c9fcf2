//! How the two ends prove to each other, past the bridge, what they sent through it.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha512};
use zeroize::Zeroizing;

use super::fields::{Fields, FieldsError};
use super::{MAC, RequestHeader};

/// An HMAC-SHA-512 at work.
#[derive(Clone)]
pub struct Mac(Hmac<Sha512>);

impl Mac {
    /// Starts with a key of any length.
    pub fn new(key: &[u8]) -> Self {
        // SHA-512 takes any key; the empty one stands for what cannot happen.
        let state = Hmac::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default()));
        Self(state)
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The 64 bytes.
    pub fn finish(self) -> [u8; MAC] {
        self.0.finalize().into_bytes().into()
    }

    /// Whether it is the given one, in a time that does not depend on the bytes.
    pub fn is(self, given: &[u8]) -> bool {
        self.0.verify_slice(given).is_ok()
    }

    /// That of some bytes.
    pub fn of(key: &[u8], bytes: &[u8]) -> [u8; MAC] {
        let mut mac = Self::new(key);
        mac.update(bytes);
        mac.finish()
    }
}

impl std::fmt::Debug for Mac {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mac")
    }
}

/// A key from which those of the parts of `sign-rpms` are made: one after the other, in each direction.
#[derive(Clone)]
pub struct PartKey {
    base: Zeroizing<Vec<u8>>,
    next: u32,
}

impl PartKey {
    /// Starts with part 0.
    pub fn new(base: &[u8]) -> Self {
        Self { base: Zeroizing::new(base.to_vec()), next: 0 }
    }

    /// The HMAC of the next part: its key is SHA-512 of 00000001, the base key and the part's number.
    pub fn advance(&mut self) -> Mac {
        let mut hash = Sha512::new();
        hash.update(1_u32.to_be_bytes());
        hash.update(&self.base[..]);
        hash.update(self.next.to_be_bytes());
        self.next = self.next.wrapping_add(1);
        let key: Zeroizing<[u8; MAC]> = Zeroizing::new(hash.finalize().into());
        Mac::new(&key[..])
    }
}

impl std::fmt::Debug for PartKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PartKey(next: {})", self.next)
    }
}

/// The keys of a request's answer and of its parts, as they go through the inner connection.
#[derive(Clone)]
pub struct Proof {
    /// For the code and fields of the reply.
    pub header_key: Zeroizing<Vec<u8>>,
    /// For the payload of the reply.
    pub payload_key: Zeroizing<Vec<u8>>,
}

const HEADER_DIGEST: &str = "header-auth-sha512";
/// The SHA-512 of a request's payload. A client leaves it out that names a package instead of sending it.
pub const PAYLOAD_DIGEST: &str = "payload-auth-sha512";
const HEADER_KEY: &str = "header-auth-key";
const PAYLOAD_KEY: &str = "payload-auth-key";

/// The four keys of the parts of `sign-rpms`: header and payload of what is asked, header and payload of what is
/// answered.
pub const PART_KEYS: [&str; 4] = [
    "subrequest-header-auth-key",
    "subrequest-payload-auth-key",
    "subreply-header-auth-key",
    "subreply-payload-auth-key",
];

/// Why the inner fields prove nothing. Retrying cannot help: they were damaged, or somebody between the two ends
/// changed the request.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// A field is missing or malformed.
    #[error(transparent)]
    Fields(#[from] FieldsError),
    /// A key is too short to protect anything.
    #[error("the key '{0}' has fewer than {MAC} bytes")]
    ShortKey(&'static str),
    /// The request that came through the bridge is not the one that was sent.
    #[error("the request's {0} is not what was sent")]
    Differs(&'static str),
}

impl Proof {
    /// Writes new keys, and the digests of a request, into inner fields. The keys are of `random` bytes.
    pub fn write(
        fields: &mut Fields,
        header: &RequestHeader,
        payload: &[u8; MAC],
        random: [&[u8]; 2],
    ) -> Result<Self, FieldsError> {
        fields.set(HEADER_DIGEST, sha512(&header.encode()?)).set(PAYLOAD_DIGEST, payload);
        fields.set(HEADER_KEY, random[0]).set(PAYLOAD_KEY, random[1]);
        Ok(Self {
            header_key: Zeroizing::new(random[0].to_vec()),
            payload_key: Zeroizing::new(random[1].to_vec()),
        })
    }

    /// Reads the keys from inner fields, and compares the digests with what came through the bridge: the bytes of
    /// version and outer fields, and the payload's SHA-512. With `vouched` the payload's digest may be missing: a bridge
    /// fetched it, and something else says what it has to be.
    pub fn read(
        fields: &Fields,
        header: &[u8],
        payload: &[u8; MAC],
        vouched: bool,
    ) -> Result<Self, ProofError> {
        if !same(fields.bytes(HEADER_DIGEST)?, &sha512(header)) {
            return Err(ProofError::Differs("header"));
        }
        match fields.get(PAYLOAD_DIGEST) {
            None if vouched => {}
            None => return Err(FieldsError::Missing(PAYLOAD_DIGEST.into()).into()),
            Some(digest) if same(digest, payload) => {}
            Some(_) => return Err(ProofError::Differs("payload")),
        }
        let key = |name| {
            let key = fields.bytes(name)?;
            if key.len() < MAC { Err(ProofError::ShortKey(name)) } else { Ok(Zeroizing::new(key.to_vec())) }
        };
        Ok(Self { header_key: key(HEADER_KEY)?, payload_key: key(PAYLOAD_KEY)? })
    }

    /// The four keys of the parts of `sign-rpms`.
    pub fn parts(fields: &Fields) -> Result<[PartKey; 4], ProofError> {
        let key = |name| {
            let key = fields.bytes(name)?;
            if key.len() < MAC { Err(ProofError::ShortKey(name)) } else { Ok(PartKey::new(key)) }
        };
        let [a, b, c, d] = PART_KEYS;
        Ok([key(a)?, key(b)?, key(c)?, key(d)?])
    }
}

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proof")
    }
}

/// Whether two byte strings are equal, in a time that depends on their length alone.
fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && openssl::memcmp::eq(one, other)
}

/// The SHA-512 of some bytes.
pub fn sha512(bytes: &[u8]) -> [u8; MAC] {
    Sha512::digest(bytes).into()
}
