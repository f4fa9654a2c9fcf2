//! What an image is: its manifest and its configuration as canonical bytes, and the checked form that
//! the rest of the room reads. Pure, but for [`Image::load`].

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr as _;

use oci_spec::image::{
    Arch, Config as Execution, ConfigBuilder, Descriptor, DescriptorBuilder, ImageConfiguration,
    ImageConfigurationBuilder, ImageIndex, ImageManifest, ImageManifestBuilder, MediaType, Os, RootFsBuilder,
};
use serde_json::Value;

use crate::base::{Digest, SourceDate};
use crate::store::{Store, StoreError};

/// Largest manifest, index or configuration that is read.
pub const DOCUMENT_LIMIT: u64 = 4 << 20;
/// Most layers that an image may have.
pub const LAYER_LIMIT: usize = 128;

/// Media type of an OCI image manifest.
pub const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of a manifest as Docker wrote it before OCI; same fields.
pub const DOCKER_MANIFEST_TYPE: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Media types of a list of images for several platforms.
pub const INDEX_TYPES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];
const CONFIG_TYPES: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// The environment that an assembled image asks for: that of a jail.
pub const ENVIRONMENT: [&str; 3] = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC"];

/// An image is not one that gander reads. Except for [`ImageError::Store`], retrying cannot help.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The document is no JSON of the expected shape.
    #[error("the {what} {digest} is not valid")]
    Json {
        /// Manifest, configuration or index.
        what: &'static str,
        /// Its digest.
        digest: Digest,
        /// What the parser says.
        #[source]
        source: serde_json::Error,
    },
    /// The document is larger than any honest one.
    #[error("the {what} {digest} has {size} bytes, more than the {DOCUMENT_LIMIT} that are read")]
    TooLarge {
        /// Manifest, configuration or index.
        what: &'static str,
        /// Its digest.
        digest: Digest,
        /// Its size.
        size: u64,
    },
    /// The digest names a list of images for several platforms.
    #[error("{digest} is an index of images for several platforms, not an image; it lists {list}")]
    Index {
        /// The index.
        digest: Digest,
        /// The platforms and their images.
        list: String,
    },
    /// A media type that gander does not read.
    #[error("the image {image} has a {what} of the media type '{media_type}', which gander does not read")]
    MediaType {
        /// The image.
        image: Digest,
        /// Manifest, configuration or layer.
        what: &'static str,
        /// What it says.
        media_type: String,
    },
    /// Manifest and configuration contradict each other or themselves.
    #[error("the image {image} is inconsistent: {problem}")]
    Inconsistent {
        /// The image.
        image: Digest,
        /// What is wrong.
        problem: String,
    },
    /// There is no OCI name for the arch.
    #[error("there is no OCI architecture for the arch '{0}'")]
    Arch(String),
    /// A document could not be written; a bug.
    #[error("a {what} could not be written: {problem}")]
    Write {
        /// Manifest or configuration.
        what: &'static str,
        /// What the library says.
        problem: String,
    },
    /// The store fails; a retry can help where the surroundings are at fault.
    #[error("the image {image} cannot be read from the store")]
    Store {
        /// The image.
        image: Digest,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// A part of the image is not in the store: pull or build it again.
    #[error("the {what} {digest} of the image {image} is not in the store")]
    Missing {
        /// The image.
        image: Digest,
        /// Manifest, configuration or layer.
        what: &'static str,
        /// The part.
        digest: Digest,
    },
}

/// How a layer's bytes are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// A plain tar: its digest is its diff id.
    None,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
}

/// A blob that a document names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Digest of its bytes.
    pub digest: Digest,
    /// Number of its bytes.
    pub size: u64,
}

/// A layer as the manifest names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerBlob {
    /// Its bytes.
    pub blob: Blob,
    /// How they are packed.
    pub compression: Compression,
}

