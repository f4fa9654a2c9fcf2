//! The canonical encoding that identities (plan ids, action keys) are hashed from.
//!
//! Every value is written as a tag byte and its length in eight little-endian bytes, then
//! its content, so no two different sequences of values share one encoding:
//!
//! | value | encoding |
//! |---|---|
//! | text or bytes | `b`, length, bytes |
//! | integer | `i`, 8, two's complement, little endian |
//! | list or map start | `l`, number of entries |
//! | absent | `n`, 0 |

use super::digest::{Digest, Hasher};

/// Writes values in canonical form into a digest.
#[derive(Clone, Debug)]
pub struct Encoder(Hasher);

impl Encoder {
    /// Starts an encoding. The domain (such as `gander step 1`) keeps kinds of identities apart.
    pub fn new(domain: &str) -> Self {
        let mut encoder = Self(Hasher::new());
        encoder.bytes(domain);
        encoder
    }

    fn head(&mut self, tag: u8, length: u64) {
        self.0.update([tag]);
        self.0.update(length.to_le_bytes());
    }

    /// Adds text or bytes.
    pub fn bytes(&mut self, value: impl AsRef<[u8]>) -> &mut Self {
        let value = value.as_ref();
        self.head(b'b', value.len() as u64);
        self.0.update(value);
        self
    }

    /// Adds an integer.
    pub fn integer(&mut self, value: i64) -> &mut Self {
        self.head(b'i', 8);
        self.0.update(value.to_le_bytes());
        self
    }

    /// Announces a list or map of so many entries; the caller adds them in their canonical order.
    pub fn list(&mut self, entries: usize) -> &mut Self {
        self.head(b'l', entries as u64);
        self
    }

    /// Adds a value that may be absent.
    pub fn optional(&mut self, value: Option<impl AsRef<[u8]>>) -> &mut Self {
        match value {
            Some(value) => self.bytes(value),
            None => {
                self.head(b'n', 0);
                self
            }
        }
    }

    /// Adds the entries of a map or list of pairs, in the order given.
    pub fn pairs<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        &mut self,
        pairs: impl ExactSizeIterator<Item = (K, V)>,
    ) -> &mut Self {
        self.list(pairs.len());
        for (key, value) in pairs {
            self.bytes(key).bytes(value);
        }
        self
    }

    /// The digest of everything added.
    pub fn finish(self) -> Digest {
        self.0.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_matter() {
        let key = |parts: &[&str]| {
            let mut encoder = Encoder::new("test");
            parts.iter().for_each(|part| {
                encoder.bytes(part);
            });
            encoder.finish()
        };
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
        assert_ne!(key(&["ab", ""]), key(&["ab"]));
        assert_eq!(key(&["ab", "c"]), key(&["ab", "c"]));
    }

    #[test]
    fn encoding_is_pinned() {
        let mut encoder = Encoder::new("gander test 1");
        encoder.bytes("goose").integer(-1).list(2).optional(None::<&str>);
        // Changing the encoding changes every action key: raise the domains' versions with it.
        assert_eq!(
            encoder.finish().hex(),
            "df46ad17e594ecac606d36da60e67b4ff3c56af32c4ef628df4cd43ceaa1980a"
        );
    }
}
