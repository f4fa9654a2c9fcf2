//! The `gander` command: parse, run, exit code; nothing else.

fn main() -> std::process::ExitCode {
    gander::cli::main()
}
