//! The signer as a process: what it sees, what becomes of it when it is killed or its disk is full, and what it tells of
//! its secrets.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gander::base::Digest;
use gander::openpgp::{verify_detached, verify_header};
use gander::sign::agent::request::{Answer, Bindings, Code, Operation as Op, Request, Secret};

use super::header;
use super::world::{ALICE, BOB, PASSWORD, Signer, code, sign_data};

fn rpms() -> Request {
    Request { user: "alice".into(), operation: Op::SignRpmHeaders { key: "k1".into(), created: None } }
}

/// Signs headers through one session; the time it took.
fn sign_headers(signer: &Signer, headers: &[Vec<u8>]) -> (Vec<Vec<u8>>, Duration) {
    signer.runtime.block_on(async {
        let mut session = signer.client().open(&rpms()).await.unwrap();
        session.secret(Secret::Passphrase, ALICE.as_bytes()).await.unwrap();
        assert_eq!(session.finish().await.unwrap().unwrap().0, Answer::Done {});
        let start = Instant::now();
        let (mut asking, mut answers) = session.split();
        let headers = headers.to_vec();
        let count = headers.len();
        let sending = tokio::spawn(async move {
            for header in headers {
                asking.header(&header).await.unwrap();
            }
            asking
        });
        let mut packets = Vec::new();
        for _ in 0..count {
            let (answer, packet) = answers.next(1 << 20).await.unwrap().unwrap();
            assert_eq!(answer, Answer::Signature {});
            packets.push(packet.to_vec());
        }
        drop(sending.await.unwrap());
        (packets, start.elapsed())
    })
}

#[test]
fn headers_of_packages_are_signed_in_one_session() {
    let signer = Signer::new(&[]);
    let certificate = signer.with_key("ed25519");
    let policy = "[[rule]]\nkey = 'k1'\npackages = ['good-*']\npayload-digest = true\n";
    fs::write(signer.store().join("policy.toml"), policy).unwrap();
    signer.end("TERM");
    signer.start();
    let headers: Vec<_> = (0..50).map(|number| header::of(&format!("good-{number}"))).collect();
    let (packets, _) = sign_headers(&signer, &headers);
    for (header, packet) in headers.iter().zip(&packets) {
        verify_header(&certificate, packet, header, None).unwrap();
    }
    let ledger = signer.ledger();
    let entry = ledger.iter().rfind(|entry| entry["event"] == "signature").unwrap();
    assert_eq!(entry["nevra"], "good-49-0:1-1.x86_64");
    assert_eq!(entry["digest"], Digest::of(&headers[49]).to_string().as_str());
    assert_eq!(entry["signature"], Digest::of(&packets[49]).to_string().as_str());

    // What is refused in between ends nothing.
    let mut damaged = header::of("good-1");
    damaged[20] ^= 0xff;
    let wanted = [
        (header::of("good-1"), None),
        (header::of("bad"), Some(Code::Policy)),
        (damaged, Some(Code::CorruptRpm)),
        (b"no header".to_vec(), Some(Code::CorruptRpm)),
        ([header::of("good-1"), vec![0]].concat(), Some(Code::CorruptRpm)),
        (header::of("good-2"), None),
    ];
    signer.runtime.block_on(async {
        let mut session = signer.client().open(&rpms()).await.unwrap();
        session.secret(Secret::Passphrase, ALICE.as_bytes()).await.unwrap();
        session.finish().await.unwrap().unwrap();
        let (mut asking, mut answers) = session.split();
        for (header, code) in wanted {
            asking.header(&header).await.unwrap();
            let outcome = answers.next(1 << 20).await.unwrap();
            assert_eq!(outcome.err().map(|refusal| refusal.code), code);
        }
    });
    assert!(signer.verify_ledger().0);
}

