//! `sign-rpms`: any number of packages in one request.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::Client;
use super::call::{ClientError, Payload, Request, open, visible};
use crate::sigul::stream::{Channel, Incoming, Outgoing, read_fields, read_mac};
use crate::sigul::wire::{Code, Fields, MAC, Mac, PartKey};

/// The most bytes of packages in one request (sigul's client has the same bound, the server 10 GiB), each rounded up
/// to [`ROUNDED`].
const LARGEST_BATCH: u64 = 9 << 30;
/// What sigul rounds sizes up to.
const ROUNDED: u64 = 1 << 15;
/// The most packages in one request: the ids are numbers, and a lost connection loses them all.
const MOST: usize = 1000;
/// The largest signature header: rpm's own bound.
const LARGEST_HEADER: u64 = 64 << 20;
/// The largest signed package.
const LARGEST_PACKAGE: u64 = 1 << 40;

const FORGED: &str = "the proof of a package's payload is wrong";

/// How packages are signed.
#[derive(Clone, Debug, Default)]
pub struct RpmsOptions {
    /// Only signature headers come back; whoever asked puts them into the packages.
    pub head_signing: bool,
    /// The bridge gives the signatures to Koji.
    pub import: bool,
    /// Nothing comes back. Makes sense with `import` alone.
    pub no_data: bool,
    /// Which of the bridge's Koji instances is meant.
    pub koji_instance: Option<String>,
}

/// A package that is to be signed.
#[derive(Clone, Debug)]
pub enum Package {
    /// A file here.
    File(PathBuf),
    /// One that the bridge fetches from Koji.
    Koji {
        /// Name, epoch (as Koji has it), version, release and arch.
        nevra: [String; 5],
        /// The MD5 in its signature header, which says exactly which is meant.
        sigmd5: Vec<u8>,
    },
}

impl Package {
    /// Says which it is, where it is not sent.
    fn name_in(&self, fields: &mut Fields) {
        let Self::Koji { nevra, sigmd5 } = self else { return };
        for (name, value) in ["name", "epoch", "version", "release", "arch"].iter().zip(nevra) {
            fields.set(&format!("rpm-{name}"), value);
        }
        fields.set("rpm-sigmd5", sigmd5);
    }
}

impl RpmsOptions {
    /// The fields of a request.
    fn put_in(&self, fields: &mut Fields) {
        for (name, set) in [("import-signature", self.import), ("head-signing", self.head_signing)] {
            if set {
                fields.set_bool(name, true);
            }
        }
        if self.no_data {
            fields.set_bool("return-data", false);
        }
        if let Some(instance) = &self.koji_instance {
            fields.set("koji-instance", instance);
        }
    }
}

/// What came back for a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signed {
    /// Its signature header.
    Header(Vec<u8>),
    /// The signed package, as a file in the folder that was given.
    File(PathBuf),
    /// Nothing was asked for.
    Nothing,
}

/// Why a package was not signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{}", Code::of(*code).map_or_else(|| format!("code {code}"), |code| code.to_string()),
    message.as_ref().map(|words| format!(" ({})", visible(words))).unwrap_or_default())]
pub struct PartFailure {
    /// The number.
    pub code: u32,
    /// The server's words.
    pub message: Option<String>,
}

/// What became of a package.
pub type Outcome = Result<Signed, PartFailure>;

impl Client {
    /// Has one package signed, and writes it, unless nothing is to come back. Head-signing is for many only.
    pub async fn sign_rpm(
        &self,
        key: &str,
        passphrase: &[u8],
        options: &RpmsOptions,
        package: &Package,
        output: &mut (impl AsyncWrite + Unpin),
    ) -> Result<(), ClientError> {
        let mut request = Request::new("sign-rpm").field("key", key).secret("passphrase", passphrase);
        RpmsOptions { head_signing: false, ..options.clone() }.put_in(&mut request.fields);
        package.name_in(&mut request.fields);
        if let Package::File(path) = package {
            request = request.payload(Payload::File(path));
        }
        self.call_into(request, LARGEST_PACKAGE, output).await.map(drop)
    }

    /// Has packages signed, in as many requests as their sizes need. Signed packages are written into `folder` under
    /// the numbers of their places. What became of a package is told with its place as soon as it is known, and at most
    /// once; a package of which nothing was told when this returns was not answered.
    pub async fn sign_rpms(
        &self,
        key: &str,
        passphrase: &[u8],
        options: &RpmsOptions,
        packages: &[Package],
        folder: &Path,
        mut told: impl FnMut(usize, Outcome),
    ) -> Result<(), ClientError> {
        let mut start = 0;
        while start < packages.len() {
            let length = batch(packages.get(start..).unwrap_or_default())?;
            let places = start..start + length;
            let batch = Batch { packages, places: places.clone(), options, folder };
            self.sign_batch(key, passphrase, &batch, &mut told).await?;
            start = places.end;
        }
        Ok(())
    }

    async fn sign_batch(
        &self,
        key: &str,
        passphrase: &[u8],
        batch: &Batch<'_>,
        told: &mut impl FnMut(usize, Outcome),
    ) -> Result<(), ClientError> {
        let options = batch.options;
        let mut request = Request::new("sign-rpms").field("key", key).secret("passphrase", passphrase);
        options.put_in(&mut request.fields);
        let mut answered = self.ask(request, true).await?;
        let Some([head, payload, head_back, payload_back]) = answered.parts.take() else {
            return Err(ClientError::Forged("keys"));
        };
        // An empty payload and its proof belong to the reply.
        self.timely(async {
            let mut rest = [0; 8 + MAC];
            Ok(answered.outer.incoming.read_exact(&mut rest).await.map(drop)?)
        })
        .await?;
        let Channel { mut incoming, outgoing } = answered.outer;
        let sending = self.send_parts(batch, outgoing, [head, payload]);
        let receiving = self.receive_parts(batch, &mut incoming, [head_back, payload_back], told);
        tokio::pin!(sending, receiving);
        tokio::select! {
            biased;
            received = &mut receiving => {
                received?;
                // The server may not need all, where it fails; then parts without an answer say so.
                return Ok(());
            }
            sent = &mut sending => sent?,
        }
        receiving.await
    }
}

