//! Requests that sigul's own client sent, byte for byte, and the replies that sigul's own server gave
//! (`GANDER_ORACLE`/sigul/vectors).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use gander::sigul::stream::{divide, read_fields, read_mac, read_u32, read_u64};
use gander::sigul::wire::{Fields, Mac, Proof};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::asking::{Ask, soon};
use super::world::{PASSWORD, World};

fn bytes(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    (0..text.len() / 2)
        .map(|place| u8::from_str_radix(&text[2 * place..2 * place + 2], 16).unwrap())
        .collect()
}

fn fields(list: &Value) -> Fields {
    list.as_array()
        .into_iter()
        .flatten()
        .fold(Fields::default(), |fields, field| fields.with(field[0].as_str().unwrap(), bytes(&field[1])))
}

fn vectors() -> Option<BTreeMap<String, Value>> {
    let Some(folder) = std::env::var_os("GANDER_ORACLE") else {
        println!("SKIPPED requests_of_sigul_are_answered_as_by_sigul: GANDER_ORACLE names no folder");
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "GANDER_ORACLE is missing");
        return None;
    };
    let folder = PathBuf::from(folder).join("sigul/vectors");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| {
        let value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        (path.file_name().unwrap().to_string_lossy().into_owned(), value)
    };
    Some(entries.map(read).collect())
}

/// Makes that there is what the request needs: its user, the key, and whom it speaks of.
fn prepare(world: &World, asked: &Fields, inner: &Fields, code: Option<u64>) {
    let text = |fields: &Fields, name: &str| {
        fields.get(name).map(|value| String::from_utf8(value.to_vec()).unwrap())
    };
    let user = text(asked, "user").unwrap();
    let operation = text(asked, "op").unwrap();
    let issued = world.authority.issue(&user, 30).unwrap();
    super::world::issue(world.folder.path(), &user, &issued);
    let admin =
        |operation: &str| Ask::new("root", operation).secret("password", PASSWORD).certificate("root");
    let run = |ask: Ask, good: &[u32]| {
        let got = world.ask(&ask).unwrap();
        assert!(good.contains(&got.code), "{:?} {got:?}", ask.fields.get("op"));
    };
    // Whoever asks is an administrator with the password of the request, where that is right.
    let password = text(inner, "password").filter(|_| code != Some(3));
    run(admin("new-user").field("name", &user).field("admin", [1]), &[0, 4]);
    if let Some(key) = text(asked, "key").filter(|_| !["new-key", "import-key"].contains(&operation.as_str()))
    {
        let passphrase = text(inner, "passphrase").filter(|_| code != Some(3)).unwrap_or("another".into());
        let ask = admin("new-key").field("key", &key).field("initial-key-admin", &user);
        if code != Some(8) {
            run(ask.secret("passphrase", &passphrase), &[0]);
        }
    }
    if let Some(name) = text(asked, "name").filter(|_| operation != "new-user" && code != Some(5)) {
        run(admin("new-user").field("name", &name), &[0, 4]);
    }
    if operation == "new-user" && code == Some(0) {
        let name = text(asked, "name").unwrap();
        run(admin("modify-user").field("name", &name).field("new-name", "somebody else"), &[0, 5]);
    }
    if let Some(password) = password {
        let ask = admin("modify-user").field("name", &user).secret("new-password", &password);
        run(ask, &[0]);
    }
}

/// What can be compared of a reply: code, names of fields, whether there is a payload; then the same of each part.
type Layout = (u32, Vec<String>, bool, Vec<(Vec<u8>, u32, bool)>);

fn names(fields: &Fields) -> Vec<String> {
    // Words for people are our own; sigul has none for most refusals.
    fields.keys().filter(|name| *name != "message").map(str::to_owned).collect()
}

