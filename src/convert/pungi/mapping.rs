//! Pungi's mappings from variants and arches to values: `[(REGEX, {ARCH or "*": VALUE or [VALUES]})]`, where the regular
//! expression fits the beginning of a variant's id (`re.match`) and `*` is every arch but `src`; and `{ARCH or "*": [VALUES]}`.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};

use crate::convert::note::{NoteKind, NotePlace, Notes, short};
use crate::format::pungi_conf::{Node, PungiConf};

/// Bytes that a compiled expression may take.
const LARGEST_REGEX: usize = 1 << 20;

/// The expressions of a configuration, each read once.
#[derive(Debug, Default)]
pub(super) struct Patterns(BTreeMap<String, Option<Regex>>);

impl Patterns {
    /// Whether an expression fits the beginning of an id; none where it cannot be read, which a note says.
    pub(super) fn fits(&mut self, pattern: &Node, id: &str, option: &str, notes: &mut Notes) -> Option<bool> {
        let Some(text) = pattern.text() else {
            let place = Some(NotePlace::from(&pattern.place));
            notes.add(
                NoteKind::Lost,
                place,
                option,
                "a pattern of variants is no string; what it maps to was left out",
            );
            return None;
        };
        let compiled = self.0.entry(text.to_owned()).or_insert_with(|| {
            RegexBuilder::new(&format!("^(?:{text})")).size_limit(LARGEST_REGEX).build().ok()
        });
        match compiled {
            Some(regex) => Some(regex.is_match(id)),
            None => {
                let text = format!(
                    "the regular expression {} is none that gander reads; what it maps to was left out",
                    short(text)
                );
                notes.add(NoteKind::Lost, Some(NotePlace::from(&pattern.place)), option, text);
                None
            }
        }
    }
}

/// The values for a variant and an arch, in the order of the configuration.
pub(super) fn values<'c>(
    conf: &'c PungiConf,
    option: &str,
    (id, arch): (&str, &str),
    patterns: &mut Patterns,
    notes: &mut Notes,
) -> Vec<&'c Node> {
    let Some(node) = conf.get(option) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in node.elements().unwrap_or_default() {
        if let Some([pattern, arches]) = entry.elements()
            && arches.entries().is_some()
            && patterns.fits(pattern, id, option, notes) == Some(true)
        {
            found.extend(values_of_arch(arches, arch));
        }
    }
    found
}

/// Whether a mapping has values for an arch, of whatever variant.
pub(super) fn has_arch(conf: &PungiConf, option: &str, arch: &str) -> bool {
    let entries = conf.get(option).and_then(Node::elements).unwrap_or_default();
    let maps = entries.iter().filter_map(|entry| entry.elements()?.get(1));
    maps.into_iter().any(|map| !values_of_arch(map, arch).is_empty())
}

/// The values for an arch, in the order of the configuration.
pub(super) fn values_of_arch<'c>(map: &'c Node, arch: &str) -> Vec<&'c Node> {
    let fits = |key: &Node| key.text().is_some_and(|key| key == arch || key == "*" && arch != "src");
    let entries = map.entries().unwrap_or_default().iter().filter(|(key, _)| fits(key));
    entries.flat_map(|(_, value)| value.elements().unwrap_or(std::slice::from_ref(value))).collect()
}

/// Says what of a mapping has no effect: a form that is none, patterns that fit no variant, what is for `src`.
pub(super) fn examine(
    conf: &PungiConf,
    option: &str,
    ids: &[String],
    patterns: &mut Patterns,
    notes: &mut Notes,
) {
    let Some(setting) = conf.settings.get(option) else { return };
    let Some(entries) = setting.node.elements() else {
        if !matches!(setting.node.value, crate::format::pungi_conf::Value::None) {
            let place = Some(NotePlace::from(&setting.place));
            notes.add(
                NoteKind::Lost,
                place,
                option,
                "this is no list of (variants, {arch: …}); it was left out",
            );
        }
        return;
    };
    for entry in entries {
        let place = Some(NotePlace::from(&entry.place));
        let Some([pattern, arches]) =
            entry.elements().filter(|parts| parts.get(1).is_some_and(|map| map.entries().is_some()))
        else {
            notes.add(
                NoteKind::Lost,
                place,
                option,
                "this is no pair of variants and {arch: …}; it was left out",
            );
            continue;
        };
        let mut fits_any = ids.is_empty();
        for id in ids {
            match patterns.fits(pattern, id, option, notes) {
                Some(fits) => fits_any |= fits,
                None => {
                    fits_any = true;
                    break;
                }
            }
        }
        if !fits_any {
            let text =
                format!("no variant that is composed fits {}", short(pattern.text().unwrap_or_default()));
            notes.add(NoteKind::NoEffect, place, option, text);
        }
        for (key, _) in
            arches.entries().unwrap_or_default().iter().filter(|(key, _)| key.text() == Some("src"))
        {
            let place = Some(NotePlace::from(&key.place));
            notes.add(
                NoteKind::Lost,
                place,
                option,
                "what is for 'src' was left out: sources follow their packages",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conf(text: &str) -> PungiConf {
        PungiConf::parse("p.conf", text.as_bytes(), &mut |_| Err("none".into())).unwrap()
    }

    /// Each row: variant, arch, and the values that Pungi takes for them.
    #[test]
    fn maps_variants_and_arches_as_pungi_does() {
        let conf = conf(
            "x = [\n('^Server$', {'*': ['a', 'b'], 'x86_64': 'c', 'src': ['s']}),\n('Server', {'*': 'd'}),\n('^(Client|Server)-opt', {'*': 'e'}),\n]",
        );
        for (id, arch, expected) in [
            ("Server", "x86_64", "a b c d"),
            ("Server", "s390x", "a b d"),
            ("Server", "src", "s"),
            ("Server-optional", "x86_64", "d e"),
            ("Client-optional", "x86_64", "e"),
            ("MyServer", "x86_64", ""),
        ] {
            let mut notes = Notes::default();
            let found = values(&conf, "x", (id, arch), &mut Patterns::default(), &mut notes);
            let found: Vec<_> = found.iter().filter_map(|node| node.text()).collect();
            assert_eq!(found.join(" "), expected, "{id} {arch}");
            assert_eq!(notes.into_sorted(), []);
        }
    }

    #[test]
    fn says_what_has_no_effect() {
        let conf = conf(
            "x = [('^A$', {'src': 1}),\n('^B$', {'*': 1}),\n('(?=A)', {'*': 1}),\n'A',\n(1, {}),\n]\ny = {}",
        );
        let mut notes = Notes::default();
        let mut patterns = Patterns::default();
        examine(&conf, "x", &["A".into()], &mut patterns, &mut notes);
        examine(&conf, "y", &["A".into()], &mut patterns, &mut notes);
        let notes: Vec<_> =
            notes.into_sorted().iter().map(|note| format!("{} {note}", note.kind.name())).collect();
        for (at, expected) in [
            "lost p.conf:1: x: what is for 'src' was left out",
            "lost p.conf:3: x: the regular expression '(?=A)' is none that gander reads",
            "lost p.conf:4: x: this is no pair",
            "lost p.conf:5: x: a pattern of variants is no string",
            "lost p.conf:7: y: this is no list of",
            "no-effect p.conf:2: x: no variant that is composed fits '^B$'",
        ]
        .into_iter()
        .enumerate()
        {
            assert!(notes[at].starts_with(expected), "{expected}: {notes:#?}");
        }
        assert_eq!(notes.len(), 6);
    }
}
