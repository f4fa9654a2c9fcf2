use super::*;
use crate::format::variants_xml;
use crate::recipe::Recipe;

const VARIANTS: &str = r#"<variants>
  <variant id="HA" name="High Availability" type="addon"><arches><arch>x86_64</arch></arches>
    <groups><group default="true">ha</group></groups></variant>
  <variant id="Server" name="Server" type="variant" has_optional="true">
    <arches><arch>x86_64</arch><arch>aarch64</arch><arch>vax</arch></arches>
    <groups><group>core</group></groups>
    <variants><ref id="HA"/></variants>
    <modules><module>nodejs:20</module><module glob="true">perl*</module><kojitag>el-modules</kojitag></modules>
  </variant>
  <variant id="Everything" name="Everything" type="variant"><arches><arch>x86_64</arch></arches></variant>
</variants>"#;

const COMPS: &str = "<comps><group><id>core</id></group><group><id>ha</id></group></comps>";

const BASE: &str = "release_name = 'Example Linux'\nrelease_short = 'Example'\nrelease_version = '9'\n\
                    variants_file = 'v.xml'\ncomps_file = 'comps.xml'\npkgset_source = 'koji'\n\
                    koji_profile = 'example'\npkgset_koji_tag = 'example-9'\nsigkeys = [None]\n\
                    hashed_directories = True\nfilter_system_release_packages = False\n";

/// Converts the base with more lines, and reads what comes out.
fn convert(more: &str) -> Conversion {
    let conversion = convert_with(more, |input| input);
    let recipe = &conversion.recipe;
    Recipe::parse(recipe, "r.toml").unwrap_or_else(|error| panic!("{error}\n{recipe}"));
    conversion
}

fn convert_with(more: &str, with: impl for<'i> Fn(PungiInput<'i>) -> PungiInput<'i>) -> Conversion {
    try_convert(more, with).unwrap()
}

fn try_convert(
    more: &str,
    with: impl for<'i> Fn(PungiInput<'i>) -> PungiInput<'i>,
) -> Result<Conversion, PungiError> {
    let text = format!("{BASE}{more}");
    let conf = PungiConf::parse("p.conf", text.as_bytes(), &mut |_| Err("none".into())).unwrap();
    let variants = variants_xml::parse(VARIANTS.as_bytes()).unwrap();
    let comps = Comps::parse(COMPS.as_bytes()).unwrap();
    from_pungi(&with(PungiInput {
        name: "p.conf",
        conf: &conf,
        variants_name: "v.xml",
        variants: &variants,
        comps: Some(&comps),
        prepopulate: None,
        mapping: None,
        keys: &["AAAABBBBCCCCDDDDEEEEFFFF0000111122223333".parse().unwrap()],
    }))
}

/// The lines of a table of the recipe.
fn table(recipe: &str, head: &str) -> Vec<String> {
    let lines = recipe.lines().skip_while(|line| *line != head).skip(1);
    lines.take_while(|line| !line.is_empty() && !line.starts_with('[')).map(str::to_owned).collect()
}

fn notes(conversion: &Conversion) -> Vec<String> {
    conversion.notes.iter().map(|note| format!("{} {note}", note.kind.name())).collect()
}

