//! Policy, approvals and the ledger, as people meet them: with the client program, through bridge and server.

use std::fs;
use std::path::Path;
use std::process::Output;

use gander::base::Digest;
use gander::openpgp::verify_detached;
use serde_json::{Value, json};

use super::rpms::package;
use super::whole::Bridge;
use super::world::{ALICE, BOB, PASSWORD, World, gander};

const CAROL: &str = "passphrase-of-carol-77e2";

fn text(output: &Output) -> String {
    let all = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&all).into_owned()
}

#[track_caller]
fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The refusal of a client.
#[track_caller]
fn refused(output: &Output, part: &str) -> String {
    let text = text(output);
    assert!(!output.status.success() && text.contains(part), "{part}: {text}");
    text
}

fn entries(world: &World) -> Vec<Value> {
    world.ledger().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// `gander sigul ledger verify` of a store: exit code, and what it says.
fn verify(store: &Path) -> (Option<i32>, String) {
    let output = gander().args(["sigul", "ledger", "verify", "--store"]).arg(store).output().unwrap();
    (output.status.code(), text(&output))
}

#[test]
fn what_needs_approval_is_signed_when_enough_have_approved() {
    let world = World::ended("", "");
    let policy = "[[rule]]\nkey = 'k1'\nkinds = ['rpm']\npackages = ['goose-*']\nusers = ['alice']\n\
                  [[rule]]\nkey = 'k1'\nkinds = ['data']\n\
                  approve = { needed = 2, of = ['alice', 'bob', 'carol'], valid = '1h' }\n";
    fs::write(world.path("store/policy.toml"), policy).unwrap();
    let bridge = Bridge::with_server(&world, "");
    let ask = |user: &str, secrets: &[&str], arguments: &[&str]| bridge.ask(&world, user, secrets, arguments);
    super::world::issue(world.folder.path(), "carol", &world.authority.issue("carol", 30).unwrap());
    done(&ask("root", &[PASSWORD], &["new-user", "carol"]));
    for (name, new) in [("bob", BOB), ("carol", CAROL)] {
        done(&ask("alice", &[ALICE, new], &["grant-key-access", "k1", name]));
    }
    fs::write(world.path("release"), "a release").unwrap();
    fs::write(world.path("other"), "another release").unwrap();
    let sign = |file: &str| ask("alice", &[ALICE], &["sign-data", "k1", file, "-o", "packet"]);

    let first = refused(&sign("release"), "0 of 2 approvals were given");
    let id = first.split("the request's id is ").nth(1).unwrap();
    let id: String = id.chars().take_while(char::is_ascii_alphanumeric).collect();
    assert!(!world.path("packet").exists());
    let listed = done(&ask("bob", &[BOB], &["list-approvals", "k1"]));
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(
        (&listed["id"], &listed["user"], &listed["kind"]),
        (&json!(id), &json!("alice"), &json!("data"))
    );
    assert_eq!(listed["digest"], Digest::of("a release").hex().as_str());
    let approve = |user: &str, secret: &str, id: &str| ask(user, &[secret], &["approve", "k1", id]);
    refused(&approve("alice", ALICE, &id), "who asked cannot approve");
    refused(&approve("bob", "wrong", &id), "refused");
    assert_eq!(done(&approve("bob", BOB, &id)), "1 of 2 approvals\n");
    // The same one again is no second one.
    drop(approve("bob", BOB, &id));
    refused(&sign("release"), "1 of 2 approvals were given");
    assert_eq!(done(&approve("carol", CAROL, &id)), "2 of 2 approvals\n");
    done(&sign("release"));
    let packet = fs::read(world.path("packet")).unwrap();
    verify_detached(&world.keys[0], &packet, &b"a release"[..], None).unwrap();
    refused(&sign("other"), "0 of 2 approvals were given");

    // Packages need none, but the policy says which.
    for name in ["goose", "gander"] {
        fs::write(world.path(&format!("{name}.rpm")), package(name, 500)).unwrap();
    }
    done(&ask("alice", &[ALICE], &["sign-rpm", "k1", "goose.rpm", "-o", "goose.signed"]));
    refused(&ask("alice", &[ALICE], &["sign-rpm", "k1", "gander.rpm"]), "policy");
    refused(&ask("bob", &[BOB], &["sign-rpm", "k1", "goose.rpm"]), "policy");
    fs::create_dir(world.path("out")).unwrap();
    let several = ask("alice", &[ALICE], &["sign-rpms", "k1", "goose.rpm", "gander.rpm", "-o", "out"]);
    refused(&several, "policy");
    assert!(world.path("out/goose.rpm").exists() && !world.path("out/gander.rpm").exists());
    refused(&ask("alice", &[ALICE], &["sign-text", "k1", "release"]), "policy");

    // Nobody waits for the entry of a refusal.
    let is_last = |entries: &[Value]| entries.last().is_some_and(|entry| entry["operation"] == "sign-text");
    world.wait_for("the last refusal to be recorded", || is_last(&entries(&world)));
    let all = entries(&world);
    let signed: Vec<&Value> = all.iter().filter(|entry| entry["event"] == "signature").collect();
    assert_eq!(signed.len(), 3, "{all:?}");
    assert_eq!(signed[0]["approvals"], json!(["bob", "carol"]));
    assert_eq!(signed[0]["digest"], Digest::of("a release").to_string().as_str());
    assert_eq!(signed[0]["signature"], Digest::of(&packet).to_string().as_str());
    assert_eq!(signed[1]["nevra"], "goose-0:1-1.noarch");
    let count = |event: &str| all.iter().filter(|entry| entry["event"] == event).count();
    assert!(count("approval") >= 2 && count("refusal") >= 8, "{all:?}");
    assert_eq!(verify(&world.path("store")).0, Some(0));
    harm(&world);
}

/// Everything that can be done to a ledger is found, also while the service runs.
fn harm(world: &World) {
    let copy = world.path("copy");
    let folder = world.path("store/ledger");
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let [file] = &files[..] else { panic!("{files:?}") };
    let whole = fs::read_to_string(file).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let number = lines.len();
    fs::create_dir_all(copy.join("ledger")).unwrap();
    // Not the database as a file alone: what is newest is still in its log.
    for name in ["vault.sqlite", "vault.sqlite-wal"] {
        fs::copy(world.path("store").join(name), copy.join(name)).unwrap();
    }
    let found = |what: &str, text: &[u8]| {
        fs::write(copy.join("ledger").join(file.file_name().unwrap()), text).unwrap();
        let (code, said) = verify(&copy);
        assert_eq!(code, Some(i32::from(what != "whole")), "{what}: {said}");
        said
    };
    found("whole", whole.as_bytes());
    let place = |line: usize| lines[..line].concat();
    let without = |line: usize| place(line) + &lines[line + 1..].concat();
    for line in 0..number {
        found("an entry is missing", without(line).as_bytes());
        if line + 1 < number {
            let swapped = place(line) + lines[line + 1] + lines[line] + &lines[line + 2..].concat();
            found("two are swapped", swapped.as_bytes());
        }
        found("one stands there twice", (place(line) + lines[line] + &lines[line..].concat()).as_bytes());
        found("the end is cut off", place(line).as_bytes());
    }
    // A byte here and there; each bit of it makes another line.
    for at in (0..whole.len()).step_by(1 + whole.len() / 60) {
        let mut changed = whole.clone().into_bytes();
        changed[at] ^= 1;
        found("a byte is changed", &changed);
    }
    let said = found("cut within an entry", &whole.as_bytes()[..whole.len() - 20]);
    assert!(!said.is_empty());
    let longer = format!("{whole}{}", lines[number - 1]);
    found("one was added", longer.as_bytes());
    found("whole", whole.as_bytes());
    println!("{number} entries: each removed, swapped, doubled, cut off; bytes changed");
}
