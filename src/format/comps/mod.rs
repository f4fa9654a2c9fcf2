//! comps.xml: which packages form a group, and which groups an environment.
//!
//! ```text
//! <comps>
//!   <group [arch="x86_64 ppc64le"] [variant="Server"]>
//!     <id/> <name/> <name xml:lang="de"/> <description/> <default>true|false</default> <uservisible/>
//!     <biarchonly/> <langonly/> <display_order/>
//!     <packagelist>
//!       <packagereq type="mandatory|default|optional|conditional" [requires=NAME] [arch=…] [variant=…] [basearchonly="true"]>NAME</packagereq>
//!     </packagelist>
//!   </group>
//!   <environment [arch=…] [variant=…]>   <id/> <name/> <description/> <display_order/> <grouplist><groupid/></grouplist> <optionlist><groupid default="true"/></optionlist> </environment>
//!   <category>      <id/> <name/> <description/> <display_order/> <grouplist/> </category>
//!   <langpacks>     <match name="libreoffice-core" install="libreoffice-langpack-%s"/> </langpacks>
//! </comps>
//! ```
//! A `packagereq` without a type is mandatory. Lists of arches are separated by spaces or commas; an
//! absent or empty list means every arch. `variant=` is Pungi's: a list of the variants that it is for. Empty entries, unknown
//! elements and attributes are passed over, as every tool does. What no tool can mean (an unknown type, a name with spaces around it, a group
//! without an id or with one that is taken) is an error, and all such errors are reported at once.

mod filter;
mod write;

use std::collections::BTreeMap;

pub use filter::Extent;

use super::xml::{Element, Place, XmlError};

/// A text with its translations by language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// The text itself, mostly English.
    pub plain: String,
    /// Translations by `xml:lang`.
    pub translations: BTreeMap<String, String>,
}

/// How strongly a group wants a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Always there.
    Mandatory,
    /// There unless deselected.
    Default,
    /// There when asked for.
    Optional,
    /// There when the package that it `requires` is.
    Conditional,
}

impl Need {
    /// Its name in comps.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mandatory => "mandatory",
            Self::Default => "default",
            Self::Optional => "optional",
            Self::Conditional => "conditional",
        }
    }
}

/// One package of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageReq {
    /// The package's name.
    pub name: String,
    /// How strongly it is wanted.
    pub need: Need,
    /// The package that a conditional one comes with.
    pub requires: Option<String>,
    /// The arches it is for; empty for all.
    pub arches: Vec<String>,
    /// The variants it is for; empty for all.
    pub variants: Vec<String>,
    /// Never in the secondary arch.
    pub base_arch_only: bool,
}

/// A group of packages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: Text,
    /// Its description.
    pub description: Text,
    /// Whether installers select it by themselves.
    pub default: bool,
    /// Whether installers show it.
    pub user_visible: bool,
    /// Only for trees with a secondary arch.
    pub biarch_only: bool,
    /// The language it is for.
    pub lang_only: Option<String>,
    /// Its place among groups.
    pub display_order: Option<i64>,
    /// The arches it is for; empty for all.
    pub arches: Vec<String>,
    /// The variants it is for; empty for all.
    pub variants: Vec<String>,
    /// Its packages in the order of the file.
    pub packages: Vec<PackageReq>,
}

/// A group's id as an environment or category lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupId {
    /// The group's id.
    pub id: String,
    /// The arches it is listed for; empty for all.
    pub arches: Vec<String>,
    /// Whether an optional group is selected by itself.
    pub default: bool,
}

/// An environment or a category: a list of groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupList {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: Text,
    /// Its description.
    pub description: Text,
    /// Its place in a list.
    pub display_order: Option<i64>,
    /// The arches it is for; empty for all.
    pub arches: Vec<String>,
    /// The variants it is for; empty for all.
    pub variants: Vec<String>,
    /// The groups that belong to it.
    pub groups: Vec<GroupId>,
    /// Groups that may be added (environments only).
    pub options: Vec<GroupId>,
}

