//! What of a comps file is for one tree, as Pungi (4.3.6) prepares the comps of a variant.

use std::collections::BTreeSet;

use super::{Comps, Group, GroupList};

/// Groups that are kept though they are empty: `conflicts`, and with the variant's id in lower case behind it.
const CONFLICTS: &str = "conflicts";

/// What a tree's comps are to have.
#[derive(Clone, Debug, Default)]
pub struct Extent<'a> {
    /// The tree's arch.
    pub arch: &'a str,
    /// The variant's id.
    pub variant: &'a str,
    /// The groups that there are; none for all.
    pub groups: Option<BTreeSet<String>>,
    /// The environments that there are; none for all.
    pub environments: Option<BTreeSet<String>>,
    /// Groups that variants beside it have, so that environments may list them.
    pub beside: BTreeSet<String>,
}

impl Comps {
    /// The part that is for a tree: without what is for other arches and variants, then without groups, categories and
    /// environments that are empty by that, then without those that the tree does not have.
    #[must_use]
    pub fn for_tree(&self, extent: &Extent<'_>) -> Self {
        let mut comps = self.clone();
        comps.keep_packages_for(extent.arch, Some(extent.variant));
        comps.keep_groups_for(extent.arch, Some(extent.variant));
        comps.keep_environments_for(extent.arch, Some(extent.variant));
        let own = format!("{CONFLICTS}-{}", extent.variant.to_lowercase());
        comps.clean(extent.arch, &[CONFLICTS, &own], &extent.beside);
        if let Some(groups) = &extent.groups {
            comps.groups.retain(|group| groups.contains(&group.id));
            comps.clean_categories();
        }
        if let Some(environments) = &extent.environments {
            comps.environments.retain(|environment| environments.contains(&environment.id));
        }
        comps
    }

    /// Takes packages out of groups that are for other arches or variants; what is left is for this one. Without a variant
    /// those are not looked at.
    pub fn keep_packages_for(&mut self, arch: &str, variant: Option<&str>) {
        for group in &mut self.groups {
            group.packages.retain_mut(|package| {
                is_for(&mut package.arches, Some(arch)) && is_for(&mut package.variants, variant)
            });
        }
    }

    /// The same of groups.
    pub fn keep_groups_for(&mut self, arch: &str, variant: Option<&str>) {
        self.groups.retain_mut(|Group { arches, variants, .. }| {
            is_for(arches, Some(arch)) && is_for(variants, variant)
        });
    }

    /// The same of environments.
    pub fn keep_environments_for(&mut self, arch: &str, variant: Option<&str>) {
        self.environments.retain_mut(|GroupList { arches, variants, .. }| {
            is_for(arches, Some(arch)) && is_for(variants, variant)
        });
    }

    /// Takes out groups without packages, but those of these ids; from categories and environments groups that there are
    /// not (environments may list what lies `beside`) or that are listed for other arches; then categories and environments
    /// without groups.
    pub fn clean(&mut self, arch: &str, kept: &[&str], beside: &BTreeSet<String>) {
        self.groups.retain(|group| !group.packages.is_empty() || kept.contains(&group.id.as_str()));
        self.clean_categories();
        let known: BTreeSet<&str> = self.groups.iter().map(|group| group.id.as_str()).collect();
        for environment in &mut self.environments {
            for listed in [&mut environment.groups, &mut environment.options] {
                listed.retain_mut(|group| {
                    let id = group.id.as_str();
                    (known.contains(id) || beside.contains(id)) && is_for(&mut group.arches, Some(arch))
                });
            }
        }
        self.environments.retain(|environment| !environment.groups.is_empty());
    }

    fn clean_categories(&mut self) {
        let known: BTreeSet<&str> = self.groups.iter().map(|group| group.id.as_str()).collect();
        for category in &mut self.categories {
            category.groups.retain(|group| known.contains(group.id.as_str()));
        }
        self.categories.retain(|category| !category.groups.is_empty());
    }
}

