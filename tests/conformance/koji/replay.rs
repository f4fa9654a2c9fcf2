//! A server that knows recorded calls by what they say and answers them with the recorded bytes. The client derives from
//! it what is written down as expected.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use gander::format::xmlrpc::{Call, read_call};
use gander::koji::{Hub, KojiError, Latest, Profile, Tagged};
use serde::Deserialize;
use serde_json::{Value, json};

use super::exchanges;
use crate::{Tally, folder};

/// Recorded calls and their answers.
struct Recorded(Vec<(Call, Vec<u8>)>);

impl Recorded {
    fn answer(&self, call: &Call) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| known == call).map(|(_, answer)| answer.as_slice())
    }
}

/// Serves recorded answers; gives the address and the calls that nothing was recorded for.
fn serve(recorded: Recorded) -> (String, Arc<Mutex<Vec<Call>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/kojihub", listener.local_addr().unwrap());
    let unknown = Arc::new(Mutex::new(Vec::new()));
    let heard = unknown.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            one(stream.unwrap(), &recorded, &heard);
        }
    });
    (address, unknown)
}

fn one(mut stream: TcpStream, recorded: &Recorded, unknown: &Mutex<Vec<Call>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line).unwrap() > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let call = read_call(&body).unwrap();
    let (status, answer) = match recorded.answer(&call) {
        Some(answer) => ("200 OK", answer),
        None => ("404 Not Found", &b"nothing of the kind was recorded"[..]),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/xml\r\nKoji-Version: 1.35.3\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        answer.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(answer).unwrap();
    if status.starts_with("404") {
        unknown.lock().unwrap().push(call);
    }
}

#[derive(Deserialize)]
struct Expected {
    pairs: Vec<serde_json::Map<String, Value>>,
    rpms: BTreeMap<String, Value>,
    builds: BTreeMap<String, Value>,
}

fn nvra(rpm: &gander::koji::rows::Rpm) -> String {
    format!("{}-{}-{}.{}", rpm.name, rpm.version, rpm.release, rpm.arch)
}

