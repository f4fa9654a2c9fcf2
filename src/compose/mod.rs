//! The flow and nothing else: resolve, lower, run.
//!
//! ```text
//! recipe + files ──[resolve]──▶ lock ──[lower]──▶ plan ──[execute]──▶ trees ──[deliver]──▶ folder
//! ```
//!
//! [`update`] decides and works in passes: read the recipe's files, build what is built here,
//! pin the headers that came out, select, sign. [`compose`](compose()) decides nothing: everything that it
//! does follows from the lock; only the signatures of a later stage may still have to be made.

mod assemble;
mod bundle;
mod changes;
mod contents;
mod deliver;
mod error;
mod execute;
mod flow;
mod folder;
mod harvest;
mod images;
mod inputs;
mod kickstarts;
mod koji;
mod lower;
mod media;
mod metadata;
mod modules;
mod native;
mod repositories;
mod resign;
mod resolve;
mod selection;
mod selection_change;
mod signatures;
mod trees;
mod twins;

pub use bundle::{Bundle, Bundled, bundle};
pub use error::ComposeError;
pub use execute::{Event, Executed, Session, StepRecord, execute};
pub use flow::{Composed, Downloads, MediumSummary, Options, TreeSummary, compose, planned, update};
pub use folder::lock_folder;
pub use inputs::RecipeFiles;
pub use koji::{Hub, KeptTag, kept_tag};
pub use lower::{Lowered, image_plan};
pub use native::native;
pub use resign::resign;
pub use resolve::Resolved;
pub use selection::Selection;
pub use selection_change::SelectionChange;
