//! Codecs, bytes to types and back: comps, kickstart, repodata, XML, a compose's metadata, `.treeinfo`,
//! `.discinfo`, `CHECKSUM`, metalinks, modules, XML-RPC; the beginning of an ISO image; the configurations of
//! Pungi (with its variants) and mash.

pub mod checksum;
pub mod comps;
pub mod discinfo;
pub mod iso9660;
pub mod kickstart;
pub mod mash_conf;
pub mod metalink;
pub mod modulemd;
pub mod productmd;
pub mod pungi_conf;
pub mod repodata;
pub mod treeinfo;
pub mod variants_xml;
pub mod volume_id;
pub mod xml;
mod xml_text;
pub mod xmlrpc;
