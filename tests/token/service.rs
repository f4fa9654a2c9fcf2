//! A signer whose keys are on a token.

use std::fs;
use std::path::Path;

use gander::openpgp::{Certificate, verify_detached};
use gander::sign::agent::request::{Answer, Bindings, Code, Operation as Op, Secret};

use super::signer::{ALICE, Asked, BOB, PASSWORD, Signer, code, sign_data};
use super::world::{PIN, World, world};

/// A signer that has a module, and sees what that needs.
fn signer(world: &World, module: &str, variables: &[(&str, &str)]) -> Signer {
    let path = |name: &str| world.bench.path(name).to_str().unwrap().to_owned();
    let (config, tokens, logs) = (path("softhsm2.conf"), path("tokens"), path("logs"));
    fs::create_dir_all(&logs).unwrap();
    let needs = ["--module-needs", &config, "--module-needs", &tokens, "--module-needs", &logs];
    let variables = [&[("SOFTHSM2_CONF", config.as_str())], variables].concat();
    let signer = Signer::with(&[&["--module", module], &needs[..]].concat(), &variables);
    signer.new_user("alice");
    signer.new_user("bob");
    signer
}

/// Has a key file become a key of alice.
fn import(signer: &Signer, key: &str, pin: &str, file: &[u8]) -> Asked {
    let operation = Op::ImportKey { key: key.into(), keytype: None, initial_key_admin: Some("alice".into()) };
    let secrets = [(Secret::Password, PASSWORD), (Secret::Passphrase, pin), (Secret::NewPassphrase, ALICE)];
    signer.with_data("root", operation, &secrets, file)
}

fn sign(signer: &Signer, user: &str, passphrase: &str) -> Asked {
    signer.with_data(user, sign_data("k1"), &[(Secret::Passphrase, passphrase)], b"data")
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![fs::read(path).unwrap()] })
        .collect()
}

#[test]
fn a_key_on_a_token_is_a_key_of_the_service() {
    let Some(world) = world(&[]) else { return };
    for (name, algorithm) in [("k1", "rsa4096"), ("k2", "ed25519")] {
        world.new_key(name, algorithm);
    }
    let [first, second] = ["k1.token", "k2.token"].map(|name| world.read(name));
    let certificate = Certificate::parse(&world.read("k1.asc")).unwrap();
    let module = world.module.to_str().unwrap();
    let signer = signer(&world, module, &[]);
    let seen = |path: &str| Path::new(&format!("/proc/{}/root{path}", signer.pid())).exists();
    assert!(seen("/store/vault.sqlite") && seen(world.bench.path("tokens").to_str().unwrap()));
    assert!(!seen("/etc") && !seen("/usr") && !seen(world.bench.path("pin").to_str().unwrap()));

    assert_eq!(code(import(&signer, "k1", "wrong", &first)), Code::ImportPassphraseError);
    let other = world.text("k1.token").replace(module, "/usr/lib/other.so");
    let refused = import(&signer, "k1", PIN, other.as_bytes()).unwrap_err();
    assert_eq!(refused.code, Code::InvalidImport);
    assert!(refused.to_string().contains("'/usr/lib/other.so' was not given to the signer"), "{refused}");
    let name = world.text("k1.token").replace("key-label = \"k1\"", "key-label = \"swan\"");
    assert_eq!(code(import(&signer, "k1", PIN, name.as_bytes())), Code::InvalidImport);
    assert_eq!(import(&signer, "k1", PIN, &first).unwrap().0, Answer::Done {});
    assert_eq!(code(import(&signer, "k3", PIN, &first)), Code::InvalidImport, "it is there already");

    let verify = |asked: Asked| {
        let packet = asked.unwrap().1;
        verify_detached(&certificate, &packet, &b"data"[..], None).unwrap();
        packet
    };
    verify(sign(&signer, "alice", ALICE));
    assert_eq!(code(sign(&signer, "alice", BOB)), Code::AuthenticationFailed);
    assert_eq!(code(sign(&signer, "bob", BOB)), Code::AuthenticationFailed);
    // While alice's session with the token is open, it would take any PIN for right.
    let refused = import(&signer, "k2", "wrong", &second).unwrap_err();
    assert!(refused.to_string().contains("is in use"), "{refused}");
    signer.signal("USR1");
    let start = std::time::Instant::now();
    while let Err(refused) = import(&signer, "k2", PIN, &second) {
        assert!(refused.to_string().contains("is in use"), "{refused}");
        assert!(start.elapsed().as_secs() < 20);
    }

    let grant = Op::GrantKeyAccess { key: "k1".into(), name: "bob".into(), bindings: Bindings::default() };
    signer.ask("alice", grant, &[(Secret::Passphrase, ALICE), (Secret::NewPassphrase, BOB)]).unwrap();
    verify(sign(&signer, "bob", BOB));
    let extend =
        Op::ChangeKeyExpiration { key: "k1".into(), subkey: None, expire_date: Some("2045-05-05".into()) };
    signer.ask("alice", extend, &[(Secret::Passphrase, ALICE)]).unwrap();
    let public = Op::GetPublicKey { key: "k1".into() };
    let public = signer.ask("bob", public, &[(Secret::Passphrase, BOB)]).unwrap().1;
    world.bench.write("public.asc", &public);
    let shown = world.gander(&["key", "show", "public.asc"]).exits(0).stdout;
    assert!(shown.contains("expires      2045-05-05"), "{shown}");

    // After a restart all that it needs is in its store, and the PIN is nowhere to be read.
    signer.end("TERM");
    signer.start();
    verify(sign(&signer, "alice", ALICE));
    let delete = Op::DeleteKey { key: "k2".into() };
    signer.administer(delete).unwrap();
    for bytes in files(&signer.store()).into_iter().chain([signer.log().into_bytes()]) {
        assert!(!bytes.windows(PIN.len()).any(|window| window == PIN.as_bytes()), "the PIN");
    }
    assert!(signer.verify_ledger().0);
    let entries = signer.ledger();
    assert_eq!(entries.iter().filter(|entry| entry["event"] == "signature").count(), 3);
    // The token still has the key of the service that was deleted.
    assert!(world.key_token("list", &[]).exits(0).stdout.contains("k2"));
}

