//! A sigul server's database and GnuPG home become a store, and its users sign as before.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use gander::openpgp::{Certificate, verify_detached};
use gander::sign::agent::request::{Answer, Bindings, Code, Operation as Op, Secret};
use rusqlite::{Connection, params};
use tempfile::TempDir;

use super::world::{ALICE, BOB, PASSWORD, Signer, code, gander, sign_data};

/// As sigul 1.2 makes its tables (`sigul_server_create_db` and SQLAlchemy 1.4).
const SCHEMA: &str = "
CREATE TABLE users (id INTEGER NOT NULL, name TEXT NOT NULL, sha512_password BINARY, admin BOOLEAN NOT NULL,
    PRIMARY KEY (id), UNIQUE (name));
CREATE TABLE keys (id INTEGER NOT NULL, name TEXT NOT NULL, keytype VARCHAR(5) NOT NULL, fingerprint TEXT NOT NULL,
    PRIMARY KEY (id), UNIQUE (name), UNIQUE (fingerprint));
CREATE TABLE key_accesses (id INTEGER NOT NULL, key_id INTEGER NOT NULL, user_id INTEGER NOT NULL,
    encrypted_passphrase BINARY NOT NULL, key_admin BOOLEAN NOT NULL, PRIMARY KEY (id), UNIQUE (key_id, user_id),
    FOREIGN KEY(key_id) REFERENCES keys (id), FOREIGN KEY(user_id) REFERENCES users (id));
";
/// The passphrases of the keys in the GnuPG home, as sigul makes them.
const INNER: [&str; 2] = [
    "8vYw3tq0nJ5xkq2mC1l7bD9uFhRr_4sZ-aE6gTyPiWoKdXcVfBnMjLQUzGHSI0eN",
    "Zk2_pQ7wE9rT1yU4iO6aS8dF0gH3jK5lX-cV7bN9mM2nB4vC6xZ8lK0jH1gF3dSa",
];

/// A sigul server's files: users root (administrator), alice, bob and zoe; keys k1 (RSA) of alice and bob, k2 (Ed25519,
/// with an encryption subkey) of bob; ec, a key of the type ECC.
struct Old {
    folder: TempDir,
}

