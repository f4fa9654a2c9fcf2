//! Policies of the signer: what is read can be judged by.
#![no_main]

use gander::sign::vault::policy::{Case, Kind, Policy};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(policy) = Policy::parse(text) else { return };
    for kind in [Kind::Text, Kind::Rpm, Kind::Container] {
        let nevra = "bash-0:5.1-1.x86_64".parse().unwrap();
        let case = Case {
            key: "k",
            algorithm: "RSA 4096",
            user: "u",
            kind,
            size: 1,
            nevra: Some(&nevra),
            covers_payload: true,
            reference: Some("r"),
            wishes_time: false,
            now: gander::base::SourceDate::EARLIEST,
        };
        drop(policy.judge(&case));
    }
});
