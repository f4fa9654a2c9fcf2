//! Honest requests, and honest ones in unusual pieces.

use std::time::Duration;

use gander::sigul::client::{ClientError, Package, Payload, Request, RpmsOptions, Signed};
use gander::sigul::stream::{Channel, Divided, Tls, read_fields, read_mac, read_u32, read_u64};
use gander::sigul::wire::Code;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::peers::{echo, outer, secrets, servers};
use super::world::{Bridge, SERVER, USER, run, signed};

fn sign<'a>(operation: &'a str, payload: &'a [u8]) -> Request<'a> {
    Request::new(operation).field("key", "k1").secret("passphrase", b"honk").payload(Payload::Bytes(payload))
}

#[test]
fn what_a_client_asks_a_server_answers() {
    let bridge = Bridge::new();
    run(async {
        let echoing = servers(&bridge, 1, echo());
        for size in [0, 1, 4092, 70_000, 3_000_000] {
            let payload = vec![b'x'; size];
            let (_, answer) = bridge.client().call(sign("sign-data", &payload), 1 << 30).await.unwrap();
            assert!(answer == payload, "{size}");
        }
        let no = |fields: &gander::sigul::wire::Fields, _: &[u8]| {
            assert_eq!(fields.text("user").unwrap(), USER);
            (Code::KeyNotFound, Vec::new())
        };
        echoing.gone(&bridge).await;
        let _servers = servers(&bridge, 1, std::sync::Arc::new(no));
        let refused = bridge.client().call(sign("sign-text", b"x"), 1 << 20).await;
        assert!(matches!(refused, Err(ClientError::Refused { code: 8, .. })), "{refused:?}");
    });
    let line = bridge.told(&["event=request", "op=sign-data", "payload=70000"]);
    for part in ["user=goose", "key=k1", "certificate=goose", "code=0", "outcome=answered", "server="] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(!bridge.log().contains("honk"));
}

#[test]
fn many_clients_share_some_servers() {
    let bridge = Bridge::new();
    run(async {
        let _servers = servers(&bridge, 3, echo());
        let mut all = tokio::task::JoinSet::new();
        for number in 0..60_u32 {
            let client = bridge.client();
            all.spawn(async move {
                let payload = format!("{number}").repeat(1000);
                let answer = client.call(sign("sign-text", payload.as_bytes()), 1 << 20).await;
                assert!(answer.unwrap().1 == payload.as_bytes());
            });
        }
        while let Some(done) = all.join_next().await {
            done.unwrap();
        }
    });
    bridge.shows("/metrics", "gander_sigul_bridge_requests_total{outcome=\"answered\"} 60\n");
}

#[test]
fn packages_go_through_in_both_directions_at_once() {
    let bridge = Bridge::new();
    run(async {
        let _servers = servers(&bridge, 1, echo());
        let mut packages = Vec::new();
        for number in 0..40 {
            let path = bridge.parties.path(&format!("{number}.rpm"));
            std::fs::write(&path, vec![number; 100_000 * usize::from(number % 7)]).unwrap();
            packages.push(Package::File(path));
        }
        let folder = bridge.parties.path("out");
        std::fs::create_dir(&folder).unwrap();
        let client = bridge.client();
        let options = RpmsOptions::default();
        let outcomes = signed(&client, "k1", &options, &packages, &folder).await;
        assert_eq!(outcomes.len(), 40);
        for (&number, outcome) in &outcomes {
            let Ok(Signed::File(path)) = outcome else { panic!("{number}: {outcome:?}") };
            let Package::File(sent) = &packages[number] else { panic!() };
            assert!(std::fs::read(path).unwrap() == std::fs::read(sent).unwrap(), "{number}");
        }
        // Nothing comes back where nothing was asked for, whatever the server answers.
        let options = RpmsOptions { no_data: true, ..options };
        let outcomes = signed(&client, "k1", &options, &packages, &folder).await;
        assert_eq!(outcomes, (0..40).map(|place| (place, Ok(Signed::Nothing))).collect());
    });
    bridge.told(&["op=sign-rpms", "packages=40", "packages-answered=40", "outcome=answered"]);
}

