//! The heads of requests and replies.

use super::fields::{Fields, FieldsError};
use super::{Code, VERSION};

/// The outer head of a request, in front of its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// The operation, the user, and what the operation needs; no secrets.
    pub fields: Fields,
}

impl RequestHeader {
    /// The bytes that its digest covers: version and fields.
    pub fn encode(&self) -> Result<Vec<u8>, FieldsError> {
        Ok([&VERSION.to_be_bytes()[..], &self.fields.encode()?].concat())
    }

    /// What its operation is called.
    pub fn operation(&self) -> Result<&str, FieldsError> {
        self.fields.text("op")
    }

    /// Who asks.
    pub fn user(&self) -> Result<&str, FieldsError> {
        self.fields.text("user")
    }
}

/// The head of a reply, in front of its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What became of the request; a number that is not known counts as [`Code::UnknownError`].
    pub code: Code,
    /// What was asked for, or a `message`.
    pub fields: Fields,
}

impl Reply {
    /// A reply without fields.
    pub fn of(code: Code) -> Self {
        Self { code, fields: Fields::default() }
    }

    /// The bytes that its HMAC covers: code and fields.
    pub fn encode(&self) -> Result<Vec<u8>, FieldsError> {
        Ok([&self.code.number().to_be_bytes()[..], &self.fields.encode()?].concat())
    }
}
