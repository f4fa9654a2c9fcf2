//! What can be asked of the signer, and what it answers.
//!
//! # A session
//! One connection serves one request of a client. Whoever asks sends frames ([`super::frame`]) in this order:
//!
//! 1. [`Kind::Request`](super::frame::Kind::Request): a [`Request`] in JSON, without any secret;
//! 2. [`Kind::Data`](super::frame::Kind::Data), any number: what is to be signed, decrypted or imported. The
//!    signer hashes it while it comes;
//! 3. [`Kind::Secret`](super::frame::Kind::Secret), each [`Secret`] at most once: who asks proves it;
//! 4. [`Kind::End`](super::frame::Kind::End).
//!
//! Data and secrets may come in either order. Only after the end is anything judged, so whoever asks learns
//! nothing before that. The signer answers with one [`Refusal`], or with one [`Answer`], the payload in pieces of
//! data, and an end.
//!
//! After [`Operation::SignRpmHeaders`] was answered, the session goes on: any number of main headers, each as
//! pieces of data and an end, each answered in turn by an [`Answer::Signature`] with the packet as its payload, or by
//! a refusal, which does not end the session. Several may be sent before the first is answered. The session ends
//! when the connection is closed.
//!
//! What each operation means, who may ask for it and how it fails is sigul's (its protocol of version 1).

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest name of a user or key, in bytes: a field of sigul's protocol holds no more.
pub const LONGEST_NAME: usize = 255;
/// The longest password or passphrase, in bytes.
pub const LONGEST_SECRET: usize = 1024;
/// The largest secret key that is imported, in bytes.
pub const LARGEST_IMPORT: u64 = 1 << 20;
/// The largest RPM main header that is signed, in bytes.
pub const LARGEST_HEADER: u64 = 64 << 20;
/// The largest message that is decrypted, in bytes: it is held in memory.
pub const LARGEST_MESSAGE: u64 = 64 << 20;
/// The largest text, git tag or container manifest that is signed, in bytes: it is held in memory.
pub const LARGEST_TEXT: u64 = 16 << 20;

/// A request: who asks, and for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The user, as the certificate of the connection says. The signer takes the network process's word for it;
    /// the secrets prove it.
    pub user: String,
    /// What is asked for.
    pub operation: Operation,
}

