//! Documents and tags are cut as quick-xml cuts them, broken ones too.

use std::io::Read;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::stream::Tag;
use super::tokens::{Fault, LONGEST_PIECE, Token, Tokens, is_space};

const DOCUMENT: &str =
    "\u{feff}<?xml version=\"1.0\" encoding='UTF-8'?>\n<!-- a - b -->\n<r a='1' b = \"x'>y\">
  text é &amp; more &#x41;<e/><p:e c=\"&lt;\"\n d=''/><![CDATA[ <x> ]] > ]]> </r >\n<?pi ?><!----><a></a>\n";

const PIECES: [&[u8]; 34] = [
    b"<",
    b">",
    b"/",
    b"&",
    b";",
    b"\"",
    b"'",
    b"=",
    b" ",
    b"\r\n",
    b"-",
    b"--",
    b"<!--",
    b"-->",
    b"<!-->",
    b"]]>",
    b"<![CDATA[",
    b"<![",
    b"<!]]>",
    b"<?",
    b"?>",
    b"<?>",
    b"<??>",
    b"<?xml?>",
    b"<!DOCTYPE a>",
    b"<!d>",
    b"<!",
    b"</",
    b"</>",
    b"<>",
    b"</ >",
    b"\xff",
    b"\xc3",
    "é".as_bytes(),
];

struct Numbers(u64);

impl Numbers {
    fn below(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % below as u64).unwrap()
    }
}

/// The bytes with up to four pieces put in, left out or put in place of something.
fn mutated(bytes: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=numbers.below(4) {
        let start = numbers.below(bytes.len() + 1);
        let end = (start + numbers.below(4)).min(bytes.len());
        let piece = match numbers.below(4) {
            0 => &b""[..],
            _ => PIECES[numbers.below(PIECES.len())],
        };
        bytes.splice(start..end, piece.iter().copied());
    }
    bytes
}

/// Gives out a few bytes at a time.
struct Slowly<'a>(&'a [u8], usize);

impl Read for Slowly<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.1.min(buffer.len());
        self.0.read(&mut buffer[..length])
    }
}

fn ours(bytes: &[u8], step: usize) -> Vec<String> {
    let mut tokens = Tokens::new(Slowly(bytes, step));
    let mut all = Vec::new();
    loop {
        all.push(match tokens.next() {
            Ok(Token::Nothing) => return all,
            Ok(Token::DocType) | Err(Fault::Broken(_)) => "refused".into(),
            Ok(token) => format!("{token:?}"),
            Err(fault) => panic!("{fault:?}"),
        });
        if all.last().is_some_and(|last| last == "refused") {
            return all;
        }
    }
}

fn theirs(bytes: &[u8]) -> Vec<String> {
    let mut reader = Reader::from_reader(bytes);
    reader.config_mut().enable_all_checks(true);
    // Whoever uses the tokens looks at that.
    reader.config_mut().check_end_names = false;
    reader.config_mut().allow_unmatched_ends = true;
    let (mut all, mut buffer) = (Vec::new(), Vec::new());
    loop {
        buffer.clear();
        all.push(match reader.read_event_into(&mut buffer) {
            Ok(Event::Eof) => return all,
            Ok(Event::Start(tag)) => format!("{:?}", Token::Start(&tag, false)),
            Ok(Event::Empty(tag)) => format!("{:?}", Token::Start(&tag, true)),
            Ok(Event::End(tag)) => format!("{:?}", Token::End(tag.name().as_ref())),
            Ok(Event::Text(text)) => format!("{:?}", Token::Text(&text)),
            Ok(Event::CData(text)) => format!("{:?}", Token::Data(&text)),
            Ok(Event::GeneralRef(name)) => format!("{:?}", Token::Reference(&name)),
            Ok(Event::Decl(declaration)) => format!("{:?}", Token::Declaration(&declaration)),
            Ok(Event::Comment(_) | Event::PI(_)) => format!("{:?}", Token::Aside),
            Ok(Event::DocType(_)) | Err(_) => "refused".into(),
        });
        if all.last().is_some_and(|last| last == "refused") {
            return all;
        }
    }
}

#[test]
fn documents_are_cut_alike() {
    let mut numbers = Numbers(0x6761_6e64_6572);
    let mut refused = 0;
    for round in 0..40_000 {
        let bytes = match round {
            0 => DOCUMENT.as_bytes().to_vec(),
            _ => mutated(DOCUMENT.as_bytes(), &mut numbers),
        };
        let expected = theirs(&bytes);
        refused += usize::from(expected.last().is_some_and(|last| last == "refused"));
        for step in [1 + round % 9, bytes.len().max(1)] {
            assert_eq!(ours(&bytes, step), expected, "{}", String::from_utf8_lossy(&bytes));
        }
    }
    assert!((4_000..36_000).contains(&refused), "{refused}");
}

#[test]
fn tags_are_read_alike() {
    let tag = "name a=\"1\" p:b = '&lt;&#65;\n\"' c=''";
    let mut numbers = Numbers(7);
    let (mut tag_read, mut refused) = (Tag::default(), 0);
    for _ in 0..40_000 {
        let Ok(tag) = String::from_utf8(mutated(tag.as_bytes(), &mut numbers)) else { continue };
        let name = tag.bytes().position(is_space).unwrap_or(tag.len());
        let start = BytesStart::from_content(&*tag, name);
        let expected: Result<Vec<(String, String)>, ()> = start
            .attributes()
            .map(|attribute| {
                let attribute = attribute.map_err(|_| ())?;
                let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|_| ())?;
                // XML has no room for them, though quick-xml does not look.
                let fit = !attribute.value.contains('<')
                    && !value.bytes().any(|byte| byte < b' ' && !is_space(byte));
                if fit { Ok((attribute.key.as_ref().to_owned(), value.into_owned())) } else { Err(()) }
            })
            .collect();
        let read = tag_read.read(&tag).map_err(|_| ());
        let own = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        let found = read.map(|()| tag_read.attributes().map(own).collect());
        assert_eq!(found, expected, "{tag}");
        refused += usize::from(expected.is_err());
    }
    assert!((4_000..36_000).contains(&refused), "{refused}");
}

#[test]
fn places_and_bounds_hold_across_buffers() {
    // A text that is as long as one may be, and a longer one, byte by byte and at once.
    let text = "é\n".repeat(LONGEST_PIECE / 3);
    for step in [1000, 1 << 20] {
        let document = format!("<a>{text}</a>");
        let mut tokens = Tokens::new(Slowly(document.as_bytes(), step));
        assert_eq!(tokens.next().unwrap(), Token::Start("a", false));
        assert_eq!(tokens.next().unwrap(), Token::Text(&text));
        let place = tokens.place();
        let lines = text.matches('\n').count() as u64 + 1;
        assert_eq!((place.line, place.byte), (lines, document.len() as u64 - 4));
        assert_eq!(tokens.next().unwrap(), Token::End("a"));
        assert_eq!(tokens.next().unwrap(), Token::Nothing);
        let longer = format!("{text}{text}");
        let mut tokens = Tokens::new(Slowly(longer.as_bytes(), step));
        assert!(matches!(tokens.next(), Err(Fault::TooLong)));
    }
}
