//! A client's side of a connection, with all that can be done wrong.

use std::future::Future;
use std::time::Duration;

use gander::sigul::stream::{
    Channel, Divided, Incoming, Tls, divide, read_fields, read_mac, read_u32, read_u64,
};
use gander::sigul::wire::proof::{PART_KEYS, sha512};
use gander::sigul::wire::{Fields, MAC, Mac, PartKey, Proof, RequestHeader};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::world::{ALICE, World};

/// What is asked.
#[derive(Clone)]
pub struct Ask {
    pub fields: Fields,
    pub secrets: Fields,
    pub payload: Vec<u8>,
    pub certificate: String,
    /// A last change of what goes through the inner connection.
    pub change: fn(&mut Fields),
}

impl Ask {
    pub fn new(user: &str, operation: &str) -> Self {
        Self {
            fields: Fields::default().with("op", operation).with("user", user),
            secrets: Fields::default(),
            payload: Vec::new(),
            certificate: user.into(),
            change: |_| (),
        }
    }

    /// Alice and her key.
    pub fn alice(operation: &str) -> Self {
        Self::new("alice", operation).field("key", "k1").secret("passphrase", ALICE)
    }

    pub fn field(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.fields.set(name, value);
        self
    }

    pub fn secret(mut self, name: &str, value: &str) -> Self {
        self.secrets.set(name, value);
        self
    }

    pub fn payload(mut self, payload: impl AsRef<[u8]>) -> Self {
        self.payload = payload.as_ref().to_vec();
        self
    }

    pub fn certificate(mut self, name: &str) -> Self {
        self.certificate = name.into();
        self
    }

    pub fn change(mut self, change: fn(&mut Fields)) -> Self {
        self.change = change;
        self
    }

    /// Version and fields.
    pub fn head(&self) -> Vec<u8> {
        RequestHeader { fields: self.fields.clone() }.encode().unwrap()
    }

    /// All that goes through the outer stream.
    pub fn outer(&self) -> Vec<u8> {
        [&self.head()[..], &(self.payload.len() as u64).to_be_bytes(), &self.payload].concat()
    }

    /// What goes through the inner connection.
    pub fn inner(&self) -> Fields {
        let mut fields = self.secrets.clone();
        if self.fields.get("op") == Some(b"sign-rpms") {
            PART_KEYS.iter().zip(10..).for_each(|(name, byte)| {
                fields.set(name, [byte; MAC]);
            });
        }
        let header = RequestHeader { fields: self.fields.clone() };
        Proof::write(&mut fields, &header, &sha512(&self.payload), [&[1; MAC], &[2; MAC]]).unwrap();
        (self.change)(&mut fields);
        fields
    }
}

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    pub code: u32,
    pub fields: Fields,
    pub payload: Vec<u8>,
}

/// What became of it; an error where the connection ended without a reply.
pub type Outcome = Result<Got, String>;

/// Why there is none.
pub fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Nothing may take for ever.
pub async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), work).await.expect("it takes for ever")
}

impl World {
    /// Asks over the next connection.
    pub fn ask(&self, ask: &Ask) -> Outcome {
        self.runtime.block_on(async { self.ask_over(self.connection().await, ask).await })
    }

    /// Asks over a connection.
    pub async fn ask_over<S>(&self, stream: S, ask: &Ask) -> Outcome
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        soon(async {
            let mut outer = self.begin(divide(stream, Duration::from_secs(30)), ask).await?;
            let got = reply(&mut outer.incoming).await?;
            end(&mut outer.incoming).await?;
            Ok(got)
        })
        .await
    }

    /// Sends a request and the secrets.
    pub async fn begin(&self, streams: Divided, ask: &Ask) -> Result<Channel, String> {
        let Divided { mut outer, inner, .. } = streams;
        outer.outgoing.write_all(&ask.outer()).await.map_err(text)?;
        self.past(inner, &ask.certificate, &ask.inner().encode().unwrap()).await?;
        Ok(outer)
    }

    /// Says something through the inner connection.
    pub async fn past(&self, inner: Channel, certificate: &str, bytes: &[u8]) -> Result<(), String> {
        let tls = Tls::new(&self.identity(certificate)).unwrap();
        let mut inner = tls.connect("server.test", inner).await.map_err(text)?;
        inner.write_all(bytes).await.map_err(text)?;
        inner.shutdown().await.map_err(text)?;
        let mut words = Vec::new();
        inner.read_to_end(&mut words).await.map_err(text)?;
        assert!(words.is_empty(), "{words:?}");
        Ok(())
    }
}

