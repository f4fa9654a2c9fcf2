use super::super::candidate::Candidate;
use super::super::decision::{Flag, Reason, Trim};
use super::super::gather::Absence;
use super::super::relation::{Relation, Sense};
use super::*;
use crate::base::Digest;
use crate::base::arch::TreeArch;

/// A package of a build: `NEVRA SOURCE`, then what it requires. It provides itself.
fn package(text: &str) -> Candidate {
    let mut words = text.split_whitespace();
    let nevra: Nevra = words.next().unwrap().parse().unwrap();
    let mut candidate = Candidate::new(nevra.clone(), Digest::of(text));
    if !nevra.is_source() {
        let build = words.next().unwrap();
        candidate.source = Some(format!("{build}-1-1.src.rpm"));
        candidate.provides.push(Relation::versioned(&nevra.name, Sense::EQUAL, nevra.evr.to_string()));
        candidate.requires.extend(words.map(Relation::any));
    }
    candidate
}

/// A universe of these packages, each of version 1-1 and x86_64 unless it says otherwise, with their source packages.
fn universe(texts: &[&str]) -> Universe {
    let mut all = BTreeMap::new();
    for text in texts {
        let (name, rest) = text.split_once(' ').unwrap();
        let name = if name.contains(':') { name.to_owned() } else { format!("{name}-0:1-1.x86_64") };
        let package = package(&format!("{name} {rest}"));
        let source = format!("{}-0:1-1.src", rest.split_whitespace().next().unwrap());
        all.insert(source.parse::<Nevra>().unwrap(), self::package(&source));
        all.insert(package.nevra.clone(), package);
    }
    Universe::new(all.into_values().collect()).unwrap()
}

/// A variant of one arch that names these packages.
fn variant(kind: VariantType, parent: Option<&str>, packages: &[&str]) -> VariantRequest {
    let mut request = Request::new(TreeArch::find("x86_64").unwrap());
    request.packages = packages.iter().map(|&name| name.into()).collect();
    request.sources = true;
    VariantRequest {
        kind,
        parent: parent.map(str::to_owned),
        lookaside: Vec::new(),
        comps: Arc::new(Comps::default()),
        trees: BTreeMap::from([("x86_64", request)]),
    }
}

use VariantType::{Addon, LayeredProduct, Optional};

fn server(packages: &[&str]) -> (&'static str, VariantRequest) {
    ("Server", variant(VariantType::Variant, None, packages))
}

fn child(id: &'static str, kind: VariantType, packages: &[&str]) -> (&'static str, VariantRequest) {
    (id, variant(kind, id.split_once('-').map(|(parent, _)| parent), packages))
}

fn own<'v>(variant: &'v mut (&'static str, VariantRequest)) -> &'v mut Request {
    variant.1.trees.get_mut("x86_64").unwrap()
}

fn variants<const N: usize>(all: [(&str, VariantRequest); N]) -> Result<Variants, VariantError> {
    Variants::new(all.into_iter().map(|(id, variant)| (id.to_owned(), variant)).collect())
}

/// What each tree delivers: binary packages by name, then source packages as `NAME.src`.
fn gathered<const N: usize>(all: [(&str, VariantRequest); N], universe: &Universe) -> (Trees, Vec<String>) {
    let trees = variants(all).unwrap().gather(universe);
    let name = |nevra: &Nevra| match nevra.is_source() {
        true => format!("{}.src", nevra.name),
        false => nevra.name.clone(),
    };
    let line = |((id, _), tree): (&(String, &str), &VariantTree)| {
        let names: Vec<_> = tree.decision.delivered().map(name).collect();
        format!("{id}: {}", names.join(" "))
    };
    let lines = trees.iter().map(line).collect();
    every_chain_ends_in_an_input(&trees);
    (trees, lines)
}

fn every_chain_ends_in_an_input(trees: &Trees) {
    for ((id, _), tree) in trees {
        for nevra in tree.decision.delivered() {
            let chain = tree.decision.explain(nevra);
            let ends = matches!(
                chain.last(),
                Some((_, Reason::Pattern(_) | Reason::Group { .. } | Reason::Prepopulate(_)))
            );
            assert!(ends, "{nevra} of {id}: {chain:?}");
            assert_eq!(chain[0].0, *nevra);
        }
    }
}

fn tree<'t>(trees: &'t Trees, id: &str) -> &'t VariantTree {
    &trees[&(id.to_owned(), "x86_64")]
}

