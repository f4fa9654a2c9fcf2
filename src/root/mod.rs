//! A set of packages becomes a root file system with its rpm database, and a kickstart configures it.
