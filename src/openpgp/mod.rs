//! Packets, certificates and the verification policy. No secret keys.
