//! Mirrors that misbehave: what is asked of the next one, what is told, and that nothing wrong is kept.

use super::tests::{Server, World, answer, body, honest, wanted};
use super::*;

fn quick() -> Limits {
    Limits { stall: Duration::from_millis(300), window: Duration::from_millis(100), ..Limits::default() }
}

impl World {
    fn quick() -> Self {
        let mut world = Self::new();
        world.fetcher = Fetcher::with(&world.store, false, quick()).unwrap();
        world.fetcher.pauses = vec![Duration::from_millis(1); 3];
        world
    }
}

fn good() -> Server {
    Server::start(|_, _, range, stream| honest(&body(), range, stream))
}

/// Each row: what the first mirror does, how often it is asked before the second one is, what is said of it alone, and
/// whether that is the connection's fault.
#[test]
fn the_next_mirror_has_what_the_first_one_spoils() {
    type Mirror = fn(usize, &str, Option<usize>, &mut std::net::TcpStream);
    let bad: [(&str, Mirror, &str, bool); 8] = [
        ("silent", |_, _, _, _| std::thread::sleep(Duration::from_secs(1)), "", true),
        (
            "slow",
            |_, _, _, stream| {
                answer(stream, "200 OK", 800_000, "", b"x");
                for _ in 0..30 {
                    std::thread::sleep(Duration::from_millis(20));
                    let _unheard = std::io::Write::write_all(stream, b"x");
                }
            },
            "the server is too slow",
            true,
        ),
        ("cut", |_, _, _, stream| answer(stream, "200 OK", 800_000, "", &body()[..1000]), "", true),
        ("shorter", |_, _, _, stream| answer(stream, "200 OK", 9, "", b"too short"), "it has 9 bytes", false),
        ("longer", |_, _, _, stream| answer(stream, "200 OK", 900_000, "", b"x"), "more than 800000", false),
        (
            "other",
            |_, _, _, stream| answer(stream, "200 OK", 800_000, "", &vec![1; 800_000]),
            "the file is another one: expected",
            false,
        ),
        (
            "circle",
            |_, _, _, stream| answer(stream, "302 Found", 0, "Location: /circle\r\n", b""),
            "redirects without end",
            false,
        ),
        (
            "endless",
            |_, _, _, stream| {
                use std::io::Write as _;
                let _unheard = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
                while stream.write_all(&[0; 10_000]).is_ok() {}
            },
            "more than 800000",
            false,
        ),
    ];
    for (name, behaviour, expected, surroundings) in bad {
        let (first, second) = (Server::start(behaviour), good());
        let world = World::quick();
        world.all(vec![wanted(vec![first.url(name), second.url("a")])]).unwrap();
        assert!(world.holds_it(), "{name}");
        // What the slow one sent is wrong: once the rest is asked for, and then the whole file.
        assert_eq!(second.requests().len(), if name == "slow" { 2 } else { 1 }, "{name}");

        let world = World::quick();
        let error = world.all(vec![wanted(vec![first.url(name)])]).unwrap_err();
        assert!(error.to_string().contains(expected), "{name}: {error}");
        assert_eq!(error.is_surroundings(), surroundings, "{name}: {error}");
        assert!(!world.holds_it(), "{name}");
    }
}

#[test]
fn what_one_mirror_sent_before_it_broke_the_next_one_goes_on_from() {
    let first = Server::start(|_, _, _, stream| answer(stream, "200 OK", 800_000, "", &body()[..300_000]));
    let second = good();
    let world = World::new();
    world.all(vec![wanted(vec![first.url("a"), second.url("b")])]).unwrap();
    assert!(world.holds_it());
    assert_eq!(second.requests().len(), 1);
    assert!(second.requests()[0].starts_with("b from "), "{:?}", second.requests());
}

/// One that sends some bytes at a time, and one whose file has another size, spoil nothing of what came.
#[test]
fn parts_add_up() {
    let first = Server::start(|number, _, range, stream| {
        let (body, start) = (body(), range.unwrap_or(0));
        let end = (start + 300_000).min(body.len());
        let range = format!("Content-Range: bytes {start}-{}/{}\r\n", end - 1, body.len());
        match number {
            0 => answer(stream, "200 OK", body.len(), "", &body[..end]),
            _ => answer(stream, "206 Partial Content", end - start, &range, &body[start..end]),
        }
    });
    let other = Server::start(|_, _, range, stream| {
        let range = format!("Content-Range: bytes {}-899999/900000\r\n", range.unwrap());
        answer(stream, "206 Partial Content", 9, &range, b"something");
    });
    let world = World::new();
    world.all(vec![wanted(vec![first.url("a"), other.url("b")])]).unwrap();
    assert!(world.holds_it());
    assert_eq!((first.requests().len(), other.requests().len()), (3, 1), "{:?}", first.requests());
}

