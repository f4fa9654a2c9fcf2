use super::*;
use crate::format::mash_conf::parse;
use crate::recipe::Recipe;

const BASE: &str = "[example]\ntag = example-9\narches = x86_64 s390x\nhash_packages = True\nbuildhost = https://koji.example.org/kojihub\n";

fn convert_with(more: &str, defaults: &str) -> Conversion {
    let sections = parse(format!("{BASE}{more}").as_bytes()).unwrap();
    let defaults = parse(defaults.as_bytes()).unwrap();
    let keys = ["AAAABBBBCCCCDDDDEEEEFFFF0000111122223333".parse().unwrap()];
    let input = MashInput {
        name: "e.mash",
        section: Some("example"),
        sections: &sections,
        defaults: Some(("mash.conf", &defaults)),
        keys: &keys,
    };
    let mut files = |path: &str| {
        let words = |text: &str| Some(text.split(' ').map(str::to_owned).collect());
        match path {
            "lists/*" => words("a b"),
            "patterns" => words("gdb lib*"),
            _ => None,
        }
    };
    from_mash(&input, &mut files).unwrap()
}

/// Converts the base with more lines, and reads what comes out.
fn convert(more: &str) -> Conversion {
    let conversion = convert_with(more, "");
    let recipe = &conversion.recipe;
    Recipe::parse(recipe, "r.toml").unwrap_or_else(|error| panic!("{error}\n{recipe}"));
    conversion
}

fn notes(conversion: &Conversion) -> Vec<String> {
    conversion.notes.iter().map(|note| format!("{} {note}", note.kind.name())).collect()
}

#[test]
fn a_whole_configuration() {
    let conversion = convert("");
    let expected = r#"
[release]
name = "example"
short = "example"
version = "0"

[repodata]
compression = "xz"
database = true

[[source]]
koji = { hub = "https://koji.example.org/kojihub", files = "file:///mnt/koji", tag = "example-9", noarch = "mash" }
on-unsigned = "allow"

[variant.example]
arches = ["x86_64", "s390x"]
method = "mash"
debug = true
[variant.example.multilib]
profile = "mash"
methods = ["devel"]
"#;
    assert!(conversion.recipe.ends_with(expected), "{}", conversion.recipe);
    let notes = notes(&conversion);
    assert_eq!(notes.len(), 1, "{notes:#?}");
}

/// Each row: lines of the configuration, what the recipe has then, and the note on it, if there is one.
#[test]
fn options_become_keys() {
    for (more, expected, note) in [
        ("inherit = no\nlatest = False", "tag = \"example-9\", inherit = false, latest = false", ""),
        ("latest = 2", "tag = \"example-9\", noarch", "changed e.mash:6: latest: of each package one build"),
        (
            "keys = 22223333\nstrict_keys = True",
            "keys = [\"AAAABBBBCCCCDDDDEEEEFFFF0000111122223333\"]\n\n",
            "",
        ),
        ("keys = 22223333", "on-unsigned = \"allow\"", "changed strict_keys"),
        ("keys = 12345678", "# keys = [\"…12345678\"]", "todo e.mash:6: keys: '12345678' is no fingerprint"),
        ("repodir = https://files.example.org", "files = \"https://files.example.org\"", ""),
        ("source = False\ndebuginfo = False", "sources = false\n", ""),
        (
            "multilib = False\nmultilib_method = devel",
            "method = \"mash\"\n",
            "no-effect e.mash:7: multilib_method: multilib is off",
        ),
        (
            "multilib_method = runtime\nmultilib_runtime_blacklist = php httpd tomcat-native x\nmultilib_devel_blacklist = y",
            "methods = [\"runtime\"]\nblacklist = [\"x\"]\n",
            "no-effect e.mash:8: multilib_devel_blacklist: the method 'runtime' does not ask it",
        ),
        ("multilib_devel_whitelist = z, glob:lists/*", "whitelist = [\"z\", \"a\", \"b\"]", ""),
        (
            "multilib_devel_whitelist = z glob:/etc/none/*",
            "whitelist = [\"z\"]",
            "lost e.mash:6: multilib_devel_whitelist: the files '/etc/none/*' were not there",
        ),
        (
            "multilib_devel_blacklist = httpd-devel x",
            "blacklist = [\"x\"]",
            "changed e.mash:6: multilib_devel_blacklist: the profile 'mash' has mash's own list, also what is not in this one: dmraid-devel",
        ),
        (
            "multilib_runtime_blacklist = php httpd tomcat-native x",
            "methods = [\"devel\"]\n",
            "lost e.mash:6: multilib_runtime_blacklist: a recipe has no list for this alone: 'x'",
        ),
        (
            "multilib_method = file\nmultilib_file = patterns",
            "methods = [\"file\"]\npatterns = [\"gdb\", \"lib*\"]",
            "",
        ),
        (
            "multilib_method = file\nmultilib_file = none",
            "methods = [\"none\"]\n",
            "lost e.mash:7: multilib_file: the file 'none' was not there",
        ),
        (
            "multilib_method = none\nmultilib_devel_blacklist = y",
            "profile = \"mash\"\nmethods = [\"none\"]\n",
            "no-effect e.mash:7: multilib_devel_blacklist: the method 'none' takes no package",
        ),
        (
            "multilib_method = flie",
            "methods = [\"all\"]\n",
            "changed e.mash:6: multilib_method: 'flie' is no method",
        ),
        ("compsfile = comps/c.xml", "comps = \"comps/c.xml\"", ""),
        (
            "compsfile = /usr/share/comps/c.xml",
            "comps = \"c.xml\"",
            "todo e.mash:6: compsfile: put '/usr/share/comps/c.xml' beside",
        ),
        ("parent_repos = https://example.org/%(arch)s/os /srv/r", "repo = { id = \"parent-2\"", ""),
        (
            "parent_repos = https://example.org/%(arch)s/os",
            "[[source]]\nrepo = { id = \"parent-1-s390x\", baseurl = \"https://example.org/s390x/os\" }\nlookaside = [\"example/s390x\"]\n",
            "",
        ),
        (
            "use_sqlite = 0\ncompress_type = bz2",
            "[[source]]",
            "lost e.mash:7: compress_type: lists cannot be compressed with 'bz2'",
        ),
        (
            "rpm_path = %(arch)s/os/Packages\nrepodata_path = %(arch)s/os/",
            "layout = { packages = \"$arch/os/Packages\", repository = \"$arch/os\", source = \"source/SRPMS\", debug = \"$arch/debug\" }\n",
            "",
        ),
        (
            "rpm_path = p/%(arch)s/\nsource_path = SRPMS\ndebuginfo_path = debug/%(arch)s",
            "layout = { packages = \"p/$arch\", repository = \"p/$arch\", source = \"SRPMS\", debug = \"debug/$arch\" }\n",
            "",
        ),
        (
            "rpm_path = os/Packages",
            "debug = true\n[variant.example.multilib]",
            "lost e.mash:6: rpm_path: the trees lie as Pungi has them, not in 'os/Packages': 'os/Packages' would be the folder of several arches",
        ),
        ("source_path = SRPMS", "", "lost e.mash:6: source_path: it means nothing without 'rpm_path'"),
        ("output_subdir = x", "", "lost e.mash:6: output_subdir: trees lie in the folder compose/"),
        ("delta = True", "", "lost e.mash:6: delta"),
        ("delta = False", "", "no-effect e.mash:6: delta"),
        (
            "strict_kyes = True",
            "",
            "lost e.mash:6: strict_kyes: mash has no such option; 'strict_keys' may be meant",
        ),
        ("prefer_ppc64 = True", "", "no-effect e.mash:6: prefer_ppc64: it is for trees of ppc with multilib"),
        ("arches = ppc ppc64\nprefer_ppc64 = True", "methods = [\"devel\"]\nprefer-ppc64 = true\n", ""),
        ("hash_packages = False", "hashed = false\n", ""),
        (
            "arches = x86_64 armhfp ia64",
            "arches = [\"x86_64\", \"armhfp\"]",
            "lost e.mash:6: arches: gander makes no trees of the arch 'ia64'",
        ),
    ] {
        let conversion = convert(more);
        assert!(conversion.recipe.contains(expected), "{more}: lacks {expected}\n{}", conversion.recipe);
        let notes = notes(&conversion);
        assert!(note.is_empty() || notes.iter().any(|found| found.starts_with(note)), "{more}: {notes:#?}");
    }
}

