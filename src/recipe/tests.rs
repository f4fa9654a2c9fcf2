//! Every rule of a recipe with what is said where it is broken.

use super::read::SCHEMA;
use super::*;
use crate::base::RelPath;
use crate::format::repodata::{Compression, Form};

const GOOD: &str = r#"
[release]
name = "Gosling Linux"
short = "Gosling"
version = "1"
source-date = "2026-11-01T00:00:00Z"
dist = ".gos1"

[builder]
image = "images/builder.lock"

[[source]]
build = { specs = "gosling/specs", sources = "gosling/sources", debian = "gosling/debian.lock", targets = ["x86_64", "i686"] }

[[source]]
dir = "more"
keys = ["0123456789abcdef0123456789ABCDEF01234567"]

[variant.BaseOS]
arches = ["x86_64"]
comps = "gosling/comps.xml"
groups = ["core"]
packages = ["kernel*", "glibc.i686"]
multilib = { profile = "pungi", methods = ["devel"], blacklist = ["dmraid-devel"] }

[sign]
key-file = "~/keys/gosling.asc"

[repodata]
compression = "gz"
database = true
"#;

fn problems(text: &str) -> Vec<String> {
    let error = Recipe::parse(text, "r.toml").expect_err(text);
    error
        .problems()
        .iter()
        .map(|problem| format!("{}:{} {}", problem.line, problem.column, problem.message))
        .collect()
}

#[test]
fn reads_every_part() {
    let recipe = Recipe::parse(GOOD, "r.toml").unwrap();
    assert_eq!(recipe.release.short, "Gosling");
    assert_eq!(recipe.release.source_date.unwrap().seconds(), 1_793_491_200);
    assert_eq!(
        recipe.builder.as_ref().unwrap().image,
        BuilderImage::Lock(RelPath::new("images/builder.lock").unwrap())
    );
    assert_eq!(recipe.sources[0].on_unsigned, OnUnsigned::Sign);
    assert_eq!(recipe.sources[1].on_unsigned, OnUnsigned::Error);
    assert_eq!(recipe.sources[1].keys[0].as_str(), "0123456789ABCDEF0123456789ABCDEF01234567");
    assert_eq!(recipe.repodata, Form { compression: Compression::Gzip, database: true });
    let variant = &recipe.variants["BaseOS"];
    assert_eq!(variant.arches[0].name, "x86_64");
    assert!(variant.sources);
    assert_eq!(variant.multilib.as_ref().unwrap().blacklist, ["dmraid-devel"]);
    let Some(Sign::KeyFile { key, passphrase: None }) = &recipe.sign else { panic!("{:?}", recipe.sign) };
    assert_eq!(key.resolve(Some("/home/g".as_ref())).unwrap().to_str(), Some("/home/g/keys/gosling.asc"));
    let inputs: Vec<_> =
        recipe.inputs().iter().map(|input| (input.key.as_str(), input.path.as_str(), input.kind)).collect();
    assert_eq!(
        inputs,
        [
            ("builder.image", "images/builder.lock", InputKind::File),
            ("source.build.specs", "gosling/specs", InputKind::Folder),
            ("source.build.sources", "gosling/sources", InputKind::Folder),
            ("source.build.debian", "gosling/debian.lock", InputKind::File),
            ("source.dir", "more", InputKind::Folder),
            ("variant.BaseOS.comps", "gosling/comps.xml", InputKind::File),
        ]
    );
}

#[test]
fn reads_an_image_by_digest() {
    let digest = crate::base::Digest::of("image");
    let text =
        GOOD.replace("images/builder.lock", &format!("registry.example.org:5000/gander/builder@{digest}"));
    let image = Recipe::parse(&text, "r.toml").unwrap().builder.unwrap().image;
    assert_eq!(
        image,
        BuilderImage::Registry { repository: "registry.example.org:5000/gander/builder".into(), digest }
    );
}

#[test]
fn shows_a_misspelt_key_with_its_place_and_what_was_meant() {
    let text = GOOD.replace("groups =", "grops =");
    let shown = Recipe::parse(&text, "r.toml").unwrap_err().to_string();
    assert_eq!(
        shown,
        "r.toml:22:1: [variant.BaseOS] has no key 'grops'\n   22 | grops = [\"core\"]\n      | ^^^^^ did you mean 'groups'?"
    );
}

