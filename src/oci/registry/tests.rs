//! A registry of a few lines, which asks for a token, breaks off, and keeps what it was asked.

use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, mpsc};

use super::*;
use crate::base::SourceDate;
use crate::oci::image::documents;

type Answer = Box<dyn Fn(&str, &str, usize) -> (String, Vec<u8>) + Send>;

/// Serves requests: given the request line, the headers and the number of requests before it, an answer
/// is a status with headers, and a body. Tells of each request line and its Authorization.
fn serve(answer: Answer) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let (sender, told) = mpsc::channel();
    std::thread::spawn(move || {
        for (count, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let (line, headers) = request(&stream);
            let (head, body) = answer(&line, &headers, count);
            let authorization =
                headers.lines().find(|line| line.to_ascii_lowercase().starts_with("authorization"));
            if sender.send(format!("{line} {}", authorization.unwrap_or_default())).is_err() {
                return;
            }
            let head = format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n");
            let sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
            // A client that has heard enough may hang up.
            drop(sent);
        }
    });
    (host, told)
}

fn request(stream: &TcpStream) -> (String, String) {
    let mut lines = BufReader::new(stream.take(65_536)).lines().map(|line| line.unwrap());
    let first = lines.next().unwrap_or_default();
    let headers: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    let mut parts = first.split(' ');
    (format!("{} {}", parts.next().unwrap(), parts.next().unwrap_or_default()), headers.join("\n"))
}

fn with_length(status: &str, body: Vec<u8>) -> (String, Vec<u8>) {
    (format!("{status}\r\nContent-Length: {}", body.len()), body)
}

/// The documents of an image of this layer.
fn image(layer: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let date: SourceDate = "2026-01-01T00:00:00Z".parse().unwrap();
    documents(Blob { digest: Digest::of(layer), size: layer.len() as u64 }, "x86_64", date).unwrap()
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

struct Fake {
    folder: tempfile::TempDir,
    store: Store,
}

impl Fake {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        Self { folder, store }
    }

    fn pull(&self, host: &str, name: &Digest, access: &Access) -> Result<Image, RegistryError> {
        let reference = format!("{host}/a/b").parse().unwrap();
        run(pull(&self.store, &reference, name, access, &|_| ()))
    }
}