#[test]
fn defaults_and_sections() {
    let conversion =
        convert_with("", "[defaults]\ntag = other\nkeys = 22223333\nstrict_keys = yes\nworkdir = /x\n");
    assert!(conversion.recipe.contains("tag = \"example-9\""), "{}", conversion.recipe);
    assert!(conversion.recipe.contains("111122223333"), "{}", conversion.recipe);
    assert!(notes(&conversion).iter().any(|note| note.starts_with("no-effect mash.conf:5: workdir")));

    let fails = |text: &str, section| {
        let sections = parse(text.as_bytes()).unwrap();
        let input = MashInput { name: "x", section, sections: &sections, defaults: None, keys: &[] };
        from_mash(&input, &mut |_| None).unwrap_err().to_string()
    };
    assert!(fails("[defaults]\n", None).contains("no section but [defaults]"));
    assert!(fails("[a]\n[b]\n", None).contains("several trees ('a', 'b')"));
    assert!(fails("[a]\n", Some("c")).contains("no section 'c'"));
    let words: String = (0..=MOST_WORDS).map(|at| format!("x{at} ")).collect();
    assert!(fails(&format!("[a]\nparent_repos = {words}"), None).contains("more than 50000 words"));
}

/// Who adds an option documents it: it stands in code marks in a table of the page.
#[test]
fn the_documentation_names_every_option() {
    let docs = include_str!("../../../docs/import.md");
    let (_, section) = docs.split_once("\n## mash").unwrap();
    let rows: String = section.lines().filter(|line| line.starts_with('|')).collect();
    let missing: Vec<_> = options::all().filter(|name| !rows.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/import.md lacks {missing:?}");
}

/// Whatever stands in the options: a recipe with nothing to do but its release is one that is read.
#[test]
fn odd_values_become_recipes() {
    let values = [
        "",
        "x",
        "a b",
        "'\"\\",
        "true",
        "0",
        "glob:x",
        "http://",
        "https://e/%(arch)s",
        "é",
        "x86_64",
        "file",
        "[x]\n y",
    ];
    for option in options::all() {
        for value in values {
            let conversion = convert_with(&format!("{option} = {value}\n"), "");
            let todo: Vec<_> = conversion.notes.iter().filter(|note| note.kind == NoteKind::Todo).collect();
            let read = Recipe::parse(&conversion.recipe, "r.toml");
            assert!(read.is_ok() || todo.len() > 1, "{option} = {value}: {read:?}\n{}", conversion.recipe);
        }
    }
}
