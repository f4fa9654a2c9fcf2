//! A comps file as text: groups and environments by id, the packages of a group by need and name, what is listed by name. So
//! two files that say the same are the same bytes, and close to what Pungi (4.3.6) writes, which leaves out the display order
//! and `biarchonly` of groups.

use super::{Comps, Group, GroupId, GroupList, Text};
use crate::format::xml_text::Writer;

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
                    <!DOCTYPE comps PUBLIC \"-//Red Hat, Inc.//DTD Comps info//EN\" \"comps.dtd\">\n";

impl Comps {
    /// The file's text. Reading it gives what was written, in that order.
    pub fn to_xml(&self) -> String {
        let mut writer = Writer::default();
        writer.raw(HEAD).raw("<comps>\n");
        let mut groups: Vec<&Group> = self.groups.iter().collect();
        groups.sort_by(|left, right| left.id.cmp(&right.id));
        for group in groups {
            write_group(&mut writer, group);
        }
        for category in &self.categories {
            list(&mut writer, "category", category);
        }
        let mut environments: Vec<&GroupList> = self.environments.iter().collect();
        environments.sort_by(|left, right| left.id.cmp(&right.id));
        for environment in environments {
            list(&mut writer, "environment", environment);
        }
        if !self.langpacks.is_empty() {
            let mut rules: Vec<_> = self.langpacks.iter().collect();
            rules.sort_by_key(|rule| (&rule.name, &rule.install));
            writer.raw("  <langpacks>\n");
            for rule in rules {
                let attributes = [("install", rule.install.as_str()), ("name", rule.name.as_str())];
                writer.element("    ", "match", &attributes, "");
            }
            writer.raw("  </langpacks>\n");
        }
        writer.raw("</comps>\n");
        writer.into_text()
    }
}

fn write_group(writer: &mut Writer, group: &Group) {
    open(writer, "group", &group.arches, &group.variants);
    common(writer, &group.id, &group.name);
    text(writer, "description", &group.description);
    let truth = |value: bool| if value { "true" } else { "false" };
    writer.element("    ", "default", &[], truth(group.default));
    writer.element("    ", "uservisible", &[], truth(group.user_visible));
    if group.biarch_only {
        writer.element("    ", "biarchonly", &[], "true");
    }
    if let Some(language) = &group.lang_only {
        writer.element("    ", "langonly", &[], language);
    }
    order(writer, group.display_order);
    let mut packages: Vec<_> = group.packages.iter().collect();
    packages.sort_by_key(|package| (package.need, &package.name));
    writer.raw("    <packagelist>\n");
    for package in packages {
        let (arches, variants) = (package.arches.join(" "), package.variants.join(" "));
        let mut attributes = Vec::new();
        attributes.extend((!arches.is_empty()).then_some(("arch", arches.as_str())));
        attributes.extend(package.base_arch_only.then_some(("basearchonly", "true")));
        attributes.extend(package.requires.as_deref().map(|requires| ("requires", requires)));
        attributes.push(("type", package.need.name()));
        attributes.extend((!variants.is_empty()).then_some(("variant", variants.as_str())));
        writer.element("      ", "packagereq", &attributes, &package.name);
    }
    writer.raw("    </packagelist>\n  </group>\n");
}

fn list(writer: &mut Writer, kind: &str, list: &GroupList) {
    open(writer, kind, &list.arches, &list.variants);
    common(writer, &list.id, &list.name);
    if list.description != Text::default() {
        text(writer, "description", &list.description);
    }
    order(writer, list.display_order);
    ids(writer, "grouplist", &list.groups);
    if !list.options.is_empty() {
        ids(writer, "optionlist", &list.options);
    }
    writer.raw("  </").raw(kind).raw(">\n");
}

fn open(writer: &mut Writer, kind: &str, arches: &[String], variants: &[String]) {
    writer.raw("  <").raw(kind);
    for (name, listed) in [("arch", arches), ("variant", variants)] {
        if !listed.is_empty() {
            writer.attribute(name, &listed.join(" "));
        }
    }
    writer.raw(">\n");
}

fn common(writer: &mut Writer, id: &str, name: &Text) {
    writer.element("    ", "id", &[], id);
    text(writer, "name", name);
}

fn text(writer: &mut Writer, kind: &str, text: &Text) {
    writer.element("    ", kind, &[], &text.plain);
    for (language, text) in &text.translations {
        writer.element("    ", kind, &[("xml:lang", language)], text);
    }
}

fn order(writer: &mut Writer, place: Option<i64>) {
    if let Some(place) = place {
        writer.element("    ", "display_order", &[], &place.to_string());
    }
}

fn ids(writer: &mut Writer, kind: &str, groups: &[GroupId]) {
    let mut groups: Vec<_> = groups.iter().collect();
    groups.sort_by_key(|group| &group.id);
    writer.raw("    <").raw(kind).raw(">\n");
    for group in groups {
        let arches = group.arches.join(" ");
        let mut attributes = Vec::new();
        attributes.extend((!arches.is_empty()).then_some(("arch", arches.as_str())));
        attributes.extend(group.default.then_some(("default", "true")));
        writer.element("      ", "groupid", &attributes, &group.id);
    }
    writer.raw("    </").raw(kind).raw(">\n");
}
