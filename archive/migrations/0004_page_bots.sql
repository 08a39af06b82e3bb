-- Views of bots by page. Days that still have their raw rows are summed up
-- again; of older ones it is not known which pages the bots saw.
ALTER TABLE page_stats ADD COLUMN pv_bot {{count}} NOT NULL DEFAULT 0;
UPDATE days SET dirty = 1 WHERE raw = 1 AND date >= (SELECT CASE WHEN value = '' THEN '0001-01-01' ELSE value END FROM meta WHERE name = 'raw_floor');
