//! What gets things over the network for commands that run steps.

use std::ops::ControlFlow;
use std::path::Path;

use super::hub_at::HubAt;
use super::{Failure, Global, image};
use crate::base::Digest;
use crate::compose::{Bundle, ComposeError, Downloads, Hub};
use crate::debian::{self, Mirrors};
use crate::fetch::{FetchError, Fetcher, Wanted};
use crate::koji::{self, CopyError, Head, HeadOf};
use crate::oci;
use crate::recipe::HubPlace;
use crate::repo::open::{self, HeaderError, HeaderOf, Location, Opened, Pinned};
use crate::rpm::Headers;
use crate::store::Store;

/// Gets what a lock or a recipe names, from bundles first and then from where it is.
pub(super) struct Network<'a> {
    global: &'a Global,
    fetcher: Fetcher,
    runtime: tokio::runtime::Runtime,
    store: &'a Store,
    bundles: Vec<Bundle>,
}

impl<'a> Network<'a> {
    /// Downloads into a store.
    pub(super) fn new(global: &'a Global, store: &'a Store) -> Result<Self, Failure> {
        let bundles = global.bundle.iter().map(|folder| Bundle::open(folder));
        Ok(Self {
            global,
            fetcher: Fetcher::new(store, global.offline)?,
            runtime: image::runtime()?,
            store,
            bundles: bundles.collect::<Result<_, _>>()?,
        })
    }

    /// Takes from the bundles what they have of these.
    fn bundled(&self, digests: impl Iterator<Item = Digest>) -> Result<(), ComposeError> {
        if self.bundles.is_empty() {
            return Ok(());
        }
        for digest in digests {
            if self.store.has(&digest) {
                continue;
            }
            for bundle in &self.bundles {
                if bundle.take(self.store, &digest)? {
                    break;
                }
            }
        }
        Ok(())
    }
}

impl Downloads for Network<'_> {
    fn debian(&self, list: &debian::Lock) -> Result<(), ComposeError> {
        self.bundled(list.packages.iter().map(|package| package.digest))?;
        let missing: Vec<_> =
            list.packages.iter().filter(|package| !self.store.has(&package.digest)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let bytes: u64 = missing.iter().map(|package| package.size).sum();
        if !self.global.offline {
            let (count, megabytes) = (missing.len(), bytes / 1_000_000);
            self.global.say(format_args!("downloading {count} Debian packages, {megabytes} MB"));
        }
        let suites = list.packages.iter().map(|package| package.suite.as_str());
        let mirrors = if self.global.offline {
            Mirrors::none()
        } else {
            Mirrors::find(&self.global.debian_mirror, suites)?
        };
        Ok(self.runtime.block_on(debian::fetch_all(list, &mirrors, &self.fetcher, &()))?)
    }

    fn image(&self, reference: &str, digest: &Digest) -> Result<(), ComposeError> {
        self.bundled(std::iter::once(*digest))?;
        if !self.bundles.is_empty()
            && let Ok(bytes) = self.store.read_object(digest, oci::DOCUMENT_LIMIT)
        {
            let manifest = oci::Manifest::parse(&bytes)?;
            let layers = manifest.layers.iter().map(|layer| layer.blob.digest);
            self.bundled(layers.chain([manifest.config.digest]))?;
        }
        match oci::Image::load(self.store, digest) {
            Ok(_) => return Ok(()),
            Err(error) if self.global.offline => return Err(error.into()),
            Err(_) => {}
        }
        self.global.say(format_args!("pulling {reference}"));
        let reference: oci::Reference = reference.parse()?;
        let access = oci::Access { plain_http: false, auth_file: None };
        let say = |text: &str| self.global.say(text);
        let image = self.runtime.block_on(oci::pull(self.store, &reference, digest, &access, &say))?;
        Ok(image.keep(self.store)?)
    }

    fn kept(&self, digests: Vec<Digest>) -> Result<(), ComposeError> {
        self.bundled(digests.into_iter())
    }

    fn files(&self, wanted: Vec<Wanted>) -> Result<(), ComposeError> {
        self.bundled(wanted.iter().map(|file| file.digest))?;
        let missing: Vec<_> = wanted.into_iter().filter(|file| !self.store.has(&file.digest)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        if !self.global.offline {
            let bytes: u64 = missing.iter().filter_map(|file| file.size).sum();
            let (count, megabytes) = (missing.len(), bytes / 1_000_000);
            self.global.say(format_args!("downloading {count} packages, {megabytes} MB"));
        }
        Ok(self.runtime.block_on(self.fetcher.all(missing, PARALLEL, &()))?)
    }

    fn repository(&self, location: Location, pinned: Option<Pinned>) -> Result<Opened, ComposeError> {
        if let Some(pinned) = pinned {
            let opened = open::reopen(&location, pinned, &self.fetcher, self.store, &());
            return Ok(self.runtime.block_on(opened)?);
        }
        self.global.say(format_args!("opening the repository {}", location.id));
        Ok(self.runtime.block_on(open::open(&location, now(), &self.fetcher, self.store, &()))?)
    }

    fn headers(&self, wanted: Vec<HeaderOf>) -> Vec<Result<Headers, HeaderError>> {
        self.runtime.block_on(open::headers(&self.fetcher, wanted, PARALLEL))
    }

    fn hub<'d>(&'d self, place: &HubPlace, folder: &Path) -> Result<Box<dyn Hub + 'd>, ComposeError> {
        Ok(Box::new(HubAt::open(place, folder, self.global, &self.runtime)?))
    }

    fn heads(
        &self,
        wanted: Vec<HeadOf>,
        take: &mut dyn FnMut(usize, Result<Head, CopyError>) -> ControlFlow<()>,
    ) {
        self.runtime.block_on(koji::heads(&self.fetcher, wanted, CONNECTIONS, take));
    }

    fn unpinned(&self, places: Vec<(String, u64)>) -> Vec<Result<(Digest, u64), FetchError>> {
        self.runtime.block_on(self.fetcher.all_unpinned(places, PARALLEL))
    }
}

/// Packages at a time.
const PARALLEL: usize = 8;

/// Headers at a time: one is small, and what takes time is the way to the server. With the four connections of calls, and
/// those that begin while others end, a hub sees no more than 32.
const CONNECTIONS: usize = 24;

/// The time at which signatures of repositories are judged.
#[allow(clippy::disallowed_methods, reason = "whether a signature has expired reaches no output")]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.ok().and_then(|since| i64::try_from(since.as_secs()).ok()).unwrap_or(i64::MAX)
}
