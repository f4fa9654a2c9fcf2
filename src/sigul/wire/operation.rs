//! The operations: what each is called, which fields it takes, and how large its payload may be.
//!
//! This is what a bridge knows of them: it passes on nothing that it does not know.

use super::fields::{Fields, FieldsError};

/// A mebibyte.
const MIB: u64 = 1 << 20;
/// A gibibyte.
const GIB: u64 = 1 << 30;
/// A tebibyte.
const TIB: u64 = 1 << 40;

/// The kinds of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Printable text.
    Text,
    /// 0 or 1.
    Truth,
    /// A day, `yyyy-mm-dd`.
    Day,
    /// Any bytes.
    Bytes,
}

/// A field of an operation.
#[derive(Clone, Copy, Debug)]
struct Field {
    name: &'static str,
    kind: Kind,
    optional: bool,
}

const fn text(name: &'static str) -> Field {
    Field { name, kind: Kind::Text, optional: false }
}

const fn maybe(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, optional: true }
}

/// An operation as it stands in a request.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// Its name.
    pub name: &'static str,
    /// The most bytes of its payload.
    pub payload: u64,
    fields: &'static [Field],
}

/// The part of `sign-rpms` that a client sends for each package.
pub const PART: Operation = Operation {
    name: "part of sign-rpms",
    payload: TIB,
    fields: &[
        Field { name: "id", kind: Kind::Bytes, optional: false },
        maybe("rpm-name", Kind::Text),
        maybe("rpm-epoch", Kind::Text),
        maybe("rpm-version", Kind::Text),
        maybe("rpm-release", Kind::Text),
        maybe("rpm-arch", Kind::Text),
        maybe("rpm-sigmd5", Kind::Bytes),
    ],
};

const fn operation(name: &'static str, payload: u64, fields: &'static [Field]) -> Operation {
    Operation { name, payload, fields }
}

/// All: those of sigul 1.2, and two of our own, which a bridge of sigul's does not pass on.
const ALL: &[Operation] = &[
    operation("list-users", 0, &[]),
    operation("new-user", 0, &[text("name"), maybe("admin", Kind::Truth)]),
    operation("delete-user", 0, &[text("name")]),
    operation("user-info", 0, &[text("name")]),
    operation("modify-user", 0, &[text("name"), maybe("admin", Kind::Truth), maybe("new-name", Kind::Text)]),
    operation("key-user-info", 0, &[text("name"), text("key")]),
    operation("modify-key-user", 0, &[text("name"), text("key"), maybe("key-admin", Kind::Truth)]),
    operation("list-keys", 0, &[]),
    operation(
        "new-key",
        0,
        &[
            text("key"),
            maybe("keytype", Kind::Text),
            maybe("initial-key-admin", Kind::Text),
            maybe("name-real", Kind::Text),
            maybe("name-comment", Kind::Text),
            maybe("name-email", Kind::Text),
            maybe("expire-date", Kind::Day),
        ],
    ),
    operation(
        "import-key",
        MIB,
        &[text("key"), maybe("initial-key-admin", Kind::Text), maybe("keytype", Kind::Text)],
    ),
    operation("delete-key", 0, &[text("key")]),
    operation("modify-key", 0, &[text("key"), maybe("new-name", Kind::Text)]),
    operation("list-key-users", 0, &[text("key")]),
    operation("grant-key-access", 0, &[text("key"), text("name")]),
    operation(
        "change-key-expiration",
        0,
        &[text("key"), maybe("subkey", Kind::Text), maybe("expire-date", Kind::Day)],
    ),
    operation("revoke-key-access", 0, &[text("key"), text("name")]),
    operation("get-public-key", 0, &[text("key")]),
    operation("change-passphrase", 0, &[text("key")]),
    operation("sign-text", GIB, &[text("key")]),
    operation("sign-data", TIB, &[text("key"), maybe("armor", Kind::Truth)]),
    operation("decrypt", GIB, &[text("key")]),
    operation("sign-git-tag", GIB, &[text("key")]),
    operation("sign-container", GIB, &[text("key"), text("docker-reference")]),
    operation("sign-ostree", GIB, &[text("key"), text("ostree-hash")]),
    operation(
        "sign-rpm",
        GIB,
        &[
            text("key"),
            maybe("file-signing-key", Kind::Text),
            maybe("rpm-name", Kind::Text),
            maybe("rpm-epoch", Kind::Text),
            maybe("rpm-version", Kind::Text),
            maybe("rpm-release", Kind::Text),
            maybe("rpm-arch", Kind::Text),
            maybe("rpm-sigmd5", Kind::Bytes),
            maybe("import-signature", Kind::Truth),
            maybe("return-data", Kind::Truth),
            maybe("head-signing", Kind::Truth),
            maybe("koji-instance", Kind::Text),
            maybe("v3-signature", Kind::Truth),
        ],
    ),
    operation(
        "sign-rpms",
        0,
        &[
            text("key"),
            maybe("file-signing-key", Kind::Text),
            maybe("import-signature", Kind::Truth),
            maybe("return-data", Kind::Truth),
            maybe("koji-instance", Kind::Text),
            maybe("v3-signature", Kind::Truth),
            maybe("head-signing", Kind::Truth),
        ],
    ),
    operation(
        "sign-certificate",
        GIB,
        &[
            text("issuer-key"),
            maybe("issuer-certificate-name", Kind::Text),
            text("subject-key"),
            text("subject-certificate-name"),
            text("subject"),
            text("validity"),
            text("certificate-type"),
        ],
    ),
    operation("sign-pe", GIB, &[text("key"), text("cert-name")]),
    operation("list-binding-methods", 0, &[]),
    operation("approve", 0, &[text("key"), text("id")]),
    operation("list-approvals", 0, &[text("key")]),
];

