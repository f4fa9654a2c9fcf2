use super::*;

const POLICY: &str = r#"
[[rule]]
key = "gosling-1"
users = ["alice", "builder"]
kinds = ["rpm", "text"]
packages = ["kernel-*", "bash-0:5.*"]
largest = "1MiB"
hours = "08:00-18:00"
days = ["mon", "tue"]
rsa-bits = 4096
payload-digest = true

[[rule]]
key = "gosling-1"
kinds = ["container"]
containers = ["registry.example.org/gosling*"]
created = true
approve = { needed = 2, of = ["alice", "bob", "carol"], valid = "2h" }
"#;

fn case(nevra: Option<&Nevra>) -> Case<'_> {
    Case {
        key: "gosling-1",
        algorithm: "RSA 4096",
        user: "alice",
        kind: Kind::Rpm,
        size: 1000,
        nevra,
        covers_payload: true,
        reference: None,
        wishes_time: false,
        // A Monday.
        now: "2026-11-23T12:00:00Z".parse().unwrap(),
    }
}

#[test]
fn every_rule_counts() {
    let policy = Policy::parse(POLICY).unwrap();
    let kernel: Nevra = "kernel-core-0:6.1-1.x86_64".parse().unwrap();
    let bash: Nevra = "bash-0:5.1-1.x86_64".parse().unwrap();
    let other: Nevra = "other-0:1-1.x86_64".parse().unwrap();
    let at = |time: &str| Case { now: time.parse().unwrap(), ..case(Some(&kernel)) };
    let text = Case { kind: Kind::Text, ..case(None) };
    let allowed = [
        case(Some(&kernel)),
        case(Some(&bash)),
        text,
        Case { user: "builder", ..text },
        Case { size: 1 << 20, ..text },
        at("2026-11-24T17:59:59Z"),
        at("2026-11-23T08:00:00Z"),
        Case { algorithm: "EdDSA 256", ..text },
        Case { covers_payload: false, ..text },
        Case { key: "another", user: "anyone", ..text },
    ];
    for case in allowed {
        assert_eq!(policy.judge(&case), Ok(None), "{case:?}");
    }
    let refused = [
        (case(Some(&other)), "not for the package other-0:1-1.x86_64"),
        (case(None), "without a name"),
        (Case { user: "bob", ..text }, "not for this user"),
        (Case { kind: Kind::Data, ..text }, "not for data"),
        (Case { size: (1 << 20) + 1, ..text }, "too many"),
        (at("2026-11-23T18:00:00Z"), "this hour"),
        (at("2026-11-23T07:59:59Z"), "this hour"),
        (at("2026-11-25T12:00:00Z"), "this day"),
        (at("2026-11-22T12:00:00Z"), "this day"),
        (Case { algorithm: "RSA 3072", ..text }, "4096 bits"),
        (Case { covers_payload: false, ..case(Some(&kernel)) }, "payload"),
        (Case { wishes_time: true, ..text }, "time of a signature"),
        (Case { key: "another", wishes_time: true, ..text }, "time of a signature"),
        (Case { kind: Kind::Container, reference: Some("elsewhere/x"), ..text }, "this container"),
    ];
    for (case, wanted) in refused {
        let refusal = policy.judge(&case).unwrap_err();
        assert!(refusal.code == Code::Policy && refusal.to_string().contains(wanted), "{case:?}: {refusal}");
    }
    let reference = Some("registry.example.org/gosling:1");
    let container = Case { kind: Kind::Container, user: "zoe", wishes_time: true, reference, ..text };
    let approve = policy.judge(&container).unwrap().unwrap();
    assert_eq!((approve.needed, approve.valid, approve.requester), (2, Duration(7200), false));
    assert!(policy.approver("gosling-1", "bob").is_some() && policy.approver("gosling-1", "zoe").is_none());
}

#[test]
fn hours_may_go_past_midnight_and_other_keys_may_be_refused() {
    let policy =
        Policy::parse("unlisted = 'refuse'\n[[rule]]\nkey = 'gosling-1'\nhours = '22:00-04:00'").unwrap();
    let judge = |time: &str| policy.judge(&Case { now: time.parse().unwrap(), ..case(None) }).is_ok();
    let times =
        ["2026-11-23T21:59:00Z", "2026-11-23T22:00:00Z", "2026-11-23T03:59:00Z", "2026-11-23T04:00:00Z"];
    assert_eq!(times.map(judge), [false, true, true, false]);
    assert!(policy.judge(&Case { key: "another", ..case(None) }).is_err());
}

#[test]
fn what_is_not_understood_is_an_error() {
    let cases = [
        ("x = 1", "unknown field"),
        ("[[rule]]\nkey = 'a'\nuser = ['x']", "unknown field"),
        ("[[rule]]\nusers = ['x']", "missing field"),
        ("[[rule]]\nkey = 'a'\nkinds = ['pe']", "unknown variant"),
        ("[[rule]]\nkey = 'a'\ndays = ['monday']", "unknown variant"),
        ("[[rule]]\nkey = 'a'\nhours = '8-18'", "no hours"),
        ("[[rule]]\nkey = 'a'\nhours = '08:00-25:00'", "no hours"),
        ("[[rule]]\nkey = 'a'\nlargest = '1MB'", "no size"),
        ("[[rule]]\nkey = 'a'\nlargest = -1", ""),
        ("[[rule]]\nkey = 'a'\nusers = []", "empty list"),
        ("[[rule]]\nkey = 'a'\napprove = { needed = 0, of = ['x'] }", "at least one"),
        ("[[rule]]\nkey = 'a'\napprove = { needed = 2, of = ['x'] }", "more approvals"),
        ("[[rule]]\nkey = 'a'\napprove = { needed = 1, of = ['x', 'x'] }", "twice"),
        ("[[rule]]\nkey = 'a'\napprove = { needed = 1, of = ['x'], valid = '5 weeks' }", "no time"),
        ("[[rule]]\nkey = 'a'\napprove = { needed = 1, of = ['x'], who = 1 }", "unknown field"),
    ];
    for (text, wanted) in cases {
        let error = Policy::parse(text).unwrap_err().to_string();
        assert!(error.contains(wanted), "{text:?}: {error}");
    }
}
