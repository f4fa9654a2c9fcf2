//! Shell patterns with the meaning of Python's `fnmatch`, which comps tools, Pungi and mash use:
//! `*` also matches `/`, case matters, `[!…]` negates, an unclosed `[` is itself.

/// Whether a text matches a pattern as a whole.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut from) = (0, 0);
    // Where to take up again after the last star: the pattern behind it, and how far it reached.
    let mut star: Option<(usize, usize)> = None;
    loop {
        let step = match (pattern.get(at), text.get(from)) {
            (Some('*'), _) => {
                star = Some((at + 1, from));
                at += 1;
                continue;
            }
            (None, None) => return true,
            (Some('?'), Some(_)) => Some(at + 1),
            (Some('['), Some(&found)) => match set(&pattern, at, found) {
                Some((next, true)) => Some(next),
                Some((_, false)) => None,
                None => (found == '[').then_some(at + 1),
            },
            (Some(wanted), Some(found)) => (wanted == found).then_some(at + 1),
            _ => None,
        };
        match (step, star) {
            (Some(next), _) => (at, from) = (next, from + 1),
            (None, Some((behind, reached))) if reached < text.len() => {
                star = Some((behind, reached + 1));
                (at, from) = (behind, reached + 1);
            }
            _ => return false,
        }
    }
}

/// Reads a `[…]` set that starts at `at`: where the pattern goes on, and whether the character is in it.
fn set(pattern: &[char], at: usize, found: char) -> Option<(usize, bool)> {
    let negated = pattern.get(at + 1) == Some(&'!');
    let first = at + 1 + usize::from(negated);
    // A `]` directly at the start is a member.
    let close = (first + 1..pattern.len()).find(|&place| pattern.get(place) == Some(&']'))?;
    let members = pattern.get(first..close)?;
    let mut place = 0;
    let mut inside = false;
    while let Some(&low) = members.get(place) {
        if let (Some('-'), Some(&high)) = (members.get(place + 1), members.get(place + 2)) {
            inside |= (low..=high).contains(&found);
            place += 3;
        } else {
            inside |= low == found;
            place += 1;
        }
    }
    Some((close + 1, inside != negated))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_as_python_does() {
        for (pattern, text, expected) in [
            ("*.so.*", "libc.so.6", true),
            ("*.so.*", "libc.so", false),
            ("/usr/lib*/qt*/plugins/*", "/usr/lib64/qt5/a/plugins/b/c", true),
            ("lib[a-c]?", "libbz", true),
            ("lib[!a-c]?", "libbz", false),
            ("[]]", "]", true),
            ("a[b", "a[b", true),
            ("", "", true),
            ("*", "", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("Kernel", "kernel", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
