//! The signer's log: lines on stderr, for its administrator. No secret is ever given to it.

use std::fmt::Display;
use std::io::Write as _;

/// Writes a line. One that cannot be written, to a full disk say, is lost; the signer is not.
pub(super) fn say(line: impl Display) {
    drop(writeln!(std::io::stderr(), "gander signer: {line}"));
}
