//! What the signing service reads: sigul's wire, ledgers, keys, sealed passphrases, the store.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use gander::sign::Signer as _;
use gander::sign::agent::request::{Operation, Request, Secret};
use gander::sign::key::wrap::unseal;
use gander::sign::key::{Algorithm, SecretKey, Spec, Subkeys, check};
use gander::sign::ledger::{Entry, Event, Ledger, Line, ROTATE_AT, read};
use gander::sign::vault::{Options, Secrets, Vault};
use gander::sigul::stream::divide;
use gander::sigul::wire::chunk::{self, Stream};
use gander::sigul::wire::operation::PART;
use gander::sigul::wire::proof::{PART_KEYS, sha512};
use gander::sigul::wire::{Fields, MAC, Operation as Known, Proof, RequestHeader};
use sequoia_openpgp::Packet;
use sequoia_openpgp::crypto::{Password, S2K, SessionKey};
use sequoia_openpgp::packet::skesk::SKESK4;
use sequoia_openpgp::serialize::Serialize as _;
use sequoia_openpgp::serialize::stream::{Encryptor, LiteralWriter, Message};
use sequoia_openpgp::types::{HashAlgorithm, SymmetricAlgorithm};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use zeroize::Zeroizing;

use super::mutant::Random;

type Work = Box<dyn FnMut(u64) -> bool>;

/// Changes a few bytes, or where they end; every eighth stays as it is.
fn mutate(bytes: &[u8], seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut bytes = bytes.to_vec();
    if random.below(8) == 0 {
        return bytes;
    }
    for _ in 0..=random.below(4) {
        let place = random.below(bytes.len());
        match random.below(7) {
            0 => bytes[place] ^= 1 << random.below(8),
            1 => bytes[place] = random.below(256) as u8,
            2 => bytes[place] = random.of(&[0, 1, 0x7f, 0x80, 0xff]),
            3 if random.below(4) == 0 => bytes.truncate(place.max(1)),
            4 => bytes.insert(place, random.below(256) as u8),
            5 => {
                let end = (place + random.below(40)).min(bytes.len());
                let piece = bytes[place..end].to_vec();
                let place = random.below(bytes.len());
                bytes.splice(place..place, piece);
            }
            _ => {
                let end = (place + random.below(9)).min(bytes.len());
                bytes[place..end].fill(random.of(&[0, 0xff, b'9']));
            }
        }
    }
    bytes
}

/// Fields of requests, parts and what goes past the bridge.
pub fn wire() -> Work {
    let outer =
        |operation: &str| Fields::default().with("key", "k1").with("op", operation).with("user", "goose");
    let mut rpm = outer("sign-rpm").with("rpm-name", "goose").with("rpm-sigmd5", [7; 16]);
    rpm.set_bool("import-signature", true);
    let header = RequestHeader { fields: outer("sign-data") };
    let mut inner = Fields::default().with("passphrase", "a secret");
    PART_KEYS.iter().for_each(|name| {
        inner.set(name, [9; MAC]);
    });
    let (head, payload) = (header.encode().unwrap(), sha512(b"x"));
    Proof::write(&mut inner, &header, &payload, [&[1; MAC], &[2; MAC]]).unwrap();
    let part = Fields::default().with("id", [0, 0, 0, 1]).with("status", [0; 4]).with("message", "no");
    let bases = [header.fields.clone(), rpm, inner, part].map(|fields| fields.encode().unwrap());
    Box::new(move |seed| {
        let bytes = mutate(&bases[seed as usize % bases.len()], seed);
        let Ok((fields, rest)) = Fields::split(&bytes) else { return false };
        let read = &bytes[..bytes.len() - rest.len()];
        assert_eq!(Fields::missing(read), 0);
        for end in 0..read.len() {
            assert!((1..=read.len() - end).contains(&Fields::missing(&read[..end])), "{end}");
        }
        assert_eq!(Fields::parse(&fields.encode().unwrap()).unwrap(), fields);
        if let Some(known) = fields.text("op").ok().and_then(Known::find) {
            drop(known.check(&fields));
        }
        drop((
            PART.check(&fields),
            Proof::parts(&fields),
            fields.u32("id"),
            fields.is_set("import-signature"),
        ));
        Proof::read(&fields, &head, &payload, false).is_ok() || fields.text("op").is_ok()
    })
}

