//! Bytes that no client sends, and clients that do not go on.

use std::time::Duration;

use gander::sigul::stream::divide;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::asking::{Ask, soon};
use super::mutant::Random;
use super::world::World;

/// Changes some of the bytes, or where they end.
fn mutate(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(4) {
        let place = random.below(bytes.len());
        match random.below(6) {
            0 => bytes[place] ^= 1 << random.below(8),
            1 => bytes[place] = random.below(256) as u8,
            2 => bytes[place] = random.of(&[0, 1, 0x7f, 0x80, 0xff]),
            3 => bytes.truncate(place.max(1)),
            4 => bytes.insert(place, random.below(256) as u8),
            _ => {
                let end = (place + random.below(9)).min(bytes.len());
                bytes[place..end].fill(random.of(&[0, 0xff]));
            }
        }
    }
    bytes
}

/// The most memory that the server has had, in KiB.
fn peak(world: &World) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", world.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

fn still_signs(world: &World) {
    assert_eq!(world.ask(&Ask::alice("sign-data").payload("x")).unwrap().code, 0);
}

#[test]
fn mutated_requests_end() {
    let world = World::new("", "idle-seconds = 2\nhandshake-seconds = 2\nspare = 16");
    let mut random = Random::new(7);
    let asks = [
        Ask::alice("sign-data").payload("some data"),
        Ask::alice("sign-rpm").payload(super::rpms::package("goose", 100)),
        Ask::alice("sign-text").payload("some text\n"),
        Ask::alice("sign-rpms"),
    ];
    let mut answered = 0;
    world.runtime.block_on(async {
        for round in 0..320 {
            let ask = &asks[round % asks.len()];
            let (mut outer, mut inner) = (ask.outer(), ask.inner().encode().unwrap().to_vec());
            if round % 2 == 0 {
                outer = mutate(&outer, &mut random);
            } else {
                inner = mutate(&inner, &mut random);
            }
            let mut streams = divide(world.connection().await, Duration::from_secs(30));
            let work = async {
                streams.outer.outgoing.write_all(&outer).await.map_err(drop)?;
                // Who waits for more gets an end instead.
                streams.outer.outgoing.shutdown().await.map_err(drop)?;
                drop(world.past(streams.inner, "alice", &inner).await);
                let mut all = Vec::new();
                streams.outer.incoming.read_to_end(&mut all).await.map_err(drop)?;
                Ok::<_, ()>(all)
            };
            let all = tokio::time::timeout(Duration::from_secs(20), work).await.unwrap_or_else(|_| {
                panic!("round {round} has no end\n{}", world.log());
            });
            // A mutation of what nothing depends on: a key of an HMAC, or a byte that became itself.
            answered += usize::from(all.is_ok_and(|all| all.len() > 4));
        }
    });
    still_signs(&world);
    assert!(answered < 320, "{answered}");
    println!("320 mutated requests, of which {answered} were answered");
}

#[test]
fn mutated_chunks_end() {
    let world = World::new("", "idle-seconds = 2\nhandshake-seconds = 2\nspare = 16");
    let mut random = Random::new(11);
    let ask = Ask::alice("sign-data").payload("some data");
    let outer = ask.outer();
    let mut flight = Vec::new();
    // A first record of TLS, then the request in three pieces, the end of both streams.
    for (inner, piece) in [
        (true, &[22, 3, 1, 0, 4, 1, 0, 0, 0][..]),
        (false, &outer[..10]),
        (false, &outer[10..20]),
        (false, &outer[20..]),
        (true, &[][..]),
        (false, &[][..]),
    ] {
        flight.extend((piece.len() as u32 | u32::from(inner) << 31).to_be_bytes());
        flight.extend(piece);
    }
    world.runtime.block_on(async {
        for round in 0..200 {
            let bytes = mutate(&flight, &mut random);
            let mut stream = world.connection().await;
            let work = async {
                stream.write_all(&bytes).await?;
                // A server waits for a request as long as the bridge leaves it the connection.
                stream.shutdown().await?;
                let mut all = Vec::new();
                stream.read_to_end(&mut all).await
            };
            let ended = tokio::time::timeout(Duration::from_secs(20), work).await;
            assert!(ended.is_ok(), "round {round} has no end\n{}", world.log());
        }
    });
    still_signs(&world);
    assert_eq!(world.signatures(), 1);
}

