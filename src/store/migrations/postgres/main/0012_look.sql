-- The server looks at a table by itself once a minute at most, and until then takes it for as small as it was before: what is
-- planned for that walks over all of one that has grown since. One with few rows it never looks at, and takes for larger than it is.
-- This has it look at those that have doubled, and once at every other. How many there were.
CREATE FUNCTION look_at_grown() RETURNS BIGINT LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    grown REGCLASS;
    looked_at BIGINT := 0;
BEGIN
    FOR grown IN
        SELECT oid FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
          AND (pg_stat_get_mod_since_analyze(oid) > 500 + greatest(reltuples, 0)
               OR reltuples < 0 AND pg_relation_size(oid) > 0)
    LOOP
        EXECUTE format('ANALYZE (SKIP_LOCKED) %s', grown);
        looked_at := looked_at + 1;
    END LOOP;
    RETURN looked_at;
END $$;
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION look_at_grown() SET search_path = %I, pg_temp', current_schema());
END $$;
