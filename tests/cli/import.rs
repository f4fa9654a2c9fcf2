//! `gander import`: recipes from the configurations of mash and Pungi, and what is said of the rest.

use super::bench::Bench;

const VARIANTS: &str = "<variants><variant id='Server' name='Server' type='variant'><arches><arch>x86_64</arch></arches>\
                        <groups><group>core</group></groups></variant></variants>";

const PUNGI: &str = "from general import *\nrelease_name = 'Example Linux'\nrelease_short = 'Example'\n\
                     release_version = '9'\nvariants_file = 'variants.xml'\ncomps_file = 'comps.xml'\nlink_type = 'copy'\n";

const GENERAL: &str =
    "pkgset_source = 'koji'\nkoji_profile = 'example'\npkgset_koji_tag = 'example-9'\nsigkeys = [None]\n";

fn pungi() -> Bench {
    let bench = Bench::new();
    bench.write("conf/example.conf", PUNGI);
    bench.write("conf/general.conf", GENERAL);
    bench.write("conf/variants.xml", VARIANTS);
    bench.write("conf/comps.xml", "<comps><group><id>core</id></group></comps>");
    bench
}

#[test]
fn a_configuration_of_pungi_becomes_a_recipe() {
    let bench = pungi();
    let output = bench.run(["import", "pungi", "conf/example.conf"]).exits(0);
    assert!(output.stdout.contains("[variant.Server]\narches = [\"x86_64\"]\n"), "{output}");
    assert!(output.stdout.contains("hub = \"profile:example\", tag = \"example-9\""), "{output}");
    let output = output
        .says("no-effect: conf/example.conf:7: link_type: ")
        .says("0 to do, 0 lost, 0 changed, 1 without effect");

    let file = bench.run(["import", "pungi", "conf/example.conf", "--output", "conf/example.toml"]).exits(0);
    assert_eq!(file.stdout, "");
    assert_eq!(std::fs::read_to_string(bench.path("conf/example.toml")).unwrap(), output.stdout);
    bench.run(["import", "pungi", "conf/example.conf", "-o", "conf/example.toml"]).exits(2).says("--force");
    bench.run(["import", "pungi", "conf/example.conf", "-o", "conf/example.toml", "--force", "-q"]).exits(0);

    let json = bench.run(["import", "pungi", "conf/example.conf", "--format", "json"]).exits(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["recipe"], output.stdout);
    let notes = json["notes"].as_array().unwrap();
    assert!(
        notes
            .iter()
            .any(|note| note["subject"] == "link_type" && note["line"] == 7 && note["kind"] == "no-effect")
    );
}

#[test]
fn what_cannot_be_read_is_named() {
    let bench = pungi();
    for (main, code, message) in [
        ("x = [", 2, "conf/x.conf:1:5: this '[' has no ']'"),
        ("from nowhere import *", 3, "conf/x.conf:1:1: 'nowhere.conf' cannot be imported"),
        ("from ../x import *", 2, "leads out of the folder"),
        ("from x import *", 2, "is imported by itself"),
        ("[general]\nrelease_name = x", 2, "import the file that each part names"),
        ("\u{1}", 2, "conf/x.conf:1:1"),
        ("x = 1", 2, "names no 'variants_file'"),
        ("variants_file = '/etc/variants.xml'", 3, "--variants FILE"),
        ("variants_file = 'none.xml'", 3, "conf/none.xml"),
        ("variants_file = 'general.conf'", 2, "conf/general.conf"),
        ("variants_file = 'bomb.xml'", 2, "'&b;' is not one of XML's own"),
        ("variants_file = 'variants.xml'\ncomps_file = 'variants.xml'", 2, "conf/variants.xml"),
        ("variants_file = 'variants.xml'\ngather_prepopulate = 'comps.xml'", 2, "gather_prepopulate"),
    ] {
        bench.write(
            "conf/bomb.xml",
            "<!DOCTYPE v [<!ENTITY a 'x'><!ENTITY b '&a;&a;'>]><variants>&b;</variants>",
        );
        bench.write("conf/x.conf", main);
        let output = bench.run(["import", "pungi", "conf/x.conf"]).exits(code).says(message);
        assert_eq!(output.stdout, "", "{main}");
    }
    bench.write("conf/x.conf", [0xff, 0xfe]);
    bench.run(["import", "pungi", "conf/x.conf"]).exits(2).says("the text is not UTF-8");
    bench.write("conf/x.conf", format!("x = {}", "[".repeat(1 << 20)));
    bench.run(["import", "pungi", "conf/x.conf"]).exits(2).says("nested deeper");
    bench.write("conf/x.conf", vec![b' '; (4 << 20) + 1]);
    bench.run(["import", "pungi", "conf/x.conf"]).exits(2).says("more than 4194304 bytes");
    bench.run(["import", "pungi", "conf/none.conf"]).exits(3).says("conf/none.conf");
    bench
        .run(["import", "pungi", "conf/example.conf", "--key", "12345678"])
        .exits(2)
        .says("is not a fingerprint");
    bench
        .run(["import", "mash", "conf/general.conf"])
        .exits(2)
        .says("line 1: the file does not begin with a [section]");
    bench.run(["import", "mash", "none.mash"]).exits(3).says("none.mash");
}

#[test]
fn a_configuration_of_mash_becomes_a_recipe() {
    let bench = Bench::new();
    let text = "[example]\ntag = example-9\narches = x86_64\nmultilib_devel_whitelist = glob:/etc/mash/lists/*.list\n";
    bench.write("example.mash", text);
    bench.write(
        "mash.conf",
        "[defaults]\nbuildhost = https://koji.example.org/kojihub\nstrict_keys = True\nkeys = 22223333\n",
    );
    bench.write("lists/b.list", "# a list\nbeta, gamma\n");
    bench.write("lists/a.list", "alpha\n");
    bench.write("lists/.hidden.list", "hidden\n");
    let key = "AAAABBBBCCCCDDDDEEEEFFFF0000111122223333";
    let output =
        bench.run(["import", "mash", "example.mash", "--defaults", "mash.conf", "--key", key]).exits(0);
    assert!(output.stdout.contains("whitelist = [\"alpha\", \"beta\", \"gamma\"]\n"), "{output}");
    assert!(output.stdout.contains(&format!("keys = [\"{key}\"]\n")), "{output}");
    let output = bench.run(["import", "mash", "example.mash"]).exits(0);
    output
        .says("changed: buildhost: it is not set")
        .says("todo: example.mash:1: 'example': mash knows neither names nor versions");
}