#[test]
fn an_addon_has_its_builds_whole_and_nothing_of_the_parent() {
    let universe = universe(&[
        "base base lib",
        "lib lib",
        "lib-tools lib",
        "ha ha lib ha-lib",
        "ha-lib ha",
        "ha-doc ha",
    ]);
    let (trees, lines) = gathered([server(&["base"]), child("Server-HA", Addon, &["ha"])], &universe);
    assert_eq!(lines, ["Server: base lib base.src lib.src", "Server-HA: ha ha-doc ha-lib ha.src"]);
    let addon = &tree(&trees, "Server-HA").decision;
    let trim =
        |name: &str| addon.trimmed[&format!("{name}-0:1-1.x86_64").parse::<Nevra>().unwrap()].trim.clone();
    assert_eq!(trim("lib"), Trim::Parent("Server".into()));
    // What the addon wants of the parent has a chain of its own.
    let explained = tree(&trees, "Server-HA").explain(&universe, "lib.x86_64");
    assert!(explained.selected.is_empty());
    assert_eq!(
        explained.absent.values().collect::<Vec<_>>(),
        [&Absence::Elsewhere(Trim::Parent("Server".into()))]
    );
    assert_eq!(explained.absent.values().next().unwrap().to_string(), "the parent Server has it");
}

#[test]
fn what_belongs_to_a_build_of_the_parent_is_moved_there_unless_it_is_named() {
    let packages =
        &["lib lib", "lib-tools lib tools-data", "tools-data data", "ha ha lib-tools", "own own lib-tools"];
    let universe = universe(packages);
    let (trees, lines) = gathered([server(&["lib"]), child("Server-HA", Addon, &["ha"])], &universe);
    assert_eq!(
        lines,
        ["Server: lib lib-tools lib.src", "Server-HA: ha tools-data data.src ha.src"],
        "lib.src is the parent's"
    );
    let chain = |id: &str| {
        let chain = tree(&trees, id).decision.explain(&"lib-tools-0:1-1.x86_64".parse().unwrap());
        chain.iter().map(|(nevra, why)| format!("{}: {why}", nevra.name)).collect::<Vec<_>>()
    };
    assert_eq!(
        chain("Server"),
        [
            "lib-tools: moved here from Server-HA, since its source package is here",
            "lib-tools: required by ha-0:1-1.x86_64: lib-tools",
            "ha: named as 'ha'"
        ]
    );
    assert_eq!(chain("Server-HA").len(), 2);
    let explained = tree(&trees, "Server-HA").explain(&universe, "lib-tools");
    assert!(explained.absent.values().next().unwrap().to_string().starts_with("moved to the parent Server"));
    let explained = tree(&trees, "Server").explain(&universe, "lib-tools");
    assert_eq!(explained.selected.len(), 1);
    let moved = &tree(&trees, "Server").decision.packages[&explained.selected[0]];
    assert!(moved.flags.contains(&Flag::FulltreeExclude));
    let notes: Vec<_> = tree(&trees, "Server").decision.notes.iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        [
            "lib-tools-0:1-1.x86_64 was moved here from Server-HA, but nothing here provides 'tools-data', which it requires"
        ]
    );

    // As an input of the addon it stays, unless another addon moves it to the parent first.
    let all = [server(&["lib"]), child("Server-HA", Addon, &["ha", "lib-tools"])];
    let (_, lines) = gathered(all, &universe);
    assert_eq!(lines[0], "Server: lib lib.src");
    assert_eq!(lines[1], "Server-HA: ha lib-tools tools-data data.src ha.src");
    let all = [
        server(&["lib"]),
        child("Server-A", Addon, &["own"]),
        child("Server-HA", Addon, &["ha", "lib-tools"]),
    ];
    let (_, lines) = gathered(all, &universe);
    assert_eq!(lines[0], "Server: lib lib-tools lib.src");
    assert_eq!(lines[2], "Server-HA: ha tools-data data.src ha.src");
    // An optional variant moves nothing, and leaves no build alone.
    let (_, lines) = gathered([server(&["lib"]), child("Server-optional", Optional, &["ha"])], &universe);
    assert_eq!(lines, ["Server: lib lib.src", "Server-optional: ha lib-tools tools-data data.src ha.src"]);
}

