//! A hub behind TLS that knows the bridge by its certificate, and whom the bridge acts for.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use gander::format::xmlrpc::{Value, read_call, write_answer};
use gander::sigul::client::{RpmsOptions, Signed};
use gander::sigul::stream::common_name;
use openssl::ssl::{SslAcceptor, SslFiletype, SslMethod, SslVerifyMode};

use super::koji::{IMPORT, World, signing, world};
use super::peers::servers;
use super::world::{Bridge, Parties, USER, run, signed, write_secret};

/// A login: whose certificate it was, and for whom.
type Logins = Arc<Mutex<Vec<(String, Option<String>)>>>;

/// Hands everything on to a hub that has no TLS, but for logins by certificate: those it does itself, as an administrator.
fn front(world: &World, parties: &Parties) -> (u16, Logins) {
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    acceptor.set_certificate_chain_file(parties.path("localhost.pem")).unwrap();
    acceptor.set_private_key_file(parties.path("localhost.key"), SslFiletype::PEM).unwrap();
    acceptor.set_ca_file(parties.path("ca.pem")).unwrap();
    acceptor.set_verify(SslVerifyMode::PEER);
    acceptor.set_session_id_context(b"hub").unwrap();
    let acceptor = acceptor.build();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (logins, hub) = (Logins::default(), world.hub.port);
    let mut sessions: Vec<_> = (0..2).map(|_| world.hub.login("kojiadmin", "honk").unwrap()).collect();
    let seen = logins.clone();
    std::thread::spawn(move || {
        for tcp in listener.incoming().map_while(Result::ok) {
            let Ok(stream) = acceptor.accept(tcp) else { continue };
            let own = stream.ssl().peer_certificate().map(|certificate| common_name(&certificate).unwrap());
            let mut reader = BufReader::new(stream);
            let (mut head, mut length) = (String::new(), 0);
            while !head.ends_with("\r\n\r\n") {
                let start = head.len();
                assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
                let line = head[start..].to_ascii_lowercase();
                if let Some(number) = line.strip_prefix("content-length:") {
                    length = number.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let mut stream = reader.into_inner();
            if head.starts_with("POST /kojihub/ssllogin ") {
                let call = read_call(&body).unwrap();
                assert_eq!(call.method, "sslLogin");
                let user = match call.params.first() {
                    Some(Value::Text(user)) => Some(user.clone()),
                    _ => None,
                };
                let Some(own) = own else { panic!("a login without a certificate") };
                seen.lock().unwrap().push((own, user));
                let session = sessions.pop().unwrap();
                let members = [
                    ("session-id", Value::from(session.id)),
                    ("session-key", session.key.as_str().into()),
                    ("header-auth", true.into()),
                ];
                let answer = Value::Struct(members.map(|(name, value)| (name.to_owned(), value)).into());
                let answer = write_answer(&answer).unwrap();
                let head =
                    "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nConnection: close\r\nContent-Length:";
                write!(stream, "{head} {}\r\n\r\n", answer.len()).unwrap();
                stream.write_all(&answer).unwrap();
            } else {
                let mut onward = TcpStream::connect(("127.0.0.1", hub)).unwrap();
                let (first, rest) = head.split_once("\r\n").unwrap();
                write!(onward, "{first}\r\nConnection: close\r\n{rest}").unwrap();
                onward.write_all(&body).unwrap();
                let mut answer = Vec::new();
                onward.read_to_end(&mut answer).unwrap();
                stream.write_all(&answer).unwrap();
            }
            // Who was answered may have gone.
            let _gone = stream.shutdown();
        }
    });
    (port, logins)
}

#[test]
fn the_bridge_logs_in_by_its_certificate_as_itself_or_for_the_client() {
    let Some(world) = world(None) else { return };
    let parties = Arc::new(Parties::new());
    for name in ["localhost", "bridge-at-koji"] {
        parties.issue(name, 2);
    }
    let both = ["pem", "key"].map(|kind| fs::read(parties.path(&format!("bridge-at-koji.{kind}"))).unwrap());
    write_secret(&parties.path("koji.pem"), &both.concat());
    let (port, logins) = front(&world, &parties);
    let here = format!("https://localhost:{port}");
    let koji = |name: &str, proxy: bool| {
        format!(
            "[koji.{name}]\nserver = \"{here}/kojihub\"\ntopurl = \"{here}/kojifiles\"\nauthtype = \"ssl\"\n\
             cert = \"koji.pem\"\nserverca = \"ca.pem\"\nproxy-user = {proxy}\n"
        )
    };
    let more = koji("own", false) + &koji("proxy", true);
    let bridge = Bridge::of(parties, "wait-seconds = 5", &more);
    let folder = bridge.parties.path("out");
    fs::create_dir(&folder).unwrap();
    run(async {
        let (answers, _) = signing("a", false);
        let _servers = servers(&bridge, 1, answers);
        for (instance, name) in [("own", "one"), ("proxy", "two")] {
            let options = RpmsOptions { koji_instance: Some(instance.into()), no_data: true, ..IMPORT };
            let packages = [world.package(name)];
            let client = bridge.client();
            let outcomes = signed(&client, "k1", &options, &packages, &folder).await;
            assert_eq!(outcomes, [(0, Ok(Signed::Nothing))].into());
            assert_eq!(world.keys(name).len(), 1, "{name}");
        }
    });
    let own = "bridge-at-koji".to_owned();
    assert_eq!(*logins.lock().unwrap(), [(own.clone(), None), (own, Some(USER.to_owned()))]);
}
