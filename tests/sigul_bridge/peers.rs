//! A server for tests: honest, small, and as slow or dead as a test wants it.

use std::sync::Arc;
use std::time::Duration;

use gander::sigul::stream::{Channel, Divided, Tls, read_fields, read_mac, read_u32, read_u64};
use gander::sigul::wire::{Code, Fields, MAC, Mac, PartKey, Proof, Reply, proof};
use sha2::{Digest as _, Sha512};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::world::{Bridge, SERVER};

/// Where a server, or a client, vanishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Never,
    /// With the head of the request.
    Head,
    /// In the middle of the payload.
    Payload,
    /// In the inner connection.
    Secrets,
    /// When it has the secrets.
    Answer,
    /// In the middle of the answer's payload.
    AnswerPayload,
}

/// What servers answer.
pub type Answers = Arc<dyn Fn(&Fields, &[u8]) -> (Code, Vec<u8>) + Send + Sync>;

/// Answers with what came.
pub fn echo() -> Answers {
    Arc::new(|_, payload| (Code::Ok, payload.to_vec()))
}

/// Servers that connect again and again, so many at once, until it is dropped.
pub struct Servers(Vec<tokio::task::JoinHandle<()>>);

impl Servers {
    /// Ends them, until the bridge has noticed.
    pub async fn gone(self, bridge: &Bridge) {
        drop(self);
        while !bridge.status("/health").starts_with("HTTP/1.1 503") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.0.iter().for_each(|task| task.abort());
    }
}

pub fn servers(bridge: &Bridge, count: usize, answers: Answers) -> Servers {
    let (identity, address) = (bridge.parties.identity(SERVER), bridge.servers);
    let one = || {
        let (identity, answers) = (identity.clone(), answers.clone());
        tokio::spawn(async move {
            loop {
                let Ok(tcp) = tokio::net::TcpStream::connect(address).await else {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                };
                tcp.set_nodelay(true).unwrap();
                let tls = Tls::new(&identity).unwrap();
                let Ok(stream) = tls.connect(super::world::BRIDGE, tcp).await else { continue };
                let streams = gander::sigul::stream::divide(stream, super::world::PATIENCE);
                drop(serve(&tls, streams, &answers, Stage::Never).await);
            }
        })
    };
    Servers((0..count).map(|_| one()).collect())
}

