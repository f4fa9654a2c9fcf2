//! Many large texts at once: what server and signer hold of them has a limit.

use std::fs;

use gander::openpgp::verify_cleartext;
use gander::sigul::client::{ClientError, Payload, Request};

use super::whole::Bridge;
use super::world::{ALICE, World};

/// The most memory that a process has had, in MiB.
fn peak(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
}

/// Lines that become longer in the message, and such as take much memory each where lines are kept.
fn text(number: usize, size: usize) -> Vec<u8> {
    let mut text = format!("text {number}\n").into_bytes();
    text.resize(size / 2, b'\n');
    while text.len() < size {
        text.extend_from_slice(b"-\n- a line that begins with a dash, and one that does not\n");
    }
    text
}

#[test]
fn sixty_four_large_texts_at_once() {
    let world = World::ended("", "memory-mebibytes = 4\nspool-mebibytes = 512\nrequests = 80");
    let bridge = Bridge::with_server(&world, "[limits]\nwait-seconds = 300\nsecrets-seconds = 300");
    let before = peak(world.pid());
    let client = bridge.client(&world, "alice");
    world.runtime.block_on(async {
        let mut tasks = Vec::new();
        for number in 0..64 {
            let client = client.clone();
            tasks.push(tokio::spawn(async move {
                let text = text(number, 2 << 20);
                let request = Request::new("sign-text").field("key", "k1");
                let request = request.secret("passphrase", ALICE.as_bytes());
                let got = client.call(request.payload(Payload::Bytes(&text)), 1 << 30).await;
                got.map(|(_, message)| (text, message))
            }));
        }
        for task in tasks {
            let (text, message) = task.await.unwrap().unwrap();
            let signed = verify_cleartext(&world.keys[..1], &message).unwrap();
            assert!(signed == text);
        }
    });
    assert_eq!(world.signatures(), 64);
    // 128 MiB of texts and as much of messages went through the server; the signer holds texts alone.
    let (server, signer) = (peak(world.pid()), peak(world.signer().unwrap()));
    println!(
        "64 texts of 2 MiB: peak of the server {server} MiB (before: {before}), of the signer {signer} MiB"
    );
    assert!(server - before < 64, "{server} MiB, {before} MiB before");
    assert!(signer < 300, "{signer} MiB");
}

#[test]
fn texts_that_find_no_room_are_refused_and_nothing_else_is() {
    let world = World::ended("", "memory-mebibytes = 1\nspool-mebibytes = 30\nrequests = 80");
    let bridge = Bridge::with_server(&world, "[limits]\nwait-seconds = 300\nsecrets-seconds = 300");
    let client = bridge.client(&world, "alice");
    let (signed, refused) = world.runtime.block_on(async {
        let mut tasks = Vec::new();
        for number in 0..64 {
            let client = client.clone();
            tasks.push(tokio::spawn(async move {
                let text = text(number, 2 << 20);
                let request = Request::new("sign-text").field("key", "k1");
                let request = request.secret("passphrase", ALICE.as_bytes());
                client.call(request.payload(Payload::Bytes(&text)), 1 << 30).await
            }));
        }
        let (mut signed, mut refused) = (0, 0);
        for task in tasks {
            match task.await.unwrap() {
                Ok((_, message)) => {
                    verify_cleartext(&world.keys[..1], &message).unwrap();
                    signed += 1;
                }
                Err(ClientError::Refused { code: 9, message: Some(message) }) => {
                    assert!(message.contains("take all the room"), "{message}");
                    refused += 1;
                }
                Err(error) => panic!("{error:?}\n{}\n{}", world.log(), bridge.log(&world)),
            }
        }
        (signed, refused)
    });
    println!("room for 30 MiB: {signed} of 64 texts of 2 MiB were signed, {refused} refused");
    assert!(signed > 0 && refused > 0 && signed + refused == 64);
    // What was held is given back.
    world.runtime.block_on(async {
        let large = text(0, 10 << 20);
        let request = Request::new("sign-text").field("key", "k1").secret("passphrase", ALICE.as_bytes());
        client.call(request.payload(Payload::Bytes(&large)), 1 << 30).await.unwrap();
    });
}
