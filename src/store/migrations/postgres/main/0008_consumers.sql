-- Which consumers a process may see: those that its login stands for, where there is one login for each consumer, else those that
-- it names in its transaction. The former is a border, the latter a guard against our own mistakes.

CREATE TABLE consumer_login (
    login NAME NOT NULL,
    consumer BIGINT NOT NULL REFERENCES consumer (id) ON DELETE CASCADE,
    PRIMARY KEY (login, consumer)
);

CREATE FUNCTION my_consumers() RETURNS BIGINT[] LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    mine BIGINT[] := (SELECT array_agg(consumer) FROM consumer_login WHERE login = session_user);
BEGIN
    RETURN coalesce(mine, string_to_array(nullif(current_setting('cpr.consumers', true), ''), ',')::bigint[]);
END $$;

ALTER TABLE lane ENABLE ROW LEVEL SECURITY;
ALTER TABLE route ENABLE ROW LEVEL SECURITY;
ALTER TABLE parked ENABLE ROW LEVEL SECURITY;
ALTER TABLE attempt ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_consumer ON lane USING (consumer = ANY ((SELECT my_consumers())::bigint[]));
CREATE POLICY of_consumer ON route USING (consumer = ANY ((SELECT my_consumers())::bigint[]));
CREATE POLICY of_consumer ON parked USING (consumer = ANY ((SELECT my_consumers())::bigint[]));
CREATE POLICY of_consumer ON attempt USING (consumer = ANY ((SELECT my_consumers())::bigint[]));
