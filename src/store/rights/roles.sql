-- The roles that logins of cpr-operator's processes are members of. Whoever may make roles runs this once on the server.
DO $$
DECLARE
    role TEXT;
BEGIN
    FOREACH role IN ARRAY ARRAY['cpr_operator', 'cpr_ingest', 'cpr_deliver', 'cpr_lookup', 'cpr_retention'] LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role);
        END IF;
    END LOOP;
END $$;
