-- Views by hour and by the host that led to them. Days that still have their
-- raw rows are summed up again; where their readers came from is not known.
ALTER TABLE access_logs ADD COLUMN referrer {{bytes 255}} NOT NULL DEFAULT '';

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

-- The history of one page, without a look at all others.
CREATE INDEX page_stats_page ON page_stats (site, page, date);

UPDATE days SET dirty = 1 WHERE raw = 1 AND date >= (SELECT CASE WHEN value = '' THEN '0001-01-01' ELSE value END FROM meta WHERE name = 'raw_floor');