#[test]
fn it_sees_no_network_and_nothing_but_its_store() {
    let signer = Signer::new(&[]);
    let of = |name: &str| format!("/proc/{}/{name}", signer.pid());
    if fs::read_dir(of("root")).is_err() {
        println!("SKIPPED it_sees_no_network_and_nothing_but_its_store: only root may look into the process");
        return;
    }
    let list = |path: &str| -> BTreeSet<String> {
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    assert_eq!(list(&of("root")), BTreeSet::from(["store".to_owned()]));
    assert!(list(&of("root/store")).contains("vault.sqlite"));
    // Name, then one line for each network device.
    let devices = fs::read_to_string(of("net/dev")).unwrap();
    let devices: Vec<_> =
        devices.lines().skip(2).filter_map(|line| line.split(':').next()).map(str::trim).collect();
    assert_eq!(devices, ["lo"], "only a loopback device, which is down");
    assert!(fs::read_to_string(of("net/route")).unwrap().lines().count() <= 1);
    for namespace in ["mnt", "net", "ipc", "uts"] {
        let own = fs::read_link(format!("/proc/self/ns/{namespace}")).unwrap();
        assert_ne!(fs::read_link(of(&format!("ns/{namespace}"))).unwrap(), own, "{namespace}");
    }
    let status = fs::read_to_string(of("status")).unwrap();
    let field =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    for set in ["CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        assert_eq!(field(set), "0000000000000000", "{set}");
    }
    assert_eq!(field("NoNewPrivs:"), "1");
    let limits = fs::read_to_string(of("limits")).unwrap();
    assert!(
        limits.lines().any(|line| line.split_whitespace().collect::<Vec<_>>()[..]
            == ["Max", "core", "file", "size", "0", "0", "bytes"]),
        "{limits}"
    );
    // It works all the same.
    signer.with_key("ed25519");
    signer.sign_data(b"x").unwrap();
}

#[test]
fn secrets_are_found_nowhere() {
    let signer = Signer::new(&[]);
    signer.with_key("ed25519");
    signer.sign_data(b"x").unwrap();
    let wrong = "wrong-passphrase-of-bob-0c1d";
    let grant = Op::GrantKeyAccess { key: "k1".into(), name: "bob".into(), bindings: Bindings::default() };
    signer.ask("alice", grant, &[(Secret::Passphrase, ALICE), (Secret::NewPassphrase, BOB)]).unwrap();
    assert_eq!(
        code(signer.with_data("bob", sign_data("k1"), &[(Secret::Passphrase, wrong)], b"x")),
        Code::AuthenticationFailed
    );
    let mut places = vec![
        ("its log".to_owned(), signer.log().into_bytes()),
        ("its command line".into(), fs::read(format!("/proc/{}/cmdline", signer.pid())).unwrap()),
        ("its environment".into(), fs::read(format!("/proc/{}/environ", signer.pid())).unwrap_or_default()),
    ];
    let mut open = vec![signer.store()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            if path.is_dir() {
                assert_eq!(mode, 0o700, "{}", path.display());
                open.push(path);
            } else {
                assert_eq!(mode, 0o600, "{}", path.display());
                places.push((path.display().to_string(), fs::read(&path).unwrap()));
            }
        }
    }
    for (place, bytes) in &places {
        for secret in [PASSWORD, ALICE, BOB, wrong] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {place}");
        }
    }
    // A signal that dumps core leaves none.
    signer.end("ABRT");
    let cores: Vec<_> = fs::read_dir(signer.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name.to_string_lossy().contains("core"))
        .collect();
    assert!(cores.is_empty(), "{cores:?}");
}

#[test]
fn a_kill_at_any_moment_leaves_a_whole_ledger_and_no_signature_without_a_line() {
    let signer = Signer::new(&["--rotate", "0"]);
    signer.with_key("ed25519");
    let mut answered = Vec::new();
    for round in 0..12_u64 {
        let stop = Arc::new(AtomicBool::new(false));
        let ended = stop.clone();
        let client = signer.client();
        let signing = signer.runtime.spawn(async move {
            let mut packets = Vec::new();
            let Ok(mut session) = client.open(&rpms()).await else { return packets };
            if session.secret(Secret::Passphrase, ALICE.as_bytes()).await.is_err() {
                return packets;
            }
            let Ok(Ok(_)) = session.finish().await else { return packets };
            let (mut asking, mut answers) = session.split();
            let sending = tokio::spawn(async move {
                for number in 0.. {
                    if ended.load(Ordering::Relaxed)
                        || asking.header(&header::of(&format!("n{number}"))).await.is_err()
                    {
                        break;
                    }
                }
            });
            while let Ok(Ok((_, packet))) = answers.next(1 << 20).await {
                packets.push(packet.to_vec());
            }
            sending.abort();
            packets
        });
        // Users come and go meanwhile.
        let client = signer.client();
        let administering = signer.runtime.spawn(async move {
            for number in 0.. {
                let name = format!("user-{round}-{number}");
                let request = Request { user: "root".into(), operation: Op::NewUser { name, admin: false } };
                if client.ask(&request, &[(Secret::Password, PASSWORD.as_bytes())]).await.is_err() {
                    break;
                }
            }
        });
        std::thread::sleep(Duration::from_millis(350 + 37 * round));
        signer.end("KILL");
        signer.runtime.block_on(administering).unwrap();
        stop.store(true, Ordering::Relaxed);
        answered.extend(signer.runtime.block_on(signing).unwrap());
        signer.start();
        let (whole, said) = signer.verify_ledger();
        assert!(whole, "round {round}: {said}");
    }
    assert!(answered.len() > 12, "{}", answered.len());
    let ledger = signer.ledger();
    // Every user that is there was written down before.
    let (_, names) = signer.administer(Op::ListUsers {}).unwrap();
    let made = |name: &str| {
        let detail = format!("admin=false, password=false, name={name}");
        ledger.iter().any(|entry| entry["operation"] == "new-user" && entry["detail"] == detail.as_str())
    };
    let names: Vec<_> = names.split(|byte| *byte == 0).map(|name| String::from_utf8_lossy(name)).collect();
    assert!(names.len() > 12 && names.iter().filter(|name| name.starts_with("user-")).all(|name| made(name)));
    let known: BTreeSet<_> = ledger.iter().filter_map(|entry| entry["signature"].as_str()).collect();
    for packet in &answered {
        assert!(known.contains(Digest::of(packet).to_string().as_str()), "a signature is not in the ledger");
    }
    println!("{} signatures were answered, {} are in the ledger", answered.len(), known.len());
}

