//! Client, bridge, server and signer, each a process or as one uses it.

use std::collections::BTreeMap;

use gander::openpgp::{verify_cleartext, verify_detached};
use gander::sigul::client::{Package, Payload, Request, RpmsOptions, Signed};

use super::rpms::package;
use super::whole::Bridge;
use super::world::{ALICE, World};

fn request<'a>(operation: &'a str, payload: &'a [u8]) -> Request<'a> {
    let request = Request::new(operation).field("key", "k1").secret("passphrase", ALICE.as_bytes());
    request.payload(Payload::Bytes(payload))
}

#[test]
fn everything_works_together() {
    let world = World::ended("", "");
    let bridge = Bridge::start(&world, "");
    world.start();
    world.wait_for("a connection", || world.status("/health").0 == 200);
    let client = bridge.client(&world, "alice");
    world.runtime.block_on(async {
        let (_, text) = client.call(request("sign-text", b"text\n"), 1 << 20).await.unwrap();
        assert_eq!(verify_cleartext(&world.keys[..1], &text).unwrap(), b"text\n");
        let large = vec![9; 20_000_000];
        let (_, packet) = client.call(request("sign-data", &large), 1 << 20).await.unwrap();
        verify_detached(&world.keys[0], &packet, &large[..], None).unwrap();

        // Forty at once, which are more than the connections that wait.
        let mut tasks = Vec::new();
        for number in 0..40 {
            let client = client.clone();
            tasks.push(tokio::spawn(async move {
                let data = format!("data {number}");
                let got = client.call(request("sign-data", data.as_bytes()), 1 << 20).await;
                (data, got.unwrap().1)
            }));
        }
        for task in tasks {
            let (data, packet) = task.await.unwrap();
            verify_detached(&world.keys[0], &packet, data.as_bytes(), None).unwrap();
        }

        let folder = world.path("packages");
        std::fs::create_dir(&folder).unwrap();
        let mut packages = Vec::new();
        for number in 0..50 {
            let path = folder.join(format!("{number}.rpm"));
            let mut bytes = package(&format!("p{number}"), number * 1000);
            if number == 7 {
                bytes[150] ^= 1;
            }
            std::fs::write(&path, bytes).unwrap();
            packages.push(Package::File(path));
        }
        let out = world.path("out");
        std::fs::create_dir(&out).unwrap();
        let mut outcomes = BTreeMap::new();
        let options = RpmsOptions::default();
        let told = |place, outcome| drop(outcomes.insert(place, outcome));
        client.sign_rpms("k1", ALICE.as_bytes(), &options, &packages, &out, told).await.unwrap();
        assert_eq!(outcomes.len(), 50);
        for (&number, outcome) in &outcomes {
            match outcome {
                Ok(Signed::File(_)) => assert_ne!(number, 7),
                Err(failure) => assert_eq!((number, failure.code), (7, 11)),
                other => panic!("{number}: {other:?}"),
            }
        }
    });
    assert!(!bridge.log(&world).contains(ALICE));
}
