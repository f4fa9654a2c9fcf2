//! A message read into types, while it arrives.

use std::io::Read;
use std::marker::PhantomData;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, Visitor,
};

use super::element::{Element, Tag};
use super::error::{Caught, XmlRpcError, inside, placed};
use super::scan::{Limits, Scanner};

/// A message, value by value.
pub(super) struct Reader<R> {
    pub(super) scanner: Scanner<R>,
    depth: usize,
    values: u64,
    /// The text of a value without a type.
    bare: String,
}

/// What a value is; its start tag is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Array,
    Base64,
    Boolean,
    Double,
    Int,
    /// `<nil/>`, read to its end.
    Nil,
    Struct,
    Text,
    /// Text without an element around it.
    Bare,
}

impl<R: Read> Reader<R> {
    pub(super) fn new(reader: R, limits: Limits) -> Self {
        Self { scanner: Scanner::new(reader, limits), depth: 0, values: 0, bare: String::new() }
    }

    /// Reads a value, whose start tag comes next.
    pub(super) fn value<T: DeserializeOwned>(&mut self) -> Result<T, Caught> {
        self.scanner.open(Element::Value)?;
        self.seed(PhantomData)
    }

    /// Reads the value whose start tag was read.
    #[inline]
    fn seed<'de, S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Caught> {
        let at = self.scanner.at();
        self.values += 1;
        if self.values > self.scanner.limits().values {
            let most = self.scanner.limits().values;
            return Err(Box::new(XmlRpcError::Limit { at, what: "values", most }));
        }
        let kind = self.kind()?;
        let value =
            seed.deserialize(ValueReader { reader: self, kind }).map_err(|error| placed(error, at))?;
        self.scanner.close(Element::Value)?;
        Ok(value)
    }

    /// What kind of value it is.
    #[inline]
    fn kind(&mut self) -> Result<Kind, Caught> {
        let [first, second] = self.scanner.peek()?;
        if first != b'<' || matches!(second, b'/' | b'!' | b'?') {
            // White space is text where nothing else comes.
            let mut bare = std::mem::take(&mut self.bare);
            bare.clear();
            bare.push_str(self.scanner.text()?);
            let ends = self.scanner.peek()? == *b"</";
            let blank = bare.trim_ascii().is_empty();
            self.bare = bare;
            match (ends, blank) {
                (true, _) => return Ok(Kind::Bare),
                (_, true) => {}
                _ => return Err(self.scanner.wrong("a value has text beside an element")),
            }
        }
        match self.scanner.frequent() {
            Some(Element::Text) => return Ok(Kind::Text),
            Some(Element::Int) => return Ok(Kind::Int),
            Some(Element::Nil) => return Ok(Kind::Nil),
            Some(Element::Boolean) => return Ok(Kind::Boolean),
            Some(Element::Struct) => return Ok(Kind::Struct),
            _ => {}
        }
        Ok(match self.scanner.tag()? {
            Tag::Open(Element::Text) => Kind::Text,
            Tag::Open(Element::Int) => Kind::Int,
            Tag::Open(Element::Boolean) => Kind::Boolean,
            Tag::Open(Element::Struct) => Kind::Struct,
            Tag::Open(Element::Array) => {
                self.scanner.open(Element::Data)?;
                Kind::Array
            }
            Tag::Open(Element::Double) => Kind::Double,
            Tag::Open(Element::Base64) => Kind::Base64,
            Tag::Open(Element::Nil) => {
                self.scanner.close(Element::Nil)?;
                Kind::Nil
            }
            _ => return Err(self.scanner.wrong("this is no type of a value")),
        })
    }

    fn enter(&mut self) -> Result<(), Caught> {
        self.depth += 1;
        let most = self.scanner.limits().depth;
        if self.depth > most {
            let at = self.scanner.at();
            return Err(Box::new(XmlRpcError::Limit {
                at,
                what: "arrays and structs inside of each other",
                most: most as u64,
            }));
        }
        Ok(())
    }

    /// Passes over the content of a value.
    fn skip(&mut self, kind: Kind) -> Result<(), Caught> {
        match kind {
            Kind::Nil | Kind::Bare => Ok(()),
            Kind::Text | Kind::Int | Kind::Boolean | Kind::Double | Kind::Base64 => {
                self.scanner.text()?;
                self.scanner.close(element(kind))
            }
            Kind::Array => {
                let mut entries = Entries::new(self)?;
                while entries.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                entries.end()
            }
            Kind::Struct => {
                let mut members = Members::new(self)?;
                while members.next_entry::<serde::de::IgnoredAny, serde::de::IgnoredAny>()?.is_some() {}
                members.end()
            }
        }
    }
}

