//! Requests that are answered, and requests that are not what they seem.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use gander::openpgp::{verify_cleartext, verify_detached};
use gander::sigul::stream::divide;
use gander::sigul::wire::Fields;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufStream, ReadBuf};

use super::asking::{Ask, end, reply, soon, text};
use super::certificates::Forged;
use super::rpms::package;
use super::world::{ALICE, BOB, PASSWORD, World};

fn data(size: usize) -> Vec<u8> {
    (0..size).map(|place| (place * 7 + place / 251) as u8).collect()
}

#[test]
fn all_kinds_of_payload_are_signed() {
    let world = World::new("", "");
    for size in [0, 1, 4092, 100_000, 3_000_000] {
        let bytes = data(size);
        let got = world.ask(&Ask::alice("sign-data").payload(&bytes)).unwrap();
        assert_eq!((got.code, got.fields), (0, Fields::default()));
        verify_detached(&world.keys[0], &got.payload, &bytes[..], None).unwrap();
    }
    let text: Vec<u8> = b"- a line\n".repeat(60_000);
    let got = world.ask(&Ask::alice("sign-text").payload(&text)).unwrap();
    assert_eq!(verify_cleartext(&world.keys[..1], &got.payload).unwrap(), text);
    let armored = world.ask(&Ask::alice("sign-data").field("armor", [1]).payload("x")).unwrap().payload;
    assert!(armored.starts_with(b"-----BEGIN PGP SIGNATURE-----"));
    let got = world.ask(&Ask::alice("get-public-key")).unwrap();
    assert_eq!(got.payload, world.keys[0].armored().into_bytes());
    let got = world.ask(&Ask::new("root", "list-users").secret("password", PASSWORD)).unwrap();
    assert_eq!((got.fields.u32("num-users").unwrap(), &got.payload[..]), (3, &b"alice\0bob\0root\0"[..]));
}

#[test]
fn who_asks_has_to_be_who_the_certificate_names() {
    let world = World::new("", "");
    let alice = || Ask::alice("sign-data").payload("x");
    assert_eq!(world.ask(&alice().certificate("bob")).unwrap().code, 3);
    let other = Ask::new("bob", "sign-data").field("key", "k1").secret("passphrase", BOB).payload("x");
    assert_eq!(world.ask(&other).unwrap().code, 3, "bob has no access to k1");
    assert_eq!(world.ask(&alice().secret("passphrase", BOB)).unwrap().code, 3);
    assert_eq!(world.ask(&alice().field("key", "k9")).unwrap().code, 3, "not even that there is no such key");
    assert_eq!(world.signatures(), 0);
    world.wait_for("bob's certificate in the log", || world.log().contains("certificate=bob"));

    // Names that others would read as alice's.
    for (name, cn) in [("nul", &b"alice\0.example.org"[..]), ("line", b"alice\n")] {
        Forged::of(cn).issue(&world, &world.authority, name);
        assert!(world.ask(&alice().certificate(name)).is_err());
    }
    // An authority that is another.
    let other = gander::sigul::authority::Authority::create("Test CA", 30).unwrap();
    super::world::issue(world.folder.path(), "foreign", &other.issue("alice", 30).unwrap());
    assert!(world.ask(&alice().certificate("foreign")).is_err());
    assert_eq!(world.signatures(), 0);
    assert_eq!(world.ask(&alice()).unwrap().code, 0);
}

#[test]
fn a_server_may_be_told_to_trust_some_or_all_certificates() {
    let proxies = World::new("proxy-usernames = [\"robot\"]", "");
    let alice = || Ask::alice("sign-data").payload("x");
    assert_eq!(proxies.ask(&alice().certificate("robot")).unwrap().code, 0);
    assert_eq!(proxies.ask(&alice().certificate("bob")).unwrap().code, 3);
    let wrong = alice().certificate("robot").secret("passphrase", "wrong");
    assert_eq!(proxies.ask(&wrong).unwrap().code, 3, "the passphrase counts all the same");
    drop(proxies);
    let lenient = World::new("lenient-username-check = true", "");
    assert_eq!(lenient.ask(&alice().certificate("bob")).unwrap().code, 0);
}

