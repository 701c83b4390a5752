-- The key store: which record an identifier means, and the keys without which nothing personal can be read.

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE keyring (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    scope TEXT NOT NULL,
    version INTEGER NOT NULL,
    wrapped BLOB NOT NULL,
    made_at INTEGER NOT NULL,
    UNIQUE (kind, scope, version)
) STRICT;

CREATE TABLE person_key (
    record BLOB PRIMARY KEY,
    wrapped BLOB NOT NULL,
    wrapped_by INTEGER NOT NULL REFERENCES keyring (id),
    version INTEGER NOT NULL,
    made_at INTEGER NOT NULL,
    sought_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX person_key_wrapped_by ON person_key (wrapped_by);

CREATE TABLE identifier (
    reference BLOB NOT NULL,
    kind TEXT NOT NULL,
    key_version INTEGER NOT NULL,
    authority TEXT NOT NULL,
    environment TEXT NOT NULL,
    record BLOB NOT NULL REFERENCES person_key (record) ON DELETE CASCADE,
    PRIMARY KEY (authority, environment, kind, key_version, reference)
) STRICT, WITHOUT ROWID;
CREATE INDEX identifier_record ON identifier (record);

CREATE TABLE claim (
    record BLOB NOT NULL REFERENCES person_key (record) ON DELETE CASCADE,
    consumer INTEGER NOT NULL,
    made_at INTEGER NOT NULL,
    PRIMARY KEY (record, consumer)
) STRICT, WITHOUT ROWID;
CREATE INDEX claim_consumer ON claim (consumer);
