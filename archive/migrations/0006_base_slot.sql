-- What earlier counters had counted of pages is in page_counts as well, in a
-- slot of its own that no host adds to: 65535, the sum of all sources.
DELETE FROM page_counts WHERE slot_id = 65535;
INSERT INTO page_counts (site, page, potential_bot, slot_id, count)
	SELECT site, page, 0, 65535, SUM(pv) FROM baselines WHERE page <> '' GROUP BY site, page HAVING SUM(pv) <> 0;
