//! Administrators' passwords, kept as sigul keeps them: crypt(3) strings of SHA-512 (`$6$salt$…`, and with
//! `rounds=N$` in front of the salt as other tools write them).
//!
//! Source: Ulrich Drepper, "Unix crypt using SHA-256 and SHA-512", version 0.6; checked against `openssl passwd -6`
//! of OpenSSL 3.0.

use sha_crypt::{Params, sha512_crypt};
use zeroize::Zeroizing;

const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// The rounds where a string names none.
const ROUNDS: u32 = 5000;
/// More rounds than this are not counted: a string could keep the signer busy for ever.
const MOST_ROUNDS: u32 = 1_000_000;

/// Makes the string of a new password.
pub(super) fn hash(password: &[u8]) -> Option<String> {
    let mut random = [0; 16];
    openssl::rand::rand_bytes(&mut random).ok()?;
    let salt: Vec<u8> =
        random.iter().filter_map(|byte| ALPHABET.get(usize::from(byte & 63)).copied()).collect();
    let hash = encode(&Zeroizing::new(sha512_crypt(password, &salt, Params::new(ROUNDS).ok()?))[..]);
    Some(format!("$6${}${hash}", String::from_utf8(salt).ok()?))
}

/// Whether a password is the one of a string. Takes as long for a string that is none, or for none at all.
pub(super) fn verify(password: &[u8], string: Option<&str>) -> bool {
    let (rounds, salt, wanted) = string.and_then(parse).unwrap_or((ROUNDS, "................", ""));
    let Ok(params) = Params::new(rounds) else { return false };
    let hash = encode(&Zeroizing::new(sha512_crypt(password, salt.as_bytes(), params))[..]);
    hash.len() == wanted.len() && openssl::memcmp::eq(hash.as_bytes(), wanted.as_bytes())
}

/// Whether a string is one that [`verify`] can find a password for.
pub(super) fn is_usable(string: &str) -> bool {
    parse(string).is_some()
}

fn parse(string: &str) -> Option<(u32, &str, &str)> {
    let rest = string.strip_prefix("$6$")?;
    let (rounds, rest) = match rest.strip_prefix("rounds=") {
        Some(rest) => {
            let (rounds, rest) = rest.split_once('$')?;
            (rounds.parse().ok().filter(|rounds| (1000..=MOST_ROUNDS).contains(rounds))?, rest)
        }
        None => (ROUNDS, rest),
    };
    let (salt, hash) = rest.split_once('$')?;
    (salt.len() <= 16 && hash.len() == 86).then_some((rounds, salt, hash))
}

/// The 64 bytes in crypt(3)'s order and letters.
fn encode(digest: &[u8]) -> String {
    let at = |place: usize| u32::from(digest.get(place).copied().unwrap_or_default());
    let mut text = String::with_capacity(86);
    let mut put = |mut bits: u32, letters: usize| {
        for _ in 0..letters {
            text.extend(ALPHABET.get((bits & 63) as usize).map(|letter| char::from(*letter)));
            bits >>= 6;
        }
    };
    let (mut first, mut second, mut third) = (0, 21, 42);
    for _ in 0..21 {
        put(at(first) << 16 | at(second) << 8 | at(third), 4);
        (first, second, third) = (second + 1, third + 1, first + 1);
    }
    put(at(63), 2);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_specifications_own_examples_agree() {
        // From the specification's test program, as OpenSSL and the C library give them, too.
        let cases = [
            (
                "Hello world!",
                "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
            ),
            (
                "a very much longer text to encrypt.  This one even stretches over morethan one line.",
                "$6$rounds=1400$anotherlongsalts$POfYwTEok97VWcjxIiSOjiykti.o/pQs.wPvMxQ6Fm7I6IoYN3CmLs66x9t0oSwbtEW7o7UmJEiDwGqd8p4ur1",
            ),
            (
                "the minimum number is still observed",
                "$6$rounds=1000$roundstoolow$kUMsbe306n21p9R.FRkW3IGn.S9NPN0x50YhH1xhLsPuWGsUSklZt58jaTfF4ZEQpyUNGc0dqbpBYYBaHHrsX.",
            ),
        ];
        for (password, string) in cases {
            assert!(verify(password.as_bytes(), Some(string)), "{string}");
            assert!(!verify(b"other", Some(string)));
        }
    }

    #[test]
    fn what_was_made_is_verified_and_nothing_else() {
        let string = hash(b"secret").unwrap();
        assert!(string.starts_with("$6$") && string.len() == 106, "{string}");
        assert!(verify(b"secret", Some(&string)) && !verify(b"Secret", Some(&string)));
        assert_ne!(string, hash(b"secret").unwrap());
        for bad in [None, Some(""), Some("xx"), Some("$6$$"), Some("$5$salt$x"), Some("$6$rounds=9$salt$x")] {
            assert!(!verify(b"", bad) && !verify(b"secret", bad), "{bad:?}");
        }
    }
}