/// The element that a kind of value with text in it stands in.
const fn element(kind: Kind) -> Element {
    match kind {
        Kind::Array => Element::Array,
        Kind::Base64 => Element::Base64,
        Kind::Boolean => Element::Boolean,
        Kind::Double => Element::Double,
        Kind::Int => Element::Int,
        Kind::Nil => Element::Nil,
        Kind::Struct => Element::Struct,
        Kind::Text | Kind::Bare => Element::Text,
    }
}

/// A value whose type is known and whose content comes next.
struct ValueReader<'r, R> {
    reader: &'r mut Reader<R>,
    kind: Kind,
}

impl<R: Read> ValueReader<'_, R> {
    fn unexpected(&self, expected: &dyn serde::de::Expected) -> Caught {
        let found = match self.kind {
            Kind::Array => "an array",
            Kind::Base64 => "base64",
            Kind::Boolean => "a boolean",
            Kind::Double => "a double",
            Kind::Int => "an integer",
            Kind::Nil => "nil",
            Kind::Struct => "a struct",
            Kind::Text | Kind::Bare => "a string",
        };
        Caught::invalid_type(Unexpected::Other(found), expected)
    }

    fn text<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Caught> {
        if self.kind == Kind::Bare {
            return visitor.visit_str(&self.reader.bare);
        }
        let value = visitor.visit_str::<Caught>(self.reader.scanner.text()?)?;
        self.reader.scanner.close(Element::Text)?;
        Ok(value)
    }

    fn int<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Caught> {
        let text = self.reader.scanner.text()?;
        let number: i64 = text
            .trim_ascii()
            .parse()
            .map_err(|_| Caught::custom(format_args!("'{}' is no integer of 64 bits", short(text))))?;
        self.reader.scanner.close(Element::Int)?;
        visitor.visit_i64(number)
    }

    fn boolean<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Caught> {
        let value = match self.reader.scanner.text()? {
            "0" => false,
            "1" => true,
            text => return Err(Caught::custom(format_args!("'{}' is no boolean", short(text)))),
        };
        self.reader.scanner.close(Element::Boolean)?;
        visitor.visit_bool(value)
    }

    fn double<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Caught> {
        let text = self.reader.scanner.text()?;
        let number: f64 = text
            .trim_ascii()
            .parse()
            .map_err(|_| Caught::custom(format_args!("'{}' is no number", short(text))))?;
        self.reader.scanner.close(Element::Double)?;
        visitor.visit_f64(number)
    }

    fn base64<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Caught> {
        let text = self.reader.scanner.text()?;
        let bytes: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let bytes = STANDARD
            .decode(bytes)
            .map_err(|error| Caught::custom(format_args!("base64 is broken: {error}")))?;
        self.reader.scanner.close(Element::Base64)?;
        visitor.visit_byte_buf(bytes)
    }

    fn array<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Caught> {
        let mut entries = Entries::new(self.reader)?;
        let value = visitor.visit_seq(&mut entries)?;
        if !entries.ended && entries.next_element::<serde::de::IgnoredAny>()?.is_some() {
            return Err(Caught::custom(format_args!(
                "the array has more than {} entries",
                entries.count - 1
            )));
        }
        entries.end()?;
        Ok(value)
    }

    fn members<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Caught> {
        let mut members = Members::new(self.reader)?;
        let value = visitor.visit_map(&mut members)?;
        if !members.ended && members.next_key::<serde::de::IgnoredAny>()?.is_some() {
            return Err(Caught::custom("the struct has more members than are wanted"));
        }
        members.end()?;
        Ok(value)
    }
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Lets a type that asks for one kind of value have no other one.
macro_rules! only {
    ($($method:ident: $kind:pat => $read:ident;)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Caught> {
            match self.kind {
                $kind => self.$read(visitor),
                _ => Err(self.unexpected(&visitor)),
            }
        }
    )*};
}