#[test]
fn a_whole_configuration() {
    let conversion = convert("");
    assert_eq!(
        table(&conversion.recipe, "[release]"),
        ["name = \"Example Linux\"", "short = \"Example\"", "version = \"9\""]
    );
    assert_eq!(
        table(&conversion.recipe, "[variant.Server]"),
        [
            "arches = [\"x86_64\", \"aarch64\"]",
            "comps = \"comps.xml\"",
            "groups = [\"core\"]",
            "modules = [\"nodejs:20\"]",
            "debug = true",
            "optional = true",
            "langpacks = true",
        ]
    );
    assert_eq!(
        table(&conversion.recipe, "[variant.Server-HA]"),
        [
            "type = \"addon\"",
            "parent = \"Server\"",
            "arches = [\"x86_64\"]",
            "groups = [\"ha\"]",
            "debug = true",
            "optional = true",
            "langpacks = true",
        ]
    );
    // It has what the others leave, and needs to name nothing itself.
    assert_eq!(
        table(&conversion.recipe, "[variant.Server-optional]"),
        [
            "type = \"optional\"",
            "parent = \"Server\"",
            "arches = [\"x86_64\", \"aarch64\"]",
            "debug = true",
            "optional = true",
            "langpacks = true",
        ]
    );
    assert!(
        table(&conversion.recipe, "[variant.Everything]").contains(&"groups = [\"core\", \"ha\"]".to_owned())
    );
    assert_eq!(
        notes(&conversion),
        [
            "lost v.xml:2: default, uservisible: comps alone says it of groups ('Server-HA')",
            "lost v.xml:2: name: a variant has an id alone ('Server-HA')",
            "lost v.xml:4: arches of 'Server': gander makes no trees of the arch 'vax'",
            "lost v.xml:4: modules of 'Server': 'perl*' does not name one stream: name those that are meant in 'modules' of [variant.ID]",
            "changed v.xml:10: groups of 'Everything': it names none, which is all of the comps file as it is now",
        ]
    );
}