/// Reads a reply, and looks at its proofs.
pub async fn reply(incoming: &mut Incoming) -> Outcome {
    let code = read_u32(incoming).await.map_err(text)?;
    let (fields, raw) = read_fields(incoming).await.map_err(text)?;
    let mac = read_mac(incoming).await.map_err(text)?;
    let head = [&code.to_be_bytes()[..], &raw].concat();
    assert_eq!(mac, Mac::of(&[1; MAC], &head));
    let payload = body(incoming, |payload| Mac::of(&[2; MAC], payload)).await?;
    Ok(Got { code, fields, payload })
}

async fn body(incoming: &mut Incoming, mac: impl FnOnce(&[u8]) -> [u8; MAC]) -> Result<Vec<u8>, String> {
    let size = read_u64(incoming).await.map_err(text)?;
    let mut payload = vec![0; usize::try_from(size).unwrap()];
    incoming.read_exact(&mut payload).await.map_err(text)?;
    assert_eq!(read_mac(incoming).await.map_err(text)?, mac(&payload));
    Ok(payload)
}

/// The stream has to end here, and well.
pub async fn end(incoming: &mut Incoming) -> Result<(), String> {
    let mut rest = Vec::new();
    incoming.read_to_end(&mut rest).await.map_err(text)?;
    if rest.is_empty() { Ok(()) } else { Err(format!("{} bytes follow", rest.len())) }
}

/// A package on its way.
#[derive(Clone)]
pub struct Part {
    pub fields: Fields,
    pub payload: Vec<u8>,
    /// Bits that are flipped in the proofs of fields and of payload.
    pub flip: [u8; 2],
}

impl Part {
    pub fn new(id: u32, payload: &[u8]) -> Self {
        let mut fields = Fields::default();
        fields.set_u32("id", id);
        Self { fields, payload: payload.to_vec(), flip: [0, 0] }
    }

    pub fn encode(&self, head: &mut PartKey, payload: &mut PartKey) -> Vec<u8> {
        let raw = self.fields.encode().unwrap();
        let proof = |key: &mut PartKey, bytes: &[u8], flip| {
            let mut mac = key.advance();
            mac.update(bytes);
            let mut mac = mac.finish();
            mac[63] ^= flip;
            mac
        };
        let (first, second) = (proof(head, &raw, self.flip[0]), proof(payload, &self.payload, self.flip[1]));
        let size = (self.payload.len() as u64).to_be_bytes();
        [&raw[..], &first, &size, &self.payload, &second].concat()
    }
}

impl World {
    /// Sends packages while it takes answers: id, status and payload of each, in their order.
    pub async fn ask_rpms<S>(&self, stream: S, ask: &Ask, parts: &[Part]) -> Result<Vec<(u32, Got)>, String>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        soon(async {
            let Channel { mut incoming, mut outgoing } =
                self.begin(divide(stream, Duration::from_secs(30)), ask).await?;
            let got = reply(&mut incoming).await?;
            if got.code != 0 {
                return Err(format!("code {}", got.code));
            }
            let [mut a, mut b, mut c, mut d] = Proof::parts(&ask.inner()).unwrap();
            let sending = async {
                for part in parts {
                    outgoing.write_all(&part.encode(&mut a, &mut b)).await.map_err(text)?;
                }
                outgoing.shutdown().await.map_err(text)
            };
            let taking = async {
                let mut all = Vec::new();
                let mut first = [0];
                while incoming.read(&mut first).await.map_err(text)? > 0 {
                    let (fields, raw) =
                        read_fields(&mut (&first[..]).chain(&mut incoming)).await.map_err(text)?;
                    let proof = |key: &mut PartKey, bytes: &[u8]| {
                        let mut mac = key.advance();
                        mac.update(bytes);
                        mac.finish()
                    };
                    assert_eq!(read_mac(&mut incoming).await.map_err(text)?, proof(&mut c, &raw));
                    let payload = body(&mut incoming, |payload| proof(&mut d, payload)).await?;
                    let (id, code) = (fields.u32("id").unwrap(), fields.u32("status").unwrap());
                    all.push((id, Got { code, fields, payload }));
                }
                Ok::<_, String>(all)
            };
            // Where the server ends the connection, both fail; what was read says more.
            let (sent, taken) = tokio::join!(sending, taking);
            let taken = taken?;
            sent.map(|()| taken)
        })
        .await
    }
}