/// A manifest, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// What it says it is.
    pub media_type: String,
    /// The configuration.
    pub config: Blob,
    /// The layers, lowest first.
    pub layers: Vec<LayerBlob>,
}

/// A configuration, as far as gander reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The architecture by its OCI name, such as `amd64`.
    pub architecture: String,
    /// The operating system.
    pub os: String,
    /// When it was made, as it says.
    pub created: Option<String>,
    /// The environment that it asks for.
    pub env: Vec<String>,
    /// Digests of the unpacked layers, lowest first.
    pub diff_ids: Vec<Digest>,
}

/// An image whose every part is in the store.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its name: the digest of its manifest.
    pub name: Digest,
    /// The manifest.
    pub manifest: Manifest,
    /// The configuration.
    pub config: Config,
}

impl Manifest {
    /// Reads a manifest.
    pub fn parse(bytes: &[u8]) -> Result<Self, ImageError> {
        let image = Digest::of(bytes);
        let what = "image manifest";
        let json = |source| ImageError::Json { what, digest: image, source };
        check_size(what, image, bytes.len() as u64)?;
        let kind: Kind = serde_json::from_slice(bytes).map_err(json)?;
        if kind.manifests.is_some()
            || kind.media_type.as_deref().is_some_and(|kind| INDEX_TYPES.contains(&kind))
        {
            return Err(ImageError::Index { digest: image, list: list_index(bytes).map_err(json)? });
        }
        let media_type = kind.media_type.unwrap_or_else(|| MANIFEST_TYPE.into());
        if media_type != MANIFEST_TYPE && media_type != DOCKER_MANIFEST_TYPE {
            return Err(ImageError::MediaType { image, what: "manifest", media_type: shorten(&media_type) });
        }
        let manifest: ImageManifest = serde_json::from_slice(bytes).map_err(json)?;
        let inconsistent = |problem: String| ImageError::Inconsistent { image, problem };
        if manifest.schema_version() != 2 {
            return Err(inconsistent(format!("its schema version is {}, not 2", manifest.schema_version())));
        }
        if manifest.layers().is_empty() || manifest.layers().len() > LAYER_LIMIT {
            let count = manifest.layers().len();
            return Err(inconsistent(format!("it has {count} layers; 1 to {LAYER_LIMIT} are possible")));
        }
        let config_type = manifest.config().media_type().to_string();
        if !CONFIG_TYPES.contains(&config_type.as_str()) {
            return Err(ImageError::MediaType {
                image,
                what: "configuration",
                media_type: shorten(&config_type),
            });
        }
        let layers = manifest.layers().iter().map(|layer| {
            let compression = compression(layer.media_type().as_ref()).map_err(|media_type| {
                ImageError::MediaType { image, what: "layer", media_type: shorten(&media_type) }
            })?;
            Ok(LayerBlob { blob: blob(image, layer)?, compression })
        });
        let layers = layers.collect::<Result<Vec<_>, ImageError>>()?;
        let config = blob(image, manifest.config())?;
        check_size("image configuration", config.digest, config.size)?;
        Ok(Self { media_type, config, layers })
    }

    /// Sum of the sizes of all blobs.
    pub fn size(&self) -> u64 {
        self.layers.iter().fold(self.config.size, |sum, layer| sum.saturating_add(layer.blob.size))
    }
}

impl Config {
    /// Reads a configuration.
    pub fn parse(bytes: &[u8]) -> Result<Self, ImageError> {
        let (what, digest) = ("image configuration", Digest::of(bytes));
        check_size(what, digest, bytes.len() as u64)?;
        let config: ImageConfiguration =
            serde_json::from_slice(bytes).map_err(|source| ImageError::Json { what, digest, source })?;
        let diff_ids = config.rootfs().diff_ids().iter().map(|id| id.parse());
        let diff_ids =
            diff_ids.collect::<Result<_, _>>().map_err(|error: crate::base::digest::DigestError| {
                ImageError::Inconsistent { image: digest, problem: error.to_string() }
            })?;
        Ok(Self {
            architecture: config.architecture().to_string(),
            os: config.os().to_string(),
            created: config.created().clone(),
            env: config.config().as_ref().and_then(|config| config.env().clone()).unwrap_or_default(),
            diff_ids,
        })
    }
}