#[test]
fn sizes_are_not_believed() {
    let world = World::new("", "idle-seconds = 2\nhandshake-seconds = 2");
    still_signs(&world);
    let before = peak(&world);
    let ends = |bytes: Vec<u8>| {
        world.runtime.block_on(async {
            let mut streams = divide(world.connection().await, Duration::from_secs(30));
            soon(async {
                drop(streams.outer.outgoing.write_all(&bytes).await);
                let mut all = Vec::new();
                drop(streams.outer.incoming.read_to_end(&mut all).await);
                assert!(all.is_empty());
            })
            .await;
        });
    };
    for operation in
        ["sign-text", "sign-rpm", "sign-data", "decrypt", "import-key", "list-users", "sign-git-tag"]
    {
        let ask = match operation {
            "list-users" => Ask::new("root", operation),
            _ => Ask::new("alice", operation).field("key", "k1"),
        };
        for size in [u64::MAX, 1 << 63, (1 << 40) + 1] {
            ends([&ask.head()[..], &size.to_be_bytes(), b"and some of it"].concat());
        }
    }
    // As many fields as there can be, all as long as they can be: the next is not waited for in vain.
    let mut long = vec![0, 0, 0, 1, 255];
    for number in 0..255_u8 {
        long.extend([255; 1]);
        long.extend([b'a'; 254]);
        long.push(b' ' + number % 90);
        long.extend([255; 256]);
    }
    ends(long);
    let grown = peak(&world) - before;
    assert!(grown < 64 << 10, "{grown} KiB\n{}", world.log());
    still_signs(&world);
}

#[test]
fn connections_that_break_off_or_stall_leave_nothing_behind() {
    let world = World::new("", "idle-seconds = 2\nhandshake-seconds = 2\nrequests = 6\nspare = 3");
    let ask = Ask::alice("sign-rpm").payload(super::rpms::package("goose", 400_000));
    let outer = ask.outer();
    let places =
        [1, 3, 4, 5, 30, ask.head().len(), ask.head().len() + 7, ask.head().len() + 8, 300_000, outer.len()];
    world.runtime.block_on(async {
        for (number, place) in places.iter().cycle().take(40).enumerate() {
            let mut streams = divide(world.connection().await, Duration::from_secs(30));
            streams.outer.outgoing.write_all(&outer[..*place]).await.unwrap();
            if number < 20 {
                continue;
            }
            // Those stay open and say nothing more; the server ends them, since there are six places alone.
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(60)).await;
                drop(streams);
            });
        }
        // The same in the inner handshake, and after it without a word.
        for _ in 0..8 {
            let mut streams = divide(world.connection().await, Duration::from_secs(30));
            streams.outer.outgoing.write_all(&outer).await.unwrap();
            streams.inner.outgoing.write_all(&[22, 3, 1]).await.unwrap();
        }
        let tls = gander::sigul::stream::Tls::new(&world.identity("alice")).unwrap();
        for _ in 0..8 {
            let mut streams = divide(world.connection().await, Duration::from_secs(30));
            streams.outer.outgoing.write_all(&outer).await.unwrap();
            let inner = soon(tls.connect("server.test", streams.inner)).await.unwrap();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(60)).await;
                drop((inner, streams.outer));
            });
        }
    });
    for _ in 0..8 {
        still_signs(&world);
    }
    world.wait_for("no request", || world.status("/metrics").1.contains("gander_sigul_server_requests 0\n"));
    // Root alone may look there: the process hides itself.
    if let Ok(descriptors) = std::fs::read_dir(format!("/proc/{}/fd", world.pid())) {
        assert!(descriptors.count() < 40);
    }
}
