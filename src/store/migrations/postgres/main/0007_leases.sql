-- Who works on what, where several processes share a database.

CREATE FUNCTION now_ms() RETURNS BIGINT LANGUAGE sql VOLATILE PARALLEL SAFE
    AS $$ SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint $$;

-- A process, and when it last said that it lives, by the database's clock.
CREATE TABLE worker (
    name TEXT COLLATE "C" PRIMARY KEY,
    role TEXT COLLATE "C" NOT NULL,
    beat_at BIGINT NOT NULL
) WITH (fillfactor = 20);

-- The consumers that a process is there for.
CREATE TABLE serving (
    consumer BIGINT NOT NULL REFERENCES consumer (id) ON DELETE CASCADE,
    worker TEXT COLLATE "C" NOT NULL REFERENCES worker (name) ON DELETE CASCADE,
    PRIMARY KEY (consumer, worker)
);
CREATE INDEX serving_worker ON serving (worker);

-- Work that one process does at a time: a source's, the janitor's.
CREATE TABLE lease (
    name TEXT COLLATE "C" PRIMARY KEY,
    worker TEXT COLLATE "C" NOT NULL,
    epoch BIGINT NOT NULL
);
