//! What our signing service signs, a hub takes through the genuine koji command line.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use gander::openpgp::Certificate;

use super::bench::{Bench, has_peers};
use super::world::{Serving, administrator, koji, peers, source_package};

/// Bridge and server with its signer, until they are dropped.
struct Service(Vec<Child>);

impl Drop for Service {
    fn drop(&mut self) {
        for child in &mut self.0 {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

/// Runs a command of the client.
fn ask(bench: &Bench, arguments: &[&str]) -> super::bench::Output {
    let config = ["--config", "service/users/root/sigul.toml"];
    let secrets = ["--password-file", "secret", "--passphrase-file", "secret"];
    bench.run([&["--quiet", "sigul"], arguments, &config, &secrets].concat())
}

/// A first installation, as its documentation has it.
fn service(bench: &Bench) -> Service {
    let held = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [clients, servers] = held.map(|listener| listener.local_addr().unwrap().to_string());
    bench.write("secret", "honk honk\n");
    bench
        .run(
            ["--quiet", "sigul", "init", "service", "--bridge", "localhost", "--user", "root"]
                .into_iter()
                .chain([
                    "--listen-clients",
                    &clients,
                    "--listen-servers",
                    &servers,
                    "--password-file",
                    "secret",
                ]),
        )
        .exits(0);
    let start = |arguments: [&str; 4]| {
        bench.gander().args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let service = Service(vec![
        start(["sigul", "bridge", "--config", "service/bridge/bridge.toml"]),
        start(["sigul", "server", "--config", "service/server/server.toml"]),
    ]);
    let begun = Instant::now();
    while ask(bench, &["list-users"]).code != Some(0) {
        assert!(begun.elapsed() < Duration::from_secs(40), "{}", ask(bench, &["list-users"]).stderr);
        std::thread::sleep(Duration::from_millis(50));
    }
    service
}

#[test]
fn koji_takes_what_our_service_signs() {
    let Some((program, _)) = peers("koji_takes_what_our_service_signs") else { return };
    if !has_peers(&["rpmbuild"]) {
        return;
    }
    let bench = Bench::new();
    administrator(&bench, "hub");
    let hub = Serving::start(&bench, "hub");
    let run = |arguments: &[&str]| koji(&bench, &program, hub.port, arguments).exits(0).stdout;
    let packages = ["one", "two", "three"].map(|name| source_package(&bench, name, "1", "1"));
    let paths = packages.each_ref().map(|path| path.to_str().unwrap());
    run(&[&["import"][..], &paths].concat());

    let _service = service(&bench);
    for algorithm in ["rsa4096", "ed25519"] {
        // One is made by the service, the other imported.
        let made = if algorithm == "rsa4096" {
            ask(&bench, &["new-key", algorithm, "--new-secret-file", "secret"]).exits(0).stdout
        } else {
            let new = ["key", "new", "--user-id", "Tester", "-o", "key", "--passphrase-file", "secret"];
            bench.run(new.into_iter().chain(["--algorithm", algorithm])).exits(0);
            ask(&bench, &["import-key", algorithm, "key", "--new-secret-file", "secret"]).exits(0);
            ask(&bench, &["get-public-key", algorithm]).exits(0).stdout
        };
        let key = Certificate::parse(made.as_bytes()).unwrap();
        let fingerprint = key.fingerprint().to_string();
        let sigkey = fingerprint[fingerprint.len() - 8..].to_lowercase();
        let out = bench.path(algorithm);
        fs::create_dir(&out).unwrap();
        let folder = out.to_str().unwrap();
        ask(&bench, &["sign-rpms", "--head-signing", algorithm, paths[0], paths[1], "-o", folder]).exits(0);
        let third = out.join("three-1-1.src.rpm");
        ask(&bench, &["sign-rpm", algorithm, paths[2], "-o", third.to_str().unwrap()]).exits(0);
        for name in ["one", "two", "three"] {
            let file = format!("{name}-1-1.src.rpm");
            let signed = out.join(&file);
            run(&["import-sig", signed.to_str().unwrap()]);
            assert!(run(&["import-sig", signed.to_str().unwrap()]).contains("Signature already imported"));
            run(&["write-signed-rpm", &sigkey, &format!("{name}-1-1")]);
            let copy = format!("hub/topdir/packages/{name}/1/1/data/signed/{sigkey}/src/{file}");
            assert_eq!(fs::read(bench.path(&copy)).unwrap(), fs::read(&signed).unwrap(), "{copy}");
            run(&["download-build", "--key", &sigkey, &format!("{name}-1-1")]);
            let downloaded = bench.path("downloads").join(&file);
            assert_eq!(fs::read(&downloaded).unwrap(), fs::read(&signed).unwrap());
            fs::remove_file(downloaded).unwrap();
            rpm_names_the_key(&signed, &sigkey);
        }
    }
    assert_eq!(hub.end(), Some(0));
}

/// rpm finds one signature, by this key.
fn rpm_names_the_key(package: &Path, sigkey: &str) {
    let output = std::process::Command::new("rpm")
        .args(["-qp", "--nosignature", "--qf", "%{RSAHEADER:pgpsig}|%{DSAHEADER:pgpsig}"])
        .arg(package)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(said.matches("Key ID").count(), 1, "{said}");
    assert!(said.contains(sigkey), "{said}");
}
