//! Logins by password, on hubs of these days and of former years.

use gander::format::xmlrpc::{Arguments, Value};
use gander::koji::{Credentials, FaultKind, Hub};
use zeroize::Zeroizing;

use super::server::{Act, Asked, Server, fault, old_value, value};
use super::{hub, run};

const PASSWORD: &str = "kept close";

fn credentials() -> Credentials {
    Credentials::Password { user: "goose".into(), password: Zeroizing::new(PASSWORD.into()) }
}

fn granted(number: i64, headers: bool) -> Act {
    let mut members = vec![
        ("session-id".to_owned(), number.into()),
        ("session-key".to_owned(), Value::Text(format!("{number}-secret&key"))),
    ];
    if headers {
        members.push(("header-auth".to_owned(), true.into()));
    }
    let members = Value::Struct(members.into_iter().collect());
    if headers { value(members) } else { old_value(members) }
}

fn ticket(asked: &Asked) -> Option<(&str, &str, &str)> {
    let header = |name| asked.header(name);
    Some((header("koji-session-id")?, header("koji-session-key")?, header("koji-session-callnum")?))
}

async fn who(hub: &Hub) -> Result<String, gander::koji::KojiError> {
    hub.call("whoami", Arguments::none()).await
}

#[test]
fn calls_of_a_session_are_numbered_and_sent_again_under_their_number() {
    let server = Server::start(|asked, before| match (asked.call.method.as_str(), before) {
        ("login", _) => {
            assert_eq!(asked.arguments(), Arguments::of("goose").and(PASSWORD));
            assert_eq!(ticket(asked), None);
            granted(7, true)
        }
        // The answers to the second call are lost.
        (_, 2 | 3) => Act::Close,
        ("logout", _) => value(Value::Nil),
        _ => value("goose"),
    });
    // Calls of a session may be sent again even where anonymous ones may not.
    let mut profile = super::profile(&server.url);
    profile.retry.anonymous = false;
    let hub = Hub::open(&profile).unwrap();
    run(hub.login(credentials())).unwrap();
    assert!(hub.is_logged_in());
    for _ in 0..2 {
        assert_eq!(run(who(&hub)).unwrap(), "goose");
    }
    run(hub.logout()).unwrap();
    assert!(!hub.is_logged_in());
    assert_eq!(run(who(&hub)).unwrap(), "goose");
    let asked = server.asked();
    let numbers: Vec<_> = asked.iter().map(|asked| ticket(asked).map(|(.., number)| number)).collect();
    assert_eq!(numbers, [None, Some("0"), Some("1"), Some("1"), Some("1"), Some("2"), None]);
    assert_eq!(ticket(&asked[1]), Some(("7", "7-secret&key", "0")));
    assert!(asked.iter().all(|asked| asked.target == "/kojihub"));
}

#[test]
fn old_hubs_have_the_session_in_the_address() {
    let server = Server::start(|asked, _| match asked.call.method.as_str() {
        "login" => granted(7, false),
        _ => old_value("goose"),
    });
    let hub = hub(&server);
    run(hub.login(credentials())).unwrap();
    assert_eq!(run(who(&hub)).unwrap(), "goose");
    let asked = server.asked();
    assert_eq!(asked[1].target, "/kojihub?session-id=7&session-key=7-secret%26key&callnum=0");
    assert_eq!(ticket(&asked[1]), None);
}

#[test]
fn a_session_that_has_expired_is_renewed_once() {
    let server = Server::start(|asked, _| match (asked.call.method.as_str(), ticket(asked)) {
        ("login", None) => granted(7, true),
        ("login", Some(("7", ..))) => {
            assert_eq!(asked.arguments().keywords["renew"], Value::Bool(true));
            granted(8, true)
        }
        ("whoami", Some(("7", ..))) => fault(1007, "session has expired"),
        ("whoami", Some(("8", ..))) => value("goose"),
        // This one expires at once again.
        _ => fault(1007, "session has expired"),
    });
    let hub = hub(&server);
    run(hub.login(credentials())).unwrap();
    assert_eq!(run(who(&hub)).unwrap(), "goose");
    assert_eq!(server.methods(), ["login", "whoami", "login", "whoami"]);
    let error = run(hub.call::<Value>("other", Arguments::none())).unwrap_err();
    assert!(error.fault().is_some(), "{error}");
}

#[test]
fn what_is_secret_is_not_shown() {
    let server = Server::start(|asked, before| match (asked.call.method.as_str(), before) {
        ("login", 0) => fault(1002, "invalid username or password"),
        ("login", _) => granted(7, false),
        _ => Act::Status("500 Internal Server Error", "no"),
    });
    let hub = hub(&server);
    let refused = run(hub.login(credentials())).unwrap_err();
    assert!(matches!(refused.fault(), Some((FaultKind::Auth, _))), "{refused}");
    run(hub.login(credentials())).unwrap();
    let failed = run(who(&hub)).unwrap_err();
    let shown = format!("{refused} {refused:?} {failed} {failed:?} {hub:?} {:?}", credentials());
    assert!(!shown.contains(PASSWORD) && !shown.contains("secret"), "{shown}");
    // Nor where the connection itself fails.
    let mut gone = super::profile(&server.url);
    gone.retry.most = 0;
    let closing =
        Server::start(|asked, _| if asked.call.method == "login" { granted(7, false) } else { Act::Close });
    gone.server.clone_from(&closing.url);
    let hub = Hub::open(&gone).unwrap();
    run(hub.login(credentials())).unwrap();
    let failed = run(who(&hub)).unwrap_err();
    assert!(!format!("{failed} {failed:?}").contains("secret"), "{failed:?}");
}
