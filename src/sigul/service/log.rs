//! The log: one line an event, on stderr, with names for all values. No secret and no payload is ever given to it.

use std::fmt::{Display, Write as _};
use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use crate::base::SourceDate;

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// `time=… event=… name=value`, as logfmt has it.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// A log of one process.
#[derive(Clone, Copy, Debug)]
pub struct Log {
    form: Form,
}

/// The longest value: what others send may be long.
const LONGEST: usize = 300;

impl Log {
    /// Writes lines of this form.
    pub fn new(form: Form) -> Self {
        Self { form }
    }

    /// Writes a line.
    pub fn event(self, event: &str, values: &[(&str, &dyn Display)]) {
        // A line that cannot be written is lost; nobody's request is.
        drop(writeln!(std::io::stderr(), "{}", self.line(&now(), event, values)));
    }

    fn line(self, time: &str, event: &str, values: &[(&str, &dyn Display)]) -> String {
        let values = values.iter().map(|(name, value)| {
            let text: String = value.to_string().chars().take(LONGEST).collect();
            (*name, text)
        });
        match self.form {
            Form::Json => {
                let head = [("time", time.to_owned()), ("event", event.to_owned())];
                let all = head.into_iter().chain(values).map(|(name, value)| (name.to_owned(), value.into()));
                serde_json::Value::Object(all.collect()).to_string()
            }
            Form::Text => {
                let mut line = format!("time={time} event={event}");
                for (name, value) in values {
                    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '=' | '\\');
                    // Writing into memory cannot fail.
                    let _ = if !value.is_empty() && value.chars().all(plain) {
                        write!(line, " {name}={value}")
                    } else {
                        write!(line, " {name}=\"{}\"", value.escape_debug())
                    };
                }
                line
            }
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "when something happened, for people; no output of a compose")]
fn now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let date = SourceDate::from_seconds(i64::try_from(seconds).unwrap_or(0));
    date.map_or_else(|_| seconds.to_string(), |date| date.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_never_becomes_another_line_or_name() {
        let values: &[(&str, &dyn Display)] = &[("user", &"a b\nevent=x"), ("op", &"sign-text"), ("n", &7)];
        let text = Log::new(Form::Text).line("T", "e", values);
        assert_eq!(text, r#"time=T event=e user="a b\nevent=x" op=sign-text n=7"#);
        let json = Log::new(Form::Json).line("T", "e", values);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&json["user"], &json["n"]), (&"a b\nevent=x".into(), &"7".into()));
    }
}
