//! A small web server on this machine that plays a Debian mirror.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// What the server does with a request.
pub enum Answer {
    /// Sends these bytes.
    Bytes(Vec<u8>),
    /// Says that there is no such file.
    Missing,
    /// Sends only so many of these bytes, then nothing more for ever.
    Stall(Vec<u8>, usize),
}

/// A server that answers until the test ends.
pub struct Mirror {
    port: u16,
    /// How many requests are stalled.
    stalled: Arc<AtomicUsize>,
}

impl Mirror {
    /// Starts one; the function is given the path below `/debian/` and the number of the request.
    pub fn start(answer: impl Fn(&str, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let stalled = Arc::new(AtomicUsize::new(0));
        let (answer, count) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
        let stalling = stalled.clone();
        // It ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, count, stalling) = (answer.clone(), count.clone(), stalling.clone());
                thread::spawn(move || {
                    let answer = |path: &str| answer(path, count.fetch_add(1, Ordering::SeqCst));
                    serve(&stream, answer, &stalling);
                });
            }
        });
        Self { port, stalled }
    }

    /// The option that names it.
    pub fn option(&self) -> String {
        format!("--debian-mirror=http://127.0.0.1:{}/debian", self.port)
    }

    /// How many requests are stalled.
    pub fn stalled(&self) -> usize {
        self.stalled.load(Ordering::SeqCst)
    }
}

fn serve(mut stream: &TcpStream, answer: impl Fn(&str) -> Answer, stalled: &AtomicUsize) {
    let mut lines = BufReader::new(stream).lines();
    let Some(Ok(request)) = lines.next() else { return };
    let mut start = 0;
    for line in lines.by_ref() {
        let Ok(line) = line else { return };
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
            start = range.trim_end_matches('-').parse().unwrap_or(0);
        }
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let path = path.strip_prefix("/debian/").unwrap_or_default().replace("%25", "%");
    let head = |bytes: &[u8]| {
        let (length, end) = (bytes.len() - start, bytes.len());
        match start {
            0 => format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"),
            _ => format!(
                "HTTP/1.1 206 Partial Content\r\nContent-Length: {length}\r\n\
                 Content-Range: bytes {start}-{}/{end}\r\nConnection: close\r\n\r\n",
                end - 1
            ),
        }
    };
    match answer(&path) {
        Answer::Missing => {
            let text = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            stream.write_all(text.as_bytes()).ok();
        }
        Answer::Bytes(bytes) => {
            if stream.write_all(head(&bytes).as_bytes()).is_ok() {
                stream.write_all(&bytes[start..]).ok();
            }
        }
        Answer::Stall(bytes, sent) => {
            stream.write_all(head(&bytes).as_bytes()).ok();
            stream.write_all(bytes.get(start..start.max(sent)).unwrap_or_default()).ok();
            stream.flush().ok();
            stalled.fetch_add(1, Ordering::SeqCst);
            // Until the other side is gone.
            std::io::copy(&mut stream, &mut std::io::sink()).ok();
        }
    }
}
