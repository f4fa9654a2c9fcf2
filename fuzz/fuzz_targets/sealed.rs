//! Secrets under a passphrase, and messages to a key: opened or refused; what is not encrypted is never opened.
#![no_main]

use gander::sign::key::wrap::unseal;
use libfuzzer_sys::fuzz_target;

// Panics that are caught are none: libFuzzer's own hook would end the process.
fuzz_target!(init: std::panic::set_hook(Box::new(|_| ())), |bytes: &[u8]| {
    let mut bytes = bytes.to_vec();
    // How often the passphrase is hashed, where `gpg --symmetric` has it: at most 65,536 bytes, for the time it takes.
    if let Some(count) = bytes.get_mut(14) {
        *count = (*count).min(0x60);
    }
    if unseal(&bytes, b"secret").is_ok() {
        // Then there is a packet with a session key under a passphrase (tag 3) in front, or armor.
        assert!(bytes.first().is_some_and(|tag| tag & 0x80 == 0 || tag & 0x3c == 0x0c || tag & 0x3f == 3));
    }
});