/// Each row: what to replace in the good recipe, with what, and the problems that must be found.
#[test]
fn finds_what_is_wrong_and_where() {
    let long = "x".repeat(300);
    for (from, to, expected) in [
        (
            "short = \"Gosling\"",
            "short = 1",
            vec!["4:9 'short' of [release] must be a string, not an integer"],
        ),
        ("short = \"Gosling\"\n", "", vec!["2:1 [release] lacks 'short'"]),
        ("\"Gosling\"", "\"\"", vec!["4:9 'short' of [release] must not be empty"]),
        ("\"Gosling\"", "\"Gos ling\"", vec!["4:9 a short name is a letter, then letters, digits and '-'"]),
        (
            "2026-11-01T00",
            "2026-11-31T00",
            vec![
                "6:15 '2026-11-31T00:00:00Z' is not a source date: expected a UTC time such as 2026-11-01T00:00:00Z, from 1980 up to 2105",
            ],
        ),
        (
            "\".gos1\"",
            "\"gos1\"",
            vec!["7:8 a dist tag is '.', then letters, digits, '.', '_' and '~', such as .gos1"],
        ),
        (
            "images/builder.lock",
            "../builder.lock",
            vec![
                "10:9 the path '../builder.lock' is not a plain relative path (no '..', no leading '/', no empty part)",
            ],
        ),
        (
            "images/builder.lock",
            "example.org/builder:latest",
            vec!["10:9 'example.org/builder:latest' is neither the lock of an image nor an image by digest"],
        ),
        (
            "[builder]\nimage = \"images/builder.lock\"",
            "\n",
            vec!["12:1 packages of this source are built here, but there is no [builder]"],
        ),
        ("\"i686\"]", "\"i868\"]", vec!["13:118 'i868' is no arch that packages have"]),
        (
            "dir = \"more\"",
            "dir = \"/more\"",
            vec![
                "16:7 the path '/more' is not a plain relative path (no '..', no leading '/', no empty part)",
            ],
        ),
        ("dir = \"more\"\n", "\n", vec!["15:1 a [[source]] needs 'build', 'dir', 'repo' or 'koji'"]),
        (
            "89ABCDEF0",
            "89ABCDEFG",
            vec![
                "17:9 '0123456789abcdef0123456789ABCDEFG1234567' is not a fingerprint: expected 40 or 64 hexadecimal digits",
            ],
        ),
        (
            "keys = [\"0123456789abcdef0123456789ABCDEF01234567\"]",
            "",
            vec!["15:1 no key is accepted from this source, so all of it would be refused"],
        ),
        (
            "dir = \"more\"",
            "dir = \"more\"\non-unsigned = \"Sign\"",
            vec!["17:15 'Sign' is not known here: expected 'sign', 'error' or 'allow'"],
        ),
        (
            "[variant.BaseOS]",
            "[variant.Base-OS]",
            vec!["19:10 the id 'Base-OS' of a variant may hold letters and digits only"],
        ),
        ("arches = [\"x86_64\"]", "arches = [\"x86-64\"]", vec!["20:11 'x86-64' is no arch of a tree"]),
        ("arches = [\"x86_64\"]\n", "", vec!["19:1 [variant.BaseOS] lacks 'arches', such as [\"x86_64\"]"]),
        (
            "comps = \"gosling/comps.xml\"\n",
            "\n",
            vec!["22:11 [variant.BaseOS] names 'core' but no 'comps' file to look it up in"],
        ),
        (
            "[\"core\"]",
            "[\"core\", \"core\"]",
            vec!["22:19 'core' stands twice in 'groups' of [variant.BaseOS]"],
        ),
        (
            "[\"core\"]",
            "\"core\"",
            vec!["22:10 'groups' of [variant.BaseOS] must be a list of strings, not a string"],
        ),
        ("\"kernel*\"", "\"../kernel\"", vec!["23:13 '../kernel' is no package name, glob or name.arch"]),
        (
            "\"pungi\"",
            "\"pungy\"",
            vec![
                "24:24 'pungy' is not known here: expected 'pungi', 'fedora', 'koji', 'koji-fixed', 'mash', 'modern' or 'none'",
            ],
        ),
        (
            "[\"devel\"]",
            "[\"devel\", \"file\", \"bas\"]",
            vec![
                "24:53 the profile 'pungi' has no method 'file': expected 'none', 'all', 'devel' or 'runtime'",
                "24:61 'bas' is not known here: expected 'none', 'all', 'devel' or 'runtime'",
            ],
        ),
        (
            "\"pungi\", methods = [\"devel\"]",
            "\"koji\", methods = [\"runtime\"]",
            vec!["24:43 the profile 'koji' has no method 'runtime': expected 'devel'"],
        ),
        (
            ", methods = [\"devel\"]",
            "",
            vec!["24:12 'multilib' of [variant.BaseOS] lacks 'methods', such as [\"devel\"]"],
        ),
        (
            "\"pungi\", methods = [\"devel\"]",
            "\"mash\", methods = [\"file\"]",
            vec!["24:42 the method 'file' needs 'patterns', such as [\"glibc*\"]"],
        ),
        (
            "\"pungi\", methods",
            "\"mash\", patterns = [\"a*\", \"/\"], methods",
            vec![
                "24:43 'patterns' belongs to the method 'file', and that is not asked for",
                "24:50 '/' is no package name, glob or name.arch",
            ],
        ),
        (
            "[sign]\nkey-file = \"~/keys/gosling.asc\"",
            "",
            vec!["12:1 packages of this source are to be signed, but there is no [sign]"],
        ),
        (
            "arches = [\"x86_64\"]",
            "arches = [\"aarch64\"]",
            vec!["24:12 'multilib' has no effect: no arch of [variant.BaseOS] has a secondary arch"],
        ),
        ("\"gz\"", "\"zst\"", vec!["30:15 'zst' is not known here: expected 'zstd', 'gz' or 'xz'"]),
        ("\"gz\"", "\"bz2\"", vec!["30:15 'bz2' is not known here: expected 'zstd', 'gz' or 'xz'"]),
        (
            "database = true",
            "database = \"yes\"",
            vec!["31:12 'database' of [repodata] must be true or false, not a string"],
        ),
        ("database = true", "databases = true", vec!["31:1 [repodata] has no key 'databases'"]),
        (
            "~/keys/gosling.asc",
            "keys/gosling.asc",
            vec![
                "27:12 the path 'keys/gosling.asc' is neither absolute nor begins with '~/': secrets lie outside the recipe's folder",
            ],
        ),
        (
            "key-file =",
            "demonstration = \"x\"\nkey-file =",
            vec!["28:12 [sign] has one of 'key-file', 'token', 'sigul' and 'demonstration'"],
        ),
        (
            "key-file = \"~/keys/gosling.asc\"",
            "sigul = { config = \"sigul.toml\", kee = \"k\", fingerprint = \"12\" }",
            vec![
                "27:9 'sigul' of [sign] lacks 'key'",
                "27:20 the path 'sigul.toml' is neither absolute nor begins with '~/': secrets lie outside the recipe's folder",
                "27:34 'sigul' of [sign] has no key 'kee'",
                "27:59 '12' is not a fingerprint: expected 40 or 64 hexadecimal digits",
            ],
        ),
        (
            "key-file = \"~/keys/gosling.asc\"",
            "token = { key-file = \"/k\", pin = \"1\" }",
            vec!["27:28 'token' of [sign] has no key 'pin'"],
        ),
        ("[builder]", "[koji]\n[builder]", vec!["9:2 a recipe has no key 'koji'"]),
        ("[sign]", "[sign", vec!["26:6 unclosed table, expected `]`"]),
        (
            "\"Gosling Linux\"",
            &format!("\"{long}\"\nvrsion = \"{long}\""),
            vec!["4:1 [release] has no key 'vrsion'"],
        ),
    ] {
        assert!(GOOD.contains(from), "{from}");
        assert_eq!(problems(&GOOD.replacen(from, to, 1)), expected, "{from} -> {to}");
    }
}

