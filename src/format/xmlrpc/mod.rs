//! XML-RPC as Koji speaks it (hub 1.35, measured; library 1.36).
//!
//! # Messages
//! A document of XML 1.0 in UTF-8. A call is `<methodCall><methodName>NAME</methodName><params><param>VALUE</param>…
//! </params></methodCall>`; an answer is `<methodResponse><params><param>VALUE</param></params></methodResponse>`, or
//! with `<fault>VALUE</fault>` in place of `<params>`: a struct of `faultCode` (int) and `faultString` (string).
//!
//! # Values
//! | in `<value>` | meaning | written for |
//! |---|---|---|
//! | `<nil/>` | nothing | `None`, `()` |
//! | `<boolean>` | `0` or `1` | `bool` |
//! | `<int>`, `<i4>`, `<i8>` | an integer of up to 64 bits, in any of the three | integers; `<i8>` beyond 32 bits |
//! | `<double>` | a number as Python prints it | `f64` |
//! | `<string>`, or no element | text | texts; always with the element |
//! | `<base64>` | bytes, with white space anywhere between | `serialize_bytes`; lines of 76 |
//! | `<array><data>VALUE…</data></array>` | values in order | sequences, tuples |
//! | `<struct><member><name>…</name>VALUE</member>…</struct>` | members; their order means nothing | structs, maps |
//!
//! Koji knows no `<dateTime.iso8601>`: times are strings (`2026-11-21 21:13:41.540632+00:00`, without the fraction
//! where that is 0) and doubles. White space around elements means nothing, but is text in a `<value>` that has
//! nothing else.
//!
//! Keyword arguments are the last parameter: a struct that has them and `__starstar`, which is true. The answer to
//! `multiCall`, whose one parameter is an array of structs of `methodName` and `params`, is an array with an entry for
//! each call: an array with the value in it, or a struct of `faultCode`, `faultString` and `traceback`.
//!
//! # Reading
//! Text is decoded: XML's own five entities, characters by number, `CDATA`; line ends become `\n` unless they are
//! written by number. Types are taken by their word: an integer is no double, no boolean and no text, nil is only
//! something that may be missing.
//! Refused, though other readers take some of it: document types and with them all other entities; attributes and
//! elements that are not listed here; other encodings; characters that XML cannot have; members that are there twice;
//! anything behind the message. Everything is bounded ([`Limits`]). A message is never held whole.
//!
//! # Writing
//! Characters that XML cannot have become U+FFFD, `\r` is written by number. Enums with content and integers beyond 64
//! bits have no form.

mod element;
mod error;
mod message;
mod read;
mod scan;
#[cfg(test)]
mod tests;
mod value;
mod write;

pub use error::{Path, XmlRpcError};
pub use message::{
    Arguments, Call, read_answer, read_call, write_answer, write_answers, write_call, write_fault,
    write_value,
};
pub use scan::Limits;
pub use value::{Fault, Value};
