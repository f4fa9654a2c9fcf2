//! Packages, one by one and many at once.

use std::time::Duration;

use gander::openpgp::verify_detached;
use gander::rpm::{Headers, edit, identify};
use gander::sigul::stream::divide;
use gander::sigul::wire::Fields;

use super::asking::{Ask, Part, reply, soon};
use super::sample::{self, Value};
use super::world::World;

/// A package with a payload of some bytes.
pub fn package(name: &str, size: usize) -> Vec<u8> {
    let payload: Vec<u8> = (0..size).map(|place| (place % 251) as u8).collect();
    let sum = gander::base::digest::hex(&sample::digest(8, &[&payload]));
    let tags = [
        (100, Value::Texts(&["C"])),
        (1000, Value::Text(name)),
        (1001, Value::Text("1")),
        (1002, Value::Text("1")),
        (1022, Value::Text("noarch")),
        (1044, Value::Text("goose-1-1.src.rpm")),
        (5092, Value::Texts(&[&sum])),
        (5093, Value::Int32(&[8])),
    ];
    sample::whole(&format!("{name}-1-1"), &tags, &payload, &[0; 4128])
}

/// A signed package is the other one with a good signature, and nothing else.
fn assert_signed(world: &World, signed: &[u8], unsigned: &[u8]) {
    let (headers, _) = identify(signed).unwrap();
    let before = Headers::read(unsigned).unwrap();
    assert_eq!(headers.main.bytes(), before.main.bytes());
    let (end, end_before) = (headers.main_range().end as usize, before.main_range().end as usize);
    assert_eq!(signed[end..], unsigned[end_before..]);
    let entry = headers.signature.find(267).expect("a signature by a key of Ed25519");
    let packet = headers.signature.data(entry);
    verify_detached(&world.keys[0], packet, headers.main.bytes(), None).unwrap();
}

fn spliced(package: &[u8], header: &[u8]) -> Vec<u8> {
    let mut signed = Vec::new();
    edit::splice(package, header, &mut signed).unwrap();
    signed
}

#[test]
fn one_package() {
    let world = World::new("", "");
    for size in [0, 1000, 2_000_000] {
        let bytes = package("goose", size);
        let got = world.ask(&Ask::alice("sign-rpm").payload(&bytes)).unwrap();
        assert_eq!(got.code, 0, "{:?}", got.fields.get("message"));
        assert_signed(&world, &got.payload, &bytes);
        // A signed one gets a signature in place of the old one.
        let again = world.ask(&Ask::alice("sign-rpm").payload(&got.payload)).unwrap();
        assert_signed(&world, &again.payload, &bytes);
        // That is for many packages only: sigul's server sends all of one, too.
        let whole = world.ask(&Ask::alice("sign-rpm").field("head-signing", [1]).payload(&bytes)).unwrap();
        assert_signed(&world, &whole.payload, &bytes);
    }
    let bytes = package("goose", 1000);
    let md5 = {
        let headers = Headers::read(&bytes[..]).unwrap();
        headers.signature.data(headers.signature.find(1004).unwrap()).to_vec()
    };
    let ask = |ask: Ask| world.ask(&ask.payload(&bytes)).unwrap().code;
    let named = || Ask::alice("sign-rpm").field("rpm-sigmd5", &md5);
    assert_eq!(ask(named()), 0);
    assert_eq!(ask(named().secret("passphrase", "wrong")), 3);
    assert_eq!(ask(Ask::alice("sign-rpm").field("rpm-sigmd5", [0; 16])), 12);
    assert_eq!(ask(named().field("rpm-name", "goose").field("rpm-epoch", "").field("rpm-version", "1")), 0);
    for (field, wrong) in
        [("rpm-name", "gander"), ("rpm-epoch", "1"), ("rpm-version", "2"), ("rpm-arch", "x86_64")]
    {
        assert_eq!(ask(named().field(field, wrong)), 12, "{field}");
    }
    // What nobody vouches for is refused to those who may sign; to others is said only that they may not.
    let unproven = |ask: Ask| {
        ask.change(|fields| {
            let mut rest = Fields::default();
            for key in fields.keys().filter(|key| *key != "payload-auth-sha512") {
                rest.set(key, fields.get(key).unwrap());
            }
            *fields = rest;
        })
    };
    assert_eq!(ask(unproven(named())), 0);
    assert_eq!(ask(unproven(Ask::alice("sign-rpm"))), 12);
    assert_eq!(ask(unproven(Ask::alice("sign-rpm")).secret("passphrase", "wrong")), 3);
    let damaged = Ask::alice("sign-rpm").payload("no package").secret("passphrase", "wrong");
    assert_eq!(world.ask(&damaged).unwrap().code, 3);
}

