//! What gander must know of a spec before rpmbuild reads it: its sources and its arches.
//!
//! Only literal text is understood, plus `%{name}`, `%{version}` and `%{release}` where the preamble
//! defines them literally; conditions are not evaluated, so a source inside `%if` counts always.

use std::collections::BTreeMap;

/// A spec's preamble as far as planning needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spec {
    /// File names of `SourceN:` and `PatchN:`, in order; of an address its last part.
    pub sources: Vec<String>,
    /// The arches of `ExclusiveArch:`; empty when the spec has none.
    pub exclusive_arches: Vec<String>,
    /// Whether the main package is `BuildArch: noarch`.
    pub noarch: bool,
}

/// The spec cannot be planned. Retrying cannot help.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// It is not text.
    #[error("the spec '{0}' is not UTF-8")]
    NotText(String),
    /// A tag uses a macro whose value only rpmbuild could tell.
    #[error(
        "line {line} of '{spec}' has a macro that cannot be expanded before the build: '{text}'; write its \
         value out (literal %{{name}}, %{{version}} and %{{release}} are understood)"
    )]
    Macro {
        /// The spec.
        spec: String,
        /// The line, from 1.
        line: usize,
        /// The tag's value.
        text: String,
    },
    /// A source's name is not a plain file name.
    #[error("line {line} of '{spec}' names the source '{text}', which is not a plain file name")]
    SourceName {
        /// The spec.
        spec: String,
        /// The line, from 1.
        line: usize,
        /// The name.
        text: String,
    },
}

impl Spec {
    /// Reads the preamble of a spec; `name` is for messages.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, SpecError> {
        let text = std::str::from_utf8(bytes).map_err(|_| SpecError::NotText(name.into()))?;
        let mut spec = Self::default();
        let mut known: BTreeMap<&str, String> = BTreeMap::new();
        let (mut main_package, mut preamble) = (true, true);
        for (index, line) in text.lines().enumerate() {
            let line_number = index + 1;
            if let Some(section) = section(line) {
                preamble = section == "package";
                main_package &= section != "package";
            }
            let Some((tag, value)) = line.split_once(':').filter(|_| preamble) else { continue };
            let (tag, value) = (tag.trim().to_ascii_lowercase(), value.trim());
            let expand = || {
                expand(value, &known).ok_or_else(|| SpecError::Macro {
                    spec: name.into(),
                    line: line_number,
                    text: value.into(),
                })
            };
            match tag.as_str() {
                "name" | "version" | "release" if main_package => {
                    let tag = if tag == "name" {
                        "name"
                    } else if tag == "version" {
                        "version"
                    } else {
                        "release"
                    };
                    // A release with %{?dist} is no literal; only what uses it cannot be planned.
                    if let Some(value) = crate::build::spec::expand(value, &known) {
                        known.insert(tag, value);
                    }
                }
                "exclusivearch" => spec.exclusive_arches.extend(words(&expand()?)),
                "buildarch" if main_package => {
                    spec.noarch |= words(&expand()?).iter().any(|arch| arch == "noarch");
                }
                _ if is_numbered(&tag, "source") || is_numbered(&tag, "patch") => {
                    let value = expand()?;
                    let file = value.rsplit('/').next().unwrap_or(&value).to_owned();
                    if file.is_empty()
                        || file.starts_with('.')
                        || file.chars().any(|c| c.is_whitespace() || c.is_control())
                    {
                        return Err(SpecError::SourceName {
                            spec: name.into(),
                            line: line_number,
                            text: file,
                        });
                    }
                    if !spec.sources.contains(&file) {
                        spec.sources.push(file);
                    }
                }
                _ => {}
            }
        }
        Ok(spec)
    }

    /// Which of these arches it is built for: all when it excludes none, the first when it is noarch.
    pub fn targets(&self, wanted: &[String]) -> Vec<String> {
        if self.noarch {
            return wanted.iter().take(1).cloned().collect();
        }
        let allowed =
            |arch: &&String| self.exclusive_arches.is_empty() || self.exclusive_arches.contains(arch);
        wanted.iter().filter(allowed).cloned().collect()
    }
}

