//! Which type the data of a tag has.
//!
//! rpm 4.18 refuses a main header in which a tag that it knows has another type (`lib/header.c`,
//! `hdrchkTagType`), except that one kind of text may stand for another. Of the signature header it demands the
//! exact type, and of some tags the count, where it copies a tag into its view of the package (`lib/package.c`,
//! `headerMergeLegacySigs`). The types are those of rpm's `rpmtag.h`, of 4.18 and for later tags of 6.0. Tags that
//! are unknown may have any type.

use super::header::{Entry, Type};
use super::tags;

/// What the data of a tag must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Text of any kind.
    AnyText,
    /// Items of a type.
    Items(Type),
    /// A number of items of a type.
    Exactly(u32, Type),
}

impl Wanted {
    /// Whether an entry is that.
    pub fn admits(self, entry: &Entry) -> bool {
        match self {
            Self::AnyText => entry.kind.is_text(),
            Self::Items(kind) => entry.kind == kind,
            Self::Exactly(count, kind) => entry.kind == kind && entry.count == count,
        }
    }
}

/// What a tag of the main header must be; none where anything goes.
pub const fn of_main(tag: u32) -> Option<Wanted> {
    Some(Wanted::Items(match tag {
        1029 => Type::Char,
        1030 | 1033 => Type::Int16,
        257 | 277 | 1003 | 1006 | 1008..=1009 | 1028 | 1034 | 1037 | 1045..=1046 | 1048 | 1051..=1053 => {
            Type::Int32
        }
        1068..=1069 | 1080 | 1095..=1096 | 1106 | 1112 | 1114 | 1116 | 1119 | 1127..=1129 | 1134 => {
            Type::Int32
        }
        1140..=1141 | 1143..=1145 | 1158 | 1161 | 1195 | 5011 | 5017..=5027 | 5032..=5033 | 5037 => {
            Type::Int32
        }
        5045 | 5048 | 5051 | 5054 | 5057 | 5068 | 5070 | 5072 | 5078 | 5080 | 5082 | 5084..=5085 => {
            Type::Int32
        }
        5091 | 5093 | 5107..=5108 | 5114..=5115 | 5119 => Type::Int32,
        270..=271 | 5008..=5009 | 5112..=5113 => Type::Int64,
        259 | 261..=262 | 267..=268 | 1012..=1013 | 1043 | 1146 => Type::Binary,
        _ => return any_text(tag),
    }))
}

const fn any_text(tag: u32) -> Option<Wanted> {
    match tag {
        100
        | 266
        | 269
        | 273
        | 276
        | 278..=279
        | 1000..=1002
        | 1004..=1005
        | 1007
        | 1010..=1011
        | 1014..=1016
        | 1018..=1027
        | 1035..=1036
        | 1039..=1040
        | 1044
        | 1047
        | 1049..=1050
        | 1054..=1055
        | 1059..=1062
        | 1064..=1067
        | 1079
        | 1081..=1082
        | 1085..=1092
        | 1094
        | 1097..=1099
        | 1113
        | 1115
        | 1117..=1118
        | 1120..=1126
        | 1132..=1133
        | 1135
        | 1142
        | 1147..=1157
        | 1159..=1160
        | 1196
        | 5000..=5002
        | 5005..=5007
        | 5010
        | 5012..=5016
        | 5030..=5031
        | 5034..=5036
        | 5040..=5044
        | 5046..=5047
        | 5049..=5050
        | 5052..=5053
        | 5055..=5056
        | 5058..=5062
        | 5066..=5067
        | 5069
        | 5071
        | 5076..=5077
        | 5079
        | 5081
        | 5086..=5090
        | 5092
        | 5096..=5101
        | 5103..=5106
        | 5109
        | 5116..=5118
        | 5120..=5124 => Some(Wanted::AnyText),
        _ => None,
    }
}

/// What a tag of the signature header must be; none where anything goes.
pub const fn of_signature(tag: u32) -> Option<Wanted> {
    Some(match tag {
        tags::SIG_SIZE | tags::SIG_PAYLOADSIZE => Wanted::Exactly(1, Type::Int32),
        tags::SIG_LONGSIZE | tags::SIG_LONGARCHIVESIZE => Wanted::Exactly(1, Type::Int64),
        tags::SIG_FILESIGNATURELENGTH | tags::SIG_VERITYSIGNATUREALGO => Wanted::Exactly(1, Type::Int32),
        tags::SIG_MD5 => Wanted::Exactly(16, Type::Binary),
        tags::SIG_PGP | tags::SIG_GPG | tags::SIG_DSA | tags::SIG_RSA => Wanted::Items(Type::Binary),
        tags::SIG_SHA1 | tags::SIG_SHA256 | tags::SIG_SHA3_256 => Wanted::Exactly(1, Type::Text),
        tags::SIG_FILESIGNATURES | tags::SIG_VERITYSIGNATURES | tags::SIG_OPENPGP => {
            Wanted::Items(Type::TextArray)
        }
        _ => return None,
    })
}

/// Tags of rpm's view of a package that come out of the signature header and so may not stand in the main one.
pub const COPIES: [u32; 14] = [257, 259, 261, 262, 267, 268, 269, 270, 271, 273, 276, 277, 278, 279];
/// Tags that may stand in the main header or, under the second number, in the signature header, but not in both.
pub const EITHER: [(u32, u32); 3] = [
    (tags::ARCHIVESIZE, tags::SIG_PAYLOADSIZE),
    (tags::FILESIGNATURES, tags::SIG_FILESIGNATURES),
    (tags::FILESIGNATURELENGTH, tags::SIG_FILESIGNATURELENGTH),
];
