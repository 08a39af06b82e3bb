package main

// mutants are grouped by what they break.
var mutants = []mutant{
	// Commit.
	{"commit-any-epoch", "counter/lua/commit.lua", "if current ~= expected and current ~= epoch then return {'epoch', current} end", ""},
	{"commit-any-offset", "counter/lua/commit.lua", "if (state[2] or '') ~= from then", "if false then"},
	{"commit-in-part-unseen", "counter/lua/commit.lua", "local part = torn(state[3], state[4])\nif part then return part end", ""},
	{"commit-loss-unseen", "counter/lua/commit.lua", "  if have < want then return {'lost', i} end\n", ""},
	{"commit-others-unseen", "counter/lua/commit.lua", "  elseif have > want then\n    return {'moved', i}\n", ""},
	{"commit-no-rollback", "counter/lua/commit.lua", "  rollback()\n", ""},
	{"commit-done-early", "counter/lua/commit.lua", "err = counters() or hashes()", "call('HSET', KEYS[1], 'done', begun)\nerr = counters() or hashes()"},
	{"commit-checkpoint-stays", "counter/lua/commit.lua", "  call('HSET', KEYS[1], segment, to, 'done', begun)", "  call('HSET', KEYS[1], 'done', begun)"},
	{"commit-site-not-held", "counter/commit.go", "				held[s] = true\n", ""},
	{"commit-error-ignored", "counter/commit.go", "				again = append(again, i)\n				if first", "				if first"},
	{"commit-refused-not-held", "counter/commit.go", "				refused[s] = a\n", ""},
	{"commit-part-beside-the-one-before", "counter/commit.go", "		if on[p.site] {\n", "		if false {\n"},
	{"archive-not-asked-for-new-sites", "counter/doubt.go", "o == nil || o.stored < seg.size {", "o != nil && o.stored < seg.size {"},
	{"archive-not-asked-what-is-gone", "counter/places.go", "		if s.gone {\n			delete(there, id)\n", "		if false && s.gone {\n			delete(there, id)\n"},
	{"rebuild-ends-at-another-type", "counter/rebuilder.go", "isNil(err) || redis.HasErrorPrefix(err, \"WRONGTYPE\") {", "isNil(err) {"},
	{"commit-oom-is-damage", "counter/trouble.go", `	"WRONGTYPE", "value is not an`, `	"WRONGTYPE", "OOM", "value is not an`},
	{"commit-network-is-damage", "counter/trouble.go", "	if !errors.As(err, &re) {\n		return true\n	}", "	if !errors.As(err, &re) {\n		return false\n	}"},
	{"commit-part-without-a-line", "counter/batch.go", "		return o.open == o.sent", "		return false && o.open == o.sent"},

	// Losses: what tells of a key that nobody knows of any more, and what of a type.
	{"lost-made-not-noted", "counter/lua/prelude.lua", "elseif known ~= '0' then new[#new + 1] = known end", "end"},
	{"lost-made-unseen", "counter/lua/prelude.lua", "        lost = lost + 1\n      else\n", "      else\n"},
	{"lost-visitors-not-summed", "counter/lua/prelude.lua", "  if visitors > 0 then pcall('HINCRBY', made, 'pages', visitors) end\n", ""},
	{"lost-made-not-looked-for", "counter/scrub_made.go", "case is == \"none\" && noted[n]:", "case false:"},
	{"lost-type-not-looked-at", "counter/scrub_made.go", "case is != \"none\" && is != want:", "case false:"},
	{"lost-visitors-not-compared", "counter/scrub_made.go", "	case l.uv < l.leastUV:", "	case false:"},
	{"lost-restored-not-noted", "counter/restore_made.go", "		fields = append(fields, period, letters)\n", "		_, _ = period, letters\n"},
	{"lost-list-of-sites-ends", "counter/registry.go", "	if !redis.HasErrorPrefix(err, \"WRONGTYPE\") {\n		return err\n	}\n	log", "	if true {\n		return err\n	}\n	log"},

	{"lost-notes-unseen", "counter/scrub_made.go", "		if strings.HasPrefix(l.epoch, lifeNoted) {", "		if false {"},
	{"lost-key-of-another-life", "counter/scrub_made.go", "				if now[i] != nil && !strings", "				if false && !strings"},
	{"lost-window-not-noted", "counter/encode.go", "		letter = keys.MarkWindow\n", "		return \"0\"\n"},

	// The three kinds that make chaos found, with their mends taken back.
	{"chaos-lost-with-its-answer", "counter/lua/prelude.lua", "  return call('HINCRBY', KEYS[1], 'lost', lost)", "  return tonumber(before or 0) + lost"},
	{"chaos-nobody-looks-for-keys", "counter/ingest.go", "	if in.opt.Scrub > 0 {", "	if false {"},
	{"chaos-start-on-full-redis-ends", "counter/trouble.go", `{"OOM", RedisFull}`, `{"OOM", ScriptsUnsupported}`},

	// Settle. That an answer which tells of lost keys leads to a rebuild at once (decide) saves
	// the time until the next audit, which does the same: no number needs it.
	{"audit-loss-ignored", "counter/audit.go", "	case c.lost > h.wards.knownLost(s.name):\n", "	case false:\n"},
	{"settle-gap-accepted", "counter/health.go", "	case gap:\n		return relearn\n", "	case gap:\n		return accept\n"},
	{"settle-merge-with-a-duplicate", "counter/merge.go", "				return false, nil\n", "				continue\n"},
	{"settle-floor-after-rewind", "counter/settle.go", "seg.rewinds == m.rewinds {", "seg.rewinds >= m.rewinds {"},
	{"settle-no-rewind", "counter/adopt.go", "	for id, old := range s.offsets {\n		if err := h.places.rewindTo(id, old, c); err != nil {", "	for id, old := range map[string]*offsets{} {\n		if err := h.places.rewindTo(id, old, c); err != nil {"},
	{"settle-merge-without-pairs", "counter/pairs.go", "		x.without(theirs)\n		x.change().seal()\n", "		x.change().seal()\n"},
	{"audit-off", "counter/audit.go", "	if id, lost := s.lostIn(c); lost {", "	if id, lost := s.lostIn(c); false && lost {"},
	{"audit-other-life", "counter/audit.go", "	if c.epoch != s.epoch {\n		return h.reload(ctx, s, c)\n	}", ""},
	{"audit-in-part-unseen", "counter/audit.go", "	if c.part {", "	if false {"},

	// Fold.
	{"fold-any-version", "counter/lua/fold.lua", "if (state[2] or '') ~= version then", "if false then"},
	{"fold-version-stays", "counter/lua/fold.lua", "call('HINCRBY', KEYS[1], field, 1)\n", ""},
	{"fold-order-swapped", "counter/lua/fold.lua", "call('LTRIM', list, take, -1)\nfor i = #back, 1, -1 do call('LPUSH', list, back[i]) end", "for i = #back, 1, -1 do call('LPUSH', list, back[i]) end\ncall('LTRIM', list, take, -1)"},
	{"fold-in-part-unseen", "counter/lua/fold.lua", "local part = torn(state[3], state[4])\nif part then return part end", ""},
	{"fold-not-at-load", "counter/adopt.go", "	if err != nil || s.waits[pendingPages].n == 0 {\n		return err\n	}\n	return h.folds.foldAll(ctx, s)", "	return err"},

	// Rebuild.
	{"rebuild-no-fence", "counter/rebuilder.go", "  redis.call('DEL', KEYS[1])\n  redis.call('HSET', KEYS[1], 'epoch', ARGV[1])\nend\nreturn 1`", "end\nreturn 1`"},
	{"rebuild-no-purge", "counter/rebuilder.go", "return r.purge(ctx, names) })", "return nil })"},
	{"rebuild-no-replay", "counter/places.go", "			if err := pl.rewind(seg, 0); err != nil {\n				return err\n			}", ""},
	{"rebuild-lock-ignored", "counter/rebuilder.go", "		if err != nil || got {\n			return got, err\n		}\n		var epoch string", "		if true || got {\n			return true, err\n		}\n		var epoch string"},
	{"rebuild-resume-stays", "counter/places.go", "	pl.resume.restart()\n", ""},
	{"rebuild-without-archive", "counter/rebuild.go", "			r.Restore, r.Ready = h.archive.Restore, h.archive.Reachable\n", ""},
	{"rebuild-archive-forgotten", "counter/rebuilder.go", "	for id, size := range done {\n		args = append(args, id, size)\n	}\n", ""},
	{"rebuild-lacking-ignored", "counter/places.go", "		if !there[id] && !pl.archived(id) {", "		if false && !there[id] {"},

	// Load.
	{"load-pairs-unread", "counter/load_day.go", "	addPairs(b, &into.set64)\n", ""},
	{"load-another-opened", "counter/load.go", "		if opened {\n			return errOpened\n		}\n", "		_ = opened\n"},
	{"load-counts-without-epoch", "counter/load.go", "		if s.pv > 0 || ld.archive", "		if in.opt.Archive"},
	{"load-day-not-checked", "counter/load_day.go", "	return ld.checkDay(ctx, l, ranked, whole)", "	return nil"},

	// Resume.
	{"resume-less-in-redis", "counter/prepare.go", "	case stored < remembered:\n		return stored\n", "	case false && stored < remembered:\n		return stored\n"},
	{"resume-aside", "counter/prepare.go", "	case before.Offsets == nil, before.Parked:\n", "	case before.Offsets == nil:\n"},
	{"commit-begins-anew", "counter/lua/commit.lua", "if current == '' and type(", "if false and type("},
	{"audit-lists-unseen", "counter/audit.go", "		if s.lists[l] != v { // somebody", "		if false && s.lists[l] != v { // somebody"},
	{"resume-other-life", "counter/prepare.go", "			before.Offsets = nil // another life: only Redis knows\n", ""},
	{"rules-passed-over-for-good", "counter/rules.go", "			in.places.passed, in.places.signs = true, in.audits.signs\n", ""},
	{"rules-passed-over-if-complete", "counter/adopt.go", "	if !rebuilt && !slices", "	if !slices"},
	{"rules-undone-and-not-put-back", "archive/void.go", "INSERT INTO access_logs (\"+rowColumns+\") SELECT \"+rowColumns+\" FROM voided_rows WHERE \"+where", "INSERT INTO access_logs (\"+rowColumns+\") SELECT \"+rowColumns+\" FROM voided_rows WHERE 0 AND \"+where"},
	{"resume-of-rebuilt", "counter/prepare.go", "		at = map[string]int64{} // what is rebuilt is read from the start\n", ""},
	{"resume-ahead", "counter/progress.go", "Floor: s.floor, Closed: s.closed}", "Floor: s.pos, Closed: s.closed}"},

	// Rotation.
	{"rotation-grown-unseen", "tailer/merge.go", "	case size > s.size:\n		m.reopen(s, best)\n", "	case size > s.size:\n"},
	{"rotation-torn-line-kept", "tailer/reader.go", "	r.off, r.seen = p.end, p.end\n	r.keep(", "	r.off, r.seen = p.start+int64(n), p.end\n	r.keep("},
	{"rotation-rewind-highest", "tailer/register.go", "	if s.rewinds == 0 || offset < s.want {", "	if s.rewinds == 0 || offset > s.want {"},
	{"rotation-gzip-from-start", "tailer/source.go", "	if off > g.pos {\n		if err := g.skip(off); err != nil {\n			return 0, err\n		}\n	}\n", ""},
	{"rotation-hole-accepted", "counter/take.go", "	case b.Start > reached:\n		return in.places.rewind(seg, seg.pos)\n", "	case b.Start > reached:\n		seg.pos = b.Start\n"},
	{"rotation-block-twice", "counter/take.go", "	case b.End <= seg.pos:\n		return nil\n", ""},
	{"rotation-torn-read-again", "counter/take.go", "		reached = max(reached, seg.torn) // an unfinished last line is passed over by now\n", ""},
	{"rotation-resume-ignored", "tailer/merge.go", "	off := max(0, m.opt.Resume(id))", "	off := max(0, 0*m.opt.Resume(id))"},

	{"rotation-stale-for-ever", "counter/places.go", "	if s.torn > 0 && s.floor == s.pos {", "	if false {"},
	{"rotation-stale-since-the-start", "tailer/round.go", "		r.reg.publish(s) // that it was looked\n", ""},

	// Mirror.
	{"mirror-due-not-noted", "counter/lua/prelude.lua", "  if not changed then return end\n", "  if true then return end\n"},
	{"mirror-flush-twice", "archive/pagecounts.go", "		if err != nil || !fresh {\n", "		if err != nil {\n"},
	{"mirror-other-life", "archive/pagecounts.go", "err == nil && has != f.Life {", "err == nil && false {"},
	{"mirror-lost-unseen", "internal/mirror/site.go", "!state.Current || state.Lost {", "!state.Current {"},
	{"mirror-take-gone-unseen", "internal/mirror/site.go", "|| err == nil && len(changes) == 0 {", "{"},
	{"mirror-went-back-unseen", "internal/mirror/site.go", "	if !agree(state, &log) {\n		return false, nil\n	}\n", ""},
	{"mirror-left-open", "internal/mirror/site.go", "	if err := s.finish(ctx, &state); err != nil {\n		return err\n	}\n", ""},
	{"mirror-sent-old-total", "counter/lua/mirror_sent.lua", "+ base == people and", "+ base >= people and"},
	{"mirror-sent-is-taken", "internal/mirror/elastic.go", "	items, err := e.post(ctx, body)\n	if err != nil {\n		return nil, pages, err\n	}\n", "	items, err := e.post(ctx, body)\n	if err != nil {\n		return pages, nil, nil\n	}\n"},
	{"mirror-sink-forgets-what-is-0", "internal/mirror/site.go", "if pages = append(pages, c.Page); len(", "if c.PV+c.Bots > 0 {\n				pages = append(pages, c.Page)\n			}\n			if len("},
	{"mirror-sink-not-named", "internal/mirror/site.go", "	if s.opt.Sink && !state.Named {", "	if false {"},

	// Archive. That a load forgets what it remembered when its transaction fails no number needs: the
	// gate, which is rolled back with it, says so as well. Its reader is closed for a segment that goes
	// on at the same offset; commits of loads that fail are not simulated.
	{"archive-chunk-twice", "archive/load.go", "	s, err := l.scan(ctx, row.readTo)", "	s, err := l.scan(ctx, 0)"},
	{"archive-sums-kept", "archive/rollup.go", "		if dirty == 0 {\n			return nil\n		}\n", "		if dirty != 1 {\n			return nil\n		}\n"},
	{"archive-ends-not-noted", "archive/load.go", "	if err := l.a.noteEnds(ctx, tx, row.num, s.ends()); err != nil {\n		return err\n	}\n", ""},
	{"archive-calls-not-loaded", "archive/load.go", "	if err := l.a.loadCalls(ctx, tx, &s.calls, l.seg.ID()); err != nil {\n		return err\n	}\n", ""},
}
