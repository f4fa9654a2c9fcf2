//! The codes of replies.

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
#[allow(missing_docs, reason = "their names are the protocol's, and Display says what each means")]
pub enum Code {
    Ok = 0,
    UnknownVersion = 1,
    UnknownOp = 2,
    AuthenticationFailed = 3,
    AlreadyExists = 4,
    UserNotFound = 5,
    UserHasKeyAccesses = 6,
    KeyUserNotFound = 7,
    KeyNotFound = 8,
    UnknownError = 9,
    OnlyOneKeyUser = 10,
    CorruptRpm = 11,
    UnauthenticatedRpm = 12,
    InvalidImport = 13,
    ImportPassphraseError = 14,
    DecryptFailed = 15,
    UnsupportedKeytype = 16,
}

impl Code {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 17] = [
        Self::Ok,
        Self::UnknownVersion,
        Self::UnknownOp,
        Self::AuthenticationFailed,
        Self::AlreadyExists,
        Self::UserNotFound,
        Self::UserHasKeyAccesses,
        Self::KeyUserNotFound,
        Self::KeyNotFound,
        Self::UnknownError,
        Self::OnlyOneKeyUser,
        Self::CorruptRpm,
        Self::UnauthenticatedRpm,
        Self::InvalidImport,
        Self::ImportPassphraseError,
        Self::DecryptFailed,
        Self::UnsupportedKeytype,
    ];

    /// The code of a number, if it is one.
    pub fn of(number: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// Its number.
    pub fn number(self) -> u32 {
        self as u32
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ok => "done",
            Self::UnknownVersion => "the version of the protocol is not known",
            Self::UnknownOp => "the operation is not offered",
            Self::AuthenticationFailed => "the user, or the password or passphrase, is not accepted",
            Self::AlreadyExists => "there is one of that name already",
            Self::UserNotFound => "there is no such user",
            Self::UserHasKeyAccesses => "the user has access to keys; revoke that first",
            Self::KeyUserNotFound => "the user has no access to the key",
            Self::KeyNotFound => "there is no such key",
            Self::UnknownError => "the server failed",
            Self::OnlyOneKeyUser => "the key would have no user left",
            Self::CorruptRpm => "the package is damaged, or no package",
            Self::UnauthenticatedRpm => "the package is not the one that was asked for",
            Self::InvalidImport => "what was to be imported is no usable key",
            Self::ImportPassphraseError => "the passphrase does not open the key that was to be imported",
            Self::DecryptFailed => "the message cannot be decrypted with this key",
            Self::UnsupportedKeytype => "keys of this type cannot do that",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_protocols() {
        assert!(Code::ALL.iter().zip(0..).all(|(code, number)| code.number() == number));
        assert_eq!((Code::of(16), Code::of(17)), (Some(Code::UnsupportedKeytype), None));
    }
}
