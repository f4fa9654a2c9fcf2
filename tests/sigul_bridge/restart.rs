//! What is under way survives restarts and new certificates, and configurations that are wrong say why.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use gander::sigul::client::{ClientError, Payload, Request};
use gander::sigul::wire::Code;

use super::peers::{Answers, echo, servers};
use super::world::{BRIDGE, Bridge, Parties, gander, run};

fn request() -> Request<'static> {
    Request::new("sign-text").field("key", "k1").payload(Payload::Bytes(b"x"))
}

#[test]
fn a_bridge_that_ends_serves_those_who_are_there() {
    let mut bridge = Bridge::with("wait-seconds = 10");
    run(async {
        let slow: Answers = Arc::new(|_, payload| {
            std::thread::sleep(Duration::from_millis(1500));
            (Code::Ok, payload.to_vec())
        });
        let _servers = servers(&bridge, 1, slow);
        let asking: Vec<_> = (0..2)
            .map(|_| {
                let client = bridge.client();
                tokio::spawn(async move { client.call(request(), 99).await })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(300)).await;
        bridge.signal("-TERM");
        bridge.told(&["event=ending"]);
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(matches!(bridge.client().call(request(), 99).await, Err(ClientError::Unreachable { .. })));
        // The one server comes back for the second.
        for asked in asking {
            assert_eq!(asked.await.unwrap().unwrap().1, b"x");
        }
    });
    assert_eq!(bridge.ended(), Some(0));
}

#[test]
fn another_bridge_takes_over_and_nobody_is_refused() {
    let mut first = Bridge::with("wait-seconds = 2");
    let listen = [first.clients, first.servers].map(|address| format!("\"{address}\""));
    let config = first.parties.configure([&listen[0], &listen[1]], "wait-seconds = 2", "");
    run(async {
        let _servers = servers(&first, 4, echo());
        let asking: Vec<_> = (0..4)
            .map(|_| {
                let client = first.client();
                tokio::spawn(async move {
                    let mut answered = 0;
                    let mut again = 0;
                    while answered < 60 {
                        match client.call(request(), 99).await {
                            Ok((_, answer)) => answered += usize::from(answer == b"x"),
                            // It waited at one bridge while all servers were at the other: that has an end, too.
                            Err(ClientError::Ended { .. } | ClientError::Tls(_)) => again += 1,
                            Err(error) => panic!("{error:?}"),
                        }
                    }
                    assert!(again < 5, "{again}");
                    answered
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let second = Bridge::start_with(first.parties.clone(), &config, &["--take-over"]);
        first.signal("-TERM");
        let mut answered = 0;
        for asked in asking {
            answered += asked.await.unwrap();
        }
        assert_eq!(answered, 240);
        second.told(&["outcome=answered"]);
        assert_eq!(first.ended(), Some(0));
    });
}

#[test]
fn certificates_are_read_again() {
    let bridge = Bridge::new();
    run(async {
        let _servers = servers(&bridge, 1, echo());
        bridge.client().call(request(), 99).await.unwrap();
        let before = fs::read(bridge.parties.path(&format!("{BRIDGE}.pem"))).unwrap();
        bridge.parties.issue(BRIDGE, 2);
        bridge.signal("-HUP");
        bridge.told(&["event=certificates-read"]);
        bridge.client().call(request(), 99).await.unwrap();
        assert_ne!(fs::read(bridge.parties.path(&format!("{BRIDGE}.pem"))).unwrap(), before);
        fs::write(bridge.parties.path(&format!("{BRIDGE}.pem")), "none").unwrap();
        bridge.signal("-HUP");
        bridge.told(&["event=certificates-not-read"]);
        bridge.client().call(request(), 99).await.unwrap();
    });
}

#[test]
fn a_wrong_configuration_says_all_that_is_wrong() {
    let parties = Parties::new();
    let config = parties.configure(["\"127.0.0.1:0\"", ""], "pairs = 0\npace = 0", "[koji.a]\nuser = \"u\"");
    let open = fs::Permissions::from_mode(0o644);
    fs::set_permissions(parties.path(&format!("{BRIDGE}.key")), open).unwrap();
    let check = || {
        let mut command = gander();
        let output = command.args(["sigul", "bridge", "--check", "--config"]).arg(&config).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, text) = check();
    assert_eq!(code, Some(2), "{text}");
    let wrong = ["chmod 600", "listen-servers", "limits.pairs", "limits.pace", "koji.a", "topurl"];
    for part in wrong {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    fs::write(&config, "colour = 1").unwrap();
    let (code, text) = check();
    assert_eq!((code, text.contains("colour")), (Some(2), true), "{text}");
}

#[test]
fn another_bridge_that_was_not_asked_to_take_over_does_not_start() {
    let first = Bridge::new();
    let anywhere = "\"127.0.0.1:0\"";
    let [by_clients, by_servers] = [first.clients, first.servers].map(|address| format!("\"{address}\""));
    for listen in [[&by_clients[..], &by_servers], [&by_clients, anywhere], [anywhere, &by_servers]] {
        let config = first.parties.configure(listen, "", "");
        let mut command = gander();
        let output = command.args(["sigul", "bridge", "--config"]).arg(&config).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(4), "{text}");
        assert!(text.contains("another process listens") && text.contains("--take-over"), "{text}");
        assert!(output.stdout.is_empty());
    }
    // Nothing of the first was taken away.
    assert!(first.status("/health").starts_with("HTTP/1.1 503"));
    run(async {
        let _servers = servers(&first, 1, echo());
        for _ in 0..8 {
            first.client().call(request(), 99).await.unwrap();
        }
    });
    // One that has taken over is as exclusive, and can be replaced in its turn.
    let config = first.parties.configure([&by_clients, &by_servers], "", "");
    let second = Bridge::start_with(first.parties.clone(), &config, &["--take-over"]);
    drop(first);
    let mut command = gander();
    let output = command.args(["sigul", "bridge", "--config"]).arg(&config).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    let third = Bridge::start_with(second.parties.clone(), &config, &["--take-over"]);
    drop(second);
    assert!(third.status("/health").starts_with("HTTP/1.1 503"));
}
