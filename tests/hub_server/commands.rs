//! Commands of the genuine koji command line beyond a release engineer's day: groups, volumes, targets, external
//! repositories, users; and what a hub without builders refuses.

use super::bench::Bench;
use super::world::{Serving, administrator, files, koji, peers, source_package};

#[test]
fn groups_are_those_of_a_tag_at_an_event() {
    let Some((program, _)) = peers("groups_are_those_of_a_tag_at_an_event") else { return };
    let bench = Bench::new();
    administrator(&bench, "hub");
    let hub = Serving::start(&bench, "hub");
    let run = |arguments: &[&str]| koji(&bench, &program, hub.port, arguments);
    let done = |arguments: &[&str]| run(arguments).exits(0).stdout;
    done(&["add-tag", "base"]);
    done(&["add-tag", "child", "--parent=base"]);
    done(&["add-group", "base", "core"]);
    done(&["add-group", "base", "extra"]);
    done(&["add-group-pkg", "base", "core", "bash", "zsh"]);
    done(&["add-group-req", "base", "core", "extra"]);
    let all = "core  [base]\n  @extra  [base]\n  bash: None, mandatory  [base]\n  zsh: None, mandatory  [base]\nextra  [base]\n";
    assert_eq!(done(&["list-groups", "child"]), all);
    let event = done(&["call", "--json-output", "getLastEvent"]);
    let event = serde_json::from_str::<serde_json::Value>(&event).unwrap()["id"].to_string();

    done(&["block-group-pkg", "child", "core", "zsh"]);
    done(&["block-group-req", "child", "core", "extra"]);
    assert_eq!(
        done(&["list-groups", "child"]),
        "core  [base]\n  bash: None, mandatory  [base]\nextra  [base]\n"
    );
    assert_eq!(done(&["list-groups", "base"]), all);
    assert!(
        run(&["add-group-pkg", "child", "core", "zsh"]).stderr.contains("package zsh blocked in group core")
    );
    done(&["unblock-group-pkg", "child", "core", "zsh"]);
    done(&["unblock-group-req", "child", "core", "extra"]);
    let none = run(&["unblock-group-pkg", "child", "core", "zsh"]);
    assert!(none.stderr.contains("package zsh is NOT blocked in group"), "{}", none.stderr);
    done(&["block-group", "child", "extra"]);
    assert!(!done(&["list-groups", "child"]).contains("extra"));
    done(&["unblock-group", "child", "extra"]);
    done(&["remove-group-pkg", "base", "core", "bash"]);
    done(&["remove-group-req", "base", "core", "extra"]);
    done(&["remove-group", "base", "extra"]);
    assert_eq!(done(&["list-groups", "child"]), "core  [base]\n  zsh: None, mandatory  [base]\n");
    let then = done(&["list-groups", "--event", &event, "child"]);
    assert!(then.ends_with(all), "{then}");

    done(&["clone-tag", "--all", "base", "copy"]);
    assert_eq!(done(&["list-groups", "copy"]), "core  [copy]\n  zsh: None, mandatory  [copy]\n");
    let comps = done(&["show-groups", "--comps", "copy"]);
    assert!(comps.contains("<packagereq type=\"mandatory\">zsh</packagereq>"), "{comps}");
    let history = done(&["list-history", "--tag", "base", "--utc"]);
    for line in [
        "group core added to tag base by kojiadmin [still active]",
        "package bash removed from group core in tag base by kojiadmin",
        "group dependency core->extra dropped from tag base by kojiadmin",
    ] {
        assert!(history.contains(line), "{history}");
    }
}

