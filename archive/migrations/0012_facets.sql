-- One table for what views are counted by beside their page. uv: the visitors of a
-- name, not known of days whose raw rows were deleted before there was this table.
CREATE TABLE IF NOT EXISTS facet_stats (
	date {{date}} NOT NULL,
	site {{bytes 255}} NOT NULL,
	facet {{ascii_var 16}} NOT NULL,
	name {{bytes 255}} NOT NULL,
	pv {{count}} NOT NULL,
	pv_bot {{count}} NOT NULL,
	uv {{count}} NULL,
	PRIMARY KEY (site, facet, date, name)
) {{table}};

-- The tables that it takes the place of. Where this was ended half way they may be
-- gone, and what they had is copied.
CREATE TABLE IF NOT EXISTS hour_stats (
	date {{date}} NOT NULL,
	site {{bytes 255}} NOT NULL,
	hour {{small}} NOT NULL,
	pv {{count}} NOT NULL,
	pv_bot {{count}} NOT NULL,
	PRIMARY KEY (site, date, hour)
) {{table}};

CREATE TABLE IF NOT EXISTS referrer_stats (
	date {{date}} NOT NULL,
	site {{bytes 255}} NOT NULL,
	referrer {{bytes 255}} NOT NULL,
	pv {{count}} NOT NULL,
	PRIMARY KEY (site, date, referrer)
) {{table}};

INSERT {{ignore}} INTO facet_stats (date, site, facet, name, pv, pv_bot)
	SELECT date, site, 'hour', SUBSTR('000102030405060708091011121314151617181920212223', 2 * hour + 1, 2), pv, pv_bot FROM hour_stats;

INSERT {{ignore}} INTO facet_stats (date, site, facet, name, pv, pv_bot)
	SELECT date, site, 'referrer', referrer, pv, 0 FROM referrer_stats;

DROP TABLE hour_stats;

DROP TABLE referrer_stats;

-- Days that still have their raw rows get their visitors.
UPDATE days SET dirty = 1 WHERE dirty = 0 AND raw = 1 AND date >= (SELECT CASE WHEN value = '' THEN '0001-01-01' ELSE value END FROM meta WHERE name = 'raw_floor');
