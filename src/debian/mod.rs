//! Debian archives: release files, indexes, dependencies, packages; what builders are made of.
