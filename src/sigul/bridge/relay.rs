//! What the bridge does for one client: finds it a server, looks at its request, passes on what both say.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::super::stream::{
    Channel, Divided, Incoming, Outgoing, StreamError, read_fields, read_mac, read_u32, read_u64,
};
use super::super::wire::operation::PART;
use super::super::wire::{Code, Fields, FieldsError, Operation, VERSION};
use super::Shared;

/// Bytes that are copied at once.
const PIECE: usize = 1 << 16;
/// The most bytes of all packages of one request, as sigul has it.
const LARGEST_PARTS: u64 = 10 << 30;
/// The most bytes of a reply's payload: a signed package, or data that were decrypted.
const LARGEST_REPLY: u64 = 1 << 40;
/// How long the client may take to close when it has everything.
const FAREWELL: Duration = Duration::from_secs(10);

/// Why a pair was parted.
#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error("nothing came from the {0} for too long")]
    Silent(&'static str),
    #[error("the {who} broke off: {source}")]
    Broken { who: &'static str, source: io::Error },
    #[error("version {0} of the protocol is not spoken here")]
    Version(u32),
    #[error("the operation '{0}' is not known")]
    Operation(String),
    #[error("the request is not one of its operation: {0}")]
    Request(#[from] FieldsError),
    #[error("the payload has {size} bytes, more than {limit}")]
    TooLarge { size: u64, limit: u64 },
    #[error("two packages have the same id")]
    SameId,
    #[error("no server is connected")]
    NoServer,
}

/// Serves a client whose handshake is done.
pub(super) async fn client(shared: &Arc<Shared>, client: Divided, name: &str, peer: SocketAddr) {
    let begun = Instant::now();
    let mut seen = Seen::default();
    let done = serve(shared, client, &mut seen).await;
    let (outcome, reason) = match &done {
        Ok(()) => (seen.code.map_or("none".into(), |code| code.to_string()), String::new()),
        Err(error) => ("failed".into(), error.to_string()),
    };
    let operation = seen.operation.unwrap_or("none");
    let label = format!("op=\"{operation}\",outcome=\"{outcome}\"");
    shared.figures.add("requests_total", &label, 1);
    shared.figures.add("payload_bytes_total", "", i64::try_from(seen.bytes).unwrap_or(i64::MAX));
    let milliseconds = begun.elapsed().as_millis();
    let mut values: Vec<(&str, &dyn fmt::Display)> = vec![
        ("peer", &peer),
        ("certificate", &name),
        ("user", &seen.user),
        ("op", &operation),
        ("key", &seen.key),
    ];
    values.extend([("bytes", &seen.bytes as &dyn fmt::Display), ("ms", &milliseconds), ("code", &outcome)]);
    if done.is_err() {
        values.push(("reason", &reason));
    }
    shared.log.event("request", &values);
}

/// What there is to say of a request.
#[derive(Debug, Default)]
struct Seen {
    operation: Option<&'static str>,
    user: String,
    key: String,
    bytes: u64,
    code: Option<u32>,
}

async fn serve(shared: &Arc<Shared>, client: Divided, seen: &mut Seen) -> Result<(), RelayError> {
    let idle = shared.config.idle;
    let Divided { outer: mut from_client, inner: client_inner, ended: mut client_ended } = client;
    // What it wants is looked at before it gets a partner: who says nothing takes none from others.
    let request = timely(shared.config.handshake, "client", read_request(&mut from_client.incoming)).await?;
    seen.operation = Some(request.operation.name);
    seen.user = request.fields.text("user").unwrap_or_default().into();
    seen.key =
        request.fields.get("key").map(|key| String::from_utf8_lossy(key).into_owned()).unwrap_or_default();
    let server = async {
        let place = shared.room.acquire().await.map_err(|_| RelayError::NoServer)?;
        let server = shared.pool.take(shared.config.wait).await.ok_or(RelayError::NoServer)?;
        Ok::<_, RelayError>((server, place))
    };
    let (server, place) = tokio::select! {
        server = server => server?,
        // It did not want to wait.
        () = client_ended.wait() => return Err(RelayError::NoServer),
    };
    shared.figures.add("pairs", "", 1);
    let _count = Count(shared);
    let Divided { outer: mut from_server, inner: server_inner, .. } = server;

    let Channel { incoming: mut inner_of_client, outgoing: mut inner_to_client } = client_inner;
    let Channel { incoming: mut inner_of_server, outgoing: mut inner_to_server } = server_inner;
    let secrets = copy(&mut inner_of_client, &mut inner_to_server, idle, ["client", "server"]);
    let forwards = async {
        let to = &mut from_server.outgoing;
        write(to, idle, "server", &request.head).await?;
        write(to, idle, "server", &request.size.to_be_bytes()).await?;
        copy_exactly(&mut from_client.incoming, to, request.size, idle, ["client", "server"]).await?;
        Ok::<_, RelayError>(request.size)
    };
    let back = async {
        // Clients take nothing of the outer stream before the inner one has ended.
        copy(&mut inner_of_server, &mut inner_to_client, idle, ["server", "client"]).await?;
        pass_reply(&mut from_server.incoming, &mut from_client.outgoing, idle).await
    };
    let ((), size, (code, bytes)) = tokio::try_join!(secrets, forwards, back)?;
    seen.bytes = size + bytes;
    seen.code = Some(code);
    if request.operation.name == "sign-rpms" && code == Code::Ok.number() {
        let asked = pass_parts(&mut from_client.incoming, &mut from_server.outgoing, idle);
        let answered = copy(&mut from_server.incoming, &mut from_client.outgoing, idle, ["server", "client"]);
        let (asked, ()) = tokio::try_join!(asked, answered)?;
        seen.bytes += asked;
    } else {
        drop(from_client.outgoing.shutdown().await);
        drop(from_server.outgoing.shutdown().await);
    }
    drop(place);
    // A connection that is closed while the other side still sends would be reset, with what was not read yet.
    drop(tokio::time::timeout(FAREWELL, client_ended.wait()).await);
    Ok(())
}

/// One pair less when it is dropped.
struct Count<'a>(&'a Arc<Shared>);

impl Drop for Count<'_> {
    fn drop(&mut self) {
        self.0.figures.add("pairs", "", -1);
    }
}

