//! A hub of Koji in a few lines, with one tag, that can be told to lie, and its files.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use gander::base::Digest;
use gander::base::digest::hex;
use gander::format::xmlrpc::{Arguments, Fault, Value, read_call, write_answer, write_fault};
use gander::openpgp::Hashing;
use gander::rpm::Headers;
use gander::sign::{LocalSigner, Signer as _};
use tempfile::TempDir;

use super::world::{signed, write};

/// An RPM of a build.
pub struct Rpm {
    pub id: i64,
    pub arch: String,
    pub payloadhash: String,
    pub size: i64,
    /// Signature keys with the MD5 of the header, and digests of the copy.
    pub copies: BTreeMap<String, (String, String)>,
}

/// A build of one package.
pub struct Build {
    pub id: i64,
    pub name: String,
    pub version: String,
    /// The event at which it was tagged; none where it is not.
    pub tagged: Option<i64>,
    pub state: i64,
    pub volume: String,
    pub rpms: Vec<Rpm>,
}

/// What the hub has.
#[derive(Default)]
pub struct Koji {
    pub version: String,
    pub last: i64,
    pub builds: Vec<Build>,
    /// Names that are blocked.
    pub blocked: Vec<String>,
    /// Answers to methods that are told by a test.
    pub told: BTreeMap<String, Value>,
}

/// The hub while the test runs.
pub struct Hub {
    pub url: String,
    pub folder: TempDir,
    pub koji: Arc<Mutex<Koji>>,
    asked: Arc<Mutex<Vec<String>>>,
}

/// What Koji's index calls a key.
pub fn sigkey(signer: &LocalSigner) -> String {
    let fingerprint = signer.certificate().fingerprint().to_string();
    fingerprint[fingerprint.len() - 8..].to_lowercase()
}

pub fn md5(bytes: &[u8]) -> String {
    let mut hashing = Hashing::new(Hashing::MD5).unwrap();
    hashing.update(bytes);
    hex(&hashing.finish().unwrap())
}

pub fn signature_header(package: &[u8]) -> Vec<u8> {
    let headers = Headers::read(package).unwrap();
    [headers.signature.bytes(), &headers.padding].concat()
}

impl Hub {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let koji = Koji { version: "1.35.3".into(), last: 10, ..Koji::default() };
        let (koji, asked) = (Arc::new(Mutex::new(koji)), Arc::new(Mutex::new(Vec::new())));
        let (state, seen, files) = (koji.clone(), asked.clone(), folder.path().to_path_buf());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (state, seen, files) = (state.clone(), seen.clone(), files.clone());
                std::thread::spawn(move || drop(serve(&stream, &files, &state, &seen)));
            }
        });
        Self { url, folder, koji, asked }
    }

    /// What was asked for: methods, and paths of files with the range where there is one.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// The path of a file below the hub's files.
    pub fn file(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Imports a build of one package and signs it; its id.
    pub fn import(&self, name: &str, version: &str, package: &[u8], signers: &[&LocalSigner]) -> i64 {
        let arch = Headers::read(package).unwrap().package().unwrap().nevra.arch;
        let mut koji = self.koji.lock().unwrap();
        let id = koji.builds.len() as i64 + 1;
        let folder = format!("packages/{name}/{version}/1");
        let file = format!("{arch}/{name}-{version}-1.{arch}.rpm");
        let headers = Headers::read(package).unwrap();
        let mut copies = BTreeMap::new();
        let mut copy = |sigkey: &str, bytes: &[u8]| {
            let header = signature_header(bytes);
            copies.insert(sigkey.to_owned(), (md5(&header), Digest::of(bytes).hex()));
            let key = if sigkey.is_empty() { String::new() } else { format!("{sigkey}/") };
            write(&self.file(&format!("{folder}/data/sigcache/{key}{file}.sig")), header);
        };
        copy("", package);
        write(&self.file(&format!("{folder}/{file}")), package);
        for signer in signers {
            let bytes = signed(package, signer);
            copy(&sigkey(signer), &bytes);
            write(&self.file(&format!("{folder}/data/signed/{}/{file}", sigkey(signer))), bytes);
        }
        let payloadhash = hex(headers.signature.binary(1004).unwrap().unwrap());
        let size = package.len() as i64;
        let rpms = vec![Rpm { id: id * 100, arch, payloadhash, size, copies }];
        let (name, version, volume) = (name.into(), version.into(), "DEFAULT".into());
        koji.builds.push(Build { id, name, version, tagged: None, state: 1, volume, rpms });
        koji.last += 1;
        id
    }

    /// Tags a build; the event.
    pub fn tag(&self, build: i64) -> i64 {
        let mut koji = self.koji.lock().unwrap();
        koji.last += 1;
        let last = koji.last;
        koji.builds.iter_mut().find(|known| known.id == build).unwrap().tagged = Some(last);
        last
    }
}

