//! Types written as XML-RPC, in the form that Koji's own library has.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde::ser::{
    Error as _, Impossible, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple,
    SerializeTupleStruct, Serializer,
};

use super::error::Caught;
use super::scan::is_xml;

/// Bytes of base64 in a line.
const LINE: usize = 76;

/// Appends a value, with its `<value>`.
pub(super) fn value<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<(), Caught> {
    value.serialize(ValueWriter(out))
}

/// Appends text; what XML cannot have becomes U+FFFD.
pub(super) fn text(out: &mut Vec<u8>, text: &str) {
    let mut rest = text;
    while let Some(place) = rest.find(|one: char| matches!(one, '<' | '>' | '&' | '\r') || !is_xml(one)) {
        let (plain, special) = rest.split_at(place);
        out.extend_from_slice(plain.as_bytes());
        let mut characters = special.chars();
        out.extend_from_slice(match characters.next() {
            Some('<') => b"&lt;",
            Some('>') => b"&gt;",
            Some('&') => b"&amp;",
            // Readers turn it into a line feed where it stands for itself.
            Some('\r') => b"&#13;",
            _ => "\u{fffd}".as_bytes(),
        });
        rest = characters.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
}

struct ValueWriter<'o>(&'o mut Vec<u8>);

impl ValueWriter<'_> {
    fn plain(self, kind: &str, content: impl std::fmt::Display) -> Result<(), Caught> {
        self.0.extend_from_slice(format!("<value><{kind}>{content}</{kind}></value>\n").as_bytes());
        Ok(())
    }
}

impl<'o> Serializer for ValueWriter<'o> {
    type Ok = ();
    type Error = Caught;
    type SerializeSeq = Compound<'o>;
    type SerializeTuple = Compound<'o>;
    type SerializeTupleStruct = Compound<'o>;
    type SerializeTupleVariant = Impossible<(), Caught>;
    type SerializeMap = Compound<'o>;
    type SerializeStruct = Compound<'o>;
    type SerializeStructVariant = Impossible<(), Caught>;

    fn serialize_bool(self, value: bool) -> Result<(), Caught> {
        self.plain("boolean", u8::from(value))
    }

    fn serialize_i64(self, value: i64) -> Result<(), Caught> {
        self.plain(if i32::try_from(value).is_ok() { "int" } else { "i8" }, value)
    }

    fn serialize_u64(self, value: u64) -> Result<(), Caught> {
        let value = i64::try_from(value).map_err(|_| {
            Caught::custom(format_args!("the integer {value} has more than 64 bits with its sign"))
        })?;
        self.serialize_i64(value)
    }

    fn serialize_i8(self, value: i8) -> Result<(), Caught> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), Caught> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), Caught> {
        self.serialize_i64(value.into())
    }

    fn serialize_u8(self, value: u8) -> Result<(), Caught> {
        self.serialize_i64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), Caught> {
        self.serialize_i64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), Caught> {
        self.serialize_i64(value.into())
    }

    fn serialize_f32(self, value: f32) -> Result<(), Caught> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Caught> {
        // With a point in it where it is a whole number, as Python writes it.
        self.plain("double", format_args!("{value:?}"))
    }

    fn serialize_char(self, value: char) -> Result<(), Caught> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Caught> {
        self.0.extend_from_slice(b"<value><string>");
        text(self.0, value);
        self.0.extend_from_slice(b"</string></value>\n");
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Caught> {
        self.0.extend_from_slice(b"<value><base64>\n");
        for line in value.chunks(LINE / 4 * 3) {
            self.0.extend_from_slice(STANDARD.encode(line).as_bytes());
            self.0.push(b'\n');
        }
        self.0.extend_from_slice(b"</base64></value>\n");
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Caught> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Caught> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Caught> {
        self.0.extend_from_slice(b"<value><nil/></value>");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Caught> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Caught> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Caught> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Caught> {
        Err(variant(name))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Compound<'o>, Caught> {
        self.0.extend_from_slice(b"<value><array><data>\n");
        Ok(Compound { out: self.0, end: b"</data></array></value>\n" })
    }

    fn serialize_tuple(self, _: usize) -> Result<Compound<'o>, Caught> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Compound<'o>, Caught> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Caught> {
        Err(variant(name))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Compound<'o>, Caught> {
        self.0.extend_from_slice(b"<value><struct>\n");
        Ok(Compound { out: self.0, end: b"</struct></value>\n" })
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Compound<'o>, Caught> {
        self.serialize_map(None)
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Caught> {
        Err(variant(name))
    }
}

fn variant(name: &str) -> Caught {
    Caught::custom(format_args!("a variant of {name} that has content"))
}

/// An array or a struct that is being written.
struct Compound<'o> {
    out: &'o mut Vec<u8>,
    end: &'static [u8],
}

impl Compound<'_> {
    fn entry<T: Serialize + ?Sized>(&mut self, entry: &T) -> Result<(), Caught> {
        value(self.out, entry)
    }

    fn name(&mut self, name: &str) {
        self.out.extend_from_slice(b"<member>\n<name>");
        text(self.out, name);
        self.out.extend_from_slice(b"</name>\n");
    }

    fn content<T: Serialize + ?Sized>(&mut self, content: &T) -> Result<(), Caught> {
        value(self.out, content)?;
        self.out.extend_from_slice(b"</member>\n");
        Ok(())
    }

    fn finish(self) -> Result<(), Caught> {
        self.out.extend_from_slice(self.end);
        Ok(())
    }
}

macro_rules! compound {
    ($($traits:ident: $method:ident;)*) => {$(
        impl $traits for Compound<'_> {
            type Ok = ();
            type Error = Caught;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Caught> {
                self.entry(value)
            }

            fn end(self) -> Result<(), Caught> {
                self.finish()
            }
        }
    )*};
}

compound! {
    SerializeSeq: serialize_element;
    SerializeTuple: serialize_element;
    SerializeTupleStruct: serialize_field;
}

impl SerializeMap for Compound<'_> {
    type Ok = ();
    type Error = Caught;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Caught> {
        let mut written = Vec::new();
        value(&mut written, key)?;
        let name = written
            .strip_prefix(b"<value><string>")
            .and_then(|rest| rest.strip_suffix(b"</string></value>\n"));
        let name = name.ok_or_else(|| Caught::custom("a member whose name is no string"))?;
        self.out.extend_from_slice(b"<member>\n<name>");
        self.out.extend_from_slice(name);
        self.out.extend_from_slice(b"</name>\n");
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Caught> {
        self.content(value)
    }

    fn end(self) -> Result<(), Caught> {
        self.finish()
    }
}

macro_rules! members {
    ($($traits:ident)*) => {$(
        impl $traits for Compound<'_> {
            type Ok = ();
            type Error = Caught;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Caught> {
                self.name(name);
                self.content(value)
            }

            fn end(self) -> Result<(), Caught> {
                self.finish()
            }
        }
    )*};
}

members! { SerializeStruct }
