//! Python's `%` between a string and values, as far as configurations use it.

use super::{Node, Value};

/// Fields of one string that are replaced.
const WIDEST: usize = 99;

/// Puts values into a template: `%s`, `%d`, `%i` and `%%`, with `-`, `0` and a width of two digits, and `%(key)s`.
/// `longest` bounds the result.
pub(super) fn format(template: &str, values: &Node, longest: usize) -> Result<String, String> {
    let mut list = match &values.value {
        Value::Tuple(values) => values.iter(),
        _ => std::slice::from_ref(values).iter(),
    };
    let is_map = values.entries().is_some();
    let mut made = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('%') {
        made.push_str(before);
        let (field, after) = Field::read(after)?;
        rest = after;
        let value = match field.key {
            _ if field.conversion == '%' => {
                made.push('%');
                continue;
            }
            Some(key) if is_map => values
                .get(key)
                .ok_or_else(|| format!("the values to put in lack '{}'", key.escape_debug()))?,
            Some(_) => return Err("the string names what to put in, but no map follows the '%'".into()),
            None if is_map => {
                return Err("a map follows the '%', but the string names none of its keys".into());
            }
            None => list.next().ok_or("there are fewer values behind the '%' than the string takes")?,
        };
        made.push_str(&field.put(&value.value)?);
        if made.len() > longest {
            return Err("the string becomes too long".into());
        }
    }
    made.push_str(rest);
    match list.next() {
        Some(_) if !is_map => Err("there are more values behind the '%' than the string takes".into()),
        _ if made.len() > longest => Err("the string becomes too long".into()),
        _ => Ok(made),
    }
}

struct Field<'t> {
    key: Option<&'t str>,
    left: bool,
    zeros: bool,
    width: usize,
    conversion: char,
}

impl<'t> Field<'t> {
    fn read(mut rest: &'t str) -> Result<(Self, &'t str), String> {
        let mut key = None;
        if let Some(named) = rest.strip_prefix('(') {
            let (name, after) = named.split_once(')').ok_or("a '%(' in the string has no ')'")?;
            (key, rest) = (Some(name), after);
        }
        let flags = rest.len() - rest.trim_start_matches(['-', '0']).len();
        let (flags, after) = rest.split_at(flags);
        let digits = after.len() - after.trim_start_matches(|char: char| char.is_ascii_digit()).len();
        let (digits, after) = after.split_at(digits);
        let width = if digits.is_empty() { Ok(0) } else { digits.parse() };
        let width = width.ok().filter(|width| *width <= WIDEST).ok_or("a field of the string is too wide")?;
        let conversion = after.chars().next().filter(|char| "sdi%".contains(*char));
        let conversion = conversion.ok_or("of '%' fields only %s, %d, %i and %% are read")?;
        let after = after.get(1..).unwrap_or_default();
        Ok((Self { key, left: flags.contains('-'), zeros: flags.contains('0'), width, conversion }, after))
    }

    fn put(&self, value: &Value) -> Result<String, String> {
        let is_number = matches!(value, Value::Integer(_) | Value::Float(_) | Value::Flag(_));
        let text = match (self.conversion, value) {
            ('s', Value::Text(text)) => text.clone(),
            ('s', Value::None) => "None".into(),
            ('s', Value::Flag(true)) => "True".into(),
            ('s', Value::Flag(false)) => "False".into(),
            ('s', Value::Float(number)) => format!("{number:?}"),
            (_, Value::Integer(number)) => number.to_string(),
            (_, Value::Flag(flag)) => u8::from(*flag).to_string(),
            (_, Value::Float(number)) => format!("{:.0}", number.trunc()),
            _ => {
                return Err(
                    "what follows the '%' is no string or number, or one where the other is due".into()
                );
            }
        };
        let missing = " ".repeat(self.width.saturating_sub(text.chars().count()));
        Ok(match text.strip_prefix('-') {
            _ if self.left => text + &missing,
            Some(digits) if self.zeros && is_number && self.conversion != 's' => {
                format!("-{}{digits}", missing.replace(' ', "0"))
            }
            None if self.zeros && is_number && self.conversion != 's' => missing.replace(' ', "0") + &text,
            _ => missing + &text,
        })
    }
}
