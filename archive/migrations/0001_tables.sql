-- One description for both dialects. In braces: types and clauses, see words
-- in schema.go. Statements end with a semicolon at the end of a line, and each
-- may be run again: MySQL commits every one of them by itself.

-- Settings and marks of the archive itself: gate, raw_floor, secret.
CREATE TABLE IF NOT EXISTS meta (
	name {{bytes 64}} NOT NULL,
	value {{bytes 1024}} NOT NULL,
	PRIMARY KEY (name)
) {{table}};

-- What was archived of each segment. Everything before read_to is; size is
-- that, and an unfinished last line.
CREATE TABLE IF NOT EXISTS segments (
	num {{serial}},
	id {{bytes 100}} NOT NULL,
	name {{bytes 1024}} NOT NULL,
	source {{bytes 255}} NOT NULL,
	size {{count}} NOT NULL,
	read_to {{count}} NOT NULL,
	lines_read {{count}} NOT NULL,
	human {{count}} NOT NULL,
	bot {{count}} NOT NULL,
	dedup {{count}} NOT NULL,
	skipped {{count}} NOT NULL,
	malformed {{count}} NOT NULL,
	torn {{count}} NOT NULL,
	reasons {{bytes 2048}} NOT NULL,
	first_time {{time}} NULL,
	last_time {{time}} NULL,
	archived_at {{time}} NOT NULL,
	UNIQUE (id)
) {{rows}};

-- One row for each counted line. The line is (segment, end_offset); site and
-- time go before it in the key so that a site's rows lie in order of time.
CREATE TABLE IF NOT EXISTS access_logs (
	site {{bytes 255}} NOT NULL,
	page {{bytes 500}} NOT NULL,
	user_hash {{ascii 32}} NOT NULL,
	ip {{ascii_var 45}} NOT NULL,
	user_agent {{bytes 512}} NOT NULL,
	potential_bot {{small}} NOT NULL,
	created_at {{time}} NOT NULL,
	date {{date}} NOT NULL,
	event_key {{bytes 803}} NOT NULL,
	device {{small}} NOT NULL,
	uid {{bytes 200}} NOT NULL,
	referer {{bytes 512}} NOT NULL,
	view_key {{fixed 8}} NULL,
	window_key {{fixed 8}} NULL,
	segment {{int}} NOT NULL,
	end_offset {{count}} NOT NULL,
	PRIMARY KEY (site, created_at, segment, end_offset, date)
) {{rows}}{{by_day}};

-- Days that have raw rows or had them. raw: there may be some still.
CREATE TABLE IF NOT EXISTS days (
	site {{bytes 255}} NOT NULL,
	date {{date}} NOT NULL,
	dirty {{small}} NOT NULL,
	raw {{small}} NOT NULL,
	dedup {{count}} NOT NULL,
	rolled_at {{time}} NULL,
	PRIMARY KEY (site, date)
) {{table}};

CREATE TABLE IF NOT EXISTS daily_stats (
	date {{date}} NOT NULL,
	site {{bytes 255}} NOT NULL,
	pv {{count}} NOT NULL,
	uv {{count}} NOT NULL,
	pv_pc {{count}} NOT NULL,
	pv_mobile {{count}} NOT NULL,
	pv_bot {{count}} NOT NULL,
	events {{count}} NOT NULL,
	events_bot {{count}} NOT NULL,
	PRIMARY KEY (site, date)
) {{table}};

CREATE TABLE IF NOT EXISTS page_stats (
	date {{date}} NOT NULL,
	site {{bytes 255}} NOT NULL,
	page {{bytes 500}} NOT NULL,
	pv {{count}} NOT NULL,
	uv {{count}} NOT NULL,
	PRIMARY KEY (site, date, page)
) {{table}};

CREATE TABLE IF NOT EXISTS event_stats (
	date {{date}} NOT NULL,
	site {{bytes 255}} NOT NULL,
	event_key {{bytes 803}} NOT NULL,
	pv {{count}} NOT NULL,
	uv {{count}} NOT NULL,
	PRIMARY KEY (site, date, event_key)
) {{table}};

-- Page totals in near real time, spread over slots; a reader sums them.
CREATE TABLE IF NOT EXISTS page_counts (
	site {{bytes 255}} NOT NULL,
	page {{bytes 500}} NOT NULL,
	potential_bot {{small}} NOT NULL,
	slot_id {{int}} NOT NULL,
	count {{count}} NOT NULL,
	PRIMARY KEY (site, page, potential_bot, slot_id)
) {{table}};

-- Calls of a site's API: dimension is total, endpoint, status or user.
CREATE TABLE IF NOT EXISTS api_daily (
	date {{date}} NOT NULL,
	site {{bytes 255}} NOT NULL,
	dimension {{ascii_var 16}} NOT NULL,
	name {{bytes 500}} NOT NULL,
	calls {{count}} NOT NULL,
	failed {{count}} NOT NULL,
	milliseconds {{count}} NOT NULL,
	PRIMARY KEY (site, date, dimension, name)
) {{table}};

INSERT {{ignore}} INTO meta (name, value) VALUES ('gate', '');
INSERT {{ignore}} INTO meta (name, value) VALUES ('raw_floor', '');
