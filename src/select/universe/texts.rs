//! Texts and relations that are kept once, by number.

// `Known` is asked whether something is there, and never gone through: numbers follow the order of coming.
use std::hash::{BuildHasher, Hash, RandomState};

/// Numbers of things that are there already, by their hashes. Hashes are keyed at random, so that nobody can make a list
/// that is slow to look up; no number depends on them.
#[derive(Debug)]
pub(super) struct Known {
    slots: Vec<u32>,
    count: usize,
    keys: RandomState,
}

/// No number: a slot that is free.
const FREE: u32 = u32::MAX;

impl Known {
    pub(super) fn new() -> Self {
        Self { slots: vec![FREE; 1 << 12], count: 0, keys: RandomState::new() }
    }

    /// The number of what `same` knows again, or `next`, which is remembered for it. `hashed` gives what is hashed of a
    /// number, to move it to a larger table.
    pub(super) fn number<'a, K: Hash + 'a>(
        &mut self,
        key: &K,
        next: u32,
        same: impl Fn(u32) -> bool,
        hashed: impl Fn(u32) -> K,
    ) -> u32 {
        if self.count * 2 >= self.slots.len() {
            let old = std::mem::take(&mut self.slots);
            self.slots = vec![FREE; old.len() * 2];
            for number in old.into_iter().filter(|number| *number != FREE) {
                self.place(&hashed(number), number, |_| false);
            }
        }
        let number = self.place(key, next, same);
        self.count += usize::from(number == next);
        number
    }

    fn place<K: Hash>(&mut self, key: &K, number: u32, same: impl Fn(u32) -> bool) -> u32 {
        let mask = self.slots.len() - 1;
        let mut at = usize::try_from(self.keys.hash_one(key) & mask as u64).unwrap_or_default();
        loop {
            match self.slots.get_mut(at) {
                Some(slot) if *slot == FREE => {
                    *slot = number;
                    return number;
                }
                Some(slot) if same(*slot) => return *slot,
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

    /// Adds a text behind the others.
    pub(super) fn push(&mut self, text: &str) -> Option<u32> {
        let number = u32::try_from(self.ends.len()).ok().filter(|number| *number != FREE)?;
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
            let number =
                known.number(&text, next, |other| texts.get(other) == text, |other| texts.get(other));
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
