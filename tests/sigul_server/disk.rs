//! Disks that are truly full: below the ledger, below the spool, and where the logs go.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use gander::openpgp::{verify_cleartext, verify_detached};
use gander::sigul::client::{Client, ClientError, Outcome, Package, Payload, Request, RpmsOptions, Signed};

use super::rpms::package;
use super::whole::Bridge;
use super::world::{ALICE, World, gander};

/// A small disk in a folder, until it is dropped.
struct Disk(PathBuf);

impl Disk {
    /// None, and that is said, where nothing can be mounted.
    fn mount(at: &Path, size: &str) -> Option<Self> {
        let option = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &option, "none"]).arg(at).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(at.into()));
        }
        assert!(std::env::var("CI").as_deref() != Ok("true"), "no small disk can be mounted");
        println!("SKIPPED: no small disk can be mounted at {}", at.display());
        None
    }

    fn grow(&self, size: &str) {
        let option = format!("remount,size={size}");
        let done = Command::new("mount").args(["-o", &option]).arg(&self.0).status().unwrap();
        assert!(done.success());
    }

    /// Fills it to the last byte; gives the file that does.
    fn fill(&self) -> PathBuf {
        let ballast = self.0.join("ballast");
        let mut file = File::create(&ballast).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        while file.write_all(&[0; 1]).is_ok() {}
        ballast
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

fn request<'a>(operation: &'a str, payload: &'a [u8]) -> Request<'a> {
    let request = Request::new(operation).field("key", "k1").secret("passphrase", ALICE.as_bytes());
    request.payload(Payload::Bytes(payload))
}

/// What a client is told where something does not fit.
fn full(asked: Result<(gander::sigul::wire::Fields, Vec<u8>), ClientError>) -> bool {
    match asked {
        Ok(_) => false,
        Err(ClientError::Refused { code: 9, message: Some(message) }) => {
            let known = ["No space left", "database or disk is full", "cannot be kept", "cannot be written"];
            assert!(known.iter().any(|words| message.contains(words)), "{message}");
            true
        }
        Err(error) => panic!("{error:?}"),
    }
}

/// Signs packages; the outcome of each: its code, 0 where it was signed.
async fn packages(world: &World, client: &Client, sizes: &[usize]) -> Vec<u32> {
    let folder = tempfile::tempdir_in(world.folder.path()).unwrap();
    let mut all = Vec::new();
    for (number, size) in sizes.iter().enumerate() {
        let path = folder.path().join(format!("{number}.rpm"));
        fs::write(&path, package(&format!("p{number}"), *size)).unwrap();
        all.push(Package::File(path));
    }
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    let mut outcomes = BTreeMap::new();
    let options = RpmsOptions::default();
    let told = |place, outcome| drop(outcomes.insert(place, outcome));
    client.sign_rpms("k1", ALICE.as_bytes(), &options, &all, &out, told).await.unwrap();
    let code = |outcome: &Outcome| match outcome {
        Ok(Signed::File(_)) => 0,
        Err(failure) => failure.code,
        other => panic!("{other:?}"),
    };
    outcomes.values().map(code).collect()
}

#[test]
fn a_full_disk_below_the_ledger_stops_signing_until_there_is_room() {
    let world = World::ended("", "");
    let (store, kept) = (world.path("store"), world.path("kept"));
    fs::rename(&store, &kept).unwrap();
    fs::create_dir(&store).unwrap();
    let Some(disk) = Disk::mount(&store, "16M") else { return };
    let copied = Command::new("cp").arg("-a").arg(format!("{}/.", kept.display())).arg(&store).status();
    assert!(copied.unwrap().success());
    let bridge = Bridge::with_server(&world, "");
    let client = bridge.client(&world, "alice");
    let mut packets = Vec::new();
    world.runtime.block_on(async {
        packets.push(client.call(request("sign-data", b"x"), 1 << 20).await.unwrap().1);
        let ballast = disk.fill();
        let mut refused = 0;
        // What is left of the last page may still take some lines.
        for _ in 0..200 {
            match client.call(request("sign-data", b"x"), 1 << 20).await {
                Ok((_, packet)) => packets.push(packet),
                error => refused += usize::from(full(error)),
            }
            if refused == 3 {
                break;
            }
        }
        assert_eq!(refused, 3);
        assert!(full(client.call(request("sign-text", b"text\n"), 1 << 20).await));
        assert!(full(client.call(request("sign-rpm", &package("goose", 100)), 1 << 20).await));
        assert_eq!(packages(&world, &client, &[100; 5]).await, [9; 5]);
        let (code, reason) = tokio::task::block_in_place(|| {
            world.wait_for("bad health", || world.status("/health").0 == 503);
            world.status("/health")
        });
        assert_eq!(code, 503, "{reason}");
        fs::remove_file(ballast).unwrap();
        packets.push(client.call(request("sign-data", b"x"), 1 << 20).await.unwrap().1);
        assert_eq!(packages(&world, &client, &[100; 5]).await, [0; 5]);
    });
    let ledger = world.ledger();
    for packet in packets {
        verify_detached(&world.keys[0], &packet, &b"x"[..], None).unwrap();
        assert!(ledger.contains(&gander::base::Digest::of(&packet).to_string()));
    }
    let verified = gander().args(["sigul", "ledger", "verify", "--store"]).arg(&store).output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    world.wait_for("good health", || world.status("/health").0 == 200);
    drop(disk);
}

#[test]
fn a_full_disk_below_the_spool_fails_what_needs_it_and_nothing_else() {
    let world = World::ended("", "");
    let Some(disk) = Disk::mount(&world.path("spool"), "3M") else { return };
    let bridge = Bridge::with_server(&world, "");
    let client = bridge.client(&world, "alice");
    let line = b"a line of a text\n";
    let texts = |size: usize| line.repeat(size / line.len());
    world.runtime.block_on(async {
        for round in 0..2 {
            let (rpm, text, long) = (package("goose", 5 << 20), texts(5 << 20), texts(2 << 20));
            let small = async {
                for _ in 0..5 {
                    let (_, packet) = client.call(request("sign-data", b"x"), 1 << 20).await.unwrap();
                    verify_detached(&world.keys[0], &packet, &b"x"[..], None).unwrap();
                }
            };
            let (one, two, three, codes, ()) = tokio::join!(
                client.call(request("sign-rpm", &rpm), 1 << 30),
                client.call(request("sign-text", &text), 1 << 30),
                // The text fits, the message does not.
                client.call(request("sign-text", &long), 1 << 30),
                packages(&world, &client, &[1000, 5 << 20, 1000, 6 << 20, 1000]),
                small,
            );
            if round == 0 {
                assert!(full(one) && full(two) && full(three));
                assert_eq!(codes, [0, 9, 0, 9, 0]);
                disk.grow("64M");
            } else {
                one.unwrap();
                verify_cleartext(&world.keys[..1], &three.unwrap().1).unwrap();
                two.unwrap();
                assert_eq!(codes, [0; 5]);
            }
        }
        // Data of any size need no room.
        let large = vec![7; 70 << 20];
        let (_, packet) = client.call(request("sign-data", &large), 1 << 20).await.unwrap();
        verify_detached(&world.keys[0], &packet, &large[..], None).unwrap();
    });
    // The bridge has no spool: the only file that it has open is its log.
    if let Ok(open) = fs::read_dir(format!("/proc/{}/fd", bridge.pid())) {
        let open: Vec<_> = open.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok()).collect();
        let files: Vec<_> = open.iter().filter(|path| path.starts_with(world.folder.path())).collect();
        assert_eq!(files, [&world.path("bridge.log")], "{open:?}");
    }
    world.wait_for("no request", || world.status("/metrics").1.contains("gander_sigul_server_requests 0\n"));
    assert_eq!(fs::read_dir(world.path("spool")).unwrap().count(), 0);
    drop(disk);
}

#[test]
fn logs_that_cannot_be_written_stop_nothing() {
    let world = World::ended("", "");
    let bridge = Bridge::logging_to(&world, "", File::options().write(true).open("/dev/full").unwrap());
    world.start_logging_to(File::options().write(true).open("/dev/full").unwrap());
    world.wait_for("health", || world.path("status").exists() && world.status("/health").0 == 200);
    let (client, signer) = (bridge.client(&world, "alice"), world.signer().unwrap());
    world.runtime.block_on(async {
        for _ in 0..3 {
            // Each makes all three say something.
            let wrong = Request::new("sign-data").field("key", "k1").secret("passphrase", b"wrong");
            let refused = client.call(wrong.payload(Payload::Bytes(b"x")), 1 << 20).await;
            assert!(matches!(refused, Err(ClientError::Refused { code: 3, .. })), "{refused:?}");
            world.signal("HUP", signer);
            tokio::time::sleep(Duration::from_millis(50)).await;
            client.call(request("sign-data", b"x"), 1 << 20).await.unwrap();
        }
    });
    assert_eq!(world.signer(), Some(signer), "it is still the same");
    assert_eq!(world.signatures(), 3);
}
