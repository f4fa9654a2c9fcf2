//! Fields: the named values of requests and replies.

use std::fmt;

use zeroize::Zeroizing;

/// The most bytes of a key and of a value.
pub const LONGEST: usize = 255;
/// The most bytes of encoded fields.
pub const LIMIT: usize = 1 + 255 * (2 + 2 * LONGEST);

/// Named values in their order. They may be secrets: they are wiped from memory, and never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, Zeroizing<Vec<u8>>)>);

/// Why bytes are no fields, or fields not those that are wanted. Retrying cannot help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldsError {
    /// The bytes end before the fields do.
    #[error("the fields are cut off")]
    Cut,
    /// Something follows.
    #[error("{0} bytes follow the fields")]
    Trailing(usize),
    /// A key is empty or has other characters than printable ones of ASCII.
    #[error("a field has a name that is not made of printable characters")]
    Key,
    /// There are more than 255.
    #[error("there are more than 255 fields")]
    TooMany,
    /// A value has more than 255 bytes.
    #[error("the field '{0}' has more than {LONGEST} bytes")]
    TooLong(String),
    /// A field is missing.
    #[error("the field '{0}' is missing")]
    Missing(String),
    /// A field has no value of its kind.
    #[error("the field '{name}' is no {wanted}")]
    Kind {
        /// The field.
        name: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// A field is not known where it stands.
    #[error("the field '{0}' is not known here")]
    Unknown(String),
}

impl Fields {
    /// Adds a value, or replaces it. A value has at most 255 bytes: [`Self::encode`] refuses longer ones.
    pub fn set(&mut self, key: &str, value: impl AsRef<[u8]>) -> &mut Self {
        let value = Zeroizing::new(value.as_ref().to_vec());
        match self.0.iter_mut().find(|(known, _)| known == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key.into(), value)),
        }
        self
    }

    /// Adds a truth value: one byte, 0 or 1.
    pub fn set_bool(&mut self, key: &str, value: bool) -> &mut Self {
        self.set(key, [u8::from(value)])
    }

    /// Adds a number: four bytes.
    pub fn set_u32(&mut self, key: &str, value: u32) -> &mut Self {
        self.set(key, value.to_be_bytes())
    }

    /// Those with a value, and a new one.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl AsRef<[u8]>) -> Self {
        self.set(key, value);
        self
    }

    /// A value, if there is one.
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_slice())
    }

    /// A value that has to be there.
    pub fn bytes(&self, key: &str) -> Result<&[u8], FieldsError> {
        self.get(key).ok_or_else(|| FieldsError::Missing(key.into()))
    }

    /// A text that has to be there: printable characters of ASCII.
    pub fn text(&self, key: &str) -> Result<&str, FieldsError> {
        let value = self.bytes(key)?;
        let text = std::str::from_utf8(value).ok().filter(|_| value.iter().all(|byte| is_printable(*byte)));
        text.ok_or_else(|| FieldsError::Kind { name: key.into(), wanted: "printable text" })
    }

    /// A text that may be there.
    pub fn optional_text(&self, key: &str) -> Result<Option<&str>, FieldsError> {
        self.get(key).map(|_| self.text(key)).transpose()
    }

    /// A truth value that may be there.
    pub fn optional_bool(&self, key: &str) -> Result<Option<bool>, FieldsError> {
        let wanted = || FieldsError::Kind { name: key.into(), wanted: "truth value" };
        self.get(key)
            .map(|value| match value {
                [0] => Ok(false),
                [1] => Ok(true),
                _ => Err(wanted()),
            })
            .transpose()
    }

    /// Whether a truth value is there and true.
    pub fn is_set(&self, key: &str) -> Result<bool, FieldsError> {
        Ok(self.optional_bool(key)?.unwrap_or(false))
    }

    /// A number that has to be there.
    pub fn u32(&self, key: &str) -> Result<u32, FieldsError> {
        let value = self.bytes(key)?.try_into().map(u32::from_be_bytes);
        value.map_err(|_| FieldsError::Kind { name: key.into(), wanted: "number of four bytes" })
    }

    /// Takes a value away.
    pub fn remove(&mut self, key: &str) {
        self.0.retain(|(known, _)| known != key);
    }

    /// The keys in their order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.as_str())
    }

    /// How many bytes are certainly missing from the start of fields; none when they are complete. So a reader never
    /// reads past them.
    pub fn missing(bytes: &[u8]) -> usize {
        let Some((count, mut rest)) = bytes.split_first() else { return 1 };
        for left in (1..=2 * usize::from(*count)).rev() {
            match rest.split_first() {
                // Each that is still to come has at least the byte of its length.
                None => return left,
                Some((length, behind)) => match behind.get(usize::from(*length)..) {
                    Some(behind) => rest = behind,
                    None => return usize::from(*length) - behind.len() + left - 1,
                },
            }
        }
        0
    }

    /// Reads fields that are all of some bytes. Of several with one key the last counts.
    pub fn parse(bytes: &[u8]) -> Result<Self, FieldsError> {
        let (fields, rest) = Self::split(bytes)?;
        if rest.is_empty() { Ok(fields) } else { Err(FieldsError::Trailing(rest.len())) }
    }

    /// Reads fields at the start of some bytes, and what follows them.
    pub fn split(bytes: &[u8]) -> Result<(Self, &[u8]), FieldsError> {
        let (count, mut rest) = bytes.split_first().ok_or(FieldsError::Cut)?;
        let mut piece = || {
            let (length, behind) = rest.split_first()?;
            let (piece, behind) = behind.split_at_checked((*length).into())?;
            rest = behind;
            Some(piece)
        };
        let mut fields = Self(Vec::with_capacity((*count).into()));
        for _ in 0..*count {
            let key = piece().ok_or(FieldsError::Cut)?;
            let name = std::str::from_utf8(key).map_err(|_| FieldsError::Key)?;
            if key.is_empty() || !key.iter().all(|byte| is_printable(*byte)) {
                return Err(FieldsError::Key);
            }
            fields.set(name, piece().ok_or(FieldsError::Cut)?);
        }
        Ok((fields, rest))
    }

    /// The bytes of the fields.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, FieldsError> {
        let size = self.0.iter().map(|(key, value)| 2 + key.len() + value.len()).sum::<usize>();
        // Enough from the start: a buffer that grows leaves copies of secrets behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(1 + size));
        bytes.push(u8::try_from(self.0.len()).map_err(|_| FieldsError::TooMany)?);
        for (key, value) in &self.0 {
            if key.is_empty() || !key.bytes().all(is_printable) {
                return Err(FieldsError::Key);
            }
            for piece in [key.as_bytes(), value] {
                let length = u8::try_from(piece.len()).map_err(|_| FieldsError::TooLong(key.clone()))?;
                bytes.push(length);
                bytes.extend_from_slice(piece);
            }
        }
        Ok(bytes)
    }
}

