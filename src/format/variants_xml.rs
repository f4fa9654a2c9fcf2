//! Pungi's variants XML (4.3): which variants a compose has, of which arches, and what they are made of.
//!
//! ```text
//! <variants>
//!   <variant id="Server" name="Server" type="variant|addon|optional|layered-product" [has_optional="true"] [is_empty="true"]>
//!     <release name="Gluster" short="Gluster" version="2.3"/>                 (of layered products)
//!     <arches> <arch>x86_64</arch> … </arches>
//!     <groups> <group [default="true"] [uservisible="false"] [glob="true"]>core</group> … </groups>
//!     <environments> <environment [display_order="10"]>minimal</environment> … </environments>
//!     <variants> <variant …/> … <ref id="HighAvailability"/> … </variants>
//!     <buildinstallpackages> <package/> </buildinstallpackages>
//!     <modules> <module [glob="true"]>nodejs:20</module> … <kojitag/> … </modules>
//!   </variant> …
//! </variants>
//! ```
//! At the top only those of type `variant` are composed; addons and layered products stand there to be referred to. Only
//! a `variant` has others in it, and no deeper. `has_optional` adds one with the id `optional` and its own arches. All
//! that does not fit is reported at once; the order of elements is free here.

use super::xml::{Element, Place, XmlError};

/// Bytes of the largest document that is read.
pub const LARGEST: usize = 1 << 20;
/// Arches, groups and the like of all variants together, those that are referred to counted each time.
const MOST_ENTRIES: usize = 200_000;
const MOST_PROBLEMS: usize = 200;

/// What a variant is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Type {
    /// One on its own.
    Variant,
    /// More for its parent.
    Addon,
    /// The parent's packages that are not its main ones.
    Optional,
    /// A product of its own on the parent.
    LayeredProduct,
}

const TYPES: &[(&str, Type)] = &[
    ("variant", Type::Variant),
    ("addon", Type::Addon),
    ("optional", Type::Optional),
    ("layered-product", Type::LayeredProduct),
];

impl Type {
    /// Its name in variants XML.
    pub fn name(self) -> &'static str {
        TYPES.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }
}

/// A comps group of a variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its id, or a pattern of ids.
    pub id: String,
    /// Whether it is a pattern.
    pub is_glob: bool,
    /// Whether it is installed by default, if not as comps says.
    pub default: Option<bool>,
    /// Whether users see it, if not as comps says.
    pub user_visible: Option<bool>,
}

/// A comps environment of a variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Its id.
    pub id: String,
    /// Its place among others, if not as comps says.
    pub display_order: Option<i64>,
}

/// A module of a variant: NAME, NAME:STREAM or more of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// What it says.
    pub name: String,
    /// Whether it is a pattern.
    pub is_glob: bool,
}

/// A variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Its id among those beside it.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// What it is.
    pub kind: Type,
    /// Where it is described.
    pub place: Place,
    /// Its arches.
    pub arches: Vec<String>,
    /// Its groups.
    pub groups: Vec<Group>,
    /// Its environments.
    pub environments: Vec<Environment>,
    /// Its modules.
    pub modules: Vec<Module>,
    /// Koji tags that its modules are in.
    pub koji_tags: Vec<String>,
    /// Packages that its installer needs beside those.
    pub buildinstall_packages: Vec<String>,
    /// Name, short name and version of the product that it is.
    pub release: Option<(String, String, String)>,
    /// Whether it has no packages.
    pub is_empty: bool,
    /// Variants in it.
    pub variants: Vec<Self>,
}

/// A problem and its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub message: String,
}

/// The document cannot be read. Retrying cannot help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VariantsXmlError {
    /// It is no XML.
    #[error("the variants are not XML that gander reads")]
    Xml(#[from] XmlError),
    /// It is too large.
    #[error("variants of more than {LARGEST} bytes or {MOST_ENTRIES} entries are not read")]
    TooLarge,
    /// It says what cannot be; in the order of the text, of a great many the first ones.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Invalid(Vec<Problem>),
}

