package e2e

import (
	"os"
	"strings"
	"testing"
)

// TestArchiveVerifyNamesWhatIsWrong plants wrong numbers of every kind; verify
// names each, ends with status 1, and --repair mends them.
func TestArchiveVerifyNamesWhatIsWrong(t *testing.T) {
	eachArchive(t, rigOptions{}, func(r *rig) {
		t, ctx := r.t, r.t.Context()
		r.daemon.Env["FLUSH_CRON"] = "off" // a mirror that is filled meanwhile differs as well
		r.daemon.Start()
		r.write(1200)
		r.exact()
		t.Log(r.archive())
		r.write(800)
		r.verified()

		today := r.today()
		day := prefix + "hot:ddkk.com:day:" + today
		must(t, r.client.IncrBy(ctx, prefix+"site:pv:ddkk.com", 7).Err())
		must(t, r.client.Incr(ctx, prefix+"page:pv:example.org:/").Err())
		must(t, r.client.DecrBy(ctx, prefix+"page:uv:example.org:/", 1).Err())
		must(t, r.client.ZIncrBy(ctx, day, 3, "/").Err())
		must(t, r.client.ZAdd(ctx, prefix+"hot:docs.ddkk.com:all", z("/never-seen", 5)).Err())
		must(t, r.client.HIncrBy(ctx, prefix+"event:ddkk.com:"+today, "download", 1).Err())
		must(t, r.client.HIncrBy(ctx, prefix+"site:books:ddkk.com:"+today, "mobile", 1).Err())
		must(t, r.client.Set(ctx, prefix+"page:pv:docs.ddkk.com:/nobody", 1, 0).Err())
		must(t, r.client.Del(ctx, prefix+"page:pv:docs.ddkk.com:/").Err())
		must(t, r.client.LPush(ctx, prefix+"site:pv:docs.ddkk.com:19990101", 1).Err())
		must(t, r.client.SAdd(ctx, prefix+"site:uv:set:example.org:"+today, "0123456789abcdef").Err())

		out, err := Run(t, r.daemon.Env, "verify")
		if err == nil {
			t.Errorf("verify ends with status 0")
		}
		for _, name := range []string{
			"site:pv:ddkk.com is", "page:pv:example.org:/ is", "page:uv:example.org:/ is", "hot:ddkk.com:day:" + today + " / is",
			"hot:docs.ddkk.com:all /never-seen is 5, want 0", "event:ddkk.com:" + today + " download is",
			"site:books:ddkk.com:" + today + " mobile is", "page:pv:docs.ddkk.com:/nobody is there, want no such key",
			"page:pv:docs.ddkk.com:/ is 0, want", "site:pv:docs.ddkk.com:19990101 is there",
			"site:uv:set:example.org:" + today + " is",
		} {
			if !strings.Contains(out, prefix+name) {
				t.Errorf("verify does not name %s", name)
			}
		}
		if !strings.Contains(out, "4 sites, 11 differences, 0 problems") {
			t.Errorf("verify counts otherwise:\n%s", out)
		}
		r.command("verify", "--repair")
		r.write(100)
		r.verified()
	})
}

// TestArchiveVerifyUnderLoad verifies, again and again, a daemon that counts.
func TestArchiveVerifyUnderLoad(t *testing.T) {
	r := startRig(t, rigOptions{})
	r.write(500)
	r.exact()
	r.archive()
	stop := r.feed()
	for range 4 {
		r.more(300)
		if out := r.command("verify"); !strings.Contains(out, " 0 differences, 0 problems") {
			t.Errorf("verify found differences:\n%s", out)
		}
	}
	r.rotate()
	r.more(300)
	if out := r.command("verify", "--json"); !strings.Contains(out, `"differences": 0`) {
		t.Errorf("verify found differences:\n%s", out)
	}
	stop()
	r.verified()
}

// TestArchiveVerifyLackingSegment deletes a counted segment that is not
// archived: verify names it, and --repair must not rebuild the site, which
// would lose what the segment counted.
func TestArchiveVerifyLackingSegment(t *testing.T) {
	r := startRig(t, rigOptions{})
	r.write(300)
	r.exact()
	first, err := os.ReadFile(r.log)
	must(t, err)
	id := strings.Split(string(first), "\t")[2]
	r.rotate()
	r.write(300)
	r.exact()
	r.deleteSegments()
	must(t, r.client.Incr(t.Context(), prefix+"site:pv:ddkk.com").Err())
	for _, args := range [][]string{{"verify", "--site", "www.ddkk.com"}, {"verify", "--repair"}} {
		out, err := Run(t, r.daemon.Env, args...)
		if err == nil || !strings.Contains(out, "cannot be verified: segment "+id) {
			t.Errorf("%v ended with %v and said\n%s", args, err, out)
		}
		if repair := strings.Contains(out, "is not rebuilt: 1 counted segments"); repair != (len(args) == 2) {
			t.Errorf("%v said\n%s", args, out)
		}
	}
	must(t, r.client.Decr(t.Context(), prefix+"site:pv:ddkk.com").Err())
	r.exact()
}

// TestArchiveVerifySums plants wrong sums: verify adds up the raw rows, names
// the sums, and --repair computes them and the sites again.
func TestArchiveVerifySums(t *testing.T) {
	m := StartMariaDB(t)
	r := newRig(t, rigOptions{})
	r.daemon.Env["MYSQL_DSN"] = createDatabase(t, m)
	r.daemon.Start()
	r.write(1000)
	r.exact()
	r.archive()
	r.verified()
	db := m.Open(t, "stats")
	for _, q := range []string{
		"UPDATE daily_stats SET uv = uv + 2 WHERE site = 'ddkk.com'",
		"UPDATE page_stats SET pv = pv + 1 WHERE site = 'example.org' AND page = '/'",
		"DELETE FROM event_stats WHERE site = 'docs.ddkk.com' AND event_key = 'download.pdf'",
	} {
		_, err := db.Exec(q)
		must(t, err)
	}
	out, err := Run(t, r.daemon.Env, "verify", "--days=3")
	if err == nil {
		t.Error("verify ends with status 0")
	}
	for _, want := range []string{
		"daily_stats ddkk.com " + r.today() + " uv is", "page_stats example.org " + r.today() + " / pv is",
		"event_stats docs.ddkk.com " + r.today() + " download.pdf pv is 0",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("verify does not name %q:\n%s", want, out)
		}
	}
	r.command("verify", "--repair")
	r.forget()
	r.write(50)
	r.verified()
}
