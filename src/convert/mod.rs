//! Recipes from the configurations of other composers, mash and Pungi: what they say in, the text of a recipe and notes on
//! what could not be carried over out.
//!
//! Nothing is dropped in silence: every option that a configuration names is a key of the recipe, or a note says what
//! becomes of it. `docs/import.md` has the tables. A recipe that lacks something which only a person knows is
//! written nevertheless; its notes of the kind [`NoteKind::Todo`] say what has to be filled in.

mod companion;
mod draft;
mod keys;
mod mash;
mod note;
mod pungi;

pub use companion::{Companion, companion};
pub use mash::{MashError, MashInput, Words, from_mash};
pub use note::{Conversion, Note, NoteKind, NotePlace};
pub use pungi::{PungiError, PungiInput, from_pungi};
