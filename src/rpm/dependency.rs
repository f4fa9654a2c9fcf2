//! Dependencies: what a package provides, requires, conflicts with, obsoletes, and only wishes for.
//!
//! A list is three tags: names, versions and flags. It is a view of the header; entries are decoded one by one.

use std::borrow::Cow;

use super::header::Header;
use super::package::{PackageError, beside, clip};
use super::tags;
use super::values::{Numbers, Texts};
use crate::base::Evr;

/// Bits of [`Dependency::flags`], from rpm's `rpmds.h`.
pub mod sense {
    use ::rpm::DependencyFlags;

    /// Versions below.
    pub const LESS: u32 = DependencyFlags::LESS.bits();
    /// Versions above.
    pub const GREATER: u32 = DependencyFlags::GREATER.bits();
    /// This version.
    pub const EQUAL: u32 = DependencyFlags::EQUAL.bits();
    /// Needed before installation.
    pub const PREREQ: u32 = DependencyFlags::PREREQ.bits();
    /// Needed by the pre-install scriptlet.
    pub const SCRIPT_PRE: u32 = DependencyFlags::SCRIPT_PRE.bits();
    /// Needed by the post-install scriptlet.
    pub const SCRIPT_POST: u32 = DependencyFlags::SCRIPT_POST.bits();
    /// A feature of rpm itself.
    pub const RPMLIB: u32 = DependencyFlags::RPMLIB.bits();
}

/// The kinds of dependency lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// What the package offers.
    Provides,
    /// What it needs.
    Requires,
    /// What it must not be installed with.
    Conflicts,
    /// What it replaces.
    Obsoletes,
    /// What should be installed with it.
    Recommends,
    /// What may be installed with it.
    Suggests,
    /// What it should be installed with.
    Supplements,
    /// What it may be installed with.
    Enhances,
    /// What it should be installed after.
    Order,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Provides,
        Self::Requires,
        Self::Conflicts,
        Self::Obsoletes,
        Self::Recommends,
        Self::Suggests,
        Self::Supplements,
        Self::Enhances,
        Self::Order,
    ];

    /// Those that repository metadata have: all but [`Kind::Order`].
    pub const LISTED: [Self; 8] = [
        Self::Provides,
        Self::Requires,
        Self::Conflicts,
        Self::Obsoletes,
        Self::Recommends,
        Self::Suggests,
        Self::Supplements,
        Self::Enhances,
    ];

    /// Its name, as that of rpm's query option.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Provides => "provides",
            Self::Requires => "requires",
            Self::Conflicts => "conflicts",
            Self::Obsoletes => "obsoletes",
            Self::Recommends => "recommends",
            Self::Suggests => "suggests",
            Self::Supplements => "supplements",
            Self::Enhances => "enhances",
            Self::Order => "order",
        }
    }

    /// Names, flags and versions.
    const fn tags(self) -> [u32; 3] {
        match self {
            Self::Provides => [tags::PROVIDENAME, tags::PROVIDEFLAGS, tags::PROVIDEVERSION],
            Self::Requires => [tags::REQUIRENAME, tags::REQUIREFLAGS, tags::REQUIREVERSION],
            Self::Conflicts => [tags::CONFLICTNAME, tags::CONFLICTFLAGS, tags::CONFLICTVERSION],
            Self::Obsoletes => [tags::OBSOLETENAME, tags::OBSOLETEFLAGS, tags::OBSOLETEVERSION],
            Self::Recommends => [tags::RECOMMENDNAME, tags::RECOMMENDFLAGS, tags::RECOMMENDVERSION],
            Self::Suggests => [tags::SUGGESTNAME, tags::SUGGESTFLAGS, tags::SUGGESTVERSION],
            Self::Supplements => [tags::SUPPLEMENTNAME, tags::SUPPLEMENTFLAGS, tags::SUPPLEMENTVERSION],
            Self::Enhances => [tags::ENHANCENAME, tags::ENHANCEFLAGS, tags::ENHANCEVERSION],
            Self::Order => [tags::ORDERNAME, tags::ORDERFLAGS, tags::ORDERVERSION],
        }
    }
}

/// One entry of a dependency list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dependency<'h> {
    /// A name, a path or a rich dependency in parentheses.
    pub name: Cow<'h, str>,
    /// rpm's bits, see [`sense`].
    pub flags: u32,
    /// `[epoch:]version[-release]`, empty without a version.
    pub evr: Cow<'h, str>,
}

impl Dependency<'_> {
    /// Epoch, version and release, where it names a version.
    pub fn parsed_evr(&self) -> Option<Evr> {
        (!self.evr.is_empty()).then(|| Evr::parse(&self.evr))
    }

    /// `<`, `<=`, `=`, `>=`, `>`, or nothing where any version will do.
    pub fn comparison(&self) -> &'static str {
        match self.flags & (sense::LESS | sense::GREATER | sense::EQUAL) {
            2 => "<",
            4 => ">",
            8 => "=",
            10 => "<=",
            12 => ">=",
            _ => "",
        }
    }
}

/// A list of dependencies, in the order of the header.
#[derive(Clone, Debug, Default)]
pub struct Dependencies<'h> {
    names: Texts<'h>,
    flags: Numbers<'h>,
    evrs: Texts<'h>,
    /// One more, which the header does not have.
    implied: Option<Box<Dependency<'h>>>,
}

impl<'h> Dependencies<'h> {
    /// The list of a kind.
    pub(super) fn of(main: &'h Header, kind: Kind) -> Result<Self, PackageError> {
        let [names, flags, evrs] = kind.tags();
        Self::beside(main, [names, flags, evrs])
    }

    /// The list of three tags: names, flags, versions.
    pub(super) fn beside(main: &'h Header, [names, flags, evrs]: [u32; 3]) -> Result<Self, PackageError> {
        let names = main.texts(names)?;
        let (flags, evrs) = (main.numbers(flags)?, main.texts(evrs)?);
        beside("dependency flags", names.len(), flags.len())?;
        beside("dependency versions", names.len(), evrs.len())?;
        Ok(Self { names, flags, evrs, implied: None })
    }

    /// Adds one at the end unless it is there.
    pub(super) fn imply(&mut self, dependency: Dependency<'h>) {
        if !self.iter().any(|known| known == dependency) {
            self.implied = Some(Box::new(dependency));
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.names.len() + usize::from(self.implied.is_some())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries.
    pub fn iter(&self) -> impl Iterator<Item = Dependency<'h>> + use<'_, 'h> {
        let (mut flags, mut evrs) = (self.flags.iter(), self.evrs.iter());
        let listed = self.names.iter().map(move |name| Dependency {
            name,
            flags: flags.next().map_or(0, clip),
            evr: evrs.next().unwrap_or_default(),
        });
        listed.chain(self.implied.as_deref().cloned())
    }
}
