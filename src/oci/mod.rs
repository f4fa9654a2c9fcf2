//! OCI image layouts and registries: assemble, pull, push, by digest.

mod assemble;
mod auth;
mod image;
mod lay_out;
mod layer;
mod layout;
mod reference;
mod registry;
mod rootdir;
mod session;
mod tar_stream;

pub use assemble::{
    AssembleError, KIND, REVISION, SOURCE_DATE, execute, image_action, image_in, image_platform, image_step,
};
pub use auth::AuthError;
pub use image::{Blob, Compression, Config, Image, ImageError, LayerBlob, Manifest};
pub use lay_out::{LayOutError, Limits, MOUNTPOINTS, lay_out, lay_out_within};
pub use layer::LayerError;
pub use layout::{LayoutError, export, import};
pub use reference::{Reference, ReferenceError};
pub use registry::{Access, Narrate, RegistryError, pull, push, resolve};
