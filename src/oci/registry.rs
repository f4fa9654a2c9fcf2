//! Registries by the OCI distribution protocol: images are pulled by digest and pushed.
//!
//! - A pull verifies the digest and the size of everything before it enters the store; blobs stream into it,
//!   a broken transfer goes on where it stopped, and what the store has is not downloaded again.
//! - A push asks for each blob first (`HEAD`), uploads it in one streamed request where it is missing, and
//!   uploads the manifest last, as the very bytes that the image is named by.
//! - Tags name nothing lasting: [`resolve`] shows which digest one has now, and a caller uses that only where a
//!   person asked for it.
//! - HTTP without TLS is used for this machine, and elsewhere only when told to. A secret goes only to the
//!   registry itself, or to the token service that it names, which must use TLS unless plain HTTP is allowed.
//!
//! Why `ocipkg` is used for the grammar of names (`reference.rs`) and no further: its client holds whole blobs
//! in memory (`get_blob` gives a `Vec<u8>`, `push_blob` takes a slice) and compares no digest on the way in;
//! it speaks plain HTTP exactly where a host name begins with `localhost`, so to `localhost.example.org`, too,
//! and never to 127.0.0.1; it reparses and rewrites a manifest on the way out, and with it the name of the
//! image may change; and it would bring a second HTTP and TLS stack (ureq 2 with rustls). Its archive builder
//! writes the current time into every header, leaves out the file `oci-layout`, and takes the entries of a
//! folder unsorted, with their metadata.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RANGE};
use reqwest::{Client, Response, StatusCode, Url};

use super::auth::AuthError;
use super::image::{
    Blob, Config, DOCKER_MANIFEST_TYPE, DOCUMENT_LIMIT, INDEX_TYPES, Image, ImageError, MANIFEST_TYPE,
    Manifest,
};
use super::reference::Reference;
use super::session::{Registry, SILENCE};
use crate::base::Digest;
use crate::store::{ObjectWriter, Store, StoreError};

const ATTEMPTS: u32 = 4;
/// An upload that is slower than this many bytes a second is given up.
const SLOWEST_UPLOAD: u64 = 50_000;
const UPLOAD_BUFFER: usize = 1 << 20;

/// How a registry is reached.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Use HTTP without TLS, whatever the host.
    pub plain_http: bool,
    /// The file of credentials, if any.
    pub auth_file: Option<PathBuf>,
}

/// A registry could not give or take an image.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The image; see there.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The store; see there.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file of credentials cannot be read; retrying can help where the surroundings are at fault.
    #[error("the file of credentials '{}' cannot be read", path.display())]
    AuthFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file of credentials is not usable. Retrying cannot help.
    #[error("the file of credentials '{}' cannot be used", path.display())]
    Auth {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: AuthError,
    },
    /// The registry cannot be reached, or the connection broke again and again; retrying later can help.
    #[error("{doing}: the registry {host} cannot be reached")]
    Connection {
        /// What was being done.
        doing: String,
        /// Host and port.
        host: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The registry did not answer in time; retrying later can help.
    #[error("{doing}: the registry {host} does not answer")]
    Silent {
        /// What was being done.
        doing: String,
        /// Host and port.
        host: String,
    },
    /// The registry refuses; retrying can help where its own trouble (5xx) is the cause.
    #[error("{doing}: the registry {host} answers {status}{said}")]
    Refused {
        /// What was being done.
        doing: String,
        /// Host and port.
        host: String,
        /// Its status.
        status: StatusCode,
        /// What it says about it, after a colon.
        said: String,
    },
    /// The registry does not have it. Retrying cannot help until somebody pushes it.
    #[error("{doing}: the registry {host} has no such thing{said}")]
    NotFound {
        /// What was being done.
        doing: String,
        /// Host and port.
        host: String,
        /// What it says about it, after a colon.
        said: String,
    },
    /// The registry wants other credentials, or any. Retrying cannot help.
    #[error("{doing}: the registry {host} does not admit us{said}")]
    Denied {
        /// What was being done.
        doing: String,
        /// Host and port.
        host: String,
        /// Why, after a colon.
        said: String,
    },
    /// The registry sent other bytes than those asked for. Retrying cannot help: they lie there damaged.
    #[error("{doing}: the registry {host} sent other content than {expected}: {problem}")]
    WrongContent {
        /// What was being done.
        doing: String,
        /// Host and port.
        host: String,
        /// What was asked for.
        expected: Digest,
        /// What came.
        problem: String,
    },
    /// The registry does not keep to the protocol. Retrying cannot help.
    #[error("{doing}: the registry {host} does not keep to the protocol: {problem}")]
    Protocol {
        /// What was being done.
        doing: String,
        /// Host and port.
        host: String,
        /// What is wrong.
        problem: String,
    },
    /// The HTTP client cannot be made; a bug or a broken OpenSSL.
    #[error("the HTTP client cannot be started")]
    Client(#[source] reqwest::Error),
}

impl RegistryError {
    /// Whether trying again soon can help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connection { source, .. } => !source.is_redirect() && !source.is_builder(),
            Self::Silent { .. } => true,
            Self::Refused { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            _ => false,
        }
    }
}

