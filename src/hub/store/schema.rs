//! The hub's database: SQLite 3 with `application_id` 0x676e6472 ("gndr") and the schema's number in `user_version`. A
//! hub with a higher number is refused, one with a lower one gets what it lacks when it is opened: 2 has groups and sessions,
//! which 1 had not.
//!
//! Names and meanings are Koji's (its `schemas/schema.sql`, 1.35), so that a query of its code can be held against
//! ours. Times are microseconds since 1970 UTC, booleans 0 and 1, structures JSON. Ids are given out as one more than
//! the highest.
//!
//! **Versioned tables** have `create_event`, `revoke_event`, `creator_id` and `revoker_id`. Rows are never changed or
//! deleted: an entry that ends gets its revoke event, and what replaces it is a new row. At event E those rows are in
//! force whose create event is at most E and which have no revoke event, or one above E; now those without one. Of what
//! can be in force only once, a partial unique index sees to that. They are `user_perms`, `cg_users`, `tag_config`,
//! `tag_extra` (without a value: the inherited one is hidden), `tag_inheritance`, `tag_packages`, `tag_package_owners`,
//! `tag_listing` (which build has which tag), `group_config`, `group_package_listing`, `group_req_listing`,
//! `external_repo_config`, `tag_external_repos` and `build_target_config`.
//!
//! **Not versioned** is everything else: names of tags, states and volumes of builds, signatures, checksums. A query
//! about an earlier event sees them as they are now. `tag_updates` notes such changes for those who watch tags.
//!
//! - `events`: (id, time). Ids grow; some are missing, for a call that fails may have taken one. `sequence` remembers
//!   the last one taken.
//! - `users`: (id, name, password, status 0 normal 1 blocked, usertype 0 person 1 host). What `password` holds is up to
//!   who checks it; none: no login by password.
//! - `build`: package, version, release are unique together; `state` as [`crate::hub::BuildState`]; `create_event`.
//! - `rpminfo`: name, version, release, arch and external repository are unique together, but for drafts.
//! - `rpmsigs`: (rpm, sigkey, sighash): sigkey is '' for the unsigned header, else the last 8 digits of the key id;
//!   sighash the MD5 of the signature header.
//! - `rpm_checksum`: (rpm, sigkey, type 0 md5 1 sha1 2 sha256, checksum) of the whole file with that signature.
//! - Tasks and buildroots that builds, RPMs and repositories name need not be there: a hub that answers for a lock does not
//!   know them.
//! - `groups`: (id, name) of comps groups. `sessions`: who is logged in; `key` is the SHA-256 of the session's key, which
//!   is kept nowhere. A session that ends is deleted; `sequence` remembers the last number.
//! - `repo`: repositories that were made of tags. `task`: what was asked for and what came of it.

use rusqlite::Connection;

/// The schema's number.
pub const VERSION: i64 = 2;
/// "gndr".
pub(in crate::hub) const APPLICATION: i64 = 0x676e_6472;

/// Makes the tables and what every hub has from the start. The ids are those of a fresh Koji hub.
pub(in crate::hub) fn create(database: &Connection) -> rusqlite::Result<()> {
    database.execute_batch(TABLES)?;
    versioned(database, VERSIONED)?;
    database.execute_batch(INDEXES)?;
    database.execute_batch(ROWS)?;
    database.pragma_update(None, "application_id", APPLICATION)?;
    upgrade(database, 1)
}

/// Gives a database with a lower number what it lacks.
pub(in crate::hub) fn upgrade(database: &Connection, from: i64) -> rusqlite::Result<()> {
    if from < 2 {
        database.execute_batch(SECOND)?;
        versioned(database, GROUPS)?;
    }
    database.pragma_update(None, "user_version", VERSION)
}

/// Makes versioned tables: name, columns of their own, which of them name what can be in force only once.
fn versioned(database: &Connection, tables: &[(&str, &str, &str)]) -> rusqlite::Result<()> {
    for (table, columns, unique) in tables {
        database.execute_batch(&format!(
            "CREATE TABLE {table} ({columns},
                create_event INTEGER NOT NULL REFERENCES events, revoke_event INTEGER REFERENCES events,
                creator_id INTEGER NOT NULL REFERENCES users, revoker_id INTEGER REFERENCES users,
                CHECK ((revoke_event IS NULL) = (revoker_id IS NULL)), CHECK (revoke_event >= create_event)) STRICT;
             CREATE UNIQUE INDEX {table}_in_force ON {table} ({unique}) WHERE revoke_event IS NULL;
             CREATE INDEX {table}_created ON {table} (create_event);
             CREATE INDEX {table}_revoked ON {table} (revoke_event);",
        ))?;
    }
    Ok(())
}

