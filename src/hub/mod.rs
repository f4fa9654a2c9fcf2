//! The hub for those who have none, and the one that answers for a lock: Koji as its clients know it, in one file of SQLite.