impl Koji {
    fn event(id: i64) -> Value {
        members(vec![("id", id.into()), ("ts", Value::Double(1_795_295_000.5 + id as f64))])
    }

    /// The builds that count at an event, of each package the one that was tagged last.
    fn tagged(&self, arguments: &Arguments) -> Vec<&Build> {
        let event = match arguments.keywords.get("event") {
            Some(Value::Int(event)) => *event,
            _ => self.last,
        };
        let in_force = |build: &&Build| {
            build.tagged.is_some_and(|tagged| tagged <= event)
                && build.state == 1
                && !self.blocked.contains(&build.name)
                && match arguments.keywords.get("package") {
                    Some(Value::Text(name)) => *name == build.name,
                    _ => true,
                }
        };
        let mut found: Vec<_> = self.builds.iter().filter(in_force).collect();
        found.sort_by_key(|build| std::cmp::Reverse(build.tagged));
        if arguments.keywords.get("latest") == Some(&Value::Bool(true)) {
            let mut seen = Vec::new();
            found.retain(|build| {
                let new = !seen.contains(&build.name);
                seen.push(build.name.clone());
                new
            });
        }
        found
    }

    fn rpm(&self, arguments: &Arguments) -> Result<&Rpm, Fault> {
        let id = arguments.positional.first().or(arguments.keywords.get("rpm_id"));
        let found =
            self.builds.iter().flat_map(|build| &build.rpms).find(|rpm| Some(&Value::Int(rpm.id)) == id);
        found.ok_or_else(|| Fault { code: 1000, text: format!("No such rpm: {id:?}") })
    }