#[test]
fn reports_all_problems_at_once_in_the_order_of_the_text() {
    let text = GOOD
        .replace("dist =", "dits =")
        .replace("image =", "imag =")
        .replace("\"devel\"", "\"devl\"")
        .replace("key-file", "keyfile");
    assert_eq!(
        problems(&text),
        [
            "7:1 [release] has no key 'dits'",
            "9:1 [builder] lacks 'image'",
            "10:1 [builder] has no key 'imag'",
            "24:44 'devl' is not known here: expected 'none', 'all', 'devel' or 'runtime'",
            "26:1 [sign] needs 'key-file', 'token', 'sigul' or 'demonstration'",
            "27:1 [sign] has no key 'keyfile'",
        ]
    );
    let shown = Recipe::parse(&text, "r.toml").unwrap_err().to_string();
    assert!(shown.starts_with("the recipe r.toml has 6 problems\n"), "{shown}");
}

#[test]
fn an_empty_file_says_all_that_a_recipe_needs() {
    assert_eq!(problems("").len(), 3);
}

#[test]
fn hostile_text_ends_well() {
    for text in [
        "\u{feff}x",
        "a = \"\u{1b}[31m\"",
        "[[[[",
        "a.b.c.d = 1\na.b = 2",
        "é = 1",
        "\"é\\u0007\" = 1",
        &"[".repeat(100_000),
        &"a".repeat(2 << 20),
        &format!("{} = 1", "a".repeat(1 << 19)),
        &(0..100_000).map(|index| format!("a{index} = 1\n")).collect::<String>()[..1 << 20],
    ] {
        let shown = Recipe::parse(text, "\u{1b}]0;x.toml").unwrap_err().to_string();
        assert!(!shown.chars().any(|char| char.is_control() && char != '\n'), "{shown:?}");
        assert!(shown.len() < 20_000, "{}", shown.len());
    }
}

