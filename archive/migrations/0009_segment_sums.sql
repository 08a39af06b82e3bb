-- What the content of an archived segment was, byte for byte: its size and its
-- SHA-256. A file is deleted as archived only if it is exactly that.
CREATE TABLE IF NOT EXISTS segment_sums (
	segment {{bytes 100}} NOT NULL,
	size {{count}} NOT NULL,
	content_sum {{bytes 64}} NOT NULL,
	PRIMARY KEY (segment)
) {{table}};
