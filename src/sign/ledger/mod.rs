//! The ledger: one line for each signature, refusal and change, chained by hashes, written before anything leaves.
//!
//! # Format
//! A folder of files `NNNNNNNNNNNN.jsonl`, named by the number of their first entry in at least 12 digits. A file is
//! lines of JSON ([`Line`]), each ended by a line feed. `seq` counts from 1 through all files without a gap; `prev`
//! is the SHA-256 of the line before, without its line feed, also over the boundary of two files, and 64 zeros in
//! the first line of all. So each line says what all lines before it were; only the last needs a witness: the
//! signer keeps its number and hash a second time in its database, and people can write it down elsewhere.
//!
//! # Order
//! A line is written and synced (`fdatasync`), and the new head is kept, before what it records leaves the signer.
//! So there may be lines whose signature was never handed out (the signer was killed in between), but no signature
//! that was handed out is without a line. All that wait are synced at once.
//!
//! # After a kill
//! Half a line at the end can only be one that was not synced, so its signature has not left. The next start replaces it
//! by an entry of the kind `recovery` that quotes it. If the database knows of an entry that is not there, the end was
//! cut, and nothing is signed.

mod entry;
mod read;
mod write;

pub use entry::{Entry, Event, Head, LONGEST_LINE, Line};
pub use read::{Found, Noted, Problem, ReadError, files, read};
pub use write::{Keep, Ledger, LedgerError, ROTATE_AT, Receipt};
