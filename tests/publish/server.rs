//! A web server of one folder, which can be stopped at each request.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Runs until the test ends.
pub struct Server {
    pub url: String,
    /// The names of the files that were asked for, in order.
    pub asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Serves a folder; `before` is called with the number of each request, from 0, before it is looked up.
    pub fn start(folder: &Path, before: impl Fn(usize) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (folder, seen, before) = (folder.to_owned(), Arc::clone(&asked), Arc::new(before));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (folder, seen, before) = (folder.clone(), Arc::clone(&seen), Arc::clone(&before));
                std::thread::spawn(move || drop(answer(&stream, &folder, &seen, &*before)));
            }
        });
        Self { url, asked }
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn answer(
    stream: &TcpStream,
    folder: &Path,
    seen: &Mutex<Vec<String>>,
    before: &dyn Fn(usize),
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream);
    loop {
        let mut request = String::new();
        if lines.read_line(&mut request)? == 0 {
            return Ok(());
        }
        let mut header = String::new();
        while lines.read_line(&mut header)? > 2 {
            header.clear();
        }
        let path = request.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
        let path: PathBuf = folder.join(path);
        // One request at a time, so that its number says what came before.
        let mut seen = seen.lock().unwrap();
        before(seen.len());
        seen.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        let (status, body) = match fs::read(&path) {
            Ok(body) => ("200 OK", body),
            Err(_) => ("404 Not Found", Vec::new()),
        };
        drop(seen);
        let mut stream = stream;
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len())?;
        stream.write_all(&body)?;
    }
}