/// Connections of two streams: each gets its own bytes, in order, and ends well only where its end came.
pub fn chunks() -> Work {
    let piece = |stream, bytes: &[u8]| [&chunk::head(stream, bytes.len())[..], bytes].concat();
    let mut base = Vec::new();
    for size in [5, 0_usize, 1, 300, 2000] {
        let bytes: Vec<u8> = (0..size.max(1)).map(|place| place as u8).collect();
        base.extend(piece(Stream::Inner, &bytes));
        base.extend(piece(Stream::Outer, &bytes));
    }
    base.extend([piece(Stream::Inner, &[]), piece(Stream::Outer, &[])].concat());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    Box::new(move |seed| {
        let bytes = mutate(&base, seed);
        let wanted = streams(&bytes);
        let found = runtime.block_on(async {
            let (mut far, near) = tokio::io::duplex(1 << 16);
            let mut streams = divide(near, Duration::from_secs(5));
            let sending = async {
                for piece in bytes.chunks(seed as usize % 700 + 1) {
                    if far.write_all(piece).await.is_err() {
                        break;
                    }
                }
                drop(far.shutdown().await);
            };
            let (mut outer, mut inner) = (Vec::new(), Vec::new());
            let (one, other) = (&mut streams.outer.incoming, &mut streams.inner.incoming);
            let ends = tokio::join!(one.read_to_end(&mut outer), other.read_to_end(&mut inner), sending);
            [(outer, ends.0.is_ok()), (inner, ends.1.is_ok())]
        });
        for ((found, whole), (wanted, ended)) in found.iter().zip(&wanted) {
            assert!(wanted.starts_with(found) && (*ended || !whole));
            assert!(!ended || found == wanted);
        }
        found.iter().all(|(_, whole)| *whole)
    })
}

/// What each stream has, and whether its end came.
fn streams(mut bytes: &[u8]) -> [(Vec<u8>, bool); 2] {
    let mut streams = [(Vec::new(), false), (Vec::new(), false)];
    while let Some((head, rest)) = bytes.split_first_chunk() {
        let (stream, length) = chunk::parse(*head);
        let (held, ended) = &mut streams[usize::from(stream == Stream::Inner)];
        *ended |= length == 0;
        // What comes behind the end of a stream is passed over.
        if !*ended {
            held.extend_from_slice(&rest[..(length as usize).min(rest.len())]);
        }
        let Some(next) = rest.get(length as usize..) else { break };
        bytes = next;
    }
    streams
}

/// Files of a ledger.
pub fn ledgers() -> Work {
    let folder = tempfile::tempdir().unwrap();
    let time = "2026-11-01T00:00:00Z".parse().unwrap();
    {
        let ledger = Ledger::open(folder.path(), None, time, ROTATE_AT, Box::new(|_| Ok(()))).unwrap();
        for number in 0..8 {
            let mut entry = Entry::new(Event::Signature, time);
            entry.user = Some(format!("user {number}"));
            entry.created = Some(i64::MAX - number);
            ledger.record(entry).wait().unwrap();
        }
    }
    let file = folder.path().join("000000000001.jsonl");
    let base = fs::read(&file).unwrap();
    Box::new(move |seed| {
        let mut bytes = mutate(&base, seed);
        if seed % 16 == 0 {
            // The largest number of all.
            let text =
                String::from_utf8_lossy(&bytes).replacen("\"seq\":3", "\"seq\":18446744073709551615", 1);
            bytes = text.into_bytes();
        }
        fs::write(&file, &bytes).unwrap();
        let mut lines = 0_u64;
        let found = read(folder.path(), 1, &[], |line, raw| {
            lines += 1;
            assert_eq!(serde_json::from_slice::<Line>(raw).unwrap(), *line);
        });
        let found = found.unwrap();
        assert!(found.problems.iter().all(|problem| !problem.to_string().is_empty()));
        // Of the last line only a witness would know.
        let sure = |bytes: &[u8]| -> Vec<Vec<u8>> {
            let known = usize::try_from(lines.saturating_sub(1)).unwrap();
            bytes.split(|byte| *byte == b'\n').take(known).map(<[u8]>::to_vec).collect()
        };
        assert!(!found.is_whole() || (found.head.count == lines && sure(&bytes) == sure(&base)));
        found.is_whole()
    })
}

fn made(algorithm: Algorithm) -> SecretKey {
    let created = "2026-01-01T00:00:00Z".parse().unwrap();
    let subkeys = Subkeys { signing: true, encryption: true };
    SecretKey::generate(&Spec { algorithm, user_id: "A <a@example.org>", created, expires: None, subkeys })
        .unwrap()
}

/// Files with secret keys, armored or not: what is read can be written, signs or is refused.
pub fn keys() -> Work {
    let armored = made(Algorithm::Ed25519).protected(None).unwrap();
    let binary = gander::openpgp::dearmor(&made(Algorithm::Ed25519).protected(None).unwrap());
    let bases = [armored.to_vec(), binary.unwrap_or_else(|_| armored.to_vec())];
    let date = "2026-11-01T00:00:00Z".parse().unwrap();
    Box::new(move |seed| {
        let bytes = mutate(&bases[seed as usize % bases.len()], seed);
        let Ok(key) = SecretKey::parse(&bytes, Some(b"secret")) else { return false };
        let again = SecretKey::parse(&key.protected(None).unwrap(), None).unwrap();
        assert_eq!(again.certificate().fingerprint(), key.certificate().fingerprint());
        drop(check(key.certificate(), date));
        drop(key.decrypt(&bytes));
        key.signer().is_ok_and(|signer| signer.sign_detached(b"data", date).is_ok())
    })
}

