//! Packages that a hub of ours has, and signatures that go to it.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use gander::base::SourceDate;
use gander::format::xmlrpc::{Arguments, Value};
use gander::rpm::{Headers, edit};
use gander::sign::{Signer as _, demonstration};
use gander::sigul::client::{ClientError, Package, Payload, Request, RpmsOptions, Signed};
use gander::sigul::wire::{Code, Fields};

use super::bench::{Bench, has_peers};
use super::hub::{Serving, Session, administrator, source_package};
use super::peers::{Answers, servers};
use super::world::{BRIDGE, Bridge, Parties, SERVER, USER, gander, run, signed, write_secret};

/// A hub with some packages, and a bridge that knows it as `main`.
pub struct World {
    _bench: Bench,
    pub hub: Serving,
    session: Session,
    bridge: Bridge,
    files: Vec<PathBuf>,
}

pub fn world(hub_at: Option<&str>) -> Option<World> {
    if !has_peers(&["rpmbuild"]) {
        return None;
    }
    let bench = Bench::new();
    administrator(&bench, "hub");
    let hub = Serving::start(&bench, "hub");
    let session = hub.login("kojiadmin", "honk").unwrap();
    let files: Vec<_> =
        ["one", "two", "three"].iter().map(|name| source_package(&bench, name, "1", "1")).collect();
    for (number, file) in files.iter().enumerate() {
        hub.import(&session, &format!("upload{number}"), file).unwrap();
    }
    let parties = Arc::new(Parties::new());
    parties.issue("duck", 2);
    write_secret(&parties.path("koji.password"), b"honk\n");
    let here = format!("http://127.0.0.1:{}", hub.port);
    let topurl = hub_at.map_or_else(|| format!("{here}/kojifiles"), str::to_owned);
    let koji = format!(
        "[koji.main]\nserver = \"{here}/kojihub\"\ntopurl = \"{topurl}\"\nuser = \"kojiadmin\"\n\
         password-file = \"koji.password\"\nclients = [\"{USER}\"]\n"
    );
    let bridge = Bridge::of(parties, "wait-seconds = 5", &koji);
    Some(World { _bench: bench, hub, session, bridge, files })
}

impl World {
    fn rpm(&self, name: &str) -> Value {
        self.hub.call(None, "getRPM", Arguments::of(format!("{name}-1-1.src"))).unwrap()
    }

    pub fn package(&self, name: &str) -> Package {
        let nevra = [name, "", "1", "1", "src"].map(str::to_owned);
        Package::Koji { nevra, sigmd5: self.sigmd5(name) }
    }

    fn sigmd5(&self, name: &str) -> Vec<u8> {
        let rpm = self.rpm(name);
        let Some(Value::Text(hash)) = rpm.get("payloadhash") else { panic!("{rpm:?}") };
        let digits = |at: usize| u8::from_str_radix(&hash[at..at + 2], 16).unwrap();
        (0..hash.len()).step_by(2).map(digits).collect()
    }

    /// Keys of the signatures that the hub has of a package.
    pub fn keys(&self, name: &str) -> Vec<String> {
        let Some(Value::Int(id)) = self.rpm(name).get("id").cloned() else { panic!() };
        let rows = self.hub.call(Some(&self.session), "queryRPMSigs", Arguments::of(id)).unwrap();
        let Value::Array(rows) = rows else { panic!("{rows:?}") };
        let key = |row: &Value| match row.get("sigkey") {
            Some(Value::Text(key)) => key.clone(),
            _ => panic!("{row:?}"),
        };
        rows.iter().map(key).filter(|key| !key.is_empty()).collect()
    }
}

/// What a server got: what it was, and how many bytes.
pub type Got = Arc<Mutex<Vec<usize>>>;