/// What the client says of a pair, with the members of what is expected that the recorded calls can answer.
async fn ask(hub: &Hub, tag: &str, event: Option<i64>, expected: &Expected) -> Result<Value, KojiError> {
    let Some(found) = hub.tag(tag, event).await? else {
        assert!(hub.inheritance(tag, event).await?.is_empty());
        let refused = hub.tagged_builds(tag, &Tagged { event, inherit: true, ..Tagged::default() }).await;
        let refused = refused.unwrap_err();
        let (_, fault) = refused.fault().unwrap();
        return Ok(
            json!({ "tag": tag, "event": event, "fault": { "code": fault.code, "string": fault.text } }),
        );
    };
    let links: Vec<Value> = (hub.inheritance(tag, event).await?.iter())
        .map(|link| {
            json!({
                "currdepth": link.currdepth, "intransitive": link.intransitive, "maxdepth": link.maxdepth,
                "name": link.name, "noconfig": link.noconfig, "parent_id": link.parent_id,
                "pkg_filter": link.pkg_filter, "priority": link.priority,
            })
        })
        .collect();
    let which = Tagged { event, inherit: true, latest: Latest::One, ..Tagged::default() };
    let listed = |builds: Vec<gander::koji::rows::Build>| -> Vec<Value> {
        let row = |build: &gander::koji::rows::Build| {
            json!({
                "build_id": build.build_id, "nvr": build.nvr, "tag_name": build.tag_name,
                "create_event": build.create_event,
            })
        };
        builds.iter().map(row).collect()
    };
    let latest = hub.tagged_builds(tag, &which).await?;
    for build in &latest {
        let known = &expected.builds[&build.build_id.to_string()];
        assert_eq!(known["volume_name"], *build.volume_name, "{}", build.nvr);
        assert_eq!(known["epoch"], json!(build.epoch), "{}", build.nvr);
    }
    let all = hub.tagged_builds(tag, &Tagged { latest: Latest::All, ..which.clone() }).await?;
    let mut rpms = hub.tagged_rpms(tag, &which).await?.0;
    let key = |rpm: &gander::koji::rows::Rpm| {
        (rpm.name.clone(), rpm.epoch, rpm.version.clone(), rpm.release.clone(), rpm.arch.clone())
    };
    rpms.sort_by_key(key);
    let signed = hub.tagged_rpms(tag, &Tagged { signatures: true, ..which }).await?.0;
    let ids: Vec<i64> = rpms.iter().map(|rpm| rpm.id).collect::<BTreeSet<_>>().into_iter().collect();
    let (signatures, checksums) = (hub.signatures(&ids).await?, hub.checksums(&ids).await?);
    for ((id, signatures), checksums) in ids.iter().zip(&signatures).zip(&checksums) {
        let rpm = rpms.iter().find(|rpm| rpm.id == *id).unwrap();
        let known = &expected.rpms[&id.to_string()];
        assert_eq!(known["payloadhash"], *rpm.payloadhash);
        assert_eq!(known["size"], rpm.size);
        let keys: BTreeSet<&str> = signatures.iter().map(|one| &*one.sigkey).collect();
        let of_rows: BTreeSet<&str> =
            signed.iter().filter(|one| one.id == *id).filter_map(|one| one.sigkey.as_deref()).collect();
        assert_eq!(keys, of_rows);
        assert_eq!(known["sigkeys"], json!(keys), "{}", nvra(rpm));
        for (key, copy) in known["copies"].as_object().unwrap() {
            let digests = &checksums[key.as_str()];
            assert_eq!(copy["sha256"], *digests["sha256"], "{} {key}", nvra(rpm));
            assert_eq!(copy["md5"], *digests["md5"], "{} {key}", nvra(rpm));
            let build = latest.iter().find(|build| Some(build.build_id) == rpm.build_id).unwrap();
            let path = gander::koji::paths::BuildPath::from(build);
            // A package that came signed has no copy of its own below the key.
            let primary = path.rpm(rpm).unwrap();
            let of_key = if key.is_empty() { primary.clone() } else { path.signed(rpm, key).unwrap() };
            assert!(copy["path"] == of_key.as_str() || copy["path"] == primary.as_str(), "{copy} {of_key}");
            assert_eq!(known["primary"]["path"], primary.as_str());
        }
    }
    let rpms: Vec<Value> = rpms.iter().map(|rpm| json!({ "id": rpm.id, "nvra": nvra(rpm) })).collect();
    Ok(json!({
        "tag": tag, "event": event, "tag_id": found.id, "arches": found.arches, "inheritance": links,
        "latest_inherited_builds": listed(latest), "all_inherited_builds": listed(all),
        "latest_inherited_rpms": rpms,
    }))
}

#[test]
fn the_client_derives_what_is_expected() {
    let Some(oracle) = folder("GANDER_ORACLE", "the_client_derives_what_is_expected") else { return };
    let koji = oracle.join("koji");
    let expected: Expected = serde_json::from_slice(&fs::read(koji.join("expected.json")).unwrap()).unwrap();
    // The pairs were recorded at one state of the hub, other calls at others.
    let recorded =
        exchanges(&koji.join("transcripts")).into_iter().filter(|(name, ..)| name.starts_with("pair-"));
    let recorded = recorded.map(|(_, request, response)| (read_call(&request).unwrap(), response)).collect();
    let (address, unknown) = serve(Recorded(recorded));
    let hub = Hub::open(&Profile::at(&address)).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut tally = Tally::new("tags at events, through the client");
    for pair in &expected.pairs {
        let tag = pair["tag"].as_str().unwrap();
        let event = pair["event"].as_i64();
        let name = format!("{tag}@{}", pair["event"]);
        let wrong = match runtime.block_on(ask(&hub, tag, event, &expected)) {
            Ok(mut found) => {
                found["event"] = pair["event"].clone();
                let differs = |(member, value): (&String, &Value)| {
                    (pair.get(member) != Some(value))
                        .then(|| format!("{member}: {value}, not {:?}", pair.get(member)))
                };
                found.as_object().unwrap().iter().find_map(differs)
            }
            Err(error) => Some(format!("{error:?}: {:?}", unknown.lock().unwrap())),
        };
        tally.case(&name, wrong);
    }
    tally.finish();
    assert!(unknown.lock().unwrap().is_empty());
}
