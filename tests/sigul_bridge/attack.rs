//! Those who are not honest: connections that never become one, certificates that are none, bytes that mean nothing.

use std::time::{Duration, Instant};

use gander::sigul::authority::Authority;
use gander::sigul::client::{Payload, Request};
use gander::sigul::stream::{Divided, Identity};
use gander::sigul::wire::Fields;
use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509NameBuilder};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::peers::{echo, outer, servers};
use super::world::{BRIDGE, Bridge, SERVER, USER, run};

async fn works(bridge: &Bridge) {
    let request = Request::new("sign-text").field("key", "k1").payload(Payload::Bytes(b"fine"));
    assert_eq!(bridge.client().call(request, 99).await.unwrap().1, b"fine");
}

#[test]
fn a_thousand_unfinished_handshakes_keep_nobody_out() {
    // No handshake ends by its deadline here: the oldest have to make room.
    let bridge = Bridge::with("handshake-seconds = 600\nhandshakes = 100");
    run(async {
        let _servers = servers(&bridge, 2, echo());
        works(&bridge).await;
        let mut dead = Vec::new();
        let mut longest = Duration::ZERO;
        for number in 0..1000 {
            let address = if number % 2 == 0 { bridge.clients } else { bridge.servers };
            let mut one = TcpStream::connect(address).await.unwrap();
            match number % 3 {
                0 => {}
                1 => one.write_all(b"\x16\x03\x01").await.unwrap(),
                _ => one.write_all(b"GET / HTTP/1.1\r\n").await.unwrap(),
            }
            dead.push(one);
            if number % 50 == 0 {
                let begun = Instant::now();
                works(&bridge).await;
                longest = longest.max(begun.elapsed());
            }
        }
        assert!(longest < Duration::from_secs(10), "{longest:?}");
        println!("1000 unfinished handshakes; the slowest request between them took {longest:?}");
        drop(dead);
        works(&bridge).await;
    });
}

#[test]
fn a_silent_handshake_has_a_deadline_and_so_has_a_silent_request() {
    let bridge = Bridge::with("handshake-seconds = 1");
    run(async {
        let _servers = servers(&bridge, 1, echo());
        let mut dead = TcpStream::connect(bridge.clients).await.unwrap();
        let begun = Instant::now();
        assert_eq!(dead.read(&mut [0]).await.unwrap_or(0), 0);
        assert!((Duration::from_millis(900)..Duration::from_secs(10)).contains(&begun.elapsed()));
        for sent in [0, 1, 7, 20] {
            let Divided { outer: mut channel, inner: _inner, .. } = bridge.raw_client().await;
            channel.write_all(&outer("sign-text", b"x")[..sent]).await.unwrap();
            let begun = Instant::now();
            assert!(channel.read(&mut [0]).await.is_err(), "no end of a stream, but of the connection");
            assert!(begun.elapsed() < Duration::from_secs(10));
        }
        works(&bridge).await;
    });
}

/// How a certificate is wrong.
struct Forgery<'a> {
    name: &'a [u8],
    alternative: Option<&'a str>,
    days: [u32; 2],
}

/// A certificate of an authority that no sane one would issue.
fn forge(bridge: &Bridge, file: &str, authority: &Authority, forgery: &Forgery<'_>) -> Identity {
    let pem = authority.to_pem().unwrap();
    let issuer = X509::from_pem(&pem.certificate).unwrap();
    let key = PKey::from_rsa(openssl::rsa::Rsa::generate(2048).unwrap()).unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    let text = std::str::from_utf8(forgery.name).unwrap();
    name.append_entry_by_nid(Nid::COMMONNAME, text).unwrap();
    let name = name.build();
    let mut builder = X509Builder::new().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(issuer.subject_name()).unwrap();
    builder.set_pubkey(&key).unwrap();
    let [from, to] = forgery.days;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let day = |days: u32| {
        let seconds = i64::try_from(now).unwrap() + (i64::from(days) - 100) * 86_400;
        Asn1Time::from_unix(seconds).unwrap()
    };
    builder.set_not_before(&day(from)).unwrap();
    builder.set_not_after(&day(to)).unwrap();
    builder.append_extension(BasicConstraints::new().build().unwrap()).unwrap();
    if let Some(name) = forgery.alternative {
        let alternative = SubjectAlternativeName::new()
            .dns(name)
            .build(&builder.x509v3_context(Some(&issuer), None))
            .unwrap();
        builder.append_extension(alternative).unwrap();
    }
    builder.sign(&PKey::private_key_from_pem(&pem.key).unwrap(), MessageDigest::sha256()).unwrap();
    let certificate = builder.build().to_pem().unwrap();
    bridge.parties.put(file, &certificate, &key.private_key_to_pem_pkcs8().unwrap());
    bridge.parties.identity(file)
}

