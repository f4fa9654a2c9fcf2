//! Tickets of Kerberos for logins: HTTP's Negotiate (RFC 4559) with SPNEGO, as Koji's `gssapi_login` has it.
//!
//! The token goes along with the first request, over a connection whose certificate was checked; the server has to prove
//! who it is in turn. Nothing is delegated. The library and its configuration are the system's: a ticket that is there is
//! used (`KRB5CCNAME` says where), otherwise one is got with the client keytab (`KRB5_CLIENT_KTNAME`).
//!
//! It needs the feature `gssapi`, which links libkrb5; without it, a login says so.

#[cfg(feature = "gssapi")]
pub(super) use with::Negotiation;
#[cfg(not(feature = "gssapi"))]
pub(super) use without::Negotiation;

/// Whether this build can log in with tickets.
pub(super) const HERE: bool = cfg!(feature = "gssapi");

/// What a build without it says.
pub(super) const LACKS: &str = "this gander is built without Kerberos: build it with 'cargo build --release --features gssapi' \
     (Debian: libkrb5-dev), or log in with a client certificate ('authtype = ssl' and 'cert')";

#[cfg(feature = "gssapi")]
mod with {
    use std::path::Path;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use libgssapi::context::{ClientCtx, CtxFlags, SecurityContext as _};
    use libgssapi::credential::{Cred, CredUsage};
    use libgssapi::error::Error;
    use libgssapi::name::Name;
    use libgssapi::oid::{
        GSS_MECH_KRB5, GSS_MECH_SPNEGO, GSS_NT_HOSTBASED_SERVICE, GSS_NT_KRB5_PRINCIPAL, OidSet,
    };

    use crate::koji::profile::Profile;

    /// A token of a server is no longer.
    const LONGEST: usize = 64 << 10;
    /// Where Kerberos looks for a client keytab.
    const KEYTAB: &str = "KRB5_CLIENT_KTNAME";

    /// A login that has begun.
    pub(in crate::koji) struct Negotiation {
        context: ClientCtx,
    }

    impl Negotiation {
        /// Begins a login at a host; the value of `Authorization`. It may wait for a KDC.
        pub fn begin(profile: &Profile, host: &str) -> Result<(Self, String), String> {
            if let Some(keytab) = &profile.keytab {
                in_environment(keytab)?;
            }
            let failed = |what: String| move |error: Error| format!("{what}: {error}");
            let service = format!("HTTP@{host}");
            let target = Name::new(service.as_bytes(), Some(GSS_NT_HOSTBASED_SERVICE))
                .map_err(failed(format!("{service} is no name of a service")))?;
            let mut mechanisms = OidSet::new();
            for mechanism in [GSS_MECH_SPNEGO, GSS_MECH_KRB5] {
                mechanisms.add(mechanism).map_err(failed("Kerberos cannot be set up".into()))?;
            }
            let principal = profile.principal.as_deref().filter(|principal| !principal.is_empty());
            let name = principal.map(|principal| {
                Name::new(principal.as_bytes(), Some(GSS_NT_KRB5_PRINCIPAL))
                    .map_err(failed(format!("'{principal}' is no principal")))
            });
            let name = name.transpose()?;
            let whose = principal.map_or("anybody".to_owned(), |principal| format!("'{principal}'"));
            let credentials = Cred::acquire(name.as_ref(), None, CredUsage::Initiate, Some(&mechanisms))
                .map_err(failed(format!("there is no ticket of {whose} ('kinit' gets one)")))?;
            let flags = CtxFlags::GSS_C_MUTUAL_FLAG;
            let mut context =
                ClientCtx::new(Some(credentials), target, flags, Some(&GSS_MECH_SPNEGO).copied());
            let token =
                context.step(None, None).map_err(failed(format!("there is no ticket for {service}")))?;
            let token = token.ok_or("Kerberos gave no token")?;
            Ok((Self { context }, format!("Negotiate {}", STANDARD.encode(&*token))))
        }

        /// Ends it with the server's `WWW-Authenticate`.
        pub fn finish(mut self, answers: &[String]) -> Result<(), String> {
            let token = answers.iter().find_map(|answer| answer.strip_prefix("Negotiate "));
            let unproven = "the server did not prove who it is";
            let token = token.filter(|token| token.len() <= LONGEST).ok_or(unproven)?;
            let token = STANDARD.decode(token.trim()).map_err(|_| unproven)?;
            let more =
                self.context.step(Some(&token), None).map_err(|error| format!("{unproven}: {error}"))?;
            match more {
                None if self.context.is_complete() => Ok(()),
                _ => Err(unproven.into()),
            }
        }
    }

    /// Kerberos takes a keytab from the environment alone, which a program cannot safely change while it runs.
    #[allow(clippy::disallowed_methods, reason = "whose key logs in reaches no output")]
    fn in_environment(keytab: &Path) -> Result<(), String> {
        let named = std::env::var_os(KEYTAB);
        let named = named.as_deref().and_then(|named| named.to_str());
        match named.map(|named| Path::new(named.strip_prefix("FILE:").unwrap_or(named))) {
            Some(named) if named == keytab => Ok(()),
            _ => Err(format!(
                "the profile's keytab has to be in the environment, too: {KEYTAB}={}",
                keytab.display()
            )),
        }
    }
}

#[cfg(not(feature = "gssapi"))]
mod without {
    use crate::koji::profile::Profile;

    /// A login that cannot begin.
    pub(in crate::koji) enum Negotiation {}

    impl Negotiation {
        /// Says why it cannot.
        pub fn begin(_: &Profile, _: &str) -> Result<(Self, String), String> {
            Err(super::LACKS.into())
        }

        /// There is none.
        pub fn finish(self, _: &[String]) -> Result<(), String> {
            match self {}
        }
    }
}
