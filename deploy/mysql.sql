-- Database and accounts of ddkk-stats on MySQL 8 or MariaDB 10.6 and newer.
-- Put your passwords in, then as an administrator: mysql < mysql.sql
-- It may be run again.
--
-- Three accounts, each with no more rights than it needs. For one machine; with
-- the database elsewhere write the daemon's address instead of localhost (which
-- is also what a TCP connection to 127.0.0.1 counts as, unless names are not
-- resolved: then write 127.0.0.1).

-- Names that visitors choose are kept as bytes, so the collation is of no
-- weight to them; it is for yours.
CREATE DATABASE IF NOT EXISTS ddkk CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Makes and changes the tables: at the installation and after each upgrade, run
--     MYSQL_DSN='ddkk_schema:PASSWORD@tcp(127.0.0.1:3306)/ddkk' ddkk-stats archive
-- with this account. It creates what is missing and archives what is due.
CREATE USER IF NOT EXISTS ddkk_schema@localhost IDENTIFIED BY 'CHANGE-ME-SCHEMA';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX ON ddkk.* TO ddkk_schema@localhost;

-- The daemon: MYSQL_DSN=ddkk:PASSWORD@tcp(127.0.0.1:3306)/ddkk
-- It reads and writes rows. The rights on the one table of raw rows are for its
-- partitions, one a day; without them old rows are deleted instead, slower. No
-- FILE and no SUPER: LOAD DATA LOCAL sends from the daemon's own memory, and
-- needs local_infile=ON in the server (without, rows go in by INSERT, slower).
CREATE USER IF NOT EXISTS ddkk@localhost IDENTIFIED BY 'CHANGE-ME-DAEMON';
GRANT SELECT, INSERT, UPDATE, DELETE ON ddkk.* TO ddkk@localhost;
GRANT CREATE, ALTER, DROP ON ddkk.access_logs TO ddkk@localhost;

-- The backup: reads everything.
CREATE USER IF NOT EXISTS ddkk_backup@localhost IDENTIFIED BY 'CHANGE-ME-BACKUP';
GRANT SELECT, SHOW VIEW ON ddkk.* TO ddkk_backup@localhost;
