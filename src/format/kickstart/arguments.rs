//! Options and arguments as Python's argparse takes them.
//!
//! `--option=value` and `--option value`; an option may be shortened as long as it is unmistakable; `--` ends the
//! options; what begins with a dash is an option unless it is a number, a dash alone or holds a blank. Arguments
//! are taken from the first run of arguments that has any: a second run after an option is left over.

use super::syntax::{Count, Opt, Syntax, Takes};
use super::text::is_space;

/// What was given to a command or a section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    /// Options by their full name without dashes, in order, with their values.
    pub options: Vec<(&'static str, Option<String>)>,
    /// What is no option, in order, by what it is called.
    pub positional: Vec<(&'static str, String)>,
    /// What nothing took: unknown options and arguments in the wrong place.
    pub left_over: Vec<String>,
    /// The deprecated options among the given ones.
    pub(super) deprecated: Vec<&'static str>,
}

impl Arguments {
    /// Whether an option was given.
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|(name, _)| *name == option)
    }

    /// The value of an option, the last one.
    pub fn text(&self, option: &str) -> Option<&str> {
        self.options.iter().rev().find(|(name, _)| *name == option)?.1.as_deref()
    }

    /// The value of an option, owned.
    pub fn owned(&self, option: &str) -> Option<String> {
        self.text(option).map(str::to_owned)
    }

    /// The whole number of an option.
    pub fn number(&self, option: &str) -> Option<i64> {
        whole_number(self.text(option)?)
    }

    /// The list of an option: divided at commas, without empty entries.
    pub fn list(&self, option: &str) -> Option<Vec<String>> {
        self.text(option).map(comma_list)
    }

    /// Yes or no.
    pub fn yes(&self, option: &str) -> Option<bool> {
        yes_no(self.text(option)?)
    }

    /// The last given of several options.
    pub fn last_of(&self, options: &[&str]) -> Option<&'static str> {
        self.options.iter().rev().map(|(name, _)| *name).find(|name| options.contains(name))
    }

    /// An argument by what it is called.
    pub fn argument(&self, called: &str) -> Option<&str> {
        self.positional.iter().find(|(name, _)| *name == called).map(|(_, value)| value.as_str())
    }

    /// All arguments of a name.
    pub fn arguments<'a>(&'a self, called: &'a str) -> impl Iterator<Item = &'a str> {
        self.positional.iter().filter(move |(name, _)| *name == called).map(|(_, value)| value.as_str())
    }
}

/// A list as kickstart has it.
pub(super) fn comma_list(value: &str) -> Vec<String> {
    value.split(',').map(super::text::strip).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

fn yes_no(value: &str) -> Option<bool> {
    match value.to_lowercase().as_str() {
        "on" | "yes" | "true" | "1" => Some(true),
        "off" | "no" | "false" | "0" => Some(false),
        _ => None,
    }
}

/// Python's `int`, as far as 64 bits go.
fn whole_number(value: &str) -> Option<i64> {
    let value = super::text::strip(value);
    let (sign, digits) = match value.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", value.strip_prefix('+').unwrap_or(value)),
    };
    let well = digits.split('_').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    well.then(|| format!("{sign}{}", digits.replace('_', "")).parse().ok()).flatten()
}

fn is_negative_number(word: &str) -> bool {
    let Some(rest) = word.strip_prefix('-') else { return false };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match rest.split_once('.') {
        None => !rest.is_empty() && digits(rest),
        Some((whole, part)) => digits(whole) && !part.is_empty() && digits(part),
    }
}

/// What a word is.
enum Word<'a> {
    Argument,
    Option(&'a Opt, Option<&'a str>),
    Unknown,
}