/// What can be asked for. The secrets that prove the right to it are named with each; *user* means a user who has
/// access to the key, by their passphrase for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Operation {
    /// The users' names: [`Answer::Names`]. Administrator (password).
    ListUsers {},
    /// A new user; [`Secret::NewPassword`] is optional. Administrator.
    NewUser {
        /// Their name.
        name: String,
        /// Whether they are an administrator.
        #[serde(default)]
        admin: bool,
    },
    /// Deletes a user who has no access to any key. Administrator.
    DeleteUser {
        /// Their name.
        name: String,
    },
    /// About a user: [`Answer::User`]. Administrator.
    UserInfo {
        /// Their name.
        name: String,
    },
    /// Changes a user; [`Secret::NewPassword`] is optional. Administrator.
    ModifyUser {
        /// Their name.
        name: String,
        /// Whether they are an administrator from now on.
        admin: Option<bool>,
        /// Their new name.
        new_name: Option<String>,
    },
    /// About a user's access to a key: [`Answer::KeyUser`]. Administrator.
    KeyUserInfo {
        /// The user.
        name: String,
        /// The key.
        key: String,
    },
    /// Changes a user's access to a key. Administrator.
    ModifyKeyUser {
        /// The user.
        name: String,
        /// The key.
        key: String,
        /// Whether they administer the key from now on.
        key_admin: Option<bool>,
    },
    /// The keys' names with their types, such as `gosling-1 (gnupg)`: [`Answer::Names`]. Administrator.
    ListKeys {},
    /// Makes a key; [`Secret::Passphrase`] becomes the first user's: [`Answer::PublicKey`]. Administrator.
    NewKey {
        /// Its name.
        key: String,
        /// Its type; only `gnupg` is offered, which is also meant where none is given.
        keytype: Option<String>,
        /// Its first user, who administers it; else whoever asks.
        initial_key_admin: Option<String>,
        /// The name in its user id; else the key's name.
        name_real: Option<String>,
        /// The comment in its user id.
        name_comment: Option<String>,
        /// The address in its user id.
        name_email: Option<String>,
        /// The day on which it expires, as `2028-12-31`.
        expire_date: Option<String>,
        /// `rsa4096` (also where none is given; 3072 to 8192 bits) or `ed25519`. No field of sigul's.
        algorithm: Option<String>,
    },
    /// Imports the secret key that is the data, at most [`LARGEST_IMPORT`]: [`Secret::Passphrase`] opens it,
    /// [`Secret::NewPassphrase`] becomes the first user's. Administrator.
    ImportKey {
        /// Its name.
        key: String,
        /// Its type, as in [`Operation::NewKey`].
        keytype: Option<String>,
        /// Its first user, as in [`Operation::NewKey`].
        initial_key_admin: Option<String>,
    },
    /// Deletes a key with all accesses. Administrator.
    DeleteKey {
        /// Its name.
        key: String,
    },
    /// Changes a key's name. Administrator.
    ModifyKey {
        /// Its name.
        key: String,
        /// Its new name.
        new_name: Option<String>,
    },
    /// Who has access to a key: [`Answer::Names`]. Administrator, or a user who administers the key.
    ListKeyUsers {
        /// The key.
        key: String,
    },
    /// Gives another user access to a key; [`Secret::NewPassphrase`] becomes theirs. A user who administers it.
    GrantKeyAccess {
        /// The key.
        key: String,
        /// The other user.
        name: String,
        /// How passphrases are to be bound to hardware.
        #[serde(default)]
        bindings: Bindings,
    },
    /// Takes a user's access to a key. Administrator, or a user who administers the key.
    RevokeKeyAccess {
        /// The key.
        key: String,
        /// Whose access.
        name: String,
    },
    /// Changes when a key expires. A user who administers it.
    ChangeKeyExpiration {
        /// The key.
        key: String,
        /// The subkey, counted from 1 as gpg does; else the primary key.
        subkey: Option<u32>,
        /// The day, as `2028-12-31`; never, if none.
        expire_date: Option<String>,
    },
    /// The public key in armor: [`Answer::PublicKey`]. Administrator, or a user.
    GetPublicKey {
        /// The key.
        key: String,
    },
    /// Changes the passphrase of whoever asks to [`Secret::NewPassphrase`]. A user.
    ChangePassphrase {
        /// The key.
        key: String,
        /// As in [`Operation::GrantKeyAccess`].
        #[serde(default)]
        bindings: Bindings,
    },
    /// Signs a text of at most [`LARGEST_TEXT`] for a message that people can read: [`Answer::Signature`] with the
    /// packet, which [`clearsign_as_it_is`](crate::openpgp::clearsign_as_it_is) puts around the text. A user.
    SignText {
        /// The key.
        key: String,
        /// The signature's time in seconds since 1970, if the policy allows a wish; else it is now.
        created: Option<i64>,
    },
    /// Signs data of any size: [`Answer::Signature`] with the detached signature. A user.
    SignData {
        /// The key.
        key: String,
        /// Whether it is armored.
        #[serde(default)]
        armor: bool,
        /// As in [`Operation::SignText`].
        created: Option<i64>,
    },
    /// Signs an annotated tag of git: [`Answer::Signature`] in armor, to append to the tag. A user.
    SignGitTag {
        /// The key.
        key: String,
        /// As in [`Operation::SignText`].
        created: Option<i64>,
    },
    /// Signs a container's manifest: [`Answer::Signature`] with an OpenPGP message (not armored) that holds the
    /// atomic container signature's JSON. A user.
    SignContainer {
        /// The key.
        key: String,
        /// What the container is called, such as `registry.example.org/name:tag`.
        docker_reference: String,
        /// As in [`Operation::SignText`].
        created: Option<i64>,
    },
    /// Decrypts a message of at most [`LARGEST_MESSAGE`]: [`Answer::Cleartext`]. A user.
    Decrypt {
        /// The key.
        key: String,
    },
    /// Begins to sign main headers of RPMs, see the module's documentation: [`Answer::Done`]. A user.
    SignRpmHeaders {
        /// The key.
        key: String,
        /// As in [`Operation::SignText`].
        created: Option<i64>,
    },
    /// The methods of binding passphrases: [`Answer::Names`], none. Administrator.
    ListBindingMethods {},
    /// Approves a request that was refused with [`Code::ApprovalNeeded`]: [`Answer::Approval`]. A user.
    Approve {
        /// The key.
        key: String,
        /// The request's id, as the refusal named it.
        id: String,
    },
    /// The requests for a key that wait for approval: [`Answer::Pending`]. Administrator, or a user.
    ListApprovals {
        /// The key.
        key: String,
    },
    /// The head of the ledger: [`Answer::Head`]. Administrator.
    LedgerHead {},
    /// Whether the signer can sign: [`Answer::Health`]. Needs no secret and ends no session early.
    Health {},
}

