//! Where secrets may not be: in what the processes keep in memory when a request has ended, in their arguments, their
//! environment, and their logs.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::process::Command;

use gander::base::SourceDate;
use gander::sign::key::{SecretKey, Spec, Subkeys};
use sequoia_openpgp::Cert;
use sequoia_openpgp::crypto::mpi::SecretKeyMaterial;
use sequoia_openpgp::packet::key;
use sequoia_openpgp::parse::Parse as _;

use super::rpms::package;
use super::whole::Bridge;
use super::world::{ALICE, BOB, PASSWORD, World};

/// How often each of some strings stands in the memory of a process; none where that cannot be read.
fn memory(pid: u32, strings: &[&[u8]]) -> Option<Vec<usize>> {
    let file = fs::File::open(format!("/proc/{pid}/mem")).ok()?;
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let mut found = vec![0; strings.len()];
    for line in maps.lines() {
        let (range, rest) = line.split_once(' ').unwrap();
        let [start, end] =
            [0, 1].map(|side| u64::from_str_radix(range.split('-').nth(side).unwrap(), 16).unwrap());
        // What belongs to the kernel cannot be read.
        if !rest.starts_with('r') || line.ends_with("[vvar]") || line.ends_with("[vsyscall]") {
            continue;
        }
        let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
        let Ok(length) = file.read_at(&mut bytes, start) else { continue };
        bytes.truncate(length);
        for (count, string) in found.iter_mut().zip(strings) {
            *count += bytes.windows(string.len()).filter(|window| window == string).count();
        }
    }
    Some(found)
}

/// The secret numbers of an RSA key, in both orders of bytes: as files have them, and as arithmetic does.
fn numbers(key: &SecretKey) -> Vec<Vec<u8>> {
    let cert = Cert::from_bytes(&key.protected(None).unwrap()[..]).unwrap();
    let key = cert.primary_key().key().clone().parts_into_secret().unwrap();
    let key::SecretKeyMaterial::Unencrypted(secret) = key.secret() else { panic!("it is protected") };
    secret.map(|secret| {
        let SecretKeyMaterial::RSA { d, p, q, .. } = secret else { panic!("it is no RSA key") };
        let parts = [d, p, q].map(|number| number.value()[8..72].to_vec());
        let reversed = parts.iter().map(|part| part.iter().rev().copied().collect());
        parts.iter().cloned().chain(reversed).collect()
    })
}

#[test]
fn no_secret_stays_behind() {
    let world = World::ended("", "");
    let bridge = Bridge::with_server(&world, "");
    let ask = |user: &str, secrets: &[&str], arguments: &[&str]| {
        let output = bridge.ask(&world, user, secrets, arguments);
        (output.status.success(), [output.stdout, output.stderr].concat())
    };
    fs::write(world.path("text"), "a text\n").unwrap();
    fs::write(world.path("goose.rpm"), package("goose", 500)).unwrap();
    fs::create_dir(world.path("out")).unwrap();
    let mut said = Vec::new();
    let (wrong, new, imported) =
        ("a-wrong-passphrase-55e0", "a-new-passphrase-09ab", "of-an-imported-key-4d21");
    let date = SourceDate::from_seconds(1_750_000_000).unwrap();
    let spec = Spec {
        algorithm: "rsa3072".parse().unwrap(),
        user_id: "Tester",
        created: date,
        expires: None,
        subkeys: Subkeys::default(),
    };
    let key = SecretKey::generate(&spec).unwrap();
    let numbers = numbers(&key);
    let key = key.protected(Some(imported.as_bytes())).unwrap();
    fs::write(world.path("key"), &key[..]).unwrap();
    for (user, secrets, arguments, good) in [
        ("root", &[PASSWORD][..], &["list-users"][..], true),
        ("alice", &[ALICE, BOB], &["grant-key-access", "k1", "bob"], true),
        ("alice", &[ALICE], &["sign-text", "k1", "text"], true),
        ("bob", &[BOB], &["sign-data", "k1", "text", "-o", "packet"], true),
        ("alice", &[ALICE], &["sign-rpms", "k1", "goose.rpm", "-o", "out"], true),
        ("bob", &[wrong], &["sign-text", "k1", "text"], false),
        ("root", &[wrong], &["list-keys"], false),
        ("root", &[PASSWORD, imported, new], &["import-key", "imported", "key"], true),
        ("bob", &[BOB, new], &["change-passphrase", "k1"], true),
        ("bob", &[new], &["sign-text", "k1", "text"], true),
        ("root", &[new], &["sign-text", "imported", "text"], true),
    ] {
        let (done, words) = ask(user, secrets, arguments);
        assert_eq!(done, good, "{arguments:?}: {}", String::from_utf8_lossy(&words));
        said.extend(words);
    }
    let secrets = [PASSWORD, ALICE, BOB, wrong, new, imported];
    let signer = world.signer().unwrap();
    // An unlocked key is there as long as it is used, which is seen; then nothing is.
    let strings: Vec<_> = numbers.iter().map(Vec::as_slice).collect();
    if let Some(found) = memory(signer, &strings) {
        assert!(found.iter().any(|count| *count > 0), "the key is nowhere, or is not looked for rightly");
    }
    assert!(Command::new("kill").args(["-USR1", &signer.to_string()]).status().unwrap().success());
    let wiped = || memory(signer, &strings).is_none_or(|found| found.iter().all(|count| *count == 0));
    world.wait_for("the secret numbers of a key to be wiped", wiped);
    for (name, pid) in [("bridge", bridge.pid()), ("server", world.pid()), ("signer", signer)] {
        // That its memory is read is seen by something that is there.
        let mut looked_for: Vec<_> = secrets.iter().map(|secret| secret.as_bytes()).collect();
        looked_for.extend(&strings);
        looked_for.push(b"sigul");
        let Some(found) = memory(pid, &looked_for) else {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "the memory of the {name} cannot be read");
            println!("SKIPPED: the memory of the {name} cannot be read here");
            continue;
        };
        let (there, found) = found.split_last().unwrap();
        assert!(*there > 0, "{name}: nothing was read");
        assert!(
            found.iter().all(|count| *count == 0),
            "{name}: {found:?} of {secrets:?} and a key's numbers"
        );
        for file in ["cmdline", "environ"] {
            let mut bytes = Vec::new();
            fs::File::open(format!("/proc/{pid}/{file}")).unwrap().read_to_end(&mut bytes).unwrap();
            said.extend(bytes);
        }
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().nth(4), Some("0"), "{name}: {core}");
    }
    said.extend(world.log().into_bytes());
    said.extend(bridge.log(&world).into_bytes());
    said.extend(world.status("/metrics").1.into_bytes());
    let said = String::from_utf8_lossy(&said);
    for secret in secrets {
        assert!(!said.contains(secret), "{secret}\n{said}");
    }
}
