//! Variants in variants and beside them, with what is said where they do not fit together.

use super::*;
use crate::format::productmd::VariantType;

const HEAD: &str = r#"
[release]
name = "N"
short = "N"
version = "1"
[[source]]
dir = "d"
on-unsigned = "allow"
[variant.Server]
arches = ["x86_64", "s390x"]
comps = "comps.xml"
groups = ["core"]
"#;

fn recipe(text: &str) -> Result<Recipe, RecipeError> {
    Recipe::parse(&format!("{HEAD}{text}"), "r.toml")
}

/// Lines count from the end of the common part.
fn problems(text: &str) -> Vec<String> {
    let error = recipe(text).expect_err(text);
    let line = |problem: &Problem| format!("{} {}", problem.line - HEAD.lines().count(), problem.message);
    error.problems().iter().map(line).collect()
}

#[test]
fn reads_what_is_in_a_variant_and_beside_it() {
    let text = r#"[variant.Server-HA]
type = "addon"
parent = "Server"
arches = ["x86_64"]
groups = ["ha"]
langpacks = true
fulltree-excludes = ["kernel"]
[variant.Server-SAP]
type = "layered-product"
parent = "Server"
release = { name = "For SAP", short = "SAP", version = "2.1" }
arches = ["x86_64"]
packages = ["sap"]
lookaside = ["Server-HA", "Base"]
[variant.Server-optional]
type = "optional"
parent = "Server"
arches = ["s390x"]
comps = "other.xml"
[variant.Base]
arches = ["x86_64"]
packages = ["base"]
[variant.Apps]
type = "variant"
arches = ["x86_64"]
packages = ["app"]
lookaside = ["Base", "Server"]
"#;
    let recipe = recipe(text).unwrap();
    let family = |id: &str| recipe.variants[id].family.clone();
    let kinds: Vec<_> = recipe.variants.values().map(|variant| variant.family.kind.name()).collect();
    assert_eq!(kinds, ["variant", "variant", "variant", "addon", "layered-product", "optional"]);
    assert_eq!(family("Server").parent, None);
    assert_eq!(family("Server-HA").parent.as_deref(), Some("Server"));
    assert_eq!(family("Server-SAP").lookaside, ["Server-HA", "Base"]);
    assert_eq!(family("Server-SAP").release.unwrap().short, "SAP");
    assert_eq!(family("Apps").lookaside, ["Base", "Server"]);
    assert_eq!(family("Server-optional").kind, VariantType::Optional);
    // The parent's comps file, unless there is another one.
    let comps = |id: &str| recipe.variants[id].comps.as_ref().map(|path| path.to_string());
    assert_eq!(comps("Server-HA").as_deref(), Some("comps.xml"));
    assert_eq!(comps("Server-optional").as_deref(), Some("other.xml"));
    assert_eq!(comps("Base"), None);
    assert_eq!(recipe.inputs().len(), 3);
}