const VERSIONED: &[(&str, &str, &str)] = &[
    (
        "user_perms",
        "user_id INTEGER NOT NULL REFERENCES users, perm_id INTEGER NOT NULL REFERENCES permissions",
        "user_id, perm_id",
    ),
    (
        "cg_users",
        "cg_id INTEGER NOT NULL REFERENCES content_generator, user_id INTEGER NOT NULL REFERENCES users",
        "cg_id, user_id",
    ),
    (
        "tag_config",
        "tag_id INTEGER NOT NULL REFERENCES tag, arches TEXT, perm_id INTEGER REFERENCES permissions, locked INTEGER NOT NULL, \
         maven_support INTEGER NOT NULL, maven_include_all INTEGER NOT NULL",
        "tag_id",
    ),
    ("tag_extra", "tag_id INTEGER NOT NULL REFERENCES tag, key TEXT NOT NULL, value TEXT", "tag_id, key"),
    (
        "tag_inheritance",
        "tag_id INTEGER NOT NULL REFERENCES tag, parent_id INTEGER NOT NULL REFERENCES tag, priority INTEGER NOT NULL, \
         maxdepth INTEGER, intransitive INTEGER NOT NULL, noconfig INTEGER NOT NULL, pkg_filter TEXT NOT NULL",
        "tag_id, parent_id",
    ),
    (
        "tag_packages",
        "package_id INTEGER NOT NULL REFERENCES package, tag_id INTEGER NOT NULL REFERENCES tag, blocked INTEGER NOT NULL, \
         extra_arches TEXT",
        "tag_id, package_id",
    ),
    (
        "tag_package_owners",
        "package_id INTEGER NOT NULL REFERENCES package, tag_id INTEGER NOT NULL REFERENCES tag, \
         owner INTEGER NOT NULL REFERENCES users",
        "tag_id, package_id",
    ),
    (
        "tag_listing",
        "build_id INTEGER NOT NULL REFERENCES build, tag_id INTEGER NOT NULL REFERENCES tag",
        "tag_id, build_id",
    ),
    (
        "external_repo_config",
        "external_repo_id INTEGER NOT NULL REFERENCES external_repo, url TEXT NOT NULL",
        "external_repo_id",
    ),
    (
        "tag_external_repos",
        "tag_id INTEGER NOT NULL REFERENCES tag, external_repo_id INTEGER NOT NULL REFERENCES external_repo, \
         priority INTEGER NOT NULL, merge_mode TEXT NOT NULL, arches TEXT",
        "tag_id, external_repo_id",
    ),
    (
        "build_target_config",
        "build_target_id INTEGER NOT NULL REFERENCES build_target, build_tag INTEGER NOT NULL REFERENCES tag, \
         dest_tag INTEGER NOT NULL REFERENCES tag",
        "build_target_id",
    ),
];

/// The versioned tables of groups.
const GROUPS: &[(&str, &str, &str)] = &[
    (
        "group_config",
        "group_id INTEGER NOT NULL REFERENCES groups, tag_id INTEGER NOT NULL REFERENCES tag, blocked INTEGER NOT NULL, \
         exported INTEGER, display_name TEXT NOT NULL, is_default INTEGER, uservisible INTEGER, description TEXT, \
         langonly TEXT, biarchonly INTEGER",
        "tag_id, group_id",
    ),
    (
        "group_req_listing",
        "group_id INTEGER NOT NULL REFERENCES groups, tag_id INTEGER NOT NULL REFERENCES tag, \
         req_id INTEGER NOT NULL REFERENCES groups, blocked INTEGER NOT NULL, type TEXT, is_metapkg INTEGER NOT NULL",
        "tag_id, group_id, req_id",
    ),
    (
        "group_package_listing",
        "group_id INTEGER NOT NULL REFERENCES groups, tag_id INTEGER NOT NULL REFERENCES tag, package TEXT NOT NULL, \
         blocked INTEGER NOT NULL, type TEXT NOT NULL, basearchonly INTEGER, requires TEXT",
        "tag_id, group_id, package",
    ),
];

