//! One step in its jail.
