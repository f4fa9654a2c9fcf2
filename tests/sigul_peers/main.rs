//! Clients of sigul's protocol that we did not write judge our bridge, server and signer: siguldry's, by its driver.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test may fail")]
#![allow(clippy::disallowed_methods, reason = "tests read the environment and start the peers")]

mod world;

use std::fs;
use std::process::Command;

use gander::sigul::authority::Authority;
use serde_json::{Value, json};
use world::{PASSWORD, Service, driver};

/// The administrator's operation of that name, with arguments.
fn by_root(op: &str, arguments: Value) -> Value {
    let mut operation = json!({ "op": op, "password": PASSWORD });
    let Value::Object(arguments) = arguments else { panic!("{arguments}") };
    operation.as_object_mut().unwrap().extend(arguments);
    operation
}

fn new_key(key: &str, passphrase: &str) -> Value {
    by_root(
        "new_key",
        json!({ "key": key, "passphrase": passphrase, "name_real": "Key", "name_email": "k@example.org" }),
    )
}

#[test]
fn users_keys_accesses_and_passphrases_are_administered() {
    let Some(driver) = driver() else { return };
    let service = Service::start(driver);
    let mut root = service.siguldry("root");
    assert_eq!(root.done(by_root("users", json!({}))), json!(["root"]));
    assert_eq!(root.done(by_root("server_binding_methods", json!({}))), json!([]));

    root.done(by_root("create_user", json!({ "name": "goose", "admin": false })));
    root.done(by_root("create_user", json!({ "name": "duck", "admin": true, "new_password": "quack" })));
    assert_eq!(root.done(by_root("users", json!({}))), json!(["duck", "goose", "root"]));
    let duck = root.done(by_root("get_user", json!({ "name": "duck" })));
    assert_eq!(duck, json!({ "name": "duck", "admin": true }));
    root.done(by_root("modify_user", json!({ "name": "duck", "admin": false, "new_name": "drake" })));
    let drake = root.done(by_root("get_user", json!({ "name": "drake" })));
    assert_eq!(drake, json!({ "name": "drake", "admin": false }));
    root.done(by_root("delete_user", json!({ "name": "drake" })));

    let made = root.done(new_key("k1", "roots"));
    assert_eq!(made["key"], "k1");
    assert!(made["data"].as_str().unwrap().starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----"), "{made}");
    assert_eq!(root.done(by_root("get_public_key", json!({ "key": "k1" }))), made);
    assert_eq!(root.done(by_root("keys", json!({}))), json!(["k1 (gnupg)"]));
    let grant = json!({ "key": "k1", "passphrase": "roots", "name": "goose", "new_passphrase": "first" });
    root.done(by_root("grant_key_access", grant));
    assert_eq!(root.done(by_root("key_users", json!({ "key": "k1" }))), json!(["goose", "root"]));
    let access = json!({ "key": "k1", "name": "goose" });
    let plain = json!({ "key": "k1", "user": "goose", "admin": false });
    assert_eq!(root.done(by_root("key_user_info", access.clone())), plain);
    let more = json!({ "key": "k1", "name": "goose", "key_admin": true });
    root.done(by_root("modify_key_user", more));
    assert_eq!(root.done(by_root("key_user_info", access.clone()))["admin"], true);

    let change =
        json!({ "op": "change_passphrase", "key": "k1", "passphrase": "first", "new_passphrase": "second" });
    service.siguldry("goose").done(change);
    root.done(by_root("modify_key", json!({ "key": "k1", "new_name": "k2" })));
    // What siguldry arranged holds for who signs.
    fs::write(service.folder.path().join("data"), "text\n").unwrap();
    let sign = ["sign-data", "k2", "data", "-o", "data.sig"];
    let signed = service.ask("goose", &["second"], &sign);
    assert!(signed.status.success(), "{}", String::from_utf8_lossy(&signed.stderr));
    assert!(!service.ask("goose", &["first"], &sign).status.success());
    if let Some(gpg) = gpg(&service) {
        fs::write(service.folder.path().join("k.asc"), made["data"].as_str().unwrap()).unwrap();
        gpg(&["--import", "k.asc"]);
        gpg(&["--verify", "data.sig", "data"]);
    }

    root.done(by_root("revoke_key_access", json!({ "key": "k2", "name": "goose" })));
    assert_eq!(root.done(by_root("key_users", json!({ "key": "k2" }))), json!(["root"]));
    let expiry = json!({ "key": "k2", "passphrase": "roots", "expire_date": "2090-06-01" });
    root.done(by_root("change_key_expiration", expiry));
    let expiring = root.done(by_root("get_public_key", json!({ "key": "k2" })));
    assert_ne!(expiring["data"], made["data"], "the certificate has another self-signature");
    root.done(by_root("delete_key", json!({ "key": "k2" })));
    assert_eq!(root.done(by_root("keys", json!({}))), json!([]));
}

/// gpg with a home of its own, which has to succeed; none where the machine has no gpg.
fn gpg(service: &Service) -> Option<impl Fn(&[&str]) -> Vec<u8>> {
    if Command::new("gpg").arg("--version").output().is_err() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "gpg is not installed");
        eprintln!("SKIPPED: gpg is not installed");
        return None;
    }
    let folder = service.folder.path().to_path_buf();
    // Beside the rest: the path of its agent's socket has to be short.
    let home = folder.join("gpg");
    fs::create_dir(&home).unwrap();
    fs::set_permissions(&home, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    Some(move |arguments: &[&str]| {
        let done = Command::new("gpg")
            .args(["--batch", "--quiet", "--pinentry-mode", "loopback", "--homedir"])
            .arg(&home)
            .args(arguments)
            .current_dir(&folder)
            .output()
            .unwrap();
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        done.stdout
    })
}

