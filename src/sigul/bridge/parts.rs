//! Packages: fetched and given back on behalf of Koji, and the parts of `sign-rpms` in both directions at once.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::Shared;
use super::flow::{Broken, Meter, Side};
use super::koji::{Desk, INTRO, LARGEST_HEADER, header_length, nevra};
use super::pair::Wires;
use crate::rpm::headers::LEAD;
use crate::sigul::stream::{Incoming, Outgoing, read_fields, read_mac, read_u64};
use crate::sigul::wire::operation::PART;
use crate::sigul::wire::{Fields, FieldsError, MAC};

/// The most parts of one request.
const MOST: usize = 100_000;
/// The most bytes of a part's id; sigul's have 4.
const LONGEST_ID: usize = 16;
/// What each package counts at least, and its multiples.
const BLOCK: u64 = 4096;

/// Fetches a package and passes it on in place of a payload. Where it cannot be had, an empty payload goes on: the
/// server refuses it, and its answer is one that the client believes. Gives the number of bytes.
pub(super) async fn fetch(
    shared: &Shared,
    meter: &Meter,
    desk: &Desk,
    fields: &Fields,
    to: &mut Outgoing,
    headers_only: bool,
) -> Result<u64, Broken> {
    let mut download = match desk.open(fields, headers_only).await {
        Ok(download) => download,
        Err(error) => {
            let reason = crate::base::chain(&error);
            shared.log.event("koji-not-fetched", &[("package", &nevra(fields)), ("reason", &reason)]);
            meter.write(to, Side::Server, &0_u64.to_be_bytes()).await?;
            return Ok(0);
        }
    };
    let size = download.size;
    meter.write(to, Side::Server, &size.to_be_bytes()).await?;
    let mut left = size;
    while let Some(piece) = download.next(left).await.map_err(Broken::Fetch)? {
        meter.count(Side::Client, piece.len());
        meter.write(to, Side::Server, &piece).await?;
        left -= piece.len() as u64;
    }
    shared.log.event("koji-fetched", &[("package", &nevra(fields)), ("bytes", &size)]);
    Ok(size)
}

/// What is to be done with signed packages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wishes {
    import: bool,
    returned: bool,
    pub(super) headers_only: bool,
}

impl Wishes {
    pub(super) fn of(fields: &Fields) -> Result<Self, FieldsError> {
        Ok(Self {
            import: fields.is_set("import-signature")?,
            returned: fields.optional_bool("return-data")?.unwrap_or(true),
            headers_only: fields.is_set("head-signing")?,
        })
    }

    /// Whether a hub is needed whatever the packages are.
    pub(super) fn imports(self) -> bool {
        self.import
    }
}

/// Passes on a signed package of so many bytes as the request wishes it; its signature goes to Koji first.
pub(super) async fn signed(
    shared: &Shared,
    meter: &Meter,
    desk: &Desk,
    (wishes, fields): (Wishes, &Fields),
    (from, size): (&mut Incoming, u64),
    to: &mut Outgoing,
) -> Result<(), Broken> {
    let mut start = Vec::new();
    if wishes.import && size > 0 {
        let header = read_header(meter, from, size, wishes.headers_only, &mut start).await?;
        let header = start.get(header..).unwrap_or_default();
        let (sigkey, sighash) = desk.import(fields, header).await.map_err(Broken::Koji)?;
        shared.figures.add("koji_signatures_total", "", 1);
        let values: &[(&str, &dyn std::fmt::Display)] =
            &[("package", &nevra(fields)), ("sigkey", &sigkey), ("sighash", &sighash)];
        shared.log.event("koji-signature", values);
    }
    let rest = size - start.len() as u64;
    let given = if wishes.returned { size } else { 0 };
    meter.write(to, Side::Client, &given.to_be_bytes()).await?;
    if wishes.returned {
        meter.write(to, Side::Client, &start).await?;
    }
    drop(start);
    meter.payload((from, Side::Server), wishes.returned.then_some((to, Side::Client)), rest).await
}

/// Reads the beginning of a signed package up to the end of its signature header, and says where that begins.
async fn read_header(
    meter: &Meter,
    from: &mut Incoming,
    size: u64,
    headers_only: bool,
    start: &mut Vec<u8>,
) -> Result<usize, Broken> {
    let no = || Broken::Form(Side::Server, "a signed package that is none".into());
    let bounded =
        |size: u64| usize::try_from(size).ok().filter(|size| *size <= LARGEST_HEADER).ok_or_else(no);
    if headers_only {
        read_to(meter, from, start, bounded(size)?).await?;
        return Ok(0);
    }
    if size < (LEAD + INTRO) as u64 {
        return Err(no());
    }
    read_to(meter, from, start, LEAD + INTRO).await?;
    let length = start.get(LEAD..).and_then(header_length).ok_or_else(no)?;
    let end = LEAD as u64 + length.next_multiple_of(8) as u64;
    if end > size {
        return Err(no());
    }
    read_to(meter, from, start, bounded(end)?).await?;
    Ok(LEAD)
}

async fn read_to(
    meter: &Meter,
    from: &mut Incoming,
    start: &mut Vec<u8>,
    wanted: usize,
) -> Result<(), Broken> {
    let have = start.len();
    start.resize(wanted, 0);
    let rest = start.get_mut(have..).unwrap_or_default();
    meter.count(Side::Server, rest.len());
    Meter::within(meter.idle, Side::Server, "a package", async { Ok(from.read_exact(rest).await.map(drop)?) })
        .await
}

