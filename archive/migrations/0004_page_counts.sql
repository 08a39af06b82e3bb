-- Views of bots by page. Days that still have their raw rows are summed up
-- again; of older ones it is not known which pages the bots saw.
ALTER TABLE page_stats ADD COLUMN pv_bot {{count}} NOT NULL DEFAULT 0;
UPDATE days SET dirty = 1 WHERE raw = 1 AND date >= (SELECT CASE WHEN value = '' THEN '0001-01-01' ELSE value END FROM meta WHERE name = 'raw_floor');

-- Who adds to page_counts: each slot of a site has the life of the mirror that
-- it is of. Slot 0 is always there.
CREATE TABLE IF NOT EXISTS page_count_slots (
	site {{bytes 255}} NOT NULL,
	slot_id {{int}} NOT NULL,
	life {{bytes 32}} NOT NULL,
	changed_at {{time}} NOT NULL,
	PRIMARY KEY (site, slot_id)
) {{table}};

-- The last changes that were added to page_counts, so that each is added once.
CREATE TABLE IF NOT EXISTS page_count_flushes (
	site {{bytes 255}} NOT NULL,
	seq {{count}} NOT NULL,
	nonce {{bytes 32}} NOT NULL,
	slot_id {{int}} NOT NULL,
	flushed_at {{time}} NOT NULL,
	PRIMARY KEY (site, seq)
) {{table}};
