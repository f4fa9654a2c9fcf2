//! The client of Koji hubs: what is tagged at an event, where its files are, who signed them.
