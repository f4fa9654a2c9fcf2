//! `gander sigul signer`.

use std::fs;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::super::{Failure, Global, Kind};
use crate::runner::{activated, confine, hide_memory};
use crate::sign::KeyError;
use crate::sign::agent::{Allowance, Door, serve};
use crate::sign::token::Modules;
use crate::sign::vault::{Options, Vault};

/// Hold the keys: the process that signs, without network and without any file but its store.
///
/// Keys are in the store, or on tokens whose modules are named here.
///
/// Sessions come over a Unix socket: at the path --socket, or the one that systemd passes (LISTEN_FDS), or with
/// --stdin over the socket that is stdin, as `gander sigul server` starts it. SIGHUP: read the policy again and wipe
/// unlocked keys. SIGUSR1: wipe unlocked keys. SIGTERM: end when the open sessions have.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The store: a folder that only the signer's user can read; made if it is not there.
    #[arg(long, value_name = "DIR")]
    store: PathBuf,
    /// Listen at this path; the folder around it decides who can come near.
    #[arg(long, value_name = "PATH", conflicts_with = "stdin")]
    socket: Option<PathBuf>,
    /// Take sessions from the process that has the other end of stdin, and end with it.
    #[arg(long)]
    stdin: bool,
    /// The user id that may connect (default: the signer's own).
    #[arg(long, value_name = "UID")]
    peer: Option<u32>,
    /// Keep a key unlocked for so many seconds after its last use (0: not at all).
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    idle: u64,
    /// Allow so many sessions at once.
    #[arg(long, value_name = "N", default_value_t = 256)]
    sessions: u64,
    /// End a session that is silent for so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..))]
    silence: u64,
    /// Hold at most so many MiB of texts and messages in memory, in all sessions together.
    #[arg(long, value_name = "MIB", default_value_t = 512)]
    memory: u64,
    /// Begin a new file of the ledger when one has so many MiB.
    #[arg(long, value_name = "MIB", default_value_t = 64)]
    rotate: u64,
    /// Load this PKCS #11 module, for keys on its tokens (can be repeated; absolute path).
    #[arg(long, value_name = "FILE")]
    module: Vec<PathBuf>,
    /// Keep this file, folder or socket in sight, which a module needs: its configuration, softhsm2's folder of tokens,
    /// /run/pcscd (can be repeated; absolute path).
    #[arg(long, value_name = "PATH", requires = "module", conflicts_with = "unconfined")]
    module_needs: Vec<PathBuf>,
    /// Do not confine the process: for where namespaces are forbidden and something else (systemd, a container without
    /// network) does it.
    #[arg(long)]
    unconfined: bool,
}

fn surroundings(what: String) -> impl FnOnce(std::io::Error) -> Failure {
    move |error| Failure::new(Kind::Surroundings, format!("{what}: {error}"))
}

/// Runs the command.
pub fn run(global: &Global, args: &Args) -> Result<ExitCode, Failure> {
    // Before there is anything to hide.
    let passed = activated().map_err(surroundings("systemd's socket cannot be used".into()))?;
    let door = door(args, passed)?;
    let own = rustix::process::geteuid().as_raw();
    let peer = args.peer.unwrap_or(own);
    fs::create_dir_all(&args.store)
        .and_then(|()| fs::set_permissions(&args.store, fs::Permissions::from_mode(0o700)))
        .map_err(surroundings(format!("the store '{}' cannot be used", args.store.display())))?;
    let modules = Modules::load(args.module.clone()).map_err(KeyError::from)?;
    let store = if args.unconfined {
        args.store.clone()
    } else {
        if peer != own && own != 0 {
            let message = "confined by an ordinary user, the signer can recognise no other user than its own";
            return Err(Failure::new(Kind::Usage, message)
                .hint("start it as root, or have systemd confine it and give --unconfined"));
        }
        confine(&args.store, &args.module_needs).map_err(|error| {
            Failure::from_error(Kind::Surroundings, &error)
                .hint("where something else confines the signer, give --unconfined")
        })?
    };
    hide_memory().map_err(surroundings("the process's memory cannot be hidden".into()))?;
    let megabytes = |number: u64| number.saturating_mul(1 << 20);
    let options =
        Options { idle: Duration::from_secs(args.idle), rotate_at: megabytes(args.rotate), modules };
    let vault = Vault::open(&store, options)?;
    if let Some(error) = vault.policy_error() {
        global.say(format_args!("nothing is signed: {error}"));
    }
    global.say("the signer is ready");
    let allowance = Allowance {
        peer,
        sessions: args.sessions,
        silence: Duration::from_secs(args.silence),
        memory: megabytes(args.memory),
    };
    serve(vault, door, allowance).map_err(surroundings("the signer cannot go on".into()))?;
    Ok(ExitCode::SUCCESS)
}

fn door(args: &Args, passed: Option<OwnedFd>) -> Result<Door, Failure> {
    match (passed, &args.socket) {
        (Some(socket), None) if !args.stdin => Ok(Door::Listener(UnixListener::from(socket))),
        (None, Some(path)) => listen(path).map(Door::Listener),
        (None, None) if args.stdin => {
            let stdin = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3);
            let stdin = stdin.map_err(|error| surroundings("stdin cannot be used".into())(error.into()))?;
            Ok(Door::Parent(UnixStream::from(stdin)))
        }
        _ => Err(Failure::new(Kind::Usage, "say by --socket or --stdin where sessions come from")
            .hint("or have systemd pass one socket (Accept=no)")),
    }
}

fn listen(path: &Path) -> Result<UnixListener, Failure> {
    let failed = || surroundings(format!("the signer cannot listen at '{}'", path.display()));
    // What a signer left that was killed: nobody answers there any more.
    match UnixStream::connect(path) {
        Ok(_) => {
            return Err(Failure::new(
                Kind::Surroundings,
                format!("a signer listens at '{}' already", path.display()),
            ));
        }
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed())?;
        }
        Err(_) => {}
    }
    UnixListener::bind(path).map_err(failed())
}
