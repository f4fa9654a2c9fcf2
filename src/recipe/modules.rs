//! What sources and variants say of modules.

use std::fmt;
use std::str::FromStr;

use super::read::Reader;
use super::schema::{Recipe, Variant};
use super::table::Table;
use crate::base::arch::TreeArch;

/// A choice about a module: a stream of it, perhaps one build of that, or that it is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModuleChoice {
    /// The module.
    pub module: String,
    /// The stream that is to be active; none where no stream of it is.
    pub stream: Option<String>,
    /// The only version of the stream that counts; the latest where there is none.
    pub version: Option<u64>,
    /// The only context of the version that counts; all where there is none.
    pub context: Option<String>,
}

/// The text is no such choice. Retrying cannot help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is neither MODULE:STREAM[:VERSION[:CONTEXT]] nor !MODULE", .0.escape_debug())]
pub struct ModuleChoiceError(String);

impl ModuleChoice {
    /// Whether a build of its stream with this version and context counts.
    pub fn admits(&self, version: u64, context: &str) -> bool {
        self.version.is_none_or(|wanted| wanted == version)
            && self.context.as_deref().is_none_or(|wanted| wanted == context)
    }
}

impl fmt::Display for ModuleChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { module, stream, version, context } = self;
        let Some(stream) = stream else { return write!(f, "!{module}") };
        write!(f, "{module}:{stream}")?;
        if let Some(version) = version {
            write!(f, ":{version}")?;
        }
        context.iter().try_for_each(|context| write!(f, ":{context}"))
    }
}

impl FromStr for ModuleChoice {
    type Err = ModuleChoiceError;

    fn from_str(text: &str) -> Result<Self, ModuleChoiceError> {
        // What libdnf takes as a name, a stream, a context.
        let named = |part: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._+".contains(&byte);
            !part.is_empty() && part.bytes().all(plain)
        };
        let wrong = || ModuleChoiceError(text.chars().take(200).collect());
        let parts: Vec<&str> = match text.strip_prefix('!') {
            Some(module) => vec![module],
            None => text.split(':').collect(),
        };
        if !parts.iter().all(|part| named(part)) {
            return Err(wrong());
        }
        let (module, stream, version, context) = match parts.as_slice() {
            [module] if text.starts_with('!') => (module, None, None, None),
            [module, stream] => (module, Some(stream), None, None),
            [module, stream, version] => (module, Some(stream), Some(version), None),
            [module, stream, version, context] => (module, Some(stream), Some(version), Some(context)),
            _ => return Err(wrong()),
        };
        let version = version.map(|version| version.parse()).transpose().map_err(|_| wrong())?;
        let owned = |part: &&str| (*part).to_owned();
        Ok(Self { module: owned(module), stream: stream.map(owned), version, context: context.map(owned) })
    }
}

impl Recipe {
    /// The streams whose packages variants have.
    pub fn named_modules(&self) -> impl Iterator<Item = &ModuleChoice> {
        self.variants.values().flat_map(|variant| {
            variant.modules.iter().chain(variant.by_arch.values().flat_map(|more| &more.modules))
        })
    }
}

impl Variant {
    /// The streams whose packages its tree of an arch has.
    pub fn modules_of(&self, arch: &TreeArch) -> Vec<ModuleChoice> {
        let more = self.by_arch.get(arch.name).into_iter().flat_map(|more| &more.modules);
        self.modules.iter().chain(more).cloned().collect()
    }
}

impl Reader {
    /// The streams whose packages a variant has.
    pub(super) fn named_modules(&mut self, table: &Table<'_>) -> Vec<ModuleChoice> {
        let mut found: Vec<ModuleChoice> = Vec::new();
        for text in table.texts("modules", &mut self.findings) {
            let span = text.span.clone();
            match text.parse::<ModuleChoice>(&mut self.findings) {
                Some(choice) if choice.stream.is_none() => {
                    let message =
                        format!("'{choice}' leaves a module out, and a variant has only what it names");
                    let help = "write it in 'modules' of a source, or name streams here";
                    self.findings.add_with_help(span, message, help);
                }
                Some(choice) => found.push(choice),
                None => {}
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_name_streams() {
        let parse = |modules: &str| {
            let text = format!(
                "[release]\nname = \"A\"\nshort = \"A\"\nversion = \"1\"\n[[source]]\ndir = \"d\"\non-unsigned = \"allow\"\n\
                 [variant.Base]\narches = [\"x86_64\"]\n{modules}"
            );
            Recipe::parse(&text, "r.toml")
        };
        let read = parse(
            "modules = [\"nodejs:18\", \"nodejs:20\"]\n\
             [variant.Base.arch.x86_64]\nmodules = [\"perl:5.36:7:c0ffee\"]",
        );
        let read = read.unwrap();
        let texts = |choices: &[ModuleChoice]| choices.iter().map(ToString::to_string).collect::<Vec<_>>();
        let base = &read.variants["Base"];
        assert_eq!(texts(&base.modules), ["nodejs:18", "nodejs:20"]);
        assert_eq!(texts(&base.by_arch["x86_64"].modules), ["perl:5.36:7:c0ffee"]);
        for (wrong, told) in [
            ("modules = [\"nodejs\"]", "'nodejs' is neither MODULE:STREAM[:VERSION[:CONTEXT]] nor !MODULE"),
            (
                "modules = [\"!nodejs\"]",
                "'!nodejs' leaves a module out, and a variant has only what it names",
            ),
            ("moduls = [\"nodejs:18\"]", "did you mean 'modules'?"),
        ] {
            let error = parse(&format!("packages = [\"a\"]\n{wrong}")).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn choices_are_read_as_they_are_written() {
        for text in ["nodejs:20", "nodejs:20:8090020240301", "perl-App:1.0_x:5:c0ffee42", "!nodejs"] {
            assert_eq!(text.parse::<ModuleChoice>().unwrap().to_string(), text);
        }
        for text in [
            "nodejs",
            "nodejs:",
            ":20",
            "!",
            "!nodejs:20",
            "nodejs:20:x",
            "a:b:1:",
            "a:b:1:c:x86_64",
            "a b:1",
        ] {
            assert!(text.parse::<ModuleChoice>().is_err(), "{text}");
        }
        let choice: ModuleChoice = "nodejs:20:5:c0ffee".parse().unwrap();
        assert!(choice.admits(5, "c0ffee") && !choice.admits(5, "deaf") && !choice.admits(6, "c0ffee"));
        assert!("nodejs:20".parse::<ModuleChoice>().unwrap().admits(7, "any"));
    }
}
