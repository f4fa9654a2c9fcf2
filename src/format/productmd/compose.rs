//! What compose this is and what it releases: the parts that the three files share.
//!
//! - A compose id is `SHORT-VERSION[-TYPE][-BASESHORT-BASEVERSION[-BASETYPE]]-DATE[SUFFIX].RESPIN`, where a
//!   release type of `ga` is left out and SUFFIX is `.n`, `.t`, `.ci` or `.d`, none for production. As a
//!   pattern: `.*\d{8}(\.nightly|\.n|\.ci|\.test|\.t)?(\.\d+)?`, which a text fulfils with eight digits in a
//!   row. (productmd puts the variant into ids of RHEL 5; gander does not.)
//! - A label is
//!   `^(EA|DevelPhaseExit|InternalAlpha|Alpha|InternalSnapshot|Beta|Snapshot|RC|Update|SecurityFix)-\d+\.\d+$`.
//! - A release's version is `^([^0-9].*|[0-9]+(\.[0-9]+)*)$`.

use super::json::{At, Json};
use super::{MetadataError, check_text, named, wrong};

named! {
    /// What a compose is made for.
    pub enum ComposeType {
        /// Tests only.
        Test = "test",
        /// Continuous integration.
        Ci = "ci",
        /// Made each night.
        Nightly = "nightly",
        /// Made to be released.
        Production = "production",
        /// A development version of a compose.
        Development = "development",
    }
}

impl ComposeType {
    /// What a compose id has after the date.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Test => ".t",
            Self::Ci => ".ci",
            Self::Nightly => ".n",
            Self::Production => "",
            Self::Development => ".d",
        }
    }

    fn by_suffix(suffix: &str) -> Option<Self> {
        Some(match suffix {
            "t" | "test" => Self::Test,
            "ci" => Self::Ci,
            "n" | "nightly" => Self::Nightly,
            "d" => Self::Development,
            _ => return None,
        })
    }
}

named! {
    /// At which point of its life a release is.
    pub enum ReleaseType {
        /// A fast track.
        Fast = "fast",
        /// General availability.
        Ga = "ga",
        /// Updates.
        Updates = "updates",
        /// Updates to be tested.
        UpdatesTesting = "updates-testing",
        /// Extended update support.
        Eus = "eus",
        /// Advanced update support.
        Aus = "aus",
        /// Extended life cycle support.
        Els = "els",
        /// Telecommunication update support.
        Tus = "tus",
        /// Update services for SAP.
        E4s = "e4s",
    }
}

/// A milestone's label, such as `RC-1.0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label(String);

const LABELS: &[&str] = &[
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

impl Label {
    /// Checks a label.
    pub fn new(label: &str) -> Option<Self> {
        let (name, version) = label.split_once('-')?;
        let (major, minor) = version.split_once('.')?;
        (LABELS.contains(&name) && digits(major) && digits(minor)).then(|| Self(label.into()))
    }

    /// The label as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The label without what follows the dot: `RC-1`.
    pub fn major(&self) -> &str {
        self.0.rsplit_once('.').map_or(&self.0, |(major, _)| major)
    }

    /// Whether this milestone holds what customers get.
    pub fn is_supported(&self) -> bool {
        ["RC-", "Update-", "SecurityFix-"].iter().any(|name| self.0.starts_with(name))
    }
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A product: a release, or what it stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// Its name for people.
    pub name: String,
    /// Its short name.
    pub short: String,
    /// Its version.
    pub version: String,
    /// At which point of its life it is.
    pub kind: ReleaseType,
}

impl Product {
    fn read(at: &At<'_>) -> Result<Self, MetadataError> {
        let kind = match at.maybe("type")? {
            None => ReleaseType::Ga,
            Some(at) => at.one_of("release type", |name| ReleaseType::find(&name.to_ascii_lowercase()))?,
        };
        Ok(Self {
            name: at.field("name")?.text()?.into(),
            short: at.field("short")?.text()?.into(),
            version: at.field("version")?.text()?.into(),
            kind,
        })
    }

    pub(super) fn read_base(payload: &At<'_>) -> Result<Self, MetadataError> {
        Self::read(&payload.field("base_product")?)
    }

    pub(super) fn check(&self, path: &str) -> Result<(), MetadataError> {
        check_text(|| format!("{path}.name"), &self.name, true)?;
        check_text(|| format!("{path}.short"), &self.short, true)?;
        check_text(|| format!("{path}.version"), &self.version, false)?;
        let number = self.version.starts_with(|first: char| first.is_ascii_digit());
        if number && !self.version.split('.').all(digits) {
            let problem =
                format!("{:?} starts as a number but is not numbers with dots between", self.version);
            return Err(wrong(format!("{path}.version"), problem));
        }
        Ok(())
    }

    fn fields(&self) -> Vec<(&'static str, Json)> {
        vec![
            ("name", Json::text(&self.name)),
            ("short", Json::text(&self.short)),
            ("type", Json::text(self.kind.name())),
            ("version", Json::text(&self.version)),
        ]
    }

    pub(super) fn write(&self) -> Json {
        Json::map(self.fields())
    }

    /// Short name and version, as ids have them: `SHORT-VERSION[-TYPE]`.
    fn id_part(&self) -> String {
        let mut id = format!("{}-{}", self.short, self.version);
        if self.kind != ReleaseType::Ga {
            id.push('-');
            id.push_str(self.kind.name());
        }
        id
    }

    /// The version up to its first dot.
    pub fn major_version(&self) -> &str {
        self.version.split('.').next().unwrap_or_default()
    }
}

/// What is released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Names, version and type.
    pub product: Product,
    /// Whether it stays in the house.
    pub internal: bool,
}

