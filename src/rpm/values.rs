//! The values of header tags: views of a header's bytes that are decoded when they are looked at.

use std::borrow::Cow;
use std::ffi::CStr;
use std::iter::FusedIterator;

/// Text of a header: UTF-8 where it is that, else ISO-8859-1, as createrepo_c reads it.
pub fn text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => bytes.iter().copied().map(char::from).collect::<String>().into(),
    }
}

/// The place behind the `count`th NUL; none where there are not so many.
pub(super) fn end_of_strings(data: &[u8], count: usize) -> Option<usize> {
    if count == 1 {
        return CStr::from_bytes_until_nul(data).ok().map(|text| text.count_bytes() + 1);
    }
    // Lists may have megabytes. NULs are counted in pieces that compilers turn into vector code, where a sum fits
    // into a byte and nothing looks for its overflow; only the piece that holds the last one is searched.
    let mut left = count.checked_sub(1)?;
    let mut start = 0;
    for piece in data.as_chunks::<64>().0 {
        let here = piece.iter().fold(0u8, |sum, byte| sum.wrapping_add(u8::from(*byte == 0)));
        let here = usize::from(here);
        if here > left {
            break;
        }
        left -= here;
        start += piece.len();
    }
    let mut zeros = data.iter().enumerate().skip(start).filter(|(_, byte)| **byte == 0);
    zeros.nth(left).map(|(at, _)| at + 1)
}

/// The strings of a tag. Nothing is copied: each is a piece of the header.
#[derive(Clone, Copy, Debug, Default)]
pub struct Texts<'h> {
    data: &'h [u8],
    count: usize,
}

impl<'h> Texts<'h> {
    /// Strings that end with a NUL each; the data must hold as many.
    pub(super) const fn new(data: &'h [u8], count: usize) -> Self {
        Self { data, count }
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The strings, decoded.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Cow<'h, str>> + Clone + use<'h> {
        self.raw().map(text)
    }

    /// The strings as they stand in the header, without their NUL.
    pub const fn raw(&self) -> RawTexts<'h> {
        RawTexts { data: self.data, left: self.count }
    }
}

impl<'h> IntoIterator for Texts<'h> {
    type Item = Cow<'h, str>;
    type IntoIter = std::iter::Map<RawTexts<'h>, fn(&'h [u8]) -> Cow<'h, str>>;

    fn into_iter(self) -> Self::IntoIter {
        self.raw().map(text)
    }
}

/// See [`Texts::raw`].
#[derive(Clone, Debug)]
pub struct RawTexts<'h> {
    data: &'h [u8],
    left: usize,
}

impl<'h> Iterator for RawTexts<'h> {
    type Item = &'h [u8];

    fn next(&mut self) -> Option<&'h [u8]> {
        self.left = self.left.checked_sub(1)?;
        let end = self.data.iter().position(|byte| *byte == 0).unwrap_or(self.data.len());
        let (found, rest) = self.data.split_at_checked(end)?;
        self.data = rest.get(1..).unwrap_or_default();
        Some(found)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for RawTexts<'_> {}
impl FusedIterator for RawTexts<'_> {}

/// The integers of a tag, of whatever width, as unsigned values.
#[derive(Clone, Copy, Debug)]
pub struct Numbers<'h> {
    data: &'h [u8],
    width: usize,
}

impl Default for Numbers<'_> {
    fn default() -> Self {
        Self::new(&[], 1)
    }
}

impl<'h> Numbers<'h> {
    /// Big-endian integers of 1, 2, 4 or 8 bytes each.
    pub(super) const fn new(data: &'h [u8], width: usize) -> Self {
        Self { data, width }
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.data.len() / self.width
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// One of them.
    pub fn get(&self, place: usize) -> Option<u64> {
        let start = place.checked_mul(self.width)?;
        self.data.get(start..start.checked_add(self.width)?).map(number)
    }

    /// All of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = u64> + Clone + use<'h> {
        self.data.chunks_exact(self.width).map(number)
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_any_encoding_is_read() {
        assert_eq!(text("Müller".as_bytes()), "Müller");
        assert!(matches!(text(b"plain"), Cow::Borrowed("plain")));
        assert_eq!(text(b"M\xfcller \x80"), "Müller \u{80}");
    }

    #[test]
    fn strings_end_where_their_nul_stands() {
        let mut data = vec![b'x'; 200];
        for place in [0, 63, 64, 130, 199] {
            data[place] = 0;
        }
        for (count, end) in
            [(1, Some(1)), (2, Some(64)), (3, Some(65)), (4, Some(131)), (5, Some(200)), (6, None)]
        {
            assert_eq!(end_of_strings(&data, count), end, "{count}");
        }
        assert_eq!(end_of_strings(b"", 1), None);
        assert_eq!(end_of_strings(b"a\0", 0), None);
    }

    #[test]
    fn lists_are_views() {
        let texts = Texts::new(b"a\0\0bc\0", 3);
        assert_eq!(texts.iter().collect::<Vec<_>>(), ["a", "", "bc"]);
        assert_eq!((texts.len(), texts.iter().len()), (3, 3));
        let numbers = Numbers::new(&[0, 1, 2, 3], 2);
        assert_eq!(numbers.iter().collect::<Vec<_>>(), [1, 0x203]);
        assert_eq!((numbers.len(), numbers.get(1), numbers.get(2)), (2, Some(0x203), None));
        assert_eq!(Numbers::new(&[0xff; 8], 8).get(0), Some(u64::MAX));
        assert!(Numbers::default().is_empty() && Texts::default().is_empty());
    }
}