/// Narration of what goes on.
pub type Narrate<'a> = &'a (dyn Fn(&str) + Sync);

/// The digest that a tag has now.
pub async fn resolve(reference: &Reference, tag: &str, access: &Access) -> Result<Digest, RegistryError> {
    let registry = Registry::new(reference, access)?;
    let bytes = registry.manifest(tag).await?;
    // Not what the registry says it is, but what it is.
    Ok(Digest::of(&bytes))
}

/// Takes an image into the store, by its digest.
pub async fn pull(
    store: &Store,
    reference: &Reference,
    name: &Digest,
    access: &Access,
    say: Narrate<'_>,
) -> Result<Image, RegistryError> {
    let registry = Registry::new(reference, access)?;
    let bytes = match store.has(name) {
        true => store.read_object(name, DOCUMENT_LIMIT)?,
        false => registry.document(name).await?,
    };
    let manifest = Manifest::parse(&bytes)?;
    let wanted = manifest.config.digest;
    let config_bytes = match store.has(&wanted) {
        true => store.read_object(&wanted, DOCUMENT_LIMIT)?,
        false => registry.small_blob(manifest.config).await?,
    };
    let image = Image::new(*name, manifest, Config::parse(&config_bytes)?)?;
    for layer in &image.manifest.layers {
        if store.has(&layer.blob.digest) {
            continue;
        }
        say(&format!("pulling layer {} ({} MB)", layer.blob.digest, layer.blob.size / 1_000_000));
        registry.blob_into(store, layer.blob).await?;
    }
    store.put_bytes(&config_bytes)?;
    // The manifest last: where it is, its parts are.
    store.put_bytes(&bytes)?;
    Ok(image)
}

/// Puts an image of the store into a registry: under the reference's tag, or else by digest only.
pub async fn push(
    store: &Store,
    name: &Digest,
    reference: &Reference,
    access: &Access,
    say: Narrate<'_>,
) -> Result<(), RegistryError> {
    let image = Image::load(store, name)?;
    let registry = Registry::new(reference, access)?;
    for blob in image.manifest.layers.iter().map(|layer| layer.blob).chain([image.manifest.config]) {
        if registry.has_blob(&blob.digest).await? {
            say(&format!("the registry has {}", blob.digest));
        } else {
            say(&format!("pushing {} ({} MB)", blob.digest, blob.size / 1_000_000));
            registry.upload(store, blob).await?;
        }
    }
    let bytes = store.read_object(name, DOCUMENT_LIMIT)?;
    let place = reference.tag.clone().unwrap_or_else(|| name.to_string());
    registry.put_manifest(&place, &image.manifest.media_type, bytes, name).await
}

