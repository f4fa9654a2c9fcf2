//! What groups and environments bring in.

use super::super::candidate::Candidate;
use super::*;
use crate::base::Digest;
use crate::base::arch::TreeArch;
use crate::format::kickstart::Include;

const COMPS: &str = "<comps>
  <group><id>core</id><name>Core</name><packagelist>
    <packagereq>bash</packagereq><packagereq type='default'>vim</packagereq>
    <packagereq type='optional'>zsh</packagereq>
    <packagereq type='conditional' requires='zsh'>zsh-html</packagereq></packagelist></group>
  <group><id>birds</id><name>Water Birds</name><packagelist>
    <packagereq>goose</packagereq><packagereq type='default'>swan</packagereq></packagelist></group>
  <environment><id>pond</id><name>Pond</name><grouplist><groupid>core</groupid><groupid>birds</groupid></grouplist></environment>
</comps>";

/// What is selected of all names in comps, or what is wrong.
fn selected(fill: impl Fn(&mut Request)) -> String {
    let names = ["bash", "goose", "swan", "vim", "zsh", "zsh-html"];
    let candidate = |name: &str| {
        let mut made = Candidate::new(format!("{name}-0:1-1.x86_64").parse().unwrap(), Digest::of(name));
        made.source = Some("src-1-1.src.rpm".into());
        made
    };
    let universe = Universe::new(names.map(candidate).into()).unwrap();
    let mut request = Request::new(TreeArch::find("x86_64").unwrap());
    fill(&mut request);
    let decision = gather(&request, &Comps::parse(COMPS.as_bytes()).unwrap(), &universe);
    let problems = decision.problems.iter().map(ToString::to_string);
    let names = decision.packages.keys().map(|nevra| nevra.name.clone());
    problems.chain(names).collect::<Vec<_>>().join(" ")
}

#[test]
fn groups_come_in_parts_and_environments_without_some() {
    let line = |name: &str, include| vec![(name.to_owned(), include)];
    for (groups, without, environment, expected) in [
        (line("core", Include::Default), "", "", "bash vim"),
        (line("Core", Include::NoDefaults), "", "", "bash"),
        (line("core", Include::Optional), "", "", "bash vim zsh zsh-html"),
        (line("Water Birds", Include::Default), "", "", "goose swan"),
        (Vec::new(), "", "pond", "bash goose swan vim"),
        (Vec::new(), "Water Birds", "pond", "bash vim"),
        // What is said of a group goes before what the environment wants of it.
        (line("birds", Include::NoDefaults), "", "pond", "bash goose vim"),
        (line("birds", Include::NoDefaults), "birds", "pond", "bash goose vim"),
        (
            line("bards", Include::Default),
            "",
            "",
            "the comps file has no group 'bards' (did you mean 'birds'?)",
        ),
        (Vec::new(), "fish", "pond", "the comps file has no group 'fish' bash goose swan vim"),
    ] {
        let found = selected(|request| {
            request.named_groups.clone_from(&groups);
            request.without_groups.extend((!without.is_empty()).then(|| without.to_owned()));
            request.environments.extend((!environment.is_empty()).then(|| environment.to_owned()));
        });
        assert_eq!(found, expected, "{groups:?} -{without} {environment}");
    }
}

#[test]
fn what_is_for_another_variant_or_arch_is_passed_over() {
    let comps = "<comps>
      <group><id>all</id><packagelist><packagereq>a</packagereq><packagereq variant='Server, Client'>b</packagereq>
        <packagereq type='conditional' requires='a' variant='Client'>c</packagereq>
        <packagereq basearchonly='true'>d</packagereq></packagelist></group>
      <group variant='Client'><id>desktop</id><packagelist><packagereq>e</packagereq></packagelist></group>
      <environment variant='Server'><id>server</id><grouplist><groupid>all</groupid></grouplist></environment>
      <environment arch='s390x'><id>mainframe</id><grouplist><groupid>all</groupid></grouplist></environment></comps>";
    let comps = Comps::parse(comps.as_bytes()).unwrap();
    let names = ["a", "b", "c", "d", "e"];
    let candidates =
        names.map(|name| Candidate::new(format!("{name}-0:1-1.x86_64").parse().unwrap(), Digest::of(name)));
    let universe = Universe::new(candidates.into()).unwrap();
    let mut request = Request::new(TreeArch::find("x86_64").unwrap());
    for (variant, groups, environments, expected) in [
        (None, &["all", "desktop"][..], &[][..], "abcde"),
        (Some("Server"), &["all", "desktop"], &[], "abd"),
        (Some("Client"), &["all", "desktop"], &[], "abcde"),
        (Some("Other"), &["all", "desktop"], &[], "ad"),
        (Some("Server"), &[], &["server", "mainframe"], "abd"),
        (Some("Client"), &[], &["server", "mainframe"], ""),
        (None, &[], &["mainframe"], ""),
    ] {
        request.variant = variant.map(str::to_owned);
        request.groups = groups.iter().map(|&id| id.to_owned()).collect();
        request.environments = environments.iter().map(|&id| id.to_owned()).collect();
        let decision = gather(&request, &comps, &universe);
        let names: String = decision.packages.keys().map(|nevra| nevra.name.as_str()).collect();
        assert_eq!(names, expected, "{variant:?} {groups:?} {environments:?}");
        assert!(decision.problems.is_empty(), "{:?}", decision.problems);
    }
}
