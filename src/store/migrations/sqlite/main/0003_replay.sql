-- Deliveries that are asked for again, and the jobs that make them.

-- The number of the job that asked for the route; of_seq is the delivery that it repeats, of_replay the job that asked for that one.
ALTER TABLE route ADD COLUMN replay INTEGER;
ALTER TABLE route ADD COLUMN of_seq INTEGER;
ALTER TABLE route ADD COLUMN of_replay INTEGER;

-- What a dead letter needs to be sent when its route and event are gone.
ALTER TABLE dead_letter ADD COLUMN replay INTEGER;
ALTER TABLE dead_letter ADD COLUMN of_seq INTEGER;
ALTER TABLE dead_letter ADD COLUMN of_replay INTEGER;
ALTER TABLE dead_letter ADD COLUMN detail TEXT;
ALTER TABLE dead_letter ADD COLUMN audit_period TEXT;
ALTER TABLE dead_letter ADD COLUMN audit_person BLOB;
ALTER TABLE dead_letter ADD COLUMN audit_number BLOB;
UPDATE dead_letter SET (detail, audit_period, audit_person, audit_number) =
    (SELECT detail, audit_period, audit_person, audit_number FROM event WHERE seq = dead_letter.event)
WHERE event IS NOT NULL;

-- What somebody asked for; the id is the number of the replay, never given twice.
CREATE TABLE job (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    consumer INTEGER NOT NULL REFERENCES consumer (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    parameters TEXT NOT NULL,
    record BLOB,
    asker TEXT NOT NULL,
    asker_basis TEXT NOT NULL,
    state TEXT NOT NULL,
    position INTEGER NOT NULL,
    total INTEGER NOT NULL,
    done INTEGER NOT NULL,
    skipped INTEGER NOT NULL,
    at INTEGER NOT NULL,
    ended_at INTEGER,
    problem TEXT
) STRICT;
CREATE INDEX job_open ON job (id) WHERE ended_at IS NULL;
CREATE INDEX job_ended ON job (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX job_consumer ON job (consumer);
CREATE INDEX job_record ON job (record) WHERE record IS NOT NULL;

-- How far a job has come that each source does its part of; gone when the part is done.
CREATE TABLE job_part (
    job INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    source INTEGER NOT NULL,
    position BLOB NOT NULL,
    PRIMARY KEY (job, source)
) STRICT, WITHOUT ROWID;
