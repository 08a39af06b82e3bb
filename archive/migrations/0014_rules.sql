-- Rules that take lines out of all numbers, or count them for another site. terms is
-- JSON. done_at: what a deletion asked for is gone from SQL. meta 'rules' is raised by
-- each change; who loads has to know it.
CREATE TABLE IF NOT EXISTS rules (
	num {{serial}},
	kind {{bytes 16}} NOT NULL,
	terms {{bytes 4096}} NOT NULL,
	made_at {{time}} NOT NULL,
	made_by {{bytes 255}} NOT NULL,
	done_at {{time}} NULL,
	undone_at {{time}} NULL
) {{rows}};

INSERT {{ignore}} INTO meta (name, value) VALUES ('rules', '0');

-- Who counts: which change of the rules a host's daemon has in force, and up to which
-- rule its rotated logs have nothing left of what was deleted.
CREATE TABLE IF NOT EXISTS hosts (
	host {{bytes 64}} NOT NULL,
	name {{bytes 255}} NOT NULL,
	rules {{count}} NOT NULL,
	erased {{count}} NOT NULL,
	seen_at {{time}} NOT NULL,
	PRIMARY KEY (host)
) {{table}};
