//! What keys on a token sign, as gpg and rpm see it.

use std::fs;
use std::process::Command;

use gander::openpgp::Certificate;

use super::bench::run;
use super::sample;
use super::world::{MADE, PIN, USER, world};

#[test]
fn gpg_and_rpm_accept_what_a_token_signs() {
    let Some(world) = world(&["gpg", "rpmkeys"]) else { return };
    world.bench.write("text", "text\n");
    world.bench.write("data", "data");
    for (name, algorithm) in [("rsa", "rsa3072"), ("large", "rsa4096"), ("ed", "ed25519")] {
        let fingerprint = world.new_key(name, algorithm);
        let file = format!("{name}.token");
        let public = format!("{name}.asc");
        assert!(!world.text(&file).contains(PIN) && !world.text(&file).contains("PRIVATE"), "a secret");
        let certificate = Certificate::parse(&world.read(&public)).unwrap();
        assert_eq!(certificate.fingerprint().to_string(), fingerprint);
        let shown = world.gander(&["key", "show", &file]).exits(0).stdout;
        assert!(shown.contains(&fingerprint) && shown.contains("expires      2040-01-01"), "{shown}");

        let output = format!("out-{name}");
        fs::create_dir(world.bench.path(&output)).unwrap();
        let sign = |what: &str, of: &str, more: &[&str]| {
            let with =
                ["--key", &file, "--passphrase-file", "pin", "--time", "2026-06-01T00:00:00Z", "-o", &output];
            world.gander(&[&["sign", what, of][..], &with, more].concat()).exits(0);
        };
        sign("text", "text", &[]);
        sign("detached", "data", &[]);
        let [text, data] = ["text", "data"].map(|of| format!("{output}/{of}.asc"));
        let first = world.read(&data);
        sign("detached", "data", &["--force"]);
        assert_eq!(world.read(&data), first, "{name}: not the same signature twice");
        assert!(world.gpg(&["--import", &public]).to_string().contains("IMPORT_OK 1"));
        let valid = format!("VALIDSIG {fingerprint}");
        for verify in [&["--verify", &text][..], &["--verify", &data, "data"]] {
            let verdict = world.gpg(verify).exits(0);
            assert!(verdict.stdout.contains(&valid), "{name}: {verdict}");
        }
        world.bench.write("other", "dato");
        assert_ne!(world.gpg(&["--verify", &data, "other"]).code, Some(0), "{name}");

        world.bench.write("goose.rpm", sample::package());
        sign("rpm", "goose.rpm", &[]);
        let rpmkeys = |arguments: &[&str]| {
            let database = format!("_dbpath {}", world.bench.path(&format!("rpm-{name}")).display());
            let mut command = Command::new("rpmkeys");
            run(command.args(["--define", &database]).args(arguments).current_dir(world.bench.path("")))
        };
        let package = format!("{output}/goose.rpm");
        assert_ne!(rpmkeys(&["-Kv", &package]).code, Some(0), "{name}: accepted without the key");
        rpmkeys(&["--import", &public]).exits(0);
        let verdict = rpmkeys(&["-Kv", &package]).exits(0).stdout;
        let kind = if name == "ed" { "V4 EdDSA/SHA256 Signature" } else { "V4 RSA/SHA256 Signature" };
        let lines: Vec<_> = verdict.lines().filter(|line| line.contains(kind)).collect();
        assert!(!lines.is_empty() && lines.iter().all(|line| line.ends_with(": OK")), "{name}: {verdict}");
    }
}

