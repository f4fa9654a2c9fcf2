//! An error and what caused it, in words.

use std::error::Error;

/// An error and its causes in one line; causes that repeat what was said are left out.
pub fn chain(error: &(dyn Error + '_)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.extend([": ", &*more]);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Link(&'static str, #[source] Option<Box<Self>>);

    #[test]
    fn causes_are_said_once() {
        let link = |text, cause| Link(text, Some(Box::new(cause)));
        assert_eq!(chain(&Link("a", None)), "a");
        let error = link("no lock: disk full", link("disk full", Link("os error 28", None)));
        assert_eq!(chain(&error), "no lock: disk full: os error 28");
    }
}
