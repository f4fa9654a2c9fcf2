//! How the signer is started: by a parent, by systemd, by an ordinary user; and how it ends.

use std::fs;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use gander::sign::agent::Client;
use gander::sign::agent::request::{Answer, Operation as Op, Request, Secret};
use tokio::runtime::Runtime;

use super::world::{ALICE, PASSWORD, Signer, code, gander, sign_data};

fn health(runtime: &Runtime, client: &Client) -> Option<Answer> {
    let request = Request { user: "anyone".into(), operation: Op::Health {} };
    runtime.block_on(client.ask(&request, &[])).ok()?.ok().map(|(answer, _)| answer)
}

#[test]
fn a_parent_hands_it_sessions_and_takes_it_along() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let arguments = ["sigul", "signer", "--stdin", "--store", store.to_str().unwrap()];
    let (mut child, socket) =
        gander::runner::start(Path::new(env!("CARGO_BIN_EXE_gander")), &arguments).unwrap();
    let runtime = Runtime::new().unwrap();
    let client = Client::child(socket);
    for _ in 0..3 {
        assert!(matches!(health(&runtime, &client), Some(Answer::Health { ready: true, .. })));
    }
    assert!(
        fs::read(format!("/proc/{}/environ", child.id())).is_ok_and(|environment| environment.is_empty())
    );
    drop(client);
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(start.elapsed() < Duration::from_secs(20), "it outlives its parent");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn systemd_hands_it_a_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    // What systemd does: descriptor 3, and the process's own number in the environment.
    let script = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" sigul signer --store \"$1\"";
    let mut child = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_gander")])
        .arg(folder.path().join("store"))
        .stdin(std::os::fd::OwnedFd::from(listener))
        .spawn()
        .unwrap();
    // The socket was there before the signer: whoever connects waits.
    let runtime = Runtime::new().unwrap();
    let answer = health(&runtime, &Client::at(&path));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(matches!(answer, Some(Answer::Health { ready: true, .. })), "{answer:?}");
}

#[test]
fn an_ordinary_user_is_confined_and_others_may_not_connect() {
    const USER: u32 = 4711;
    let name = "an_ordinary_user_is_confined_and_others_may_not_connect";
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("gander");
    let try_ = || -> std::io::Result<()> {
        fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        fs::copy(env!("CARGO_BIN_EXE_gander"), &program)?;
        fs::create_dir(folder.path().join("own"))?;
        std::os::unix::fs::chown(folder.path().join("own"), Some(USER), Some(USER))
    };
    let unshares = || {
        Command::new("unshare").args(["-U", "true"]).uid(USER).status().is_ok_and(|status| status.success())
    };
    if try_().is_err() || !unshares() {
        println!("SKIPPED {name}: only root can become another user, or users may not make namespaces");
        return;
    }
    let socket = folder.path().join("own/socket");
    let log = fs::File::create(folder.path().join("log")).unwrap();
    let mut child = Command::new(&program)
        .args(["sigul", "signer", "--store"])
        .arg(folder.path().join("own/store"))
        .arg("--socket")
        .arg(&socket)
        .current_dir("/")
        .uid(USER)
        .gid(USER)
        .stderr(log)
        .spawn()
        .unwrap();
    let said = || fs::read_to_string(folder.path().join("log")).unwrap();
    let start = Instant::now();
    while !said().contains("ready") {
        assert!(child.try_wait().unwrap().is_none() && start.elapsed().as_secs() < 60, "{}", said());
        std::thread::sleep(Duration::from_millis(10));
    }
    let root: Vec<_> = fs::read_dir(format!("/proc/{}/root", child.id()))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(root, ["store"]);
    // Root is somebody else.
    let runtime = Runtime::new().unwrap();
    assert_eq!(health(&runtime, &Client::at(&socket)), None);
    assert!(said().contains("may not connect"), "{}", said());
    let script = "import socket,struct,sys\n\
        s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n\
        r=b'{\"user\":\"x\",\"operation\":{\"op\":\"health\"}}'\n\
        s.sendall(struct.pack('>IB',len(r),1)+r+struct.pack('>IB',0,4))\n\
        print(s.recv(4096))";
    match Command::new("python3")
        .args(["-c", script])
        .arg(&socket)
        .uid(USER)
        .gid(USER)
        .current_dir("/")
        .output()
    {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(said.contains("\"ready\":true"), "{said}{}", String::from_utf8_lossy(&output.stderr));
        }
        Err(_) => println!("SKIPPED a part of {name}: there is no python3"),
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn only_one_has_a_store_and_it_ends_when_its_sessions_have() {
    let signer = Signer::new(&[]);
    signer.with_key("ed25519");
    let output = gander()
        .args(["sigul", "signer", "--store"])
        .arg(signer.store())
        .args(["--socket", "/nonexistent/socket"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
    let other = signer.folder.path().join("other");
    let output = gander()
        .args(["sigul", "signer", "--store"])
        .arg(signer.store())
        .arg("--socket")
        .arg(other)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(4) && said.contains("another signer has the store"), "{said}");

    let packet = signer.runtime.block_on(async {
        let request = Request { user: "alice".into(), operation: sign_data("k1") };
        let mut session = signer.client().open(&request).await.unwrap();
        session.data(b"begun before").await.unwrap();
        // So that the signer has the session before the signal.
        tokio::time::sleep(Duration::from_millis(200)).await;
        signer.signal("TERM");
        tokio::time::sleep(Duration::from_millis(300)).await;
        session.secret(Secret::Passphrase, ALICE.as_bytes()).await.unwrap();
        session.finish().await.unwrap().unwrap()
    });
    assert_eq!(packet.0, Answer::Signature {});
    signer.end("TERM");
    signer.start();
    assert!(signer.verify_ledger().0);
}

#[test]
fn a_store_of_another_user_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    fs::create_dir(&store).unwrap();
    fs::write(folder.path().join("password"), "x\n").unwrap();
    if std::os::unix::fs::chown(&store, Some(4711), Some(4711)).is_err() {
        println!("SKIPPED a_store_of_another_user_is_left_alone: only root can give a folder away");
        return;
    }
    let mut command = gander();
    command.args(["sigul", "administrator", "root", "--store"]).arg(&store);
    let output = command.arg("--password-file").arg(folder.path().join("password")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(4) && said.contains("belongs to the user 4711"), "{said}");
    assert_eq!(fs::read_dir(&store).unwrap().count(), 0);
}

#[test]
fn unlocked_keys_are_wiped_by_a_signal_and_after_their_time() {
    let signer = Signer::new(&["--idle", "0"]);
    signer.with_key("ed25519");
    signer.sign_data(b"x").unwrap();
    signer.sign_data(b"x").unwrap();
    signer.signal("USR1");
    signer.sign_data(b"x").unwrap();
    // Whoever proves nothing is not helped by a key that is unlocked.
    assert_eq!(
        code(signer.with_data("alice", sign_data("k1"), &[], b"x")),
        gander::sign::agent::request::Code::AuthenticationFailed
    );
    assert_eq!(
        code(signer.with_data("alice", sign_data("k1"), &[(Secret::Password, PASSWORD)], b"x")),
        gander::sign::agent::request::Code::AuthenticationFailed
    );
}