    fn answer(&self, method: &str, arguments: &Arguments) -> Result<Value, Fault> {
        if let Some(told) = self.told.get(method) {
            return Ok(told.clone());
        }
        let old = |method: &str| Fault { code: 1000, text: format!("Invalid method: {method}") };
        Ok(match method {
            "getKojiVersion" => Value::Text(self.version.clone()),
            "getLastEvent" => Self::event(self.last),
            "getEvent" => match arguments.positional.first() {
                Some(Value::Int(id)) if *id <= self.last => Self::event(*id),
                _ => return Err(Fault { code: 1000, text: "query returned no rows".into() }),
            },
            "getTag" => match arguments.positional.first() {
                Some(Value::Int(1)) => tag(),
                Some(Value::Text(name)) if name == "birds" => tag(),
                _ => Value::Nil,
            },
            "getFullInheritance" | "getExternalRepoList" => Value::Array(Vec::new()),
            "listPackages" => {
                let mut names: Vec<_> = self.builds.iter().map(|build| build.name.clone()).collect();
                names.sort();
                names.dedup();
                Value::Array(names.iter().map(|name| self.package(name)).collect())
            }
            "listTagged" if arguments.keywords.contains_key("type") => Value::Array(Vec::new()),
            "listTagged" if arguments.keywords.get("draft") == Some(&Value::Bool(true)) => {
                Value::Array(Vec::new())
            }
            "listTaggedRPMS" => {
                let builds = self.tagged(arguments);
                let rpms = builds.iter().flat_map(|build| build.rpms.iter().map(|rpm| rpm_row(build, rpm)));
                let rpms = rpms.rev().collect();
                let builds = builds.iter().map(|build| build_row(build, true)).collect();
                Value::Array(vec![Value::Array(rpms), Value::Array(builds)])
            }
            "getBuild" => {
                let wanted = arguments.positional.first();
                let is = |build: &&Build| Some(&Value::Text(nvr(build))) == wanted;
                self.builds.iter().find(is).map_or(Value::Nil, |build| build_row(build, false))
            }
            "listBuildRPMs" => {
                let wanted = arguments.positional.first();
                let build = self.builds.iter().find(|build| Some(&Value::Int(build.id)) == wanted).unwrap();
                Value::Array(build.rpms.iter().map(|rpm| rpm_row(build, rpm)).collect())
            }
            "queryRPMSigs" => {
                let rpm = self.rpm(arguments)?;
                let row = |(sigkey, (sighash, _)): (&String, &(String, String))| {
                    let (sigkey, sighash) = (sigkey.as_str().into(), sighash.as_str().into());
                    members(vec![("rpm_id", rpm.id.into()), ("sigkey", sigkey), ("sighash", sighash)])
                };
                Value::Array(rpm.copies.iter().map(row).collect())
            }
            "getRPMChecksums" if self.version.as_str() < "1.32" => return Err(old(method)),
            "getRPMChecksums" => {
                let copies = self.rpm(arguments)?.copies.iter();
                let of = |sum: &str| members(vec![("sha256", sum.into()), ("md5", "0".into())]);
                Value::Struct(copies.map(|(sigkey, (_, sum))| (sigkey.clone(), of(sum))).collect())
            }
            "queryHistory" => {
                let rows = self.builds.iter().filter_map(|build| {
                    Some(members(vec![
                        ("name", build.name.as_str().into()),
                        ("version", build.version.as_str().into()),
                        ("release", "1".into()),
                        ("build.state", build.state.into()),
                        ("create_event", build.tagged?.into()),
                        ("revoke_event", if build.state == 2 { self.last.into() } else { Value::Nil }),
                    ]))
                });
                members(vec![("tag_listing", Value::Array(rows.collect()))])
            }
            "multiCall" => {
                let Some(Value::Array(calls)) = arguments.positional.first() else { panic!("{arguments:?}") };
                let answers = calls.iter().map(|call| {
                    let call: gander::format::xmlrpc::Call = call.to_type().unwrap();
                    let method = call.method.clone();
                    match self.answer(&method, &call.arguments()) {
                        Ok(value) => Value::Array(vec![value]),
                        Err(fault) => members(vec![
                            ("faultCode", fault.code.into()),
                            ("faultString", fault.text.as_str().into()),
                            ("traceback", Value::Array(Vec::new())),
                        ]),
                    }
                });
                Value::Array(answers.collect())
            }
            other => return Err(old(other)),
        })
    }

    fn package(&self, name: &str) -> Value {
        members(vec![
            ("tag_id", 1.into()),
            ("tag_name", "birds".into()),
            ("package_id", (name.len() as i64).into()),
            ("package_name", name.into()),
            ("owner_id", 1.into()),
            ("owner_name", "goose".into()),
            ("blocked", self.blocked.iter().any(|blocked| blocked == name).into()),
            ("extra_arches", Value::Nil),
        ])
    }
}

fn nvr(build: &Build) -> String {
    format!("{}-{}-1", build.name, build.version)
}