#[test]
fn a_kill_between_ledger_and_answer_leaves_the_line() {
    let signer = Signer::new(&[]);
    signer.with_key("ed25519");
    // A frame by hand: nobody reads the answer.
    let mut stream = UnixStream::connect(signer.socket()).unwrap();
    let mut send = |kind: u8, content: &[u8]| {
        stream.write_all(&u32::try_from(content.len()).unwrap().to_be_bytes()).unwrap();
        stream.write_all(&[kind]).unwrap();
        stream.write_all(content).unwrap();
    };
    send(1, &serde_json::to_vec(&Request { user: "alice".into(), operation: sign_data("k1") }).unwrap());
    send(2, b"data");
    send(3, &[&[2], ALICE.as_bytes()].concat());
    send(4, b"");
    let wanted = Digest::of("data").to_string();
    let start = Instant::now();
    while !signer
        .ledger()
        .iter()
        .any(|entry| entry["event"] == "signature" && entry["digest"] == wanted.as_str())
    {
        assert!(start.elapsed().as_secs() < 20);
    }
    signer.end("KILL");
    signer.start();
    assert!(signer.verify_ledger().0);
    assert_eq!(signer.ledger().iter().filter(|entry| entry["event"] == "signature").count(), 1);
}

#[test]
fn a_changed_ledger_stops_the_start() {
    let signer = Signer::new(&[]);
    signer.with_key("ed25519");
    signer.sign_data(b"x").unwrap();
    let head = signer.administer(Op::LedgerHead {}).unwrap().0;
    let Answer::Head { hash, .. } = head else { panic!("{head:?}") };
    signer.end("TERM");
    let path = signer.store().join("ledger/000000000001.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    let cut: String = whole.lines().take(whole.lines().count() - 1).map(|line| format!("{line}\n")).collect();
    fs::write(&path, cut).unwrap();
    let (good, said) = signer.verify_ledger();
    assert!(!good && said.contains("its end was cut"), "{said}");
    assert!(signer.try_start().unwrap_err().contains("its end was cut"));
    // Who also changes the database is found by a head that was written down.
    fs::remove_file(signer.store().join("vault.sqlite")).unwrap();
    let output = super::world::gander()
        .args(["sigul", "ledger", "verify", "--head", &hash, "--store"])
        .arg(signer.store())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    fs::write(&path, whole).unwrap();
    let output = super::world::gander()
        .args(["sigul", "ledger", "verify", "--head", &hash, "--store"])
        .arg(signer.store())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_full_disk_stops_signing_and_leaves_nothing_unrecorded() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=16M", "none"]).arg(&disk).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        println!(
            "SKIPPED a_full_disk_stops_signing_and_leaves_nothing_unrecorded: no small disk can be mounted"
        );
        return;
    }
    struct Unmount(std::path::PathBuf);
    impl Drop for Unmount {
        fn drop(&mut self) {
            Command::new("umount").arg("-l").arg(&self.0).status().unwrap();
        }
    }
    let _unmount = Unmount(disk.clone());
    let signer = Signer::within(folder, &disk.join("store"), &[]);
    signer.with_key("ed25519");
    signer.sign_data(b"x").unwrap();
    let ballast = disk.join("ballast");
    let mut file = fs::File::create(&ballast).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    while file.write_all(&[0; 1]).is_ok() {}
    drop(file);
    let mut packets = Vec::new();
    let start = Instant::now();
    let refusal = loop {
        // What is left of the last page may still take some lines.
        match signer.sign_data(b"y") {
            Ok((_, packet)) => packets.push(packet),
            Err(refusal) => break refusal,
        }
        assert!(start.elapsed().as_secs() < 60);
    };
    assert_eq!(refusal.code, Code::Unavailable);
    let said = refusal.to_string();
    assert!(said.contains("No space left") || said.contains("database or disk is full"), "{said}");
    assert_eq!(code(signer.sign_data(b"z")), Code::Unavailable);
    fs::remove_file(&ballast).unwrap();
    packets.push(signer.sign_data(b"again").unwrap().1);
    let (whole, said) = signer.verify_ledger();
    assert!(whole, "{said}");
    let ledger = signer.ledger();
    for packet in packets {
        assert!(ledger.iter().any(|entry| entry["signature"] == Digest::of(&packet).to_string().as_str()));
    }
}