/// The section that a line begins. Only a preamble has tags: what looks like one in a description, a
/// scriptlet or a change log is none.
fn section(line: &str) -> Option<&str> {
    const SECTIONS: &[&str] = &[
        "package",
        "description",
        "prep",
        "generate_buildrequires",
        "conf",
        "build",
        "install",
        "check",
        "clean",
        "changelog",
        "files",
        "pre",
        "preun",
        "post",
        "postun",
        "pretrans",
        "preuntrans",
        "posttrans",
        "postuntrans",
        "verify",
        "verifyscript",
        "triggerin",
        "triggerun",
        "triggerpostun",
        "triggerprein",
        "filetriggerin",
        "filetriggerun",
        "filetriggerpostun",
        "transfiletriggerin",
        "transfiletriggerun",
        "transfiletriggerpostun",
        "sourcelist",
        "patchlist",
    ];
    let word = line.strip_prefix('%')?.split_ascii_whitespace().next()?;
    SECTIONS.iter().copied().find(|known| *known == word)
}

fn words(text: &str) -> Vec<String> {
    text.split([' ', '\t', ',']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Whether a tag is this one with or without a number.
fn is_numbered(tag: &str, name: &str) -> bool {
    tag.strip_prefix(name).is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Expands the known macros; none if others are left.
fn expand(value: &str, known: &BTreeMap<&str, String>) -> Option<String> {
    let mut value = value.replace("%%", "\0");
    for (name, text) in known {
        value = value.replace(&format!("%{{{name}}}"), text);
    }
    (!value.contains('%')).then(|| value.replace('\0', "%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_sources_and_arches() {
        let spec = Spec::parse(
            "x.spec",
            b"Name: foo\nVersion: 1.2\nRelease: 1%{?dist}\nExclusiveArch: x86_64 i686\n\
              Source0: https://example.org/%{name}-%{version}.tar.gz\nSource: b.deb\nPatch12: fix.patch\n\
              %package devel\nBuildArch: noarch\n%description\nSources: none\n",
        )
        .unwrap();
        assert_eq!(spec.sources, ["foo-1.2.tar.gz", "b.deb", "fix.patch"]);
        assert!(!spec.noarch);
        let wanted = ["x86_64", "i686", "aarch64"].map(str::to_owned);
        assert_eq!(spec.targets(&wanted), ["x86_64", "i686"]);
        assert_eq!(Spec { noarch: true, ..Spec::default() }.targets(&wanted), ["x86_64"]);
        assert_eq!(Spec::default().targets(&wanted), wanted);
    }

    #[test]
    fn only_preambles_have_tags() {
        let spec = Spec::parse(
            "x.spec",
            b"Name: x\n  Source0 : a.tar\n%if 1\nSource1: b.tar\n%endif\n%description\n\
              Source: see the home page\nBuildArch: noarch\n%package devel\nSource2: c.tar\n%prep\n\
              Patch: not %{a} tag\n%changelog\n* Source3: d e f\nName: y\n",
        )
        .unwrap();
        assert_eq!(spec.sources, ["a.tar", "b.tar", "c.tar"]);
        assert!(!spec.noarch);
    }

    #[test]
    fn what_cannot_be_planned_is_named() {
        for (text, line) in [
            ("Name: x\nSource: %{url}/x.tar.gz\n", 2),
            ("Source: /\n", 1),
            ("Release: 1%{?dist}\nSource0: x-%{release}\n", 2),
        ] {
            let error = Spec::parse("x.spec", text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(&format!("line {line} of 'x.spec'")), "{error}");
        }
        assert!(Spec::parse("x.spec", b"\xff").is_err());
    }
}
