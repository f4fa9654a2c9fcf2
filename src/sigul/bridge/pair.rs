//! One request: its head is read and judged, then it goes to a server and the answer comes back.
//!
//! The head, the payload and the inner stream go to the server as they are; the reply goes back after the inner stream
//! has ended in both directions: a client takes no outer bytes within it. Both payloads are passed on piece by piece.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::Shared;
use super::flow::{Broken, Meter, Side};
use super::koji::Desk;
use super::parts::{Wishes, fetch, relay, signed};
use super::pool::Server;
use crate::sigul::stream::{
    Channel, Divided, Ended, Incoming, Outgoing, Sent, read_fields, read_mac, read_u32, read_u64,
};
use crate::sigul::wire::{Code, Fields, MAC, Operation, VERSION};

/// How long a client may take to close its connection behind an answer.
const CLOSING: Duration = Duration::from_secs(10);
/// Servers that are tried for one request, where one after the other is gone when it is to be sent.
const TRIES: usize = 3;

/// A client that was let in.
#[derive(Debug)]
pub(super) struct Client {
    /// The common name of its certificate.
    pub(super) name: String,
    pub(super) peer: SocketAddr,
    pub(super) connection: Divided,
}

/// A head that was accepted.
struct Asked {
    operation: &'static Operation,
    fields: Fields,
    /// Version and fields as they came.
    head: Vec<u8>,
    payload: u64,
}