fn layout_of(vector: &Value) -> Layout {
    let parts = vector["subreplies"].as_array().into_iter().flatten().map(|part| {
        let fields = fields(&part["fields"]);
        let size = part["payload_len"].as_u64().unwrap();
        (fields.get("id").unwrap().to_vec(), fields.u32("status").unwrap(), size > 0)
    });
    let code = u32::try_from(vector["reply_code"].as_u64().unwrap()).unwrap();
    // What is not offered here is said plainly; sigul looks at the key first.
    let operation = fields(&vector["request_outer_fields"]).get("op").unwrap().to_vec();
    let code = if operation == b"sign-pe" { 2 } else { code };
    let size = vector["reply_payload_len"].as_u64().unwrap_or(0);
    (code, names(&fields(&vector["reply_fields"])), size > 0, parts.collect())
}

async fn replay(world: &World, vector: &Value) -> Layout {
    let inner = bytes(&vector["request_inner_plain"]);
    let inner_fields = Fields::parse(&inner).unwrap();
    let key = |name| inner_fields.get(name).unwrap();
    let user = fields(&vector["request_outer_fields"]).text("user").unwrap().to_owned();
    let mut streams = divide(world.connection().await, Duration::from_secs(30));
    let outer = &mut streams.outer;
    // All at once, parts too, which sigul's server reads after its reply.
    outer.outgoing.write_all(&bytes(&vector["request_outer_plain"])).await.unwrap();
    world.past(streams.inner, &user, &inner).await.unwrap();
    outer.outgoing.shutdown().await.unwrap();
    let incoming = &mut outer.incoming;
    let code = read_u32(incoming).await.unwrap();
    let (reply, raw) = read_fields(incoming).await.unwrap();
    let head = [&code.to_be_bytes()[..], &raw].concat();
    assert_eq!(read_mac(incoming).await.unwrap(), Mac::of(key("header-auth-key"), &head));
    let mut payload = vec![0; usize::try_from(read_u64(incoming).await.unwrap()).unwrap()];
    incoming.read_exact(&mut payload).await.unwrap();
    assert_eq!(read_mac(incoming).await.unwrap(), Mac::of(key("payload-auth-key"), &payload));
    let mut parts = Vec::new();
    let mut first = [0];
    let mut keys = Proof::parts(&inner_fields).ok();
    while incoming.read(&mut first).await.unwrap() > 0 {
        let [_, _, head_key, payload_key] = keys.as_mut().unwrap();
        let (part, raw) = read_fields(&mut (&first[..]).chain(&mut *incoming)).await.unwrap();
        let mut mac = head_key.advance();
        mac.update(&raw);
        assert!(mac.is(&read_mac(incoming).await.unwrap()));
        let mut payload = vec![0; usize::try_from(read_u64(incoming).await.unwrap()).unwrap()];
        incoming.read_exact(&mut payload).await.unwrap();
        let mut mac = payload_key.advance();
        mac.update(&payload);
        assert!(mac.is(&read_mac(incoming).await.unwrap()));
        parts.push((part.get("id").unwrap().to_vec(), part.u32("status").unwrap(), !payload.is_empty()));
    }
    (code, names(&reply), !payload.is_empty(), parts)
}

#[test]
fn requests_of_sigul_are_answered_as_by_sigul() {
    let Some(vectors) = vectors() else { return };
    assert!(!vectors.is_empty());
    let (mut agreed, mut differ) = (0, Vec::new());
    for (name, vector) in &vectors {
        // Each has a server of its own, since requests change what there is.
        let world = World::new("", "");
        let (asked, inner) =
            (fields(&vector["request_outer_fields"]), fields(&vector["request_inner_fields"]));
        let code = vector["reply_code"].as_u64();
        prepare(&world, &asked, &inner, code);
        let wanted = layout_of(vector);
        let got = world.runtime.block_on(soon(replay(&world, vector)));
        if got == wanted {
            agreed += 1;
        } else {
            differ.push(format!("{name}: sigul {wanted:?}, gander {got:?}"));
        }
    }
    println!("requests of sigul's client: {} compared, {agreed} agreed", vectors.len());
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}