pub fn members(list: Vec<(&str, Value)>) -> Value {
    Value::Struct(list.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn tag() -> Value {
    members(vec![
        ("id", 1.into()),
        ("name", "birds".into()),
        ("arches", "x86_64".into()),
        ("locked", false.into()),
        ("extra", members(Vec::new())),
    ])
}

fn build_row(build: &Build, tagged: bool) -> Value {
    let mut row = vec![
        ("build_id", build.id.into()),
        ("id", build.id.into()),
        ("nvr", nvr(build).as_str().into()),
        ("package_id", 1.into()),
        ("package_name", build.name.as_str().into()),
        ("name", build.name.as_str().into()),
        ("epoch", Value::Nil),
        ("version", build.version.as_str().into()),
        ("release", "1".into()),
        ("state", build.state.into()),
        ("draft", false.into()),
        ("volume_id", 0.into()),
        ("volume_name", build.volume.as_str().into()),
        ("owner_id", 1.into()),
        ("owner_name", "goose".into()),
        ("task_id", Value::Nil),
        ("creation_event_id", 1.into()),
        ("creation_time", "2026-11-21 21:13:41.544099+00:00".into()),
        ("start_time", Value::Nil),
        ("completion_time", "2026-11-21 21:13:41+00:00".into()),
    ];
    if let (true, Some(event)) = (tagged, build.tagged) {
        row.extend([("tag_id", 1.into()), ("tag_name", "birds".into()), ("create_event", event.into())]);
    }
    members(row)
}

fn rpm_row(build: &Build, rpm: &Rpm) -> Value {
    members(vec![
        ("id", rpm.id.into()),
        ("build_id", build.id.into()),
        ("name", build.name.as_str().into()),
        ("epoch", Value::Nil),
        ("version", build.version.as_str().into()),
        ("release", "1".into()),
        ("arch", rpm.arch.as_str().into()),
        ("payloadhash", rpm.payloadhash.as_str().into()),
        ("size", rpm.size.into()),
        ("buildtime", 1_793_491_200.into()),
        ("buildroot_id", Value::Nil),
        ("metadata_only", false.into()),
        ("draft", false.into()),
    ])
}

fn serve(
    stream: &TcpStream,
    files: &std::path::Path,
    koji: &Mutex<Koji>,
    asked: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream);
    let mut request = String::new();
    lines.read_line(&mut request)?;
    let (mut range, mut length, mut header) = (None, 0, String::new());
    while lines.read_line(&mut header)? > 2 {
        let lower = header.to_lowercase();
        if let Some(value) = lower.strip_prefix("range: bytes=") {
            let (start, end) = value.trim().split_once('-').unwrap();
            range = Some((start.parse::<usize>().unwrap(), end.parse::<usize>().unwrap_or(usize::MAX)));
        }
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        header.clear();
    }
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    if request.starts_with("POST") {
        let mut body = vec![0; length];
        lines.read_exact(&mut body)?;
        let call = read_call(&body).unwrap();
        let method = call.method.clone();
        let koji = koji.lock().unwrap();
        asked.lock().unwrap().push(method.clone());
        let answer = match koji.answer(&method, &call.arguments()) {
            Ok(value) => write_answer(&value).unwrap(),
            Err(fault) => write_fault(&fault),
        };
        let more = format!("Content-Type: text/xml\r\nKoji-Version: {}\r\n", koji.version);
        return reply(stream, "200 OK", &more, &answer);
    }
    let path = path.trim_start_matches("/kojifiles/").to_owned();
    asked.lock().unwrap().push(match range {
        Some((start, end)) => format!("{path} {start}-{end}"),
        None => path.clone(),
    });
    let Ok(bytes) = fs::read(files.join(&path)) else { return reply(stream, "404 Not Found", "", b"") };
    match range {
        Some((start, end)) => {
            let last = end.min(bytes.len() - 1);
            let more = format!("Content-Range: bytes {start}-{last}/{}\r\n", bytes.len());
            reply(stream, "206 Partial Content", &more, &bytes[start..=last])
        }
        None => reply(stream, "200 OK", "", &bytes),
    }
}

fn reply(mut stream: &TcpStream, status: &str, more: &str, body: &[u8]) -> std::io::Result<()> {
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{more}\r\n")?;
    stream.write_all(body)
}
