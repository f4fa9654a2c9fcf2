//! Payloads of any size in constant memory, and how many bytes and requests a second go through.
//!
//! `GANDER_LARGE=10737418240` has it pass 10 GiB.

use std::sync::Arc;
use std::time::Instant;

use gander::sigul::client::{Payload, Request};
use gander::sigul::stream::{Divided, read_fields, read_u32, read_u64};
use gander::sigul::wire::{Code, Fields, Mac, Proof, Reply};
use sha2::{Digest as _, Sha512};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::peers::{echo, server, servers};
use super::world::{Bridge, run};

/// Bytes that a bridge may ever have in memory.
const MEMORY: u64 = 64 << 20;

#[test]
fn a_large_payload_takes_no_memory() {
    let size: u64 = std::env::var("GANDER_LARGE").ok().map_or(300 << 20, |size| size.parse().unwrap());
    let bridge = Bridge::new();
    let path = bridge.parties.path("large");
    // A file with nothing in it reads as zeros.
    std::fs::File::create(&path).unwrap().set_len(size).unwrap();
    run(async {
        let (tls, streams) = server(&bridge).await;
        let serving = tokio::spawn(async move {
            let Divided { mut outer, inner, sent, .. } = streams;
            assert_eq!(read_u32(&mut outer.incoming).await.unwrap(), 1);
            let (_, raw) = read_fields(&mut outer.incoming).await.unwrap();
            let mut left = read_u64(&mut outer.incoming).await.unwrap();
            let (mut hash, mut buffer) = (Sha512::new(), vec![0; 1 << 16]);
            while left > 0 {
                let most = usize::try_from(left).unwrap().min(buffer.len());
                let read = outer.incoming.read(&mut buffer[..most]).await.unwrap();
                assert!(read > 0);
                hash.update(&buffer[..read]);
                left -= read as u64;
            }
            let mut inner = tls.accept(inner).await.unwrap();
            let (secrets, _) = read_fields(&mut inner).await.unwrap();
            inner.shutdown().await.unwrap();
            drop(inner);
            let head = [&1_u32.to_be_bytes()[..], &raw].concat();
            let proof = Proof::read(&secrets, &head, &hash.finalize().into(), false).unwrap();
            let reply = Reply { code: Code::Ok, fields: Fields::default() }.encode().unwrap();
            outer.write_all(&reply).await.unwrap();
            outer.write_all(&Mac::of(&proof.header_key, &reply)).await.unwrap();
            outer.write_all(&0_u64.to_be_bytes()).await.unwrap();
            outer.write_all(&Mac::of(&proof.payload_key, b"")).await.unwrap();
            outer.shutdown().await.unwrap();
            drop(outer);
            sent.wait().await;
        });
        let begun = Instant::now();
        let request = Request::new("sign-data").field("key", "k1").payload(Payload::File(&path));
        bridge.client().call(request, 99).await.unwrap();
        serving.await.unwrap();
        let (seconds, peak) = (begun.elapsed().as_secs_f64(), bridge.peak());
        let mib = f64::from(u32::try_from(size >> 20).unwrap());
        println!(
            "{mib} MiB in {seconds:.1} s: {:.0} MiB/s; the bridge had {peak} KiB at most",
            mib / seconds
        );
        assert!(peak * 1024 < MEMORY, "{peak} KiB");
    });
}

#[test]
fn small_requests_are_passed_on_fast() {
    let bridge = Bridge::new();
    run(async {
        let _servers = servers(&bridge, 8, echo());
        let begun = Instant::now();
        let all: Vec<_> = (0..4)
            .map(|_| {
                let client = Arc::new(bridge.client());
                tokio::spawn(async move {
                    for _ in 0..25 {
                        let request = Request::new("sign-text").field("key", "k1");
                        client.call(request.payload(Payload::Bytes(b"x")), 99).await.unwrap();
                    }
                })
            })
            .collect();
        for one in all {
            one.await.unwrap();
        }
        let seconds = begun.elapsed().as_secs_f64();
        println!("100 requests, 4 at once: {:.0} a second", 100.0 / seconds);
    });
    assert!(bridge.peak() * 1024 < MEMORY);
}