impl<'de, R: Read> Deserializer<'de> for ValueReader<'_, R> {
    type Error = Caught;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Caught> {
        match self.kind {
            Kind::Array => self.array(visitor),
            Kind::Base64 => self.base64(visitor),
            Kind::Boolean => self.boolean(visitor),
            Kind::Double => self.double(visitor),
            Kind::Int => self.int(visitor),
            Kind::Nil => visitor.visit_unit(),
            Kind::Struct => self.members(visitor),
            Kind::Text | Kind::Bare => self.text(visitor),
        }
    }

    only! {
        deserialize_bool: Kind::Boolean => boolean;
        deserialize_i8: Kind::Int => int;
        deserialize_i16: Kind::Int => int;
        deserialize_i32: Kind::Int => int;
        deserialize_i64: Kind::Int => int;
        deserialize_u8: Kind::Int => int;
        deserialize_u16: Kind::Int => int;
        deserialize_u32: Kind::Int => int;
        deserialize_u64: Kind::Int => int;
        deserialize_f32: Kind::Double => double;
        deserialize_f64: Kind::Double => double;
        deserialize_char: Kind::Text | Kind::Bare => text;
        deserialize_str: Kind::Text | Kind::Bare => text;
        deserialize_string: Kind::Text | Kind::Bare => text;
        deserialize_identifier: Kind::Text | Kind::Bare => text;
        deserialize_bytes: Kind::Base64 => base64;
        deserialize_byte_buf: Kind::Base64 => base64;
        deserialize_seq: Kind::Array => array;
        deserialize_map: Kind::Struct => members;
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Caught> {
        self.deserialize_map(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Caught> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Caught> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Caught> {
        match self.kind {
            Kind::Nil => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Caught> {
        match self.kind {
            Kind::Nil => visitor.visit_unit(),
            _ => Err(self.unexpected(&visitor)),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Caught> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Caught> {
        visitor.visit_newtype_struct(self)
    }

    /// A variant without content is a string; XML-RPC has no form for others.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Caught> {
        let name: String = serde::Deserialize::deserialize(self)?;
        visitor.visit_enum(name.into_deserializer())
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Caught> {
        self.reader.skip(self.kind)?;
        visitor.visit_unit()
    }
}

/// The entries of an array.
struct Entries<'r, R> {
    reader: &'r mut Reader<R>,
    count: usize,
    ended: bool,
}

impl<'r, R: Read> Entries<'r, R> {
    fn new(reader: &'r mut Reader<R>) -> Result<Self, Caught> {
        reader.enter()?;
        Ok(Self { reader, count: 0, ended: false })
    }

    fn end(self) -> Result<(), Caught> {
        self.reader.depth -= 1;
        self.reader.scanner.close(Element::Array)
    }
}

impl<'de, R: Read> SeqAccess<'de> for Entries<'_, R> {
    type Error = Caught;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Caught> {
        if self.ended {
            return Ok(None);
        }
        if !self.reader.scanner.starts(Element::Value)? {
            match self.reader.scanner.tag()? {
                Tag::Open(Element::Value) => {}
                Tag::Close(Element::Data) => {
                    self.ended = true;
                    return Ok(None);
                }
                tag => return Err(self.reader.scanner.unexpected(tag, Element::Value)),
            }
        }
        let count = self.count;
        let value = self.reader.seed(seed).map_err(|error| inside(error, format_args!("[{count}]")))?;
        self.count += 1;
        Ok(Some(value))
    }
}

/// The members of a struct.
struct Members<'r, R> {
    reader: &'r mut Reader<R>,
    /// The member whose value comes next.
    name: String,
    ended: bool,
}

impl<'r, R: Read> Members<'r, R> {
    fn new(reader: &'r mut Reader<R>) -> Result<Self, Caught> {
        reader.enter()?;
        Ok(Self { reader, name: String::new(), ended: false })
    }

    fn end(self) -> Result<(), Caught> {
        // The struct's own end tag was what ended it.
        self.reader.depth -= 1;
        Ok(())
    }
}

impl<'de, R: Read> MapAccess<'de> for Members<'_, R> {
    type Error = Caught;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Caught> {
        if self.ended {
            return Ok(None);
        }
        let scanner = &mut self.reader.scanner;
        if !scanner.starts(Element::Member)? {
            match scanner.tag()? {
                Tag::Open(Element::Member) => {}
                Tag::Close(Element::Struct) => {
                    self.ended = true;
                    return Ok(None);
                }
                tag => return Err(scanner.unexpected(tag, Element::Member)),
            }
        }
        scanner.open(Element::Name)?;
        let at = scanner.at();
        let name = scanner.text()?;
        self.name.clear();
        self.name.push_str(name);
        let key = seed.deserialize(name.into_deserializer()).map_err(|error| placed(error, at))?;
        scanner.close(Element::Name)?;
        Ok(Some(key))
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Caught> {
        self.reader.scanner.open(Element::Value)?;
        let value = match self.reader.seed(seed) {
            Ok(value) => value,
            Err(error) => return Err(inside(error, format_args!(".{}", short(&self.name)))),
        };
        self.reader.scanner.close(Element::Member)?;
        Ok(value)
    }
}
