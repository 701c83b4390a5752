-- The upkeep of partitions, by whoever may, with the rights of the owner.

-- Goes on to the next range of numbers where the present one began before `before`, so that each holds what is of about one age.
CREATE FUNCTION turn_partitions(before BIGINT) RETURNS VOID LANGUAGE plpgsql AS $$
DECLARE
    kind TEXT;
    range BIGINT;
    began BIGINT;
BEGIN
    FOREACH kind IN ARRAY ARRAY['event', 'route'] LOOP
        EXECUTE format('SELECT last_value >> 24 FROM %I', kind || '_numbers') INTO range;
        EXECUTE format('SELECT at FROM %I ORDER BY seq LIMIT 1', kind || '_' || range) INTO began;
        IF began < before THEN
            PERFORM pg_advisory_xact_lock(1668313602);
            PERFORM setval((kind || '_numbers')::regclass, (range + 1) << 24);
        END IF;
    END LOOP;
END $$;

-- Drops the partitions whose every row is older than `before`, and settled, and named by nobody. How many.
CREATE FUNCTION drop_partitions(before BIGINT) RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE
    partition RECORD;
    is_over BOOLEAN;
    dropped BIGINT := 0;
BEGIN
    FOR partition IN
        SELECT p.relname AS parent, substring(c.relname FROM '[0-9]+$')::bigint AS range, c.relname AS name
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
        WHERE p.oid IN ('route'::regclass, 'event'::regclass)
        ORDER BY p.relname DESC, 2
    LOOP
        EXECUTE format('SELECT %s < (SELECT last_value >> 24 FROM %I)', partition.range, partition.parent || '_numbers')
            INTO is_over;
        CONTINUE WHEN NOT is_over;
        EXECUTE format('SELECT coalesce((SELECT at FROM %I ORDER BY seq DESC LIMIT 1), 0) < %s', partition.name, before)
            INTO is_over;
        CONTINUE WHEN NOT is_over;
        IF partition.parent = 'route' THEN
            EXECUTE format(
                'SELECT NOT EXISTS (SELECT 1 FROM lane l WHERE EXISTS (
                            SELECT 1 FROM %1$I r WHERE r.consumer = l.consumer AND r.shard = l.shard AND r.seq > l.watermark))
                    AND NOT EXISTS (SELECT 1 FROM %1$I r WHERE NOT EXISTS (
                            SELECT 1 FROM lane l WHERE l.consumer = r.consumer AND l.shard = r.shard))
                    AND NOT EXISTS (SELECT 1 FROM parked p WHERE p.state <> ''GapOnly'' AND EXISTS (
                            SELECT 1 FROM %1$I r WHERE r.consumer = p.consumer AND r.record = p.record
                                                   AND r.seq >= p.first_seq))', partition.name) INTO is_over;
            CONTINUE WHEN NOT is_over;
            EXECUTE format('DROP TABLE %I', 'attempt_' || partition.range);
        ELSE
            EXECUTE format('SELECT NOT EXISTS (SELECT 1 FROM route WHERE event >= %s AND event < %s)',
                           partition.range << 24, (partition.range + 1) << 24) INTO is_over;
            CONTINUE WHEN NOT is_over;
        END IF;
        EXECUTE format('DROP TABLE %I', partition.name);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;

-- Makes room again for the events of dead letters, which are put back under their numbers when they are sent once more.
CREATE FUNCTION renew_partitions(letters BIGINT[]) RETURNS VOID
    LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT add_partition('event', range)
    FROM (SELECT DISTINCT event >> 24 AS range FROM dead_letter WHERE id = ANY (letters) AND event IS NOT NULL) AS ranges
$$;

-- All of it: partitions for what comes, a new one each day, and those of `before` dropped. How many were.
CREATE FUNCTION keep_partitions(day_ago BIGINT, before BIGINT) RETURNS BIGINT
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM turn_partitions(day_ago), add_partitions();
    RETURN drop_partitions(before);
END $$;
