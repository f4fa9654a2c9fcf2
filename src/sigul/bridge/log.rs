//! What a bridge tells of its work: one line an event, as JSON or logfmt. Never a secret, never a payload.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::base::SourceDate;

/// The most characters of a text that came from outside.
const LONGEST: usize = 300;

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// `time=… event=… name=value …`
    #[default]
    Logfmt,
    /// An object of JSON.
    Json,
}

/// Where events go.
pub struct Log {
    format: LogFormat,
    to: Mutex<Box<dyn Write + Send>>,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Log({:?})", self.format)
    }
}

/// The fields of an event, in their order.
pub type Event = Vec<(&'static str, Value)>;

impl Log {
    /// Writes to something; stderr, as a rule.
    pub fn new(format: LogFormat, to: impl Write + Send + 'static) -> Self {
        Self { format, to: Mutex::new(Box::new(to)) }
    }

    /// Writes an event. What cannot be written is lost: a full disk does not stop signing.
    pub fn write(&self, event: &str, fields: Event) {
        let line = self.line(&now(), event, fields);
        let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        drop(to.write_all(line.as_bytes()).and_then(|()| to.flush()));
    }

    fn line(&self, time: &str, event: &str, fields: Event) -> String {
        let all = [("time", time.into()), ("event", event.into())].into_iter().chain(fields);
        let all = all.map(|(name, value)| (name, shortened(value)));
        let mut line = match self.format {
            LogFormat::Json => {
                let all = all.map(|(name, value)| format!("\"{name}\":{value}"));
                format!("{{{}}}", all.collect::<Vec<_>>().join(","))
            }
            LogFormat::Logfmt => {
                let all = all.map(|(name, value)| match value {
                    Value::String(text) if is_word(&text) => format!("{name}={text}"),
                    value => format!("{name}={value}"),
                });
                all.collect::<Vec<_>>().join(" ")
            }
        };
        line.push('\n');
        line
    }
}

/// Texts of others neither fill the disk nor look like lines of ours: JSON escapes what is not printable.
fn shortened(value: Value) -> Value {
    match value {
        Value::String(text) if text.chars().count() > LONGEST => {
            text.chars().take(LONGEST).chain(['…']).collect::<String>().into()
        }
        value => value,
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"=\\".contains(&byte))
}

#[allow(clippy::disallowed_methods, reason = "when something happened; no output of a release has it")]
fn now() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let second = i64::try_from(since.as_secs()).unwrap_or_default();
    let text = SourceDate::from_seconds(second).map(|date| date.to_string()).unwrap_or_default();
    format!("{}.{:03}Z", text.trim_end_matches('Z'), since.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_event_whatever_its_texts() {
        let fields = || vec![("user", "a b\n=\"".into()), ("op", "sign-text".into()), ("bytes", 7.into())];
        let log = |format| Log::new(format, std::io::sink()).line("T", "e", fields());
        assert_eq!(log(LogFormat::Logfmt), "time=T event=e user=\"a b\\n=\\\"\" op=sign-text bytes=7\n");
        let read: Value = serde_json::from_str(&log(LogFormat::Json)).unwrap();
        assert_eq!((&read["user"], &read["bytes"]), (&"a b\n=\"".into(), &7.into()));
        let long = Log::new(LogFormat::Logfmt, std::io::sink());
        assert!(long.line("T", "e", vec![("x", "y".repeat(9999).into())]).len() < 330);
        assert!(now().ends_with('Z') && now().len() == "2026-01-01T00:00:00.000Z".len(), "{}", now());
    }
}