/// Reads the variants that are composed: those at the top with all that is in them, in the order of the document.
pub fn parse(document: &[u8]) -> Result<Vec<Variant>, VariantsXmlError> {
    if document.len() > LARGEST {
        return Err(VariantsXmlError::TooLarge);
    }
    let root = Element::parse(document)?;
    let mut reader = Reader { root: &root, problems: Vec::new(), entries: 0 };
    if root.name != "variants" {
        reader.problem(&root, format!("the document is <{}>, not <variants>", short(&root.name)));
    }
    let mut variants: Vec<Variant> = Vec::new();
    for element in &root.children {
        match element.name.as_str() {
            // References at the top mean nothing.
            "ref" => {}
            "variant" => {
                let variant = reader.variant(element, None);
                let known = variants.iter().find(|known| known.id == variant.id);
                match known.map(|known| known.place) {
                    Some(place) => reader.again(element, &variant.id, place),
                    None => variants.push(variant),
                }
            }
            name => reader.problem(element, format!("<{}> has no place in <variants>", short(name))),
        }
        if reader.entries > MOST_ENTRIES {
            return Err(VariantsXmlError::TooLarge);
        }
    }
    reader.problems.sort_by_key(|problem| problem.place);
    reader.problems.dedup();
    match reader.problems.is_empty() {
        true => Ok(variants.into_iter().filter(|variant| variant.kind == Type::Variant).collect()),
        false => Err(VariantsXmlError::Invalid(reader.problems)),
    }
}

struct Reader<'e> {
    root: &'e Element,
    problems: Vec<Problem>,
    entries: usize,
}

fn short(text: &str) -> String {
    text.escape_debug().take(100).collect()
}