#[test]
fn damaged_packages_are_refused() {
    let world = World::new("", "");
    let good = package("goose", 5000);
    let main = Headers::read(&good[..]).unwrap().main_range();
    let (start, end) = (main.start as usize, main.end as usize);
    let mut flipped = vec![];
    for place in [0, start + 4, start + 60, end - 3, end, good.len() - 1] {
        let mut bad = good.clone();
        bad[place] ^= 1;
        flipped.push(bad);
    }
    flipped.extend([
        good[..good.len() - 1].to_vec(),
        good[..50].to_vec(),
        Vec::new(),
        b"no package".to_vec(),
    ]);
    flipped.push([&good[..], b"x"].concat());
    for (number, bad) in flipped.iter().enumerate() {
        let got = world.ask(&Ask::alice("sign-rpm").payload(bad)).unwrap();
        assert_eq!((got.code, got.payload.len()), (11, 0), "{number}");
    }
    assert_eq!(world.signatures(), 0);
}

#[test]
fn many_packages_with_failures_last() {
    let world = World::new("", "");
    let packages: Vec<Vec<u8>> =
        (0..60).map(|number| package(&format!("p{number}"), number * 5000)).collect();
    let mut parts: Vec<Part> = (0..).zip(&packages).map(|(id, package)| Part::new(id, package)).collect();
    parts[0].payload[200] ^= 1;
    parts[20].flip[1] = 1;
    parts[40].fields.set("rpm-sigmd5", [0; 16]);
    parts[59].payload.truncate(300);
    let failing = [(0, 11), (20, 12), (40, 12), (59, 11)];
    for head in [false, true] {
        let ask =
            if head { Ask::alice("sign-rpms").field("head-signing", [1]) } else { Ask::alice("sign-rpms") };
        let before = world.signatures();
        let done = world.runtime.block_on(async {
            let connection = world.connection().await;
            world.ask_rpms(connection, &ask, &parts).await.unwrap()
        });
        let failed: Vec<(u32, u32)> = done[56..].iter().map(|(id, got)| (*id, got.code)).collect();
        assert_eq!(failed, failing);
        let wanted = (0..60).filter(|id| failing.iter().all(|(bad, _)| bad != id));
        assert!(done[..56].iter().map(|(id, _)| *id).eq(wanted));
        for (id, got) in &done[..56] {
            assert_eq!(got.code, 0);
            let unsigned = &packages[*id as usize];
            let signed = if head { spliced(unsigned, &got.payload) } else { got.payload.clone() };
            assert_signed(&world, &signed, unsigned);
        }
        assert_eq!(world.signatures() - before, 56);
    }
    // Whoever changes the head of a part may change anything.
    parts[3].flip[0] = 1;
    let broken = world.runtime.block_on(async {
        let connection = world.connection().await;
        world.ask_rpms(connection, &Ask::alice("sign-rpms"), &parts).await
    });
    broken.unwrap_err();
    let none = world.runtime.block_on(async {
        let connection = world.connection().await;
        world.ask_rpms(connection, &Ask::alice("sign-rpms"), &[]).await
    });
    assert_eq!(none, Ok(vec![]));
    let wrong = Ask::alice("sign-rpms").secret("passphrase", "wrong");
    assert_eq!(world.ask(&wrong).unwrap().code, 3);
}

#[test]
fn what_is_kept_has_a_limit_and_is_given_back() {
    let world = World::new("", "spool-mebibytes = 2\nmemory-mebibytes = 1");
    let large = package("large", 3_000_000);
    let fits = package("fits", 1_500_000);
    let ask = |bytes: &[u8]| world.ask(&Ask::alice("sign-rpm").payload(bytes)).unwrap();
    for _ in 0..3 {
        let got = ask(&large);
        assert_eq!(got.code, 9);
        assert!(got.fields.text("message").unwrap().contains("cannot be kept"), "{got:?}");
        assert_signed(&world, &ask(&fits).payload, &fits);
    }
    // One of many is no reason for the others to fail.
    let parts = [Part::new(0, &large), Part::new(1, &package("small", 10))];
    let done = world.runtime.block_on(async {
        let connection = world.connection().await;
        world.ask_rpms(connection, &Ask::alice("sign-rpms"), &parts).await.unwrap()
    });
    assert_eq!(done.iter().map(|(id, got)| (*id, got.code)).collect::<Vec<_>>(), [(1, 0), (0, 9)]);
    // Two at once: whoever comes too late hears so, and the place is free when the first has gone.
    world.runtime.block_on(async {
        let ask = Ask::alice("sign-rpm").payload(&fits);
        let mut first = divide(world.connection().await, Duration::from_secs(60));
        let part = &ask.outer()[..1_400_000];
        tokio::io::AsyncWriteExt::write_all(&mut first.outer.outgoing, part).await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        let connection = world.connection().await;
        assert_eq!(world.ask_over(connection, &ask).await.unwrap().code, 9);
        drop(first);
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut streams = divide(world.connection().await, Duration::from_secs(60));
        let rest = ask.outer();
        tokio::io::AsyncWriteExt::write_all(&mut streams.outer.outgoing, &rest).await.unwrap();
        world.past(streams.inner, "alice", &ask.inner().encode().unwrap()).await.unwrap();
        assert_eq!(soon(reply(&mut streams.outer.incoming)).await.unwrap().code, 0);
    });
    // No folder is as bad as no room.
    std::fs::remove_dir(world.path("spool")).unwrap();
    assert_eq!(ask(&fits).code, 9);
    assert_eq!(ask(&package("small", 10)).code, 0);
}
