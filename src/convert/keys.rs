//! From the ids of keys, eight digits mostly, to fingerprints.

use super::note::{NoteKind, NotePlace, Notes};
use crate::recipe::Fingerprint;

/// What packages may be signed with.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// The fingerprints that are known, in order of preference.
    pub(super) known: Vec<Fingerprint>,
    /// Ids without a fingerprint.
    pub(super) missing: Vec<String>,
    /// Whether packages without any of these signatures are taken.
    pub(super) unsigned: bool,
}

/// Looks up ids among the fingerprints that were given; notes on those that are not there.
pub(super) fn look_up(
    ids: &[(String, NotePlace)],
    unsigned: bool,
    given: &[Fingerprint],
    option: &str,
    notes: &mut Notes,
) -> Keys {
    let mut keys = Keys { unsigned, ..Keys::default() };
    for (id, place) in ids {
        let digits = id.trim().to_ascii_uppercase();
        let fitting: Vec<_> = given.iter().filter(|key| names(&digits, key)).collect();
        let whole = digits.parse::<Fingerprint>().ok();
        match (whole, fitting.as_slice()) {
            (Some(key), _) => add(&mut keys.known, key),
            (None, [key]) => add(&mut keys.known, (*key).clone()),
            (None, several) => {
                let plain: String = digits.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
                let why = if several.is_empty() { "is no fingerprint" } else { "fits several fingerprints" };
                let then = if unsigned { "its signatures do not count" } else { "the recipe is not read" };
                let text = format!(
                    "'{plain}' {why}, and anyone can make another key with such an id; until 'keys' has the fingerprint that ends with it, {then}. 'gpg --show-keys --with-subkey-fingerprint FILE' prints it from the key's file; give it with --key, and put the file into the folder 'keys' beside the recipe"
                );
                notes.add(NoteKind::Todo, Some(place.clone()), option, text);
                if !plain.is_empty() && !keys.missing.contains(&plain) {
                    keys.missing.push(plain);
                }
            }
        }
    }
    keys
}

fn add(keys: &mut Vec<Fingerprint>, key: Fingerprint) {
    if !keys.contains(&key) {
        keys.push(key);
    }
}

/// Whether an id of 8 or 16 digits is that of a key: the last digits of a fingerprint of version 4, the last of the first 16
/// digits of one of version 6.
fn names(id: &str, key: &Fingerprint) -> bool {
    let long = match key.as_str() {
        text if text.len() == 64 => text.get(..16),
        text => text.get(text.len().saturating_sub(16)..),
    };
    matches!(id.len(), 8 | 16) && long.is_some_and(|long| long.ends_with(id))
}
