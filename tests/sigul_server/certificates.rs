//! Certificates that are no good, on each of the connections: server and bridge, client and bridge, client and server.
//! (What the bridge makes of those of clients and servers, its own tests show.)

use std::time::Duration;

use gander::sigul::authority::{Authority, Issued};
use gander::sigul::client::{Client, Payload, Request, Settings};
use gander::sigul::stream::{Divided, Identity, Tls, divide};
use openssl::asn1::{Asn1Object, Asn1OctetString, Asn1Time};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::x509::{X509, X509Extension, X509Name};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use super::asking::{Ask, soon};
use super::world::{ALICE, World, issue};

/// A certificate that no sane authority would issue.
pub struct Forged<'a> {
    /// Its common name, whatever bytes.
    pub name: &'a [u8],
    /// Its alternative name, whatever bytes.
    pub alternative: Option<&'a [u8]>,
    /// From when and until when it is valid, in days from now.
    pub days: [i64; 2],
}

impl<'a> Forged<'a> {
    /// One that is good, but for its name perhaps.
    pub fn of(name: &'a [u8]) -> Self {
        Self { name, alternative: None, days: [-1, 30] }
    }

    pub fn issue(&self, world: &World, authority: &Authority, file: &str) -> Identity {
        let issued = authority.issue("odd", 30).unwrap();
        let pem = authority.to_pem().unwrap();
        let key = PKey::private_key_from_pem(&pem.key).unwrap();
        let (authority, old) =
            (X509::from_pem(&pem.certificate).unwrap(), X509::from_pem(&issued.certificate).unwrap());
        let mut subject = X509Name::builder().unwrap();
        // The name's length counts, not its first NUL.
        let text = std::str::from_utf8(self.name).unwrap();
        subject.append_entry_by_nid(Nid::COMMONNAME, text).unwrap();
        let subject = subject.build();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        builder.set_serial_number(old.serial_number()).unwrap();
        builder.set_subject_name(&subject).unwrap();
        builder.set_issuer_name(authority.subject_name()).unwrap();
        builder.set_pubkey(&old.public_key().unwrap()).unwrap();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let day = |days: i64| Asn1Time::from_unix(now.cast_signed() + days * 86_400).unwrap();
        let [from, to] = self.days.map(day);
        builder.set_not_before(&from).unwrap();
        builder.set_not_after(&to).unwrap();
        if let Some(name) = self.alternative {
            // GeneralNames with one dNSName, which OpenSSL itself would not make with a NUL.
            let length = u8::try_from(name.len()).unwrap();
            let der = [&[0x30, length + 2, 0x82, length][..], name].concat();
            let (id, der) =
                (Asn1Object::from_str("2.5.29.17").unwrap(), Asn1OctetString::new_from_bytes(&der).unwrap());
            builder.append_extension(X509Extension::new_from_der(&id, false, &der).unwrap()).unwrap();
        }
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        let certificate = builder.build().to_pem().unwrap();
        issue(world.folder.path(), file, &Issued { certificate, key: issued.key });
        world.identity(file)
    }
}

/// All that may be wrong with the certificate of somebody who is called so, and that nothing is.
fn all(world: &World, name: &str) -> Vec<(&'static str, Identity)> {
    let own = &world.authority;
    let other = Authority::create("Test CA", 30).unwrap();
    let bytes = name.as_bytes();
    let nul = [bytes, b"\0.evil.test"].concat();
    let with = |days| Forged { name: bytes, alternative: Some(bytes), days };
    let cases = [
        ("good", with([-1, 30]), own),
        ("expired", with([-30, -1]), own),
        ("early", with([1, 30]), own),
        ("other", Forged { alternative: Some(b"other.test"), ..Forged::of(b"other.test") }, own),
        ("nul", Forged::of(&nul), own),
        ("alternative-nul", Forged { alternative: Some(&nul), ..Forged::of(b"other.test") }, own),
        ("authority", with([-1, 30]), &other),
    ];
    let issued = cases.map(|(what, forged, authority)| {
        let file = format!("{what}-{name}");
        (what, forged.issue(world, authority, &file))
    });
    issued.into()
}

