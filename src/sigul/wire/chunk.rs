//! Chunks: pieces of the two streams that a TLS connection to a bridge carries.
//!
//! A chunk is a u32 and as many bytes as its lower 31 bits say; bit 31 is set where they belong to the inner stream. A
//! chunk without bytes ends its stream in that direction.

/// Bytes in front of each chunk.
pub const HEAD: usize = 4;
/// The most bytes of a chunk that is sent: with its head it fills a TLS record.
pub const LARGEST: usize = (1 << 14) - HEAD;

const INNER: u32 = 1 << 31;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Between an endpoint and the bridge, which reads it.
    Outer,
    /// Between client and server: a TLS connection of their own.
    Inner,
}

/// What stands in front of a chunk.
pub fn head(stream: Stream, length: usize) -> [u8; HEAD] {
    debug_assert!(length <= LARGEST, "{length}");
    let length = u32::try_from(length).unwrap_or(0) & !INNER;
    match stream {
        Stream::Outer => length,
        Stream::Inner => length | INNER,
    }
    .to_be_bytes()
}

/// Which stream a chunk belongs to and how many bytes it has.
pub fn parse(head: [u8; HEAD]) -> (Stream, u32) {
    let word = u32::from_be_bytes(head);
    (if word & INNER == 0 { Stream::Outer } else { Stream::Inner }, word & !INNER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_bit_says_which_stream() {
        assert_eq!(head(Stream::Outer, 0x30), [0, 0, 0, 0x30]);
        assert_eq!(head(Stream::Inner, 0), [0x80, 0, 0, 0]);
        assert_eq!(parse([0x80, 0, 0, 0xcb]), (Stream::Inner, 203));
        assert_eq!(parse([0x7f, 0xff, 0xff, 0xff]), (Stream::Outer, 0x7fff_ffff));
    }
}
