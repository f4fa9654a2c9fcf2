//! Keys that come from elsewhere, that expire, and that decrypt.

use std::fs;
use std::path::Path;
use std::process::Command;

use gander::openpgp::{Certificate, verify_detached};
use gander::sign::NewKey;
use gander::sign::agent::request::{Answer, Code, Operation as Op, Secret};
use gander::sign::key::{Algorithm, SecretKey, Spec, Subkeys};

use super::world::{ALICE, BOB, PASSWORD, Signer, code, new_key, sign_data};

const OWN: &str = "passphrase-of-the-key-itself-4e01";

fn import(
    signer: &Signer,
    key: &str,
    keytype: Option<&str>,
    admin: &str,
    passphrase: &str,
    data: &[u8],
) -> super::world::Asked {
    let operation = Op::ImportKey {
        key: key.into(),
        keytype: keytype.map(Into::into),
        initial_key_admin: Some(admin.into()),
    };
    let secrets =
        [(Secret::Password, PASSWORD), (Secret::Passphrase, passphrase), (Secret::NewPassphrase, BOB)];
    signer.with_data("root", operation, &secrets, data)
}

#[test]
fn a_key_is_imported_only_once_and_with_its_passphrase() {
    let signer = Signer::new(&[]);
    signer.with_key("ed25519");
    let folder = tempfile::tempdir().unwrap();
    let made = NewKey::rsa(
        "Two <two@example.org>",
        "2026-01-01T00:00:00Z".parse().unwrap(),
        None,
        Some(OWN.as_bytes()),
    )
    .unwrap();
    let (secret, public) = made.write(folder.path()).unwrap();
    let (secret, public) = (fs::read(secret).unwrap(), fs::read(public).unwrap());
    assert_eq!(code(import(&signer, "k1", None, "bob", OWN, &secret)), Code::AlreadyExists);
    assert_eq!(code(import(&signer, "k2", Some("ECC"), "bob", OWN, &secret)), Code::UnsupportedKeytype);
    assert_eq!(code(import(&signer, "k2", None, "zoe", OWN, &secret)), Code::UserNotFound);
    assert_eq!(code(import(&signer, "k2", None, "bob", "wrong", &secret)), Code::ImportPassphraseError);
    assert_eq!(code(import(&signer, "k2", None, "bob", OWN, &public)), Code::InvalidImport);
    assert_eq!(code(import(&signer, "k2", None, "bob", OWN, b"no key")), Code::InvalidImport);
    let large = vec![b'x'; (1 << 20) + 1];
    assert_eq!(code(import(&signer, "k2", None, "bob", OWN, &large)), Code::InvalidRequest);
    assert_eq!(import(&signer, "k2", Some("gnupg"), "bob", OWN, &secret).unwrap().0, Answer::Done {});
    assert_eq!(code(import(&signer, "k3", None, "bob", OWN, &secret)), Code::InvalidImport);
    let packet = signer.with_data("bob", sign_data("k2"), &[(Secret::Passphrase, BOB)], b"x").unwrap().1;
    verify_detached(&Certificate::parse(&public).unwrap(), &packet, &b"x"[..], None).unwrap();
    assert_eq!(fs::read_dir(signer.store().join("keys")).unwrap().count(), 2);
}

#[test]
fn a_key_that_must_not_be_used_is_not_imported() {
    let signer = Signer::new(&[]);
    signer.with_key("ed25519");
    let refused = |key: &[u8], reason: &str| {
        let refused = import(&signer, "k2", None, "bob", OWN, key).unwrap_err();
        assert_eq!(refused.code, Code::InvalidImport, "{reason}");
        assert!(refused.to_string().contains(reason), "{refused}");
    };
    let [made, ended] = ["2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z"].map(|date| date.parse().unwrap());
    let spec = Spec {
        algorithm: Algorithm::Ed25519,
        user_id: "Two <two@example.org>",
        created: made,
        expires: Some(ended),
        subkeys: Subkeys::default(),
    };
    refused(
        &SecretKey::generate(&spec).unwrap().protected(Some(OWN.as_bytes())).unwrap(),
        "Expired on 2021-01-01",
    );
    if Command::new("gpg").arg("--version").output().is_err() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "gpg is missing");
        eprintln!("SKIPPED: weak keys: gpg is not installed");
        return;
    }
    for (kind, reason) in [("rsa1024", "too short"), ("dsa2048", "DSA is not used")] {
        let home = tempfile::tempdir().unwrap();
        let gpg = |arguments: &[&str]| {
            let mut command = Command::new("gpg");
            command.arg("--homedir").arg(home.path());
            command.args(["--batch", "--pinentry-mode", "loopback", "--passphrase", OWN]);
            let output = command.args(arguments).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            output.stdout
        };
        gpg(&["--quick-generate-key", "Two <two@example.org>", kind, "sign", "never"]);
        refused(&gpg(&["--export-secret-keys"]), reason);
        Command::new("gpgconf").arg("--homedir").arg(home.path()).args(["--kill", "all"]).status().unwrap();
    }
}