/// How a passphrase is bound to hardware, in JSON: a list of methods with their parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Bindings {
    /// What the client did to its copy of the passphrase. The signer has nothing to do for that.
    pub client: Option<String>,
    /// What the signer is to do with the key's passphrase. None of the methods is offered.
    pub server: Option<String>,
}

/// Which secret a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Secret {
    /// An administrator's password.
    Password = 1,
    /// A user's passphrase for a key; for [`Operation::ImportKey`] that of the key itself.
    Passphrase = 2,
    /// A passphrase that is to be set.
    NewPassphrase = 3,
    /// A password that is to be set.
    NewPassword = 4,
}

impl Secret {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Password, Self::Passphrase, Self::NewPassphrase, Self::NewPassword];

    /// The one of a number in a frame.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|secret| *secret as u8 == number)
    }
}

/// What is answered. Payload follows as data where it is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Answer {
    /// It is done.
    Done {},
    /// Names in order; the payload has each with a NUL behind it.
    Names {
        /// How many.
        count: u32,
    },
    /// About a user.
    User {
        /// Whether they are an administrator.
        admin: bool,
    },
    /// About a user's access to a key.
    KeyUser {
        /// Whether they administer it.
        key_admin: bool,
    },
    /// The payload is a certificate in armor.
    PublicKey {},
    /// The payload is a signature.
    Signature {},
    /// The payload is what was decrypted.
    Cleartext {},
    /// An approval was taken.
    Approval {
        /// How many have approved.
        given: u32,
        /// How many are needed.
        needed: u32,
    },
    /// What waits for approval; the payload is JSON, one line each (`id`, `kind`, `digest`, `nevra`, `reference`, `user`,
    /// `time`, `until`, `approved-by`).
    Pending {
        /// How many.
        count: u32,
    },
    /// The head of the ledger.
    Head {
        /// Entries.
        count: u64,
        /// SHA-256 of the last line, in hexadecimal.
        hash: String,
    },
    /// How the signer is.
    Health {
        /// Whether it can sign: its policy and its ledger are usable.
        ready: bool,
        /// Why not.
        detail: Option<String>,
        /// Sessions now.
        sessions: u32,
        /// Signatures since it started.
        signatures: u64,
        /// Refusals since it started.
        refusals: u64,
    },
}