#[test]
fn shows_paths_that_lead_nowhere() {
    let recipe = Recipe::parse(GOOD, "r.toml").unwrap();
    recipe.check_inputs(|_| true).unwrap();
    let error = recipe.check_inputs(|input| input.path.as_str() != "gosling/comps.xml").unwrap_err();
    assert_eq!(
        (error.problems()[0].line, error.problems()[0].message.as_str()),
        (21, "'gosling/comps.xml' is no file")
    );
    assert_eq!(error.problems().len(), 1);
}

/// Each row: a `multilib`, and the methods that are asked for.
#[test]
fn every_profile_and_its_methods_are_read() {
    use MultilibMethod::{All, Base, Devel, File, Kernel, None as No, Runtime, Yaboot};
    let read = |text: &str| {
        let multilib = format!("{{ {text} }}");
        let text = GOOD.replace(
            "{ profile = \"pungi\", methods = [\"devel\"], blacklist = [\"dmraid-devel\"] }",
            &multilib,
        );
        let recipe = Recipe::parse(&text, "r.toml").unwrap();
        recipe.variants["BaseOS"].multilib.clone().unwrap()
    };
    for (text, methods) in [
        (
            "profile = \"pungi\", methods = [\"none\", \"all\", \"devel\", \"runtime\"]",
            &[No, All, Devel, Runtime][..],
        ),
        ("profile = \"fedora\"", &[Devel, Runtime]),
        ("profile = \"fedora\", methods = [\"runtime\"]", &[Runtime]),
        ("profile = \"koji\"", &[Devel]),
        ("profile = \"koji-fixed\", methods = [\"devel\"]", &[Devel]),
        ("profile = \"mash\"", &[Devel]),
        ("profile = \"mash\", methods = [\"base\", \"kernel\", \"yaboot\"]", &[Base, Kernel, Yaboot]),
        ("profile = \"modern\"", &[Devel, Runtime]),
        ("profile = \"none\"", &[No]),
    ] {
        let multilib = read(text);
        assert_eq!(multilib.methods, methods, "{text}");
        assert!(text.contains(&format!("\"{}\"", multilib.profile)) && multilib.patterns.is_empty());
    }
    let file = read("profile = \"mash\", methods = [\"file\"], patterns = [\"glibc*\", \"a\"]");
    assert_eq!((file.methods, file.patterns), (vec![File], vec!["glibc*".to_owned(), "a".to_owned()]));
}

/// Who adds a key must document it: a row `` | `key` | `` in the section of its table.
#[test]
fn the_documentation_names_every_key() {
    let docs = include_str!("../../docs/recipe.md");
    for (table, keys) in SCHEMA {
        let heading = format!("## `{table}`");
        let section =
            docs.split_once(&heading).unwrap_or_else(|| panic!("docs/recipe.md lacks '{heading}'")).1;
        let section = section.split("\n## ").next().unwrap();
        let documented: Vec<_> =
            section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        assert_eq!(&documented, keys, "keys of {table} in docs/recipe.md");
    }
}

#[test]
fn the_example_of_the_documentation_is_a_recipe() {
    let docs = include_str!("../../docs/recipe.md");
    let example = docs.split_once("```toml\n").unwrap().1.split("```").next().unwrap();
    Recipe::parse(example, "docs/recipe.md").unwrap();
}

