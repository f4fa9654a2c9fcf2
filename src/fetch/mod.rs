//! Downloads checked by digest.