impl Operation {
    /// The operation of that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|operation| operation.name == name)
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        ALL.iter()
    }

    /// Looks whether fields are those of the operation, each of its kind.
    pub fn check(&self, fields: &Fields) -> Result<(), FieldsError> {
        for field in self.fields {
            match field.kind {
                _ if fields.get(field.name).is_none() && field.optional => {}
                Kind::Text => drop(fields.text(field.name)?),
                Kind::Truth => drop(fields.optional_bool(field.name)?),
                Kind::Bytes => drop(fields.bytes(field.name)?),
                Kind::Day if is_day(fields.text(field.name)?) => {}
                Kind::Day => return Err(FieldsError::Kind { name: field.name.into(), wanted: "day" }),
            }
        }
        let known = |key: &&str| {
            ["op", "user"].contains(key) && self.name != PART.name
                || self.fields.iter().any(|field| field.name == *key)
        };
        match fields.keys().find(|key| !known(key)) {
            Some(key) => Err(FieldsError::Unknown(key.into())),
            None => Ok(()),
        }
    }
}

/// Whether a text is a day of the form `yyyy-mm-dd`.
fn is_day(text: &str) -> bool {
    text.len() == 10 && format!("{text}T00:00:00Z").parse::<crate::base::SourceDate>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_refused() {
        let data = Operation::find("sign-data").unwrap();
        let good = Fields::default().with("key", "k").with("op", "sign-data").with("user", "u");
        assert_eq!(data.check(&good), Ok(()));
        assert_eq!(data.check(&good.clone().with("armor", [1])), Ok(()));
        let kind = data.check(&good.clone().with("armor", [2]));
        assert!(matches!(kind, Err(FieldsError::Kind { .. })), "{kind:?}");
        let unknown = data.check(&good.with("extra", ""));
        assert_eq!(unknown, Err(FieldsError::Unknown("extra".into())));
        let missing = data.check(&Fields::default().with("op", "sign-data"));
        assert_eq!(missing, Err(FieldsError::Missing("key".into())));

        let new = Operation::find("new-key").unwrap();
        let day = |day: &str| new.check(&Fields::default().with("key", "k").with("expire-date", day));
        assert_eq!(day("2028-02-29"), Ok(()));
        for bad in ["2027-02-29", "2027-2-1", "tomorrow", ""] {
            assert!(matches!(day(bad), Err(FieldsError::Kind { .. })), "{bad}");
        }
        let part = Fields::default().with("id", [0; 4]).with("op", "sign-rpms");
        assert_eq!(PART.check(&part), Err(FieldsError::Unknown("op".into())));
        assert!(Operation::find("sign-everything").is_none());
    }
}
