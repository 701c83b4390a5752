-- What each role may do in the main database. Granted anew after each change of the schema, where the roles are there.
GRANT USAGE ON SCHEMA cpr TO cpr_operator, cpr_ingest, cpr_deliver, cpr_lookup, cpr_retention;

-- Everybody: the configuration, leases, and to append to the record, which nobody changes.
GRANT SELECT ON meta, source, consumer, subscription, selection, consumer_state, source_state, _sqlx_migrations
    TO cpr_operator, cpr_ingest, cpr_deliver, cpr_lookup, cpr_retention;
GRANT INSERT, UPDATE ON meta TO cpr_operator, cpr_ingest, cpr_deliver, cpr_lookup, cpr_retention;
GRANT SELECT, INSERT, UPDATE, DELETE ON worker, serving, lease
    TO cpr_operator, cpr_ingest, cpr_deliver, cpr_lookup, cpr_retention;
GRANT INSERT ON audit_entry, audit_subject TO cpr_operator, cpr_ingest, cpr_deliver, cpr_lookup, cpr_retention;
GRANT SELECT (position, id) ON audit_entry TO cpr_operator, cpr_ingest, cpr_deliver, cpr_lookup, cpr_retention;

-- The operator: owns the configuration and asks others for the rest. It sees of persons what decides who covers them.
GRANT INSERT, UPDATE, DELETE ON meta, source, consumer, subscription, selection, announcing, consumer_login TO cpr_operator;
GRANT SELECT ON announcing, consumer_login, cursor, unread, doubt, told, missed, subject, list_hour, lane, parked, attempt
    TO cpr_operator;
GRANT SELECT (record, source, municipality, status, inactive_since, protected, next_due, as_of, held, settled, leaving,
              refetch, uncovered_since, updated_at) ON person TO cpr_operator;
GRANT UPDATE (leaving, refetch) ON person TO cpr_operator;
GRANT SELECT (id, consumer, seq, to_seq, count, shard, event, event_id, source, record, type, subscriptions, at,
              given_up_at, attempts, class, replay, of_seq, of_replay) ON dead_letter TO cpr_operator;
GRANT SELECT, INSERT, UPDATE, DELETE ON listing, list_state, request, job, job_part TO cpr_operator;
GRANT SELECT, DELETE ON subject TO cpr_operator;
-- That a subscription ended is said by who ends it.
GRANT SELECT (seq, id, record, source, type, at, detail), INSERT ON event TO cpr_operator;
GRANT SELECT, INSERT ON route TO cpr_operator;
GRANT USAGE, SELECT, UPDATE ON SEQUENCE event_numbers, route_numbers TO cpr_operator, cpr_ingest;

-- Ingest: persons, events and routes; and, as the janitor, whatever has had its time.
GRANT SELECT, INSERT, UPDATE, DELETE ON person, cursor, notice, unread, event, route, told, missed, request, subject,
    listing, list_hour, announcing, list_state, job, job_part, doubt, dead_letter, source_state TO cpr_ingest;
GRANT SELECT, DELETE ON source, consumer, subscription, selection, consumer_state, lane, parked, attempt, consumer_login
    TO cpr_ingest;

-- Delivery: its consumers' lanes and what happened on them; of persons, whether they are protected.
GRANT SELECT ON event, route, subject TO cpr_deliver;
GRANT SELECT (record, source, protected) ON person TO cpr_deliver;
GRANT SELECT, INSERT, UPDATE ON lane, attempt, consumer_state TO cpr_deliver;
GRANT SELECT, INSERT, UPDATE, DELETE ON parked TO cpr_deliver;
GRANT SELECT, INSERT ON dead_letter, request TO cpr_deliver;
GRANT UPDATE (verified, verified_at) ON consumer TO cpr_deliver;

-- Lookup: persons, and the record.
GRANT SELECT ON person, subject TO cpr_lookup;

-- Retention: deletes, and reads no content.
GRANT DELETE ON event, route, attempt, dead_letter, told, listing, job, job_part TO cpr_retention;
GRANT SELECT ON lane, parked, route, attempt, listing, told, job, job_part TO cpr_retention;
GRANT SELECT (seq, at) ON event TO cpr_retention;
GRANT SELECT (id, given_up_at) ON dead_letter TO cpr_retention;

REVOKE EXECUTE ON FUNCTION keep_partitions, renew_partitions, look_at_grown FROM PUBLIC;
GRANT EXECUTE ON FUNCTION renew_partitions, look_at_grown TO cpr_ingest;
GRANT EXECUTE ON FUNCTION keep_partitions TO cpr_ingest, cpr_retention;

-- Who works for all consumers sees the rows of all.
DO $$
DECLARE
    name TEXT;
BEGIN
    FOREACH name IN ARRAY ARRAY['lane', 'route', 'parked', 'attempt'] LOOP
        EXECUTE format('DROP POLICY IF EXISTS of_all ON %I', name);
        EXECUTE format('CREATE POLICY of_all ON %I TO cpr_operator, cpr_ingest, cpr_retention USING (true)', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['consumer', 'subscription', 'selection', 'consumer_state', 'dead_letter', 'request', 'subject', 'event'] LOOP
        EXECUTE format('DROP POLICY IF EXISTS of_all ON %I', name);
        EXECUTE format('CREATE POLICY of_all ON %I TO cpr_operator, cpr_ingest, cpr_lookup, cpr_retention USING (true)', name);
    END LOOP;
END $$;
