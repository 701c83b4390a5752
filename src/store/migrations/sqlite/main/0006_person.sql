-- A person's row is long, and long rows in the order of a key are found through many pages. Rows lie by themselves now, with a
-- short index to them; whether name and address are protected, asked before each delivery, stands in an index alone.

CREATE TABLE person_new (
    record BLOB NOT NULL,
    source INTEGER NOT NULL REFERENCES source (id),
    municipality INTEGER,
    status INTEGER,
    inactive_since INTEGER,
    protected INTEGER NOT NULL,
    next_due TEXT,
    as_of TEXT NOT NULL,
    held TEXT NOT NULL,
    settled INTEGER NOT NULL,
    leaving INTEGER NOT NULL DEFAULT 0,
    refetch INTEGER NOT NULL DEFAULT 0,
    uncovered_since INTEGER,
    content BLOB NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (record, source)
) STRICT;
INSERT INTO person_new (record, source, municipality, status, inactive_since, protected, next_due, as_of, held, settled, leaving, refetch, uncovered_since, content, updated_at)
SELECT record, source, municipality, status, inactive_since, protected, next_due, as_of, held, settled, leaving, refetch, uncovered_since, content, updated_at FROM person;
DROP TABLE person;
ALTER TABLE person_new RENAME TO person;
CREATE INDEX person_municipality ON person (source, municipality);
CREATE INDEX person_due ON person (source, next_due) WHERE next_due IS NOT NULL;
CREATE INDEX person_settled ON person (source, settled);
CREATE INDEX person_refetch ON person (source) WHERE refetch = 1;
CREATE INDEX person_leaving ON person (record) WHERE leaving = 1;
CREATE INDEX person_uncovered ON person (uncovered_since) WHERE uncovered_since IS NOT NULL;
CREATE INDEX person_protection ON person (record, protected);
