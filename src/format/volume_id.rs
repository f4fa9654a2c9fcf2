//! Volume ids: the names of media, at most 32 characters, by which boot menus find them.
//!
//! Made as Pungi 4 makes them: formats are tried in their order, the first whose outcome has at most 32 characters
//! is taken. A format is a text with `{field}` (or `%(field)s`) in it; one that names the variant is passed
//! over where there is none. The formats, unless others are given:
//! ```text
//! {release_short}-{version} {base_product_short}-{base_product_version} {variant}.{arch}      (layered release only)
//! {release_short}-{version} {base_product_short}-{base_product_version} {arch}                (layered release only)
//! {release_short}-{version} {variant}.{arch}
//! {release_short}-{version} {arch}
//! ```
//! In each outcome the substitutions (`Workstation` by `WS`) are applied, the longest first; then, where ids are
//! restricted, each character other than a letter, a digit or `_` becomes `-`. Nothing is ever cut off.
//!
//! Stricter than Pungi: an id is printable ASCII without quotes and backslashes, which menus and udev could not
//! take, and without spaces at its ends, which the medium's padding would swallow.

use std::collections::BTreeMap;

/// Longest volume id: the field of ISO 9660 has 32 bytes.
pub const LONGEST: usize = 32;

/// Pungi's formats.
pub const FORMATS: &[&str] =
    &["{release_short}-{version} {variant}.{arch}", "{release_short}-{version} {arch}"];

/// Pungi's formats for a layered release, which come before the others.
pub const LAYERED_FORMATS: &[&str] = &[
    "{release_short}-{version} {base_product_short}-{base_product_version} {variant}.{arch}",
    "{release_short}-{version} {base_product_short}-{base_product_version} {arch}",
];

