//! kill -9 of each process while packages are signed and another client is at work: the other one has an answer or an
//! end, what was answered is on record, and all goes on when the process is there again.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gander::base::Digest;
use gander::openpgp::{Judgement, verify_detached};
use gander::rpm::verify::{Subject, verify};

use super::rpms::package;
use super::whole::{Bridge, give};
use super::world::{ALICE, BOB, World, gander};

const PACKAGES: usize = 20;

/// Files that were signed, each of them whole.
fn signed(world: &World, folder: &Path) -> usize {
    let mut count = 0;
    for number in 0..PACKAGES {
        let Ok(bytes) = fs::read(folder.join(format!("p{number}.rpm"))) else { continue };
        let found = verify(&bytes[..], Some(&world.keys), Judgement::default()).unwrap();
        let good = found.checks.iter().filter(|check| {
            matches!(check.subject, Subject::Signature(Some(_))) && check.outcome.word() == "OK"
        });
        assert_eq!(good.count(), 1, "p{number}: {found:?}");
        count += 1;
    }
    count
}

/// Asks until there is an answer; how often there was an end instead.
fn sign_data(world: &World, bridge: &Bridge, name: &str) -> usize {
    let begun = Instant::now();
    for ends in 0.. {
        let output = bridge.ask(world, "bob", &[BOB], &["sign-data", "k1", "text", "-o", name]);
        if output.status.success() {
            return ends;
        }
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(begun.elapsed() < Duration::from_secs(60), "{words}");
    }
    unreachable!()
}

#[test]
fn whoever_is_killed_the_others_go_on() {
    let world = World::ended("", "");
    let bridge = Bridge::with_server(&world, "[limits]\nwait-seconds = 5");
    let granted = bridge.ask(&world, "alice", &[ALICE, BOB], &["grant-key-access", "k1", "bob"]);
    assert!(granted.status.success(), "{granted:?}");
    fs::write(world.path("text"), "a text").unwrap();
    let names: Vec<String> = (0..PACKAGES).map(|number| format!("p{number}.rpm")).collect();
    for (number, name) in names.iter().enumerate() {
        fs::write(world.path(name), package(&format!("p{number}"), 30_000)).unwrap();
    }
    let mut packets = Vec::new();
    for victim in ["client", "bridge", "server", "signer"] {
        // At once, and when so many signatures are on record.
        for stage in [0, 1, 10] {
            let out = format!("{victim}-{stage}");
            fs::create_dir(world.path(&out)).unwrap();
            let mut arguments = vec!["sign-rpms", "k1", "-o", &out];
            arguments.extend(names.iter().map(String::as_str));
            let before = world.ledger().lines().count();
            let (stop, shared) = (AtomicBool::new(false), &bridge);
            let (world, stop) = (&world, &stop);
            let mut asking = bridge.program(world, "alice", &arguments).spawn().unwrap();
            let finished = std::thread::scope(|scope| {
                let (victim, out) = (victim, &out);
                let other = scope.spawn(move || {
                    let mut made = Vec::new();
                    while !stop.load(Ordering::Acquire) {
                        let name = format!("{out}.packet{}", made.len());
                        sign_data(world, shared, &name);
                        made.push(name);
                    }
                    made
                });
                give(&mut asking, &[ALICE]);
                let begun = Instant::now();
                while world.ledger().lines().count() < before + stage && begun.elapsed().as_secs() < 30 {
                    std::thread::sleep(Duration::from_millis(1));
                }
                match victim {
                    "client" => asking.kill().unwrap(),
                    "bridge" => bridge.again(world),
                    "server" => {
                        world.signal("KILL", world.pid());
                        assert!(!world.ended_well());
                        world.start();
                    }
                    _ => {
                        world.kill_signer();
                    }
                }
                let finished = asking.wait().unwrap().success();
                stop.store(true, Ordering::Release);
                packets.extend(other.join().unwrap());
                finished
            });
            let partly = signed(world, &world.path(&out));
            assert!(!finished || partly == PACKAGES, "{out}: {partly} and all is well");
            // The server finds a new bridge after a pause.
            bridge.ready(world);
            let again = bridge.ask(world, "alice", &[ALICE], &arguments);
            assert!(again.status.success(), "{out}: {}", String::from_utf8_lossy(&again.stderr));
            assert_eq!(signed(world, &world.path(&out)), PACKAGES);
        }
    }
    let ledger = world.ledger();
    assert!(packets.len() >= 12, "{packets:?}");
    for packet in &packets {
        let packet = fs::read(world.path(packet)).unwrap();
        verify_detached(&world.keys[0], &packet, &b"a text"[..], None).unwrap();
        assert!(ledger.contains(&Digest::of(&packet).to_string()));
    }
    world.signal("TERM", world.pid());
    assert!(world.ended_well());
    let mut verified: Command = gander();
    let verified = verified.args(["sigul", "ledger", "verify", "--store"]).arg(world.path("store"));
    let verified = verified.output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}
