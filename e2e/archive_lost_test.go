package e2e

import (
	"strings"
	"testing"
)

// dump is all that Redis holds, as its backup would have it.
func (r *rig) dump() map[string]string {
	r.t.Helper()
	all := map[string]string{}
	keys, err := r.client.Keys(r.t.Context(), "*").Result()
	must(r.t, err)
	for _, k := range keys {
		all[k], err = r.client.Dump(r.t.Context(), k).Result()
		must(r.t, err)
	}
	return all
}

// bringBack puts a dump in the place of what Redis holds.
func (r *rig) bringBack(dump map[string]string) {
	r.t.Helper()
	pipe := r.client.TxPipeline()
	pipe.FlushAll(r.t.Context())
	for k, v := range dump {
		pipe.RestoreReplace(r.t.Context(), k, 0, v)
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
