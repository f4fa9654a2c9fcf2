//! OpenPGP (RFC 4880, RFC 9580): certificates, signature packets, and the one policy by which
//! signatures are accepted. No secret keys: those live in `sign/`.
//!
//! No clock is read here. A signature is judged at the time that the caller gives, or at the time
//! that the signature claims to be made: so a release verifies the same after its key has expired,
//! while a signature made outside of its key's validity never does. What counts as weak is fixed by
//! [`judge::POLICY_DATE`], not by the day on which somebody looks.

pub mod certificate;
pub mod cleartext;
pub mod digest;
pub mod judge;
pub mod keyring;
pub mod packet;
pub mod verify;

pub use certificate::{Certificate, Fingerprint, FingerprintError, KeyringError};
pub use cleartext::{CleartextError, clearsign, clearsign_as_it_is, signature_of};
pub use digest::Hashing;
pub use judge::Judgement;
pub use keyring::Keyring;
pub use packet::{PacketError, SignatureInfo, armor_detached, dearmor, inspect, inspect_single};
pub use verify::{
    Pending, Verified, VerifyError, verify_cleartext, verify_cleartext_at, verify_detached, verify_header,
    verify_text,
};