/// Signs packages with a key, and gives back the package or its signature header.
pub fn signing(phrase: &str, header_only: bool) -> (Answers, Got) {
    let date = SourceDate::from_seconds(1_700_000_000).unwrap();
    let signer = demonstration(phrase, date, "Test").unwrap();
    let got = Got::default();
    let seen = got.clone();
    let answers = move |_: &Fields, package: &[u8]| {
        seen.lock().unwrap().push(package.len());
        let Ok(headers) = Headers::read(package) else { return (Code::CorruptRpm, Vec::new()) };
        let packet = signer.sign_detached(headers.main.bytes(), date).unwrap();
        let header = edit::sign(&headers, &packet, edit::How::default()).unwrap();
        if header_only {
            return (Code::Ok, header);
        }
        let mut signed = Vec::new();
        edit::splice(package, &header, &mut signed).unwrap();
        (Code::Ok, signed)
    };
    (Arc::new(answers), got)
}

pub const IMPORT: RpmsOptions =
    RpmsOptions { head_signing: false, import: true, no_data: false, koji_instance: None };

#[test]
fn packages_come_from_the_hub_and_signatures_go_to_it() {
    let Some(world) = world(None) else { return };
    let all: Vec<_> = ["one", "two", "three"].map(|name| world.package(name)).into();
    run(async {
        let (answers, got) = signing("a", false);
        let signing_servers = servers(&world.bridge, 1, answers);
        let folder = world.bridge.parties.path("out");
        fs::create_dir(&folder).unwrap();
        let client = world.bridge.client();
        let outcomes = signed(&client, "k1", &IMPORT, &all, &folder).await;
        let sizes: Vec<usize> = world.files.iter().map(|file| fs::read(file).unwrap().len()).collect();
        assert_eq!(*got.lock().unwrap(), sizes);
        assert_eq!(outcomes.len(), 3);
        for outcome in outcomes.values() {
            let Ok(Signed::File(path)) = outcome else { panic!("{outcome:?}") };
            Headers::read(&fs::read(path).unwrap()[..]).unwrap();
        }
        for name in ["one", "two", "three"] {
            assert_eq!(world.keys(name).len(), 1, "{name}");
        }
        // The same signatures once more change nothing; nothing comes back where nothing is wanted.
        let options = RpmsOptions { no_data: true, koji_instance: Some("main".into()), ..IMPORT };
        let outcomes = signed(&client, "k1", &options, &all, &folder).await;
        assert_eq!(outcomes, (0..3).map(|place| (place, Ok(Signed::Nothing))).collect());
        assert_eq!(world.keys("one").len(), 1);
        signing_servers.gone(&world.bridge).await;

        // Only headers travel where only they are signed.
        let (answers, got) = signing("b", true);
        let _servers = servers(&world.bridge, 1, answers);
        let options = RpmsOptions { head_signing: true, ..IMPORT };
        let outcomes = signed(&client, "k2", &options, &all, &folder).await;
        assert!(matches!(&outcomes[&0], Ok(Signed::Header(_))), "{outcomes:?}");
        for (file, got) in world.files.iter().zip(&*got.lock().unwrap()) {
            let package = fs::read(file).unwrap();
            let headers = Headers::read(&package[..]).unwrap();
            assert_eq!(*got as u64, headers.main_range().end);
        }
        assert_eq!(world.keys("two").len(), 2);
    });
    assert!(!world.bridge.log().contains("honk"));
}

fn one(world: &World, sigmd5: &[u8]) -> Request<'static> {
    let request = Request::new("sign-rpm").field("key", "k1").secret("passphrase", b"honk");
    let request = request.field("rpm-name", "one").field("rpm-version", "1").field("rpm-release", "1");
    let request = request.field("rpm-arch", "src").field("rpm-sigmd5", sigmd5).field("import-signature", [1]);
    assert!(matches!(world.rpm("one"), Value::Struct(_)));
    request.payload(Payload::None)
}

