-- Persons of whom the register says something doubtful: another entry claims their number, or it does not know them any more.
CREATE TABLE doubt (
    record BLOB NOT NULL,
    source INTEGER NOT NULL REFERENCES source (id),
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (record, source, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX doubt_source ON doubt (source, kind);