/// Whether a list (empty for all) has a name; the list of one that does says nothing more.
fn is_for(listed: &mut Vec<String>, name: Option<&str>) -> bool {
    let Some(name) = name else { return true };
    let fits = listed.is_empty() || listed.iter().any(|listed| listed == name);
    if fits {
        listed.clear();
    }
    fits
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPS: &str = r#"<comps>
  <group><id>core</id><packagelist>
    <packagereq>bash</packagereq>
    <packagereq arch="s390x">zipl</packagereq>
    <packagereq variant="Server Client">dnf</packagereq>
    <packagereq variant="Client">plymouth</packagereq>
  </packagelist></group>
  <group arch="s390x"><id>mainframe</id><packagelist><packagereq>s390utils</packagereq></packagelist></group>
  <group variant="Client"><id>desktop</id><packagelist><packagereq>gdm</packagereq></packagelist></group>
  <group><id>extra</id><packagelist><packagereq>fun</packagereq></packagelist></group>
  <group><id>conflicts-server</id><packagelist/></group>
  <group><id>conflicts-client</id><packagelist/></group>
  <environment><id>server</id>
    <grouplist><groupid>core</groupid><groupid arch="s390x">mainframe</groupid><groupid>tools</groupid></grouplist>
    <optionlist><groupid>base</groupid><groupid>none</groupid></optionlist></environment>
  <environment><id>desktop</id><grouplist><groupid>desktop</groupid></grouplist></environment>
  <environment><id>more</id><grouplist><groupid>extra</groupid></grouplist></environment>
  <category><id>all</id><grouplist><groupid>core</groupid><groupid>extra</groupid></grouplist></category>
  <category><id>fun</id><grouplist><groupid>extra</groupid></grouplist></category>
  <langpacks><match name="fun" install="fun-%s"/></langpacks>
</comps>"#;

    fn ids<'c>(all: impl IntoIterator<Item = &'c String>) -> Vec<&'c str> {
        all.into_iter().map(String::as_str).collect()
    }

    #[test]
    fn a_tree_has_what_is_for_it() {
        let comps = Comps::parse(COMPS.as_bytes()).unwrap();
        let all = Extent { arch: "x86_64", variant: "Server", ..Extent::default() };
        let found = comps.for_tree(&all);
        assert_eq!(ids(found.groups.iter().map(|group| &group.id)), ["core", "extra", "conflicts-server"]);
        assert_eq!(ids(found.groups[0].packages.iter().map(|package| &package.name)), ["bash", "dnf"]);
        assert_eq!(ids(found.environments.iter().map(|found| &found.id)), ["server", "more"]);
        assert_eq!(ids(found.environments[0].groups.iter().map(|group| &group.id)), ["core"]);
        assert!(found.environments[0].options.is_empty());
        assert_eq!(found.langpacks, comps.langpacks);
        assert_eq!(found.for_tree(&all), found);

        let beside = BTreeSet::from(["base", "tools"].map(String::from));
        let groups = Some(BTreeSet::from(["core", "desktop"].map(String::from)));
        let environments = Some(BTreeSet::from(["server"].map(String::from)));
        let found =
            comps.for_tree(&Extent { arch: "s390x", variant: "Client", groups, environments, beside });
        assert_eq!(ids(found.groups.iter().map(|group| &group.id)), ["core", "desktop"]);
        let packages = found.groups[0].packages.iter().map(|package| &package.name);
        assert_eq!(ids(packages), ["bash", "zipl", "dnf", "plymouth"]);
        let server = &found.environments[0];
        assert_eq!(ids(server.groups.iter().map(|group| &group.id)), ["core", "mainframe", "tools"]);
        assert_eq!(ids(server.options.iter().map(|group| &group.id)), ["base"]);
        assert_eq!(ids(found.categories.iter().map(|category| &category.id)), ["all"]);
        assert_eq!(ids(found.categories[0].groups.iter().map(|group| &group.id)), ["core"]);
    }
}
