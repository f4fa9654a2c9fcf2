//! Mutations of packages: the same for the same seed, aimed at what a header is made of.

pub mod texts;
#[allow(dead_code, reason = "not every test needs it")]
pub mod xml;

/// Marsaglia's xorshift with Vigna's multiplication: small, and each seed gives another sequence.
pub struct Random(u64);

impl Random {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// A number below another one.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// One of several.
    pub fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// Numbers at which readers go wrong.
const EDGES: [u32; 12] =
    [0, 1, 2, 16, 0xffff, 0xf_ffff, 0x10_0000, 0x0fff_ffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fff0, u32::MAX];

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn put(bytes: &mut [u8], at: usize, value: u32) {
    if let Some(place) = bytes.get_mut(at..at + 4) {
        place.copy_from_slice(&value.to_be_bytes());
    }
}

/// A package to mutate, with the places of its headers: start, entries, bytes of the store.
pub struct Base {
    bytes: Vec<u8>,
    headers: [(usize, usize, usize); 2],
}

impl Base {
    /// A whole package. Its payload is cut off unless it is to be mutated, too.
    pub fn new(bytes: &[u8], keep_payload: bool) -> Self {
        let header = |start| (start, word(bytes, start + 8) as usize, word(bytes, start + 12) as usize);
        let end = |(start, entries, data): (usize, usize, usize)| start + 16 + 16 * entries + data;
        let signature = header(96);
        let main = header(end(signature).next_multiple_of(8));
        let length = if keep_payload { bytes.len() } else { end(main) };
        Self { bytes: bytes[..length].to_vec(), headers: [signature, main] }
    }

    /// The package without mutations.
    #[allow(dead_code, reason = "not every test needs it")]
    pub fn whole(&self) -> &[u8] {
        &self.bytes
    }

    /// Where the payload starts.
    pub fn payload(&self) -> usize {
        let (start, entries, data) = self.headers[1];
        start + 16 + 16 * entries + data
    }

    /// The mutation of a seed: one to four changes of the headers.
    pub fn mutate(&self, seed: u64) -> Vec<u8> {
        let mut random = Random::new(seed);
        let mut bytes = self.bytes.clone();
        for _ in 0..1 + random.below(4) {
            self.change(&mut bytes, &mut random);
        }
        bytes
    }

    /// The mutation of a seed: one to four changed bytes of the payload.
    #[allow(dead_code, reason = "not every test needs it")]
    pub fn mutate_payload(&self, seed: u64) -> Vec<u8> {
        let mut random = Random::new(seed);
        let mut bytes = self.bytes.clone();
        let start = self.payload();
        for _ in 0..1 + random.below(4) {
            let place = start + random.below(bytes.len() - start);
            scratch(&mut bytes, place, &mut random);
        }
        if random.below(8) == 0 {
            bytes.truncate(start + random.below(bytes.len() - start));
        }
        bytes
    }

    fn change(&self, bytes: &mut Vec<u8>, random: &mut Random) {
        let (start, entries, data) = random.of(&self.headers);
        let store = start + 16 + 16 * entries;
        let index = |random: &mut Random| start + 16 + 16 * random.below(entries);
        match random.below(12) {
            // What an entry says: mostly its offset and its count.
            0..=3 => {
                let field = index(random) + random.of(&[0, 4, 8, 8, 12, 12]);
                let other = index(random) + random.of(&[0, 4, 8, 12]);
                if bytes.len() < field.max(other) + 4 {
                    return;
                }
                let value = match random.below(4) {
                    0 => random.of(&EDGES),
                    1 => word(bytes, field).wrapping_add(random.of(&[1, 2, 4, u32::MAX, u32::MAX - 1])),
                    2 => word(bytes, other),
                    _ => random.below(data) as u32,
                };
                put(bytes, field, value);
            }
            // An entry in the place of another one.
            4 => {
                let (from, to) = (index(random), index(random));
                if bytes.len() >= from.max(to) + 16 {
                    bytes.copy_within(from..from + 16, to);
                }
            }
            // A number of the data.
            5 => put(bytes, store + (random.below(data) & !3), random.of(&EDGES)),
            // The end of a string.
            6 => {
                let from = store + random.below(data);
                let end = bytes.iter().skip(from).position(|byte| *byte == 0);
                if let Some(place) = end.and_then(|end| bytes.get_mut(from + end)) {
                    *place = random.below(256) as u8;
                }
            }
            // How many entries, how much data.
            7 => put(bytes, start + random.of(&[8, 12]), random.of(&EDGES)),
            8 if random.below(4) == 0 => bytes.truncate(random.below(bytes.len())),
            _ => {
                let place = start + random.below(store + data - start);
                scratch(bytes, place, random);
            }
        }
    }
}

/// Changes one byte.
fn scratch(bytes: &mut [u8], place: usize, random: &mut Random) {
    let other = bytes.get(random.below(bytes.len())).copied().unwrap_or_default();
    if let Some(byte) = bytes.get_mut(place) {
        *byte = match random.below(4) {
            0 => *byte ^ 1 << random.below(8),
            1 => random.below(256) as u8,
            2 => random.of(&[0, b'/', b'.', 0x7f, 0x80, 0xff]),
            _ => other,
        };
    }
}
