//! `[release]`: what is released.

use toml::Spanned;
use toml::de::DeValue;

use super::read::{Reader, check, made_of, owned};
use super::schema::Release;
use super::table::{Table, either};

/// Keys of `[release]`.
pub(super) const RELEASE: &[&str] = &["name", "short", "version", "label", "source-date", "dist"];
/// Milestones of labels, as productmd has them.
const MILESTONES: &[&str] = &[
    "EA",
    "DevelPhaseExit",
    "InternalAlpha",
    "Alpha",
    "InternalSnapshot",
    "Beta",
    "Snapshot",
    "RC",
    "Update",
    "SecurityFix",
];

impl Reader {
    /// Reads it.
    pub(super) fn release<'t>(&mut self, value: &'t Spanned<DeValue<'t>>) -> Option<Release> {
        let table = Table::of("[release]", value, RELEASE, &mut self.findings)?;
        let (name, short, version) = self.named_release(&table);
        let findings = &mut self.findings;
        let label = table.text("label", findings);
        let source_date = table.text("source-date", findings);
        let dist = table.text("dist", findings);
        let milestones = format!(
            "a label is a milestone and two numbers, such as RC-1.0: {}",
            either(MILESTONES.iter().copied())
        );
        check(&label, &milestones, findings, is_label);
        check(
            &dist,
            "a dist tag is '.', then letters, digits, '.', '_' and '~', such as .gos1",
            findings,
            |text| text.len() > 1 && text.starts_with('.') && made_of(text, "._~"),
        );
        Some(Release {
            name: name?,
            short: short?,
            version: version?,
            label: owned(label),
            source_date: source_date.and_then(|date| date.parse(findings)),
            dist: owned(dist).unwrap_or_default(),
        })
    }
}

/// `MILESTONE-X.Y`, as productmd demands.
fn is_label(text: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('-').is_some_and(|(milestone, numbers)| {
        let numbers = numbers.split_once('.').is_some_and(|(major, minor)| number(major) && number(minor));
        numbers && MILESTONES.contains(&milestone)
    })
}