fn classify<'a>(word: &'a str, syntax: &'a Syntax) -> Result<Word<'a>, String> {
    let find = |name: &str| syntax.options.iter().find(|option| option.names.contains(&name));
    let Some(name) = word.strip_prefix('-') else { return Ok(Word::Argument) };
    if name.is_empty() {
        return Ok(Word::Argument);
    }
    if let Some(long) = name.strip_prefix('-') {
        if let Some(option) = find(long) {
            return Ok(Word::Option(option, None));
        }
        let (given, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
        if let Some(option) = find(given) {
            return Ok(Word::Option(option, value));
        }
        let full: Vec<(&Opt, &str)> = syntax
            .options
            .iter()
            .flat_map(|option| option.names.iter().map(move |name| (option, *name)))
            .filter(|(_, name)| name.starts_with(given))
            .collect();
        match full.as_slice() {
            [] => {}
            [(option, _)] => return Ok(Word::Option(option, value)),
            several => {
                let names: Vec<_> = several.iter().map(|(_, name)| format!("--{name}")).collect();
                return Err(format!("the option --{given} could be {}", names.join(" or ")));
            }
        }
    }
    if is_negative_number(word) || word.contains(' ') {
        return Ok(Word::Argument);
    }
    Ok(Word::Unknown)
}

fn check(option: &Opt, value: &str) -> Result<(), String> {
    let name = option.names.first().copied().unwrap_or_default();
    match option.takes {
        Takes::Number if whole_number(value).is_none() => {
            Err(format!("the option --{name} wants a whole number, not '{value}'"))
        }
        Takes::YesNo if yes_no(value).is_none() => {
            Err(format!("the option --{name} wants 'yes' or 'no', not '{value}'"))
        }
        Takes::OneOf(choices) if !choices.split('|').any(|choice| choice == value) => {
            let choices = choices.replace('|', ", ");
            Err(format!("the option --{name} cannot be '{value}': it is one of {choices}"))
        }
        _ => Ok(()),
    }
}

/// Takes the words apart; what nothing takes is left over for the command to judge.
pub(super) fn parse(words: &[String], syntax: &Syntax) -> Result<Arguments, String> {
    // Everything behind `--` is an argument, and the mark itself is gone.
    let mut all = Vec::new();
    let mut ended = false;
    for word in words {
        match (ended, word.as_str()) {
            (false, "--") => ended = true,
            (false, text) => all.push((text, classify(text, syntax)?)),
            (true, text) => all.push((text, Word::Argument)),
        }
    }
    let mut found = Arguments::default();
    let mut open = syntax.positional.as_slice();
    let mut at = 0;
    while let Some((text, word)) = all.get(at) {
        match word {
            Word::Argument => {
                let run = all.iter().skip(at).take_while(|(_, word)| matches!(word, Word::Argument)).count();
                let counts = share(open, run);
                let (taken, rest) = open.split_at_checked(counts.len()).unwrap_or((open, &[]));
                open = rest;
                let mut values = all.iter().skip(at).take(run).map(|(text, _)| *text);
                for ((name, _), count) in taken.iter().zip(counts) {
                    found
                        .positional
                        .extend(values.by_ref().take(count).map(|value| (*name, value.to_owned())));
                }
                found.left_over.extend(values.map(str::to_owned));
                at += run;
            }
            Word::Unknown => {
                found.left_over.push((*text).to_owned());
                at += 1;
            }
            Word::Option(option, given) => {
                let name = option.names.first().copied().unwrap_or_default();
                at += 1;
                let value = match (option.takes, given) {
                    (Takes::Nothing, None) => None,
                    (Takes::Nothing, Some(value)) => {
                        return Err(format!("the option --{name} takes no value, but has '{value}'"));
                    }
                    (_, Some(value)) => Some(*value),
                    (takes, None) => match all.get(at) {
                        Some((text, Word::Argument)) => {
                            at += 1;
                            Some(*text)
                        }
                        _ if takes == Takes::MaybeText => None,
                        _ => return Err(format!("the option --{name} wants a value")),
                    },
                };
                if let Some(value) = value {
                    check(option, value)?;
                }
                if option.deprecated {
                    found.deprecated.push(name);
                }
                found.options.push((name, value.map(str::to_owned)));
            }
        }
    }
    if let Some((name, _)) = open.iter().find(|(_, count)| *count == Count::One) {
        return Err(format!("an argument is missing: {name}"));
    }
    for option in syntax.options.iter().filter(|option| option.required) {
        let name = option.names.first().copied().unwrap_or_default();
        if !found.has(name) {
            return Err(format!("the option --{name} is required"));
        }
    }
    Ok(found)
}

/// How many of a run of arguments each of the first open ones takes: as many of them as the run suffices for.
fn share(open: &[(&'static str, Count)], run: usize) -> Vec<usize> {
    let needs = |of: &[(&'static str, Count)]| of.iter().filter(|(_, count)| *count == Count::One).count();
    let mut taken = open;
    while needs(taken) > run {
        taken = taken.split_last().map_or(&[], |(_, rest)| rest);
    }
    let (mut left, mut counts) = (run, Vec::new());
    let mut later = taken;
    while let Some(((_, count), rest)) = later.split_first() {
        let free = left.saturating_sub(needs(rest));
        let take = match count {
            Count::One => 1,
            Count::AtMostOne => free.min(1),
            Count::Any => free,
        };
        counts.push(take);
        left = left.saturating_sub(take);
        later = rest;
    }
    counts
}

/// Names the closest of some names, where one is close.
pub(super) fn closest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // The time that it takes grows with the length, and no name is as long.
    if name.len() > 100 {
        return None;
    }
    let near = names.map(|other| (strsim::jaro_winkler(name, other), other));
    near.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(near, _)| *near > 0.8).map(|(_, other)| other)
}

/// What to say of the first word that nothing took.
pub(super) fn complain(word: &str, what: &str, syntax: &Syntax) -> String {
    if word.chars().all(is_space) {
        return format!("{what} must stand on one line: a backslash at the end does not continue it");
    }
    let Some(name) = word.strip_prefix("--") else {
        return format!("{what} does not take the argument '{word}'");
    };
    let name = name.split('=').next().unwrap_or(name);
    let names = syntax.options.iter().flat_map(|option| option.names.iter().copied());
    match closest(name, names) {
        Some(other) => format!("{what} has no option --{name}; did you mean --{other}?"),
        None => format!("{what} has no option --{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::syntax::Dialect;
    use super::*;

    #[test]
    fn takes_words_as_argparse_does() {
        let line = "<one> <more*> size=# append= text=* on=? kind=[a|b] grow growfs need=!";
        let syntax = Syntax::read(line, Dialect::Fedora);
        for (words, expected) in [
            ("--need=x a b c", "need=x one=a more=b more=c"),
            ("a --need x b", "need=x one=a +b"),
            ("--need x -- --a -b", "need=x one=--a more=-b"),
            ("--ne x a --gro", "the option --gro could be --grow or --growfs"),
            ("--ne x a --grow --si -5", "need=x grow size=-5 one=a"),
            ("a --need", "the option --need wants a value"),
            ("a --need --grow", "the option --need wants a value"),
            ("a", "the option --need is required"),
            ("--need=", "an argument is missing: one"),
            ("--need= a --grow=1", "the option --grow takes no value, but has '1'"),
            ("--need= a --size 1.5", "the option --size wants a whole number, not '1.5'"),
            ("--need= a --kind c", "the option --kind cannot be 'c': it is one of a, b"),
            ("--need= a --on maybe", "the option --on wants 'yes' or 'no', not 'maybe'"),
            ("--need= a --text --bad -x", "need= text one=a +--bad +-x"),
        ] {
            let words: Vec<_> = words.split(' ').map(str::to_owned).collect();
            let found = match parse(&words, &syntax) {
                Err(message) => message,
                Ok(found) => {
                    let options = found.options.iter().map(|(name, value)| match value {
                        Some(value) => format!("{name}={value}"),
                        None => (*name).to_owned(),
                    });
                    let named = found.positional.iter().map(|(name, value)| format!("{name}={value}"));
                    let left = found.left_over.iter().map(|word| format!("+{word}"));
                    options.chain(named).chain(left).collect::<Vec<_>>().join(" ")
                }
            };
            assert_eq!(found, expected, "{words:?}");
        }
    }

    #[test]
    fn numbers_are_those_of_python() {
        for (text, expected) in [
            ("12", Some(12)),
            (" +1_000 ", Some(1000)),
            ("-3", Some(-3)),
            ("_1", None),
            ("1__0", None),
            ("", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(whole_number(text), expected, "{text}");
        }
    }
}
