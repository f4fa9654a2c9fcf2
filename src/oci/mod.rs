//! OCI image layouts and registries: assemble, pull, push, by digest.

mod assemble;
mod image;
mod lay_out;
mod layer;
mod layout;
mod rootdir;
mod tar_stream;

pub use assemble::{AssembleError, KIND, REVISION, SOURCE_DATE, execute, image_in, image_step};
pub use image::{Blob, Compression, Config, Image, ImageError, LayerBlob, Manifest};
pub use lay_out::{LayOutError, Limits, MOUNTPOINTS, lay_out, lay_out_within};
pub use layer::LayerError;
pub use layout::{LayoutError, export, import};