impl Registry {
    /// A manifest by tag or digest.
    async fn manifest(&self, place: &str) -> Result<Vec<u8>, RegistryError> {
        let doing = format!("pulling the manifest {}/{}:{place}", self.host, self.repository)
            .replace(":sha256", "@sha256");
        let accept = [MANIFEST_TYPE, DOCKER_MANIFEST_TYPE, INDEX_TYPES[0], INDEX_TYPES[1]].join(", ");
        self.again(async || {
            let request = |client: &Client| {
                Ok(client.get(self.url(&doing, &format!("manifests/{place}"))?).header(ACCEPT, &accept))
            };
            let response = self.send(&doing, SILENCE, request).await?;
            self.at_most(&doing, response, DOCUMENT_LIMIT).await
        })
        .await
    }

    async fn document(&self, digest: &Digest) -> Result<Vec<u8>, RegistryError> {
        let bytes = self.manifest(&digest.to_string()).await?;
        if Digest::of(&bytes) == *digest {
            return Ok(bytes);
        }
        Err(self.wrong("pulling a manifest", digest, format!("it is {}", Digest::of(&bytes))))
    }

    async fn small_blob(&self, blob: Blob) -> Result<Vec<u8>, RegistryError> {
        let doing = format!("pulling the configuration {}", blob.digest);
        let bytes = self
            .again(async || {
                let request =
                    |client: &Client| Ok(client.get(self.url(&doing, &format!("blobs/{}", blob.digest))?));
                let response = self.send(&doing, SILENCE, request).await?;
                self.at_most(&doing, response, DOCUMENT_LIMIT).await
            })
            .await?;
        if Digest::of(&bytes) == blob.digest {
            return Ok(bytes);
        }
        Err(self.wrong(&doing, &blob.digest, format!("it is {}", Digest::of(&bytes))))
    }

    /// Streams a blob into the store.
    async fn blob_into(&self, store: &Store, blob: Blob) -> Result<(), RegistryError> {
        let doing = format!("pulling the layer {}", blob.digest);
        let mut writer = store.writer()?;
        let mut length = 0;
        let mut attempt = 1;
        loop {
            match self.stream(&doing, blob, store, &mut writer, &mut length).await {
                Err(error) if error.is_transient() && attempt < ATTEMPTS => pause(attempt).await,
                Err(error) => return Err(error),
                Ok(()) => break,
            }
            attempt += 1;
        }
        match writer.finish(Some(&blob.digest)) {
            Err(StoreError::Unexpected { found, .. }) => {
                Err(self.wrong(&doing, &blob.digest, format!("it is {found}")))
            }
            result => Ok(result.map(drop)?),
        }
    }

    /// Reads on from where the writer is.
    async fn stream(
        &self,
        doing: &str,
        blob: Blob,
        store: &Store,
        writer: &mut ObjectWriter,
        length: &mut u64,
    ) -> Result<(), RegistryError> {
        let from = *length;
        let request = |client: &Client| {
            let request = client.get(self.url(doing, &format!("blobs/{}", blob.digest))?);
            Ok(if from > 0 { request.header(RANGE, format!("bytes={from}-")) } else { request })
        };
        let mut response = self.send(doing, SILENCE, request).await?;
        if from > 0 && response.status() != StatusCode::PARTIAL_CONTENT {
            // It sends all of it again.
            *writer = store.writer()?;
            *length = 0;
        }
        // Writing a chunk takes less time than receiving it, so it may hold up this task.
        while let Some(chunk) = self.within(doing, SILENCE, response.chunk()).await? {
            *length += chunk.len() as u64;
            if *length > blob.size {
                return Err(self.wrong(
                    doing,
                    &blob.digest,
                    format!("it is longer than {} bytes", blob.size),
                ));
            }
            let unwritten = |source| StoreError::Io {
                doing: "cannot write a layer into the store",
                path: store.root().into(),
                source,
            };
            writer.write_all(&chunk).map_err(unwritten)?;
        }
        if *length < blob.size {
            return Err(self.wrong(doing, &blob.digest, format!("it has {length} of {} bytes", blob.size)));
        }
        Ok(())
    }

