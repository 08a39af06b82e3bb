-- How scheduled jobs of each host went last: what a restart must not forget. since
-- is when the host first had the job, done_at when it last went well; note is the
-- job's own.
CREATE TABLE IF NOT EXISTS jobs (
	host {{bytes 64}} NOT NULL,
	job {{bytes 32}} NOT NULL,
	since {{time}} NOT NULL,
	done_at {{time}} NULL,
	note {{bytes 1024}} NOT NULL,
	PRIMARY KEY (host, job)
) {{table}};