impl Image {
    /// Joins a manifest and its configuration.
    pub fn new(name: Digest, manifest: Manifest, config: Config) -> Result<Self, ImageError> {
        let inconsistent = |problem: String| Err(ImageError::Inconsistent { image: name, problem });
        let (layers, ids) = (manifest.layers.len(), config.diff_ids.len());
        if layers != ids {
            return inconsistent(format!("its manifest has {layers} layers and its configuration {ids}"));
        }
        for (layer, diff_id) in manifest.layers.iter().zip(&config.diff_ids) {
            if layer.compression == Compression::None && layer.blob.digest != *diff_id {
                let digest = layer.blob.digest;
                return inconsistent(format!("the layer {digest} is plain, yet its diff id is {diff_id}"));
            }
        }
        Ok(Self { name, manifest, config })
    }

    /// The objects that it consists of: manifest, configuration, layers.
    pub fn objects(&self) -> Vec<Digest> {
        let layers = self.manifest.layers.iter().map(|layer| layer.blob.digest);
        [self.name, self.manifest.config.digest].into_iter().chain(layers).collect()
    }

    /// Keeps it from garbage collection.
    pub fn keep(&self, store: &Store) -> Result<(), StoreError> {
        store.set_root(&format!("image-{}", self.name.hex()), &self.objects())
    }

    /// The arch that its programs run on, as RPM calls it.
    pub fn platform(&self) -> Result<&'static str, ImageError> {
        platform(&self.config.architecture)
    }

    /// Reads an image's documents from the store and sees that its layers are there.
    pub fn load(store: &Store, name: &Digest) -> Result<Self, ImageError> {
        let manifest = Manifest::parse(&read(store, name, "manifest", name)?)?;
        let config = Config::parse(&read(store, name, "configuration", &manifest.config.digest)?)?;
        for layer in &manifest.layers {
            let Blob { digest, size } = layer.blob;
            if !store.has(&digest) {
                return Err(ImageError::Missing { image: *name, what: "layer", digest });
            }
            let stored = store.size(&digest).map_err(|source| ImageError::Store { image: *name, source })?;
            if stored != size {
                let problem = format!("the layer {digest} has {stored} bytes; the manifest says {size}");
                return Err(ImageError::Inconsistent { image: *name, problem });
            }
        }
        Self::new(*name, manifest, config)
    }
}

fn read(store: &Store, image: &Digest, what: &'static str, digest: &Digest) -> Result<Vec<u8>, ImageError> {
    if !store.has(digest) {
        return Err(ImageError::Missing { image: *image, what, digest: *digest });
    }
    store.read_object(digest, DOCUMENT_LIMIT).map_err(|source| ImageError::Store { image: *image, source })
}

fn check_size(what: &'static str, digest: Digest, size: u64) -> Result<(), ImageError> {
    if size > DOCUMENT_LIMIT { Err(ImageError::TooLarge { what, digest, size }) } else { Ok(()) }
}

/// What tells a manifest from an index.
#[derive(serde::Deserialize)]
struct Kind {
    #[serde(rename = "mediaType")]
    media_type: Option<String>,
    manifests: Option<serde::de::IgnoredAny>,
}

fn list_index(bytes: &[u8]) -> Result<String, serde_json::Error> {
    let index: ImageIndex = serde_json::from_slice(bytes)?;
    let list = index.manifests().iter().take(20).map(|entry| {
        let platform = entry.platform().as_ref();
        let platform = platform.map(|platform| format!("{}/{}", platform.os(), platform.architecture()));
        format!("{} ({})", entry.digest(), platform.as_deref().unwrap_or("any platform"))
    });
    Ok(list.collect::<Vec<_>>().join(", "))
}

