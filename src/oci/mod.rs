//! OCI image layouts and registries: assemble, pull, push, by digest.
//!
//! An image lives in the store as objects: its manifest, whose digest is the image's name, its configuration, and
//! its layers. Documents that gander writes are canonical: compact JSON, the keys of every object sorted by bytes,
//! nothing in them but what the image needs (see `image.rs`); the one layer is a plain tar (see `layer.rs`), so
//! neither a compressor nor a clock decides what an image is called. Images of others are taken as they are:
//! gzip and zstd layers, several of them, Docker's media types.
//!
//! ```text
//! Lock ─ image_step ─▶ (runner: execute) ─▶ manifest, config, layer in the store ─ lay_out ─▶ root file system
//!                             pull, import ─▶                                     ─ push, export ─▶
//! ```

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
mod unpacked;

pub use assemble::{
    AssembleError, KIND, REVISION, SOURCE_DATE, execute, image_action, image_in, image_platform, image_step,
};
pub use auth::AuthError;
pub use image::{Blob, Compression, Config, DOCUMENT_LIMIT, Image, ImageError, LayerBlob, Manifest};
pub use lay_out::{LayOutError, Limits, MOUNTPOINTS, lay_out, lay_out_within};
pub use layer::LayerError;
pub use layout::{LayoutError, export, import};
pub use reference::{Reference, ReferenceError};
pub use registry::{Access, Narrate, RegistryError, pull, push, resolve};