#[test]
fn a_token_key_lives_and_ends_like_others() {
    let Some(world) = world(&["gpg"]) else { return };
    let fingerprint = world.new_key("ed", "ed25519");
    let listed = world.key_token("list", &["--format", "json"]).exits(0).stdout;
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["tokens"][0]["label"], "releases");
    let keys = listed["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 1, "{listed}");
    assert_eq!(keys[0]["label"], "ed");
    assert_eq!(keys[0]["algorithm"], "Ed25519");
    assert_eq!((&keys[0]["private"], &keys[0]["extractable"]), (&true.into(), &false.into()), "{listed}");

    // The key file was lost: the same certificate comes from the same dates.
    let id = keys[0]["id"].as_str().unwrap();
    let same = ["--user-id", USER, "--created", MADE, "--expires", "2040-01-01", "--key-id", id];
    world.key_token("certificate", &[&same[..], &["-o", "again.token"]].concat()).exits(0);
    for extension in ["token", "asc", "rev"] {
        let [first, again] = ["ed", "again"].map(|name| world.text(&format!("{name}.{extension}")));
        assert_eq!(first, again, "{extension}");
    }

    world.gpg(&["--import", "ed.asc"]);
    let pin = ["--passphrase-file", "pin"];
    let extend = [
        "key",
        "extend",
        "ed.token",
        "--expires",
        "2050-01-01",
        "--time",
        "2026-06-01",
        "-o",
        "longer.token",
    ];
    world.gander(&[&extend[..], &pin].concat()).exits(0);
    world.gpg(&["--import", "longer.asc"]);
    let colons = world.gpg(&["--list-keys", "--with-colons"]).stdout;
    assert!(colons.contains(":2524608000:"), "2050-01-01 is not there: {colons}");
    world.bench.write("data", "data");
    let sign = ["sign", "detached", "data", "--key", "longer.token", "--time", "2045-01-01"];
    world.gander(&[&sign[..], &pin].concat()).exits(0);
    // Two keys of a token at once, and a PIN from a file descriptor.
    let two = ["sign", "detached", "data", "--key", "ed.token", "--key", "longer.token", "--force"];
    world.gander(&[&two[..], &pin, &pin].concat()).exits(0);
    let mut piped = world.bench.gander();
    piped.env("SOFTHSM2_CONF", world.bench.path("softhsm2.conf"));
    piped.stdin(fs::File::open(world.bench.path("pin")).unwrap());
    let one = ["sign", "detached", "data", "--key", "ed.token", "--passphrase-file", "/dev/fd/0", "--force"];
    run(piped.args(one)).exits(0);
    world
        .gander(&[&["key", "passphrase", "ed.token", "-o", "x"][..], &pin].concat())
        .exits(2)
        .says("on a token");

    let revoke = ["key", "revoke", "longer.token", "--reason", "retired", "-o", "revoked.asc"];
    assert_eq!(world.gander(&[&revoke[..], &pin].concat()).exits(0).stdout.trim(), fingerprint);
    world.gpg(&["--import", "revoked.asc"]);
    let colons = world.gpg(&["--list-keys", "--with-colons"]).stdout;
    assert!(colons.contains("pub:r:"), "{colons}");
}

#[test]
fn key_pairs_that_are_on_a_token_get_a_certificate() {
    let Some(world) = world(&["gpg", "openssl"]) else { return };
    let import = |name: &str, id: &str, algorithm: &[&str]| {
        let mut command = Command::new("openssl");
        command.arg("genpkey").args(algorithm).args(["-out", name]).current_dir(world.bench.path(""));
        run(&mut command).exits(0);
        world.softhsm(&["--import", name, "--token", "releases", "--label", name, "--id", id, "--pin", PIN]);
    };
    import("rsa", "0a01", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"]);
    import("weak", "0a02", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"]);
    import("p256", "0a03", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    let certify = |more: &[&str]| world.key_token("certificate", &[&["--user-id", USER][..], more].concat());
    let fingerprint = certify(&["--key-label", "rsa", "-o", "rsa.token"]).exits(0).stdout.trim().to_owned();
    assert!(world.text("rsa.token").contains("key-id = \"0a01\""), "{}", world.text("rsa.token"));
    world.bench.write("data", "data");
    world.gander(&["sign", "detached", "data", "--key", "rsa.token", "--passphrase-file", "pin"]).exits(0);
    world.gpg(&["--import", "rsa.asc"]);
    let verdict = world.gpg(&["--verify", "data.asc", "data"]).exits(0);
    assert!(verdict.stdout.contains(&format!("VALIDSIG {fingerprint}")), "{verdict}");

    certify(&["--key-id", "0A02", "-o", "weak.token"]).exits(3).says("1024 bits is too short");
    certify(&["--key-id", "0a03", "-o", "p256.token"]).exits(3).says("neither RSA nor Ed25519");
    certify(&["--key-id", "0a01", "--key-label", "weak", "-o", "x"])
        .exits(3)
        .says("no private key with the id 0a01");
    // A name that is taken makes no second pair.
    let new = |more: &[&str]| world.key_token("new", &[&["--user-id", USER, "-o", "x"][..], more].concat());
    new(&["--key-label", "rsa"]).exits(2).says("a key with the label 'rsa' already");
    new(&["--key-id", "0a01"]).exits(2).says("a key with the id 0a01 already");
    // Neither does one that gets no certificate.
    new(&["--created", "2026-01-02", "--expires", "2026-01-01"]).exits(2).says("would expire");
    let listed = world.key_token("list", &[]).exits(0).stdout;
    assert_eq!(listed.lines().filter(|line| line.starts_with("key ")).count(), 3, "{listed}");
    assert!(listed.contains("RSA 3072, the id 0a01 and the label 'rsa'"), "{listed}");
}