impl<'e> Reader<'e> {
    fn problem(&mut self, element: &Element, message: String) {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(Problem { place: element.place, message });
        }
    }

    fn again(&mut self, element: &Element, id: &str, place: Place) {
        self.problem(element, format!("the variant '{}' is there already, at {place}", short(id)));
    }

    fn attribute(&mut self, element: &Element, name: &str) -> String {
        let value = element.attribute(name).unwrap_or_default();
        if value.trim().is_empty() {
            self.problem(element, format!("<{}> lacks '{name}'", element.name));
        }
        value.to_owned()
    }

    fn flag(&mut self, element: &Element, name: &str) -> Option<bool> {
        match element.attribute(name)? {
            "true" => Some(true),
            "false" => Some(false),
            other => {
                self.problem(element, format!("{name} is '{}', neither true nor false", short(other)));
                None
            }
        }
    }

    /// The texts of all elements of a name in a list.
    fn texts<'l>(&mut self, list: &'l Element, name: &str) -> Vec<(&'l Element, String)> {
        let mut found = Vec::new();
        for element in list.children.iter().filter(|element| element.name == name) {
            self.entries += 1;
            let text = element.text.as_str();
            if text.is_empty() || text.trim() != text {
                let message =
                    format!("<{name}> is '{}', which is empty or has spaces around it", short(text));
                self.problem(element, message);
            } else {
                found.push((element, text.to_owned()));
            }
        }
        found
    }

    fn variant(&mut self, element: &'e Element, parent: Option<&str>) -> Variant {
        self.entries += 1;
        let id = self.attribute(element, "id");
        let name = self.attribute(element, "name");
        let kind = element.attribute("type").unwrap_or_default();
        let known = TYPES.iter().find(|(name, _)| *name == kind).map(|(_, kind)| *kind);
        if known.is_none() {
            self.problem(element, format!("'{}' is no type of a variant", short(kind)));
        }
        let mut variant = Variant {
            id,
            name,
            kind: known.unwrap_or(Type::Variant),
            place: element.place,
            arches: Vec::new(),
            groups: Vec::new(),
            environments: Vec::new(),
            modules: Vec::new(),
            koji_tags: Vec::new(),
            buildinstall_packages: Vec::new(),
            release: None,
            is_empty: self.flag(element, "is_empty").unwrap_or(false),
            variants: Vec::new(),
        };
        if parent == Some(variant.id.as_str()) {
            self.problem(
                element,
                format!("'{}' and the variant that it is in have the same id", short(&variant.id)),
            );
        }
        for list in &element.children {
            self.part(&mut variant, list, parent.is_some());
        }
        if variant.arches.is_empty() {
            self.problem(element, format!("the variant '{}' has no arches", short(&variant.id)));
        }
        if variant.kind == Type::LayeredProduct && variant.release.is_none() {
            let message = format!("the layered product '{}' has no <release>", short(&variant.id));
            self.problem(element, message);
        }
        let has_optional = self.flag(element, "has_optional").unwrap_or(false);
        if has_optional && variant.variants.iter().all(|inner| inner.kind != Type::Optional) {
            self.entries += variant.arches.len();
            let optional = Variant {
                id: "optional".into(),
                name: "optional".into(),
                kind: Type::Optional,
                groups: Vec::new(),
                environments: Vec::new(),
                modules: Vec::new(),
                koji_tags: Vec::new(),
                buildinstall_packages: Vec::new(),
                release: None,
                variants: Vec::new(),
                ..variant.clone()
            };
            variant.variants.push(optional);
        }
        variant
    }

    /// One of the lists of a variant.
    fn part(&mut self, variant: &mut Variant, list: &'e Element, is_inner: bool) {
        match list.name.as_str() {
            "arches" => variant.arches.extend(self.texts(list, "arch").into_iter().map(|(_, text)| text)),
            "groups" => {
                for (element, id) in self.texts(list, "group") {
                    let is_glob = self.flag(element, "glob").unwrap_or(false);
                    let default = self.flag(element, "default");
                    let user_visible = self.flag(element, "uservisible");
                    variant.groups.push(Group { id, is_glob, default, user_visible });
                }
            }
            "environments" => {
                for (element, id) in self.texts(list, "environment") {
                    let order = element.attribute("display_order");
                    let display_order = order.and_then(|order| order.trim().parse().ok());
                    if let (Some(order), None) = (order, display_order) {
                        self.problem(element, format!("display_order is '{}', no number", short(order)));
                    }
                    variant.environments.push(Environment { id, display_order });
                }
            }
            "modules" => {
                for (element, name) in self.texts(list, "module") {
                    let is_glob = self.flag(element, "glob").unwrap_or(false);
                    variant.modules.push(Module { name, is_glob });
                }
                variant.koji_tags.extend(self.texts(list, "kojitag").into_iter().map(|(_, text)| text));
            }
            "buildinstallpackages" => {
                let packages = self.texts(list, "package");
                variant.buildinstall_packages.extend(packages.into_iter().map(|(_, text)| text));
            }
            "release" => {
                let parts = ["name", "short", "version"].map(|part| self.attribute(list, part));
                let [name, short, version] = parts;
                variant.release = Some((name, short, version));
            }
            "variants" if is_inner || variant.kind != Type::Variant => {
                if !list.children.is_empty() {
                    self.problem(
                        list,
                        "only a variant at the top, of the type 'variant', has others in it".into(),
                    );
                }
            }
            "variants" => self.inner(variant, list),
            name => self.problem(list, format!("<{}> has no place in <variant>", short(name))),
        }
    }

    fn inner(&mut self, variant: &mut Variant, list: &'e Element) {
        for element in &list.children {
            if self.entries > MOST_ENTRIES {
                return;
            }
            let target = match element.name.as_str() {
                "variant" => Some(element),
                "ref" => {
                    let id = self.attribute(element, "id");
                    let fits = |top: &&Element| {
                        let kind = top.attribute("type");
                        top.name == "variant"
                            && top.attribute("id") == Some(&id)
                            && matches!(kind, Some("addon" | "layered-product"))
                    };
                    let target = self.root.children.iter().find(fits);
                    if target.is_none() {
                        let message =
                            format!("there is no addon or layered product '{}' at the top", short(&id));
                        self.problem(element, message);
                    }
                    target
                }
                name => {
                    self.problem(element, format!("<{}> has no place in <variants>", short(name)));
                    None
                }
            };
            let Some(target) = target else { continue };
            let inner = self.variant(target, Some(&variant.id));
            if inner.kind == Type::Variant {
                self.problem(
                    target,
                    format!("'{}' is in another variant, and of the type 'variant'", short(&inner.id)),
                );
            }
            match variant.variants.iter().find(|known| known.id == inner.id).map(|known| known.place) {
                Some(place) => self.again(element, &inner.id, place),
                None => variant.variants.push(inner),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves_references_and_optional_variants() {
        let document = r#"<variants>
  <variant id="HA" name="High Availability" type="addon"><arches><arch>x86_64</arch></arches>
    <groups><group default="true" uservisible="false">ha</group><group glob="true">ha-*</group></groups></variant>
  <variant id="Server" name="Server" type="variant" has_optional="true">
    <arches><arch>x86_64</arch><arch>s390x</arch></arches>
    <environments><environment display_order="10">minimal</environment></environments>
    <variants><ref id="HA"/></variants>
    <modules><module>nodejs:20</module><kojitag>el-modules</kojitag></modules>
  </variant>
  <variant id="Live" name="Live" type="variant" is_empty="true"><arches><arch>x86_64</arch></arches></variant>
</variants>"#;
        let variants = parse(document.as_bytes()).unwrap();
        let ids: Vec<_> = variants.iter().map(|variant| (variant.id.as_str(), variant.is_empty)).collect();
        assert_eq!(ids, [("Server", false), ("Live", true)]);
        let server = &variants[0];
        let inner: Vec<_> = server
            .variants
            .iter()
            .map(|inner| (inner.id.as_str(), inner.kind.name(), inner.arches.len()))
            .collect();
        assert_eq!(inner, [("HA", "addon", 1), ("optional", "optional", 2)]);
        let groups = &server.variants[0].groups;
        assert_eq!((groups[0].default, groups[0].user_visible), (Some(true), Some(false)));
        assert!(groups[1].is_glob && server.variants[1].groups.is_empty());
        assert_eq!(server.environments[0].display_order, Some(10));
        assert_eq!(
            (server.modules[0].name.as_str(), server.koji_tags[0].as_str()),
            ("nodejs:20", "el-modules")
        );
    }

    #[test]
    fn reports_all_that_is_wrong_at_once() {
        let document = "<variants>\n<variant id='A' type='product' is_empty='yes'><arches><arch> x </arch></arches></variant>
<variant id='B' name='B' type='variant'><arches><arch>x86_64</arch></arches><variants><ref id='C'/></variants></variant>
<variant id='B' name='B' type='variant'><arches><arch>x86_64</arch></arches><group/></variant>
<variant id='D' name='D' type='layered-product'><arches><arch>x86_64</arch></arches></variant>
<variant id='E' name='E' type='variant'><arches><arch>x86_64</arch></arches>
 <variants><variant id='E' name='E' type='optional'><arches><arch>x86_64</arch></arches>
  <variants><variant id='F'/></variants></variant></variants></variant>
</variants>";
        let Err(VariantsXmlError::Invalid(problems)) = parse(document.as_bytes()) else { panic!("accepted") };
        let found: Vec<_> = problems.iter().map(ToString::to_string).collect();
        for expected in [
            "line 2, column 1: <variant> lacks 'name'",
            "line 2, column 1: 'product' is no type of a variant",
            "line 2, column 1: is_empty is 'yes', neither true nor false",
            "line 2, column 1: the variant 'A' has no arches",
            "<arch> is ' x '",
            "there is no addon or layered product 'C' at the top",
            "line 4, column 1: the variant 'B' is there already, at line 3, column 1",
            "<group> has no place in <variant>",
            "line 5, column 1: the layered product 'D' has no <release>",
            "'E' and the variant that it is in have the same id",
            "only a variant at the top",
        ] {
            assert!(found.iter().any(|problem| problem.contains(expected)), "{expected}: {found:#?}");
        }
        assert_eq!(found.len(), 11, "{found:#?}");
    }

    #[test]
    fn what_is_hostile_is_bounded() {
        let bomb = "<!DOCTYPE v [<!ENTITY a 'x'><!ENTITY b '&a;&a;'>]>\n<variants>&b;</variants>";
        assert!(matches!(parse(bomb.as_bytes()), Err(VariantsXmlError::Xml(_))));
        assert!(matches!(parse(&vec![b' '; LARGEST + 1]), Err(VariantsXmlError::TooLarge)));
        // A large addon that many variants refer to.
        let arches = "<arch>x</arch>".repeat(20_000);
        let addon = format!("<variant id='A' name='A' type='addon'><arches>{arches}</arches></variant>");
        let head = "name='V' type='variant'><arches><arch>x</arch></arches>";
        let variants = (0..1000)
            .map(|at| format!("<variant id='V{at}' {head}<variants><ref id='A'/></variants></variant>"));
        let document = format!("<variants>{addon}{}</variants>", variants.collect::<String>());
        assert_eq!(parse(document.as_bytes()), Err(VariantsXmlError::TooLarge));
    }
}
