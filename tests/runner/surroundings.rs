//! What is around a jail: whoever started gander, what inputs lead to, a person's terminal.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use gander::base::Digest;
use gander::plan::ResolvedInput;
use gander::runner::{self, Backend, RunOptions};

use super::{Failed, World, at, eventually, exists, makes_root, path, program, with_inputs};

/// Whatever gander was started with, steps have none of it.
pub fn odd_surroundings(world: &World) {
    let ran = world.again(&["odd"], &["env", "--ignore-signal=HUP", "--block-signal=USR1"]);
    let text = String::from_utf8(ran.stdout).unwrap();
    assert!(ran.status.success(), "{text}{}", String::from_utf8_lossy(&ran.stderr));
    for signals in ["SigBlk:", "SigIgn:"] {
        let line = text.lines().find_map(|line| line.strip_prefix(signals)).unwrap();
        assert_eq!(line.trim(), "0000000000000000", "{text}");
    }
    // The keyring of the session is its own.
    let has_keyrings = Path::new("/proc/keys").exists();
    assert!(!has_keyrings || text.contains(" _ses"), "{text}");
}

/// What [`odd_surroundings`] runs.
pub fn odd(world: &World) -> Result<(), Failed> {
    let script =
        "cat /proc/self/status > /out/said; if test -e /proc/keys; then cat /proc/keys >> /out/said; fi";
    let tree = world.run(&program(script))?;
    print!("{}", world.output(&tree, "said"));
    Ok(())
}

pub fn death_of_the_parent(world: &World) {
    let store = world.store.root().parent().unwrap().join("other");
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .arg("hang")
        .arg(&store)
        .arg(format!("{:?}", world.backend).to_lowercase())
        .spawn()
        .unwrap();
    assert!(eventually(|| exists("98762")), "the step did not start");
    parent.kill().unwrap();
    parent.wait().unwrap();
    assert!(eventually(|| !exists("98762")), "a step outlived gander");
    // The next one clears what the dead one left, whoever owns it.
    drop(at(&store, world.backend));
    let left = fs::read_dir(store.join("tmp")).unwrap().count();
    assert_eq!(left, 0);
}

/// What [`death_of_the_parent`] runs.
pub fn hang(store: &Path, backend: Backend) -> ExitCode {
    let (_store, runner) = at(store, backend);
    let script = "for d in build out; do mkdir -p /$d/d/d; touch /$d/d/d/f; chown 7:8 /$d/d/d /$d/d; chmod 700 /$d/d; done; \
                  (sleep 98762 &); sleep 98762";
    let _error = runner.run(&makes_root(program(script)), &RunOptions::default());
    ExitCode::FAILURE
}

/// A tree may hold links to anywhere: nothing is staged below one.
pub fn input_below_an_input(world: &World) {
    let outside = world.store.root().join("outside");
    fs::create_dir(&outside).unwrap();
    let link = world.run(&program(&format!("ln -s {} /out/link", outside.display()))).unwrap();
    let mut action = with_inputs(world, program(":"));
    let file = action.inputs.pop_first().unwrap().1;
    action.inputs.insert(path("tree"), ResolvedInput::Tree(link));
    action.inputs.insert(path("tree/link/file"), file);
    let error = world.run(&action).unwrap_err();
    assert!(error.to_string().contains("'tree/link/file'"), "{error}");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    fs::remove_dir(outside).unwrap();
}

/// A person's command has the embedded runner, whatever steps have, and may not type on the terminal.
pub fn command(world: &World) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("f"), "honk").unwrap();
    let output = folder.path().join("output");
    let argv = ["bash", "-c", "cat /proc/self/status /in/a/b/f > /out/said; exit 3"];
    let command = runner::Command {
        root: runner::Root::Image(Digest::of("small root")),
        // In another order than they can be mounted in.
        binds: vec![(folder.path().join("f"), path("in/a/b/f")), (folder.path().into(), path("in/a"))],
        output: Some(output.clone()),
        source_date: None,
        argv: argv.map(String::from).into(),
    };
    fs::create_dir(folder.path().join("b")).unwrap();
    fs::write(folder.path().join("b/f"), "hidden").unwrap();
    assert_eq!(world.runner.command(&command).unwrap(), runner::Ended::Exited(3));
    let said = fs::read_to_string(output.join("said")).unwrap();
    assert!(said.contains("Seccomp:\t2\n") && said.ends_with("honk"), "{said}");
    let deadline = Duration::from_secs(60);
    let mut seen = Vec::new();
    let command = runner::Command { argv: ["cat", "/in/a/b/f"].map(String::from).into(), ..command };
    let mut watch = |bytes: &[u8]| {
        seen.extend_from_slice(bytes);
        runner::Next::Go
    };
    let watched = world.runner.watch(&command, deadline, &mut watch).unwrap();
    assert_eq!(watched, runner::Watched::Ended(runner::Ended::Exited(0), String::new()));
    assert_eq!(seen, b"honk");
}
