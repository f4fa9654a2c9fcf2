//! A release that a key in a file signed, signed again by a key of the service.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Output;

use gander::openpgp::verify_detached;
use gander::rpm::{Headers, signature};
use gander::sign::key::{Algorithm, SecretKey, Spec, Subkeys};

use super::sample;
use super::whole::Bridge;
use super::world::{ALICE, World, gander, write};

fn run(world: &World, store: &str, arguments: &[&str], code: i32) -> Output {
    let mut command = gander();
    command.current_dir(world.path("release")).arg("--store").arg(world.path(store)).args(arguments);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut found, mut open) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(path) = open.pop() {
        for entry in fs::read_dir(&path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn a_key_of_the_service_signs_a_release_again() {
    let world = World::ended("", "");
    let bridge = Bridge::start(&world, "");
    world.start();
    world.wait_for("a connection", || world.status("/health").0 == 200);

    let stolen = SecretKey::generate(&Spec {
        algorithm: Algorithm::Ed25519,
        user_id: "Stolen <stolen@example.org>",
        created: "2026-01-01T00:00:00Z".parse().unwrap(),
        expires: None,
        subkeys: Subkeys::default(),
    })
    .unwrap();
    let fingerprint = stolen.certificate().fingerprint();
    write(&world.path("stolen.key"), &stolen.protected(None).unwrap());
    write(&world.path("k1.passphrase"), format!("{ALICE}\n").as_bytes());
    let configuration = format!(
        "bridge = \"{}\"\nbridge-name = \"bridge.test\"\nserver = \"server.test\"\nuser = \"alice\"\n\
         certificate = \"alice.pem\"\nkey = \"alice.key\"\nauthority = \"ca.pem\"\n[passphrases]\nk1 = \"k1.passphrase\"\n",
        bridge.clients
    );
    write(&world.path("sigul.toml"), configuration.as_bytes());
    let folder = world.path("release");
    fs::create_dir_all(folder.join("rpms")).unwrap();
    for name in ["goose", "pond"] {
        fs::write(folder.join(format!("rpms/{name}.rpm")), sample::installable(name, "1")).unwrap();
    }
    let recipe = |sign: &str| {
        let text = format!(
            "[release]\nname = \"Goose Linux\"\nshort = \"Goose\"\nversion = \"1\"\n\
             source-date = \"2026-11-01T00:00:00Z\"\n[[source]]\ndir = \"rpms\"\non-unsigned = \"sign\"\n[variant.Base]\n\
             arches = [\"x86_64\"]\npackages = [\"goose\", \"pond\"]\nsources = false\n[sign]\n{sign}\n"
        );
        fs::write(folder.join("r.toml"), text).unwrap();
    };
    recipe(&format!("key-file = {:?}", world.path("stolen.key")));
    run(&world, "cache", &["compose", "r.toml", "--output", "one"], 0);
    let config = world.path("sigul.toml");
    recipe(&format!("sigul = {{ config = {config:?}, key = \"k1\" }}\ncompromised = [\"{fingerprint}\"]"));
    let again = run(&world, "cache", &["compose", "--resign", "r.toml", "--output", "two"], 0);
    let said = String::from_utf8(again.stdout).unwrap();
    let key = &world.keys[0];
    let line = format!("~ 2 packages: signed by {} instead of {fingerprint}", key.fingerprint());
    assert!(said.lines().any(|found| found == line), "{said}");
    let made = world.signatures();
    assert_eq!(made, 3, "two headers and repomd.xml");

    let two = files(&folder.join("two"));
    let file = |end: &str| two.iter().find(|(name, _)| name.ends_with(end)).unwrap().1;
    verify_detached(key, file("repomd.xml.asc"), &file("repomd.xml")[..], None).unwrap();
    for name in ["goose", "pond"] {
        let headers = Headers::read(&file(&format!("{name}-1-1.noarch.rpm"))[..]).unwrap();
        let packets = signature::packets(&headers.signature).unwrap();
        assert_eq!(packets.len(), 1);
        verify_detached(key, &packets[0].1, headers.main.bytes(), None).unwrap();
    }

    // Signatures of the service have times of their own: once more nothing may be signed.
    run(&world, "cache", &["compose", "--resign", "r.toml", "--output", "two"], 0);
    drop(bridge);
    fs::remove_file(config).unwrap();
    run(&world, "elsewhere", &["compose", "--locked", "r.toml", "--output", "three"], 0);
    assert_eq!(world.signatures(), made);
    assert_eq!((files(&folder.join("two")), files(&folder.join("three"))), (two.clone(), two));
}
