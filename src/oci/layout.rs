//! OCI image layouts: a folder that holds one image, as skopeo, podman and umoci read and write it.
//!
//! | file | what |
//! |---|---|
//! | `oci-layout` | `{"imageLayoutVersion":"1.0.0"}` |
//! | `index.json` | which images are in it: for an export, the one manifest, with its platform and, if it was given a name, the annotation `org.opencontainers.image.ref.name` |
//! | `blobs/sha256/HEX` | manifest, configuration and layers by their digests |
//!
//! An export depends on the image and the name alone. Its blobs are copies: whoever writes into a layout
//! must not reach the store. An import takes nothing into the store whose digest is not the one named.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use oci_spec::image::{
    Arch, DescriptorBuilder, ImageIndex, ImageIndexBuilder, MediaType, Os, PlatformBuilder,
};

use super::image::{Blob, Config, DOCUMENT_LIMIT, Image, ImageError, Manifest, canonical};
use crate::base::{Digest, Hasher};
use crate::store::{Store, StoreError};

const REF_NAME: &str = "org.opencontainers.image.ref.name";
const MARK: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// A layout could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// The image; see there.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The store; see there.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file cannot be read or written; a retry can help where the surroundings are at fault.
    #[error("'{}' cannot be {doing}", path.display())]
    Io {
        /// `read` or `written`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The folder is no layout, or of another version. Retrying cannot help.
    #[error("'{}' is no OCI image layout: {problem}", path.display())]
    NoLayout {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// It holds several images and none was chosen, or not the one that was. Retrying cannot help.
    #[error("'{}' holds {count} images{}; it has {list}", path.display(), wanted.as_ref().map(|name| format!(", none called '{name}'")).unwrap_or_default())]
    Choose {
        /// The folder.
        path: PathBuf,
        /// Number of images.
        count: usize,
        /// What was asked for.
        wanted: Option<String>,
        /// What there is.
        list: String,
    },
    /// A blob's bytes are not those that its digest names. Retrying cannot help.
    #[error("'{}' is damaged: {problem}", path.display())]
    Damaged {
        /// The blob.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// An object of the store is damaged; building or pulling the image again heals it.
    #[error("the object {0} in the store is damaged")]
    Object(Digest),
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LayoutError {
    let path = path.to_owned();
    move |source| LayoutError::Io { doing, path, source }
}

/// Writes an image of the store as a layout into a folder that does not exist yet; it appears whole.
pub fn export(store: &Store, name: &Digest, ref_name: Option<&str>, dest: &Path) -> Result<(), LayoutError> {
    let image = Image::load(store, name)?;
    if fs::symlink_metadata(dest).is_ok() {
        return Err(failed("written", dest)(io::ErrorKind::AlreadyExists.into()));
    }
    // Beside its place, so that it can be renamed.
    let parent = dest.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let building = tempfile::Builder::new().prefix(".gander-layout-").tempdir_in(parent);
    let building = building.map_err(failed("written", dest))?;
    let root = building.path().join("layout");
    let blobs = root.join("blobs/sha256");
    fs::create_dir_all(&blobs).map_err(failed("written", &blobs))?;
    let parts = image.manifest.layers.iter().map(|layer| layer.blob.digest);
    for digest in [*name, image.manifest.config.digest].into_iter().chain(parts) {
        copy(store, &digest, &blobs.join(digest.hex()))?;
    }
    let index = index(store, &image, ref_name)?;
    for (file, bytes) in [("index.json", index.as_slice()), ("oci-layout", MARK)] {
        let path = root.join(file);
        fs::write(&path, bytes).map_err(failed("written", &path))?;
    }
    fs::rename(&root, dest).map_err(failed("written", dest))
}

fn copy(store: &Store, digest: &Digest, to: &Path) -> Result<(), LayoutError> {
    let mut from = store.open_object(digest)?;
    let mut file = File::create(to).map_err(failed("written", to))?;
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        let count = match from.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => result.map_err(failed("read", &store.object_path(digest)))?,
        };
        if count == 0 {
            break;
        }
        let part = buffer.get(..count).unwrap_or_default();
        hasher.update(part);
        file.write_all(part).map_err(failed("written", to))?;
    }
    if hasher.finish() == *digest { Ok(()) } else { Err(LayoutError::Object(*digest)) }
}

fn index(store: &Store, image: &Image, ref_name: Option<&str>) -> Result<Vec<u8>, LayoutError> {
    let size = store.size(&image.name)?;
    let built = || {
        let platform = PlatformBuilder::default()
            .architecture(Arch::from(image.config.architecture.as_str()))
            .os(Os::from(image.config.os.as_str()))
            .build()?;
        let mut descriptor = DescriptorBuilder::default()
            .media_type(MediaType::from(image.manifest.media_type.as_str()))
            .digest(image.name.to_string().parse::<oci_spec::image::Digest>()?)
            .size(size)
            .platform(platform);
        if let Some(name) = ref_name {
            descriptor = descriptor.annotations([(REF_NAME.into(), name.into())]);
        }
        ImageIndexBuilder::default()
            .schema_version(2_u32)
            .media_type(MediaType::ImageIndex)
            .manifests([descriptor.build()?])
            .build()
    };
    let what = "index";
    let index = built()
        .map_err(|error: oci_spec::OciSpecError| ImageError::Write { what, problem: error.to_string() })?;
    Ok(canonical(what, &index)?)
}

/// Takes an image of a layout into the store and gives its name. Where the layout holds several, `wanted`
/// chooses by digest or by reference name.
pub fn import(store: &Store, layout: &Path, wanted: Option<&str>) -> Result<Digest, LayoutError> {
    let no_layout = |problem: String| LayoutError::NoLayout { path: layout.into(), problem };
    let mark = read(&layout.join("oci-layout"))?;
    let mark: Mark = serde_json::from_slice(&mark).map_err(|error| no_layout(error.to_string()))?;
    if !mark.version.starts_with("1.") {
        return Err(no_layout("its version is not 1.x".into()));
    }
    let index: ImageIndex = serde_json::from_slice(&read(&layout.join("index.json"))?)
        .map_err(|error| no_layout(error.to_string()))?;
    let name_of = |entry: &oci_spec::image::Descriptor| {
        entry.annotations().as_ref().and_then(|notes| notes.get(REF_NAME).cloned())
    };
    let matches = |entry: &&oci_spec::image::Descriptor| match wanted {
        None => true,
        Some(wanted) => entry.digest().to_string() == wanted || name_of(entry).as_deref() == Some(wanted),
    };
    let mut found = index.manifests().iter().filter(matches);
    let (Some(entry), None) = (found.next(), found.next()) else {
        let list = index.manifests().iter().take(20).map(|entry| {
            let name = name_of(entry).map(|name| format!(" ({})", name.escape_debug())).unwrap_or_default();
            format!("{}{name}", entry.digest())
        });
        let list = list.collect::<Vec<_>>().join(", ");
        let count = index.manifests().len();
        return Err(LayoutError::Choose { path: layout.into(), count, wanted: wanted.map(Into::into), list });
    };
    let name: Digest = entry.digest().to_string().parse().map_err(|error| no_layout(format!("{error}")))?;
    let blobs = layout.join("blobs/sha256");
    let document = |digest: &Digest| {
        let path = blobs.join(digest.hex());
        let bytes = read(&path)?;
        if Digest::of(&bytes) == *digest {
            return Ok(bytes);
        }
        Err(LayoutError::Damaged { path, problem: format!("its content is {}", Digest::of(&bytes)) })
    };
    let bytes = document(&name)?;
    let manifest = Manifest::parse(&bytes)?;
    let config_bytes = document(&manifest.config.digest)?;
    let image = Image::new(name, manifest, Config::parse(&config_bytes)?)?;
    for layer in &image.manifest.layers {
        take(store, &blobs, layer.blob)?;
    }
    store.put_bytes(&config_bytes)?;
    // The manifest last: where it is, its parts are.
    store.put_bytes(&bytes)?;
    Ok(name)
}

fn take(store: &Store, blobs: &Path, blob: Blob) -> Result<(), LayoutError> {
    if store.has(&blob.digest) {
        return Ok(());
    }
    let path = blobs.join(blob.digest.hex());
    let file = open(&path)?;
    let damaged = |problem: String| LayoutError::Damaged { path: path.clone(), problem };
    let size = file.metadata().map_err(failed("read", &path))?.len();
    if size != blob.size {
        return Err(damaged(format!("it has {size} bytes; the manifest says {}", blob.size)));
    }
    let mut writer = store.writer()?;
    // A full disk is the store's trouble, so it must not be told as a failed read.
    io::copy(&mut file.take(size), &mut writer).map_err(failed("copied into the store", &path))?;
    match writer.finish(Some(&blob.digest)) {
        Err(StoreError::Unexpected { found, .. }) => Err(damaged(format!("its content is {found}"))),
        result => Ok(result.map(drop)?),
    }
}

#[derive(serde::Deserialize)]
struct Mark {
    #[serde(rename = "imageLayoutVersion")]
    version: String,
}

/// Opens a plain file: a pipe would have us wait, a device would never end.
fn open(path: &Path) -> Result<File, LayoutError> {
    let metadata = fs::metadata(path).map_err(failed("read", path))?;
    if !metadata.is_file() {
        let problem = "it is no plain file".into();
        return Err(LayoutError::Damaged { path: path.into(), problem });
    }
    File::open(path).map_err(failed("read", path))
}

fn read(path: &Path) -> Result<Vec<u8>, LayoutError> {
    let mut bytes = Vec::new();
    open(path)?.take(DOCUMENT_LIMIT + 1).read_to_end(&mut bytes).map_err(failed("read", path))?;
    if bytes.len() as u64 > DOCUMENT_LIMIT {
        let problem = format!("it has more than {DOCUMENT_LIMIT} bytes");
        return Err(LayoutError::Damaged { path: path.into(), problem });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