/// A character that names and texts may have. Upstream's "safe string" ends before 0x7F.
pub fn is_printable(byte: u8) -> bool {
    (0x20..0x7f).contains(&byte)
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Fields {
        Fields::default().with("key", "k1").with("op", "sign-data").with("user", "user1")
    }

    #[test]
    fn are_written_as_the_worked_example_says() {
        let bytes = example().encode().unwrap();
        assert_eq!(
            crate::base::digest::hex(&bytes),
            "03036b6579026b31026f70097369676e2d6461746104757365720575736572 31".replace(' ', "")
        );
        assert_eq!(Fields::parse(&bytes).unwrap(), example());
    }

    #[test]
    fn a_reader_never_reads_past_them() {
        let bytes = example().encode().unwrap();
        let (mut have, mut reads) = (0, 0);
        while let missing @ 1.. = Fields::missing(&bytes[..have]) {
            have += missing;
            reads += 1;
            assert!(have <= bytes.len(), "{have}");
        }
        assert_eq!(have, bytes.len());
        assert!(reads <= 1 + 2 * 3, "{reads}");
        for cut in 0..bytes.len() {
            assert_ne!(Fields::missing(&bytes[..cut]), 0, "{cut}");
            assert_eq!(Fields::parse(&bytes[..cut]), Err(FieldsError::Cut));
        }
    }

    #[test]
    fn values_have_kinds_and_bounds() {
        let mut fields = Fields::default();
        fields.set_bool("b", true).set_u32("n", 7).set("t", "text").set("x", [0xff, 0]);
        assert_eq!((fields.optional_bool("b"), fields.u32("n")), (Ok(Some(true)), Ok(7)));
        assert_eq!((fields.text("t"), fields.optional_text("none")), (Ok("text"), Ok(None)));
        assert!(matches!(fields.text("x"), Err(FieldsError::Kind { .. })));
        assert!(matches!(fields.u32("b"), Err(FieldsError::Kind { .. })));
        assert!(matches!(fields.optional_bool("n"), Err(FieldsError::Kind { .. })));
        assert_eq!(fields.bytes("none"), Err(FieldsError::Missing("none".into())));
        assert_eq!(format!("{fields:?}"), r#"{"b", "n", "t", "x"}"#);

        let twice = [3, 1, b'a', 1, 1, 1, b'b', 0, 1, b'a', 1, 2];
        assert_eq!(Fields::parse(&twice).unwrap().get("a"), Some(&[2][..]), "the last counts");
        assert_eq!(Fields::parse(&[1, 0, 0]), Err(FieldsError::Key));
        assert_eq!(Fields::parse(&[1, 1, 7, 0]), Err(FieldsError::Key));
        assert_eq!(Fields::parse(&[0, 1]), Err(FieldsError::Trailing(1)));
        assert_eq!(fields.set("t", [0; 256]).encode(), Err(FieldsError::TooLong("t".into())));
        let many = (0..256).fold(Fields::default(), |fields, n| fields.with(&n.to_string(), ""));
        assert_eq!(many.encode(), Err(FieldsError::TooMany));
    }
}
