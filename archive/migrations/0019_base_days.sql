-- What earlier counters had counted by day, by source; page '' is the whole site. The
-- totals of a source are in baselines as well: these days say when.
CREATE TABLE IF NOT EXISTS base_days (
	source {{bytes 100}} NOT NULL,
	site {{bytes 255}} NOT NULL,
	page {{bytes 500}} NOT NULL,
	date {{date}} NOT NULL,
	pv {{count}} NOT NULL,
	uv {{count}} NOT NULL,
	PRIMARY KEY (site, page, date, source)
) {{table}};
