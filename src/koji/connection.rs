//! Calls of a hub's methods, one by one and many at once.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use std::{fmt, mem};

use serde::de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use super::error::{FaultKind, KojiError, Version};
use super::http::Http;
use super::profile::{Profile, Retry};
use super::session::Session;
use super::transport::{Request, Transport};
use crate::format::xmlrpc::{Arguments, Fault, Limits, Value, read_answer, write_call};

/// Calls in one `multiCall`, as the koji program has it.
const BATCH: usize = 1000;

/// Batches that travel at the same time, and connections that are kept.
pub(super) const CONNECTIONS: usize = 4;

/// Hears of what takes long.
pub trait Watch: fmt::Debug + Send + Sync {
    /// A call had no answer, for this reason, and is made again after a pause.
    fn waits(&self, why: &KojiError, pause: Duration);
}

impl Watch for () {
    fn waits(&self, _: &KojiError, _: Duration) {}
}

/// A hub.
#[derive(Clone, Debug)]
pub struct Hub {
    transport: Arc<dyn Transport>,
    retry: Retry,
    watch: Arc<dyn Watch>,
    batch: usize,
    limits: Limits,
    version: Arc<OnceLock<Version>>,
    pub(super) session: Arc<Mutex<Option<Session>>>,
    pub(super) profile: Option<Arc<Profile>>,
}

impl Hub {
    /// A hub that a profile describes. No connection is made before the first call.
    pub fn open(profile: &Profile) -> Result<Self, KojiError> {
        let transport = Arc::new(Http::new(profile)?);
        let mut hub = Self::over(transport, profile.retry);
        hub.profile = Some(Arc::new(profile.clone()));
        Ok(hub)
    }

    /// A hub behind any transport.
    pub fn over(transport: Arc<dyn Transport>, retry: Retry) -> Self {
        Self {
            transport,
            retry,
            watch: Arc::new(()),
            batch: BATCH,
            limits: Limits::lists(),
            version: Arc::default(),
            session: Arc::default(),
            profile: None,
        }
    }

    /// The same with another number of calls in one `multiCall`.
    #[must_use]
    pub fn with_batch(mut self, calls: usize) -> Self {
        self.batch = calls.max(1);
        self
    }

    /// The same with somebody who hears of calls that are made again.
    #[must_use]
    pub fn with_watch(mut self, watch: Arc<dyn Watch>) -> Self {
        self.watch = watch;
        self
    }

    /// The same with other bounds of an answer.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What the hub is called in messages: its address.
    pub fn name(&self) -> &str {
        self.transport.name()
    }

