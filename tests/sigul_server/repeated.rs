//! Requests, parts of them and answers that were genuine once and are sent again where they do not belong.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use gander::sigul::client::{ClientError, Payload, Request};
use gander::sigul::stream::{Divided, Tls, divide, read_fields};
use gander::sigul::wire::proof::PART_KEYS;
use gander::sigul::wire::{Fields, MAC, Proof};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use super::asking::{Ask, Outcome, Part, end, reply, soon, text};
use super::certificates::client;
use super::rpms::package;
use super::world::{ALICE, World};

/// Keeps what is written.
struct Recorded<S>(S, Arc<Mutex<Vec<u8>>>);

impl<S: AsyncRead + Unpin> AsyncRead for Recorded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Recorded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.0).poll_write(cx, bytes);
        if let Poll::Ready(Ok(length)) = written {
            self.1.lock().unwrap().extend_from_slice(&bytes[..length]);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// What stands in the pieces of the outer stream.
fn outer_of(mut bytes: &[u8]) -> Vec<u8> {
    let mut outer = Vec::new();
    while let Some((word, rest)) = bytes.split_first_chunk() {
        let word = u32::from_be_bytes(*word);
        let (piece, rest) = rest.split_at(((word & 0x7fff_ffff) as usize).min(rest.len()));
        if word >> 31 == 0 {
            outer.extend_from_slice(piece);
        }
        bytes = rest;
    }
    outer
}

#[test]
fn a_recorded_connection_is_worth_nothing() {
    let world = World::new("", "idle-seconds = 5\nhandshake-seconds = 5");
    let ask = Ask::alice("sign-data").payload("some data");
    let recorded = Arc::<Mutex<Vec<u8>>>::default();
    let got = world.runtime.block_on(async {
        let stream = Recorded(world.connection().await, recorded.clone());
        world.ask_over(stream, &ask).await
    });
    assert_eq!(got.unwrap().code, 0);
    let bytes = recorded.lock().unwrap().clone();
    assert_eq!(outer_of(&bytes), ask.outer());
    let ledger = world.ledger();
    assert_eq!(world.signatures(), 1);
    // All at once, and as it came, with what the other side says in between left out of account.
    for cut in [bytes.len(), ask.outer().len() + 4, 1] {
        let answer = world.runtime.block_on(async {
            let mut stream = world.connection().await;
            soon(async {
                for piece in bytes.chunks(cut) {
                    if stream.write_all(piece).await.is_err() {
                        break;
                    }
                }
                let mut answer = Vec::new();
                drop(stream.read_to_end(&mut answer).await);
                answer
            })
            .await
        });
        assert_eq!(outer_of(&answer), b"", "{cut}");
    }
    assert_eq!(world.ledger(), ledger);
    assert_eq!(world.ask(&ask).unwrap().code, 0);
}

async fn exchange(world: &World, outer: &[u8], inner: &[u8], certificate: &str) -> Outcome {
    soon(async {
        let Divided { outer: mut channel, inner: past, .. } =
            divide(world.connection().await, Duration::from_secs(30));
        channel.outgoing.write_all(outer).await.map_err(text)?;
        world.past(past, certificate, inner).await?;
        let got = reply(&mut channel.incoming).await?;
        end(&mut channel.incoming).await?;
        Ok(got)
    })
    .await
}

#[test]
fn secrets_of_one_request_serve_no_other() {
    let world = World::new("", "");
    let data = Ask::alice("sign-data").payload("some data");
    let inner = data.inner();
    let raw = inner.encode().unwrap();
    let other = Ask::alice("sign-data").payload("other data");
    let armored = Ask::alice("sign-data").field("armor", [1]).payload("some data");
    let as_text = Ask::alice("sign-text").payload("some data");
    let as_bob = Ask::new("bob", "sign-data").field("key", "k1").payload("some data");
    // The proof of one part from another request, everything else genuine.
    let with = |name: &str, from: &Ask, fields: &Fields| {
        let mut fields = fields.clone();
        fields.set(name, from.inner().get(name).unwrap());
        fields.encode().unwrap().to_vec()
    };
    let header = with("header-auth-sha512", &as_text, &inner);
    let payload = with("payload-auth-sha512", &other, &inner);
    let [of_other, of_text] = [&other, &as_text].map(|ask| ask.inner());
    let old_header = with("header-auth-sha512", &as_text, &of_other);
    let old_payload = with("payload-auth-sha512", &other, &of_text);
    let ledger = world.ledger();
    world.runtime.block_on(async {
        let cases: [(&str, &Ask, &[u8]); 8] = [
            ("payload", &other, &raw),
            ("field", &armored, &raw),
            ("operation", &as_text, &raw),
            ("user", &as_bob, &raw),
            ("header's hash of another", &data, &header),
            ("payload's hash of another", &data, &payload),
            ("header's hash of another, own payload", &other, &old_header),
            ("payload's hash of another, own header", &as_text, &old_payload),
        ];
        for (what, ask, inner) in cases {
            let got = exchange(&world, &ask.outer(), inner, "alice").await;
            assert!(got.is_err(), "{what}: {got:?}");
        }
        // Whole, but by somebody else, who even knows the passphrase.
        let got = exchange(&world, &data.outer(), &raw, "bob").await.unwrap();
        assert_eq!((got.code, &got.payload[..]), (3, &b""[..]));
    });
    assert_eq!(world.ledger(), ledger, "nothing was asked of the signer");
    world.runtime.block_on(async {
        assert_eq!(exchange(&world, &data.outer(), &raw, "alice").await.unwrap().code, 0);
    });
}

#[test]
fn packages_of_another_session_or_in_another_order_are_not_signed() {
    let world = World::new("", "");
    let old = Ask::alice("sign-rpms");
    let new = Ask::alice("sign-rpms").change(|fields| {
        PART_KEYS.iter().for_each(|name| {
            fields.set(name, [99; MAC]);
        });
    });
    let named = |name: &str| [0, 1].map(|id| Part::new(id, &package(&format!("{name}{id}"), 1000)));
    let encoded = |ask: &Ask, parts: &[Part; 2]| {
        let [mut head, mut payload, ..] = Proof::parts(&ask.inner()).unwrap();
        parts.each_ref().map(|part| part.encode(&mut head, &mut payload))
    };
    // Signatures may be under way when a connection breaks off, so packages have other names each time.
    let cases = [
        ("of another session", "goose", &[2][..], 0),
        ("in another order", "duck", &[1, 0], 0),
        ("twice", "swan", &[0, 0], 1),
        ("and then one of another session", "gander", &[0, 1, 2], 2),
    ];
    for (what, name, sent, _) in cases {
        let parts = named(name);
        let ([first, second], [stale, _]) = (encoded(&new, &parts), encoded(&old, &parts));
        let answer = world.runtime.block_on(soon(async {
            let streams = divide(world.connection().await, Duration::from_secs(30));
            let mut outer = world.begin(streams, &new).await.unwrap();
            assert_eq!(reply(&mut outer.incoming).await.unwrap().code, 0);
            for &number in sent {
                drop(outer.outgoing.write_all([&first, &second, &stale][number]).await);
            }
            let mut answer = Vec::new();
            outer.incoming.read_to_end(&mut answer).await.map(|_| answer)
        }));
        assert!(answer.is_err(), "{what}: the connection has to break off");
    }
    let told = || world.log().matches("the proof of a package\\'s head is wrong").count() == 4;
    world.wait_for("four reasons", told);
    // The head of one and the payload of another: each proof is genuine, but not in this place.
    let parts = named("hen");
    let [first, second] = encoded(&new, &parts);
    let [mut head, mut payload, ..] = Proof::parts(&new.inner()).unwrap();
    let mixed = Part { payload: parts[1].payload.clone(), ..parts[0].clone() };
    let genuine = mixed.encode(&mut head, &mut payload);
    let swapped = [
        &first[..first.len() - parts[0].payload.len() - 72],
        &second[second.len() - parts[1].payload.len() - 72..],
    ];
    assert_ne!(swapped.concat(), genuine);
    let (code, has_payload) = world.runtime.block_on(soon(async {
        let streams = divide(world.connection().await, Duration::from_secs(30));
        let mut outer = world.begin(streams, &new).await.unwrap();
        assert_eq!(reply(&mut outer.incoming).await.unwrap().code, 0);
        outer.outgoing.write_all(&swapped.concat()).await.unwrap();
        outer.outgoing.shutdown().await.unwrap();
        let (fields, _) = read_fields(&mut outer.incoming).await.unwrap();
        let mut rest = Vec::new();
        outer.incoming.read_to_end(&mut rest).await.unwrap();
        // Two HMACs and a length of nothing.
        (fields.u32("status").unwrap(), rest.len() > 2 * MAC + 8)
    }));
    assert_eq!((code, has_payload), (12, false));
    assert_eq!(world.ask(&Ask::alice("sign-data").payload("x")).unwrap().code, 0);
    let ledger = world.ledger();
    let signed = |name: &str| ledger.matches(&format!("\"nevra\":\"{name}")).count();
    for (what, name, _, wanted) in cases {
        assert!(signed(name) <= wanted, "{what}");
    }
    assert_eq!(signed("hen"), 0);
    assert_eq!(ledger.matches("\"event\":\"signature\"").count(), signed("swan") + signed("gander") + 1);
}

#[test]
fn an_answer_of_another_session_is_not_believed() {
    let world = World::new("", "");
    let ask = Ask::alice("sign-data").payload("some data");
    world.runtime.block_on(async {
        let mut outer =
            world.begin(divide(world.connection().await, Duration::from_secs(30)), &ask).await.unwrap();
        let mut answer = Vec::new();
        soon(outer.incoming.read_to_end(&mut answer)).await.unwrap();
        assert_eq!(answer[..4], [0; 4]);

        let (client, listener) = client(&world).await;
        let [bridge, server] =
            ["bridge.test", "server.test"].map(|name| Tls::new(&world.identity(name)).unwrap());
        let service = async {
            let (tcp, _) = listener.accept().await.unwrap();
            let stream = bridge.accept(tcp).await.unwrap();
            let Divided { mut outer, inner, .. } = divide(stream, Duration::from_secs(30));
            let mut inner = server.accept(inner).await.unwrap();
            let (secrets, _) = read_fields(&mut inner).await.unwrap();
            assert_eq!(secrets.get("passphrase"), Some(ALICE.as_bytes()));
            drop(inner.shutdown().await);
            drop(inner);
            drop(outer.outgoing.write_all(&answer).await);
            drop(outer.outgoing.shutdown().await);
            tokio::time::sleep(Duration::from_millis(500)).await;
        };
        let request = Request::new("sign-data").field("key", "k1").secret("passphrase", ALICE.as_bytes());
        let request = request.payload(Payload::Bytes(b"some data"));
        let (asked, ()) = soon(async { tokio::join!(client.call(request, 1 << 20), service) }).await;
        assert!(matches!(asked, Err(ClientError::Forged(_))), "{asked:?}");
    });
}