#[test]
fn a_key_of_gpg_is_imported_and_signs() {
    let Some(driver) = driver() else { return };
    let service = Service::start(driver);
    let Some(gpg) = gpg(&service) else { return };
    gpg(&["--passphrase", "old", "--quick-gen-key", "Imported <i@example.org>", "ed25519", "sign", "never"]);
    let secret = gpg(&["--passphrase", "old", "--armor", "--export-secret-keys"]);
    let public = gpg(&["--armor", "--export"]);
    Command::new("gpgconf")
        .args(["--kill", "all"])
        .env("GNUPGHOME", service.folder.path().join("gpg"))
        .status()
        .ok();
    let mut root = service.siguldry("root");
    let import = |passphrase: &str, bytes: &[u8]| {
        let secret = String::from_utf8_lossy(bytes);
        let arguments =
            json!({ "key": "i1", "passphrase": passphrase, "new_passphrase": "new", "secret": secret });
        by_root("import_key", arguments)
    };
    assert_eq!(root.refused(import("old", b"nothing")), "InvalidImport");
    assert_eq!(root.refused(import("old", &public)), "InvalidImport");
    assert_eq!(root.refused(import("other", &secret)), "ImportPassphraseError");
    root.done(import("old", &secret));
    assert_eq!(root.refused(import("old", &secret)), "AlreadyExists");
    fs::write(service.folder.path().join("data"), "text\n").unwrap();
    let signed = service.ask("root", &["new"], &["sign-data", "i1", "data", "-o", "data.sig"]);
    assert!(signed.status.success(), "{}", String::from_utf8_lossy(&signed.stderr));
    gpg(&["--verify", "data.sig", "data"]);
}

