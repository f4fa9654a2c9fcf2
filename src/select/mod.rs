//! The decisions (pure): comps groups, dependency closure, multilib, and why.