#[test]
fn a_build_moves_to_another_volume_and_back() {
    let Some((program, _)) = peers("a_build_moves_to_another_volume_and_back") else { return };
    if !super::bench::has_peers(&["rpmbuild"]) {
        return;
    }
    let bench = Bench::new();
    administrator(&bench, "hub");
    let hub = Serving::start(&bench, "hub");
    let run = |arguments: &[&str]| koji(&bench, &program, hub.port, arguments);
    let source = source_package(&bench, "moved", "1", "1");
    run(&["import", source.to_str().unwrap()]).exits(0);
    assert!(run(&["add-volume", "slow"]).stderr.contains("please create the volume directory first"));
    std::fs::create_dir_all(bench.path("hub/topdir/vol/slow")).unwrap();
    run(&["add-volume", "slow"]).exits(0);
    assert_eq!(run(&["list-volumes"]).exits(0).stdout, "DEFAULT\nslow\n");

    let build = |below: &str| bench.path("hub/topdir").join(below).join("packages/moved/1/1");
    let before = files(&build(""));
    assert_eq!(before.len(), 2);
    run(&["set-build-volume", "slow", "moved-1-1"]).exits(0);
    assert_eq!(files(&build("vol/slow")).len(), 2);
    assert!(build("").is_symlink() && build("").join("src/moved-1-1.src.rpm").is_file());
    assert!(run(&["buildinfo", "moved-1-1"]).exits(0).stdout.contains("Volume: slow"));
    run(&["download-build", "--arch=src", "moved-1-1"]).exits(0);
    assert_eq!(
        std::fs::read(bench.path("downloads/moved-1-1.src.rpm")).unwrap(),
        std::fs::read(&source).unwrap()
    );
    run(&["set-build-volume", "DEFAULT", "moved-1-1"]).exits(0);
    assert!(!build("vol/slow").exists() && !build("").is_symlink());
    assert_eq!(files(&build("")), before);
    assert_eq!(files(&bench.path("hub/journal")), Vec::<std::path::PathBuf>::new());
    run(&["set-build-volume", "slow", "moved-1-1"]).exits(0);
    run(&["call", "deleteBuild", "moved-1-1"]).exits(0);
    assert!(!build("vol/slow").exists() && !build("").is_symlink());
}

#[test]
fn what_else_the_command_line_changes_is_changed_or_refused() {
    let test = "what_else_the_command_line_changes_is_changed_or_refused";
    let Some((program, _)) = peers(test) else { return };
    let bench = Bench::new();
    administrator(&bench, "hub");
    let hub = Serving::start(&bench, "hub");
    let run = |arguments: &[&str]| koji(&bench, &program, hub.port, arguments);
    let done = |arguments: &[&str]| run(arguments).exits(0).stdout;
    done(&["add-tag", "base", "--arches=x86_64"]);
    done(&["add-user", "goose"]);
    done(&["edit-user", "--rename", "gander", "goose"]);
    assert_eq!(done(&["list-users"]), "kojiadmin\ngander\n");
    done(&["grant-permission", "--new", "--description", "x", "ponds", "gander"]);
    done(&["edit-permission", "ponds", "Who may swim"]);
    assert_eq!(done(&["list-users", "--perm", "ponds"]), "gander\n");
    assert!(done(&["list-permissions"]).contains("Who may swim"));
    assert!(done(&["userinfo", "gander"]).contains("Number of tasks: 0"));
    done(&["revoke-permission", "ponds", "gander"]);
    done(&["disable-user", "gander"]);
    assert!(done(&["userinfo", "gander"]).contains("Status: BLOCKED"));

    done(&["add-target", "made", "base", "base"]);
    done(&["edit-target", "--rename", "other", "made"]);
    assert!(done(&["list-targets", "--quiet"]).starts_with("other "));
    done(&["remove-target", "other"]);
    assert!(run(&["list-targets", "--quiet"]).stderr.contains("No targets were found"));

    done(&["add-external-repo", "--tag=base", "--priority=5", "far", "http://example.org/$arch"]);
    done(&["edit-external-repo", "--url=http://example.org/new/", "far"]);
    done(&["edit-external-repo", "--tag=base", "--priority=7", "far"]);
    let repos = done(&["list-external-repos", "--tag=base", "--quiet"]);
    assert!(repos.starts_with("7 ") && repos.contains("http://example.org/new/"), "{repos}");
    done(&["remove-external-repo", "--alltags", "far"]);
    assert_eq!(done(&["list-external-repos", "--tag=base", "--quiet"]), "");
    done(&["remove-external-repo", "far"]);
    assert_eq!(done(&["list-external-repos", "--quiet"]), "");

    done(&["call", "editTag", "base", "ground", "x86_64", "True", "None"]);
    let info = done(&["taginfo", "ground"]);
    assert!(info.contains("Arches: x86_64") && info.contains("LOCKED"), "{info}");
    assert_eq!(done(&["call", "listTaggedArchives", "ground"]).trim(), "[[], []]");
    for (arguments, method) in [
        (&["dist-repo", "ground", "--allow-missing-signatures"][..], "distRepo"),
        (&["add-host", "h", "x86_64"], "getHost"),
        (&["list-notifications", "--mine"], "getBuildNotifications"),
    ] {
        let refused = run(arguments);
        assert_eq!(refused.code, Some(1), "{arguments:?}");
        assert!(refused.stderr.contains(&format!("Invalid method: {method}")), "{}", refused.stderr);
    }
}
