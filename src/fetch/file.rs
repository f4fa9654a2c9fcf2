//! `file:` URLs: files of this machine, read without the network.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::error::Reason;

/// The path that a URL names; none where it is not a `file:` URL.
pub fn path(url: &str) -> Option<Result<PathBuf, Reason>> {
    let rest = url.get(5..).filter(|_| is_file(url))?;
    Some(decoded(rest).ok_or_else(|| Reason::Address("it names no path of this machine".into())))
}

/// What follows `file:`: no host or `localhost`, then an absolute path with `%` escapes.
fn decoded(rest: &str) -> Option<PathBuf> {
    let rest = rest.strip_prefix("//localhost").or(rest.strip_prefix("//")).unwrap_or(rest);
    let mut bytes = Vec::new();
    let mut left = rest.bytes();
    while let Some(byte) = left.next() {
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        bytes.push(match byte {
            b'%' => digit(left.next()?)? << 4 | digit(left.next()?)?,
            byte => byte,
        });
    }
    let path = PathBuf::from(String::from_utf8(bytes).ok()?);
    path.is_absolute().then_some(path)
}

/// Whether a URL is one of a file.
pub fn is_file(url: &str) -> bool {
    url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("file:"))
}

/// Opens one of them. A pipe or a device, which may be waited for or read without end, is none.
pub(super) fn open(path: &Path) -> Result<File, Reason> {
    let what = std::fs::metadata(path).map_err(|error| failed(&error))?;
    if !what.is_file() {
        return Err(Reason::NotAFile);
    }
    File::open(path).map_err(|error| failed(&error))
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
    fn only_files_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "x").unwrap();
        assert!(open(&folder.path().join("file")).is_ok());
        assert!(matches!(open(&folder.path().join("none")), Err(Reason::NoFile)));
        for other in [folder.path(), Path::new("/dev/zero")] {
            assert!(matches!(open(other), Err(Reason::NotAFile)), "{other:?}");
        }
    }

    #[test]
    fn paths_are_decoded_and_hosts_refused() {
        for (url, wanted) in [
            ("file:///a/b%20c", Some("/a/b c")),
            ("FILE:///a", Some("/a")),
            ("file:/a", Some("/a")),
            ("file://localhost/a", Some("/a")),
            ("file://elsewhere/a", None),
            ("file:a", None),
            ("file:///%", None),
            ("file:///%+1", None),
        ] {
            assert_eq!(path(url).unwrap().ok(), wanted.map(PathBuf::from), "{url}");
        }
        assert!(path("http://h/file:").is_none());
    }
}
