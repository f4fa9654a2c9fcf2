//! Tokens that refuse, lock, vanish or sign wrongly.

use std::fs;

use super::bench::Output;
use super::world::{USER, World, world};

/// Signs, with variables for the module.
fn sign(world: &World, key: &str, variables: &[(&str, &str)]) -> Output {
    world.gander_with(
        variables,
        &["sign", "detached", "data", "--key", key, "--passphrase-file", "pin", "--force"],
    )
}

/// A world with a key file `ed.token` whose module is the shim.
fn shimmed() -> Option<World> {
    let world = world(&["cc"])?;
    world.new_key("ed", "ed25519");
    let file = world.text("ed.token").replace(world.module.to_str().unwrap(), &world.shim());
    world.bench.write("ed.token", file);
    world.bench.write("data", "data");
    Some(world)
}

#[test]
fn what_is_missing_is_named() {
    let Some(world) = world(&[]) else { return };
    world.new_key("ed", "ed25519");
    world.bench.write("data", "data");
    sign(&world, "ed.token", &[]).exits(0);
    let file = world.text("ed.token");
    let edited = |name: &str, from: &str, to: &str| {
        assert!(file.contains(from), "{file}");
        world.bench.write(name, file.replace(from, to));
        sign(&world, name, &[])
    };
    let module = world.module.to_str().unwrap();
    edited("a.token", module, "/nowhere/none.so").exits(2).says("no PKCS #11 module '/nowhere/none.so'");
    edited("b.token", module, "none.so").exits(2).says("no PKCS #11 module 'none.so'");
    let text = world.bench.write("text.so", "text");
    edited("c.token", module, text.to_str().unwrap()).exits(4).says("cannot be used: libloading error");
    let there = "there is 'releases' (serial number ";
    edited("d.token", "\"releases\"", "\"other\"").exits(4).says("with the label 'other'").says(there);
    edited("e.token", "token-serial = \"", "token-serial = \"x").exits(4).says("no token with").says(there);
    edited("f.token", "key-label = \"ed\"", "key-label = \"swan\"").exits(3).says("and the label 'ed'");
    edited("g.token", "key-id = \"", "key-id = \"x").exits(3).says("'key-id' is not hexadecimal");
    edited("h.token", "module", "modul").exits(3).says("unknown field `modul`");
    edited("i.token", "BEGIN PGP", "BEGIN").exits(3).says("certificate is not usable");

    // Another key of the same token: the public parts differ.
    world.new_key("swan", "ed25519");
    let swan = world.text("swan.token");
    let line =
        |text: &str, start: &str| text.lines().find(|line| line.starts_with(start)).unwrap().to_owned();
    let other = file
        .replace(&line(&file, "key-id"), &line(&swan, "key-id"))
        .replace("key-label = \"ed\"", "key-label = \"swan\"");
    world.bench.write("other.token", other);
    sign(&world, "other.token", &[]).exits(3).says("no signature by the certificate's key");

    // Two tokens of a name are told apart by their serial numbers.
    world.token("releases");
    sign(&world, "ed.token", &[]).exits(0);
    world.key_token("list", &[]).exits(2).says("name one by its serial number");

    // Without a PIN, or with an empty one, nothing is tried.
    let bare = world.gander(&["sign", "detached", "data", "--key", "ed.token", "--force"]);
    bare.exits(2).says("wants its PIN, and none was given");
    // And the token itself: taken away.
    fs::rename(world.bench.path("tokens"), world.bench.path("drawer")).unwrap();
    fs::create_dir(world.bench.path("tokens")).unwrap();
    sign(&world, "ed.token", &[]).exits(4).says("no token with").says("there is none");
}