    /// Calls a method. What it answers has to be a `T`.
    pub async fn call<T>(&self, method: &str, arguments: Arguments) -> Result<T, KojiError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let body = Arc::new(Zeroizing::new(write_call(method, &arguments.into_params())));
        let mut session = self.ticket();
        let mut renewed = false;
        let mut again = session.is_some() || self.retry.anonymous;
        let mut tries = 0;
        loop {
            let request = Request { body: body.clone(), session: session.clone() };
            let error = match self.exchange(method, request).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if matches!(error.fault(), Some((FaultKind::AuthExpired, _)))
                && let Some(expired) = session.take_if(|_| !renewed)
            {
                renewed = true;
                session = self.renew(expired).await?;
                continue;
            }
            let offline = matches!(error.fault(), Some((FaultKind::ServerOffline, _)));
            if offline && self.retry.offline {
                // The hub is there and says that it did nothing.
                self.wait(&error, self.retry.offline_interval).await;
                continue;
            }
            again &= error.is_transient() && tries < self.retry.most;
            if !again {
                return Err(error);
            }
            if tries > 0 {
                self.wait(&error, self.retry.interval).await;
            }
            tries += 1;
        }
    }

    async fn wait(&self, why: &KojiError, pause: Duration) {
        self.watch.waits(why, pause);
        tokio::time::sleep(pause).await;
    }

    /// Sends a call once.
    pub(super) async fn exchange<T>(&self, method: &str, request: Request) -> Result<T, KojiError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let reply = self.transport.send(request).await?;
        if let Some(version) = reply.version.as_deref().and_then(Version::parse) {
            self.version.get_or_init(|| version);
        }
        let limits = self.limits;
        let read = tokio::task::spawn_blocking(move || read_answer::<T>(reply.body, &limits)).await;
        match read.map_err(|error| KojiError::Reading(error.to_string()))? {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(fault)) => Err(KojiError::Fault { method: method.into(), fault }),
            Err(source) => Err(KojiError::Answer { method: method.into(), source }),
        }
    }

    /// Calls many methods, in as few `multiCall`s as the size of a batch allows. The answers have the order of the
    /// calls; each is a `T` or a fault of its own. Batches travel at the same time, unless a session numbers them.
    pub async fn batch<T>(&self, calls: Vec<(String, Arguments)>) -> Result<Vec<Result<T, Fault>>, KojiError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let mut calls = calls.into_iter().peekable();
        let (mut under_way, mut answers, mut place) = (JoinSet::new(), BTreeMap::new(), 0_usize);
        let most = if self.is_logged_in() { 1 } else { CONNECTIONS };
        loop {
            while under_way.len() < most && calls.peek().is_some() {
                let batch = calls.by_ref().take(self.batch).collect();
                let (hub, this) = (self.clone(), place);
                under_way.spawn(async move { (this, hub.multi_call(batch).await) });
                place += 1;
            }
            let Some(joined) = under_way.join_next().await else { break };
            let (this, of_batch) = joined.map_err(|error| KojiError::Reading(error.to_string()))?;
            answers.insert(this, of_batch?);
        }
        Ok(answers.into_values().flatten().collect())
    }

    /// Calls methods in one `multiCall`.
    async fn multi_call<T>(&self, calls: Vec<(String, Arguments)>) -> Result<Vec<Result<T, Fault>>, KojiError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let count = calls.len();
        let entry = |(method, arguments): (String, Arguments)| {
            let params = Value::Array(arguments.into_params());
            Value::Struct([("methodName".into(), method.into()), ("params".into(), params)].into())
        };
        let calls = Value::Array(calls.into_iter().map(entry).collect());
        let answers: Vec<Outcome<T>> = self.call("multiCall", Arguments::of(calls)).await?;
        if answers.len() != count {
            return Err(KojiError::Count { calls: count, answers: answers.len() });
        }
        Ok(answers.into_iter().map(|outcome| outcome.0).collect())
    }

    /// The hub's version: what its answers said, or what it says when asked (from 1.23 on).
    pub async fn version(&self) -> Result<Version, KojiError> {
        if let Some(version) = self.version.get() {
            return Ok(*version);
        }
        let version = match self.call::<String>("getKojiVersion", Arguments::none()).await {
            Ok(text) => Version::parse(&text).unwrap_or(Version(1, 23)),
            Err(KojiError::Fault { .. }) => Version(1, 22),
            Err(error) => return Err(error),
        };
        Ok(*self.version.get_or_init(|| version))
    }

    /// Whether the hub is at least that new.
    pub async fn is_at_least(&self, version: Version) -> Result<bool, KojiError> {
        Ok(self.version().await? >= version)
    }
}

/// An answer within that to a `multiCall`.
struct Outcome<T>(Result<T, Fault>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Outcome<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either(PhantomData))
    }
}

struct Either<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
    type Value = Outcome<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of one value, or a fault")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Outcome<T>, A::Error> {
        let value = access.next_element()?;
        value.map(|value| Outcome(Ok(value))).ok_or_else(|| A::Error::custom("an answer is empty"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Outcome<T>, A::Error> {
        let (mut code, mut text) = (None, String::new());
        while let Some(name) = access.next_key::<String>()? {
            match name.as_str() {
                "faultCode" => code = Some(access.next_value()?),
                "faultString" => text = access.next_value()?,
                _ => drop(access.next_value::<IgnoredAny>()?),
            }
        }
        let code = code.ok_or_else(|| A::Error::missing_field("faultCode"))?;
        Ok(Outcome(Err(Fault { code, text: mem::take(&mut text) })))
    }
}
