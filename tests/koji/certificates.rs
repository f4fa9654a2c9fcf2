//! TLS: servers' certificates, and logins with one's own where it is asked for late.

use gander::format::xmlrpc::Arguments;
use gander::koji::{Credentials, Hub, KojiError, Profile};

use super::authority::{Authority, Holder};
use super::httpd::{Host, Httpd};
use super::{profile, run, skip};

#[test]
fn certificates_of_servers_are_checked_and_ones_own_is_shown_when_asked_for() {
    let (ours, theirs) = (Authority::new("Gander test authority"), Authority::new("Somebody else"));
    let localhost = Holder::Server(&["localhost"]);
    let good = ours.give("localhost", &localhost, (-1, 1));
    let expired = ours.give("localhost", &localhost, (-10, -1));
    let misnamed = ours.give("elsewhere.example", &Holder::Server(&["elsewhere.example"]), (-1, 1));
    let foreign = theirs.give("localhost", &localhost, (-1, 1));
    let host = |certificate, protocol| Host { certificate, protocol };
    let hosts = [
        host(&*good, "-all +TLSv1.2"),
        host(&good, "-all +TLSv1.3"),
        host(&good, "all"),
        host(&expired, "all"),
        host(&misnamed, "all"),
        host(&foreign, "all"),
    ];
    let Some(httpd) = Httpd::start(&hosts, &ours.pem()) else {
        skip("logins with certificates", "apache2-bin is not installed");
        return;
    };
    let serverca = Some(httpd.write("serverca.pem", &ours.pem()));
    let cert = Some(httpd.write("client.pem", &ours.give("gander user", &Holder::User, (-1, 1))));
    let at = |host| Profile { serverca: serverca.clone(), cert: cert.clone(), ..profile(&httpd.hub(host)) };
    let show = |profile: &Profile| -> Result<String, KojiError> {
        let hub = Hub::open(profile)?;
        run(hub.call("showSession", Arguments::none()))
    };
    let login = |profile: &Profile| -> Result<String, KojiError> {
        let hub = Hub::open(profile)?;
        run(async {
            hub.login(Credentials::Certificate).await?;
            hub.call("showSession", Arguments::none()).await
        })
    };

    // Nobody is asked for a certificate but on the login path, and calls show none.
    for (host, protocol) in [(0, "TLSv1.2"), (1, "TLSv1.3"), (2, "TLSv1.3")] {
        assert_eq!(show(&at(host)).unwrap(), ", certificate ''", "{protocol}");
        let shown = login(&at(host)).unwrap_or_else(|error| panic!("{protocol}: {error:?}\n{}", httpd.log()));
        assert_eq!(shown, format!("key of gander user by {protocol}, certificate ''"));
    }
    // For somebody else.
    let proxied: Result<String, KojiError> = run(async {
        let hub = Hub::open(&at(1))?;
        hub.login_for("goose", Credentials::Certificate).await?;
        hub.call("showSession", Arguments::none()).await
    });
    assert_eq!(proxied.unwrap(), "key of gander user for goose by TLSv1.3, certificate ''");
    let password = Credentials::Password { user: "gander".into(), password: "honk".to_owned().into() };
    let refused = run(Hub::open(&at(1)).unwrap().login_for("goose", password)).unwrap_err();
    assert!(matches!(refused, KojiError::Login { .. }), "{refused:?}");
    // Whoever has none, or one that the server does not know, does not get in.
    for own in [None, Some(httpd.write("stranger.pem", &theirs.give("stranger", &Holder::User, (-1, 1))))] {
        for host in 0..2 {
            let error = login(&Profile { cert: own.clone(), ..at(host) }).unwrap_err();
            assert!(
                matches!(
                    error,
                    KojiError::Login { .. }
                        | KojiError::Connection { .. }
                        | KojiError::Status { status: 403, .. }
                ),
                "{error:?}"
            );
        }
    }
    // Servers that are not what they should be: no call and no login.
    let system = Profile { serverca: None, ..at(2) };
    for (name, profile) in [("expired", at(3)), ("misnamed", at(4)), ("foreign", at(5)), ("system", system)] {
        for result in [show(&profile), login(&profile)] {
            let error = result.unwrap_err();
            assert!(matches!(error, KojiError::Connection { certificate: true, .. }), "{name}: {error:?}");
        }
        // Unless nobody cares.
        let careless = Profile { no_ssl_verify: true, ..profile };
        assert_eq!(show(&careless).unwrap(), ", certificate ''", "{name}");
    }
    // What is no file is named.
    for (profile, file) in [
        (Profile { serverca: Some("/nowhere/ca".into()), ..at(0) }, "/nowhere/ca"),
        (Profile { cert: Some("/nowhere/cert".into()), ..at(0) }, "/nowhere/cert"),
    ] {
        let error = gander::base::chain(&login(&profile).unwrap_err());
        assert!(error.contains(file), "{error}");
    }
    // A login is not sent where everybody can read it.
    let open = Profile { server: "http://localhost:1/kojihub".into(), ..at(0) };
    assert!(matches!(login(&open).unwrap_err(), KojiError::Login { .. }));
}