#[test]
fn a_wrong_pin_is_tried_once() {
    let Some(world) = shimmed() else { return };
    let log = world.bench.path("log");
    let logins = || {
        let count = fs::read_to_string(&log).unwrap_or_default().lines().count();
        fs::remove_file(&log).ok();
        count
    };
    let log = log.to_str().unwrap();
    sign(&world, "ed.token", &[("SHIM_LOG", log)]).exits(0);
    assert_eq!(logins(), 1);
    world.bench.write("pin", "wrong-PIN\n");
    let refused =
        sign(&world, "ed.token", &[("SHIM_LOG", log)]).exits(3).says("the PIN is not that of the token");
    assert!(!refused.to_string().contains("wrong-PIN"), "{refused}");
    assert_eq!(logins(), 1);
    let two = ["sign", "detached", "data", "--key", "ed.token", "--key", "ed.token"];
    let pins = ["--passphrase-file", "pin", "--passphrase-file", "pin"];
    world.gander_with(&[("SHIM_LOG", log)], &[&two[..], &pins].concat()).exits(3);
    assert_eq!(logins(), 1, "tried for the second key, too");
    // CKR_PIN_LOCKED.
    sign(&world, "ed.token", &[("SHIM_LOG", log), ("SHIM_LOGIN", "0xa4")])
        .exits(4)
        .says("is locked after wrong ones");
    assert_eq!(logins(), 1);
    // CKF_USER_PIN_LOCKED and CKF_USER_PIN_FINAL_TRY.
    sign(&world, "ed.token", &[("SHIM_LOG", log), ("SHIM_FLAGS", "0x40000")])
        .exits(4)
        .says("is locked after wrong ones");
    sign(&world, "ed.token", &[("SHIM_LOG", log), ("SHIM_FLAGS", "0x20000")])
        .exits(4)
        .says("so none was tried");
    world.bench.write("pin", "\n");
    sign(&world, "ed.token", &[("SHIM_LOG", log)]).exits(2).says("first line is empty");
    world.bench.write("pin", b"\xff\xfe\n");
    sign(&world, "ed.token", &[("SHIM_LOG", log)]).exits(2).says("text in UTF-8");
    assert_eq!(logins(), 0, "tried all the same");
    // CKF_PROTECTED_AUTHENTICATION_PATH: the PIN is typed at the token.
    let keypad = [("SHIM_LOG", log), ("SHIM_FLAGS", "0x100"), ("SHIM_LOGIN", "0xa0")];
    let bare = ["sign", "detached", "data", "--key", "ed.token"];
    world.gander_with(&keypad, &bare).exits(3).says("the PIN is not that of the token");
    assert_eq!(logins(), 1);
}

#[test]
fn what_goes_wrong_in_the_middle_is_no_signature() {
    let Some(world) = shimmed() else { return };
    sign(&world, "ed.token", &[]).exits(0);
    fs::remove_file(world.bench.path("data.asc")).unwrap();
    // CKR_DEVICE_REMOVED, CKR_TOKEN_NOT_PRESENT, CKR_MECHANISM_INVALID, CKR_GENERAL_ERROR, one that PKCS #11 does not know.
    for (answer, words) in [
        ("0x32", "the token 'releases' is gone"),
        ("0xe0", "the token 'releases' is gone"),
        ("0x70", "the token 'releases' does not do this"),
        ("0x5", "the token 'releases' failed"),
        ("0x7fffffff", "the token 'releases' failed"),
    ] {
        sign(&world, "ed.token", &[("SHIM_SIGN", answer)]).exits(4).says(words);
    }
    sign(&world, "ed.token", &[("SHIM_SIGN", "0")]).exits(3).says("no signature by the certificate's key");
    assert!(!world.bench.path("data.asc").exists(), "a signature all the same");

    // A key pair that gets no certificate does not stay.
    let shim = world.shim();
    let at = ["key", "token", "new", "--module", &shim, "--token", "releases", "--pin-file", "pin"];
    let new = ["--user-id", USER, "--algorithm", "ed25519", "--key-label", "swan", "-o", "swan.token"];
    world.gander_with(&[("SHIM_SIGN", "0x32")], &[&at[..], &new].concat()).exits(4).says("is gone");
    let listed = world.key_token("list", &[]).exits(0).stdout;
    assert!(listed.contains("'ed'") && !listed.contains("'swan'"), "{listed}");
}
