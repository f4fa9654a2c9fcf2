//! `oracle/sigul`: recorded requests and replies of sigul, decoded and encoded again, with every digest and HMAC.

use std::fs;
use std::time::Duration;

use gander::sigul::stream::{Divided, divide};
use gander::sigul::wire::chunk::{self, Stream};
use gander::sigul::wire::operation::PART;
use gander::sigul::wire::proof::sha512;
use gander::sigul::wire::{Code, Fields, MAC, Mac, Operation, Proof, VERSION};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Tally, folder};

fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap().as_bytes();
    let digit = |byte: u8| (byte as char).to_digit(16).unwrap() as u8;
    text.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Takes `length` bytes off the front.
fn take<'a>(rest: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    let (piece, behind) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = behind;
    Some(piece)
}

/// Fields whose bytes are the same when they are written again.
fn fields(rest: &mut &[u8]) -> Result<(Fields, Vec<u8>), String> {
    let before = *rest;
    let missing_in_all = Fields::missing(before);
    if missing_in_all != 0 {
        return Err(format!("{missing_in_all} bytes seem to be missing"));
    }
    let (fields, behind) = Fields::split(before).map_err(|error| error.to_string())?;
    let raw = before[..before.len() - behind.len()].to_vec();
    if *fields.encode().map_err(|error| error.to_string())? != raw {
        return Err("fields are written otherwise".into());
    }
    *rest = behind;
    Ok((fields, raw))
}

/// What a test says where two things differ.
fn same<T: PartialEq>(what: &str, one: T, other: T) -> Result<(), String> {
    if one == other { Ok(()) } else { Err(format!("{what} differs")) }
}

/// The recorded fields are those that were read.
fn recorded(fields: &Fields, recorded: &Value) -> Result<(), String> {
    let recorded = recorded.as_array().unwrap();
    let keys: Vec<&str> = recorded.iter().map(|field| field[0].as_str().unwrap()).collect();
    same("the order of fields", fields.keys().collect::<Vec<_>>(), keys)?;
    for field in recorded {
        let key = field[0].as_str().unwrap();
        same(key, fields.get(key), Some(&bytes(&field[1])[..]))?;
    }
    Ok(())
}

/// One side's parts of `sign-rpms`, one behind the other.
fn parts(
    mut rest: &[u8],
    recorded_parts: &Value,
    [mut header_key, mut payload_key]: [gander::sigul::wire::PartKey; 2],
    asked: bool,
) -> Result<(), String> {
    for part in recorded_parts.as_array().unwrap() {
        let (read, raw) = fields(&mut rest)?;
        recorded(&read, &part["fields"])?;
        if asked {
            PART.check(&read).map_err(|error| error.to_string())?;
        } else {
            same("status", read.u32("status"), Ok(0))?;
        }
        let mut mac = header_key.advance();
        mac.update(&raw);
        let ok = mac.is(take(&mut rest, MAC as u64).ok_or("cut")?);
        same("the HMAC of a part's fields", ok, true)?;
        let length = u64::from_be_bytes(take(&mut rest, 8).ok_or("cut")?.try_into().unwrap());
        same("a part's length", length, part["payload_len"].as_u64().unwrap())?;
        let mut mac = payload_key.advance();
        mac.update(take(&mut rest, length).ok_or("cut")?);
        let ok = mac.is(take(&mut rest, MAC as u64).ok_or("cut")?);
        same("the HMAC of a part's payload", ok, true)?;
    }
    same("what follows the parts", rest.len(), 0)
}