fn blob(image: Digest, descriptor: &Descriptor) -> Result<Blob, ImageError> {
    let digest = descriptor.digest().to_string().parse();
    let digest = digest.map_err(|error: crate::base::digest::DigestError| ImageError::Inconsistent {
        image,
        problem: error.to_string(),
    })?;
    Ok(Blob { digest, size: descriptor.size() })
}

fn compression(media_type: &str) -> Result<Compression, String> {
    Ok(match media_type {
        "application/vnd.oci.image.layer.v1.tar" => Compression::None,
        "application/vnd.oci.image.layer.v1.tar+gzip"
        | "application/vnd.docker.image.rootfs.diff.tar.gzip" => Compression::Gzip,
        "application/vnd.oci.image.layer.v1.tar+zstd" => Compression::Zstd,
        other => return Err(other.into()),
    })
}

fn shorten(text: &str) -> String {
    text.escape_debug().take(100).collect()
}

/// The RPM name of an OCI (Go) architecture.
fn platform(architecture: &str) -> Result<&'static str, ImageError> {
    Ok(match architecture {
        "amd64" => "x86_64",
        "386" => "i686",
        "arm64" => "aarch64",
        "arm" => "armv7hl",
        "ppc64le" => "ppc64le",
        "riscv64" => "riscv64",
        "s390x" => "s390x",
        other => return Err(ImageError::Arch(shorten(other))),
    })
}

/// The OCI (Go) name of an RPM arch.
pub fn architecture(arch: &str) -> Result<&'static str, ImageError> {
    Ok(match arch {
        "x86_64" => "amd64",
        "i386" | "i486" | "i586" | "i686" => "386",
        "aarch64" => "arm64",
        "armv7hl" => "arm",
        "ppc64le" => "ppc64le",
        "riscv64" => "riscv64",
        "s390x" => "s390x",
        other => return Err(ImageError::Arch(shorten(other))),
    })
}

/// The documents of an image of one plain layer: manifest and configuration, as canonical bytes.
pub fn documents(layer: Blob, arch: &str, created: SourceDate) -> Result<(Vec<u8>, Vec<u8>), ImageError> {
    let fail =
        |what| move |error: oci_spec::OciSpecError| ImageError::Write { what, problem: error.to_string() };
    let configuration = || {
        let env: Vec<String> = ENVIRONMENT.iter().map(|&line| line.into()).collect();
        let execution: Execution = ConfigBuilder::default().env(env).build()?;
        let rootfs = RootFsBuilder::default().typ("layers").diff_ids([layer.digest.to_string()]).build()?;
        ImageConfigurationBuilder::default()
            .architecture(Arch::from(architecture(arch).unwrap_or_default()))
            .os(Os::Linux)
            .created(created.to_string())
            .config(execution)
            .rootfs(rootfs)
            .build()
    };
    architecture(arch)?;
    let config = canonical("configuration", &configuration().map_err(fail("configuration"))?)?;
    let descriptor = |media_type: MediaType, blob: Blob| {
        DescriptorBuilder::default()
            .media_type(media_type)
            .digest(oci_spec::image::Digest::from_str(&blob.digest.to_string())?)
            .size(blob.size)
            .build()
    };
    let manifest = || {
        let blob = Blob { digest: Digest::of(&config), size: config.len() as u64 };
        ImageManifestBuilder::default()
            .schema_version(2_u32)
            .media_type(MediaType::ImageManifest)
            .config(descriptor(MediaType::ImageConfig, blob)?)
            .layers([descriptor(MediaType::ImageLayer, layer)?])
            .build()
    };
    let manifest = canonical("manifest", &manifest().map_err(fail("manifest"))?)?;
    Ok((manifest, config))
}

