//! Processes that are killed, and that are told to end.

use std::time::Duration;

use gander::openpgp::verify_detached;
use gander::sigul::stream::divide;
use tokio::io::AsyncWriteExt as _;

use super::asking::{Ask, Part, reply, soon};
use super::rpms::package;
use super::world::World;

fn sign(world: &World) {
    let got = world.ask(&Ask::alice("sign-data").payload("x")).unwrap();
    assert_eq!(got.code, 0, "{:?}", got.fields.get("message").map(String::from_utf8_lossy));
    verify_detached(&world.keys[0], &got.payload, &b"x"[..], None).unwrap();
}

#[test]
fn a_signer_that_is_killed_is_started_again() {
    let world = World::new("", "");
    sign(&world);
    for stage in 0..4 {
        if stage == 0 {
            // Nobody asks: it comes again all the same.
            let signer = world.kill_signer();
            world.wait_for("another signer", || world.signer().is_some_and(|pid| pid != signer));
            sign(&world);
            continue;
        }
        let ask = match stage {
            1 => Ask::alice("sign-data").payload(vec![7; 2_000_000]),
            2 => Ask::alice("sign-text").payload("text\n".repeat(10_000)),
            _ => Ask::alice("sign-rpm").payload(package("goose", 500_000)),
        };
        let outer = ask.outer();
        let got = world.runtime.block_on(async {
            let mut streams = divide(world.connection().await, Duration::from_secs(30));
            let (half, rest) = outer.split_at(outer.len() / 2);
            streams.outer.outgoing.write_all(half).await.unwrap();
            tokio::time::sleep(Duration::from_millis(200)).await;
            world.kill_signer();
            streams.outer.outgoing.write_all(rest).await.unwrap();
            world.past(streams.inner, "alice", &ask.inner().encode().unwrap()).await.unwrap();
            soon(reply(&mut streams.outer.incoming)).await.unwrap()
        });
        // A package is given to the signer when it is whole: to the next one.
        assert_eq!(got.code, if stage == 3 { 0 } else { 9 }, "{stage}: {got:?}");
        sign(&world);
    }
}

#[test]
fn packages_are_answered_when_the_signer_is_killed_among_them() {
    let world = World::new("", "");
    let parts: Vec<Part> = (0..300).map(|id| Part::new(id, &package(&format!("p{id}"), 20_000))).collect();
    let done = world.runtime.block_on(async {
        let connection = world.connection().await;
        let killing = async {
            tokio::time::sleep(Duration::from_millis(150)).await;
            world.kill_signer();
        };
        let ask = Ask::alice("sign-rpms");
        tokio::join!(world.ask_rpms(connection, &ask, &parts), killing).0
    });
    match done {
        Ok(done) => {
            assert_eq!(done.len(), 300);
            let good = done.iter().take_while(|(_, got)| got.code == 0).count();
            assert!(done[good..].iter().all(|(_, got)| got.code == 9 && got.payload.is_empty()));
            println!("{good} of 300 packages were signed before the signer was killed");
        }
        // It was killed before it opened the key.
        Err(reason) => assert_eq!(reason, "code 9"),
    }
    sign(&world);
}

#[test]
fn a_server_that_is_killed_leaves_clients_with_an_end_and_no_signer() {
    let world = World::new("", "");
    let ask = Ask::alice("sign-data").payload(vec![7; 1_000_000]);
    let outer = ask.outer();
    for place in [0, 1, 40, outer.len() / 2, outer.len()] {
        let signer = world.signer().unwrap();
        let ended = world.runtime.block_on(async {
            let mut streams = divide(world.connection().await, Duration::from_secs(30));
            streams.outer.outgoing.write_all(&outer[..place]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            world.signal("KILL", world.pid());
            soon(reply(&mut streams.outer.incoming)).await
        });
        ended.unwrap_err();
        assert!(!world.ended_well());
        let stat = format!("/proc/{signer}/cmdline");
        world.wait_for("the signer's end", || std::fs::read(&stat).unwrap_or_default().is_empty());
        world.start();
        sign(&world);
    }
}

#[test]
fn a_server_that_is_told_to_end_finishes_what_has_begun() {
    let world = World::new("", "");
    let ask = Ask::alice("sign-data").payload(vec![7; 500_000]);
    let outer = ask.outer();
    world.runtime.block_on(async {
        let mut streams = divide(world.connection().await, Duration::from_secs(30));
        let mut idle = divide(world.connection().await, Duration::from_secs(30));
        let (half, rest) = outer.split_at(outer.len() / 2);
        streams.outer.outgoing.write_all(half).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        world.signal("TERM", world.pid());
        // Who waits is let go at once.
        soon(idle.ended.wait()).await;
        streams.outer.outgoing.write_all(rest).await.unwrap();
        world.past(streams.inner, "alice", &ask.inner().encode().unwrap()).await.unwrap();
        let got = soon(reply(&mut streams.outer.incoming)).await.unwrap();
        verify_detached(&world.keys[0], &got.payload, &ask.payload[..], None).unwrap();
    });
    assert!(world.ended_well());
    assert!(world.log().contains("event=ended"));
}

#[test]
fn a_bridge_that_goes_away_is_found_again() {
    let world = World::new("", "");
    sign(&world);
    assert_eq!(world.status("/health").0, 200);
    world.close_bridge();
    world.wait_for("bad health", || world.status("/health").0 == 503);
    assert!(world.status("/health").1.contains("bridge"));
    world.wait_for("the log", || world.log().contains("event=bridge-not-reached"));
    world.open_bridge();
    world.wait_for("good health", || world.status("/health").0 == 200);
    sign(&world);
}

#[test]
fn a_bridge_that_takes_no_connection_is_not_pestered() {
    let world = World::new("", "");
    // Its handshake succeeds, and then it closes.
    let taken = world.runtime.block_on(async {
        let mut taken = 0;
        drop(
            tokio::time::timeout(Duration::from_secs(5), async {
                loop {
                    drop(world.connection().await);
                    taken += 1;
                }
            })
            .await,
        );
        taken
    });
    assert!((8..60).contains(&taken), "{taken}");
    world.wait_for("the log", || world.log().contains("event=bridge-not-reached"));
}
