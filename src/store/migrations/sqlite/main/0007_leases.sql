-- Who works on what, where several processes share a database. One process alone on its files needs none of it.

-- A process, and when it last said that it lives, by the database's clock.
CREATE TABLE worker (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    beat_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The consumers that a process is there for.
CREATE TABLE serving (
    consumer INTEGER NOT NULL REFERENCES consumer (id) ON DELETE CASCADE,
    worker TEXT NOT NULL REFERENCES worker (name) ON DELETE CASCADE,
    PRIMARY KEY (consumer, worker)
) STRICT, WITHOUT ROWID;
CREATE INDEX serving_worker ON serving (worker);

-- Work that one process does at a time: a source's, the janitor's.
CREATE TABLE lease (
    name TEXT PRIMARY KEY,
    worker TEXT NOT NULL,
    epoch INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
