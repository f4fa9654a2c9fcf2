//! Images as people name them: by digest, by the lock they are built from, or by a layout's folder; and
//! what fails about images.

use std::path::Path;

use super::super::{Failure, Global, Kind};
use crate::base::{Digest, SourceDate};
use crate::debian::Lock;
use crate::oci::{self, AssembleError, ImageError, LayOutError, LayoutError, ReferenceError, RegistryError};
use crate::plan::Action;
use crate::store::{Store, StoreError};

/// How a registry is reached.
#[derive(Debug, clap::Args)]
pub struct Access {
    /// Use HTTP without TLS (always so for this machine).
    #[arg(long)]
    plain_http: bool,
    /// File of credentials, as podman, skopeo and docker write it.
    #[arg(long, value_name = "FILE")]
    auth_file: Option<std::path::PathBuf>,
}

impl Access {
    /// The same for the library, unless the network is ruled out.
    pub fn open(self, global: &Global) -> Result<oci::Access, Failure> {
        if global.offline {
            return Err(Failure::new(Kind::Usage, "a registry cannot be reached with --offline"));
        }
        Ok(oci::Access { plain_http: self.plain_http, auth_file: self.auth_file })
    }
}

/// The runtime that requests run on.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        Failure::new(Kind::Surroundings, format!("the asynchronous runtime cannot be started: {error}"))
    })
}

/// The image that a digest, a lock or a layout names. A layout is taken into the store.
pub fn resolve(store: &Store, name: &str) -> Result<Digest, Failure> {
    if let Ok(digest) = name.parse() {
        return Ok(digest);
    }
    let path = Path::new(name);
    if path.is_dir() {
        return Ok(oci::import(store, path, None)?);
    }
    if !path.exists() {
        let message =
            format!("'{name}' is no image: neither a digest such as sha256:…, nor a lock, nor a layout");
        return Err(Failure::new(Kind::Usage, message));
    }
    let built = built(store, &action(&read_lock(path)?)?)?;
    built.ok_or_else(|| {
        Failure::new(Kind::Input, format!("the image of '{name}' is not in the store"))
            .hint(format!("build it with: gander image build {name}"))
    })
}

/// Reads a lock of packages.
pub fn read_lock(path: &Path) -> Result<Lock, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::new(Kind::Input, format!("the lock '{}' cannot be read: {error}", path.display()))
    })?;
    Lock::parse(&text).map_err(|error| {
        let message = format!("the lock '{}' cannot be used: {error}", path.display());
        Failure::new(Kind::Input, message).hint("a lock is made by: gander image lock REQUEST.toml")
    })
}

/// What makes the image of a lock.
pub fn action(lock: &Lock) -> Result<Action, Failure> {
    let date: SourceDate =
        oci::SOURCE_DATE.parse().map_err(|error| Failure::new(Kind::Bug, format!("{error}")))?;
    Ok(oci::image_action(lock, oci::image_platform(lock)?, date)?)
}

/// The image that an action made, if the store has it whole.
pub fn built(store: &Store, action: &Action) -> Result<Option<Digest>, Failure> {
    match store.action(&action.key())? {
        Some((_, tree)) => Ok(Some(oci::image_in(&tree)?)),
        None => Ok(None),
    }
}

fn image_kind(error: &ImageError) -> Kind {
    match error {
        ImageError::Store { source, .. } => store_kind(source),
        ImageError::Arch(_) => Kind::Usage,
        ImageError::Write { .. } => Kind::Bug,
        _ => Kind::Input,
    }
}

fn store_kind(error: &StoreError) -> Kind {
    match error {
        StoreError::Missing { .. } | StoreError::Damaged { .. } | StoreError::TooLarge { .. } => Kind::Input,
        _ => Kind::Surroundings,
    }
}

fn with_image_hint(failure: Failure, error: &ImageError) -> Failure {
    match error {
        ImageError::Missing { image, .. } => failure.hint(format!(
            "get it with: gander image pull HOST/REPOSITORY@{image}, or build it from its lock"
        )),
        ImageError::Index { .. } => failure.hint("name the digest of the one for your platform"),
        _ => failure,
    }
}

impl From<ImageError> for Failure {
    fn from(error: ImageError) -> Self {
        with_image_hint(Self::from_error(image_kind(&error), &error), &error)
    }
}

impl From<AssembleError> for Failure {
    fn from(error: AssembleError) -> Self {
        let kind = match &error {
            AssembleError::Unpack(_) => Kind::Input,
            AssembleError::Layer(_) | AssembleError::Io { .. } => Kind::Surroundings,
            AssembleError::Image(error) => image_kind(error),
            AssembleError::Empty | AssembleError::Name(_) => Kind::Input,
            AssembleError::Output(_) | AssembleError::Param => Kind::Bug,
        };
        Self::from_error(kind, &error)
    }
}

impl From<LayoutError> for Failure {
    fn from(error: LayoutError) -> Self {
        let kind = match &error {
            LayoutError::Image(error) => image_kind(error),
            LayoutError::Store(error) => store_kind(error),
            LayoutError::Io { .. } => Kind::Surroundings,
            LayoutError::Choose { .. } => Kind::Usage,
            LayoutError::NoLayout { .. } | LayoutError::Damaged { .. } | LayoutError::Object(_) => {
                Kind::Input
            }
        };
        let failure = Self::from_error(kind, &error);
        match &error {
            LayoutError::Image(error) => with_image_hint(failure, error),
            LayoutError::Object(_) => {
                failure.hint("'gander store verify --repair' removes it; then build or pull again")
            }
            _ => failure,
        }
    }
}

impl From<LayOutError> for Failure {
    fn from(error: LayOutError) -> Self {
        let kind = match &error {
            LayOutError::Image(error) => image_kind(error),
            LayOutError::Destination { .. } | LayOutError::Io { .. } | LayOutError::Privilege { .. } => {
                Kind::Surroundings
            }
            _ => Kind::Input,
        };
        Self::from_error(kind, &error)
    }
}

impl From<ReferenceError> for Failure {
    fn from(error: ReferenceError) -> Self {
        Self::from_error(Kind::Usage, &error)
    }
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        let kind = match &error {
            RegistryError::Image(error) => image_kind(error),
            RegistryError::Store(error) => store_kind(error),
            RegistryError::NotFound { .. } | RegistryError::WrongContent { .. } => Kind::Input,
            RegistryError::Auth { .. } => Kind::Usage,
            RegistryError::Client(_) => Kind::Bug,
            _ => Kind::Surroundings,
        };
        let failure = Self::from_error(kind, &error);
        match &error {
            RegistryError::Image(error) => with_image_hint(failure, error),
            RegistryError::Denied { .. } => failure.hint("name a file with credentials by --auth-file FILE"),
            RegistryError::Connection { .. } => {
                failure.hint("if the registry speaks HTTP without TLS, say so with --plain-http")
            }
            RegistryError::WrongContent { .. } => {
                failure.hint("the registry's copy is damaged or was tampered with: push the image again")
            }
            _ => failure,
        }
    }
}
