//! `file:` URLs: files of this machine, read without the network.

use std::path::PathBuf;

use super::error::Reason;

/// The path that a URL names; none where it is not a `file:` URL.
pub(super) fn path(url: &str) -> Option<Result<PathBuf, Reason>> {
    if !is_file(url) {
        return None;
    }
    let address = |problem: &str| Reason::Address(problem.to_owned());
    let parsed = reqwest::Url::parse(url).map_err(|error| address(&error.to_string()));
    Some(parsed.and_then(|url| url.to_file_path().map_err(|()| address("it names no path of this machine"))))
}

/// Whether a URL is one of a file.
pub fn is_file(url: &str) -> bool {
    url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("file:"))
}

/// What a failure to read one of them means: one that is not there is as good as a server's 404.
pub(super) fn failed(error: &std::io::Error) -> Reason {
    match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => Reason::NoFile,
        _ => Reason::File(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_and_hosts_refused() {
        for (url, wanted) in [
            ("file:///a/b%20c", Some("/a/b c")),
            ("FILE:///a", Some("/a")),
            ("file:/a", Some("/a")),
            ("file://localhost/a", Some("/a")),
            ("file://elsewhere/a", None),
        ] {
            assert_eq!(path(url).unwrap().ok(), wanted.map(PathBuf::from), "{url}");
        }
        assert!(path("http://h/file:").is_none());
    }
}