#[test]
fn an_optional_variant_has_the_rest_of_all_builds_and_what_they_need_to_be_built() {
    let mut universe_of =
        vec!["base base", "base-devel base devel", "devel devel", "ha ha", "ha-doc ha", "ha-x ha"];
    let universe = universe(&universe_of);
    let all =
        [server(&["base"]), child("Server-HA", Addon, &["ha"]), child("Server-optional", Optional, &[])];
    let (_, lines) = gathered(all, &universe);
    assert_eq!(lines[2], "Server-optional: base-devel devel devel.src");
    // Inputs of the addon that it excludes are not asked for in vain.
    universe_of.push("other other");
    let universe = self::universe(&universe_of);
    let mut optional = child("Server-optional", Optional, &["other"]);
    own(&mut optional).exclude = vec!["ha*".into()];
    let (trees, lines) =
        gathered([server(&["base"]), child("Server-HA", Addon, &["ha"]), optional], &universe);
    assert_eq!(lines[2], "Server-optional: base-devel devel other devel.src other.src");
    assert!(tree(&trees, "Server-optional").decision.problems.is_empty());
    // Without dependencies there is no fulltree either.
    let mut plain = child("Server-optional", Optional, &["other"]);
    own(&mut plain).dependencies = false;
    let (_, lines) = gathered([server(&["base"]), plain], &universe);
    assert_eq!(lines[1], "Server-optional: other other.src");
}

#[test]
fn names_that_addons_have_are_theirs_but_layered_products_keep_sources() {
    let universe = universe(&["base base", "ha ha", "ha-lib ha", "sap sap ha-lib", "hot sap ha"]);
    let all = [
        server(&["base"]),
        child("Server-HA", Addon, &["ha"]),
        child("Server-SAP", LayeredProduct, &["sap"]),
        child("Server-optional", Optional, &["sap", "hot"]),
    ];
    let (trees, lines) = gathered(all, &universe);
    assert_eq!(
        lines,
        [
            "Server: base base.src",
            "Server-HA: ha ha-lib ha.src",
            "Server-SAP: hot sap ha.src sap.src",
            "Server-optional: ",
        ]
    );
    let because = |id: &str, nevra: &str| {
        tree(&trees, id).decision.trimmed[&nevra.parse::<Nevra>().unwrap()].trim.clone()
    };
    assert_eq!(because("Server-SAP", "ha-0:1-1.x86_64"), Trim::Taken("Server-HA".into()));
    assert_eq!(because("Server-optional", "sap-0:1-1.x86_64"), Trim::Taken("Server-SAP".into()));
    assert_eq!(because("Server-optional", "ha-0:1-1.src"), Trim::Taken("Server-HA".into()));
    // As in Pungi: also those of other parents.
    let all = [
        server(&["base"]),
        child("Server-HA", Addon, &["ha"]),
        ("Client", variant(VariantType::Variant, None, &["base"])),
        child("Client-optional", Optional, &["ha", "sap"]),
    ];
    let (_, lines) = gathered(all, &universe);
    assert_eq!(lines[1], "Client-optional: hot sap sap.src");
}