#[test]
fn what_cannot_be_a_new_key_is_refused() {
    let signer = Signer::new(&[]);
    signer.with_key("ed25519");
    type Field<'a> = &'a mut Option<String>;
    let change = |change: &dyn Fn(Field<'_>, Field<'_>, Field<'_>)| {
        let mut operation = new_key("k2", "ed25519");
        if let Op::NewKey { keytype, name_real, expire_date, .. } = &mut operation {
            change(keytype, name_real, expire_date);
        }
        let secrets = [(Secret::Password, PASSWORD), (Secret::Passphrase, ALICE)];
        signer.ask("root", operation, &secrets)
    };
    assert_eq!(code(change(&|keytype, _, _| *keytype = Some("RSA".into()))), Code::UnsupportedKeytype);
    for name in ["", " x", "a\nb", "<x>"] {
        assert_eq!(code(change(&|_, real, _| *real = Some(name.into()))), Code::InvalidRequest, "{name:?}");
    }
    for day in ["2028-13-01", "tomorrow", "2028-12-31T00:00:00Z"] {
        assert_eq!(code(change(&|_, _, date| *date = Some(day.into()))), Code::InvalidRequest, "{day:?}");
    }
    let refusal = change(&|_, _, date| *date = Some("2001-01-01".into())).unwrap_err();
    assert_eq!(
        (refusal.code, refusal.message.as_deref()),
        (Code::UnknownError, Some("the day of expiry has passed"))
    );
    assert_eq!(
        code(signer.ask(
            "root",
            new_key("k1", "ed25519"),
            &[(Secret::Password, PASSWORD), (Secret::Passphrase, ALICE)]
        )),
        Code::AlreadyExists
    );
    assert_eq!(
        code(signer.ask("root", new_key("k2", "ed25519"), &[(Secret::Password, PASSWORD)])),
        Code::InvalidRequest
    );
    // sigul fails without a name; here the key's name serves.
    let (_, payload) = change(&|_, real, date| (*real, *date) = (None, Some("2089-12-31".into()))).unwrap();
    let certificate = Certificate::parse(&payload).unwrap();
    assert_eq!(certificate.user_ids(), ["k2 <one@example.org>"]);
    assert_eq!(
        certificate.expiry().unwrap(),
        Some("2089-12-31T12:00:00Z".parse::<gander::base::SourceDate>().unwrap().seconds())
    );
}

#[test]
fn the_day_of_expiry_is_changed_by_who_administers_the_key() {
    let signer = Signer::new(&[]);
    let before = signer.with_key("rsa4096");
    let expire = |day: Option<&str>, secret: &str| {
        let operation =
            Op::ChangeKeyExpiration { key: "k1".into(), subkey: None, expire_date: day.map(Into::into) };
        signer.ask("alice", operation, &[(Secret::Passphrase, secret)])
    };
    let now = || {
        let (_, payload) = signer
            .ask("alice", Op::GetPublicKey { key: "k1".into() }, &[(Secret::Passphrase, ALICE)])
            .unwrap();
        let certificate = Certificate::parse(&payload).unwrap();
        assert_eq!(certificate.fingerprint(), before.fingerprint());
        certificate.expiry().unwrap()
    };
    assert_eq!(now(), None);
    expire(Some("2090-01-02"), ALICE).unwrap();
    assert_eq!(now(), Some("2090-01-02T12:00:00Z".parse::<gander::base::SourceDate>().unwrap().seconds()));
    let packet = signer.sign_data(b"x").unwrap().1;
    verify_detached(&before, &packet, &b"x"[..], None).unwrap();
    // The next second, since the newest binding counts.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    expire(None, ALICE).unwrap();
    assert_eq!(now(), None);
    assert_eq!(code(expire(Some("1999-01-01"), ALICE)), Code::UnknownError);
    assert_eq!(code(expire(None, "wrong")), Code::AuthenticationFailed);
}

