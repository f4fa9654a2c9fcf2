//! Texts and relations that are kept once, by number.

// `Known` is asked whether something is there, and never gone through: numbers follow the order of coming.
use std::hash::{BuildHasher, Hash, RandomState};

/// Numbers of things that are there already, by their hashes. Hashes are keyed at random, so that nobody can make a list
/// that is slow to look up; no number depends on them.
#[derive(Debug)]
pub(super) struct Known {
    /// As many as a power of two, at most half of them taken. A thing's place is told by its hash; where that is taken,
    /// the next free one is its place.
    slots: Vec<Slot>,
    count: usize,
    keys: RandomState,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u32,
    number: u32,
}

/// No number: that of a slot that is free.
const NONE: u32 = u32::MAX;
const FREE: Slot = Slot { hash: 0, number: NONE };

impl Known {
    pub(super) fn new() -> Self {
        Self { slots: vec![FREE; 1 << 12], count: 0, keys: RandomState::new() }
    }

    /// The number of what `same` knows again, or `next`, which is remembered for it.
    pub(super) fn number(&mut self, key: impl Hash, next: u32, same: impl Fn(u32) -> bool) -> u32 {
        if self.count * 2 >= self.slots.len() {
            let more = vec![FREE; self.slots.len() * 2];
            for slot in std::mem::replace(&mut self.slots, more) {
                if slot.number != NONE {
                    self.place(slot, |_| false);
                }
            }
        }
        // The lower half tells hashes apart as well as the whole does, as long as there are not as many things.
        let hash = (self.keys.hash_one(key) & u64::from(u32::MAX)) as u32;
        let number = self.place(Slot { hash, number: next }, same);
        self.count += usize::from(number == next);
        number
    }

    fn place(&mut self, new: Slot, same: impl Fn(u32) -> bool) -> u32 {
        let mask = self.slots.len() - 1;
        let mut at = new.hash as usize & mask;
        loop {
            match self.slots.get_mut(at) {
                Some(slot) if slot.number == NONE => {
                    *slot = new;
                    return new.number;
                }
                Some(slot) if slot.hash == new.hash && same(slot.number) => return slot.number,
                _ => at = (at + 1) & mask,
            }
        }
    }
}

/// Texts by number, in one piece of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Texts {
    all: String,
    /// Where each ends; it begins where the one before it ends.
    ends: Vec<u32>,
}

impl Texts {
    pub(super) fn get(&self, number: u32) -> &str {
        let at = number as usize;
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or_default();
        let end = self.ends.get(at).copied().unwrap_or(start);
        self.all.get(start as usize..end as usize).unwrap_or_default()
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &str)> {
        (0..).take(self.len()).map(|number| (number, self.get(number)))
    }

    /// All of them, one after the other.
    pub(super) fn all(&self) -> &str {
        &self.all
    }

    /// Texts of these lengths, which are parts of one; none where they do not fill it, or part a character.
    pub(super) fn parts(all: String, lengths: impl Iterator<Item = u32>) -> Option<Self> {
        let mut end = 0_u32;
        let ends = lengths.map(|length| {
            end = end.checked_add(length)?;
            all.is_char_boundary(end as usize).then_some(end)
        });
        let ends: Vec<u32> = ends.collect::<Option<_>>()?;
        (end as usize == all.len()).then_some(Self { all, ends })
    }

    /// Adds a text behind the others.
    pub(super) fn push(&mut self, text: &str) -> Option<u32> {
        let number = u32::try_from(self.ends.len()).ok().filter(|number| *number != NONE)?;
        let end = u32::try_from(self.all.len() + text.len()).ok()?;
        self.all.push_str(text);
        self.ends.push(end);
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_keeps_its_number() {
        let (mut texts, mut known) = (Texts::default(), Known::new());
        let mut number = |text: &str| {
            let next = texts.len() as u32;
            let number = known.number(text, next, |other| texts.get(other) == text);
            if number == next {
                texts.push(text).unwrap();
            }
            number
        };
        for round in 0..2 {
            for index in 0..20_000 {
                assert_eq!(number(&format!("é{index}")), index, "{round}");
            }
        }
        assert_eq!(number(""), 20_000);
        assert_eq!(texts.get(7), "é7");
        assert_eq!((texts.get(20_000), texts.get(20_001)), ("", ""));
    }
}