/// In which pieces a client sends.
#[derive(Clone, Copy, Debug)]
enum Pieces {
    Bytes,
    Whole,
    InnerFirst,
}

/// A request whose client sends in such pieces; its answer.
async fn asked(bridge: &Bridge, pieces: Pieces) -> Vec<u8> {
    let payload = b"some text".repeat(30);
    let Divided { outer: mut channel, inner, .. } = bridge.raw_client().await;
    let tls = Tls::new(&bridge.parties.identity(USER)).unwrap();
    let bytes = outer("sign-text", &payload);
    let (fields, keys) = secrets("sign-text", &payload);
    let fields = fields.encode().unwrap();
    let Channel { mut incoming, mut outgoing } = channel;
    let send = async {
        match pieces {
            Pieces::Bytes => {
                for byte in &bytes {
                    outgoing.write_all(&[*byte]).await.unwrap();
                }
            }
            Pieces::Whole => outgoing.write_all(&bytes).await.unwrap(),
            Pieces::InnerFirst => {
                // Its first message is on its way long before the bridge knows what is asked.
                tokio::time::sleep(Duration::from_millis(300)).await;
                let (head, rest) = bytes.split_at(20);
                outgoing.write_all(head).await.unwrap();
                tokio::time::sleep(Duration::from_millis(100)).await;
                outgoing.write_all(rest).await.unwrap();
            }
        }
    };
    let speak = async {
        let mut inner = tls.connect(SERVER, inner).await.unwrap();
        for byte in &fields[..] {
            inner.write_all(&[*byte]).await.unwrap();
        }
        inner.shutdown().await.unwrap();
        assert_eq!(inner.read(&mut [0]).await.unwrap(), 0);
    };
    tokio::join!(send, speak);
    channel = Channel { incoming, outgoing };
    incoming = channel.incoming;
    let code = read_u32(&mut incoming).await.unwrap();
    let (_, raw) = read_fields(&mut incoming).await.unwrap();
    let mut mac = gander::sigul::wire::Mac::new(&keys.header_key);
    mac.update(&code.to_be_bytes());
    mac.update(&raw);
    assert!(mac.is(&read_mac(&mut incoming).await.unwrap()));
    let size = read_u64(&mut incoming).await.unwrap();
    let mut answer = Vec::new();
    (&mut incoming).take(size).read_to_end(&mut answer).await.unwrap();
    read_mac(&mut incoming).await.unwrap();
    assert_eq!(incoming.read(&mut [0]).await.unwrap(), 0, "the end of the outer stream");
    assert!(answer == payload);
    answer
}

#[test]
fn pieces_do_not_matter() {
    let bridge = Bridge::new();
    run(async {
        let _servers = servers(&bridge, 2, echo());
        for pieces in [Pieces::Bytes, Pieces::Whole, Pieces::InnerFirst] {
            asked(&bridge, pieces).await;
        }
    });
}

#[test]
fn a_client_waits_for_a_server_and_not_for_ever() {
    let bridge = Bridge::with("wait-seconds = 2");
    run(async {
        let begun = std::time::Instant::now();
        let ended = bridge.client().call(sign("sign-text", b"x"), 1 << 20).await;
        assert!(matches!(ended, Err(ClientError::Ended { .. } | ClientError::Tls(_))), "{ended:?}");
        assert!(begun.elapsed() >= Duration::from_secs(2));
        bridge.told(&["outcome=no-server"]);
        assert!(bridge.status("/health").starts_with("HTTP/1.1 503"));
        let later = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            servers(&bridge, 1, echo())
        };
        let client = bridge.client();
        let (answer, _servers) = tokio::join!(client.call(sign("sign-text", b"x"), 1 << 20), later);
        assert_eq!(answer.unwrap().1, b"x");
    });
}