/// A rule for packages of a language: with package `name` comes `install`, where `%s` is the language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Langpack {
    /// The package.
    pub name: String,
    /// What comes with it.
    pub install: String,
}

/// A whole comps file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comps {
    /// Groups in the order of the file.
    pub groups: Vec<Group>,
    /// Environments in the order of the file.
    pub environments: Vec<GroupList>,
    /// Categories in the order of the file.
    pub categories: Vec<GroupList>,
    /// Language packages in the order of the file.
    pub langpacks: Vec<Langpack>,
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What, as a whole sentence.
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// The comps file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CompsError {
    /// It is not XML. Retrying cannot help.
    #[error("the comps file is not XML that gander reads")]
    Xml(#[from] XmlError),
    /// It is XML but says what cannot be meant. Retrying cannot help.
    #[error("the comps file has mistakes:\n  {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  "))]
    Invalid(Vec<Problem>),
}

/// Whether a list of arches (empty for all) holds one.
pub fn lists_arch(arches: &[String], arch: &str) -> bool {
    arches.is_empty() || arches.iter().any(|listed| listed == arch)
}

impl Comps {
    /// Reads a comps file.
    pub fn parse(document: &[u8]) -> Result<Self, CompsError> {
        let root = Element::parse(document)?;
        let mut reader = Reader::default();
        if root.name != "comps" {
            reader.problem(&root, format!("the root element is <{}>, not <comps>", root.name));
        }
        let mut comps = Self::default();
        for child in &root.children {
            match child.name.as_str() {
                "group" => comps.groups.push(reader.group(child)),
                "environment" => comps.environments.push(reader.group_list(child)),
                "category" => comps.categories.push(reader.group_list(child)),
                "langpacks" => {
                    comps.langpacks.extend(child.children.iter().filter_map(|rule| reader.langpack(rule)));
                }
                _ => {}
            }
        }
        reader.unique(&root, "group");
        reader.unique(&root, "environment");
        if reader.problems.is_empty() {
            Ok(comps)
        } else {
            reader.problems.sort_by_key(|problem| problem.place);
            reader.problems.truncate(MOST_PROBLEMS);
            Err(CompsError::Invalid(reader.problems))
        }
    }

    /// A group by id.
    pub fn group(&self, id: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.id == id)
    }

    /// An environment by id.
    pub fn environment(&self, id: &str) -> Option<&GroupList> {
        self.environments.iter().find(|environment| environment.id == id)
    }
}

const MOST_PROBLEMS: usize = 1_000;

#[derive(Default)]
struct Reader {
    problems: Vec<Problem>,
}

impl Reader {
    fn problem(&mut self, element: &Element, message: String) {
        self.problems.push(Problem { place: element.place, message });
    }

    /// The text of an element that is a name: no space around it, not empty, no control characters.
    fn name(&mut self, element: &Element, what: &str) -> String {
        let text = &element.text;
        if text.trim().is_empty() {
            self.problem(element, format!("the {what} is empty"));
        } else if text.trim() != text {
            self.problem(
                element,
                format!("the {what} '{}' has spaces around it; clients take them as part of it", text.trim()),
            );
        } else if text.chars().any(char::is_control) || text.chars().count() > 1_000 {
            self.problem(element, format!("the {what} is not a name"));
        }
        text.clone()
    }

    fn id(&mut self, element: &Element) -> String {
        match element.child("id") {
            Some(id) => self.name(id, &format!("id of the {}", element.name)),
            None => {
                self.problem(element, format!("the {} has no <id>", element.name));
                String::new()
            }
        }
    }

    fn unique(&mut self, root: &Element, kind: &str) {
        let mut seen: BTreeMap<&str, Place> = BTreeMap::new();
        for element in root.children.iter().filter(|child| child.name == kind) {
            let Some(id) = element.child("id") else { continue };
            if let Some(first) = seen.get(id.text.as_str()) {
                let message = format!("the {kind} '{}' is there already, at {first}", id.text.trim());
                self.problem(id, message);
            } else {
                seen.insert(&id.text, id.place);
            }
        }
    }