fn gpg(home: &std::path::Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new("gpg")
        .arg("--homedir")
        .arg(home)
        .args(["--batch", "--no-tty", "--pinentry-mode", "loopback"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

impl Old {
    /// None, and a word about it, where there is no gpg.
    fn new(test: &str) -> Option<Self> {
        if Command::new("gpg").arg("--version").output().is_err() {
            assert!(std::env::var_os("CI").is_none(), "{test}: gpg is not installed");
            println!("SKIPPED {test}: gpg is not installed");
            return None;
        }
        let old = Self { folder: tempfile::tempdir().unwrap() };
        let home = old.home();
        fs::create_dir(&home).unwrap();
        fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
        let database = old.database();
        database.execute_batch(SCHEMA).unwrap();
        let crypt = Command::new("openssl").args(["passwd", "-6", PASSWORD]).output().unwrap().stdout;
        let users = [("root", true), ("alice", false), ("bob", false), ("zoe", false)];
        for (name, admin) in users {
            let password = admin.then(|| crypt.trim_ascii_end().to_vec());
            let sql = "INSERT INTO users (name, sha512_password, admin) VALUES (?, ?, ?)";
            database.execute(sql, params![name, password, admin]).unwrap();
        }
        for (name, terms) in [
            ("k1", "Key-Type: RSA\nKey-Length: 2048\nKey-Usage: sign"),
            (
                "k2",
                "Key-Type: EDDSA\nKey-Curve: ed25519\nKey-Usage: sign\nSubkey-Type: ECDH\nSubkey-Curve: cv25519",
            ),
        ] {
            let inner = INNER[usize::from(name == "k2")];
            let wanted =
                format!("{terms}\nName-Real: {name}\nExpire-Date: 0\nPassphrase: {inner}\n%commit\n");
            gpg(&home, &["--gen-key"], &wanted);
            let listed = gpg(&home, &["--with-colons", "--list-keys", &format!("={name}")], "").stdout;
            let listed = String::from_utf8(listed).unwrap();
            let fingerprint = listed.lines().find_map(|line| line.strip_prefix("fpr:::::::::")).unwrap();
            let sql = "INSERT INTO keys (name, keytype, fingerprint) VALUES (?, 'gnupg', ?)";
            database.execute(sql, [name, fingerprint.trim_end_matches(':')]).unwrap();
        }
        database
            .execute("INSERT INTO keys (name, keytype, fingerprint) VALUES ('ec', 'ECC', 'abcd')", [])
            .unwrap();
        for (key, user, passphrase, admin) in [(1, 2, ALICE, true), (1, 3, BOB, false), (2, 3, BOB, true)] {
            let sealed = old.seal(INNER[key - 1], passphrase);
            let sql = "INSERT INTO key_accesses (key_id, user_id, encrypted_passphrase, key_admin)
                VALUES (?, ?, ?, ?)";
            database.execute(sql, params![i64::try_from(key).unwrap(), user, sealed, admin]).unwrap();
        }
        old.passphrases(&[("k1", "alice", ALICE), ("k2", "bob", BOB)]);
        Some(old)
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("gnupg")
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn database(&self) -> Connection {
        Connection::open(self.folder.path().join("server.sqlite")).unwrap()
    }

    /// As sigul does: gpg, symmetric.
    fn seal(&self, secret: &str, passphrase: &str) -> Vec<u8> {
        let arguments = ["--passphrase", passphrase, "--output", "-", "--symmetric"];
        gpg(&self.home(), &arguments, secret).stdout
    }

    fn passphrases(&self, lines: &[(&str, &str, &str)]) {
        let lines: String =
            lines.iter().map(|(key, user, secret)| format!("{key}\t{user}\t{secret}\n")).collect();
        fs::write(self.folder.path().join("passphrases"), lines).unwrap();
    }

    /// The exit code, stdout and stderr.
    fn migrate(&self, more: &[&str]) -> (i32, String, String) {
        let at = |name: &str| self.folder.path().join(name);
        let output = gander()
            .args(["sigul", "migrate", "--database"])
            .arg(at("server.sqlite"))
            .arg("--gnupg-home")
            .arg(self.home())
            .arg("--passphrases")
            .arg(at("passphrases"))
            .arg("--store")
            .arg(self.store())
            .args(more)
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// It is refused with these words, and the store is not there.
    fn refused(&self, more: &[&str], wanted: i32, words: &str) {
        let (status, _, said) = self.migrate(more);
        assert!(status == wanted && said.contains(words), "{status}: {said}");
        assert!(
            !said.contains(ALICE) && !said.contains(BOB) && !INNER.iter().any(|inner| said.contains(inner))
        );
        assert!(!self.store().exists(), "the store was made");
    }

    fn certificate(&self, name: &str) -> Certificate {
        Certificate::parse(&gpg(&self.home(), &["--export", &format!("={name}")], "").stdout).unwrap()
    }
}

impl Drop for Old {
    fn drop(&mut self) {
        let done = Command::new("gpgconf").arg("--homedir").arg(self.home()).args(["--kill", "all"]).status();
        drop(done);
    }
}

#[test]
fn users_of_sigul_sign_with_their_old_passphrases() {
    let Some(old) = Old::new("users_of_sigul_sign_with_their_old_passphrases") else { return };
    let before: Vec<_> = ["server.sqlite", "gnupg/pubring.kbx"]
        .map(|name| fs::read(old.folder.path().join(name)).unwrap())
        .into();
    let (status, checked, said) = old.migrate(&["--check"]);
    assert_eq!(status, 0, "{said}");
    assert!(!old.store().exists(), "a check wrote");
    let (status, out, said) = old.migrate(&[]);
    assert_eq!((status, &out), (0, &checked), "{said}");
    for line in ["user 'root', an administrator", "user 'zoe'", "not taken over: key 'ec': of the type ECC"] {
        assert!(out.lines().any(|there| there.starts_with(line)), "{line}: {out}");
    }
    assert!(out.contains(": alice (administers it), bob\n"), "{out}");
    let after: Vec<_> = ["server.sqlite", "gnupg/pubring.kbx"]
        .map(|name| fs::read(old.folder.path().join(name)).unwrap())
        .into();
    assert!(before == after, "sigul's own files changed");

    // A second run says so, and changes nothing.
    let (status, _, said) = old.migrate(&[]);
    assert!(status == 2 && said.contains("the store has a key 'k1' already"), "{status}: {said}");

    let certificates = [old.certificate("k1"), old.certificate("k2")];
    let encrypted = gpg(
        &old.home(),
        &["--trust-model", "always", "--recipient", "=k2", "--output", "-", "--encrypt"],
        "to be read",
    );
    // The signer's process sets root's password itself where it makes its store; here the old one must do.
    let signer = Signer::over(&old.store());
    for (user, secret, key) in [("alice", ALICE, 0), ("bob", BOB, 0), ("bob", BOB, 1)] {
        let name = ["k1", "k2"][key];
        let packet =
            signer.with_data(user, sign_data(name), &[(Secret::Passphrase, secret)], b"data").unwrap().1;
        verify_detached(&certificates[key], &packet, &b"data"[..], None).unwrap();
        assert_eq!(
            code(signer.with_data(user, sign_data(name), &[(Secret::Passphrase, PASSWORD)], b"data")),
            Code::AuthenticationFailed
        );
    }
    for user in ["alice", "zoe"] {
        let asked = signer.with_data(user, sign_data("k2"), &[(Secret::Passphrase, ALICE)], b"data");
        assert_eq!(code(asked), Code::AuthenticationFailed, "{user}");
    }
    let decrypt = Op::Decrypt { key: "k2".into() };
    let read = signer.with_data("bob", decrypt, &[(Secret::Passphrase, BOB)], &encrypted.stdout).unwrap().1;
    assert_eq!(read, b"to be read");
    // The administrator's password is the old one; alice administers k1 and bob does not.
    assert_eq!(signer.administer(Op::ListUsers {}).unwrap().0, Answer::Names { count: 4 });
    let grant = |user: &str, secret| {
        let operation =
            Op::GrantKeyAccess { key: "k1".into(), name: "zoe".into(), bindings: Bindings::default() };
        signer.ask(user, operation, &[(Secret::Passphrase, secret), (Secret::NewPassphrase, "zoes")])
    };
    assert_eq!(code(grant("bob", BOB)), Code::AuthenticationFailed);
    grant("alice", ALICE).unwrap();
    signer.with_data("zoe", sign_data("k1"), &[(Secret::Passphrase, "zoes")], b"data").unwrap();
    let ledger = signer.ledger();
    let migrated: Vec<_> = ledger.iter().filter(|entry| entry["operation"] == "migrate").collect();
    assert_eq!(migrated.len(), 3, "{migrated:?}");
    assert!(signer.verify_ledger().0);
}

#[test]
fn all_is_taken_over_or_nothing() {
    let Some(old) = Old::new("all_is_taken_over_or_nothing") else { return };
    let k1 = ("k1", "alice", ALICE);
    old.passphrases(&[k1]);
    old.refused(&[], 2, "no passphrase opens the key 'k2'");
    old.passphrases(&[k1, ("k2", "bob", ALICE)]);
    old.refused(&[], 3, "the key 'k2' is not opened by the passphrase of 'bob'");
    old.passphrases(&[k1, ("k2", "alice", ALICE)]);
    old.refused(&[], 3, "they have no access to it");
    old.passphrases(&[k1, ("k3", "bob", BOB)]);
    old.refused(&[], 2, "the passphrases name the key 'k3'");
    fs::write(old.folder.path().join("passphrases"), "k1 alice secret\n").unwrap();
    old.refused(&[], 2, "line 1 of the passphrases");

    old.passphrases(&[k1, ("k2", "bob", BOB)]);
    let set = |sealed: &[u8]| {
        old.database()
            .execute("UPDATE key_accesses SET encrypted_passphrase = ? WHERE key_id = 2", [sealed])
            .unwrap();
    };
    // The right passphrase of an access, but not of the key; and one that only hardware opens.
    set(&old.seal("another", BOB));
    old.refused(&[], 3, "the key 'k2' cannot be taken over");
    set(&old.seal("[{\"method\": \"tpm\", \"value\": \"00\"}]", BOB));
    old.refused(&[], 3, "bound to hardware");
    set(b"x");
    old.refused(&[], 3, "is not opened");
    // What can be done without that key.
    let (status, out, said) = old.migrate(&["--without", "k2"]);
    assert_eq!(status, 0, "{said}");
    assert!(out.contains("not taken over: key 'k2': left out as you said"), "{out}");
    assert_eq!(fs::read_dir(old.store().join("keys")).unwrap().count(), 1);
}

#[test]
fn a_run_that_was_killed_leaves_nothing_that_can_be_used() {
    let Some(old) = Old::new("a_run_that_was_killed_leaves_nothing_that_can_be_used") else { return };
    // Ended by the size that files may have: while it writes keys, and before the database knows them.
    let at = |name: &str| old.folder.path().join(name);
    let mut kills = 0;
    for pause in [0, 200, 400, 600, 800, 1000, 1200] {
        let mut child = gander()
            .args(["sigul", "migrate", "--database"])
            .arg(at("server.sqlite"))
            .arg("--gnupg-home")
            .arg(old.home())
            .arg("--passphrases")
            .arg(at("passphrases"))
            .arg("--store")
            .arg(old.store())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let start = std::time::Instant::now();
        // From when the store appears, a little longer each time.
        while !old.store().join("lock").exists() && child.try_wait().unwrap().is_none() {
            assert!(start.elapsed().as_secs() < 60);
            std::thread::sleep(std::time::Duration::from_micros(200));
        }
        std::thread::sleep(std::time::Duration::from_micros(pause * 20));
        child.kill().unwrap();
        let done = child.wait().unwrap().success();
        let known = |table: &str| -> Option<i64> {
            let database = Connection::open(old.store().join("vault.sqlite")).ok()?;
            database.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).ok()
        };
        let counts = ["users", "keys", "key_accesses"].map(|table| known(table).unwrap_or(0));
        assert!(counts == [0; 3] || counts == [4, 2, 3], "half of it: {counts:?}");
        if counts != [0; 3] {
            break;
        }
        assert!(!done);
        kills += 1;
    }
    println!("killed {kills} times before it was done");
    let (status, _, said) = old.migrate(&[]);
    assert!(status == 0 || said.contains("already"), "{said}");
    let signer = Signer::over(&old.store());
    signer.with_data("alice", sign_data("k1"), &[(Secret::Passphrase, ALICE)], b"data").unwrap();
    assert!(signer.verify_ledger().0);
}
