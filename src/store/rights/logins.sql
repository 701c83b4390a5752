-- Lets the operator make a login for each worker that delivers. Whoever may make roles on the server runs this once in each of
-- both databases, after what makes the roles. No login has the right to make roles: these functions have, for names of their own.
DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'cpr_logins') THEN
        CREATE ROLE cpr_logins NOLOGIN NOINHERIT;
    END IF;
END $$;
ALTER ROLE cpr_logins NOLOGIN NOINHERIT CREATEROLE;
GRANT cpr_deliver TO cpr_logins WITH ADMIN OPTION;
GRANT cpr_logins TO CURRENT_USER;
CREATE SCHEMA IF NOT EXISTS cpr_logins AUTHORIZATION cpr_logins;
SET ROLE cpr_logins;

CREATE OR REPLACE FUNCTION cpr_logins.refuse_other(login TEXT) RETURNS VOID
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF login !~ '^cpr_w_[0-9a-f]{8}_[0-9a-f]{16}$' THEN
        RAISE EXCEPTION 'that is no name of a worker''s login';
    END IF;
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = login
               AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls))
        OR EXISTS (SELECT 1 FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member JOIN pg_roles g ON g.oid = m.roleid
                   WHERE r.rolname = login AND g.rolname <> 'cpr_deliver') THEN
        RAISE EXCEPTION 'the role has rights that no worker''s login has';
    END IF;
END $$;

-- Makes a login, or gives it another password. `mark` tells one password from another.
CREATE OR REPLACE FUNCTION cpr_logins.ensure(login TEXT, verifier TEXT, mark TEXT, connections BIGINT) RETURNS VOID
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM cpr_logins.refuse_other(login);
    IF verifier NOT LIKE 'SCRAM-SHA-256$%:%$%:%' THEN
        RAISE EXCEPTION 'that is no verifier of a password';
    END IF;
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = login) THEN
        EXECUTE format('CREATE ROLE %I', login);
    END IF;
    EXECUTE format('ALTER ROLE %I LOGIN INHERIT CONNECTION LIMIT %s PASSWORD %L', login, connections, verifier);
    EXECUTE format('GRANT cpr_deliver TO %I', login);
    EXECUTE format('COMMENT ON ROLE %I IS %L', login, mark);
END $$;

CREATE OR REPLACE FUNCTION cpr_logins.remove(login TEXT) RETURNS VOID
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM cpr_logins.refuse_other(login);
    EXECUTE format('DROP ROLE IF EXISTS %I', login);
END $$;

REVOKE ALL ON FUNCTION cpr_logins.ensure, cpr_logins.remove, cpr_logins.refuse_other FROM PUBLIC;
GRANT USAGE ON SCHEMA cpr_logins TO cpr_operator;
GRANT EXECUTE ON FUNCTION cpr_logins.ensure, cpr_logins.remove TO cpr_operator;
RESET ROLE;
REVOKE cpr_logins FROM CURRENT_USER;
