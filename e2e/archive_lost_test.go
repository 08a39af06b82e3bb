package e2e

import (
	"slices"
	"strings"
	"testing"
)

// dump is all that Redis holds at one moment, as its backup would have it: keys
// and their dumps in turn. The daemon deletes lists it has spread at any time.
func (r *rig) dump() []string {
	r.t.Helper()
	all, err := r.client.Eval(r.t.Context(), `local all = {}
for _, k in ipairs(redis.call('KEYS', '*')) do
	all[#all + 1] = k
	all[#all + 1] = redis.call('DUMP', k)
end
return all`, nil).StringSlice()
	must(r.t, err)
	return all
}

// bringBack puts a dump in the place of what Redis holds.
func (r *rig) bringBack(dump []string) {
	r.t.Helper()
	pipe := r.client.TxPipeline()
	pipe.FlushAll(r.t.Context())
	for kv := range slices.Chunk(dump, 2) {
		pipe.RestoreReplace(r.t.Context(), kv[0], 0, kv[1])
	}
	_, err := pipe.Exec(r.t.Context())
	must(r.t, err)
}

// TestArchiveOldBackup has Redis come back with an old state, under the daemon
// and while it is stopped. What it lost is partly in segments that were archived
// and deleted since: nobody has to know.
func TestArchiveOldBackup(t *testing.T) {
	eachArchive(t, rigOptions{}, func(r *rig) {
		r.daemon.Start()
		r.write(300)
		r.exact()
		old := r.dump()
		r.write(500)
		r.exact()
		r.archive()
		r.deleteSegments()
		r.write(400)
		r.exact()

		r.bringBack(old)
		r.verified()

		r.write(200)
		r.exact()
		r.archive()
		r.deleteSegments()
		r.daemon.Terminate()
		r.bringBack(old)
		r.daemon.Start()
		r.verified()
		if log := r.daemon.Log(); strings.Contains(log, "restore-from-mysql") {
			r.t.Error("somebody was asked to do something")
		}
	})
}