/// Each row: media of the good recipe, and the problems that must be found.
#[test]
fn finds_what_is_wrong_with_media() {
    let dvd = "kind = \"dvd\"\nvariant = \"BaseOS\"\nkickstart = \"d.ks\"\ninstaller = \"i.ks\"\n";
    let live = "kind = \"live\"\nvariant = \"BaseOS\"\nkickstart = \"l.ks\"\n";
    let with = |media: &str| format!("{GOOD}{media}");
    let recipe = Recipe::parse(&with(&format!("[[media]]\n{dvd}[[media]]\n{live}")), "r.toml").unwrap();
    let names: Vec<_> = recipe.media.iter().map(|medium| (medium.kind, medium.name.as_str())).collect();
    assert_eq!(names, [(MediumKind::Dvd, "dvd"), (MediumKind::Live, "live")]);
    assert_eq!(recipe.media[1].arches, ["x86_64"]);
    for (media, expected) in [
        (live.replace("BaseOS", "BaseSO"), "there is no variant 'BaseSO'"),
        (live.replace("\"live\"", "\"life\""), "'life' is not known here: expected 'dvd' or 'live'"),
        (dvd.replace("installer = \"i.ks\"\n", ""), "a DVD needs 'installer'"),
        (format!("{live}installer = \"i.ks\"\n"), "'installer' belongs to a DVD"),
        (format!("{live}[[media]]\n{live}"), "two media of variant BaseOS have the name 'live'"),
        (format!("{live}arches = []\n"), "'arches'"),
        (format!("{live}arches = [\"aarch64\"]\n"), "the variant has no arch 'aarch64'"),
        (format!("{live}dialect = \"rhel99\"\n"), "'rhel99' is not known here"),
        (format!("{live}name = \"a b\"\n"), "the name of a medium is made of letters and digits"),
        (format!("{live}volume-id = \"{}\"\n", "x".repeat(33)), "at most 32 characters"),
        (format!("{live}volume-id = \"a b\"\n"), "a volume id is made of letters"),
        (live.replace("l.ks", "../l.ks"), "is not a plain relative path"),
    ] {
        let found = problems(&with(&format!("[[media]]\n{media}")));
        assert!(found.iter().any(|problem| problem.contains(expected)), "{media}\n{found:#?}");
    }
    for id in ["", "a b", "a'b", "a-name-of-more-than-thirty-two-characters"] {
        let found = problems(&with(&format!("[[media]]\n{live}volume-id = \"{id}\"\n")));
        assert_eq!(found.len(), 1, "{found:#?}");
    }
    // One problem does not hide another.
    let text = with(&format!("[[media]]\n{}", live.replace("BaseOS", "BaseSO")));
    let text = text.replace("[builder]\nimage = \"images/builder.lock\"\n", "");
    let found = problems(&text);
    for expected in ["there is no variant", "media are made here, but there is no [builder]"] {
        assert!(found.iter().any(|problem| problem.contains(expected)), "{found:#?}");
    }
}

