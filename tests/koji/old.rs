//! Hubs of former years.

use gander::format::xmlrpc::Value;
use gander::koji::{KojiError, Tagged, Version};

use super::server::{Server, fault, old_value};
use super::{hub, run};

/// A hub of a version that knows what it knew then.
fn of(version: &'static str) -> Server {
    Server::start(move |asked, _| {
        let keywords = asked.arguments().keywords;
        let known = Version::parse(version).unwrap();
        match asked.call.method.as_str() {
            "getKojiVersion" if known < Version(1, 23) => fault(1000, "Invalid method: getKojiVersion"),
            "getKojiVersion" => old_value(version),
            "getRPMChecksums" | "multiCall" if known < Version(1, 32) => fault(1000, "Invalid method"),
            "listTagged" | "listTaggedRPMS" if keywords.contains_key("draft") && known < Version(1, 34) => {
                fault(1019, "got an unexpected keyword argument 'draft'")
            }
            "listTaggedRPMS" if keywords.contains_key("extra") && known < Version(1, 20) => {
                fault(1019, "got an unexpected keyword argument 'extra'")
            }
            "listTagged" => old_value(Value::Array(vec![])),
            "listTaggedRPMS" => old_value(Value::Array(vec![Value::Array(vec![]), Value::Array(vec![])])),
            other => fault(1000, &format!("Invalid method: {other}")),
        }
    })
}

#[test]
fn what_they_lack_is_not_asked() {
    for (version, says, drafts) in [
        ("1.35.3", Version(1, 35), true),
        ("1.33.0", Version(1, 33), false),
        ("1.15.0", Version(1, 22), false),
    ] {
        let server = of(version);
        let hub = hub(&server);
        assert_eq!(run(hub.version()).unwrap(), says);
        run(hub.version()).unwrap();
        assert_eq!(server.asked().len(), 1, "asked once");
        let without = Tagged { draft: Some(false), lean: true, ..Tagged::default() };
        assert!(run(hub.tagged_builds("x", &without)).unwrap().is_empty());
        assert!(run(hub.tagged_rpms("x", &without)).unwrap().0.is_empty());
        let asked = server.asked();
        let last = asked.last().unwrap().arguments();
        assert_eq!(last.keywords.contains_key("draft"), drafts, "{version}");
        assert_eq!(last.keywords.contains_key("extra"), version != "1.15.0", "{version}");
        // Where there are no drafts, nothing is a draft.
        let only = Tagged { draft: Some(true), ..Tagged::default() };
        assert!(run(hub.tagged_builds("x", &only)).unwrap().is_empty());
        assert_eq!(server.asked().len() > asked.len(), drafts);
    }
    let error = run(hub(&of("1.31.1")).checksums(&[1])).unwrap_err();
    assert!(matches!(error, KojiError::TooOld { hub: Version(1, 31), needs: Version(1, 32), .. }), "{error}");
}