#[test]
fn what_is_looked_aside_at_is_not_delivered_and_brings_nothing() {
    let universe = universe(&["base base", "app app lib", "lib lib deep", "lib-extra lib", "deep deep"]);
    let mut app = ("AppStream", variant(VariantType::Variant, None, &["app"]));
    let (_, lines) =
        gathered([("BaseOS", variant(VariantType::Variant, None, &["lib"])), app.clone()], &universe);
    assert_eq!(
        lines,
        ["AppStream: app deep lib app.src deep.src lib.src", "BaseOS: deep lib deep.src lib.src"]
    );
    app.1.lookaside = vec!["BaseOS".into()];
    let base = ("BaseOS", variant(VariantType::Variant, None, &["lib"]));
    let (trees, lines) = gathered([base.clone(), app.clone()], &universe);
    assert_eq!(lines[0], "AppStream: app app.src");
    let packages = &tree(&trees, "AppStream").decision.packages;
    let flags = |name: &str| {
        packages.get(&format!("{name}-0:1-1.x86_64").parse::<Nevra>().unwrap()).map(|found| &found.flags)
    };
    assert!(flags("lib").unwrap().contains(&Flag::Lookaside));
    assert_eq!(flags("deep"), None);
    // It cannot be excluded, as in Pungi.
    own(&mut app).exclude = vec!["lib".into()];
    let (trees, _) = gathered([base.clone(), app.clone()], &universe);
    assert!(tree(&trees, "AppStream").decision.problems.is_empty());
    // An arch that the other variant has not gives nothing.
    let mut other = base.clone();
    let request = Request { arch: TreeArch::find("aarch64").unwrap(), ..own(&mut other).clone() };
    other.1.trees = BTreeMap::from([("aarch64", request)]);
    own(&mut app).exclude.clear();
    let trees = variants([other, app.clone()]).unwrap().gather(&universe);
    assert_eq!(tree(&trees, "AppStream").decision.delivered().count(), 6);
    // An addon that looks aside at its parent has nothing of it, not even as inputs.
    let mut addon = child("Server-HA", Addon, &["app"]);
    addon.1.lookaside = vec!["Server".into()];
    let (trees, lines) = gathered([server(&["lib"]), addon], &universe);
    assert_eq!(lines[1], "Server-HA: app app.src");
    assert!(tree(&trees, "Server-HA").decision.trimmed.is_empty());
}

#[test]
fn what_is_wrong_with_inputs_of_the_parent_is_told_there() {
    let universe = universe(&["base base gone", "ha ha gone"]);
    let all = [
        server(&["base", "nowhere"]),
        child("Server-HA", Addon, &["ha"]),
        child("Server-optional", Optional, &[]),
    ];
    let trees = variants(all).unwrap().gather(&universe);
    let told =
        |id: &str| tree(&trees, id).decision.problems.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        told("Server"),
        ["no package matches 'nowhere'", "nothing provides 'gone', required by base-0:1-1.x86_64"]
    );
    assert_eq!(told("Server-HA"), ["nothing provides 'gone', required by ha-0:1-1.x86_64"]);
    assert_eq!(told("Server-optional"), [""; 0]);
}

#[test]
fn variants_that_do_not_fit_together_are_refused() {
    let looking = |id: &'static str, of: &str| {
        let mut found = (id, variant(VariantType::Variant, None, &["a"]));
        found.1.lookaside = vec![of.to_owned()];
        found
    };
    let lookaside = |id: &str, of: &str| VariantError::Lookaside { id: id.into(), of: of.into() };
    assert_eq!(variants([looking("A", "B"), looking("B", "A")]).unwrap_err(), lookaside("A", "B"));
    assert_eq!(variants([looking("A", "A")]).unwrap_err(), lookaside("A", "A"));
    assert_eq!(variants([looking("A", "Gone")]).unwrap_err(), lookaside("A", "Gone"));
    let addon = || child("Server-HA", Addon, &["a"]);
    let mut looks = server(&["a"]);
    looks.1.lookaside = vec!["Server-HA".into()];
    assert_eq!(variants([looks, addon()]).unwrap_err(), lookaside("Server", "Server-HA"));
    // Chains are in order, whatever the ids.
    let order = variants([looking("A", "B"), looking("B", "C"), ("C", server(&["c"]).1)]).unwrap().order;
    assert_eq!(order, ["C", "B", "A"]);

    let parent = |result: Result<Variants, VariantError>| matches!(result, Err(VariantError::Parent { .. }));
    assert!(parent(variants([addon()])));
    assert!(parent(variants([("A", variant(Addon, None, &["a"]))])));
    assert!(parent(variants([server(&["a"]), ("B", variant(VariantType::Variant, Some("Server"), &["a"]))])));
    assert!(parent(variants([server(&["a"]), addon(), ("B", variant(Addon, Some("Server-HA"), &["a"]))])));
    let mut more = addon();
    let request = own(&mut more).clone();
    more.1.trees.insert("aarch64", request);
    assert!(parent(variants([server(&["a"]), more])));
}

