-- What the first views of an imported file are: another file that begins with the
-- same line is told from a copy that was filtered or edited. Files that were
-- imported before there was this table have no row.
CREATE TABLE IF NOT EXISTS import_heads (
	segment {{bytes 100}} NOT NULL,
	head {{bytes 1024}} NOT NULL,
	PRIMARY KEY (segment)
) {{table}};
