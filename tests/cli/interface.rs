//! What every command has in common: help, usage errors, completions, man pages.

use std::fmt::Write as _;

use super::bench::{Bench, run};
use super::snapshot::assert_snapshot;

/// The command itself and all below it, each as the words after `gander`.
fn commands(bench: &Bench) -> Vec<Vec<String>> {
    let mut found = vec![Vec::new()];
    let mut next = 0;
    while let Some(command) = found.get(next).cloned() {
        next += 1;
        let help = bench.run(command.iter().map(String::as_str).chain(["--help"])).exits(0).stdout;
        let listed =
            help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        // The name of a command stands two columns in; a wrapped description stands further in.
        for line in listed.filter(|line| line.starts_with("  ") && !line.starts_with("   ")) {
            let name = line.split_whitespace().next().unwrap();
            if name != "help" {
                found.push(command.iter().cloned().chain([name.to_string()]).collect());
            }
        }
    }
    found
}

#[test]
fn the_help_of_every_command_is_as_reviewed() {
    let bench = Bench::new();
    let mut text = String::new();
    for command in commands(&bench) {
        let words: Vec<_> = ["gander"].into_iter().chain(command.iter().map(String::as_str)).collect();
        let help = bench.run(words.iter().skip(1).copied().chain(["--help"])).exits(0).stdout;
        // Options that every command has are shown once.
        let own = match help.split_once("\nGlobal options:") {
            Some((own, _)) if !command.is_empty() => own,
            _ => &help,
        };
        writeln!(text, "==== {} --help\n{}\n", words.join(" "), own.trim_end()).unwrap();
    }
    assert!(text.contains("gander compose"), "{text}");
    assert_snapshot("help.txt", &text);
}

#[test]
fn usage_errors_exit_with_2_and_name_what_was_meant() {
    let bench = Bench::new();
    bench.run(["--no-such-option"]).exits(2).says("--no-such-option");
    bench.run(["compos"]).exits(2).says("compose");
    bench.run::<&str>([]).exits(2).says("Usage:");
    bench.run(["compose", "x.toml", "--quiet", "--verbose"]).exits(2).says("cannot be used with");
    bench.run(["compose"]).exits(2).says("<RECIPE>");
    bench.run(["compose", "x.toml", "--jobs", "0"]).exits(2).says("--jobs");
    bench.run(["plan", "x.toml", "--format", "xml"]).exits(2).says("possible values: text, json, dot");
    bench.run(["image", "pull", "example.org/image:tag"]).exits(2);
    bench.run(["run", "no-image", "--", "true"]).exits(2).says("no-image");
}

#[test]
fn the_version_is_data() {
    let output = Bench::new().run(["--version"]).exits(0);
    assert_eq!(output.stdout, format!("gander {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(output.stderr, "");
}

#[test]
fn every_command_has_a_man_page_and_is_completed() {
    let bench = Bench::new();
    bench.run(["man", "pages"]).exits(0);
    for command in commands(&bench) {
        let page =
            ["gander"].into_iter().chain(command.iter().map(String::as_str)).collect::<Vec<_>>().join("-");
        let path = bench.path(&format!("pages/{page}.1"));
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(text.contains(".SH SYNOPSIS"), "{}", path.display());
    }
    let names: Vec<_> = commands(&bench).into_iter().filter_map(|mut command| command.pop()).collect();
    for shell in ["bash", "zsh", "fish"] {
        let script = bench.run(["completions", shell]).exits(0).stdout;
        for name in &names {
            assert!(script.contains(name.as_str()), "no completion of {name} for {shell}");
        }
        // The shell itself has the last word, where it is there.
        let path = bench.write(&format!("completions.{shell}"), &script);
        let mut check = std::process::Command::new(shell);
        if check.arg("-n").arg(path).stdin(std::process::Stdio::null()).output().is_ok() {
            run(&mut check).exits(0);
        }
    }
}
