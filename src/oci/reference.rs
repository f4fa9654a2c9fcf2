//! Where an image lies in a registry: `HOST[:PORT]/REPOSITORY[:TAG][@sha256:…]`.
//!
//! There is no default registry and no default tag: a name that means something else elsewhere is none.
//! Repository and tag are checked by `ocipkg`, by the grammar of the distribution specification; the host
//! and the digest here, since `ocipkg` knows neither IPv6 addresses nor `@`.

use std::fmt;
use std::str::FromStr;

use crate::base::Digest;

/// A place in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    host: String,
    repository: String,
    /// The tag.
    pub tag: Option<String>,
    /// The manifest's digest.
    pub digest: Option<Digest>,
}

/// The text names no place in a registry. Retrying cannot help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is no image reference: {problem} (expected HOST[:PORT]/REPOSITORY[:TAG][@sha256:…])")]
pub struct ReferenceError {
    text: String,
    problem: String,
}

impl Reference {
    /// Host and port.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The repository.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Whether the host is this machine, where plain HTTP is as good as TLS.
    pub fn is_loopback(&self) -> bool {
        let host = match self.host.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => host,
            _ => &self.host,
        };
        matches!(host, "localhost" | "127.0.0.1" | "[::1]")
    }

    /// The same place under another digest.
    pub fn at(&self, digest: Digest) -> Self {
        Self { digest: Some(digest), ..self.clone() }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let error = |problem: &str| ReferenceError {
            text: text.escape_debug().take(200).collect(),
            problem: problem.into(),
        };
        let (place, digest) = match text.split_once('@') {
            Some((place, digest)) => {
                (place, Some(digest.parse().map_err(|_| error("what follows the '@' is no SHA-256 digest"))?))
            }
            None => (text, None),
        };
        let (host, rest) =
            place.split_once('/').ok_or_else(|| error("it has no '/' after the registry's host"))?;
        if !is_host(host) {
            return Err(error("it does not begin with the host of a registry"));
        }
        let (repository, tag) = match rest.rsplit_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (rest, None),
        };
        ocipkg::Name::new(repository).map_err(|_| error("its repository is not a possible one"))?;
        // ocipkg takes a digest for a tag, too.
        if tag.is_some_and(|tag| tag.contains(':') || ocipkg::Reference::new(tag).is_err()) {
            return Err(error("its tag is not a possible one"));
        }
        Ok(Self { host: host.into(), repository: repository.into(), tag: tag.map(Into::into), digest })
    }
}

/// A name with a dot or a port, `localhost`, or an address.
fn is_host(host: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    let known = host == "localhost" || host.contains(['.', ':']);
    let url = reqwest::Url::parse(&format!("https://{host}/"));
    known && host.bytes().all(plain) && url.is_ok_and(|url| url.path() == "/" && url.has_host())
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        self.digest.map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_come_apart() {
        let digest = Digest::of("x");
        for (text, host, repository, tag, loopback) in [
            (
                "registry.example.org/gander/builder:1",
                "registry.example.org",
                "gander/builder",
                Some("1"),
                false,
            ),
            ("localhost/a", "localhost", "a", None, true),
            ("localhost:5000/a/b/c", "localhost:5000", "a/b/c", None, true),
            ("127.0.0.1:5000/a:t", "127.0.0.1:5000", "a", Some("t"), true),
            ("[::1]:5000/a", "[::1]:5000", "a", None, true),
            ("[::1]/a", "[::1]", "a", None, true),
            ("localhost.example.org/a", "localhost.example.org", "a", None, false),
        ] {
            let reference: Reference = text.parse().unwrap();
            assert_eq!(
                (reference.host(), reference.repository(), reference.tag.as_deref()),
                (host, repository, tag)
            );
            assert_eq!((reference.is_loopback(), reference.to_string().as_str()), (loopback, text));
            let pinned = format!("{text}@{digest}");
            let reference: Reference = pinned.parse().unwrap();
            assert_eq!((reference.digest, reference.to_string()), (Some(digest), pinned));
        }
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for bad in [
            "",
            "/",
            "builder",
            "builder:1",
            "gander/builder",
            "example.org/",
            "example.org/UPPER",
            "example.org/a:",
            "example.org/a:b:c",
            "example.org/a@sha256:12",
            "example.org/a@md5:x",
            "user@example.org/a",
            "example.org/../a",
            "https://example.org/a",
            "exa mple.org/a",
            "example.org:port/a",
            "example.org/a?x=1",
            "example.org/a:t/x",
        ] {
            assert!(bad.parse::<Reference>().is_err(), "{bad}");
        }
    }
}
