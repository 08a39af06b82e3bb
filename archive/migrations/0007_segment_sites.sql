-- Where the last line of a site in a segment ends that was counted. A checkpoint
-- in Redis that is before it, of a segment whose file is deleted, says that Redis
-- lost lines which the archive has. segment is segments.num.
CREATE TABLE IF NOT EXISTS segment_sites (
	site {{bytes 255}} NOT NULL,
	segment {{int}} NOT NULL,
	last_end {{count}} NOT NULL,
	PRIMARY KEY (site, segment)
) {{table}};

-- Segments up to this number were archived before there was that table.
INSERT {{ignore}} INTO meta (name, value) SELECT 'ends_after', COALESCE(MAX(num), 0) FROM segments;