/// There is no volume id for a medium. Retrying cannot help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VolumeIdError {
    /// Every format gives too long an id. Retrying cannot help; a shorter name or a substitution can.
    #[error(
        "no volume id has at most {LONGEST} characters: {}; shorten the names or add a substitution",
        .0.join(", ")
    )]
    TooLong(Vec<String>),
    /// The id is empty, or has characters that menus cannot take. Retrying cannot help.
    #[error(
        "{0:?} cannot be a volume id: it is to be 1 to {LONGEST} printable ASCII characters, without quotes, backslashes and spaces at its ends"
    )]
    Characters(String),
    /// A format names a field that there is not, or is no format. Retrying cannot help.
    #[error("the volume id format {format:?} {problem}")]
    Format {
        /// The format.
        format: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// A volume id that a medium can have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VolumeId(String);

impl VolumeId {
    /// Checks an id.
    pub fn new(id: impl Into<String>) -> Result<Self, VolumeIdError> {
        let id = id.into();
        if id.len() > LONGEST {
            return Err(VolumeIdError::TooLong(vec![id.escape_debug().take(200).collect()]));
        }
        let plain = |byte: u8| (byte == b' ' || byte.is_ascii_graphic()) && !b"\"'\\`".contains(&byte);
        if id.is_empty() || id.trim() != id || !id.bytes().all(plain) {
            return Err(VolumeIdError::Characters(id));
        }
        Ok(Self(id))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for VolumeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// How volume ids are made.
#[derive(Clone, Debug)]
pub struct Rules<'a> {
    /// Formats in the order in which they are tried.
    pub formats: Vec<&'a str>,
    /// Texts and what stands for them.
    pub substitutions: BTreeMap<&'a str, &'a str>,
    /// Whether letters, digits, `_` and `-` must do.
    pub restricted: bool,
}

impl Rules<'_> {
    /// Pungi's own.
    pub fn of_pungi(layered: bool) -> Self {
        let before: &[&str] = if layered { LAYERED_FORMATS } else { &[] };
        let formats = before.iter().chain(FORMATS).copied().collect();
        Self { formats, substitutions: BTreeMap::new(), restricted: false }
    }

    /// Makes the id of a medium. Fields are Pungi's: `release_short`, `version`, `variant`, `arch`, `disc_type`,
    /// `disc_num`, `compose_id`, `date`, `respin`, `type`, `type_suffix`, `label`, `label_major_version`,
    /// `base_product_short`, `base_product_version`; a medium without a variant has no field `variant`.
    pub fn make(&self, fields: &BTreeMap<&str, &str>) -> Result<VolumeId, VolumeIdError> {
        let mut substitutions: Vec<_> = self.substitutions.iter().collect();
        // The sort is stable, so those of one length stay in the order of their text.
        substitutions.sort_by_key(|(from, _)| std::cmp::Reverse(from.chars().count()));
        let mut tried = Vec::new();
        for format in &self.formats {
            let names_variant = format.contains("{variant}") || format.contains("%(variant)s");
            if names_variant && !fields.contains_key("variant") {
                continue;
            }
            let mut id = fill(format, fields)?;
            for (from, to) in &substitutions {
                id = id.replace(**from, to);
            }
            if self.restricted {
                let plain = |char: char| char.is_ascii_alphanumeric() || char == '_';
                id = id.chars().map(|char| if plain(char) { char } else { '-' }).collect();
            }
            if id.chars().count() <= LONGEST {
                return VolumeId::new(id);
            }
            tried.push(id);
        }
        tried.sort_by_key(String::len);
        tried.dedup();
        Err(VolumeIdError::TooLong(tried))
    }
}

/// Puts fields into a format. `{{`, `}}` and `%%` stand for one of theirs.
fn fill(format: &str, fields: &BTreeMap<&str, &str>) -> Result<String, VolumeIdError> {
    let error = |problem: String| VolumeIdError::Format { format: format.into(), problem };
    let mut out = String::new();
    let mut rest = format;
    while let Some(at) = rest.find(['{', '}', '%']) {
        let (before, sign) = rest.split_at(at);
        out.push_str(before);
        let doubled = ["{{", "}}", "%%"].into_iter().find_map(|pair| Some((pair, sign.strip_prefix(pair)?)));
        if let Some((pair, after)) = doubled {
            out.extend(pair.chars().take(1));
            rest = after;
            continue;
        }
        let braces = sign.strip_prefix('{').and_then(|sign| sign.split_once('}'));
        let field = braces.or_else(|| sign.strip_prefix("%(").and_then(|sign| sign.split_once(")s")));
        let (name, after) = field.ok_or_else(|| error("has a field that does not end".into()))?;
        out.push_str(fields.get(name).ok_or_else(|| error(format!("names the unknown field {name:?}")))?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields<'a>(short: &'a str, variant: Option<&'a str>) -> BTreeMap<&'a str, &'a str> {
        let mut fields = BTreeMap::from([("release_short", short), ("version", "1.0"), ("arch", "x86_64")]);
        fields.extend([("base_product_short", "EL"), ("base_product_version", "9")]);
        fields.extend(variant.map(|variant| ("variant", variant)));
        fields
    }

    #[test]
    fn takes_the_first_format_that_fits() {
        let make = |rules: &Rules<'_>, short, variant| {
            rules.make(&fields(short, variant)).map(|id| id.to_string()).map_err(|error| error.to_string())
        };
        let plain = Rules::of_pungi(false);
        let layered = Rules::of_pungi(true);
        let restricted = Rules { restricted: true, ..Rules::of_pungi(false) };
        let substitutions =
            BTreeMap::from([("Work", "no"), ("Workstation", "WS"), ("station", "no"), ("WS", "WSWS")]);
        let shorter = Rules { substitutions, ..Rules::of_pungi(false) };
        for (rules, short, variant, wanted) in [
            (&plain, "Gos", Some("Server"), "Gos-1.0 Server.x86_64"),
            (&plain, "Gos", None, "Gos-1.0 x86_64"),
            // Exactly 32 characters, then 33.
            (&plain, "Gos", Some("ServerServer12345"), "Gos-1.0 ServerServer12345.x86_64"),
            (&plain, "Gos", Some("ServerServer123456"), "Gos-1.0 x86_64"),
            (&layered, "Gos", Some("Server"), "Gos-1.0 EL-9 Server.x86_64"),
            (&layered, "Gos", Some("ServerServerS"), "Gos-1.0 EL-9 x86_64"),
            (&restricted, "Gos", Some("Server"), "Gos-1-0-Server-x86_64"),
            (&shorter, "Gos", Some("Workstation"), "Gos-1.0 WSWS.x86_64"),
        ] {
            assert_eq!(make(rules, short, variant).as_deref(), Ok(wanted), "{short} {variant:?}");
        }
        assert_eq!(
            make(&plain, "Anserinae-of-the-north", Some("Server")).unwrap_err(),
            "no volume id has at most 32 characters: Anserinae-of-the-north-1.0 x86_64, \
             Anserinae-of-the-north-1.0 Server.x86_64; shorten the names or add a substitution"
        );
    }

    #[test]
    fn formats_are_checked() {
        for (format, wanted) in [
            ("{release_short}%(arch)s{{x}}%%", Ok("Gosx86_64{x}%")),
            ("{nothing}", Err("the volume id format \"{nothing}\" names the unknown field \"nothing\"")),
            ("{arch", Err("the volume id format \"{arch\" has a field that does not end")),
            ("100%", Err("the volume id format \"100%\" has a field that does not end")),
        ] {
            let rules = Rules { formats: vec![format], ..Rules::of_pungi(false) };
            let made = rules.make(&fields("Gos", None)).map_err(|error| error.to_string());
            assert_eq!(made.as_ref().map(VolumeId::as_str).map_err(String::as_str), wanted);
        }
    }

    #[test]
    fn refuses_what_menus_cannot_take() {
        for bad in ["", " a", "a ", "a\"b", "a\\b", "a\nb", "Gänse", "a'b", "a`b"] {
            assert!(matches!(VolumeId::new(bad), Err(VolumeIdError::Characters(_))), "{bad:?}");
        }
        assert!(VolumeId::new("a".repeat(32)).is_ok());
        assert!(matches!(VolumeId::new("a".repeat(33)), Err(VolumeIdError::TooLong(_))));
    }
}