#[test]
fn groups_are_looked_up_in_the_comps_of_the_variant_that_names_them() {
    let comps = |group: &str, name: &str| {
        let text = format!(
            "<comps><group><id>{group}</id><name>x</name><packagelist><packagereq type=\"mandatory\">{name}</packagereq>\
             </packagelist></group></comps>"
        );
        Arc::new(Comps::parse(text.as_bytes()).unwrap())
    };
    let universe = universe(&["base base", "ha ha"]);
    let (mut server, mut addon) = (server(&[]), child("Server-HA", Addon, &[]));
    own(&mut server).groups = vec!["core".into()];
    own(&mut addon).groups = vec!["ha".into()];
    (server.1.comps, addon.1.comps) = (comps("core", "base"), comps("ha", "ha"));
    let (trees, lines) = gathered([server, addon], &universe);
    assert_eq!(lines, ["Server: base base.src", "Server-HA: ha ha.src"]);
    assert!(tree(&trees, "Server-HA").decision.problems.is_empty());
}

/// Random universes and families of variants: nothing is in two trees of a family that may not be, nothing that the parent's
/// inputs bring is lost, every chain ends in an input, and the order of the universe plays no part.
#[test]
fn families_of_random_variants_divide_what_was_gathered() {
    let mut state = 7_u64;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let (mut moved, mut trimmed, mut aside) = (0, 0, 0);
    for _ in 0..150 {
        let count = 24;
        let mut texts = Vec::new();
        for at in 0..count {
            let mut text = format!("p{at} b{}", random(8));
            for _ in 0..random(3) {
                text += " p";
                text += &random(count).to_string();
            }
            texts.push(text);
        }
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let universe = universe(&texts);
        let named = |random: &mut dyn FnMut(u64) -> u64, most: u64| {
            (0..1 + random(most)).map(|_| format!("p{}", random(count))).collect::<BTreeSet<_>>()
        };
        let mut make = |id: &'static str, kind: VariantType| {
            let packages = named(&mut random, 3);
            let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
            let mut made =
                if id.contains('-') { child(id, kind, &packages) } else { (id, server(&packages).1) };
            if id != "Base" && random(4) == 0 {
                made.1.lookaside = vec!["Base".into()];
            }
            made
        };
        let all = [
            make("Base", VariantType::Variant),
            make("Server", VariantType::Variant),
            make("Server-A", Addon),
            make("Server-B", Addon),
            make("Server-L", LayeredProduct),
            make("Server-o", Optional),
        ];
        let (trees, lines) = gathered(all.clone(), &universe);
        let of = |id: &str| tree(&trees, id).decision.delivered().cloned().collect::<BTreeSet<_>>();
        let parent = of("Server");
        for id in ["Server-A", "Server-B", "Server-L", "Server-o"] {
            let decision = &tree(&trees, id).decision;
            for (nevra, found) in &decision.trimmed {
                assert!(!decision.has(nevra), "{nevra} of {id}");
                let there = match &found.trim {
                    // It may only be looked aside at there.
                    Trim::Parent(_) => tree(&trees, "Server").decision.has(nevra),
                    Trim::Moved(_) => parent.contains(nevra),
                    Trim::Taken(by) => of(by).contains(nevra),
                };
                assert!(there, "{nevra} of {id}: {:?}", found.trim);
                moved += usize::from(found.trim.is_moved());
                trimmed += 1;
            }
            aside += decision.packages.values().filter(|chosen| !chosen.is_delivered()).count();
        }
        // An optional variant shares nothing with the others, layered products only sources.
        for id in ["Server-A", "Server-B", "Server-L"] {
            assert!(of(id).is_disjoint(&of("Server-o")), "{id}: {lines:?}");
        }
        for id in ["Server-A", "Server-B"] {
            assert!(of(id).intersection(&of("Server-L")).all(Nevra::is_source), "{id}: {lines:?}");
        }
        let reversed: Vec<&str> = texts.iter().rev().copied().collect();
        assert_eq!(gathered(all, &self::universe(&reversed)).1, lines);
    }
    assert!(moved > 20 && trimmed > 500 && aside > 50, "{moved} {trimmed} {aside}");
}

