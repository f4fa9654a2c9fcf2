//! What a source says of modules.

use std::str::FromStr;

/// A choice about a module: a stream of it, or that it is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleChoice {
    /// The module.
    pub module: String,
    /// The stream that is to be active; none where no stream of it is.
    pub stream: Option<String>,
}

/// The text is no such choice. Retrying cannot help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is neither MODULE:STREAM nor !MODULE", .0.escape_debug())]
pub struct ModuleChoiceError(String);

impl FromStr for ModuleChoice {
    type Err = ModuleChoiceError;

    fn from_str(text: &str) -> Result<Self, ModuleChoiceError> {
        // What libdnf takes as a name, a stream.
        let named = |part: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._+".contains(&byte);
            !part.is_empty() && part.bytes().all(plain)
        };
        let (module, stream) = match (text.strip_prefix('!'), text.split_once(':')) {
            (Some(module), _) => (module, None),
            (None, Some((module, stream))) => (module, Some(stream)),
            (None, None) => return Err(ModuleChoiceError(text.chars().take(200).collect())),
        };
        if !named(module) || !stream.is_none_or(named) {
            return Err(ModuleChoiceError(text.chars().take(200).collect()));
        }
        Ok(Self { module: module.into(), stream: stream.map(str::to_owned) })
    }
}