/// Compact JSON with the keys of every object sorted by their bytes.
pub fn canonical(what: &'static str, value: &impl serde::Serialize) -> Result<Vec<u8>, ImageError> {
    let fail = |error: serde_json::Error| ImageError::Write { what, problem: error.to_string() };
    let value = serde_json::to_value(value).map_err(fail)?;
    serde_json::to_vec(&Sorted(&value)).map_err(fail)
}

/// Sorts, whatever order serde_json's own map was built to keep.
struct Sorted<'a>(&'a Value);

impl serde::Serialize for Sorted<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(map) => {
                let sorted: BTreeMap<_, _> = map.iter().map(|(key, value)| (key, Sorted(value))).collect();
                serializer.collect_map(sorted)
            }
            Value::Array(list) => serializer.collect_seq(list.iter().map(Sorted)),
            other => other.serialize(serializer),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> (Vec<u8>, Vec<u8>) {
        let layer = Blob { digest: Digest::of("layer"), size: 5 };
        documents(layer, "x86_64", "2026-01-01T00:00:00Z".parse().unwrap()).unwrap()
    }

    #[test]
    fn documents_are_canonical_and_read_back() {
        let (manifest, config) = made();
        assert_eq!(
            String::from_utf8(config.clone()).unwrap(),
            format!(
                "{{\"architecture\":\"amd64\",\"config\":{{\"Env\":[\"PATH=/usr/sbin:/usr/bin:/sbin:/bin\",\
                 \"LC_ALL=C.UTF-8\",\"TZ=UTC\"]}},\"created\":\"2026-01-01T00:00:00Z\",\"os\":\"linux\",\
                 \"rootfs\":{{\"diff_ids\":[\"{}\"],\"type\":\"layers\"}}}}",
                Digest::of("layer")
            )
        );
        let parsed = Manifest::parse(&manifest).unwrap();
        assert_eq!(parsed.config.digest, Digest::of(&config));
        assert_eq!(parsed.size(), config.len() as u64 + 5);
        let image = Image::new(Digest::of(&manifest), parsed, Config::parse(&config).unwrap()).unwrap();
        assert_eq!((image.config.architecture.as_str(), image.config.os.as_str()), ("amd64", "linux"));
    }

    #[test]
    fn refuses_what_it_does_not_read() {
        let (manifest, config) = made();
        let manifest = String::from_utf8(manifest).unwrap();
        let change = |from: &str, to: &str| {
            assert!(manifest.contains(from), "{from}");
            Manifest::parse(manifest.replace(from, to).as_bytes())
        };
        assert!(matches!(change("layer.v1.tar", "layer.v1.tar+lzma"), Err(ImageError::MediaType { .. })));
        assert!(matches!(change("image.config", "image.other"), Err(ImageError::MediaType { .. })));
        assert!(matches!(
            change("\"schemaVersion\":2", "\"schemaVersion\":1"),
            Err(ImageError::Inconsistent { .. })
        ));
        assert!(change("sha256:", "sha512:").is_err());
        assert!(matches!(
            change("image.manifest.v1", "image.manifest.v9"),
            Err(ImageError::MediaType { .. })
        ));
        assert!(matches!(Manifest::parse(b"[]"), Err(ImageError::Json { .. })));
        let index = br#"{"schemaVersion":2,"manifests":[]}"#;
        assert!(matches!(Manifest::parse(index), Err(ImageError::Index { .. })));
        let large = vec![b' '; DOCUMENT_LIMIT as usize + 1];
        assert!(matches!(Manifest::parse(&large), Err(ImageError::TooLarge { .. })));
        let mut parsed = Manifest::parse(manifest.as_bytes()).unwrap();
        let config = Config::parse(&config).unwrap();
        parsed.layers[0].blob.digest = Digest::of("other");
        assert!(Image::new(Digest::of("x"), parsed.clone(), config.clone()).is_err(), "diff id");
        parsed.layers.clear();
        assert!(Image::new(Digest::of("x"), parsed, config).is_err(), "layer count");
    }
}