/// The head of a request that may be passed on.
struct Request {
    head: Vec<u8>,
    fields: Fields,
    operation: &'static Operation,
    size: u64,
}

async fn read_request(client: &mut Incoming) -> Result<Request, RelayError> {
    let version = read_u32(client).await?;
    if version != VERSION {
        return Err(RelayError::Version(version));
    }
    let (fields, raw) = read_fields(client).await?;
    let name = fields.text("op")?;
    let operation = Operation::find(name).ok_or_else(|| RelayError::Operation(name.into()))?;
    fields.text("user")?;
    operation.check(&fields)?;
    let size = read_u64(client).await?;
    if size > operation.payload {
        return Err(RelayError::TooLarge { size, limit: operation.payload });
    }
    let head = [&version.to_be_bytes()[..], &raw].concat();
    Ok(Request { head, fields, operation, size })
}

/// Passes a reply on: its code, and the bytes of its payload.
async fn pass_reply(
    server: &mut Incoming,
    client: &mut Outgoing,
    idle: Duration,
) -> Result<(u32, u64), RelayError> {
    let (code, head) = timely(idle, "server", async {
        let code = read_u32(server).await?;
        let mut head = code.to_be_bytes().to_vec();
        // A server that does not know the version says no more than that.
        if code != Code::UnknownVersion.number() {
            head.extend_from_slice(&read_fields(server).await?.1);
            head.extend_from_slice(&read_mac(server).await?);
        }
        Ok((code, head))
    })
    .await?;
    write(client, idle, "client", &head).await?;
    if code == Code::UnknownVersion.number() {
        return Ok((code, 0));
    }
    let size = timely(idle, "server", async { Ok(read_u64(server).await?) }).await?;
    if size > LARGEST_REPLY {
        return Err(RelayError::TooLarge { size, limit: LARGEST_REPLY });
    }
    write(client, idle, "client", &size.to_be_bytes()).await?;
    let rest = size + super::super::wire::MAC as u64;
    copy_exactly(server, client, rest, idle, ["server", "client"]).await?;
    Ok((code, size))
}

