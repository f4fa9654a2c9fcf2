//! A spec and its sources to SRPM and RPMs: rpmbuild as a hermetic step.
//!
//! The step's output tree has one folder per arch: `ARCH/NAME-VERSION-RELEASE.ARCH.rpm`, source
//! packages below `src/`.
//!
//! What makes two runs equal (rpm 4.18): the build time is the source date and later file times are
//! clamped to it, the build host has a fixed name, the number of CPUs is told instead of counted, sources
//! are copied to the scratch folder with one mode, owner and time.

mod spec;
mod step;

pub use spec::{Spec, SpecError};
pub use step::{KIND, Parts, step};