/// Each row: lines of the configuration, what the recipe has then, and the note on it, if there is one.
#[test]
fn options_become_keys() {
    for (more, expected, note) in [
        (
            "",
            "koji = { hub = \"profile:example\", tag = \"example-9\", noarch = \"source\" }\non-unsigned = \"allow\"",
            "",
        ),
        ("", "tag = \"el-modules\", noarch = \"source\" }", ""),
        ("", "groups = [\"core\"]\nmodules = [\"nodejs:20\"]\n", ""),
        (
            "gather_method = {'.*': {'comps': 'deps', 'module': 'deps'}}",
            "modules = [\"nodejs:20\"]\n",
            "changed p.conf:12: gather_method: it gathers modules by 'deps'",
        ),
        ("koji_event = 4711", "tag = \"example-9\", event = 4711", ""),
        ("koji_event = 'x.json'", "", "lost p.conf:12: koji_event: it is no number"),
        ("pkgset_koji_inherit = False", "tag = \"example-9\", inherit = false", ""),
        ("pkgset_koji_tag = ['a', 'b']", "tag = \"b\"", ""),
        (
            "pkgset_koji_builds = ['bash-5.1-1', 'x']",
            "force = [{ build = \"bash-5.1-1\", reason = \"pkgset_koji_builds\" }]",
            "lost p.conf:12: pkgset_koji_builds: 'x' is no name-version-release",
        ),
        ("sigkeys = ['22223333']", "keys = [\"AAAABBBBCCCCDDDDEEEEFFFF0000111122223333\"]\n\n", ""),
        ("sigkeys = ['22223333', '']", "111122223333\"]\non-unsigned = \"allow\"", ""),
        ("tree_arches = ['aarch64']", "[variant.Server]\narches = [\"aarch64\"]", ""),
        (
            "tree_variants = ['Everything', 'X']",
            "[variant.Everything]",
            "no-effect p.conf:12: tree_variants: there is no variant 'X'",
        ),
        (
            "gather_method = 'nodeps'",
            "groups = [\"core\"]\nmodules = [\"nodejs:20\"]\nmethod = \"nodeps\"\ndebug = true\n",
            "",
        ),
        (
            "gather_method = 'nodeps'\nfilter_packages = [('.*', {'*': ['zsh']})]",
            "method = \"nodeps\"\n",
            "no-effect v.xml:4: filter_packages of 'Server': Pungi's method 'nodeps' does not look at it",
        ),
        (
            "gather_method = {'^S': {'comps': 'deps', 'module': 'nodeps'}, '^E': {'module': 'nodeps'}}",
            "groups = [\"core\", \"ha\"]\nmethod = \"nodeps\"",
            "",
        ),
        ("gather_method = 'hybrid'", "", "changed p.conf:12: gather_method: 'hybrid' became 'deps'"),
        (
            "gather_fulltree = True\ngather_selfhosting = True",
            "optional = true\nfulltree = true\nselfhosting = true",
            "",
        ),
        ("greedy_method = 'build'", "greedy = \"build\"", ""),
        ("require_all_comps_packages = True", "require-members = true", ""),
        ("check_deps = False", "", "changed p.conf:12: check_deps: a requirement that nothing provides"),
        (
            "additional_packages = [('^Server$', {'*': ['a', 'b.*'], 'aarch64': ['c']})]",
            "packages = [\"a\", \"b.*\"]",
            "",
        ),
        (
            "additional_packages = [('^Server$', {'*': ['a', 'b.*'], 'aarch64': ['c']})]",
            "[variant.Server.arch.aarch64]\npackages = [\"c\"]\n",
            "",
        ),
        (
            "additional_packages = [('^Server$', {'*': ['a b', 7]})]",
            "",
            "lost p.conf:12: additional_packages: 'a b' is no package name",
        ),
        (
            "filter_packages = [('.*', {'*': ['x.i686']}), ('^Server-opt', {'*': 'y'})]",
            "exclude = [\"x.i686\", \"y\"]",
            "",
        ),
        (
            "multilib = [('^E', {'x86_64': ['devel', 'runtime', 'kernel']})]\nmultilib_blacklist = {'*': ['php*']}\nmultilib_whitelist = {'x86_64': ['wine'], 's390x': ['z']}",
            "[variant.Everything.multilib]\nprofile = \"pungi\"\nmethods = [\"devel\", \"runtime\"]\nwhitelist = [\"wine\"]\nblacklist = [\"php*\"]\n",
            "lost p.conf:12: multilib: a method that Pungi has not",
        ),
        (
            "multilib_blacklist = {'*': ['php*']}",
            "",
            "no-effect p.conf:12: multilib_blacklist: no variant has a rule",
        ),
        (
            "gather_lookaside_repos = [('^Server$', {'*': ['https://example.org/$basearch/os', '{{part-a}}/x']})]",
            "[[source]]\nrepo = { id = \"lookaside-2-aarch64\", baseurl = \"https://example.org/aarch64/os\" }\nlookaside = [\"Server/aarch64\"]\n",
            "lost p.conf:12: gather_lookaside_repos: '{{part-a}}/x' is no URL",
        ),
        (
            "gather_lookaside_repos = [('^Server$', {'*': ['https://example.org/$basearch/os']})]",
            "repo = { id = \"lookaside-1-x86_64\", baseurl = \"https://example.org/x86_64/os\" }\nlookaside = [\"Server/x86_64\"]\n",
            "",
        ),
        (
            "gather_lookaside_repos = [('^Server$', {'*': ['file:///srv/a']}), ('^S', {'x86_64': ['file:///srv/a']})]",
            "repo = { id = \"lookaside-1\", baseurl = \"file:///srv/a\" }\nlookaside = [\"Server\"",
            "",
        ),
        (
            "gather_lookaside_repos = [('.', {'*': ['file:///srv/a']})]",
            "repo = { id = \"lookaside-1\", baseurl = \"file:///srv/a\" }\nlookaside = true\n",
            "",
        ),
        (
            "pkgset_source = 'repos'\npkgset_repos = {'*': ['./repo', '{{configdir}}/repo', '/srv/r', 'https://example.org/x/']}",
            "dir = \"repo\"\non-unsigned = \"allow\"\n\n[[source]]\nrepo = { id = \"repo-1\", baseurl = \"file:///srv/r\", gpgcheck = false }",
            "no-effect p.conf:8: pkgset_koji_tag: packages come from elsewhere",
        ),
        (
            "pkgset_source = 'repos'\npkgset_repos = {'x86_64': ['https://example.org/x'], '*': []}",
            "id = \"repo-1\"",
            "changed p.conf:13: pkgset_repos: it is for x86_64 alone",
        ),
        (
            "comps_file = {'scm': 'git', 'repo': 'https://example.org/c.git', 'branch': 'main', 'file': 'd/c9.xml'}",
            "comps = \"c9.xml\"",
            "todo p.conf:12: comps_file: put the comps file beside the recipe as 'c9.xml'; it is from 'git https://example.org/c.git, branch main, file d/c9.xml'",
        ),
        (
            "createrepo_database = True\ncreaterepo_extra_args = ['--general-compress-type=gz', '--zck']",
            "[repodata]\ncompression = \"gz\"\ndatabase = true",
            "lost p.conf:13: createrepo_extra_args: [repodata] has nothing for '--zck'",
        ),
        (
            "createrepo_use_xz = True",
            "[repodata]\ncompression = \"xz\"",
            "changed p.conf:12: createrepo_use_xz",
        ),
        (
            "release_short = '9 \"x\\\"'\nrelease_version = 9.5",
            "short = \"x\"\nversion = \"9.5\"",
            "changed p.conf:12: release_short",
        ),
        ("hashed_directories = False", "hashed = false\n", ""),
        ("lorax_options = [1]", "", "lost p.conf:12: lorax_options: images are described"),
        ("lorax_options = []", "", "no-effect p.conf:12: lorax_options: it is off"),
        ("iso_hfs_ppc64le_compatible = False", "", "lost p.conf:12: iso_hfs_ppc64le_compatible"),
        ("link_type = 'copy'", "", "no-effect p.conf:12: link_type"),
        (
            "gather_methd = 'deps'",
            "",
            "lost p.conf:12: gather_methd: no option of Pungi that gander knows, or a variable of the configuration itself; 'gather_method' may be meant",
        ),
        (
            "variant_as_lookaside = [('Server', 'Everything'), ('Server-optional', 'Server'), ['Client', 'Server']]",
            "[variant.Server]\narches = [\"x86_64\", \"aarch64\"]\nlookaside = [\"Everything\"]\n",
            "",
        ),
        (
            "variant_as_lookaside = [('Server', 'Everything'), ('Everything', 'Server')]",
            "lookaside = [\"Everything\"]",
            "lost p.conf:12: variant_as_lookaside: 'Server' is gathered after 'Everything', and cannot be looked aside at",
        ),
        (
            "variant_as_lookaside = [('Server', 'Server-HA')]",
            "",
            "lost p.conf:12: variant_as_lookaside: 'Server-HA' is gathered after 'Server'",
        ),
        (
            "variant_as_lookaside = [('Server', 'Client'), 'x']",
            "",
            "lost p.conf:12: variant_as_lookaside: 'Client' is not there to be looked aside at by 'Server'",
        ),
        ("filter_system_release_packages = True", "", "changed p.conf:12: filter_system_release_packages"),
        ("x = ['a' 'b']", "", "lost p.conf:12: a missing comma"),
    ] {
        let conversion = convert(more);
        assert!(conversion.recipe.contains(expected), "{more}: lacks {expected}\n{}", conversion.recipe);
        let notes = notes(&conversion);
        assert!(note.is_empty() || notes.iter().any(|found| found.starts_with(note)), "{more}: {notes:#?}");
        if note.is_empty() {
            let own: Vec<_> = notes
                .iter()
                .filter(|note| note.contains(" p.conf") && !note.contains("comps_file"))
                .collect();
            assert!(own.is_empty(), "{more}: {own:#?}");
        }
    }
}

