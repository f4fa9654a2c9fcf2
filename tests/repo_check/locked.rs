//! Pairs of arches in a lock that is made: they are told of as by a check of the repository.

use crate::bench::Bench;
use crate::sample::made::{file, pair, pairs};

#[test]
fn making_a_lock_tells_of_pairs_that_do_not_go_beside_each_other() {
    const RECIPE: &str = r#"
[release]
name = "Goose Linux"
short = "Goose"
version = "1"
[[source]]
dir = "packages"
on-unsigned = "allow"
[variant.Base]
arches = ["x86_64"]
packages = ["pair"]
multilib = { profile = "none", whitelist = ["pair"] }
sources = false
"#;
    let bench = Bench::new();
    let path = |name: &str| format!("/usr/share/{name}");
    for (at, (name, files, conflict)) in pairs().into_iter().enumerate() {
        let mut packages = pair(&files);
        for (order, more) in packages.iter_mut().zip(["64", "32"]) {
            for name in ["y", "z", "zz"].into_iter().filter(|_| conflict) {
                *order = order.clone().file(file(&path(name), more));
            }
        }
        for order in packages {
            bench.write(&format!("{at}/packages/{}", order.file_name()), order.make());
        }
        let recipe = bench.write(&format!("{at}/goose.toml"), RECIPE);
        let made = bench.run(["lock".as_ref(), recipe.as_os_str()]).exits(0);
        let said = made.stderr.contains(
            "warning: pair-0:1-1.x86_64 cannot be installed beside pair-0:1-1.i686 in Base/x86_64: /usr/share/x: ",
        );
        assert_eq!(said, conflict, "{name}: {made}");
        let more = made.stderr.contains("/usr/share/z: their contents differ; and 1 more\n");
        assert_eq!(more, conflict, "{name}: {made}");
    }
}
