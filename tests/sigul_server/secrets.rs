//! Where secrets may not be: in what the processes keep in memory when a request has ended, in their arguments, their
//! environment, and their logs.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;

use gander::base::SourceDate;
use gander::sign::key::{Algorithm, SecretKey, Spec, Subkeys};

use super::rpms::package;
use super::whole::Bridge;
use super::world::{ALICE, BOB, PASSWORD, World};

/// How often each of some texts stands in the memory of a process; none where that cannot be read.
fn memory(pid: u32, texts: &[&str]) -> Option<Vec<usize>> {
    let file = fs::File::open(format!("/proc/{pid}/mem")).ok()?;
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let mut found = vec![0; texts.len()];
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
        for (count, text) in found.iter_mut().zip(texts) {
            *count += bytes.windows(text.len()).filter(|window| *window == text.as_bytes()).count();
        }
    }
    Some(found)
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
        algorithm: Algorithm::Ed25519,
        user_id: "Tester",
        created: date,
        expires: None,
        subkeys: Subkeys::default(),
    };
    let key = SecretKey::generate(&spec).unwrap().protected(Some(imported.as_bytes())).unwrap();
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
    ] {
        let (done, words) = ask(user, secrets, arguments);
        assert_eq!(done, good, "{arguments:?}: {}", String::from_utf8_lossy(&words));
        said.extend(words);
    }
    let secrets = [PASSWORD, ALICE, BOB, wrong, new, imported];
    let signer = world.signer().unwrap();
    for (name, pid) in [("bridge", bridge.pid()), ("server", world.pid()), ("signer", signer)] {
        // That its memory is read is seen by something that is there.
        let mut looked_for = secrets.to_vec();
        looked_for.push("sigul");
        let Some(found) = memory(pid, &looked_for) else {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "the memory of the {name} cannot be read");
            println!("SKIPPED: the memory of the {name} cannot be read here");
            continue;
        };
        assert!(found[secrets.len()] > 0, "{name}: nothing was read");
        assert_eq!(found[..secrets.len()], [0; 6], "{name} still has some of {secrets:?}");
        for file in ["cmdline", "environ"] {
            let mut bytes = Vec::new();
            fs::File::open(format!("/proc/{pid}/{file}")).unwrap().read_to_end(&mut bytes).unwrap();
            said.extend(bytes);
        }
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        // Where secrets pass, no core files are left.
        assert!(name == "bridge" || core.split_whitespace().nth(4) == Some("0"), "{core}");
    }
    said.extend(world.log().into_bytes());
    said.extend(bridge.log(&world).into_bytes());
    said.extend(world.status("/metrics").1.into_bytes());
    let said = String::from_utf8_lossy(&said);
    for secret in secrets {
        assert!(!said.contains(secret), "{secret}\n{said}");
    }
}
