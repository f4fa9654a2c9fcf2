//! Values as Python shows them, because the texts of Koji's faults quote them that way.

use std::fmt::Write as _;

use crate::format::xmlrpc::Value;

/// The `repr` of a text: in single quotes, in double quotes where it has single ones only.
pub fn text(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for char in text.chars() {
        match char {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            char if char == quote => _ = write!(out, "\\{char}"),
            char if u32::from(char) < 0x20 || u32::from(char) == 0x7f => {
                _ = write!(out, "\\x{:02x}", u32::from(char));
            }
            char => out.push(char),
        }
    }
    out.push(quote);
    out
}

/// The `repr` of a value.
pub fn repr(value: &Value) -> String {
    match value {
        Value::Nil => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::Double(number) => format!("{number:?}"),
        Value::Text(value) => text(value),
        Value::Bytes(bytes) => format!("b{}", text(&String::from_utf8_lossy(bytes))),
        Value::Array(values) => format!("[{}]", values.iter().map(repr).collect::<Vec<_>>().join(", ")),
        Value::Struct(members) => {
            let members: Vec<_> =
                members.iter().map(|(name, value)| format!("{}: {}", text(name), repr(value))).collect();
            format!("{{{}}}", members.join(", "))
        }
    }
}

/// The `str` of a value.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        value => repr(value),
    }
}

/// Whether Python takes a value for true.
pub fn truth(value: &Value) -> bool {
    match value {
        Value::Nil => false,
        Value::Bool(value) => *value,
        Value::Int(number) => *number != 0,
        Value::Double(number) => *number != 0.0,
        Value::Text(text) => !text.is_empty(),
        Value::Bytes(bytes) => !bytes.is_empty(),
        Value::Array(values) => !values.is_empty(),
        Value::Struct(members) => !members.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_look_as_in_python() {
        let list =
            Value::Array(vec![Value::Int(1), Value::Nil, Value::Text("it's".into()), Value::Bool(true)]);
        assert_eq!(repr(&list), r#"[1, None, "it's", True]"#);
        assert_eq!(text("a'b\"c\n\u{1}"), r#"'a\'b"c\n\x01'"#);
        assert_eq!(repr(&Value::Struct([("a".into(), Value::Double(1.0))].into())), "{'a': 1.0}");
        assert!(truth(&Value::Int(2)) && !truth(&Value::Text(String::new())) && !truth(&Value::Nil));
    }
}