#[test]
fn what_was_changed_on_its_way_is_not_answered() {
    fn flip(fields: &mut Fields, name: &str) {
        let mut value = fields.get(name).unwrap().to_vec();
        value[17] ^= 0x10;
        fields.set(name, value);
    }
    fn shorten(fields: &mut Fields, name: &str) {
        let value = fields.get(name).unwrap()[..63].to_vec();
        fields.set(name, value);
    }
    fn remove(fields: &mut Fields, name: &str) {
        let names: Vec<String> = fields.keys().map(str::to_owned).collect();
        let mut rest = Fields::default();
        for key in names.iter().filter(|key| *key != name) {
            rest.set(key, fields.get(key).unwrap());
        }
        *fields = rest;
    }
    let world = World::new("", "");
    let changes: [fn(&mut Fields); 8] = [
        |fields| flip(fields, "header-auth-sha512"),
        |fields| flip(fields, "payload-auth-sha512"),
        |fields| remove(fields, "header-auth-sha512"),
        |fields| remove(fields, "payload-auth-sha512"),
        |fields| shorten(fields, "header-auth-key"),
        |fields| shorten(fields, "payload-auth-key"),
        |fields| remove(fields, "header-auth-key"),
        |fields| shorten(fields, "payload-auth-sha512"),
    ];
    for change in changes {
        world.ask(&Ask::alice("sign-data").payload("x").change(change)).unwrap_err();
        world.ask(&Ask::alice("get-public-key").change(change)).unwrap_err();
    }
    assert_eq!(world.signatures(), 0);
    assert_eq!(world.ask(&Ask::alice("sign-data").payload("x")).unwrap().code, 0);
}

#[test]
fn a_bridge_that_changes_anything_is_found_out() {
    let world = World::new("", "");
    let ask = Ask::alice("sign-data").payload("what alice wants");
    let good = ask.outer();
    world.runtime.block_on(async {
        // Every byte but those of the version, and of the length, which the payload's digest covers.
        for place in (4..good.len()).step_by(3) {
            let mut outer = good.clone();
            outer[place] ^= 1;
            let mut streams = divide(world.connection().await, Duration::from_secs(5));
            let sent = soon(async {
                streams.outer.outgoing.write_all(&outer).await.map_err(text)?;
                // Where the length grew, nothing more comes.
                streams.outer.outgoing.shutdown().await.map_err(text)?;
                world.past(streams.inner, "alice", &ask.inner().encode().unwrap()).await?;
                reply(&mut streams.outer.incoming).await
            });
            assert!(sent.await.is_err(), "{place}");
        }
    });
    assert_eq!(world.signatures(), 0);
}

#[test]
fn what_is_not_offered_is_said() {
    let world = World::new("", "");
    let ask = |ask: Ask| world.ask(&ask);
    assert_eq!(ask(Ask::alice("sign-pe").field("cert-name", "x").payload(data(70_000))).unwrap().code, 2);
    assert_eq!(ask(Ask::alice("sign-ostree").field("ostree-hash", "x").payload("x")).unwrap().code, 2);
    // Signatures of files: first who asks, then the package, then that there are none.
    let files = |operation, key, passphrase| {
        Ask::alice(operation)
            .field("file-signing-key", key)
            .secret("file-signing-key-passphrase", passphrase)
            .payload(if operation == "sign-rpm" { package("goose", 10) } else { Vec::new() })
    };
    for operation in ["sign-rpm", "sign-rpms"] {
        let got = ask(files(operation, "k1", ALICE)).unwrap();
        assert_eq!(got.code, 9, "{operation}");
        assert!(got.fields.text("message").unwrap().contains("not offered"));
        for (key, passphrase) in [("k1", "wrong"), ("k2", BOB), ("k9", ALICE)] {
            assert_eq!(ask(files(operation, key, passphrase)).unwrap().code, 3, "{operation} {key}");
        }
        let none = Ask::alice(operation).field("file-signing-key", "k1");
        assert_eq!(ask(none.payload("")).unwrap().code, 3, "{operation}");
    }
    assert_eq!(ask(files("sign-rpm", "k1", ALICE).payload("x")).unwrap().code, 11);
    assert_eq!(
        ask(files("sign-rpm", "k1", ALICE).payload("x").secret("passphrase", "wrong")).unwrap().code,
        3
    );
    assert_eq!(world.signatures(), 0);
    // What a bridge would not have passed on.
    ask(Ask::alice("sign-everything")).unwrap_err();
    ask(Ask::alice("sign-data").field("unknown", "x").payload("x")).unwrap_err();
    ask(Ask::alice("get-public-key").payload("x")).unwrap_err();
    // Another version is answered by a number alone.
    world.runtime.block_on(async {
        let mut streams = divide(world.connection().await, Duration::from_secs(5));
        streams.outer.outgoing.write_all(&[0, 0, 0, 2]).await.unwrap();
        let mut all = Vec::new();
        soon(streams.outer.incoming.read_to_end(&mut all)).await.unwrap();
        assert_eq!(all, [0, 0, 0, 1]);
    });
}