#[test]
fn a_single_package_too_and_what_is_not_the_one_is_refused() {
    let Some(world) = world(None) else { return };
    run(async {
        let (answers, _) = signing("a", false);
        let signing_servers = servers(&world.bridge, 1, answers);
        let client = world.bridge.client();
        let request = one(&world, &world.sigmd5("one"));
        let (_, signed) = client.call(request.clone(), 1 << 30).await.unwrap();
        Headers::read(&signed[..]).unwrap();
        assert_eq!(world.keys("one").len(), 1);
        let (_, nothing) = client.call(request.clone().field("return-data", [0]), 99).await.unwrap();
        assert!(nothing.is_empty());
        // Another MD5: the server gets nothing, and says so in a way that the client believes.
        let refused = client.call(one(&world, &[7; 16]), 1 << 30).await;
        assert!(matches!(refused, Err(ClientError::Refused { code: 11, .. })), "{refused:?}");
        world.bridge.told(&["event=koji-not-fetched", "one-1-1.src"]);
        let other = client.call(request.clone().field("koji-instance", "other"), 99).await;
        assert!(other.is_err());
        world.bridge.told(&["outcome=failed", "is not configured"]);
        let duck = world.bridge.client_of("duck").call(request.clone(), 99).await;
        assert!(duck.is_err());
        world.bridge.told(&["outcome=failed", "may not use"]);
        // Twice it was given, once it was new.
        world.bridge.shows("/metrics", "gander_sigul_bridge_koji_signatures_total 1\n");
        signing_servers.gone(&world.bridge).await;

        // The same key signs otherwise: the hub keeps the first, and the client does not believe in the second.
        let first = world.keys("one");
        let Some(Value::Int(id)) = world.rpm("two").get("id").cloned() else { panic!() };
        let wrong: Answers = Arc::new(|_, _| (Code::Ok, b"no package at all, but long enough".repeat(9)));
        let _servers = servers(&world.bridge, 1, wrong);
        assert!(client.call(request, 1 << 30).await.is_err());
        assert_eq!(world.keys("one"), first);
        assert!(id > 0 && world.keys("two").is_empty());
    });
}

#[test]
fn files_that_cannot_be_had_fail_one_package() {
    // Nobody listens there.
    let Some(world) = world(Some("http://127.0.0.1:9/kojifiles")) else { return };
    run(async {
        let (answers, got) = signing("a", false);
        let _servers = servers(&world.bridge, 1, answers);
        let own = Package::File(world.files[1].clone());
        let packages = [world.package("one"), own];
        let folder = world.bridge.parties.path("out");
        fs::create_dir(&folder).unwrap();
        let client = world.bridge.client();
        let options = RpmsOptions { import: false, ..IMPORT };
        let outcomes = signed(&client, "k1", &options, &packages, &folder).await;
        assert!(matches!(&outcomes[&0], Err(failure) if failure.code == 11), "{outcomes:?}");
        assert!(matches!(&outcomes[&1], Ok(Signed::File(_))), "{outcomes:?}");
        assert_eq!(got.lock().unwrap()[0], 0);
    });
}

