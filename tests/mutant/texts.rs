//! Texts that are nearly what they should be.

use super::Random;

const WORDS: [&str; 22] = [
    "(",
    "(",
    "(",
    ")",
    ")",
    ")",
    "a",
    "b",
    "lib(x86-64)",
    "and",
    "or",
    "if",
    "unless",
    "else",
    "with",
    "without",
    ">=",
    "=",
    "<",
    "1:2-3",
    ",",
    "(a or b)",
];

/// A text that is a rich dependency or nearly one.
pub fn nearly_rich_text(seed: u64) -> String {
    let mut random = Random::new(seed);
    let text = if random.below(2) == 0 { rich_text(&mut random, 0) } else { String::new() };
    let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    for _ in 0..random.below(3) {
        let place = random.below(words.len());
        match random.below(3) {
            0 => words[place] = random.of(&WORDS).into(),
            1 => words.insert(place, random.of(&WORDS).into()),
            _ => drop(words.remove(place)),
        }
        if words.is_empty() {
            words.push("(".into());
        }
    }
    if random.below(64) == 0 {
        let depth = random.below(20_000);
        words = vec!["(".repeat(depth), "a".into(), ")".repeat(depth)];
    }
    words.join(random.of(&[" ", " ", " ", "", "\t", ","]))
}

/// A text that is most likely a rich dependency.
fn rich_text(random: &mut Random, depth: usize) -> String {
    let operand = |random: &mut Random| match random.below(4 + depth) {
        0 if depth < 6 => rich_text(random, depth + 1),
        1 if depth < 6 => rich_text(random, depth + 1),
        2 => format!("a {} 1:2-3", random.of(&["<", "<=", "=<", "=", "==", ">=", "=>", ">"])),
        _ => random.of(&["a", "b", "c-d", "lib(x86-64)", "perl(A::B)"]).to_owned(),
    };
    let operator = random.of(&["and", "or", "with", "without", "if", "unless", ""]);
    let mut words = vec!["(".to_owned(), operand(random)];
    let more = match operator {
        "" => 0,
        "and" | "or" | "with" => 1 + random.below(3),
        _ => 1,
    };
    for _ in 0..more {
        words.extend([operator.to_owned(), operand(random)]);
    }
    if matches!(operator, "if" | "unless") && random.below(2) == 0 {
        words.extend(["else".to_owned(), operand(random)]);
    }
    words.push(")".to_owned());
    words.join(" ")
}

/// A version of the parts that rpm compares: numbers, letters, separators, tildes and carets.
pub fn version_text(random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..random.below(8) {
        text += match random.below(7) {
            0 => random.of(&["0", "00", "1", "01", "9", "10", "99999999999999999999999"]),
            1 | 2 => random.of(&["1", "2", "3"]),
            3 => random.of(&["a", "b", "rc", "A", "alpha"]),
            4 => random.of(&[".", "_", "+", "..", "-"]),
            5 => random.of(&["~", "^", "~~", "^^", "~^"]),
            _ => random.of(&["é", ":", "%", "1.0", "git"]),
        };
    }
    text
}
