-- In which of 64 parts of the internet the client is (parser.Network), by which a full
-- table of names tells what many ask for from what one does. NULL, 0: not known.
ALTER TABLE access_logs ADD COLUMN network {{small}} NULL;

ALTER TABLE voided_rows ADD COLUMN network {{small}} NULL;

-- Days with more names than keep their own, that Redis may still have under the names
-- which it gave out as they came.
CREATE TABLE IF NOT EXISTS names_due (
	site {{bytes 255}} NOT NULL,
	date {{date}} NOT NULL,
	mark {{count}} NOT NULL,
	PRIMARY KEY (site, date)
) {{table}};