/// Days are counted from 100 days ago.
const VALID: [u32; 2] = [99, 102];

#[test]
fn only_a_server_is_a_server() {
    let bridge = Bridge::with("wait-seconds = 1");
    let other = Authority::create("CA", 2).unwrap();
    let own = &bridge.parties.authority;
    let good = SERVER.as_bytes();
    let nul = [good, b"\0.evil.example.com"].concat();
    let cases = [
        ("user", own, Forgery { name: USER.as_bytes(), alternative: None, days: VALID }),
        ("bridge", own, Forgery { name: BRIDGE.as_bytes(), alternative: Some(BRIDGE), days: VALID }),
        ("longer", own, Forgery { name: b"sigul.example.org.evil", alternative: None, days: VALID }),
        ("nul", own, Forgery { name: &nul, alternative: None, days: VALID }),
        ("authority", &other, Forgery { name: good, alternative: Some(SERVER), days: VALID }),
        ("expired", own, Forgery { name: good, alternative: Some(SERVER), days: [50, 90] }),
        ("early", own, Forgery { name: good, alternative: Some(SERVER), days: [101, 110] }),
    ];
    run(async {
        for (number, (what, authority, forgery)) in cases.iter().enumerate() {
            let identity = forge(&bridge, what, authority, forgery);
            // With TLS 1.3 a client only hears later that its certificate is none.
            if let Ok(Divided { mut outer, .. }) = bridge.connect(bridge.servers, &identity).await {
                assert!(outer.read(&mut [0]).await.is_err(), "{what}");
            }
            while bridge.log().matches("event=refused").count() <= number {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert!(bridge.status("/health").starts_with("HTTP/1.1 503"), "{what}");
        }
        // By its alternative name it is one.
        let alternative = Forgery { name: b"some name", alternative: Some(SERVER), days: VALID };
        let identity = forge(&bridge, "alternative", own, &alternative);
        let _kept = bridge.connect(bridge.servers, &identity).await.unwrap();
        bridge.told(&["event=server"]);
        bridge.shows("/health", "HTTP/1.1 200");
    });
    assert!(!bridge.log().contains('\0'));
}

#[test]
fn a_client_needs_a_certificate_with_a_name() {
    let bridge = Bridge::new();
    let other = Authority::create("CA", 2).unwrap();
    let own = &bridge.parties.authority;
    let cases = [
        ("nul", own, Forgery { name: b"goose\0x", alternative: None, days: VALID }),
        ("authority", &other, Forgery { name: b"goose", alternative: None, days: VALID }),
        ("expired", own, Forgery { name: b"goose", alternative: None, days: [50, 90] }),
        ("early", own, Forgery { name: b"goose", alternative: None, days: [101, 110] }),
    ];
    run(async {
        let _servers = servers(&bridge, 1, echo());
        for (what, authority, forgery) in &cases {
            let identity = forge(&bridge, what, authority, forgery);
            if let Ok(Divided { mut outer, .. }) = bridge.connect(bridge.clients, &identity).await {
                drop(outer.write_all(&super::peers::outer("sign-text", b"x")).await);
                assert!(outer.read(&mut [0]).await.is_err(), "{what}");
            }
        }
        works(&bridge).await;
    });
    for reason in
        ["no common name", "self-signed|unable to get|signature failure", "expired", "not yet valid"]
    {
        let told = || reason.split('|').any(|part| bridge.log().contains(part));
        let begun = Instant::now();
        while !told() {
            assert!(begun.elapsed() < Duration::from_secs(10), "{reason}: {}", bridge.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    bridge.told_times(4, "event=refused");
}

fn head(fields: &Fields, size: u64) -> Vec<u8> {
    [&1_u32.to_be_bytes()[..], &fields.encode().unwrap(), &size.to_be_bytes()].concat()
}

#[test]
fn requests_that_mean_nothing_reach_no_server() {
    let bridge = Bridge::new();
    let of = |operation: &str| Fields::default().with("op", operation).with("user", USER);
    let key = |operation: &str| of(operation).with("key", "k1");
    let cases = [
        ("version", [&2_u32.to_be_bytes()[..], &head(&key("sign-text"), 0)[4..]].concat()),
        ("operation", head(&of("sign-all"), 0)),
        ("no user", head(&Fields::default().with("op", "list-users"), 0)),
        ("missing", head(&of("sign-text"), 0)),
        ("unknown field", head(&key("sign-text").with("extra", ""), 0)),
        ("no truth", head(&key("sign-data").with("armor", [2]), 0)),
        ("control character", head(&of("sign-text").with("key", "a\nb"), 0)),
        ("NUL", head(&of("sign-text").with("key", "a\0b"), 0)),
        ("payload", head(&of("list-users"), 1)),
        ("large text", head(&key("sign-text"), (1 << 30) + 1)),
        ("large data", head(&key("sign-data"), u64::MAX)),
        ("no fields", [&1_u32.to_be_bytes()[..], &[255; 600]].concat()),
        ("koji", head(&key("sign-rpm").with("import-signature", [1]), 0)),
    ];
    run(async {
        for (what, bytes) in &cases {
            let Divided { outer: mut channel, inner: _inner, .. } = bridge.raw_client().await;
            channel.write_all(bytes).await.unwrap();
            assert!(channel.read(&mut [0]).await.is_err(), "{what}");
        }
        let _servers = servers(&bridge, 1, echo());
        works(&bridge).await;
    });
    bridge.told_times(cases.len(), "outcome=failed");
}

/// Numbers from a seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(most.max(1)).unwrap()).unwrap()
    }
}

#[test]
fn random_and_truncated_frames_harm_nobody() {
    let bridge =
        Bridge::with("handshake-seconds = 1\nwait-seconds = 1\nsecrets-seconds = 1\nidle-seconds = 1");
    let mut random = Random(0x5eed_0007);
    run(async {
        let _servers = servers(&bridge, 2, echo());
        let whole = outer("sign-text", b"some text");
        for round in 0..150 {
            let tcp = TcpStream::connect(bridge.clients).await.unwrap();
            let tls = gander::sigul::stream::Tls::new(&bridge.parties.identity(USER)).unwrap();
            let mut stream = tls.connect(BRIDGE, tcp).await.unwrap();
            let mut bytes = Vec::new();
            for _ in 0..=random.below(4) {
                let inner = random.next().is_multiple_of(3);
                let mut piece = whole.clone();
                for _ in 0..random.below(4) {
                    let at = random.below(piece.len());
                    piece[at] = random.next().to_be_bytes()[7];
                }
                piece.truncate(random.below(piece.len() + 1));
                // A length that is right, too large, or larger than anything.
                let length = match random.below(4) {
                    0 => 0x7fff_ffff,
                    1 => piece.len() + random.below(5000),
                    _ => piece.len(),
                };
                let word = u32::try_from(length).unwrap() | if inner { 1 << 31 } else { 0 };
                bytes.extend(word.to_be_bytes());
                bytes.extend(piece);
            }
            drop(stream.write_all(&bytes).await);
            if round % 3 == 0 {
                drop(stream.shutdown().await);
            }
            if round % 10 == 0 {
                works(&bridge).await;
            }
        }
        works(&bridge).await;
    });
    assert!(!bridge.log().contains("panicked"), "{}", bridge.log());
}

#[test]
fn who_is_slow_keeps_nobody_out_and_has_an_end() {
    let bridge = Bridge::with("pairs = 8\nidle-seconds = 2\npace = 1000000");
    run(async {
        let _servers = servers(&bridge, 8, echo());
        // Never silent, and never done: a byte now and then of a payload of a gigabyte.
        let slow = async {
            let Divided { outer: mut channel, inner: _inner, .. } = bridge.raw_client().await;
            let fields = Fields::default().with("key", "k1").with("op", "sign-text").with("user", USER);
            channel.write_all(&head(&fields, 1 << 30)).await.unwrap();
            let begun = Instant::now();
            while channel.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
                assert!(begun.elapsed() < Duration::from_secs(20), "it goes on for ever");
                if bridge.log().contains("slower than it may be") {
                    break;
                }
            }
        };
        let others = async {
            for _ in 0..20 {
                works(&bridge).await;
            }
        };
        tokio::join!(slow, others);
        bridge.told(&["outcome=failed", "slower than it may be"]);
    });
}