#[test]
fn the_command_names_packages_instead_of_sending_them() {
    let Some(world) = world(None) else { return };
    let parties = &world.bridge.parties;
    write_secret(&parties.path("k1.passphrase"), b"honk\n");
    let config = format!(
        "bridge = \"127.0.0.1:{}\"\nbridge-name = \"{BRIDGE}\"\nserver = \"{SERVER}\"\n\
         certificate = \"{USER}.pem\"\nkey = \"{USER}.key\"\nauthority = \"ca.pem\"\n\
         [passphrases]\nk1 = \"k1.passphrase\"\n[koji.main]\nserver = \"http://127.0.0.1:{}/kojihub\"\n",
        world.bridge.clients.port(),
        world.hub.port
    );
    fs::write(parties.path("client.toml"), config).unwrap();
    let out = parties.path("out");
    fs::create_dir(&out).unwrap();
    run(async {
        let (answers, got) = signing("a", false);
        let _servers = servers(&world.bridge, 1, answers);
        let sign = |arguments: &[&str]| {
            let mut command = gander();
            command.args(["sigul", arguments[0], "--config"]).arg(parties.path("client.toml"));
            let done =
                tokio::task::block_in_place(|| command.args(&arguments[1..]).current_dir(&out).output());
            let done = done.unwrap();
            (done.status.code().unwrap(), String::from_utf8(done.stderr).unwrap())
        };
        // Nothing is asked of a server where it is not clear what is meant.
        for (arguments, code, wanted) in [
            (&["sign-rpm", "k1", "one-1-1.src"][..], 2, "--koji-only"),
            (&["sign-rpms", "k1", "one-1-1.src", "-o", ".", "--head-signing"], 2, "--head-signing"),
            (&["sign-rpms", "k1", "one-1-1.src", "-o", ".", "-k", "other"], 2, "'other'"),
            (&["sign-rpms", "k1", "one", "-o", "."], 2, "'one' is neither a file nor"),
            (
                &["sign-rpms", "k1", "one-1-1.src", "one-2-1.src", "no-1-1.src", "-o", "."],
                3,
                "one-2-1.src, no-1-1.src",
            ),
            (&["sign-rpm", "k1", "one-1:1-1.src", "-o", "x"], 3, "one-1:1-1.src"),
            (&["sign-rpm", "k1", "./one-1-1.src", "-o", "x"], 3, "./one-1-1.src"),
        ] {
            let (found, words) = sign(arguments);
            assert!(found == code && words.contains(wanted), "{arguments:?}: {found} {words}");
        }
        assert!(got.lock().unwrap().is_empty() && fs::read_dir(&out).unwrap().next().is_none());

        let (code, words) = sign(&["sign-rpm", "k1", "one-0:1-1.src", "-o", "signed"]);
        assert_eq!(code, 0, "{words}");
        let unsigned = fs::read(&world.files[0]).unwrap();
        let before = Headers::read(&unsigned[..]).unwrap();
        let signed = fs::read(out.join("signed")).unwrap();
        assert_eq!(Headers::read(&signed[..]).unwrap().main.bytes(), before.main.bytes());
        assert!(world.keys("one").is_empty());
        let (code, words) =
            sign(&["sign-rpm", "k1", "one-1-1.src", "--store-in-koji", "--koji-only", "-k", "main"]);
        assert_eq!((code, world.keys("one").len()), (0, 1), "{words}");

        // Files and names in one request.
        let file = world.files[1].to_str().unwrap();
        let (code, words) = sign(&["sign-rpms", "k1", "three-1-1.src", file, "one-1-1.src", "-o", "."]);
        assert_eq!(code, 0, "{words}");
        for (name, file) in ["one", "two", "three"].iter().zip(&world.files) {
            let signed = fs::read(out.join(format!("{name}-1-1.src.rpm"))).unwrap();
            let (signed, unsigned) = (Headers::read(&signed[..]).unwrap(), fs::read(file).unwrap());
            assert_eq!(signed.main.bytes(), Headers::read(&unsigned[..]).unwrap().main.bytes(), "{name}");
        }
        assert!(world.keys("three").is_empty());
        let all = ["sign-rpms", "k1", "two-1-1.src", "three-1-1.src", "--store-in-koji", "--koji-only"];
        let (code, words) = sign(&all);
        assert_eq!((code, world.keys("two").len(), world.keys("three").len()), (0, 1, 1), "{words}");
        assert!(words.contains("2 of 2 packages signed"), "{words}");
    });
    // What is another package is not taken for the one that was named.
    run(async {
        let other = fs::read(&world.files[1]).unwrap();
        let answers: Answers = Arc::new(move |_, _| (Code::Ok, other.clone()));
        let _servers = servers(&world.bridge, 1, answers);
        let mut command = gander();
        command.args(["sigul", "sign-rpm", "--config"]).arg(parties.path("client.toml"));
        command.args(["k1", "one-1-1.src", "-o"]).arg(out.join("other"));
        let done = tokio::task::block_in_place(|| command.output()).unwrap();
        let words = String::from_utf8(done.stderr).unwrap();
        assert!(!done.status.success() && words.contains("is another package"), "{words}");
        assert!(!out.join("other").exists());
    });
}