/// The parts that were asked for.
#[derive(Debug, Default)]
struct Asked {
    /// By id; none where the answer came.
    parts: BTreeMap<Vec<u8>, Option<Fields>>,
    answered: u64,
}

/// Passes on the parts of `sign-rpms` in both directions until the server ends them. Gives how many were asked for and
/// how many were answered.
pub(super) async fn relay(
    shared: &Shared,
    meter: &Meter,
    wishes: Wishes,
    wires: Wires<'_>,
    desk: &Desk,
) -> Result<(u64, u64), Broken> {
    let Wires { client_in, client_out, server_in, server_out } = wires;
    let asked = Mutex::new(Asked::default());
    let requests = async {
        requests(shared, meter, wishes, (client_in, server_out), desk, &asked).await?;
        // The answers decide when it is over.
        std::future::pending::<Result<(), Broken>>().await
    };
    let replies = replies(shared, meter, wishes, (server_in, client_out), desk, &asked);
    let done = tokio::select! {
        done = requests => done,
        done = replies => done,
        silent = meter.silence(shared.config.answer) => Err(silent),
    };
    let asked = asked.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.map(|()| (asked.parts.len() as u64, asked.answered))
}

/// The next part's fields and their bytes with the HMAC; none at the end.
async fn read_part(
    meter: &Meter,
    from: &mut Incoming,
    side: Side,
) -> Result<Option<(Fields, Vec<u8>)>, Broken> {
    let mut first = [0];
    // How long nothing may come is watched for both directions together.
    if from.read(&mut first).await.map_err(|error| Broken::Gone(side, error.to_string()))? == 0 {
        return Ok(None);
    }
    let (fields, raw, mac) = Meter::within(meter.idle, side, "the head of a part", async {
        let (fields, raw) = read_fields(&mut (&first[..]).chain(&mut *from)).await?;
        Ok((fields, raw, read_mac(from).await?))
    })
    .await?;
    let head = [&raw[..], &mac].concat();
    meter.count(side, head.len());
    Ok(Some((fields, head)))
}

async fn requests(
    shared: &Shared,
    meter: &Meter,
    wishes: Wishes,
    (from, to): (&mut Incoming, &mut Outgoing),
    desk: &Desk,
    asked: &Mutex<Asked>,
) -> Result<(), Broken> {
    let form = |what: &str| Broken::Form(Side::Client, what.into());
    let most = shared.config.package_bytes;
    let mut sum = 0_u64;
    while let Some((fields, head)) = read_part(meter, from, Side::Client).await? {
        PART.check(&fields).map_err(|error| Broken::Fields(Side::Client, error))?;
        let size = Meter::within(meter.idle, Side::Client, "a payload", read_u64(from)).await?;
        sum = size.checked_next_multiple_of(BLOCK).and_then(|size| sum.checked_add(size)).unwrap_or(u64::MAX);
        if size > PART.payload || sum > most {
            return Err(form("more packages than one request may have"));
        }
        {
            let id = fields.get("id").unwrap_or_default().to_vec();
            let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
            if id.is_empty() || id.len() > LONGEST_ID || asked.parts.len() >= MOST {
                return Err(form("a part whose id is not usable"));
            }
            if asked.parts.insert(id, Some(fields.clone())).is_some() {
                return Err(form("two parts with one id"));
            }
        }
        meter.write(to, Side::Server, &head).await?;
        if size == 0 && fields.get("rpm-name").is_some() {
            let fetched = fetch(shared, meter, desk, &fields, to, wishes.headers_only).await?;
            sum = sum.saturating_add(fetched);
            if sum > most {
                return Err(form("more packages than one request may have"));
            }
        } else {
            meter.write(to, Side::Server, &size.to_be_bytes()).await?;
            meter.payload((&mut *from, Side::Client), Some((&mut *to, Side::Server)), size).await?;
        }
        let mac: [u8; MAC] = Meter::within(meter.idle, Side::Client, "a proof", read_mac(from)).await?;
        meter.write(to, Side::Server, &mac).await?;
    }
    to.shutdown().await.map_err(|error| Broken::Gone(Side::Server, error.to_string()))
}

async fn replies(
    shared: &Shared,
    meter: &Meter,
    wishes: Wishes,
    (from, to): (&mut Incoming, &mut Outgoing),
    desk: &Desk,
    asked: &Mutex<Asked>,
) -> Result<(), Broken> {
    let wrong = |error| Broken::Fields(Side::Server, error);
    while let Some((fields, head)) = read_part(meter, from, Side::Server).await? {
        let id = fields.bytes("id").map_err(wrong)?;
        fields.u32("status").map_err(wrong)?;
        let part = {
            let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
            let part = asked.parts.get_mut(id).and_then(Option::take);
            asked.answered += 1;
            part
        };
        let no = || Broken::Form(Side::Server, "an answer to a part that was not asked for".into());
        let part = part.ok_or_else(no)?;
        meter.write(to, Side::Client, &head).await?;
        let size = Meter::within(meter.idle, Side::Server, "a payload", read_u64(from)).await?;
        signed(shared, meter, desk, (wishes, &part), (&mut *from, size), to).await?;
        let mac: [u8; MAC] = Meter::within(meter.idle, Side::Server, "a proof", read_mac(from)).await?;
        meter.write(to, Side::Client, &mac).await?;
    }
    Ok(())
}
