//! What a person writes: a release, where its packages come from, its variants, its signing.
//!
//! A recipe is a TOML file; `docs/recipe.md` describes every key. Reading one is pure: [`Recipe::parse`]
//! takes its text and gives a [`Recipe`] or a [`RecipeError`] that shows every problem at once, each with
//! line, column and the text in question. A key that gander does not know is an error: a recipe must not
//! say something that has no effect.
//!
//! Paths are relative to the folder that the recipe lies in and cannot leave it, so a recipe and what it
//! names move together; only secret keys lie elsewhere, on purpose.

mod error;
mod family;
#[cfg(test)]
mod family_tests;
mod gather;
mod koji;
mod layout;
mod lines;
mod lookaside;
mod media;
mod modules;
mod multilib;
mod read;
mod release;
mod repo;
mod schema;
mod sign;
mod table;
#[cfg(test)]
mod tests;

pub use error::{Problem, RecipeError};
pub use family::{Family, LayeredRelease};
pub use gather::{ForArch, Gathering, Greedy, Method};
pub use koji::{HubPlace, HubPlaceError, KojiSource, Noarch, PinnedBuild};
pub use layout::{Layout, Place};
pub use lines::GroupLines;
pub use lookaside::Lookaside;
pub use modules::{ModuleChoice, ModuleChoiceError};
pub use multilib::{Multilib, MultilibMethod, MultilibProfile};
pub use repo::{Addresses, RepoSource, Url, UrlError};
pub use schema::{
    BuildSource, Builder, BuilderImage, Fingerprint, InputKind, InputPath, Medium, MediumKind, OnUnsigned,
    Origin, OutsidePath, Recipe, Release, Sign, Source, Variant,
};
