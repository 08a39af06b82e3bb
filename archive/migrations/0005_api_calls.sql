-- Calls of sites' APIs by period, named by its digits in TIMEZONE: a minute
-- YYYYMMDDHHMM (dimension total), an hour YYYYMMDDHH (endpoint, status, user,
-- and latency of all calls) or a day YYYYMMDD (latency by endpoint). All that is
-- shown of a period can be added up from them. api_daily has the sums of days,
-- in the same dimensions; the name of a latency is its bucket, or bucket:endpoint.
CREATE TABLE IF NOT EXISTS api_periods (
	site {{bytes 255}} NOT NULL,
	period {{ascii_var 12}} NOT NULL,
	dimension {{ascii_var 16}} NOT NULL,
	name {{bytes 500}} NOT NULL,
	calls {{count}} NOT NULL,
	failed {{count}} NOT NULL,
	milliseconds {{count}} NOT NULL,
	PRIMARY KEY (site, period, dimension, name)
) {{table}};

-- Days that have calls. raw: their periods are still there.
CREATE TABLE IF NOT EXISTS api_days (
	site {{bytes 255}} NOT NULL,
	date {{date}} NOT NULL,
	dirty {{small}} NOT NULL,
	raw {{small}} NOT NULL,
	rolled_at {{time}} NULL,
	PRIMARY KEY (site, date)
) {{table}};

-- How many lines of a segment were calls: a part of its books.
CREATE TABLE IF NOT EXISTS api_segments (
	segment {{bytes 100}} NOT NULL,
	calls {{count}} NOT NULL,
	PRIMARY KEY (segment)
) {{table}};

-- The day before which no periods are kept.
INSERT {{ignore}} INTO meta (name, value) VALUES ('api_floor', '');
