//! Sessions outlive the server, and what the hub keeps of them lets nobody in.

use gander::format::xmlrpc::{Arguments, Value};

use super::bench::Bench;
use super::world::{Serving, Session, administrator, files};

#[test]
fn a_session_goes_on_after_the_server_was_killed() {
    let bench = Bench::new();
    administrator(&bench, "hub");
    let hub = Serving::start(&bench, "hub");
    let session = hub.login("kojiadmin", "honk").unwrap();
    let closed = hub.login("kojiadmin", "honk").unwrap();
    let at = |call: i64| Session { call: Some(call), ..session.clone() };
    hub.call(Some(&at(3)), "createTag", Arguments::of("base")).unwrap();
    hub.call(Some(&closed), "logout", Arguments::none()).unwrap();
    for file in files(&bench.path("hub")) {
        let text = std::fs::read(&file).unwrap();
        let key = session.key.as_bytes();
        assert!(!text.windows(key.len()).any(|part| part == key), "the key stands in {}", file.display());
    }
    hub.kill();

    let hub = Serving::start(&bench, "hub");
    let user = hub.call(Some(&session), "getLoggedInUser", Arguments::none()).unwrap();
    assert_eq!(user.get("name"), Some(&Value::Text("kojiadmin".into())));
    // What was answered before the kill is not done again.
    let again = hub.call(Some(&at(3)), "createTag", Arguments::of("base")).unwrap_err();
    assert_eq!(again.code, 1009, "{again}");
    hub.call(Some(&at(4)), "createTag", Arguments::of("other")).unwrap();
    let ended = hub.call(Some(&closed), "getLoggedInUser", Arguments::none()).unwrap_err();
    assert_eq!(ended.code, 1002, "{ended}");
    let next = hub.login("kojiadmin", "honk").unwrap();
    assert!(next.id > closed.id, "the number of a session is used again");

    let info = hub.call(Some(&session), "getSessionInfo", Arguments::of(true)).unwrap();
    assert_eq!(info.get("id"), Some(&Value::Int(session.id)));
    assert_eq!(info.get("callnum"), Some(&Value::Int(4)));
    assert_eq!(info.get("hostip"), Some(&Value::Text("127.0.0.1".into())));
    let all = hub.call(Some(&session), "getSessionInfo", Arguments::of(false).and("kojiadmin")).unwrap();
    assert!(matches!(&all, Value::Array(all) if all.len() == 2), "{all:?}");
    assert_eq!(hub.call(None, "getSessionInfo", Arguments::none()).unwrap(), Value::Nil);
}