    async fn has_blob(&self, digest: &Digest) -> Result<bool, RegistryError> {
        let doing = format!("looking for {digest}");
        let looked = self
            .again(async || {
                let request =
                    |client: &Client| Ok(client.head(self.url(&doing, &format!("blobs/{digest}"))?));
                self.send(&doing, SILENCE, request).await
            })
            .await;
        match looked {
            Ok(_) => Ok(true),
            Err(RegistryError::NotFound { .. }) => Ok(false),
            // Without the right to read, some registries refuse to say; pushing will tell.
            Err(RegistryError::Denied { .. }) if self.credentials.is_some() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Uploads a blob of the store in one request, whose body is read from the object as it is sent.
    async fn upload(&self, store: &Store, blob: Blob) -> Result<(), RegistryError> {
        let doing = format!("pushing {}", blob.digest);
        self.again(async || {
            let request = |client: &Client| {
                Ok(client.post(self.url(&doing, "blobs/uploads/")?).header(CONTENT_LENGTH, 0))
            };
            let response = self.send(&doing, SILENCE, request).await?;
            let mut url = self.location(&doing, &response)?;
            url.query_pairs_mut().append_pair("digest", &blob.digest.to_string());
            let limit = SILENCE + Duration::from_secs(blob.size / SLOWEST_UPLOAD);
            let request = |client: &Client| {
                // Opened for each attempt, so that each sends all of it.
                let mut file = tokio::fs::File::from_std(store.open_object(&blob.digest)?);
                file.set_max_buf_size(UPLOAD_BUFFER);
                let stream = tokio_util::io::ReaderStream::with_capacity(file, UPLOAD_BUFFER);
                Ok(client
                    .put(url.clone())
                    .header(CONTENT_TYPE, "application/octet-stream")
                    .header(CONTENT_LENGTH, blob.size)
                    .body(reqwest::Body::wrap_stream(stream)))
            };
            self.send(&doing, limit, request).await.map(drop)
        })
        .await
    }

    fn location(&self, doing: &str, response: &Response) -> Result<Url, RegistryError> {
        let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
        let location = location.ok_or_else(|| self.protocol(doing, "it names no place for the upload"))?;
        let url = self.base.join(location).map_err(|error| self.protocol(doing, error.to_string()))?;
        if url.scheme() != "https" && !(self.plain_http && url.scheme() == "http") {
            return Err(self.protocol(doing, "it wants the upload sent without TLS"));
        }
        Ok(url)
    }

    async fn put_manifest(
        &self,
        place: &str,
        media_type: &str,
        bytes: Vec<u8>,
        name: &Digest,
    ) -> Result<(), RegistryError> {
        let doing = format!("pushing the manifest {name}");
        let response = self
            .again(async || {
                let request = |client: &Client| {
                    let url = self.url(&doing, &format!("manifests/{place}"))?;
                    Ok(client.put(url).header(CONTENT_TYPE, media_type).body(bytes.clone()))
                };
                self.send(&doing, SILENCE, request).await
            })
            .await?;
        let stated = response.headers().get("Docker-Content-Digest").and_then(|stated| stated.to_str().ok());
        match stated {
            Some(stated) if stated != name.to_string() => {
                Err(self.wrong(&doing, name, format!("it took it for {}", stated.escape_debug())))
            }
            _ => Ok(()),
        }
    }

    /// Tries again what failed for a passing reason.
    async fn again<T>(&self, work: impl AsyncFn() -> Result<T, RegistryError>) -> Result<T, RegistryError> {
        let mut attempt = 1;
        loop {
            match work().await {
                Err(error) if error.is_transient() && attempt < ATTEMPTS => pause(attempt).await,
                result => return result,
            }
            attempt += 1;
        }
    }
}

async fn pause(attempt: u32) {
    tokio::time::sleep(Duration::from_millis(250 << (2 * attempt.min(4)))).await;
}

#[cfg(test)]
mod tests;
