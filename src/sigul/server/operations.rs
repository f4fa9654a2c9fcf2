//! Which question to the signer an operation is, and how its answer looks in the protocol.

use zeroize::Zeroizing;

use super::reply::Answered;
use crate::sign::agent::request::{Answer, Bindings, Operation as Question, Refusal, Secret};
use crate::sigul::wire::{Code, Fields, FieldsError};

/// How an operation takes its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// It has none.
    Nothing,
    /// The signer gets it while it comes; at most so many bytes.
    Stream(u64),
    /// The same, and it is part of the answer.
    Text(u64),
    /// A package.
    Package,
    /// It is not offered: whatever comes is passed over.
    Refused,
}

/// The most bytes of data that are signed, as sigul has it.
const LARGEST_DATA: u64 = 1 << 40;

/// How an operation of that name takes its payload.
pub(super) fn takes(operation: &str) -> Takes {
    use crate::sign::agent::request::{LARGEST_IMPORT, LARGEST_MESSAGE, LARGEST_TEXT};
    match operation {
        "sign-text" => Takes::Text(LARGEST_TEXT),
        "sign-git-tag" | "sign-container" => Takes::Stream(LARGEST_TEXT),
        "decrypt" => Takes::Stream(LARGEST_MESSAGE),
        "import-key" => Takes::Stream(LARGEST_IMPORT),
        "sign-data" => Takes::Stream(LARGEST_DATA),
        "sign-rpm" => Takes::Package,
        "sign-pe" | "sign-certificate" | "sign-ostree" => Takes::Refused,
        _ => Takes::Nothing,
    }
}

/// The question that an operation is; none where it is not offered.
pub(super) fn question(operation: &str, fields: &Fields) -> Result<Option<Question>, FieldsError> {
    let text = |name: &str| fields.text(name).map(str::to_owned);
    let maybe = |name: &str| fields.optional_text(name).map(|text| text.map(str::to_owned));
    let key = || text("key");
    Ok(Some(match operation {
        "list-users" => Question::ListUsers {},
        "new-user" => Question::NewUser { name: text("name")?, admin: fields.is_set("admin")? },
        "delete-user" => Question::DeleteUser { name: text("name")? },
        "user-info" => Question::UserInfo { name: text("name")? },
        "modify-user" => Question::ModifyUser {
            name: text("name")?,
            admin: fields.optional_bool("admin")?,
            new_name: maybe("new-name")?,
        },
        "key-user-info" => Question::KeyUserInfo { name: text("name")?, key: key()? },
        "modify-key-user" => Question::ModifyKeyUser {
            name: text("name")?,
            key: key()?,
            key_admin: fields.optional_bool("key-admin")?,
        },
        "list-keys" => Question::ListKeys {},
        "new-key" => Question::NewKey {
            key: key()?,
            keytype: maybe("keytype")?,
            initial_key_admin: maybe("initial-key-admin")?,
            name_real: maybe("name-real")?,
            name_comment: maybe("name-comment")?,
            name_email: maybe("name-email")?,
            expire_date: maybe("expire-date")?,
            algorithm: None,
        },
        "import-key" => Question::ImportKey {
            key: key()?,
            keytype: maybe("keytype")?,
            initial_key_admin: maybe("initial-key-admin")?,
        },
        "delete-key" => Question::DeleteKey { key: key()? },
        "modify-key" => Question::ModifyKey { key: key()?, new_name: maybe("new-name")? },
        "list-key-users" => Question::ListKeyUsers { key: key()? },
        "grant-key-access" => {
            Question::GrantKeyAccess { key: key()?, name: text("name")?, bindings: Bindings::default() }
        }
        "revoke-key-access" => Question::RevokeKeyAccess { key: key()?, name: text("name")? },
        "change-key-expiration" => {
            let number = |text: String| {
                let wrong = FieldsError::Kind { name: "subkey".into(), wanted: "number" };
                text.parse().map_err(|_| wrong)
            };
            Question::ChangeKeyExpiration {
                key: key()?,
                subkey: maybe("subkey")?.map(number).transpose()?,
                expire_date: maybe("expire-date")?,
            }
        }
        "get-public-key" => Question::GetPublicKey { key: key()? },
        "change-passphrase" => Question::ChangePassphrase { key: key()?, bindings: Bindings::default() },
        "sign-text" => Question::SignText { key: key()?, created: None },
        "sign-data" => Question::SignData { key: key()?, armor: fields.is_set("armor")?, created: None },
        "sign-git-tag" => Question::SignGitTag { key: key()?, created: None },
        "sign-container" => Question::SignContainer {
            key: key()?,
            docker_reference: text("docker-reference")?,
            created: None,
        },
        "decrypt" => Question::Decrypt { key: key()? },
        "sign-rpm" | "sign-rpms" => Question::SignRpmHeaders { key: key()?, created: None },
        "list-binding-methods" => Question::ListBindingMethods {},
        "approve" => Question::Approve { key: key()?, id: text("id")? },
        "list-approvals" => Question::ListApprovals { key: key()? },
        _ => return Ok(None),
    }))
}

/// Adds to a question what the client says of bindings, past the bridge.
pub(super) fn bind(question: &mut Question, inner: &Fields) -> Result<(), FieldsError> {
    if let Question::GrantKeyAccess { bindings, .. } | Question::ChangePassphrase { bindings, .. } = question
    {
        let text = |name| inner.optional_text(name).map(|text| text.map(str::to_owned));
        *bindings = Bindings { client: text("client-binding")?, server: text("server-binding")? };
    }
    Ok(())
}

/// The secrets of a request.
pub(super) fn secrets(inner: &Fields) -> impl Iterator<Item = (Secret, &[u8])> {
    let named = [
        ("password", Secret::Password),
        ("passphrase", Secret::Passphrase),
        ("new-passphrase", Secret::NewPassphrase),
        ("new-password", Secret::NewPassword),
    ];
    named.into_iter().filter_map(|(name, which)| Some((which, inner.get(name)?)))
}

/// An answer in the protocol's words.
pub(super) fn answered(operation: &str, answer: Answer, payload: Zeroizing<Vec<u8>>) -> Answered {
    let mut fields = Fields::default();
    match answer {
        Answer::Done {}
        | Answer::PublicKey {}
        | Answer::Signature {}
        | Answer::Cleartext {}
        | Answer::Health { .. } => {}
        Answer::Names { count } => {
            let name = match operation {
                "list-keys" => "num-keys",
                "list-binding-methods" => "num-methods",
                _ => "num-users",
            };
            fields.set_u32(name, count);
        }
        Answer::User { admin } => drop(fields.set_bool("admin", admin)),
        Answer::KeyUser { key_admin } => drop(fields.set_bool("key-admin", key_admin)),
        Answer::Approval { given, needed } => drop(fields.set_u32("given", given).set_u32("needed", needed)),
        Answer::Pending { count } => drop(fields.set_u32("num-approvals", count)),
        Answer::Head { count, hash } => drop(fields.set("count", count.to_string()).set("hash", hash)),
    }
    Answered::with(fields, payload)
}

/// A refusal in the protocol's words; none where the connection is to be closed without any.
pub(super) fn refused(refusal: &Refusal) -> Option<Answered> {
    let code = Code::of(refusal.code.sigul()?).unwrap_or(Code::UnknownError);
    let message = refusal.message.as_deref().or_else(|| {
        // The code says all there is where the protocol has one of its own.
        (code == Code::UnknownError).then_some(refusal.code.text())
    });
    Some(Answered::refused(code, message))
}