#[test]
fn a_token_is_asked_for_and_used() {
    let fake = Fake::new();
    let layer = vec![7; 100_000];
    let (manifest, config) = image(&layer);
    let name = Digest::of(&manifest);
    let blobs = Arc::new([(name, manifest), (Digest::of(&config), config), (Digest::of(&layer), layer)]);
    let (host, told) = serve(Box::new(move |line, headers, _| {
        let headers = headers.to_ascii_lowercase();
        let host = headers.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned();
        if line.contains("/token") {
            return with_length("200 OK", br#"{"token":"t0ken"}"#.to_vec());
        }
        if !headers.contains("authorization: bearer t0ken") {
            let challenge = format!(
                "401 No\r\nWWW-Authenticate: Bearer realm=\"http://{host}/token\",service=\"s\",scope=\"repository:a/b:pull\""
            );
            return with_length(&challenge, Vec::new());
        }
        let found = blobs.iter().find(|(digest, _)| line.ends_with(&digest.to_string()));
        with_length("200 OK", found.unwrap().1.clone())
    }));
    let auth = fake.folder.path().join("auth.json");
    // goose:egg
    std::fs::write(&auth, format!(r#"{{"auths":{{"{host}":{{"auth":"Z29vc2U6ZWdn"}}}}}}"#)).unwrap();
    let access = Access { plain_http: false, auth_file: Some(auth) };
    assert_eq!(fake.pull(&host, &name, &access).unwrap().name, name);
    Image::load(&fake.store, &name).unwrap();
    let told: Vec<_> = told.try_iter().collect();
    assert_eq!(told.len(), 5, "{told:?}");
    assert!(told[1].starts_with("GET /token?service=s&scope=repository%3Aa%2Fb%3Apull "), "{told:?}");
    assert!(told[1].to_ascii_lowercase().contains("authorization: basic z29vc2u6zwdn"), "{told:?}");
    assert!(told[2].ends_with("Bearer t0ken"), "{told:?}");
}

#[test]
fn a_broken_transfer_goes_on_where_it_stopped() {
    let fake = Fake::new();
    let layer: Vec<u8> = (0..1_000_000_u32).map(|index| index as u8).collect();
    let (manifest, config) = image(&layer);
    let name = Digest::of(&manifest);
    let (name_of_layer, body) = (Digest::of(&layer), layer);
    let (host, told) = serve(Box::new(move |line, headers, count| {
        if line.ends_with(&name.to_string()) {
            return with_length("200 OK", manifest.clone());
        }
        if !line.ends_with(&name_of_layer.to_string()) {
            return with_length("200 OK", config.clone());
        }
        let headers = headers.to_ascii_lowercase();
        let range = headers.lines().find_map(|line| line.strip_prefix("range: bytes=")?.strip_suffix('-'));
        let from: usize = range.map_or(0, |from| from.parse().unwrap());
        assert_eq!(from > 0, count > 2, "only the first request asks for all");
        let status = if from > 0 { "206 Partial Content" } else { "200 OK" };
        let rest = &body[from..];
        // A length is promised and half of it sent.
        let sent = if rest.len() > 300_000 { &rest[..rest.len() / 2] } else { rest };
        (format!("{status}\r\nContent-Length: {}", rest.len()), sent.to_vec())
    }));
    fake.pull(&host, &name, &Access::default()).unwrap();
    Image::load(&fake.store, &name).unwrap();
    assert_eq!(told.try_iter().count(), 5);
}

#[test]
fn what_is_too_long_or_false_does_not_enter_the_store() {
    let layer = vec![1; 1000];
    let (manifest, config) = image(&layer);
    let name = Digest::of(&manifest);
    for (case, body) in [("long", vec![1; 1001]), ("false", vec![2; 1000]), ("short", vec![1; 999])] {
        let fake = Fake::new();
        let (manifest, config, digest) = (manifest.clone(), config.clone(), Digest::of(&layer));
        let (host, _told) = serve(Box::new(move |line, _, _| {
            let is_layer = line.ends_with(&digest.to_string());
            let document = if line.contains("/manifests/") { &manifest } else { &config };
            with_length("200 OK", if is_layer { body.clone() } else { document.clone() })
        }));
        let result = fake.pull(&host, &name, &Access::default());
        assert!(matches!(result, Err(RegistryError::WrongContent { .. })), "{case}: {result:?}");
        assert!(!fake.store.has(&digest) && !fake.store.has(&name), "{case}");
    }
    let fake = Fake::new();
    let (host, _told) = serve(Box::new(|_, _, _| with_length("200 OK", b"{}".to_vec())));
    assert!(matches!(fake.pull(&host, &name, &Access::default()), Err(RegistryError::WrongContent { .. })));
    let (host, _told) = serve(Box::new(|_, _, _| {
        (format!("200 OK\r\nContent-Length: {}", 1_u64 << 40), vec![b' '; DOCUMENT_LIMIT as usize + 1])
    }));
    assert!(matches!(fake.pull(&host, &name, &Access::default()), Err(RegistryError::Protocol { .. })));
}

#[test]
fn what_a_registry_says_is_cut_and_escaped() {
    let words = format!("{}\u{1b}[2J", "x".repeat(500));
    let body = serde_json::json!({"errors": [{"code": "DENIED", "message": words}]}).to_string();
    assert_eq!(crate::oci::session::said(body.as_bytes()).len(), 202);
    assert_eq!(crate::oci::session::said(b"<html>"), "");
    let body = br#"{"errors":[{"code":"A\u001b"},{"message":"b"}]}"#;
    assert_eq!(crate::oci::session::said(body), ": A\\u{1b}, b");
}
