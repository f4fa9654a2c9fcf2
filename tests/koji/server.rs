//! A hub that does with each call what a test says.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read as _, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use gander::format::xmlrpc::{Arguments, Call, Fault, Value, read_call, write_answer, write_fault};

/// A call that came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The path and query of the address.
    pub target: String,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    pub call: Call,
}

impl Asked {
    pub fn arguments(&self) -> Arguments {
        self.call.clone().arguments()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// What is done with a call.
pub enum Act {
    /// Answer with these bytes, and headers that are written like `Name: value\r\n`.
    Body(Vec<u8>, &'static str),
    /// Answer with a status and a page.
    Status(&'static str, &'static str),
    /// Send to another place.
    Redirect(String),
    /// Announce the whole body, send that many bytes of it, and close.
    Cut(Vec<u8>, usize),
    /// Send the first bytes, then the second ones without end.
    Endless(Vec<u8>, Vec<u8>, &'static str),
    /// Close without a word.
    Close,
}

/// The answer of a hub of these days.
pub fn value(value: impl Into<Value>) -> Act {
    Act::Body(write_answer(&value.into()).unwrap(), "Koji-Version: 1.35.3\r\n")
}

/// The same of a hub that does not say its version.
pub fn old_value(value: impl Into<Value>) -> Act {
    Act::Body(write_answer(&value.into()).unwrap(), "")
}

pub fn fault(code: i64, text: &str) -> Act {
    Act::Body(write_fault(&Fault { code, text: text.into() }), "")
}

/// Runs until the test ends.
pub struct Server {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Starts a hub. `act` gets a call and how many came before it.
    pub fn start(act: impl Fn(&Asked, usize) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/kojihub", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (seen, act) = (asked.clone(), Arc::new(act));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (seen, act) = (seen.clone(), act.clone());
                // What the client does not wait for fails here.
                std::thread::spawn(move || drop(answer(stream, &seen, &*act)));
            }
        });
        Self { url, asked }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The methods that were called.
    pub fn methods(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.call.method).collect()
    }
}

fn answer(
    mut stream: TcpStream,
    seen: &Mutex<Vec<Asked>>,
    act: &dyn Fn(&Asked, usize) -> Act,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers["content-length"].parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let asked = Asked { target, headers, call: read_call(&body).unwrap() };
    let before = {
        let mut seen = seen.lock().unwrap();
        seen.push(asked.clone());
        seen.len() - 1
    };
    let head = |status: &str, headers: &str| {
        format!("HTTP/1.1 {status}\r\nContent-Type: text/xml\r\nConnection: close\r\n{headers}")
    };
    match act(&asked, before) {
        Act::Body(body, headers) => {
            write!(stream, "{}Content-Length: {}\r\n\r\n", head("200 OK", headers), body.len())?;
            stream.write_all(&body)?;
        }
        Act::Status(status, page) => {
            write!(stream, "{}Content-Length: {}\r\n\r\n{page}", head(status, ""), page.len())?;
        }
        Act::Redirect(target) => {
            write!(stream, "{}Location: {target}\r\nContent-Length: 0\r\n\r\n", head("302 Found", ""))?;
        }
        Act::Cut(body, end) => {
            write!(stream, "{}Content-Length: {}\r\n\r\n", head("200 OK", ""), body.len())?;
            stream.write_all(&body[..end])?;
        }
        Act::Endless(first, then, headers) => {
            write!(stream, "{}\r\n", head("200 OK", headers))?;
            stream.write_all(&first)?;
            loop {
                stream.write_all(&then)?;
            }
        }
        Act::Close => {}
    }
    stream.flush()
}
