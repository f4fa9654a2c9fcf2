//! What is on the wire of sigul's protocol, outside of connections: fields, known operations, proofs. Fields are
//! written as they were read, and a reader never asks for bytes behind them.
#![no_main]

use gander::sigul::wire::operation::PART;
use gander::sigul::wire::{Code, Fields, MAC, Operation, Proof, Reply, RequestHeader};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok((fields, rest)) = Fields::split(bytes) else {
        assert!(Fields::missing(bytes) > 0 || Fields::parse(bytes).is_err());
        return;
    };
    let read = &bytes[..bytes.len() - rest.len()];
    assert_eq!(Fields::missing(read), 0);
    for end in 0..read.len() {
        assert!((1..=read.len() - end).contains(&Fields::missing(&read[..end])), "{end}");
    }
    // Of fields that are there twice the last counts; what is written has each once.
    let written = fields.encode().unwrap();
    assert_eq!(Fields::parse(&written).unwrap(), fields);
    let header = RequestHeader { fields: fields.clone() };
    drop((header.operation(), header.user(), PART.check(&fields)));
    if let Ok(name) = header.operation() {
        drop(Operation::find(name).map(|operation| operation.check(&fields)));
    }
    drop((Proof::read(&fields, rest, &[0; MAC], true), Proof::parts(&fields)));
    drop(Reply { code: Code::Ok, fields }.encode().unwrap());
});
