-- Who looked, told again within a week (ISO 8601) and within a month: see UNIQUES. NULL:
-- not told, as in rows that were written without the setting, of events and of bots.
ALTER TABLE access_logs ADD COLUMN week_hash {{fixed 16}} NULL;

ALTER TABLE access_logs ADD COLUMN month_hash {{fixed 16}} NULL;

ALTER TABLE voided_rows ADD COLUMN week_hash {{fixed 16}} NULL;

ALTER TABLE voided_rows ADD COLUMN month_hash {{fixed 16}} NULL;

-- Visitors of weeks and months that are over: period is 2026W48 or 202611, page '' the
-- whole site. uv NULL: not known, since some of the raw rows do not tell, or are deleted.
CREATE TABLE IF NOT EXISTS uniques (
	site {{bytes 255}} NOT NULL,
	period {{ascii_var 8}} NOT NULL,
	page {{bytes 500}} NOT NULL,
	uv {{count}} NULL,
	PRIMARY KEY (site, period, page)
) {{table}};

-- Weeks and months of which days were summed up since they were counted.
CREATE TABLE IF NOT EXISTS uniques_due (
	site {{bytes 255}} NOT NULL,
	period {{ascii_var 8}} NOT NULL,
	dirty {{count}} NOT NULL,
	PRIMARY KEY (site, period)
) {{table}};