/// Each row: a source of a repository, and the problem that must be found.
#[test]
fn finds_what_is_wrong_with_repositories() {
    let key = "keys = [\"0123456789abcdef0123456789ABCDEF01234567\"]\n";
    let with = |source: &str| format!("{GOOD}[[source]]\n{source}");
    let repo = |inner: &str| format!("{key}repo = {{ {inner} }}\n");
    let good = "id = \"goose\", baseurl = \"https://h.example/x/\"";
    let read = |source: &str| Recipe::parse(&with(source), "r.toml").unwrap().sources.pop().unwrap();
    let source = read(&repo(&format!("{good}, includepkgs = [\"a*\", \"b-1:2-3.x86_64\"]")));
    assert_eq!(source.on_unsigned, OnUnsigned::Error);
    let Origin::Repo(found) = source.origin else { panic!("{source:?}") };
    assert!(found.gpgcheck && !found.repo_gpgcheck && found.includepkgs.len() == 2);
    assert_eq!(found.addresses, Addresses::Base(vec!["https://h.example/x/".parse().unwrap()]));
    assert_eq!(read(&format!("repo = {{ {good}, gpgcheck = false }}\n")).on_unsigned, OnUnsigned::Allow);
    read(&repo("id = \"a.b-c_1\", baseurl = [\"file:///srv/a%20b\", \"http://h:80/\"]"));
    read(&repo("id = \"a\", metalink = \"https://h/metalink?repo=x&arch=y\""));
    for (source, expected) in [
        (format!("repo = {{ {good} }}\n"), "'gpgcheck' is on, but the source accepts no key"),
        (
            format!("repo = {{ {good}, gpgcheck = false, repo_gpgcheck = true }}\n"),
            "'repo_gpgcheck' is on, but",
        ),
        (repo("id = \"a\""), "'repo' of [[source]] needs 'baseurl', 'mirrorlist' or 'metalink'"),
        (repo("baseurl = \"http://h/\""), "'repo' of [[source]] lacks 'id'"),
        (repo("id = \"a/b\", baseurl = \"http://h/\""), "the id 'a/b' may hold letters"),
        (repo(&format!("{good}, metalink = \"http://h/\"")), "has only one of 'baseurl'"),
        (repo("id = \"a\", baseurl = []"), "lacks 'baseurl'"),
        (repo("id = \"a\", baseurl = \"ftp://h/\""), "it does not begin with https://"),
        (repo("id = \"a\", baseurl = \"http:///x\""), "it names no host"),
        (repo("id = \"a\", baseurl = \"file://h/x\""), "names an absolute path"),
        (repo("id = \"a\", baseurl = \"http://u:secret@h/x\""), "password have no place in it"),
        (repo("id = \"a\", baseurl = \"http://h/$basearch\""), "variables are not known"),
        (repo("id = \"a\", baseurl = \"http://h/x?y\""), "is no folder"),
        (repo(&format!("{good}, gpgchek = true")), "has no key 'gpgchek'"),
        (repo(&format!("{good}, excludepkgs = [\"a b\"]")), "'a b' names no packages"),
        (format!("{}on-unsigned = \"allow\"\n", repo(good)), "as 'gpgcheck' demands"),
        (format!("{}dir = \"x\"\n", repo(good)), "has only one of 'build', 'dir', 'repo' and 'koji'"),
        (format!("{}[[source]]\n{}", repo(good), repo(good)), "two repositories have the id 'goose'"),
    ] {
        let found = problems(&with(&source));
        assert!(found.iter().any(|problem| problem.contains(expected)), "{source}\n{found:#?}");
        assert_eq!(found.len(), 1, "{source}\n{found:#?}");
    }
}

