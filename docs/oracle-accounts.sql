-- Accounts of the service in Oracle, to be run once by a DBA: sqlplus system@survey @oracle-accounts.sql
--
-- vo_admin   owns the tables and the catalogue: vo load --database oracle, vo publish
-- vo_reader  runs the queries: VO_ORACLE_USER of web and workers
-- vo_upload  the same where queries may bring tables: VO_ORACLE_USER with VO_ORACLE_UPLOADS=1
-- vo_read    the role by which both see what is loaded: vo load … --reader vo_read
--
-- Change the passwords, the tablespace and the quota first.

CREATE ROLE vo_read;

CREATE USER vo_admin IDENTIFIED BY "change-me-1" DEFAULT TABLESPACE users QUOTA UNLIMITED ON users;
GRANT CREATE SESSION, CREATE TABLE TO vo_admin;

CREATE USER vo_reader IDENTIFIED BY "change-me-2" DEFAULT TABLESPACE users QUOTA 0 ON users;
GRANT CREATE SESSION TO vo_reader;
GRANT vo_read TO vo_reader;

-- Private temporary tables need the privilege and no quota: they live in the temporary tablespace.
CREATE USER vo_upload IDENTIFIED BY "change-me-3" DEFAULT TABLESPACE users QUOTA 0 ON users;
GRANT CREATE SESSION, CREATE TABLE TO vo_upload;
GRANT vo_read TO vo_upload;

-- A query ends by itself; these stop what forgets to.
CREATE PROFILE vo_query LIMIT SESSIONS_PER_USER 200 IDLE_TIME 60;
ALTER USER vo_reader PROFILE vo_query;
ALTER USER vo_upload PROFILE vo_query;
