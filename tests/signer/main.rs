//! The signer as a process: the built binary, asked over its socket.

mod header;
mod operations;
mod process;
mod world;