fn check(vector: &Value) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    // What was asked.
    let outer = bytes(&vector["request_outer_plain"]);
    let mut rest = &outer[..];
    same("the version", take(&mut rest, 4).ok_or("cut")?, &VERSION.to_be_bytes()[..])?;
    let (asked, raw) = fields(&mut rest)?;
    recorded(&asked, &vector["request_outer_fields"])?;
    let header = [&VERSION.to_be_bytes()[..], &raw].concat();
    same("the header", &header, &bytes(&vector["request_header"]))?;
    let operation = Operation::find(asked.text("op").map_err(|error| text(&error))?);
    operation.ok_or("an operation that is not known")?.check(&asked).map_err(|error| text(&error))?;
    let length = u64::from_be_bytes(take(&mut rest, 8).ok_or("cut")?.try_into().unwrap());
    same("the payload's length", length, vector["request_payload_len"].as_u64().unwrap())?;
    let payload = sha512(take(&mut rest, length).ok_or("cut")?);
    same("what follows the payload", rest, &bytes(&vector["request_rest_after_payload"])[..])?;

    // What went past the bridge.
    let inner = bytes(&vector["request_inner_plain"]);
    let (secrets, _) = fields(&mut &inner[..])?;
    recorded(&secrets, &vector["request_inner_fields"])?;
    let proof = Proof::read(&secrets, &header, &payload, false).map_err(|error| text(&error))?;
    let keys = [&proof.header_key[..], &proof.payload_key[..]];
    let mut again = Fields::default();
    let order: Vec<&str> = secrets.keys().collect();
    for key in order {
        if !key.ends_with("-auth-sha512") && !["header-auth-key", "payload-auth-key"].contains(&key) {
            again.set(key, secrets.get(key).unwrap());
        }
    }
    let request = gander::sigul::wire::RequestHeader { fields: asked };
    Proof::write(&mut again, &request, &payload, keys).map_err(|error| text(&error))?;
    same("the inner fields written again", &again.encode().unwrap()[..], &inner[..])?;
    for (name, changed) in [("header", [1; MAC].as_slice()), ("payload", &[2; MAC])] {
        let broken = secrets.clone().with(&format!("{name}-auth-sha512"), changed);
        same("another digest's verdict", Proof::read(&broken, &header, &payload, false).is_err(), true)?;
    }

    // What was answered.
    let reply = bytes(&vector["reply_outer_plain"]);
    let Some(code) = vector["reply_code"].as_u64() else { return same("the reply", reply.len(), 0) };
    let mut rest = &reply[..];
    let head = take(&mut rest, 4).ok_or("cut")?;
    let number = u32::from_be_bytes(head.try_into().unwrap());
    same("the code", u64::from(number), code)?;
    let known = Code::of(number).ok_or("a code that is not known")?;
    let (answered, raw) = fields(&mut rest)?;
    recorded(&answered, &vector["reply_fields"])?;
    let whole = gander::sigul::wire::Reply { code: known, fields: answered }.encode().unwrap();
    same("the reply's head written again", &whole[..], &[head, &raw].concat()[..])?;
    let mac = take(&mut rest, MAC as u64).ok_or("cut")?;
    same("the HMAC of the reply's head", &Mac::of(&proof.header_key, &whole)[..], mac)?;
    if rest.is_empty() {
        // A client stops reading there, once it knows that the request failed.
        return same("the code of a reply without payload", code == 0, false);
    }
    let length = u64::from_be_bytes(take(&mut rest, 8).ok_or("cut")?.try_into().unwrap());
    let payload = take(&mut rest, length).ok_or("cut")?;
    if rest.len() >= MAC {
        let mac = take(&mut rest, MAC as u64).ok_or("cut")?;
        same("the HMAC of the reply's payload", &Mac::of(&proof.payload_key, payload)[..], mac)?;
    }

    if let Some(asked) = vector.get("subrequests").filter(|parts| parts.is_array()) {
        let [a, b, c, d] = Proof::parts(&secrets).map_err(|error| text(&error))?;
        parts(&bytes(&vector["request_rest_after_payload"]), asked, [a, b], true)?;
        parts(rest, &vector["subreplies"], [c, d], false)?;
    }
    Ok(())
}

#[test]
fn recorded_operations_byte_for_byte() {
    let Some(root) = folder("GANDER_ORACLE", "sigul") else { return };
    let mut tally = Tally::new("sigul: requests and replies");
    let mut sorted = Tally::new("sigul: connections divided into their streams");
    #[allow(clippy::disallowed_methods, reason = "sorted below")]
    let entries = fs::read_dir(root.join("sigul/vectors")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let vector: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        tally.case(&name, check(&vector).err());
        if vector["tls_chunkstream"].is_array() {
            sorted.case(&name, runtime().block_on(divided(&vector)).err());
        }
    }
    tally.finish();
    sorted.finish();
}

/// Each direction of a recorded connection, written byte by byte and all at once, comes out as the two streams.
async fn divided(vector: &Value) -> Result<(), String> {
    for (direction, wanted) in [("send", "request_outer_plain"), ("recv", "reply_outer_plain")] {
        let chunks = vector["tls_chunkstream"].as_array().unwrap();
        let of = chunks.iter().filter(|chunk| chunk[0] == direction);
        let all: Vec<u8> = of.flat_map(|chunk| bytes(&chunk[1])).collect();
        let inner = inner_of(&all);
        for step in [1, 7, all.len().max(1)] {
            let (near, mut far) = tokio::io::duplex(1 << 16);
            let all = all.clone();
            // What is recorded may end without the ends of its streams.
            let writing = async move {
                for piece in all.chunks(step) {
                    far.write_all(piece).await.unwrap();
                }
            };
            let (mut outer_read, mut inner_read) = (Vec::new(), Vec::new());
            let Divided { outer, inner: inner_channel, .. } = divide(near, Duration::from_secs(5));
            let (mut outer, mut inner_channel) = (outer.incoming, inner_channel.incoming);
            let read = (outer.read_to_end(&mut outer_read), inner_channel.read_to_end(&mut inner_read));
            drop(tokio::join!(writing, read.0, read.1));
            // A client does not read what follows the head of a failure.
            let wanted = bytes(&vector[wanted]);
            let failure = direction == "recv" && vector["reply_code"] != 0;
            let outer_read = if failure { outer_read.get(..wanted.len()) } else { Some(&outer_read[..]) };
            same("the outer stream", outer_read, Some(&wanted[..]))?;
            same("the inner stream", &inner_read, &inner)?;
        }
    }
    Ok(())
}

/// The inner stream of some chunks.
fn inner_of(mut chunks: &[u8]) -> Vec<u8> {
    let mut inner = Vec::new();
    while let Some(head) = take(&mut chunks, chunk::HEAD as u64) {
        let (stream, length) = chunk::parse(head.try_into().unwrap());
        let piece = take(&mut chunks, length.into()).unwrap_or_default();
        if stream == Stream::Inner {
            inner.extend_from_slice(piece);
        }
    }
    inner
}
