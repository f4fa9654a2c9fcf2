//! The elements of XML-RPC and their tags.

/// The elements of XML-RPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    Array,
    Base64,
    Boolean,
    Data,
    Double,
    Fault,
    Int,
    Member,
    MethodCall,
    MethodName,
    MethodResponse,
    Name,
    Nil,
    Param,
    Params,
    Text,
    Struct,
    Value,
}

impl Element {
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"value" => Self::Value,
            b"name" => Self::Name,
            b"member" => Self::Member,
            b"string" => Self::Text,
            b"int" | b"i4" | b"i8" => Self::Int,
            b"nil" => Self::Nil,
            b"boolean" => Self::Boolean,
            b"struct" => Self::Struct,
            b"double" => Self::Double,
            b"array" => Self::Array,
            b"data" => Self::Data,
            b"base64" => Self::Base64,
            b"param" => Self::Param,
            b"params" => Self::Params,
            b"fault" => Self::Fault,
            b"methodCall" => Self::MethodCall,
            b"methodName" => Self::MethodName,
            b"methodResponse" => Self::MethodResponse,
            _ => return None,
        })
    }

    /// Its tags as they nearly always stand there.
    pub(super) fn tags(self) -> (&'static [u8], &'static [u8]) {
        match self {
            Self::Array => (b"<array>", b"</array>"),
            Self::Base64 => (b"<base64>", b"</base64>"),
            Self::Boolean => (b"<boolean>", b"</boolean>"),
            Self::Data => (b"<data>", b"</data>"),
            Self::Double => (b"<double>", b"</double>"),
            Self::Fault => (b"<fault>", b"</fault>"),
            Self::Int => (b"<int>", b"</int>"),
            Self::Member => (b"<member>", b"</member>"),
            Self::MethodCall => (b"<methodCall>", b"</methodCall>"),
            Self::MethodName => (b"<methodName>", b"</methodName>"),
            Self::MethodResponse => (b"<methodResponse>", b"</methodResponse>"),
            Self::Name => (b"<name>", b"</name>"),
            Self::Nil => (b"<nil>", b"</nil>"),
            Self::Param => (b"<param>", b"</param>"),
            Self::Params => (b"<params>", b"</params>"),
            Self::Text => (b"<string>", b"</string>"),
            Self::Struct => (b"<struct>", b"</struct>"),
            Self::Value => (b"<value>", b"</value>"),
        }
    }
}

/// A tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// `<name>`
    Open(Element),
    /// `</name>`
    Close(Element),
    /// The end of the document.
    Nothing,
}