#[test]
fn a_key_of_gpg_decrypts_what_gpg_encrypted() {
    let home = tempfile::tempdir().unwrap();
    let gpg = |arguments: &[&str], input: Option<&Path>| {
        let mut command = Command::new("gpg");
        command.args([
            "--homedir",
            home.path().to_str().unwrap(),
            "--batch",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            OWN,
        ]);
        command.args(arguments).args(input).output()
    };
    if !gpg(&["--version"], None).is_ok_and(|output| output.status.success()) {
        println!("SKIPPED a_key_of_gpg_decrypts_what_gpg_encrypted: there is no gpg");
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "gpg is missing");
        return;
    }
    let made =
        gpg(&["--quick-generate-key", "Three <three@example.org>", "default", "default", "never"], None)
            .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let secret = gpg(&["--export-secret-keys"], None).unwrap().stdout;
    let message = home.path().join("message");
    fs::write(&message, "a secret message").unwrap();
    let to = ["--trust-model", "always", "-r", "three@example.org", "-o", "-", "--encrypt"];
    let encrypted = gpg(&to, Some(&message)).unwrap();
    assert!(encrypted.status.success(), "{}", String::from_utf8_lossy(&encrypted.stderr));

    let signer = Signer::new(&[]);
    signer.with_key("ed25519");
    import(&signer, "k3", None, "bob", OWN, &secret).unwrap();
    let decrypt = |key: &str, user: &str, secret: &str, data: &[u8]| {
        signer.with_data(user, Op::Decrypt { key: key.into() }, &[(Secret::Passphrase, secret)], data)
    };
    let (answer, cleartext) = decrypt("k3", "bob", BOB, &encrypted.stdout).unwrap();
    assert_eq!((answer, cleartext.as_slice()), (Answer::Cleartext {}, &b"a secret message"[..]));
    assert_eq!(code(decrypt("k1", "alice", ALICE, &encrypted.stdout)), Code::DecryptFailed);
    let signed = gpg(&["-o", "-", "--sign"], Some(&message)).unwrap();
    assert!(signed.status.success(), "{}", String::from_utf8_lossy(&signed.stderr));
    assert_eq!(code(decrypt("k3", "bob", BOB, &signed.stdout)), Code::DecryptFailed);
    // A key that was made here has something to encrypt to, too, which expires on its own.
    for (key, algorithm) in [("k4", "rsa3072"), ("k5", "ed25519")] {
        let secrets = [(Secret::Password, PASSWORD), (Secret::Passphrase, ALICE)];
        let mut operation = new_key(key, algorithm);
        if let Op::NewKey { name_email, .. } = &mut operation {
            *name_email = Some(format!("{key}@example.org"));
        }
        let (_, public) = signer.ask("root", operation, &secrets).unwrap();
        fs::write(home.path().join("public"), public).unwrap();
        assert!(gpg(&["--import"], Some(&home.path().join("public"))).unwrap().status.success());
        let to = ["--trust-model", "always", "-r", &format!("{key}@example.org"), "-o", "-", "--encrypt"];
        let encrypted = gpg(&to, Some(&message)).unwrap();
        assert!(encrypted.status.success(), "{}", String::from_utf8_lossy(&encrypted.stderr));
        let (_, cleartext) = decrypt(key, "alice", ALICE, &encrypted.stdout).unwrap();
        assert_eq!(cleartext, b"a secret message");

        let expire = |subkey, day: &str| {
            let operation =
                Op::ChangeKeyExpiration { key: key.into(), subkey, expire_date: Some(day.into()) };
            signer.ask("alice", operation, &[(Secret::Passphrase, ALICE)])
        };
        expire(Some(1), "2090-01-02").unwrap();
        assert_eq!(code(expire(Some(2), "2090-01-02")), Code::UnknownError);
        let public =
            signer.ask("alice", Op::GetPublicKey { key: key.into() }, &[(Secret::Passphrase, ALICE)]);
        fs::write(home.path().join("public"), public.unwrap().1).unwrap();
        // The newest binding is of the next second.
        std::thread::sleep(std::time::Duration::from_millis(1100));
        assert!(gpg(&["--import"], Some(&home.path().join("public"))).unwrap().status.success());
        let listed = gpg(&["--with-colons", "-k", &format!("{key}@example.org")], None).unwrap().stdout;
        let listed = String::from_utf8(listed).unwrap();
        let expiry = |kind: &str| {
            let line = listed.lines().find(|line| line.starts_with(kind)).unwrap();
            line.split(':').nth(6).unwrap().to_owned()
        };
        let day: gander::base::SourceDate = "2090-01-02T12:00:00Z".parse().unwrap();
        assert_eq!((expiry("pub"), expiry("sub")), (String::new(), day.seconds().to_string()), "{listed}");
    }
    let mut flipped = encrypted.stdout.clone();
    *flipped.last_mut().unwrap() ^= 1;
    assert_eq!(code(decrypt("k3", "bob", BOB, &flipped)), Code::DecryptFailed);
    assert_eq!(code(decrypt("k3", "bob", BOB, b"no message")), Code::DecryptFailed);
    assert!(signer.ledger().iter().any(|entry| entry["event"] == "decryption"));
}

#[test]
fn passwords_of_openssl_are_taken_as_sigul_would() {
    let made = Command::new("openssl").args(["passwd", "-6", "a password"]).output();
    let Some(made) = made.ok().filter(|output| output.status.success()) else {
        println!("SKIPPED passwords_of_openssl_are_taken_as_sigul_would: there is no openssl");
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "openssl is missing");
        return;
    };
    let string = String::from_utf8(made.stdout).unwrap();
    let signer = Signer::new(&[]);
    signer.end("TERM");
    // As in a database that comes from sigul, where the string is a BLOB.
    let database = rusqlite::Connection::open(signer.store().join("vault.sqlite")).unwrap();
    let sql = "INSERT INTO users (name, sha512_password, admin) VALUES ('old', ?, 1)";
    database.execute(sql, [string.trim().as_bytes()]).unwrap();
    drop(database);
    signer.start();
    signer.ask("old", Op::ListUsers {}, &[(Secret::Password, "a password")]).unwrap();
    assert_eq!(
        code(signer.ask("old", Op::ListUsers {}, &[(Secret::Password, "a Password")])),
        Code::AuthenticationFailed
    );
}
