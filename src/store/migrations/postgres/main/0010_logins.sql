-- A login that the operator has made for one worker stands for that worker's consumers, whatever it names, and sees none where it
-- stands for none.

CREATE FUNCTION is_of_a_worker() RETURNS BOOLEAN LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT session_user LIKE 'cpr\_w\_%' $$;

CREATE OR REPLACE FUNCTION my_consumers() RETURNS BIGINT[] LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    mine BIGINT[] := (SELECT array_agg(consumer) FROM consumer_login WHERE login = session_user);
BEGIN
    IF is_of_a_worker() THEN
        RETURN coalesce(mine, '{}');
    END IF;
    RETURN coalesce(mine, string_to_array(nullif(current_setting('cpr.consumers', true), ''), ',')::bigint[]);
END $$;

-- What is not kept apart for a login that delivers to all.
DO $$
DECLARE
    name TEXT;
BEGIN
    FOREACH name IN ARRAY ARRAY['consumer', 'subscription', 'selection', 'consumer_state', 'dead_letter', 'request'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY of_login ON %I USING ((SELECT NOT is_of_a_worker()) OR %I = ANY ((SELECT my_consumers())::bigint[]))',
                       name, CASE name WHEN 'consumer' THEN 'id' ELSE 'consumer' END);
    END LOOP;
END $$;
ALTER TABLE subject ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_login ON subject
    USING ((SELECT NOT is_of_a_worker()) OR subscription = ANY ((SELECT array_agg(id) FROM subscription)::bigint[]));
-- An event that was routed to its consumer, for which the routes are shown to it.
ALTER TABLE event ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_login ON event
    USING ((SELECT NOT is_of_a_worker()) OR EXISTS (SELECT 1 FROM route r WHERE r.event = event.seq));

-- Tables of a session's own are looked for last, else whoever makes one would be believed in it.
DO $$
DECLARE
    name REGPROCEDURE;
BEGIN
    FOR name IN SELECT oid FROM pg_proc WHERE pronamespace = current_schema()::regnamespace AND prosecdef LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', name, current_schema());
    END LOOP;
END $$;