#[test]
fn single_trees_look_aside_at_a_package() {
    let mut all: Vec<Candidate> =
        universe(&["tool tool lib", "lib lib"]).members().map(Member::to_candidate).collect();
    let copies = all.clone().into_iter().filter(|candidate| candidate.nevra.name == "lib");
    let copies = copies.map(|candidate| Candidate {
        lookaside: true,
        not_for: vec!["Client/x86_64".into()],
        ..candidate
    });
    all.extend(copies.collect::<Vec<_>>());
    let both = |all: Vec<Candidate>| {
        let client = ("Client", variant(VariantType::Variant, None, &["tool"]));
        let universe = Universe::new(all).unwrap();
        let variants = variants([server(&["tool"]), client]).unwrap();
        let trees = variants.gather(&universe);
        let names = |id: &str| {
            let tree = &trees[&(id.to_owned(), "x86_64")];
            tree.decision.delivered().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        let absent = variants.explain_alone("Client", "x86_64", &universe, "lib").unwrap().absent;
        let absent: Vec<_> = absent.values().map(ToString::to_string).collect();
        (names("Server"), names("Client"), absent)
    };
    // The server's tree takes the copy, the client's does not see it.
    let (server, client, absent) = both(all.clone());
    assert_eq!(server, "tool-0:1-1.x86_64 tool-0:1-1.src");
    assert_eq!(client, "lib-0:1-1.x86_64 tool-0:1-1.x86_64 lib-0:1-1.src tool-0:1-1.src");
    assert!(absent.is_empty(), "{absent:?}");
    // Where nothing else has it, the client lacks it and is told why.
    all.retain(|candidate| candidate.lookaside || candidate.nevra.name != "lib");
    let (server, client, absent) = both(all);
    assert_eq!((server.as_str(), client.as_str()), ("tool-0:1-1.x86_64 tool-0:1-1.src", server.as_str()));
    assert_eq!(absent, ["only other trees look aside at it"; 2]);
}

/// What Pungi 4.3.6 chooses with `filter_system_release_packages`.
#[test]
fn a_tree_has_one_system_release() {
    let chosen = |packages: &[&str], more: (&'static str, VariantRequest)| {
        let mut all: Vec<Candidate> =
            universe(&["tool tool system-release"]).members().map(Member::to_candidate).collect();
        for name in packages {
            let mut release = package(&format!("{name}-0:1-1.noarch {name}"));
            release.provides.push(Relation::any("system-release"));
            all.push(release);
        }
        let mut server = server(&["tool"]);
        own(&mut server).system_release = true;
        let mut more = more;
        own(&mut more).system_release = true;
        let id = more.0;
        let trees = variants([server, more]).unwrap().gather(&Universe::new(all).unwrap());
        let names = |id: &str| {
            let decision = &trees[&(id.to_owned(), "x86_64")].decision;
            let all = decision.packages.keys().chain(decision.trimmed.keys());
            all.map(|nevra| nevra.name.clone()).filter(|name| name != "tool").collect::<Vec<_>>().join(" ")
        };
        (names("Server"), names(id))
    };
    let client = || ("Client", variant(VariantType::Variant, None, &["tool"]));
    let pair = |left: &str, right: &str| (left.to_owned(), right.to_owned());
    let both = ["goose-release-client", "goose-release-server"];
    assert_eq!(chosen(&both, client()), pair("goose-release-server", "goose-release-client"));
    let turned = ["client-release", "server-release-goose"];
    assert_eq!(chosen(&turned, client()), pair("server-release-goose", "client-release"));
    // No name fits: the first.
    let others = ["goose-release-b", "goose-release-a"];
    assert_eq!(chosen(&others, client()), pair("goose-release-a", "goose-release-a"));
    // An addon goes by its parent, and so has nothing of its own.
    let addon = child("Server-client", Addon, &["tool"]);
    assert_eq!(chosen(&both, addon), pair("goose-release-server", "goose-release-server"));
    assert_eq!(chosen(&["goose-release"], client()), pair("goose-release", "goose-release"));
}
