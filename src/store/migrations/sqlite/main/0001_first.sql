-- The main database: configuration, persons, events on their way, and the record.
-- Ids are integers that are never given twice, 16-byte blobs or text; times are milliseconds since the epoch, dates are texts YYYY-MM-DD.

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE source (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    uid TEXT NOT NULL,
    generation INTEGER NOT NULL,
    compiled TEXT,
    ended_at INTEGER,
    UNIQUE (namespace, name)
) STRICT;

CREATE TABLE consumer (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    uid TEXT NOT NULL,
    generation INTEGER NOT NULL,
    compiled TEXT,
    ended_at INTEGER,
    verified TEXT,
    verified_at INTEGER,
    UNIQUE (namespace, name)
) STRICT;

CREATE TABLE subscription (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    uid TEXT NOT NULL,
    generation INTEGER NOT NULL,
    source INTEGER NOT NULL REFERENCES source (id),
    consumer INTEGER NOT NULL REFERENCES consumer (id),
    compiled TEXT,
    began_at INTEGER NOT NULL,
    ended_at INTEGER,
    end_reason TEXT,
    deleted_at INTEGER,
    UNIQUE (namespace, name)
) STRICT;

-- What a subscription selected until a version of the selections, for persons not yet settled for what it selects now.
CREATE TABLE selection (
    subscription INTEGER NOT NULL REFERENCES subscription (id) ON DELETE CASCADE,
    until INTEGER NOT NULL,
    consumer INTEGER NOT NULL,
    compiled TEXT,
    PRIMARY KEY (subscription, until)
) STRICT, WITHOUT ROWID;

-- What ingest last found at a source, and delivery at a consumer; revision is one counter over both.
CREATE TABLE source_state (
    source INTEGER PRIMARY KEY REFERENCES source (id) ON DELETE CASCADE,
    state TEXT NOT NULL,
    revision INTEGER NOT NULL
) STRICT;

CREATE TABLE consumer_state (
    consumer INTEGER PRIMARY KEY REFERENCES consumer (id) ON DELETE CASCADE,
    state TEXT NOT NULL,
    revision INTEGER NOT NULL
) STRICT;

CREATE TABLE person (
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
) STRICT, WITHOUT ROWID;
CREATE INDEX person_municipality ON person (source, municipality);
CREATE INDEX person_due ON person (source, next_due) WHERE next_due IS NOT NULL;
CREATE INDEX person_settled ON person (source, settled);
CREATE INDEX person_refetch ON person (source) WHERE refetch = 1;
CREATE INDEX person_leaving ON person (record) WHERE leaving = 1;
CREATE INDEX person_uncovered ON person (uncovered_since) WHERE uncovered_since IS NOT NULL;

CREATE TABLE cursor (
    source INTEGER PRIMARY KEY REFERENCES source (id),
    import INTEGER NOT NULL,
    imports TEXT NOT NULL
) STRICT;

CREATE TABLE notice (
    source INTEGER NOT NULL REFERENCES source (id),
    import INTEGER NOT NULL,
    event_id INTEGER NOT NULL,
    PRIMARY KEY (source, import, event_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE unread (
    record BLOB NOT NULL,
    source INTEGER NOT NULL REFERENCES source (id),
    import INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    next_try INTEGER NOT NULL,
    person_id BLOB NOT NULL,
    PRIMARY KEY (record, source)
) STRICT, WITHOUT ROWID;
CREATE INDEX unread_source ON unread (source, next_try);

CREATE TABLE event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL,
    record BLOB,
    source INTEGER NOT NULL,
    type TEXT NOT NULL,
    at INTEGER NOT NULL,
    detail TEXT,
    snapshot BLOB,
    audit_period TEXT,
    audit_person BLOB,
    audit_number BLOB
) STRICT;
CREATE INDEX event_at ON event (at);
CREATE INDEX event_record ON event (record) WHERE record IS NOT NULL;

CREATE TABLE route (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    consumer INTEGER NOT NULL,
    shard INTEGER NOT NULL,
    event INTEGER NOT NULL,
    record BLOB,
    type TEXT NOT NULL,
    subscriptions TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX route_consumer ON route (consumer, seq);
CREATE INDEX route_event ON route (event);
CREATE INDEX route_person ON route (consumer, record, seq) WHERE record IS NOT NULL;

CREATE TABLE lane (
    consumer INTEGER NOT NULL REFERENCES consumer (id) ON DELETE CASCADE,
    shard INTEGER NOT NULL,
    watermark INTEGER NOT NULL,
    taken INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    worker TEXT NOT NULL,
    PRIMARY KEY (consumer, shard)
) STRICT, WITHOUT ROWID;

CREATE TABLE parked (
    consumer INTEGER NOT NULL REFERENCES consumer (id) ON DELETE CASCADE,
    record BLOB NOT NULL,
    first_seq INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    since INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    class TEXT NOT NULL,
    gap INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (consumer, record)
) STRICT, WITHOUT ROWID;

CREATE TABLE dead_letter (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    consumer INTEGER NOT NULL REFERENCES consumer (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    to_seq INTEGER NOT NULL,
    count INTEGER NOT NULL,
    shard INTEGER,
    event INTEGER,
    event_id BLOB,
    source INTEGER,
    record BLOB,
    type TEXT,
    subscriptions TEXT,
    at INTEGER NOT NULL,
    given_up_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    class TEXT NOT NULL,
    snapshot BLOB
) STRICT;
CREATE INDEX dead_letter_consumer ON dead_letter (consumer, seq);
CREATE INDEX dead_letter_record ON dead_letter (record) WHERE record IS NOT NULL;
CREATE INDEX dead_letter_given_up ON dead_letter (given_up_at);

CREATE TABLE attempt (
    consumer INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    status INTEGER,
    millis INTEGER NOT NULL,
    class TEXT,
    PRIMARY KEY (consumer, seq, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE told (
    consumer INTEGER NOT NULL REFERENCES consumer (id) ON DELETE CASCADE,
    record BLOB NOT NULL,
    type TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (record, consumer, type)
) STRICT, WITHOUT ROWID;
CREATE INDEX told_consumer ON told (consumer);
CREATE INDEX told_at ON told (at);

CREATE TABLE missed (
    subscription INTEGER NOT NULL REFERENCES subscription (id) ON DELETE CASCADE,
    record BLOB NOT NULL,
    covered INTEGER NOT NULL,
    PRIMARY KEY (subscription, record)
) STRICT, WITHOUT ROWID;
CREATE INDEX missed_record ON missed (record);

-- What delivery asks of ingest, the only writer of events and routes.
CREATE TABLE request (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    consumer INTEGER NOT NULL REFERENCES consumer (id) ON DELETE CASCADE,
    record BLOB NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX request_record ON request (record);
CREATE INDEX request_consumer ON request (consumer);

CREATE TABLE audit_entry (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL,
    leaf INTEGER,
    at INTEGER NOT NULL,
    public BLOB NOT NULL,
    private BLOB NOT NULL,
    private_key INTEGER NOT NULL,
    period TEXT,
    person BLOB,
    number BLOB
) STRICT;

CREATE TABLE audit_subject (
    entry INTEGER NOT NULL REFERENCES audit_entry (position),
    kind TEXT NOT NULL,
    period TEXT NOT NULL,
    reference BLOB NOT NULL,
    PRIMARY KEY (entry, kind, reference)
) STRICT, WITHOUT ROWID;
