//! The words of gathering.

/// By whose rules a variant is gathered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// Those of Pungi's method `deps`: what is named, and what that requires.
    #[default]
    Deps,
    /// Those of Pungi's method `nodeps`: what is named in every version, with its source and debugging packages, and nothing
    /// that this requires.
    Nodeps,
    /// Those of mash: everything that the sources have, whatever is named, and of the secondary arch what is taken by rule and
    /// required.
    Mash,
}
