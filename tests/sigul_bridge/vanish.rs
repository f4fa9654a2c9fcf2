//! Clients and servers that vanish at each stage: the other one gets an end at once, and everybody else is served.

use std::time::{Duration, Instant};

use gander::sigul::client::{ClientError, Payload, Request};
use gander::sigul::stream::{Divided, Tls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::peers::{Stage, echo, outer, secrets, serve, server, servers};
use super::world::{Bridge, SERVER, USER, run};

/// In which an end has to come: no deadline of the bridge is as short.
const SOON: Duration = Duration::from_secs(5);
const LONG: &str = "handshake-seconds = 60\nidle-seconds = 120\nwait-seconds = 120\nanswer-seconds = 120";

async fn works(bridge: &Bridge) {
    let _servers = servers(bridge, 1, echo());
    let request = Request::new("sign-text").field("key", "k1").payload(Payload::Bytes(b"fine"));
    assert_eq!(bridge.client().call(request, 99).await.unwrap().1, b"fine");
}

#[test]
fn a_server_that_vanishes_ends_its_client_and_no_other() {
    let bridge = Bridge::with(LONG);
    run(async {
        let payload = vec![1; 4_000_000];
        let stages = [Stage::Head, Stage::Payload, Stage::Secrets, Stage::Answer, Stage::AnswerPayload];
        for stage in stages {
            let (tls, streams) = server(&bridge).await;
            let answers = echo();
            let client = bridge.client();
            let request = Request::new("sign-data").field("key", "k1").payload(Payload::Bytes(&payload));
            let begun = Instant::now();
            let (ended, _) =
                tokio::join!(client.call(request, 1 << 30), serve(&tls, streams, &answers, stage));
            let ended = ended.unwrap_err();
            assert!(begun.elapsed() < SOON, "{stage:?}: {ended}");
            assert!(matches!(ended, ClientError::Ended { .. } | ClientError::Tls(_)), "{stage:?}: {ended:?}");
        }
        works(&bridge).await;
    });
    bridge.told_times(5, "outcome=failed");
}

#[test]
fn an_idle_server_that_is_gone_gets_no_client() {
    let bridge = Bridge::with(LONG);
    run(async {
        for _ in 0..5 {
            drop(server(&bridge).await);
        }
        let (_tls, kept) = server(&bridge).await;
        while bridge.log().matches("event=server").count() < 6 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        drop(kept);
        let begun = Instant::now();
        while !bridge.status("/health").starts_with("HTTP/1.1 503") {
            assert!(begun.elapsed() < SOON);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        works(&bridge).await;
    });
    assert_eq!(bridge.log().matches("outcome=failed").count(), 0, "{}", bridge.log());
}

/// How far a client goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    Handshake,
    Head,
    Payload,
    Hello,
    Secrets,
}

#[test]
fn a_client_that_vanishes_frees_its_server_and_harms_no_other() {
    let bridge = Bridge::with(&format!("{LONG}\npairs = 2"));
    run(async {
        let payload = vec![1; 200_000];
        let bytes = outer("sign-data", &payload);
        let (fields, _) = secrets("sign-data", &payload);
        for until in [Until::Handshake, Until::Head, Until::Payload, Until::Hello, Until::Secrets] {
            // More than there are places: each has to be free again.
            for _ in 0..3 {
                let (tls, streams) = server(&bridge).await;
                let answers: super::peers::Answers = std::sync::Arc::new(|_, _| panic!("nobody asked"));
                let serving = async {
                    // One that answers the last client late; others never hear all of it.
                    let late = std::sync::Arc::new(|_: &_, _: &[u8]| {
                        std::thread::sleep(Duration::from_millis(50));
                        (gander::sigul::wire::Code::Ok, vec![1; 3_000_000])
                    });
                    let answers = if until == Until::Secrets { late } else { answers };
                    drop(serve(&tls, streams, &answers, Stage::Never).await);
                };
                let asking = async {
                    let Divided { mut outer, inner, .. } = bridge.raw_client().await;
                    let sent = match until {
                        Until::Handshake => 0,
                        Until::Head => 30,
                        Until::Payload => bytes.len() / 2,
                        Until::Hello | Until::Secrets => bytes.len(),
                    };
                    outer.write_all(&bytes[..sent]).await.unwrap();
                    let tls = Tls::new(&bridge.parties.identity(USER)).unwrap();
                    if until == Until::Hello || until == Until::Secrets {
                        let mut inner = tls.connect(SERVER, inner).await.unwrap();
                        if until == Until::Secrets {
                            inner.write_all(&fields.encode().unwrap()).await.unwrap();
                            inner.shutdown().await.unwrap();
                            assert_eq!(inner.read(&mut [0]).await.unwrap(), 0);
                        }
                    }
                    tokio::time::sleep(Duration::from_millis(30)).await;
                };
                let begun = Instant::now();
                if until == Until::Handshake || until == Until::Head {
                    // The server is not theirs yet, and it never hears of them.
                    asking.await;
                    drop(serving);
                } else {
                    tokio::join!(serving, asking);
                }
                assert!(begun.elapsed() < SOON, "{until:?}: {:?}", begun.elapsed());
            }
        }
        works(&bridge).await;
    });
}

#[test]
fn a_killed_bridge_ends_everybody_and_another_one_works() {
    let mut bridge = Bridge::with(LONG);
    run(async {
        let (tls, streams) = server(&bridge).await;
        let answers: super::peers::Answers = std::sync::Arc::new(|_, _| {
            std::thread::sleep(Duration::from_secs(1));
            (gander::sigul::wire::Code::Ok, Vec::new())
        });
        let serving = tokio::spawn(async move { drop(serve(&tls, streams, &answers, Stage::Never).await) });
        let client = bridge.client();
        let asking = tokio::spawn(async move {
            let request = Request::new("sign-text").field("key", "k1").payload(Payload::Bytes(b"x"));
            client.call(request, 99).await
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        bridge.signal("-9");
        let begun = Instant::now();
        assert!(asking.await.unwrap().is_err());
        assert!(begun.elapsed() < SOON);
        serving.await.unwrap();
    });
    assert_eq!(bridge.ended(), None);
    // At the same addresses, over what the dead one left.
    let listen = [bridge.clients, bridge.servers].map(|address| format!("\"{address}\""));
    let config = bridge.parties.configure([&listen[0], &listen[1]], LONG, "");
    let again = Bridge::start(bridge.parties.clone(), &config);
    assert_eq!(again.clients, bridge.clients);
    run(async { works(&again).await });
    again.shows("/metrics", "requests_total{outcome=\"answered\"} 1\n");
}
