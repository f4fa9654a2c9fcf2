//! A hub for commands that ask one: by a profile, by its URL, or in a folder.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Failure, Global, Kind};
use crate::base::chain;
use crate::compose::{ComposeError, Hub as AskedHub};
use crate::hub::Inside;
use crate::koji::snapshot::{Checksum, Signature};
use crate::koji::{self, Hub, KojiError, Profile, Question, Retry, TagError, TagState, Watch};
use crate::recipe::HubPlace;

/// A hub and what waits for its answers.
pub(super) struct HubAt<'r> {
    hub: Hub,
    name: String,
    files: Option<String>,
    runtime: &'r tokio::runtime::Runtime,
}

/// Says why nothing happens for a while: Koji's own profile tries for ten minutes.
#[derive(Debug)]
struct Told {
    quiet: bool,
}

impl Watch for Told {
    fn waits(&self, why: &KojiError, pause: Duration) {
        if !self.quiet {
            eprintln!("note: {}; the hub is asked again in {} s", chain(why), pause.as_secs());
        }
    }
}

impl<'r> HubAt<'r> {
    /// A hub; no call is made yet. The folder is the one that an embedded hub's folder is relative to.
    pub(super) fn open(
        place: &HubPlace,
        folder: &Path,
        global: &Global,
        runtime: &'r tokio::runtime::Runtime,
    ) -> Result<Self, ComposeError> {
        let failed = |error: KojiError| ComposeError::Hub { id: place.to_string(), source: error.into() };
        let profile = match place {
            HubPlace::Profile(name) => Profile::named(name).map_err(|error| failed(error.into()))?,
            HubPlace::Url(url) => Profile::at(url.as_str()),
            HubPlace::Embedded(below) => {
                let name = place.to_string();
                let inside = Inside::open(&below.below(folder), &name).map_err(failed)?;
                // What fails in this process fails again.
                let retry = Retry { most: 0, ..Retry::default() };
                return Ok(Self { hub: Hub::over(Arc::new(inside), retry), name, files: None, runtime });
            }
        };
        if global.offline {
            return Err(ComposeError::HubOffline(place.to_string()));
        }
        let name = profile.server.trim_end_matches('/').to_owned();
        let files = profile.topurl.clone();
        let hub = Hub::open(&profile).map_err(failed)?.with_watch(Arc::new(Told { quiet: global.quiet }));
        Ok(Self { hub, name, files, runtime })
    }
}

impl AskedHub for HubAt<'_> {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn files(&self) -> Option<String> {
        self.files.clone()
    }

    fn tagged(&self, question: &Question<'_>) -> Result<TagState, TagError> {
        self.runtime.block_on(koji::state(&self.hub, &self.name, question))
    }

    fn signatures(&self, rpms: &[i64]) -> Result<Vec<Signature>, TagError> {
        self.runtime.block_on(koji::signatures(&self.hub, rpms))
    }

    fn checksums(&self, rpms: &[i64]) -> Result<Vec<Checksum>, TagError> {
        self.runtime.block_on(koji::checksums(&self.hub, rpms))
    }
}

/// What kind of failure it is when a hub cannot be asked.
pub(super) fn kind(error: &TagError) -> Kind {
    match error {
        TagError::Koji(error) => match error {
            KojiError::Connection { .. } | KojiError::Status { .. } => Kind::Surroundings,
            KojiError::Profile(_) => Kind::Usage,
            KojiError::Reading(_) => Kind::Bug,
            _ => Kind::Input,
        },
        TagError::NoTag { .. }
        | TagError::Beyond { .. }
        | TagError::NoEvent(_)
        | TagError::NotTagged { .. }
        | TagError::NoBuild(_) => Kind::Usage,
        TagError::Contradiction(_) | TagError::NoContent { .. } => Kind::Input,
    }
}

/// The failure when a hub cannot be asked.
pub(super) fn failure(error: &ComposeError, source: &TagError) -> Failure {
    let failure = Failure::from_error(kind(source), error);
    match source {
        TagError::Beyond { last, .. } => {
            failure.hint(format!("name an event up to {last}, or none for the last one"))
        }
        TagError::Koji(KojiError::Connection { certificate: true, .. }) => failure
            .hint("name the authority's certificate as 'serverca' in the profile of koji's configuration"),
        _ => failure,
    }
}
