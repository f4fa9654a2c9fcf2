//! What a judge sees of a package.

use crate::base::Nevra;
use crate::select::{Candidate, FileKind, Member};

/// A package as the rules see it.
pub trait Subject {
    /// Its full name.
    fn nevra(&self) -> &Nevra;

    /// The names that it provides, in the order of its header.
    fn provided(&self) -> impl Iterator<Item = &str>;

    /// Its paths in the order of its header: what each is, its folder without `/` at the end, its name.
    fn paths(&self) -> impl Iterator<Item = (FileKind, &str, &str)>;
}

impl Subject for Candidate {
    fn nevra(&self) -> &Nevra {
        &self.nevra
    }

    fn provided(&self) -> impl Iterator<Item = &str> {
        self.provides.iter().map(|provided| provided.name.as_str())
    }

    fn paths(&self) -> impl Iterator<Item = (FileKind, &str, &str)> {
        self.files.iter().map(|file| {
            let (folder, name) = file.path().rsplit_once('/').unwrap_or(("", file.path()));
            (file.kind(), folder, name)
        })
    }
}

impl Subject for Member<'_> {
    fn nevra(&self) -> &Nevra {
        Member::nevra(*self)
    }

    fn provided(&self) -> impl Iterator<Item = &str> {
        self.provided_names()
    }

    fn paths(&self) -> impl Iterator<Item = (FileKind, &str, &str)> {
        self.files().map(|(kind, folder, name)| (kind, folder.strip_suffix('/').unwrap_or(folder), name))
    }
}

impl<S: Subject> Subject for &S {
    fn nevra(&self) -> &Nevra {
        (**self).nevra()
    }

    fn provided(&self) -> impl Iterator<Item = &str> {
        (**self).provided()
    }

    fn paths(&self) -> impl Iterator<Item = (FileKind, &str, &str)> {
        (**self).paths()
    }
}