/// Why something is refused. The numbers up to 16 are those of sigul's protocol; [`Self::sigul`] says by which of them
/// the others are told to its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The operation is not offered.
    UnknownOp,
    /// Wrong or missing secret, or not enough rights.
    AuthenticationFailed,
    /// The name is taken.
    AlreadyExists,
    /// There is no such user.
    UserNotFound,
    /// The user still has access to keys.
    UserHasKeyAccesses,
    /// The user has no access to that key.
    KeyUserNotFound,
    /// There is no such key.
    KeyNotFound,
    /// Something failed here. Trying again may help.
    UnknownError,
    /// The last user of a key keeps it.
    OnlyOneKeyUser,
    /// The header is none of an RPM. Trying again cannot help.
    CorruptRpm,
    /// What was sent is no key that can be imported.
    InvalidImport,
    /// The passphrase does not open the key that was sent.
    ImportPassphraseError,
    /// The message cannot be decrypted.
    DecryptFailed,
    /// Keys of that type are not offered.
    UnsupportedKeytype,
    /// The request makes no sense: a bad name, text or date. sigul's server closes the connection then.
    InvalidRequest,
    /// The key's policy does not allow it.
    Policy,
    /// Others must approve it first; the refusal's `pending` is its id.
    ApprovalNeeded,
    /// Too many wrong secrets; the refusal's `retry-after` says for how long.
    TooManyFailures,
    /// The signer is busy, or cannot sign now (full disk, unreadable policy). Trying again may help.
    Unavailable,
}

impl Code {
    /// The number in sigul's protocol; none for [`Code::InvalidRequest`], where the connection is to be closed.
    pub const fn sigul(self) -> Option<u32> {
        Some(match self {
            Self::UnknownOp => 2,
            Self::AuthenticationFailed | Self::TooManyFailures => 3,
            Self::AlreadyExists => 4,
            Self::UserNotFound => 5,
            Self::UserHasKeyAccesses => 6,
            Self::KeyUserNotFound => 7,
            Self::KeyNotFound => 8,
            Self::UnknownError | Self::Policy | Self::ApprovalNeeded | Self::Unavailable => 9,
            Self::OnlyOneKeyUser => 10,
            Self::CorruptRpm => 11,
            Self::InvalidImport => 13,
            Self::ImportPassphraseError => 14,
            Self::DecryptFailed => 15,
            Self::UnsupportedKeytype => 16,
            Self::InvalidRequest => return None,
        })
    }
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[error("the signer refused: {}", .message.as_deref().unwrap_or(.code.text()))]
pub struct Refusal {
    /// Why.
    pub code: Code,
    /// For people, at most 255 bytes of ASCII, which sigul's clients show. Never with a secret in it.
    pub message: Option<String>,
    /// The id of the request that waits for approval.
    pub pending: Option<String>,
    /// After how many seconds trying again makes sense.
    pub retry_after: Option<u32>,
}

impl Refusal {
    /// One without a message.
    pub const fn new(code: Code) -> Self {
        Self { code, message: None, pending: None, retry_after: None }
    }

    /// One with a message, cut and cleaned to what sigul's clients take.
    pub fn because(code: Code, message: impl fmt::Display) -> Self {
        let clean = |char: char| if (' '..='~').contains(&char) { char } else { '?' };
        let message = message.to_string().chars().map(clean).take(LONGEST_NAME).collect();
        Self { message: Some(message), ..Self::new(code) }
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl Code {
    /// What it says when nothing more is known.
    pub const fn text(self) -> &'static str {
        match self {
            Self::UnknownOp => "the operation is not offered",
            Self::AuthenticationFailed => "the user is not authenticated",
            Self::AlreadyExists => "the name is taken",
            Self::UserNotFound => "there is no such user",
            Self::UserHasKeyAccesses => "the user still has access to keys",
            Self::KeyUserNotFound => "the user has no access to the key",
            Self::KeyNotFound => "there is no such key",
            Self::UnknownError => "something failed in the signer",
            Self::OnlyOneKeyUser => "the user is the only one who has access to the key",
            Self::CorruptRpm => "the header is none of an RPM",
            Self::InvalidImport => "the data are no key that can be imported",
            Self::ImportPassphraseError => "the passphrase does not open the key",
            Self::DecryptFailed => "the message cannot be decrypted",
            Self::UnsupportedKeytype => "keys of that type are not offered",
            Self::InvalidRequest => "the request makes no sense",
            Self::Policy => "the key's policy does not allow it",
            Self::ApprovalNeeded => "others must approve it first",
            Self::TooManyFailures => "there were too many wrong secrets",
            Self::Unavailable => "the signer cannot work now",
        }
    }
}