#[test]
fn content_that_changes_between_requests_is_fetched_whole() {
    let first = Server::start(|number, _, _, stream| match number {
        0 => answer(stream, "200 OK", 800_000, "", &vec![7; 300_000]),
        _ => answer(stream, "503 Service Unavailable", 0, "", b""),
    });
    let second = good();
    let world = World::new();
    world.all(vec![wanted(vec![first.url("a"), second.url("b")])]).unwrap();
    assert!(world.holds_it());
    let requests = second.requests();
    assert!(requests[0].starts_with("b from ") && requests[1] == "b", "{requests:?}");
}

#[test]
fn a_mirror_that_restarts_for_ever_is_given_up() {
    let first = Server::start(|_, _, range, stream| match range {
        Some(_) => answer(stream, "416 Range Not Satisfiable", 0, "", b""),
        None => answer(stream, "200 OK", 800_000, "", &body()[..300_000]),
    });
    let world = World::new();
    assert!(world.all(vec![wanted(vec![first.url("a")])]).unwrap_err().is_surroundings());
    assert!(first.requests().len() < 20, "{:?}", first.requests());
}

#[test]
fn a_mirror_that_failed_is_asked_last_for_the_next_file() {
    let bodies = |path: &str| path.repeat(100).into_bytes();
    let down = Server::start(|_, _, _, stream| answer(stream, "503 Service Unavailable", 0, "", b""));
    let up = Server::start(move |_, path, range, stream| honest(&bodies(path), range, stream));
    let file = |path: &str| Wanted {
        label: path.into(),
        urls: vec![down.url(path), up.url(path)],
        digest: Digest::of(bodies(path)),
        size: None,
    };
    let world = World::new();
    let files = ["a", "b", "c", "d"].map(file).to_vec();
    world.runtime.block_on(world.fetcher.all(files, 1, &())).unwrap();
    assert_eq!(down.requests(), ["a"]);
    assert_eq!(up.requests(), ["a", "b", "c", "d"]);
}

#[test]
fn files_of_this_machine_need_no_network() {
    let world = World::new();
    let path = world.folder.path().join("a file");
    std::fs::write(&path, body()).unwrap();
    let url = format!("file://{}", path.display()).replace(' ', "%20");
    let offline = Fetcher::new(&world.store, true).unwrap();
    let gone = wanted(vec![format!("{url}x")]);
    let error = world.runtime.block_on(offline.all(vec![gone], 2, &())).unwrap_err();
    assert!(error.failed()[0].is_gone() && !error.is_surroundings(), "{error}");
    assert_eq!(world.runtime.block_on(offline.small(&url, 800_000)).unwrap(), body());
    assert!(world.runtime.block_on(offline.small(&url, 799_999)).is_err());
    let part = world.runtime.block_on(offline.range("f", std::slice::from_ref(&url), 4..12)).unwrap();
    assert_eq!(part, body()[4..12]);
    world.runtime.block_on(offline.all(vec![wanted(vec![url])], 2, &())).unwrap();
    assert!(world.holds_it());
    assert_eq!(world.partials(), [0; 0]);
}

#[test]
fn parts_are_read_of_servers_with_and_without_ranges() {
    let whole = Server::start(|_, _, _, stream| answer(stream, "200 OK", 800_000, "", &body()));
    let ranged = Server::start(|_, _, _, stream| {
        let range = "Content-Range: bytes 1000-2999/800000\r\n";
        answer(stream, "206 Partial Content", 2000, range, &body()[1000..3000]);
    });
    let other = Server::start(|_, _, _, stream| {
        answer(stream, "206 Partial Content", 2000, "Content-Range: bytes 0-1999/9\r\n", &[0; 2000]);
    });
    let short = Server::start(|_, _, _, stream| answer(stream, "200 OK", 9, "", b"too short"));
    let world = World::new();
    let part = |urls: &[String]| world.runtime.block_on(world.fetcher.range("f", urls, 1000..3000));
    for server in [&whole, &ranged] {
        assert_eq!(part(&[server.url("a")]).unwrap(), body()[1000..3000]);
    }
    assert_eq!(part(&[other.url("a"), short.url("a"), ranged.url("a")]).unwrap(), body()[1000..3000]);
    let error = part(&[other.url("a"), short.url("a")]).unwrap_err().to_string();
    assert!(error.contains("another part") && error.contains("0 of 2000 bytes"), "{error}");
    assert!(world.runtime.block_on(world.fetcher.range("f", &[whole.url("a")], 0..u64::MAX)).is_err());
}