#[test]
fn mutated_frames_end_their_session_only() {
    let signer = Signer::new(&["--silence", "2"]);
    signer.with_key("ed25519");
    let frame = |kind: u8, content: &[u8]| {
        [&u32::try_from(content.len()).unwrap().to_be_bytes()[..], &[kind], content].concat()
    };
    let request = serde_json::to_vec(&Request { user: "alice".into(), operation: sign_data("k1") }).unwrap();
    let whole = [frame(1, &request), frame(2, b"data"), frame(3, b"\x02wrong"), frame(4, b"")].concat();
    // A small generator with a fixed seed (Marsaglia, xorshift).
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    for _ in 0..400 {
        let mut bytes = whole.clone();
        match random(4) {
            0 => bytes.truncate(random(bytes.len())),
            1 => {
                let (from, to) = (random(bytes.len()), random(bytes.len()));
                bytes.copy_within(from.min(to)..from.max(to), 0);
            }
            _ => {
                for _ in 0..=random(4) {
                    let at = random(bytes.len() - 12);
                    bytes[at] = u8::try_from(random(256)).unwrap();
                }
            }
        }
        // Never the right secret, so nothing may be signed; the socket may be closed at any point.
        let mut stream = UnixStream::connect(signer.socket()).unwrap();
        drop(stream.write_all(&bytes));
        stream.shutdown(std::net::Shutdown::Write).ok();
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer));
        assert!(answer.get(4) != Some(&5), "{:?}", String::from_utf8_lossy(&bytes));
    }
    // Lengths beyond all bounds, and silence.
    let mut stream = UnixStream::connect(signer.socket()).unwrap();
    stream.write_all(b"\xff\xff\xff\xff\x02").unwrap();
    assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0);
    let mut silent = UnixStream::connect(signer.socket()).unwrap();
    let start = Instant::now();
    assert_eq!(silent.read(&mut [0; 1]).unwrap_or(0), 0);
    assert!(start.elapsed() < Duration::from_secs(20));
    // Somebody's mutated name may have failed for alice; that passes.
    let start = Instant::now();
    while signer.sign_data(b"x").is_err() {
        std::thread::sleep(Duration::from_millis(500));
        assert!(start.elapsed() < Duration::from_secs(400));
    }
    assert!(signer.verify_ledger().0);
    assert!(!signer.log().contains("panicked"), "{}", signer.log());
}

#[test]
fn a_false_signer_does_its_client_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let answers: [&[u8]; 8] = [
        b"",
        b"\xff\xff\xff\xff\x05",
        b"\0\0\0\x02\x05{}",
        b"\0\0\0\x02\x06[]",
        b"\0\0\0\x01\x02x",
        b"\0\0\0\0\x04",
        b"\0\0\0\x12\x05{\"answer\":\"done\"}\0\0\0",
        b"\0\0\0\x12\x05{\"answer\":\"done\"}\0\0\0\x02\x05{}",
    ];
    let count = answers.len();
    let liar = std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(answer).unwrap();
        }
    });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = gander::sign::agent::Client::at(&path).with_patience(Duration::from_secs(5));
    let request = Request { user: "x".into(), operation: Op::Health {} };
    for _ in 0..count {
        let outcome = runtime.block_on(client.ask(&request, &[]));
        assert!(outcome.is_err(), "{outcome:?}");
    }
    liar.join().unwrap();
}