/// What version 2 has beyond the tables of groups.
const SECOND: &str = "
CREATE TABLE groups (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE sessions (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users, key BLOB NOT NULL,
    hostip TEXT NOT NULL, callnum INTEGER, start_time INTEGER NOT NULL, renew_time INTEGER,
    update_time INTEGER NOT NULL) STRICT;
INSERT INTO sequence VALUES ('session', 0);
";

const TABLES: &str = "
CREATE TABLE sequence (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
CREATE TABLE events (id INTEGER PRIMARY KEY, time INTEGER NOT NULL) STRICT;
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, password TEXT, status INTEGER NOT NULL,
    usertype INTEGER NOT NULL) STRICT;
CREATE TABLE permissions (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, description TEXT) STRICT;
CREATE TABLE content_generator (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE channels (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE package (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE volume (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE btype (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE tag (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE external_repo (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE build_target (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE task (id INTEGER PRIMARY KEY, state INTEGER NOT NULL, create_time INTEGER NOT NULL, start_time INTEGER,
    completion_time INTEGER, channel_id INTEGER NOT NULL REFERENCES channels, host_id INTEGER,
    parent INTEGER REFERENCES task, label TEXT, waiting INTEGER, awaited INTEGER,
    owner INTEGER NOT NULL REFERENCES users, method TEXT NOT NULL, request TEXT NOT NULL, result TEXT,
    arch TEXT NOT NULL, priority INTEGER NOT NULL, weight REAL NOT NULL) STRICT;
CREATE TABLE build (id INTEGER PRIMARY KEY, volume_id INTEGER NOT NULL REFERENCES volume,
    pkg_id INTEGER NOT NULL REFERENCES package, version TEXT NOT NULL, release TEXT NOT NULL, epoch INTEGER,
    draft INTEGER NOT NULL, source TEXT, create_event INTEGER NOT NULL REFERENCES events, start_time INTEGER,
    completion_time INTEGER, promotion_time INTEGER, promoter INTEGER REFERENCES users, state INTEGER NOT NULL,
    task_id INTEGER, owner INTEGER NOT NULL REFERENCES users,
    cg_id INTEGER REFERENCES content_generator, extra TEXT, UNIQUE (pkg_id, version, release)) STRICT;
CREATE TABLE build_types (build_id INTEGER NOT NULL REFERENCES build, btype_id INTEGER NOT NULL REFERENCES btype,
    PRIMARY KEY (build_id, btype_id)) STRICT;
CREATE TABLE buildroot (id INTEGER PRIMARY KEY, cg_id INTEGER REFERENCES content_generator, cg_version TEXT,
    host_os TEXT, host_arch TEXT, container_type TEXT, container_arch TEXT) STRICT;
CREATE TABLE rpminfo (id INTEGER PRIMARY KEY, build_id INTEGER REFERENCES build,
    buildroot_id INTEGER, name TEXT NOT NULL, version TEXT NOT NULL, release TEXT NOT NULL,
    epoch INTEGER, arch TEXT NOT NULL, draft INTEGER NOT NULL,
    external_repo_id INTEGER NOT NULL REFERENCES external_repo, payloadhash TEXT NOT NULL, size INTEGER NOT NULL,
    buildtime INTEGER NOT NULL, metadata_only INTEGER NOT NULL, extra TEXT) STRICT;
CREATE TABLE rpmsigs (rpm_id INTEGER NOT NULL REFERENCES rpminfo, sigkey TEXT NOT NULL, sighash TEXT NOT NULL) STRICT;
CREATE TABLE rpm_checksum (rpm_id INTEGER NOT NULL REFERENCES rpminfo, sigkey TEXT NOT NULL,
    checksum_type INTEGER NOT NULL, checksum TEXT NOT NULL, PRIMARY KEY (rpm_id, sigkey, checksum_type)) STRICT;
CREATE TABLE archivetypes (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, description TEXT NOT NULL,
    extensions TEXT NOT NULL, compression_type TEXT) STRICT;
CREATE TABLE archiveinfo (id INTEGER PRIMARY KEY, type_id INTEGER NOT NULL REFERENCES archivetypes,
    btype_id INTEGER NOT NULL REFERENCES btype, build_id INTEGER NOT NULL REFERENCES build,
    buildroot_id INTEGER, filename TEXT NOT NULL, size INTEGER NOT NULL, checksum TEXT NOT NULL,
    checksum_type INTEGER NOT NULL, metadata_only INTEGER NOT NULL, extra TEXT) STRICT;
CREATE TABLE tag_updates (id INTEGER PRIMARY KEY, tag_id INTEGER NOT NULL REFERENCES tag,
    update_event INTEGER NOT NULL REFERENCES events, updater_id INTEGER NOT NULL REFERENCES users,
    update_type INTEGER NOT NULL) STRICT;
CREATE TABLE repo (id INTEGER PRIMARY KEY, create_event INTEGER NOT NULL REFERENCES events,
    begin_event INTEGER REFERENCES events, end_event INTEGER REFERENCES events,
    tag_id INTEGER NOT NULL REFERENCES tag, state INTEGER NOT NULL, state_time INTEGER NOT NULL,
    creation_time INTEGER NOT NULL, dist INTEGER NOT NULL, opts TEXT, custom_opts TEXT,
    task_id INTEGER) STRICT;
";

const INDEXES: &str = "
CREATE UNIQUE INDEX rpmsigs_once ON rpmsigs (rpm_id, sigkey);
CREATE INDEX rpmsigs_by_key ON rpmsigs (sigkey);
CREATE UNIQUE INDEX rpminfo_once ON rpminfo (name, version, release, arch, external_repo_id) WHERE NOT draft;
CREATE INDEX rpminfo_by_name ON rpminfo (name, version, release, arch);
CREATE INDEX rpminfo_by_build ON rpminfo (build_id);
CREATE INDEX archiveinfo_by_build ON archiveinfo (build_id);
CREATE INDEX task_by_parent ON task (parent);
CREATE INDEX tag_updates_by_tag ON tag_updates (tag_id);
CREATE INDEX repo_by_tag ON repo (tag_id);
CREATE INDEX events_by_time ON events (time);
CREATE INDEX tag_listing_by_tag ON tag_listing (tag_id, create_event);
CREATE INDEX tag_listing_by_build ON tag_listing (build_id);
CREATE INDEX tag_packages_by_tag ON tag_packages (tag_id, package_id);
CREATE INDEX tag_package_owners_by_tag ON tag_package_owners (tag_id, package_id);
CREATE INDEX tag_config_by_tag ON tag_config (tag_id);
CREATE INDEX tag_extra_by_tag ON tag_extra (tag_id);
CREATE INDEX tag_inheritance_by_tag ON tag_inheritance (tag_id);
CREATE INDEX tag_inheritance_by_parent ON tag_inheritance (parent_id);
CREATE INDEX tag_external_repos_by_tag ON tag_external_repos (tag_id);
";

const ROWS: &str = "
INSERT INTO sequence VALUES ('event', 0);
INSERT INTO permissions (id, name) VALUES (1, 'admin'), (2, 'appliance'), (3, 'dist-repo'), (4, 'host'), (5, 'image'),
    (6, 'image-import'), (7, 'livecd'), (8, 'maven-import'), (9, 'repo'), (10, 'sign'), (11, 'tag'), (12, 'target'),
    (13, 'win-admin'), (14, 'win-import'), (15, 'draft-promoter');
INSERT INTO btype VALUES (1, 'rpm'), (2, 'maven'), (3, 'win'), (4, 'image');
INSERT INTO volume VALUES (0, 'DEFAULT');
INSERT INTO external_repo VALUES (0, 'INTERNAL');
INSERT INTO channels VALUES (1, 'default'), (2, 'createrepo'), (3, 'maven'), (4, 'livecd'), (5, 'appliance'), (6, 'vm'),
    (7, 'image'), (8, 'livemedia');
INSERT INTO archivetypes VALUES (4, 'tar', 'Tar file', 'tar tar.gz tar.bz2 tar.xz tgz', 'tar'),
    (5, 'xml', 'XML file', 'xml', NULL), (40, 'txt', 'Text file', 'txt', NULL), (46, 'json', 'JSON data', 'json', NULL);
";