/// Each row: a source of tagged packages, and the problem that must be found.
#[test]
fn finds_what_is_wrong_with_tags() {
    let key = "keys = [\"0123456789abcdef0123456789ABCDEF01234567\"]\n";
    let with = |source: &str| format!("{GOOD}[[source]]\n{source}");
    let koji = |inner: &str| format!("{key}koji = {{ {inner} }}\n");
    let good = "hub = \"https://h.example/kojihub\", files = \"https://h.example/kojifiles\", tag = \"f42\"";
    let read = |source: &str| match Recipe::parse(&with(source), "r.toml").unwrap().sources.pop().unwrap() {
        Source { origin: Origin::Koji(koji), on_unsigned, .. } => (koji, on_unsigned),
        other => panic!("{other:?}"),
    };
    let (found, rule) = read(&koji(good));
    assert_eq!((found.id.as_str(), found.tag.as_str(), rule), ("f42", "f42", OnUnsigned::Error));
    assert!(found.inherit && found.latest && found.event.is_none() && found.noarch == Noarch::Header);
    let pins =
        "hold = [{ build = \"a-b-1-2\", reason = \"x\" }], force = [{ build = \"c-1-2\", reason = \"y\" }]";
    let (found, _) = read(&koji(&format!(
        "hub = \"profile:x\", tag = \"t\", id = \"i\", event = 0x10, inherit = false, noarch = \"source\", {pins}"
    )));
    assert_eq!((found.event, found.inherit, found.noarch), (Some(16), false, Noarch::Source));
    assert_eq!((found.hub, found.files), (HubPlace::Profile("x".into()), None));
    assert_eq!((found.hold[0].package.as_str(), found.force[0].package.as_str()), ("a-b", "c"));
    let (found, _) = read(&koji("hub = \"embedded\", files = \"hub\", tag = \"t\""));
    assert_eq!(found.hub, HubPlace::Embedded(RelPath::new("hub").unwrap()));
    let (found, _) = read(&koji("hub = \"embedded:hub\", tag = \"t\""));
    assert_eq!(found.hub, HubPlace::Embedded("hub".parse().unwrap()));
    for (source, expected) in [
        (koji("tag = \"t\""), "'koji' of [[source]] lacks 'hub'"),
        (koji("hub = \"profile:x\""), "'koji' of [[source]] lacks 'tag'"),
        (koji("hub = \"https://h/\", tag = \"t\""), "lacks 'files'"),
        (koji("hub = \"fedora\", tag = \"t\""), "'fedora' is no hub"),
        (koji("hub = \"profile:\", tag = \"t\""), "'' is no name of a profile"),
        (koji("hub = \"embedded\", tag = \"t\""), "an embedded hub has a folder"),
        (koji("hub = \"embedded:../x\", tag = \"t\""), "is not a plain relative path"),
        (koji("hub = \"embedded\", tag = \"t\", files = \"../x\""), "is not a plain relative path"),
        (koji("hub = \"embedded:x\", tag = \"t\", files = \"https://h/\""), "'files' has no meaning"),
        (koji("hub = \"file:///x\", files = \"https://h/\", tag = \"t\""), "by https: or http:"),
        (koji("hub = \"profile:x\", tag = \"a b\", id = \"a\""), "'a b' is no name of a tag"),
        (koji("hub = \"profile:x\", tag = \"a+b\""), "the id 'a+b' may hold letters"),
        (koji(&format!("{good}, event = 0")), "an event is a number from 1"),
        (koji(&format!("{good}, event = \"now\"")), "'event' of 'koji' of [[source]] must be an integer"),
        (koji(&format!("{good}, latest = 2")), "must be true or false"),
        (koji(&format!("{good}, arches = [\"a b\"]")), "'a b' cannot be a name in 'arches'"),
        (koji(&format!("{good}, noarch = \"srpm\"")), "expected 'header', 'source' or 'mash'"),
        (koji(&format!("{good}, evnt = 1")), "has no key 'evnt'"),
        (koji(&format!("{good}, hold = \"a-1-1\"")), "'hold' of 'koji' of [[source]] must be a list"),
        (koji(&format!("{good}, hold = [{{ build = \"a-1-1\" }}]")), "lacks 'reason'"),
        (koji(&format!("{good}, hold = [{{ build = \"a-1\", reason = \"x\" }}]")), "no name-version-release"),
        (
            koji(&format!("{good}, {}", pins.replace("c-1-2", "a-b-3-4"))),
            "two builds of 'a-b' are held or forced",
        ),
        (format!("koji = {{ {good} }}\n"), "no key is accepted from this source"),
        (format!("{}[[source]]\n{}", koji(good), koji(good)), "two sources have the id 'f42'"),
    ] {
        let found = problems(&with(&source));
        assert!(found.iter().any(|problem| problem.contains(expected)), "{source}\n{found:#?}");
        assert_eq!(found.len(), 1, "{source}\n{found:#?}");
    }
}

#[test]
fn the_committed_recipe_is_one() {
    let recipe = Recipe::parse(include_str!("../../recipes/gosling.toml"), "recipes/gosling.toml").unwrap();
    assert!(matches!(recipe.sign, Some(Sign::Demonstration { .. })));
}

#[test]
fn mutated_recipes_end_in_a_recipe_or_in_problems_within_the_text() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let (mut good, mut bad) = (0, 0);
    for _ in 0..3_000 {
        let mut bytes = GOOD.as_bytes().to_vec();
        for _ in 0..=random(4) {
            let at = random(bytes.len());
            match random(4) {
                // One byte always stays, so that there is a place for the next change.
                1 if bytes.len() == 1 => {}
                0 => bytes[at] = b"[]{}\"'=.,#\n\0\xc3\xa9"[random(14)],
                1 => drop(bytes.remove(at)),
                2 => bytes.truncate(at.max(1)),
                _ => {
                    let piece = bytes[at..bytes.len().min(at + random(40))].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        match Recipe::parse(&text, "r.toml") {
            Ok(_) => good += 1,
            Err(error) => {
                bad += 1;
                assert!(!error.problems().is_empty(), "{text}");
                let lines = text.matches('\n').count() + 1;
                assert!(error.problems().iter().all(|problem| problem.line <= lines), "{text}\n{error}");
                assert!(!error.to_string().is_empty());
            }
        }
    }
    assert!(good > 100 && bad > 1_000, "{good} good, {bad} bad");
}
