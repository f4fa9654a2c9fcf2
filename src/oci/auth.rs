//! Who we are to a registry: credentials from a file as podman, skopeo and docker write it, and the
//! challenge by which a registry asks for them.
//!
//! The file is JSON: `{"auths": {"HOST": {"auth": "BASE64 of USER:PASSWORD"}}}`; a key may also be
//! `HOST/PATH`, which counts for repositories below it, or `https://HOST/…`, as docker writes it. Helpers that
//! would have to be run (`credHelpers`, `credsStore`) and identity tokens are not used: an error says so.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// Credentials cannot be had from the file. Retrying cannot help.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// It is no such file. The parser's words are not shown, lest they cite a secret.
    #[error(
        "the file of credentials is not valid JSON of the form {{\"auths\": {{\"HOST\": {{\"auth\": …}}}}}}"
    )]
    Json,
    /// The entry is no base64 of `USER:PASSWORD`.
    #[error("the credentials for '{0}' are not the base64 form of USER:PASSWORD")]
    Encoding(String),
    /// A helper or a token would be needed.
    #[error("the credentials for '{0}' are {1}, which gander does not use")]
    Unsupported(String, &'static str),
}

/// A user name and a password. They are never shown.
#[derive(Clone)]
pub struct Credentials {
    /// The user.
    pub user: String,
    /// The password.
    pub password: Zeroizing<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

#[derive(serde::Deserialize)]
struct Document {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default, rename = "credHelpers")]
    helpers: BTreeMap<String, serde::de::IgnoredAny>,
    #[serde(rename = "credsStore")]
    store: Option<serde::de::IgnoredAny>,
}

#[derive(serde::Deserialize)]
struct Entry {
    #[serde(default, deserialize_with = "secret")]
    auth: Option<Zeroizing<String>>,
    #[serde(rename = "identitytoken")]
    token: Option<serde::de::IgnoredAny>,
}

/// Reads a secret so that it is wiped when it is dropped.
pub fn secret<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Zeroizing<String>>, D::Error> {
    Ok(<Option<String> as serde::Deserialize>::deserialize(from)?.map(Zeroizing::new))
}

/// The credentials for a repository, if the file has some.
pub fn find(file: &[u8], host: &str, repository: &str) -> Result<Option<Credentials>, AuthError> {
    let document: Document = serde_json::from_slice(file).map_err(|_| AuthError::Json)?;
    // The longest path first: what is said of a repository goes before what is said of its registry.
    let whole = format!("{host}/{repository}");
    let ends = whole.match_indices('/').map(|(at, _)| at).chain([whole.len()]);
    let names: Vec<_> = ends.filter_map(|end| whole.get(..end)).collect();
    let plain = |key: &str| {
        let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
        key.trim_end_matches('/').trim_end_matches("/v1").trim_end_matches("/v2").to_owned()
    };
    let entries: BTreeMap<_, _> = document.auths.iter().map(|(key, entry)| (plain(key), entry)).collect();
    let found = names.iter().rev().find_map(|name| Some((name, entries.get(*name)?)));
    let Some((name, entry)) = found else {
        if document.helpers.contains_key(host) {
            return Err(AuthError::Unsupported(host.into(), "kept by a credential helper"));
        }
        return Ok(None);
    };
    match &entry.auth {
        Some(auth) if !auth.is_empty() => {
            let bad = || AuthError::Encoding((*name).into());
            let bytes = Zeroizing::new(STANDARD.decode(auth.as_bytes()).map_err(|_| bad())?);
            let text = std::str::from_utf8(&bytes).map_err(|_| bad())?;
            let (user, password) = text.split_once(':').ok_or_else(bad)?;
            Ok(Some(Credentials { user: user.into(), password: Zeroizing::new(password.into()) }))
        }
        _ if entry.token.is_some() => Err(AuthError::Unsupported((*name).into(), "an identity token")),
        _ if document.store.is_some() => {
            Err(AuthError::Unsupported((*name).into(), "kept by a credential helper"))
        }
        _ => Ok(None),
    }
}

/// What a registry asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// User name and password with each request.
    Basic,
    /// A token from the address `realm`.
    Bearer {
        /// Where to get it.
        realm: String,
        /// For which service.
        service: Option<String>,
        /// To do what.
        scope: Option<String>,
    },
}

/// Reads the header `WWW-Authenticate`.
pub fn challenge(header: &str) -> Option<Challenge> {
    let header = header.get(..header.len().min(4096))?.trim();
    let (scheme, rest) = header.split_once(' ').unwrap_or((header, ""));
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let mut params = BTreeMap::new();
    let mut rest = rest.trim_start();
    while let Some((key, after)) = rest.split_once('=') {
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        params.insert(key.trim().to_ascii_lowercase(), value.to_owned());
        rest = after.trim_start().trim_start_matches(',').trim_start();
    }
    Some(Challenge::Bearer {
        realm: params.remove("realm")?,
        service: params.remove("service"),
        scope: params.remove("scope"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_entry_counts() {
        let encode = |text: &str| STANDARD.encode(text);
        let file = format!(
            r#"{{"auths": {{"example.org": {{"auth": "{}"}}, "example.org/team": {{"auth": "{}"}},
               "https://hub.example.org/v1/": {{"auth": "{}"}}, "bad": {{"auth": "!"}}, "token": {{"identitytoken": "t"}}, "empty": {{}}}},
               "credHelpers": {{"helped": "x"}}}}"#,
            encode("all:1"),
            encode("team:2:3"),
            encode("hub:4"),
        );
        let find = |host: &str, repository: &str| {
            find(file.as_bytes(), host, repository)
                .map(|found| found.map(|found| format!("{}:{}", found.user, *found.password)))
        };
        assert_eq!(find("example.org", "other/x").unwrap().as_deref(), Some("all:1"));
        assert_eq!(find("example.org", "team/x").unwrap().as_deref(), Some("team:2:3"));
        assert_eq!(find("example.org", "teams/x").unwrap().as_deref(), Some("all:1"));
        assert_eq!(find("hub.example.org", "x").unwrap().as_deref(), Some("hub:4"));
        assert_eq!(find("nowhere", "x").unwrap(), None);
        assert_eq!(find("empty", "x").unwrap(), None);
        assert!(matches!(find("bad", "x"), Err(AuthError::Encoding(_))));
        assert!(matches!(find("token", "x"), Err(AuthError::Unsupported(..))));
        assert!(matches!(find("helped", "x"), Err(AuthError::Unsupported(..))));
        assert!(matches!(super::find(b"secret", "x", "y"), Err(AuthError::Json)));
    }

    #[test]
    fn secrets_are_not_shown() {
        let credentials = Credentials { user: "goose".into(), password: Zeroizing::new("egg".into()) };
        assert_eq!(format!("{credentials:?}"), "Credentials(…)");
    }

    #[test]
    fn challenges_are_read() {
        assert_eq!(challenge("Basic realm=\"x\""), Some(Challenge::Basic));
        assert_eq!(
            challenge("Bearer realm=\"https://a/token\",service=\"s\", scope=\"repository:x:pull,push\""),
            Some(Challenge::Bearer {
                realm: "https://a/token".into(),
                service: Some("s".into()),
                scope: Some("repository:x:pull,push".into())
            })
        );
        for bad in ["", "Digest x", "Bearer", "Bearer service=\"s\"", "Bearer realm=\"open"] {
            assert_eq!(challenge(bad), None, "{bad}");
        }
    }
}
