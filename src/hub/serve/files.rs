//! The files of a hub below `/kojifiles/`: whole or in part, never a list of them, never one outside of the folder.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::{Response, StatusCode};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncSeekExt as _, ReadBuf, Take};

use super::http::{Answer, Reply, plain};
use super::range::{self, Part};

/// Bytes that are read and sent at once.
const PIECE: usize = 64 << 10;

/// The path below the folder that an address names. Nothing that begins with a dot is served: no way up, no hidden file.
fn relative(address: &str) -> Option<PathBuf> {
    let bytes = decode(address)?;
    let text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))?;
    let parts: Vec<_> = text.split('/').filter(|part| !part.is_empty()).collect();
    let hidden = parts.is_empty() || parts.iter().any(|part| part.starts_with('.'));
    (!hidden).then(|| parts.iter().collect())
}

/// Undoes the percent encoding of an address.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    while let Some(byte) = bytes.next() {
        out.push(if byte == b'%' { digit(bytes.next()?)? << 4 | digit(bytes.next()?)? } else { byte });
    }
    Some(out)
}

/// Opens a regular file below a folder. Links are followed as long as they stay below it, so that a build on another
/// volume is found under both of its paths.
fn open(folder: &Path, path: &Path) -> io::Result<std::fs::File> {
    let opened = || {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let root = rustix::fs::openat(CWD, folder, flags | OFlags::DIRECTORY, Mode::empty())?;
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        // A pipe that nobody writes to must not hold the server.
        rustix::fs::openat2(root, path, flags | OFlags::NONBLOCK, Mode::empty(), inside)
    };
    let file = std::fs::File::from(opened()?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// Answers a request for a file.
pub async fn serve(folder: &Path, address: &str, headers: &HeaderMap, head: bool) -> Reply {
    let missing = || plain(StatusCode::NOT_FOUND, "no such file\n");
    let Some(path) = relative(address) else { return missing() };
    let folder = folder.to_owned();
    let opened = tokio::task::spawn_blocking(move || {
        let file = open(&folder, &path)?;
        let found = file.metadata()?;
        Ok::<_, io::Error>((file, found))
    });
    let Ok(Ok((file, found))) = opened.await else { return missing() };
    let length = found.len();
    let modified = range::date(u64::try_from(found.mtime()).unwrap_or(0));
    let tag = format!("\"{:x}-{length:x}-{:x}{:09x}\"", found.ino(), found.mtime(), found.mtime_nsec());

    let asked = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let same = |value: &str| value.trim() == tag || value.trim() == modified;
    let answer = Response::builder()
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::LAST_MODIFIED, &modified)
        .header(header::ETAG, &tag);
    if asked(header::IF_NONE_MATCH).is_some_and(|tags| tags.split(',').any(|one| one.trim() == tag)) {
        return finish(answer.status(StatusCode::NOT_MODIFIED).body(nothing()));
    }
    // A range of another version of the file would be put together with the one that the client has.
    let range = asked(header::RANGE).filter(|_| asked(header::IF_RANGE).is_none_or(same));
    let (answer, first, count) = match range::part(range, length) {
        Part::Whole => (answer.status(StatusCode::OK), 0, length),
        Part::Bytes { first, last } => {
            let answer = answer.header(header::CONTENT_RANGE, format!("bytes {first}-{last}/{length}"));
            (answer.status(StatusCode::PARTIAL_CONTENT), first, last - first + 1)
        }
        Part::None => {
            let answer = answer.header(header::CONTENT_RANGE, format!("bytes */{length}"));
            return finish(answer.status(StatusCode::RANGE_NOT_SATISFIABLE).body(nothing()));
        }
    };
    let kind = if address.ends_with(".rpm") { "application/x-rpm" } else { "application/octet-stream" };
    let answer = answer.header(header::CONTENT_TYPE, kind).header(header::CONTENT_LENGTH, count);
    if head {
        return finish(answer.body(nothing()));
    }
    let mut file = tokio::fs::File::from_std(file);
    if file.seek(io::SeekFrom::Start(first)).await.is_err() {
        return plain(StatusCode::INTERNAL_SERVER_ERROR, "the file cannot be read\n");
    }
    let body = FileBody { file: file.take(count), buffer: vec![0; PIECE].into_boxed_slice() };
    finish(answer.body(body.boxed()))
}

fn nothing() -> Answer {
    Empty::new().map_err(|never| match never {}).boxed()
}

fn finish(answer: Result<Reply, hyper::http::Error>) -> Reply {
    answer.unwrap_or_else(|_| plain(StatusCode::INTERNAL_SERVER_ERROR, "the answer cannot be written\n"))
}

/// Part of a file, on its way.
struct FileBody {
    file: Take<tokio::fs::File>,
    buffer: Box<[u8]>,
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let Self { file, buffer } = self.get_mut();
        if file.limit() == 0 {
            return Poll::Ready(None);
        }
        let mut read = ReadBuf::new(buffer);
        match Pin::new(file).poll_read(context, &mut read) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Some(Err(error))),
            // The file became shorter: the connection ends, so that the client cannot take this for the whole.
            Poll::Ready(Ok(())) if read.filled().is_empty() => {
                Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())))
            }
            Poll::Ready(Ok(())) => Poll::Ready(Some(Ok(Frame::data(Bytes::copy_from_slice(read.filled()))))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.file.limit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_stay_in_the_folder() {
        assert_eq!(relative("packages/a/1%2C2/a%20b.rpm").unwrap(), Path::new("packages/a/1,2/a b.rpm"));
        assert_eq!(relative("//packages//a").unwrap(), Path::new("packages/a"));
        for hostile in
            ["", "/", "..", "a/../b", "a/%2e%2e/b", ".user", "a/.user", "a%00b", "a%", "a%2", "a%zz", "%ff"]
        {
            assert_eq!(relative(hostile), None, "{hostile}");
        }
    }

    #[test]
    fn links_may_lead_to_what_is_below_the_folder_only() {
        let world = tempfile::tempdir().unwrap();
        let top = world.path().join("top");
        std::fs::create_dir_all(top.join("vol/slow/packages")).unwrap();
        std::fs::create_dir_all(top.join("packages")).unwrap();
        std::fs::write(top.join("vol/slow/packages/a.rpm"), "x").unwrap();
        std::fs::write(world.path().join("secret"), "x").unwrap();
        let link = |target: &str, name: &str| std::os::unix::fs::symlink(target, top.join(name)).unwrap();
        link("../vol/slow/packages/a.rpm", "packages/a.rpm");
        link("../../secret", "packages/relative");
        link(world.path().join("secret").to_str().unwrap(), "packages/absolute");
        link(".", "packages/loop");
        assert!(open(&top, Path::new("packages/a.rpm")).is_ok());
        for path in [
            "packages/relative",
            "packages/absolute",
            "packages",
            "packages/loop",
            "packages/none",
            "../secret",
        ] {
            assert!(open(&top, Path::new(path)).is_err(), "{path}");
        }
    }
}
