//! A line of the ledger.

use serde::{Deserialize, Serialize};

use crate::base::{Digest, SourceDate};

/// The longest line, in bytes, that is written or read.
pub const LONGEST_LINE: usize = 64 << 10;

/// What a line records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// A signature was made.
    Signature,
    /// A message was decrypted.
    Decryption,
    /// A request was refused.
    Refusal,
    /// Users, keys or accesses changed, or the policy was read again.
    Change,
    /// A request was approved.
    Approval,
    /// The signer started.
    Start,
    /// Half a line, whose signature had not left, was found at the end and replaced by this one, which has it in `detail`.
    Recovery,
}

impl Event {
    /// Its name in the ledger.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Decryption => "decryption",
            Self::Refusal => "refusal",
            Self::Change => "change",
            Self::Approval => "approval",
            Self::Start => "start",
            Self::Recovery => "recovery",
        }
    }
}

/// What is recorded of one event. Secrets are never among it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What happened.
    pub event: Event,
    /// When, by the signer's clock.
    pub time: SourceDate,
    /// Who asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The operation, as sigul names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The key's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The key's fingerprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// SHA-256 of what was signed: data as they were sent, or an RPM's main header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The package whose header it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nevra: Option<String>,
    /// The container's reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// SHA-256 of the signature as it was answered (packet or armor).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Digest>,
    /// The time in the signature, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<i64>,
    /// Who had approved it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<String>,
    /// More, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Entry {
    /// One that says only what happened.
    pub const fn new(event: Event, time: SourceDate) -> Self {
        Self {
            event,
            time,
            user: None,
            operation: None,
            key: None,
            fingerprint: None,
            digest: None,
            nevra: None,
            reference: None,
            signature: None,
            created: None,
            approvals: Vec::new(),
            detail: None,
        }
    }
}

/// An entry in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its number, from 1.
    pub seq: u64,
    /// SHA-256 of the line before, without its end; zeros for the first.
    pub prev: Digest,
    /// What happened.
    #[serde(flatten)]
    pub entry: Entry,
}

/// The last line: how many there are, and its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Lines.
    pub count: u64,
    /// SHA-256 of the last one, without its end; zeros if there is none.
    pub hash: Digest,
}

impl Head {
    /// That of an empty ledger.
    pub const EMPTY: Self = Self { count: 0, hash: Digest::from_bytes([0; 32]) };
}