    fn truth(&mut self, element: &Element, name: &str, absent: bool) -> bool {
        let Some(child) = element.child(name) else { return absent };
        match child.text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" => true,
            "false" | "0" | "no" => false,
            "" => absent,
            other => {
                let message = format!(
                    "<{name}> is '{}', neither true nor false",
                    other.chars().take(40).collect::<String>()
                );
                self.problem(child, message);
                absent
            }
        }
    }

    fn number(&mut self, element: &Element, name: &str) -> Option<i64> {
        let child = element.child(name)?;
        match child.text.trim() {
            "" => None,
            text => match text.parse() {
                Ok(number) => Some(number),
                Err(_) => {
                    self.problem(child, format!("<{name}> is not a number"));
                    None
                }
            },
        }
    }

    fn group(&mut self, element: &Element) -> Group {
        let mut packages = Vec::new();
        for list in element.children.iter().filter(|child| child.name == "packagelist") {
            packages.extend(
                list.children
                    .iter()
                    .filter(|child| filled(child, "packagereq"))
                    .map(|child| self.package(child)),
            );
        }
        Group {
            id: self.id(element),
            name: text(element, "name"),
            description: text(element, "description"),
            default: self.truth(element, "default", false),
            user_visible: self.truth(element, "uservisible", true),
            biarch_only: self.truth(element, "biarchonly", false),
            lang_only: element
                .child("langonly")
                .map(|child| child.text.trim().to_owned())
                .filter(|lang| !lang.is_empty()),
            display_order: self.number(element, "display_order"),
            arches: list(element, "arch"),
            variants: list(element, "variant"),
            packages,
        }
    }

    fn package(&mut self, element: &Element) -> PackageReq {
        let name = self.name(element, "package name");
        let requires = element.attribute("requires").map(str::to_owned);
        let need = match element.attribute("type") {
            None | Some("" | "mandatory") => Need::Mandatory,
            Some("default") => Need::Default,
            Some("optional") => Need::Optional,
            Some("conditional") => Need::Conditional,
            Some(other) => {
                let message = format!(
                    "the package '{}' has the unknown type '{}' (one of mandatory, default, optional, conditional)",
                    name.trim(),
                    other.chars().take(40).collect::<String>()
                );
                self.problem(element, message);
                Need::Optional
            }
        };
        PackageReq {
            name,
            need,
            requires,
            arches: list(element, "arch"),
            variants: list(element, "variant"),
            base_arch_only: element
                .attribute("basearchonly")
                .is_some_and(|value| value.eq_ignore_ascii_case("true")),
        }
    }

    fn group_list(&mut self, element: &Element) -> GroupList {
        let mut groups = |name: &str| -> Vec<GroupId> {
            let lists = element.children.iter().filter(|child| child.name == name);
            let ids = lists.flat_map(|list| list.children.iter().filter(|child| filled(child, "groupid")));
            ids.map(|child| GroupId {
                id: self.name(child, "group id"),
                arches: list(child, "arch"),
                default: child.attribute("default").is_some_and(|value| value.eq_ignore_ascii_case("true")),
            })
            .collect()
        };
        GroupList {
            groups: groups("grouplist"),
            options: groups("optionlist"),
            id: self.id(element),
            name: text(element, "name"),
            description: text(element, "description"),
            display_order: self.number(element, "display_order"),
            arches: list(element, "arch"),
            variants: list(element, "variant"),
        }
    }

    fn langpack(&mut self, element: &Element) -> Option<Langpack> {
        let get = |name| element.attribute(name).map(str::to_owned);
        let rule = get("name").zip(get("install")).map(|(name, install)| Langpack { name, install });
        if rule.is_none() && element.name == "match" {
            self.problem(element, "a language package rule needs both name= and install=".into());
        }
        rule
    }
}

/// Whether it is an entry of this name. Empty entries name nothing and are passed over.
fn filled(element: &Element, name: &str) -> bool {
    element.name == name && !element.text.trim().is_empty()
}

