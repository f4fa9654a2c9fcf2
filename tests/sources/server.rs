//! A web server of one folder that can be told to misbehave.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// What is done with a request.
pub enum Act {
    /// Serve the file, with ranges.
    Serve,
    /// Serve it without ranges.
    Whole,
    /// Serve these bytes as if they were the file.
    Other(Vec<u8>),
    /// Announce all that was asked for, send nothing behind this byte of the file, and close.
    Cut(usize),
    /// Answer with a status and nothing else.
    Status(&'static str),
    /// Send to another place.
    Redirect(String),
    /// Send without end.
    Endless,
}

/// Runs until the test ends.
pub struct Server {
    pub url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Serves a folder as it should be.
    pub fn honest(folder: &Path) -> Self {
        Self::start(folder, |_| Act::Serve)
    }

    /// Serves a folder; `act` says by what is asked for (the path, and the range where there is one) what is done.
    pub fn start(folder: &Path, act: impl Fn(&str) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (folder, seen, act) = (folder.to_owned(), Arc::clone(&asked), Arc::new(act));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (folder, seen, act) = (folder.clone(), Arc::clone(&seen), Arc::clone(&act));
                std::thread::spawn(move || drop(answer(&stream, &folder, &seen, &*act)));
            }
        });
        Self { url, asked }
    }

    /// What was asked for: paths, with the range where there was one.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// Those of packages.
    pub fn packages(&self) -> Vec<String> {
        self.asked().into_iter().filter(|path| path.contains(".rpm")).collect()
    }
}

fn answer(
    stream: &TcpStream,
    folder: &Path,
    seen: &Mutex<Vec<String>>,
    act: &dyn Fn(&str) -> Act,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream);
    let mut request = String::new();
    lines.read_line(&mut request)?;
    let mut range = None;
    let mut header = String::new();
    while lines.read_line(&mut header)? > 2 {
        if let Some(value) = header.to_lowercase().strip_prefix("range: bytes=") {
            let (start, end) = value.trim().split_once('-').unwrap();
            range = Some((start.parse::<usize>().unwrap(), end.parse::<usize>().ok()));
        }
        header.clear();
    }
    let path = request.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
    let asked = match range {
        Some((start, end)) => format!("{path} {start}-{}", end.map_or(String::new(), |end| end.to_string())),
        None => path.clone(),
    };
    seen.lock().unwrap().push(asked.clone());
    let file: PathBuf = folder.join(&path);
    let mut cut = usize::MAX;
    let body = match act(&asked) {
        Act::Serve => fs::read(&file).ok(),
        Act::Whole => {
            range = None;
            fs::read(&file).ok()
        }
        Act::Other(bytes) => Some(bytes),
        Act::Cut(after) => {
            cut = after;
            fs::read(&file).ok()
        }
        Act::Status(status) => {
            return head(stream, status, 0, "");
        }
        Act::Redirect(place) => return head(stream, "302 Found", 0, &format!("Location: {place}\r\n")),
        Act::Endless => {
            let mut out = stream;
            out.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            loop {
                out.write_all(&[b' '; 10_000])?;
            }
        }
    };
    let Some(body) = body else { return head(stream, "404 Not Found", 0, "") };
    let mut out = stream;
    match range {
        Some((start, _)) if start >= body.len() => head(stream, "416 Range Not Satisfiable", 0, ""),
        Some((start, end)) => {
            let last = end.unwrap_or(usize::MAX).min(body.len() - 1);
            let part = &body[start..=last];
            let more = format!("Content-Range: bytes {start}-{last}/{}\r\n", body.len());
            head(stream, "206 Partial Content", part.len(), &more)?;
            out.write_all(&part[..cut.saturating_sub(start).min(part.len())])
        }
        None => {
            head(stream, "200 OK", body.len(), "")?;
            out.write_all(&body[..cut.min(body.len())])
        }
    }
}

fn head(mut stream: &TcpStream, status: &str, length: usize, more: &str) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{more}\r\n")
}