#[test]
fn layered_products_have_a_release_of_their_own() {
    let variants = VARIANTS.replace(
        "type=\"addon\"><arches>",
        "type=\"layered-product\"><release name=\"For HA\" short=\"HA\" version=\"2\"/><arches>",
    );
    let variants: &[_] = variants_xml::parse(variants.as_bytes()).unwrap().leak();
    let conversion = convert_with("", |input| PungiInput { variants, ..input });
    Recipe::parse(&conversion.recipe, "r.toml").unwrap();
    let lines = table(&conversion.recipe, "[variant.Server-HA]");
    assert_eq!(lines[0], "type = \"layered-product\"");
    assert_eq!(lines[2], "release = { name = \"For HA\", short = \"HA\", version = \"2\" }");
}

#[test]
fn lists_beside_the_configuration() {
    let more = "gather_prepopulate = 'p.json'\ngather_source_mapping = 'm.json'";
    let conversion = convert_with(more, |input| PungiInput {
        prepopulate: Some(r#"{"Server": {"x86_64": {"foo-1": ["foo.x86_64", "foo.i686"]}}}"#),
        mapping: Some(r#"{"Server": {"x86_64": {"bar": [null, "i686"]}, "aarch64": {"bar": [null]}}}"#),
        ..input
    });
    assert!(table(&conversion.recipe, "[variant.Server]").contains(&"packages = [\"bar\"]".to_owned()));
    assert_eq!(
        table(&conversion.recipe, "[variant.Server.arch.x86_64]"),
        ["packages = [\"bar.i686\"]", "prepopulate = [\"foo.x86_64\", \"foo.i686\"]"]
    );
    assert!(notes(&convert(more)).contains(
        &"lost p.conf:12: gather_prepopulate: 'p.json' was not there to be read: what it names is missing".into()
    ));
    let broken = try_convert(more, |input| PungiInput { prepopulate: Some("[]"), ..input }).unwrap_err();
    assert!(broken.to_string().contains("gather_prepopulate"), "{broken}");
}

/// A recipe that lacks a fingerprint is refused for that alone, and read once it is given.
#[test]
fn ids_of_keys_need_fingerprints() {
    let conversion = convert_with("sigkeys = ['12c944d0']", |input| input);
    assert_eq!(conversion.missing_keys, ["12C944D0"]);
    assert!(conversion.recipe.contains("# keys = [\"…12C944D0\"]"), "{}", conversion.recipe);
    let todo = &conversion.notes[0];
    assert!(todo.to_string().starts_with("p.conf:12: sigkeys: '12C944D0' is no fingerprint"), "{todo}");
    let error = Recipe::parse(&conversion.recipe, "r.toml").unwrap_err();
    assert!(error.problems().iter().all(|problem| problem.message.contains("no key is accepted")), "{error}");
}

#[test]
fn what_is_not_at_hand_is_to_be_done() {
    let conversion = convert_with("", |input| PungiInput { comps: None, ..input });
    assert!(conversion.recipe.contains("# [variant.Everything]"), "{}", conversion.recipe);
    assert!(conversion.recipe.contains("# - v.xml:10: content of 'Everything'"), "{}", conversion.recipe);
    Recipe::parse(&conversion.recipe, "r.toml").unwrap();
    let conversion =
        convert_with("release_name = None\nrelease_version = []\npkgset_koji_tag = []", |input| PungiInput {
            variants: &[],
            ..input
        });
    let notes = notes(&conversion);
    for expected in [
        "todo p.conf:12: release_name",
        "todo p.conf:13: release_version",
        "todo p.conf:6: pkgset_source",
        "todo v.xml:1: variants",
    ] {
        assert!(notes.iter().any(|note| note.starts_with(expected)), "{expected}: {notes:#?}");
    }
}

#[test]
fn what_is_hostile_is_bounded() {
    let many = format!("additional_packages = [{}]", "('.*', {'*': ['a']}),".repeat(MOST_ENTRIES + 1));
    let wide = (0..40_000).map(|at| format!("'p{at}',")).collect::<String>();
    let wide = format!("a = {{'*': [{wide}]}}\nadditional_packages = [{}]", "('.*', a),".repeat(10));
    let often =
        format!("a = [{}]\nadditional_packages = [{}]", "'x',".repeat(300), "('.*', {'*': a}),".repeat(600));
    let often = format!("{often}\nfilter_packages = additional_packages");
    assert!(try_convert(&often, |input| input).is_err());
    for more in [many, wide] {
        assert!(matches!(try_convert(&more, |input| input), Err(PungiError::TooLarge { .. })));
    }
    let evil = "release_name = 'a\"\n[sign]\ndemonstration = \"x'\nrelease_short = '\\n[sign]'\nkoji_profile = 'a b'";
    assert!(PungiConf::parse("p.conf", evil.as_bytes(), &mut |_| Err("".into())).is_err());
    let conversion =
        convert_with("koji_profile = '\"}\\n[sign]'\npkgset_koji_tag = ['a\\b\"}', 'x y']", |input| input);
    assert!(conversion.recipe.contains("tag = \"a\\\\b\\\"}\", id = \"ab\""), "{}", conversion.recipe);
    assert!(!conversion.recipe.lines().any(|line| line.starts_with("[sign]")));
}

/// Who adds an option documents it: it stands in code marks in a table of the page.
#[test]
fn the_documentation_names_every_option() {
    let docs = include_str!("../../../docs/import.md");
    let rows: String = docs.lines().filter(|line| line.starts_with('|')).collect();
    let all = options::OPTIONS.iter().flat_map(|(_, names)| names.iter());
    let missing: Vec<_> = all.filter(|name| !rows.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/import.md lacks {missing:?}");
}

/// Whatever is changed in a configuration: nothing panics, and a recipe with nothing to do is one that is read.
#[test]
fn changed_configurations_become_recipes_or_errors() {
    let base = "release_name = 'Example'\nrelease_short = 'E'\nrelease_version = '9'\ncomps_file = 'c.xml'\n\
                pkgset_source = 'koji'\npkgset_koji_tag = ['a', 'b']\npkgset_koji_builds = ['x-1-1']\nsigkeys = [None]\n\
                pkgset_repos = {'*': ['repo', 'https://example.org/$basearch/x']}\ntree_arches = ['x86_64']\n\
                multilib = [('^S.*$', {'*': ['devel', 'all']})]\nmultilib_whitelist = {'*': ['a*']}\n\
                additional_packages = [('^S', {'*': ['p', 'q.i686'], 'aarch64': ['r']})]\n\
                gather_method = {'.*': {'comps': 'deps'}}\ngreedy_method = 'all'\n\
                gather_lookaside_repos = [('.', {'*': ['file:///x']})]\n";
    let pieces = [
        "'", "\"", "[", "]", "(", ")", "{", "}", ",", ":", "=", "%s", "%", "\n", "\\", " ", "*", "^", "$",
        "src", "None", "True", "7", "''", "repos", "koji", "nodeps", "hybrid", "optional", "é", "\u{7f}",
        "../", "x86_64", "?", "#",
    ];
    let starts: Vec<usize> = base.char_indices().map(|(at, _)| at).collect();
    let variants = variants_xml::parse(VARIANTS.as_bytes()).unwrap();
    let comps = Comps::parse(COMPS.as_bytes()).unwrap();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize % below
    };
    let (mut read, mut refused) = (0, 0);
    for _ in 0..4_000 {
        let mut text = base.to_owned();
        for _ in 0..=random(2) {
            let at = starts[random(starts.len())].min(text.len());
            let at = (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap();
            let end = (at + random(4)).min(text.len());
            let end = (end..=text.len()).find(|end| text.is_char_boundary(*end)).unwrap();
            text.replace_range(at..end, pieces[random(pieces.len())]);
        }
        let conf = PungiConf::parse("p.conf", text.as_bytes(), &mut |_| Err("none".into()));
        let Ok(conf) = conf else {
            refused += 1;
            continue;
        };
        let made = from_pungi(&PungiInput {
            name: "p.conf",
            conf: &conf,
            variants_name: "v.xml",
            variants: &variants,
            comps: Some(&comps),
            prepopulate: None,
            mapping: None,
            keys: &[],
        });
        let conversion = made.unwrap();
        if conversion.notes.iter().all(|note| note.kind != NoteKind::Todo) {
            let recipe = &conversion.recipe;
            Recipe::parse(recipe, "r.toml").unwrap_or_else(|error| panic!("{text}\n{error}"));
            read += 1;
        }
    }
    assert!(read > 500 && refused > 500, "{read} read, {refused} refused");
}