fn text(element: &Element, name: &str) -> Text {
    let mut text = Text::default();
    for child in element.children.iter().filter(|child| child.name == name) {
        match child.attribute("xml:lang") {
            Some(lang) => {
                text.translations.insert(lang.to_owned(), child.text.clone());
            }
            None => text.plain.clone_from(&child.text),
        }
    }
    text
}

fn list(element: &Element, attribute: &str) -> Vec<String> {
    let list = element.attribute(attribute).unwrap_or_default();
    list.split([' ', ',', '\t']).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"<?xml version="1.0"?>
<!DOCTYPE comps PUBLIC "-//Red Hat, Inc.//DTD Comps info//EN" "comps.dtd">
<comps>
  <group arch="x86_64,s390x ppc64le">
    <id>core</id><name>Core</name><name xml:lang="de">Kern</name><description>R&amp;D</description>
    <default>true</default><uservisible>false</uservisible><display_order>7</display_order>
    <packagelist>
      <packagereq>bash</packagereq>
      <packagereq type="conditional" requires="gtk3">ibus-gtk3</packagereq>
      <packagereq type="optional" arch="x86_64" basearchonly="true">grub2</packagereq>
    </packagelist>
  </group>
  <environment><id>min</id><grouplist><groupid>core</groupid></grouplist>
    <optionlist><groupid default="true">extra</groupid></optionlist></environment>
  <category><id>cat</id><grouplist><groupid arch="s390x">core</groupid></grouplist></category>
  <langpacks><match install="x-%s" name="x"/></langpacks>
</comps>"#;

    #[test]
    fn reads_every_kind_of_entry() {
        let comps = Comps::parse(SMALL.as_bytes()).unwrap();
        let core = comps.group("core").unwrap();
        assert_eq!((core.name.plain.as_str(), core.description.plain.as_str()), ("Core", "R&D"));
        assert_eq!(core.name.translations["de"], "Kern");
        assert!(core.default && !core.user_visible && core.display_order == Some(7));
        assert!(lists_arch(&core.arches, "s390x") && !lists_arch(&core.arches, "aarch64"));
        let needs: Vec<_> =
            core.packages.iter().map(|package| (package.name.as_str(), package.need)).collect();
        assert_eq!(
            needs,
            [("bash", Need::Mandatory), ("ibus-gtk3", Need::Conditional), ("grub2", Need::Optional)]
        );
        assert_eq!(core.packages[1].requires.as_deref(), Some("gtk3"));
        assert!(core.packages[2].base_arch_only);
        let minimal = comps.environment("min").unwrap();
        assert_eq!((minimal.groups[0].id.as_str(), minimal.options[0].default), ("core", true));
        assert_eq!(comps.categories[0].groups[0].arches, ["s390x"]);
        assert_eq!(comps.langpacks, [Langpack { name: "x".into(), install: "x-%s".into() }]);
    }

    #[test]
    fn reports_all_mistakes_with_their_places() {
        let broken = "<comps>\n<group><id>a</id>\n<default>maybe</default><packagelist>\n<packagereq type='mndatory'>x</packagereq>\n<packagereq> y</packagereq></packagelist></group>\n<group><id>a</id></group><group/>\n</comps>";
        let Err(CompsError::Invalid(problems)) = Comps::parse(broken.as_bytes()) else { panic!("accepted") };
        let found: Vec<_> = problems.iter().map(ToString::to_string).collect();
        for (at, expected) in [
            "line 3, column 1: <default> is 'maybe'",
            "line 4, column 1: the package 'x' has the unknown type 'mndatory'",
            "line 5, column 1: the package name 'y' has spaces around it",
            "line 6, column 8: the group 'a' is there already, at line 2, column 8",
            "line 6, column 26: the group has no <id>",
        ]
        .into_iter()
        .enumerate()
        {
            assert!(found[at].starts_with(expected), "{found:#?}");
        }
        assert_eq!(found.len(), 5);
    }
}
