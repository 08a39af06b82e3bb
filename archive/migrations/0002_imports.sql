-- What was imported of each file from elsewhere, beside its row in segments.
-- content_end and content_sum are the length of what may be archived and the
-- SHA-256 of it: they are written before the load begins, so that another file
-- with the same first line is told from one that grew.
CREATE TABLE IF NOT EXISTS imports (
	segment {{bytes 100}} NOT NULL,
	name {{bytes 1024}} NOT NULL,
	rules {{bytes 2048}} NOT NULL,
	content_end {{count}} NOT NULL,
	content_sum {{bytes 64}} NOT NULL,
	imported_at {{time}} NOT NULL,
	PRIMARY KEY (segment)
) {{table}};

-- Sites whose numbers in Redis do not have what was imported yet.
CREATE TABLE IF NOT EXISTS imports_pending (
	site {{bytes 255}} NOT NULL,
	PRIMARY KEY (site)
) {{table}};

-- Counts that an earlier counter had, by source; page '' is the whole site.
CREATE TABLE IF NOT EXISTS baselines (
	source {{bytes 100}} NOT NULL,
	site {{bytes 255}} NOT NULL,
	page {{bytes 500}} NOT NULL,
	pv {{count}} NOT NULL,
	uv {{count}} NOT NULL,
	changed_at {{time}} NOT NULL,
	PRIMARY KEY (site, page, source)
) {{table}};