/// The packages of one request.
struct Batch<'a> {
    packages: &'a [Package],
    places: Range<usize>,
    options: &'a RpmsOptions,
    folder: &'a Path,
}

impl Batch<'_> {
    /// The place of the package with an id.
    fn place(&self, id: u32) -> Option<usize> {
        let place = self.places.start.checked_add(usize::try_from(id).ok()?)?;
        self.places.contains(&place).then_some(place)
    }
}

impl Client {
    async fn send_parts(
        &self,
        batch: &Batch<'_>,
        mut outgoing: Outgoing,
        [mut head_key, mut payload_key]: [PartKey; 2],
    ) -> Result<(), ClientError> {
        let packages = batch.packages.get(batch.places.clone()).unwrap_or_default();
        for (id, package) in (0_u32..).zip(packages) {
            let mut fields = Fields::default();
            fields.set_u32("id", id);
            package.name_in(&mut fields);
            let head = fields.encode()?;
            let mut mac = head_key.advance();
            mac.update(&head);
            let head = [&head[..], &mac.finish()].concat();
            self.timely(async { Ok(outgoing.write_all(&head).await?) }).await?;
            let mut mac = payload_key.advance();
            match package {
                Package::Koji { .. } => {
                    self.send(&mut outgoing, 0, &mut std::io::empty(), None, |_| ()).await?;
                }
                Package::File(path) => {
                    let (mut file, size) = open(path)?;
                    self.send(&mut outgoing, size, &mut file, Some(path), |piece| mac.update(piece)).await?;
                }
            }
            let proof = mac.finish();
            self.timely(async { Ok(outgoing.write_all(&proof).await?) }).await?;
        }
        self.timely(async { Ok(outgoing.shutdown().await?) }).await
    }

    async fn receive_parts(
        &self,
        batch: &Batch<'_>,
        incoming: &mut Incoming,
        [mut head_key, mut payload_key]: [PartKey; 2],
        told: &mut impl FnMut(usize, Outcome),
    ) -> Result<(), ClientError> {
        let mut answered = BTreeSet::new();
        loop {
            let mut first = [0];
            if self.timely(async { Ok(incoming.read(&mut first).await?) }).await? == 0 {
                return Ok(());
            }
            let (fields, raw, given) = self
                .timely(async {
                    let (fields, raw) = read_fields(&mut (&first[..]).chain(&mut *incoming)).await?;
                    Ok((fields, raw, read_mac(incoming).await?))
                })
                .await?;
            // The keys go by how many were answered, failures too.
            let (mut mac, payload) = (head_key.advance(), payload_key.advance());
            mac.update(&raw);
            if !mac.is(&given) {
                return Err(ClientError::Forged("the proof of a package's head is wrong"));
            }
            let unexpected =
                |what: &str| ClientError::Unexpected(format!("the answer for a package has {what}"));
            let place = fields.u32("id").ok().and_then(|id| batch.place(id));
            let place = place.ok_or_else(|| unexpected("a wrong id"))?;
            if !answered.insert(place) {
                return Err(unexpected("the id of another"));
            }
            let code = fields.u32("status").map_err(|_| unexpected("no status"))?;
            let outcome = if code == Code::Ok.number() {
                Ok(self.receive_package(batch, incoming, payload, place).await?)
            } else {
                let message = fields.optional_text("message").ok().flatten().map(str::to_owned);
                self.receive(incoming, payload, 0, &mut tokio::io::sink(), FORGED).await?;
                Err(PartFailure { code, message })
            };
            told(place, outcome);
        }
    }

    async fn receive_package(
        &self,
        batch: &Batch<'_>,
        incoming: &mut Incoming,
        mac: Mac,
        place: usize,
    ) -> Result<Signed, ClientError> {
        if batch.options.no_data {
            self.receive_nothing(incoming).await?;
            return Ok(Signed::Nothing);
        }
        if batch.options.head_signing {
            let mut header = Vec::new();
            self.receive(incoming, mac, LARGEST_HEADER, &mut header, FORGED).await?;
            return Ok(Signed::Header(header));
        }
        let path = batch.folder.join(place.to_string());
        let unwritten = |source| ClientError::File { what: "written", path: path.clone(), source };
        let mut file = tokio::fs::File::create_new(&path).await.map_err(unwritten)?;
        self.receive(incoming, mac, LARGEST_PACKAGE, &mut file, FORGED).await?;
        file.flush().await.map_err(unwritten)?;
        Ok(Signed::File(path))
    }
}

/// How many packages go into one request.
fn batch(packages: &[Package]) -> Result<usize, ClientError> {
    let (mut length, mut sum) = (0, 0_u64);
    for package in packages.iter().take(MOST) {
        if let Package::File(path) = package {
            sum = sum.saturating_add(open(path)?.1.next_multiple_of(ROUNDED));
        }
        if length > 0 && sum > LARGEST_BATCH {
            break;
        }
        length += 1;
    }
    Ok(length)
}