#[test]
fn a_server_talks_to_no_bridge_with_such_a_certificate() {
    let world = World::ended("", "handshake-seconds = 5");
    world.close_bridge();
    let identities = all(&world, "bridge.test");
    for (what, identity) in &identities {
        let is_good = *what == "good";
        let listener = world.runtime.block_on(TcpListener::bind(world.address)).unwrap();
        // Each time one that has not failed yet, so that it makes no pause.
        let before = world.log().len();
        world.start();
        let tls = Tls::new(identity).unwrap();
        world.runtime.block_on(soon(async {
            for _ in 0..3 {
                let (tcp, _) = listener.accept().await.unwrap();
                assert_eq!(tls.accept(tcp).await.is_ok(), is_good, "{what}");
            }
        }));
        let told = || world.log()[before..].contains("its certificate is not accepted");
        if is_good {
            assert!(!told());
        } else {
            world.wait_for("the reason", told);
        }
        world.signal("KILL", world.pid());
        assert!(!world.ended_well());
    }
    let log = world.log();
    for reason in ["certificate has expired", "not yet valid", "hostname mismatch"] {
        assert!(log.contains(reason), "{reason} is not in {log}");
    }
    assert!(!log.contains('\0') && !log.contains("event=request"), "{log}");
}

#[test]
fn a_server_hears_no_client_with_such_a_certificate() {
    let world = World::new("", "");
    let cases = all(&world, "alice");
    for (what, _) in &cases {
        let ask = Ask::alice("sign-data").payload("x").certificate(&format!("{what}-alice"));
        let asked = world.ask(&ask);
        match *what {
            "good" => assert_eq!(asked.unwrap().code, 0),
            // By its common name it is somebody, but not alice.
            "other" | "alternative-nul" => assert_eq!(asked.unwrap().code, 3, "{what}"),
            _ => assert!(asked.is_err(), "{what}: {asked:?}"),
        }
    }
    assert_eq!(world.signatures(), 1);
    let refused = || world.log().matches("its certificate is not accepted").count();
    world.wait_for("three refusals in the log", || refused() >= 3);
    assert_eq!(refused(), 3, "{}", world.log());
    assert!(!world.log().contains('\0'));
}

/// A client of alice, and where it connects.
pub async fn client(world: &World) -> (Client, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = Settings {
        bridge: ("127.0.0.1".into(), listener.local_addr().unwrap().port()),
        bridge_name: "bridge.test".into(),
        server_name: "server.test".into(),
        user: Some("alice".into()),
        identity: world.identity("alice"),
        patience: Duration::from_secs(30),
    };
    (Client::new(settings).unwrap(), listener)
}

fn request() -> Request<'static> {
    let request = Request::new("sign-data").field("key", "k1").secret("passphrase", ALICE.as_bytes());
    request.payload(Payload::Bytes(b"some data"))
}

#[test]
fn a_client_says_nothing_to_a_bridge_with_such_a_certificate() {
    let world = World::ended("", "");
    let cases = all(&world, "bridge.test");
    world.runtime.block_on(async {
        let (client, listener) = client(&world).await;
        for (what, identity) in &cases {
            let tls = Tls::new(identity).unwrap();
            let bridge = async {
                let (tcp, _) = listener.accept().await.unwrap();
                match tls.accept(tcp).await {
                    Err(_) => false,
                    Ok(mut stream) => stream.read(&mut [0]).await.is_ok_and(|read| read > 0),
                }
            };
            let (asked, heard) = soon(async { tokio::join!(client.call(request(), 1 << 20), bridge) }).await;
            assert_eq!(heard, *what == "good", "{what}");
            let error = asked.unwrap_err();
            let refused = error.to_string().contains("certificate is not accepted");
            assert_eq!(refused, *what != "good", "{what}: {error:?}");
        }
    });
}

#[test]
fn a_client_gives_no_secret_to_a_server_with_such_a_certificate() {
    let world = World::ended("", "");
    let cases = all(&world, "server.test");
    world.runtime.block_on(async {
        let (client, listener) = client(&world).await;
        let bridge = Tls::new(&world.identity("bridge.test")).unwrap();
        for (what, identity) in &cases {
            let server = Tls::new(identity).unwrap();
            let service = async {
                let (tcp, _) = listener.accept().await.unwrap();
                let stream = bridge.accept(tcp).await.unwrap();
                let Divided { outer, inner, .. } = divide(stream, Duration::from_secs(30));
                let mut heard = Vec::new();
                if let Ok(mut inner) = server.accept(inner).await {
                    drop(inner.read_to_end(&mut heard).await);
                }
                drop(outer);
                heard.windows(ALICE.len()).any(|window| window == ALICE.as_bytes())
            };
            let (asked, heard) = soon(async { tokio::join!(client.call(request(), 1 << 20), service) }).await;
            assert_eq!(heard, *what == "good", "{what}");
            let error = asked.unwrap_err();
            let refused = error.to_string().contains("certificate is not accepted");
            assert_eq!(refused, *what != "good", "{what}: {error:?}");
        }
    });
}
