//! Scriptlets and triggers: the programs that a package brings for rpm to run.
//!
//! A scriptlet has a body, an interpreter with arguments, and flags, each under its own tag. Without an interpreter
//! rpm takes `/bin/sh`; without a body the interpreter runs alone; `<lua>` is rpm's own.
//!
//! A trigger is a scriptlet with conditions: names and versions of packages, or for file triggers beginnings of
//! paths. Scripts, interpreters, flags and priorities are lists side by side; conditions are another list, and each
//! names the place of its script (TRIGGERINDEX). When it fires is said by the flags of its conditions.

use std::borrow::Cow;

use super::dependency::{Dependencies, Dependency};
use super::headers::Headers;
use super::package::{PackageError, beside, clip};
use super::tags;

/// Far more than the triggers of any package.
const MOST_TRIGGERS: usize = 1 << 14;

/// When a scriptlet runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// Before the transaction.
    PreTransaction,
    /// Before the package is installed.
    PreInstall,
    /// After that.
    PostInstall,
    /// Before the package is removed.
    PreUninstall,
    /// After that.
    PostUninstall,
    /// After the transaction.
    PostTransaction,
    /// Before a transaction that removes the package.
    PreUninstallTransaction,
    /// After such a transaction.
    PostUninstallTransaction,
    /// When the package is verified.
    Verify,
}

impl Moment {
    const ALL: [(Self, [u32; 3]); 9] = [
        (Self::PreTransaction, tags::PRETRANS),
        (Self::PreInstall, tags::PREIN),
        (Self::PostInstall, tags::POSTIN),
        (Self::PreUninstall, tags::PREUN),
        (Self::PostUninstall, tags::POSTUN),
        (Self::PostTransaction, tags::POSTTRANS),
        (Self::PreUninstallTransaction, tags::PREUNTRANS),
        (Self::PostUninstallTransaction, tags::POSTUNTRANS),
        (Self::Verify, tags::VERIFYSCRIPT),
    ];

    /// Its name, as that of the tag.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PreTransaction => "pretrans",
            Self::PreInstall => "prein",
            Self::PostInstall => "postin",
            Self::PreUninstall => "preun",
            Self::PostUninstall => "postun",
            Self::PostTransaction => "posttrans",
            Self::PreUninstallTransaction => "preuntrans",
            Self::PostUninstallTransaction => "postuntrans",
            Self::Verify => "verifyscript",
        }
    }
}

/// A program for rpm to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script<'h> {
    /// The interpreter and its arguments; none for rpm's default.
    pub program: Vec<Cow<'h, str>>,
    /// The text; none where only the interpreter runs.
    pub body: Option<Cow<'h, str>>,
    /// rpm's flags: 1 macros are expanded when it runs, 2 query tags likewise, 4 its failure is the package's.
    pub flags: u32,
}

/// Which events a trigger waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TriggerKind {
    /// Of packages.
    Package,
    /// Of files, for each package.
    File,
    /// Of files, once for each transaction.
    TransactionFile,
}

impl TriggerKind {
    /// Its name, as that of the spec's section.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Package => "trigger",
            Self::File => "filetrigger",
            Self::TransactionFile => "transfiletrigger",
        }
    }
}

/// A script that runs when something happens to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger<'h> {
    /// Which events it waits for.
    pub kind: TriggerKind,
    /// What runs.
    pub script: Script<'h>,
    /// Packages or paths.
    pub conditions: Vec<Dependency<'h>>,
    /// Of file triggers the order among them, the highest first.
    pub priority: Option<u32>,
}

impl Trigger<'_> {
    /// `prein`, `in`, `un` or `postun`; nothing where its conditions do not say.
    pub fn moment(&self) -> &'static str {
        let flags = self.conditions.first().map_or(0, |condition| condition.flags);
        let moments = [(1 << 25, "prein"), (1 << 16, "in"), (1 << 17, "un"), (1 << 18, "postun")];
        moments.into_iter().find(|(bit, _)| flags & bit != 0).map_or("", |(_, name)| name)
    }
}

impl Headers {
    /// The package's scriptlets.
    pub fn scriptlets(&self) -> Result<Vec<(Moment, Script<'_>)>, PackageError> {
        let mut found = Vec::new();
        for (moment, [body, program, flags]) in Moment::ALL {
            let script = Script {
                program: self.main.texts(program)?.iter().collect(),
                body: self.main.text(body)?,
                flags: self.main.number(flags)?.map_or(0, clip),
            };
            if script.body.is_some() || !script.program.is_empty() {
                found.push((moment, script));
            }
        }
        Ok(found)
    }

    /// The package's triggers, of each kind in the order of the header.
    pub fn triggers(&self) -> Result<Vec<Trigger<'_>>, PackageError> {
        let mut found = self.triggers_of(TriggerKind::Package, tags::TRIGGER, None)?;
        let priorities = Some(tags::FILETRIGGERPRIORITIES);
        found.extend(self.triggers_of(TriggerKind::File, tags::FILETRIGGER, priorities)?);
        let priorities = Some(tags::TRANSFILETRIGGERPRIORITIES);
        found.extend(self.triggers_of(TriggerKind::TransactionFile, tags::TRANSFILETRIGGER, priorities)?);
        Ok(found)
    }

    fn triggers_of(
        &self,
        kind: TriggerKind,
        [scripts, programs, script_flags, names, versions, flags, indexes]: [u32; 7],
        priorities: Option<u32>,
    ) -> Result<Vec<Trigger<'_>>, PackageError> {
        let main = &self.main;
        let (bodies, programs) = (main.texts(scripts)?, main.texts(programs)?);
        let script_flags = main.numbers(script_flags)?;
        let priorities = priorities.map(|tag| main.numbers(tag)).transpose()?.unwrap_or_default();
        let wanted = bodies.len();
        if wanted > MOST_TRIGGERS {
            return Err(PackageError::TooMany { what: "triggers", most: MOST_TRIGGERS });
        }
        beside("trigger programs", wanted, programs.len())?;
        beside("trigger script flags", wanted, script_flags.len())?;
        beside("trigger priorities", wanted, priorities.len())?;
        let mut programs = programs.iter();
        let script = |(place, body)| Trigger {
            kind,
            script: Script {
                program: programs.next().into_iter().collect(),
                body: Some(body),
                flags: script_flags.get(place).map_or(0, clip),
            },
            conditions: Vec::new(),
            priority: priorities.get(place).map(clip),
        };
        let mut triggers: Vec<_> = bodies.iter().enumerate().map(script).collect();
        let conditions = Dependencies::beside(main, [names, flags, versions])?;
        let indexes = main.numbers(indexes)?;
        beside("trigger indexes", conditions.len(), indexes.len())?;
        for (place, condition) in conditions.iter().enumerate() {
            let index = indexes.get(place).and_then(|index| usize::try_from(index).ok()).unwrap_or(0);
            let trigger = triggers.get_mut(index);
            let trigger = trigger.ok_or(PackageError::Missing("script that a trigger's index names"))?;
            trigger.conditions.push(condition);
        }
        Ok(triggers)
    }
}
