-- Persons whom a subscription has by name: on its list (Managed, Secret), or followed after a move (Moved).
CREATE TABLE subject (
    subscription INTEGER NOT NULL REFERENCES subscription (id) ON DELETE CASCADE,
    record BLOB NOT NULL,
    origin TEXT NOT NULL,
    source INTEGER NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (subscription, record, origin)
) STRICT, WITHOUT ROWID;
CREATE INDEX subject_record ON subject (record);

-- Changes of lists that ingest has yet to make, and for a day what became of those that were not simply made. While one
-- waits it holds the number, sealed under the record's key.
CREATE TABLE listing (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription INTEGER NOT NULL REFERENCES subscription (id) ON DELETE CASCADE,
    source INTEGER NOT NULL,
    record BLOB NOT NULL,
    line INTEGER NOT NULL,
    origin TEXT NOT NULL,
    state TEXT NOT NULL,
    number BLOB,
    tries INTEGER NOT NULL,
    class TEXT,
    subject BLOB,
    at INTEGER NOT NULL,
    UNIQUE (subscription, record)
) STRICT;
CREATE INDEX listing_waiting ON listing (source, state, subscription, id);
CREATE INDEX listing_state ON listing (subscription, state);
CREATE INDEX listing_over ON listing (at) WHERE number IS NULL;
CREATE INDEX listing_record ON listing (record);

-- How many persons a subscription's list gained in an hour, and how many of its numbers the register did not know.
CREATE TABLE list_hour (
    subscription INTEGER NOT NULL REFERENCES subscription (id) ON DELETE CASCADE,
    hour INTEGER NOT NULL,
    added INTEGER NOT NULL,
    unknown INTEGER NOT NULL,
    PRIMARY KEY (subscription, hour)
) STRICT, WITHOUT ROWID;

-- How far the walk has come that announces the persons known when a subscription began.
CREATE TABLE announcing (
    subscription INTEGER PRIMARY KEY REFERENCES subscription (id) ON DELETE CASCADE,
    after BLOB NOT NULL
) STRICT;

-- That something of a list changed which status shows; revision is the counter of source_state and consumer_state.
CREATE TABLE list_state (
    subscription INTEGER PRIMARY KEY REFERENCES subscription (id) ON DELETE CASCADE,
    revision INTEGER NOT NULL
) STRICT;
CREATE INDEX list_state_revision ON list_state (revision);
