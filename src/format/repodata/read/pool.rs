//! Texts of many packages in one piece of memory.

/// Bytes of all texts together; CentOS Stream 9 AppStream has 15 million.
pub(super) const MOST_TEXT: usize = 1 << 30;
/// As a power of two.
const RECENT: u32 = 15;

/// A text in a [`Pool`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    /// Bytes before it.
    pub(super) start: u32,
    /// Bytes of it.
    pub(super) length: u32,
}

/// Texts. Most of what packages say they say again and again, so a text that was added lately is not added a second
/// time. Looking that up costs no more for a document that was made to be slow: each hash has one place, and the text
/// that comes later takes it.
pub(super) struct Pool {
    text: String,
    recent: Box<[Span]>,
}

impl Pool {
    pub(super) fn new() -> Self {
        Self { text: String::new(), recent: vec![Span::default(); 1 << RECENT].into_boxed_slice() }
    }

    /// One of texts that are there already.
    pub(super) fn of(text: &str) -> Self {
        Self { text: text.into(), ..Self::new() }
    }

    /// All texts, one after the other.
    pub(super) fn all(&self) -> &str {
        &self.text
    }

    /// Whether there is something at this place.
    pub(super) fn has(&self, span: Span) -> bool {
        let start = span.start as usize;
        self.text.get(start..start + span.length as usize).is_some()
    }

    pub(super) fn get(&self, span: Span) -> &str {
        let start = span.start as usize;
        self.text.get(start..start + span.length as usize).unwrap_or_default()
    }

    /// Adds a text that is likely to be this one again.
    pub(super) fn again(&mut self, last: &mut Span, text: &str) -> Option<Span> {
        if self.get(*last) != text {
            *last = self.add(text)?;
        }
        Some(*last)
    }

    /// Adds a text; none if there is no room for it.
    pub(super) fn add(&mut self, text: &str) -> Option<Span> {
        if text.is_empty() {
            return Some(Span::default());
        }
        let place = place(text.as_bytes());
        let known = self.recent.get(place).copied().unwrap_or_default();
        if self.get(known) == text {
            return Some(known);
        }
        if self.text.len() + text.len() > MOST_TEXT {
            return None;
        }
        let span =
            Span { start: u32::try_from(self.text.len()).ok()?, length: u32::try_from(text.len()).ok()? };
        self.text.push_str(text);
        if let Some(slot) = self.recent.get_mut(place) {
            *slot = span;
        }
        Some(span)
    }

    /// Bytes of the texts.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }
}

/// Where a text is remembered.
fn place(text: &[u8]) -> usize {
    // A multiplicative hash of eight bytes at a time; the factor is 2^64 divided by the golden ratio.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = text.len() as u64;
    let mut add =
        |word: [u8; 8]| hash = (hash.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(FACTOR);
    let (words, rest) = text.as_chunks::<8>();
    words.iter().for_each(|word| add(*word));
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    add(last);
    usize::try_from(hash >> (64 - RECENT)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_what_was_added() {
        let mut pool = Pool::new();
        let texts: Vec<String> = (0..300_000).map(|number| format!("é{}", number % 100_000)).collect();
        let spans: Vec<Span> = texts.iter().map(|text| pool.add(text).unwrap()).collect();
        for (text, span) in texts.iter().zip(spans) {
            assert_eq!(pool.get(span), text);
        }
        assert_eq!(pool.add(""), Some(Span::default()));
        let before = pool.len();
        let again = [pool.add("x"), pool.add("x")];
        assert_eq!((again[0], pool.len()), (again[1], before + 1));
    }
}
