//! Every operation, who may ask for it, and every code that it is refused with.

use gander::openpgp::{Certificate, clearsign_as_it_is, verify_cleartext, verify_detached};
use gander::sign::agent::request::{Answer, Bindings, Code, Operation as Op, Secret};

use super::world::{ALICE, BOB, PASSWORD, Signer, code, new_key, sign_data};

fn names(payload: &[u8]) -> Vec<String> {
    payload.split(|byte| *byte == 0).map(|name| String::from_utf8(name.to_vec()).unwrap()).collect()
}

#[test]
fn users_keys_and_accesses_are_as_sigul_has_them() {
    let signer = Signer::new(&[]);
    let certificate = signer.with_key("ed25519");
    let admin = |operation| signer.administer(operation);
    let (answer, payload) = admin(Op::ListUsers {}).unwrap();
    assert_eq!(
        (answer, names(&payload)),
        (Answer::Names { count: 3 }, vec!["alice".into(), "bob".into(), "root".into(), String::new()])
    );
    let (answer, payload) = admin(Op::ListKeys {}).unwrap();
    assert_eq!((answer, payload), (Answer::Names { count: 1 }, b"k1 (gnupg)\0".to_vec()));
    assert_eq!(admin(Op::ListBindingMethods {}).unwrap().0, Answer::Names { count: 0 });
    let user_info = |name: &str| admin(Op::UserInfo { name: name.into() });
    assert_eq!(user_info("root").unwrap().0, Answer::User { admin: true });
    assert_eq!(user_info("bob").unwrap().0, Answer::User { admin: false });
    assert_eq!(code(user_info("nobody")), Code::UserNotFound);
    assert_eq!(code(admin(Op::NewUser { name: "bob".into(), admin: false })), Code::AlreadyExists);
    assert_eq!(code(admin(Op::DeleteUser { name: "alice".into() })), Code::UserHasKeyAccesses);
    assert_eq!(code(admin(Op::DeleteUser { name: "nobody".into() })), Code::UserNotFound);

    // Accesses.
    let info = |name: &str, key: &str| admin(Op::KeyUserInfo { name: name.into(), key: key.into() });
    assert_eq!(info("alice", "k1").unwrap().0, Answer::KeyUser { key_admin: true });
    assert_eq!(code(info("bob", "k1")), Code::KeyUserNotFound);
    assert_eq!(code(info("bob", "k2")), Code::KeyNotFound);
    assert_eq!(code(info("zoe", "k1")), Code::UserNotFound);
    let grant = |by: &str, passphrase: &str, name: &str| {
        let operation =
            Op::GrantKeyAccess { key: "k1".into(), name: name.into(), bindings: Bindings::default() };
        signer.ask(by, operation, &[(Secret::Passphrase, passphrase), (Secret::NewPassphrase, BOB)])
    };
    assert_eq!(code(grant("alice", ALICE, "zoe")), Code::UserNotFound);
    assert_eq!(grant("alice", ALICE, "bob").unwrap().0, Answer::Done {});
    assert_eq!(code(grant("alice", ALICE, "bob")), Code::AlreadyExists);
    assert_eq!(
        code(grant("bob", BOB, "root")),
        Code::AuthenticationFailed,
        "bob does not administer the key"
    );
    let bob = [(Secret::Passphrase, BOB)];
    let alice = [(Secret::Passphrase, ALICE)];
    let list = |user: &str, secrets: &[(Secret, &str)]| {
        signer.ask(user, Op::ListKeyUsers { key: "k1".into() }, secrets)
    };
    assert_eq!(list("alice", &alice).unwrap().1, b"alice\0bob\0");
    assert_eq!(list("root", &[(Secret::Password, PASSWORD)]).unwrap().1, b"alice\0bob\0");
    assert_eq!(code(list("bob", &bob)), Code::AuthenticationFailed);
    let public = |user: &str, key: &str, secrets: &[(Secret, &str)]| {
        signer.ask(user, Op::GetPublicKey { key: key.into() }, secrets)
    };
    assert_eq!(public("bob", "k1", &bob).unwrap().1, certificate.armored().into_bytes());
    assert_eq!(
        public("root", "k1", &[(Secret::Password, PASSWORD)]).unwrap().1,
        certificate.armored().into_bytes()
    );
    // As in sigul, an administrator is not told by this one that there is no such key.
    assert_eq!(code(public("root", "k2", &[(Secret::Password, PASSWORD)])), Code::AuthenticationFailed);
    admin(Op::ModifyKeyUser { name: "bob".into(), key: "k1".into(), key_admin: Some(true) }).unwrap();
    assert_eq!(list("bob", &bob).unwrap().1, b"alice\0bob\0");

    // Bindings are refused, where there is something to bind; what the client did is its own business.
    let bound = |client: Option<&str>, server: Option<&str>, passphrase: &str| {
        let bindings = Bindings { client: client.map(Into::into), server: server.map(Into::into) };
        let operation =
            Op::GrantKeyAccess { key: "k1".into(), name: "root".into(), bindings: bindings.clone() };
        let secrets = [(Secret::Passphrase, passphrase), (Secret::NewPassphrase, BOB)];
        let granted = signer.ask("alice", operation, &secrets);
        let changed = Op::ChangePassphrase { key: "k1".into(), bindings };
        let secrets = [(Secret::Passphrase, passphrase), (Secret::NewPassphrase, ALICE)];
        let changed = signer.ask("alice", changed, &secrets);
        let revoke = Op::RevokeKeyAccess { key: "k1".into(), name: "root".into() };
        assert_eq!(granted.is_ok(), signer.ask("alice", revoke, &alice).is_ok());
        assert_eq!(granted.clone().map_err(|refusal| refusal.code), changed.map_err(|refusal| refusal.code));
        granted.map(drop).map_err(|refusal| refusal.code)
    };
    let tpm = Some(r#"[{"method": "tpm"}]"#);
    assert_eq!(bound(Some("[]"), Some("[]"), ALICE), Ok(()));
    assert_eq!(bound(tpm, None, ALICE), Ok(()));
    assert_eq!(bound(None, tpm, ALICE), Err(Code::UnknownError));
    assert_eq!(bound(None, Some("{"), ALICE), Err(Code::InvalidRequest));
    assert_eq!(bound(Some("{"), None, ALICE), Err(Code::InvalidRequest));
    assert_eq!(bound(None, tpm, "wrong"), Err(Code::AuthenticationFailed));

    // A changed passphrase counts at once, though the key was unlocked.
    let change = Op::ChangePassphrase { key: "k1".into(), bindings: Bindings::default() };
    signer
        .ask("bob", change, &[(Secret::Passphrase, BOB), (Secret::NewPassphrase, "another-of-bob")])
        .unwrap();
    assert_eq!(code(public("bob", "k1", &bob)), Code::AuthenticationFailed);
    public("bob", "k1", &[(Secret::Passphrase, "another-of-bob")]).unwrap();

    let revoke =
        |name: &str| signer.ask("alice", Op::RevokeKeyAccess { key: "k1".into(), name: name.into() }, &alice);
    assert_eq!(code(revoke("root")), Code::KeyUserNotFound);
    revoke("bob").unwrap();
    assert_eq!(
        code(public("bob", "k1", &[(Secret::Passphrase, "another-of-bob")])),
        Code::AuthenticationFailed
    );
    assert_eq!(code(revoke("alice")), Code::OnlyOneKeyUser);

    // Names change; administrators come and go.
    let modify = |name: &str, admin: Option<bool>, new_name: Option<&str>| {
        signer.administer(Op::ModifyUser { name: name.into(), admin, new_name: new_name.map(Into::into) })
    };
    assert_eq!(code(modify("bob", None, Some("alice"))), Code::AlreadyExists);
    modify("bob", Some(true), Some("robert")).unwrap();
    assert_eq!(user_info("robert").unwrap().0, Answer::User { admin: true });
    assert_eq!(code(user_info("bob")), Code::UserNotFound);
    admin(Op::DeleteUser { name: "robert".into() }).unwrap();
    let rename =
        |key: &str, new_name: &str| admin(Op::ModifyKey { key: key.into(), new_name: Some(new_name.into()) });
    assert_eq!(code(rename("k1", "k1")), Code::AlreadyExists);
    rename("k1", "k2").unwrap();
    assert_eq!(code(rename("k1", "k3")), Code::KeyNotFound);
    public("alice", "k2", &alice).unwrap();

    // A key is deleted with its file.
    assert_eq!(std::fs::read_dir(signer.store().join("keys")).unwrap().count(), 1);
    admin(Op::DeleteKey { key: "k2".into() }).unwrap();
    assert_eq!(std::fs::read_dir(signer.store().join("keys")).unwrap().count(), 0);
    assert_eq!(code(admin(Op::DeleteKey { key: "k2".into() })), Code::KeyNotFound);
    assert_eq!(code(public("alice", "k2", &alice)), Code::AuthenticationFailed);
    admin(Op::DeleteUser { name: "alice".into() }).unwrap();
    assert!(signer.verify_ledger().0, "{}", signer.verify_ledger().1);
}

#[test]
fn who_is_no_administrator_administers_nothing() {
    let signer = Signer::new(&[]);
    signer.with_key("ed25519");
    let key = || "k1".to_owned();
    let name = || "alice".to_owned();
    let all = [
        Op::ListUsers {},
        Op::NewUser { name: "new".into(), admin: true },
        Op::DeleteUser { name: name() },
        Op::UserInfo { name: name() },
        Op::ModifyUser { name: name(), admin: Some(true), new_name: None },
        Op::KeyUserInfo { name: name(), key: key() },
        Op::ModifyKeyUser { name: name(), key: key(), key_admin: Some(false) },
        Op::ListKeys {},
        new_key("k9", "ed25519"),
        Op::ImportKey { key: "k9".into(), keytype: None, initial_key_admin: None },
        Op::DeleteKey { key: key() },
        Op::ModifyKey { key: key(), new_name: Some("k9".into()) },
        Op::ListBindingMethods {},
        Op::LedgerHead {},
    ];
    for operation in all {
        for secrets in [&[][..], &[(Secret::Passphrase, ALICE)][..]] {
            assert_eq!(
                code(signer.ask("alice", operation.clone(), secrets)),
                Code::AuthenticationFailed,
                "{operation:?}"
            );
            assert_eq!(
                code(signer.ask("root", operation.clone(), secrets)),
                Code::AuthenticationFailed,
                "{operation:?}"
            );
        }
    }
    // Alice has no password at all; an empty one is none either.
    assert_eq!(
        code(signer.ask("alice", Op::ListUsers {}, &[(Secret::Password, "x")])),
        Code::AuthenticationFailed
    );
    let head = signer.administer(Op::LedgerHead {}).unwrap().0;
    assert!(matches!(head, Answer::Head { count, .. } if count > 20), "{head:?}");
}

#[test]
fn everything_is_signed_and_verifies() {
    let signer = Signer::new(&[]);
    let certificate = signer.with_key("rsa4096");
    let alice = [(Secret::Passphrase, ALICE)];
    let sign = |operation: Op, data: &[u8]| signer.with_data("alice", operation, &alice, data).unwrap().1;
    let key = || "k1".to_owned();

    let data: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let packet = sign(sign_data("k1"), &data);
    verify_detached(&certificate, &packet, &data[..], None).unwrap();
    let armored = sign(Op::SignData { key: key(), armor: true, created: None }, &data);
    assert!(armored.starts_with(b"-----BEGIN PGP SIGNATURE-----"));
    verify_detached(&certificate, &armored, &data[..], None).unwrap();
    verify_detached(&certificate, &sign(sign_data("k1"), b""), &b""[..], None).unwrap();

    for (text, shown) in [
        (&b"- a text  \nwith lines\n"[..], &b"- a text\nwith lines\n"[..]),
        (b"\xff\xfe\r\n\0x", b"\xff\xfe\n\0x\n"),
    ] {
        let packet = sign(Op::SignText { key: key(), created: None }, text);
        let message = clearsign_as_it_is(text, &packet).unwrap();
        assert_eq!(verify_cleartext(std::slice::from_ref(&certificate), &message).unwrap(), shown);
    }
    let long = signer.with_data("alice", Op::SignText { key: key(), created: None }, &alice, &[b'x'; 16_001]);
    assert_eq!(code(long), Code::UnknownError);

    let tag = b"object 0123\ntype commit\ntag v1\ntagger A <a@example.org> 0 +0000\n\nmessage\n";
    let armored = sign(Op::SignGitTag { key: key(), created: None }, tag);
    verify_detached(&certificate, &armored, &tag[..], None).unwrap();
    let bad = signer.with_data("alice", Op::SignGitTag { key: key(), created: None }, &alice, b"tree 0123\n");
    assert_eq!(code(bad), Code::InvalidRequest);

    let container =
        Op::SignContainer { key: key(), docker_reference: "registry.example.org/x:1".into(), created: None };
    let message = sign(container, b"{}");
    let json = String::from_utf8_lossy(&message);
    assert!(
        json.contains("atomic container signature") && json.contains("registry.example.org/x:1"),
        "{json}"
    );

    // All of it is in the ledger, with the digest of each signature.
    let ledger = signer.ledger();
    let signatures: Vec<_> = ledger.iter().filter(|entry| entry["event"] == "signature").collect();
    assert_eq!(signatures.len(), 7);
    let wanted = gander::base::Digest::of(&message).to_string();
    assert_eq!(signatures.last().unwrap()["signature"], wanted.as_str());
    assert_eq!(signatures[0]["digest"], gander::base::Digest::of(&data).to_string().as_str());
    assert!(signer.verify_ledger().0);
}

#[test]
fn names_lead_nowhere() {
    let signer = Signer::new(&[]);
    let certificate = signer.with_key("ed25519");
    let long = "x".repeat(256);
    for bad in ["", "a\0b", "a\nb", "\x1b[2J", "ä", &long] {
        assert_eq!(
            code(signer.administer(Op::NewUser { name: bad.into(), admin: false })),
            Code::InvalidRequest,
            "{bad:?}"
        );
        assert_eq!(
            code(signer.administer(Op::ModifyKey { key: "k1".into(), new_name: Some(bad.into()) })),
            Code::InvalidRequest
        );
        assert_eq!(
            code(signer.with_data("alice", sign_data(bad), &[(Secret::Passphrase, ALICE)], b"x")),
            Code::InvalidRequest
        );
        assert_eq!(
            code(signer.ask(bad, Op::ListUsers {}, &[(Secret::Password, PASSWORD)])),
            Code::InvalidRequest
        );
    }
    // What looks like a path is a name like any other, and no file is called by it.
    let odd = "../../../../tmp/x'; DROP TABLE keys; --";
    signer.administer(Op::ModifyKey { key: "k1".into(), new_name: Some(odd.into()) }).unwrap();
    let packet = signer.with_data("alice", sign_data(odd), &[(Secret::Passphrase, ALICE)], b"x").unwrap().1;
    verify_detached(&certificate, &packet, &b"x"[..], None).unwrap();
    let files: Vec<_> = std::fs::read_dir(signer.store().join("keys"))
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    assert_eq!(files, [std::ffi::OsString::from(format!("{}.key", certificate.fingerprint()))]);
}

#[test]
fn wrong_secrets_cost_time_and_only_those_who_sent_them() {
    let signer = Signer::new(&[]);
    signer.with_key("ed25519");
    let try_ = |user: &str, key: &str, secret: &str| {
        code(signer.with_data(user, sign_data(key), &[(Secret::Passphrase, secret)], b"x"))
    };
    assert_eq!(try_("alice", "k1", "wrong"), Code::AuthenticationFailed);
    // Another's key, an unknown key, an unknown user: nobody is told which.
    assert_eq!(try_("bob", "k1", ALICE), Code::AuthenticationFailed);
    assert_eq!(try_("alice", "k2", ALICE), Code::AuthenticationFailed);
    assert_eq!(try_("zoe", "k1", ALICE), Code::AuthenticationFailed);
    // The right one still works, after a short delay; that forgives.
    signer.sign_data(b"x").unwrap();
    let mut last = Code::AuthenticationFailed;
    for _ in 0..8 {
        last = try_("bob", "k1", "wrong");
    }
    assert_eq!(last, Code::TooManyFailures);
    // Who has no failures waits for nobody, and a restart forgives nothing.
    let start = std::time::Instant::now();
    signer.sign_data(b"x").unwrap();
    assert!(start.elapsed().as_secs() < 2, "{:?}", start.elapsed());
    signer.end("TERM");
    signer.start();
    let refusal =
        signer.with_data("bob", sign_data("k1"), &[(Secret::Passphrase, "wrong")], b"x").unwrap_err();
    assert!(refusal.code == Code::TooManyFailures && refusal.retry_after.is_some(), "{refusal:?}");
    signer.sign_data(b"x").unwrap();
}

#[test]
fn approvals_of_others_release_exactly_what_they_saw() {
    let signer = Signer::new(&[]);
    let certificate: Certificate = signer.with_key("ed25519");
    let grant = Op::GrantKeyAccess { key: "k1".into(), name: "bob".into(), bindings: Bindings::default() };
    signer.ask("alice", grant, &[(Secret::Passphrase, ALICE), (Secret::NewPassphrase, BOB)]).unwrap();
    let policy = "[[rule]]\nkey = 'k1'\nkinds = ['data']\napprove = { needed = 1, of = ['alice', 'bob'], valid = '1h' }\n";
    std::fs::write(signer.store().join("policy.toml"), policy).unwrap();
    signer.signal("HUP");
    let start = std::time::Instant::now();
    let refusal = loop {
        match signer.sign_data(b"release") {
            Err(refusal) => break refusal,
            Ok(_) => assert!(start.elapsed().as_secs() < 10, "the policy is not read"),
        }
    };
    assert_eq!(refusal.code, Code::ApprovalNeeded);
    let id = refusal.pending.unwrap();
    let approve = |user: &str, secret: &str, id: &str| {
        signer.ask(user, Op::Approve { key: "k1".into(), id: id.into() }, &[(Secret::Passphrase, secret)])
    };
    assert_eq!(code(approve("alice", ALICE, &id)), Code::Policy, "who asked cannot approve");
    assert_eq!(code(approve("bob", BOB, "0123")), Code::InvalidRequest);
    let list = Op::ListApprovals { key: "k1".into() };
    let (answer, payload) = signer.ask("bob", list, &[(Secret::Passphrase, BOB)]).unwrap();
    assert_eq!(answer, Answer::Pending { count: 1 });
    assert!(String::from_utf8_lossy(&payload).contains(&id));
    assert_eq!(approve("bob", BOB, &id).unwrap().0, Answer::Approval { given: 1, needed: 1 });
    let packet = signer.sign_data(b"release").unwrap().1;
    verify_detached(&certificate, &packet, &b"release"[..], None).unwrap();
    assert_eq!(code(signer.sign_data(b"another release")), Code::ApprovalNeeded);
    let text = signer.with_data(
        "alice",
        Op::SignText { key: "k1".into(), created: None },
        &[(Secret::Passphrase, ALICE)],
        b"x",
    );
    assert_eq!(code(text), Code::Policy);
    let ledger = signer.ledger();
    let entry = ledger.iter().rfind(|entry| entry["event"] == "signature").unwrap();
    assert_eq!(entry["approvals"], serde_json::json!(["bob"]));

    // A policy that cannot be read stops signing.
    std::fs::write(signer.store().join("policy.toml"), "[[rules]]\n").unwrap();
    signer.signal("HUP");
    let start = std::time::Instant::now();
    while signer.sign_data(b"release").map_err(|refusal| refusal.code) != Err(Code::Unavailable) {
        assert!(start.elapsed().as_secs() < 10, "the policy is not read");
    }
    let health = signer.ask("anyone", Op::Health {}, &[]).unwrap().0;
    assert!(matches!(health, Answer::Health { ready: false, .. }), "{health:?}");
}
