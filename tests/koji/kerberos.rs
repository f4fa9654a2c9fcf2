//! Logins with tickets: a KDC, and httpd with mod_auth_gssapi before the hub. Each login is a process of its own, since
//! Kerberos takes what it needs from the environment.

use gander::koji::{Credentials, KojiError, Profile};

use super::profile;

#[cfg(not(feature = "gssapi"))]
#[test]
fn without_the_feature_a_login_says_how_to_get_it() {
    use gander::koji::Hub;
    for authtype in [Some("kerberos"), Some("gssapi"), None] {
        let profile =
            Profile { authtype: authtype.map(str::to_owned), ..profile("https://localhost:1/kojihub") };
        let error = Credentials::of(&profile).unwrap_err();
        assert!(matches!(&error, KojiError::Login { .. }), "{error:?}");
        assert!(error.to_string().contains("cargo build --release --features gssapi"), "{error}");
        // Reading needs no login, whatever the profile says.
        assert!(Hub::open(&profile).is_ok());
    }
}

#[test]
fn a_profile_says_what_somebody_logs_in_with() {
    let of = |authtype: Option<&str>, cert: bool| {
        let authtype = authtype.map(str::to_owned);
        Credentials::of(&Profile {
            authtype,
            cert: cert.then(|| "/c".into()),
            ..profile("https://h/kojihub")
        })
    };
    assert!(of(Some("noauth"), true).unwrap().is_none());
    for (authtype, cert) in [(Some("ssl"), false), (None, true)] {
        assert!(matches!(of(authtype, cert), Ok(Some(Credentials::Certificate))), "{authtype:?}");
    }
    for authtype in ["password", "goose"] {
        assert!(matches!(of(Some(authtype), true), Err(KojiError::Login { .. })), "{authtype}");
    }
    #[cfg(feature = "gssapi")]
    for authtype in [Some("kerberos"), Some("gssapi"), None] {
        assert!(matches!(of(authtype, false), Ok(Some(Credentials::Kerberos))), "{authtype:?}");
    }
}

#[cfg(feature = "gssapi")]
mod with_tickets {
    use std::process::Command;

    use gander::base::chain;
    use gander::format::xmlrpc::Arguments;
    use gander::koji::{Credentials, Hub, KojiError, Profile};

    use crate::authority::{Authority, Holder};
    use crate::httpd::{Host, Httpd};
    use crate::realm::Realm;
    use crate::{profile, run, skip};

    /// What a login in another process is told: server, authorities, principal, keytab.
    const TOLD: &str = "GANDER_TEST_LOGIN";

    #[test]
    #[ignore = "it is the login that the other test starts"]
    fn log_in_as_told() {
        let Ok(told) = std::env::var(TOLD) else { return };
        let [server, serverca, principal, keytab] = told.split('\n').collect::<Vec<_>>().try_into().unwrap();
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let profile = Profile {
            serverca: Some(serverca.into()),
            authtype: Some("kerberos".into()),
            principal: some(principal),
            keytab: some(keytab).map(Into::into),
            ..profile(server)
        };
        let session: Result<String, KojiError> = run(async {
            let hub = Hub::open(&profile)?;
            hub.login(Credentials::of(&profile)?.unwrap()).await?;
            hub.call("showSession", Arguments::none()).await
        });
        println!("ANSWER {}", session.unwrap_or_else(|error| chain(&error)));
    }

    #[test]
    fn tickets_are_shown_to_a_server_that_proves_who_it_is() {
        let test = "tickets_are_shown_to_a_server_that_proves_who_it_is";
        let Some(realm) = Realm::start() else {
            return skip(test, "krb5-kdc, krb5-admin-server and krb5-user are not installed");
        };
        let authority = Authority::new("Gander test authority");
        let certificate = authority.give("localhost", &Holder::Server(&["localhost"]), (-1, 1));
        let host = |protocol| Host { certificate: &certificate, protocol };
        let hosts = [host("-all +TLSv1.2"), host("-all +TLSv1.3")];
        let (Some(httpd), Some(careless)) = (Httpd::with_tickets(&hosts, &realm), Httpd::open(&hosts[1..]))
        else {
            return skip(test, "apache2-bin or libapache2-mod-auth-gssapi is not installed");
        };
        let serverca = httpd.write("serverca.pem", &authority.pem()).display().to_string();
        let login = |server: &str, tickets: &str, principal: &str, keytab: [&str; 2]| {
            let [profile, environment] = keytab;
            let mut child = Command::new(std::env::current_exe().unwrap());
            child.args(["--ignored", "--exact", "--nocapture", "kerberos::with_tickets::log_in_as_told"]);
            child.envs(realm.environment(tickets)).env_remove("KRB5_CLIENT_KTNAME");
            if !environment.is_empty() {
                child.env("KRB5_CLIENT_KTNAME", environment);
            }
            child.env(TOLD, [server, &serverca, principal, profile].join("\n"));
            let output = child.output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            let answer =
                text.lines().find_map(|line| line.split_once("ANSWER ")).map(|(_, answer)| answer.to_owned());
            answer.unwrap_or_else(|| panic!("{text}\n{}", String::from_utf8_lossy(&output.stderr)))
        };
        let (goose, duck) = ("goose@GANDER.TEST", "duck@GANDER.TEST");
        let none = ["", ""];
        realm.log_in("goose", "goose-tickets");
        for (host, protocol) in [(0, "TLSv1.2"), (1, "TLSv1.3")] {
            for principal in ["", goose] {
                let answer = login(&httpd.hub(host), "goose-tickets", principal, none);
                assert_eq!(
                    answer,
                    format!("key of {goose} by {protocol}, certificate ''"),
                    "{}",
                    httpd.log()
                );
            }
        }
        // With a keytab the ticket is got on the way.
        let keytab = realm.path("duck.keytab").display().to_string();
        let answer = login(&httpd.hub(1), "duck-tickets", duck, [&keytab, &keytab]);
        assert_eq!(answer, format!("key of {duck} by TLSv1.3, certificate ''"), "{}", httpd.log());
        let answer = login(&httpd.hub(1), "other-tickets", duck, [&keytab, ""]);
        assert!(answer.contains(&format!("KRB5_CLIENT_KTNAME={keytab}")), "{answer}");

        for (answer, says) in [
            (
                login(&httpd.hub(1), "no-tickets", "", none),
                "there is no ticket of anybody ('kinit' gets one)",
            ),
            (login(&httpd.hub(1), "goose-tickets", duck, none), "there is no ticket of 'duck@GANDER.TEST'"),
            (login(&careless.hub(0), "goose-tickets", "", none), "the server did not prove who it is"),
            (
                login(&httpd.hub(1).replace("https", "http"), "goose-tickets", "", none),
                "it is sent over https only",
            ),
            // The KDC knows no such server, and none is asked.
            (
                login(&httpd.hub(1).replace("localhost", "127.0.0.1"), "goose-tickets", "", none),
                "certificate verify failed",
            ),
        ] {
            assert!(answer.contains(says), "{answer}");
        }
    }
}