/// A secret under a passphrase: what opens is the secret.
pub fn sealed() -> Work {
    let (session, password) = (SessionKey::new(32).unwrap(), Password::from("right"));
    let s2k = S2K::new_iterated(HashAlgorithm::SHA256, 1024).unwrap();
    let cipher = SymmetricAlgorithm::AES256;
    let skesk = SKESK4::with_password(cipher, cipher, s2k, &session, &password).unwrap();
    let mut base = Vec::new();
    Packet::from(skesk).serialize(&mut base).unwrap();
    let message = Encryptor::with_session_key(Message::new(&mut base), cipher, session).unwrap();
    let mut message = LiteralWriter::new(message.build().unwrap()).build().unwrap();
    message.write_all(b"the secret").unwrap();
    message.finalize().unwrap();
    let place = base.windows(3).position(|three| three == [4, 9, 3]).unwrap() + 12;
    assert_eq!(unseal(&base, b"right").unwrap().as_slice(), b"the secret");
    Box::new(move |seed| {
        let mut bytes = mutate(&base, seed);
        // How often the passphrase is hashed: seldom more, for it takes time.
        if let Some(count) = bytes.get_mut(place).filter(|count| **count > 0x80 && seed % 64 != 0) {
            *count &= 0x7f;
        }
        assert!(unseal(&bytes, b"wrong").is_err());
        let opened = unseal(&bytes, b"right");
        assert!(opened.as_ref().is_ok_and(|secret| secret.as_slice() == b"the secret") || opened.is_err());
        opened.is_ok()
    })
}

const PASSWORD: &[u8] = b"administrators-password";

fn ask(vault: &Vault, user: &str, operation: Operation, given: &[(Secret, &[u8])]) -> bool {
    let mut secrets = Secrets::default();
    for (which, secret) in given {
        secrets.add(*which, Zeroizing::new(secret.to_vec()));
    }
    vault.administer(&Request { user: user.into(), operation }, &secrets, b"").is_ok()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        match path.is_dir() {
            true => copy(&path, &to),
            false => fs::write(&to, fs::read(&path).unwrap()).unwrap(),
        }
    }
}

/// Stores whose database, key file or ledger was changed: opened or refused, and never a key for who has no right.
pub fn vaults() -> Work {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    {
        let vault = Vault::open(&store, Options::default()).unwrap();
        vault.set_administrator("root", PASSWORD).unwrap();
        let new_key = serde_json::json!({ "op": "new-key", "key": "k1", "algorithm": "ed25519" });
        let given = [(Secret::Password, PASSWORD), (Secret::Passphrase, &b"passphrase"[..])];
        assert!(ask(&vault, "root", serde_json::from_value(new_key).unwrap(), &given));
    }
    let key = fs::read_dir(store.join("keys")).unwrap().next().unwrap().unwrap().file_name();
    let files = ["vault.sqlite".into(), Path::new("keys").join(key), "ledger/000000000001.jsonl".into()];
    Box::new(move |seed| {
        let work = tempfile::tempdir_in(folder.path()).unwrap();
        let store_now = work.path().join("store");
        copy(&store, &store_now);
        // SQLite's log would put right what is changed.
        for log in ["vault.sqlite-wal", "vault.sqlite-shm"] {
            fs::remove_file(store_now.join(log)).ok();
        }
        let file = store_now.join(&files[seed as usize % files.len()]);
        fs::write(&file, mutate(&fs::read(&file).unwrap(), seed)).unwrap();
        let Ok(vault) = Vault::open(&store_now, Options::default()) else { return false };
        let get = || Operation::GetPublicKey { key: "k1".into() };
        assert!(!ask(&vault, "root", get(), &[(Secret::Password, b"wrong")]));
        // The right password may have become a wrong one.
        let _ = ask(&vault, "root", Operation::ListUsers {}, &[(Secret::Password, PASSWORD)]);
        let request = Request {
            user: "root".into(),
            operation: Operation::SignText { key: "k1".into(), created: None },
        };
        let unlock = |passphrase: &[u8]| {
            let mut secrets = Secrets::default();
            secrets.add(Secret::Passphrase, Zeroizing::new(passphrase.to_vec()));
            vault.unlock(&request, &secrets)
        };
        let opened = unlock(b"passphrase");
        drop(
            opened
                .as_ref()
                .map(|opened| vault.work(opened, &request, b"text").map(|made| vault.release(made))),
        );
        opened.is_ok()
    })
}