#[test]
fn types_and_parents_fit_together() {
    let named = "arches = [\"x86_64\"]\npackages = [\"a\"]\n";
    for (text, expected) in [
        (
            "[variant.A]\ntype = \"adon\"\n",
            &["2 'adon' is not known here: expected 'variant', 'addon', 'layered-product' or 'optional'"][..],
        ),
        (
            "[variant.A]\nparent = \"Server\"\n",
            &["2 'parent' belongs to an addon, a layered product or an optional variant"],
        ),
        (
            "[variant.A]\ntype = \"addon\"\n",
            &["1 [variant.A] lacks 'parent': an addon is in another variant"],
        ),
        ("[variant.Srever-A]\ntype = \"addon\"\nparent = \"Srever\"\n", &["3 there is no [variant.Srever]"]),
        (
            "[variant.A]\ntype = \"addon\"\nparent = \"Server\"\n",
            &["1 the id 'A' of an addon in Server must be 'Server-', then letters and digits"],
        ),
        (
            "[variant.Server-A-B]\ntype = \"optional\"\nparent = \"Server\"\n",
            &[
                "1 the id 'Server-A-B' of an optional variant in Server must be 'Server-', then letters and digits",
            ],
        ),
        ("[variant.Server-A]\n", &["1 the id 'Server-A' of a variant may hold letters and digits only"]),
        (
            "[variant.Server-A]\ntype = \"layered-product\"\nparent = \"Server\"\n",
            &["1 [variant.Server-A] lacks 'release': a layered product has a name and version of its own"],
        ),
        (
            "[variant.Server-A]\ntype = \"layered-product\"\nparent = \"Server\"\nrelease = { name = \"A\", short = \"1\" }\n",
            &[
                "4 'release' of [variant.Server-A] lacks 'version'",
                "4 a short name is a letter, then letters, digits and '-'",
            ],
        ),
        (
            "[variant.A]\nrelease = { name = \"A\", short = \"A\", version = \"1\" }\n",
            &["2 'release' belongs to a layered product: what else is composed is [release]"],
        ),
        (
            "[variant.Server-A]\ntype = \"addon\"\nparent = \"Server\"\nfulltree = true\nselfhosting = true\n",
            &[
                "4 'fulltree' has no effect: an addon has it by its type",
                "5 'selfhosting' has no effect: an addon has it by its type",
            ],
        ),
    ] {
        assert_eq!(problems(&format!("{text}{named}")), expected, "{text}");
    }
    let child = |id: &str, parent: &str, arch: &str| {
        format!(
            "[variant.{id}]\ntype = \"addon\"\nparent = \"{parent}\"\narches = [\"{arch}\"]\npackages = [\"a\"]\n"
        )
    };
    assert_eq!(
        problems(&child("Server-A", "Server", "aarch64")),
        ["4 [variant.Server-A] has the arch 'aarch64', which its parent Server lacks"]
    );
    assert_eq!(
        problems(&format!(
            "{}{}",
            child("Server-A", "Server", "x86_64"),
            child("Server-A-B", "Server-A", "x86_64")
        )),
        ["8 'Server-A' is an addon itself: only a variant that stands alone has others in it"]
    );
    // Only what is optional may name nothing.
    let nothing = |kind: &str| {
        recipe(&format!(
            "[variant.Server-A]\ntype = \"{kind}\"\nparent = \"Server\"\narches = [\"x86_64\"]\n"
        ))
    };
    assert!(nothing("optional").is_ok());
    assert!(nothing("addon").unwrap_err().to_string().contains("selects nothing"));
}

#[test]
fn what_is_looked_aside_at_is_there_and_comes_first() {
    let variant = |id: &str, of: &str| {
        format!("[variant.{id}]\narches = [\"x86_64\"]\npackages = [\"a\"]\nlookaside = [{of}]\n")
    };
    assert_eq!(problems(&variant("A", "\"Sever\"")), ["4 there is no [variant.Sever]"]);
    assert_eq!(problems(&variant("A", "\"A\"")), ["4 [variant.A] cannot look aside at itself"]);
    let cycle = ["A", "B", "C"].iter().zip(["\"B\"", "\"C\"", "\"A\""]).map(|(id, of)| variant(id, of));
    let tail = variant("D", "\"A\"");
    assert_eq!(
        problems(&format!("{}{tail}", cycle.collect::<String>())),
        ["4 these variants look aside at one another: A, B, C"]
    );
    let addon = "[variant.Server-HA]\ntype = \"addon\"\nparent = \"Server\"\narches = [\"x86_64\"]\npackages = [\"a\"]\n";
    assert_eq!(
        problems(&format!("{}{addon}", variant("A", "\"Server-HA\""))),
        ["4 a variant cannot look aside at an addon: 'Server-HA' is gathered after it"]
    );
}

#[test]
fn media_are_made_of_variants_that_stand_alone() {
    let text = "[variant.Server-HA]\ntype = \"addon\"\nparent = \"Server\"\narches = [\"x86_64\"]\npackages = [\"a\"]\n\
                [builder]\nimage = \"b.lock\"\n[[media]]\nkind = \"live\"\nvariant = \"Server-HA\"\nkickstart = \"a.ks\"\n";
    assert_eq!(problems(text), ["10 'Server-HA' is an addon: what is on media comes from one variant"]);
}
