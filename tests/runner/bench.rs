//! What steps cost.

use std::process::ExitCode;
use std::time::Instant;

use gander::plan::Executor;
use gander::runner::{Backend, RunOptions};

use super::{World, action, has_runc, makes_root, program, single};

pub fn bench() -> ExitCode {
    bench_of(&World::new(Backend::Embedded));
    if single() {
        println!("runc runs nothing with one id");
    } else if has_runc() {
        bench_of(&World::new(Backend::Runc));
    } else {
        println!("runc is not installed");
    }
    ExitCode::SUCCESS
}

fn bench_of(world: &World) {
    let options = RunOptions::default();
    let native = action("nothing", Executor::Native(1), None);
    let mut quick = program("");
    quick.step.executor = Executor::Program(["sh", "-c", ":"].map(String::from).into());
    // 500 files made, 500 given away, 5,000 looked at, 500 of which belong to others.
    let owners = "cd /out; for i in {1..500}; do echo > $i; done; chown 5:6 [0-9]*; \
                  for i in 1 2 3 4 5 6 7 8 9 10; do stat -c %u [0-9]* > /dev/null; done";
    let owners = makes_root(program(owners));
    for (name, action) in [("program", &quick), ("native", &native), ("owners", &owners)] {
        world.runner.run(action, &options).unwrap();
        let mut times: Vec<_> = (0..50)
            .map(|_| {
                let start = Instant::now();
                world.runner.run(action, &options).unwrap();
                start.elapsed()
            })
            .collect();
        times.sort();
        let backend = world.backend;
        println!("{backend:?} {name}: median {:?}, least {:?}, most {:?}", times[25], times[0], times[49]);
    }
}
