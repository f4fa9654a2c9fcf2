//! What is on the wire, byte for byte. Nothing here reads or writes a connection.
//!
//! All integers are big-endian and without sign.
//!
//! | part | form |
//! |---|---|
//! | fields | u8 count, then for each: u8 length (1 to 255) and key, u8 length and value |
//! | request, outer | u32 version = 1, fields, u64 length, payload |
//! | request, inner | fields: the secrets, and the digests and keys of [`Proof`] |
//! | reply, outer | u32 code, fields, HMAC, u64 length, payload, HMAC |
//! | part of `sign-rpms`, both ways | fields, HMAC, u64 length, payload, HMAC |
//!
//! The HMACs are HMAC-SHA-512 with keys that went through the inner connection, over code and fields, and over the
//! payload. All of it is cut into [`chunk`]s, which say to which of two streams their bytes belong.

pub mod chunk;
pub mod code;
pub mod fields;
pub mod message;
pub mod operation;
pub mod proof;

pub use code::Code;
pub use fields::{Fields, FieldsError};
pub use message::{Reply, RequestHeader};
pub use operation::Operation;
pub use proof::{Mac, PartKey, Proof};

/// The version of the protocol.
pub const VERSION: u32 = 1;
/// Bytes of a digest, of an HMAC, and of the keys that are made here.
pub const MAC: usize = 64;
