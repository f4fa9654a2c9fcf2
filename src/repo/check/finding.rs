//! What a check found.

use std::collections::BTreeMap;

use serde::Serialize;

/// How bad a finding is; the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Clients fail, or the repository is not what it says.
    Error,
    /// Clients may be surprised.
    Warning,
    /// Good to know.
    Information,
}

/// One thing that was found. The order is that of the report.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What kind of thing it is: a stable name of lower-case words with hyphens.
    pub code: &'static str,
    /// The repository, as it was named.
    pub repository: String,
    /// What it is about: a package, a file, a list.
    pub subject: String,
    /// What is wrong with that.
    pub message: String,
    /// More about it, a line each; may be long.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

impl Finding {
    /// A finding without details.
    pub(super) fn new(
        (severity, code): (Severity, &'static str),
        repository: &str,
        subject: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            code,
            repository: repository.to_owned(),
            subject: subject.into(),
            message: message.into(),
            details: Vec::new(),
        }
    }

    /// The same with more about it.
    pub(super) fn with(self, details: Vec<String>) -> Self {
        Self { details, ..self }
    }

    /// Whether content is damaged, so that no verdict is possible on what it is about.
    pub fn is_damage(&self) -> bool {
        self.severity == Severity::Error && self.code.starts_with("metadata-")
    }
}

/// What was looked at of a repository's package files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Looked {
    /// Their sizes, digests, headers.
    Content,
    /// Their sizes, as the server says.
    Sizes,
    /// Nothing: the list of packages could not be read, or it was not asked for.
    Nothing,
}

/// A repository that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// As it was named.
    pub name: String,
    /// Its revision.
    pub revision: String,
    /// How many packages it lists.
    pub packages: usize,
    /// What was looked at of their files.
    #[serde(rename = "package-files")]
    pub looked: Looked,
}

/// All that a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What was checked, in the order of the arguments.
    pub repositories: Vec<Checked>,
    /// The arches for which dependencies were looked at; none where they could not be.
    pub arches: Vec<String>,
    /// The findings, the worst first.
    pub findings: Vec<Finding>,
}

impl Report {
    /// How many findings there are of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// Whether the metadata of a repository are damaged.
    pub fn is_damaged(&self) -> bool {
        self.findings.iter().any(Finding::is_damage)
    }

    /// The findings of each code.
    pub fn by_code(&self) -> BTreeMap<(Severity, &'static str), Vec<&Finding>> {
        let mut groups: BTreeMap<_, Vec<&Finding>> = BTreeMap::new();
        for finding in &self.findings {
            groups.entry((finding.severity, finding.code)).or_default().push(finding);
        }
        groups
    }
}