/// One connection of a server.
pub async fn server(bridge: &Bridge) -> (Tls, Divided) {
    let identity = bridge.parties.identity(SERVER);
    let streams = bridge.connect(bridge.servers, &identity).await.unwrap();
    (Tls::new(&identity).unwrap(), streams)
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Answers one request, or vanishes.
pub async fn serve(tls: &Tls, streams: Divided, answers: &Answers, vanish: Stage) -> Result<(), Failed> {
    let Divided { mut outer, inner, sent, .. } = streams;
    let version = read_u32(&mut outer.incoming).await?;
    let (fields, raw) = read_fields(&mut outer.incoming).await?;
    let head = [&version.to_be_bytes()[..], &raw].concat();
    if vanish == Stage::Head {
        return Ok(());
    }
    let size = read_u64(&mut outer.incoming).await?;
    let mut payload = Vec::new();
    let most = if vanish == Stage::Payload { size / 2 } else { size };
    (&mut outer.incoming).take(most).read_to_end(&mut payload).await?;
    if vanish == Stage::Payload {
        return Ok(());
    }
    let mut inner = tls.accept(inner).await?;
    if vanish == Stage::Secrets {
        return Ok(());
    }
    let (secrets, _) = read_fields(&mut inner).await?;
    let digest: [u8; MAC] = Sha512::digest(&payload).into();
    // For a package that the bridge fetched, the client only has its MD5.
    let proof = Proof::read(&secrets, &head, &digest, fields.get("rpm-sigmd5").is_some())?;
    let mut rest = [0];
    assert_eq!(inner.read(&mut rest).await?, 0);
    inner.shutdown().await?;
    drop(inner);
    if vanish == Stage::Answer {
        return Ok(());
    }
    let parts = fields.text("op")? == "sign-rpms";
    // It may sleep, which must not stop the test's clock.
    let (code, payload) = match parts {
        true => (Code::Ok, Vec::new()),
        false => tokio::task::block_in_place(|| answers(&fields, &payload)),
    };
    let reply = Reply::of(code).encode()?;
    outer.write_all(&reply).await?;
    outer.write_all(&Mac::of(&proof.header_key, &reply)).await?;
    outer.write_all(&(payload.len() as u64).to_be_bytes()).await?;
    if vanish == Stage::AnswerPayload {
        outer.write_all(&payload[..payload.len() / 2]).await?;
        return Ok(());
    }
    outer.write_all(&payload).await?;
    outer.write_all(&Mac::of(&proof.payload_key, &payload)).await?;
    if parts {
        serve_parts(&mut outer, &secrets, answers).await?;
    }
    outer.shutdown().await?;
    drop(outer);
    sent.wait().await;
    Ok(())
}

async fn serve_parts(outer: &mut Channel, secrets: &Fields, answers: &Answers) -> Result<(), Failed> {
    let [mut head_key, mut payload_key, mut head_back, mut payload_back]: [PartKey; 4] =
        Proof::parts(secrets)?;
    loop {
        let mut first = [0];
        if outer.read(&mut first).await? == 0 {
            return Ok(());
        }
        let (fields, raw) = read_fields(&mut (&first[..]).chain(&mut *outer)).await?;
        let mut mac = head_key.advance();
        mac.update(&raw);
        assert!(mac.is(&read_mac(outer).await?), "a part's head");
        let size = read_u64(outer).await?;
        let mut payload = Vec::new();
        (&mut *outer).take(size).read_to_end(&mut payload).await?;
        let mut mac = payload_key.advance();
        mac.update(&payload);
        let is_whole = mac.is(&read_mac(outer).await?);
        // What a bridge fetched is vouched for by its MD5.
        assert!(is_whole || fields.get("rpm-sigmd5").is_some(), "a part's payload");
        let (code, signed) = tokio::task::block_in_place(|| answers(&fields, &payload));
        let reply =
            Fields::default().with("id", fields.bytes("id")?).with("status", code.number().to_be_bytes());
        let raw = reply.encode()?;
        let mut mac = head_back.advance();
        mac.update(&raw);
        let signed = if code == Code::Ok { signed } else { Vec::new() };
        let head = [&raw[..], &mac.finish(), &(signed.len() as u64).to_be_bytes()].concat();
        outer.write_all(&head).await?;
        outer.write_all(&signed).await?;
        let mut mac = payload_back.advance();
        mac.update(&signed);
        outer.write_all(&mac.finish()).await?;
    }
}

/// The outer bytes of a request: head, length and payload.
pub fn outer(operation: &str, payload: &[u8]) -> Vec<u8> {
    let fields = Fields::default().with("key", "k1").with("op", operation).with("user", super::world::USER);
    let fields = fields.encode().unwrap();
    [&1_u32.to_be_bytes()[..], &fields, &(payload.len() as u64).to_be_bytes(), payload].concat()
}

/// The secrets of that request, and the keys of its answer.
pub fn secrets(operation: &str, payload: &[u8]) -> (Fields, Proof) {
    let whole = outer(operation, payload);
    let head = &whole[..whole.len() - 8 - payload.len()];
    let mut secrets = Fields::default().with("passphrase", "honk");
    secrets.set("header-auth-sha512", proof::sha512(head)).set("payload-auth-sha512", proof::sha512(payload));
    secrets.set("header-auth-key", [7; MAC]).set("payload-auth-key", [9; MAC]);
    let digest: [u8; MAC] = Sha512::digest(payload).into();
    let keys = Proof::read(&secrets, head, &digest, false).unwrap();
    (secrets, keys)
}
