//! Chunks of a connection, cut anywhere: each stream has the bytes that its chunks have, in their order, and an end
//! where its end came; else an error.
#![no_main]

use std::time::Duration;

use gander::sigul::stream::divide;
use gander::sigul::wire::chunk::{self, HEAD, Stream};
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// What each stream has, and whether it ends well.
fn wanted(mut bytes: &[u8]) -> [(Vec<u8>, bool); 2] {
    let mut streams = [(Vec::new(), false), (Vec::new(), false)];
    while let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() {
        let (stream, length) = chunk::parse(*head);
        let (held, ended) = &mut streams[usize::from(stream == Stream::Inner)];
        let length = length as usize;
        *ended |= length == 0;
        // What comes behind the end of a stream is passed over.
        if !*ended {
            held.extend_from_slice(&rest[..length.min(rest.len())]);
        }
        let Some(next) = rest.get(length..) else { break };
        bytes = next;
    }
    streams
}

fuzz_target!(|bytes: &[u8]| {
    let Some((cut, bytes)) = bytes.split_first() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let (mut far, near) = tokio::io::duplex(1 << 16);
        let mut streams = divide(near, Duration::from_secs(5));
        let sending = async {
            for piece in bytes.chunks(usize::from(*cut) + 1) {
                if far.write_all(piece).await.is_err() {
                    break;
                }
            }
            drop(far.shutdown().await);
        };
        let (mut outer, mut inner) = (Vec::new(), Vec::new());
        let (outgoing, incoming) = (&mut streams.outer.incoming, &mut streams.inner.incoming);
        let ends = tokio::join!(outgoing.read_to_end(&mut outer), incoming.read_to_end(&mut inner), sending);
        let found = [(outer, ends.0.is_ok()), (inner, ends.1.is_ok())];
        for (found, wanted) in found.iter().zip(wanted(bytes)) {
            assert!(wanted.0.starts_with(&found.0) && (!found.1 || wanted.1), "{found:?} {wanted:?}");
            assert!(!wanted.1 || found.0 == wanted.0, "{found:?} {wanted:?}");
        }
    });
});
