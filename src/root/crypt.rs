//! `crypt(3)` with SHA-512 (`$6$`), for passwords that a kickstart gives in plain text.
//!
//! The salt derives from the user's name and the password, so that the same kickstart gives the same image. A
//! random salt would hide nothing here: who sees the hash can see the kickstart too. Whoever wants a secret
//! password gives its hash, with `--iscrypted`.

use sha2::{Digest as _, Sha512};

use crate::base::Encoder;

const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ROUNDS: usize = 5000;

/// Longest password in bytes: libxcrypt's `crypt()` takes no more (`CRYPT_MAX_PASSPHRASE_SIZE` with its end).
pub(super) const LONGEST: usize = 511;

/// The hash of a password for `/etc/shadow`.
pub(super) fn hashed(user: &str, password: &str) -> String {
    let mut seed = Encoder::new("gander password 1");
    seed.bytes(user).bytes(password);
    let seed = seed.finish();
    let salt: String = seed.as_bytes().iter().take(16).map(|byte| digit(u32::from(*byte))).collect();
    sha512(password.as_bytes(), &salt)
}

fn digit(value: u32) -> char {
    ALPHABET.iter().cycle().nth((value & 63) as usize).map_or('.', |byte| char::from(*byte))
}

/// Drepper's SHA-crypt, with its default number of rounds.
fn sha512(password: &[u8], salt: &str) -> String {
    let salt_bytes = salt.as_bytes();
    let repeated =
        |digest: &[u8], length: usize| -> Vec<u8> { digest.iter().copied().cycle().take(length).collect() };
    let b = Sha512::new().chain_update(password).chain_update(salt_bytes).chain_update(password).finalize();
    let mut a = Sha512::new().chain_update(password).chain_update(salt_bytes);
    a.update(repeated(&b, password.len()));
    let mut bits = password.len();
    while bits > 0 {
        a.update(if bits & 1 == 1 { b.as_slice() } else { password });
        bits >>= 1;
    }
    let mut digest = a.finalize();

    let mut p = Sha512::new();
    (0..password.len()).for_each(|_| p.update(password));
    let p = repeated(&p.finalize(), password.len());
    let mut s = Sha512::new();
    let times = 16 + usize::from(digest.first().copied().unwrap_or_default());
    (0..times).for_each(|_| s.update(salt_bytes));
    let s = repeated(&s.finalize(), salt_bytes.len());

    for round in 0..ROUNDS {
        let mut c = Sha512::new();
        let odd = round % 2 == 1;
        c.update(if odd { p.as_slice() } else { digest.as_slice() });
        if round % 3 != 0 {
            c.update(&s);
        }
        if round % 7 != 0 {
            c.update(&p);
        }
        c.update(if odd { digest.as_slice() } else { p.as_slice() });
        digest = c.finalize();
    }

    // Three bytes make four digits; which three goes round.
    let byte = |at: usize| u32::from(digest.get(at).copied().unwrap_or_default());
    let mut text = format!("$6${salt}$");
    for group in 0..21 {
        let order = match group % 3 {
            0 => [group, group + 21, group + 42],
            1 => [group + 21, group + 42, group],
            _ => [group + 42, group, group + 21],
        };
        let [high, middle, low] = order.map(byte);
        push(&mut text, high << 16 | middle << 8 | low, 4);
    }
    push(&mut text, byte(63), 2);
    text
}

fn push(text: &mut String, mut value: u32, digits: usize) {
    for _ in 0..digits {
        text.push(digit(value));
        value >>= 6;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_as_libcrypt_does() {
        // As libxcrypt 4.4 has them.
        for (password, salt, expected) in [
            (
                "Hello world!",
                "saltstring",
                "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
            ),
            (
                "",
                "abcdefgh",
                "$6$abcdefgh$v7sYNA18/BerGOYQLppYLyjH4yJilp8kqe/ef3KYMK9hOIdzH1yzcmP74Ay.m51y1jP3QqxM7Jl75S4CxDhBq.",
            ),
            (
                "pässwörd",
                "saltsalt",
                "$6$saltsalt$TQjRhpJdqmLx0U8it3EsUajwkmOMMvw5vhUFc7mohzFFoj/QHrfYUHU1oSkwyCEoTUCDOiAOW135nel3bqtKe.",
            ),
            (
                "correct horse battery staple, and more than sixty-four bytes of it, to be sure",
                "x/.",
                "$6$x/.$Q3jPqzqNNm5QmZagmMgr2wpER5XT7YyIHxL8ULzZgzR6erIpBXMJStRUx0JLHeXq57HRVe53RAegX7ARv8P2t.",
            ),
        ] {
            assert_eq!(sha512(password.as_bytes(), salt), expected);
        }
    }

    #[test]
    fn the_salt_derives_from_user_and_password() {
        let one = hashed("root", "secret");
        assert_eq!(one, hashed("root", "secret"));
        assert_ne!(one, hashed("user", "secret"));
        assert_eq!(one.split('$').map(str::len).collect::<Vec<_>>(), [0, 1, 16, 86]);
    }
}
