//! Tags: what they are, what they inherit, which packages they list and which builds they have.

pub(super) mod external;
pub(super) mod groups;
pub(super) mod inheritance;
pub(super) mod last_change;
pub(super) mod packages;
pub(super) mod tag;
pub(super) mod tagged;
pub(super) mod tagging;
pub(super) mod targets;