/// Writes one byte at a time, each in a TLS record of its own.
struct Drip<S>(S);

impl<S: AsyncRead + Unpin> AsyncRead for Drip<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Drip<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, &bytes[..bytes.len().min(1)])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[test]
fn how_the_bytes_are_cut_makes_no_difference() {
    let world = World::new("", "");
    let ask = Ask::alice("sign-data").payload("abc\n");
    world.runtime.block_on(async {
        let connection = world.connection().await;
        let single = world.ask_over(Drip(connection), &ask).await.unwrap();
        let connection = world.connection().await;
        let coalesced = world.ask_over(BufStream::new(connection), &ask).await.unwrap();
        for got in [single, coalesced] {
            verify_detached(&world.keys[0], &got.payload, &b"abc\n"[..], None).unwrap();
        }
        // The inner connection begins before the outer request, as that of sigul's client does.
        let mut streams = divide(world.connection().await, Duration::from_secs(5));
        let inner = ask.inner().encode().unwrap();
        let outer = ask.outer();
        let inner_first = async {
            let late = async {
                tokio::time::sleep(Duration::from_millis(300)).await;
                for piece in outer.chunks(5) {
                    streams.outer.outgoing.write_all(piece).await.unwrap();
                }
            };
            let (said, ()) = tokio::join!(world.past(streams.inner, "alice", &inner), late);
            said.unwrap();
            let got = reply(&mut streams.outer.incoming).await.unwrap();
            end(&mut streams.outer.incoming).await.unwrap();
            got
        };
        let got = soon(inner_first).await;
        verify_detached(&world.keys[0], &got.payload, &b"abc\n"[..], None).unwrap();
    });
}

#[test]
fn many_ask_at_once_and_more_than_there_are_places_wait() {
    let world = World::new("", "requests = 4\nspare = 2");
    world.runtime.block_on(async {
        // All four places are taken by who says nothing more than a byte.
        let mut idle = Vec::new();
        for _ in 0..4 {
            let mut streams = divide(world.connection().await, Duration::from_secs(60));
            streams.outer.outgoing.write_all(&[0]).await.unwrap();
            idle.push(streams);
        }
        assert!(tokio::time::timeout(Duration::from_millis(700), world.connection()).await.is_err());
        drop(idle.pop());
        let connection = soon(world.connection()).await;
        let got = world.ask_over(connection, &Ask::alice("sign-data").payload("x")).await.unwrap();
        assert_eq!(got.code, 0);
        drop(idle);
        let ask = Ask::new("alice", "sign-text").field("key", "k1").secret("passphrase", ALICE).payload("x");
        for _ in 0..8 {
            let streams = world.connections(2).await;
            let all = streams.into_iter().map(|stream| world.ask_over(stream, &ask));
            let mut all: Vec<_> = all.map(Box::pin).collect();
            let (one, two) = (all.pop().unwrap(), all.pop().unwrap());
            let (one, two) = tokio::join!(one, two);
            assert_eq!((one.unwrap().code, two.unwrap().code), (0, 0));
        }
    });
}
