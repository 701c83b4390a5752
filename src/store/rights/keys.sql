-- What each role may do in the key store. Granted anew after each change of the schema, where the roles are there.
GRANT USAGE ON SCHEMA cpr_keys TO cpr_operator, cpr_ingest, cpr_deliver, cpr_lookup;

-- Everybody: the keys of the ring, each of which is wrapped by the root key.
GRANT SELECT ON meta, keyring, _sqlx_migrations TO cpr_operator, cpr_ingest, cpr_deliver, cpr_lookup;
GRANT INSERT, UPDATE ON meta TO cpr_operator, cpr_ingest, cpr_deliver, cpr_lookup;
GRANT INSERT ON keyring TO cpr_operator, cpr_ingest, cpr_deliver, cpr_lookup;

-- The operator takes lists of numbers in, each sealed under its person's key.
GRANT DELETE ON meta TO cpr_operator;
GRANT SELECT, INSERT ON person_key, identifier TO cpr_operator;
GRANT UPDATE (sought_at) ON person_key TO cpr_operator;
GRANT SELECT ON claim TO cpr_operator;
GRANT SELECT, INSERT, DELETE ON consumer_login TO cpr_operator;

GRANT SELECT, INSERT, UPDATE, DELETE ON person_key, identifier, claim TO cpr_ingest;
GRANT DELETE ON keyring TO cpr_ingest;
REVOKE EXECUTE ON FUNCTION look_at_grown FROM PUBLIC;
GRANT EXECUTE ON FUNCTION look_at_grown TO cpr_ingest;

-- Delivery reads no person's key but by `claimed_keys`.
REVOKE EXECUTE ON FUNCTION claimed_keys FROM PUBLIC;
GRANT EXECUTE ON FUNCTION claimed_keys TO cpr_deliver;
GRANT SELECT ON claim TO cpr_deliver;

GRANT SELECT ON person_key, identifier TO cpr_lookup;

DO $$
DECLARE
    name TEXT;
BEGIN
    FOREACH name IN ARRAY ARRAY['claim', 'keyring'] LOOP
        EXECUTE format('DROP POLICY IF EXISTS of_all ON %I', name);
        EXECUTE format('CREATE POLICY of_all ON %I TO cpr_operator, cpr_ingest, cpr_lookup USING (true)', name);
    END LOOP;
END $$;
