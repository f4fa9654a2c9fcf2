//! What a source says of modules.

use std::fmt;
use std::str::FromStr;

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

#[cfg(test)]
mod tests {
    use super::*;

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
