-- What a process that delivers may see of the keys: those of persons on whom its consumer has a claim.

CREATE TABLE consumer_login (
    login NAME NOT NULL,
    consumer BIGINT NOT NULL,
    PRIMARY KEY (login, consumer)
);

CREATE FUNCTION my_consumers() RETURNS BIGINT[] LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    mine BIGINT[] := (SELECT array_agg(consumer) FROM consumer_login WHERE login = session_user);
BEGIN
    RETURN coalesce(mine, string_to_array(nullif(current_setting('cpr.consumers', true), ''), ',')::bigint[]);
END $$;

-- The wrapped keys of those of the records on which the consumer has a claim.
CREATE FUNCTION claimed_keys(of_consumer BIGINT, records BYTEA[])
    RETURNS TABLE (record BYTEA, wrapped BYTEA, wrapped_by BIGINT, version BIGINT)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT k.record, k.wrapped, k.wrapped_by, k.version
    FROM person_key k JOIN claim c ON c.record = k.record AND c.consumer = of_consumer
    WHERE k.record = ANY (records) AND of_consumer = ANY (my_consumers())
$$;

ALTER TABLE claim ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_consumer ON claim USING (consumer = ANY ((SELECT my_consumers())::bigint[]));
ALTER TABLE keyring ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_consumer ON keyring USING (
    kind IN ('data', 'audit-reference', 'audit-private')
    OR kind = 'consumer' AND scope::bigint = ANY ((SELECT my_consumers())::bigint[]));