/// Everything about a request that the log tells.
#[derive(Default)]
struct Told(Vec<(&'static str, String)>);

impl Told {
    fn add(&mut self, name: &'static str, value: impl std::fmt::Display) {
        self.0.push((name, value.to_string()));
    }
}

/// Both channels of a server's connection, and those of a client, in one direction each.
pub(super) struct Wires<'a> {
    pub(super) client_in: &'a mut Incoming,
    pub(super) client_out: &'a mut Outgoing,
    pub(super) server_in: &'a mut Incoming,
    pub(super) server_out: &'a mut Outgoing,
}

/// Serves a client to its end, and tells of it.
pub(super) async fn serve(shared: &Arc<Shared>, client: Client) {
    let begun = tokio::time::Instant::now();
    let mut told = Told::default();
    told.add("peer", client.peer);
    told.add("certificate", &client.name);
    let meter = Meter::new(shared.config.idle, shared.config.pace);
    let Divided { mut outer, inner, mut ended, sent } = client.connection;
    let done = {
        let work = request(shared, &meter, &client.name, &mut outer, inner, &mut told);
        let mut gone = ended.clone();
        tokio::select! {
            biased;
            done = work => done,
            () = gone.gone() => Err(Broken::Gone(Side::Client, "it closed the connection".into())),
        }
    };
    let [request, reply] = meter.bytes();
    for (direction, bytes) in [("request", request), ("reply", reply)] {
        let label = format!("direction=\"{direction}\"");
        shared.figures.add("bytes_total", &label, i64::try_from(bytes).unwrap_or(i64::MAX));
    }
    told.add("request-bytes", request);
    told.add("reply-bytes", reply);
    told.add("ms", begun.elapsed().as_millis());
    let outcome = match &done {
        Ok(()) => "answered",
        Err(Broken::NoServer(_)) => "no-server",
        Err(_) => "failed",
    };
    shared.figures.add("requests_total", &format!("outcome=\"{outcome}\""), 1);
    told.add("outcome", outcome);
    if let Err(error) = &done {
        told.add("reason", crate::base::chain(error));
    }
    let values = told.0.iter().map(|(name, value)| (*name, value as &dyn std::fmt::Display));
    shared.log.event("request", &values.collect::<Vec<_>>());
    close(outer, &mut ended, sent, done.is_ok()).await;
}

/// Ends a client's connection so that it gets everything: whoever closes with bytes unread has the system discard what is
/// still to be sent.
async fn close(mut outer: Channel, ended: &mut Ended, sent: Sent, answered: bool) {
    if answered {
        drop(timeout(CLOSING, outer.outgoing.shutdown()).await);
        drop(outer.outgoing);
        drop(timeout(CLOSING, sent.wait()).await);
        drop(timeout(CLOSING, ended.wait()).await);
    }
}

async fn request(
    shared: &Arc<Shared>,
    meter: &Meter,
    user: &str,
    outer: &mut Channel,
    mut inner: Channel,
    told: &mut Told,
) -> Result<(), Broken> {
    let asked = read_head(shared, outer).await?;
    meter.count(Side::Client, asked.head.len());
    told.add("op", asked.operation.name);
    for (name, field) in [("user", "user"), ("key", "key"), ("name", "name")] {
        if let Ok(Some(text)) = asked.fields.optional_text(field) {
            told.add(name, text);
        }
    }
    told.add("payload", asked.payload);
    let wishes = Wishes::of(&asked.fields).map_err(|error| Broken::Fields(Side::Client, error))?;
    let desk = Desk::new(&shared.config.koji, &asked.fields, user);
    if wishes.imports() && asked.operation.name.starts_with("sign-rpm") {
        // Before anything is signed in vain.
        desk.is_open().map_err(Broken::Koji)?;
    }
    let limit = shared.config.wait;
    let since = tokio::time::Instant::now();
    let waiting = async {
        // Of those who wait, the one that came first is served first.
        let place = shared.room.clone().acquire_owned().await.ok()?;
        for _ in 0..TRIES {
            let mut server = shared.pool.take().await;
            if meter.write(&mut server.connection.outer.outgoing, Side::Server, &asked.head).await.is_ok() {
                return Some((place, server));
            }
        }
        None
    };
    let found = timeout(limit, waiting).await.ok().flatten();
    let (place, server) = found.ok_or(Broken::NoServer(limit))?;
    told.add("server", &server.name);
    told.add("waited-ms", since.elapsed().as_millis());
    let channels = (outer, &mut inner, server);
    let passed = pass(shared, meter, (&asked, wishes), channels, &desk, told).await;
    desk.close().await;
    drop(place);
    passed
}

/// Reads the head of a request and judges it.
async fn read_head(shared: &Shared, outer: &mut Channel) -> Result<Asked, Broken> {
    let limit = shared.config.handshake;
    let incoming = &mut outer.incoming;
    let (version, fields, raw, payload) = Meter::within(limit, Side::Client, "a request", async {
        let version = read_u32(incoming).await?;
        if version != VERSION {
            return Ok((version, Fields::default(), Default::default(), 0));
        }
        let (fields, raw) = read_fields(incoming).await?;
        Ok((version, fields, raw, read_u64(incoming).await?))
    })
    .await?;
    let form = |what: String| Broken::Form(Side::Client, what);
    if version != VERSION {
        return Err(form(format!("version {version} of the protocol")));
    }
    let wrong = |error| Broken::Fields(Side::Client, error);
    let name = fields.text("op").map_err(wrong)?;
    let operation = Operation::find(name).ok_or_else(|| form(format!("the operation '{name}'")))?;
    fields.text("user").map_err(wrong)?;
    operation.check(&fields).map_err(wrong)?;
    if payload > operation.payload {
        let most = operation.payload;
        return Err(form(format!("a payload of {payload} bytes, where {most} are the most")));
    }
    let head = [&VERSION.to_be_bytes()[..], &raw].concat();
    Ok(Asked { operation, fields, head, payload })
}

async fn pass(
    shared: &Shared,
    meter: &Meter,
    (asked, wishes): (&Asked, Wishes),
    (client, client_inner, server): (&mut Channel, &mut Channel, Server),
    desk: &Desk,
    told: &mut Told,
) -> Result<(), Broken> {
    let Divided { outer: mut server, inner: mut server_inner, .. } = server.connection;
    let is_single = asked.operation.name == "sign-rpm";
    let payload = async {
        let to = &mut server.outgoing;
        if is_single && asked.payload == 0 && asked.fields.get("rpm-name").is_some() {
            return fetch(shared, meter, desk, &asked.fields, to, wishes.headers_only).await.map(drop);
        }
        meter.write(to, Side::Server, &asked.payload.to_be_bytes()).await?;
        let (from, to) = ((&mut client.incoming, Side::Client), (to, Side::Server));
        meter.payload(from, Some(to), asked.payload).await
    };
    let there = (&mut client_inner.incoming, Side::Client);
    let here = (&mut server_inner.incoming, Side::Server);
    let secrets = async {
        tokio::try_join!(
            meter.secrets(there, (&mut server_inner.outgoing, Side::Server)),
            meter.secrets(here, (&mut client_inner.outgoing, Side::Client)),
        )
    };
    {
        tokio::pin!(payload, secrets);
        let all_sent = tokio::select! {
            sent = &mut payload => sent.map(|()| true)?,
            said = &mut secrets => said.map(|_| false)?,
        };
        if all_sent {
            let limit = shared.config.secrets;
            let said = timeout(limit, secrets).await;
            said.map_err(|_| Broken::Silent(Side::Server, limit, "the inner connection"))??;
        } else {
            payload.await?;
        }
    }
    let wires = Wires {
        client_in: &mut client.incoming,
        client_out: &mut client.outgoing,
        server_in: &mut server.incoming,
        server_out: &mut server.outgoing,
    };
    reply(shared, meter, (asked, wishes), wires, desk, told).await
}

/// Passes on the reply, and the parts of `sign-rpms` behind it.
async fn reply(
    shared: &Shared,
    meter: &Meter,
    (asked, wishes): (&Asked, Wishes),
    mut wires: Wires<'_>,
    desk: &Desk,
    told: &mut Told,
) -> Result<(), Broken> {
    let limit = shared.config.answer;
    let from = &mut *wires.server_in;
    let (code, raw, mac) = Meter::within(limit, Side::Server, "an answer", async {
        let code = read_u32(from).await?;
        let (_, raw) = read_fields(from).await?;
        Ok((code, raw, read_mac(from).await?))
    })
    .await?;
    told.add("code", code);
    let head = [&code.to_be_bytes()[..], &raw, &mac].concat();
    meter.count(Side::Server, head.len());
    meter.write(wires.client_out, Side::Client, &head).await?;
    let is_ok = code == Code::Ok.number();
    let package = (asked.operation.name == "sign-rpm" && is_ok).then_some((wishes, &asked.fields));
    let rest = reply_payload(shared, meter, package, &mut wires, desk).await;
    match rest {
        // A client reads nothing behind the head of a refusal, and not every server sends anything.
        Err(_) if !is_ok => return Ok(()),
        rest => rest?,
    }
    if is_ok && asked.operation.name == "sign-rpms" {
        let (asked, answered) = relay(shared, meter, wishes, wires, desk).await?;
        told.add("packages", asked);
        told.add("packages-answered", answered);
    }
    Ok(())
}

async fn reply_payload(
    shared: &Shared,
    meter: &Meter,
    package: Option<(Wishes, &Fields)>,
    wires: &mut Wires<'_>,
    desk: &Desk,
) -> Result<(), Broken> {
    let from = &mut *wires.server_in;
    let limit = shared.config.answer;
    let size = Meter::within(limit, Side::Server, "a payload", read_u64(from)).await?;
    if let Some(package) = package {
        signed(shared, meter, desk, package, (from, size), wires.client_out).await?;
    } else {
        meter.write(wires.client_out, Side::Client, &size.to_be_bytes()).await?;
        let to = (&mut *wires.client_out, Side::Client);
        meter.payload((from, Side::Server), Some(to), size).await?;
    }
    let mac: [u8; MAC] = Meter::within(limit, Side::Server, "a proof", read_mac(wires.server_in)).await?;
    meter.write(wires.client_out, Side::Client, &mac).await
}