/// Passes on what a client asks of `sign-rpms`, package after package; the bytes of all.
async fn pass_parts(client: &mut Incoming, server: &mut Outgoing, idle: Duration) -> Result<u64, RelayError> {
    let (mut ids, mut sum) = (BTreeSet::new(), 0);
    loop {
        let mut first = [0];
        let read = timely(idle, "client", async {
            client.read(&mut first).await.map_err(|error| StreamError::from(error).into())
        });
        if read.await? == 0 {
            // All were sent.
            return shut(server).await.map(|()| sum);
        }
        let (fields, raw) =
            timely(idle, "client", async { Ok(read_fields(&mut (&first[..]).chain(&mut *client)).await?) })
                .await?;
        PART.check(&fields)?;
        if !ids.insert(fields.bytes("id")?.to_vec()) {
            return Err(RelayError::SameId);
        }
        let (mac, size) =
            timely(idle, "client", async { Ok((read_mac(client).await?, read_u64(client).await?)) }).await?;
        sum += size;
        if sum > LARGEST_PARTS {
            return Err(RelayError::TooLarge { size: sum, limit: LARGEST_PARTS });
        }
        let head = [&raw[..], &mac, &size.to_be_bytes()].concat();
        write(server, idle, "server", &head).await?;
        let rest = size + super::super::wire::MAC as u64;
        copy_exactly(client, server, rest, idle, ["client", "server"]).await?;
    }
}

/// Ends what takes too long.
async fn timely<T>(
    patience: Duration,
    who: &'static str,
    work: impl Future<Output = Result<T, RelayError>>,
) -> Result<T, RelayError> {
    tokio::time::timeout(patience, work).await.unwrap_or(Err(RelayError::Silent(who)))
}

async fn write(
    to: &mut (impl AsyncWrite + Unpin),
    idle: Duration,
    who: &'static str,
    bytes: &[u8],
) -> Result<(), RelayError> {
    timely(idle, who, async {
        to.write_all(bytes).await.map_err(|source| RelayError::Broken { who, source })
    })
    .await
}

async fn shut(to: &mut (impl AsyncWrite + Unpin)) -> Result<(), RelayError> {
    to.shutdown().await.map_err(|source| RelayError::Broken { who: "partner", source })
}

/// Copies a stream to its end, and ends the other one.
async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    idle: Duration,
    [source_name, target]: [&'static str; 2],
) -> Result<(), RelayError> {
    let mut buffer = vec![0; PIECE];
    loop {
        let read = timely(idle, source_name, async {
            from.read(&mut buffer).await.map_err(|source| RelayError::Broken { who: source_name, source })
        })
        .await?;
        if read == 0 {
            return shut(to).await;
        }
        write(to, idle, target, buffer.get(..read).unwrap_or_default()).await?;
    }
}

/// Copies so many bytes.
async fn copy_exactly(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    length: u64,
    idle: Duration,
    [source_name, target]: [&'static str; 2],
) -> Result<(), RelayError> {
    let mut buffer = vec![0; usize::try_from(length).unwrap_or(PIECE).min(PIECE)];
    let mut left = length;
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        let part = buffer.get_mut(..most).unwrap_or_default();
        let read = timely(idle, source_name, async {
            from.read(part).await.map_err(|source| RelayError::Broken { who: source_name, source })
        })
        .await?;
        if read == 0 {
            let source = io::ErrorKind::UnexpectedEof.into();
            return Err(RelayError::Broken { who: source_name, source });
        }
        write(to, idle, target, buffer.get(..read).unwrap_or_default()).await?;
        left -= read as u64;
    }
    Ok(())
}