#[test]
fn data_of_any_size_take_no_memory() {
    let signer = Signer::new(&[]);
    let certificate = signer.with_key("ed25519");
    signer.sign_data(b"x").unwrap();
    let peak = || -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", signer.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    };
    let piece = vec![7; 1 << 20];
    let packet = signer.runtime.block_on(async {
        let request = Request { user: "alice".into(), operation: sign_data("k1") };
        let mut session = signer.client().open(&request).await.unwrap();
        for _ in 0..512 {
            session.data(&piece).await.unwrap();
        }
        session.secret(Secret::Passphrase, ALICE.as_bytes()).await.unwrap();
        session.finish().await.unwrap().unwrap().1
    });
    let data = std::io::Read::take(std::io::repeat(7), 512 << 20);
    verify_detached(&certificate, &packet, data, None).unwrap();
    assert!(peak() < 64 << 10, "{} KiB", peak());
    // A text is held, but only so much of it.
    let operation = Op::SignText { key: "k1".into(), created: None };
    let outcome =
        signer.with_data("alice", operation, &[(Secret::Passphrase, ALICE)], &vec![b'x'; (16 << 20) + 1]);
    assert_eq!(code(outcome), Code::InvalidRequest);
}

#[test]
fn the_same_time_gives_the_same_signature_where_the_policy_allows_to_ask_for_it() {
    let signer = Signer::new(&[]);
    signer.with_key("rsa4096");
    let made = |created: Option<i64>| {
        let operation = Op::SignData { key: "k1".into(), armor: false, created };
        signer.with_data("alice", operation, &[(Secret::Passphrase, ALICE)], b"x")
    };
    let time = 4_000_000_000;
    assert_eq!(code(made(Some(time))), Code::Policy);
    fs::write(signer.store().join("policy.toml"), "[[rule]]\nkey = 'k1'\ncreated = true\n").unwrap();
    signer.end("TERM");
    signer.start();
    let packet = made(Some(time)).unwrap().1;
    assert_eq!(packet, made(Some(time)).unwrap().1);
    assert_eq!(gander::openpgp::inspect_single(&packet).unwrap().created, Some(time));
    assert_ne!(gander::openpgp::inspect_single(&made(None).unwrap().1).unwrap().created, Some(time));
    assert_eq!(code(made(Some(-1))), Code::InvalidRequest);
}

/// A session that asks for nothing. The one before may still be ending when its answer is there, so that this one is
/// refused: then another is begun.
fn hold(signer: &Signer) -> UnixStream {
    loop {
        let stream = UnixStream::connect(signer.socket()).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        if (&stream).read(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock) {
            return stream;
        }
    }
}

#[test]
fn a_signer_with_too_many_sessions_says_so() {
    let signer = Signer::new(&["--sessions", "2"]);
    signer.with_key("ed25519");
    let held = [hold(&signer), hold(&signer)];
    assert_eq!(code(signer.sign_data(&vec![1; 1 << 20])), Code::Unavailable);
    drop(held);
    let start = Instant::now();
    while signer.sign_data(b"x").is_err() {
        assert!(start.elapsed().as_secs() < 20);
    }
}

#[test]
#[ignore = "measures: cargo test --release --test signer speed -- --ignored --nocapture"]
fn speed() {
    for algorithm in ["rsa4096", "ed25519"] {
        let signer = Signer::new(&[]);
        signer.with_key(algorithm);
        let start = Instant::now();
        signer.sign_data(b"x").unwrap();
        let cold = start.elapsed();
        let text = || {
            let operation = Op::SignText { key: "k1".into(), created: None };
            signer.with_data("alice", operation, &[(Secret::Passphrase, ALICE)], b"a text\n").unwrap()
        };
        text();
        let start = Instant::now();
        for _ in 0..50 {
            text();
        }
        let warm = start.elapsed() / 50;
        let headers: Vec<_> = (0..1000).map(|number| header::of(&format!("n{number}"))).collect();
        let (_, took) = sign_headers(&signer, &headers);
        println!(
            "{algorithm}: cold {cold:?}, warm sign-text {warm:?}, {:.0} headers a second",
            1000.0 / took.as_secs_f64()
        );
    }
}
