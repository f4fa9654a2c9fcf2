use super::*;
use crate::base::Digest;
use crate::format::kickstart::{Dialect, no_includes};
use crate::select::Relation;

/// `NAME REQUIRED…`, version 1 of x86_64; each provides itself.
fn universe(packages: &[&str]) -> Universe {
    let package = |text: &&str| {
        let mut words = text.split(' ');
        let name = words.next().unwrap();
        let mut candidate = Candidate::new(format!("{name}-0:1-1.x86_64").parse().unwrap(), Digest::of(name));
        candidate.source = Some("src-1-1.src.rpm".into());
        candidate.provides.push(Relation::any(name));
        candidate.requires.extend(words.map(Relation::any));
        candidate
    };
    Universe::new(packages.iter().map(package).collect()).unwrap()
}

const OFFERED: [&str; 5] = ["base", "fox den", "den", "goose pond", "pond"];
const COMPS: &str = "<comps><group><id>core</id><name>Core</name><packagelist>\
    <packagereq type='mandatory'>base</packagereq></packagelist></group>\
    <group><id>birds</id><name>Water Birds</name><packagelist>\
    <packagereq type='mandatory'>goose</packagereq><packagereq type='optional'>fox</packagereq>\
    </packagelist></group></comps>";

/// The names that `%packages` with these options and lines choose, or what is wrong with them.
fn chosen(options: &str, lines: &str) -> Result<String, String> {
    let text = format!("%packages{options}\n{lines}\n%end\n");
    let kickstart = Kickstart::parse("x.ks", text.as_bytes(), Dialect::Fedora, &mut no_includes).unwrap();
    let comps = Comps::parse(COMPS.as_bytes()).unwrap();
    let offered = universe(&OFFERED);
    let medium = MediumRef { variant: "Base".into(), arch: "x86_64".into(), name: "dvd".into() };
    let request = request(&kickstart, &comps, TreeArch::find("x86_64").unwrap());
    let picked = request.and_then(|request| pick(&medium, &kickstart, &request, &comps, &offered));
    let names =
        |picked: BTreeSet<Nevra>| picked.iter().map(|nevra| nevra.name.clone()).collect::<Vec<_>>().join(" ");
    picked.map(names).map_err(|error| match error {
        ComposeError::Select { source, .. } => source.to_string(),
        error => error.to_string(),
    })
}

#[test]
fn a_medium_has_what_its_kickstart_names_and_what_that_needs() {
    assert_eq!(chosen("", "fox").unwrap(), "base den fox");
    assert_eq!(chosen(" --nocore", "fox").unwrap(), "den fox");
    assert_eq!(chosen("", "*").unwrap(), "base den fox goose pond");
    assert_eq!(chosen("", "@birds").unwrap(), "base goose pond");
    assert_eq!(chosen("", "@Water Birds --optional").unwrap(), "base den fox goose pond");
    assert_eq!(chosen("", "@birds\n-@core").unwrap(), "goose pond");
    assert_eq!(chosen("", "*\n-fox").unwrap(), "base den goose pond");
}

#[test]
fn a_medium_has_nothing_that_is_looked_aside_at() {
    let mut candidates: Vec<Candidate> = universe(&OFFERED).members().map(Member::to_candidate).collect();
    for candidate in &mut candidates {
        candidate.lookaside = ["den", "pond"].contains(&candidate.nevra.name.as_str());
    }
    let universe = Universe::new(candidates).unwrap();
    let tree = TreeRef::new("Base", TreeKind::Binary("x86_64"));
    let here = BTreeMap::from([(tree.clone(), BTreeSet::new())]);
    let selected =
        ["base", "fox"].map(|name| (format!("{name}-0:1-1.x86_64").parse().unwrap(), here.clone()));
    let selected = Selected::from(selected);
    let text = "%packages\n*\n%end\n";
    let kickstart = Kickstart::parse("x.ks", text.as_bytes(), Dialect::Fedora, &mut no_includes).unwrap();
    let medium = MediumRef { variant: "Base".into(), arch: "x86_64".into(), name: "dvd".into() };
    let comps = Comps::parse(COMPS.as_bytes()).unwrap();
    // What is offered may need it, what is installed may not.
    let picked = [true, false].map(|aside| {
        let offered = offered(&universe, &selected, &tree, aside).unwrap();
        let request = request(&kickstart, &comps, TreeArch::find("x86_64").unwrap()).unwrap();
        pick(&medium, &kickstart, &request, &comps, &offered)
    });
    let names = |nevras: &BTreeSet<Nevra>| nevras.iter().map(|nevra| nevra.name.clone()).collect::<Vec<_>>();
    assert_eq!(picked[0].as_ref().map(names).ok(), Some(vec!["base".to_owned(), "fox".to_owned()]));
    assert!(matches!(picked[1], Err(ComposeError::Select { .. })));
}

#[test]
fn what_the_variant_does_not_have_is_passed_over_only_on_demand() {
    let error = chosen("", "fox\nswan").unwrap_err();
    assert!(error.contains("swan"), "{error}");
    let error = chosen("", "fox\n@swans").unwrap_err();
    assert!(error.contains("x.ks:3") && error.contains("no group 'swans'"), "{error}");
    assert_eq!(chosen(" --ignoremissing", "fox\nswan\nsw*\n@swans").unwrap(), "base den fox");
    // What is there and lacks something is no missing package.
    let error = chosen(" --ignoremissing", "fox\n-den").unwrap_err();
    assert!(error.contains("den"), "{error}");
}

/// What Gosling's kickstarts choose of what its lock selects is what the lock says is on its media.
#[test]
fn the_media_of_gosling_are_those_of_its_lock() {
    let recipe = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/gosling.toml");
    let files = RecipeFiles::read(&recipe).unwrap();
    let selection = crate::compose::Selection::read(&recipe, || None).unwrap();
    let packages = selection.lock().packages.0.iter();
    let selected = packages.map(|(nevra, package)| (nevra.clone(), package.trees.clone())).collect();
    let chosen = choose(&files, &selection.universe, &selected).unwrap();
    assert!(!chosen.0.is_empty());
    assert_eq!(chosen.0, selection.lock().media.0);
}
