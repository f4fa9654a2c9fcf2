//! The decisions (pure): comps groups, dependency closure, multilib, and why.
//!
//! [`Universe`] (every [`Candidate`] there is) and [`Request`] go in, a [`Decision`] with a [`Reason`] for every package
//! comes out of [`decide()`]. Nothing here depends on the order in which packages were found.

mod candidate;
mod closure;
mod decision;
mod expression;
mod gather;
mod modular;
pub mod multilib;
mod note;
mod pattern;
mod pool;
mod problem;
mod relation;
mod streams;
mod universe;
mod variants;

pub use candidate::{Candidate, FileKind, PackagedFile, is_debug_name};
pub use closure::{Closure, Gap, Gravity, Near};
pub use decision::{Chosen, ChosenSource, Decision, Flag, Greed, Multilib, Reason, Request, Trim, Trimmed};
pub use expression::{Expression, Outcome};
pub use gather::{Absence, Explanation, Lost, Need, decide, explain, gather};
pub use modular::{ModularProblem, Visible, carried, visible};
pub use note::{Choice, Note};
pub use problem::{Problem, SelectError};
pub use relation::{Relation, Sense};
pub use streams::{Streams, StreamsError};
pub use universe::{Encoded, Member, Offer, Universe, UniverseError};
pub use variants::{VariantError, VariantRequest, VariantTree, Variants};