#[test]
fn a_pin_that_a_token_refuses_is_not_tried_again() {
    let Some(world) = world(&["cc"]) else { return };
    world.new_key("k1", "ed25519");
    let shim = world.shim();
    let file = world.text("k1.token").replace(world.module.to_str().unwrap(), &shim);
    let config = world.bench.path("softhsm2.conf").to_str().unwrap().to_owned();
    let log = world.bench.path("logs/log").to_str().unwrap().to_owned();
    let variables = [("SOFTHSM2_CONF", config.as_str()), ("SHIM_LOG", log.as_str())];
    let signer = signer(&world, &shim, &variables);
    import(&signer, "k1", PIN, file.as_bytes()).unwrap();
    let restart = |more: &[(&str, &str)]| {
        signer.end("TERM");
        fs::write(&log, "").unwrap();
        signer.set(&[&variables[..], more].concat());
        signer.start();
    };
    let logins = || fs::read_to_string(&log).unwrap().lines().count();

    restart(&[]);
    sign(&signer, "alice", ALICE).unwrap();
    sign(&signer, "alice", ALICE).unwrap();
    assert_eq!(logins(), 1, "the token is open");

    // CKR_PIN_INCORRECT: somebody has set another PIN.
    restart(&[("SHIM_LOGIN", "0xa0")]);
    // Also where many come at once.
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(code(sign(&signer, "alice", ALICE)), Code::UnknownError));
        }
    });
    assert_eq!(logins(), 1);
    assert!(signer.log().contains("has refused the PIN that is kept"), "{}", signer.log());
    signer.signal("HUP");
    let start = std::time::Instant::now();
    while logins() < 2 {
        assert_eq!(code(sign(&signer, "alice", ALICE)), Code::UnknownError);
        assert!(start.elapsed().as_secs() < 20);
    }

    // CKR_DEVICE_REMOVED: it was pulled, and is opened anew by the next request.
    restart(&[("SHIM_SIGN", "0x32")]);
    for number in 1..3 {
        let refused = sign(&signer, "alice", ALICE).unwrap_err();
        assert!(refused.to_string().contains("is gone"), "{refused}");
        assert_eq!(logins(), number);
    }
    // One that signs wrongly is found out.
    restart(&[("SHIM_SIGN", "0")]);
    let refused = sign(&signer, "alice", ALICE).unwrap_err();
    assert!(refused.to_string().contains("no signature by the certificate's key"), "{refused}");
    restart(&[]);
    sign(&signer, "alice", ALICE).unwrap();
}
