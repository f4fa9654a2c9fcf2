//! The service as its administrator sees it.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use gander::sigul::stream::{Tls, divide};
use openssl::x509::X509;
use tokio::io::AsyncWriteExt as _;

use super::asking::{Ask, soon};
use super::world::{World, gander, issue};

#[test]
fn figures_and_log_say_what_happened() {
    let world = World::new("log = \"json\"", "");
    world.ask(&Ask::alice("sign-data").payload("12345")).unwrap();
    world.ask(&Ask::alice("sign-data").secret("passphrase", "wrong-one-4711").payload("x")).unwrap();
    world.ask(&Ask::alice("no-operation")).unwrap_err();
    world.wait_for("three requests", || world.log().matches("\"event\":\"request\"").count() == 3);
    let (code, figures) = world.status("/metrics");
    assert_eq!(code, 200);
    for line in [
        "gander_sigul_server_requests_total{op=\"sign-data\",code=\"0\"} 1",
        "gander_sigul_server_requests_total{op=\"sign-data\",code=\"3\"} 1",
        "gander_sigul_server_requests_total{op=\"unknown\",code=\"none\"} 1",
        "gander_sigul_server_signer_ready 1",
        "gander_sigul_server_requests 0",
    ] {
        assert!(figures.lines().any(|found| found == line), "{line}\n{figures}");
    }
    assert_eq!(world.status("/health"), (200, "ok\n".into()));
    assert_eq!(world.status("/other").0, 404);
    let lines: Vec<serde_json::Value> =
        world.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let first = lines.iter().find(|line| line["event"] == "request").unwrap();
    assert_eq!(
        (&first["user"], &first["key"], &first["bytes"]),
        (&"alice".into(), &"k1".into(), &"5".into())
    );
    assert!(!world.log().contains("wrong-one-4711"));
}

#[test]
fn a_policy_that_cannot_be_read_is_bad_health() {
    let world = World::new("", "");
    std::fs::write(world.path("store/policy.toml"), "this is no policy").unwrap();
    let signer = world.signer().unwrap();
    world.signal("HUP", signer);
    world.wait_for("bad health", || world.status("/health").0 == 503);
    assert_eq!(world.ask(&Ask::alice("sign-data").payload("x")).unwrap().code, 9);
    std::fs::remove_file(world.path("store/policy.toml")).unwrap();
    world.signal("HUP", signer);
    world.wait_for("good health", || world.status("/health").0 == 200);
    assert_eq!(world.ask(&Ask::alice("sign-data").payload("x")).unwrap().code, 0);
}

#[test]
fn certificates_are_read_again() {
    let world = World::new("", "");
    let fresh = world.authority.issue("server.test", 20).unwrap();
    let wanted = X509::from_pem(&fresh.certificate).unwrap().serial_number().to_bn().unwrap();
    issue(world.folder.path(), "server.test", &fresh);
    let served = || {
        world.runtime.block_on(async {
            let mut streams = divide(world.connection().await, Duration::from_secs(30));
            streams.outer.outgoing.write_all(&Ask::alice("get-public-key").outer()).await.unwrap();
            let tls = Tls::new(&world.identity("alice")).unwrap();
            let inner = soon(tls.connect("server.test", streams.inner)).await.unwrap();
            inner.ssl().peer_certificate().unwrap().serial_number().to_bn().unwrap()
        })
    };
    assert_ne!(served(), wanted);
    world.signal("HUP", world.pid());
    world.wait_for("certificates", || world.log().contains("event=certificates-read"));
    // Also on a connection that waited all the time.
    assert_eq!(served(), wanted);
    std::fs::write(world.path("server.test.pem"), "nothing").unwrap();
    world.signal("HUP", world.pid());
    world.wait_for("a refusal", || world.log().contains("event=certificates-not-read"));
    assert_eq!(served(), wanted);
}

#[test]
fn what_is_wrong_with_a_configuration_is_said() {
    let world = World::ended("", "");
    let path = world.path("server.toml");
    let good = std::fs::read_to_string(&path).unwrap();
    let says = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let output = gander().args(["sigul", "server", "--config"]).arg(&path).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let unknown = says(&format!("spare = 1\n{good}"));
    assert!(unknown.contains("spare"), "{unknown}");
    let both = says(&format!("signer = \"socket\"\n{good}"));
    assert!(both.contains("either 'store' or 'signer'"), "{both}");
    let neither = says(&good.replace("store = \"store\"\n", ""));
    assert!(neither.contains("either 'store' or 'signer'"), "{neither}");
    let host = says(&good.replace(&world.address.to_string(), "127.0.0.1:x1"));
    assert!(host.contains("is no host"), "{host}");
    let key = world.path("server.test.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    let open = says(&good);
    assert!(open.contains("chmod 600"), "{open}");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::remove_file(world.path("ca.pem")).unwrap();
    let missing = says(&good);
    assert!(missing.contains("ca.pem"), "{missing}");
}
