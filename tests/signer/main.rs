//! The signer as a process: the built binary, asked over its socket.

mod header;
mod keys;
mod operations;
mod process;
mod start;
mod world;
