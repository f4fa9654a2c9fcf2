//! A spec and its sources to SRPM and RPMs.