impl Release {
    /// Reads a release; also whether it is layered.
    pub(super) fn read(parent: &At<'_>, version: (u32, u32)) -> Result<(Self, bool), MetadataError> {
        let at = parent.field(if version <= (0, 3) { "product" } else { "release" })?;
        let release = Self { product: Product::read(&at)?, internal: at.maybe_flag("internal")? };
        Ok((release, at.maybe_flag("is_layered")?))
    }

    pub(super) fn write(&self, layered: bool) -> Json {
        let mut fields = self.product.fields();
        fields.push(("internal", Json::Bool(self.internal)));
        if layered {
            fields.push(("is_layered", Json::Bool(true)));
        }
        Json::map(fields)
    }
}

/// Which compose this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compose {
    /// Its id.
    pub id: String,
    /// Its day, `YYYYMMDD`.
    pub date: String,
    /// What it is made for.
    pub kind: ComposeType,
    /// Counts the composes of a day from 0.
    pub respin: u32,
    /// The milestone that it is.
    pub label: Option<Label>,
    /// Whether the milestone is reached with it. Written only with a label.
    pub is_final: bool,
}

impl Compose {
    /// A compose without a label, with the id that productmd would give it.
    pub fn new(
        product: &Product,
        base: Option<&Product>,
        date: &str,
        kind: ComposeType,
        respin: u32,
    ) -> Self {
        let mut id = product.id_part();
        if let Some(base) = base {
            id.push('-');
            id.push_str(&base.id_part());
        }
        let id = format!("{id}-{date}{}.{respin}", kind.suffix());
        Self { id, date: date.into(), kind, respin, label: None, is_final: false }
    }

    /// Date, type and respin as an id tells them; none where the id does not.
    pub fn parts_of_id(id: &str) -> Option<(&str, ComposeType, u32)> {
        let bytes = id.as_bytes();
        let is_date = |window: &[u8]| window.iter().all(u8::is_ascii_digit);
        // The last eight digits, as a greedy pattern finds them.
        let at = bytes.windows(8).rposition(is_date)?;
        let (date, mut rest) = (id.get(at..at + 8)?, id.get(at + 8..)?);
        let mut kind = ComposeType::Production;
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(|char: char| !char.is_ascii_lowercase()).unwrap_or(after.len());
            let (suffix, after) = after.split_at(end);
            if !suffix.is_empty() {
                kind = ComposeType::by_suffix(suffix)?;
                rest = after;
            }
        }
        let respin = rest
            .strip_prefix('.')
            .map_or("", |rest| rest.split(|char: char| !char.is_ascii_digit()).next().unwrap_or_default());
        let respin = if respin.is_empty() { 0 } else { respin.parse().ok()? };
        Some((date, kind, respin))
    }

    pub(super) fn read(payload: &At<'_>, version: (u32, u32)) -> Result<Self, MetadataError> {
        let at = payload.field("compose")?;
        let field = at.field("id")?;
        let id = field.text()?;
        let (date, kind, respin) = if version < (0, 3) {
            let parts = Self::parts_of_id(id).ok_or_else(|| field.wrong(not_an_id(id)))?;
            (parts.0.into(), parts.1, parts.2)
        } else {
            let kind = at.field("type")?.one_of("compose type", ComposeType::find)?;
            (at.field("date")?.text()?.into(), kind, at.field("respin")?.number()?)
        };
        let label = match at.maybe_text("label")?.filter(|label| !label.is_empty()) {
            None => None,
            Some(text) => Some(Label::new(text).ok_or_else(|| {
                let problem =
                    format!("{text:?} is no label such as Beta-1.0; the names are {}", LABELS.join(", "));
                wrong(format!("{}.label", at.path()), problem)
            })?),
        };
        Ok(Self { id: id.into(), date, kind, respin, label, is_final: at.maybe_flag("final")? })
    }

    pub(super) fn check(&self) -> Result<(), MetadataError> {
        check_text(|| "payload.compose.id".into(), &self.id, false)?;
        if !self.id.as_bytes().windows(8).any(|window| window.iter().all(u8::is_ascii_digit)) {
            return Err(wrong("payload.compose.id", not_an_id(&self.id)));
        }
        if self.date.len() != 8 || !digits(&self.date) {
            return Err(wrong("payload.compose.date", format!("{:?} is not a day as YYYYMMDD", self.date)));
        }
        Ok(())
    }

    pub(super) fn write(&self) -> Json {
        let mut fields = vec![
            ("date", Json::text(&self.date)),
            ("id", Json::text(&self.id)),
            ("respin", Json::Int(self.respin.into())),
            ("type", Json::text(self.kind.name())),
        ];
        if let Some(label) = &self.label {
            fields.push(("label", Json::text(label.as_str())));
            fields.push(("final", Json::Bool(self.is_final)));
        }
        Json::map(fields)
    }
}

fn not_an_id(id: &str) -> String {
    format!("{id:?} is not a compose id such as Gosling-1-20240131.0")
}