#[test]
fn refusals_have_the_codes_of_sigul() {
    let Some(driver) = driver() else { return };
    let service = Service::start(driver);
    let mut root = service.siguldry("root");
    root.done(by_root("create_user", json!({ "name": "goose", "admin": false, "new_password": "honk" })));
    root.done(by_root("create_user", json!({ "name": "duck", "admin": false })));
    root.done(new_key("k1", "roots"));
    let grant = |key: &str, name: &str, passphrase: &str| {
        let arguments =
            json!({ "key": key, "name": name, "passphrase": passphrase, "new_passphrase": "honk" });
        by_root("grant_key_access", arguments)
    };
    root.done(grant("k1", "goose", "roots"));
    let by_goose = |op: &str, arguments: Value| {
        let mut operation = by_root(op, arguments);
        operation["password"] = "honk".into();
        operation
    };
    let mut goose = service.siguldry("goose");
    let wrong = |operation: Value| {
        let mut operation = operation;
        operation["password"] = "wrong".into();
        operation
    };
    let access = |name: &str, key: &str| json!({ "name": name, "key": key });
    // As sigul 1.2 answered the same.
    let cases = [
        (wrong(by_root("users", json!({}))), "AuthenticationFailed"),
        (by_root("create_user", json!({ "name": "goose", "admin": true })), "AlreadyExists"),
        (by_root("get_user", json!({ "name": "swan" })), "UserNotFound"),
        (by_root("modify_user", json!({ "name": "swan", "admin": true })), "UserNotFound"),
        (by_root("modify_user", json!({ "name": "goose", "new_name": "duck" })), "AlreadyExists"),
        (by_root("modify_user", json!({ "name": "goose", "new_name": "goose" })), "AlreadyExists"),
        (by_root("delete_user", json!({ "name": "swan" })), "UserNotFound"),
        (by_root("delete_user", json!({ "name": "goose" })), "UserHasKeyAccess"),
        (by_root("key_user_info", access("swan", "no")), "UserNotFound"),
        (by_root("key_user_info", access("goose", "no")), "KeyNotFound"),
        (by_root("key_user_info", access("duck", "k1")), "KeyUserNotFound"),
        (by_root("modify_key_user", access("duck", "k1")), "KeyUserNotFound"),
        (new_key("k1", "other"), "AlreadyExists"),
        (
            by_root("new_key", json!({ "key": "k2", "passphrase": "p", "keytype": "ECC" })),
            "UnsupportedKeyType",
        ),
        (
            by_root("new_key", json!({ "key": "k2", "passphrase": "p", "initial_key_admin": "swan" })),
            "UserNotFound",
        ),
        (by_root("modify_key", json!({ "key": "no", "new_name": "k2" })), "KeyNotFound"),
        (by_root("modify_key", json!({ "key": "k1", "new_name": "k1" })), "AlreadyExists"),
        (by_root("delete_key", json!({ "key": "no" })), "KeyNotFound"),
        (by_root("get_public_key", json!({ "key": "no" })), "AuthenticationFailed"),
        (by_root("key_users", json!({ "key": "no" })), "AuthenticationFailed"),
        (grant("k1", "swan", "roots"), "UserNotFound"),
        (grant("k1", "goose", "roots"), "AlreadyExists"),
        (grant("no", "duck", "roots"), "AuthenticationFailed"),
        (by_root("revoke_key_access", access("swan", "k1")), "UserNotFound"),
        (by_root("revoke_key_access", access("duck", "k1")), "KeyUserNotFound"),
    ];
    for (operation, code) in cases {
        let refused = root.refused(operation.clone());
        assert_eq!(refused, code, "{operation}");
    }
    assert_eq!(goose.refused(by_goose("users", json!({}))), "AuthenticationFailed");
    assert_eq!(goose.refused(by_goose("key_users", json!({ "key": "k1" }))), "AuthenticationFailed");
    root.done(by_root("revoke_key_access", access("goose", "k1")));
    assert_eq!(root.refused(by_root("revoke_key_access", access("root", "k1"))), "OnlyOneKeyUser");
    // Nothing of all that changed anything.
    assert_eq!(root.done(by_root("users", json!({}))), json!(["duck", "goose", "root"]));
    assert_eq!(root.done(by_root("keys", json!({}))), json!(["k1 (gnupg)"]));
    for part in ["bridge", "server"] {
        let log = service.log(part);
        for secret in [PASSWORD, "roots", "honk"] {
            assert!(!log.contains(secret), "{part}: {log}");
        }
    }
}

#[test]
fn who_is_another_is_refused() {
    let Some(driver) = driver() else { return };
    let service = Service::start(driver);
    // The password is right; the certificate is of another user.
    let mut posing = service.siguldry_with("root", &service.path("users/goose"));
    assert_eq!(posing.refused(by_root("users", json!({}))), "AuthenticationFailed");
    // The names are right; the authority is another.
    let folder = service.folder.path().join("other");
    fs::create_dir(&folder).unwrap();
    let issued = Authority::create("Other", 1).unwrap().issue("root", 1).unwrap();
    fs::write(folder.join("user.pem"), &issued.certificate).unwrap();
    fs::write(folder.join("user.key"), &*issued.key).unwrap();
    let outcome = service.siguldry_with("root", &folder).outcome(&by_root("users", json!({})));
    assert_eq!(outcome["error"]["kind"], "connection", "{outcome}");
    assert_eq!(service.siguldry("root").done(by_root("users", json!({}))), json!(["root"]));
}
